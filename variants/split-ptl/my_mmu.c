// SPDX-License-Identifier: GPL-2.0
/* region: head */
/*
 * my_mmu, variant "split-ptl": a lock in each leaf table
 *
 * As the skeleton's author proposed: "place the locks in the page table
 * structure". It differs from variants/spinlock in the lock of an entry, and
 * therefore in how a populate learns of an invalidation. The list of external
 * MMUs and their lifetime are the same.
 *
 * Lock order (below a line, indented: what is taken under it, and where; the
 * card of dev->unanswered_lock is in include/my_mmu.h):
 *
 *	mm's mmap_lock, VMA locks, rmap locks	(the VM, around the notifier)
 *	  dev->unanswered_lock			(my_mmu_shootdown)
 *	  pte lock				(the VM, around aging)
 *	    t->lock				(all callbacks)
 *	      m->lock				(my_mmu_is_invalidating)
 *	      shard->lock			(my_mmu_insert_pages)
 *		pages' and inodes' locks	(dirtying a page)
 *	      dev->tables_lock		(removing one)
 *	my_mmu_listlock				(attach, my_mmu_release)
 *	folio lock, seldom rmap locks		(the VM, around the rmap chain)
 *	  my_mmu_listlock			(my_mmu_rmap_invalidate_page)
 *	    dev->unanswered_lock		(my_mmu_shootdown)
 *	    shard->lock				(my_mmu_find_addr)
 *	    t->lock				(my_mmu_zap_addr)
 */
/* endregion: head */

/* region: lock-cards */
/*
 * t->lock
 *	Type: spinlock, one per 2 MiB of addresses. Protects: the entries of
 *	one leaf table, its pins and its sequence. Two of them are never held
 *	at once. A table is found under RCU, and freed a grace period after it
 *	left the tree. So a table that has been found can be locked; only then
 *	does t->dead say whether it still counts.
 * shard->lock
 *	Type: spinlock, %MY_MMU_SHARDS per address space. Protects: one shard
 *	of the reverse index. Under an entry's t->lock, the index has it if and
 *	only if it is present. @evicting says that the rmap chain is at work in
 *	the shard: enter nothing. The innermost of our own locks.
 * m->lock
 *	Type: spinlock. Protects: the record of running invalidations, and the
 *	users. Held for a few instructions.
 * my_mmu_listlock
 *	Type: rwsem. Protects: my_mmu_list. Readers sleep for as long as the
 *	devices on the list take, and writers (attach, detach, exit) wait.
 */
/* endregion: lock-cards */

/* region: lifetime */
/*
 * Lifetime: the notifier counts its users, as in variants/spinlock.
 */
/* endregion: lifetime */

/* region: no-lost-invalidation */
/*
 * Why no invalidation is lost (G2), nor does one disturb a populate of another
 * table (G6). The sequence is the table's. Running invalidations are recorded
 * with their ranges. A populate has its table made and pinned before it looks
 * pages up, and checks both under t->lock before it enters them. If the table
 * is there when the invalidation goes through the tree, t->lock orders the
 * two, as m->lock does in variants/spinlock. If not, only memory barriers do:
 *
 *	populate				invalidate [s, e)
 *
 *	make table T				(1) start: record [s, e)
 *	(A) smp_mb()				(B) smp_mb()
 *	look the pages up			(2) walk tables: T missing
 *	lock T
 *	look at the records
 *
 * Either the populate sees the record of (1), or the invalidation sees T in
 * (2). For both to miss, each side's load would have to pass the store that
 * the same side made before it, and A and B forbid that. At the other end:
 *
 *	populate				invalidate [s, e)
 *
 *	make table T				the VM changes the ptes
 *	(A) smp_mb()				(C) smp_mb()
 *	look the pages up			(3) end: walk tables: T missing
 *	lock T; no record, sequence unchanged	    remove record
 *
 * T missing in (3) means that the lookup sees the new ptes, by A and C. When T
 * is found in (3), its sequence changes before the record goes, so a populate
 * that sees no record any more sees the new sequence, or took its snapshot
 * after the ptes had changed.
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

/*
 * Invalidations of one address space that are told apart while they run. More
 * are as safe, but hold off all populates in their hull.
 */
#define MY_MMU_RUNNING	16

struct my_mmu {
	struct mmu_notifier notifier;

	struct my_mmu_dev dev;		/* t->lock and shard->lock */

