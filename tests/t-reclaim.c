// SPDX-License-Identifier: GPL-2.0
/*
 * t-reclaim.c - G4, G7: the kernel takes pages away, the data stays
 *
 * Every test here runs twice: with both notifiers at work, and with
 * reclaim left to the rmap chain alone (RMAP_ONLY). The guarantees are the
 * same.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cgroup.h"
#include "common.h"
#include "disk.h"

#define N	128
#define MOST	(4 * N)

static void need_swap(void)
{
	if (!have_swap())
		skip("no swap");
}

/*
 * A call of the hook is for a folio. How many pages these have is up to the
 * file system and the allocator: 43 calls for 128 pages of ext4 on 7.3, where
 * 6.12 made one for each. The chain counts pages.
 */
static bool hooked(const struct my_mmu_stats *before,
		   const struct my_mmu_stats *after, size_t evicted)
{
	if (!before->rmap_hook_active) {
		note("the VM does not feed the rmap chain here");
		return false;
	}
	EXPECT_GT(after->rmap_hooked, before->rmap_hooked,
		  "the hook was called");
	EXPECT_GE(after->rmap_walks - before->rmap_walks, evicted,
		  "the chain ran for every page that was unmapped");
	return true;
}

/* Pages that were evicted while mirrored came through the rmap chain. */
static void check_chain(const struct my_mmu_stats *before,
			const struct my_mmu_stats *after, size_t evicted)
{
	if (!hooked(before, after, evicted) || !test_mode)
		return;
	/* Nobody else tells the driver: each page must have come this way. */
	EXPECT_GE(after->rmap_callbacks - before->rmap_callbacks, evicted,
		  "the variant was told");
	EXPECT_GE(after->rmap_zaps - before->rmap_zaps, evicted,
		  "and dropped its entries");
}

/* Where the device has used a page, the first try may spare it. */
static void evict_and_compare(int fd, char *p, size_t pages)
{
	struct my_mmu_stats before = stats_of(fd), after;
	size_t evicted = 0;
	int tries;

	for (tries = 0; tries < 3 && evicted < pages; tries++) {
		ASSERT_EQ(madvise(p, pages * MMU_PAGE, MADV_PAGEOUT), 0,
			  "pageout");
		evicted = swapped_without_entries(fd, p, pages);
	}
	after = stats_of(fd);
	ASSERT_GE(evicted, pages / 2, "most pages went to swap");
	check_chain(&before, &after, evicted);
	verify(fd, p, pages);
	poison_free_memory();
}

TEST_BOTH_MODES(g7_pageout_of_written_pages, 20)
{
	int fd = attached();
	char *p = map_private(N);

	need_swap();
	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	device_stamp(fd, p, N, 2);
	evict_and_compare(fd, p, N);
	device_sees(fd, p, N, 2);
	cpu_sees(p, N, 2);
	device_stamp(fd, p, N, 3);
	evict_and_compare(fd, p, N);
	cpu_sees(p, N, 3);
	device_sees(fd, p, N, 3);
	verify(fd, p, N);
}

/* Read entries, too: they name pages that are someone else's afterwards. */
TEST_BOTH_MODES(g4_pageout_of_read_pages, 20)
{
	int fd = attached();
	char *p = map_private(N);

	need_swap();
	cpu_stamp(p, N, 1);
	populate(fd, p, N, 0);
	evict_and_compare(fd, p, N);
	device_sees(fd, p, N, 1);
	verify(fd, p, N);
}

/*
 * 4.11 of the skeleton. A page marked MADV_FREE has a clean pte; if the
 * device then writes and says nothing, reclaim throws the page away.
 */
TEST_BOTH_MODES(g7_device_write_after_madv_free, 20)
{
	int fd = attached();
	char *p = map_private(N);

	need_swap();
	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	ASSERT_EQ(madvise(p, N * MMU_PAGE, MADV_FREE), 0, "madvise");
	device_stamp(fd, p, N, 2);
	ASSERT_EQ(madvise(p, N * MMU_PAGE, MADV_PAGEOUT), 0, "pageout");
	poison_free_memory();
	cpu_sees(p, N, 2);
	device_sees(fd, p, N, 2);
	verify(fd, p, N);
}

