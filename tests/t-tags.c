// SPDX-License-Identifier: GPL-2.0
/*
 * t-tags.c - G4: the chain asks everybody who may have the page, and few others
 *
 * Each external MMU exports pages with one of 16 tags. Among more than that,
 * some share a tag, and none may be passed over.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "race.h"

#define OTHERS	40		/* processes: each tag has two or three */
#define TAGS	16
#define N	64

static int fd;
static struct gate ready;
static pid_t other[OTHERS];

/* Each with an entry of the page that all share, and of one of its own. */
static void others_mirror(char *shared, char *own)
{
	int i;

	gate_init(&ready);
	for (i = 0; i < OTHERS; i++) {
		other[i] = spawn();
		if (!other[i]) {
			fd = attached();
			cpu_stamp(shared, 1, 1);
			cpu_stamp(own, 1, 2 + i);
			populate(fd, shared, 1, WRITE);
			populate(fd, own, 1, WRITE);
			pass(&ready);
			while (true)
				pause();
		}
		wait_at(&ready);
	}
}

static void others_go(void)
{
	int i;

	for (i = 0; i < OTHERS; i++)
		kill_and_reap(other[i]);
}

/* Who has the page gives it up, and so many have been asked. */
static uint64_t asked_by_evict(char *p, uint64_t entries)
{
	uint64_t before = stats_of(fd).rmap_zaps;

	tp_tell("rmap_walk", "count");
	EXPECT_EQ(mmu_evict(fd, p), 1, "evict");
	EXPECT_EQ(stats_of(fd).rmap_zaps - before, entries, "entries removed");
	return tp_arrivals("rmap_walk");
}

TEST_BOTH_MODES(g4_all_that_may_have_the_page_are_asked, 60)
{
	char *shared = map_shared(1), *own = map_private(1);
	uint64_t entries;

	tp_need();
	cpu_stamp(shared, 1, 1);
	fd = attached();
	others_mirror(shared, own);
	populate(fd, shared, 1, WRITE);
	cpu_stamp(own, 1, 1);
	mmu_evict(fd, own);		/* whoever had the frame */
	populate(fd, own, 1, WRITE);
	entries = stats_of(fd).entries;
	EXPECT_EQ(entries, 2 * (OTHERS + 1), "two in each process");
	EXPECT_LE(asked_by_evict(own, 1), OTHERS / TAGS + 2,
		  "those with our tag");
	EXPECT_EQ(asked_by_evict(shared, OTHERS + 1), OTHERS + 1, "all");
	EXPECT_EQ(mmu_evict(fd, shared), 0, "nothing is on record");
	EXPECT_EQ(stats_of(fd).entries, OTHERS, "their own pages are there");
	populate(fd, shared, 1, WRITE);
	EXPECT_LE(asked_by_evict(shared, 1), OTHERS / TAGS + 2, "ours again");
	others_go();
}

/* Several pages are on record side by side: one is taken, and no other. */
TEST(g4_tags_of_neighbours_stay, 20)
{
	char *p = map_private(N);
	size_t i, j;

	fd = attached();
	cpu_stamp(p, N, 1);
	for (i = 0; i < N; i++)
		mmu_evict(fd, p + i * MMU_PAGE);	/* whoever had them */
	populate(fd, p, N, WRITE);
	for (i = 0; i < N; i++) {
		j = i * 29 % N;
		EXPECT_EQ(mmu_evict(fd, p + j * MMU_PAGE), 1, "page %zu", j);
		EXPECT_EQ(mmu_entry(fd, p + j * MMU_PAGE), 0, "gone");
		EXPECT_EQ(present(fd, p, N), N - i - 1, "the others are there");
	}
}
