/* SPDX-License-Identifier: GPL-2.0 */
/*
 * my_mmu.h - what the driver and the locking variants share
 *
 * The driver has everything that does not depend on locking: the device page
 * table, the reverse index, the device engine, the character device. It never
 * takes a lock on a table or an index. A variant (struct my_mmu_variant) has
 * all that does, and calls down into the driver with its locks held.
 *
 * Names in this project:
 *
 *	@m	struct my_mmu, one external MMU as a variant sees it
 *	@dev	struct my_mmu_dev, its part that the driver sees
 *	@t	struct my_mmu_table, one leaf table: 2 MiB of addresses
 *	@entry	one translation: pfn and flag bits
 *	@slot	index of an entry in its leaf table, 0..511
 *
 * A function whose name starts with two underscores must be called with the
 * lock that protects what it touches; which lock that is differs between the
 * variants, and stands at the call.
 */
#ifndef MY_MMU_H
#define MY_MMU_H

#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/hash.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>

#include "my_mmu_uapi.h"

struct module;
struct my_mmu_batch;
struct my_mmu_dev;

/*
 * Entries
 */
#define MY_MMU_PRESENT	BIT_ULL(0)
#define MY_MMU_WRITE_OK	BIT_ULL(1)
#define MY_MMU_ACCESSED	BIT_ULL(2)
#define MY_MMU_INDEXED	BIT_ULL(3)	/* linked in the reverse index */

static inline unsigned long my_mmu_entry_pfn(u64 entry)
{
	return entry >> PAGE_SHIFT;
}

/*
 * Leaf tables
 */
#define MY_MMU_TABLE_SHIFT	21
#define MY_MMU_TABLE_SIZE	BIT(MY_MMU_TABLE_SHIFT)
#define MY_MMU_TABLE_SLOTS	(MY_MMU_TABLE_SIZE >> PAGE_SHIFT)

/**
 * struct my_mmu_table - leaf table: the entries of 2 MiB of addresses
 * @base: address of slot 0; constant
 * @entry: the entries, one page of them, as the hardware would see it; of a
 *	table without slots, @block
 * @link: per entry, the next one in its bucket of the reverse index; of a table
 *	without slots, @block_link
 * @block: all 512 pages in one entry, that of the first: a huge page; or 0
 * @block_link: behind @block in its bucket of the reverse index
 * @number: by which links name the table; constant, and not 0
 * @lock: for variants that lock each table; the others leave it alone
 * @used: number of pages that are mapped
 * @pins: populates that hold the table across their page lookup
 * @seq: invalidations of this table that have ended; for split locks
 * @zaps: grows with each entry removed, and no two tables ever have the same:
 *	tells a reused entry from an old one
 * @dead: taken out of the tree; look it up again. (Read without the lock where
 *	it does not matter whether that is just happening.)
 * @private: the variant's own, or NULL
 * @rcu: frees the table when no task can be about to lock it
 *
 * Which lock protects the fields from @entry on is the variant's choice. A
 * table begins without slots and gets them when pages come one by one.
 */
struct my_mmu_table {
	unsigned long		base;
	u64			*entry;
	u32			*link;
	u64			block;
	u32			block_link;
	u32			number;
	spinlock_t		lock;	/* for variants with split locks */
	unsigned int		used;
	unsigned int		pins;
	unsigned long		seq;
	unsigned long		zaps;
	bool			dead;
	void			*private;
	struct rcu_head		rcu;
};

/**
 * struct my_mmu_slots - what a table needs for pages of their own
 * @entry: a page of entries
 * @link: a link for each
 */
struct my_mmu_slots {
	u64			*entry;
	u32			*link;
};

/*
 * Directories: the levels above the leaf tables, like those of the CPU. One of
 * the lowest has pointers to leaf tables, one above that to directories. Two
 * levels below the root cover 48 bits of addresses, a third what a process may
 * have beyond where the CPU has five.
 */
#define MY_MMU_DIR_BITS		9
#define MY_MMU_DIR_SLOTS	512	/* 2 to the power of the above */
#define MY_MMU_ROOT_SHIFT_MIN	(MY_MMU_TABLE_SHIFT + 2 * MY_MMU_DIR_BITS)
#define MY_MMU_ROOT_SHIFT_MAX	(MY_MMU_TABLE_SHIFT + 3 * MY_MMU_DIR_BITS)

/**
 * struct my_mmu_dir - a directory of the device page table
 * @slot: a page of them: a table or a directory, or NULL; read under RCU,
 *	written under dev->tables_lock
 * @used: slots that are not NULL; dev->tables_lock
 * @rcu: frees it when no task can be looking into it
 */