/* And if nobody writes, the pages may go, but never show old contents. */
TEST_BOTH_MODES(g1_madv_free_without_write, 20)
{
	int fd = attached(), i;
	char *p = map_private(N);
	uint64_t cpu, device;

	need_swap();
	cpu_stamp(p, N, 1);
	populate(fd, p, N, 0);
	ASSERT_EQ(madvise(p, N * MMU_PAGE, MADV_FREE), 0, "madvise");
	ASSERT_EQ(madvise(p, N * MMU_PAGE, MADV_PAGEOUT), 0, "pageout");
	poison_free_memory();
	for (i = 0; i < N; i++) {
		ASSERT_EQ(mmu_read(fd, p + i * MMU_PAGE, &device, 8), 0,
			  "device read");
		cpu = *(volatile uint64_t *)(p + i * MMU_PAGE);
		EXPECT_EQ(device, cpu, "CPU and device agree on page %d", i);
		EXPECT_EQ(cpu == 0 || cpu == stamp(1, i), 1,
			  "which holds old data or zeros");
	}
	verify(fd, p, N);
}

/* Real reclaim, started from outside the process, by the page. */
static void reclaim_from_outside(char *p, size_t pages, int fd)
{
	struct my_mmu_stats before, after;
	size_t evicted = 0;
	int tries;

	before = stats_of(fd);
	for (tries = 0; tries < 5 && evicted < pages / 2; tries++) {
		cgroup_reclaim("reclaim", pages * MMU_PAGE);
		evicted = swapped_without_entries(fd, p, pages);
	}
	after = stats_of(fd);
	ASSERT_GE(evicted, pages / 4, "reclaim took some of the pages");
	check_chain(&before, &after, evicted);
}

TEST_BOTH_MODES(g7_cgroup_reclaim_of_anonymous_memory, 30)
{
	char *p;
	int fd;

	need_swap();
	cgroup_enter("reclaim", "memory");
	fd = attached();
	p = map_private(MOST);
	cpu_stamp(p, MOST, 1);
	populate(fd, p, MOST, WRITE);
	device_stamp(fd, p, MOST, 2);
	reclaim_from_outside(p, MOST, fd);
	verify(fd, p, MOST);
	poison_free_memory();
	device_sees(fd, p, MOST, 2);
	cpu_sees(p, MOST, 2);
	verify(fd, p, MOST);
}

/*
 * A large folio passes the hook once, and each of its pages the chain. Where
 * the VM announces a whole leaf table first (6.1, lest it has to split a huge
 * page), the range notifier has taken the entries by then.
 */
static void check_chain_of_folios(const struct my_mmu_stats *before,
				  const struct my_mmu_stats *after,
				  size_t folios, size_t pages)
{
	if (folios == pages) {
		check_chain(before, after, pages);
		return;
	}
	if (!hooked(before, after, folios) || !test_mode)
		return;
	EXPECT_GE(after->rmap_walks - before->rmap_walks, pages,
		  "the chain ran for each page");
	EXPECT_GE(after->rmap_callbacks - before->rmap_callbacks, pages,
		  "the variant was told");
	EXPECT_GE(after->zapped_pages - before->zapped_pages, pages,
		  "by then at the latest, the entries are gone");
}

