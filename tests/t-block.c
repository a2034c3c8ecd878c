// SPDX-License-Identifier: GPL-2.0
/*
 * t-block.c - G1, G3, G4, G7, G10: a huge page in one entry
 *
 * Where the CPU maps 2 MiB as one, so does the device, and needs no slots for
 * the pages. Nothing of it shows but in the bytes: each page is found, aged,
 * written, verified, evicted as if it had an entry of its own. Three kinds of
 * memory are mapped so: anonymous, of a file, of the pool of huge pages.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hugetlb.h"
#include "race.h"

#define ALL		(MMU_HUGE / MMU_PAGE)
#define SLOTS_BYTES	(ALL * 12)	/* 8 for the entry, 4 for the link */
#define RW		(PROT_READ | PROT_WRITE)

static int fd;

/* 0.3 for each page; lockdep keeps 72 more in the lock of each table. */
static uint64_t block_bytes(void)
{
	return have_lockdep() ? 154 + 72 : 154;
}

static char *thp_of_file(void)
{
	char *p = map_thp_file(make_thp_file());

	ASSERT_NE(p, MAP_FAILED, "mmap");
	cpu_stamp(p, ALL, 1);
	if (!is_thp(p))
		skip("no huge page to be had");
	return p;
}

static char *from_the_pool(void)
{
	char *p = map_huge(1);

	cpu_stamp(p, ALL, 1);
	return p;
}

/* A test of each kind of memory; @body gets 2 MiB of it, stamped with 1. */
#define TEST_KIND(name, limit, body, map)				\
	TEST(name, limit) { fd = attached(); body(map()); }
