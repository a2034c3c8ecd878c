/* SPDX-License-Identifier: GPL-2.0 */
/*
 * hugetlb.h - huge pages from the pool: they tell whether references are left
 *
 * The statistics count entries, tables and bytes, not references to pages. A
 * huge page that somebody has a reference to does not come back to the pool,
 * and the pool is counted to the page, at once. So whatever a call may forget
 * to let go, it is made to happen on a huge page.
 */
#ifndef TESTS_HUGETLB_H
#define TESTS_HUGETLB_H

#include <stddef.h>

#define HUGE_POOL	"/sys/kernel/mm/hugepages/hugepages-2048kB/"

/* @pages huge pages, private to the process; skips where there are none. */
char *map_huge(size_t pages);
/* A file of @pages huge pages, and a shared mapping of all of it. */
int make_huge_memfd(size_t pages);
char *map_huge_fd(int memfd, size_t pages);

/* Of the pool, in huge pages. */
long huge_free(void);
long huge_taken(void);

/*
 * As many are taken as @taken says: whatever else had a reference to one has
 * let go of it. Waits for those who only take their time.
 */
#define references_let_go(taken) (HERE(), references_let_go_(taken))
void references_let_go_(long taken);

#endif /* TESTS_HUGETLB_H */
