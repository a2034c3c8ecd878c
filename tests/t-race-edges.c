// SPDX-License-Identifier: GPL-2.0
/*
 * t-race-edges.c - G1, G2, G6: ranges that touch, overlap, contain each other
 *
 * Two ranges [a, b) and [c, d) have thirteen ways to lie. All are tried, with
 * each order of beginning and ending: where they share a page, the one must
 * be waited for, and where they only share an edge, it must not.
 */
#include <errno.h>
#include <sys/mman.h>

#include "race.h"

#define PAGES	16
#define POINT	"start_zapped"

struct range {
	int from, to;
};

static const struct {
	const char *what;
	struct range a, b;
} ways[] = {
	{ "before, with a gap", { 2, 5 }, { 7, 9 } },
	{ "before, an edge in common", { 2, 5 }, { 5, 9 } },
	{ "before, one page in common", { 2, 6 }, { 5, 9 } },
	{ "equal", { 3, 8 }, { 3, 8 } },
	{ "one page, equal", { 6, 7 }, { 6, 7 } },
	{ "the same start, one is longer", { 3, 8 }, { 3, 5 } },
	{ "the same end, one is longer", { 3, 8 }, { 6, 8 } },
	{ "one inside", { 2, 9 }, { 4, 6 } },
	{ "one page inside", { 2, 9 }, { 5, 6 } },
};

#define WAYS	(sizeof(ways) / sizeof(*ways))

static int fd;
static char *p;
static const char *what;

static bool in(int page, struct range r)
{
	return page >= r.from && page < r.to;
}

static bool overlap(struct range a, struct range b)
{
	return a.from < b.to && b.from < a.to;
}

static struct call discard_of(struct range r)
{
	return (struct call) {
		.fn = do_madvise, .p = p + r.from * MMU_PAGE,
		.pages = r.to - r.from, .flags = MADV_DONTNEED,
	};
}

static struct call populate_of(struct range r)
{
	return (struct call) {
		.fn = do_populate, .fd = fd, .p = p + r.from * MMU_PAGE,
		.pages = r.to - r.from, .flags = WRITE,
	};
}

/* --- populates, held off by what runs ------------------------------------- */

static void goes_through(struct range r)
{
	uint64_t before = stats_of(fd).waits;
	struct call c = populate_of(r);

	call_start(&c);
	EXPECT_EQ(call_wait(&c), 0, "%s: populate of [%d, %d)", what, r.from,
		  r.to);
	EXPECT_EQ(stats_of(fd).waits, before, "%s: nobody waited", what);
	EXPECT_EQ(c.retries, 0, "%s: nor began again", what);
	EXPECT_EQ(present(fd, c.p, c.pages), (long)c.pages,
		  "%s: all is entered", what);
}

/* Not while one is running: this is an invalidation itself. */
static void empty(void)
{
	ASSERT_EQ(madvise(p, PAGES * MMU_PAGE, MADV_DONTNEED), 0, "empty");
}

static void let_end(struct call *inv)
{
	tp_tell(POINT, "release task %d", inv->tid);
	EXPECT_EQ(call_wait(inv), 0, "madvise");
}

/*
 * With a record for each, what none of them covers goes through at once. With
 * one hull, it must lie outside that.
 */
static struct range hull_of(struct range a, struct range b)
{
	return (struct range) {
		a.from < b.from ? a.from : b.from, a.to > b.to ? a.to : b.to,
	};
}

static void beside(struct range r)
{
	if (!variant_can(WAITS_BY_PAGE))
		return;
	goes_through((struct range) { r.from - 1, r.from });
	goes_through((struct range) { r.to, r.to + 1 });
	goes_through((struct range) { 0, r.from });
	goes_through((struct range) { r.to, PAGES });
}

/*
 *	invalidate [s, e)		populate
 *
 *	start
 *					[.., s): goes through
 *					[e, ..): goes through
 *					[.., s + 1), [e - 1, ..): wait
 *	end
 *
 * "nor does one disturb a populate of another table": nor of another page, but
 * where the VM counts by table.
 */
