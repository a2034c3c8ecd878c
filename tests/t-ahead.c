// SPDX-License-Identifier: GPL-2.0
/*
 * t-ahead.c - G3, G9, G10: a device that misses populates what it will come to
 *
 * The rest of its access, in the same leaf table, and not a page more.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"
#include "testpoint.h"

#define ALL	(MMU_HUGE / MMU_PAGE)
#define N	64
/* N pages in one leaf table are one batch: map_tables(1) */

static int fd;
static char buf[2 * MMU_HUGE];

static uint64_t faults_of_read(char *p, size_t len)
{
	uint64_t done = 0, faults = 0;

	ASSERT_EQ(mmu_read_count(fd, p, buf, len, &done, &faults), 0,
		  "the device reads");
	ASSERT_EQ(done, len, "to the end");
	ASSERT_EQ(memcmp(buf, p, len), 0, "what is there");
	return faults;
}

static void forget(char *p, size_t pages)
{
	EXPECT_EQ(mprotect(p, pages * MMU_PAGE, PROT_READ), 0, "protect");
	EXPECT_EQ(mprotect(p, pages * MMU_PAGE, PROT_READ | PROT_WRITE), 0,
		  "and allow");
	EXPECT_EQ(present(fd, p, pages), 0, "the device has none");
}

struct access {
	size_t from, len;	/* bytes */
	size_t first, pages;	/* what is populated */
	uint64_t faults;
};

#define PAGES(n)	((n) * MMU_PAGE)

static const struct access accesses[] = {
	{ 0, 1, 0, 1, 1 },
	{ 0, PAGES(1), 0, 1, 1 },
	{ 1, PAGES(1), 0, 2, 1 },
	{ PAGES(3) - 1, 1, 2, 1, 1 },
	{ PAGES(3) - 1, 2, 2, 2, 1 },
	{ PAGES(7) + 100, PAGES(5), 7, 6, 1 },
	{ PAGES(0), PAGES(ALL), 0, ALL, 1 },
	{ PAGES(ALL - 1), PAGES(2), ALL - 1, 2, 2 },
	{ PAGES(ALL) - 1, 2, ALL - 1, 2, 2 },
	{ PAGES(10), PAGES(ALL), 10, ALL, 2 },
	{ 0, PAGES(2 * ALL), 0, 2 * ALL, 2 },
};

/* From where to where, across pages and tables: that, and nothing beside it. */
TEST(g10_ahead_to_the_end_of_the_access, 20)
{
	const struct access *a;
	size_t i;
	char *p;

	fd = attached();
	p = map_tables(2);
	cpu_stamp(p, 2 * ALL, 1);
	for (i = 0; i < sizeof(accesses) / sizeof(*accesses); i++) {
		a = &accesses[i];
		EXPECT_EQ(faults_of_read(p + a->from, a->len), a->faults,
			  "faults of access %zu", i);
		EXPECT_EQ(present(fd, p, 2 * ALL), a->pages,
			  "pages of access %zu", i);
		EXPECT_EQ(present(fd, p + PAGES(a->first), a->pages), a->pages,
			  "and just these");
		forget(p, 2 * ALL);
	}
}

TEST(g10_ahead_as_far_as_allowed, 20)
{
	static const unsigned int ahead[] = { 1, 2, 16, 63, 64, 100000, 0 };
	uint64_t faults;
	size_t i;
	char *p;

	fd = attached();
	p = map_tables(1);
	cpu_stamp(p, N, 1);
	for (i = 0; i < sizeof(ahead) / sizeof(*ahead); i++) {
		ASSERT_EQ(write_file(DRIVER_PARAM("fault_ahead"), "%u",
				     ahead[i]), 0, "fault_ahead");
		faults = faults_of_read(p, PAGES(N));
		EXPECT_EQ(faults, ahead[i] ? (N + ahead[i] - 1) / ahead[i] : N,
			  "faults of %d pages, %u ahead", N, ahead[i]);
		verify(fd, p, N);
		forget(p, N);
	}
}