struct my_mmu_dir {
	void __rcu		**slot;
	unsigned int		used;
	struct rcu_head		rcu;
};

/*
 * Reverse index: pfn -> addresses. A hash table in shards, so that a variant
 * can lock one shard at a time and each can grow by itself. Runs of 64 pfns
 * share neighbouring buckets: pages that were allocated together are looked for
 * together. Where in the shard a run lies is hashed, too: one page of each huge
 * page, say, has the same low bits. All pages of a block share a shard, so that
 * one lock is enough to find the block by any of them, and to split it.
 */
#define MY_MMU_RUN_SHIFT	6
#define MY_MMU_BLOCK_ORDER	(MY_MMU_TABLE_SHIFT - PAGE_SHIFT)
static_assert(MY_MMU_RUN_SHIFT <= MY_MMU_BLOCK_ORDER,
	      "a run lies in one shard: pages of 4 or 16 KiB");
#define MY_MMU_SHARD_BITS	4
#define MY_MMU_SHARDS		16	/* 2 to the power of the above */
#define MY_MMU_BUCKETS_MIN	32U	/* per shard, in struct my_mmu_dev */
#define MY_MMU_EXPECT_MIN	512	/* pages; less: as they come */
#define MY_MMU_EXPECT_MAX	BIT(20)	/* likewise what is beyond */
#define MY_MMU_BUCKETS_MAX	65536U	/* 256 KiB of them */
#define MY_MMU_BUCKETS_KEEP	1024U	/* an empty shard keeps so many */
#define MY_MMU_PER_BUCKET	5U	/* entries; more: it wants to grow */

/*
 * A link is 32 bits: the number of a table, and a slot of it; of a block, its
 * first one. 0 ends a chain.
 */
#define MY_MMU_SLOT_BITS	9
#define MY_MMU_NUMBER_BITS	(32 - MY_MMU_SLOT_BITS)

struct my_mmu_shard {
	spinlock_t		lock;	/* for variants with split locks */
	unsigned int		evicting;	/* hold off new entries */
	unsigned int		count;	/* entries, a block being one */
	unsigned int		blocks;	/* those of them that are blocks */
	unsigned int		crowded_at;	/* entries; more: grow */
	unsigned int		buckets;	/* a power of two */
	u32			*bucket;	/* the first link of each */
};

/**
 * struct my_mmu_dev - an external MMU, as far as locking does not matter
 * @variant: whose it is; constant
 * @mm: address space that it mirrors; constant, and the notifier keeps the
 *	structure (not the memory) alive
 * @tag: with which it exports pages; constant, and other external MMUs may have
 *	the same
 * @flags: MY_MMU_ATTACH_*; written by the first user's attach, under the
 *	variant's lock, read without it (READ_ONCE)
 * @shootdown_us: microseconds that the device takes to answer
 * @unanswered_lock: protects @unanswered; innermost
 * @unanswered: struct my_mmu_shootdown that the device has not answered
 * @dead: set once by the variant's release: nothing may be entered any more
 * @had_block: set once: a table has held a block
 * @tables_lock: protects the directories against each other's writers;
 *	innermost
 * @root_shift: an address shifted by so much is an index of @root; constant
 * @root: uppermost directory
 * @root_slot: its slots
 * @shard: the reverse index
 * @misfits: bit per shard that wants more buckets, or less
 * @expected: pages that the populates that are running may enter
 * @first_buckets: what each shard begins with
 */
struct my_mmu_dev {
	struct my_mmu_variant		*variant;
	struct mm_struct		*mm;
	unsigned int			tag;
	u32				flags;
	u32				shootdown_us;
	spinlock_t			unanswered_lock;	/* innermost */
	struct list_head		unanswered;
	bool				dead;
	bool				had_block;
	spinlock_t			tables_lock;		/* innermost */
	unsigned int			root_shift;
	struct my_mmu_dir		root;
	void __rcu			*root_slot[MY_MMU_DIR_SLOTS];
	struct my_mmu_shard		shard[MY_MMU_SHARDS];
	unsigned long			misfits;
	atomic_long_t			expected;
	u32				first_buckets[MY_MMU_SHARDS *
						      MY_MMU_BUCKETS_MIN];
};

/* Called for a present entry with its lock held; non-zero ends the walk. */
typedef int (*my_mmu_walk_fn)(struct my_mmu_table *t, unsigned int slot,
			      void *arg);

