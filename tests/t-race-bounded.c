// SPDX-License-Identifier: GPL-2.0
/*
 * t-race-bounded.c - G10: whoever waits or tries again comes to an end
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "race.h"

#define N	64

/* --- again and again ------------------------------------------------------ */

TEST(g10_race_lost_ten_times, 20)
{
	int fd = attached();
	char *p = map_private(N);
	uint64_t done, retries;

	tp_need();
	cpu_stamp(p, N, 1);
	tp_tell("populate_lookup", "fail 10");
	EXPECT_EQ(mmu_populate_batch(fd, p, N * MMU_PAGE, WRITE, 0, &done,
				     &retries),
		  0, "populate");
	EXPECT_EQ(retries, 10, "was begun again each time");
	EXPECT_EQ(done, N, "and came to its end");
	device_sees(fd, p, N, 1);
	verify(fd, p, N);
}

/* Lost every time: it gives up, says how far it came, and can be repeated. */
TEST(g10_race_lost_every_time, 20)
{
	int fd = attached();
	uint64_t done, retries, faults, word;
	char *p = map_private(N);
	long slept;

	tp_need();
	cpu_stamp(p, N, 1);
	populate(fd, p, N / 2, WRITE);
	tp_tell("populate_lookup", "fail 1000000");
	slept = sleeps();
	EXPECT_EQ(mmu_populate_batch(fd, p, N * MMU_PAGE, WRITE, 0, &done,
				     &retries),
		  -EAGAIN, "populate gives up");
	EXPECT_GE(sleeps() - slept, 100, "it lets run who is in its way");
	EXPECT_EQ(retries, 999, "after a thousand tries");
	EXPECT_EQ(done, 0, "and says that it did nothing");
	EXPECT_EQ(present(fd, p, N), N / 2, "what was there is there");
	slept = sleeps();
	EXPECT_EQ(mmu_read_count(fd, p + (N - 1) * MMU_PAGE, &word,
				 sizeof(word), &done, &faults),
		  -EAGAIN, "so does a device access");
	EXPECT_EQ(faults, 1000, "after as many");
	EXPECT_EQ(done, 0, "and nothing was read");
	EXPECT_GE(sleeps() - slept, 100, "it lets others run, too");
	tp_off("populate_lookup");
	populate(fd, p, N, WRITE);
	device_sees(fd, p, N, 1);
	verify(fd, p, N);
}

/* What an earlier batch has cost is forgotten when it has come through. */
TEST(g10_race_each_batch_has_its_tries, 20)
{
	struct call c = { .fn = do_populate, .pages = 1024, .flags = WRITE };

	race_begin(1);
	c.fd = attached();
	c.p = map_tables(2);
	call_to(&c, "populate_lookup");
	tp_tell("populate_lookup", "fail 1000000");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), -EAGAIN, "the second one gives up");
	EXPECT_EQ(c.done, 512, "behind the first one");
	EXPECT_EQ(c.retries, 999, "after a thousand tries");
	tp_off("populate_lookup");
	populate(c.fd, c.p, c.pages, WRITE);
	verify(c.fd, c.p, c.pages);
}

/* --- no memory ------------------------------------------------------------ */

TEST(g10_race_no_memory_for_a_table, 20)
{
	int fd = attached();
	char *p = map_tables(2);
	uint64_t done;

	tp_need();
	cpu_stamp(p, 1, 1);
	cpu_stamp(p + MMU_HUGE, 1, 1);
	tp_tell("table_create", "fail");
	EXPECT_EQ(mmu_populate(fd, p, MMU_PAGE, WRITE), -ENOMEM, "populate");
	EXPECT_EQ(stats_of(fd).tables, 0, "there is no table");
	populate(fd, p, 512, WRITE);
	tp_tell("table_create", "fail");
	EXPECT_EQ(mmu_populate_batch(fd, p, 2 * MMU_HUGE, WRITE, 0, &done,
				     NULL),
		  -ENOMEM, "populate of two tables, one of which is there");
	EXPECT_EQ(done, 512, "says how far it came");
	device_sees(fd, p, 1, 1);
	device_sees(fd, p + MMU_HUGE, 1, 1);
	verify(fd, p, 1);
}

static void grow_in_vain(int fd, char *p, size_t pages)
{
	tp_tell("index_grow", "fail 1000000");
	EXPECT_EQ(mmu_populate_batch(fd, p, pages * MMU_PAGE, WRITE, 16, NULL,
				     NULL),
		  0, "populate all the same");
	EXPECT_GT(tp_arrivals("index_grow"), 20, "shards ask more than once");
	EXPECT_LE(tp_arrivals("index_grow"), 64, "but only now and then");
}

