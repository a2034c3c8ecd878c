// SPDX-License-Identifier: GPL-2.0
/* region: head */
/*
 * my_mmu, variant "interval": an mmu_interval_notifier for each leaf table
 *
 * Most drivers of today do it like this. It differs from variants/split-ptl in
 * the record of running invalidations: the VM keeps it, not we. We tell the VM
 * of the 2 MiB of each leaf table. It calls my_mmu_invalidate() for each table
 * that an invalidation touches, and it keeps the sequence that a populate
 * waits for and compares. Entries, reverse index, rmap chain, aging and
 * lifetime are those of variants/split-ptl, the last two by a plain
 * mmu_notifier.
 *
 * The lookup is that of all variants, my_mmu_lookup(). Other users of interval
 * notifiers call hmm_range_fault() with HMM_PFN_REQ_FAULT. That finds all pages
 * or none, returns pages of secretmem, faults as if for another process (no
 * protection keys), and holds mmap_lock over I/O. my_mmu_lookup() calls it
 * without that flag, where it can.
 *
 * It gives up, against variants/split-ptl:
 *
 *  - G6: A populate of a table that has been invalidated, or is new, waits
 *    until no invalidation of the address space is running, be it of other
 *    tables: the VM has one sequence for all. No populate starts over because
 *    of another table.
 *  - G10: That wait is the VM's, and cannot be killed. And a worker frees the
 *    memory of an emptied table, after the same wait.
 *  - An invalidation waits for a slow device once per table, not once in all.
 *
 * It gains: the VM does not call for memory that has no leaf table.
 */
/* endregion: head */

/* region: lock-order */
/*
 * Lock order (below a line, indented: what is taken under it, and where; the
 * card of dev->unanswered_lock is in include/my_mmu.h):
 *
 *	mm's mmap_lock, VMA locks, rmap locks	(the VM, around the notifier)
 *	  dev->unanswered_lock			(my_mmu_shootdown)
 *	  pte lock				(the VM, around aging)
 *	    t->lock				(all callbacks)
 *	      shard->lock			(my_mmu_insert_pages)
 *		pages' and inodes' locks	(dirtying a page)
 *	      dev->tables_lock		(removing one)
 *	      locks of the work queue		(__my_mmu_retire)
 *	m->lock				(attach, detach)
 *	my_mmu_listlock				(attach, my_mmu_release)
 *	folio lock, seldom rmap locks		(the VM, around the rmap chain)
 *	  my_mmu_listlock			(my_mmu_rmap_invalidate_page)
 *	    dev->unanswered_lock		(my_mmu_shootdown)
 *	    shard->lock				(my_mmu_find_addr)
 *	    t->lock				(my_mmu_zap_addr)
 *
 * Two functions of the VM wait until all invalidations of the address space are
 * over: mmu_interval_read_begin() and mmu_interval_notifier_remove(). Call them
 * without any lock, and never in a callback.
 */
/* endregion: lock-order */

/* region: lock-cards */
/*
 * t->lock
 *	Type: spinlock, one per 2 MiB of addresses. Protects: the entries of
 *	one leaf table, its pins, and which notifier it has (@private). It is
 *	the lock under which that notifier's sequence is set and compared. Two
 *	of them are never held at once. Tables are found under RCU, or through
 *	their notifier, and freed a grace period after both are gone. A table
 *	that has been found can be locked; only then does t->dead say whether it
 *	still counts.
 * shard->lock
 *	Type: spinlock, %MY_MMU_SHARDS per address space. Protects: one shard
 *	of the reverse index. Under an entry's t->lock, the index has it if and
 *	only if it is present. @evicting says that the rmap chain is at work in
 *	the shard: enter nothing. The innermost of our own locks.
 * m->lock
 *	Type: spinlock. Protects: the users. Held for a few instructions.
 * m->retired
 *	A list without a lock (llist): any context adds to it, one worker takes
 *	all that is on it.
 * my_mmu_listlock
 *	Type: rwsem. Protects: my_mmu_list. Readers sleep for as long as the
 *	devices on the list take, and writers (attach, detach, exit) wait.
 */