TEST(g6_race_populate_at_the_edges, 20)
{
	struct range r = { 4, 8 };
	struct call inv, left, right, inside, around;

	race_begin(6);
	hear_all();
	what = "one invalidation";
	fd = attached();
	p = map_tables(1);
	cpu_stamp(p, PAGES, 1);
	inv = discard_of(r);
	left = populate_of((struct range) { 2, r.from + 1 });
	right = populate_of((struct range) { r.to - 1, 12 });
	inside = populate_of((struct range) { r.from, r.to });
	around = populate_of((struct range) { r.from - 1, r.to + 1 });
	call_to(&inv, POINT);
	beside(r);
	call_to_wait(&left);
	call_to_wait(&right);
	call_to_wait(&inside);
	call_to_wait(&around);
	EXPECT_EQ(present(fd, inside.p, inside.pages), 0,
		  "nothing is entered meanwhile");
	let_end(&inv);
	EXPECT_EQ(call_wait(&left), 0, "the left one");
	EXPECT_EQ(call_wait(&right), 0, "the right one");
	EXPECT_EQ(call_wait(&inside), 0, "the one inside");
	EXPECT_EQ(call_wait(&around), 0, "the one around it");
	device_sees_zeros(fd, p + 4 * MMU_PAGE, 4);
	verify(fd, p, PAGES);
}

/* Across the edge of a leaf table, from both sides. */
TEST(g6_race_populate_beyond_the_table, 20)
{
	struct call inv;

	race_begin(2);
	hear_all();
	what = "an invalidation at the edge of a table";
	fd = attached();
	p = map_tables(2) + MMU_HUGE - PAGES / 2 * MMU_PAGE;
	make_table(fd, p);
	make_table(fd, p + PAGES / 2 * MMU_PAGE);
	cpu_stamp(p, PAGES, 1);
	inv = discard_of((struct range) { 5, PAGES / 2 });
	call_to(&inv, POINT);
	goes_through((struct range) { PAGES / 2, PAGES });
	if (variant_can(WAITS_BY_PAGE))
		goes_through((struct range) { 0, 5 });
	let_end(&inv);
	inv = discard_of((struct range) { PAGES / 2, 11 });
	call_to(&inv, POINT);
	goes_through((struct range) { 0, PAGES / 2 });
	if (variant_can(WAITS_BY_PAGE))
		goes_through((struct range) { 11, PAGES });
	let_end(&inv);
	verify(fd, p, PAGES);
}

static struct call first, second, waiting[PAGES];

/* Page by page: who waits, and who need not? */
static void expect_held_off(struct range r, struct range other, bool both)
{
	struct range hull = both ? hull_of(r, other) : r;
	int i;

	if (!variant_can(WAITS_BY_PAGE))
		return;
	for (i = 0; i < 10; i++) {
		if (in(i, r) || (both && in(i, other)))
			continue;
		if (lock_per_table() || !in(i, hull))
			goes_through((struct range) { i, i + 1 });
	}
}

static int start_waiting(struct range r)
{
	int i, n = 0;

	for (i = r.from; i < r.to; i++, n++) {
		waiting[n] = populate_of((struct range) { i, i + 1 });
		call_to_wait(&waiting[n]);
	}
	return n;
}

static void end_waiting(int n)
{
	while (n--)
		EXPECT_EQ(call_wait(&waiting[n]), 0, "%s: populate, at last",
			  what);
}

/* The first and the last page of each, while both are running. */
static struct call early[4];

static void start_early(struct range a, struct range b)
{
	const int page[] = { a.from, a.to - 1, b.from, b.to - 1 };
	int i;

	for (i = 0; i < 4; i++) {
		early[i] = populate_of((struct range) { page[i], page[i] + 1 });
		call_to_wait(&early[i]);
	}
}

static void end_early(void)
{
	int i;

	for (i = 0; i < 4; i++)
		EXPECT_EQ(call_wait(&early[i]), 0, "%s: early populate", what);
}

static void one_way(struct range a, struct range b, bool a_ends_first)
{
	struct range left = a_ends_first ? b : a;
	int n;

	first = discard_of(a);
	second = discard_of(b);
	call_to(&first, POINT);
	call_to(&second, POINT);
	expect_held_off(a, b, true);
	start_early(a, b);
	let_end(a_ends_first ? &first : &second);
	/* One hull does not shrink before all have ended. */
	if (lock_per_table())
		expect_held_off(left, left, false);
	n = start_waiting(left);
	EXPECT_EQ(present(fd, p + left.from * MMU_PAGE, n), 0,
		  "%s: nothing is entered", what);
	let_end(a_ends_first ? &second : &first);
	end_waiting(n);
	end_early();
	goes_through((struct range) { 0, PAGES });
	empty();
}

