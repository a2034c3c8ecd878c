// SPDX-License-Identifier: GPL-2.0
/*
 * t-event-life.c - which events: exit, exec, reaping, handles elsewhere
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "events/events.h"

#define N	16

static void wait_until_gone(void)
{
	int fd = mmu_open(), ms;

	for (ms = 0; ms < 4000 && stats_of(fd).entries; ms += 10)
		sleep_ms(10);
	EXPECT_EQ(stats_of(fd).entries, 0, "no entry is left");
	close(fd);
}

SCENARIO(exit, 10)
{
	char *p = map_private(N);
	pid_t pid;

	record();
	name_range(p, N);
	pid = spawn();
	if (!pid) {
		mirrored(attached(), p, N);
		step("a process exits with the device open");
		_exit(0);
	}
	join(pid);
	wait_until_gone();
	recorded_all();
}

SCENARIO(exec, 10)
{
	char *p = map_private(N);
	pid_t pid;
	int fd;

	record();
	name_range(p, N);
	pid = spawn();
	if (!pid) {
		fd = attached();
		fcntl(fd, F_SETFD, 0);
		events_nr_named = 0;
		mirrored(fd, p, N);
		step("a process executes a program, which has the handle");
		execl("/bin/true", "true", NULL);
		_exit(127);
	}
	join(pid);
	wait_until_gone();
	recorded_all();
}

/* --- handles that others have --------------------------------------------- */

/* The heir changes its own memory, at the same addresses. */
SCENARIO(inherited_handle, 10)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);
	pid_t pid = spawn();

	if (!pid) {
		EXPECT_EQ(mmu_populate(fd, p, MMU_PAGE, 0), -EIO, "refused");
		step("a child with the parent's handle unmaps its copy of p");
		EXPECT_EQ(munmap(p, N * MMU_PAGE), 0, "munmap");
		step("the child exits with the parent's handle");
		_exit(0);
	}
	join(pid);
	step("the parent unmaps pages 2 to 5");
	EXPECT_EQ(munmap(at(p, 2), 4 * MMU_PAGE), 0, "munmap");
	recorded_all();
	agree(fd, p, N);
	agree_and_write(fd, at(p, 6), N - 6);
}

/* Two processes, each with a device of its own, one of them forked. */
SCENARIO(two_devices, 10)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);
	pid_t pid = spawn();
	int own;

	if (!pid) {
		own = attached();
		populate(own, p, N, 0);
		step("the child, with a device of its own, writes page 2");
		cpu_stamp(at(p, 2), 1, 5);
		step("the child unmaps page 3");
		EXPECT_EQ(munmap(at(p, 3), MMU_PAGE), 0, "munmap");
		agree(own, p, N);
		step("the child closes its device");
		close(own);
		_exit(0);
	}
	join(pid);
	recorded_all();
	device_sees(fd, p, N, 1);
	agree_and_write(fd, p, N);
}

static void send_handle(int via, int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = room, .msg_controllen = sizeof(room),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	*(int *)CMSG_DATA(c) = fd;
	ASSERT_EQ(sendmsg(via, &msg, 0), 1, "sendmsg");
}

static int receive_handle(int via)
{
	char room[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = room, .msg_controllen = sizeof(room),
	};

	ASSERT_EQ(recvmsg(via, &msg, 0), 1, "recvmsg");
	return *(int *)CMSG_DATA(CMSG_FIRSTHDR(&msg));
}

/* The child attaches and sends its handle; the test uses it, in vain. */
SCENARIO(passed_handle, 10)
{
	char *p = map_private(N), word[8];
	int pair[2], fd;
	struct gate go;
	pid_t pid;

	record();
	name_range(p, N);
	gate_init(&go);
	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0, "socketpair");
	cpu_stamp(p, N, 3);
	pid = spawn();
	if (!pid) {
		fd = attached();
		events_nr_named = 0;
		mirrored(fd, p, N);
		send_handle(pair[1], fd);
		wait_at(&go);
		agree_and_write(fd, p, N);
		step("the one who attached exits; its handle is elsewhere");
		_exit(0);
	}
	fd = receive_handle(pair[0]);
	step("who was given the handle unmaps its own p");
	EXPECT_EQ(mmu_read(fd, p, word, 8), -EIO, "refused");
	EXPECT_EQ(munmap(p, N * MMU_PAGE), 0, "munmap");
	pass(&go);
	join(pid);
	wait_until_gone();
	recorded_all();
	EXPECT_EQ(mmu_read(fd, p, word, 8), -ESRCH, "nothing to read from");
}

/* --- the reaper ----------------------------------------------------------- */

/*
 * Out of its CPU quota when the signal comes, lest it exits by itself. A new
 * period may begin at any time, and what another CPU has left over may come.
 */
