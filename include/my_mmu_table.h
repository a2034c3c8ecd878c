/* SPDX-License-Identifier: GPL-2.0 */
/*
 * my_mmu_table.h - what is done once per page: enter it, index it, take it out
 *
 * Inline, since a populate is measured against the bare page lookup: a few
 * function calls per page would cost as much as the work. The rest of the
 * device page table is in driver/table.c, of the reverse index in
 * driver/index.c.
 */
#ifndef MY_MMU_TABLE_H
#define MY_MMU_TABLE_H

#include <linux/mm.h>
#include <linux/page-flags.h>

#include "mmu_rmap.h"
#include "my_mmu.h"
#include "my_mmu_trace.h"

/*
 * The rmap of the VM leads to pages that belong to a mapping, anonymous or
 * of a file. The others (the zero pages) are never evicted, and so many
 * addresses share them that they must not go into the index.
 */
static inline bool my_mmu_folio_has_rmap(struct folio *folio)
{
	return READ_ONCE(folio->mapping);
}

/* Of a page that is to be entered or found */
static inline struct my_mmu_shard *my_mmu_page_shard(struct my_mmu_dev *dev,
						     struct page *page)
{
	return my_mmu_shard(dev, page_to_pfn(page));
}

/* Of an entry that is there */
static inline struct my_mmu_shard *
__my_mmu_slot_shard(struct my_mmu_dev *dev, struct my_mmu_table *t,
		    unsigned int slot)
{
	return my_mmu_shard(dev, my_mmu_entry_pfn(__my_mmu_entry(t, slot)));
}

static inline u32 my_mmu_run_hash(unsigned long pfn)
{
	return hash_64(pfn >> MY_MMU_RUN_SHIFT, 32);
}

static inline u32 *my_mmu_bucket(struct my_mmu_shard *shard, unsigned long pfn)
{
	u32 hash = my_mmu_run_hash(pfn) ^ pfn;

	return &shard->bucket[hash & (shard->buckets - 1)];
}

static inline void __my_mmu_shard_filled(struct my_mmu_dev *dev,
					 struct my_mmu_shard *shard,
					 unsigned int by)
{
	WRITE_ONCE(shard->count, shard->count + by);
	if (shard->count > shard->crowded_at)
		set_bit(shard - dev->shard, &dev->misfits);
}

static inline void __my_mmu_shard_drained(struct my_mmu_dev *dev,
					  struct my_mmu_shard *shard,
					  unsigned int by)
{
	WRITE_ONCE(shard->count, shard->count - by);
	if (by && !shard->count)
		__my_mmu_shard_emptied(dev, shard);
}

/*
 * A page that the device is given is referenced, as if the CPU had been there.
 * One that it may write is dirty: see driver/table.c.
 */
static __always_inline void __my_mmu_mark_folio(struct page *page,
						struct folio *folio, u64 flags)
{
	if (flags & MY_MMU_WRITE_OK && !folio_test_dirty(folio))
		set_page_dirty(page);
	if (!folio_test_referenced(folio))
		folio_set_referenced(folio);
}

/* Enters one page, or more permission for it. True if it is to be indexed. */
static __always_inline bool __my_mmu_entry_set(u64 *entry, struct page *page,
					       u64 flags, unsigned int *used)
{
	unsigned long pfn = page_to_pfn(page);
	struct folio *folio = page_folio(page);

	__my_mmu_mark_folio(page, folio, flags);
	if (*entry & MY_MMU_PRESENT) {
		WARN_ON_ONCE(my_mmu_entry_pfn(*entry) != pfn);
		WRITE_ONCE(*entry, *entry | flags);
		return false;
	}
	if (my_mmu_folio_has_rmap(folio))
		flags |= MY_MMU_INDEXED;
	WRITE_ONCE(*entry, (u64)pfn << PAGE_SHIFT | flags);
	++*used;
	return flags & MY_MMU_INDEXED;
}

/**
 * __my_mmu_enter_run() - enter pages whose pfns are of one run
 * @dev: external MMU
 * @shard: that of the first page
 * @t: leaf table; it has slots
 * @slot: of the first page
 * @pages: pages that the CPU page table names, known by the variant's protocol
 *	not to have changed since they were looked up
 * @npages: how many; at least 1
 * @write: the device may write
 *
 * Ends before the first page of another run. Those of one run share a shard, so
 * whatever is the same for all of them is done once. A page that goes into the
 * index is exported to the rmap chain, too, in this critical section: see the
 * export filter in rmap/chain.c.
 *
 * Context: any; the locks that protect @t's entries and the shard of the first
 * page are held.
 * Return: how many have been entered; at least 1.
 */
