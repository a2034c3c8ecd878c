// SPDX-License-Identifier: GPL-2.0
/*
 * my_mmu_driver: /dev/my_mmu, one test driver for all locking variants
 *
 * Checks what user space says, ties an open file to an external MMU, and
 * calls the device engine. include/my_mmu_uapi.h says what each call does.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "internal.h"
#include "mmu_rmap.h"
#include "my_mmu.h"

#define CREATE_TRACE_POINTS
#include "my_mmu_trace.h"

EXPORT_TRACEPOINT_SYMBOL_GPL(my_mmu_attach);
EXPORT_TRACEPOINT_SYMBOL_GPL(my_mmu_detach);
EXPORT_TRACEPOINT_SYMBOL_GPL(my_mmu_release);
EXPORT_TRACEPOINT_SYMBOL_GPL(my_mmu_insert);
EXPORT_TRACEPOINT_SYMBOL_GPL(my_mmu_zap_page);
EXPORT_TRACEPOINT_SYMBOL_GPL(my_mmu_zap_range);
EXPORT_TRACEPOINT_SYMBOL_GPL(my_mmu_invalidate_start);
EXPORT_TRACEPOINT_SYMBOL_GPL(my_mmu_invalidate_end);
EXPORT_TRACEPOINT_SYMBOL_GPL(my_mmu_age);
EXPORT_TRACEPOINT_SYMBOL_GPL(my_mmu_rmap_invalidate);

DEFINE_PER_CPU(struct my_mmu_counters, my_mmu_counters);
EXPORT_PER_CPU_SYMBOL_GPL(my_mmu_counters);

atomic_long_t my_mmu_nr_mmus = ATOMIC_LONG_INIT(0);
atomic_long_t my_mmu_nr_tables = ATOMIC_LONG_INIT(0);
atomic_long_t my_mmu_nr_bytes = ATOMIC_LONG_INIT(0);
EXPORT_SYMBOL_GPL(my_mmu_nr_bytes);

/**
 * my_mmu_spin_lock_wait() - the slow path of my_mmu_spin_lock()
 * @lock: it has just been found taken
 * @name: what the caller calls it, a "&" before it or not
 *
 * The event comes with the lock held, so that tracing makes others wait longer.
 *
 * Context: any that may take @lock.
 */
void my_mmu_spin_lock_wait(spinlock_t *lock, const char *name)
	__acquires(lock)
{
	u64 since = 0;

	my_mmu_count(contended);
	if (trace_my_mmu_lock_wait_enabled())
		since = ktime_get_ns();
	spin_lock(lock);
	if (since)
		trace_my_mmu_lock_wait(name + (*name == '&'),
				       ktime_get_ns() - since);
}
EXPORT_SYMBOL_GPL(my_mmu_spin_lock_wait);

static struct dentry *stats_file, *variants_file;

/*
 * Variants
 */
static LIST_HEAD(variants);
static DEFINE_MUTEX(variants_mutex);	/* protects variants */

static struct my_mmu_variant *__find_variant(const char *name)
{
	struct my_mmu_variant *v;

	lockdep_assert_held(&variants_mutex);
	list_for_each_entry(v, &variants, node)
		if (!strncmp(v->name, name, MY_MMU_VARIANT_LEN - 1))
			return v;
	return NULL;
}

static void __list_variant(struct my_mmu_variant *variant)
{
	lockdep_assert_held(&variants_mutex);
	list_add_tail(&variant->node, &variants);
}

static void __unlist_variant(struct my_mmu_variant *variant)
{
	lockdep_assert_held(&variants_mutex);
	list_del(&variant->node);
}

/* Find a variant and keep its module from going. */
static struct my_mmu_variant *__get_variant(const char *name)
{
	struct my_mmu_variant *v = __find_variant(name);

	return v && try_module_get(v->owner) ? v : NULL;
}

static struct my_mmu_variant *get_variant(const char *name)
{
	struct my_mmu_variant *v;

	mutex_lock(&variants_mutex);
	v = __get_variant(name);
	mutex_unlock(&variants_mutex);
	return v;
}

/**
 * my_mmu_register_variant() - offer a locking strategy to user space
 * @variant: all fields but @node set
 *
 * Context: may sleep.
 * Return: 0, or -EBUSY if the name is taken. (A loader takes -EEXIST for "this
 * very module is there already", and newer kernels let no module say so.)
 */