/*
 *	invalidate A		invalidate B			populate
 *
 *	start
 *				start
 *							beside both: may
 *	end
 *							in B: waits
 *							beside B: may
 *				end
 *
 * By "Of equal ranges, it does not matter which one is taken": of others it
 * does.
 */
TEST(g2_race_all_ways_to_lie, 60)
{
	unsigned int i, order;

	race_begin(16);
	hear_all();
	fd = attached();
	p = map_tables(1);
	cpu_stamp(p, PAGES, 1);
	for (i = 0; i < WAYS; i++) {
		what = ways[i].what;
		for (order = 0; order < 4; order++) {
			if (order & 1)
				one_way(ways[i].b, ways[i].a, order & 2);
			else
				one_way(ways[i].a, ways[i].b, order & 2);
		}
	}
	verify(fd, p, PAGES);
}

/* Those for which there is no room share a hull, whose edges are its own. */
#define ROOM	16

static struct call others[ROOM];

/* Each with a record, and none near to the pages that this is about. */
static void fill_the_room(void)
{
	char *far = p;
	int i;

	p += ROOM * MMU_HUGE;
	cpu_stamp(p, PAGES, 1);
	for (i = 0; i < ROOM; i++) {
		others[i] = (struct call) {
			.fn = do_madvise, .p = far + i * MMU_HUGE, .pages = 1,
			.flags = MADV_DONTNEED,
		};
		call_to(&others[i], POINT);
	}
}

/* One hull around both, whichever comes first; and it begins afresh. */
static void two_without_room(struct range a, struct range b)
{
	struct range hull = hull_of(a, b);
	int n;

	first = discard_of(a);
	second = discard_of(b);
	call_to(&first, POINT);
	beside(a);
	call_to(&second, POINT);
	beside(hull);
	n = start_waiting(hull);
	let_end(&first);
	let_end(&second);
	end_waiting(n);
}

TEST(g6_race_edges_of_the_hull, 30)
{
	int i;

	race_begin(ROOM + 12);
	need(WAITS_FOR_NO_OTHER,
	     "have room for records: see g6_race_populate_at_the_edges");
	what = "without room";
	fd = attached();
	p = map_tables(ROOM + 1);
	fill_the_room();
	two_without_room((struct range) { 10, 12 }, (struct range) { 4, 6 });
	two_without_room((struct range) { 3, 5 }, (struct range) { 9, 11 });
	two_without_room((struct range) { 6, 7 }, (struct range) { 6, 7 });
	for (i = 0; i < ROOM; i++)
		let_end(&others[i]);
	verify(fd, p, PAGES);
}

/* --- who finds nothing, and waits for another's device -------------------- */

#define SLOW_US	(40 * 1000)
/* On a busy host the guest's ticks lag, then catch up: sleeps end early. */
#define ANSWER_US	(SLOW_US / 2)

static long us_of(struct call *c)
{
	double start = seconds();

	EXPECT_GE(c->fn(c), 0, "the call");
	return (seconds() - start) * 1e6;
}

/* Once may be bad luck with the scheduler, five times is not. */
static bool does_wait(struct call *c)
{
	int i;

	for (i = 0; i < 5; i++)
		if (us_of(c) < ANSWER_US)
			return false;
	return true;
}

static bool waits_once(struct call *c)
{
	int i;

	for (i = 0; i < 5; i++)
		if (us_of(c) >= ANSWER_US)
			return true;
	return false;
}

static void expect_wait(struct range r, bool waits)
{
	struct call c = discard_of(r);

	EXPECT_EQ(waits ? waits_once(&c) : does_wait(&c), waits,
		  "%s: [%d, %d) waits for the device of the other", what,
		  r.from, r.to);
}

/*
 *	discard A			discard B, which overlaps A
 *
 *	start: zaps A
 *					start: nothing to zap, returns
 *					the VM frees pages of A
 *	asks the device
 *
 * Forbidden by "may have been zapped by somebody who is still waiting for the
 * answer". It does not take a range inside the other for that, nor one around.
 */
TEST(g1_race_all_ways_to_lie_unanswered, 60)
{
	unsigned int i, swap;
	struct range a, b;

	race_begin(1);
	fd = attached();
	p = map_tables(1);
	for (i = 0; i < 2 * WAYS; i++) {
		swap = i & 1;
		what = ways[i / 2].what;
		a = swap ? ways[i / 2].b : ways[i / 2].a;
		b = swap ? ways[i / 2].a : ways[i / 2].b;
		cpu_stamp(p, PAGES, 1);
		populate(fd, p + a.from * MMU_PAGE, a.to - a.from, WRITE);
		ASSERT_EQ(mmu_configure(fd, SLOW_US), 0, "a slow device");
		first = discard_of(a);
		call_to(&first, POINT);
		expect_wait(b, overlap(a, b));
		ASSERT_EQ(mmu_configure(fd, 0), 0, "a fast device");
		let_end(&first);
	}
	verify(fd, p, PAGES);
}

