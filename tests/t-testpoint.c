// SPDX-License-Identifier: GPL-2.0
/*
 * t-testpoint.c - the tests' own tool: what it refuses, whom it parks, whom it
 * lets go
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "race.h"

#define POINT	"/sys/kernel/debug/my_mmu/testpoint/populate_lookup"

static int tell(const char *command)
{
	return write_file(POINT, "%s", command);
}

TEST(test_points_refuse_nonsense, 20)
{
	char line[80];
	int fd;

	tp_need();
	EXPECT_EQ(tell("halt"), -EINVAL, "no such command");
	EXPECT_EQ(tell("park many"), -EINVAL, "no number");
	EXPECT_EQ(tell("park task me"), -EINVAL, "no task");
	EXPECT_EQ(tell("park ms soon"), -EINVAL, "no time");
	EXPECT_EQ(tell("park ms"), -EINVAL, "a time is missing");
	EXPECT_EQ(tell("park mm mine"), -EINVAL, "no process");
	EXPECT_EQ(tell("park mm 2000000000"), -ESRCH, "there is no such one");
	EXPECT_EQ(tell("park mm 2"), -ESRCH, "kthreadd has no memory");
	memset(line, ' ', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	EXPECT_EQ(tell(line), -EINVAL, "too long");
	fd = open(POINT, O_WRONLY);
	EXPECT_EQ(write(fd, map_reserve(MMU_PAGE, MMU_PAGE), 5) < 0 ? errno : 0,
		  EFAULT, "what nobody can read");
	close(fd);
	EXPECT_EQ(tp_arrivals("populate_lookup"), 0, "nothing is counted");
}

/* The one that came first goes first; who is named goes before him. */
TEST(test_points_release_some, 20)
{
	struct call c[3] = { };
	int i;

	race_begin(3);
	for (i = 0; i < 3; i++) {
		c[i].fn = do_populate;
		c[i].fd = attached();
		c[i].p = map_private(1);
		c[i].pages = 1;
		cpu_stamp(c[i].p, 1, i + 1);
	}
	for (i = 0; i < 3; i++)
		call_to(&c[i], "populate_lookup");
	tp_tell("populate_lookup", "release task %d", c[1].tid);
	EXPECT_EQ(call_wait(&c[1]), 0, "the named one goes on");
	EXPECT_EQ(tp_parked("populate_lookup"), 2, "the others stay");
	tp_tell("populate_lookup", "release 1");
	EXPECT_EQ(call_wait(&c[0]), 0, "the first goes on");
	EXPECT_EQ(tp_parked("populate_lookup"), 1, "the last stays");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c[2]), 0, "the last goes on");
	for (i = 0; i < 3; i++)
		device_sees(c[i].fd, c[i].p, 1, i + 1);
	verify(c[0].fd, c[0].p, 1);
}

/* Where a task may not sleep it goes on, or spins for a while if told to. */
TEST(test_points_do_not_park_the_atomic, 20)
{
	int fd = mmu_open(), mirror = attached();

	tp_need();
	tp_tell("notifier_free", "park");
	close(mirror);
	tp_wait_arrivals("notifier_free", 1);
	EXPECT_EQ(tp_parked("notifier_free"), 0, "callbacks do not sleep");
	wait_for_mmus(fd, 0);
	mirror = attached();
	tp_tell("notifier_free", "park stall");
	close(mirror);
	tp_wait_parked("notifier_free", 1);
	EXPECT_EQ(stats_of(fd).mmus, 1, "it spins");
	tp_release("notifier_free");
	wait_for_mmus(fd, 0);
}

TEST(test_points_park_for_a_time, 20)
{
	int fd = attached();
	char *p = map_private(1);
	double start;

	tp_need();
	tp_tell("populate_lookup", "park ms 300");
	start = seconds();
	populate(fd, p, 1, WRITE);
	EXPECT_GE((long)((seconds() - start) * 1000), 200, "it was parked");
	EXPECT_EQ(tp_parked("populate_lookup"), 0, "it has let itself go");
	verify(fd, p, 1);
}