/* endregion: lock-cards */

/* region: lifetime */
/*
 * Lifetime: the plain notifier counts its users, as in variants/spinlock. It
 * has a reference to m, and so has each interval notifier, since the VM calls
 * them under no grace period. The last one to go frees m:
 *
 *	munmap					last detach
 *
 *	my_mmu_invalidate(): empties T,
 *	  takes it out of the tree; m->retired
 *						my_mmu_release: T is missing
 *						mmu_notifier_put(m)
 *						... no callback of the plain
 *						notifier has m any more
 *	uses m
 *	end
 *	the worker: removes T's notifier,
 *	  drops its reference: frees m
 *
 * A table leaves in this order: out of the tree, its notifier removed, freed.
 * Freed before its notifier is removed, it would be locked in
 * my_mmu_invalidate(). The notifier also keeps the address space's structure,
 * and so the VM's tree, until it is removed.
 */
/* endregion: lifetime */

/* region: no-lost-invalidation */
/*
 * Why no invalidation is lost (G2), nor does one make a populate of another
 * table begin again (G6). Either the VM finds the table's notifier when an
 * invalidation starts, or the populate waits for that invalidation's end:
 *
 *	populate				invalidate [s, e)
 *
 *						VM: it is running
 *	make table T; insert its notifier:
 *	  the VM has not called for T, and
 *	  marks T as being invalidated
 *	mmu_interval_read_begin(): waits
 *						the VM changes the ptes; end
 *	look the pages up: they are new
 *
 * The VM does both under a lock of its own, so no barrier is needed. If the
 * notifier is there when the invalidation starts, t->lock orders the two:
 *
 *	populate				invalidate [s, e)
 *
 *	mmu_interval_read_begin(): sequence
 *	look the pages up
 *						my_mmu_invalidate(): lock T;
 *						  set the sequence; zap; unlock
 *	lock T
 *	mmu_interval_read_retry(): -EAGAIN
 *						the VM changes the ptes; end
 *
 * Rule: set the sequence and zap in one critical section, and compare the
 * sequence in the one that enters. If the populate locks T first, it enters,
 * and the zap takes away what it entered. A populate that begins after the
 * sequence was set waits for the end.
 *
 * Where the zap is left to the rmap chain, it comes later, but the sequence is
 * set all the same, and populates wait.
 */
/* endregion: no-lost-invalidation */

/* region: retired */
/*
 * Two tables of one address. T is on its way out, T' is new; the VM calls for
 * both:
 *
 *	munmap, populate			invalidate [s, e)	worker
 *
 *	T leaves the tree, empty
 *	make T'; insert its notifier
 *						T: dead, nothing to zap
 *						T': zaps
 *									removes
 *									T's
 *
 * Rule: a callback goes to the table of its own notifier, and to no other that
 * may be at this address.
 *
 * When T is gone, the device may still owe an answer for entries that it had:
 *
 *	rmap chain		populate	munmap
 *
 *	zaps the last entry
 *	of T
 *				fails: T leaves
 *						T has no notifier: not called
 *						the VM frees the page
 *	asks the device
 *
 * Rule: the worker removes no notifier before the device has answered for all
 * that was zapped before the table left. Until then the VM calls, and an
 * invalidation that finds T empty waits as well: my_mmu_shootdown().
 */
/* endregion: retired */

/* region: includes */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/llist.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "mmu_rmap.h"
#include "my_mmu.h"
#include "my_mmu_table.h"
#include "my_mmu_testpoint.h"
#include "my_mmu_trace.h"
/* endregion: includes */

struct my_mmu {
	struct mmu_notifier notifier;
	bool has_tree;			/* mm's mmap_lock: interval notifiers */

	struct my_mmu_dev dev;		/* t->lock and shard->lock */

	spinlock_t lock;		/* protects up to the blank line */
	unsigned int users;		/* attached files */

