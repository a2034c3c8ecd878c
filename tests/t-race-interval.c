// SPDX-License-Identifier: GPL-2.0
/*
 * t-race-interval.c - leaf tables that are shown to the VM, and withdrawn
 *
 * Where the VM calls for each leaf table, a table comes in two steps (it is in
 * the tree, the VM knows it) and leaves in two (it is out of the tree, the VM
 * does not call any more). The second of each may be late.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "race.h"

#define N	4

static int fd;

static void begin(unsigned int threads)
{
	need(SHOWS_TABLES, "show its tables to the VM");
	race_begin(threads);
	fd = attached();
}

static struct call populate_of(char *p)
{
	return (struct call) {
		.fn = do_populate, .fd = fd, .p = p, .pages = N,
		.flags = WRITE,
	};
}

static void map_again(char *p)
{
	ASSERT_EQ(mmap(p, MMU_HUGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), p,
		  "mmap at the same address");
	ASSERT_EQ(madvise(p, MMU_HUGE, MADV_NOHUGEPAGE), 0, "4 KiB pages only");
}

static void tables_become(uint64_t n, const char *why)
{
	double deadline = seconds() + DEADLINE_S;

	while (stats_of(fd).tables != n && seconds() < deadline)
		sleep_ms(5);
	EXPECT_EQ(stats_of(fd).tables, n, "%s", why);
}

/* A table with nothing in it, out of the tree; the worker is held up. */
static char *table_on_its_way_out(void)
{
	char *p = map_tables(1);

	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	tp_park_mm("interval_remove", getpid());
	ASSERT_EQ(munmap(p, MMU_HUGE), 0, "munmap");
	tp_wait_parked("interval_remove", 1);
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is mapped");
	return p;
}

/* What waits for a grace period had its chance. */
static void pass_a_grace_period(void)
{
	sleep_ms(300);
}

/*
 *	populate			populate, same table
 *
 *	pins T: it has no notifier
 *					pins T: likewise
 *	inserts one
 *					inserts another
 *
 * Forbidden by "T has one: removes its own". Neither may be forgotten: the VM
 * would call for freed memory, or T would never go.
 */
TEST(g5_race_two_show_one_table, 20)
{
	struct call a, b;
	char *p;

	begin(2);
	p = map_tables(1);
	cpu_stamp(p, 2 * N, 1);
	a = populate_of(p);
	b = populate_of(p + N * MMU_PAGE);
	call_to(&a, "interval_insert");
	call_to(&b, "interval_insert");
	EXPECT_EQ(stats_of(fd).tables, 1, "one table");
	tp_release("interval_insert");
	EXPECT_EQ(call_wait(&a), 0, "one populate");
	EXPECT_EQ(call_wait(&b), 0, "the other");
	EXPECT_EQ(present(fd, p, 2 * N), 2 * N, "both are done");
	device_sees(fd, p, 2 * N, 1);
	verify(fd, p, 2 * N);
	ASSERT_EQ(munmap(p, MMU_HUGE), 0, "munmap");
	EXPECT_EQ(stats_of(fd).entries, 0, "reaches both");
	tables_become(0, "and the table goes");
}

/*
 *	populate			munmap
 *
 *	pins T: it has no notifier
 *					start: does not call for T
 *					end
 *	inserts one
 *	looks up
 *
 * Forbidden is to look up before the VM knows T. What is looked up then is new,
 * and nobody needs to begin again.
 */
TEST(g2_race_invalidated_before_it_is_shown, 20)
{
	struct call c;

	begin(1);
	c = populate_of(map_tables(1));
	cpu_stamp(c.p, N, 1);
	call_to(&c, "interval_insert");
	ASSERT_EQ(madvise(c.p, MMU_HUGE, MADV_DONTNEED), 0, "discard");
	cpu_stamp(c.p, N, 2);
	tp_release("interval_insert");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(c.retries, 0, "nothing was in its way");
	device_sees(fd, c.p, N, 2);
	verify(fd, c.p, N);
}

/* Without memory to show it with, the table goes again. */
TEST(g10_race_no_memory_to_show_a_table, 20)
{
	char *p;

	begin(0);
	p = map_tables(1);
	cpu_stamp(p, N, 1);
	tp_tell("interval_insert", "fail 1");
	EXPECT_EQ(mmu_populate(fd, p, N * MMU_PAGE, WRITE), -ENOMEM,
		  "populate");
	tables_become(0, "no table is left");
	populate(fd, p, N, WRITE);
	device_sees(fd, p, N, 1);
	verify(fd, p, N);
}