/* Too full, and nothing to be had: not asked for with each batch again. */
TEST(g10_race_no_memory_for_the_index, 20)
{
	const size_t tables = 16, pages = tables * 512;
	int fd = attached();
	char *p = map_tables(2 * tables), *more = p + tables * MMU_HUGE;

	tp_need();
	grow_in_vain(fd, p, pages);
	EXPECT_EQ(mmu_evict(fd, p), 1, "the index works");
	EXPECT_EQ(mmu_entry(fd, p), 0, "it has found the page");
	EXPECT_EQ(madvise(p, pages * MMU_PAGE, MADV_DONTNEED), 0, "drop");
	grow_in_vain(fd, p, pages);
	tp_tell("index_grow", "count");
	populate(fd, more, pages, WRITE);
	EXPECT_GT(tp_arrivals("index_grow"), 0, "they ask once more,");
	EXPECT_LE(tp_arrivals("index_grow"), 32, "and have what they need");
	EXPECT_EQ(mmu_evict(fd, p + MMU_PAGE), 1, "the index works");
	EXPECT_EQ(mmu_entry(fd, p + MMU_PAGE), 0, "it has found the page");
	verify(fd, p, 2 * pages);
}

/* Of several that are crowded each one grows, the first and the last. */
TEST(g10_race_every_shard_grows, 20)
{
	const size_t pages = 64 * 512;
	int fd = attached();
	char *p = map_tables(64);

	tp_need();
	cpu_stamp(p, pages, 1);
	tp_tell("index_grow", "count");
	populate(fd, p, pages, WRITE);
	EXPECT_GE(tp_arrivals("index_grow"), 16, "each of 16 shards has grown");
	EXPECT_LE(tp_arrivals("index_grow"), 24, "most once, for they are "
		  "not equally full");
	tp_tell("index_grow", "count");
	populate(fd, p, pages, WRITE);
	EXPECT_LE(tp_arrivals("index_grow"), 6, "and is content, unless it "
		  "is nearly full");
	ASSERT_EQ(madvise(p, pages * MMU_PAGE, MADV_DONTNEED), 0, "discard");
	populate(fd, p, pages, WRITE);
	EXPECT_LE(tp_arrivals("index_grow"), 10,
		  "what has been emptied keeps its buckets, unless many");
}

/* Leaf tables are freed a grace period after they have gone. */
static uint64_t bytes_with_tables(int fd, uint64_t tables)
{
	int ms;

	for (ms = 0; ms < 2000 && stats_of(fd).tables > tables; ms += 5)
		sleep_ms(5);
	EXPECT_EQ(stats_of(fd).tables, tables, "tables");
	return stats_of(fd).bytes;
}

/* Too few at a time for the index to be sized ahead: shards fill up. */
#define FEW	256

static int populate_by_and_by(struct call *c)
{
	struct call few = *c;
	size_t i;
	int ret = 0;

	few.pages = FEW;
	for (i = 0; i < c->pages && !ret; i += FEW) {
		few.p = c->p + i * MMU_PAGE;
		ret = do_populate(&few);
	}
	return ret;
}

/*
 *	populate			munmap
 *
 *	a shard wants to grow
 *	has memory for that
 *					the shard is empty
 *	takes more buckets, for nothing?
 *
 * By "It takes those that it still wants".
 */
TEST(g10_race_emptied_while_it_grows, 20)
{
	const size_t pages = 16 * FEW;
	struct call c = {
		.fn = populate_by_and_by, .pages = pages, .flags = WRITE,
	};
	uint64_t born;

	race_begin(1);
	c.fd = attached();
	born = stats_of(c.fd).bytes;
	c.p = map_tables(8);
	cpu_stamp(c.p, pages, 1);
	call_to(&c, "index_grow");
	EXPECT_GT(stats_of(c.fd).entries, 160, "a shard is crowded");
	ASSERT_EQ(munmap(c.p, pages * MMU_PAGE), 0, "munmap");
	EXPECT_EQ(stats_of(c.fd).entries, 0, "all is empty");
	tp_off("index_grow");
	call_wait(&c);
	EXPECT_EQ(stats_of(c.fd).entries, 0, "it is");
	EXPECT_EQ(bytes_with_tables(c.fd, 0), born, "no bucket was taken");
}

/*
 *	populate			another one
 *
 *	a shard wants a few more
 *	buckets, has memory for them
 *					the shard grows, and fills
 *	takes its own, too few by now?
 *
 * By the same rule.
 */
