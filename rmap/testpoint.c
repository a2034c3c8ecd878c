// SPDX-License-Identifier: GPL-2.0
/*
 * Test points: see include/my_mmu_testpoint.h
 *
 * Here, in the lowest module, so that all the others can have some.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/jump_label.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "internal.h"
#include "my_mmu_testpoint.h"

DEFINE_STATIC_KEY_FALSE(my_mmu_test_points_on);
EXPORT_SYMBOL_GPL(my_mmu_test_points_on);

/* What a command says behind its name. */
struct orders {
	unsigned int		n;
	unsigned int		ms;
	unsigned int		task;	/* 0: any */
	struct mm_struct	*mm;	/* NULL: any; compared, not followed */
	bool			hold;
	bool			stall;
};

struct test_point {
	const char		*name;
	spinlock_t		lock;	/* protects up to the blank line */
	unsigned long		arrivals;
	unsigned int		to_park;
	unsigned int		to_fail;
	struct orders		orders;
	struct list_head	parked;
	unsigned int		nr_parked;

	wait_queue_head_t	wait;	/* parked tasks */
	bool			armed;	/* arm_mutex: has the key on */
};

/* On the stack of the task; in test_point.parked until it may go on. */
struct parked {
	struct list_head	node;
	unsigned int		task;
	bool			go;
};

#define TEST_POINT(id) { .name = #id },
static struct test_point test_points[MY_MMU_NR_TEST_POINTS] = {
	MY_MMU_TEST_POINTS(TEST_POINT)
};

static DEFINE_MUTEX(arm_mutex);

/* Neither way is on the record of the hung-task detector. */
static void park(struct test_point *p, struct parked *me, bool hold,
		 unsigned int ms)
{
	long timeout = msecs_to_jiffies(ms);

	if (hold)
		wait_event_idle_timeout(p->wait, READ_ONCE(me->go), timeout);
	else
		wait_event_killable_timeout(p->wait, READ_ONCE(me->go),
					    timeout);
}

static void stall(struct parked *me, unsigned int ms)
{
	ktime_t end = ktime_add_ms(ktime_get(), min(ms, MY_MMU_STALL_MAX_MS));

	while (!READ_ONCE(me->go) && ktime_before(ktime_get(), end))
		udelay(1);
}

static void go_on(struct test_point *p, struct parked *task)
{
	lockdep_assert_held(&p->lock);
	if (task->go)
		return;
	list_del(&task->node);
	p->nr_parked--;
	WRITE_ONCE(task->go, true);
}

static bool is_meant(struct test_point *p, struct mm_struct *mm)
{
	return (!p->orders.task || p->orders.task == current->pid) &&
	       (!p->orders.mm || p->orders.mm == mm);
}

/**
 * __my_mmu_test_point() - see my_mmu_test_point()
 * @id: where the task is
 * @mm: on whose behalf, or NULL
 * @may_sleep: it may be parked
 *
 * Context: may sleep if @may_sleep.
 * Return: true if the test wants this place to fail.
 */
bool __my_mmu_test_point(enum my_mmu_test_point_id id, struct mm_struct *mm,
			 bool may_sleep)
{
	struct test_point *p = &test_points[id];
	struct parked me = { .task = current->pid };
	bool fail = false, stop = false;
	struct orders orders;

	spin_lock(&p->lock);
	orders = p->orders;
	if (is_meant(p, mm)) {
		p->arrivals++;
		fail = p->to_fail;
		p->to_fail -= fail;
		stop = p->to_park && (may_sleep || orders.stall);
		p->to_park -= stop;
	}
	if (stop) {
		list_add_tail(&me.node, &p->parked);
		p->nr_parked++;
	}
	spin_unlock(&p->lock);
	if (!stop)
		return fail;

	if (may_sleep)
		park(p, &me, orders.hold, orders.ms);
	else
		stall(&me, orders.ms);
	spin_lock(&p->lock);
	go_on(p, &me);
	spin_unlock(&p->lock);
	return fail;
}
EXPORT_SYMBOL_GPL(__my_mmu_test_point);

/*
 * Commands
 */
static void arm(struct test_point *p, bool on)
{
	mutex_lock(&arm_mutex);
	if (on && !p->armed)
		static_branch_inc(&my_mmu_test_points_on);
	if (!on && p->armed)
		static_branch_dec(&my_mmu_test_points_on);
	p->armed = on;
	mutex_unlock(&arm_mutex);
}

