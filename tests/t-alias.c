// SPDX-License-Identifier: GPL-2.0
/*
 * t-alias.c - G4: one page at several addresses, in several processes
 *
 * 4.12 of the skeleton: a reverse map that answers with one address leaves
 * the others behind.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cgroup.h"
#include "common.h"

#define N	16
#define ALIASES	5
#define RW	(PROT_READ | PROT_WRITE)

static struct gate ready, evicted, done, emptied;

static void gates(void)
{
	gate_init(&ready);
	gate_init(&evicted);
	gate_init(&emptied);
	gate_init(&done);
}

TEST_BOTH_MODES(g4_evict_one_page, 10)
{
	int fd = attached();
	char *p = map_private(N), *one = p + 3 * MMU_PAGE;
	struct my_mmu_stats before, after;

	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	device_stamp(fd, p, N, 2);
	before = stats_of(fd);
	EXPECT_EQ(mmu_evict(fd, one + 17), 1, "the chain ran for the page");
	after = stats_of(fd);
	EXPECT_EQ(mmu_entry(fd, one), 0, "its entry is gone");
	EXPECT_EQ(present(fd, p, N), N - 1, "no other is");
	EXPECT_EQ(after.rmap_walks - before.rmap_walks, 1, "one walk");
	EXPECT_EQ(after.rmap_zaps - before.rmap_zaps, 1, "one entry dropped");
	verify(fd, p, N);
	cpu_sees(p, N, 2);
	device_sees(fd, p, N, 2);
	EXPECT_EQ(present(fd, p, N), N, "the device faulted it in again");
}

/* A handle that is not attached may evict, and pages that nobody mirrors. */
TEST(g4_evict_of_unmirrored_pages, 10)
{
	char *p = map_private(N);
	int fd = mmu_open(), i;

	cpu_stamp(p, N, 1);
	for (i = 0; i < N; i++) {
		/* A frame that was exported once may still be on record; */
		ASSERT_GE(mmu_evict(fd, p + i * MMU_PAGE), 0, "evict works");
		/* one walk strikes it off. */
		EXPECT_EQ(mmu_evict(fd, p + i * MMU_PAGE), 0,
			  "the filter spares page %d the chain", i);
	}
	cpu_sees(p, N, 1);
}

TEST_BOTH_MODES(g4_evict_takes_all_aliases, 10)
{
	int fd = attached(), memfd = make_memfd(N), i;
	char *p[ALIASES];

	for (i = 0; i < ALIASES; i++) {
		p[i] = map_fd(memfd, N, RW, MAP_SHARED);
		populate(fd, p[i], N, i & 1 ? 0 : WRITE);
	}
	device_stamp(fd, p[0], N, 1);
	for (i = 0; i < ALIASES; i++) {
		device_sees(fd, p[i], N, 1);
		verify(fd, p[i], N);
	}
	EXPECT_EQ(mmu_evict(fd, p[2] + 5 * MMU_PAGE), 1, "evict page 5");
	for (i = 0; i < ALIASES; i++) {
		EXPECT_EQ(mmu_entry(fd, p[i] + 5 * MMU_PAGE), 0,
			  "alias %d is gone", i);
		EXPECT_EQ(present(fd, p[i], N), N - 1, "and it alone");
	}
	for (i = 0; i < ALIASES; i++)
		device_sees(fd, p[i], N, 1);
	verify(fd, p[0], N);
}

/* Aliases that come and go must leave the index in order. */
TEST(g4_aliases_unmapped_one_by_one, 10)
{
	int fd = attached(), memfd = make_memfd(N), i, k;
	char *p[ALIASES];

	for (i = 0; i < ALIASES; i++) {
		p[i] = map_fd(memfd, N, RW, MAP_SHARED);
		populate(fd, p[i], N, WRITE);
	}
	/* From the middle outwards. */
	for (k = 0; k < ALIASES - 1; k++) {
		i = (k * 2 + 2) % ALIASES;
		ASSERT_EQ(munmap(p[i], N * MMU_PAGE), 0, "alias %d goes", i);
		EXPECT_EQ(present(fd, p[i], N), 0, "with its entries");
		EXPECT_EQ(stats_of(fd).entries, (ALIASES - 1 - k) * N,
			  "the others stay");
	}
	i = (k * 2 + 2) % ALIASES;
	EXPECT_EQ(present(fd, p[i], N), N, "the last one is there");
	EXPECT_EQ(mmu_evict(fd, p[i]), 1, "and can be found by its page");
	EXPECT_EQ(mmu_entry(fd, p[i]), 0, "its entry is gone");
	verify(fd, p[i], N);
}

