// SPDX-License-Identifier: GPL-2.0
/*
 * t-folio.c - G4: each page of a large folio, not the first alone
 *
 * The VM unmaps, migrates and splits a folio as one. The chain is asked for
 * the folio, and must ask for each page of it that anybody has exported:
 * one in the middle, the last one, all.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"

#define ALL	(MMU_HUGE / MMU_PAGE)
#define RW	(PROT_READ | PROT_WRITE)

static int fd;

static char *fill(char *p)
{
	ASSERT_NE(p, MAP_FAILED, "mmap");
	cpu_stamp(p, ALL, 1);
	if (!is_thp(p))
		skip("no huge page to be had");
	return p;
}

static char *map_hugetlb(void)
{
	char *p = mmap(NULL, MMU_HUGE, RW,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (p == MAP_FAILED)
		skip("no hugetlb pages (%s)", strerror(errno));
	cpu_stamp(p, ALL, 1);
	return p;
}

static uint64_t walks_of_evict(char *p, size_t page)
{
	uint64_t before = stats_of(fd).rmap_walks;

	int ran = mmu_evict(fd, p + page * MMU_PAGE);

	before = stats_of(fd).rmap_walks - before;
	ASSERT_EQ(ran, before ? 1 : 0, "evict page %zu", page);
	return before;
}

/* Whichever page is named, and whichever is mirrored, alone. */
static void each_page_alone(char *p)
{
	size_t i;

	walks_of_evict(p, 0);		/* nothing is on record now */
	for (i = 0; i < ALL; i++) {
		populate(fd, p + i * MMU_PAGE, 1, WRITE);
		ASSERT_EQ(walks_of_evict(p, i * 7 % ALL), 1,
			  "the chain runs for page %zu", i);
		ASSERT_EQ(mmu_entry(fd, p + i * MMU_PAGE), 0,
			  "its entry is gone");
	}
	EXPECT_EQ(walks_of_evict(p, 0), 0, "nothing is left on record");
	EXPECT_EQ(stats_of(fd).entries, 0, "no entry is left");
}

static void all_by_any(char *p)
{
	static const size_t named[] = { 0, 1, 63, 64, 255, 256, 510, 511 };
	size_t i;

	for (i = 0; i < sizeof(named) / sizeof(*named); i++) {
		populate(fd, p, ALL, WRITE);
		EXPECT_EQ(walks_of_evict(p, named[i]), ALL,
			  "the chain runs for all, by page %zu", named[i]);
		EXPECT_EQ(present(fd, p, ALL), 0, "no entry is left");
	}
	populate(fd, p + MMU_PAGE, ALL - 2, WRITE);
	EXPECT_EQ(walks_of_evict(p, 0), ALL - 2, "for those on record");
	EXPECT_EQ(present(fd, p, ALL), 0, "no entry is left");
}

static void evict_by_page(char *p)
{
	fd = attached();
	each_page_alone(p);
	all_by_any(p);
	device_sees(fd, p, ALL, 1);
	device_stamp(fd, p, ALL, 2);
	cpu_sees(p, ALL, 2);
	verify(fd, p, ALL);
}

TEST_BOTH_MODES(g4_evict_each_page_of_a_huge_page, 30)
{
	char *p = map_thp();

	evict_by_page(p);
	EXPECT_EQ(is_thp(p), 1, "it is a huge page still");
}

TEST_BOTH_MODES(g4_evict_each_page_of_a_huge_file_page, 30)
{
	evict_by_page(fill(map_thp_file(make_thp_file())));
}

TEST_BOTH_MODES(g4_evict_each_page_of_a_hugetlb_page, 30)
{
	evict_by_page(map_hugetlb());
}

/* Each page of a huge page of a file, at two addresses. */
TEST_BOTH_MODES(g4_evict_aliases_of_a_huge_file_page, 20)
{
	int file = make_thp_file(), i;
	char *p = fill(map_thp_file(file)), *q = map_thp_file(file);

	fd = attached();
	walks_of_evict(p, 0);
	for (i = 0; i < 3; i++) {
		populate(fd, p, i ? ALL : ALL / 2, WRITE);
		populate(fd, q + ALL / 4 * MMU_PAGE, ALL / 2, 0);
		EXPECT_EQ(walks_of_evict(i & 1 ? p : q, 300),
			  i ? ALL : ALL / 4 * 3, "once for each page");
		EXPECT_EQ(stats_of(fd).entries, 0, "no entry is left");
	}
	device_sees(fd, q, ALL, 1);
	verify(fd, q, ALL);
}

/*
 * Splitting unmaps the folio with migration entries and brings the ptes back,
 * to the same frames. No entry may survive this in between, though it would
 * be right again at the end.
 */