	refcount_t refs;		/* notifier, and each interval */
	struct llist_head retired;	/* intervals whose tables have left */
	struct work_struct reaper;	/* removes them */
	struct work_struct destroy;	/* when the last reference goes */

	struct list_head list;		/* my_mmu_listlock; empty: not on it */
};

/* What the VM knows of a leaf table. All but @retired is constant. */
struct my_mmu_interval {
	struct mmu_interval_notifier notifier;
	struct my_mmu *m;		/* with a reference */
	struct my_mmu_table *t;		/* pinned, or t->private is this one */
	struct llist_node retired;	/* in m->retired */
};

/* region: globals */
static struct list_head my_mmu_list[MMU_RMAP_TAGS];	/* by tag */
static DECLARE_RWSEM(my_mmu_listlock);
static struct workqueue_struct *my_mmu_workers;

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
 * An emptied table leaves the tree. The VM goes on calling for it until the
 * worker has removed its notifier, which a callback must not do. One that no
 * populate has shown to the VM yet goes at once.
 */
static void __my_mmu_retire(struct my_mmu *m, struct my_mmu_table *t)
	__must_hold(&t->lock)
{
	struct my_mmu_interval *iv = t->private;

	lockdep_assert_held(&t->lock);
	if (t->used || t->pins || t->dead)
		return;
	if (!iv) {
		__my_mmu_table_remove(&m->dev, t);
		return;
	}
	__my_mmu_table_unlink(&m->dev, t);
	if (llist_add(&iv->retired, &m->retired))
		queue_work(my_mmu_workers, &m->reaper);
}

/* All tables, at the end; an invalidation has one at a time. */
static unsigned long my_mmu_zap_range(struct my_mmu *m, unsigned long start,
				      unsigned long end)
{
	unsigned long zapped = 0, at;
	struct my_mmu_table *t;

	rcu_read_lock();
	my_mmu_for_each_table(&m->dev, t, at, start, end) {
		my_mmu_test_point(table_found, m->dev.mm, false);
		my_mmu_spin_lock(&t->lock);
		zapped += my_mmu_zap_table(m, t, start, end);
		__my_mmu_retire(m, t);
		spin_unlock(&t->lock);
		if (my_mmu_goes_on(at, end))
			my_mmu_relax();
	}
	rcu_read_unlock();
	trace_my_mmu_zap_range(&m->dev, start, end, zapped);
	return zapped;
}

static void __my_mmu_set_seq(struct my_mmu_interval *iv, unsigned long seq)
	__must_hold(&iv->t->lock)
{
	lockdep_assert_held(&iv->t->lock);
	mmu_interval_set_seq(&iv->notifier, seq);
}

static void my_mmu_set_seq(struct my_mmu_interval *iv, unsigned long seq)
{
	struct my_mmu_table *t = iv->t;

	my_mmu_spin_lock(&t->lock);
	__my_mmu_set_seq(iv, seq);
	spin_unlock(&t->lock);
}

/*
 * One table's part of an invalidation. The kernel frees its page tables when
 * memory is unmapped, not when it is merely emptied; so does this one (@free).
 */