TEST(g10_race_outgrown_while_it_grows, 20)
{
	const size_t tables = 32, pages = tables * 512;
	struct call c = {
		.fn = populate_by_and_by, .pages = 16 * FEW, .flags = WRITE,
	};
	uint64_t grown;
	char *p;

	race_begin(1);
	c.fd = attached();
	c.p = map_tables(8);
	p = map_tables(tables);
	call_to(&c, "index_grow");
	tp_tell("index_grow", "count");
	populate(c.fd, p, pages, WRITE);
	EXPECT_GE(tp_arrivals("index_grow"), 15, "all others have grown");
	ASSERT_EQ(munmap(c.p, c.pages * MMU_PAGE), 0, "munmap");
	grown = bytes_with_tables(c.fd, tables);
	tp_off("index_grow");
	call_wait(&c);
	EXPECT_EQ(bytes_with_tables(c.fd, tables), grown,
		  "what it had asked for is not used");
	EXPECT_EQ(mmu_evict(c.fd, p), 1, "the index works");
	verify(c.fd, p, pages);
}

/* Sized for what was asked for; then as little of it is there as can be. */
static void nothing_there(int fd, size_t pages, uint64_t kept)
{
	uint64_t before = stats_of(fd).bytes;
	char *p = map_tables(pages / 512);

	EXPECT_EQ(mmu_populate(fd, p, pages * MMU_PAGE,
			       MY_MMU_POPULATE_NOFAULT), -EFAULT, "populate");
	EXPECT_GE(tp_arrivals("index_grow"), 16, "each shard was sized ahead");
	EXPECT_LE(bytes_with_tables(fd, 0), before + kept,
		  "what was not needed is given back");
}

TEST(g10_index_for_pages_that_never_come, 20)
{
	const uint64_t kept = 16 * 1024 * sizeof(uint32_t);
	int fd = attached();

	tp_need();
	tp_tell("index_grow", "count");
	nothing_there(fd, 4096, kept);
	nothing_there(fd, 128 * 1024, kept);
}

/*
 * Lost more often in all than anybody would try in a row, but not in a row: the
 * populate goes on.
 */
static bool lose_now_and_then(struct call *c)
{
	int i;

	for (i = 0; i < 4 && !call_returned(c); i++) {
		tp_tell("populate_lookup", "fail 300");
		/* 30 that succeed are in between: it has not lost in a row. */
		while (tp_arrivals("populate_lookup") < 330 &&
		       !call_returned(c))
			sleep_ms(1);
	}
	tp_off("populate_lookup");
	EXPECT_EQ(call_wait(c), 0, "populate");
	EXPECT_EQ(c->done, c->pages, "came to its end");
	return c->retries >= 1200;
}

static int do_populate_one_by_one(struct call *c)
{
	return mmu_populate_batch(c->fd, c->p, c->pages * MMU_PAGE, c->flags,
				  1, &c->done, &c->retries);
}

TEST(g10_race_lost_now_and_then, 60)
{
	struct call c = { .fn = do_populate_one_by_one, .pages = 8192 };
	bool lost = false;
	int round;

	race_begin(1);
	c.fd = attached();
	c.p = map_tables(c.pages / 512);
	/* It may be through before we tell it to fail again: once more then. */
	for (round = 0; !lost && round < 10; round++) {
		tp_tell("populate_lookup", "fail 300");
		call_start(&c);
		lost = lose_now_and_then(&c);
	}
	EXPECT_EQ(lost, true, "it was begun again 1200 times");
	verify(c.fd, c.p, 16);
}

/* --- killed while waiting ------------------------------------------------- */

/*
 *	populate			invalidate
 *
 *					start: on record
 *	waits until it is over
 *	is killed
 *					end
 *
 * Forbidden is to wait for the end first. Where the VM waits, it does; but then
 * no page may be entered by whoever has been killed.
 */
TEST(g10_race_populate_killed_while_it_waits, 20)
{
	struct call inv = { .fn = do_madvise, .pages = 1 };
	struct call c = { .fn = do_populate, .pages = 1 };
	uint64_t before;
	pid_t pid;

	race_begin(1);
	hear_all();
	c.fd = attached();
	c.p = map_private(1);
	cpu_stamp(c.p, 1, 1);
	inv.p = c.p;
	inv.flags = MADV_DONTNEED;
	call_to(&inv, "start_zapped");
	before = stats_of(c.fd).waits;
	pid = start_twin(&c);
	twin_waits(pid, c.fd, before);
	if (variant_can(WAITS_KILLABLY))
		kill_to_its_end(pid);
	else
		kill(pid, SIGKILL);
	EXPECT_EQ(call_returned(&inv), false, "the invalidation goes on");
	tp_release("start_zapped");
	if (!variant_can(WAITS_KILLABLY))
		kill_to_its_end(pid);
	EXPECT_EQ(call_wait(&inv), 0, "madvise");
	EXPECT_EQ(c.ret, 1, "the populate has told nobody that it succeeded");
	EXPECT_EQ(present(c.fd, c.p, 1), 0, "nor has it");
	populate(c.fd, c.p, 1, WRITE);
	verify(c.fd, c.p, 1);
}

