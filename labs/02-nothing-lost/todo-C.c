// SPDX-License-Identifier: GPL-2.0
/*
 * Lab 2, TODO=C: this has part A solved, and not C.
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
