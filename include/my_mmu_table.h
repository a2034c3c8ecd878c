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

#include <linux/list.h>
#include <linux/mm.h>
#include <linux/page-flags.h>

#include "mmu_rmap.h"
#include "my_mmu.h"

/*
 * The rmap of the VM leads to pages that belong to a mapping, anonymous or
 * of a file. The others (the zero pages) are never evicted, and so many
 * addresses share them that they must not go into the index.
 */
static inline bool my_mmu_folio_has_rmap(struct folio *folio)
{
	return READ_ONCE(folio->mapping);
}

/**
 * __my_mmu_entry_set() - enter a page, or more permission for it
 * @t: leaf table
 * @address: page-aligned address in it
 * @page: page that the CPU page table names, known by the variant's protocol
 *	not to have changed since it was looked up; and what is there already
 *	is the same page (__my_mmu_insertable())
 * @write: the device may write
 *
 * Context: any; the lock that protects @t's entries is held.
 * Return: true if the caller has to put the entry into the reverse index.
 */
static inline bool __my_mmu_entry_set(struct my_mmu_table *t,
				      unsigned long address,
				      struct page *page, bool write)
{
	unsigned int slot = my_mmu_slot(t, address);
	struct folio *folio = page_folio(page);
	u64 old = t->entry[slot];
	u64 entry = ((u64)page_to_pfn(page) << PAGE_SHIFT) | MY_MMU_PRESENT;

	if (write) {
		entry |= MY_MMU_WRITE_OK;
		if (!folio_test_dirty(folio))
			set_page_dirty(page);
	}
	if (old & MY_MMU_PRESENT) {
		WRITE_ONCE(t->entry[slot], old | entry);
		return false;
	}
	if (my_mmu_folio_has_rmap(folio))
		entry |= MY_MMU_INDEXED;
	WRITE_ONCE(t->entry[slot], entry);
	t->used++;
	return entry & MY_MMU_INDEXED;
}

/**
 * __my_mmu_entry_clear() - remove a present entry
 * @t: leaf table
 * @address: page-aligned address in it
 *
 * The entry has been taken out of the reverse index before.
 *
 * Context: any; the lock that protects @t's entries is held.
 */
static inline void __my_mmu_entry_clear(struct my_mmu_table *t,
					unsigned long address)
{
	WRITE_ONCE(t->entry[my_mmu_slot(t, address)], 0);
	t->used--;
	t->zaps++;
}

static inline struct hlist_head *my_mmu_bucket(struct my_mmu_shard *shard,
					       unsigned long pfn)
{
	u32 hash = hash_64(pfn >> MY_MMU_RUN_SHIFT, 32) ^ pfn;

	return &shard->bucket[hash & (shard->buckets - 1)];
}

/**
 * __my_mmu_index_add() - put an entry into the reverse index
 * @dev: external MMU
 * @t: leaf table
 * @address: of an entry that has just been set
 *
 * Also exports the page to the rmap chain, in this critical section: see
 * the export filter in rmap/chain.c.
 *
 * Context: any; the lock that protects the page's shard is held.
 */
static inline void __my_mmu_index_add(struct my_mmu_dev *dev,
				      struct my_mmu_table *t,
				      unsigned long address)
{
	unsigned int slot = my_mmu_slot(t, address);
	unsigned long pfn = my_mmu_entry_pfn(t->entry[slot]);
	struct my_mmu_shard *shard = my_mmu_shard(dev, pfn);

	hlist_add_head(&t->link[slot], my_mmu_bucket(shard, pfn));
	WRITE_ONCE(shard->count, shard->count + 1);
	if (shard->count > shard->crowded_at)
		set_bit(shard - dev->shard, &dev->crowded);
	mmu_rmap_export_page(pfn);
}

/**
 * __my_mmu_index_del() - take an entry out of the reverse index
 * @dev: external MMU
 * @t: leaf table
 * @address: of an entry that is still set, and in the index
 *
 * Context: any; the lock that protects the page's shard is held.
 */
static inline void __my_mmu_index_del(struct my_mmu_dev *dev,
				      struct my_mmu_table *t,
				      unsigned long address)
{
	unsigned int slot = my_mmu_slot(t, address);
	struct my_mmu_shard *shard;

	shard = my_mmu_shard(dev, my_mmu_entry_pfn(t->entry[slot]));
	hlist_del_init(&t->link[slot]);
	WRITE_ONCE(shard->count, shard->count - 1);
	if (!shard->count)
		__my_mmu_shard_emptied(dev, shard);
}

#endif /* MY_MMU_TABLE_H */