#define TEST_KINDS(name, limit, body)					\
	TEST_KIND(name##_of_memory, limit, body, map_thp)		\
	TEST_KIND(name##_of_a_file, limit, body, thp_of_file)		\
	TEST_KIND(name##_of_the_pool, limit, body, from_the_pool)

static char *at(char *p, size_t page)
{
	return p + page * MMU_PAGE;
}

static void populate_in_batches(char *p, size_t pages, uint32_t flags,
				uint32_t batch)
{
	ASSERT_EQ(mmu_populate_batch(fd, p, pages * MMU_PAGE, flags, batch,
				     NULL, NULL), 0, "populate, %u a batch",
		  batch);
}

static uint64_t bytes(void)
{
	return stats_of(fd).bytes;
}

/* What an unmapped table had is freed a little later. */
static void is_block(char *p, uint64_t with_slots)
{
	int ms;

	for (ms = 0; ms < 3000 && bytes() + SLOTS_BYTES > with_slots; ms += 5)
		sleep_ms(5);
	EXPECT_EQ(present(fd, p, ALL), ALL, "all pages are there");
	EXPECT_LE(bytes() + SLOTS_BYTES, with_slots, "and no slots");
}

static void has_slots(uint64_t without)
{
	EXPECT_GE(bytes(), without + SLOTS_BYTES, "with slots");
}

static void frames_follow(char *p)
{
	uint64_t first = 0, pfn = 0;
	size_t i;

	mmu_query(fd, p, NULL, &first);
	for (i = 0; i < ALL; i++) {
		mmu_query(fd, at(p, i), NULL, &pfn);
		ASSERT_EQ(pfn, first + i, "the frame of page %zu", i);
	}
}

static size_t count_with(char *p, uint64_t flag)
{
	size_t i, n = 0;

	for (i = 0; i < ALL; i++)
		n += mmu_entry(fd, at(p, i)) & flag ? 1 : 0;
	return n;
}

static size_t count_writable(char *p)
{
	return count_with(p, MY_MMU_ENTRY_WRITE);
}

/* --- one entry ------------------------------------------------------------ */

static void one_entry(char *p)
{
	uint64_t slots;

	populate_in_batches(p, ALL, WRITE, 16);
	slots = bytes();
	mmu_evict(fd, p);
	EXPECT_EQ(present(fd, p, ALL), 0, "evicted");
	populate(fd, p, ALL, WRITE);
	is_block(p, slots);
	EXPECT_EQ(stats_of(fd).entries, ALL, "they count as pages");
	frames_follow(p);
	device_sees(fd, p, ALL, 1);
	device_stamp(fd, p, ALL, 2);
	cpu_sees(p, ALL, 2);
	verify(fd, p, ALL);
	is_block(p, slots);
}

TEST_KINDS(g10_one_entry, 20, one_entry)

/*
 * The second of two that are side by side needs no directories. Where the VM is
 * shown each table, that takes memory as well.
 */
#define SHOWN_BYTES	128

TEST(g10_bytes_of_a_block, 20)
{
	char *p = map_reserve(2 * MMU_HUGE, 512 * MMU_HUGE);
	uint64_t one, two, shown;

	shown = variant_can(SHOWS_TABLES) ? SHOWN_BYTES : 0;
	fd = attached();
	ASSERT_EQ(mmap(p, 2 * MMU_HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS |
		       MAP_FIXED, -1, 0) == p, true, "mmap");
	if (madvise(p, 2 * MMU_HUGE, MADV_HUGEPAGE))
		skip("this kernel has no transparent huge pages");
	cpu_stamp(p, 2 * ALL, 1);
	if (!is_thp(p) || !is_thp(p + MMU_HUGE))
		skip("no huge pages to be had");
	populate(fd, p, ALL, WRITE);
	one = bytes();
	populate(fd, p + MMU_HUGE, ALL, WRITE);
	two = bytes();
	EXPECT_LE(two - one, block_bytes() + shown, "0.3 bytes a page");
	verify(fd, p, 2 * ALL);
	device_sees(fd, p, 2 * ALL, 1);
}

/* What a populate itself brings in is huge when it looks again. */
TEST(g10_block_of_fresh_memory, 20)
{
	char *p = map_thp(), *q;
	uint64_t slots;

	fd = attached();
	populate_in_batches(p, ALL, WRITE, 16);
	slots = bytes();
	EXPECT_EQ(munmap(p, MMU_HUGE), 0, "munmap");
	q = mmap(p, MMU_HUGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0);
	ASSERT_EQ(q == p, true, "mmap again");
	madvise(p, MMU_HUGE, MADV_HUGEPAGE);
	populate(fd, p, ALL, WRITE);
	if (!is_thp(p))
		skip("no huge page to be had");
	is_block(p, slots);
	device_sees_zeros(fd, p, ALL);
	verify(fd, p, ALL);
}

/* Nothing was expected that did not come: the buckets are as before. */
TEST(g10_no_buckets_for_blocks, 20)
{
	char *p = map_huge(8);
	uint64_t first, later;
	int i, ms;

	fd = attached();
	populate(fd, p, 8 * ALL, WRITE);
	first = bytes();
	for (i = 0; i < 4; i++) {
		madvise(p, 8 * MMU_HUGE, MADV_DONTNEED);
		populate(fd, p, 8 * ALL, WRITE);
	}
	later = bytes();
	/* On 6.1 this unmaps it, and the tables go a grace period later. */
	for (ms = 0; ms < 3000 && later != first; ms += 5) {
		sleep_ms(5);
		later = bytes();
	}
	EXPECT_EQ(later, first, "the same bytes each time");
	verify(fd, p, 8 * ALL);
}

#define MANY		16	/* blocks: in four of the 16 shards, at least */

/* Each shard got 256 buckets for pages that then came as blocks. */
TEST(g10_buckets_for_pages_go_when_blocks_come, 20)
{
	char *p = map_huge(1 + MANY);
	uint64_t one;

	fd = attached();
	populate(fd, p, ALL, WRITE);
	one = bytes();
	populate(fd, p + MMU_HUGE, MANY * ALL, WRITE);
	EXPECT_LE(bytes() - one,
		  MANY * block_bytes() + 12 * 256 * 4 + 4 * 32 * 4,
		  "where a block is, a few buckets are left");
	verify(fd, p, (1 + MANY) * ALL);
}

static const char *const lookups[] = { "gup", "snapshot", "auto" };

/* The lookup decides how it is found out, and the pool's pages always are. */
TEST(g3_block_by_each_lookup, 30)
{
	size_t i;
	char *p;

	fd = attached();
	for (i = 0; i < 3; i++) {
		set_lookup(lookups[i]);
		p = map_thp();
		populate(fd, p, ALL, WRITE);
		frames_follow(p);
		verify(fd, p, ALL);
		device_sees(fd, p, ALL, 1);
		mmu_evict(fd, at(p, 200));
		EXPECT_EQ(present(fd, p, ALL), 0, "evicted");
		munmap(p, MMU_HUGE);
		p = from_the_pool();
		populate(fd, p, ALL, WRITE);
		verify(fd, p, ALL);
		munmap(p, MMU_HUGE);
	}
}

/* 512 small pages that happen to follow each other are none. */
TEST(g3_small_pages_are_no_block, 20)
{
	char *p = map_tables(1), *q = map_thp();
	uint64_t before;

	fd = attached();
	cpu_stamp(p, ALL, 1);
	populate(fd, q, ALL, WRITE);
	before = bytes();
	populate(fd, p, ALL, WRITE);
	has_slots(before);
	device_sees(fd, p, ALL, 1);
	verify(fd, p, ALL);
	/* A huge page that is mapped in small ones, since one was protected. */
	mprotect(at(q, 3), MMU_PAGE, PROT_READ);
	mprotect(at(q, 3), MMU_PAGE, RW);
	before = bytes();
	populate(fd, q, ALL, 0);
	has_slots(before);
	verify(fd, q, ALL);
	EXPECT_EQ(madvise(at(q, 9), MMU_PAGE, MADV_DONTNEED), 0, "one less");
	EXPECT_EQ(present(fd, q, ALL), ALL - 1, "one less, and only that");
}

/*
 * A page of it was given back, and is brought in by the populate: a small one
 * among those of the huge page.
 */
TEST(g3_hole_is_filled, 20)
{
	char *p = map_thp();

	fd = attached();
	EXPECT_EQ(madvise(at(p, 7), MMU_PAGE, MADV_DONTNEED), 0, "a hole");
	populate(fd, p, ALL, WRITE);
	EXPECT_EQ(present(fd, p, ALL), ALL, "all pages are there");
	verify(fd, p, ALL);
	device_sees(fd, p, 7, 1);
	device_sees_zeros(fd, at(p, 7), 1);
}

/* --- a part --------------------------------------------------------------- */

/* Entries that are there stay when one of them is given more. */
static void part_is_written(char *p)
{
	static const size_t pages[] = { 0, 1, 255, 510, 511 };
	uint64_t block, zapped = stats_of(fd).zapped_pages;
	size_t i;

	populate(fd, p, ALL, 0);
	block = bytes();
	EXPECT_EQ(count_writable(p), 0, "for reading");
	populate_in_batches(at(p, 100), 1, 0, 1);
	populate_in_batches(at(p, 200), 32, 0, 32);
	EXPECT_EQ(bytes(), block, "nothing that it had not before");
	for (i = 0; i < 5; i++) {
		populate(fd, at(p, pages[i]), 1, WRITE);
		EXPECT_EQ(present(fd, p, ALL), ALL, "all are there");
		EXPECT_EQ(count_writable(p), i + 1, "and those may be written");
		EXPECT_EQ(!!(mmu_entry(fd, at(p, pages[i])) &
			     MY_MMU_ENTRY_WRITE), 1, "page %zu", pages[i]);
	}
	has_slots(block);
	EXPECT_EQ(stats_of(fd).zapped_pages, zapped, "none has gone");
	frames_follow(p);
	verify(fd, p, ALL);
	for (i = 0; i < 5; i++) {
		EXPECT_EQ(mmu_evict(fd, at(p, pages[i])), 1, "evict");
		EXPECT_EQ(present(fd, p, ALL), 0, "each page was found");
		populate(fd, p, ALL, 0);
		populate(fd, at(p, pages[i]), 1, WRITE);
	}
	device_sees(fd, p, ALL, 1);
	device_stamp(fd, p, ALL, 2);
	cpu_sees(p, ALL, 2);
	verify(fd, p, ALL);
}

TEST_KINDS(g3_part_is_written, 30, part_is_written)

/* To all of it, more is given as to one. */
static void all_is_written(char *p)
{
	uint64_t block;

	populate(fd, p, ALL, 0);
	block = bytes();
	EXPECT_EQ(count_writable(p), 0, "for reading");
	populate(fd, p, ALL, WRITE);
	EXPECT_EQ(count_writable(p), ALL, "for writing");
	EXPECT_EQ(bytes(), block, "a block as before");
	populate(fd, p, ALL, 0);
	EXPECT_EQ(count_writable(p), ALL, "still");
	EXPECT_EQ(stats_of(fd).entries, ALL, "each counts once");
	EXPECT_EQ(mmu_evict(fd, at(p, 77)), 1, "evict");
	EXPECT_EQ(present(fd, p, ALL), 0, "it is in the index once");
	EXPECT_EQ(stats_of(fd).entries, 0, "none is left");
	device_stamp(fd, p, ALL, 2);
	cpu_sees(p, ALL, 2);
	verify(fd, p, ALL);
}

TEST_KINDS(g3_all_is_written, 20, all_is_written)

/* Pages are there, one or many: the rest come as pages, too. */
static void pages_were_first(char *p)
{
	static const size_t first[] = { 0, 1, 511 };
	size_t i;

	for (i = 0; i < 3; i++) {
		populate(fd, at(p, first[i]), 1, i & 1 ? 0 : WRITE);
		populate(fd, p, ALL, 0);
		EXPECT_EQ(present(fd, p, ALL), ALL, "all pages are there");
		EXPECT_EQ(count_writable(p), i & 1 ? 0 : 1, "as it was");
		EXPECT_EQ(stats_of(fd).entries, ALL, "each once");
		frames_follow(p);
		verify(fd, p, ALL);
		EXPECT_EQ(mmu_evict(fd, at(p, 300)), 1, "evict");
		EXPECT_EQ(stats_of(fd).entries, 0, "none is left");
	}
	device_sees(fd, p, ALL, 1);
}

TEST_KINDS(g3_pages_were_first, 20, pages_were_first)

struct change {
	const char *what;
	int (*make)(char *page);
	bool gone;		/* the device cannot have it again */
};

static int give_back(char *page)
{
	return madvise(page, MMU_PAGE, MADV_DONTNEED);
}

static int protect(char *page)
{
	return mprotect(page, MMU_PAGE, PROT_READ);
}

static int unmap(char *page)
{
	return munmap(page, MMU_PAGE);
}

static int free_lazily(char *page)
{
	return madvise(page, MMU_PAGE, MADV_FREE);
}

static const struct change changes[] = {
	{ "MADV_DONTNEED", give_back, false },
	{ "mprotect", protect, false },
	{ "munmap", unmap, true },
	{ "MADV_FREE", free_lazily, false },
};

/* Whatever the VM changes of a part, at either end or within. */
TEST(g1_part_is_changed, 60)
{
	static const size_t pages[] = { 0, 1, 256, 511 };
	const struct change *c;
	size_t i, j;
	char *p;

	fd = attached();
	for (i = 0; i < 4; i++) {
		for (j = 0; j < 4; j++) {
			c = &changes[i];
			p = map_thp();
			madvise(p, MMU_HUGE, MADV_NOHUGEPAGE);
			populate(fd, p, ALL, WRITE);
			EXPECT_EQ(c->make(at(p, pages[j])), 0, "%s of page %zu",
				  c->what, pages[j]);
			EXPECT_EQ(mmu_entry(fd, at(p, pages[j])), 0,
				  "%s: its entry is gone", c->what);
			poison_free_memory();
			verify(fd, p, ALL);
			device_sees(fd, p, pages[j], 1);
			if (c->gone)
				device_cannot_read(fd, at(p, pages[j]), 1);
			verify(fd, p, ALL);
			munmap(p, MMU_HUGE);
		}
	}
}

/*
 * The ground for letting all of it go: the VM announces 2 MiB, whichever part
 * it takes. So nothing would be left of pages with entries of their own, too.
 */
TEST(g1_part_takes_all_of_slots, 20)
{
	size_t i;
	char *p;

	fd = attached();
	for (i = 0; i < 3; i++) {
		p = map_thp();
		madvise(p, MMU_HUGE, MADV_NOHUGEPAGE);
		populate_in_batches(p, ALL, WRITE, 16);
		EXPECT_EQ(changes[i].make(at(p, 7)), 0, "%s", changes[i].what);
		EXPECT_EQ(present(fd, p, ALL), 0, "%s: no entry is left",
			  changes[i].what);
		munmap(p, MMU_HUGE);
	}
}

/* Small pages in slots become a huge page, and the slots are given back. */
TEST(g10_collapse_gives_slots_back, 30)
{
	char *p = map_tables(1);
	uint64_t slots;
	int ret;

	fd = attached();
	cpu_stamp(p, ALL, 1);
	populate(fd, p, ALL, WRITE);
	slots = bytes();
	madvise(p, MMU_HUGE, MADV_HUGEPAGE);
	ret = madvise(p, MMU_HUGE, MADV_COLLAPSE) ? -errno : 0;
	if (ret || !is_thp(p))
		skip("MADV_COLLAPSE does not work here (%s)", strerror(-ret));
	EXPECT_EQ(present(fd, p, ALL), 0, "no entry is left");
	populate(fd, p, ALL, WRITE);
	is_block(p, slots);
	device_sees(fd, p, ALL, 1);
	verify(fd, p, ALL);
}

/* Read where nothing is: the huge zero page, which many share. */
TEST(g3_huge_zero_page, 20)
{
	char *p = map_thp();

	fd = attached();
	EXPECT_EQ(madvise(p, MMU_HUGE, MADV_DONTNEED), 0, "give it back");
	populate(fd, p, ALL, 0);
	EXPECT_EQ(present(fd, p, ALL), ALL, "all pages are there");
	EXPECT_EQ(mmu_evict(fd, p), 0, "they are nobody's");
	EXPECT_EQ(present(fd, p, ALL), ALL, "and stay");
	device_sees_zeros(fd, p, ALL);
	verify(fd, p, ALL);
	device_stamp(fd, at(p, 5), 1, 2);
	cpu_sees(at(p, 5), 1, 2);
	device_sees_zeros(fd, p, 5);
	verify(fd, p, ALL);
}

/* --- found by any page ---------------------------------------------------- */

static void evict_by_any(char *p)
{
	size_t i;

	for (i = 0; i < ALL; i += 73) {
		populate(fd, p, ALL, WRITE);
		EXPECT_EQ(mmu_evict(fd, at(p, i)), 1, "evict by page %zu", i);
		EXPECT_EQ(present(fd, p, ALL), 0, "no entry is left");
		EXPECT_EQ(mmu_evict(fd, at(p, i)), 0, "nothing on record");
	}
	device_sees(fd, p, ALL, 1);
}

TEST_KINDS(g4_evict_by_any, 20, evict_by_any)

#define ALIASES	40

/* One as a block, one as pages, one in part, over and over. */
static void populate_alias(char *p, size_t i)
{
	switch (i % 4) {
	case 0:
		populate(fd, p, ALL, WRITE);
		break;
	case 1:
		populate_in_batches(p, ALL, 0, 64);
		break;
	case 2:
		populate(fd, at(p, 256), 1, WRITE);
		break;
	case 3:
		populate(fd, p, ALL, 0);
		populate(fd, at(p, 5), 1, WRITE);
		break;
	}
}

static const size_t alias_pages[] = { ALL, ALL, 1, ALL };

static void aliases_of(int file, char *(*map)(int file))
{
	char *p[ALIASES];
	uint64_t entries = 0, zaps;
	size_t i;

	for (i = 0; i < ALIASES; i++) {
		p[i] = map(file);
		ASSERT_NE(p[i], MAP_FAILED, "mmap");
		cpu_stamp(p[i], ALL, 1);
		if (!i && map == map_thp_file && !is_thp(p[i]))
			skip("no huge page to be had");
		populate_alias(p[i], i);
		entries += alias_pages[i % 4];
	}
	EXPECT_EQ(stats_of(fd).entries, entries, "at each address");
	zaps = stats_of(fd).rmap_zaps;
	EXPECT_EQ(mmu_evict(fd, at(p[7], 400)), 1, "evict");
	EXPECT_EQ(stats_of(fd).entries, 0, "none is left");
	EXPECT_EQ(stats_of(fd).rmap_zaps - zaps, entries, "by the chain");
	for (i = 0; i < ALIASES; i++)
		device_sees(fd, p[i], 2, 1);
}

static char *map_pool_file(int file)
{
	return map_huge_fd(file, 1);
}

TEST_BOTH_MODES(g4_aliases_of_a_block_of_a_file, 30)
{
	fd = attached();
	aliases_of(make_thp_file(), map_thp_file);
}

TEST_BOTH_MODES(g4_aliases_of_a_block_of_the_pool, 30)
{
	fd = attached();
	aliases_of(make_huge_memfd(1), map_pool_file);
}

/* Page by page of the first alias: the index grows around the blocks. */
TEST(g4_index_grows_around_blocks, 30)
{
	char *p[ALIASES];
	int file = make_huge_memfd(1);
	size_t i, j;

	fd = attached();
	for (i = 0; i < ALIASES; i++)
		p[i] = map_huge_fd(file, 1);
	cpu_stamp(p[0], ALL, 1);
	for (i = 0; i < ALIASES; i += 2)
		populate(fd, p[i], ALL, 0);
	for (i = 1; i < ALIASES; i += 2)
		for (j = 0; j < ALL; j += 8)
			populate_in_batches(at(p[i], j), 8, 0, 8);
	EXPECT_EQ(stats_of(fd).entries, ALIASES * ALL, "at each address");
	EXPECT_EQ(mmu_evict(fd, at(p[1], 511)), 1, "evict");
	EXPECT_EQ(stats_of(fd).entries, 0, "none is left");
}

/* The device has used it: one mark for all, as the CPU's own. */
static void aged_as_one(char *p)
{
	populate(fd, p, ALL, WRITE);
	EXPECT_EQ(count_with(p, MY_MMU_ENTRY_ACCESSED), 0, "not used yet");
	device_sees(fd, p, 1, 1);
	EXPECT_EQ(count_with(p, MY_MMU_ENTRY_ACCESSED), ALL, "used");
	frames_follow(p);
	verify(fd, p, ALL);
}

TEST_KINDS(aged_as_one, 20, aged_as_one)

/*
 * Each page has the mark of the block that it was a part of, and is on the
 * record of the chain, from which the first eviction takes what others left.
 */
static void split_keeps_what_it_had(char *p)
{
	mmu_evict(fd, p);
	populate(fd, p, ALL, 0);
	device_sees(fd, p, 1, 1);
	populate(fd, at(p, 7), 1, WRITE);
	EXPECT_EQ(count_writable(p), 1, "page 7 may be written");
	EXPECT_EQ(count_with(p, MY_MMU_ENTRY_ACCESSED), ALL, "all are used");
	frames_follow(p);
	verify(fd, p, ALL);
	EXPECT_EQ(mmu_evict(fd, p), 1, "evict");
	EXPECT_EQ(present(fd, p, ALL), 0, "the chain asked for each page");
}

TEST_KINDS(g4_split_keeps_what_it_had, 20, split_keeps_what_it_had)

/*
 * 4.11 of the skeleton: what the device may write is dirty. It writes to a page
 * that it has as part of a block, and takes no fault.
 */
TEST(g7_device_write_through_a_block, 30)
{
	uint64_t word = stamp(2, 300);
	char *p = map_thp();

	if (!have_swap())
		skip("no swap");
	stay_on_one_cpu();
	fd = attached();
	ASSERT_EQ(madvise(p, MMU_HUGE, MADV_FREE), 0, "madvise");
	populate(fd, p, ALL, WRITE);
	ASSERT_EQ(mmu_write(fd, at(p, 300), &word, sizeof(word)), 0,
		  "the device writes");
	ASSERT_EQ(madvise(p, MMU_HUGE, MADV_PAGEOUT), 0, "pageout");
	ASSERT_EQ(madvise(p, MMU_HUGE, MADV_PAGEOUT), 0, "again");
	poison_free_memory();
	EXPECT_EQ(*(volatile uint64_t *)at(p, 300), word,
		  "what it wrote is there");
	verify(fd, p, ALL);
}

/* --- two at once ---------------------------------------------------------- */

static struct call populate_call(char *p, size_t pages, uint32_t flags)
{
	return (struct call) { .fn = do_populate, .fd = fd, .p = p,
			       .pages = pages, .flags = flags };
}

/*
 *	populate of all			populate of page 9
 *
 *	finds a huge mapping
 *					enters page 9
 *	a block over it?
 *
 * By "t->block || !t->used".
 */
static void page_comes_before_block(char *p)
{
	struct call c = populate_call(p, ALL, 0);

	call_to(&c, "populate_lookup");
	populate(fd, at(p, 9), 1, WRITE);
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate of all");
	EXPECT_EQ(present(fd, p, ALL), ALL, "all pages are there");
	EXPECT_EQ(count_writable(p), 1, "page 9 as it was");
	EXPECT_EQ(stats_of(fd).entries, ALL, "each once");
	frames_follow(p);
	verify(fd, p, ALL);
	EXPECT_EQ(mmu_evict(fd, at(p, 9)), 1, "evict");
	EXPECT_EQ(stats_of(fd).entries, 0, "none is left");
}

/*
 *	populate of a part		populate of all
 *
 *	the table has slots
 *					makes a block, gives them back
 *	no slots: once more, if it wants more than the block may
 */
static void block_comes_before_page(char *p)
{
	struct call c = populate_call(at(p, 9), 4, WRITE);

	populate(fd, p, 1, 0);
	mmu_evict(fd, p);
	EXPECT_EQ(stats_of(fd).entries, 0, "slots, and nothing in them");
	call_to(&c, "populate_lookup");
	populate(fd, p, ALL, 0);
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate of a part");
	EXPECT_EQ(c.retries, 1, "in a second try");
	EXPECT_EQ(count_writable(p), 4, "for writing");
	EXPECT_EQ(present(fd, p, ALL), ALL, "all pages are there");
	verify(fd, p, ALL);
	mmu_evict(fd, p);
	EXPECT_EQ(stats_of(fd).entries, 0, "none is left");
}

/*
 * The device takes its time to forget a block, which a part has taken away. Who
 * takes another part finds nothing, and must wait all the same.
 *
 *	reclaim			madvise, page 7		madvise, page 300
 *
 *	unmaps the huge page,
 *	by the chain, later
 *				zaps the block
 *				asks the device
 *							nothing to zap: done?
 */
static void other_part_waits(char *p)
{
	struct call reclaim = { .fn = do_madvise, .p = p, .pages = ALL,
				.flags = MADV_PAGEOUT };
	struct call part = { .fn = do_madvise, .p = at(p, 7), .pages = 1,
			     .flags = MADV_DONTNEED };
	double start;

	populate(fd, p, ALL, WRITE);
	ASSERT_EQ(mmu_configure(fd, 500000), 0, "half a second to answer");
	call_to(&reclaim, "hook_done");
	if (present(fd, p, ALL) != ALL)
		skip("this kernel takes it by the range notifier");
	call_to(&part, "start_zapped");
	EXPECT_EQ(present(fd, p, ALL), 0, "all of it is gone");
	tp_off("start_zapped");
	start = seconds();
	EXPECT_EQ(madvise(at(p, 300), MMU_PAGE, MADV_DONTNEED), 0, "page 300");
	EXPECT_GE((long)((seconds() - start) * 1000), 400, "milliseconds");
	tp_off("hook_done");
	call_wait(&part);
	call_wait(&reclaim);
	mmu_configure(fd, 0);
}

TEST(g7_race_other_part_waits, 20)
{
	char *p = map_thp();	/* race_begin() ends that */

	if (!have_swap())
		skip("no swap");
	race_begin(2);
	fd = mmu_open_attached(test_variant, MY_MMU_ATTACH_RMAP_ONLY);
	ASSERT_GE(fd, 0, "attach");
	other_part_waits(p);
}

/* Both have slots to spare, and the table takes those of one. */
static void both_bring_slots(char *p)
{
	struct call c = populate_call(p, 4, WRITE);
	uint64_t alone, both, waiting;

	populate(fd, p, ALL, 0);
	call_to(&c, "populate_lookup");
	alone = bytes();
	populate(fd, at(p, 9), 4, WRITE);
	both = bytes();
	EXPECT_GE(both, alone + SLOTS_BYTES, "slots for the block, and more");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	waiting = both - bytes();
	EXPECT_EQ(waiting, SLOTS_BYTES, "what was not needed is free");
	EXPECT_EQ(present(fd, p, ALL), ALL, "all pages are there");
	EXPECT_EQ(count_writable(p), 8, "and those of both may be written");
	verify(fd, p, ALL);
}

/*
 *	eviction			populate of all, and of an alias
 *
 *	page 0: zaps the block
 *					a block again; at the alias, page 0
 *	page 1: finds the block, which
 *	begins elsewhere, and not the
 *	alias, which ends there
 */
TEST(g4_race_block_comes_behind_its_first_page, 20)
{
	struct call c = { .fn = do_evict };
	int file = make_huge_memfd(1);
	char *p, *alias;

	race_begin(1);
	fd = attached();
	p = map_huge_fd(file, 1);
	alias = map_huge_fd(file, 1);
	cpu_stamp(p, ALL, 1);
	cpu_stamp(alias, 1, 1);		/* no fault, which would wait */
	populate(fd, p, ALL, WRITE);
	c.fd = fd;
	c.p = p;
	call_to(&c, "rmap_zapped");
	EXPECT_EQ(stats_of(fd).entries, 0, "zapped");
	populate(fd, p, ALL, WRITE);
	populate(fd, alias, 1, WRITE);
	tp_release("rmap_zapped");
	EXPECT_EQ(call_wait(&c), 1, "evict");
	EXPECT_EQ(present(fd, p, ALL), 0, "found by another page");
	EXPECT_EQ(present(fd, alias, ALL), 1, "the alias is of page 0 alone");
	EXPECT_EQ(mmu_evict(fd, p), 1, "which is on record");
	EXPECT_EQ(stats_of(fd).entries, 0, "none is left");
}

/*
 *	madvise(MADV_DONTNEED), page 9	device
 *
 *	start of page 9: zaps all
 *					page 9 is gone
 *	  start of all 512: too late
 *
 * By "Of a block nothing stays".
 */
TEST(g1_race_part_of_a_block, 20)
{
	char *p = map_thp();	/* race_begin() ends that */
	struct call c = { .fn = do_madvise, .p = at(p, 9), .pages = 1,
			  .flags = MADV_DONTNEED };

	race_begin(1);
	fd = attached();
	c.fd = fd;
	populate(fd, p, ALL, WRITE);
	call_to(&c, "start_zapped");
	EXPECT_EQ(mmu_entry(fd, at(p, 9)), 0, "the start has returned");
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&c), 0, "madvise");
	device_sees(fd, p, 9, 1);
	device_sees_zeros(fd, at(p, 9), 1);
	verify(fd, p, ALL);
}

TEST(g3_race_page_comes_before_block, 20)
{
	char *p = map_thp();	/* race_begin() ends that */

	race_begin(1);
	fd = attached();
	page_comes_before_block(p);
}

TEST(g3_race_pool_page_comes_before_block, 20)
{
	race_begin(1);
	fd = attached();
	page_comes_before_block(from_the_pool());
}

TEST(g3_race_block_comes_before_page, 20)
{
	char *p = map_thp();	/* race_begin() ends that */

	race_begin(1);
	fd = attached();
	block_comes_before_page(p);
}

TEST(g10_race_both_bring_slots, 20)
{
	char *p = map_thp();	/* race_begin() ends that */

	race_begin(1);
	fd = attached();
	both_bring_slots(p);
}

/* A page that is held after no memory was there would be taken for ever. */
static void no_slots(char *p, size_t pages)
{
	uint64_t before = bytes();

	tp_tell("slots_alloc", "fail");
	EXPECT_EQ(mmu_populate(fd, p, pages * MMU_PAGE, WRITE), -ENOMEM,
		  "populate of %zu", pages);
	EXPECT_EQ(tp_arrivals("slots_alloc"), 1, "wanted slots");
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is entered");
	EXPECT_LE(bytes(), before + block_bytes() * 100, "nothing allocated");
	populate(fd, p, pages, WRITE);
	device_sees(fd, p, pages, 1);
	mmu_evict(fd, p);
}

TEST(g5_no_memory_for_slots, 20)
{
	long taken = huge_taken();
	char *p;

	tp_need();
	fd = attached();
	p = from_the_pool();
	no_slots(p, 1);
	munmap(p, MMU_HUGE);
	references_let_go(taken);
	p = map_tables(1);
	cpu_stamp(p, 64, 1);
	no_slots(p, 64);
}

/* A block needs none, so it does not matter that there are none. */
TEST(g10_block_without_memory_for_slots, 20)
{
	char *p = map_thp();

	tp_need();
	fd = attached();
	tp_tell("slots_alloc", "fail");
	populate(fd, p, ALL, 0);
	EXPECT_EQ(tp_arrivals("slots_alloc"), 0, "wanted none");
	EXPECT_EQ(mmu_populate(fd, at(p, 3), MMU_PAGE, WRITE), -ENOMEM,
		  "more for page 3");
	EXPECT_EQ(present(fd, p, ALL), ALL, "the block is as it was");
	EXPECT_EQ(count_writable(p), 0, "for reading");
	populate(fd, at(p, 3), 1, WRITE);
	EXPECT_EQ(count_writable(p), 1, "now");
	verify(fd, p, ALL);
}
