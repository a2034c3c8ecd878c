// SPDX-License-Identifier: GPL-2.0
/*
 * Which pages does the CPU page table name?
 *
 * Two ways to ask. get_user_pages_fast() knows all there is to know, faults in
 * what is missing and takes a reference on each page, which the populate drops
 * again a moment later. hmm_range_fault(), told to fault nothing in, reads what
 * is there and takes no references: half the work, if all of it is there.
 */

/* region: no-reference */
/*
 * Why no reference is needed. A page that a mapping names is not freed while
 * the mapping is there, and who takes the mapping away tells the notifier
 * first. A populate looks at nothing but the number of the page until it has
 * the lock that every zap needs, and knows that none has run since:
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
 * moved when it has ended, and never looks at P. What is left to the rmap
 * chain (RMAP_ONLY) is on record from start to end as well, and the page is
 * locked, and referenced by whoever reclaims it, until the chain has run.
 *
 * Pages that nobody may touch are kept out by their mapping, not by looking at
 * them: see may_snapshot().
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

static int mode = LOOKUP_AUTO;

static int set_mode(const char *value, const struct kernel_param *kp)
{
	int i = sysfs_match_string(modes, value);

	if (i < 0)
		return i;
	WRITE_ONCE(mode, i);
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

/* Fewer pages do not pay for the way to them. */
#define SNAPSHOT_MIN	16

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
 * With %MY_MMU_POPULATE_NOFAULT the page tables are read and nothing else is
 * done. FOLL_NOFAULT would not do: until 6.6, the lookup in hugetlb memory does
 * not know it, and it takes the mmap_lock, for which the process would wait.
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
 * kernel's own map; get_user_pages_fast() knows these. It is also asked about
 * files that cannot be written back (some of them are devices), but for shared
 * memory; about DAX, where the page is the disk; and about hugetlbfs, whose
 * ptes are read under a lock that can be waited for. What a protection key
 * guards is to be asked with the thread's keys.
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

static int read_ptes(struct mm_struct *mm, unsigned long start,
		     unsigned long end, unsigned long *pfns)
{
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

/* All of them, as they are, or none. The pfns are where the pages will be. */
static bool snapshot(struct mm_struct *mm, unsigned long address,
		     unsigned int npages, u32 flags, struct page **pages)
{
	unsigned long end = address + ((unsigned long)npages << PAGE_SHIFT);
	unsigned long need = HMM_PFN_VALID, *pfns = (unsigned long *)pages;
	unsigned int i;

	if (flags & MY_MMU_POPULATE_WRITE)
		need |= HMM_PFN_WRITE;
	if (read_ptes(mm, address, end, pfns))
		return false;
	for (i = 0; i < npages; i++) {
		if ((pfns[i] & need) != need)
			return false;
		pages[i] = hmm_pfn_to_page(pfns[i]);
	}
	return true;
}

static bool try_snapshot(unsigned int npages, u32 flags)
{
	int how = READ_ONCE(mode);

	if (!IS_ENABLED(CONFIG_HMM_MIRROR) || flags & MY_MMU_POPULATE_NOFAULT)
		return false;
	return how == LOOKUP_SNAPSHOT ||
	       (how == LOOKUP_AUTO && npages >= SNAPSHOT_MIN);
}

/**
 * my_mmu_lookup() - which pages does the CPU page table name?
 * @mm: current->mm
 * @address: of the first one
 * @npages: how many; all in one leaf table
 * @flags: MY_MMU_POPULATE_*
 * @pages: room for as many pointers
 * @held: out: a reference was taken on each; otherwise only the number of a
 *	page may be looked at until the caller knows, under the lock that its
 *	zaps take, that nothing has been invalidated since
 *
 * Context: may sleep, except with %MY_MMU_POPULATE_NOFAULT.
 * Return: how many were found, up to the first one that was not; or -errno.
 */
long my_mmu_lookup(struct mm_struct *mm, unsigned long address,
		   unsigned int npages, u32 flags, struct page **pages,
		   bool *held)
{
	*held = !try_snapshot(npages, flags) ||
		!snapshot(mm, address, npages, flags, pages);
	return *held ? my_mmu_get_pages(address, npages, flags, pages) : npages;
}
EXPORT_SYMBOL_GPL(my_mmu_lookup);