static void victim(struct gate *ready, char *p, char *q)
{
	int fd;

	cgroup_enter("events", "cpu");
	fd = attached();
	events_nr_named = 0;
	mirrored(fd, p, N);
	mirrored(fd, q, N);
	ASSERT_EQ(mmu_configure(fd, 1000), 0, "a slow device");
	pass(ready);
	for (;;)
		;
}

/* The time is brought up to date with each tick only. */
static long cpu_time_of_victim(void)
{
	return cgroup_stat("events", "cpu.stat", "usage_usec") +
	       cgroup_stat("events", "cpu.stat", "nr_periods");
}

static int reap(pid_t pid)
{
	int pidfd = syscall(SYS_pidfd_open, pid, 0), ret;

	ASSERT_GE(pidfd, 0, "pidfd_open");
	step("process_mrelease of a killed process: p private, q shared");
	kill(pid, SIGKILL);
	ret = syscall(SYS_process_mrelease, pidfd, 0) ? -errno : 0;
	close(pidfd);
	return ret;
}

SCENARIO(reaper, 30)
{
	char *p = map_private(N), *q = map_shared(N);
	bool undisturbed = false;
	struct gate ready;
	int tries, ret = 0;
	long ran;
	pid_t pid;
	char c;

	name_range(p, N);
	name_range(q, N);
	for (tries = 0; tries < 10 && !undisturbed; tries++) {
		record();
		gate_init(&ready);
		pid = spawn();
		if (!pid)
			victim(&ready, p, q);
		close(ready.fd[1]);
		if (read(ready.fd[0], &c, 1) != 1 ||
		    !cgroup_throttle("events")) {
			kill_and_reap(pid);
			cannot("no CPU quota");
		}
		ran = cpu_time_of_victim();
		ret = reap(pid);
		step("it exits");
		undisturbed = !ret && cpu_time_of_victim() == ran;
		cgroup_write("events", "cpu.max", "max");
		ASSERT_EQ(waitpid(pid, NULL, 0), pid, "the victim dies");
		cgroup_remove_all();
	}
	ASSERT_EQ(ret, 0, "process_mrelease");
	ASSERT_EQ(undisturbed, true, "one of ten victims stayed where it was");
	recorded_all();
}

/* --- an invalidation that takes its time ---------------------------------- */

#define SLOW_MS		300

static void *unmap(void *p)
{
	EXPECT_EQ(munmap(p, N * MMU_PAGE), 0, "munmap");
	return NULL;
}

static const char *another_variant(void)
{
	return mmu_variants[!strcmp(mmu_variants[0], test_variant)];
}

static void on_alarm(int nr)
{
	(void)nr;
}

/*
 * A slow device holds up a munmap, with the mmap_lock held; who attaches waits
 * for the lock, and has a signal by the time it gets it.
 */
TEST(attach_with_a_signal_pending, 10)
{
	struct my_mmu_attach a = { 0 };
	struct itimerval timer = { .it_value.tv_usec = SLOW_MS * 1000 / 2 };
	struct sigaction action = { .sa_handler = on_alarm };
	int slow = attached(), fd = mmu_open(), ret;
	char *p = map_private(N), *q = map_private(N);
	pthread_t thread;

	strcpy(a.variant, another_variant());
	populate(slow, p, N, WRITE);
	ASSERT_EQ(mmu_configure(slow, SLOW_MS * 1000), 0, "a slow device");
	sigaction(SIGALRM, &action, NULL);
	pthread_create(&thread, NULL, unmap, p);
	while (present(slow, p, N))
		;
	setitimer(ITIMER_REAL, &timer, NULL);
	ret = mmu_ioctl(fd, MY_MMU_ATTACH, &a);
	EXPECT_EQ(ret, -EINTR, "a pending signal is in the way");
	pthread_join(thread, NULL);
	EXPECT_EQ(mmu_entry(fd, q), -ENOTCONN, "nothing is attached");
	EXPECT_EQ(mmu_ioctl(fd, MY_MMU_ATTACH, &a), 0, "it works without");
	agree_and_write(fd, q, N);
	mmu_configure(slow, 0);
	verify(slow, q, N);
}

/* The last handle goes while the device has not yet answered. */
TEST(g5_close_during_an_invalidation, 10)
{
	int fd = attached(), again;
	char *p = map_private(N), *q = map_private(N);
	pthread_t thread;
	double start;

	cpu_stamp(q, N, 1);
	populate(fd, p, N, WRITE);
	populate(fd, q, N, WRITE);
	ASSERT_EQ(mmu_configure(fd, SLOW_MS * 1000), 0, "a slow device");
	start = seconds();
	pthread_create(&thread, NULL, unmap, p);
	while (present(fd, p, N))
		;
	EXPECT_EQ(close(fd), 0, "closed, while the munmap waits");
	pthread_join(thread, NULL);
	EXPECT_GE(seconds() - start, SLOW_MS / 1000., "it has waited");
	again = attached();
	EXPECT_EQ(present(again, q, N), 0, "a new device begins with nothing");
	device_sees(again, q, N, 1);
	verify(again, q, N);
}