/* What is behind a hole is no business of who ends at the hole. */
TEST(g9_ahead_to_a_hole, 20)
{
	uint64_t done = 0, faults = 0;
	char *p = map_tables(1);

	fd = attached();
	cpu_stamp(p, N, 1);
	EXPECT_EQ(munmap(p + PAGES(20), MMU_PAGE), 0, "a hole");
	EXPECT_EQ(mmu_read_count(fd, p, buf, PAGES(N), &done, &faults), -EFAULT,
		  "the device reads");
	EXPECT_EQ(done, PAGES(20), "up to the hole");
	EXPECT_EQ(faults, 2, "one for what is there, one for the hole");
	EXPECT_EQ(present(fd, p, N), 20, "entries up to there");
	EXPECT_EQ(memcmp(buf, p, PAGES(20)), 0, "and what is there");
	EXPECT_EQ(mmu_write_count(fd, p, buf, PAGES(N), &done, NULL), -EFAULT,
		  "likewise for writing");
	EXPECT_EQ(done, PAGES(20), "up to the hole");
	verify(fd, p, 20);
}

/* Entries for reading miss when the device writes; those for writing do not. */
TEST(g3_ahead_for_writing, 20)
{
	uint64_t faults = 99;
	char *p = map_tables(1);

	fd = attached();
	cpu_stamp(p, N, 1);
	populate(fd, p, N, 0);
	populate(fd, p, 8, WRITE);
	memset(buf, 7, PAGES(N));
	EXPECT_EQ(mmu_write_count(fd, p, buf, PAGES(N), NULL, &faults), 0,
		  "the device writes");
	EXPECT_EQ(faults, 1, "one fault, at page 8");
	EXPECT_EQ(memcmp(buf, p, PAGES(N)), 0, "and the CPU sees it");
	verify(fd, p, N);
}

/* Who loses tries with half, and with more again when that has worked. */
TEST(g10_ahead_after_losing, 20)
{
	struct my_mmu_stats before;
	uint64_t faults;
	char *p;

	tp_need();
	fd = attached();
	p = map_tables(1);
	cpu_stamp(p, N, 1);
	before = stats_of(fd);
	tp_tell("populate_lookup", "fail 3");
	faults = faults_of_read(p, PAGES(N));
	EXPECT_EQ(stats_of(fd).retries - before.retries, 3, "lost three times");
	/* 64, 32, 16 are lost; then 8, 16, 32 and the last 8. */
	EXPECT_EQ(faults, 3 + 4, "half as many pages each time, then twice");
	verify(fd, p, N);
}

static void reads_into(char *b, char *p)
{
	uint64_t done = 0;

	EXPECT_EQ(mmu_read_count(fd, p, b, PAGES(N), &done, NULL), 0, "read");
	EXPECT_EQ(done, PAGES(N), "to the end");
	EXPECT_EQ(memcmp(b, p, PAGES(N)), 0, "what is there");
}

/* No lock may be held while the caller's memory is brought in. */
TEST(g9_read_into_memory_that_is_not_there, 20)
{
	char *p = map_private(N), *b = map_private(N);
	size_t i;

	fd = attached();
	cpu_stamp(p, N, 1);
	reads_into(b, p);		/* never touched */
	cpu_stamp(p, N, 2);
	for (i = 0; i < N; i += 3)
		madvise(b + PAGES(i), MMU_PAGE, MADV_DONTNEED);
	reads_into(b, p);		/* some of it is there */
	cpu_stamp(p, N, 3);
	EXPECT_EQ(mprotect(b, PAGES(N), PROT_READ), 0, "read only");
	EXPECT_EQ(mmu_read(fd, p, b, PAGES(N)), -EFAULT, "read");
	EXPECT_EQ(mprotect(b, PAGES(N), PROT_READ | PROT_WRITE), 0, "again");
	reads_into(b, p);
	populate(fd, b, N, WRITE);	/* the device has it, too */
	cpu_stamp(p, N, 4);
	reads_into(b, p);
	verify(fd, b, N);
}

/* The caller's buffer ends before the memory does. */
TEST(g9_ahead_of_a_bad_buffer, 20)
{
	char *p = map_private(N), *b = map_private(4);
	uint64_t done = 0;

	fd = attached();
	cpu_stamp(p, N, 1);
	cpu_stamp(b, 4, 2);
	EXPECT_EQ(munmap(b + PAGES(2), PAGES(2)), 0, "half a buffer");
	EXPECT_EQ(mmu_write_count(fd, p, b, PAGES(4), &done, NULL), -EFAULT,
		  "the device writes from it");
	EXPECT_EQ(done, PAGES(2), "as much as there is");
	cpu_sees(p, 2, 2);
	EXPECT_EQ(mmu_read_count(fd, p, b, PAGES(4), &done, NULL), -EFAULT,
		  "reads into it");
	EXPECT_EQ(done, PAGES(2), "as much as has room");
	verify(fd, p, N);
}
