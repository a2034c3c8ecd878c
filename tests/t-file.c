// SPDX-License-Identifier: GPL-2.0
/*
 * t-file.c - files that shrink, get holes and are written back
 *
 * The process that cuts the file has no device: the invalidation arrives in
 * its context, under rmap locks, for the process that has.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"
#include "disk.h"

#define N	32
#define RW	(PROT_READ | PROT_WRITE)

static int memfd;

static char *setup(int *fd)
{
	char *p;

	*fd = attached();
	memfd = make_memfd(N);
	p = map_fd(memfd, N, RW, MAP_SHARED);
	cpu_stamp(p, N, 1);
	populate(*fd, p, N, WRITE);
	return p;
}

static void resize_by_other_process(size_t pages)
{
	pid_t pid = spawn();

	if (!pid) {
		EXPECT_EQ(ftruncate(memfd, pages * MMU_PAGE), 0, "ftruncate");
		_exit(0);
	}
	join(pid);
}

TEST(g1_truncate_by_other_process, 10)
{
	int fd;
	char *p = setup(&fd), *cut = p + 10 * MMU_PAGE;

	resize_by_other_process(10);
	EXPECT_EQ(present(fd, cut, N - 10), 0, "no entry behind the end");
	EXPECT_EQ(present(fd, p, 10), 10, "all entries before it");
	poison_free_memory();
	device_cannot_read(fd, cut, N - 10);
	device_cannot_write(fd, cut, N - 10);
	device_sees(fd, p, 10, 1);
	resize_by_other_process(N);
	device_sees_zeros(fd, cut, N - 10);
	device_stamp(fd, cut, N - 10, 2);
	cpu_sees(cut, N - 10, 2);
	verify(fd, p, N);
}

/* A private copy behind the end goes, too. */
TEST(g1_truncate_takes_private_copies, 10)
{
	int fd;
	char *p = setup(&fd);
	char *q = map_fd(memfd, N, RW, MAP_PRIVATE);

	device_stamp(fd, q, N, 2);
	resize_by_other_process(10);
	EXPECT_EQ(present(fd, q + 10 * MMU_PAGE, N - 10), 0, "none is left");
	device_cannot_read(fd, q + 10 * MMU_PAGE, N - 10);
	device_sees(fd, q, 10, 2);
	device_sees(fd, p, 10, 1);
	verify(fd, p, 10);
	verify(fd, q, 10);
}

TEST(g1_hole_punched_by_other_process, 10)
{
	int fd;
	char *p = setup(&fd), *hole = p + 10 * MMU_PAGE;
	pid_t pid = spawn();

	if (!pid) {
		EXPECT_EQ(fallocate(memfd, FALLOC_FL_PUNCH_HOLE |
				    FALLOC_FL_KEEP_SIZE, 10 * MMU_PAGE,
				    5 * MMU_PAGE), 0, "fallocate");
		_exit(0);
	}
	join(pid);
	EXPECT_EQ(present(fd, hole, 5), 0, "no entry in the hole");
	EXPECT_EQ(present(fd, p, N), N - 5, "all the others");
	poison_free_memory();
	device_sees_zeros(fd, hole, 5);
	device_sees(fd, p, 10, 1);
	verify(fd, p, N);
}

TEST(g1_madv_remove, 10)
{
	int fd;
	char *p = setup(&fd), *hole = p + 10 * MMU_PAGE;

	ASSERT_EQ(madvise(hole, 5 * MMU_PAGE, MADV_REMOVE), 0, "madvise");
	EXPECT_EQ(present(fd, hole, 5), 0, "no entry in the hole");
	device_sees_zeros(fd, hole, 5);
	device_sees(fd, p, 10, 1);
	verify(fd, p, N);
}

/* --- a file system with a disk below: write-back -------------------------- */

static char *setup_on_disk(int *fd, int *file)
{
	char *p;

	*file = disk_file("data", N * MMU_PAGE);
	*fd = attached();
	p = map_fd(*file, N, RW, MAP_SHARED);
	return p;
}

/* What is on the disk, past the page cache. */
static void disk_holds(int file, unsigned int gen)
{
	char *buf = map_private(N);

	ASSERT_EQ(fsync(file), 0, "fsync");
	disk_drop_caches();
	ASSERT_EQ(pread(file, buf, N * MMU_PAGE, 0), N * MMU_PAGE, "pread");
	cpu_sees(buf, N, gen);
}

/*
 * Write-back makes ptes read-only and clean, and the device with them: its
 * next write must fault, or the kernel never learns that the page is dirty.
 */
TEST_ON_DISKS(g7_device_writes_reach_the_disk, 20)
{
	struct my_mmu_stats s;
	int fd, file;
	char *p = setup_on_disk(&fd, &file);

	device_stamp(fd, p, N, 1);
	ASSERT_EQ(msync(p, N * MMU_PAGE, MS_SYNC), 0, "msync");
	none_writable(fd, p, N);
	verify(fd, p, N);
	s = stats_of(fd);
	device_stamp(fd, p, N, 2);
	EXPECT_GE(stats_of(fd).device_faults - s.device_faults, N,
		  "each page faults before it is written again");
	ASSERT_EQ(msync(p, N * MMU_PAGE, MS_SYNC), 0, "msync");
	munmap(p, N * MMU_PAGE);
	disk_holds(file, 2);
}

/* On the disk now, whatever the page cache holds and believes to be clean. */
static void disk_has(int file, unsigned int gen)
{
	char path[64], *buf = map_private(N);
	int direct;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	direct = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	ASSERT_GE(direct, 0, "open for direct reading");
	ASSERT_EQ(pread(direct, buf, N * MMU_PAGE, 0), N * MMU_PAGE, "pread");
	close(direct);
	cpu_sees(buf, N, gen);
}

/*
 * Those of the CPU, too: it may write again only when the ptes were made clean,
 * by the function that the chain's stands in front of.
 */
TEST_ON_DISKS(g7_cpu_writes_reach_the_disk_again, 20)
{
	int fd, file;
	char *p = setup_on_disk(&fd, &file);
	unsigned int gen;

	for (gen = 1; gen <= 3; gen++) {
		populate(fd, p, N, 0);
		cpu_stamp(p, N, gen);
		ASSERT_EQ(fsync(file), 0, "fsync");
		disk_has(file, gen);
	}
	verify(fd, p, N);
}

/* Dirty by the device alone, never by the CPU, then unmapped. */
TEST_ON_DISKS(g7_device_writes_survive_munmap, 20)
{
	int fd, file;
	char *p = setup_on_disk(&fd, &file);

	populate(fd, p, N, WRITE);
	device_stamp(fd, p, N, 3);
	munmap(p, N * MMU_PAGE);
	EXPECT_EQ(present(fd, p, N), 0, "no entry is left");
	disk_holds(file, 3);
}

TEST_ON_DISKS(g1_truncate_on_disk, 20)
{
	int fd, file;
	char *p = setup_on_disk(&fd, &file);
	pid_t pid;

	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	pid = spawn();
	if (!pid) {
		EXPECT_EQ(ftruncate(file, 4 * MMU_PAGE), 0, "ftruncate");
		_exit(0);
	}
	join(pid);
	EXPECT_EQ(present(fd, p + 4 * MMU_PAGE, N - 4), 0, "none is left");
	device_cannot_read(fd, p + 4 * MMU_PAGE, N - 4);
	device_sees(fd, p, 4, 1);
	verify(fd, p, 4);
}
