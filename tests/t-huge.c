// SPDX-License-Identifier: GPL-2.0
/*
 * t-huge.c - transparent huge pages and hugetlb, in 4 KiB device entries
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define N	16
#define ALL	(MMU_HUGE / MMU_PAGE)

/* One huge page's worth of addresses in 4 KiB entries: one leaf table. */
static void huge_memory(int fd, char *p)
{
	uint64_t first = 0, pfn;
	size_t i;

	populate(fd, p, ALL, WRITE);
	EXPECT_EQ(present(fd, p, ALL), ALL, "every 4 KiB has its entry");
	EXPECT_EQ(stats_of(fd).tables, 1, "in one leaf table");
	mmu_query(fd, p, NULL, &first);
	for (i = 1; i < ALL; i += 37) {
		mmu_query(fd, p + i * MMU_PAGE, NULL, &pfn);
		EXPECT_EQ(pfn, first + i, "frames follow each other");
	}
	device_stamp(fd, p, N, 2);
	cpu_sees(p, N, 2);
	cpu_stamp(p + MMU_HUGE - N * MMU_PAGE, N, 3);
	device_sees(fd, p + MMU_HUGE - N * MMU_PAGE, N, 3);
	verify(fd, p, N);
}

TEST(g3_transparent_huge_page, 20)
{
	int fd = attached();
	char *p = map_thp();

	device_sees(fd, p, ALL, 1);
	huge_memory(fd, p);
	EXPECT_EQ(is_thp(p), 1, "the huge page was not split for the device");
}

TEST(hugetlb_page, 20)
{
	char *p = mmap(NULL, MMU_HUGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	int fd = attached();

	if (p == MAP_FAILED)
		skip("no hugetlb pages (%s)", strerror(errno));
	huge_memory(fd, p);
	EXPECT_EQ(madvise(p, MMU_HUGE, MADV_DONTNEED), 0, "give it back");
	EXPECT_EQ(present(fd, p, ALL), 0, "no entry is left");
	device_sees_zeros(fd, p, N);
	verify(fd, p, N);
	EXPECT_EQ(munmap(p, MMU_HUGE), 0, "unmap it");
	EXPECT_EQ(present(fd, p, ALL), 0, "no entry is left");
	device_cannot_read(fd, p, 1);
}

TEST(hugetlb_protect_and_fork, 20)
{
	char *p = mmap(NULL, MMU_HUGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	int fd = attached();
	pid_t pid;

	if (p == MAP_FAILED)
		skip("no hugetlb pages (%s)", strerror(errno));
	cpu_stamp(p, N, 1);
	populate(fd, p, ALL, WRITE);
	EXPECT_EQ(mprotect(p, MMU_HUGE, PROT_READ), 0, "read only");
	none_writable(fd, p, ALL);
	device_cannot_write(fd, p, 2);
	device_sees(fd, p, N, 1);
	EXPECT_EQ(mprotect(p, MMU_HUGE, PROT_READ | PROT_WRITE), 0, "again");
	device_stamp(fd, p, N, 2);
	pid = spawn();
	if (!pid) {
		cpu_sees(p, N, 2);
		sleep_ms(50);
		cpu_sees(p, N, 2);
		_exit(0);
	}
	device_stamp(fd, p, N, 3);
	join(pid);
	cpu_sees(p, N, 3);
	verify(fd, p, N);
}

/* mprotect and munmap of one page split the huge page. */
TEST(g3_thp_split_by_mprotect, 20)
{
	int fd = attached();
	char *p = map_thp(), *one = p + 100 * MMU_PAGE;

	populate(fd, p, ALL, WRITE);
	EXPECT_EQ(mprotect(one, MMU_PAGE, PROT_READ), 0, "one page read only");
	none_writable(fd, one, 1);
	device_cannot_write(fd, one, 1);
	verify(fd, p, ALL);
	device_sees(fd, p, ALL, 1);
	EXPECT_EQ(munmap(one, MMU_PAGE), 0, "and unmapped");
	device_cannot_read(fd, one, 1);
	device_stamp(fd, p, 100, 2);
	cpu_sees(p, 100, 2);
	verify(fd, p, 100);
}

TEST(g1_thp_dontneed, 20)
{
	int fd = attached();
	char *p = map_thp();

	populate(fd, p, ALL, WRITE);
	EXPECT_EQ(madvise(p + 7 * MMU_PAGE, 9 * MMU_PAGE, MADV_DONTNEED), 0,
		  "some of it is given back");
	EXPECT_EQ(present(fd, p + 7 * MMU_PAGE, 9), 0, "no entry there");
	poison_free_memory();
	device_sees_zeros(fd, p + 7 * MMU_PAGE, 9);
	device_sees(fd, p, 7, 1);
	EXPECT_EQ(madvise(p, MMU_HUGE, MADV_DONTNEED), 0, "then all of it");
	EXPECT_EQ(present(fd, p, ALL), 0, "no entry at all");
	poison_free_memory();
	device_sees_zeros(fd, p, N);
	verify(fd, p, ALL);
}

/* Collapse moves the data of mirrored small pages into a new huge one. */
TEST(g3_collapse_moves_entries, 20)
{
	int fd = attached(), ret;
	char *p = map_tables(1);

	cpu_stamp(p, ALL, 1);
	populate(fd, p, ALL, WRITE);
	madvise(p, MMU_HUGE, MADV_HUGEPAGE);
	ret = madvise(p, MMU_HUGE, MADV_COLLAPSE) ? -errno : 0;
	if (ret || !is_thp(p))
		skip("MADV_COLLAPSE does not work here (%s)", strerror(-ret));
	verify(fd, p, ALL);
	poison_free_memory();
	device_sees(fd, p, ALL, 1);
	device_stamp(fd, p, ALL, 2);
	cpu_sees(p, ALL, 2);
	verify(fd, p, ALL);
}

TEST(g3_thp_fork_and_write, 20)
{
	int fd = attached();
	char *p = map_thp();
	pid_t pid;

	populate(fd, p, ALL, WRITE);
	pid = spawn();
	if (!pid) {
		sleep_ms(100);
		cpu_sees(p, ALL, 1);
		_exit(0);
	}
	device_stamp(fd, p, N, 2);
	cpu_stamp(p + N * MMU_PAGE, N, 3);
	device_sees(fd, p + N * MMU_PAGE, N, 3);
	cpu_sees(p, N, 2);
	join(pid);
	verify(fd, p, ALL);
}