int my_mmu_register_variant(struct my_mmu_variant *variant)
{
	int err = 0;

	mutex_lock(&variants_mutex);
	if (__find_variant(variant->name))
		err = -EBUSY;
	else
		__list_variant(variant);
	mutex_unlock(&variants_mutex);
	return err;
}
EXPORT_SYMBOL_GPL(my_mmu_register_variant);

/**
 * my_mmu_unregister_variant() - withdraw a locking strategy
 * @variant: a registered one; no file is attached, since that holds a
 *	reference to its module
 *
 * Returns when the last external MMU of the variant has been freed. That
 * happens in a callback after a grace period, and mmu_notifier_synchronize()
 * waits for the grace period, but not for callbacks queued on other CPUs.
 *
 * Context: may sleep.
 */
void my_mmu_unregister_variant(struct my_mmu_variant *variant)
{
	mutex_lock(&variants_mutex);
	__unlist_variant(variant);
	mutex_unlock(&variants_mutex);
	while (atomic_long_read(&variant->mmus))
		msleep(20);
	synchronize_rcu();	/* the callback has returned, too */
}
EXPORT_SYMBOL_GPL(my_mmu_unregister_variant);

/*
 * Open files
 *
 * A call that uses what the file is attached to counts itself as a user. Then
 * it may wait for as long as user space lets it: a fault handler may have to
 * use the same file before it resolves the fault. No lock is held meanwhile.
 * DETACH turns newcomers away and waits for the users that are inside:
 *
 *	populate			DETACH
 *
 *	get_attached(): users 1
 *	waits for a fault handler	changing; waits for users 0
 *	  (the handler's own calls: -ENOTCONN at once)
 *	enters its pages
 *	put_attached(): users 0
 *					detaches; dev is NULL
 *
 * Rule: dev stays for as long as there are users, and gets no new ones while
 * changing. Otherwise the populate would enter pages into freed memory.
 */
struct my_mmu_file {
	spinlock_t lock;		/* protects up to the blank line */
	struct my_mmu_dev *dev;		/* NULL: not attached */
	unsigned int users;		/* calls that are using dev */
	bool changing;			/* ATTACH or DETACH is under way */

	wait_queue_head_t no_users;	/* for users to become 0 */
};

static int my_mmu_open(struct inode *inode, struct file *file)
{
	struct my_mmu_file *f = kzalloc(sizeof(*f), GFP_KERNEL_ACCOUNT);

	if (!f)
		return -ENOMEM;
	spin_lock_init(&f->lock);
	init_waitqueue_head(&f->no_users);
	file->private_data = f;
	return nonseekable_open(inode, file);
}

/* Called without users, and when none can come. */
static void detach(struct my_mmu_dev *dev)
{
	const struct my_mmu_variant *v = dev->variant;

	trace_my_mmu_detach(dev);
	v->detach(dev);
	module_put(v->owner);
}

static int my_mmu_close(struct inode *inode, struct file *file)
{
	struct my_mmu_file *f = file->private_data;

	if (f->dev)
		detach(f->dev);
	kfree(f);
	return 0;
}

/* May the caller use this external MMU? */
static int check_usable(const struct my_mmu_dev *dev)
{
	if (READ_ONCE(dev->dead))
		return -ESRCH;
	if (current->mm != dev->mm)
		return -EIO;
	return 0;
}

static struct my_mmu_dev *__get_attached(struct my_mmu_file *f)
	__must_hold(&f->lock)
{
	int err = -ENOTCONN;

	lockdep_assert_held(&f->lock);
	if (f->dev && !f->changing)
		err = check_usable(f->dev);
	if (err)
		return ERR_PTR(err);
	f->users++;
	return f->dev;
}

static struct my_mmu_dev *get_attached(struct my_mmu_file *f)
{
	struct my_mmu_dev *dev;

	spin_lock(&f->lock);
	dev = __get_attached(f);
	spin_unlock(&f->lock);
	return dev;
}

static void __put_attached(struct my_mmu_file *f)
	__must_hold(&f->lock)
{
	lockdep_assert_held(&f->lock);
	if (!--f->users && f->changing)
		wake_up_all(&f->no_users);
}

static void put_attached(struct my_mmu_file *f)
{
	spin_lock(&f->lock);
	__put_attached(f);
	spin_unlock(&f->lock);
}