/* Tasks in the order in which they came. */
static void release(struct test_point *p, const struct orders *orders)
{
	unsigned int n = orders->n ?: UINT_MAX;
	struct parked *task, *next;

	spin_lock(&p->lock);
	list_for_each_entry_safe(task, next, &p->parked, node) {
		if (orders->task && task->task != orders->task)
			continue;
		go_on(p, task);
		if (!--n)
			break;
	}
	spin_unlock(&p->lock);
	wake_up_all(&p->wait);
}

static void set_orders(struct test_point *p, const struct orders *orders,
		       unsigned int park, unsigned int fail)
{
	spin_lock(&p->lock);
	p->orders = *orders;
	p->to_park = park;
	p->to_fail = fail;
	p->arrivals = 0;
	spin_unlock(&p->lock);
}

static int command(struct test_point *p, const char *name,
		   const struct orders *orders)
{
	static const struct orders none;

	if (!strcmp(name, "release")) {
		release(p, orders);
		return 0;
	}
	if (!strcmp(name, "off")) {
		arm(p, false);
		set_orders(p, &none, 0, 0);
		release(p, &none);
		return 0;
	}
	if (!strcmp(name, "park"))
		set_orders(p, orders, orders->n ?: 1, 0);
	else if (!strcmp(name, "fail"))
		set_orders(p, orders, 0, orders->n ?: 1);
	else if (!strcmp(name, "count"))
		set_orders(p, orders, 0, 0);
	else
		return -EINVAL;
	arm(p, true);
	return 0;
}

static char *next_word(char **line)
{
	char *word = strsep(line, " ");

	return word ?: "";
}

static int find_mm(const char *word, struct mm_struct **mm)
{
	struct task_struct *task;
	struct pid *pid;
	int nr;

	if (kstrtoint(word, 10, &nr))
		return -EINVAL;
	pid = find_get_pid(nr);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (!task)
		return -ESRCH;
	*mm = get_task_mm(task);
	put_task_struct(task);
	if (!*mm)
		return -ESRCH;
	mmput(*mm);
	return 0;
}

static int parse_orders(char *line, struct orders *orders)
{
	char *word;
	int err = 0;

	while (line && !err) {
		word = next_word(&line);
		if (!strcmp(word, "hold"))
			orders->hold = true;
		else if (!strcmp(word, "stall"))
			orders->stall = true;
		else if (!strcmp(word, "task"))
			err = kstrtouint(next_word(&line), 10, &orders->task);
		else if (!strcmp(word, "ms"))
			err = kstrtouint(next_word(&line), 10, &orders->ms);
		else if (!strcmp(word, "mm"))
			err = find_mm(next_word(&line), &orders->mm);
		else
			err = kstrtouint(word, 10, &orders->n);
	}
	orders->ms = min(orders->ms, MY_MMU_PARK_MAX_S * 1000);
	return err;
}

static ssize_t test_point_write(struct file *file, const char __user *user,
				size_t len, loff_t *pos)
{
	struct orders orders = { .ms = MY_MMU_PARK_MAX_S * 1000 };
	struct seq_file *s = file->private_data;
	char buf[64] = "", *line, *name;
	int err;

	if (len >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, user, len))
		return -EFAULT;
	line = strim(buf);
	name = next_word(&line);
	err = parse_orders(line, &orders) ?: command(s->private, name, &orders);
	return err ?: len;
}

static int test_point_show(struct seq_file *s, void *unused)
{
	struct test_point *p = s->private;

	spin_lock(&p->lock);
	seq_printf(s, "arrivals %lu parked %u\n", p->arrivals, p->nr_parked);
	spin_unlock(&p->lock);
	return 0;
}

static int test_point_open(struct inode *inode, struct file *file)
{
	return single_open(file, test_point_show, inode->i_private);
}

static const struct file_operations test_point_fops = {
	.owner		= THIS_MODULE,
	.open		= test_point_open,
	.read		= seq_read,
	.write		= test_point_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

/**
 * my_mmu_test_points_init() - make the files of the test points
 * @parent: debugfs folder; removing it removes them
 *
 * Context: may sleep.
 */
void my_mmu_test_points_init(struct dentry *parent)
{
	struct dentry *dir = debugfs_create_dir("testpoint", parent);
	struct test_point *p;

	for (p = test_points; p < test_points + MY_MMU_NR_TEST_POINTS; p++) {
		spin_lock_init(&p->lock);
		INIT_LIST_HEAD(&p->parked);
		init_waitqueue_head(&p->wait);
		debugfs_create_file(p->name, 0600, dir, p, &test_point_fops);
	}
}
