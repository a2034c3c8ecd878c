// SPDX-License-Identifier: GPL-2.0
/*
 * t-migrate.c - the kernel moves and merges pages under the device
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"
#include "race.h"

#define N	64
#define ALL_MAX	(128u << 8)	/* 128 MiB */
#define ALL	scaled(ALL_MAX)
#define KEEP	8

/* Soft offline migrates a page away from a frame that is said to be bad. */
TEST_BOTH_MODES(g4_soft_offline_migrates, 20)
{
	int fd = attached(), ret;
	char *p = map_private(4);
	uint64_t old[4];

	cpu_stamp(p, 4, 1);
	populate(fd, p, 4, WRITE);
	device_stamp(fd, p, 4, 2);
	pagemap_of(p, 4, old);
	ret = madvise(p, 2 * MMU_PAGE, MADV_SOFT_OFFLINE) ? -errno : 0;
	if (ret)
		skip("MADV_SOFT_OFFLINE: %s", strerror(-ret));
	ASSERT_EQ(count_moved(p, 2, old), 2, "two pages have moved");
	verify(fd, p, 4);
	device_sees(fd, p, 4, 2);
	device_stamp(fd, p, 4, 3);
	cpu_sees(p, 4, 3);
	verify(fd, p, 4);
}

/* Every eighth page of much memory, and half of these are mirrored. */
static char *mirrored_scattered(int fd)
{
	char *p = map_scattered(ALL, KEEP);
	size_t i;

	for (i = 0; i < ALL; i += 2 * KEEP)
		populate(fd, p + i * MMU_PAGE, 1, WRITE);
	return p;
}

/*
 * Compaction: of 128 MiB little is kept, and order is asked for. Which pages
 * move is the kernel's choice; if none do, there is more disorder next time.
 */
TEST_BOTH_MODES(g4_compaction_migrates, 60)
{
	static uint64_t old[ALL_MAX];
	size_t i, moved = 0;
	int fd = attached(), tries;
	char *p;

	for (tries = 0; tries < 8 && !moved; tries++) {
		p = mirrored_scattered(fd);
		pagemap_of(p, ALL, old);
		if (write_file("/proc/sys/vm/compact_memory", "1"))
			skip("this kernel does not compact");
		moved = count_moved(p, ALL, old);
	}
	if (!moved)
		skip("compaction moved none of our pages");
	note("compaction moved %zu of %zu pages", moved, ALL / KEEP);
	verify(fd, p, 0);
	for (i = 0; i < ALL; i += KEEP)
		device_sees(fd, p + i * MMU_PAGE, 1, SCATTERED_GEN(i, KEEP));
	verify(fd, p, N);
}

/* --- KSM: equal pages become one, read-only, with many addresses ---------- */

#define KSM	"/sys/kernel/mm/ksm/"

static void start_ksm(void)
{
	if (write_file(KSM "sleep_millisecs", "5") ||
	    write_file(KSM "pages_to_scan", "2000") ||
	    write_file(KSM "run", "1"))
		skip("no KSM");
}

/* Run 2 unmerges everything; later tests must not meet merged pages. */
static void stop_ksm(void)
{
	EXPECT_EQ(write_file(KSM "run", "2"), 0, "KSM stops");
}

static char *equal_pages(void)
{
	char *p = map_private(N);
	size_t i;

	for (i = 0; i < N; i++)
		memset(p + i * MMU_PAGE, 0x5a, MMU_PAGE);
	ASSERT_EQ(madvise(p, N * MMU_PAGE, MADV_MERGEABLE), 0, "mergeable");
	return p;
}

static void wait_merged(const char *p)
{
	int ms;

	for (ms = 0; ms < 8000 && count_merged(p, N) < N; ms += 50)
		sleep_ms(50);
	if (count_merged(p, N) < N) {
		stop_ksm();
		skip("KSM did not merge the pages in 8 s");
	}
}

TEST(g3_ksm_merges_and_breaks, 30)
{
	int fd = attached(), i;
	char *p, expect[64], got[64];

	start_ksm();
	p = equal_pages();
	populate(fd, p, N, WRITE);
	wait_merged(p);
	none_writable(fd, p, N);
	verify(fd, p, N);
	populate(fd, p, N, 0);
	none_writable(fd, p, N);
	verify(fd, p, N);

	/* One page for all of them: evicting it takes every alias. */
	EXPECT_EQ(mmu_evict(fd, p + 9 * MMU_PAGE), 1, "evict the one page");
	EXPECT_EQ(present(fd, p, N), 0, "all its aliases are gone");
	populate(fd, p, N, 0);

	/* The CPU writes one, the device another: nobody else may see it. */
	p[7 * MMU_PAGE] = 1;
	expect[0] = 2;
	ASSERT_EQ(mmu_write(fd, p + 8 * MMU_PAGE, expect, 1), 0, "write");
	memset(expect, 0x5a, sizeof(expect));
	for (i = 0; i < N; i++) {
		ASSERT_EQ(mmu_read(fd, p + i * MMU_PAGE, got, 64), 0, "read");
		EXPECT_EQ(got[0], i == 7 ? 1 : i == 8 ? 2 : 0x5a,
			  "page %d has its own contents", i);
		EXPECT_EQ(memcmp(got + 1, expect, 63), 0, "all of them");
		EXPECT_EQ(p[i * MMU_PAGE], got[0], "and the CPU agrees");
	}
	verify(fd, p, N);
	stop_ksm();
	verify(fd, p, N);
	EXPECT_EQ(count_merged(p, N), 1, "all pages are apart again");
}

/*
 * A page that has one reference more than ptes is not write-protected, and so
 * not merged: whoever counts merged pages after two scans, as the kernel's own
 * test does, may count too few while a mirror looks pages up.
 */
TEST(ksm_leaves_what_is_looked_up, 30)
{
	struct call c = { .fn = do_populate, .pages = N };
	long until;

	race_begin(1);
	c.fd = attached();
	c.flags = MY_MMU_POPULATE_NOFAULT;
	c.p = equal_pages();
	call_to(&c, "populate_lookup");
	start_ksm();
	until = read_number(KSM "full_scans") + 4;
	while (read_number(KSM "full_scans") < until)
		sleep_ms(20);
	EXPECT_EQ(count_merged(c.p, N), 1, "none is merged in four scans");
	/*
	 * To find out, ksmd takes a pte away for a moment. NOFAULT would find
	 * nothing there, and is content with that.
	 */
	EXPECT_EQ(write_file(KSM "run", "0"), 0, "ksmd stands still");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(write_file(KSM "run", "1"), 0, "ksmd goes on");
	wait_merged(c.p);
	verify(c.fd, c.p, N);
	stop_ksm();
}
