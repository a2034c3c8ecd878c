// SPDX-License-Identifier: GPL-2.0
/*
 * t-memory.c - populate, read and write on every kind of memory
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define N	64

/* CPU and device see each other's writes, before and after a populate. */
static void both_see_all(int fd, char *p, size_t pages)
{
	cpu_stamp(p, pages, 1);
	device_sees(fd, p, pages, 1);
	cpu_stamp(p, pages, 2);
	device_sees(fd, p, pages, 2);
	device_stamp(fd, p, pages, 3);
	cpu_sees(p, pages, 3);
	populate(fd, p, pages, WRITE);
	verify(fd, p, pages);
	EXPECT_EQ(present(fd, p, pages), pages, "all pages are mirrored");
	cpu_stamp(p, pages, 4);
	device_sees(fd, p, pages, 4);
	device_stamp(fd, p, pages, 5);
	cpu_sees(p, pages, 5);
	verify(fd, p, pages);
}

TEST(anonymous_memory, 20)
{
	both_see_all(attached(), map_private(N), N);
}

TEST(shared_anonymous_memory, 20)
{
	int fd = attached();
	char *p = map_shared(N);
	pid_t pid;

	both_see_all(fd, p, N);
	pid = spawn();
	if (!pid) {
		cpu_sees(p, N, 5);
		cpu_stamp(p, N, 6);
		_exit(0);
	}
	join(pid);
	device_sees(fd, p, N, 6);
	verify(fd, p, N);
}

TEST(shared_file_memory, 20)
{
	int fd = attached(), memfd = make_memfd(N);
	char *p = map_fd(memfd, N, PROT_READ | PROT_WRITE, MAP_SHARED);
	uint64_t word = stamp(7, 3);

	both_see_all(fd, p, N);
	ASSERT_EQ(pwrite(memfd, &word, 8, 3 * MMU_PAGE), 8, "pwrite");
	word = 0;
	ASSERT_EQ(mmu_read(fd, p + 3 * MMU_PAGE, &word, 8), 0, "device read");
	EXPECT_EQ(word, stamp(7, 3), "the device sees what write(2) wrote");
	word = stamp(8, 4);
	ASSERT_EQ(mmu_write(fd, p + 4 * MMU_PAGE, &word, 8), 0, "device write");
	ASSERT_EQ(pread(memfd, &word, 8, 4 * MMU_PAGE), 8, "pread");
	EXPECT_EQ(word, stamp(8, 4), "read(2) sees what the device wrote");
}

