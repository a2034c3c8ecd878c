// SPDX-License-Identifier: GPL-2.0
/*
 * mmu_rmap: a notifier chain for pages, fed by the VM on a stock kernel
 *
 * Christoph Lameter's patches of February 2008 gave a struct page a flag,
 * PageExternalRmap, and had try_to_unmap() and page_mkclean() call a chain
 * for flagged pages once all ptes were done. This file is that chain; hook.c
 * has the VM call it.
 *
 * The 2008 chain was walked under rcu_read_lock(), where the sleep that it
 * was made for is forbidden. This one is walked under SRCU.
 *
 * The export filter. A page flag is not to be had. So 16 bits per page frame
 * stand in for it, one for each tag: of many external MMUs, only those whose
 * tag the page has need be asked. (For a folio without exported pages, that is
 * a look at all its bits: 1 KiB for a huge page.) The bits are cleared before
 * the chain is walked, and set in the critical section that makes a mapping.
 * Either order of the two sections is right:
 *
 *	exporting CPU                   evicting CPU
 *	                                take all bits
 *	lock
 *	  make mapping, set bit
 *	unlock
 *	                                callback: lock, zaps mapping, unlock
 *
 * leaves a bit without a mapping, which costs one idle walk later, and
 *
 *	                                take all bits
 *	                                callback: lock, finds none, unlock
 *	lock
 *	  make mapping, set bit
 *	unlock
 *
 * leaves mapping and bit. Clearing after the walk, as 2008 did, would lose the
 * bit of a mapping made in between. All bits of a page are cleared at once,
 * and each external MMU sets its own, under its own lock: the argument for one
 * holds for each.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/bitmap.h>
#include <linux/build_bug.h>
#include <linux/debugfs.h>
#include <linux/hash.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/vmalloc.h>

#include "internal.h"
#include "mmu_rmap.h"
#include "my_mmu_testpoint.h"

static bool hook = true;
module_param(hook, bool, 0444);
MODULE_PARM_DESC(hook, "let the VM feed the chain through ftrace (default: 1)");

DEFINE_STATIC_SRCU(mmu_rmap_srcu);
static HLIST_HEAD(mmu_rmap_list);
static DEFINE_MUTEX(mmu_rmap_list_mutex);	/* writers of mmu_rmap_list */

struct mmu_rmap_counters {
	u64 hooked;
	u64 walks;
	u64 filtered;
};

static DEFINE_PER_CPU(struct mmu_rmap_counters, mmu_rmap_counters);
static atomic_long_t mmu_rmap_in_flight = ATOMIC_LONG_INIT(0);

static void __subscribe(struct mmu_rmap_notifier *mrn)
{
	lockdep_assert_held(&mmu_rmap_list_mutex);
	hlist_add_head_rcu(&mrn->node, &mmu_rmap_list);
}

static void __unsubscribe(struct mmu_rmap_notifier *mrn)
{
	lockdep_assert_held(&mmu_rmap_list_mutex);
	hlist_del_rcu(&mrn->node);
}

/**
 * mmu_rmap_notifier_register() - subscribe to the chain
 * @mrn: subscriber; @mrn->ops set
 *
 * Context: may sleep. Callbacks can arrive before this returns.
 */
void mmu_rmap_notifier_register(struct mmu_rmap_notifier *mrn)
{
	mutex_lock(&mmu_rmap_list_mutex);
	__subscribe(mrn);
	mutex_unlock(&mmu_rmap_list_mutex);
}
EXPORT_SYMBOL_GPL(mmu_rmap_notifier_register);

/**
 * mmu_rmap_notifier_unregister() - leave the chain
 * @mrn: subscriber
 *
 * Context: may sleep, and waits for callbacks that are running, so it must
 * not be called from one. No callback is running or will start once this has
 * returned.
 */
void mmu_rmap_notifier_unregister(struct mmu_rmap_notifier *mrn)
{
	mutex_lock(&mmu_rmap_list_mutex);
	__unsubscribe(mrn);
	mutex_unlock(&mmu_rmap_list_mutex);
	synchronize_srcu(&mmu_rmap_srcu);
}
EXPORT_SYMBOL_GPL(mmu_rmap_notifier_unregister);

