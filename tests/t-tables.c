// SPDX-License-Identifier: GPL-2.0
/*
 * t-tables.c - G1, G2, G3: ranges over leaf tables that are absent, empty, full
 *
 * Everything that goes through the tables of a range (a zap, the end of an
 * invalidation, VERIFY, release) must pass by those that have nothing to say,
 * wherever they lie.
 */
#include <errno.h>
#include <sys/mman.h>

#include "race.h"

#define TABLES	3
#define KINDS	3	/* absent, empty, with an entry */
#define COMBINATIONS	(KINDS * KINDS * KINDS)

static int fd;
static char *p;

static char *page_of(int table)
{
	static const size_t page[TABLES] = { 511, 200, 0 };

	return p + table * MMU_HUGE + page[table] * MMU_PAGE;
}

static int kind_of(int combination, int table)
{
	while (table--)
		combination /= KINDS;
	return combination % KINDS;
}

/* Returns how many have an entry. */
static int make(int combination)
{
	int i, kind, entries = 0;

	p = map_tables(TABLES);
	for (i = 0; i < TABLES; i++) {
		kind = kind_of(combination, i);
		if (kind)
			populate(fd, page_of(i), 1, WRITE);
		if (kind == 1)
			madvise(page_of(i), MMU_PAGE, MADV_DONTNEED);
		entries += kind == 2;
	}
	EXPECT_EQ(stats_of(fd).entries, entries, "entries (combination %d)",
		  combination);
	return entries;
}

static int do_discard(void)
{
	return madvise(page_of(0), page_of(TABLES - 1) + MMU_PAGE - page_of(0),
		       MADV_DONTNEED);
}

static int do_unmap(void)
{
	return munmap(p, TABLES * MMU_HUGE);
}

static int do_protect(void)
{
	return mprotect(p, TABLES * MMU_HUGE, PROT_READ);
}

static int do_leave(void)
{
	int ret = mmu_detach(fd);

	return ret ?: mmu_attach(fd, test_variant);
}

static int (*const removals[])(void) = {
	do_discard, do_unmap, do_protect, do_leave,
};

static void verify_counts(int entries, int combination)
{
	struct my_mmu_verify v;

	ASSERT_EQ(mmu_verify(fd, p, TABLES * MMU_HUGE, &v), 0, "VERIFY");
	EXPECT_EQ(v.right, entries, "VERIFY sees all entries (combination %d)",
		  combination);
	ASSERT_EQ(mmu_verify(fd, NULL, 0, &v), 0, "VERIFY of all");
	EXPECT_EQ(v.right, entries, "so it does in all of user space");
	EXPECT_EQ(v.stale + v.over_permissive + v.unsettled, 0, "all right");
}

TEST(g1_tables_with_nothing_in_them, 30)
{
	int combination, entries;
	size_t i;

	fd = attached();
	for (combination = 0; combination < COMBINATIONS; combination++) {
		for (i = 0; i < sizeof(removals) / sizeof(*removals); i++) {
			entries = make(combination);
			verify_counts(entries, combination);
			EXPECT_EQ(removals[i](), 0, "removal %zu", i);
			EXPECT_EQ(stats_of(fd).entries, 0,
				  "no entry is left (combination %d, by %zu)",
				  combination, i);
			munmap(p, TABLES * MMU_HUGE);
		}
	}
}

/*
 *	populate of one table		discard of all
 *
 *	pin the table, take its sequence
 *	look up
 *					start: passes by those that are empty
 *					end: so does this
 *	enter?
 *
 * The sequence of the populate's table must have moved, whatever lies before
 * it and behind it. By "nothing is entered if the sequence has moved since the
 * snapshot".
 */
static void lost_in(int table, int combination)
{
	struct call c = { .fn = do_populate, .pages = 1, .flags = WRITE };

	make(combination);
	c.fd = fd;
	c.p = page_of(table);
	cpu_stamp(c.p, 1, 1);
	call_to(&c, "populate_lookup");
	EXPECT_EQ(do_discard(), 0, "discard");
	cpu_stamp(c.p, 1, 2);
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(c.retries, 1, "was begun again (table %d, combination %d)",
		  table, combination);
	device_sees(fd, c.p, 1, 2);
	verify(fd, c.p, 1);
	EXPECT_EQ(do_unmap(), 0, "munmap");
	EXPECT_EQ(stats_of(fd).entries, 0, "no entry is left");
}

TEST(g2_race_tables_with_nothing_in_them, 60)
{
	int combination, table;

	race_begin(1);
	fd = attached();
	for (combination = 0; combination < COMBINATIONS; combination++)
		for (table = 0; table < TABLES; table++)
			lost_in(table, combination);
}

/* Each first and last page of a range in a table, and the whole of it. */
TEST(g1_all_edges_of_a_table, 30)
{
	static const int at[] = { 0, 1, 2, 254, 255, 256, 257, 510, 511, 512 };
	const int n = sizeof(at) / sizeof(*at);
	int i, k, from, to;

	fd = attached();
	p = map_tables(1);
	for (i = 0; i < n; i++) {
		for (k = i + 1; k < n; k++) {
			from = at[i];
			to = at[k];
			populate(fd, p, 512, WRITE);
			ASSERT_EQ(madvise(p + from * MMU_PAGE,
					  (to - from) * MMU_PAGE,
					  MADV_DONTNEED), 0, "madvise");
			EXPECT_EQ(stats_of(fd).entries, 512 - (to - from),
				  "[%d, %d) has gone, and no more", from, to);
			EXPECT_EQ(present(fd, p + from * MMU_PAGE, to - from),
				  0, "none of it is left");
		}
	}
	verify(fd, p, 512);
}

/* VERIFY of a range counts what is in it; of zero pages as of all others. */
TEST(g3_verify_of_any_range, 30)
{
	static const int at[] = { 0, 1, 17, 255, 256, 511, 512, 513, 1024 };
	const int n = sizeof(at) / sizeof(*at);
	struct my_mmu_verify v;
	int i, k;

	fd = attached();
	p = map_tables(2);
	cpu_stamp(p, 256, 1);		/* behind them are zero pages */
	populate(fd, p, 1024, 0);
	for (i = 0; i < n; i++) {
		for (k = i + 1; k < n; k++) {
			ASSERT_EQ(mmu_verify(fd, p + at[i] * MMU_PAGE,
					     (at[k] - at[i]) * MMU_PAGE, &v),
				  0, "VERIFY");
			EXPECT_EQ(v.right, at[k] - at[i],
				  "all of [%d, %d), and no more", at[i],
				  at[k]);
			EXPECT_EQ(v.stale + v.over_permissive + v.unsettled +
				  v.first_bad, 0, "all right");
		}
	}
}
