// SPDX-License-Identifier: GPL-2.0
/*
 * Device page table
 *
 * Leaf tables, each with the 512 entries of 2 MiB (or with one for all of
 * them: block.c), under directories of 512 pointers. Lookups in the
 * directories go under RCU, and dev->tables_lock orders those who insert and
 * remove tables. Entries are the variant's to lock.
 */

/* region: dirty */
/*
 * A page that is entered with write permission is marked dirty at once: the
 * device sets no dirty bit that could be collected later. This loses no write.
 * The VM cleans a page only after it has told the range notifier, or the rmap
 * chain, that zaps the entry, and the device's next write marks the page dirty
 * again.
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
 * A page left to the rmap chain is not being truncated; the VM holds the
 * folio's lock there, and looks for dirt after the chain has zapped the entry.
 *
 * Source: drivers/infiniband/core/umem_odp.c relies on its umem_mutex in the
 * same way.
 */
/* endregion: dirty */
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include "internal.h"
#include "mmu_rmap.h"
#include "my_mmu.h"
#include "my_mmu_testpoint.h"
#include "my_mmu_trace.h"

#define DIR_BYTES	(sizeof(struct my_mmu_dir) + PAGE_SIZE)

/* Numbers of tables, of all external MMUs; an array of them is never freed. */
struct my_mmu_table **my_mmu_numbered[MY_MMU_NUMBERED];
EXPORT_SYMBOL_GPL(my_mmu_numbered);
static DEFINE_IDA(numbers);

static struct my_mmu_table **array_of(u32 number)
{
	struct my_mmu_table ***place, **array, **other;

	place = &my_mmu_numbered[number >> MY_MMU_NUMBERED_BITS];
	array = READ_ONCE(*place);
	if (array)
		return array;
	array = kvcalloc(BIT(MY_MMU_NUMBERED_BITS), sizeof(*array), GFP_KERNEL);
	other = array ? cmpxchg(place, NULL, array) : NULL;
	if (!other)
		return array;
	kvfree(array);
	return other;
}

/* By its number, whoever holds a link of it finds the table. */
static int take_number(struct my_mmu_table *t)
{
	int number = ida_alloc_range(&numbers, 1, BIT(MY_MMU_NUMBER_BITS) - 1,
				     GFP_KERNEL);
	struct my_mmu_table **array;

	if (number < 0)
		return -ENOMEM;
	array = array_of(number);
	if (!array) {
		ida_free(&numbers, number);
		return -ENOMEM;
	}
	t->number = number;
	array[number & (BIT(MY_MMU_NUMBERED_BITS) - 1)] = t;
	return 0;
}

/* No two tables have ever counted the same, for VERIFY's sake. */
#define TABLE_ZAPS	BIT(40)
static atomic_long_t zaps_start = ATOMIC_LONG_INIT(0);

static void my_mmu_table_free(struct my_mmu_table *t)
{
	struct my_mmu_slots slots = {};

	if (t->number)
		ida_free(&numbers, t->number);
	__my_mmu_take_slots(t, &slots);
	my_mmu_slots_free(&slots);
	kfree(t);
	atomic_long_dec(&my_mmu_nr_tables);
	atomic_long_sub(sizeof(*t), &my_mmu_nr_bytes);
}

static struct my_mmu_table *my_mmu_table_alloc(unsigned long address)
{
	struct my_mmu_table *t = kzalloc(sizeof(*t), GFP_KERNEL_ACCOUNT);

	if (!t)
		return NULL;
	atomic_long_inc(&my_mmu_nr_tables);
	atomic_long_add(sizeof(*t), &my_mmu_nr_bytes);
	t->base = round_down(address, MY_MMU_TABLE_SIZE);
	t->zaps = atomic_long_add_return(TABLE_ZAPS, &zaps_start);
	spin_lock_init(&t->lock);
	t->entry = &t->block;
	t->link = &t->block_link;
	if (take_number(t)) {
		my_mmu_table_free(t);
		return NULL;
	}
	return t;
}

static void my_mmu_table_free_rcu(struct rcu_head *rcu)
{
	my_mmu_table_free(container_of(rcu, struct my_mmu_table, rcu));
}

/**
 * my_mmu_table_next() - the first leaf table of a range
 * @dev: external MMU
 * @address: where the range begins; out: an address in the table
 * @end: where it ends
 *
 * Context: under RCU.
 * Return: it, or NULL.
 */
struct my_mmu_table *my_mmu_table_next(struct my_mmu_dev *dev,
				       unsigned long *address,
				       unsigned long end)
{
	unsigned int shift = dev->root_shift;
	struct my_mmu_dir *dir = &dev->root;
	void *p;

	end = min(end, BIT(shift + MY_MMU_DIR_BITS));
	while (*address < end) {
		p = my_mmu_dir_at(dir, *address, shift);
		if (p && shift == MY_MMU_TABLE_SHIFT)
			return p;
		if (p) {
			dir = p;
			shift -= MY_MMU_DIR_BITS;
			continue;
		}
		*address = (*address | (BIT(shift) - 1)) + 1;
		if (!my_mmu_dir_index(*address, shift)) {
			dir = &dev->root;	/* behind the last slot */
			shift = dev->root_shift;
		}
	}
	return NULL;
}
EXPORT_SYMBOL_GPL(my_mmu_table_next);

