// SPDX-License-Identifier: GPL-2.0
/*
 * Test points: see include/my_mmu_testpoint.h
 */
#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/jump_label.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "internal.h"
#include "my_mmu_testpoint.h"

DEFINE_STATIC_KEY_FALSE(my_mmu_test_points_on);
EXPORT_SYMBOL_GPL(my_mmu_test_points_on);

struct test_point {
	const char		*name;
	spinlock_t		lock;	/* protects up to the blank line */
	unsigned long		arrivals;
	unsigned int		parked;
	unsigned int		to_fail;
	bool			park;
	unsigned int		releases;	/* changes when all may go on */

	wait_queue_head_t	wait;	/* parked tasks */
	bool			armed;	/* my_mmu_arm_mutex: has the key on */
};

#define TEST_POINT(id) { .name = #id },
static struct test_point test_points[MY_MMU_NR_TEST_POINTS] = {
	MY_MMU_TEST_POINTS(TEST_POINT)
};

static DEFINE_MUTEX(my_mmu_arm_mutex);

/* Off the record of the hung-task detector, and never for ever. */
static void park(struct test_point *p, unsigned int releases)
{
	wait_event_idle_timeout(p->wait, READ_ONCE(p->releases) != releases,
				MY_MMU_PARK_MAX_S * HZ);
	spin_lock(&p->lock);
	p->parked--;
	spin_unlock(&p->lock);
}

/**
 * __my_mmu_test_point() - see my_mmu_test_point()
 * @id: where the task is
 * @may_sleep: it may be parked
 *
 * Context: may sleep if @may_sleep.
 * Return: true if the test wants this place to fail.
 */
bool __my_mmu_test_point(enum my_mmu_test_point_id id, bool may_sleep)
{
	struct test_point *p = &test_points[id];
	bool fail = false, sleep;
	unsigned int releases;

	spin_lock(&p->lock);
	p->arrivals++;
	if (p->to_fail) {
		p->to_fail--;
		fail = true;
	}
	sleep = p->park && may_sleep;
	if (sleep) {
		p->park = false;
		p->parked++;
	}
	releases = p->releases;
	spin_unlock(&p->lock);
	if (sleep)
		park(p, releases);
	return fail;
}
EXPORT_SYMBOL_GPL(__my_mmu_test_point);

static void arm(struct test_point *p, bool on)
{
	mutex_lock(&my_mmu_arm_mutex);
	if (on && !p->armed)
		static_branch_inc(&my_mmu_test_points_on);
	if (!on && p->armed)
		static_branch_dec(&my_mmu_test_points_on);
	p->armed = on;
	mutex_unlock(&my_mmu_arm_mutex);
}

static void release_parked(struct test_point *p)
{
	spin_lock(&p->lock);
	p->park = false;
	p->to_fail = 0;
	p->arrivals = 0;
	WRITE_ONCE(p->releases, p->releases + 1);
	spin_unlock(&p->lock);
	wake_up_all(&p->wait);
}

static int test_point_command(struct test_point *p, const char *command)
{
	unsigned int n;

	if (!strcmp(command, "off")) {
		arm(p, false);
		release_parked(p);
		return 0;
	}
	if (!strcmp(command, "park")) {
		spin_lock(&p->lock);
		p->park = true;
		spin_unlock(&p->lock);
	} else if (sscanf(command, "fail %u", &n) == 1) {
		spin_lock(&p->lock);
		p->to_fail = n;
		spin_unlock(&p->lock);
	} else if (strcmp(command, "count")) {
		return -EINVAL;
	}
	arm(p, true);
	return 0;
}

static ssize_t test_point_write(struct file *file, const char __user *user,
				size_t len, loff_t *pos)
{
	struct seq_file *s = file->private_data;
	char command[32] = "";
	int err;

	if (len >= sizeof(command))
		return -EINVAL;
	if (copy_from_user(command, user, len))
		return -EFAULT;
	err = test_point_command(s->private, strim(command));
	return err ?: len;
}

static int test_point_show(struct seq_file *s, void *unused)
{
	struct test_point *p = s->private;

	spin_lock(&p->lock);
	seq_printf(s, "arrivals %lu parked %u\n", p->arrivals, p->parked);
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
		init_waitqueue_head(&p->wait);
		debugfs_create_file(p->name, 0600, dir, p, &test_point_fops);
	}
}