/**
 * struct my_mmu_variant - one locking strategy
 * @name: as user space names it
 * @owner: module that cannot go while a process is attached
 * @attach: Make (or share) the external MMU of @mm, which is current->mm.
 *	Context: may sleep. Return: it, or ERR_PTR(-ENOMEM or -EINTR).
 * @detach: Give it back. When the last user has, nothing is mapped any more
 *	and nothing can be. Context: may sleep.
 * @populate: Look up and enter @npages pages from @address on, all in one
 *	leaf table; @flags are MY_MMU_POPULATE_*, and @pages is room for
 *	pointers. Context: may sleep; current->mm is the mirrored one. Return:
 *	number of pages entered (0 only with MY_MMU_POPULATE_NOFAULT: the first
 *	page is not there), or -EAGAIN when an invalidation came in
 *	between, -ESRCH after release, -EINTR, -ENOMEM, or what
 *	my_mmu_lookup() returns.
 * @fit_index: Give the shards in @dev->misfits the buckets that they want. It
 *	may sleep.
 * @walk: Call @fn on each present entry of [start, end) under the lock that
 *	protects it. Context: may sleep between tables. Return: what @fn
 *	returned last, or 0.
 * @mmus: private to the driver: external MMUs that are not freed yet
 * @node: private to the driver
 */
struct my_mmu_variant {
	const char		*name;
	struct module		*owner;
	struct my_mmu_dev *	(*attach)(struct mm_struct *mm, u32 flags);
	void			(*detach)(struct my_mmu_dev *dev);
	long			(*populate)(struct my_mmu_dev *dev,
					    unsigned long address,
					    unsigned int npages, u32 flags,
					    struct page **pages);
	void			(*fit_index)(struct my_mmu_dev *dev);
	int			(*walk)(struct my_mmu_dev *dev,
					unsigned long start, unsigned long end,
					my_mmu_walk_fn fn, void *arg);
	atomic_long_t		mmus;
	struct list_head	node;
};

int my_mmu_register_variant(struct my_mmu_variant *variant);
void my_mmu_unregister_variant(struct my_mmu_variant *variant);

void my_mmu_dev_init(struct my_mmu_dev *dev,
		     struct my_mmu_variant *variant, struct mm_struct *mm);
void my_mmu_dev_destroy(struct my_mmu_dev *dev);

/*
 * Device page table
 */
struct my_mmu_table *my_mmu_table_next(struct my_mmu_dev *dev,
				       unsigned long *address,
				       unsigned long end);
int my_mmu_table_create(struct my_mmu_dev *dev, unsigned long address);
void __my_mmu_table_unlink(struct my_mmu_dev *dev, struct my_mmu_table *t);
void my_mmu_table_release(struct my_mmu_table *t);
void __my_mmu_table_remove(struct my_mmu_dev *dev, struct my_mmu_table *t);

static inline unsigned int my_mmu_dir_index(unsigned long address,
					    unsigned int shift)
{
	return (address >> shift) & (MY_MMU_DIR_SLOTS - 1);
}

/* What @dir has for @address. Under RCU; a spinlock is as good. */
static inline void *my_mmu_dir_at(struct my_mmu_dir *dir, unsigned long address,
				  unsigned int shift)
{
	unsigned int i = my_mmu_dir_index(address, shift);

	return rcu_dereference_check(dir->slot[i], rcu_read_lock_sched_held());
}

/* Finds the leaf table of a user address, or NULL. Context: under RCU. */
static inline struct my_mmu_table *my_mmu_table_find(struct my_mmu_dev *dev,
						     unsigned long address)
{
	unsigned int shift = dev->root_shift;
	void *p = my_mmu_dir_at(&dev->root, address, shift);

	while (p && shift > MY_MMU_TABLE_SHIFT) {
		shift -= MY_MMU_DIR_BITS;
		p = my_mmu_dir_at(p, address, shift);
	}
	return p;
}

/* Does a range that ends at @end go beyond the leaf table of @address? */
static inline bool my_mmu_goes_on(unsigned long address, unsigned long end)
{
	return (address | (MY_MMU_TABLE_SIZE - 1)) < end - 1;
}

/* The first leaf table of a range; out: an address in it. Under RCU. */
static inline struct my_mmu_table *my_mmu_table_from(struct my_mmu_dev *dev,
						     unsigned long *address,
						     unsigned long end)
{
	struct my_mmu_table *t;

	if (*address >= end)
		return NULL;
	t = my_mmu_table_find(dev, *address);
	if (t || !my_mmu_goes_on(*address, end))
		return t;
	return my_mmu_table_next(dev, address, end);
}

