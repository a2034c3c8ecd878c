// SPDX-License-Identifier: GPL-2.0
/*
 * t-race-populate.c - G1, G2, G5: a populate and an invalidation, step by step
 *
 * Each test is one interleaving, forced with test points. Left is who is
 * overtaken, right who overtakes.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "race.h"

#define N	4

static void discard(char *p, size_t pages)
{
	ASSERT_EQ(madvise(p, pages * MMU_PAGE, MADV_DONTNEED), 0, "madvise");
}

static void setup_again(struct call *populate, struct call *invalidate)
{
	*populate = (struct call) {
		.fn = do_populate, .fd = attached(), .p = map_private(N),
		.pages = N, .flags = WRITE,
	};
	*invalidate = (struct call) {
		.fn = do_madvise, .p = populate->p, .pages = N,
		.flags = MADV_DONTNEED,
	};
	cpu_stamp(populate->p, N, 1);
}

static void setup(struct call *populate, struct call *invalidate)
{
	race_begin(2);
	hear_all();
	setup_again(populate, invalidate);
}

/* The populate is done, and what it entered is what the CPU has. */
static void populated(struct call *c, unsigned int gen)
{
	EXPECT_EQ(call_wait(c), 0, "populate");
	EXPECT_EQ(present(c->fd, c->p, c->pages), (long)c->pages,
		  "all is mirrored");
	if (gen)
		device_sees(c->fd, c->p, c->pages, gen);
	else
		device_sees_zeros(c->fd, c->p, c->pages);
	verify(c->fd, c->p, c->pages);
}

/*
 * 4.14 of the skeleton.
 *
 *	populate			invalidate
 *
 *	snapshot of the sequence
 *	look up: page X
 *					start: count = 1, zap nothing
 *					the VM puts page Y there
 *					end: sequence++, count = 0
 *	enter X?
 *
 * The count is 0 before and after. Forbidden by "nothing is entered if the
 * sequence has moved since the snapshot".
 */
TEST(g2_race_lookup_invalidation_insert, 20)
{
	struct call c, unused;

	setup(&c, &unused);
	call_to(&c, "populate_lookup");
	discard(c.p, N);
	cpu_stamp(c.p, N, 2);
	EXPECT_EQ(present(c.fd, c.p, N), 0, "nothing is entered yet");
	tp_release("populate_lookup");
	populated(&c, 2);
	EXPECT_EQ(c.retries, 1, "the batch was begun again");
}

/* Likewise, where the lookup has not begun: the snapshot alone is old. */
TEST(g2_race_snapshot_invalidation_lookup, 20)
{
	struct call c, unused;

	setup(&c, &unused);
	call_to(&c, "populate_pinned");
	discard(c.p, N);
	cpu_stamp(c.p, N, 2);
	tp_release("populate_pinned");
	populated(&c, 2);
	EXPECT_EQ(c.retries, 1, "the batch was begun again");
}

/*
 *	populate			invalidate
 *
 *					start: count = 1
 *					       zap nothing
 *	look up: page X
 *	enter X?
 *					the VM puts page Y there
 *					end: sequence++, count = 0
 *
 * Forbidden by "nothing is entered while an invalidation of it is on record";
 * the record is made before the zap and goes after the ptes have changed.
 */
static void populate_during(const char *point)
{
	struct call c, inv;

	setup(&c, &inv);
	call_to(&inv, point);
	call_to_wait(&c);
	EXPECT_EQ(present(c.fd, c.p, N), 0, "nothing is entered meanwhile");
	tp_release(point);
	EXPECT_EQ(call_wait(&inv), 0, "madvise");
	populated(&c, 0);
}

TEST(g1_race_populate_before_the_zap, 20)
{
	populate_during("start_counted");
}

TEST(g1_race_populate_behind_the_zap, 20)
{
	populate_during("start_zapped");
}

TEST(g1_race_populate_before_the_end, 20)
{
	need(HEARS_THE_END, "know when the ptes have changed");
	populate_during("end");
}

/*
 *	populate			invalidate
 *
 *	snapshot of the sequence
 *					start: on record, zap nothing
 *	look up: page X
 *					the VM puts page Y there
 *					end: sequence++
 *	enter X?
 *					     off the record
 *
 * With a lock per table, the end takes two steps. Forbidden by "the sequence
 * moves before the record goes": whoever no longer sees the record sees the
 * sequence. With one lock both are one step, and the record forbids it.
 */
