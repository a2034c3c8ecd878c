// SPDX-License-Identifier: GPL-2.0
/* region: head */
/*
 * my_mmu, variant "spinlock": one lock for an address space
 *
 * The 2008 skeleton, finished: a global list of external MMUs, one spinlock
 * in each. It is where every driver starts, and the one to compare with.
 *
 * Lock order (below a line, indented: what is taken under it, and where; the
 * card of dev->unanswered_lock is in include/my_mmu.h):
 *
 *	mm's mmap_lock, VMA locks, rmap locks	(the VM, around the notifier)
 *	  dev->unanswered_lock			(my_mmu_shootdown)
 *	  pte lock				(the VM, around aging)
 *	    m->lock				(all callbacks)
 *	      pages' and inodes' locks		(dirtying a page)
 *	      dev->tables_lock		(removing one)
 *	my_mmu_listlock				(attach, my_mmu_release)
 *	folio lock, seldom rmap locks		(the VM, around the rmap chain)
 *	  my_mmu_listlock			(my_mmu_rmap_invalidate_page)
 *	    dev->unanswered_lock		(my_mmu_shootdown)
 *	    m->lock				(my_sleeping_invalidate_page)
 */
/* endregion: head */

/* region: lock-cards */
/*
 * m->lock
 *	Type: spinlock. Protects: everything in m->dev (entries, leaf tables,
 *	reverse index), the count, the sequence, the hull. Held for a batch of
 *	a populate, one leaf table of an invalidation, all addresses of a page,
 *	or (seldom) the rehashing of a shard. Nothing that could start reclaim
 *	runs under it: reclaim would come back here.
 * my_mmu_listlock
 *	Type: rwsem. Protects: my_mmu_list. Readers sleep for as long as the
 *	devices on the list take, and writers (attach, detach, exit) wait for
 *	them. That is the skeleton's choice, and the price of it.
 */
/* endregion: lock-cards */

/* region: lifetime */
/*
 * Lifetime: the notifier counts its users. Each attach is one; detach drops
 * it; the last drop frees after a grace period of the notifiers, so a callback
 * that runs has its m.
 */
/* endregion: lifetime */

/* region: no-lost-invalidation */
/*
 * Why no invalidation is lost (G2). A populate looks a page up without a lock
 * and enters it later under m->lock:
 *
 *	populate				invalidate [s, e)
 *
 *	lock; snapshot = sequence; unlock
 *	look the pages up
 *						start: lock; count = 1
 *						       zap; unlock
 *						the VM changes the ptes
 *						end:   lock; sequence++
 *						       count = 0; unlock
 *	lock
 *	count is 0, but sequence != snapshot: -EAGAIN
 *	unlock
 *
 * The count says that an invalidation is running, the sequence that one has
 * run. The skeleton had the count alone; it read the pte and made the entry
 * under one pte lock, so that nothing fitted in between. A module cannot take
 * that lock.
 */
/* endregion: no-lost-invalidation */

/* region: includes */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "compat.h"
#include "mmu_rmap.h"
#include "my_mmu.h"
#include "my_mmu_table.h"
#include "my_mmu_testpoint.h"
#include "my_mmu_trace.h"
/* endregion: includes */

struct my_mmu {
	struct mmu_notifier notifier;

	spinlock_t lock;		/* protects up to the blank line */
	struct my_mmu_dev dev;
	unsigned int users;		/* attached files */
	unsigned int invalidates;	/* invalidations that are running */
	unsigned long invalidate_seq;	/* invalidations that have ended */
	unsigned long hull_start;	/* covers all that are running */
	unsigned long hull_end;

	wait_queue_head_t wait;		/* for invalidates == 0, or dead */

	struct list_head list;		/* my_mmu_listlock; empty: not on it */
};

/* region: globals */
static struct list_head my_mmu_list[MMU_RMAP_TAGS];	/* by tag */
static DECLARE_RWSEM(my_mmu_listlock);

static struct my_mmu_variant my_mmu_variant;
/* endregion: globals */

static struct my_mmu *to_my_mmu(struct my_mmu_dev *dev)
{
	return container_of(dev, struct my_mmu, dev);
}

