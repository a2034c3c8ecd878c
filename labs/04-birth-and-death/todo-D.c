// SPDX-License-Identifier: GPL-2.0
/*
 * Lab 4, TODO=D: this has part B solved, and not D.
 */

/*
 * Part D: nothing is mapped after this, and nothing can be (B).
 *
 * The VM calls it when the address space goes, the last detach as well, and
 * possibly both at once: then each of them waits for the device, also the one
 * that finds nothing left to zap. An invalidation that has started may never
 * see its end, so whoever waits for one in m->wait must be told. The test
 * points stay.
 */
static void my_mmu_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct my_mmu *m = container_of(mn, struct my_mmu, notifier);
	struct my_mmu_shootdown s;
	unsigned long zapped;

	my_mmu_spin_lock(&m->lock);
	WRITE_ONCE(m->dev.dead, true);
	spin_unlock(&m->lock);
	my_mmu_test_point(release_dead, mm, true);
	zapped = my_mmu_zap_range(m, 0, ULONG_MAX, true, true);
	my_mmu_test_point(release_zapped, mm, true);
	my_mmu_shootdown_begin(&m->dev, &s, 0, ULONG_MAX);
	my_mmu_shootdown(&m->dev, &s, zapped, true);

	down_write(&my_mmu_listlock);
	__my_mmu_unlist(m);
	up_write(&my_mmu_listlock);
	my_mmu_test_point(release_unlisted, mm, true);
	trace_my_mmu_release(&m->dev);
}
