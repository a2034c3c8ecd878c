// SPDX-License-Identifier: GPL-2.0
/*
 * Which pages does the CPU page table name?
 *
 * Of two ways to ask, get_user_pages_fast() knows all there is to know. It
 * faults in missing pages and takes a reference on each page, which the
 * populate drops again a moment later. The other is hmm_range_fault(). Told to
 * fault nothing in, it reads what is there and takes no references: half the
 * work, if all is there.
 */

/* region: no-reference */
/*
 * Why no reference is needed. A page that a mapping names is not freed while
 * the mapping is there, and a task that takes the mapping away tells the
 * notifier first. A populate looks at nothing but the number of the page until
 * it has the lock that every zap needs, and knows that none has run since:
 *
 *	populate			munmap, reclaim, migration
 *
 *	pin the table, take the sequence
 *	read the ptes: page P
 *	lock of the entries
 *	no invalidation has run or is running
 *					start: waits for the lock, to zap
 *	struct page of P: dirty, mapping
 *	entry, index, export
 *	unlock
 *					start: zaps the entry
 *					clears the pte; frees P
 *
 * If the start comes first, the populate finds it on record, or the sequence
 * moved when it has ended, and never looks at P. An invalidation that is left
 * to the rmap chain (RMAP_ONLY) is on record from start to end as well, and
 * reclaim keeps the page locked and referenced until the chain has run.
 *
 * Some pages must not be touched at all. Their mapping keeps them out, not a
 * look at them: see may_snapshot().
 */
/* endregion: no-reference */
#include <linux/fs.h>
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/shmem_fs.h>

#include "compat.h"
#include "internal.h"
#include "my_mmu.h"

enum { LOOKUP_AUTO, LOOKUP_GUP, LOOKUP_SNAPSHOT };

static const char *const modes[] = {
	[LOOKUP_AUTO] = "auto",
	[LOOKUP_GUP] = "gup",
	[LOOKUP_SNAPSHOT] = "snapshot",
};

/* Fewer pages do not pay for the way to them. */
#define SNAPSHOT_MIN	16

static const unsigned int least_pages[] = {
	[LOOKUP_AUTO] = SNAPSHOT_MIN,
	[LOOKUP_GUP] = UINT_MAX,
	[LOOKUP_SNAPSHOT] = 1,
};

static int mode = LOOKUP_AUTO;
static unsigned int snapshot_min = SNAPSHOT_MIN;	/* of that mode */

static int set_mode(const char *value, const struct kernel_param *kp)
{
	int i = sysfs_match_string(modes, value);

	if (i < 0)
		return i;
	WRITE_ONCE(mode, i);
	WRITE_ONCE(snapshot_min, least_pages[i]);
	return 0;
}

static int get_mode(char *buffer, const struct kernel_param *kp)
{
	return sysfs_emit(buffer, "%s\n", modes[READ_ONCE(mode)]);
}

static const struct kernel_param_ops mode_ops = {
	.set = set_mode,
	.get = get_mode,
};

module_param_cb(lookup, &mode_ops, NULL, 0644);
MODULE_PARM_DESC(lookup,
		 "how a populate asks the VM: auto (default), gup, snapshot");

/**
 * my_mmu_get_pages() - look pages of the caller up, and hold them
 * @address: of the first one
 * @npages: how many
 * @flags: MY_MMU_POPULATE_*
 * @pages: room for as many pointers
 *
 * As if the CPU went there: a hint of NUMA balancing on the way is taken, or
 * the page would never come nearer.
 *
 * With %MY_MMU_POPULATE_NOFAULT this reads the page tables and does nothing
 * else. FOLL_NOFAULT would not do: until 6.6, the lookup in hugetlb memory
 * does not know it, and it takes the mmap_lock, for which the process would
 * wait.
 *
 * Context: may sleep, except with %MY_MMU_POPULATE_NOFAULT.
 * Return: how many were found, up to the first one that was not; or -errno.
 */
