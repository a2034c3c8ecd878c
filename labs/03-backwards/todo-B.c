// SPDX-License-Identifier: GPL-2.0
/*
 * Lab 3, TODO=B: this has part A solved, and not B.
 */

/*
 * Part B: zap @page wherever it is mapped; returns how many entries that were.
 * So far one of them goes (A).
 */
static unsigned long my_mmu_zap_aliases(struct my_mmu *m, struct page *page)
{
	unsigned long address, zapped = 0;

	my_mmu_spin_lock(&m->lock);
	address = my_mmu_find_addr(m, page);
	if (address != -EFAULT)
		zapped += my_mmu_zap_table(m,
					   my_mmu_table_find(&m->dev, address),
					   address, address + PAGE_SIZE);
	spin_unlock(&m->lock);
	return zapped;
}