/*
 * Visits the leaf tables that overlap [start, end), lowest first. Work on one
 * may let others come and go.
 */
#define my_mmu_for_each_table(dev, t, address, start, end)		\
	for (address = (start);						\
	     (t = my_mmu_table_from(dev, &(address), end));		\
	     address = (address | (MY_MMU_TABLE_SIZE - 1)) + 1)

/* May change until the lock is held that protects @t. */
static inline bool my_mmu_has_slots(struct my_mmu_table *t)
{
	return READ_ONCE(t->entry) != &t->block;
}

/* The entry that maps @slot: its own or the block's. */
static inline u64 *__my_mmu_entry_at(struct my_mmu_table *t, unsigned int slot)
{
	return my_mmu_has_slots(t) ? &t->entry[slot] : &t->block;
}

/* 0 if nothing is mapped there. */
static inline u64 __my_mmu_entry(struct my_mmu_table *t, unsigned int slot)
{
	if (my_mmu_has_slots(t))
		return t->entry[slot];
	return t->block ? t->block + ((u64)slot << PAGE_SHIFT) : 0;
}

static inline unsigned int my_mmu_slot(struct my_mmu_table *t,
				       unsigned long address)
{
	return (address - t->base) >> PAGE_SHIFT;
}

/* First slot of @t in [start, ...). */
static inline unsigned int my_mmu_first_slot(struct my_mmu_table *t,
					     unsigned long start)
{
	return start <= t->base ? 0 : my_mmu_slot(t, start);
}

/* Slot after the last one of @t in [..., end), which overlaps @t. */
static inline unsigned int my_mmu_end_slot(struct my_mmu_table *t,
					   unsigned long end)
{
	unsigned long last = (end - 1 - t->base) >> PAGE_SHIFT;

	return min(last, MY_MMU_TABLE_SLOTS - 1) + 1;
}

static inline unsigned long my_mmu_slot_address(struct my_mmu_table *t,
						unsigned int slot)
{
	return t->base + ((unsigned long)slot << PAGE_SHIFT);
}

long __my_mmu_enter_block(struct my_mmu_dev *dev, struct my_mmu_table *t,
			  unsigned int slot, struct my_mmu_batch *batch,
			  long from, bool write);
unsigned long __my_mmu_zap_block(struct my_mmu_dev *dev,
				 struct my_mmu_table *t);
void __my_mmu_trace_entered(struct my_mmu_dev *dev, struct my_mmu_table *t,
			    unsigned int slot, long npages);
int __my_mmu_walk_table(struct my_mmu_table *t, unsigned long start,
			unsigned long end, my_mmu_walk_fn fn, void *arg);
int my_mmu_age_entry(struct my_mmu_table *t, unsigned int slot, void *clear);

/*
 * Reverse index
 */
static inline struct my_mmu_shard *my_mmu_shard(struct my_mmu_dev *dev,
						unsigned long pfn)
{
	return &dev->shard[hash_64(pfn >> MY_MMU_BLOCK_ORDER,
				   MY_MMU_SHARD_BITS)];
}

void __my_mmu_shard_emptied(struct my_mmu_dev *dev, struct my_mmu_shard *shard);
unsigned long __my_mmu_index_find(struct my_mmu_dev *dev, unsigned long pfn);

/*
 * Which table has a number: an array of two levels. Neither moves when numbers
 * are added, so that a link leads to its table without a lock.
 */
#define MY_MMU_NUMBERED_BITS	12
#define MY_MMU_NUMBERED		BIT(MY_MMU_NUMBER_BITS - MY_MMU_NUMBERED_BITS)

extern struct my_mmu_table **my_mmu_numbered[MY_MMU_NUMBERED];

static inline u32 my_mmu_link(struct my_mmu_table *t, unsigned int slot)
{
	return t->number << MY_MMU_SLOT_BITS | slot;
}

static inline struct my_mmu_table *my_mmu_link_table(u32 link)
{
	u32 number = link >> MY_MMU_SLOT_BITS;

	return my_mmu_numbered[number >> MY_MMU_NUMBERED_BITS]
			      [number & (BIT(MY_MMU_NUMBERED_BITS) - 1)];
}

static inline unsigned int my_mmu_link_slot(u32 link)
{
	return link & (MY_MMU_TABLE_SLOTS - 1);
}