static long my_mmu_insert_pages(struct my_mmu *m, struct my_mmu_table *t,
				unsigned long start, struct my_mmu_batch *batch,
				bool write)
	__must_hold(&m->lock)
{
	struct my_mmu_shard *shard;
	long i = 0, n = 1;

	lockdep_assert_held(&m->lock);
	while (i < batch->npages && n) {
		shard = my_mmu_page_shard(&m->dev, batch->pages[i]);
		n = __my_mmu_enter(&m->dev, shard, t, start, batch, i, write);
		i += n;
	}
	return i ?: -EAGAIN;
}

static unsigned long my_mmu_zap_table(struct my_mmu *m, struct my_mmu_table *t,
				      unsigned long start, unsigned long end)
	__must_hold(&m->lock)
{
	unsigned int slot = my_mmu_first_slot(t, start);
	unsigned int limit = my_mmu_end_slot(t, end);
	struct my_mmu_shard *shard;
	unsigned long zapped = 0;

	lockdep_assert_held(&m->lock);
	while (slot < limit && t->used) {
		if (!(__my_mmu_entry(t, slot) & MY_MMU_PRESENT)) {
			slot++;
			continue;
		}
		shard = __my_mmu_slot_shard(&m->dev, t, slot);
		zapped += __my_mmu_zap_run(&m->dev, shard, t, &slot, limit);
	}
	my_mmu_count_n(zapped_pages, zapped);
	return zapped;
}

/*
 * The kernel frees its page tables when memory is unmapped, not when it is
 * merely emptied; so does this one (@free).
 */
static unsigned long my_mmu_zap_range(struct my_mmu *m, unsigned long start,
				      unsigned long end, bool free,
				      bool blockable)
{
	unsigned long zapped = 0, at;
	struct my_mmu_table *t;

	my_mmu_spin_lock(&m->lock);
	my_mmu_for_each_table(&m->dev, t, at, start, end) {
		zapped += my_mmu_zap_table(m, t, start, end);
		if (free && !t->used && !t->pins)
			__my_mmu_table_remove(&m->dev, t);
		if (blockable)
			cond_resched_lock(&m->lock);
	}
	spin_unlock(&m->lock);
	trace_my_mmu_zap_range(&m->dev, start, end, zapped);
	return zapped;
}

/*
 * The hull is the smallest range around all running invalidations. It grows
 * with each and shrinks only when the last has ended: two invalidations far
 * apart hold off all populates between them.
 */
static void __my_mmu_record(struct my_mmu *m, unsigned long start,
			    unsigned long end)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
	if (!m->invalidates++) {
		m->hull_start = start;
		m->hull_end = end;
	} else {
		m->hull_start = min(m->hull_start, start);
		m->hull_end = max(m->hull_end, end);
	}
}

static void __my_mmu_unrecord(struct my_mmu *m)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
	m->invalidate_seq++;
	WARN_ON_ONCE(!m->invalidates);
	m->invalidates--;
}

static void inc_active(struct my_mmu *m, const struct mmu_notifier_range *range)
{
	my_mmu_spin_lock(&m->lock);
	__my_mmu_record(m, range->start, range->end);
	spin_unlock(&m->lock);
}

static void dec_active(struct my_mmu *m, const struct mmu_notifier_range *range)
{
	my_mmu_spin_lock(&m->lock);
	__my_mmu_unrecord(m);
	spin_unlock(&m->lock);
	if (wq_has_sleeper(&m->wait))
		wake_up_all(&m->wait);
}

static bool __my_mmu_is_invalidating(struct my_mmu *m, unsigned long start,
				     unsigned long end)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
	return m->invalidates && start < m->hull_end && end > m->hull_start;
}

/*
 * A page-level event may be left to the rmap chain: the VM is in a function
 * that will run it on this folio. Populates are held off all the same.
 */
static bool my_mmu_leave_to_rmap(struct my_mmu *m,
				 const struct mmu_notifier_range *range)
{
	return READ_ONCE(m->dev.flags) & MY_MMU_ATTACH_RMAP_ONLY &&
	       mmu_rmap_walk_in_progress(range->end - range->start);
}

/*
 * Announce a zap first: an invalidation that then finds the entries gone waits
 * for the device as well, and the VM frees no page that the device still has.
 */
