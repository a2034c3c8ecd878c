// SPDX-License-Identifier: GPL-2.0
/*
 * t-aging.c - reclaim asks the device which pages it uses
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cgroup.h"
#include "common.h"

#define N	512

TEST(access_marks_the_entry, 10)
{
	int fd = attached();
	char *p = map_private(4), c;

	populate(fd, p, 4, WRITE);
	ASSERT_EQ(mmu_read(fd, p, &c, 1), 0, "device read");
	EXPECT_NE(mmu_entry(fd, p) & MY_MMU_ENTRY_ACCESSED, 0,
		  "the read page is marked");
	ASSERT_EQ(mmu_write(fd, p + MMU_PAGE, &c, 1), 0, "device write");
	EXPECT_NE(mmu_entry(fd, p + MMU_PAGE) & MY_MMU_ENTRY_ACCESSED, 0,
		  "the written page is marked");
}

/* Clear the CPU's accessed bits; the kernel tells no notifier of that. */
static void forget_cpu_accesses(void)
{
	ASSERT_EQ(write_file("/proc/self/clear_refs", "1"), 0, "clear_refs");
}

static size_t count_accessed(int fd, const char *p, size_t pages)
{
	size_t i, n = 0;

	for (i = 0; i < pages; i++)
		n += !!(mmu_entry(fd, p + i * MMU_PAGE) &
			MY_MMU_ENTRY_ACCESSED);
	return n;
}

static void touch(int fd, const char *p, size_t pages)
{
	size_t i;
	char c;

	for (i = 0; i < pages; i++)
		ASSERT_EQ(mmu_read(fd, p + i * MMU_PAGE, &c, 1), 0, "read");
}

/*
 * Two areas of one size, mirrored, of which the device uses one only. The
 * CPU uses neither. Reclaim must take the idle one first.
 */
TEST(g4_reclaim_spares_what_the_device_uses, 30)
{
	struct my_mmu_stats before;
	size_t hot_out, cold_out = 0;
	char *hot, *cold;
	int fd, round;

	if (!have_swap())
		skip("no swap");
	cgroup_enter("aging", "memory");
	fd = attached();
	hot = map_private(N);
	cold = map_private(N);
	cpu_stamp(hot, N, 1);
	cpu_stamp(cold, N, 1);
	populate(fd, hot, N, WRITE);
	populate(fd, cold, N, WRITE);
	before = stats_of(fd);
	/* Reclaim takes more than it is asked for: stop while there is idle. */
	for (round = 0; round < 8 && cold_out < N / 2; round++) {
		forget_cpu_accesses();
		touch(fd, hot, N);
		cgroup_reclaim("aging", N / 8 * MMU_PAGE);
		cold_out = count_swapped(cold, N);
	}
	hot_out = count_swapped(hot, N);
	note("reclaimed: %zu of %d used pages, %zu of %d idle ones", hot_out,
	     N, cold_out, N);
	EXPECT_GT(stats_of(fd).aging - before.aging, 0,
		  "the device was asked which pages it uses");
	ASSERT_GE(cold_out, N / 8, "reclaim took idle pages");
	EXPECT_LE(hot_out * 2, cold_out, "and spared the used ones");
	verify(fd, hot, 8);
	device_sees(fd, cold, N, 1);
	device_sees(fd, hot, N, 1);
}

/* Asking takes the mark away: what was used once is not young for ever. */
TEST(g4_reclaim_clears_the_mark, 30)
{
	struct my_mmu_stats before;
	size_t marked, still, left;
	int fd, round;
	char *p;

	if (!have_swap())
		skip("no swap");
	cgroup_enter("aging", "memory");
	fd = attached();
	p = map_private(N);
	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	touch(fd, p, N);
	marked = count_accessed(fd, p, N);
	EXPECT_EQ(marked, N, "all are marked");
	before = stats_of(fd);
	for (round = 0; round < 3; round++)
		cgroup_reclaim("aging", N / 16 * MMU_PAGE);
	still = count_accessed(fd, p, N);
	left = present(fd, p, N);
	note("%zu entries left, %zu of them marked", left, still);
	EXPECT_GT(stats_of(fd).aging - before.aging, 0, "it was asked");
	EXPECT_LT(still, left, "some marks are gone, not their entries");
}