static unsigned long my_mmu_zap_interval(struct my_mmu_interval *iv,
					 unsigned long start, unsigned long end,
					 unsigned long seq, bool free)
{
	struct my_mmu_table *t = iv->t;
	unsigned long zapped;

	my_mmu_spin_lock(&t->lock);
	__my_mmu_set_seq(iv, seq);
	zapped = my_mmu_zap_table(iv->m, t, start, end);
	if (free)
		__my_mmu_retire(iv->m, t);
	spin_unlock(&t->lock);
	trace_my_mmu_zap_range(&iv->m->dev, start, end, zapped);
	return zapped;
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

/* That the VM still calls for a table that has left is no news. */
static void my_mmu_tell(struct my_mmu_interval *iv,
			const struct mmu_notifier_range *range)
{
	if (READ_ONCE(iv->t->dead))
		return;
	trace_my_mmu_invalidate_start(&iv->m->dev, range);
	my_mmu_count(invalidations);
	if (!mmu_notifier_range_blockable(range))
		my_mmu_count(nonblockable);
}

/* Should this callback leave the zap to another, which comes later? */
static bool my_mmu_leave_zap(struct my_mmu *m,
			     const struct mmu_notifier_range *range)
{
	bool blockable = mmu_notifier_range_blockable(range);

	return my_mmu_test_point(start_counted, m->dev.mm, blockable) ||
	       my_mmu_leave_to_rmap(m, range);
}

/*
 * Announce a zap first: an invalidation that then finds the entries gone waits
 * for the device as well, and the VM frees no page that the device still has.
 */
static void my_mmu_invalidate_table(struct my_mmu_interval *iv,
				    const struct mmu_notifier_range *range,
				    unsigned long seq)
{
	unsigned long start = max(range->start, iv->t->base);
	unsigned long end = min(range->end, iv->t->base + MY_MMU_TABLE_SIZE);
	bool blockable = mmu_notifier_range_blockable(range);
	struct my_mmu *m = iv->m;
	struct my_mmu_shootdown s;
	unsigned long zapped;

	my_mmu_shootdown_begin(&m->dev, &s, start, end);
	zapped = my_mmu_zap_interval(iv, start, end, seq,
				     range->event == MMU_NOTIFY_UNMAP);
	my_mmu_test_point(start_zapped, m->dev.mm, blockable);
	my_mmu_shootdown(&m->dev, &s, zapped, blockable);
}

/*
 * The VM calls this for each table that the range touches. When the address
 * space goes, it calls my_mmu_release() next, which zaps all tables and waits
 * for the device once; or it does not, since the last detach has done that. It
 * takes a spinlock, so it never has to refuse (G8).
 */
static bool my_mmu_invalidate(struct mmu_interval_notifier *notifier,
			      const struct mmu_notifier_range *range,
			      unsigned long cur_seq)
{
	struct my_mmu_interval *iv = container_of(notifier,
						  struct my_mmu_interval,
						  notifier);

	if (range->event == MMU_NOTIFY_RELEASE) {
		my_mmu_set_seq(iv, cur_seq);
		return true;
	}
	my_mmu_tell(iv, range);
	if (my_mmu_leave_zap(iv->m, range))
		my_mmu_set_seq(iv, cur_seq);
	else
		my_mmu_invalidate_table(iv, range, cur_seq);
	return true;
}

static const struct mmu_interval_notifier_ops my_mmu_interval_ops = {
	.invalidate	= my_mmu_invalidate,
};

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

/* False if the table has left the tree. @iv: its notifier, if it has one. */
static bool __my_mmu_pin(struct my_mmu_table *t, struct my_mmu_interval **iv)
	__must_hold(&t->lock)
{
	lockdep_assert_held(&t->lock);
	if (t->dead)
		return false;
	*iv = t->private;
	t->pins++;
	return true;
}

static void __my_mmu_unpin(struct my_mmu *m, struct my_mmu_table *t)
	__must_hold(&t->lock)
{
	lockdep_assert_held(&t->lock);
	t->pins--;
	__my_mmu_retire(m, t);
}

static void my_mmu_unpin(struct my_mmu *m, struct my_mmu_table *t)
{
	my_mmu_spin_lock(&t->lock);
	__my_mmu_unpin(m, t);
	spin_unlock(&t->lock);
}

/* Populate, before the lookup: pin the leaf table. */
static struct my_mmu_table *my_mmu_pin_table(struct my_mmu *m,
					     unsigned long start,
					     struct my_mmu_interval **iv)
{
	struct my_mmu_table *t, *pinned = ERR_PTR(-EAGAIN);

	if (READ_ONCE(m->dev.dead))
		return ERR_PTR(-ESRCH);
	rcu_read_lock();
	t = my_mmu_table_find(&m->dev, start);
	if (t) {
		my_mmu_test_point(table_found, m->dev.mm, false);
		my_mmu_spin_lock(&t->lock);
		if (__my_mmu_pin(t, iv))
			pinned = t;
		spin_unlock(&t->lock);
	}
	rcu_read_unlock();
	return pinned;
}

static struct my_mmu_interval *my_mmu_interval_alloc(struct my_mmu *m,
						     struct my_mmu_table *t)
{
	struct my_mmu_interval *iv;

	if (my_mmu_test_point(interval_insert, m->dev.mm, true))
		return NULL;
	iv = kzalloc(sizeof(*iv), GFP_KERNEL_ACCOUNT);
	if (!iv)
		return NULL;
	atomic_long_add(sizeof(*iv), &my_mmu_nr_bytes);
	refcount_inc(&m->refs);
	iv->m = m;
	iv->t = t;
	return iv;
}

static void my_mmu_put(struct my_mmu *m)
{
	if (refcount_dec_and_test(&m->refs))
		queue_work(my_mmu_workers, &m->destroy);
}

static void my_mmu_interval_free(struct my_mmu_interval *iv)
{
	my_mmu_put(iv->m);
	kfree(iv);
	atomic_long_sub(sizeof(*iv), &my_mmu_nr_bytes);
}

/* The one that the table has from now on: ours, unless it has one. */
static struct my_mmu_interval *__my_mmu_set_interval(struct my_mmu_table *t,
						     struct my_mmu_interval *iv)
	__must_hold(&t->lock)
{
	lockdep_assert_held(&t->lock);
	if (!t->private)
		t->private = iv;
	return t->private;
}

/*
 * The first populate of a table shows it to the VM. Two may come at once:
 *
 *	populate				populate, same table
 *
 *	pins T: it has no notifier
 *						pins T: likewise
 *	inserts one
 *						inserts another
 *	T has mine
 *						T has one: removes its own
 *
 * Rule: pinned, T outlives both. Inserting waits for nothing: the VM's tree
 * for the address space is there since the attach.
 */
static struct my_mmu_interval *my_mmu_show_table(struct my_mmu *m,
						 struct my_mmu_table *t)
{
	struct my_mmu_interval *iv = my_mmu_interval_alloc(m, t), *first;
	int err;

	if (!iv)
		return ERR_PTR(-ENOMEM);
	err = mmu_interval_notifier_insert(&iv->notifier, m->dev.mm, t->base,
					   MY_MMU_TABLE_SIZE,
					   &my_mmu_interval_ops);
	if (!err) {
		my_mmu_spin_lock(&t->lock);
		first = __my_mmu_set_interval(t, iv);
		spin_unlock(&t->lock);
		if (first == iv)
			return iv;
		mmu_interval_notifier_remove(&iv->notifier);
	}
	my_mmu_interval_free(iv);
	return err ? ERR_PTR(err) : first;
}

/* Nothing ends the VM's wait. A populate that was killed goes no further. */
static int my_mmu_wait_to_populate(struct my_mmu_interval *iv,
				   unsigned long *seq)
{
	*seq = mmu_interval_read_begin(&iv->notifier);
	return fatal_signal_pending(current) ? -EINTR : 0;
}

static struct my_mmu_table *my_mmu_populate_begin(struct my_mmu *m,
						  unsigned long start,
						  unsigned long *seq)
{
	struct my_mmu_interval *iv;
	struct my_mmu_table *t;
	int err;

	while ((t = my_mmu_pin_table(m, start, &iv)) == ERR_PTR(-EAGAIN)) {
		err = my_mmu_table_create(&m->dev, start);
		if (err)
			return ERR_PTR(err);
		cond_resched();
	}
	if (IS_ERR(t))
		return t;
	if (!iv)
		iv = my_mmu_show_table(m, t);
	err = IS_ERR(iv) ? PTR_ERR(iv) : my_mmu_wait_to_populate(iv, seq);
	if (!err)
		return t;
	my_mmu_unpin(m, t);
	return ERR_PTR(err);
}

static bool __my_mmu_changed(struct my_mmu_table *t, unsigned long seq)
	__must_hold(&t->lock)
{
	struct my_mmu_interval *iv = t->private;

	lockdep_assert_held(&t->lock);
	return mmu_interval_read_retry(&iv->notifier, seq);
}

/* After the lookup: enter the pages, unless an invalidation came between. */
static long my_mmu_populate_end(struct my_mmu *m, struct my_mmu_table *t,
				unsigned long seq, unsigned long start,
				struct my_mmu_batch *batch, bool write)
{
	long ret = batch->npages;
	unsigned int used;

	my_mmu_spin_lock(&t->lock);
	used = t->used;
	if (READ_ONCE(m->dev.dead))
		ret = -ESRCH;
	else if (__my_mmu_changed(t, seq))
		ret = ret > 0 ? -EAGAIN : ret;
	if (ret > 0)
		ret = my_mmu_insert_pages(m, t, start, batch, write);
	my_mmu_count_n(populated_pages, t->used - used);
	__my_mmu_unpin(m, t);
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
	struct my_mmu_batch batch = { .pages = pages };
	struct my_mmu *m = to_my_mmu(dev);
	struct my_mmu_table *t;
	unsigned long seq;
	long ret;

	t = my_mmu_populate_begin(m, address, &seq);
	if (IS_ERR(t))
		return PTR_ERR(t);
	smp_mb();	/* A: pairs with the barrier in my_mmu_release() */
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
 * waits for the device.
 */
static void my_mmu_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct my_mmu *m = container_of(mn, struct my_mmu, notifier);
	struct my_mmu_shootdown s;
	unsigned long zapped;

	WRITE_ONCE(m->dev.dead, true);
	smp_mb();	/* a table that the walk misses sees dead: see A */
	my_mmu_test_point(release_dead, mm, true);
	my_mmu_shootdown_begin(&m->dev, &s, 0, ULONG_MAX);
	zapped = my_mmu_zap_range(m, 0, ULONG_MAX);
	my_mmu_test_point(release_zapped, mm, true);
	my_mmu_shootdown(&m->dev, &s, zapped, true);

	down_write(&my_mmu_listlock);
	__my_mmu_unlist(m);
	up_write(&my_mmu_listlock);
	my_mmu_test_point(release_unlisted, mm, true);
	trace_my_mmu_release(&m->dev);
}

/* What was zapped in tables that have left: has the device answered? */
static void my_mmu_settle(struct my_mmu *m)
{
	struct my_mmu_shootdown s;

	my_mmu_shootdown_begin(&m->dev, &s, 0, ULONG_MAX);
	my_mmu_shootdown(&m->dev, &s, 0, true);
}

/* Waits until the VM is in none of the callbacks, and has none left to make. */
static void my_mmu_reap(struct work_struct *work)
{
	struct my_mmu *m = container_of(work, struct my_mmu, reaper);
	struct llist_node *retired = llist_del_all(&m->retired);
	struct my_mmu_interval *iv, *next;

	my_mmu_test_point(interval_remove, m->dev.mm, true);
	my_mmu_settle(m);
	llist_for_each_entry_safe(iv, next, retired, retired) {
		mmu_interval_notifier_remove(&iv->notifier);
		my_mmu_table_release(iv->t);
		my_mmu_interval_free(iv);
		cond_resched();
	}
}

/*
 * No reference is left: no callback can have m, and no table is left to retire.
 * But the worker may be on its way back from the last one.
 */
static void my_mmu_destroy(struct work_struct *work)
{
	struct my_mmu *m = container_of(work, struct my_mmu, destroy);

	flush_work(&m->reaper);
	my_mmu_dev_destroy(&m->dev);
	kfree(m);
}

static struct mmu_notifier *my_mmu_alloc_notifier(struct mm_struct *mm)
{
	struct my_mmu *m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);

	if (!m)
		return ERR_PTR(-ENOMEM);
	spin_lock_init(&m->lock);
	refcount_set(&m->refs, 1);
	init_llist_head(&m->retired);
	INIT_WORK(&m->reaper, my_mmu_reap);
	INIT_WORK(&m->destroy, my_mmu_destroy);
	INIT_LIST_HEAD(&m->list);
	my_mmu_dev_init(&m->dev, &my_mmu_variant, mm);
	return &m->notifier;
}

