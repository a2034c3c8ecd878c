// SPDX-License-Identifier: GPL-2.0
/*
 * t-slow.c - devices that take their time, and who has to wait for them
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define N	16
#define SLOW_MS	200
/* On a busy host the guest's ticks lag, then catch up: sleeps end early. */
#define ANSWER_MS	(SLOW_MS / 4)
#define LONG_MS	700

static double ms_since(double start)
{
	return (seconds() - start) * 1000;
}

/* Milliseconds that munmap of @pages takes; mirrored or not. */
static double time_munmap(int fd, size_t pages, bool mirrored)
{
	char *p = map_private(pages);
	double start;

	cpu_stamp(p, pages, 1);
	if (mirrored)
		populate(fd, p, pages, WRITE);
	start = seconds();
	ASSERT_EQ(munmap(p, pages * MMU_PAGE), 0, "munmap");
	return ms_since(start);
}

TEST(g1_munmap_waits_for_the_device, 10)
{
	int fd = attached(), i;
	double ms, best = 1e9;
	long before;

	ASSERT_EQ(mmu_configure(fd, SLOW_MS * 1000), 0, "a slow device");
	before = sleeps();
	EXPECT_GE(time_munmap(fd, N, true), ANSWER_MS,
		  "munmap of mirrored memory waits for the answer");
	EXPECT_GT(sleeps() - before, 0, "asleep");
	/* Once may be bad luck with the scheduler, five times is not. */
	for (i = 0; i < 5; i++) {
		ms = time_munmap(fd, N, false);
		best = ms < best ? ms : best;
	}
	EXPECT_LT(best, ANSWER_MS, "that of other memory does not");
	ASSERT_EQ(mmu_configure(fd, 0), 0, "a fast device");
	for (i = 0, best = 1e9; i < 5; i++) {
		ms = time_munmap(fd, N, true);
		best = ms < best ? ms : best;
	}
	EXPECT_LT(best, ANSWER_MS, "nor does anybody with a fast device");
}

static int evict(int fd, char *p)
{
	return mmu_evict(fd, p);
}

static int detach(int fd, char *p)
{
	(void)p;
	return mmu_detach(fd);
}

static void waits_for_the_device(int (*act)(int fd, char *p), int fd, int ret)
{
	char *p = map_private(N);
	double start;
	long before;

	populate(fd, p, N, WRITE);
	ASSERT_EQ(mmu_configure(fd, SLOW_MS * 1000), 0, "a slow device");
	before = sleeps();
	start = seconds();
	EXPECT_EQ(act(fd, p), ret, "evict or detach");
	EXPECT_GE(ms_since(start), ANSWER_MS, "waits for the answer");
	EXPECT_GT(sleeps() - before, 0, "asleep");
	EXPECT_EQ(stats_of(fd).entries, (uint64_t)(act == evict ? N - 1 : 0),
		  "then the entry is gone, or all are");
}

TEST_BOTH_MODES(g4_eviction_waits_for_the_device, 10)
{
	waits_for_the_device(evict, attached(), 1);
}

TEST(g5_detach_waits_for_the_device, 10)
{
	waits_for_the_device(detach, attached(), 0);
}

/* --- one process's slow device, the others' time -------------------------- */

/* A child whose device sleeps in an eviction, asked for after @ready. */
static pid_t start_sleeper(struct gate *ready, struct gate *go)
{
	pid_t pid = spawn();
	double start;
	char *p;
	int fd;

	if (pid)
		return pid;
	fd = attached();
	p = map_private(1);
	populate(fd, p, 1, WRITE);
	ASSERT_EQ(mmu_configure(fd, LONG_MS * 1000), 0, "a very slow device");
	pass(ready);
	wait_at(go);
	start = seconds();
	EXPECT_EQ(mmu_evict(fd, p), 1, "evict");
	EXPECT_GE(ms_since(start), LONG_MS / 2, "it took its time");
	ASSERT_EQ(mmu_configure(fd, 0), 0, "a fast device");
	_exit(0);
}

TEST(g6_slow_device_of_another_process, 20)
{
	int fd = attached(), own;
	struct gate ready, go;
	double start, unmap, attach, detach;
	char *p = map_private(N);
	pid_t pid;

	gate_init(&ready);
	gate_init(&go);
	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	pid = start_sleeper(&ready, &go);
	wait_at(&ready);
	pass(&go);
	sleep_ms(LONG_MS / 7);		/* it sleeps now */

	start = seconds();
	munmap(p, N * MMU_PAGE);
	unmap = ms_since(start);
	start = seconds();
	p = map_private(1);
	own = spawn();
	if (!own) {
		start = seconds();
		own = attached();
		attach = ms_since(start);
		start = seconds();
		ASSERT_EQ(mmu_detach(own), 0, "detach");
		detach = ms_since(start);
		note("beside a sleeping device: attach %.1f ms, detach %.1f ms",
		     attach, detach);
		/* The others hold a lock there, and are meant to show it. */
		if (variant_can(LIST_NEVER_BLOCKS)) {
			EXPECT_LT(attach, LONG_MS / 2, "attach does not wait");
			EXPECT_LT(detach, LONG_MS / 2, "nor does detach");
		}
		_exit(0);
	}
	join(own);
	EXPECT_LT(unmap, LONG_MS / 2, "munmap here does not wait");
	join(pid);
}

/*
 * 4.5 of the skeleton. A chain walk, in our context, sleeps in the device of
 * another process while that process exits: what the walk stands on must not
 * be freed, and the walk must find its way on to the next.
 */
static void mirror_and_die(char *p, bool slow, struct gate *ready,
			   struct gate *die)
{
	int fd = attached();

	populate(fd, p, 1, WRITE);
	/* One slow device: more of them would delay each other's exit. */
	ASSERT_EQ(mmu_configure(fd, slow ? LONG_MS * 500 : 0), 0, "configure");
	pass(ready);
	wait_at(die);
	sleep_ms(SLOW_MS);		/* the walk is in our device now */
	_exit(0);
}

TEST(g5_exit_under_a_sleeping_walk, 20)
{
	char *p = map_shared(1);
	struct gate ready, die;
	int fd = attached(), round, i;
	pid_t pid[3];
	double start;

	gate_init(&ready);
	gate_init(&die);
	for (round = 0; round < 3; round++) {
		populate(fd, p, 1, WRITE);
		for (i = 0; i < 3; i++) {
			pid[i] = spawn();
			if (!pid[i])
				mirror_and_die(p, i == 1, &ready, &die);
		}
		for (i = 0; i < 3; i++)
			wait_at(&ready);
		for (i = 0; i < 3; i++)
			pass(&die);
		start = seconds();
		EXPECT_EQ(mmu_evict(fd, p), 1, "evict the page of all four");
		EXPECT_GE(ms_since(start), SLOW_MS, "it took its time");
		EXPECT_EQ(mmu_entry(fd, p), 0, "here it is gone");
		for (i = 0; i < 3; i++)
			join(pid[i]);
		EXPECT_EQ(stats_of(fd).entries, 0, "and everywhere");
	}
}
