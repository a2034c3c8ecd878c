// SPDX-License-Identifier: GPL-2.0
/*
 * t-event-file.c - which events: files that are cut, punched and written back
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "disk.h"
#include "events/events.h"

#define N	16

/* One file, mapped twice: p and q. */
struct twice {
	int fd, file;
	char *p, *q;
};

static struct twice mapped_twice(void)
{
	struct twice t = { .fd = recorded(), .file = make_memfd(N) };

	t.p = mirrored(t.fd, map_fd(t.file, N, RW, MAP_SHARED), N);
	t.q = mirrored(t.fd, map_fd(t.file, N, RW, MAP_SHARED), N);
	return t;
}

/* Whoever has memory and runs takes its mmap_lock now and then. */
static void wait_until_parent_sleeps(void)
{
	char path[32], state = 'R';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", getppid());
	while (state != 'S') {
		sleep_ms(1);
		f = fopen(path, "re");
		ASSERT_EQ(f && fscanf(f, "%*d %*s %c", &state) == 1, 1,
			  "%s can be read", path);
		fclose(f);
	}
}

SCENARIO(punch_hole, 10)
{
	struct twice t = mapped_twice();
	pid_t pid = spawn();

	if (!pid) {
		wait_until_parent_sleeps();
		step("another process punches pages 2 to 5 out of the file");
		EXPECT_EQ(fallocate(t.file, FALLOC_FL_PUNCH_HOLE |
				    FALLOC_FL_KEEP_SIZE, 2 * MMU_PAGE,
				    4 * MMU_PAGE), 0, "fallocate");
		_exit(0);
	}
	join(pid);
	recorded_all();
	EXPECT_EQ(present(t.fd, at(t.p, 2), 4), 0, "no entry in the hole");
	device_sees_zeros(t.fd, at(t.p, 2), 4);
	agree_and_write(t.fd, t.p, N);
	agree(t.fd, t.q, N);
}

SCENARIO(madv_remove, 10)
{
	struct twice t = mapped_twice();

	step("MADV_REMOVE of pages 2 to 5 of p");
	EXPECT_EQ(madvise(at(t.p, 2), 4 * MMU_PAGE, MADV_REMOVE), 0,
		  "madvise");
	recorded_all();
	device_sees_zeros(t.fd, at(t.q, 2), 4);
	agree_and_write(t.fd, t.p, N);
	agree(t.fd, t.q, N);
}

SCENARIO(truncate, 10)
{
	struct twice t = mapped_twice();
	pid_t pid = spawn();

	if (!pid) {
		wait_until_parent_sleeps();
		step("another process cuts the file to 4 pages");
		EXPECT_EQ(ftruncate(t.file, 4 * MMU_PAGE), 0, "ftruncate");
		step("it makes it longer again");
		EXPECT_EQ(ftruncate(t.file, N * MMU_PAGE), 0, "ftruncate");
		_exit(0);
	}
	join(pid);
	recorded_all();
	EXPECT_EQ(present(t.fd, t.p, N), 4, "four entries are left");
	device_sees_zeros(t.fd, at(t.p, 4), N - 4);
	agree_and_write(t.fd, t.p, N);
	agree(t.fd, t.q, N);
}

/* --- a file system with a disk below -------------------------------------- */

SCENARIO(writeback, 20)
{
	int file = disk_file("events", 4 * MMU_PAGE), fd = recorded();
	char *p = mirrored(fd, map_fd(file, 4, RW, MAP_SHARED), 4);

	step("msync of 4 dirty pages");
	EXPECT_EQ(msync(p, 4 * MMU_PAGE, MS_SYNC), 0, "msync");
	none_writable(fd, p, 4);
	step("the CPU writes page 2");
	cpu_stamp(at(p, 2), 1, 2);
	step("msync of one dirty page");
	EXPECT_EQ(msync(p, 4 * MMU_PAGE, MS_SYNC), 0, "msync");
	step("drop_caches, while it is mapped");
	EXPECT_EQ(write_file("/proc/sys/vm/drop_caches", "1"), 0, "drop");
	recorded_all();
	agree_and_write(fd, p, 4);
}