static int my_mmu_invalidate_range_start(struct mmu_notifier *mn,
					 const struct mmu_notifier_range *range)
{
	struct my_mmu *m = container_of(mn, struct my_mmu, notifier);
	bool blockable = mmu_notifier_range_blockable(range);
	struct my_mmu_shootdown s;
	unsigned long zapped;

	trace_my_mmu_invalidate_start(&m->dev, range);
	my_mmu_count(invalidations);
	if (!blockable)
		my_mmu_count(nonblockable);
	inc_active(m, range);
	if (my_mmu_test_point(start_counted, m->dev.mm, blockable) ||
	    my_mmu_leave_to_rmap(m, range))
		return 0;
	my_mmu_shootdown_begin(&m->dev, &s, range->start, range->end);
	zapped = my_mmu_zap_range(m, range->start, range->end,
				  range->event == MMU_NOTIFY_UNMAP, blockable);
	my_mmu_test_point(start_zapped, m->dev.mm, blockable);
	my_mmu_shootdown(&m->dev, &s, zapped, blockable);
	return 0;
}

static void my_mmu_invalidate_range_end(struct mmu_notifier *mn,
					const struct mmu_notifier_range *range)
{
	struct my_mmu *m = container_of(mn, struct my_mmu, notifier);

	my_mmu_test_point(end, m->dev.mm, mmu_notifier_range_blockable(range));
	dec_active(m, range);
	trace_my_mmu_invalidate_end(&m->dev, range);
}

static int my_mmu_walk(struct my_mmu_dev *dev, unsigned long start,
		       unsigned long end, my_mmu_walk_fn fn, void *arg)
{
	struct my_mmu *m = to_my_mmu(dev);
	struct my_mmu_table *t;
	unsigned long at;
	int ret = 0;

	my_mmu_spin_lock(&m->lock);
	my_mmu_for_each_table(dev, t, at, start, end) {
		ret = __my_mmu_walk_table(t, start, end, fn, arg);
		if (ret)
			break;
		cond_resched_lock(&m->lock);
	}
	spin_unlock(&m->lock);
	return ret;
}

/*
 * Aging. The VM asks under its pte lock, some of it under RCU: never sleep.
 */
static int my_mmu_age(struct mmu_notifier *mn, unsigned long start,
		      unsigned long end, bool clear)
{
	struct my_mmu *m = container_of(mn, struct my_mmu, notifier);
	struct my_mmu_table *t;
	unsigned long at;
	int young = 0, asked = 0;

	my_mmu_count(aging);
	trace_my_mmu_age(&m->dev, start, end, clear);
	my_mmu_spin_lock(&m->lock);
	my_mmu_for_each_table(&m->dev, t, at, start, end)
		asked |= __my_mmu_walk_table(t, start, end, my_mmu_age_entry,
					     clear ? &young : NULL);
	spin_unlock(&m->lock);
	return young | asked;
}

static my_mmu_young_t
my_mmu_clear_flush_young(struct mmu_notifier *mn, struct mm_struct *mm,
			 unsigned long start, unsigned long end)
{
	return my_mmu_age(mn, start, end, true);
}

static my_mmu_young_t
my_mmu_clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
		   unsigned long start, unsigned long end)
{
	return my_mmu_age(mn, start, end, true);
}

static my_mmu_young_t
my_mmu_test_young(struct mmu_notifier *mn, struct mm_struct *mm,
		  unsigned long address)
{
	return my_mmu_age(mn, address, address + PAGE_SIZE, false);
}

/*
 * Populate, before the lookup: wait until no invalidation covers the batch,
 * pin its leaf table and take the sequence.
 */
static struct my_mmu_table *my_mmu_pin_table(struct my_mmu *m,
					     unsigned long start,
					     unsigned long end,
					     unsigned long *seq)
{
	struct my_mmu_table *t = ERR_PTR(-EAGAIN);

	my_mmu_spin_lock(&m->lock);
	if (m->dev.dead) {
		t = ERR_PTR(-ESRCH);
	} else if (!__my_mmu_is_invalidating(m, start, end)) {
		t = my_mmu_table_find(&m->dev, start) ?: ERR_PTR(-EAGAIN);
		*seq = m->invalidate_seq;
		if (!IS_ERR(t))
			t->pins++;
	}
	spin_unlock(&m->lock);
	return t;
}

