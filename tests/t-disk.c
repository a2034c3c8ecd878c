// SPDX-License-Identifier: GPL-2.0
/*
 * t-disk.c - files on each file system that the kernel has
 *
 * The kinds: a journal (ext4), a new place for each page that is written
 * (btrfs), folios of many pages (xfs; later kernels' ext4 and btrfs as well).
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"
#include "disk.h"

#define N	32
#define MANY	128
#define RW	(PROT_READ | PROT_WRITE)

/* What another mkfs makes may have neither: an ext2 in all but name. */
TEST(ext4_has_extents_and_a_journal, 20)
{
	unsigned int flags = 0;
	glob_t journals;
	int file;

	test_disk = "ext4";
	file = disk_file("flags", MMU_PAGE);
	ASSERT_EQ(ioctl(file, FS_IOC_GETFLAGS, &flags), 0, "the file's flags");
	EXPECT_EQ(flags & FS_EXTENT_FL, FS_EXTENT_FL, "it is made of extents");
	EXPECT_EQ(glob("/proc/fs/jbd2/zram*", 0, NULL, &journals), 0,
		  "the disk has a journal");
}

/* What is on the disk, past the page cache. */
static char *from_disk(int file, size_t pages)
{
	char *buf = map_private(pages);
	ssize_t len = pages * MMU_PAGE;

	ASSERT_EQ(fsync(file), 0, "fsync");
	disk_drop_caches();
	ASSERT_EQ(pread(file, buf, len, 0), len, "pread");
	return buf;
}

static char *in_file(int file, size_t pages)
{
	char *buf = map_private(pages);
	ssize_t len = pages * MMU_PAGE;

	ASSERT_EQ(pread(file, buf, len, 0), len, "pread");
	return buf;
}

TEST_ON_DISKS(g3_shared_and_private_file, 20)
{
	int file = disk_file("mapped", N * MMU_PAGE), fd = attached();
	char *shared = map_fd(file, N, RW, MAP_SHARED);
	char *private = map_fd(file, N, RW, MAP_PRIVATE);
	char *buf = map_private(N);

	cpu_stamp(shared, N, 1);
	populate(fd, shared, N, WRITE);
	populate(fd, private, N, 0);
	device_sees(fd, private, N, 1);
	device_stamp(fd, private, N / 2, 2);
	cpu_sees(shared, N, 1);
	device_sees(fd, shared, N, 1);
	cpu_stamp(buf, N, 3);
	ASSERT_EQ(pwrite(file, buf, N * MMU_PAGE, 0), N * MMU_PAGE, "pwrite");
	device_sees(fd, shared, N, 3);
	device_sees(fd, private, N / 2, 2);
	EXPECT_EQ(memcmp(private + N / 2 * MMU_PAGE, buf + N / 2 * MMU_PAGE,
			 N / 2 * MMU_PAGE), 0, "what is no copy is the file");
	verify(fd, private, N);
	device_stamp(fd, shared, N, 4);
	cpu_sees(in_file(file, N), N, 4);
	verify(fd, shared, N);
	cpu_sees(from_disk(file, N), N, 4);
}

/* The device faults a hole in, and fills it: blocks are to be found for it. */
TEST_ON_DISKS(g7_device_fills_a_hole, 20)
{
	int file = disk_file("hole", N * MMU_PAGE), fd = attached();
	char *p = map_fd(file, N, RW, MAP_SHARED), *hole = p + 10 * MMU_PAGE;
	pid_t pid;

	cpu_stamp(p, N, 1);
	ASSERT_EQ(msync(p, N * MMU_PAGE, MS_SYNC), 0, "msync");
	populate(fd, p, N, WRITE);
	pid = spawn();
	if (!pid) {
		EXPECT_EQ(fallocate(file, FALLOC_FL_PUNCH_HOLE |
				    FALLOC_FL_KEEP_SIZE, 10 * MMU_PAGE,
				    5 * MMU_PAGE), 0, "fallocate");
		_exit(0);
	}
	join(pid);
	EXPECT_EQ(present(fd, hole, 5), 0, "no entry in the hole");
	poison_free_memory();
	device_sees_zeros(fd, hole, 5);
	device_stamp(fd, hole, 5, 2);
	device_sees(fd, p, 10, 1);
	verify(fd, p, N);
	p = from_disk(file, N);
	cpu_sees(p, 10, 1);
	cpu_sees(p + 10 * MMU_PAGE, 5, 2);
}

/* --- folios of many pages ------------------------------------------------- */

struct large {
	int fd, file;
	char *p;		/* MANY pages of the file, all mapped */
	size_t first, pages;	/* the largest folio among them */
};

/* Written at once, then read ahead: either makes large folios. */
static char *map_read_ahead(int file)
{
	char *p = map_private(MANY);
	ssize_t len = MANY * MMU_PAGE;

	cpu_stamp(p, MANY, 1);
	ASSERT_EQ(pwrite(file, p, len, 0), len, "pwrite");
	munmap(p, len);
	munmap(from_disk(file, MANY), len);
	p = map_fd(file, MANY, RW, MAP_SHARED);
	cpu_sees(p, MANY, 1);
	return p;
}

