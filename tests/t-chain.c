// SPDX-License-Identifier: GPL-2.0
/*
 * t-chain.c - what is left to the rmap chain is left to it
 *
 * With %MY_MMU_ATTACH_RMAP_ONLY the range notifier leaves alone what the VM
 * unmaps page by page. Nothing goes wrong if it does not: the entries are gone
 * all the same. But then the chain would never be needed, nor tested. So each
 * of these acts must find all its entries through the chain, and without the
 * flag none.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"
#include "disk.h"

#define N	16
#define ALL	(MMU_HUGE / MMU_PAGE)
#define RW	(PROT_READ | PROT_WRITE)

static int fd;
static struct my_mmu_stats before;

static void mark(void)
{
	before = stats_of(fd);
	if (!before.rmap_hook_active)
		skip("the VM does not feed the rmap chain here");
}

/* Who wants the hook skips without it. So it must be there unless told off. */
TEST(g4_the_vm_feeds_the_chain, 10)
{
	char told[2] = "";
	int param = open("/sys/module/mmu_rmap/parameters/hook",
			 O_RDONLY | O_CLOEXEC);

	fd = mmu_open();
	ASSERT_EQ(read(param, told, 1), 1, "how the module was loaded");
	EXPECT_EQ(stats_of(fd).rmap_hook_active, told[0] == 'Y', "hooked");
	close(param);
}

static void by_the_chain(uint64_t entries)
{
	EXPECT_EQ(stats_of(fd).rmap_zaps - before.rmap_zaps,
		  test_mode ? entries : 0, "entries that the chain has zapped");
	EXPECT_EQ(stats_of(fd).zapped_pages - before.zapped_pages, entries,
		  "of all that have gone");
}

static void page_out_all(char *p)
{
	size_t tries;

	for (tries = 0; tries < 20 && count_swapped(p, N) < N; tries++)
		ASSERT_EQ(madvise(p, N * MMU_PAGE, MADV_PAGEOUT), 0, "pageout");
	ASSERT_EQ(count_swapped(p, N), N, "all of it is out");
}

TEST_BOTH_MODES(g4_pageout_is_left_to_the_chain, 20)
{
	char *p;

	if (!have_swap())
		skip("no swap");
	stay_on_one_cpu();
	fd = attached();
	p = map_private(N);
	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	mark();
	page_out_all(p);
	by_the_chain(N);
	device_sees(fd, p, N, 1);
	verify(fd, p, N);
}

/* Nobody has mirrored the head: that says nothing about the others. */
static void split_from(size_t first)
{
	char *p = map_thp();

	madvise(p, MMU_HUGE, MADV_NOHUGEPAGE);
	mmu_evict(fd, p);
	populate(fd, p + first * MMU_PAGE, ALL - first, WRITE);
	mark();
	ASSERT_EQ(split_thp(p), 0, "split_huge_pages");
	ASSERT_EQ(is_thp(p), 0, "it is split");
	by_the_chain(ALL - first);
	device_sees(fd, p, ALL, 1);
	verify(fd, p, ALL);
	munmap(p, MMU_HUGE);
}

TEST_BOTH_MODES(g4_split_is_left_to_the_chain, 20)
{
	fd = attached();
	split_from(0);
	split_from(1);
	split_from(ALL - 1);
}

/* Writeback protects the page against writing, and the chain zaps it. */
TEST_BOTH_MODES(g7_writeback_is_left_to_the_chain, 20)
{
	int file = disk_file("chain", N * MMU_PAGE);
	char *p = map_fd(file, N, RW, MAP_SHARED);

	fd = attached();
	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	device_stamp(fd, p, N, 2);
	mark();
	ASSERT_EQ(msync(p, N * MMU_PAGE, MS_SYNC), 0, "msync");
	none_writable(fd, p, N);
	by_the_chain(N);
	device_stamp(fd, p, N, 3);
	ASSERT_EQ(msync(p, N * MMU_PAGE, MS_SYNC), 0, "msync");
	cpu_sees(p, N, 3);
	verify(fd, p, N);
}

/* The flags are those of the first attach, whatever later ones ask for. */
TEST_BOTH_MODES(g4_flags_are_those_of_the_first, 20)
{
	int other;
	char *p;

	if (!have_swap())
		skip("no swap");
	stay_on_one_cpu();
	fd = attached();
	other = mmu_open_attached(test_variant,
				  test_mode ? 0 : MY_MMU_ATTACH_RMAP_ONLY);
	ASSERT_GE(other, 0, "a second handle, with the other flags");
	p = map_private(N);
	cpu_stamp(p, N, 1);
	populate(other, p, N, WRITE);
	mark();
	page_out_all(p);
	by_the_chain(N);
	verify(other, p, N);
}