static bool my_mmu_may_populate(struct my_mmu *m, unsigned long start,
				unsigned long end)
{
	bool may;

	my_mmu_spin_lock(&m->lock);
	may = m->dev.dead || !__my_mmu_is_invalidating(m, start, end);
	spin_unlock(&m->lock);
	return may;
}

static int my_mmu_wait_to_populate(struct my_mmu *m, unsigned long start,
				   unsigned long end)
{
	if (!my_mmu_may_populate(m, start, end)) {
		my_mmu_count(waits);
		wait_event_killable(m->wait,
				    my_mmu_may_populate(m, start, end));
	}
	return fatal_signal_pending(current) ? -EINTR : 0;
}

static struct my_mmu_table *my_mmu_populate_begin(struct my_mmu *m,
						  unsigned long start,
						  unsigned long end,
						  unsigned long *seq)
{
	struct my_mmu_table *t;
	int err;

	while (true) {
		t = my_mmu_pin_table(m, start, end, seq);
		if (t != ERR_PTR(-EAGAIN))
			return t;
		err = my_mmu_table_create(&m->dev, start);
		if (err)
			return ERR_PTR(err);
		if (my_mmu_wait_to_populate(m, start, end))
			return ERR_PTR(-EINTR);
		cond_resched();
	}
}

/* After the lookup: enter the pages, unless an invalidation came between. */
static long my_mmu_populate_end(struct my_mmu *m, struct my_mmu_table *t,
				unsigned long seq, unsigned long start,
				struct my_mmu_batch *batch, bool write)
{
	unsigned long end = start + (max(batch->npages, 1L) << PAGE_SHIFT);
	long ret = batch->npages;
	unsigned int used;

	my_mmu_spin_lock(&m->lock);
	used = t->used;
	if (m->dev.dead)
		ret = -ESRCH;
	else if (m->invalidate_seq != seq ||
		 __my_mmu_is_invalidating(m, start, end))
		ret = ret > 0 ? -EAGAIN : ret;
	if (ret > 0)
		ret = my_mmu_insert_pages(m, t, start, batch, write);
	my_mmu_count_n(populated_pages, t->used - used);
	if (!--t->pins && !t->used)
		__my_mmu_table_remove(&m->dev, t);
	spin_unlock(&m->lock);
	return ret;
}

static void my_mmu_fit_index(struct my_mmu_dev *dev)
{
	unsigned long misfits = xchg(&dev->misfits, 0);
	struct my_mmu *m = to_my_mmu(dev);
	struct my_mmu_shard *shard;
	struct my_mmu_buckets b;
	unsigned int i;

	for_each_set_bit(i, &misfits, MY_MMU_SHARDS) {
		shard = &dev->shard[i];
		my_mmu_buckets_alloc(dev, shard, &b);
		my_mmu_spin_lock(&m->lock);
		__my_mmu_buckets_swap(dev, shard, &b);
		spin_unlock(&m->lock);
		my_mmu_buckets_free(dev, &b);
	}
}

static long my_mmu_populate_page(struct my_mmu_dev *dev, unsigned long address,
				 unsigned int npages, u32 flags,
				 struct page **pages)
{
	unsigned long end = address + ((unsigned long)npages << PAGE_SHIFT);
	struct my_mmu_batch batch = { .pages = pages };
	struct my_mmu *m = to_my_mmu(dev);
	struct my_mmu_table *t;
	unsigned long seq;
	long ret;

	t = my_mmu_populate_begin(m, address, end, &seq);
	if (IS_ERR(t))
		return PTR_ERR(t);
	my_mmu_test_point(populate_pinned, dev->mm, true);
	my_mmu_lookup(t, address, npages, flags, &batch);
	if (my_mmu_test_point(populate_lookup, dev->mm, true))
		seq--;		/* as if an invalidation had ended since */
	ret = my_mmu_populate_end(m, t, seq, address, &batch,
				  flags & MY_MMU_POPULATE_WRITE);
	my_mmu_batch_done(&batch);
	return ret;
}

static void __my_mmu_unlist(struct my_mmu *m)
	__must_hold(&my_mmu_listlock)
{
	lockdep_assert_held_write(&my_mmu_listlock);
	list_del_init(&m->list);
}

/* By one of its users, in its own address space: @m cannot die meanwhile. */
static void __my_mmu_list(struct my_mmu *m)
	__must_hold(&my_mmu_listlock)
{
	lockdep_assert_held_write(&my_mmu_listlock);
	if (list_empty(&m->list))
		list_add(&m->list, &my_mmu_list[m->dev.tag]);
}

