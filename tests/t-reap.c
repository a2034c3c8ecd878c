// SPDX-License-Identifier: GPL-2.0
/*
 * t-reap.c - G8, G10: processes that are killed, and reaped, while they wait
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "race.h"

#define N	16
#define SLOW_MS	40

/* --- calls that wait can be killed ---------------------------------------- */

/* G10: the page lookup waits for user space, that never answers. */
TEST(g10_populate_waiting_for_userfaultfd, 10)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct gate ready;
	char *p = map_private(N);
	double start;
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
	wait_at(&ready);
	sleep_ms(100);
	start = seconds();
	kill_and_reap(pid);
	EXPECT_LT(seconds() - start, 2, "the waiting process can be killed");
}

/*
 * G10: an invalidation is under way for as long as a device takes. Somebody
 * with the same memory, but a process of its own, waits for its end: so it can
 * be killed alone.
 */
static bool discarded;

static void *discard(void *p)
{
	EXPECT_EQ(madvise(p, N * MMU_PAGE, MADV_DONTNEED), 0, "madvise");
	__atomic_store_n(&discarded, true, __ATOMIC_RELAXED);
	return NULL;
}

struct waiter {
	int fd;
	char *p;
	char stack[16384];
};

static int populate_and_exit(void *arg)
{
	struct waiter *w = arg;

	mmu_populate(w->fd, w->p, N * MMU_PAGE, WRITE);
	return 0;
}

TEST(g10_populate_waiting_for_an_invalidation, 10)
{
	static struct waiter w;
	pthread_t thread;
	uint64_t before;
	pid_t pid;

	w.fd = attached();
	w.p = map_private(N);
	populate(w.fd, w.p, N, WRITE);
	ASSERT_EQ(mmu_configure(w.fd, MY_MMU_SHOOTDOWN_MAX_US), 0,
		  "a device that takes a second");
	before = stats_of(w.fd).waits;
	ASSERT_EQ(pthread_create(&thread, NULL, discard, w.p), 0, "a thread");
	while (present(w.fd, w.p, N))
		sleep_ms(1);
	pid = clone(populate_and_exit, w.stack + sizeof(w.stack),
		    CLONE_VM | SIGCHLD, &w);
	ASSERT_GT(pid, 0, "clone");
	twin_waits(pid, w.fd, before);
	kill_and_reap(pid);
	if (variant_can(WAITS_KILLABLY))
		EXPECT_EQ(__atomic_load_n(&discarded, __ATOMIC_RELAXED), false,
			  "killed while the invalidation goes on");
	pthread_join(thread, NULL);
	verify(w.fd, w.p, N);
}

/* --- G8: invalidations that may not sleep --------------------------------- */

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
		wait_at(&ready);
		if (!cgroup_throttle("victim")) {
			kill_and_reap(pid);
			skip("no CPU quota in this kernel");
		}
		before = stats_of(fd);
		ret = reap(pid, &slept);
		after = stats_of(fd);
		/* Of what its exit took first, not all variants are told. */
		if (!variant_can(HEARS_OF_ALL) &&
		    after.nonblockable == before.nonblockable)
			ret = -ESRCH;
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
