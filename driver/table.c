// SPDX-License-Identifier: GPL-2.0
/*
 * Device page table
 *
 * An xarray of leaf tables, each with the 512 entries of 2 MiB. The xarray is
 * the upper levels of the radix: its own lock orders insertion and removal of
 * tables, and look-ups go under RCU. What a table holds is the variant's to
 * lock.
 */

/* region: dirty */
/*
 * A page that is entered with write permission is marked dirty at once: the
 * device sets no dirty bit that anybody would collect later. This loses no
 * write. The VM cleans a page only after it has told the range notifier, or
 * the rmap chain, that zaps the entry, and the device's next write marks the
 * page dirty again.
 *
 * set_page_dirty() wants truncation kept away: a page that has left its file
 * must not become dirty. Its callers hold the folio's lock, or a pte lock with
 * the page mapped. A populate holds the lock of the entries instead, and the
 * lookup is known to be valid under it:
 *
 *	populate			truncation
 *
 *	lock of the entries
 *	no invalidation has run
 *	or is running
 *					start: waits for the lock, to zap
 *	set_page_dirty(), entry
 *	unlock
 *					start: zaps
 *					clears the pte; then takes the page
 *					out of the file
 *
 * If the start comes first, the populate sees it and does not enter the page.
 * What is left to the rmap chain is no truncation; there the folio's lock is
 * held, and the VM looks for dirt after the chain has zapped the entry.
 *
 * Source: drivers/infiniband/core/umem_odp.c relies on its umem_mutex in the
 * same way.
 */
/* endregion: dirty */
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "internal.h"
#include "my_mmu.h"
#include "my_mmu_testpoint.h"
#include "my_mmu_trace.h"

#define LINK_ORDER	get_order(MY_MMU_TABLE_SLOTS * \
				  sizeof(struct hlist_node))
#define TABLE_BYTES	(sizeof(struct my_mmu_table) + PAGE_SIZE + \
			 (PAGE_SIZE << LINK_ORDER))

/* No two tables have ever counted the same, for VERIFY's sake. */
#define TABLE_ZAPS	BIT(40)
static atomic_long_t zaps_start = ATOMIC_LONG_INIT(0);

static void my_mmu_table_free(struct my_mmu_table *t)
{
	free_page((unsigned long)t->entry);
	free_pages((unsigned long)t->link, LINK_ORDER);
	kfree(t);
	atomic_long_dec(&my_mmu_nr_tables);
	atomic_long_sub(TABLE_BYTES, &my_mmu_nr_bytes);
}

static struct my_mmu_table *my_mmu_table_alloc(unsigned long address)
{
	struct my_mmu_table *t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);

	if (!t)
		return NULL;
	atomic_long_inc(&my_mmu_nr_tables);
	atomic_long_add(TABLE_BYTES, &my_mmu_nr_bytes);
	t->base = round_down(address, MY_MMU_TABLE_SIZE);
	t->zaps = atomic_long_add_return(TABLE_ZAPS, &zaps_start);
	spin_lock_init(&t->lock);
	t->entry = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	t->link = (void *)__get_free_pages(GFP_KERNEL_ACCOUNT, LINK_ORDER);
	if (!t->entry || !t->link) {
		my_mmu_table_free(t);
		return NULL;
	}
	set_page_private(virt_to_page(t->link), (unsigned long)t);
	return t;
}

static void my_mmu_table_free_rcu(struct rcu_head *rcu)
{
	struct my_mmu_table *t = container_of(rcu, struct my_mmu_table, rcu);

	set_page_private(virt_to_page(t->link), 0);
	my_mmu_table_free(t);
}

/**
 * my_mmu_table_create() - make sure that there is a leaf table for an address
 * @dev: external MMU
 * @address: any address in it
 *
 * The table may be gone again by the time this returns.
 *
 * Context: may sleep; no locks.
 * Return: 0 or -ENOMEM. Memory is charged to the caller's memory cgroup.
 */
