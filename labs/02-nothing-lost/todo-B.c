// SPDX-License-Identifier: GPL-2.0
/*
 * Lab 2, TODO=B: these have part A solved, and neither B nor C.
 */

/*
 * Part C: an invalidation of [start, end) begins. It is counted (A).
 *
 * Let the hull, [m->hull_start, m->hull_end), cover all invalidations that are
 * running; so far it is the range of the latest.
 */
static void __my_mmu_record(struct my_mmu *m, unsigned long start,
			    unsigned long end)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
	m->invalidates++;
	m->hull_start = start;
	m->hull_end = end;
}

/*
 * Part B: an invalidation ends. It is no longer counted (A).
 *
 * Whoever took m->invalidate_seq before must be able to see that one has ended.
 */
static void __my_mmu_unrecord(struct my_mmu *m)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
	WARN_ON_ONCE(!m->invalidates);
	m->invalidates--;
}

/*
 * Part B: populate, before the lookup: wait until no invalidation covers the
 * batch (A), and pin its leaf table.
 *
 * @seq goes to my_mmu_populate_end(): which sequence is it to compare with?
 */
static struct my_mmu_table *my_mmu_pin_table(struct my_mmu *m,
					     unsigned long start,
					     unsigned long end,
					     unsigned long *seq)
{
	struct my_mmu_table *t = ERR_PTR(-EAGAIN);

	my_mmu_spin_lock(&m->lock);
	*seq = 0;
	if (m->dev.dead) {
		t = ERR_PTR(-ESRCH);
	} else if (!__my_mmu_is_invalidating(m, start, end)) {
		t = my_mmu_table_find(&m->dev, start) ?: ERR_PTR(-EAGAIN);
		if (!IS_ERR(t))
			t->pins++;
	}
	spin_unlock(&m->lock);
	return t;
}

/*
 * Part B: after the lookup, enter the pages, unless an invalidation is running
 * (A).
 *
 * Nor are they entered if one has ended since @seq was taken: then the answer
 * is -EAGAIN, too.
 */
static long my_mmu_populate_end(struct my_mmu *m, struct my_mmu_table *t,
				unsigned long seq, unsigned long start,
				struct my_mmu_batch *batch, bool write)
{
	unsigned long end = start + (max(batch->npages, 1L) << PAGE_SHIFT);
	long ret = batch->npages;
	unsigned int used;

	my_mmu_spin_lock(&m->lock);
	used = t->used;
	if (m->dev.dead)
		ret = -ESRCH;
	else if (__my_mmu_is_invalidating(m, start, end))
		ret = ret > 0 ? -EAGAIN : ret;
	if (ret > 0)
		ret = my_mmu_insert_pages(m, t, start, batch, write);
	my_mmu_count_n(populated_pages, t->used - used);
	if (!--t->pins && !t->used)
		__my_mmu_table_remove(&m->dev, t);
	spin_unlock(&m->lock);
	return ret;
}