static __always_inline long __my_mmu_enter_run(struct my_mmu_dev *dev,
					       struct my_mmu_shard *shard,
					       struct my_mmu_table *t,
					       unsigned int slot,
					       struct page **pages,
					       long npages, bool write)
{
	/* region: enter-run */
	u64 flags = MY_MMU_PRESENT | (write ? MY_MMU_WRITE_OK : 0);
	unsigned long pfn = page_to_pfn(*pages), run = pfn >> MY_MMU_RUN_SHIFT;
	u32 hash = my_mmu_run_hash(pfn), mask = shard->buckets - 1;
	u32 *bucket, first = my_mmu_link(t, slot);
	unsigned int used = 0, indexed = 0;
	u64 *entry = &t->entry[slot];
	u32 *link = &t->link[slot];
	long n;

	for (n = 0; n < npages; n++) {
		pfn = page_to_pfn(pages[n]);
		if (pfn >> MY_MMU_RUN_SHIFT != run)
			break;
		if (!__my_mmu_entry_set(&entry[n], pages[n], flags, &used))
			continue;
		bucket = &shard->bucket[(hash ^ pfn) & mask];
		link[n] = *bucket;
		*bucket = first + n;
		mmu_rmap_export_page(pfn, dev->tag);
		indexed++;
	}
	t->used += used;
	__my_mmu_shard_filled(dev, shard, indexed);
	if (trace_my_mmu_insert_enabled())
		__my_mmu_trace_entered(dev, t, slot, n);
	return n;
	/* endregion: enter-run */
}

/**
 * __my_mmu_enter() - enter pages of a batch
 * @dev: external MMU
 * @shard: that of the first page to be entered
 * @t: leaf table
 * @start: address of the first page of the batch
 * @batch: what was looked up, and is known not to have changed since
 * @from: the first page of it that has not been entered
 * @write: the device may write
 *
 * Context: any; the locks that protect @t's entries and @shard are held.
 * Return: how many have been entered; 0 if @t has no slots for them, and
 * @batch has none to spare.
 */
static __always_inline long __my_mmu_enter(struct my_mmu_dev *dev,
					   struct my_mmu_shard *shard,
					   struct my_mmu_table *t,
					   unsigned long start,
					   struct my_mmu_batch *batch,
					   long from, bool write)
{
	unsigned int slot = my_mmu_slot(t, start) + from;
	long n;

	if (unlikely(batch->block || !my_mmu_has_slots(t))) {
		n = __my_mmu_enter_block(dev, t, slot, batch, from, write);
		if (!my_mmu_has_slots(t))
			return n;
	}
	return __my_mmu_enter_run(dev, shard, t, slot, batch->pages + from,
				  batch->npages - from, write);
}

/* Takes an entry out of its bucket. It is still set. */
static __always_inline void __my_mmu_unlink(struct my_mmu_shard *shard,
					    struct my_mmu_table *t,
					    unsigned int slot,
					    unsigned long pfn)
{
	u32 *p = my_mmu_bucket(shard, pfn), link = my_mmu_link(t, slot);

	while (*p != link)
		p = my_mmu_link_next(*p);
	*p = t->link[slot];
}

/**
 * __my_mmu_zap_run() - remove entries whose pfns are of one shard
 * @dev: external MMU
 * @shard: that of the first page
 * @t: leaf table
 * @slot: of the first one, which is present; out: where to go on
 * @end: slot behind the last one that may be removed
 *
 * Ends before the first entry that may be of another shard. Of a block nothing
 * stays: see driver/block.c for why.
 *
 * Context: any; the locks that protect @t's entries and @shard are held.
 * Return: how many pages are not mapped any more; at least 1.
 */
static __always_inline unsigned long
__my_mmu_zap_run(struct my_mmu_dev *dev, struct my_mmu_shard *shard,
		 struct my_mmu_table *t, unsigned int *slot, unsigned int end)
{
	/* region: zap-run */
	unsigned long pfn = my_mmu_entry_pfn(__my_mmu_entry(t, *slot));
	unsigned long block = pfn >> MY_MMU_BLOCK_ORDER, zapped = 0;
	unsigned int indexed = 0;
	u64 entry;

	if (!my_mmu_has_slots(t))
		return __my_mmu_zap_block(dev, t);
	for (; *slot < end; ++*slot) {
		entry = t->entry[*slot];
		if (!(entry & MY_MMU_PRESENT))
			continue;
		pfn = my_mmu_entry_pfn(entry);
		if (pfn >> MY_MMU_BLOCK_ORDER != block)
			break;
		trace_my_mmu_zap_page(dev, my_mmu_slot_address(t, *slot),
				      entry);
		if (entry & MY_MMU_INDEXED) {
			__my_mmu_unlink(shard, t, *slot, pfn);
			indexed++;
		}
		WRITE_ONCE(t->entry[*slot], 0);
		zapped++;
	}
	t->used -= zapped;
	t->zaps += zapped;
	__my_mmu_shard_drained(dev, shard, indexed);
	return zapped;
	/* endregion: zap-run */
}

#endif /* MY_MMU_TABLE_H */