/* A file's pages: clean, so nobody writes them. */
TEST_ON_DISKS(g4_pageout_of_a_file, 20)
{
	int file = disk_file("reclaim", N * MMU_PAGE), fd = attached();
	char *p = map_fd(file, N, PROT_READ | PROT_WRITE, MAP_SHARED);
	struct my_mmu_stats before, after;
	size_t folios;
	int tries;

	stay_on_one_cpu();
	cpu_stamp(p, N, 1);
	ASSERT_EQ(msync(p, N * MMU_PAGE, MS_SYNC), 0, "msync");
	populate(fd, p, N, 0);
	folios = N - count_tails(p, N);
	before = stats_of(fd);
	/* A page that somebody else has a reference to is passed over. */
	for (tries = 0; tries < 30 && present(fd, p, N); tries++) {
		ASSERT_EQ(madvise(p, N * MMU_PAGE, MADV_PAGEOUT), 0, "pageout");
		sleep_ms(tries);
	}
	after = stats_of(fd);
	EXPECT_EQ(present(fd, p, N), 0, "no entries");
	check_chain_of_folios(&before, &after, folios, N);
	poison_free_memory();
	device_sees(fd, p, N, 1);
	verify(fd, p, N);
}

/*
 * Shared memory leaves page tables first, then the page cache, for swap. Its
 * place is not kept, so it is never left to the chain.
 */
TEST_BOTH_MODES(g7_cgroup_reclaim_of_shared_memory, 30)
{
	struct my_mmu_stats before, after;
	char *p;
	int fd, i;

	need_swap();
	cgroup_enter("reclaim", "memory");
	fd = attached();
	p = map_fd(make_memfd(MOST), MOST, PROT_READ | PROT_WRITE,
		   MAP_SHARED);
	populate(fd, p, MOST, WRITE);
	device_stamp(fd, p, MOST, 2);
	before = stats_of(fd);
	for (i = 0; i < 5 && present(fd, p, MOST) > 2 * N; i++)
		cgroup_reclaim("reclaim", MOST * MMU_PAGE);
	after = stats_of(fd);
	EXPECT_LE(present(fd, p, MOST), 3 * N, "reclaim took some pages");
	hooked(&before, &after, MOST - present(fd, p, MOST));
	verify(fd, p, MOST);
	poison_free_memory();
	device_sees(fd, p, MOST, 2);
	cpu_sees(p, MOST, 2);
	verify(fd, p, MOST);
}

/*
 * Pages that nobody exported cost a lookup, and no walk. A frame that was
 * exported when it held something else may still be on record, but one walk
 * strikes it off: after a few rounds the filter must know better.
 */
TEST(g4_unexported_pages_are_filtered, 20)
{
	struct my_mmu_stats before, after;
	int fd = attached(), round;
	char *mine = map_private(4), *p = map_private(N);

	need_swap();
	if (!stats_of(fd).rmap_hook_active)
		skip("the VM does not feed the rmap chain here");
	populate(fd, mine, 4, WRITE);
	for (round = 0; round < 20; round++) {
		cpu_stamp(p, N, round);
		before = stats_of(fd);
		ASSERT_EQ(madvise(p, N * MMU_PAGE, MADV_PAGEOUT), 0, "pageout");
		after = stats_of(fd);
		ASSERT_GE(count_swapped(p, N), N / 2, "most are in swap");
		cpu_sees(p, N, round);
		if (after.rmap_walks - before.rmap_walks <= N / 8)
			break;
	}
	EXPECT_LE(after.rmap_walks - before.rmap_walks, N / 8,
		  "the chain hardly runs, at last");
	EXPECT_GE(after.rmap_filtered - before.rmap_filtered, N / 2,
		  "for the filter spares it most pages");
	EXPECT_EQ(present(fd, mine, 4), 4, "other entries were left alone");
}

/* Swapped out under a process that has died meanwhile: nothing is followed. */
TEST_BOTH_MODES(g5_reclaim_while_owners_exit, 30)
{
	char *p;
	int round, fd;
	pid_t pid;

	need_swap();
	cgroup_enter("reclaim", "memory");
	for (round = 0; round < 10; round++) {
		pid = spawn();
		if (!pid) {
			fd = attached();
			p = map_private(N);
			populate(fd, p, N, WRITE);
			sleep_ms(2 * round);
			_exit(0);
		}
		cgroup_reclaim("reclaim", N * MMU_PAGE);
		cgroup_reclaim("reclaim", N * MMU_PAGE);
		join(pid);
	}
}