long my_mmu_get_pages(unsigned long address, unsigned int npages, u32 flags,
		      struct page **pages)
{
	unsigned int foll = flags & MY_MMU_POPULATE_WRITE ? FOLL_WRITE : 0;

	if (flags & MY_MMU_POPULATE_NOFAULT)
		return get_user_pages_fast_only(address, npages, foll, pages);
	return get_user_pages_fast(address, npages, foll | MY_MMU_FOLL_NUMA,
				   pages);
}

/**
 * my_mmu_put_pages() - drop the references that a page lookup took
 * @pages: pages
 * @npages: how many; nothing happens if not positive
 *
 * Context: any.
 */
void my_mmu_put_pages(struct page **pages, long npages)
{
	while (npages-- > 0)
		put_page(*pages++);
}
EXPORT_SYMBOL_GPL(my_mmu_put_pages);

/*
 * Nothing but anonymous memory and the page cache. The kernel itself must not
 * touch what a driver has mapped, nor secretmem, which has no place in the
 * kernel's own map; get_user_pages_fast() knows these. It also looks up files
 * that cannot be written back (some of them are devices), but for shared
 * memory. DAX goes there as well, where the page is the disk, and hugetlbfs,
 * whose ptes are read under a lock that can be waited for. Memory under a
 * protection key is looked up with the thread's keys.
 */
static bool may_snapshot(struct vm_area_struct *vma)
{
	struct address_space *mapping;

	if (vma->vm_flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP |
			     MY_MMU_VM_PKEY))
		return false;
	if (vma_is_anonymous(vma))
		return true;
	if (!vma->vm_file || vma_is_dax(vma))
		return false;
	mapping = vma->vm_file->f_mapping;
	return !mapping_unevictable(mapping) &&
	       (shmem_mapping(mapping) || mapping->a_ops->writepages);
}

static int read_ptes(unsigned long start, unsigned long end,
		     unsigned long *pfns)
{
	struct mm_struct *mm = current->mm;
	/* hmm asks it for the mm, and whether it has been invalidated: never */
	struct mmu_interval_notifier never = { .mm = mm };
	struct hmm_range range = {
		.notifier = &never,
		.start = start,
		.end = end,
		.hmm_pfns = pfns,
	};
	struct vm_area_struct *vma;
	int err = -EAGAIN;

	if (!mmap_read_trylock(mm))
		return err;
	vma = vma_lookup(mm, start);
	if (vma && end <= vma->vm_end && may_snapshot(vma))
		err = hmm_range_fault(&range);
	mmap_read_unlock(mm);
	return err;
}

/* What hmm must say of a page that the populate may have. */
static unsigned long needed(u32 flags)
{
	return HMM_PFN_VALID |
	       (flags & MY_MMU_POPULATE_WRITE ? HMM_PFN_WRITE : 0);
}

/*
 * Asks for one page. If a huge mapping maps it, returns its first page: the
 * answer holds for all 512. Otherwise NULL.
 */
static struct page *first_of_huge(unsigned long address, u32 flags)
{
	unsigned long pfn = 0;

	if (read_ptes(address, address + PAGE_SIZE, &pfn) ||
	    (pfn & needed(flags)) != needed(flags) ||
	    hmm_pfn_to_map_order(pfn) < MY_MMU_BLOCK_ORDER)
		return NULL;
	return hmm_pfn_to_page(pfn);
}

/* All pages, or none. @pages has the pfns first, and then the pages. */
static bool each_of_small(unsigned long address, unsigned int npages, u32 flags,
			  struct page **pages)
{
	unsigned long end = address + ((unsigned long)npages << PAGE_SHIFT);
	unsigned long need = needed(flags), *pfns = (unsigned long *)pages;
	unsigned int i;

	if (read_ptes(address, end, pfns))
		return false;
	for (i = 0; i < npages; i++) {
		if ((pfns[i] & need) != need)
			return false;
		pages[i] = hmm_pfn_to_page(pfns[i]);
	}
	return true;
}