/* Whoever is inside @call, DETACH waits for. */
static long with_attached(struct my_mmu_file *f,
			  long (*call)(struct my_mmu_dev *dev, void *arg),
			  void *arg)
{
	struct my_mmu_dev *dev = get_attached(f);
	long ret;

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	ret = call(dev, arg);
	put_attached(f);
	return ret;
}

static bool __has_users(struct my_mmu_file *f)
	__must_hold(&f->lock)
{
	lockdep_assert_held(&f->lock);
	return f->users;
}

static bool has_users(struct my_mmu_file *f)
{
	bool ret;

	spin_lock(&f->lock);
	ret = __has_users(f);
	spin_unlock(&f->lock);
	return ret;
}

/* Until end_change(), no other call attaches, detaches or becomes a user. */
static int __begin_attach(struct my_mmu_file *f)
	__must_hold(&f->lock)
{
	lockdep_assert_held(&f->lock);
	if (f->dev || f->changing)
		return -EBUSY;
	f->changing = true;
	return 0;
}

static int begin_attach(struct my_mmu_file *f)
{
	int err;

	spin_lock(&f->lock);
	err = __begin_attach(f);
	spin_unlock(&f->lock);
	return err;
}

/* Likewise. Any task may leave an address space that is gone. */
static struct my_mmu_dev *__begin_detach(struct my_mmu_file *f)
	__must_hold(&f->lock)
{
	lockdep_assert_held(&f->lock);
	if (!f->dev || f->changing)
		return ERR_PTR(-ENOTCONN);
	if (check_usable(f->dev) == -EIO)
		return ERR_PTR(-EIO);
	f->changing = true;
	return f->dev;
}

static struct my_mmu_dev *begin_detach(struct my_mmu_file *f)
{
	struct my_mmu_dev *dev;

	spin_lock(&f->lock);
	dev = __begin_detach(f);
	spin_unlock(&f->lock);
	return dev;
}

static void __end_change(struct my_mmu_file *f, struct my_mmu_dev *dev)
	__must_hold(&f->lock)
{
	lockdep_assert_held(&f->lock);
	f->dev = dev;
	f->changing = false;
}

static void end_change(struct my_mmu_file *f, struct my_mmu_dev *dev)
{
	spin_lock(&f->lock);
	__end_change(f, dev);
	spin_unlock(&f->lock);
}

static int check_range(u64 addr, u64 len)
{
	if (!len)
		return -EINVAL;
	if (addr >= TASK_SIZE || len > TASK_SIZE - addr)
		return -EFAULT;
	return 0;
}

static int check_pages(u64 addr, u64 len)
{
	if (!PAGE_ALIGNED(addr) || !PAGE_ALIGNED(len))
		return -EINVAL;
	return check_range(addr, len);
}

static struct my_mmu_dev *attach(struct my_mmu_attach *a)
{
	struct my_mmu_variant *v;
	struct my_mmu_dev *dev;

	v = get_variant(a->variant);
	if (!v)
		return ERR_PTR(-ENODEV);
	dev = v->attach(current->mm, a->flags);
	if (IS_ERR(dev)) {
		module_put(v->owner);
		return dev;
	}
	my_mmu_count(attaches);
	trace_my_mmu_attach(dev);
	return dev;
}

/*
 * One function per ioctl: @arg points to a copy of the argument, which goes
 * back to user space also on error.
 */
static long ioctl_attach(struct my_mmu_file *f, void *arg)
{
	struct my_mmu_attach *a = arg;
	struct my_mmu_dev *dev;
	int err;

	if (a->flags & ~MY_MMU_ATTACH_RMAP_ONLY || a->reserved)
		return -EINVAL;
	err = begin_attach(f);
	if (err)
		return err;
	dev = attach(a);
	end_change(f, IS_ERR(dev) ? NULL : dev);
	return PTR_ERR_OR_ZERO(dev);
}

static long ioctl_detach(struct my_mmu_file *f, void *arg)
{
	struct my_mmu_dev *dev = begin_detach(f);

	if (IS_ERR(dev))
		return PTR_ERR(dev);
	if (wait_event_killable(f->no_users, !has_users(f))) {
		end_change(f, dev);
		return -EINTR;
	}
	detach(dev);
	end_change(f, NULL);
	return 0;
}

#define POPULATE_FLAGS	(MY_MMU_POPULATE_WRITE | MY_MMU_POPULATE_NOFAULT)

static int check_populate(struct my_mmu_populate *a, u32 flags)
{
	a->populated = 0;
	a->retries = 0;
	if (a->flags & ~flags || a->batch > MY_MMU_BATCH_MAX)
		return -EINVAL;
	return check_pages(a->addr, a->len);
}