/* A file mapped private: the device's write must not reach the file. */
TEST(g3_private_file_device_write_copies, 20)
{
	int fd = attached(), memfd = make_memfd(N);
	char *file = map_fd(memfd, N, PROT_READ | PROT_WRITE, MAP_SHARED);
	char *p = map_fd(memfd, N, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	cpu_stamp(file, N, 1);
	populate(fd, p, N, 0);
	none_writable(fd, p, N);
	device_sees(fd, p, N, 1);
	device_stamp(fd, p, N, 2);
	cpu_sees(p, N, 2);
	cpu_sees(file, N, 1);
	verify(fd, p, N);
}

/* The CPU's write replaces the page under a read entry: it must follow. */
TEST(g3_private_file_cpu_write_moves_entry, 20)
{
	int fd = attached(), memfd = make_memfd(N);
	char *file = map_fd(memfd, N, PROT_READ | PROT_WRITE, MAP_SHARED);
	char *p = map_fd(memfd, N, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	cpu_stamp(file, N, 1);
	device_sees(fd, p, N, 1);
	cpu_stamp(p, N, 2);
	verify(fd, p, N);
	device_sees(fd, p, N, 2);
	cpu_sees(file, N, 1);
	verify(fd, p, N);
}

/* 4.7 of the skeleton: reading untouched memory maps the zero page. */
TEST(g3_zero_page, 20)
{
	int fd = attached();
	char *p = map_private(N), *other = map_private(N);
	uint64_t pfn0 = 0, pfn1 = 0;

	populate(fd, p, N, 0);
	device_sees_zeros(fd, p, N);
	none_writable(fd, p, N);
	mmu_query(fd, p, NULL, &pfn0);
	mmu_query(fd, p + MMU_PAGE, NULL, &pfn1);
	EXPECT_EQ(pfn0, pfn1, "untouched pages share the zero page");
	verify(fd, p, N);

	device_stamp(fd, p, N, 1);
	cpu_sees(p, N, 1);
	device_sees_zeros(fd, other, N);
	EXPECT_EQ(*(volatile uint64_t *)other, 0, "zeros are still zeros");
	verify(fd, p, N);
}

TEST(g3_zero_page_cpu_write_moves_entry, 20)
{
	int fd = attached();
	char *p = map_private(N);

	device_sees_zeros(fd, p, N);
	cpu_stamp(p, N, 1);
	verify(fd, p, N);
	device_sees(fd, p, N, 1);
	verify(fd, p, N);
}

/* Any alignment, any length, across pages and leaf tables. */
TEST(access_of_any_alignment, 20)
{
	char *area = map_tables(2), *p = area + MMU_HUGE - 3 * MMU_PAGE;
	static const size_t at[] = { 0, 1, 4095, 4096, 8191, 12287, 12288 };
	static const size_t len[] = { 1, 2, 7, 4096, 4097, 9001 };
	static char wrote[9001], got[9001];
	int fd = attached();
	uint64_t done;
	size_t a, l, i;

	for (a = 0; a < sizeof(at) / sizeof(*at); a++) {
		for (l = 0; l < sizeof(len) / sizeof(*len); l++) {
			for (i = 0; i < len[l]; i++)
				wrote[i] = a * 16 + l + i * 7 + 1;
			EXPECT_EQ(mmu_write_count(fd, p + at[a], wrote, len[l],
						  &done, NULL),
				  0, "write %zu at %zu", len[l], at[a]);
			EXPECT_EQ(done, len[l], "all of it");
			EXPECT_EQ(memcmp(p + at[a], wrote, len[l]), 0,
				  "the CPU sees %zu at %zu", len[l], at[a]);
			EXPECT_EQ(mmu_read_count(fd, p + at[a], got, len[l],
						 &done, NULL),
				  0, "read %zu at %zu", len[l], at[a]);
			EXPECT_EQ(done, len[l], "all of it");
			EXPECT_EQ(memcmp(got, wrote, len[l]), 0,
				  "the device reads %zu at %zu", len[l], at[a]);
		}
	}
	EXPECT_EQ(p[-1], 0, "nothing was written before the memory");
	verify(fd, p, 6);
}

/* The device faults once for all that it is about to read, then never again. */
TEST(access_faults_once, 20)
{
	int fd = attached();
	char *p = map_tables(1);
	static char buf[N * 4096];
	uint64_t faults = 99;

	cpu_stamp(p, N, 1);	/* no zero page, whose copy is another fault */
	EXPECT_EQ(mmu_read_count(fd, p, buf, sizeof(buf), NULL, &faults), 0,
		  "first read");
	EXPECT_EQ(faults, 1, "one fault for all");
	EXPECT_EQ(mmu_read_count(fd, p, buf, sizeof(buf), NULL, &faults), 0,
		  "second read");
	EXPECT_EQ(faults, 0, "all pages are there");
	EXPECT_EQ(mmu_write_count(fd, p, buf, sizeof(buf), NULL, &faults), 0,
		  "first write");
	EXPECT_EQ(faults, 1, "read entries do not do for writing");
	EXPECT_EQ(mmu_write_count(fd, p, buf, sizeof(buf), NULL, &faults), 0,
		  "second write");
	EXPECT_EQ(faults, 0, "write entries do");
	EXPECT_EQ(mmu_read_count(fd, p, buf, sizeof(buf), NULL, &faults), 0,
		  "read after write");
	EXPECT_EQ(faults, 0, "write entries do for reading");
}

/* Batches of any size, ranges across leaf tables, twice over. */
TEST(populate_batches_and_tables, 20)
{
	static const uint32_t batch[] = { 1, 3, 16, 511, 512, 0 };
	char *area = map_tables(3), *p = area + MMU_HUGE - 8 * MMU_PAGE;
	const size_t pages = 8 + 512 + 8;
	int fd = attached();
	uint64_t done;
	size_t i;

	for (i = 0; i < sizeof(batch) / sizeof(*batch); i++) {
		EXPECT_EQ(mmu_populate_batch(fd, p, pages * MMU_PAGE, WRITE,
					     batch[i], &done, NULL),
			  0, "populate in batches of %u", batch[i]);
		EXPECT_EQ(done, pages, "all pages");
		EXPECT_EQ(stats_of(fd).entries, pages, "one entry per page");
		EXPECT_EQ(stats_of(fd).tables, 3, "three leaf tables");
		EXPECT_EQ(mmu_entry(fd, p - MMU_PAGE), 0, "none before");
		EXPECT_EQ(mmu_entry(fd, p + pages * MMU_PAGE), 0, "none after");
		/* Done twice, entries must not be counted twice. */
		populate(fd, p, pages, 0);
		EXPECT_EQ(stats_of(fd).entries, pages, "still one per page");
		EXPECT_EQ(mmu_entry(fd, p) & MY_MMU_ENTRY_WRITE,
			  MY_MMU_ENTRY_WRITE,
			  "a read populate takes no permission away");
		madvise(area, 3 * MMU_HUGE, MADV_DONTNEED);
		EXPECT_EQ(stats_of(fd).entries, 0, "all gone");
	}
}

/* Entry and reverse index of full tables: at most @per_page bytes a page. */
static void fill(size_t tables, uint64_t per_page)
{
	int fd = attached();
	char *p = map_tables(tables);
	struct my_mmu_stats s;

	populate(fd, p, tables * 512, WRITE);
	s = stats_of(fd);
	EXPECT_EQ(s.entries, tables * 512, "entries");
	EXPECT_GE(s.bytes, (8 + 4) * s.entries, "an entry and a link");
	EXPECT_LE(s.bytes, per_page * s.entries, "at most so many a page");
	note("%zu tables: %lu bytes for 1000 pages", tables,
	     (unsigned long)(s.bytes * 1000 / s.entries));
	munmap(p, tables * MMU_HUGE);
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is mirrored");
	close(fd);
}

TEST(g10_memory_per_page, 30)
{
	fill(2, 32);
	fill(32, 16);
	fill(100, 16);
}
