// SPDX-License-Identifier: GPL-2.0
/*
 * t-fork.c - fork and copy on write, with the device on one side or both
 */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define N	32

static struct gate go, done;

static void gates(void)
{
	gate_init(&go);
	gate_init(&done);
}

/* 4.10 of the skeleton: a write entry that survives fork reaches the child. */
TEST(g3_device_write_after_fork, 10)
{
	int fd = attached();
	char *p = map_private(N);
	pid_t pid;

	gates();
	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	pid = spawn();
	if (!pid) {
		wait_at(&go);
		cpu_sees(p, N, 1);
		_exit(0);
	}
	none_writable(fd, p, N);
	verify(fd, p, N);
	device_stamp(fd, p, N, 2);
	verify(fd, p, N);
	pass(&go);
	join(pid);
	cpu_sees(p, N, 2);
	verify(fd, p, N);
}

TEST(g3_read_entry_after_fork_stays_read_only, 10)
{
	int fd = attached();
	char *p = map_private(N);
	pid_t pid;

	gates();
	cpu_stamp(p, N, 1);
	pid = spawn();
	if (!pid) {
		wait_at(&go);
		cpu_sees(p, N, 1);
		_exit(0);
	}
	populate(fd, p, N, 0);
	none_writable(fd, p, N);
	verify(fd, p, N);
	device_stamp(fd, p, N, 2);
	pass(&go);
	join(pid);
	cpu_sees(p, N, 2);
	verify(fd, p, N);
}

/* The parent's CPU copies; its device must leave the page to the child. */
TEST(g3_cpu_write_after_fork_moves_entry, 10)
{
	int fd = attached();
	char *p = map_private(N);
	pid_t pid;

	gates();
	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	pid = spawn();
	if (!pid) {
		wait_at(&go);
		cpu_sees(p, N, 1);
		cpu_stamp(p, N, 7);	/* its pages; nobody else's */
		pass(&done);
		wait_at(&go);
		_exit(0);
	}
	populate(fd, p, N, 0);
	cpu_stamp(p, N, 2);
	verify(fd, p, N);
	device_sees(fd, p, N, 2);
	pass(&go);
	wait_at(&done);
	device_sees(fd, p, N, 2);
	device_stamp(fd, p, N, 3);
	cpu_sees(p, N, 3);
	verify(fd, p, N);
	pass(&go);
	join(pid);
}

/* The child's CPU copies: the parent keeps its pages, and may write again. */
TEST(g3_child_writes_after_fork, 10)
{
	int fd = attached();
	char *p = map_private(N);
	pid_t pid;

	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	pid = spawn();
	if (!pid) {
		cpu_stamp(p, N, 7);
		_exit(0);
	}
	join(pid);
	device_sees(fd, p, N, 1);
	cpu_stamp(p, N, 2);
	device_sees(fd, p, N, 2);
	device_stamp(fd, p, N, 3);
	cpu_sees(p, N, 3);
	verify(fd, p, N);
}

/* A handle from before fork serves the parent's memory, so not the child. */
TEST(g9_inherited_handle_is_refused, 10)
{
	int fd = attached(), entry;
	char *p = map_private(N);
	struct my_mmu_verify v;
	uint64_t word = POISON;
	pid_t pid;

	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	pid = spawn();
	if (!pid) {
		EXPECT_EQ(mmu_populate(fd, p, MMU_PAGE, 0), -EIO, "populate");
		EXPECT_EQ(mmu_read(fd, p, &word, 8), -EIO, "read");
		EXPECT_EQ(word, POISON, "nothing was read");
		EXPECT_EQ(mmu_write(fd, p, &word, 8), -EIO, "write");
		EXPECT_EQ(mmu_entry(fd, p), -EIO, "query");
		EXPECT_EQ(mmu_verify(fd, NULL, 0, &v), -EIO, "verify");
		EXPECT_EQ(mmu_configure(fd, 0), -EIO, "configure");
		EXPECT_EQ(mmu_attach(fd, test_variant), -EBUSY, "attach");
		_exit(0);
	}
	join(pid);
	entry = mmu_entry(fd, p);
	EXPECT_GE(entry, 0, "the parent's handle still works");
	cpu_sees(p, N, 1);
	device_sees(fd, p, N, 1);
	verify(fd, p, N);
}

/* Both sides have a device of their own over what was the same memory. */
TEST(g3_devices_on_both_sides_of_fork, 10)
{
	int fd = attached(), own;
	char *p = map_private(N);
	pid_t pid;

	gates();
	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	pid = spawn();
	if (!pid) {
		own = attached();
		device_sees(own, p, N, 1);
		populate(own, p, N, 0);
		pass(&done);
		wait_at(&go);		/* the parent's device has written */
		device_sees(own, p, N, 1);
		device_stamp(own, p, N, 7);
		cpu_sees(p, N, 7);
		verify(own, p, N);
		_exit(0);
	}
	wait_at(&done);
	EXPECT_EQ(stats_of(fd).mmus, 2, "two external MMUs");
	device_stamp(fd, p, N, 2);
	pass(&go);
	join(pid);
	device_sees(fd, p, N, 2);
	cpu_sees(p, N, 2);
	verify(fd, p, N);
}

TEST(vfork_leaves_entries_alone, 10)
{
	int fd = attached(), status;
	char *p = map_private(N);
	pid_t pid;

	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	pid = vfork();
	if (!pid)
		_exit(3);
	ASSERT_EQ(waitpid(pid, &status, 0), pid, "the child ends");
	EXPECT_EQ(WEXITSTATUS(status), 3, "as it should");
	EXPECT_EQ(present(fd, p, N), N, "the memory is the parent's still");
	device_stamp(fd, p, N, 2);
	cpu_sees(p, N, 2);
	verify(fd, p, N);
}

/* --- fork while the device writes ----------------------------------------- */

struct writer {
	int fd;
	char *p;
	bool stop;
};

static void *write_all_the_time(void *arg)
{
	struct writer *w = arg;
	uint64_t n = 0;
	size_t i;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		n++;
		for (i = 0; i < 4; i++)
			ASSERT_EQ(mmu_write(w->fd, w->p + i * MMU_PAGE, &n, 8),
				  0, "the device writes");
	}
	return NULL;
}

/* What the child has at birth is its own: it must not change any more. */
TEST(g1_fork_while_device_writes, 20)
{
	struct writer w = { .fd = attached(), .p = map_private(4) };
	volatile uint64_t *word = (uint64_t *)w.p;
	pthread_t thread;
	uint64_t first;
	int round, i;
	pid_t pid;

	cpu_stamp(w.p, 4, 1);
	ASSERT_EQ(pthread_create(&thread, NULL, write_all_the_time, &w), 0,
		  "a thread");
	for (round = 0; round < 15; round++) {
		pid = spawn();
		if (!pid) {
			first = *word;
			for (i = 0; i < 20; i++) {
				sleep_ms(1);
				EXPECT_EQ(*word, first,
					  "the child's memory holds still");
			}
			_exit(0);
		}
		join(pid);
	}
	__atomic_store_n(&w.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	verify(w.fd, w.p, 4);
}
