// SPDX-License-Identifier: GPL-2.0
/*
 * t-event-reclaim.c - which events: pages that go to swap, and come back
 */
#include <errno.h>
#include <unistd.h>

#include "cgroup.h"
#include "disk.h"
#include "events/events.h"

#define N	4
#define MANY	64

static void need_swap(void)
{
	if (!have_swap())
		cannot("no swap");
}

SCENARIO(pageout, 20)
{
	int fd = recorded();
	char *p;

	need_swap();
	stay_on_one_cpu();
	p = mirrored(fd, map_private(N), N);
	step("MADV_PAGEOUT of 4 pages, that the device has just used");
	EXPECT_EQ(madvise(p, N * MMU_PAGE, MADV_PAGEOUT), 0, "madvise");
	step("MADV_PAGEOUT of those that were spared");
	EXPECT_EQ(madvise(p, N * MMU_PAGE, MADV_PAGEOUT), 0, "madvise");
	ASSERT_EQ(count_swapped(p, N), N, "all are in swap");
	EXPECT_EQ(present(fd, p, N), 0, "no entries");
	step("the CPU reads page 2");
	cpu_sees(at(p, 0), 1, 1);
	step("the CPU writes page 3");
	cpu_stamp(at(p, 3), 1, 2);
	recorded_all();
	agree_and_write(fd, p, N);
}

/* Not even asked: advice leaves alone what others may want, too. */
SCENARIO(pageout_of_shared_pages, 20)
{
	int fd = recorded(), memfd = make_memfd(N);
	char *p = mirrored(fd, map_fd(memfd, N, RW, MAP_SHARED), N);
	char *q = mirrored(fd, map_fd(memfd, N, RW, MAP_SHARED), N);

	need_swap();
	step("MADV_PAGEOUT of 4 pages that are mapped twice");
	EXPECT_EQ(madvise(p, N * MMU_PAGE, MADV_PAGEOUT), 0, "madvise");
	recorded_all();
	agree_and_write(fd, p, N);
	agree(fd, q, N);
}

SCENARIO(pageout_of_a_file, 20)
{
	int file = disk_file("events", N * MMU_PAGE), fd = recorded();
	char *p;

	stay_on_one_cpu();
	p = mirrored(fd, map_fd(file, N, RW, MAP_SHARED), N);
	EXPECT_EQ(msync(p, N * MMU_PAGE, MS_SYNC), 0, "msync");
	populate(fd, p, N, 0);
	step("MADV_PAGEOUT of 4 clean pages of a file");
	EXPECT_EQ(madvise(p, N * MMU_PAGE, MADV_PAGEOUT), 0, "madvise");
	recorded_all();
	EXPECT_EQ(present(fd, p, N), 0, "no entries");
	agree_and_write(fd, p, N);
}

SCENARIO(reclaim, 30)
{
	char *p;
	int fd, i;

	cgroup_enter("events", "memory");
	fd = recorded();
	need_swap();
	p = mirrored(fd, map_private(MANY), MANY);
	step_some("memory.reclaim, until half of it is in swap");
	for (i = 0; i < 40 && count_swapped(p, MANY) < MANY / 2; i++)
		cgroup_reclaim("events", MANY / 2 * MMU_PAGE);
	EXPECT_GE(count_swapped(p, MANY), MANY / 2, "that many are in swap");
	EXPECT_LE(present(fd, p, MANY), MANY / 2, "without entries");
	recorded_all();
	agree_and_write(fd, p, MANY);
}

SCENARIO(reclaim_of_shared_pages, 30)
{
	char *p, *q;
	int fd, memfd, i;

	cgroup_enter("events", "memory");
	fd = recorded();
	need_swap();
	memfd = make_memfd(MANY);
	p = mirrored(fd, map_fd(memfd, MANY, RW, MAP_SHARED), MANY);
	q = mirrored(fd, map_fd(memfd, MANY, RW, MAP_SHARED), MANY);
	step_some("memory.reclaim of pages that are mapped twice, as p and q");
	for (i = 0; i < 20 && present(fd, p, MANY); i++)
		cgroup_reclaim("events", 64 * MANY * MMU_PAGE);
	EXPECT_EQ(present(fd, p, MANY), 0, "no entries");
	recorded_all();
	agree_and_write(fd, p, MANY);
	agree(fd, q, MANY);
}
