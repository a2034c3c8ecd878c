// SPDX-License-Identifier: GPL-2.0
/*
 * t-remap.c - mremap: pages keep their frames and change their addresses
 *
 * An entry that stayed at the old address would name a page that is mapped,
 * and alive, and wrong.
 */
#include <errno.h>
#include <sys/mman.h>

#include "common.h"

#define N	32

static char *remap(char *from, size_t old, size_t new, int flags, char *to)
{
	char *p = mremap(from, old * MMU_PAGE, new * MMU_PAGE, flags, to);

	ASSERT_NE(p, MAP_FAILED, "mremap");
	return p;
}

TEST(g1_mremap_moves, 10)
{
	int fd = attached();
	char *p = map_private(N), *to = map_private(N);

	cpu_stamp(p, N, 1);
	cpu_stamp(to, N, 9);
	populate(fd, p, N, WRITE);
	populate(fd, to, N, WRITE);
	remap(p, N, N, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	EXPECT_EQ(present(fd, p, N), 0, "no entry at the old address");
	EXPECT_EQ(present(fd, to, N), 0, "nor of what was at the new one");
	poison_free_memory();
	device_cannot_read(fd, p, N);
	device_sees(fd, to, N, 1);
	device_stamp(fd, to, N, 2);
	cpu_sees(to, N, 2);
	verify(fd, to, N);
}

TEST(g1_mremap_of_the_middle, 10)
{
	int fd = attached();
	char *p = map_private(N), *to = map_private(4);

	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	remap(p + 8 * MMU_PAGE, 4, 4, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	EXPECT_EQ(present(fd, p + 8 * MMU_PAGE, 4), 0, "those have moved");
	device_cannot_read(fd, p + 8 * MMU_PAGE, 4);
	device_sees(fd, p, 8, 1);
	verify(fd, p, 8);
	verify(fd, to, 4);
}

TEST(g1_mremap_dontunmap, 10)
{
	int fd = attached();
	char *p = map_private(N), *to = map_reserve(N * MMU_PAGE, MMU_PAGE);

	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	remap(p, N, N, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to);
	EXPECT_EQ(present(fd, p, N), 0, "the old address is empty");
	device_sees_zeros(fd, p, N);
	device_stamp(fd, p, N, 2);
	device_sees(fd, to, N, 1);
	cpu_sees(to, N, 1);
	verify(fd, p, N);
	verify(fd, to, N);
}

TEST(g1_mremap_shrinks_and_grows, 10)
{
	int fd = attached();
	char *p = map_private(N), *q;

	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	remap(p, N, 8, 0, NULL);
	EXPECT_EQ(present(fd, p, 8), 8, "the beginning stays");
	EXPECT_EQ(present(fd, p + 8 * MMU_PAGE, N - 8), 0, "the rest goes");
	device_cannot_read(fd, p + 8 * MMU_PAGE, N - 8);
	q = remap(p, 8, N + 8, MREMAP_MAYMOVE, NULL);
	device_sees(fd, q, 8, 1);
	device_sees_zeros(fd, q + 8 * MMU_PAGE, N);
	verify(fd, q, N + 8);
}

/* Moved by whole page-table pages, which the CPU does without copying ptes. */
TEST(g1_mremap_by_leaf_tables, 20)
{
	int fd = attached();
	char *p = map_tables(2), *to = map_reserve(2 * MMU_HUGE, MMU_HUGE);

	cpu_stamp(p, 1024, 1);
	populate(fd, p, 1024, WRITE);
	remap(p, 1024, 1024, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	EXPECT_EQ(present(fd, p, 1024), 0, "no entry at the old address");
	EXPECT_EQ(stats_of(fd).entries, 0, "nor elsewhere");
	populate(fd, to, 1024, 0);
	device_sees(fd, to, 16, 1);
	verify(fd, to, 1024);
}

/* An unaligned tail: newer kernels notify from below the moved range. */
TEST(g1_mremap_unaligned, 10)
{
	int fd = attached();
	char *p = map_tables(1), *to = map_reserve(MMU_HUGE, MMU_HUGE);

	cpu_stamp(p, 64, 1);
	populate(fd, p, 64, WRITE);
	remap(p + 5 * MMU_PAGE, 59, 59, MREMAP_MAYMOVE | MREMAP_FIXED,
	      to + 5 * MMU_PAGE);
	EXPECT_EQ(present(fd, p + 5 * MMU_PAGE, 59), 0, "moved");
	device_sees(fd, p, 5, 1);
	device_cannot_read(fd, p + 5 * MMU_PAGE, 59);
	verify(fd, p, 5);
	populate(fd, to + 5 * MMU_PAGE, 59, WRITE);
	verify(fd, to + 5 * MMU_PAGE, 59);
}

/* Old size 0 makes a second mapping of shared memory: an alias. */
TEST(g1_mremap_duplicates_shared, 10)
{
	int fd = attached();
	char *p = map_shared(N), *q;

	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	q = remap(p, 0, N, MREMAP_MAYMOVE, NULL);
	populate(fd, q, N, WRITE);
	device_stamp(fd, q, N, 2);
	device_sees(fd, p, N, 2);
	verify(fd, p, N);
	verify(fd, q, N);
	EXPECT_EQ(munmap(p, N * MMU_PAGE), 0, "the original goes");
	EXPECT_EQ(present(fd, p, N), 0, "with its entries");
	EXPECT_EQ(present(fd, q, N), N, "the copy's stay");
	device_sees(fd, q, N, 2);
}