TEST(g2_race_insert_amid_the_end, 20)
{
	const char *point = lock_per_table() ? "end_bumped" : "end";
	struct call c, inv;

	need(HEARS_THE_END, "know when the ptes have changed");
	setup(&c, &inv);
	call_to(&c, "populate_lookup");
	call_to(&inv, point);
	call_on_to_wait(&c, "populate_lookup");
	EXPECT_EQ(present(c.fd, c.p, N), 0, "nothing was entered");
	tp_release(point);
	EXPECT_EQ(call_wait(&inv), 0, "madvise");
	populated(&c, 0);
	EXPECT_EQ(c.retries, 1, "the batch was begun again");
}

/* Nor may the lookup lose when the record is the only sign. */
TEST(g2_race_insert_behind_the_zap, 20)
{
	struct call c, inv;

	setup(&c, &inv);
	call_to(&c, "populate_lookup");
	call_to(&inv, "start_zapped");
	call_on_to_wait(&c, "populate_lookup");
	EXPECT_EQ(present(c.fd, c.p, N), 0, "nothing was entered");
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&inv), 0, "madvise");
	populated(&c, 0);
}

/* Whichever page of the batch goes away, when it begins or when it enters. */
static void one_page_of_a_batch(size_t page, const char *reached)
{
	struct call c, inv;

	setup_again(&c, &inv);
	inv.p += page * MMU_PAGE;
	inv.pages = 1;
	if (reached)
		call_to(&c, reached);
	call_to(&inv, "start_zapped");
	if (reached)
		call_on_to_wait(&c, reached);
	else
		call_to_wait(&c);
	EXPECT_EQ(present(c.fd, c.p, N), 0, "nothing is entered meanwhile");
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&inv), 0, "madvise");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(present(c.fd, c.p, N), N, "all is mirrored");
	device_sees_zeros(c.fd, c.p + page * MMU_PAGE, 1);
	verify(c.fd, c.p, N);
	close(c.fd);
}

TEST(g1_race_zap_of_one_page_of_a_batch, 30)
{
	static const size_t at[] = { 0, 1, N - 1 };
	size_t i;

	race_begin(2);
	hear_all();
	for (i = 0; i < sizeof(at) / sizeof(*at); i++) {
		one_page_of_a_batch(at[i], NULL);
		one_page_of_a_batch(at[i], "populate_pinned");
		one_page_of_a_batch(at[i], "populate_lookup");
	}
}

/* --- leaf tables that come and go ----------------------------------------- */

/*
 *	populate			invalidate
 *
 *	no table T yet
 *					start: on record
 *					       walk tables: T missing
 *	make T, sequence 0
 *	look up: page X
 *	enter X?
 *					the VM puts page Y there
 *					end: walk tables
 *
 * Forbidden by "make the table, then look at the records" on the one side,
 * "record, then walk the tables" on the other (barriers A and B).
 */
TEST(g2_race_table_made_during_invalidation, 20)
{
	struct call c, inv;

	setup(&c, &inv);
	call_to(&c, "table_create");
	EXPECT_EQ(stats_of(c.fd).tables, 0, "there is no table");
	call_to(&inv, "start_zapped");
	call_on_to_wait(&c, "table_create");
	EXPECT_EQ(stats_of(c.fd).tables, 1, "there is one now");
	EXPECT_EQ(present(c.fd, c.p, N), 0, "with nothing in it");
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&inv), 0, "madvise");
	populated(&c, 0);
}

/*
 * The same at the other end: T is made when the ptes have changed, and has
 * missed the end. What is looked up then is new: nobody needs to begin again.
 */
TEST(g2_race_table_made_before_the_end, 20)
{
	struct call c, inv;

	need(HEARS_THE_END, "know when the ptes have changed");
	setup(&c, &inv);
	call_to(&c, "table_create");
	call_to(&inv, "end");
	call_on_to_wait(&c, "table_create");
	tp_release("end");
	EXPECT_EQ(call_wait(&inv), 0, "madvise");
	populated(&c, 0);
}

