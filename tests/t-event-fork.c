// SPDX-License-Identifier: GPL-2.0
/*
 * t-event-fork.c - which events: fork, and what is copied when it is written
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events/events.h"

#define N	16

static struct gate go, done;

SCENARIO(fork, 10)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);
	char *q = mirrored(fd, map_shared(N), N);
	pid_t pid;

	gate_init(&go);
	gate_init(&done);
	step("fork with p private and q shared");
	pid = spawn();
	if (!pid) {
		wait_at(&go);
		cpu_sees(p, N, 1);
		cpu_stamp(at(p, 3), 1, 5);
		pass(&done);
		wait_at(&go);
		_exit(0);
	}
	none_writable(fd, p, N);
	step("the parent writes page 2");
	cpu_stamp(at(p, 2), 1, 2);
	step("the parent writes page 2 again");
	cpu_stamp(at(p, 2), 1, 3);
	step("the child writes page 3");
	pass(&go);
	wait_at(&done);
	step("the parent writes page 3, now its own");
	cpu_stamp(at(p, 3), 1, 2);
	step("the child exits");
	pass(&go);
	join(pid);
	step("the parent writes page 4");
	cpu_stamp(at(p, 4), 1, 2);
	recorded_all();
	agree_and_write(fd, p, N);
	agree_and_write(fd, q, N);
}

SCENARIO(fork_and_exec, 10)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);
	struct gate go;
	pid_t pid;

	gate_init(&go);
	pid = spawn();
	if (!pid) {
		wait_at(&go);
		step("a child without a device executes a program");
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	populate(fd, p, N, 0);
	pass(&go);
	join(pid);
	step("the parent writes page 2");
	cpu_stamp(at(p, 2), 1, 2);
	recorded_all();
	agree_and_write(fd, p, N);
}

SCENARIO(vfork, 10)
{
	int fd = recorded(), status;
	char *p = mirrored(fd, map_private(N), N);
	pid_t pid;

	step("vfork, and the child exits");
	pid = vfork();
	if (!pid)
		_exit(0);
	ASSERT_EQ(waitpid(pid, &status, 0), pid, "the child ends");
	recorded_all();
	EXPECT_EQ(present(fd, p, N), N, "all entries stay");
	agree_and_write(fd, p, N);
}

/* --- what is not there yet, or not ours yet ------------------------------- */

SCENARIO(zero_page, 10)
{
	int fd = recorded();
	char *p = map_private(N);

	name_range(p, N);
	populate(fd, p, 4, 0);
	device_sees_zeros(fd, p, 4);
	step("the CPU reads page 8, that nobody has touched");
	EXPECT_EQ(*(volatile char *)at(p, 8), 0, "zero");
	step("the CPU writes page 2, that the device has read");
	cpu_stamp(at(p, 2), 1, 2);
	step("the CPU writes page 9, that nobody has touched");
	cpu_stamp(at(p, 9), 1, 2);
	recorded_all();
	agree_and_write(fd, p, N);
}

/* A read fault maps what is around it, too: 16 pages at most. */
SCENARIO(private_file, 10)
{
	int fd = recorded(), memfd = make_memfd(4 * N);
	char *shared = map_fd(memfd, 4 * N, RW, MAP_SHARED);
	char *p = map_fd(memfd, 4 * N, RW, MAP_PRIVATE);

	cpu_stamp(shared, 4 * N, 1);
	name_range(p, 4 * N);
	populate(fd, p, 4, 0);
	device_sees(fd, p, 4, 1);
	step("the CPU writes page 2 of a file, that the device has read");
	cpu_stamp(at(p, 2), 1, 2);
	step("the CPU writes page 40, that is not mapped yet");
	EXPECT_EQ(pagemap(at(p, 40)) & PM_PRESENT, 0, "page 40 is not mapped");
	cpu_stamp(at(p, 40), 1, 2);
	recorded_all();
	cpu_sees(shared, 4 * N, 1);
	agree_and_write(fd, p, 4 * N);
	cpu_sees(shared, 4 * N, 1);
}

/*
 * A kernel with CONFIG_PROC_MEM_FORCE_PTRACE (Debian's 7.3; an option since
 * 6.12) lets a tracer of the process overrule a mapping's permissions, and
 * nobody else.
 */
static void debugger_writes(pid_t traced, const char *where)
{
	char path[32];
	int mem;

	ASSERT_EQ(ptrace(PTRACE_SEIZE, traced, 0, 0), 0, "PTRACE_SEIZE");
	snprintf(path, sizeof(path), "/proc/%d/mem", traced);
	mem = open(path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(mem, 0, "open %s", path);
	ASSERT_EQ(pwrite(mem, "x", 1, (uintptr_t)where), 1, "pwrite");
	_exit(0);
}

/* A debugger's write to memory that is read-only. */
SCENARIO(write_by_force, 10)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);
	pid_t pid;

	gate_init(&go);
	EXPECT_EQ(mprotect(p, N * MMU_PAGE, PROT_READ), 0, "mprotect");
	populate(fd, p, N, 0);
	ASSERT_EQ(madvise(p, N * MMU_PAGE, MADV_DONTFORK), 0, "all ours");
	pid = spawn();
	if (!pid) {
		wait_at(&go);
		debugger_writes(getppid(), at(p, 2) + 100);
	}
	step("a debugger writes page 2, that is read-only and ours");
	pass(&go);
	join(pid);
	recorded_all();
	EXPECT_EQ(at(p, 2)[100], 'x', "it was written");
	device_sees(fd, p, N, 1);
	agree(fd, p, N);
}
