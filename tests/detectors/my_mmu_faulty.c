// SPDX-License-Identifier: GPL-2.0
/*
 * my_mmu_faulty - one bug of each kind that the debug kernels are there for
 *
 *	insmod my_mmu_faulty.ko bug=use_after_free
 *
 * tests/run-debug --self-test loads it and wants every bug reported: a detector
 * that was never seen to fire may be off. The name is one of ours, so that what
 * is said about the module counts as said about us. Never load it for fun.
 */
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/kasan-checks.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/xarray.h>

#define RACE_MS		4000

static char *bug = "none";
module_param(bug, charp, 0444);
MODULE_PARM_DESC(bug, "which of the bugs to commit, once, while loading");

/* --- memory ----------------------------------------------------------- */

static void use_after_free(void)
{
	char *p = kmalloc(64, GFP_KERNEL);

	kfree(p);
	OPTIMIZER_HIDE_VAR(p);
	if (p)
		WRITE_ONCE(p[8], 1);
}

static void out_of_bounds(void)
{
	char *p = kmalloc(60, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
	if (p)
		WRITE_ONCE(p[60], 1);
	kfree(p);
}

/* As the device has it: see access_entry() in driver/engine.c. */
static void freed_page(void)
{
	void *page = (void *)__get_free_page(GFP_KERNEL);

	free_page((unsigned long)page);
	OPTIMIZER_HIDE_VAR(page);
	kasan_check_write(page, 8);
}

/* It is the kernel's own code that looks into what we have freed. */
static void freed_xarray(void)
{
	struct xarray *xa = kmalloc(sizeof(*xa), GFP_KERNEL);

	if (!xa)
		return;
	xa_init(xa);
	kfree(xa);
	OPTIMIZER_HIDE_VAR(xa);
	xa_load(xa, 0);
}

static void leak(void)
{
	void *p;
	int i;

	for (i = 0; i < 8; i++) {
		p = kzalloc(96, GFP_KERNEL);
		OPTIMIZER_HIDE_VAR(p);
	}
}

static struct rcu_head head;

static void nothing(struct rcu_head *unused)
{
}

static void call_rcu_twice(void)
{
	call_rcu(&head, nothing);
	call_rcu(&head, nothing);
	rcu_barrier();
}

/* --- locking ---------------------------------------------------------- */

static DEFINE_SPINLOCK(lock_a);
static DEFINE_SPINLOCK(lock_b);

/* One task is enough: lockdep judges the order, not the deadlock. */
static void wrong_order(void)
{
	spin_lock(&lock_a);
	spin_lock(&lock_b);
	spin_unlock(&lock_b);
	spin_unlock(&lock_a);

	spin_lock(&lock_b);
	spin_lock(&lock_a);
	spin_unlock(&lock_a);
	spin_unlock(&lock_b);
}

static void sleep_in_atomic(void)
{
	void *p;

	spin_lock(&lock_a);
	p = kmalloc(64, GFP_KERNEL);
	spin_unlock(&lock_a);
	kfree(p);
}

/* This task may go on elsewhere, and then it is wrong about its CPU. */
static void cpu_may_change(void)
{
	int cpu = smp_processor_id();

	OPTIMIZER_HIDE_VAR(cpu);
}

static int __rcu *pointer;

static void rcu_without_lock(void)
{
	if (rcu_dereference(pointer))
		pr_info("there was something\n");
}

/* --- arithmetic ------------------------------------------------------- */

static void shift_too_far(void)
{
	int n = 40;

	OPTIMIZER_HIDE_VAR(n);
	pr_info("1 << 40 is %d\n", 1 << n);
}

static int table[4];

static void index_too_large(void)
{
	int n = 4;

	OPTIMIZER_HIDE_VAR(n);
	pr_info("beyond the table is %d\n", table[n]);
}

/* --- the kernel's own checks ------------------------------------------ */

static void warning(void)
{
	WARN_ON(bug);
}

/* --- two tasks at once ------------------------------------------------ */

static unsigned long shared_word, flag, enough;

static int count_up(void *unused)
{
	while (!kthread_should_stop()) {
		shared_word++;
		cond_resched();
	}
	return 0;
}

/* Plain data, then a flag, no barrier: the reader may see the flag alone. */
static int give(void *unused)
{
	while (!kthread_should_stop()) {
		/* Pairs with the release in take() */
		if (!smp_load_acquire(&flag)) {
			shared_word++;
			WRITE_ONCE(flag, 1);
		}
		cond_resched();
	}
	return 0;
}

static int take(void *unused)
{
	while (!kthread_should_stop()) {
		/* Pairs with nothing: that is the bug */
		if (smp_load_acquire(&flag)) {
			enough += shared_word;
			/* Pairs with the acquire in give() */
			smp_store_release(&flag, 0);
		}
		cond_resched();
	}
	return 0;
}

static void run_both(int (*one)(void *), int (*other)(void *))
{
	struct task_struct *a = kthread_run(one, NULL, "faulty-a");
	struct task_struct *b = kthread_run(other, NULL, "faulty-b");

	msleep(RACE_MS);
	if (!IS_ERR(a))
		kthread_stop(a);
	if (!IS_ERR(b))
		kthread_stop(b);
}

static void unlocked_counter(void)
{
	run_both(count_up, count_up);
}

static void missing_barrier(void)
{
	run_both(give, take);
}

/* --- the list ---------------------------------------------------------- */

static const struct {
	const char *name;
	void (*commit)(void);
} bugs[] = {
#define COMMIT(function) { #function, function }
	COMMIT(use_after_free),
	COMMIT(out_of_bounds),
	COMMIT(freed_page),
	COMMIT(freed_xarray),
	COMMIT(leak),
	COMMIT(call_rcu_twice),
	COMMIT(wrong_order),
	COMMIT(sleep_in_atomic),
	COMMIT(cpu_may_change),
	COMMIT(rcu_without_lock),
	COMMIT(shift_too_far),
	COMMIT(index_too_large),
	COMMIT(warning),
	COMMIT(unlocked_counter),
	COMMIT(missing_barrier),
};

static int __init faulty_init(void)
{
	size_t i;

	if (!strcmp(bug, "none"))
		return 0;
	for (i = 0; i < ARRAY_SIZE(bugs); i++) {
		if (strcmp(bug, bugs[i].name))
			continue;
		bugs[i].commit();
		return 0;
	}
	return -EINVAL;
}
module_init(faulty_init);

static void __exit faulty_exit(void)
{
}
module_exit(faulty_exit);

MODULE_DESCRIPTION("Deliberate bugs for the debug kernels to find");
MODULE_LICENSE("GPL");