/*
 * Nothing is mapped after this, and nothing can be. The VM calls it when the
 * address space goes, and so does the last detach; if both do at once, each
 * waits for the device. An invalidation that started before may never see its
 * end, so populates that wait for the count must be told.
 */
static void my_mmu_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct my_mmu *m = container_of(mn, struct my_mmu, notifier);
	struct my_mmu_shootdown s;
	unsigned long zapped;

	my_mmu_spin_lock(&m->lock);
	WRITE_ONCE(m->dev.dead, true);
	spin_unlock(&m->lock);
	wake_up_all(&m->wait);
	my_mmu_test_point(release_dead, mm, true);
	my_mmu_shootdown_begin(&m->dev, &s, 0, ULONG_MAX);
	zapped = my_mmu_zap_range(m, 0, ULONG_MAX, true, true);
	my_mmu_test_point(release_zapped, mm, true);
	my_mmu_shootdown(&m->dev, &s, zapped, true);

	down_write(&my_mmu_listlock);
	__my_mmu_unlist(m);
	up_write(&my_mmu_listlock);
	my_mmu_test_point(release_unlisted, mm, true);
	trace_my_mmu_release(&m->dev);
}

static struct mmu_notifier *my_mmu_alloc_notifier(struct mm_struct *mm)
{
	struct my_mmu *m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);

	if (!m)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&m->lock);
	init_waitqueue_head(&m->wait);
	INIT_LIST_HEAD(&m->list);
	my_mmu_dev_init(&m->dev, &my_mmu_variant, mm);
	return &m->notifier;
}

/* No callback can have m any more: a grace period of the notifiers is over. */
static void my_mmu_free_notifier(struct mmu_notifier *mn)
{
	struct my_mmu *m = container_of(mn, struct my_mmu, notifier);

	my_mmu_test_point(notifier_free, m->dev.mm, false);
	my_mmu_dev_destroy(&m->dev);
	kfree(m);
}

static const struct mmu_notifier_ops my_mmu_ops = {
	.release		= my_mmu_release,
	.clear_flush_young	= my_mmu_clear_flush_young,
	.clear_young		= my_mmu_clear_young,
	.test_young		= my_mmu_test_young,
	.invalidate_range_start	= my_mmu_invalidate_range_start,
	.invalidate_range_end	= my_mmu_invalidate_range_end,
	.alloc_notifier		= my_mmu_alloc_notifier,
	.free_notifier		= my_mmu_free_notifier,
};

/* The flags are those of the first. */
static bool __my_mmu_add_user(struct my_mmu *m, u32 flags)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
	if (READ_ONCE(m->dev.dead))
		return false;
	if (!m->users++)
		WRITE_ONCE(m->dev.flags, flags);
	return true;
}

/* True of the last, who takes @m away. */
static bool __my_mmu_drop_user(struct my_mmu *m)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
	if (--m->users)
		return false;
	WRITE_ONCE(m->dev.dead, true);
	return true;
}

/* False if the last detach is about to take @m away. */
static bool my_mmu_add_user(struct my_mmu *m, u32 flags)
{
	bool alive;

	my_mmu_spin_lock(&m->lock);
	alive = __my_mmu_add_user(m, flags);
	spin_unlock(&m->lock);
	if (!alive)
		return false;
	my_mmu_test_point(attach_counted, m->dev.mm, true);

	down_write(&my_mmu_listlock);
	__my_mmu_list(m);
	up_write(&my_mmu_listlock);
	return true;
}

/*
 * An address space has one notifier. An m that is dying lets go of it in
 * bounded time; until then there is nothing to attach to.
 */
static struct my_mmu_dev *my_mmu_attach_to_process(struct mm_struct *mm,
						   u32 flags)
{
	struct mmu_notifier *mn;
	struct my_mmu *m;

	while (true) {
		if (mmap_write_lock_killable(mm))
			return ERR_PTR(-EINTR);
		mn = mmu_notifier_get_locked(&my_mmu_ops, mm);
		mmap_write_unlock(mm);
		if (IS_ERR(mn))
			return ERR_CAST(mn);
		m = container_of(mn, struct my_mmu, notifier);
		my_mmu_test_point(attach_found, mm, true);
		if (my_mmu_add_user(m, flags))
			return &m->dev;
		mmu_notifier_put(mn);
		schedule_timeout_killable(1);
		if (fatal_signal_pending(current))
			return ERR_PTR(-EINTR);
	}
}