/*
 * Export filter
 */
unsigned long *mmu_rmap_exported;
EXPORT_SYMBOL_GPL(mmu_rmap_exported);

unsigned long mmu_rmap_max_pfn;
EXPORT_SYMBOL_GPL(mmu_rmap_max_pfn);

static int export_filter_alloc(void)
{
	int nid;

	for_each_online_node(nid)
		mmu_rmap_max_pfn = max(mmu_rmap_max_pfn,
				       pgdat_end_pfn(NODE_DATA(nid)));
	mmu_rmap_exported = __vmalloc(BITS_TO_LONGS(mmu_rmap_max_pfn *
						    MMU_RMAP_TAGS) *
				      sizeof(long),
				      GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN);
	if (mmu_rmap_exported)
		return 0;
	pr_err("no memory for two bytes for each of %lu page frames\n",
	       mmu_rmap_max_pfn);
	pr_err("free some memory and load again\n");
	return -ENOMEM;
}

/*
 * Lowest exported pfn in [pfn, end), or end. Memory that was plugged in later
 * has no bits and counts as exported always.
 */
static unsigned long next_exported(unsigned long pfn, unsigned long end)
{
	if (pfn >= mmu_rmap_max_pfn)
		return pfn;
	return find_next_bit(mmu_rmap_exported,
			     min(end, mmu_rmap_max_pfn) * MMU_RMAP_TAGS,
			     pfn * MMU_RMAP_TAGS) / MMU_RMAP_TAGS;
}

#define ALL_TAGS	(BIT(MMU_RMAP_TAGS) - 1)
#define PAGES_PER_WORD	(BITS_PER_LONG / MMU_RMAP_TAGS)
static_assert(PAGES_PER_WORD > 1 && BITS_PER_LONG % MMU_RMAP_TAGS == 0,
	      "a word has the tags of whole pages, and of several");

static atomic_long_t *tags_word(unsigned long pfn)
{
	return (atomic_long_t *)mmu_rmap_exported + pfn / PAGES_PER_WORD;
}

/* The tags of a page, which has none after this. */
static unsigned long take_tags(unsigned long pfn)
{
	unsigned int shift = pfn % PAGES_PER_WORD * MMU_RMAP_TAGS;

	if (pfn >= mmu_rmap_max_pfn)
		return ALL_TAGS;
	return (unsigned long)atomic_long_fetch_andnot(ALL_TAGS << shift,
						       tags_word(pfn)) >>
	       shift & ALL_TAGS;
}

/* One bit for each page of a word. */
#define EACH_PAGE	(~0ul / ALL_TAGS)

/**
 * mmu_rmap_export_pages() - likewise, of many that follow each other
 * @pfn: page frame number of the first
 * @npages: how many
 * @tag: as in mmu_rmap_export_page(), and so is what the caller must do
 *
 * Those that come in whole words are marked by the word.
 *
 * Context: any.
 */
void mmu_rmap_export_pages(unsigned long pfn, unsigned long npages,
			   unsigned int tag)
{
	unsigned long end = pfn + npages, all = EACH_PAGE << tag;

	while (pfn < end) {
		if (pfn % PAGES_PER_WORD || pfn + PAGES_PER_WORD > end ||
		    pfn + PAGES_PER_WORD > mmu_rmap_max_pfn) {
			mmu_rmap_export_page(pfn++, tag);
			continue;
		}
		if (all & ~(unsigned long)atomic_long_read(tags_word(pfn)))
			atomic_long_or(all, tags_word(pfn));
		pfn += PAGES_PER_WORD;
	}
}
EXPORT_SYMBOL_GPL(mmu_rmap_export_pages);

/*
 * Walks
 */
static void mmu_rmap_invalidate_page(struct page *page, unsigned long tags)
{
	struct mmu_rmap_notifier *mrn;

	hlist_for_each_entry_srcu(mrn, &mmu_rmap_list, node,
				  srcu_read_lock_held(&mmu_rmap_srcu))
		mrn->ops->invalidate_page(mrn, page, tags);
}