/*
 *	munmap			populate		the worker
 *
 *	T leaves the tree
 *				makes T', shows it
 *	start: calls for T
 *	and for T'
 *							withdraws T
 *
 * Forbidden by "a callback goes to the table of its own notifier": T' would not
 * be zapped, or would leave in place of T. And by "out of the tree, its
 * notifier removed, freed": T is there as long as the VM calls for it.
 */
TEST(g5_race_table_that_leaves_has_a_successor, 20)
{
	char *p, *last;

	begin(1);
	p = table_on_its_way_out();
	map_again(p);
	last = p + MMU_HUGE - MMU_PAGE;
	/* A mapping of its own: none has to be split, which is told, too. */
	ASSERT_EQ(mprotect(last, MMU_PAGE, PROT_READ), 0, "mprotect");
	cpu_stamp(p, N, 2);
	populate(fd, p, N, WRITE);
	pass_a_grace_period();
	EXPECT_EQ(stats_of(fd).tables, 2, "both are there");
	device_sees(fd, p, N, 2);
	ASSERT_EQ(madvise(p, MMU_PAGE, MADV_DONTNEED), 0, "discard");
	EXPECT_EQ(present(fd, p, N), N - 1, "the successor was told");
	ASSERT_EQ(munmap(last, MMU_PAGE), 0, "munmap of the last page");
	EXPECT_EQ(present(fd, p, N), N - 1, "it is in the tree");
	tp_release("interval_remove");
	tables_become(1, "one of them goes");
	EXPECT_EQ(present(fd, p, N), N - 1, "the right one");
	verify(fd, p, N);
	ASSERT_EQ(munmap(p, MMU_HUGE), 0, "munmap");
	tables_become(0, "and then the other");
}

/*
 *	the worker			last detach
 *
 *	takes what has left
 *					release: zaps all
 *					frees m
 *	uses m
 *
 * Forbidden by "so has each interval notifier" (a reference). The detach waits
 * for nothing.
 */
TEST(g5_race_last_detach_before_the_worker, 20)
{
	int other;

	begin(1);
	other = mmu_open();
	table_on_its_way_out();
	ASSERT_EQ(mmu_detach(fd), 0, "the last detach");
	pass_a_grace_period();
	EXPECT_EQ(stats_of(other).mmus, 1, "it is there for the worker");
	tp_release("interval_remove");
	wait_for_mmus(other, 0);
	fd = other;
	tables_become(0, "and its table goes");
}

/*
 *	rmap chain			populate, munmap
 *
 *	zaps the last entry of T
 *					finds nothing to enter: T leaves
 *					start: does not call for T
 *					the VM frees the page
 *	asks the device
 *
 * Forbidden by "removes no notifier before the device has answered".
 */
#define SLOW_US	MY_MMU_SHOOTDOWN_MAX_US

TEST(g1_race_table_leaves_unanswered, 20)
{
	struct call e = { .fn = do_evict };
	double start;
	char *p;

	begin(1);
	p = map_tables(1);
	cpu_stamp(p, 1, 1);
	ASSERT_EQ(munmap(p + N * MMU_PAGE, MMU_PAGE), 0, "a hole");
	populate(fd, p, 1, WRITE);
	ASSERT_EQ(mmu_configure(fd, SLOW_US), 0, "a slow device");
	e.fd = fd;
	e.p = p;
	call_to(&e, "rmap_zapped");
	EXPECT_EQ(mmu_populate(fd, p + N * MMU_PAGE, MMU_PAGE, 0), -EFAULT,
		  "there is nothing to populate");
	sleep_ms(100);
	start = seconds();
	ASSERT_EQ(madvise(p, MMU_PAGE, MADV_DONTNEED), 0, "discard");
	EXPECT_GE((long)((seconds() - start) * 1e6), SLOW_US / 2,
		  "waits for the device");
	ASSERT_EQ(mmu_configure(fd, 0), 0, "a fast device");
	tp_release("rmap_zapped");
	EXPECT_EQ(call_wait(&e), 1, "evict");
	tables_become(0, "the table goes, late");
}
