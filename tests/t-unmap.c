// SPDX-License-Identifier: GPL-2.0
/*
 * t-unmap.c - G1: memory that goes away takes the device's entries along
 *
 * Always the same story: populate, take memory away from the CPU, and then
 * the device must not have entries there, must still have those beside it,
 * must not read what used to be there, and must find what comes next.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define N	64
#define FROM	20	/* the pages in the middle that go away */
#define COUNT	10

static char *p;
static char *hole;

static int setup(void)
{
	int fd = attached();

	p = map_private(N);
	hole = p + FROM * MMU_PAGE;
	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	verify(fd, p, N);
	return fd;
}

/* Exactly [hole, hole + COUNT pages) has lost its entries. */
static void check_middle_gone(int fd)
{
	EXPECT_EQ(present(fd, hole, COUNT), 0, "no entry where memory went");
	EXPECT_EQ(present(fd, p, FROM), FROM, "all entries before it");
	EXPECT_EQ(present(fd, hole + COUNT * MMU_PAGE, N - FROM - COUNT),
		  N - FROM - COUNT, "all entries behind it");
	poison_free_memory();
	verify(fd, p, FROM);
}

TEST(g1_munmap, 10)
{
	int fd = setup();

	EXPECT_EQ(munmap(p, N * MMU_PAGE), 0, "munmap");
	EXPECT_EQ(present(fd, p, N), 0, "no entry is left");
	poison_free_memory();
	device_cannot_read(fd, p, N);
	device_cannot_write(fd, p, N);
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is mirrored");
	verify(fd, p, 0);
}

TEST(g1_munmap_of_the_middle, 10)
{
	int fd = setup();

	EXPECT_EQ(munmap(hole, COUNT * MMU_PAGE), 0, "munmap");
	check_middle_gone(fd);
	device_cannot_read(fd, hole, COUNT);
	device_sees(fd, p, FROM, 1);
}

