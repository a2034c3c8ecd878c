// SPDX-License-Identifier: GPL-2.0
/*
 * The VM itself feeds the chain, through ftrace
 *
 * In 2008 the calls stood in mm/rmap.c. A stock kernel has none, but its
 * functions start with a nop that ftrace can turn into a call. A handler that
 * owns the function (FTRACE_OPS_FL_IPMODIFY) may send the caller elsewhere: to
 * a replacement here. That calls the original and then, with the ptes gone and
 * the folio still locked, runs the chain. The technique is livepatch's;
 * livepatch itself offers no way back to the original.
 *
 *	shrink_folio_list()
 *	  try_to_unmap() -> ftrace -> hooked_try_to_unmap()
 *	                                try_to_unmap()       the original
 *	                                  invalidate_range_start/end()
 *	                                mmu_rmap_invalidate_folio()
 *
 * Unloading. A task may sleep in a replacement, and ftrace waits only for
 * tasks inside its handlers. Each call is therefore counted from the handler
 * on, before any code of this file can sleep, and unloading waits for the
 * count, then for tasks that are between the count and the return.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/rmap.h>
#include <linux/static_call.h>

#include "compat.h"
#include "internal.h"
#include "mmu_rmap.h"

struct mmu_rmap_hook {
	const char *name;
	void *replacement;
	struct ftrace_ops ops;
};

/*
 * On x86, direct calls, patched in at load: an indirect call of a function
 * whose address the kernel never takes is a fault on CPUs that track branches.
 * Elsewhere the calls go through a pointer.
 */
DEFINE_STATIC_CALL_NULL(original_try_to_unmap, try_to_unmap);
DEFINE_STATIC_CALL_NULL(original_try_to_migrate, try_to_migrate);
DEFINE_STATIC_CALL_NULL(original_folio_mkclean, folio_mkclean);

enum { TRY_TO_UNMAP, TRY_TO_MIGRATE, FOLIO_MKCLEAN, NR_HOOKS };

static DEFINE_PER_CPU(long, calls);	/* only the sum counts */
static bool active;

/*
 * A task that faults on a page unmapped here waits for the folio's lock, to
 * read it back from swap, or to find it in the page cache. Not so where the
 * page is thrown away (MADV_FREE): the pte is empty, and a new page may be
 * there before the original returns. Nor where the page is of shared memory:
 * in a private mapping of it, userfaultfd fills an empty pte and asks for no
 * lock. Such an entry is not left to the chain.
 */
static bool place_is_kept(struct folio *folio)
{
	if (folio_test_anon(folio))
		return folio_test_swapcache(folio);
	return !folio_test_swapbacked(folio);
}

static void hooked_try_to_unmap(struct folio *folio, enum ttu_flags flags)
{
	struct mmu_rmap_walk walk;

	mmu_rmap_walk_begin(&walk, folio, place_is_kept(folio));
	static_call(original_try_to_unmap)(folio, flags);
	mmu_rmap_walk_end(&walk, folio);
	this_cpu_dec(calls);
}

static void hooked_try_to_migrate(struct folio *folio, enum ttu_flags flags)
{
	struct mmu_rmap_walk walk;

	mmu_rmap_walk_begin(&walk, folio, true);
	static_call(original_try_to_migrate)(folio, flags);
	mmu_rmap_walk_end(&walk, folio);
	this_cpu_dec(calls);
}

static int hooked_folio_mkclean(struct folio *folio)
{
	struct mmu_rmap_walk walk;
	int cleaned;

	mmu_rmap_walk_begin(&walk, folio, true);
	cleaned = static_call(original_folio_mkclean)(folio);
	mmu_rmap_walk_end(&walk, folio);
	this_cpu_dec(calls);
	return cleaned;
}

static struct mmu_rmap_hook hooks[NR_HOOKS] = {
	[TRY_TO_UNMAP] = { "try_to_unmap", hooked_try_to_unmap },
	[TRY_TO_MIGRATE] = { "try_to_migrate", hooked_try_to_migrate },
	[FOLIO_MKCLEAN] = { "folio_mkclean", hooked_folio_mkclean },
};

