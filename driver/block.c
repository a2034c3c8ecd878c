// SPDX-License-Identifier: GPL-2.0
/* region: block */
/*
 * A huge page in one entry
 *
 * Where the CPU maps 2 MiB as one, a leaf table holds them as one: an entry for
 * the first page, one link in the reverse index, and no slots. Slots come when
 * pages come one by one, or when one page of a block is to be treated apart.
 *
 * An invalidation of part of a block removes the whole block. The CPU cannot
 * change part of a huge mapping either: the VM splits the mapping first, and
 * announces the split for all 2 MiB. It does so before the start for the part
 * (mprotect, munmap), or right after it:
 *
 *	madvise(MADV_DONTNEED), page 7		device
 *
 *	start of page 7: zaps the block
 *						page 8: populates it, by itself
 *	  start of all 512: zaps page 8
 *	  splits the huge mapping
 *	  end
 *	clears the pte of page 7
 *	end
 *
 * Suppose the first start split our block into 512 entries: the second one
 * would remove them all. Where the VM changes part of a huge mapping and leaves
 * it huge after all (it looks at a shared one for MADV_FREE, and lets it be),
 * the device faults once more.
 *
 * Correctness needs only this: whatever happens to a part removes the block.
 * One thing follows. An invalidation of page 300 may find nothing because one
 * of page 7 took the block, and the device has not answered that one yet. So
 * a shootdown is of whole tables once there has been a block. (With RMAP_ONLY
 * the announcement of the 2 MiB may have been left to the chain, and does not
 * wait.)
 *
 * More permission is another matter. The device may write to one page because
 * the CPU may, and read the others. Nothing has been announced, so no entry may
 * disappear. The block is split into slots; each gets what the block had.
 */
/* endregion: block */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "internal.h"
#include "mmu_rmap.h"
#include "my_mmu.h"
#include "my_mmu_table.h"
#include "my_mmu_testpoint.h"
#include "my_mmu_trace.h"

#define LINK_BYTES	(MY_MMU_TABLE_SLOTS * sizeof(u32))
#define SLOTS_BYTES	(PAGE_SIZE + LINK_BYTES)

/**
 * my_mmu_slots_alloc() - allocate slots for a table
 * @slots: out; empty if there is no memory
 *
 * Context: may sleep; no locks.
 * Return: 0 or -ENOMEM. Memory is charged to the caller's memory cgroup.
 */
int my_mmu_slots_alloc(struct my_mmu_slots *slots)
{
	if (my_mmu_test_point(slots_alloc, current->mm, true))
		return -ENOMEM;
	slots->entry = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!slots->entry)
		return -ENOMEM;
	slots->link = kmalloc(LINK_BYTES, GFP_KERNEL_ACCOUNT);
	if (!slots->link) {
		free_page((unsigned long)slots->entry);
		slots->entry = NULL;
		return -ENOMEM;
	}
	atomic_long_add(SLOTS_BYTES, &my_mmu_nr_bytes);
	return 0;
}

/**
 * my_mmu_slots_free() - free slots that no table has any more
 * @slots: them, or none; then none
 *
 * Context: any.
 */
void my_mmu_slots_free(struct my_mmu_slots *slots)
{
	if (!slots->entry)
		return;
	free_page((unsigned long)slots->entry);
	kfree(slots->link);
	atomic_long_sub(SLOTS_BYTES, &my_mmu_nr_bytes);
	*slots = (struct my_mmu_slots) {};
}
EXPORT_SYMBOL_GPL(my_mmu_slots_free);

/**
 * __my_mmu_take_slots() - a table gives its slots away
 * @t: leaf table; nothing is in its slots, if it has any
 * @slots: out
 *
 * Context: any; the lock that protects @t's entries is held.
 */
void __my_mmu_take_slots(struct my_mmu_table *t, struct my_mmu_slots *slots)
{
	if (!my_mmu_has_slots(t))
		return;
	slots->entry = t->entry;
	slots->link = t->link;
	WRITE_ONCE(t->entry, &t->block);
	t->link = &t->block_link;
}

static void __give_slots(struct my_mmu_table *t, struct my_mmu_slots *slots)
{
	WRITE_ONCE(t->entry, slots->entry);
	t->link = slots->link;
	*slots = (struct my_mmu_slots) {};
}

static void __link(struct my_mmu_shard *shard, struct my_mmu_table *t,
		   unsigned int slot)
{
	u32 *bucket = my_mmu_bucket(shard, my_mmu_entry_pfn(t->entry[slot]));

	t->link[slot] = *bucket;
	*bucket = my_mmu_link(t, slot);
}

static void __link_block(struct my_mmu_dev *dev, struct my_mmu_table *t)
{
	unsigned long pfn = my_mmu_entry_pfn(t->block);
	struct my_mmu_shard *shard = my_mmu_shard(dev, pfn);

	__link(shard, t, 0);
	WRITE_ONCE(shard->blocks, shard->blocks + 1);
	__my_mmu_shard_filled(dev, shard, 1);
	mmu_rmap_export_pages(pfn, MY_MMU_TABLE_SLOTS, dev->tag);
}

static void __unlink_block(struct my_mmu_dev *dev, struct my_mmu_table *t)
{
	unsigned long pfn = my_mmu_entry_pfn(t->block);
	struct my_mmu_shard *shard = my_mmu_shard(dev, pfn);

	__my_mmu_unlink(shard, t, 0, pfn);
	WRITE_ONCE(shard->blocks, shard->blocks - 1);
	__my_mmu_shard_drained(dev, shard, 1);
}

