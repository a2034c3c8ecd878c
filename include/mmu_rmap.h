/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mmu_rmap.h - a notifier chain for pages, walked after the VM's own rmaps
 *
 * The second notifier class of the 2008 patches: where an mmu_notifier is
 * told of one address space and a range in it, an mmu_rmap_notifier is told
 * of a page, wherever it may be mapped. Its callback may sleep.
 *
 * To be told of a page, export it: mmu_rmap_export_page() under the lock that
 * the callback takes, in the same critical section that makes the mapping.
 */
#ifndef MMU_RMAP_H
#define MMU_RMAP_H

#include <linux/bitops.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/types.h>

struct dentry;
struct mmu_rmap_notifier;

/**
 * struct mmu_rmap_notifier_ops - what the chain calls
 * @invalidate_page: remove every external mapping of the page. An MMU that has
 *	not exported it with one of @tags has none. The VM has gone through the
 *	ptes of the page before, unless a user evicts it by hand. Context: page
 *	locked and referenced by the caller, no spinlocks (but rmap locks when
 *	a huge page is split, or one of hugetlb migrated), may sleep; may run
 *	for several pages at once.
 */
struct mmu_rmap_notifier_ops {
	void (*invalidate_page)(struct mmu_rmap_notifier *mrn,
				struct page *page, unsigned long tags);
};

/**
 * struct mmu_rmap_notifier - one subscriber of the chain
 * @ops: set by the subscriber before it registers
 * @node: private to the chain
 */
struct mmu_rmap_notifier {
	const struct mmu_rmap_notifier_ops *ops;
	struct hlist_node node;
};

/**
 * struct mmu_rmap_stats - what the chain has seen since it was loaded
 * @hooked: calls of the VM's functions that passed the hook
 * @walks: pages for which the chain ran
 * @filtered: calls for a folio without exported pages; each cost a lookup
 * @in_flight: hooked calls on record that are going on now
 * @hook_active: the VM feeds the chain
 */
struct mmu_rmap_stats {
	u64	hooked;
	u64	walks;
	u64	filtered;
	u64	in_flight;
	bool	hook_active;
};

void mmu_rmap_notifier_register(struct mmu_rmap_notifier *mrn);
void mmu_rmap_notifier_unregister(struct mmu_rmap_notifier *mrn);
unsigned long mmu_rmap_invalidate_folio(struct folio *folio);
bool mmu_rmap_walk_in_progress(unsigned long len);
void mmu_rmap_get_stats(struct mmu_rmap_stats *stats);

/* /sys/kernel/debug/my_mmu; the modules above put their files there, too. */
extern struct dentry *my_mmu_debugfs;

/* The export filter, a bit per page and tag; for the inline function below. */
#define MMU_RMAP_TAGS	16
extern unsigned long *mmu_rmap_exported;
extern unsigned long mmu_rmap_max_pfn;

/**
 * mmu_rmap_export_page() - tell the chain that a page is mapped externally
 * @pfn: page frame number of the page
 * @tag: by which the callback knows whose mapping it may be, 0..15. Several
 *	external MMUs may share one: then it asks all of them.
 *
 * Context: any; the caller holds the lock that its invalidate_page callback
 * takes to look for mappings of the page, and makes the mapping in the same
 * critical section. One without a range notifier must also hold the lock of
 * the pte, from the lookup on: else the ptes may go, and the chain run, between
 * its lookup and its export. Inline, since this is paid for every page of a
 * populate.
 */
static inline void mmu_rmap_export_page(unsigned long pfn, unsigned int tag)
{
	unsigned long bit = pfn * MMU_RMAP_TAGS + tag;

	if (pfn < mmu_rmap_max_pfn && !test_bit(bit, mmu_rmap_exported))
		set_bit(bit, mmu_rmap_exported);
}

void mmu_rmap_export_pages(unsigned long pfn, unsigned long npages,
			   unsigned int tag);

#endif /* MMU_RMAP_H */
