// SPDX-License-Identifier: GPL-2.0
/*
 * Reverse index: from a page to the addresses that map it
 *
 * A hash table over pfns. Its links lie in the leaf tables, one beside each
 * entry, so that an entry enters and leaves the index without allocation.
 * Aliases (a file page mapped twice, a merged page) are simply several entries
 * with one pfn. A block is found under its first page. A link says which entry
 * comes next, by the number of its table and the slot: half the size of a
 * pointer, and the way back to the table.
 *
 * A shard that grows gets four times the buckets, so that it has 1.25 to 5
 * entries for each: 4 bytes of link and 0.8 to 3.2 of bucket per page, beside
 * the entry's 8. Pages of the same 2 MiB are in one shard, so that few pages
 * fill the shards unequally: the expected pages are spread evenly, and a shard
 * that gets more grows once more.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "internal.h"
#include "my_mmu.h"
#include "my_mmu_table.h"
#include "my_mmu_testpoint.h"

static unsigned long link_address(u32 link)
{
	return my_mmu_slot_address(my_mmu_link_table(link),
				   my_mmu_link_slot(link));
}

/* Constant while @link is in the index, whoever holds the table's lock. */
static unsigned long link_pfn(u32 link)
{
	struct my_mmu_table *t = my_mmu_link_table(link);

	return my_mmu_entry_pfn(READ_ONCE(t->entry[my_mmu_link_slot(link)]));
}

static u32 *first_buckets(struct my_mmu_dev *dev, struct my_mmu_shard *shard)
{
	return &dev->first_buckets[(shard - dev->shard) * MY_MMU_BUCKETS_MIN];
}

static void set_buckets(struct my_mmu_shard *shard, u32 *bucket,
			unsigned int buckets)
{
	shard->bucket = bucket;
	WRITE_ONCE(shard->buckets, buckets);
	WRITE_ONCE(shard->crowded_at, MY_MMU_PER_BUCKET * buckets);
}

static void account_buckets(long n)
{
	atomic_long_add(n * (long)sizeof(u32), &my_mmu_nr_bytes);
}

/**
 * my_mmu_index_init() - make an empty reverse index
 * @dev: zeroed external MMU
 *
 * Context: any.
 */
void my_mmu_index_init(struct my_mmu_dev *dev)
{
	struct my_mmu_shard *shard;

	for (shard = dev->shard; shard < dev->shard + MY_MMU_SHARDS; shard++) {
		spin_lock_init(&shard->lock);
		set_buckets(shard, first_buckets(dev, shard),
			    MY_MMU_BUCKETS_MIN);
	}
	account_buckets(ARRAY_SIZE(dev->first_buckets));
}

/**
 * my_mmu_index_destroy() - free what a reverse index still holds
 * @dev: external MMU without entries, which no task can reach any more
 *
 * Context: any.
 */
void my_mmu_index_destroy(struct my_mmu_dev *dev)
{
	struct my_mmu_shard *shard;

	for (shard = dev->shard; shard < dev->shard + MY_MMU_SHARDS; shard++) {
		struct my_mmu_buckets b = { shard->buckets, shard->bucket };

		WARN_ON_ONCE(shard->count || shard->blocks);
		my_mmu_buckets_free(dev, &b);
	}
	account_buckets(-(long)ARRAY_SIZE(dev->first_buckets));
}

/**
 * __my_mmu_shard_emptied() - give back the buckets of an empty shard
 * @dev: external MMU
 * @shard: a shard of it without entries; it keeps a few buckets
 *
 * Context: any; the lock that protects @shard is held.
 */
void __my_mmu_shard_emptied(struct my_mmu_dev *dev, struct my_mmu_shard *shard)
{
	struct my_mmu_buckets b = { shard->buckets, shard->bucket };

	if (b.buckets <= MY_MMU_BUCKETS_KEEP) {
		set_buckets(shard, b.bucket, b.buckets);
		return;
	}
	set_buckets(shard, first_buckets(dev, shard), MY_MMU_BUCKETS_MIN);
	my_mmu_buckets_free(dev, &b);
}
EXPORT_SYMBOL_GPL(__my_mmu_shard_emptied);