/* Of several without an answer, it may be any, the first or the last. */
TEST(g1_race_several_unanswered, 30)
{
	static struct call unanswered[4];
	int i;

	race_begin(4);
	what = "several";
	fd = attached();
	p = map_tables(1);
	cpu_stamp(p, PAGES, 1);
	populate(fd, p, PAGES, WRITE);
	ASSERT_EQ(mmu_configure(fd, SLOW_US), 0, "a slow device");
	for (i = 0; i < 4; i++) {
		unanswered[i] = discard_of((struct range) { 4 * i, 4 * i + 2 });
		call_to(&unanswered[i], POINT);
	}
	for (i = 0; i < 4; i++) {
		expect_wait((struct range) { 4 * i, 4 * i + 1 }, true);
		expect_wait((struct range) { 4 * i + 1, 4 * i + 2 }, true);
	}
	/* Two that still wait; nobody waits for those who have the answer. */
	ASSERT_EQ(mmu_configure(fd, 0), 0, "a fast device");
	let_end(&unanswered[0]);
	let_end(&unanswered[2]);
	ASSERT_EQ(mmu_configure(fd, SLOW_US), 0, "a slow device");
	for (i = 0; i < 4; i++)
		expect_wait((struct range) { 4 * i, 4 * i + 1 }, i & 1);
	ASSERT_EQ(mmu_configure(fd, 0), 0, "a fast device");
	let_end(&unanswered[1]);
	let_end(&unanswered[3]);
	verify(fd, p, PAGES);
}

/* Made in time: whoever is parked may have the mmap_lock. */
#define SPARES	16

static char *spares;
static size_t spare;

static void make_spares(void)
{
	spares = map_shared(SPARES);
	cpu_stamp(spares, SPARES, 1);
}

/* A frame that is on record though no entry is left of it. */
static char *on_record_only(void)
{
	char *q = spare++ * MMU_PAGE + spares;

	populate(fd, q, 1, WRITE);
	ASSERT_EQ(madvise(q, MMU_PAGE, MADV_DONTNEED), 0, "discard");
	return q;
}

static void expect_evict_waits(bool waits, const char *text)
{
	struct call c = { .fn = do_evict, .fd = fd };
	bool waited = !waits;
	int i;

	for (i = 0; i < 5 && waited != waits; i++) {
		ASSERT_EQ(mmu_configure(fd, 0), 0, "a fast device");
		c.p = on_record_only();
		ASSERT_EQ(mmu_configure(fd, SLOW_US), 0, "a slow device");
		waited = us_of(&c) >= ANSWER_US;
	}
	EXPECT_EQ(waited, waits, "%s waits", text);
	ASSERT_EQ(mmu_configure(fd, 0), 0, "a fast device");
}

/*
 *	the rmap chain, for page X	the rmap chain, for page Y
 *
 *	zaps X
 *					finds Y nowhere: nothing to wait for
 *	asks the device
 *
 * "Two of pages are of two pages". Nor does a page wait for a range, but where
 * events are left to the chain: then nobody else has waited for the range.
 */
TEST_BOTH_MODES(g6_race_pages_unanswered, 30)
{
	struct call e = { .fn = do_evict };

	race_begin(2);
	fd = attached();
	make_spares();
	p = map_tables(1);
	cpu_stamp(p, PAGES, 1);
	populate(fd, p, PAGES, WRITE);
	e.fd = fd;
	e.p = p;
	ASSERT_EQ(mmu_configure(fd, SLOW_US), 0, "a slow device");
	call_to(&e, "rmap_zapped");
	expect_evict_waits(false, "the eviction of another page");
	tp_release("rmap_zapped");
	EXPECT_EQ(call_wait(&e), 1, "evict");

	first = discard_of((struct range) { 4, 8 });
	ASSERT_EQ(mmu_configure(fd, SLOW_US), 0, "a slow device");
	call_to(&first, POINT);
	expect_evict_waits(test_mode, "that of a page which a range had");
	let_end(&first);
	verify(fd, p, PAGES);
}