/* Out of line, so that one page alone does not pay for its registers. */
static noinline bool snapshot(unsigned long address, unsigned int npages,
			      u32 flags, struct my_mmu_batch *batch)
{
	struct page *first = NULL;

	batch->npages = npages;
	if (npages == MY_MMU_TABLE_SLOTS)
		first = first_of_huge(address, flags);
	batch->block = first;
	if (first)
		batch->pages[0] = first;
	return first || each_of_small(address, npages, flags, batch->pages);
}

static bool try_snapshot(unsigned int npages, u32 flags)
{
	return IS_ENABLED(CONFIG_HMM_MIRROR) &&
	       npages >= READ_ONCE(snapshot_min) &&
	       !(flags & MY_MMU_POPULATE_NOFAULT);
}

/*
 * Are pages that get_user_pages_fast() found mapped as one? It may have brought
 * them in just now. Memory of hugetlbfs is never mapped otherwise.
 */
static noinline bool mapped_huge(unsigned long address, u32 flags,
				 struct page *first)
{
	struct folio *folio = page_folio(first);

	if (folio_test_hugetlb(folio))
		return folio_order(folio) >= MY_MMU_BLOCK_ORDER;
	return try_snapshot(MY_MMU_TABLE_SLOTS, flags) &&
	       folio_order(folio) >= MY_MMU_BLOCK_ORDER &&
	       first_of_huge(address, flags) == first;
}

/* A block needs none, nor do pages to which a block already allows as much. */
static bool wants_slots(struct my_mmu_table *t, struct my_mmu_batch *batch,
			u32 flags)
{
	u64 block = READ_ONCE(t->block);

	if (batch->block)
		return false;
	return !block || (flags & MY_MMU_POPULATE_WRITE &&
			  !(block & MY_MMU_WRITE_OK));
}

/* Slots for the batch. Without memory for them, it has no pages either. */
static noinline void allocate_slots(struct my_mmu_batch *batch)
{
	if (!my_mmu_slots_alloc(&batch->spare))
		return;
	my_mmu_batch_done(batch);
	batch->held = false;
	batch->npages = -ENOMEM;
}

static __always_inline void look_up(unsigned long address, unsigned int npages,
				    u32 flags, struct my_mmu_batch *batch)
{
	if (try_snapshot(npages, flags) &&
	    snapshot(address, npages, flags, batch))
		return;
	batch->npages = my_mmu_get_pages(address, npages, flags, batch->pages);
	batch->held = true;
	if (batch->npages == MY_MMU_TABLE_SLOTS)
		batch->block = mapped_huge(address, flags, batch->pages[0]);
}

/**
 * my_mmu_lookup_only() - look up as a populate does, and forget it
 * @address: of the first one
 * @npages: how many; all in one leaf table
 * @flags: MY_MMU_POPULATE_*
 * @pages: room for as many pointers
 *
 * Context: may sleep.
 * Return: how many were found, up to the first one that was not; or -errno.
 */
long my_mmu_lookup_only(unsigned long address, unsigned int npages, u32 flags,
			struct page **pages)
{
	struct my_mmu_batch batch = { .pages = pages };

	look_up(address, npages, flags, &batch);
	my_mmu_batch_done(&batch);
	return batch.npages;
}

/**
 * my_mmu_lookup() - which pages does the caller's page table name?
 * @t: leaf table that they are for; pinned
 * @address: of the first one
 * @npages: how many; all in @t
 * @flags: MY_MMU_POPULATE_*
 * @batch: in: room for pointers, the rest 0; out: the pages, and slots if @t
 *	will need some
 *
 * Context: may sleep.
 */
void my_mmu_lookup(struct my_mmu_table *t, unsigned long address,
		   unsigned int npages, u32 flags, struct my_mmu_batch *batch)
{
	look_up(address, npages, flags, batch);
	if (!my_mmu_has_slots(t) && batch->npages > 0 &&
	    wants_slots(t, batch, flags))
		allocate_slots(batch);
}
EXPORT_SYMBOL_GPL(my_mmu_lookup);