static struct my_mmu_dir *dir_alloc(void)
{
	struct my_mmu_dir *dir = kzalloc(sizeof(*dir), GFP_KERNEL_ACCOUNT);

	if (!dir)
		return NULL;
	dir->slot = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!dir->slot) {
		kfree(dir);
		return NULL;
	}
	atomic_long_add(DIR_BYTES, &my_mmu_nr_bytes);
	return dir;
}

static void dir_free(struct my_mmu_dir *dir)
{
	free_page((unsigned long)dir->slot);
	kfree(dir);
	atomic_long_sub(DIR_BYTES, &my_mmu_nr_bytes);
}

static void dir_free_rcu(struct rcu_head *rcu)
{
	dir_free(container_of(rcu, struct my_mmu_dir, rcu));
}

static void __set_slot(struct my_mmu_dir *dir, unsigned long address,
		       unsigned int shift, void *p)
{
	dir->used += p ? 1 : -1;
	rcu_assign_pointer(dir->slot[my_mmu_dir_index(address, shift)], p);
}

static unsigned int __missing_dirs(struct my_mmu_dev *dev,
				   unsigned long address)
{
	unsigned int shift = dev->root_shift;
	struct my_mmu_dir *dir = &dev->root;

	while (dir && shift > MY_MMU_TABLE_SHIFT) {
		dir = my_mmu_dir_at(dir, address, shift);
		shift -= MY_MMU_DIR_BITS;
	}
	return dir ? 0 : (shift - MY_MMU_TABLE_SHIFT) / MY_MMU_DIR_BITS + 1;
}

/* The directories that are missing are there, in @spare. */
static int __insert(struct my_mmu_dev *dev, struct my_mmu_table *t,
		    struct my_mmu_dir **spare, unsigned int *spares)
{
	unsigned int shift = dev->root_shift;
	struct my_mmu_dir *dir = &dev->root;
	void *p;

	lockdep_assert_held(&dev->tables_lock);
	for (; shift > MY_MMU_TABLE_SHIFT; shift -= MY_MMU_DIR_BITS) {
		p = my_mmu_dir_at(dir, t->base, shift);
		if (!p) {
			p = spare[--*spares];
			__set_slot(dir, t->base, shift, p);
		}
		dir = p;
	}
	if (my_mmu_dir_at(dir, t->base, shift))
		return -EBUSY;
	__set_slot(dir, t->base, shift, t);
	return 0;
}

#define SPARES_MAX	((MY_MMU_ROOT_SHIFT_MAX - MY_MMU_TABLE_SHIFT) /	\
			 MY_MMU_DIR_BITS)

/*
 * Directories are allocated without the lock. How many are missing is counted
 * with it, again each time.
 */
static int insert(struct my_mmu_dev *dev, struct my_mmu_table *t)
{
	struct my_mmu_dir *spare[SPARES_MAX];
	unsigned int spares = 0;
	int err = 0;

	spin_lock(&dev->tables_lock);
	while (spares < __missing_dirs(dev, t->base) && !err) {
		spin_unlock(&dev->tables_lock);
		spare[spares] = dir_alloc();
		if (spare[spares])
			spares++;
		else
			err = -ENOMEM;
		my_mmu_test_point(table_insert, dev->mm, true);
		spin_lock(&dev->tables_lock);
	}
	if (!err)
		err = __insert(dev, t, spare, &spares);
	spin_unlock(&dev->tables_lock);
	while (spares)
		dir_free(spare[--spares]);
	return err;
}

/* The directories that become empty go, too. */
static void __remove(struct my_mmu_dev *dev, unsigned long address)
{
	struct my_mmu_dir *path[SPARES_MAX + 1] = { &dev->root };
	unsigned int shift = dev->root_shift, depth = 0;

	lockdep_assert_held(&dev->tables_lock);
	for (; shift > MY_MMU_TABLE_SHIFT; shift -= MY_MMU_DIR_BITS, depth++)
		path[depth + 1] = my_mmu_dir_at(path[depth], address, shift);
	__set_slot(path[depth], address, shift, NULL);
	while (depth && !path[depth]->used) {
		shift += MY_MMU_DIR_BITS;
		__set_slot(path[depth - 1], address, shift, NULL);
		call_rcu(&path[depth--]->rcu, dir_free_rcu);
	}
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

	rcu_read_lock();
	t = my_mmu_table_find(dev, address);
	rcu_read_unlock();
	if (t)
		return 0;
	t = my_mmu_test_point(table_create, dev->mm, true) ? NULL :
	    my_mmu_table_alloc(address);
	if (!t)
		return -ENOMEM;
	err = insert(dev, t);
	if (err)
		my_mmu_table_free(t);
	return err == -EBUSY ? 0 : err;
}
EXPORT_SYMBOL_GPL(my_mmu_table_create);

