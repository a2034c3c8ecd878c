// SPDX-License-Identifier: GPL-2.0
/*
 * Lab 1 hands these out in place of the solution's: a populate that enters
 * nothing, so that nothing need be zapped.
 */

/*
 * Part A: enter the pages of a batch into leaf table @t, from address @start.
 *
 * The reverse index is divided into shards. my_mmu_page_shard() says which one
 * a page belongs to, and __my_mmu_enter() enters pages of the batch, from the
 * given one on, for as long as they are of this shard. It returns how many.
 *
 * Returns how many pages were entered: it may be fewer than there are, if
 * __my_mmu_enter() can enter none; -EAGAIN if that is so from the first on.
 */
static long my_mmu_insert_pages(struct my_mmu *m, struct my_mmu_table *t,
				unsigned long start, struct my_mmu_batch *batch,
				bool write)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
	return batch->npages;
}

/*
 * Part B: zap what leaf table @t maps of [start, end), which may begin before
 * the table and end behind it.
 *
 * __my_mmu_zap_run() zaps a run of entries from @slot on, which is present,
 * moves @slot behind it, and never reaches @limit. Its shard is that of the
 * page, __my_mmu_slot_shard(): it must be asked while the entry is still there.
 *
 * Returns how many pages were zapped, and counts them: zapped_pages.
 */
static unsigned long my_mmu_zap_table(struct my_mmu *m, struct my_mmu_table *t,
				      unsigned long start, unsigned long end)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
	return 0;
}

/*
 * Part C: zap [start, end) in all tables that there are.
 *
 * The kernel frees its page tables when memory is unmapped, not when it is
 * merely emptied; so does this one (@free). A table with pins has a populate
 * that is about to enter pages. Between two tables others may have the lock
 * (cond_resched_lock()), unless the caller may not sleep (!@blockable).
 */
static unsigned long my_mmu_zap_range(struct my_mmu *m, unsigned long start,
				      unsigned long end, bool free,
				      bool blockable)
{
	unsigned long zapped = 0;

	my_mmu_spin_lock(&m->lock);
	zapped += my_mmu_zap_table(m, NULL, start, end);
	spin_unlock(&m->lock);
	trace_my_mmu_zap_range(&m->dev, start, end, zapped);
	return zapped;
}