static void my_mmu_detach(struct my_mmu_dev *dev)
{
	struct my_mmu *m = to_my_mmu(dev);
	bool last;

	my_mmu_spin_lock(&m->lock);
	last = __my_mmu_drop_user(m);
	spin_unlock(&m->lock);
	if (last) {
		my_mmu_test_point(detach_last, dev->mm, true);
		my_mmu_release(&m->notifier, dev->mm);
	}
	mmu_notifier_put(&m->notifier);
}

/*
 * The rmap chain
 */
static unsigned long my_mmu_find_addr(struct my_mmu *m, struct page *page)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
	return __my_mmu_index_find(&m->dev, page_to_pfn(page));
}

static unsigned long my_mmu_zap_aliases(struct my_mmu *m, struct page *page)
{
	unsigned long address, zapped = 0;

	my_mmu_spin_lock(&m->lock);
	while ((address = my_mmu_find_addr(m, page)) != -EFAULT)
		zapped += my_mmu_zap_table(m,
					   my_mmu_table_find(&m->dev, address),
					   address, address + PAGE_SIZE);
	spin_unlock(&m->lock);
	return zapped;
}

/* All addresses of the page first, then one wait for the device. */
static void my_sleeping_invalidate_page(struct my_mmu *m, struct page *page)
{
	struct my_mmu_shootdown s;
	unsigned long zapped;

	my_mmu_test_point(rmap_walk, m->dev.mm, true);
	my_mmu_shootdown_begin_page(&m->dev, &s);
	zapped = my_mmu_zap_aliases(m, page);
	my_mmu_count_n(rmap_zaps, zapped);
	my_mmu_test_point(rmap_zapped, m->dev.mm, true);
	trace_my_mmu_rmap_invalidate(&m->dev, page_to_pfn(page), zapped);
	my_mmu_shootdown(&m->dev, &s, zapped, true);
}

static void my_mmu_rmap_invalidate_page(struct mmu_rmap_notifier *mrn,
					struct page *page, unsigned long tags)
{
	struct my_mmu *m;
	unsigned int tag;

	my_mmu_count(rmap_callbacks);
	down_read(&my_mmu_listlock);
	for_each_set_bit(tag, &tags, MMU_RMAP_TAGS)
		list_for_each_entry(m, &my_mmu_list[tag], list)
			my_sleeping_invalidate_page(m, page);
	up_read(&my_mmu_listlock);
}

static const struct mmu_rmap_notifier_ops my_mmu_rmap_ops = {
	.invalidate_page	= my_mmu_rmap_invalidate_page,
};

static struct mmu_rmap_notifier my_mmu_rmap_notifier = {
	.ops	= &my_mmu_rmap_ops,
};

static struct my_mmu_variant my_mmu_variant = {
	.name		= "spinlock",
	.owner		= THIS_MODULE,
	.attach		= my_mmu_attach_to_process,
	.detach		= my_mmu_detach,
	.populate	= my_mmu_populate_page,
	.fit_index	= my_mmu_fit_index,
	.walk		= my_mmu_walk,
};

static int __init my_mmu_init(void)
{
	unsigned int tag;
	int err;

	for (tag = 0; tag < MMU_RMAP_TAGS; tag++)
		INIT_LIST_HEAD(&my_mmu_list[tag]);
	mmu_rmap_notifier_register(&my_mmu_rmap_notifier);
	err = my_mmu_register_variant(&my_mmu_variant);
	if (err)
		mmu_rmap_notifier_unregister(&my_mmu_rmap_notifier);
	return err;
}

static void __exit my_mmu_exit(void)
{
	my_mmu_unregister_variant(&my_mmu_variant);
	mmu_rmap_notifier_unregister(&my_mmu_rmap_notifier);
	mmu_notifier_synchronize();
}

/* region: module */
module_init(my_mmu_init);
module_exit(my_mmu_exit);

MODULE_DESCRIPTION("External MMU, one lock per address space");
MODULE_LICENSE("GPL");
/* endregion: module */
