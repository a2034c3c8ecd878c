// SPDX-License-Identifier: GPL-2.0
/*
 * Lab 3, TODO=D: this has part A solved, and not D.
 */

/*
 * Part D: the page is about to go from this external MMU, and all of its
 * entries are zapped (A). It may sleep.
 *
 * When this returns, the device uses no old translation of the page: who zaps
 * waits for its answer. my_mmu_shootdown_begin_page() comes before the first
 * zap, my_mmu_shootdown() behind the last; both stand in include/my_mmu.h.
 */
static void my_sleeping_invalidate_page(struct my_mmu *m, struct page *page)
{
	unsigned long zapped;

	my_mmu_test_point(rmap_walk, m->dev.mm, true);
	zapped = my_mmu_zap_aliases(m, page);
	my_mmu_count_n(rmap_zaps, zapped);
	my_mmu_test_point(rmap_zapped, m->dev.mm, true);
	trace_my_mmu_rmap_invalidate(&m->dev, page_to_pfn(page), zapped);
}
