/* SPDX-License-Identifier: GPL-2.0 */
#ifndef MMU_RMAP_INTERNAL_H
#define MMU_RMAP_INTERNAL_H

#include <linux/types.h>

struct folio;

/* One call of a hooked VM function, on the stack of the task that made it. */
struct mmu_rmap_walk {
	struct hlist_node node;
	struct task_struct *task;
	unsigned long len;	/* bytes of the folio */
	bool marked;
};

void mmu_rmap_walk_begin(struct mmu_rmap_walk *walk, struct folio *folio,
			 bool leavable);
void mmu_rmap_walk_end(struct mmu_rmap_walk *walk, struct folio *folio);

int mmu_rmap_hook_install(void);
void mmu_rmap_hook_remove(void);
bool mmu_rmap_hook_active(void);

#endif /* MMU_RMAP_INTERNAL_H */
