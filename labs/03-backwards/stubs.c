// SPDX-License-Identifier: GPL-2.0
/*
 * Lab 3 hands these out in place of the solution's: a driver that hears of
 * ranges, and is deaf to what happens to a page.
 */

/*
 * Part A: an address at which @page is mapped; -EFAULT if there is none (any
 * more). The reverse index knows: __my_mmu_index_find(), by the frame number.
 */
static unsigned long my_mmu_find_addr(struct my_mmu *m, struct page *page)
	__must_hold(&m->lock)
{
	lockdep_assert_held(&m->lock);
	return -EFAULT;
}

/*
 * Part A and B: zap @page wherever it is mapped (B); returns how many entries
 * that were. my_mmu_table_find() has the leaf table of an address.
 */
static unsigned long my_mmu_zap_aliases(struct my_mmu *m, struct page *page)
{
	unsigned long zapped = 0;

	my_mmu_spin_lock(&m->lock);
	if (my_mmu_find_addr(m, page) != -EFAULT)
		zapped++;
	spin_unlock(&m->lock);
	return zapped;
}

/*
 * Part A and D: the page is about to go from this external MMU. It may sleep.
 *
 * When this returns, the device uses no old translation of the page: who zaps
 * waits for its answer (D). my_mmu_shootdown_begin_page() comes before the
 * first zap, my_mmu_shootdown() behind the last; both stand in
 * include/my_mmu.h. rmap_zaps counts what was zapped. The test points and the
 * event stay where they are, around the zap.
 */
static void my_sleeping_invalidate_page(struct my_mmu *m, struct page *page)
{
	unsigned long zapped;

	my_mmu_test_point(rmap_walk, m->dev.mm, true);
	zapped = my_mmu_zap_aliases(m, page);
	my_mmu_test_point(rmap_zapped, m->dev.mm, true);
	trace_my_mmu_rmap_invalidate(&m->dev, page_to_pfn(page), zapped);
}

/*
 * Part A and C: the rmap chain has a page that is about to go. Ask all external
 * MMUs that may have it: those on my_mmu_list[tag], for each bit of @tags.
 *
 * They are asked one after the other, and each may sleep for as long as its
 * device takes. Meanwhile nobody may leave the list, or be freed (C).
 */
static void my_mmu_rmap_invalidate_page(struct mmu_rmap_notifier *mrn,
					struct page *page, unsigned long tags)
{
	struct my_mmu *m = NULL;

	my_mmu_count(rmap_callbacks);
	if (m)
		my_sleeping_invalidate_page(m, page);
}

/*
 * Part E: may this event of one page be left to the rmap chain? Then nothing is
 * zapped here.
 *
 * Only if whoever attached asked for it (MY_MMU_ATTACH_RMAP_ONLY in
 * m->dev.flags, which can change under us), and only if the VM is in a function
 * that will run the chain for this very folio (mmu_rmap_walk_in_progress()).
 */
static bool my_mmu_leave_to_rmap(struct my_mmu *m,
				 const struct mmu_notifier_range *range)
{
	return false;
}