/* Likewise an attach that waits until the last external MMU has gone. */
TEST(g10_race_attach_killed_while_it_waits, 20)
{
	struct call d = { .fn = do_detach }, c = { .fn = do_attach };
	pid_t pid;

	race_begin(1);
	d.fd = attached();
	call_to(&d, "detach_last");
	tp_tell("attach_found", "count");
	pid = start_twin(&c);
	tp_wait_arrivals("attach_found", 2);
	kill_to_its_end(pid);
	EXPECT_EQ(call_returned(&d), false, "the detach goes on");
	tp_release("detach_last");
	EXPECT_EQ(call_wait(&d), 0, "detach");
	wait_for_mmus(d.fd, 0);
}

#define AWAKE	100	/* tries; then it sleeps between them, */
#define TRIES	1000	/* and then it gives up */

static int do_read(struct call *c)
{
	char buf[2 * MMU_PAGE];

	return mmu_read(c->fd, c->p, buf, c->pages * MMU_PAGE);
}

/* False if it gave up before it could be killed. */
static bool killed_as_it_loses(struct call *c)
{
	pid_t pid;

	tp_tell("populate_lookup", "fail 1000000");
	pid = start_twin(c);
	tp_wait_arrivals("populate_lookup", AWAKE);
	kill_to_its_end(pid);
	return c->ret == 1;
}

static void killed_while_it_loses(int (*fn)(struct call *c))
{
	struct call c = { .fn = fn, .pages = 1 };
	int round = 0;

	race_begin(0);
	c.fd = attached();
	c.p = map_private(1);
	while (!killed_as_it_loses(&c))
		ASSERT_LT(round++, 3, "it is killed before it gives up");
	EXPECT_LT(tp_arrivals("populate_lookup"), TRIES, "it tries no more");
	tp_off("populate_lookup");
	EXPECT_EQ(present(c.fd, c.p, 1), 0, "it has entered nothing");
	populate(c.fd, c.p, 1, WRITE);
	verify(c.fd, c.p, 1);
}

/* Whoever tries again and again can be killed in between. */
TEST(g10_populate_killed_while_it_loses, 20)
{
	killed_while_it_loses(do_populate);
}

TEST(g10_access_killed_while_it_loses, 20)
{
	killed_while_it_loses(do_read);
}

/*
 *	device reads two pages		SIGKILL
 *
 *	faults on the first
 *					arrives
 *	copies the first
 *	copies the second?
 *
 * Forbidden by "every call ends or can be killed": a read may be as long as
 * memory is, and all of it mirrored.
 */
TEST(g10_race_access_killed_between_pages, 20)
{
	struct call c = { .fn = do_read, .pages = 2 };
	pid_t pid;
	char *q;

	race_begin(0);
	c.fd = attached();
	c.p = map_private(2);
	q = c.p + MMU_PAGE;
	populate(c.fd, q, 1, WRITE);
	tp_tell("populate_lookup", "park hold");
	pid = start_twin(&c);
	tp_wait_parked("populate_lookup", 1);
	kill(pid, SIGKILL);
	tp_release("populate_lookup");
	ASSERT_EQ(waitpid(pid, NULL, 0), pid, "the killed child dies");
	EXPECT_EQ(mmu_entry(c.fd, q) & MY_MMU_ENTRY_ACCESSED, 0,
		  "it does not come to the second");
	verify(c.fd, c.p, 2);
}

static int do_verify(struct call *c)
{
	struct my_mmu_verify v;

	return mmu_verify(c->fd, NULL, 0, &v);
}

/*
 *	munmap				VERIFY
 *
 *	forgets the mapping
 *	start: on record
 *					entries of no mapping: waits for the
 *					mmap_lock, so that munmap may come
 *					to their zap
 *					is killed
 *
 * Forbidden is to wait for munmap first. The zero page is what VERIFY cannot
 * judge without the lock; there are more of it than it looks at in one go.
 */
TEST(g10_race_verify_killed_while_it_waits, 20)
{
	struct call u = { .fn = do_munmap, .pages = N };
	struct call c = { .fn = do_verify };
	pid_t pid;

	race_begin(1);
	c.fd = attached();
	u.p = map_private(N);
	populate(c.fd, u.p, N, 0);
	call_to(&u, "start_counted");
	pid = start_twin(&c);
	task_wait_in(pid, "my_mmu_engine_verify");
	kill_to_its_end(pid);
	EXPECT_EQ(call_returned(&u), false, "munmap goes on");
	tp_release("start_counted");
	EXPECT_EQ(call_wait(&u), 0, "munmap");
	verify(c.fd, u.p, 0);
}
