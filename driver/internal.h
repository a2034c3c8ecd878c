/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MY_MMU_INTERNAL_H
#define MY_MMU_INTERNAL_H

#include <linux/atomic.h>
#include <linux/types.h>

#include "my_mmu.h"

/* What exists now, over all external MMUs. */
extern atomic_long_t my_mmu_nr_mmus;
extern atomic_long_t my_mmu_nr_tables;

void my_mmu_tables_exit(void);

int my_mmu_slots_alloc(struct my_mmu_slots *slots);
void __my_mmu_take_slots(struct my_mmu_table *t, struct my_mmu_slots *slots);

void my_mmu_index_init(struct my_mmu_dev *dev);
void my_mmu_index_destroy(struct my_mmu_dev *dev);
void my_mmu_index_expect(struct my_mmu_dev *dev, long npages);

/**
 * my_mmu_index_fit() - give the shards that misfit the buckets that they want
 * @dev: external MMU
 *
 * Context: may sleep; no locks.
 */
static inline void my_mmu_index_fit(struct my_mmu_dev *dev)
{
	if (READ_ONCE(dev->misfits))
		dev->variant->fit_index(dev);
}

long my_mmu_get_pages(unsigned long address, unsigned int npages, u32 flags,
		      struct page **pages);
long my_mmu_lookup_only(unsigned long address, unsigned int npages, u32 flags,
			struct page **pages);

/*
 * engine.c. @dev is attached to current->mm; the caller holds off detach.
 */
long my_mmu_engine_populate(struct my_mmu_dev *dev,
			    struct my_mmu_populate *arg);
long my_mmu_engine_floor(struct my_mmu_populate *arg);
long my_mmu_engine_access(struct my_mmu_dev *dev, struct my_mmu_access *arg,
			  bool write);
u64 my_mmu_engine_query(struct my_mmu_dev *dev, unsigned long address);
long my_mmu_engine_verify(struct my_mmu_dev *dev, struct my_mmu_verify *arg);
long my_mmu_engine_evict(struct my_mmu_evict *arg);
void my_mmu_engine_stats(struct my_mmu_stats *stats);

#endif /* MY_MMU_INTERNAL_H */
