// SPDX-License-Identifier: GPL-2.0
/*
 * t-index.c - G4: the reverse index finds every page, however it has grown
 *
 * One page that is found says nothing about the others: each bucket is moved
 * by itself when a shard grows. So each page of an area is evicted here, and
 * each eviction must take its own entry and nobody else's.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define RW	(PROT_READ | PROT_WRITE)

static int fd;

/* A frame off the record would be passed over; so would a page not found. */
static void evict_page(char *p, size_t i)
{
	uint64_t before = stats_of(fd).entries;

	ASSERT_EQ(mmu_evict(fd, p + i * MMU_PAGE), 1, "evict page %zu", i);
	ASSERT_EQ(stats_of(fd).entries, before - 1,
		  "one entry less: that of page %zu", i);
}

/* Forwards, from the end, or from both ends to the middle. */
enum order { UP, DOWN, INWARDS, ORDERS };

static size_t in_order(enum order order, size_t i, size_t n)
{
	if (order == DOWN || (order == INWARDS && i & 1))
		return n - 1 - (order == DOWN ? i : i / 2);
	return order == UP ? i : i / 2;
}

static void evict_each(char *p, size_t pages, enum order order)
{
	size_t i;

	for (i = 0; i < pages; i++)
		evict_page(p, in_order(order, i, pages));
	EXPECT_EQ(present(fd, p, pages), 0, "no entry is left");
}

/*
 * For a request of 512 pages or more the index is sized ahead. Under less it
 * grows as the pages come.
 */
static void populate_by(char *p, size_t pages, size_t request,
			unsigned int batch)
{
	size_t i, n;
	uint64_t done;

	for (i = 0; i < pages; i += n) {
		n = pages - i < request ? pages - i : request;
		ASSERT_EQ(mmu_populate_batch(fd, p + i * MMU_PAGE, n * MMU_PAGE,
					     WRITE, batch, &done, NULL), 0,
			  "populate");
		ASSERT_EQ(done, n, "all of it");
	}
	ASSERT_EQ(stats_of(fd).entries, pages, "an entry for each page");
}

/*
 * Sizes on either side of each growth: a shard of 32 buckets grows behind its
 * 160th entry and its 640th; there are 16 shards. Small batches ask for more
 * buckets as soon as they can, large ones late. What has been emptied is
 * filled again, with the buckets that it kept.
 */
TEST(g4_each_page_is_found_after_growth, 60)
{
	static const size_t sizes[] = { 100, 2500, 3500, 9000, 11500 };
	static const unsigned int batch[] = { 1, 512, 16 };
	static const size_t request[] = { 300, 300, 300, 1024, 20000 };
	size_t pages, i;
	char *p;

	fd = attached();
	p = map_private(sizes[4]);
	cpu_stamp(p, sizes[4], 1);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		pages = scaled(sizes[i]);
		populate_by(p, pages, request[i], batch[i % 3]);
		evict_each(p, pages, i % ORDERS);
	}
	for (i = 0; i < ORDERS; i++) {
		pages = scaled(sizes[3 - i]);
		populate_by(p, pages, request[4 - i], batch[i]);
		evict_each(p, pages, i);
	}
	device_sees(fd, p, 16, 1);
	verify(fd, p, 16);
}

/* Half of the entries leave from among the others, before and after growth. */
TEST(g4_each_page_is_found_among_gaps, 30)
{
	const size_t pages = scaled(8000);
	size_t i, left = 0;
	char *p;

	fd = attached();
	p = map_private(pages);
	cpu_stamp(p, pages, 1);
	populate_by(p, pages / 4, 300, 16);
	for (i = 0; i < pages / 4; i += 8)
		madvise(p + i * MMU_PAGE, 4 * MMU_PAGE, MADV_DONTNEED);
	cpu_stamp(p, pages, 2);
	populate_by(p, pages, 300, 16);
	for (i = 0; i < pages; i += 8)
		madvise(p + i * MMU_PAGE, 4 * MMU_PAGE, MADV_DONTNEED);
	for (i = 0; i < pages; i++) {
		if (i % 8 < 4)
			continue;
		evict_page(p, i);
		left++;
	}
	EXPECT_EQ(left, pages / 2, "half of them");
	EXPECT_EQ(stats_of(fd).entries, 0, "none is left");
	verify(fd, p, pages);
}

#define FILE_PAGES	1024
#define VIEWS		44
#define EVERY		31

static char *views[VIEWS];

/* Directories have a grace period of their own, perhaps on another CPU. */
static uint64_t bytes_without_tables(void)
{
	uint64_t least = UINT64_MAX, bytes;
	int ms;

	for (ms = 0; ms < 3000 && stats_of(fd).tables; ms += 5)
		sleep_ms(5);
	for (ms = 0; ms < 200; ms += 5) {
		bytes = stats_of(fd).bytes;
		if (bytes < least)
			ms = 0;
		least = bytes < least ? bytes : least;
		sleep_ms(5);
	}
	return least;
}

static void view_all(int memfd)
{
	size_t i;

	for (i = 0; i < VIEWS; i++) {
		views[i] = map_fd(memfd, FILE_PAGES, RW, MAP_SHARED);
		populate(fd, views[i], FILE_PAGES, WRITE);
	}
	EXPECT_EQ(stats_of(fd).entries, VIEWS * FILE_PAGES, "all views");
}

static void unview_all(void)
{
	size_t i;

	for (i = 0; i < VIEWS; i++)
		ASSERT_EQ(munmap(views[i], FILE_PAGES * MMU_PAGE), 0, "munmap");
	EXPECT_EQ(stats_of(fd).entries, 0, "no entry is left");
}