	spinlock_t lock;		/* protects up to the blank line */
	unsigned int users;		/* attached files */
	unsigned int invalidates;	/* invalidations that are running */
	unsigned int recorded;		/* those of them in running[] */
	struct {
		unsigned long start;
		unsigned long end;
	} running[MY_MMU_RUNNING];
	unsigned long hull_start;	/* covers those that found no room */
	unsigned long hull_end;

	wait_queue_head_t wait;		/* for invalidates to change, or dead */

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
	__must_hold(&t->lock)
{
	struct my_mmu_shard *shard;
	long i = 0, n = 1;

	lockdep_assert_held(&t->lock);
	while (i < batch->npages && n) {
		shard = my_mmu_page_shard(&m->dev, batch->pages[i]);
		my_mmu_spin_lock(&shard->lock);
		n = shard->evicting ? 0 :
		    __my_mmu_enter(&m->dev, shard, t, start, batch, i, write);
		spin_unlock(&shard->lock);
		i += n;
	}
	return i ?: -EAGAIN;
}

static unsigned long my_mmu_zap_table(struct my_mmu *m, struct my_mmu_table *t,
				      unsigned long start, unsigned long end)
	__must_hold(&t->lock)
{
	unsigned int slot = my_mmu_first_slot(t, start);
	unsigned int limit = my_mmu_end_slot(t, end);
	struct my_mmu_shard *shard;
	unsigned long zapped = 0;

	lockdep_assert_held(&t->lock);
	while (slot < limit && t->used) {
		if (!(__my_mmu_entry(t, slot) & MY_MMU_PRESENT)) {
			slot++;
			continue;
		}
		shard = __my_mmu_slot_shard(&m->dev, t, slot);
		my_mmu_spin_lock(&shard->lock);
		zapped += __my_mmu_zap_run(&m->dev, shard, t, &slot, limit);
		spin_unlock(&shard->lock);
	}
	my_mmu_count_n(zapped_pages, zapped);
	return zapped;
}

/* Between two tables of a walk that has no lock but may be long. */
static void my_mmu_relax(void)
	__must_hold(RCU)
{
	RCU_LOCKDEP_WARN(!rcu_read_lock_held(), "walks without RCU");
	rcu_read_unlock();
	cond_resched();
	rcu_read_lock();
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

	rcu_read_lock();
	my_mmu_for_each_table(&m->dev, t, at, start, end) {
		my_mmu_test_point(table_found, m->dev.mm, false);
		my_mmu_spin_lock(&t->lock);
		zapped += my_mmu_zap_table(m, t, start, end);
		if (free && !t->used && !t->pins && !t->dead)
			__my_mmu_table_remove(&m->dev, t);
		spin_unlock(&t->lock);
		if (blockable && my_mmu_goes_on(at, end))
			my_mmu_relax();
	}
	rcu_read_unlock();
	trace_my_mmu_zap_range(&m->dev, start, end, zapped);
	return zapped;
}

static void __my_mmu_record(struct my_mmu *m, unsigned long start,
			    unsigned long end)
	__must_hold(&m->lock)
{
	bool first_outside = m->invalidates == m->recorded;

	lockdep_assert_held(&m->lock);
	if (m->recorded < MY_MMU_RUNNING) {
		m->running[m->recorded].start = start;
		m->running[m->recorded++].end = end;
	} else {
		m->hull_start = first_outside ? start :
						min(m->hull_start, start);
		m->hull_end = first_outside ? end : max(m->hull_end, end);
	}
	WRITE_ONCE(m->invalidates, m->invalidates + 1);
}

/* Of equal ranges, it does not matter which one is taken. */
static void __my_mmu_unrecord(struct my_mmu *m, unsigned long start,
			      unsigned long end)
	__must_hold(&m->lock)
{
	unsigned int i;

	lockdep_assert_held(&m->lock);
	for (i = 0; i < m->recorded; i++) {
		if (m->running[i].start == start && m->running[i].end == end) {
			m->running[i] = m->running[--m->recorded];
			break;
		}
	}
	WARN_ON_ONCE(!m->invalidates);
	WRITE_ONCE(m->invalidates, m->invalidates - 1);
}

static void inc_active(struct my_mmu *m, const struct mmu_notifier_range *range)
{
	my_mmu_spin_lock(&m->lock);
	__my_mmu_record(m, range->start, range->end);
	spin_unlock(&m->lock);
	smp_mb();	/* B: pairs with A in my_mmu_populate_page() */
}

static void __my_mmu_bump_seq(struct my_mmu_table *t)
	__must_hold(&t->lock)
{
	lockdep_assert_held(&t->lock);
	t->seq++;
}

static void my_mmu_bump_seq(struct my_mmu *m, unsigned long start,
			    unsigned long end, bool blockable)
{
	struct my_mmu_table *t;
	unsigned long at;

	rcu_read_lock();
	my_mmu_for_each_table(&m->dev, t, at, start, end) {
		my_mmu_spin_lock(&t->lock);
		__my_mmu_bump_seq(t);
		spin_unlock(&t->lock);
		if (blockable && my_mmu_goes_on(at, end))
			my_mmu_relax();
	}
	rcu_read_unlock();
}

static void dec_active(struct my_mmu *m, const struct mmu_notifier_range *range)
{
	bool blockable = mmu_notifier_range_blockable(range);

	smp_mb();	/* C: pairs with A in my_mmu_populate_page() */
	my_mmu_bump_seq(m, range->start, range->end, blockable);
	my_mmu_test_point(end_bumped, m->dev.mm, blockable);
	my_mmu_spin_lock(&m->lock);
	__my_mmu_unrecord(m, range->start, range->end);
	spin_unlock(&m->lock);
	if (wq_has_sleeper(&m->wait))
		wake_up_all(&m->wait);
}

static bool __my_mmu_is_invalidating(struct my_mmu *m, unsigned long start,
				     unsigned long end)
	__must_hold(&m->lock)
{
	bool found;
	unsigned int i;

	lockdep_assert_held(&m->lock);
	found = m->invalidates > m->recorded &&
		start < m->hull_end && end > m->hull_start;
	for (i = 0; i < m->recorded; i++)
		found |= start < m->running[i].end && end > m->running[i].start;
	return found;
}

static bool my_mmu_is_invalidating(struct my_mmu *m, unsigned long start,
				   unsigned long end)
{
	bool found;

	/* Pairs with the writes in inc_active(), by A and B or by t->lock. */
	if (!READ_ONCE(m->invalidates))
		return false;
	my_mmu_spin_lock(&m->lock);
	found = __my_mmu_is_invalidating(m, start, end);
	spin_unlock(&m->lock);
	return found;
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
	struct my_mmu_table *t;
	unsigned long at;
	int ret = 0;

	rcu_read_lock();
	my_mmu_for_each_table(dev, t, at, start, end) {
		my_mmu_spin_lock(&t->lock);
		ret = __my_mmu_walk_table(t, start, end, fn, arg);
		spin_unlock(&t->lock);
		if (ret)
			break;
		if (my_mmu_goes_on(at, end))
			my_mmu_relax();
	}
	rcu_read_unlock();
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
	rcu_read_lock();
	my_mmu_for_each_table(&m->dev, t, at, start, end) {
		my_mmu_spin_lock(&t->lock);
		asked |= __my_mmu_walk_table(t, start, end, my_mmu_age_entry,
					     clear ? &young : NULL);
		spin_unlock(&t->lock);
	}
	rcu_read_unlock();
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

/* False if the table has left the tree. */
static bool __my_mmu_pin(struct my_mmu_table *t, unsigned long *seq)
	__must_hold(&t->lock)
{
	lockdep_assert_held(&t->lock);
	if (t->dead)
		return false;
	*seq = t->seq;
	t->pins++;
	return true;
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
	struct my_mmu_table *t, *pinned = ERR_PTR(-EAGAIN);

	if (READ_ONCE(m->dev.dead))
		return ERR_PTR(-ESRCH);
	if (my_mmu_is_invalidating(m, start, end))
		return pinned;
	rcu_read_lock();
	t = my_mmu_table_find(&m->dev, start);
	if (t) {
		my_mmu_test_point(table_found, m->dev.mm, false);
		my_mmu_spin_lock(&t->lock);
		if (__my_mmu_pin(t, seq))
			pinned = t;
		spin_unlock(&t->lock);
	}
	rcu_read_unlock();
	return pinned;
}

static bool my_mmu_may_populate(struct my_mmu *m, unsigned long start,
				unsigned long end)
{
	return READ_ONCE(m->dev.dead) || !my_mmu_is_invalidating(m, start, end);
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

	my_mmu_spin_lock(&t->lock);
	used = t->used;
	if (READ_ONCE(m->dev.dead))
		ret = -ESRCH;
	else if (t->seq != seq || my_mmu_is_invalidating(m, start, end))
		ret = ret > 0 ? -EAGAIN : ret;
	if (ret > 0)
		ret = my_mmu_insert_pages(m, t, start, batch, write);
	my_mmu_count_n(populated_pages, t->used - used);
	if (!--t->pins && !t->used)
		__my_mmu_table_remove(&m->dev, t);
	spin_unlock(&t->lock);
	return ret;
}

static void my_mmu_fit_index(struct my_mmu_dev *dev)
{
	unsigned long misfits = xchg(&dev->misfits, 0);
	struct my_mmu_shard *shard;
	struct my_mmu_buckets b;
	unsigned int i;

	for_each_set_bit(i, &misfits, MY_MMU_SHARDS) {
		shard = &dev->shard[i];
		my_mmu_buckets_alloc(dev, shard, &b);
		my_mmu_spin_lock(&shard->lock);
		__my_mmu_buckets_swap(dev, shard, &b);
		spin_unlock(&shard->lock);
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
	smp_mb();	/* A: pairs with B in inc_active(), C in dec_active() */
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

	WRITE_ONCE(m->dev.dead, true);
	smp_mb();	/* as B: a table that the walk misses sees dead */
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
{
	struct my_mmu_shard *shard = my_mmu_page_shard(&m->dev, page);
	unsigned long address;

	my_mmu_spin_lock(&shard->lock);
	address = __my_mmu_index_find(&m->dev, page_to_pfn(page));
	spin_unlock(&shard->lock);
	return address;
}

/* The index was right a moment ago: another task may have zapped it since. */
static unsigned long my_mmu_zap_addr(struct my_mmu *m, unsigned long address,
				     struct page *page)
{
	struct my_mmu_shard *shard = my_mmu_page_shard(&m->dev, page);
	struct my_mmu_table *t;
	unsigned long zapped = 0;
	unsigned int slot;
	u64 entry;

	rcu_read_lock();
	t = my_mmu_table_find(&m->dev, address);
	if (t) {
		my_mmu_test_point(table_found, m->dev.mm, false);
		my_mmu_spin_lock(&t->lock);
		my_mmu_spin_lock(&shard->lock);
		slot = my_mmu_slot(t, address);
		entry = __my_mmu_entry(t, slot);
		if (entry & MY_MMU_PRESENT &&
		    my_mmu_entry_pfn(entry) == page_to_pfn(page))
			zapped = __my_mmu_zap_run(&m->dev, shard, t, &slot,
						  slot + 1);
		my_mmu_count_n(zapped_pages, zapped);
		spin_unlock(&shard->lock);
		spin_unlock(&t->lock);
	}
	rcu_read_unlock();
	return zapped;
}

static void __my_mmu_hold_off(struct my_mmu_shard *shard, int by)
	__must_hold(&shard->lock)
{
	lockdep_assert_held(&shard->lock);
	shard->evicting += by;
}

/*
 * While the page's ptes stay (writeback, an eviction by hand), populates could
 * enter it as fast as it is zapped. They are held off meanwhile.
 */
static void my_mmu_hold_off(struct my_mmu *m, struct page *page, int by)
{
	struct my_mmu_shard *shard = my_mmu_page_shard(&m->dev, page);

	my_mmu_spin_lock(&shard->lock);
	__my_mmu_hold_off(shard, by);
	spin_unlock(&shard->lock);
}

static unsigned long my_mmu_zap_aliases(struct my_mmu *m, struct page *page)
{
	unsigned long address, zapped = 0;

	if (my_mmu_find_addr(m, page) == -EFAULT)
		return 0;
	my_mmu_hold_off(m, page, 1);
	while ((address = my_mmu_find_addr(m, page)) != -EFAULT) {
		my_mmu_test_point(rmap_found, m->dev.mm, true);
		zapped += my_mmu_zap_addr(m, address, page);
		cond_resched();
	}
	my_mmu_hold_off(m, page, -1);
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
	.name		= "split-ptl",
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

MODULE_DESCRIPTION("External MMU, a lock in each leaf table");
MODULE_LICENSE("GPL");
/* endregion: module */