/**
 * mmu_rmap_invalidate_folio() - run the chain on the exported pages of a folio
 * @folio: locked folio, referenced by the caller
 *
 * Context: may sleep; no spinlocks, not inside rcu_read_lock().
 * Return: number of pages for which the chain ran.
 */
unsigned long mmu_rmap_invalidate_folio(struct folio *folio)
{
	unsigned long end = folio_pfn(folio) + folio_nr_pages(folio);
	unsigned long pfn = next_exported(folio_pfn(folio), end);
	unsigned long walks = 0, tags;
	int idx;

	WARN_ON_ONCE(!folio_test_locked(folio));
	if (pfn >= end)
		return 0;
	idx = srcu_read_lock(&mmu_rmap_srcu);
	for (; pfn < end; pfn = next_exported(pfn + 1, end)) {
		tags = take_tags(pfn);
		if (!tags)
			continue;
		my_mmu_test_point(chain_filtered, NULL, true);
		mmu_rmap_invalidate_page(pfn_to_page(pfn), tags);
		walks++;
		cond_resched();
	}
	srcu_read_unlock(&mmu_rmap_srcu, idx);
	this_cpu_add(mmu_rmap_counters.walks, walks);
	return walks;
}
EXPORT_SYMBOL_GPL(mmu_rmap_invalidate_folio);

/*
 * Tasks inside a hooked function. An external MMU that leaves page-level
 * events to the chain asks, from its range notifier, whether the caller is
 * one of them: then the chain will run on this page once the VM is done.
 */
#define WALKER_BUCKETS	64

static struct walker_bucket {
	spinlock_t lock;	/* protects head */
	struct hlist_head head;
} walkers[WALKER_BUCKETS] = {
	[0 ... WALKER_BUCKETS - 1] = {
		.lock = __SPIN_LOCK_UNLOCKED(walkers.lock),
	},
};

static struct walker_bucket *walker_bucket(struct task_struct *task)
{
	return &walkers[hash_ptr(task, ilog2(WALKER_BUCKETS))];
}

static void __mark_walker(struct walker_bucket *b, struct mmu_rmap_walk *walk)
	__must_hold(&b->lock)
{
	lockdep_assert_held(&b->lock);
	hlist_add_head(&walk->node, &b->head);
}

static void mark_walker(struct mmu_rmap_walk *walk)
{
	struct walker_bucket *b = walker_bucket(walk->task);

	spin_lock(&b->lock);
	__mark_walker(b, walk);
	spin_unlock(&b->lock);
}

static void __unmark_walker(struct walker_bucket *b, struct mmu_rmap_walk *walk)
	__must_hold(&b->lock)
{
	lockdep_assert_held(&b->lock);
	hlist_del(&walk->node);
}

static void unmark_walker(struct mmu_rmap_walk *walk)
{
	struct walker_bucket *b = walker_bucket(walk->task);

	spin_lock(&b->lock);
	__unmark_walker(b, walk);
	spin_unlock(&b->lock);
}

static bool __is_walker(struct walker_bucket *b, unsigned long len)
	__must_hold(&b->lock)
{
	struct mmu_rmap_walk *walk;

	lockdep_assert_held(&b->lock);
	hlist_for_each_entry(walk, &b->head, node)
		if (walk->task == current && len <= walk->len)
			return true;
	return false;
}

/**
 * mmu_rmap_walk_in_progress() - will the chain run once the VM is done here?
 * @len: bytes that the VM is about to change. More than the folio has (a page
 *	table of huge pages that processes share) is not the chain's business.
 *
 * Context: any; asks for the calling task.
 * Return: true inside a hooked VM function that was called for a folio with
 * exported pages, of at least @len bytes, and whose place no other page can
 * take before the chain has run.
 */
bool mmu_rmap_walk_in_progress(unsigned long len)
{
	struct walker_bucket *b = walker_bucket(current);
	bool found;

	spin_lock(&b->lock);
	found = __is_walker(b, len);
	spin_unlock(&b->lock);
	return found;
}
EXPORT_SYMBOL_GPL(mmu_rmap_walk_in_progress);