/**
 * __my_mmu_table_unlink() - take an empty leaf table out of the tree
 * @dev: external MMU
 * @t: its table; no entries, no pins
 *
 * Context: any; the lock that protects @t is held. @t stays allocated until
 * the caller gives it to my_mmu_table_release().
 */
void __my_mmu_table_unlink(struct my_mmu_dev *dev, struct my_mmu_table *t)
{
	WRITE_ONCE(t->dead, true);
	spin_lock(&dev->tables_lock);
	__remove(dev, t->base);
	spin_unlock(&dev->tables_lock);
}
EXPORT_SYMBOL_GPL(__my_mmu_table_unlink);

/**
 * my_mmu_table_release() - free a leaf table that has left the tree
 * @t: its table; a task that still finds it is under RCU already
 *
 * Context: any. @t stays allocated until an RCU grace period after this.
 */
void my_mmu_table_release(struct my_mmu_table *t)
{
	call_rcu(&t->rcu, my_mmu_table_free_rcu);
}
EXPORT_SYMBOL_GPL(my_mmu_table_release);

/**
 * __my_mmu_table_remove() - take an empty leaf table out of the tree, for good
 * @dev: external MMU
 * @t: its table; no entries, no pins
 *
 * Context: any; the lock that protects @t is held. @t stays allocated until
 * an RCU grace period after this.
 */
void __my_mmu_table_remove(struct my_mmu_dev *dev, struct my_mmu_table *t)
{
	__my_mmu_table_unlink(dev, t);
	my_mmu_table_release(t);
}
EXPORT_SYMBOL_GPL(__my_mmu_table_remove);

/**
 * __my_mmu_trace_entered() - tell the tracepoint of each page
 * @dev: external MMU
 * @t: leaf table
 * @slot: first entry
 * @npages: how many
 *
 * Out of line, and only called while the event is traced.
 *
 * Context: any; the lock that protects @t's entries is held.
 */
void __my_mmu_trace_entered(struct my_mmu_dev *dev, struct my_mmu_table *t,
			    unsigned int slot, long npages)
{
	for (; npages--; slot++)
		trace_my_mmu_insert(dev, my_mmu_slot_address(t, slot),
				    __my_mmu_entry(t, slot));
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
		if (__my_mmu_entry(t, slot) & MY_MMU_PRESENT)
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
	u64 *at = __my_mmu_entry_at(t, slot), entry = *at;

	if (!(entry & MY_MMU_ACCESSED))
		return 0;
	if (!clear)
		return 1;
	my_mmu_test_point(age_entry, NULL, false);
	WRITE_ONCE(*at, entry & ~MY_MMU_ACCESSED);
	*(int *)clear = 1;
	return 0;
}
EXPORT_SYMBOL_GPL(my_mmu_age_entry);

/**
 * my_mmu_tables_exit() - after the last external MMU
 *
 * Context: may sleep; waits for tables and directories on their way out.
 */
void my_mmu_tables_exit(void)
{
	unsigned int i;

	rcu_barrier();
	for (i = 0; i < MY_MMU_NUMBERED; i++)
		kvfree(my_mmu_numbered[i]);
	ida_destroy(&numbers);
}

/* In turn, so that as many as can be have a tag of their own. */
static unsigned int next_tag(void)
{
	static atomic_t last = ATOMIC_INIT(0);

	return (unsigned int)atomic_inc_return(&last) % MMU_RMAP_TAGS;
}

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
	dev->tag = next_tag();
	spin_lock_init(&dev->unanswered_lock);
	INIT_LIST_HEAD(&dev->unanswered);
	spin_lock_init(&dev->tables_lock);
	dev->root.slot = dev->root_slot;
	dev->root_shift = (TASK_SIZE_MAX - 1) >> MY_MMU_ROOT_SHIFT_MAX ?
			  MY_MMU_ROOT_SHIFT_MAX : MY_MMU_ROOT_SHIFT_MIN;
	my_mmu_index_init(dev);
	atomic_long_inc(&my_mmu_nr_mmus);
	atomic_long_inc(&variant->mmus);
}
EXPORT_SYMBOL_GPL(my_mmu_dev_init);

/**
 * my_mmu_dev_destroy() - free what an external MMU still holds
 * @dev: no entries left, and no task can reach it any more
 *
 * Context: any.
 */
void my_mmu_dev_destroy(struct my_mmu_dev *dev)
{
	struct my_mmu_table *t;
	unsigned long address;

	rcu_read_lock();
	my_mmu_for_each_table(dev, t, address, 0, ULONG_MAX) {
		WARN_ON_ONCE(t->used);
		__my_mmu_table_remove(dev, t);
	}
	rcu_read_unlock();
	my_mmu_index_destroy(dev);
	atomic_long_dec(&my_mmu_nr_mmus);
	atomic_long_dec(&dev->variant->mmus);
}
EXPORT_SYMBOL_GPL(my_mmu_dev_destroy);
