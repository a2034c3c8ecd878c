// SPDX-License-Identifier: GPL-2.0
/*
 * t-event-huge.c - which events: huge pages, their making and breaking
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "events/events.h"

#define N	16
#define ALL	(MMU_HUGE / MMU_PAGE)

#define THP	"/sys/kernel/mm/transparent_hugepage/enabled"

static char *thp(int fd)
{
	char *p = map_reserve(MMU_HUGE, MMU_HUGE);

	p = mmap(p, MMU_HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0);
	ASSERT_NE(p, MAP_FAILED, "mmap");
	if (madvise(p, MMU_HUGE, MADV_HUGEPAGE))
		cannot("no transparent huge pages");
	mirrored(fd, p, ALL);
	ASSERT_EQ(is_thp(p), 1, "a huge page");
	/* It stays one; but once broken, khugepaged shall not mend it. */
	madvise(p, MMU_HUGE, MADV_NOHUGEPAGE);
	return p;
}

SCENARIO(thp_dontneed_of_one_page, 20)
{
	int fd = recorded();
	char *p = thp(fd);

	step("MADV_DONTNEED of page 7 of a huge page");
	EXPECT_EQ(madvise(at(p, 7), MMU_PAGE, MADV_DONTNEED), 0, "madvise");
	recorded_all();
	device_sees_zeros(fd, at(p, 7), 1);
	agree_and_write(fd, p, N);
}

SCENARIO(thp_mprotect_of_one_page, 20)
{
	int fd = recorded();
	char *p = thp(fd);

	step("mprotect(PROT_READ) of page 7 of a huge page");
	EXPECT_EQ(mprotect(at(p, 7), MMU_PAGE, PROT_READ), 0, "mprotect");
	recorded_all();
	none_writable(fd, at(p, 7), 1);
	device_sees(fd, p, ALL, 1);
	agree(fd, p, N);
	agree_and_write(fd, at(p, 8), N);
}

SCENARIO(thp_munmap_of_one_page, 20)
{
	int fd = recorded();
	char *p = thp(fd);

	step("munmap of page 7 of a huge page");
	EXPECT_EQ(munmap(at(p, 7), MMU_PAGE), 0, "munmap");
	recorded_all();
	agree(fd, p, N);
	agree_and_write(fd, at(p, 8), N);
}

/* A huge page moves as one, where both addresses are aligned. */
SCENARIO(thp_mremap, 20)
{
	int fd = recorded();
	char *p = thp(fd), *q = map_reserve(MMU_HUGE, MMU_HUGE);

	EXPECT_EQ(munmap(q, MMU_HUGE), 0, "room");
	name_range(q, ALL);
	step("mremap of a huge page, p, to q");
	EXPECT_EQ(mremap(p, MMU_HUGE, MMU_HUGE,
			 MREMAP_MAYMOVE | MREMAP_FIXED, q), q, "mremap");
	recorded_all();
	EXPECT_EQ(is_thp(q), 1, "it is a huge page still");
	EXPECT_EQ(present(fd, p, ALL), 0, "no entry where it was");
	device_sees(fd, q, ALL, 1);
	agree(fd, p, 2);
	agree_and_write(fd, q, N);
}

SCENARIO(thp_fork, 20)
{
	int fd = recorded();
	char *p = thp(fd);
	struct gate go;
	pid_t pid;

	gate_init(&go);
	step("fork with a huge page");
	pid = spawn();
	if (!pid) {
		wait_at(&go);
		cpu_sees(p, ALL, 1);
		_exit(0);
	}
	step("the parent writes page 7");
	cpu_stamp(at(p, 7), 1, 2);
	recorded_all();
	pass(&go);
	join(pid);
	agree_and_write(fd, p, N);
}

SCENARIO(thp_split, 20)
{
	int fd = recorded(), ret;
	char *p = thp(fd);

	step("split_huge_pages in debugfs");
	ret = split_thp(p);
	if (ret)
		cannot("split_huge_pages: %s", strerror(-ret));
	recorded_all();
	EXPECT_EQ(is_thp(p), 0, "it is split");
	device_sees(fd, p, ALL, 1);
	agree_and_write(fd, p, N);
}

SCENARIO(collapse, 20)
{
	int fd = recorded(), ret;
	char *p = mirrored(fd, map_tables(1), ALL);

	/* Only who asks gets huge pages: khugepaged would be quicker. */
	if (write_file(THP, "never"))
		cannot("no transparent huge pages");
	madvise(p, MMU_HUGE, MADV_HUGEPAGE);
	step("MADV_COLLAPSE");
	ret = madvise(p, MMU_HUGE, MADV_COLLAPSE) ? -errno : 0;
	recorded_all();			/* before khugepaged wakes up */
	write_file(THP, "always");
	if (ret)
		cannot("MADV_COLLAPSE: %s", strerror(-ret));
	EXPECT_EQ(is_thp(p), 1, "a huge page");
	poison_free_memory();
	device_sees(fd, p, ALL, 1);
	agree_and_write(fd, p, N);
}

SCENARIO(hugetlb, 20)
{
	char *p = mmap(NULL, MMU_HUGE, RW,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	int fd = recorded();
	struct gate go;
	pid_t pid;

	if (p == MAP_FAILED)
		cannot("no hugetlb pages (%s)", strerror(errno));
	mirrored(fd, p, ALL);
	gate_init(&go);
	step("mprotect(PROT_READ) of a hugetlb page");
	EXPECT_EQ(mprotect(p, MMU_HUGE, PROT_READ), 0, "mprotect");
	none_writable(fd, p, N);
	step("mprotect(PROT_READ | PROT_WRITE)");
	EXPECT_EQ(mprotect(p, MMU_HUGE, RW), 0, "mprotect");
	step("fork");
	pid = spawn();
	if (!pid) {
		wait_at(&go);
		cpu_sees(p, N, 1);
		_exit(0);
	}
	step("the parent writes page 7");
	cpu_stamp(at(p, 7), 1, 2);
	device_sees(fd, p, 7, 1);
	pass(&go);
	join(pid);
	step("MADV_DONTNEED");
	EXPECT_EQ(madvise(p, MMU_HUGE, MADV_DONTNEED), 0, "madvise");
	device_sees_zeros(fd, p, N);
	agree_and_write(fd, p, N);
	step("munmap");
	EXPECT_EQ(munmap(p, MMU_HUGE), 0, "munmap");
	recorded_all();
	EXPECT_EQ(present(fd, p, ALL), 0, "no entry is left");
	agree(fd, p, N);
}