int my_mmu_table_create(struct my_mmu_dev *dev, unsigned long address)
{
	struct my_mmu_table *t;
	int err;

	if (my_mmu_table_find(dev, address))
		return 0;
	t = my_mmu_test_point(table_create, dev->mm, true) ? NULL :
	    my_mmu_table_alloc(address);
	if (!t)
		return -ENOMEM;
	err = xa_insert(&dev->tables, address >> MY_MMU_TABLE_SHIFT, t,
			GFP_KERNEL);
	if (err) {
		my_mmu_table_free(t);
		return err == -EBUSY ? 0 : err;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(my_mmu_table_create);

/**
 * __my_mmu_table_remove() - take an empty leaf table out of the tree
 * @dev: external MMU
 * @t: its table; no entries, no pins
 *
 * Context: any; the lock that protects @t is held. @t stays allocated until
 * an RCU grace period after this.
 */
void __my_mmu_table_remove(struct my_mmu_dev *dev, struct my_mmu_table *t)
{
	t->dead = true;
	xa_erase(&dev->tables, t->base >> MY_MMU_TABLE_SHIFT);
	call_rcu(&t->rcu, my_mmu_table_free_rcu);
}
EXPORT_SYMBOL_GPL(__my_mmu_table_remove);

/**
 * __my_mmu_trace_entered() - tell the tracepoint of each page
 * @dev: external MMU
 * @t: leaf table
 * @slot: first entry
 * @npages: how many
 *
 * Out of line, and only called when somebody listens.
 *
 * Context: any; the lock that protects @t's entries is held.
 */
void __my_mmu_trace_entered(struct my_mmu_dev *dev, struct my_mmu_table *t,
			    unsigned int slot, long npages)
{
	for (; npages--; slot++)
		trace_my_mmu_insert(dev, my_mmu_slot_address(t, slot),
				    t->entry[slot]);
}
EXPORT_SYMBOL_GPL(__my_mmu_trace_entered);

/**
 * __my_mmu_walk_table() - visit the present entries of a range in one table
 * @t: leaf table
 * @start: first address
 * @end: address after the last; the range overlaps the table
 * @fn: called for each present entry; non-zero ends the walk
 * @arg: for @fn
 *
 * Context: any; the lock that protects @t's entries is held.
 * Return: what @fn returned last, or 0.
 */
int __my_mmu_walk_table(struct my_mmu_table *t, unsigned long start,
			unsigned long end, my_mmu_walk_fn fn, void *arg)
{
	unsigned int slot = my_mmu_first_slot(t, start);
	unsigned int limit = my_mmu_end_slot(t, end);
	int ret = 0;

	if (!t->used)
		return 0;
	for (; slot < limit && !ret; slot++)
		if (t->entry[slot] & MY_MMU_PRESENT)
			ret = fn(t, slot, arg);
	return ret;
}
EXPORT_SYMBOL_GPL(__my_mmu_walk_table);

/**
 * my_mmu_age_entry() - walk function: has the device used this page?
 * @t: leaf table
 * @slot: a present entry of it
 * @clear: not NULL: forget it, too
 *
 * Context: any; the lock that protects @t's entries is held.
 * Return: 1 if the entry was accessed and nothing is cleared, which ends the
 * walk of a caller that only asks; else 0. A caller that clears learns from
 * *@clear (an int) whether any entry was accessed.
 */
int my_mmu_age_entry(struct my_mmu_table *t, unsigned int slot, void *clear)
{
	u64 entry = t->entry[slot];

	if (!(entry & MY_MMU_ACCESSED))
		return 0;
	if (!clear)
		return 1;
	my_mmu_test_point(age_entry, NULL, false);
	WRITE_ONCE(t->entry[slot], entry & ~MY_MMU_ACCESSED);
	*(int *)clear = 1;
	return 0;
}
EXPORT_SYMBOL_GPL(my_mmu_age_entry);

/**
 * my_mmu_dev_init() - make the driver's part of an external MMU
 * @dev: zeroed
 * @variant: whose it is
 * @mm: address space that it mirrors
 *
 * Context: any.
 */
void my_mmu_dev_init(struct my_mmu_dev *dev,
		     struct my_mmu_variant *variant, struct mm_struct *mm)
{
	dev->variant = variant;
	dev->mm = mm;
	spin_lock_init(&dev->unanswered_lock);
	INIT_LIST_HEAD(&dev->unanswered);
	xa_init_flags(&dev->tables, XA_FLAGS_ACCOUNT);
	my_mmu_index_init(dev);
	atomic_long_inc(&my_mmu_nr_mmus);
	atomic_long_inc(&variant->mmus);
}
EXPORT_SYMBOL_GPL(my_mmu_dev_init);

/**
 * my_mmu_dev_destroy() - free what an external MMU still holds
 * @dev: no entries left, and nobody can reach it any more
 *
 * Context: any.
 */
void my_mmu_dev_destroy(struct my_mmu_dev *dev)
{
	struct my_mmu_table *t;
	unsigned long index;

	xa_for_each(&dev->tables, index, t) {
		WARN_ON_ONCE(t->used);
		__my_mmu_table_remove(dev, t);
	}
	xa_destroy(&dev->tables);
	my_mmu_index_destroy(dev);
	atomic_long_dec(&my_mmu_nr_mmus);
	atomic_long_dec(&dev->variant->mmus);
}
EXPORT_SYMBOL_GPL(my_mmu_dev_destroy);