/*
 * Shards of thousands: few pages, each at many addresses. An empty shard keeps
 * 1024 buckets and gives more of them back: the bytes say so, the second time
 * as the first.
 */
TEST(g4_large_index_grows_and_goes, 60)
{
	const uint64_t kept = 16 * 1024 * sizeof(uint32_t);
	uint64_t empty, full, left[2];
	int memfd = make_memfd(FILE_PAGES), round;
	size_t i;

	fd = attached();
	empty = stats_of(fd).bytes;
	for (round = 0; round < 2; round++) {
		view_all(memfd);
		full = stats_of(fd).bytes;
		for (i = 0; i < FILE_PAGES; i += EVERY) {
			ASSERT_EQ(mmu_evict(fd, views[3] + i * MMU_PAGE), 1,
				  "evict page %zu", i);
			ASSERT_EQ(stats_of(fd).entries,
				  VIEWS * (FILE_PAGES - i / EVERY - 1),
				  "at all its addresses");
		}
		verify(fd, views[VIEWS - 1], FILE_PAGES);
		unview_all();
		left[round] = bytes_without_tables();
		EXPECT_GT(full, left[round], "growing took memory");
		EXPECT_GE(left[round], empty, "what it was born with is there");
		EXPECT_LE(left[round], empty + kept, "and what it may keep");
	}
	EXPECT_EQ(left[0], left[1], "not a byte more is kept each time");
}

/*
 * What is there is entered again: for reading, for writing, by the device. It
 * stays one entry, found by its page, with each permission and mark it had.
 */
static void entered_again(char *p, size_t i, uint32_t first, uint32_t second)
{
	char *page = p + i * MMU_PAGE, c;
	uint32_t want = MY_MMU_ENTRY_PRESENT | MY_MMU_ENTRY_ACCESSED;

	populate(fd, page, 1, first);
	ASSERT_EQ(mmu_read(fd, page, &c, 1), 0, "the device reads");
	populate(fd, page, 1, second);
	if ((first | second) & WRITE)
		want |= MY_MMU_ENTRY_WRITE;
	EXPECT_EQ(mmu_entry(fd, page), want,
		  "all that it had, and what was asked for (page %zu)", i);
	EXPECT_EQ(stats_of(fd).entries, 1, "one entry");
}

TEST_BOTH_MODES(g4_what_is_entered_again_is_found, 20)
{
	static const uint32_t flags[][2] = {
		{ 0, 0 }, { 0, WRITE }, { WRITE, 0 }, { WRITE, WRITE },
	};
	struct my_mmu_stats before;
	char *p = map_private(8);
	size_t i;

	fd = attached();
	cpu_stamp(p, 8, 1);
	for (i = 0; i < 8; i++) {
		before = stats_of(fd);
		entered_again(p, i, flags[i / 2][0], flags[i / 2][1]);
		EXPECT_EQ(stats_of(fd).populated_pages, before.populated_pages +
			  1, "it was made once");
		if (i & 1)
			EXPECT_EQ(mmu_evict(fd, p + i * MMU_PAGE), 1, "evict");
		else
			madvise(p + i * MMU_PAGE, MMU_PAGE, MADV_DONTNEED);
		EXPECT_EQ(mmu_entry(fd, p + i * MMU_PAGE), 0, "it is gone");
		if (i & 1)
			EXPECT_EQ(mmu_evict(fd, p + i * MMU_PAGE), 0,
				  "and off the record");
		EXPECT_EQ(stats_of(fd).zapped_pages, before.zapped_pages + 1,
			  "it went once");
	}
	verify(fd, p, 8);
}

/* A frame on record that nobody maps: a walk finds nothing, leaves nothing. */
TEST_BOTH_MODES(g4_eviction_that_finds_nothing, 20)
{
	char *p = map_shared(64);
	size_t i;

	fd = attached();
	cpu_stamp(p, 64, 1);
	populate(fd, p, 64, WRITE);
	ASSERT_EQ(madvise(p, 64 * MMU_PAGE, MADV_DONTNEED), 0, "discard");
	for (i = 0; i < 64; i++) {
		EXPECT_EQ(mmu_evict(fd, p + i * MMU_PAGE), 1, "on record");
		EXPECT_EQ(mmu_evict(fd, p + i * MMU_PAGE), 0, "off it");
		populate(fd, p + i * MMU_PAGE, 1, WRITE);
	}
	EXPECT_EQ(stats_of(fd).entries, 64, "nobody is held off any more");
	evict_each(p, 64, DOWN);
	device_sees(fd, p, 64, 1);
	verify(fd, p, 64);
}

/*
 * Tables are known to the index by their numbers, the first of which ends a
 * chain, and those of tables that have gone are given out again. The first page
 * of a table and its last: of each table, of tables made anew, and of the table
 * that comes to the place of another.
 */
TEST(g4_numbers_of_tables, 30)
{
	static const size_t at[] = { 0, 511 };
	const size_t tables = 4;
	size_t round, t, i;
	char *p, *page;

	fd = attached();
	for (round = 0; round < 8; round++) {
		p = map_tables(tables);
		for (t = 0; t < tables; t++) {
			for (i = 0; i < 2; i++) {
				page = p + t * MMU_HUGE + at[i] * MMU_PAGE;
				populate(fd, page, 1, WRITE);
			}
		}
		for (t = 0; t < tables; t++) {
			for (i = 0; i < 2; i++) {
				page = p + t * MMU_HUGE + at[i] * MMU_PAGE;
				ASSERT_EQ(mmu_evict(fd, page), 1, "evict");
				ASSERT_EQ(mmu_entry(fd, page), 0,
					  "page %zu of table %zu is found",
					  at[i], t);
			}
		}
		munmap(p, tables * MMU_HUGE);
		bytes_without_tables();
	}
}