static bool find_large(struct large *l)
{
	size_t i, n;

	l->file = disk_file("large", MANY * MMU_PAGE);
	l->p = map_read_ahead(l->file);
	l->pages = 1;
	for (i = 0; i < MANY; i += n ?: 1) {
		n = folio_pages(l->p + i * MMU_PAGE);
		if (n <= l->pages)
			continue;
		l->first = i;
		l->pages = n;
	}
	return l->pages > 1;
}

/* On each file system that keeps such folios; xfs has for long. */
static void on_large_folios(void (*run)(struct large *l))
{
	struct large l = { .fd = attached() };
	size_t i, found = 0;

	for (i = 0; disk_types[i]; i++) {
		test_disk = disk_types[i];
		if (!disk_exists() || !find_large(&l))
			continue;
		note("%s: %zu pages", test_disk, l.pages);
		run(&l);
		munmap(l.p, MANY * MMU_PAGE);
		close(l.file);
		found++;
	}
	test_disk = "xfs";
	if (!found && disk_exists())
		EXPECT_GT(found, 0, "xfs keeps large folios");
	if (!found)
		skip("no file system here keeps large folios");
}

/* Through the eviction of one page goes its whole folio, and no other. */
static void evict_at(struct large *l, size_t i)
{
	char *folio = l->p + l->first * MMU_PAGE;

	populate(l->fd, l->p, MANY, WRITE);
	EXPECT_EQ(mmu_evict(l->fd, folio + i * MMU_PAGE), 1, "page %zu", i);
	EXPECT_EQ(present(l->fd, folio, l->pages), 0,
		  "no page of its folio has an entry");
	EXPECT_EQ(stats_of(l->fd).entries, MANY - l->pages,
		  "and all others have theirs");
}

static void each_tail(struct large *l)
{
	char *folio = l->p + l->first * MMU_PAGE, *page;
	size_t i;

	for (i = 0; i < l->pages; i++) {
		page = folio + i * MMU_PAGE;
		evict_at(l, i);
		populate(l->fd, page, 1, 0);
		EXPECT_EQ(mmu_entry(l->fd, page) & MY_MMU_ENTRY_PRESENT, 1,
			  "an entry of its own");
		EXPECT_EQ(mmu_evict(l->fd, page), 1, "that of page %zu", i);
		EXPECT_EQ(mmu_entry(l->fd, page), 0, "can go alone, too");
	}
	device_sees(l->fd, l->p, MANY, 1);
	verify(l->fd, l->p, MANY);
}

TEST_BOTH_MODES(g4_each_page_of_a_large_folio, 60)
{
	on_large_folios(each_tail);
}

/* One page of the folio is dirty again: the others stay as they are. */
static void write_back(struct large *l)
{
	size_t last = l->first + l->pages - 1;
	char *page = l->p + last * MMU_PAGE, *disk;

	device_stamp(l->fd, l->p, MANY, 2);
	ASSERT_EQ(msync(l->p, MANY * MMU_PAGE, MS_SYNC), 0, "msync");
	none_writable(l->fd, l->p, MANY);
	verify(l->fd, l->p, MANY);
	device_stamp(l->fd, page, 1, 3);
	none_writable(l->fd, l->p, last);
	ASSERT_EQ(msync(l->p, MANY * MMU_PAGE, MS_SYNC), 0, "msync");
	none_writable(l->fd, l->p, MANY);
	munmap(l->p, MANY * MMU_PAGE);
	disk = from_disk(l->file, MANY);
	cpu_sees(disk, last, 2);
	cpu_sees(disk + last * MMU_PAGE, 1, 3);
}

TEST_BOTH_MODES(g7_large_folio_is_written_back, 60)
{
	on_large_folios(write_back);
}

/* The file ends within the folio: it has to be split, or to lose its tail. */
static void truncate_within(struct large *l)
{
	size_t keep = l->first + l->pages / 2;
	char *cut = l->p + keep * MMU_PAGE;
	pid_t pid;

	populate(l->fd, l->p, MANY, WRITE);
	pid = spawn();
	if (!pid) {
		EXPECT_EQ(ftruncate(l->file, keep * MMU_PAGE), 0, "ftruncate");
		_exit(0);
	}
	join(pid);
	EXPECT_EQ(present(l->fd, cut, MANY - keep), 0, "no entry behind");
	poison_free_memory();
	device_cannot_read(l->fd, cut, MANY - keep);
	device_sees(l->fd, l->p, keep, 1);
	ASSERT_EQ(ftruncate(l->file, MANY * MMU_PAGE), 0, "longer again");
	device_sees_zeros(l->fd, cut, MANY - keep);
	device_stamp(l->fd, l->p, MANY, 2);
	cpu_sees(l->p, MANY, 2);
	verify(l->fd, l->p, MANY);
}

TEST_BOTH_MODES(g1_large_folio_is_cut, 60)
{
	on_large_folios(truncate_within);
}