static char *map_again(char *p, size_t len)
{
	char *q = mmap(p, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	ASSERT_EQ(q, p, "mmap at the same address");
	ASSERT_EQ(madvise(p, len, MADV_NOHUGEPAGE), 0, "4 KiB pages only");
	return q;
}

/* Not even a moment later does somebody free it, who need not be the caller. */
static void pinned_table_stays(int fd)
{
	int ms;

	for (ms = 0; ms < 100 && stats_of(fd).tables == 1; ms += 5)
		sleep_ms(5);
	EXPECT_EQ(stats_of(fd).tables, 1, "the pinned table stays");
}

/*
 *	populate			munmap of all that T covers
 *
 *	pin T, take its sequence
 *					start: T is empty: free it?
 *	look up
 *	lock T
 *
 * Forbidden by "a pinned table stays in the tree": entries of a table outside
 * are out of reach of all later invalidations.
 */
static void munmap_under_pin(struct call *c)
{
	race_begin(1);
	*c = (struct call) {
		.fn = do_populate, .fd = attached(), .p = map_tables(1),
		.pages = N, .flags = WRITE,
	};
	cpu_stamp(c->p, N, 1);
	call_to(c, "populate_pinned");
	ASSERT_EQ(munmap(c->p, MMU_HUGE), 0, "munmap");
	pinned_table_stays(c->fd);
}

TEST(g2_race_munmap_under_a_pinned_table, 20)
{
	struct call c;

	munmap_under_pin(&c);
	tp_release("populate_pinned");
	EXPECT_EQ(call_wait(&c), -EFAULT, "there is nothing to populate");
	EXPECT_EQ(c.retries, 0, "which trying again would not change");
	EXPECT_EQ(present(c.fd, c.p, N), 0, "and nothing is entered");
}

TEST(g2_race_remap_under_a_pinned_table, 20)
{
	struct call c;

	munmap_under_pin(&c);
	map_again(c.p, MMU_HUGE);
	cpu_stamp(c.p, N, 2);
	tp_release("populate_pinned");
	populated(&c, 2);
	EXPECT_EQ(c.retries, 1, "the batch was begun again");
	ASSERT_EQ(munmap(c.p, MMU_HUGE), 0, "munmap");
	EXPECT_EQ(stats_of(c.fd).entries, 0, "reaches all entries");
}

/*
 *	populate			munmap, mmap
 *
 *	finds table T
 *					start: zaps T, takes it out of the tree
 *					other memory is there
 *	locks T, pins it?
 *	enters page X
 *
 * Forbidden by "a table that has been found can be locked; only then does dead
 * say whether it still counts": nobody else would find X. With one lock, T is
 * found and pinned in one step.
 */
TEST(g5_race_found_table_leaves, 20)
{
	const char *point = lock_per_table() ? "table_found" :
					       "populate_pinned";
	uint64_t waits;
	struct call c;

	race_begin(1);
	c = (struct call) {
		.fn = do_populate, .fd = attached(), .p = map_tables(1),
		.pages = N, .flags = WRITE,
	};
	cpu_stamp(c.p, N, 1);
	populate(c.fd, c.p, N, WRITE);
	call_to_stall(&c, point);
	ASSERT_EQ(munmap(c.p, MMU_HUGE), 0, "munmap");
	map_again(c.p, MMU_HUGE);
	cpu_stamp(c.p, N, 2);
	sleep_ms(300);	/* whoever would free T too early has his chance */
	EXPECT_EQ(stats_of(c.fd).tables, 1, "T is there, found as it is");
	waits = stats_of(c.fd).waits;
	tp_release(point);
	populated(&c, 2);
	EXPECT_EQ(stats_of(c.fd).waits, waits, "nothing was in its way");
	ASSERT_EQ(munmap(c.p, MMU_HUGE), 0, "munmap");
	EXPECT_EQ(stats_of(c.fd).entries, 0, "reaches all entries");
}

/*
 *	munmap of A			populate of B, same table
 *
 *					makes T, pins it, looks B up
 *					B is discarded
 *	start: finds T
 *					B is new: leaves T, which is empty,
 *					out of the tree with it; makes T'
 *					enters B
 *	locks T: empty, no pins:
 *	out of the tree with it?
 *
 * T' would go. Forbidden by "dead": a table leaves the tree once. Where the VM
 * knows T, and calls for it, B waits for munmap before it is entered.
 */
TEST(g5_race_found_table_is_replaced, 20)
{
	const char *point = lock_per_table() && variant_can(HEARS_OF_ALL) ?
			    "table_found" : "start_counted";
	struct call pop, unmap;

	race_begin(2);
	unmap = (struct call) {
		.fn = do_munmap, .p = map_tables(1), .pages = N,
	};
	pop = (struct call) {
		.fn = do_populate, .fd = attached(),
		.p = unmap.p + MMU_HUGE / 2, .pages = N, .flags = WRITE,
	};
	/* A mapping of its own: none has to be split, which is told, too. */
	ASSERT_EQ(mprotect(unmap.p, N * MMU_PAGE, PROT_READ), 0, "mprotect");
	cpu_stamp(pop.p, N, 1);
	call_to(&pop, "populate_lookup");
	discard(pop.p, N);
	cpu_stamp(pop.p, N, 2);
	call_to_stall(&unmap, point);
	if (variant_can(WAITS_BY_PAGE)) {
		tp_release("populate_lookup");
		EXPECT_EQ(call_wait(&pop), 0, "populate");
		tp_release(point);
	} else {
		call_on_to_wait(&pop, "populate_lookup");
		tp_release(point);
		EXPECT_EQ(call_wait(&pop), 0, "populate");
	}
	EXPECT_EQ(call_wait(&unmap), 0, "munmap");
	EXPECT_EQ(pop.retries, 1, "the batch was begun again");
	EXPECT_EQ(present(pop.fd, pop.p, N), N, "and is in the tree");
	device_sees(pop.fd, pop.p, N, 2);
	verify(pop.fd, pop.p, N);
}

/*
 *	first populate			second populate, same table
 *
 *	no table T yet			no table T yet
 *	make T
 *					make another T?
 *
 * Forbidden by "whoever inserts second uses what is there".
 */
TEST(g2_race_two_make_one_table, 20)
{
	struct call a, b;

	setup(&a, &b);
	b = a;
	a.pages = N / 2;
	b.p += N / 2 * MMU_PAGE;
	b.pages = N / 2;
	call_to(&a, "table_create");
	call_to(&b, "table_create");
	tp_release("table_create");
	EXPECT_EQ(call_wait(&a), 0, "one populate");
	EXPECT_EQ(call_wait(&b), 0, "the other");
	EXPECT_EQ(stats_of(a.fd).tables, 1, "one table");
	device_sees(a.fd, a.p, N, 1);
	verify(a.fd, a.p, N);
}

/*
 *	populate of A			populate of B, same table
 *
 *	pins T
 *					pins T
 *	finds nothing at A
 *	T is empty: out of the tree?
 *					enters B
 *
 * Forbidden by "a pinned table stays in the tree", whoever has it pinned: the
 * last one to leave sees to it.
 */
static void beside_a_failure(bool failure_first)
{
	struct call bad = { .fn = do_populate, .pages = 1, .flags = WRITE };
	struct call good = bad;
	char *p = map_tables(1);
	int ms;

	bad.fd = attached();
	good.fd = bad.fd;
	good.p = p;
	bad.p = p + 4 * MMU_PAGE;
	cpu_stamp(p, 1, 1);
	ASSERT_EQ(munmap(bad.p, MMU_PAGE), 0, "a hole");
	call_to(failure_first ? &bad : &good, "populate_lookup");
	call_to(failure_first ? &good : &bad, "populate_lookup");
	tp_tell("populate_lookup", "release task %d", bad.tid);
	EXPECT_EQ(call_wait(&bad), -EFAULT, "one has failed");
	pinned_table_stays(bad.fd);
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&good), 0, "which has not");
	EXPECT_EQ(present(good.fd, p, 1), 1, "and is in the tree");
	device_sees(good.fd, p, 1, 1);
	verify(good.fd, p, 1);
	ASSERT_EQ(munmap(p, MMU_HUGE), 0, "munmap");
	EXPECT_EQ(stats_of(good.fd).entries, 0, "reaches it");
	for (ms = 0; ms < 2000 && stats_of(good.fd).tables; ms += 5)
		sleep_ms(5);
	EXPECT_EQ(stats_of(good.fd).tables, 0, "nobody has it pinned");
}

/* Both find nothing: the last one to leave takes the table along. */
static void two_failures(void)
{
	struct call a = { .fn = do_populate, .pages = 1 }, b;
	int ms;

	a.fd = attached();
	a.p = map_reserve(MMU_HUGE, MMU_HUGE);
	b = a;
	b.p += MMU_PAGE;
	call_to(&a, "populate_lookup");
	call_to(&b, "populate_lookup");
	EXPECT_EQ(stats_of(a.fd).tables, 1, "one table for both");
	tp_tell("populate_lookup", "release task %d", a.tid);
	EXPECT_EQ(call_wait(&a), -EFAULT, "one has failed");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&b), -EFAULT, "so has the other");
	for (ms = 0; ms < 2000 && stats_of(a.fd).tables; ms += 5)
		sleep_ms(5);
	EXPECT_EQ(stats_of(a.fd).tables, 0, "no table is left");
}

TEST(g2_race_failure_beside_a_populate, 20)
{
	race_begin(2);
	two_failures();
	beside_a_failure(true);
	beside_a_failure(false);
}
