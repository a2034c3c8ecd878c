// SPDX-License-Identifier: GPL-2.0
/*
 * t-race-bounded.c - G10: whoever waits or tries again comes to an end
 */
#include <errno.h>
#include <sched.h>
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
	uint64_t done, retries, word;
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
	EXPECT_GE(retries, 100, "not at once");
	EXPECT_LE(retries, 10000, "but soon");
	EXPECT_EQ(done, 0, "and says that it did nothing");
	EXPECT_EQ(present(fd, p, N), N / 2, "what was there is there");
	slept = sleeps();
	EXPECT_EQ(mmu_read(fd, p + (N - 1) * MMU_PAGE, &word, sizeof(word)),
		  -EAGAIN, "so does a device access");
	EXPECT_GE(sleeps() - slept, 100, "it lets others run, too");
	tp_off("populate_lookup");
	populate(fd, p, N, WRITE);
	device_sees(fd, p, N, 1);
	verify(fd, p, N);
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

/* --- killed while waiting ------------------------------------------------- */

static char stack[64 * 1024] __attribute__((aligned(16)));

/*
 * A process of its own in our memory: it can be killed alone, and its death
 * needs nothing that a parked invalidation holds.
 */
static pid_t start_twin(int (*fn)(void *), struct call *c)
{
	pid_t pid;

	c->ret = 1;
	pid = clone(fn, stack + sizeof(stack), CLONE_VM | SIGCHLD, c);
	ASSERT_GE(pid, 0, "a process in the same memory");
	return pid;
}

static int twin(void *arg)
{
	struct call *c = arg;

	c->ret = c->fn(c);
	_exit(0);
}

/*
 *	populate			invalidate
 *
 *					start: on record
 *	waits until it is over
 *	is killed
 *					end
 *
 * Forbidden is to wait for the end first.
 */
TEST(g10_race_populate_killed_while_it_waits, 20)
{
	struct call inv = { .fn = do_madvise, .pages = 1 };
	struct call c = { .fn = do_populate, .pages = 1 };
	uint64_t before;
	pid_t pid;
	int i;

	race_begin(1);
	c.fd = attached();
	c.p = map_private(1);
	cpu_stamp(c.p, 1, 1);
	inv.p = c.p;
	inv.flags = MADV_DONTNEED;
	call_to(&inv, "start_zapped");
	before = stats_of(c.fd).waits;
	pid = start_twin(twin, &c);
	for (i = 0; i < 15000 && stats_of(c.fd).waits == before; i++)
		sleep_ms(1);
	ASSERT_GT(stats_of(c.fd).waits, before, "it waits");
	kill_to_its_end(pid);
	EXPECT_EQ(call_returned(&inv), false, "the invalidation goes on");
	tp_release("start_zapped");
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
	pid = start_twin(twin, &c);
	tp_wait_arrivals("attach_found", 2);
	kill_to_its_end(pid);
	EXPECT_EQ(call_returned(&d), false, "the detach goes on");
	tp_release("detach_last");
	EXPECT_EQ(call_wait(&d), 0, "detach");
	wait_for_mmus(d.fd, 0);
}