static void notrace divert(unsigned long ip, unsigned long parent_ip,
			   struct ftrace_ops *ops, struct ftrace_regs *fregs)
{
	struct mmu_rmap_hook *h = container_of(ops, struct mmu_rmap_hook, ops);

	if (within_module_core(parent_ip, THIS_MODULE))
		return;		/* a replacement calls its original */
	this_cpu_inc(calls);
	ftrace_regs_set_instruction_pointer(fregs,
					    (unsigned long)h->replacement);
}

/*
 * The probe is never armed: with kernel.ftrace_enabled=0, to arm and disarm one
 * leaves ftrace's records wrong. With indirect branch tracking, the address is
 * past the endbr64.
 */
static void *find_function(const char *name)
{
	struct kprobe kp = {
		.symbol_name = name,
		.flags = KPROBE_FLAG_DISABLED,
	};

	if (register_kprobe(&kp))
		return NULL;
	unregister_kprobe(&kp);
	return kp.addr;
}

static int find_originals(void)
{
	void *address[NR_HOOKS];
	unsigned int n;

	for (n = 0; n < NR_HOOKS; n++) {
		address[n] = find_function(hooks[n].name);
		if (address[n])
			continue;
		pr_err("this kernel has no %s() to hook\n", hooks[n].name);
		pr_err("load with hook=0 to feed the chain by ioctl only\n");
		return -ENOENT;
	}
	static_call_update(original_try_to_unmap, address[TRY_TO_UNMAP]);
	static_call_update(original_try_to_migrate, address[TRY_TO_MIGRATE]);
	static_call_update(original_folio_mkclean, address[FOLIO_MKCLEAN]);
	return 0;
}

static int hook_install_one(struct mmu_rmap_hook *h)
{
	int err;

	h->ops.func = divert;
	h->ops.flags = FTRACE_OPS_FL_IPMODIFY | MY_MMU_FTRACE_SAVE_REGS |
		       FTRACE_OPS_FL_PERMANENT;
	err = ftrace_set_filter(&h->ops, (unsigned char *)h->name,
				strlen(h->name), 1);
	if (!err)
		err = register_ftrace_function(&h->ops);
	if (!err)
		return 0;
	ftrace_free_filter(&h->ops);
	pr_err("cannot hook %s() (error %d)\n", h->name, err);
	pr_err("is kernel.ftrace_enabled=0, or does a live patch have it?\n");
	pr_err("mend that, or load with hook=0\n");
	return err;
}

static long calls_in_flight(void)
{
	long sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += per_cpu(calls, cpu);
	return sum;
}

static void hook_remove_first(unsigned int n)
{
	while (n--) {
		WARN_ON(unregister_ftrace_function(&hooks[n].ops));
		ftrace_free_filter(&hooks[n].ops);
	}
	while (calls_in_flight())
		msleep(20);
	synchronize_rcu_tasks();	/* counted down, and returned, too */
}

/**
 * mmu_rmap_hook_install() - have the VM feed the chain
 *
 * Context: may sleep.
 * Return: 0; -ENOENT if the kernel lacks a function; -EBUSY if ftrace is off
 * or a function is taken. The log says what to do.
 */
int mmu_rmap_hook_install(void)
{
	int err = find_originals();
	unsigned int n;

	if (err)
		return err;
	for (n = 0; n < NR_HOOKS; n++) {
		err = hook_install_one(&hooks[n]);
		if (err) {
			hook_remove_first(n);
			return err;
		}
	}
	WRITE_ONCE(active, true);
	return 0;
}

/**
 * mmu_rmap_hook_remove() - leave the VM alone
 *
 * Context: may sleep, and waits for hooked calls that are under way.
 */
void mmu_rmap_hook_remove(void)
{
	hook_remove_first(NR_HOOKS);
}

/**
 * mmu_rmap_hook_active() - does the VM feed the chain?
 *
 * Context: any.
 * Return: true if it does.
 */
bool mmu_rmap_hook_active(void)
{
	return READ_ONCE(active);
}
