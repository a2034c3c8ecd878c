// SPDX-License-Identifier: GPL-2.0
/*
 * Lab 2 hands these out in place of the solution's: populates that neither
 * wait for an invalidation nor notice one.
 */

/*
 * Part A and C: an invalidation of [start, end) begins.
 *
 * Count it in m->invalidates (A). Let the hull, [m->hull_start, m->hull_end),
 * cover all invalidations that are running (C).
 */
static void __my_mmu_record(struct my_mmu *m, unsigned long start,
			    unsigned long end)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
}

/*
 * Part A and B: an invalidation ends.
 *
 * It is no longer counted (A), and whoever took m->invalidate_seq before must
 * be able to see that one has ended (B).
 */
static void __my_mmu_unrecord(struct my_mmu *m)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
}

/*
 * Part D: the end of an invalidation, as the VM calls it. Who sleeps in
 * my_mmu_wait_to_populate() is to be woken.
 */
static void dec_active(struct my_mmu *m, const struct mmu_notifier_range *range)
{
	my_mmu_spin_lock(&m->lock);
	__my_mmu_unrecord(m);
	spin_unlock(&m->lock);
}

/*
 * Part A and C: may an invalidation that is running touch [start, end)?
 */
static bool __my_mmu_is_invalidating(struct my_mmu *m, unsigned long start,
				     unsigned long end)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
	return false;
}

/*
 * Part A and B: populate, before the lookup.
 *
 * Pins the leaf table of the batch [start, end), which stays until the pin is
 * dropped. -EAGAIN says that there is no such table yet, or that an
 * invalidation is running (A): the caller then makes one, waits, and comes
 * again. @seq goes to my_mmu_populate_end() (B).
 */
static struct my_mmu_table *my_mmu_pin_table(struct my_mmu *m,
					     unsigned long start,
					     unsigned long end,
					     unsigned long *seq)
{
	struct my_mmu_table *t;

	my_mmu_spin_lock(&m->lock);
	if (m->dev.dead)
		t = ERR_PTR(-ESRCH);
	else
		t = my_mmu_table_find(&m->dev, start) ?: ERR_PTR(-EAGAIN);
	if (!IS_ERR(t))
		t->pins++;
	*seq = 0;
	spin_unlock(&m->lock);
	return t;
}

/*
 * Part D: sleep until my_mmu_may_populate(). A task that is killed meanwhile
 * goes at once. my_mmu_count(waits) counts those that sleep, each once.
 */
static int my_mmu_wait_to_populate(struct my_mmu *m, unsigned long start,
				   unsigned long end)
{
	if (!my_mmu_may_populate(m, start, end))
		cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/*
 * Part A and B: after the lookup, enter the pages.
 *
 * Unless an invalidation came between: then nothing is entered, and the
 * answer is -EAGAIN. A lookup that failed (batch->npages <= 0) keeps its own
 * error. The pin is dropped in any case.
 */
static long my_mmu_populate_end(struct my_mmu *m, struct my_mmu_table *t,
				unsigned long seq, unsigned long start,
				struct my_mmu_batch *batch, bool write)
{
	long ret = batch->npages;
	unsigned int used;

	my_mmu_spin_lock(&m->lock);
	used = t->used;
	if (m->dev.dead)
		ret = -ESRCH;
	if (ret > 0)
		ret = my_mmu_insert_pages(m, t, start, batch, write);
	my_mmu_count_n(populated_pages, t->used - used);
	if (!--t->pins && !t->used)
		__my_mmu_table_remove(&m->dev, t);
	spin_unlock(&m->lock);
	return ret;
}
