// SPDX-License-Identifier: GPL-2.0
/*
 * t-slow.c - devices that take their time, and who has to wait for them
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "common.h"

#define N	16
#define SLOW_MS	40
#define ANSWER_MS	36	/* at least: clocks of two CPUs may differ */
#define LONG_MS	700

static double ms_since(double start)
{
	return (seconds() - start) * 1000;
}

/* How often did this thread sleep? Being preempted does not count. */
static long sleeps(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nvcsw;
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
	EXPECT_LT(best, SLOW_MS, "that of other memory does not");
	ASSERT_EQ(mmu_configure(fd, 0), 0, "a fast device");
	for (i = 0, best = 1e9; i < 5; i++) {
		ms = time_munmap(fd, N, true);
		best = ms < best ? ms : best;
	}
	EXPECT_LT(best, SLOW_MS, "nor does anybody with a fast device");
}

TEST_BOTH_MODES(g4_eviction_waits_for_the_device, 10)
{
	int fd = attached();
	char *p = map_private(N);
	double start;

	populate(fd, p, N, WRITE);
	ASSERT_EQ(mmu_configure(fd, SLOW_MS * 1000), 0, "a slow device");
	start = seconds();
	EXPECT_EQ(mmu_evict(fd, p), 1, "evict a mirrored page");
	EXPECT_GE(ms_since(start), ANSWER_MS, "the chain waits for the answer");
	EXPECT_EQ(mmu_entry(fd, p), 0, "then the entry is gone");
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
	EXPECT_GE(ms_since(start), LONG_MS * 9 / 10, "it took its time");
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
		/* The other two hold a lock there, and are meant to show it. */
		if (!strcmp(test_variant, "rcu-list")) {
			EXPECT_LT(attach, LONG_MS / 2, "attach does not wait");
			EXPECT_LT(detach, LONG_MS / 2, "nor does detach");
		}
		_exit(0);
	}
	join(own);
	EXPECT_LT(unmap, LONG_MS / 2, "munmap here does not wait");
	join(pid);
}

/* --- calls that wait can be killed ---------------------------------------- */

/* G10: the page lookup waits for user space, that never answers. */
TEST(g10_populate_waiting_for_userfaultfd, 10)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct gate ready;
	double start;
	char *p = map_private(N);
	int uffd, fd;
	pid_t pid;

	gate_init(&ready);
	pid = spawn();
	if (!pid) {
		uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
		reg.range.start = (uintptr_t)p;
		reg.range.len = N * MMU_PAGE;
		if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) ||
		    ioctl(uffd, UFFDIO_REGISTER, &reg))
			skip("no userfaultfd (%s)", strerror(errno));
		fd = attached();
		pass(&ready);
		mmu_populate(fd, p, N * MMU_PAGE, WRITE);
		EXPECT_EQ(0, 1, "the populate never comes back");
		_exit(1);
	}
	close(ready.fd[1]);
	if (read(ready.fd[0], &start, 1) != 1)
		_exit(4);		/* skipped in the child */
	sleep_ms(100);
	start = seconds();
	kill_and_reap(pid);
	EXPECT_LT(ms_since(start), 2000, "the waiting process can be killed");
}

/* --- G8: invalidations that may not sleep --------------------------------- */

#ifndef SYS_pidfd_open
#define SYS_pidfd_open		434
#endif
#ifndef SYS_process_mrelease
#define SYS_process_mrelease	448
#endif

/*
 * The kernel reaps the memory of a process that is being killed, and may not
 * sleep while it does: others are out of memory. To win the race against the
 * victim's own exit, the victim is out of its CPU quota when the signal comes.
 */
static void victim(struct gate *ready, size_t pages)
{
	int fd;
	char *p;

	cgroup_enter("victim", "cpu");
	fd = attached();
	p = map_private(pages);
	populate(fd, p, pages, WRITE);
	ASSERT_EQ(mmu_configure(fd, SLOW_MS * 1000), 0, "a slow device");
	pass(ready);
	for (;;)
		;
}

static int reap(pid_t pid, long *slept)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0), ret;
	long before;

	ASSERT_GE(pidfd, 0, "pidfd_open");
	kill(pid, SIGKILL);
	before = sleeps();
	ret = syscall(SYS_process_mrelease, pidfd, 0) ? -errno : 0;
	*slept = sleeps() - before;
	close(pidfd);
	return ret;
}

/* Give the victim 5 ms of every second; true once it has used them up. */
static bool throttle(void)
{
	int ms;

	if (cgroup_write("victim", "cpu.max", "5000 1000000"))
		return false;
	for (ms = 0; ms < 3000; ms += 5) {
		if (cgroup_stat("victim", "cpu.stat", "nr_throttled") > 0)
			return true;
		sleep_ms(5);
	}
	return false;
}

TEST(g8_reaper_never_sleeps, 30)
{
	const size_t pages = 256;
	struct my_mmu_stats before, after;
	struct gate ready;
	long slept = 0;
	int fd = mmu_open(), tries, ret = -ESRCH;
	pid_t pid;

	for (tries = 0; tries < 5 && ret == -ESRCH; tries++) {
		gate_init(&ready);
		pid = spawn();
		if (!pid)
			victim(&ready, pages);
		close(ready.fd[1]);
		if (read(ready.fd[0], &slept, 1) != 1)
			_exit(4);	/* skipped in the child */
		if (!throttle()) {
			kill_and_reap(pid);
			skip("no CPU quota in this kernel");
		}
		before = stats_of(fd);
		ret = reap(pid, &slept);
		after = stats_of(fd);
		cgroup_write("victim", "cpu.max", "max");
		ASSERT_EQ(waitpid(pid, NULL, 0), pid, "the victim dies");
		cgroup_remove_all();
	}
	if (ret == -ESRCH)
		skip("the victim was always quicker");
	ASSERT_EQ(ret, 0, "process_mrelease");
	EXPECT_GT(after.nonblockable - before.nonblockable, 0,
		  "invalidations arrived that may not sleep");
	EXPECT_GE(after.zapped_pages - before.zapped_pages, pages,
		  "and took all entries");
	EXPECT_EQ(slept, 0, "the reaper did not sleep, slow as the device is");
}