/* The link behind a link. */
static inline u32 *my_mmu_link_next(u32 link)
{
	return &my_mmu_link_table(link)->link[my_mmu_link_slot(link)];
}

struct my_mmu_buckets {
	unsigned int		buckets;
	u32			*bucket;
};

void my_mmu_buckets_alloc(struct my_mmu_dev *dev, struct my_mmu_shard *shard,
			  struct my_mmu_buckets *b);
void __my_mmu_buckets_swap(struct my_mmu_dev *dev, struct my_mmu_shard *shard,
			   struct my_mmu_buckets *b);
void my_mmu_buckets_free(struct my_mmu_dev *dev, struct my_mmu_buckets *b);

/*
 * Device
 */
/**
 * struct my_mmu_batch - what a populate has looked up
 * @pages: room for as many pointers as are looked up; of a block that is not
 *	held, only the first is there
 * @npages: how many were found, up to the first one that was not; or -errno
 * @held: a reference was taken on each; otherwise only the number of a page may
 *	be looked at until the caller knows, under the lock that its zaps take,
 *	that nothing has been invalidated since
 * @block: these are the 512 pages of a huge mapping
 * @spare: slots that the table may need, or that it needs no more
 */
struct my_mmu_batch {
	struct page		**pages;
	long			npages;
	bool			held;
	bool			block;
	struct my_mmu_slots	spare;
};

void my_mmu_lookup(struct my_mmu_table *t, unsigned long address,
		   unsigned int npages, u32 flags, struct my_mmu_batch *batch);
void my_mmu_put_pages(struct page **pages, long npages);
void my_mmu_slots_free(struct my_mmu_slots *slots);

/* Lets go of what a lookup has taken. Context: any. */
static inline void my_mmu_batch_done(struct my_mmu_batch *batch)
{
	if (batch->held)
		my_mmu_put_pages(batch->pages, batch->npages);
	if (batch->spare.entry)
		my_mmu_slots_free(&batch->spare);
}

/**
 * struct my_mmu_shootdown - a zap, until the device has answered
 * @us: microseconds that the device takes; 0: not on the list
 * @by_page: of a page, wherever it is mapped
 * @start: first address that may have been zapped: of a block all goes with any
 *	part, so it is that of a table where there has been one
 * @last: last address, likewise
 * @list: in my_mmu_dev.unanswered
 */
struct my_mmu_shootdown {
	unsigned int		us;
	bool			by_page;
	unsigned long		start;
	unsigned long		last;
	struct list_head	list;
};

void my_mmu_shootdown_begin(struct my_mmu_dev *dev, struct my_mmu_shootdown *s,
			    unsigned long start, unsigned long end);
void my_mmu_shootdown_begin_page(struct my_mmu_dev *dev,
				 struct my_mmu_shootdown *s);
void my_mmu_shootdown(struct my_mmu_dev *dev, struct my_mmu_shootdown *s,
		      unsigned long zapped, bool blockable);

/*
 * Statistics, per CPU. The names are those of struct my_mmu_stats.
 */
struct my_mmu_counters {
	u64	attaches;
	u64	populated_pages;
	u64	populate_batches;
	u64	retries;
	u64	waits;
	u64	invalidations;
	u64	nonblockable;
	u64	zapped_pages;
	u64	rmap_callbacks;
	u64	rmap_zaps;
	u64	aging;
	u64	device_reads;
	u64	device_writes;
	u64	device_faults;
	u64	contended;
};

DECLARE_PER_CPU(struct my_mmu_counters, my_mmu_counters);

/* What is in use now; for a variant that allocates more for each table. */
extern atomic_long_t my_mmu_nr_bytes;

#define my_mmu_count(name)	  this_cpu_inc(my_mmu_counters.name)
#define my_mmu_count_n(name, n)	  this_cpu_add(my_mmu_counters.name, n)

void my_mmu_spin_lock_wait(spinlock_t *lock, const char *name)
	__acquires(lock);

/* region: spin-lock */
static inline void __my_mmu_spin_lock(spinlock_t *lock, const char *name)
	__acquires(lock)
{
	might_lock(lock);
	if (!spin_trylock(lock))
		my_mmu_spin_lock_wait(lock, name);
}

/*
 * spin_lock() that counts the acquisitions that had to wait, and traces them
 * under the lock's name as it stands in the code. From a trylock lockdep learns
 * no order, since that cannot deadlock: might_lock() tells it.
 */
#define my_mmu_spin_lock(lock)	__my_mmu_spin_lock(lock, #lock)
/* endregion: spin-lock */

#endif /* MY_MMU_H */