/* An entry of the page with number @pfn; of a block, of its first one. */
static bool is_entry_of(u32 link, unsigned long pfn, bool block)
{
	return link_pfn(link) == pfn &&
	       (!block || !my_mmu_has_slots(my_mmu_link_table(link)));
}

/*
 * A zap of a page's aliases asks for one after the other, and would pass by
 * those of another page each time.
 */
static void bring_to_front(u32 *bucket, unsigned long pfn, bool block)
{
	u32 *p = bucket, link, *next;

	while ((link = *p)) {
		next = my_mmu_link_next(link);
		if (is_entry_of(link, pfn, block) && p != bucket) {
			*p = *next;
			*next = *bucket;
			*bucket = link;
		} else {
			p = next;
		}
	}
}

/* A link of an entry that begins with this page, or 0. */
static u32 find_link(struct my_mmu_shard *shard, unsigned long pfn, bool block)
{
	u32 *bucket = my_mmu_bucket(shard, pfn);

	if (*bucket && !is_entry_of(*bucket, pfn, block))
		bring_to_front(bucket, pfn, block);
	return *bucket && is_entry_of(*bucket, pfn, block) ? *bucket : 0;
}

/**
 * __my_mmu_index_find() - find an address that maps a page
 * @dev: external MMU
 * @pfn: the page
 *
 * Context: any; the lock that protects the page's shard is held.
 * Return: one of possibly several addresses, or -EFAULT if there is none.
 */
unsigned long __my_mmu_index_find(struct my_mmu_dev *dev, unsigned long pfn)
{
	unsigned long first = round_down(pfn, MY_MMU_TABLE_SLOTS);
	struct my_mmu_shard *shard = my_mmu_shard(dev, pfn);
	u32 link;

	link = find_link(shard, pfn, false);
	if (link)
		return link_address(link);
	link = shard->blocks ? find_link(shard, first, true) : 0;
	if (link)
		return link_address(link) + ((pfn - first) << PAGE_SHIFT);
	return -EFAULT;
}
EXPORT_SYMBOL_GPL(__my_mmu_index_find);

static u32 *buckets_alloc(struct my_mmu_dev *dev, unsigned int buckets)
{
	if (my_mmu_test_point(index_grow, dev->mm, true))
		return NULL;
	return kcalloc(buckets, sizeof(u32),
		       GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_NORETRY);
}

/* Now, and when all that is expected has come. Read without the lock. */
static unsigned long entries_expected(struct my_mmu_dev *dev,
				      struct my_mmu_shard *shard)
{
	return READ_ONCE(shard->count) +
	       atomic_long_read(&dev->expected) / MY_MMU_SHARDS;
}

static unsigned int buckets_wanted(unsigned long entries)
{
	unsigned long buckets = 4 * entries / MY_MMU_PER_BUCKET;

	return rounddown_pow_of_two(clamp(buckets, MY_MMU_BUCKETS_MIN,
					  MY_MMU_BUCKETS_MAX));
}

static bool crowded(struct my_mmu_shard *shard, unsigned long entries)
{
	return entries > READ_ONCE(shard->crowded_at);
}

/*
 * This shard may keep as many as an empty one keeps; but not those that were
 * for pages that came as blocks.
 */
static bool roomy(struct my_mmu_shard *shard, unsigned long entries)
{
	unsigned int keep = READ_ONCE(shard->blocks) ? 0 : MY_MMU_BUCKETS_KEEP;

	return READ_ONCE(shard->buckets) >
	       max(4 * buckets_wanted(entries), keep);
}

/**
 * my_mmu_index_expect() - size the index for pages that are about to come
 * @dev: external MMU
 * @npages: how many; negative: so many are not expected any more
 *
 * A shard that grows with what comes is rehashed again and again, under its
 * lock. Where less came than was expected, buckets are given back.
 *
 * Context: may sleep; no locks.
 */