/**
 * mmu_rmap_walk_begin() - a hooked VM function is about to be called
 * @walk: on the stack of the caller, until mmu_rmap_walk_end()
 * @folio: what it is called for; locked
 * @leavable: until the chain has run, no other page can come where this one
 *	was mapped
 *
 * Context: any.
 */
void mmu_rmap_walk_begin(struct mmu_rmap_walk *walk, struct folio *folio,
			 bool leavable)
{
	unsigned long pfn = folio_pfn(folio);
	unsigned long end = pfn + folio_nr_pages(folio);
	bool exported = next_exported(pfn, end) < end;

	this_cpu_inc(mmu_rmap_counters.hooked);
	if (!exported)
		this_cpu_inc(mmu_rmap_counters.filtered);
	walk->task = current;
	walk->len = folio_size(folio);
	walk->marked = exported && leavable;
	if (walk->marked) {
		atomic_long_inc(&mmu_rmap_in_flight);
		mark_walker(walk);
	}
}

/**
 * mmu_rmap_walk_end() - the hooked VM function is done: run the chain
 * @walk: as in mmu_rmap_walk_begin()
 * @folio: as in mmu_rmap_walk_begin()
 *
 * Looks at the filter again. Of a folio that was marked, pages may have been
 * exported since mmu_rmap_walk_begin(), and their entries were left to this. Of
 * one that was not, an external MMU that has a range notifier needs no second
 * look: that has undone the mapping, or makes the populate retry. One that
 * subscribes to the chain alone has nothing else, and this is when the ptes
 * have gone; see mmu_rmap_export_page() for what it must do.
 *
 * Context: may sleep.
 */
void mmu_rmap_walk_end(struct mmu_rmap_walk *walk, struct folio *folio)
{
	my_mmu_test_point(hook_done, NULL, true);
	mmu_rmap_invalidate_folio(folio);
	if (walk->marked) {
		unmark_walker(walk);
		atomic_long_dec(&mmu_rmap_in_flight);
	}
}

/**
 * mmu_rmap_get_stats() - what the chain has seen since it was loaded
 * @stats: out
 *
 * Context: any. @stats->in_flight is exact, the other figures are sums over
 * CPUs and not of one moment.
 */
void mmu_rmap_get_stats(struct mmu_rmap_stats *stats)
{
	int cpu;

	memset(stats, 0, sizeof(*stats));
	for_each_possible_cpu(cpu) {
		struct mmu_rmap_counters *c = per_cpu_ptr(&mmu_rmap_counters,
							  cpu);

		stats->hooked += READ_ONCE(c->hooked);
		stats->walks += READ_ONCE(c->walks);
		stats->filtered += READ_ONCE(c->filtered);
	}
	stats->in_flight = atomic_long_read(&mmu_rmap_in_flight);
	stats->hook_active = mmu_rmap_hook_active();
}
EXPORT_SYMBOL_GPL(mmu_rmap_get_stats);

struct dentry *my_mmu_debugfs;
EXPORT_SYMBOL_GPL(my_mmu_debugfs);

static int __init mmu_rmap_init(void)
{
	int err = export_filter_alloc();

	if (err)
		return err;
	err = hook ? mmu_rmap_hook_install() : 0;
	if (err) {
		vfree(mmu_rmap_exported);
		return err;
	}
	my_mmu_debugfs = debugfs_create_dir("my_mmu", NULL);
	my_mmu_test_points_init(my_mmu_debugfs);
	return 0;
}

static void __exit mmu_rmap_exit(void)
{
	if (hook)
		mmu_rmap_hook_remove();
	debugfs_remove(my_mmu_debugfs);
	vfree(mmu_rmap_exported);
}

module_init(mmu_rmap_init);
module_exit(mmu_rmap_exit);

MODULE_DESCRIPTION("Reverse-map notifier chain for external MMUs");
MODULE_LICENSE("GPL");