/* Page i of the file at address i * k: the index must tell pages apart. */
TEST(g4_same_file_at_other_offsets, 10)
{
	int fd = attached(), memfd = make_memfd(2 * N), i;
	char *p = map_fd(memfd, 2 * N, RW, MAP_SHARED);
	char *q = map_reserve(N * MMU_PAGE, MMU_PAGE);

	ASSERT_EQ(mmap(q, N * MMU_PAGE, RW, MAP_SHARED | MAP_FIXED, memfd,
		       N * MMU_PAGE), q, "the file's second half");
	cpu_stamp(p, 2 * N, 1);
	populate(fd, p, 2 * N, WRITE);
	populate(fd, q, N, WRITE);
	for (i = 0; i < N; i += 3) {
		EXPECT_EQ(mmu_evict(fd, q + i * MMU_PAGE), 1, "evict");
		EXPECT_EQ(mmu_entry(fd, q + i * MMU_PAGE), 0, "here");
		EXPECT_EQ(mmu_entry(fd, p + (N + i) * MMU_PAGE), 0, "there");
		EXPECT_NE(mmu_entry(fd, p + i * MMU_PAGE), 0, "not its twin");
	}
	verify(fd, p, 2 * N);
}

static void mirror_and_wait(char *p)
{
	int fd = attached();

	populate(fd, p, N, WRITE);
	device_sees(fd, p, N, 1);
	pass(&ready);
	wait_at(&evicted);
	EXPECT_EQ(present(fd, p, N), N - 1, "one entry is gone");
	EXPECT_EQ(mmu_entry(fd, p + 5 * MMU_PAGE), 0, "the evicted page's");
	device_sees(fd, p, N, 1);
	verify(fd, p, N);
	pass(&done);
	wait_at(&emptied);
	EXPECT_EQ(present(fd, p, N), 0, "all are gone");
	device_cannot_read(fd, p, N);
	_exit(0);
}

/* Three processes with one file, each with its device; one of them evicts. */
TEST_BOTH_MODES(g4_evict_reaches_other_processes, 10)
{
	int fd = attached(), memfd = make_memfd(N), i;
	char *p = map_fd(memfd, N, RW, MAP_SHARED);
	pid_t pid[2];

	gates();
	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	for (i = 0; i < 2; i++) {
		pid[i] = spawn();
		if (!pid[i])
			mirror_and_wait(p);
	}
	wait_at(&ready);
	wait_at(&ready);
	EXPECT_EQ(stats_of(fd).entries, 3 * N, "three mirrors of one file");
	EXPECT_EQ(mmu_evict(fd, p + 5 * MMU_PAGE), 1, "evict");
	EXPECT_EQ(stats_of(fd).entries, 3 * N - 3, "one entry less in each");
	pass(&evicted);
	pass(&evicted);
	wait_at(&done);
	wait_at(&done);
	ASSERT_EQ(ftruncate(memfd, 0), 0, "the file is emptied");
	EXPECT_EQ(stats_of(fd).entries, 0, "and nobody mirrors it");
	pass(&emptied);
	pass(&emptied);
	join(pid[0]);
	join(pid[1]);
}

/* Reclaim finds every alias by itself. */
TEST_BOTH_MODES(g4_reclaim_takes_all_aliases, 30)
{
	int fd, memfd, i, k, left = 0;
	char *p, *q;

	if (!have_swap())
		skip("no swap");
	cgroup_enter("alias", "memory");
	fd = attached();
	memfd = make_memfd(16 * N);
	p = map_fd(memfd, 16 * N, RW, MAP_SHARED);
	q = map_fd(memfd, 16 * N, RW, MAP_SHARED);
	cpu_stamp(p, 16 * N, 1);
	populate(fd, p, 16 * N, WRITE);
	populate(fd, q, 16 * N, WRITE);
	for (i = 0; i < 6; i++)
		cgroup_reclaim("alias", 16 * N * MMU_PAGE);
	for (i = 0; i < 16 * N; i++) {
		k = mmu_entry(fd, p + i * MMU_PAGE);
		EXPECT_EQ(!!k, !!mmu_entry(fd, q + i * MMU_PAGE),
			  "both aliases of page %d, or none", i);
		left += !!k;
	}
	EXPECT_LT(left, 16 * N, "reclaim took some pages");
	verify(fd, p, 16 * N);
	verify(fd, q, 16 * N);
	poison_free_memory();
	device_sees(fd, q, 16 * N, 1);
	device_sees(fd, p, 16 * N, 1);
}