void my_mmu_index_expect(struct my_mmu_dev *dev, long npages)
{
	struct my_mmu_shard *shard = dev->shard;
	unsigned long entries;
	unsigned int i;

	atomic_long_add(npages, &dev->expected);
	for (i = 0; i < MY_MMU_SHARDS; i++, shard++) {
		entries = entries_expected(dev, shard);
		if (crowded(shard, entries) || roomy(shard, entries))
			set_bit(i, &dev->misfits);
	}
	my_mmu_index_fit(dev);
}

/**
 * my_mmu_buckets_alloc() - allocate room for a shard that wants another size
 * @dev: external MMU
 * @shard: a shard of it, read without its lock, so only an estimate
 * @b: out: the new, empty buckets; none if there is no memory
 *
 * Context: may sleep; no locks.
 */
void my_mmu_buckets_alloc(struct my_mmu_dev *dev, struct my_mmu_shard *shard,
			  struct my_mmu_buckets *b)
{
	b->buckets = buckets_wanted(entries_expected(dev, shard));
	b->bucket = buckets_alloc(dev, b->buckets);
	if (!b->bucket)
		b->buckets = 0;
	account_buckets(b->buckets);
}
EXPORT_SYMBOL_GPL(my_mmu_buckets_alloc);

/* Still? The shard may have filled or emptied, or have new ones already. */
static bool __wants(struct my_mmu_dev *dev, struct my_mmu_shard *shard,
		    struct my_mmu_buckets *b)
{
	unsigned long entries = entries_expected(dev, shard);

	return b->buckets > shard->buckets ? crowded(shard, entries) :
	       b->buckets < shard->buckets && roomy(shard, entries);
}

/**
 * __my_mmu_buckets_swap() - rehash a shard into new buckets
 * @dev: external MMU
 * @shard: a shard of it
 * @b: in: new buckets, perhaps none; out: what to free
 *
 * Without new buckets the shard has longer chains, and works, and asks again
 * when it has twice the entries. It takes those that it still wants.
 *
 * Context: any; the lock that protects @shard is held.
 */
void __my_mmu_buckets_swap(struct my_mmu_dev *dev, struct my_mmu_shard *shard,
			   struct my_mmu_buckets *b)
{
	struct my_mmu_buckets old = { shard->buckets, shard->bucket };
	u32 link, next, *first;
	unsigned int i;

	if (!b->bucket || !__wants(dev, shard, b)) {
		WRITE_ONCE(shard->crowded_at,
			   max(MY_MMU_PER_BUCKET * old.buckets,
			       2 * shard->count));
		return;
	}
	set_buckets(shard, b->bucket, b->buckets);
	for (i = 0; i < old.buckets; i++) {
		for (link = old.bucket[i]; link; link = next) {
			first = my_mmu_bucket(shard, link_pfn(link));
			next = *my_mmu_link_next(link);
			*my_mmu_link_next(link) = *first;
			*first = link;
		}
		old.bucket[i] = 0;
	}
	*b = old;
}
EXPORT_SYMBOL_GPL(__my_mmu_buckets_swap);

/**
 * my_mmu_buckets_free() - free what __my_mmu_buckets_swap() left
 * @dev: external MMU; the buckets it was born with are part of it
 * @b: buckets that nothing is in
 *
 * Context: any.
 */
void my_mmu_buckets_free(struct my_mmu_dev *dev, struct my_mmu_buckets *b)
{
	if (!b->bucket)
		return;
	if (b->bucket >= dev->first_buckets &&
	    b->bucket < dev->first_buckets + ARRAY_SIZE(dev->first_buckets))
		return;
	account_buckets(-(long)b->buckets);
	kfree(b->bucket);
}
EXPORT_SYMBOL_GPL(my_mmu_buckets_free);