/* Makes a block, or gives one more permission. */
static void __set_block(struct my_mmu_dev *dev, struct my_mmu_table *t,
			struct page *page, u64 flags,
			struct my_mmu_slots *old)
{
	u64 entry = (u64)page_to_pfn(page) << PAGE_SHIFT | flags;
	struct folio *folio = page_folio(page);

	__my_mmu_mark_folio(page, folio, flags);
	/* It is found under its first page, which the others must lead to. */
	WARN_ON_ONCE(page_to_pfn(page) % MY_MMU_TABLE_SLOTS);
	if (t->block) {
		WARN_ON_ONCE((t->block ^ entry) >> PAGE_SHIFT);
		WRITE_ONCE(t->block, t->block | flags);
		return;
	}
	__my_mmu_take_slots(t, old);
	if (my_mmu_folio_has_rmap(folio))
		entry |= MY_MMU_INDEXED;
	WRITE_ONCE(dev->had_block, true);
	WRITE_ONCE(t->block, entry);
	if (entry & MY_MMU_INDEXED)
		__link_block(dev, t);
	t->used = MY_MMU_TABLE_SLOTS;
}

/*
 * The pages have been exported, and stay so. If the device has used one of
 * them, all are taken for used.
 */
static void __split_block(struct my_mmu_dev *dev, struct my_mmu_table *t,
			  struct my_mmu_slots *slots)
{
	struct my_mmu_shard *shard;
	u64 block = t->block;
	unsigned int i;

	shard = my_mmu_shard(dev, my_mmu_entry_pfn(block));
	if (block & MY_MMU_INDEXED)
		__unlink_block(dev, t);
	WRITE_ONCE(t->block, 0);
	__give_slots(t, slots);
	for (i = 0; i < MY_MMU_TABLE_SLOTS; i++) {
		WRITE_ONCE(t->entry[i], block + ((u64)i << PAGE_SHIFT));
		if (block & MY_MMU_INDEXED)
			__link(shard, t, i);
	}
	if (block & MY_MMU_INDEXED)
		__my_mmu_shard_filled(dev, shard, MY_MMU_TABLE_SLOTS);
}

/* Of a block that is not held, only the first page has been named. */
static void name_each_page(struct my_mmu_batch *batch)
{
	unsigned int i;

	for (i = 1; i < MY_MMU_TABLE_SLOTS; i++)
		batch->pages[i] = batch->pages[0] + i;
	batch->block = false;
}

/**
 * __my_mmu_enter_block() - enter pages where a block is, or is to be
 * @dev: external MMU
 * @t: leaf table
 * @slot: of the first page that has not been entered
 * @batch: what was looked up, and is known not to have changed since
 * @from: the first page of it that has not been entered
 * @write: the device may write
 *
 * One of four things happens. The pages become a block, or the block gets the
 * permission. Or it allows already what is asked, and the pages count as
 * entered. Or @t has slots now, and the caller enters the pages run by run. Or
 * it has none and the batch brings none: the populate starts again.
 *
 * Context: any; the locks that protect @t's entries and the shard of that page
 * are held.
 * Return: how many have been entered.
 */
long __my_mmu_enter_block(struct my_mmu_dev *dev, struct my_mmu_table *t,
			  unsigned int slot, struct my_mmu_batch *batch,
			  long from, bool write)
{
	u64 flags = MY_MMU_PRESENT | (write ? MY_MMU_WRITE_OK : 0);
	struct page *page = batch->pages[from];
	long n = batch->npages - from;

	if (batch->block && (t->block || !t->used)) {
		__set_block(dev, t, page, flags, &batch->spare);
	} else if (t->block && !(flags & ~t->block)) {
		__my_mmu_mark_folio(page, page_folio(page), flags);
		WARN_ON_ONCE(my_mmu_entry_pfn(__my_mmu_entry(t, slot)) !=
			     page_to_pfn(page));
	} else {
		if (!my_mmu_has_slots(t) && !batch->spare.entry)
			return 0;
		if (batch->block)
			name_each_page(batch);
		if (t->block)
			__split_block(dev, t, &batch->spare);
		else if (!my_mmu_has_slots(t))
			__give_slots(t, &batch->spare);
		return 0;
	}
	if (trace_my_mmu_insert_enabled())
		__my_mmu_trace_entered(dev, t, slot, n);
	return n;
}
EXPORT_SYMBOL_GPL(__my_mmu_enter_block);

static void __trace_zapped(struct my_mmu_dev *dev, struct my_mmu_table *t)
{
	unsigned int slot;

	for (slot = 0; slot < MY_MMU_TABLE_SLOTS; slot++)
		trace_my_mmu_zap_page(dev, my_mmu_slot_address(t, slot),
				      __my_mmu_entry(t, slot));
}

/**
 * __my_mmu_zap_block() - remove a block
 * @dev: external MMU
 * @t: leaf table; it has a block
 *
 * Context: any; the locks that protect @t's entries and the block's shard are
 * held.
 * Return: how many pages are not mapped any more.
 */
unsigned long __my_mmu_zap_block(struct my_mmu_dev *dev, struct my_mmu_table *t)
{
	if (trace_my_mmu_zap_page_enabled())
		__trace_zapped(dev, t);
	if (t->block & MY_MMU_INDEXED)
		__unlink_block(dev, t);
	WRITE_ONCE(t->block, 0);
	t->zaps += MY_MMU_TABLE_SLOTS;
	t->used = 0;
	return MY_MMU_TABLE_SLOTS;
}
EXPORT_SYMBOL_GPL(__my_mmu_zap_block);
