// SPDX-License-Identifier: GPL-2.0
/*
 * t-race-records.c - G1, G2: several invalidations of one address space
 *
 * A populate must wait as long as one of them covers it, in whatever order
 * they begin and end. How long it may wait beyond that differs: variant
 * "spinlock" has one hull around all that are running, and in "interval" who
 * waits for one waits for all.
 */
#include <errno.h>
#include <sys/mman.h>

#include "race.h"

#define N	8
#define POINT	"start_zapped"

static int fd;

static struct call invalidation(char *p, size_t pages)
{
	return (struct call) {
		.fn = do_madvise, .p = p, .pages = pages,
		.flags = MADV_DONTNEED,
	};
}

static struct call a_populate(char *p, size_t pages)
{
	return (struct call) {
		.fn = do_populate, .fd = fd, .p = p, .pages = pages,
		.flags = WRITE,
	};
}

static void let_end(struct call *inv)
{
	tp_tell(POINT, "release task %d", inv->tid);
	EXPECT_EQ(call_wait(inv), 0, "madvise");
}

/* A populate that nothing holds off: it returns. */
static void goes_through(char *p, size_t pages)
{
	uint64_t before = stats_of(fd).waits;
	struct call c = a_populate(p, pages);

	call_start(&c);
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(stats_of(fd).waits, before, "nobody waited");
}

/*
 *	invalidate [0, N)	invalidate [N/2, N+N/2)		populate
 *
 *	start
 *				start
 *	end
 *							look up [N/2, N)
 *				the ptes change
 *				end
 *
 * Forbidden by "each end takes its own record away, and no other": what only
 * the other covers is held off, too. Both orders of the ends are tried.
 */
static void overlapping(bool first_ends_first)
{
	struct call a, b, in_both, in_other;
	char *p;

	race_begin(4);
	hear_all();
	fd = attached();
	p = map_private(2 * N);
	cpu_stamp(p, 2 * N, 1);
	a = invalidation(p, N);
	b = invalidation(p + N / 2 * MMU_PAGE, N);
	in_both = a_populate(p + N / 2 * MMU_PAGE, N / 2);
	in_other = a_populate(first_ends_first ? p + N * MMU_PAGE : p, N / 2);
	call_to(&a, POINT);
	call_to(&b, POINT);
	call_to_wait(&in_both);
	let_end(first_ends_first ? &a : &b);
	call_to_wait(&in_other);
	EXPECT_EQ(call_returned(&in_both), false,
		  "one is over, the other covers it still");
	EXPECT_EQ(present(fd, p, 2 * N), 0, "nothing was entered");
	let_end(first_ends_first ? &b : &a);
	EXPECT_EQ(call_wait(&in_both), 0, "populate, at last");
	device_sees_zeros(fd, in_both.p, in_both.pages);
	EXPECT_EQ(call_wait(&in_other), 0, "and the other");
	goes_through(p, 2 * N);
	verify(fd, p, 2 * N);
}

TEST(g2_race_overlapping_first_ends_first, 20)
{
	overlapping(true);
}

TEST(g2_race_overlapping_last_ends_first, 20)
{
	overlapping(false);
}

/*
 *	invalidate A	invalidate A	invalidate B		populate A
 *
 *	start
 *			start
 *					start
 *	end
 *							waits for the other A
 *			end
 *
 * Forbidden by "of equal ranges, it does not matter which one is taken": one
 * is, and no more. The third record is there because the last one takes the
 * place of the one that is taken.
 */
TEST(g2_race_equal_ranges_end_one_by_one, 20)
{
	struct call a, b, c, in_a;
	char *p;

	race_begin(4);
	hear_all();
	fd = attached();
	p = map_private(2 * N);
	cpu_stamp(p, 2 * N, 1);
	a = invalidation(p, N);
	b = invalidation(p, N);
	c = invalidation(p + N * MMU_PAGE, N);
	in_a = a_populate(p, N);
	call_to(&a, POINT);
	call_to(&b, POINT);
	call_to(&c, POINT);
	let_end(&a);
	call_to_wait(&in_a);
	EXPECT_EQ(present(fd, p, N), 0, "nothing was entered");
	let_end(&b);
	if (!variant_can(WAITS_FOR_NO_OTHER))
		EXPECT_EQ(call_returned(&in_a), false, "one wait for all");
	let_end(&c);
	EXPECT_EQ(call_wait(&in_a), 0, "populate, at last");
	goes_through(p, 2 * N);
	verify(fd, p, 2 * N);
}

/*
 *	invalidate A		invalidate B, far away		populate
 *
 *	start
 *				start
 *							A? B? between? beyond?
 *
 * A and B wait in every variant, beyond in none. Between, one hull holds off
 * what a record each does not (G6); that is spinlock's price. Where a table
 * has the VM tell of it, that of A waits for B as well, but the others do not.
 */