static long do_populate(struct my_mmu_dev *dev, void *arg)
{
	return my_mmu_engine_populate(dev, arg);
}

static long ioctl_populate(struct my_mmu_file *f, void *arg)
{
	return check_populate(arg, POPULATE_FLAGS) ?:
	       with_attached(f, do_populate, arg);
}

static long ioctl_gup_floor(struct my_mmu_file *f, void *arg)
{
	return check_populate(arg, POPULATE_FLAGS | MY_MMU_FLOOR_LOOKUP) ?:
	       my_mmu_engine_floor(arg);
}

static int check_access(struct my_mmu_access *a)
{
	a->done = 0;
	a->faults = 0;
	return check_range(a->addr, a->len);
}

static long do_read(struct my_mmu_dev *dev, void *arg)
{
	return my_mmu_engine_access(dev, arg, false);
}

static long ioctl_read(struct my_mmu_file *f, void *arg)
{
	return check_access(arg) ?: with_attached(f, do_read, arg);
}

static long do_write(struct my_mmu_dev *dev, void *arg)
{
	return my_mmu_engine_access(dev, arg, true);
}

static long ioctl_write(struct my_mmu_file *f, void *arg)
{
	return check_access(arg) ?: with_attached(f, do_write, arg);
}

static int check_query(struct my_mmu_query *q)
{
	q->pfn = 0;
	q->flags = 0;
	return check_range(q->addr, 1) ?: q->reserved ? -EINVAL : 0;
}

static long do_query(struct my_mmu_dev *dev, void *arg)
{
	struct my_mmu_query *q = arg;
	u64 entry = my_mmu_engine_query(dev, q->addr);

	q->flags = entry & MY_MMU_PRESENT ? MY_MMU_ENTRY_PRESENT : 0;
	if (entry & MY_MMU_WRITE_OK)
		q->flags |= MY_MMU_ENTRY_WRITE;
	if (entry & MY_MMU_ACCESSED)
		q->flags |= MY_MMU_ENTRY_ACCESSED;
	q->pfn = capable(CAP_SYS_ADMIN) ? my_mmu_entry_pfn(entry) : 0;
	return 0;
}

static long ioctl_query(struct my_mmu_file *f, void *arg)
{
	return check_query(arg) ?: with_attached(f, do_query, arg);
}

static int check_verify(struct my_mmu_verify *v)
{
	*v = (struct my_mmu_verify){ .addr = v->addr, .len = v->len };
	return v->addr || v->len ? check_pages(v->addr, v->len) : 0;
}

static long do_verify(struct my_mmu_dev *dev, void *arg)
{
	return my_mmu_engine_verify(dev, arg);
}

static long ioctl_verify(struct my_mmu_file *f, void *arg)
{
	return check_verify(arg) ?: with_attached(f, do_verify, arg);
}

static long ioctl_evict(struct my_mmu_file *f, void *arg)
{
	struct my_mmu_evict *e = arg;

	e->walked = 0;
	return check_range(e->addr, 1) ?: my_mmu_engine_evict(e);
}