static void split(char *p)
{
	int ret = split_thp(p);

	if (ret)
		skip("split_huge_pages: %s", strerror(-ret));
	EXPECT_EQ(is_thp(p), 0, "it is split");
}

TEST_BOTH_MODES(g4_split_takes_each_page, 20)
{
	static const size_t from[] = { 0, 1, ALL / 2, ALL - 1 };
	char *p;
	int i;

	fd = attached();
	for (i = 0; i < 4; i++) {
		p = map_thp();
		madvise(p, MMU_HUGE, MADV_NOHUGEPAGE);
		populate(fd, p + from[i] * MMU_PAGE, ALL - from[i], WRITE);
		split(p);
		EXPECT_EQ(present(fd, p, ALL), 0, "no entry is left (from %zu)",
			  from[i]);
		device_sees(fd, p, ALL, 1);
		device_stamp(fd, p, ALL, 2);
		cpu_sees(p, ALL, 2);
		verify(fd, p, ALL);
		munmap(p, MMU_HUGE);
	}
}

/* Reclaim takes it as one, where swap has room for it in one piece. */
TEST_BOTH_MODES(g7_pageout_of_a_huge_page, 30)
{
	struct my_mmu_stats before;
	size_t out = 0;
	int tries;
	char *p;

	if (!have_swap())
		skip("no swap");
	stay_on_one_cpu();
	p = map_thp();
	fd = attached();
	populate(fd, p, ALL, WRITE);
	device_stamp(fd, p, ALL, 2);
	before = stats_of(fd);
	for (tries = 0; tries < 5 && out < ALL; tries++) {
		ASSERT_EQ(madvise(p, MMU_HUGE, MADV_PAGEOUT), 0, "pageout");
		out = swapped_without_entries(fd, p, ALL);
	}
	EXPECT_GE(out, ALL / 2, "most of it went to swap");
	if (test_mode && before.rmap_hook_active)
		EXPECT_GE(stats_of(fd).rmap_zaps - before.rmap_zaps, out,
			  "by the chain, which nobody else forestalls");
	poison_free_memory();
	verify(fd, p, ALL);
	device_sees(fd, p, ALL, 2);
	cpu_sees(p, ALL, 2);
	verify(fd, p, ALL);
}

/*
 * 4.11 of the skeleton, for a page that is not the first. The folio is marked
 * clean as one, and thrown away as one; a write to any page of it must tell.
 */
TEST_BOTH_MODES(g7_device_write_to_a_page_of_a_huge_page, 30)
{
	static const size_t written[] = { 0, 1, 300, 511 };
	uint64_t word;
	size_t i;
	char *p;

	if (!have_swap())
		skip("no swap");
	stay_on_one_cpu();
	fd = attached();
	for (i = 0; i < 4; i++) {
		p = map_thp();
		ASSERT_EQ(madvise(p, MMU_HUGE, MADV_FREE), 0, "madvise");
		word = stamp(2, i);
		ASSERT_EQ(mmu_write(fd, p + written[i] * MMU_PAGE, &word,
				    sizeof(word)), 0, "the device writes");
		ASSERT_EQ(madvise(p, MMU_HUGE, MADV_PAGEOUT), 0, "pageout");
		ASSERT_EQ(madvise(p, MMU_HUGE, MADV_PAGEOUT), 0, "again");
		poison_free_memory();
		EXPECT_EQ(*(volatile uint64_t *)(p + written[i] * MMU_PAGE),
			  word, "what it wrote to page %zu is there",
			  written[i]);
		verify(fd, p, ALL);
		munmap(p, MMU_HUGE);
	}
}

/* Some of it is given back: the others are where they were. */
TEST_BOTH_MODES(g1_hole_in_a_huge_file_page, 20)
{
	int file = make_thp_file();
	char *p = fill(map_thp_file(file));
	static const size_t at[] = { 0, 1, 255, 510, 511 };
	size_t i;

	fd = attached();
	for (i = 0; i < 5; i++) {
		populate(fd, p, ALL, WRITE);
		ASSERT_EQ(fallocate(file, FALLOC_FL_PUNCH_HOLE |
				    FALLOC_FL_KEEP_SIZE, at[i] * MMU_PAGE,
				    MMU_PAGE), 0, "a hole");
		EXPECT_EQ(mmu_entry(fd, p + at[i] * MMU_PAGE), 0,
			  "no entry for page %zu", at[i]);
		poison_free_memory();
		device_sees_zeros(fd, p + at[i] * MMU_PAGE, 1);
		verify(fd, p, ALL);
		cpu_stamp(p, ALL, 1);
	}
	device_sees(fd, p, ALL, 1);
}