TEST(g2_race_far_apart, 20)
{
	struct call a, b, in_a, in_b, between;
	char *p;

	race_begin(8);
	hear_all();
	fd = attached();
	p = map_tables(4);
	make_table(fd, p + MMU_HUGE);
	make_table(fd, p + 3 * MMU_HUGE);
	cpu_stamp(p, N, 1);
	cpu_stamp(p + 2 * MMU_HUGE, N, 1);
	a = invalidation(p + 2 * MMU_HUGE, N);
	b = invalidation(p, N);
	in_a = a_populate(a.p, N);
	in_b = a_populate(b.p, N);
	between = a_populate(p + MMU_HUGE, N);
	call_to(&a, POINT);
	call_to(&b, POINT);
	call_to_wait(&in_a);
	call_to_wait(&in_b);
	if (lock_per_table())
		goes_through(between.p, N);
	else
		call_to_wait(&between);
	goes_through(p + 3 * MMU_HUGE, N);

	let_end(&a);
	if (variant_can(WAITS_FOR_NO_OTHER))
		EXPECT_EQ(call_wait(&in_a), 0, "populate where all is over");
	EXPECT_EQ(call_returned(&in_b), false, "not where it is not");
	let_end(&b);
	EXPECT_EQ(call_wait(&in_b), 0, "populate, at last");
	if (!variant_can(WAITS_FOR_NO_OTHER))
		EXPECT_EQ(call_wait(&in_a), 0, "and this");
	if (!lock_per_table())
		EXPECT_EQ(call_wait(&between), 0, "and that");
	device_sees_zeros(fd, a.p, N);
	device_sees_zeros(fd, b.p, N);
	verify(fd, p, N);
	verify(fd, p + 2 * MMU_HUGE, N);
}

/*
 * Room for the ranges of 16 is in the variants that keep a record; more share
 * a hull. None may be forgotten.
 */
#define MANY	20
#define ROOM	16

static struct call inv[MANY], pop[MANY];

static void end_of(int from, int to)
{
	int i;

	for (i = from; i < to; i++)
		let_end(&inv[i]);
}

static void expect_waiting(int from, int to)
{
	int i;

	for (i = from; i < to; i++)
		EXPECT_EQ(call_returned(&pop[i]), false,
			  "populate %d waits for its invalidation", i);
}

static void expect_done(int from, int to)
{
	int i;

	for (i = from; i < to; i++) {
		EXPECT_EQ(call_wait(&pop[i]), 0, "populate %d", i);
		device_sees_zeros(fd, pop[i].p, 1);
	}
}

TEST(g2_race_more_than_there_is_room_for, 30)
{
	char *p;
	int i;

	race_begin(2 * MANY + 1);
	hear_all();
	fd = attached();
	p = map_tables(MANY + 1);
	make_table(fd, p + MANY * MMU_HUGE);
	for (i = 0; i < MANY; i++) {
		inv[i] = invalidation(p + i * MMU_HUGE, 1);
		pop[i] = a_populate(inv[i].p, 1);
		cpu_stamp(inv[i].p, 1, 1);
		call_to(&inv[i], POINT);
	}
	for (i = 0; i < MANY; i++)
		call_to_wait(&pop[i]);
	if (variant_can(WAITS_FOR_NO_OTHER))
		goes_through(p + MMU_PAGE, 1);
	goes_through(p + MANY * MMU_HUGE, 1);

	end_of(0, ROOM);
	if (variant_can(WAITS_FOR_NO_OTHER))
		expect_done(0, ROOM);
	expect_waiting(ROOM, MANY);
	end_of(ROOM, MANY);
	expect_done(variant_can(WAITS_FOR_NO_OTHER) ? ROOM : 0, MANY);
	goes_through(p, 2);
	verify(fd, p, 2);
}

/* Those without room go first, and leave the records as they were. */
TEST(g2_race_those_without_room_end_first, 30)
{
	char *p;
	int i;

	race_begin(2 * MANY + 1);
	hear_all();
	fd = attached();
	p = map_tables(MANY);
	for (i = 0; i < MANY; i++) {
		inv[i] = invalidation(p + i * MMU_HUGE, 1);
		pop[i] = a_populate(inv[i].p, 1);
		cpu_stamp(inv[i].p, 1, 1);
		call_to(&inv[i], POINT);
		call_to_wait(&pop[i]);
	}
	end_of(ROOM, MANY);
	if (variant_can(WAITS_FOR_NO_OTHER))
		expect_done(ROOM, MANY);
	expect_waiting(0, ROOM);
	end_of(0, ROOM);
	expect_done(0, variant_can(WAITS_FOR_NO_OTHER) ? ROOM : MANY);
	goes_through(p, 2);
	verify(fd, p, 2);
}

/*
 * One without room may be of a range that has a record. When both are gone, so
 * is one record, and no other.
 */
TEST(g2_race_one_without_room_has_an_equal, 30)
{
	char *p, *at;
	int i;

	race_begin(ROOM + 3);
	hear_all();
	fd = attached();
	p = map_tables(ROOM);
	for (i = 0; i <= ROOM; i++) {
		at = p + (i < ROOM ? i : ROOM - 1) * MMU_HUGE;
		inv[i] = invalidation(at, 1);
		if (i < ROOM)
			cpu_stamp(at, 1, 1);
		call_to(&inv[i], POINT);
	}
	end_of(ROOM - 1, ROOM + 1);
	pop[0] = a_populate(inv[ROOM - 2].p, 1);
	call_to_wait(&pop[0]);
	end_of(0, ROOM - 1);
	expect_done(0, 1);
	goes_through(p, 2);
	verify(fd, p, 2);
}