#define POOL		16384	/* pages, many of them two to a bucket */
#define MANY		((long)scaled(4000))
#define BUCKET_BITS	12	/* what a shard of 2 * MANY entries has */

/* As my_mmu_shard() and my_mmu_bucket() have it. */
static size_t bucket_of(uint64_t pfn)
{
	uint64_t shard = (pfn >> 9) * 0x61c8864680b583ebull >> 60;
	uint64_t run = (pfn >> 6) * 0x61c8864680b583ebull;
	size_t bucket = ((run >> 32) ^ pfn) & ((1 << BUCKET_BITS) - 1);

	return shard << BUCKET_BITS | bucket;
}

static void two_in_one_bucket(int memfd, int *a, int *b)
{
	static uint16_t seen[16 << BUCKET_BITS];
	static uint64_t entry[POOL];
	char *p = map_fd(memfd, POOL, RW, MAP_SHARED);
	uint16_t *other;
	int i;

	cpu_stamp(p, POOL, 1);
	pagemap_of(p, POOL, entry);
	for (i = 0; i < POOL; i++) {
		other = &seen[bucket_of(entry[i] & PM_PFN)];
		if (*other) {
			*a = *other - 1;
			*b = i;
			munmap(p, POOL * MMU_PAGE);
			return;
		}
		*other = i + 1;
	}
	ASSERT_EQ(i, -1, "two of %d pages are in one bucket", POOL);
}

static char *map_in_turn(int memfd, int a, int b)
{
	char *p = map_reserve(2 * MANY * MMU_PAGE, MMU_PAGE);
	int i;

	for (i = 0; i < 2 * MANY; i++)
		ASSERT_EQ(mmap(p + i * MMU_PAGE, MMU_PAGE, RW,
			       MAP_SHARED | MAP_FIXED, memfd,
			       (i & 1 ? b : a) * MMU_PAGE) != MAP_FAILED,
			  true, "address %d", i);
	return p;
}

static long us_of_evict(int fd, char *p)
{
	double start = seconds();

	ASSERT_EQ(mmu_evict(fd, p), 1, "evict");
	return (seconds() - start) * 1e6;
}

/* The aliases of one page must not be in the way of another's. */
TEST(g10_evict_beside_the_aliases_of_another_page, 60)
{
	int fd = attached(), memfd = make_memfd(POOL), a = 0, b = 0, round;
	long us, beside = -1, alone = -1;
	char *p;

	two_in_one_bucket(memfd, &a, &b);
	p = map_in_turn(memfd, a, b);
	for (round = 0; round < 5; round++) {
		populate(fd, p, 2 * MANY, 0);
		EXPECT_EQ(present(fd, p, 2 * MANY), 2 * MANY, "all mirrored");
		us = us_of_evict(fd, p);
		beside = beside < 0 || us < beside ? us : beside;
		EXPECT_EQ(present(fd, p, 2 * MANY), MANY, "one page is gone");
		us = us_of_evict(fd, p + MMU_PAGE);
		alone = alone < 0 || us < alone ? us : alone;
		EXPECT_EQ(present(fd, p, 2 * MANY), 0, "so is the other");
	}
	note("%ld us beside %ld others, %ld us alone", beside, MANY, alone);
	EXPECT_LT(beside, 8 * alone, "it takes about as long");
}

#define CROWD	6000	/* aliases: more than an empty shard keeps room for */

/* Aliases of a page are in one shard, which grows, and shrinks when they go. */
TEST(g10_index_follows_its_entries, 60)
{
	int fd = attached(), memfd = make_memfd(1), i;
	char *p = map_reserve(CROWD * MMU_PAGE, MMU_PAGE);
	uint64_t full, empty;

	for (i = 0; i < CROWD; i++)
		ASSERT_EQ(mmap(p + i * MMU_PAGE, MMU_PAGE, RW,
			       MAP_SHARED | MAP_FIXED, memfd, 0) != MAP_FAILED,
			  true, "address %d", i);
	populate(fd, p, CROWD, WRITE);
	full = stats_of(fd).bytes;
	EXPECT_EQ(mmu_evict(fd, p), 1, "evict the one page");
	EXPECT_EQ(present(fd, p, CROWD), 0, "no alias is left");
	empty = stats_of(fd).bytes;
	note("%llu bytes with %d entries, %llu with none",
	     (unsigned long long)full, CROWD, (unsigned long long)empty);
	EXPECT_GE(full - empty, 2048 * sizeof(uint32_t),
		  "the shard has given most of its buckets back");
	device_stamp(fd, p, 1, 1);
	device_sees(fd, p, 1, 1);
	verify(fd, p, 1);
}