static int check_config(const struct my_mmu_device_config *c)
{
	if (c->reserved || c->shootdown_us > MY_MMU_SHOOTDOWN_MAX_US)
		return -EINVAL;
	if (c->shootdown_us && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	return 0;
}

static long do_configure(struct my_mmu_dev *dev, void *arg)
{
	struct my_mmu_device_config *c = arg;

	WRITE_ONCE(dev->shootdown_us, c->shootdown_us);
	return 0;
}

static long ioctl_configure(struct my_mmu_file *f, void *arg)
{
	return check_config(arg) ?: with_attached(f, do_configure, arg);
}

static long ioctl_get_stats(struct my_mmu_file *f, void *arg)
{
	my_mmu_engine_stats(arg);
	return 0;
}

struct my_mmu_ioctl {
	unsigned int cmd;
	long (*call)(struct my_mmu_file *f, void *arg);
};

static const struct my_mmu_ioctl ioctls[] = {
	{ MY_MMU_ATTACH,	ioctl_attach },
	{ MY_MMU_DETACH,	ioctl_detach },
	{ MY_MMU_POPULATE,	ioctl_populate },
	{ MY_MMU_READ,		ioctl_read },
	{ MY_MMU_WRITE,		ioctl_write },
	{ MY_MMU_QUERY,		ioctl_query },
	{ MY_MMU_VERIFY,	ioctl_verify },
	{ MY_MMU_EVICT,		ioctl_evict },
	{ MY_MMU_CONFIGURE,	ioctl_configure },
	{ MY_MMU_GET_STATS,	ioctl_get_stats },
	{ MY_MMU_GUP_FLOOR,	ioctl_gup_floor },
};

static long my_mmu_ioctl(struct file *file, unsigned int cmd,
			 unsigned long user_arg)
{
	const struct my_mmu_ioctl *ioc = ioctls;
	void __user *user = (void __user *)user_arg;
	union {
		struct my_mmu_attach attach;
		struct my_mmu_populate populate;
		struct my_mmu_access access;
		struct my_mmu_verify verify;
		struct my_mmu_stats stats;
	} arg = {};
	long ret;

	while (ioc->cmd != cmd)
		if (++ioc == ioctls + ARRAY_SIZE(ioctls))
			return -ENOTTY;
	if (_IOC_DIR(cmd) & _IOC_WRITE &&
	    copy_from_user(&arg, user, _IOC_SIZE(cmd)))
		return -EFAULT;
	ret = ioc->call(file->private_data, &arg);
	if (_IOC_DIR(cmd) & _IOC_READ &&
	    copy_to_user(user, &arg, _IOC_SIZE(cmd)))
		return -EFAULT;
	return ret;
}

static const struct file_operations my_mmu_fops = {
	.owner		= THIS_MODULE,
	.open		= my_mmu_open,
	.release	= my_mmu_close,
	.unlocked_ioctl	= my_mmu_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice my_mmu_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "my_mmu",
	.mode	= 0666,
	.fops	= &my_mmu_fops,
};

/*
 * /sys/kernel/debug/my_mmu/
 */
#define STAT(name) { #name, offsetof(struct my_mmu_stats, name) / sizeof(u64) }

static const struct {
	const char *name;
	size_t index;
} stat_names[] = {
	STAT(mmus), STAT(entries), STAT(tables), STAT(bytes), STAT(attaches),
	STAT(populated_pages), STAT(populate_batches), STAT(retries),
	STAT(waits), STAT(invalidations), STAT(nonblockable),
	STAT(zapped_pages), STAT(rmap_callbacks), STAT(rmap_zaps),
	STAT(aging), STAT(device_reads), STAT(device_writes),
	STAT(device_faults), STAT(contended), STAT(rmap_hooked),
	STAT(rmap_walks), STAT(rmap_filtered), STAT(rmap_hook_active),
};

static int stats_show(struct seq_file *s, void *unused)
{
	struct my_mmu_stats stats;
	size_t i;

	BUILD_BUG_ON(ARRAY_SIZE(stat_names) != sizeof(stats) / sizeof(u64));
	my_mmu_engine_stats(&stats);
	for (i = 0; i < ARRAY_SIZE(stat_names); i++)
		seq_printf(s, "%-16s %llu\n", stat_names[i].name,
			   ((u64 *)&stats)[stat_names[i].index]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static void __show_variants(struct seq_file *s)
{
	struct my_mmu_variant *v;

	lockdep_assert_held(&variants_mutex);
	list_for_each_entry(v, &variants, node)
		seq_printf(s, "%s\n", v->name);
}

static int variants_show(struct seq_file *s, void *unused)
{
	mutex_lock(&variants_mutex);
	__show_variants(s);
	mutex_unlock(&variants_mutex);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(variants);

static int __init my_mmu_driver_init(void)
{
	int err = misc_register(&my_mmu_misc);

	if (err) {
		pr_err("cannot make /dev/my_mmu (error %d)\n", err);
		pr_err("see in /proc/misc what else has claimed the name\n");
		return err;
	}
	stats_file = debugfs_create_file("stats", 0444, my_mmu_debugfs, NULL,
					 &stats_fops);
	variants_file = debugfs_create_file("variants", 0444, my_mmu_debugfs,
					    NULL, &variants_fops);
	return 0;
}

static void __exit my_mmu_driver_exit(void)
{
	debugfs_remove(variants_file);
	debugfs_remove(stats_file);
	misc_deregister(&my_mmu_misc);
	my_mmu_tables_exit();
}

module_init(my_mmu_driver_init);
module_exit(my_mmu_driver_exit);

MODULE_DESCRIPTION("Test driver for external MMUs under several lockings");
MODULE_LICENSE("GPL");