TEST(g1_map_fixed_over, 10)
{
	int fd = setup();
	char *q;

	q = mmap(hole, COUNT * MMU_PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ASSERT_EQ(q, hole, "new memory over the old");
	madvise(q, COUNT * MMU_PAGE, MADV_NOHUGEPAGE);
	check_middle_gone(fd);
	device_sees_zeros(fd, hole, COUNT);
	device_stamp(fd, hole, COUNT, 2);
	cpu_sees(hole, COUNT, 2);
	verify(fd, p, N);
}

TEST(g1_dontneed, 10)
{
	int fd = setup();

	EXPECT_EQ(madvise(hole, COUNT * MMU_PAGE, MADV_DONTNEED), 0, "madvise");
	check_middle_gone(fd);
	device_sees_zeros(fd, hole, COUNT);
	device_stamp(fd, hole, COUNT, 2);
	cpu_sees(hole, COUNT, 2);
	device_sees(fd, p, FROM, 1);
	verify(fd, p, N);
}

/* One page at a time, each checked before the next: off by one shows. */
TEST(g1_dontneed_page_by_page, 20)
{
	int fd = setup(), i;

	for (i = 0; i < N; i++) {
		EXPECT_EQ(mmu_entry(fd, p + i * MMU_PAGE) &
			  MY_MMU_ENTRY_PRESENT, MY_MMU_ENTRY_PRESENT,
			  "page %d is still there", i);
		madvise(p + i * MMU_PAGE, MMU_PAGE, MADV_DONTNEED);
		EXPECT_EQ(mmu_entry(fd, p + i * MMU_PAGE), 0,
			  "page %d is gone", i);
		EXPECT_EQ(stats_of(fd).entries, N - 1 - i, "it alone");
	}
}

/* The edges of a leaf table, from both sides. */
TEST(g1_ranges_across_leaf_tables, 10)
{
	char *area = map_tables(3), *edge = area + MMU_HUGE;
	int fd = attached();

	populate(fd, edge - 8 * MMU_PAGE, 512 + 16, WRITE);
	EXPECT_EQ(madvise(edge - MMU_PAGE, MMU_HUGE + 2 * MMU_PAGE,
			  MADV_DONTNEED), 0,
		  "from before one edge to behind the other");
	EXPECT_EQ(present(fd, edge - 8 * MMU_PAGE, 7), 7, "before: stays");
	EXPECT_EQ(present(fd, edge - MMU_PAGE, 514), 0, "inside: gone");
	EXPECT_EQ(present(fd, edge + MMU_HUGE + MMU_PAGE, 7), 7,
		  "behind: stays");
	EXPECT_EQ(stats_of(fd).entries, 14, "14 entries in all");
	verify(fd, edge - 8 * MMU_PAGE, 7);
	/* The kernel itself invalidates more when it splits the mapping. */
	populate(fd, edge - 8 * MMU_PAGE, 512 + 16, WRITE);
	EXPECT_EQ(munmap(edge - MMU_PAGE, MMU_HUGE + 2 * MMU_PAGE), 0,
		  "and unmap it");
	EXPECT_EQ(present(fd, edge - MMU_PAGE, 514), 0, "inside: gone");
	device_cannot_read(fd, edge - MMU_PAGE, 2);
	populate(fd, edge - 8 * MMU_PAGE, 7, WRITE);
	verify(fd, edge - 8 * MMU_PAGE, 7);
}

/* Lazily freed pages: entries go, the device's next write makes them stay. */
TEST(g1_madv_free, 10)
{
	int fd = setup();

	EXPECT_EQ(madvise(hole, COUNT * MMU_PAGE, MADV_FREE), 0, "madvise");
	none_writable(fd, hole, COUNT);
	verify(fd, p, N);
	device_stamp(fd, hole, COUNT, 2);
	cpu_sees(hole, COUNT, 2);
	verify(fd, p, N);
}

TEST(g1_shared_memory_unmapped_and_back, 10)
{
	int fd = attached(), memfd = make_memfd(N);

	p = map_fd(memfd, N, PROT_READ | PROT_WRITE, MAP_SHARED);
	device_stamp(fd, p, N, 1);
	EXPECT_EQ(madvise(p, N * MMU_PAGE, MADV_DONTNEED), 0, "madvise");
	EXPECT_EQ(present(fd, p, N), 0, "no entry is left");
	device_sees(fd, p, N, 1);	/* the file has them still */
	EXPECT_EQ(munmap(p, N * MMU_PAGE), 0, "munmap");
	EXPECT_EQ(present(fd, p, N), 0, "no entry is left");
	device_cannot_read(fd, p, N);
	p = map_fd(memfd, N, PROT_READ | PROT_WRITE, MAP_SHARED);
	device_sees(fd, p, N, 1);
	verify(fd, p, N);
}

TEST(g1_brk_shrinks, 10)
{
	int fd = attached();
	char *top = (char *)(((uintptr_t)sbrk(0) + 4095) & ~4095ul);

	ASSERT_EQ(brk(top + 8 * MMU_PAGE), 0, "the heap grows");
	populate(fd, top, 8, WRITE);
	ASSERT_EQ(brk(top), 0, "and shrinks");
	EXPECT_EQ(present(fd, top, 8), 0, "no entry is left");
	device_cannot_read(fd, top, 8);
	verify(fd, top, 0);
}

/* Invalidations of what was never mirrored must find nothing, fast. */
TEST(unmap_of_unmirrored_memory, 10)
{
	const size_t huge = 64ul << 30;
	int fd = setup(), i;
	double start;
	char *q;

	start = seconds();
	for (i = 0; i < 20; i++) {
		q = mmap(NULL, huge, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		ASSERT_NE(q, MAP_FAILED, "64 GiB of addresses");
		ASSERT_EQ(madvise(q, huge, MADV_DONTNEED), 0, "madvise");
		ASSERT_EQ(munmap(q, huge), 0, "munmap");
	}
	EXPECT_LT((seconds() - start) * 1000, 2000,
		  "20 empty ranges of 64 GiB take next to no time");
	EXPECT_EQ(present(fd, p, N), N, "mirrored pages stay");
	EXPECT_EQ(stats_of(fd).tables, (uintptr_t)p / MMU_HUGE ==
		  ((uintptr_t)p + N * MMU_PAGE - 1) / MMU_HUGE ? 1 : 2,
		  "no table was made for them");
}