/* A grace period is over: no callback of this notifier can have m any more. */
static void my_mmu_free_notifier(struct mmu_notifier *mn)
{
	struct my_mmu *m = container_of(mn, struct my_mmu, notifier);

	my_mmu_test_point(notifier_free, m->dev.mm, false);
	my_mmu_put(m);
}

static const struct mmu_notifier_ops my_mmu_ops = {
	.release		= my_mmu_release,
	.clear_flush_young	= my_mmu_clear_flush_young,
	.clear_young		= my_mmu_clear_young,
	.test_young		= my_mmu_test_young,
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
 * The VM makes its tree of intervals under the locks of all mappings, and
 * gives up if a signal is pending. An attach may fail so; a populate, which
 * would otherwise make the tree for the first table, must not.
 */
static int __my_mmu_make_tree(struct my_mmu *m, struct mm_struct *mm)
	__must_hold(&mm->mmap_lock)
{
	int err;

	mmap_assert_write_locked(mm);
	if (m->has_tree)
		return 0;
	err = __mmu_notifier_register(NULL, mm);
	m->has_tree = !err;
	return err;
}

static struct my_mmu *my_mmu_get(struct mm_struct *mm)
{
	struct mmu_notifier *mn;
	struct my_mmu *m;
	int err;

	if (mmap_write_lock_killable(mm))
		return ERR_PTR(-EINTR);
	mn = mmu_notifier_get_locked(&my_mmu_ops, mm);
	m = container_of(mn, struct my_mmu, notifier);
	err = IS_ERR(mn) ? 0 : __my_mmu_make_tree(m, mm);
	mmap_write_unlock(mm);
	if (IS_ERR(mn))
		return ERR_CAST(mn);
	if (err) {
		mmu_notifier_put(mn);
		return ERR_PTR(err);
	}
	return m;
}

/*
 * An address space has one notifier. An m that is dying lets go of it in
 * bounded time; until then there is nothing to attach to.
 */
static struct my_mmu_dev *my_mmu_attach_to_process(struct mm_struct *mm,
						   u32 flags)
{
	struct my_mmu *m;

	while (true) {
		m = my_mmu_get(mm);
		if (IS_ERR(m))
			return ERR_CAST(m);
		my_mmu_test_point(attach_found, mm, true);
		if (my_mmu_add_user(m, flags))
			return &m->dev;
		mmu_notifier_put(&m->notifier);
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
	.name		= "interval",
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

	my_mmu_workers = alloc_workqueue("my_mmu_interval", WQ_UNBOUND, 0);
	if (!my_mmu_workers)
		return -ENOMEM;
	for (tag = 0; tag < MMU_RMAP_TAGS; tag++)
		INIT_LIST_HEAD(&my_mmu_list[tag]);
	mmu_rmap_notifier_register(&my_mmu_rmap_notifier);
	err = my_mmu_register_variant(&my_mmu_variant);
	if (err) {
		mmu_rmap_notifier_unregister(&my_mmu_rmap_notifier);
		destroy_workqueue(my_mmu_workers);
	}
	return err;
}

/* The last m has been freed when it is unregistered, by a worker. */
static void __exit my_mmu_exit(void)
{
	my_mmu_unregister_variant(&my_mmu_variant);
	mmu_rmap_notifier_unregister(&my_mmu_rmap_notifier);
	mmu_notifier_synchronize();
	destroy_workqueue(my_mmu_workers);
}

/* region: module */
module_init(my_mmu_init);
module_exit(my_mmu_exit);

MODULE_DESCRIPTION("External MMU, an interval notifier per leaf table");
MODULE_LICENSE("GPL");
/* endregion: module */
