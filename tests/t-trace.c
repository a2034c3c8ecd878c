// SPDX-License-Identifier: GPL-2.0
/*
 * t-trace.c - the events of a short life: each is there, and tells the truth
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cgroup.h"
#include "race.h"

#define TRACING	"/sys/kernel/tracing/instances/my_mmu_test"
#define N	8

static void trace_begin(void)
{
	FILE *f;

	if (mkdir(TRACING, 0700) && errno != EEXIST)
		skip("no tracing here (%s)", strerror(errno));
	/* Names of tasks would be had from the scheduler's own events. */
	write_file(TRACING "/options/record-cmd", "0");
	f = fopen(TRACING "/trace", "w");	/* this empties it */
	if (f)
		fclose(f);
	if (write_file(TRACING "/events/my_mmu/enable", "1"))
		skip("no events");
}

static void trace_end(void)
{
	write_file(TRACING "/events/my_mmu/enable", "0");
}

/* How many events of a name have this word (and those behind it). */
static unsigned int traced(const char *event, const char *fmt,
			   unsigned long value)
{
	FILE *f = fopen(TRACING "/trace", "r");
	char line[512], name[64], word[128];
	unsigned int n = 0;

	ASSERT_NE(f, NULL, "the trace can be read");
	snprintf(name, sizeof(name), " my_mmu_%s: ", event);
	snprintf(word, sizeof(word), fmt, value);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, name) && strstr(line, word);
	fclose(f);
	return n;
}

TEST(events_of_a_short_life, 20)
{
	unsigned long at;
	int fd;
	char *p;

	trace_begin();
	p = map_shared(N);
	at = (unsigned long)p;
	cpu_stamp(p, N, 1);
	fd = attached();
	populate(fd, p, N, 0);
	EXPECT_EQ(mmu_evict(fd, p), 1, "evict");
	ASSERT_EQ(munmap(p, N * MMU_PAGE), 0, "munmap");
	ASSERT_EQ(mmu_detach(fd), 0, "detach");
	trace_end();
	EXPECT_EQ(traced("attach", "variant=", 0), 1, "attach");
	EXPECT_EQ(traced("populate", "address=%lx npages=8 write=0 ret=8", at),
		  1, "populate");
	EXPECT_EQ(traced("insert", "write=0", 0), N, "insert, each page");
	EXPECT_EQ(traced("insert", "address=%lx ", at + MMU_PAGE), 1,
		  "insert, this page");
	EXPECT_GE(traced("rmap_invalidate", "zapped=1", 0), 1, "the chain");
	EXPECT_EQ(traced("zap_page", "address=%lx ", at), 1, "by the chain");
	EXPECT_EQ(traced("invalidate_start", "start=%lx ", at), 1, "start");
	EXPECT_EQ(traced("zap_range", "start=%lx ", at), 1, "zap");
	EXPECT_EQ(traced("zap_range", "zapped=7", 0), 1, "of seven pages");
	EXPECT_EQ(traced("invalidate_end", "start=%lx ", at),
		  variant_can(HEARS_THE_END), "end");
	EXPECT_EQ(traced("detach", "variant=", 0), 1, "detach");
	EXPECT_EQ(traced("release", "variant=", 0), 1, "release");
	EXPECT_EQ(traced("retry", "", 0), 0, "and nothing was in the way");
}

/* The longest wait for a lock of this name, in ms; -1: there was none. */
static int longest_wait(const char *lock)
{
	FILE *f = fopen(TRACING "/trace", "r");
	unsigned long long ns;
	char line[512], name[64], *at;
	int longest = -1;

	ASSERT_NE(f, NULL, "the trace can be read");
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, " my_mmu_lock_wait: ");
		if (!at || sscanf(at, " my_mmu_lock_wait: lock=%63s ns=%llu",
				  name, &ns) != 2 || strcmp(name, lock))
			continue;
		if ((int)(ns / 1000000) > longest)
			longest = ns / 1000000;
	}
	fclose(f);
	return longest;
}

/*
 * Reclaim stands still for 300 ms with the lock of an entry. Who wants it then
 * says which lock that was, and for how long.
 */
TEST(event_of_a_lock_that_was_taken, 30)
{
	const char *lock = variant_can(LOCKS_TABLES) ? "t->lock" : "m->lock";
	struct call r = { .fn = do_reclaim, .group = "trace", .pages = 16 };
	int fd, i;
	char *p, byte;

	race_begin(1);
	if (!have_swap())
		skip("no swap");
	cgroup_enter("trace", "memory");
	fd = attached();
	p = map_tables(1);
	cpu_stamp(p, 64, 1);
	populate(fd, p, 64, WRITE);
	for (i = 0; i < 64; i++)
		ASSERT_EQ(mmu_read(fd, p + i * MMU_PAGE, &byte, 1), 0, "read");
	write_file("/proc/self/clear_refs", "1");
	trace_begin();
	EXPECT_GE(mmu_entry(fd, p), 0, "query");
	EXPECT_EQ(longest_wait(lock), -1, "nobody is in the way");
	tp_tell("age_entry", "park ms 300 stall");
	call_start(&r);
	tp_wait_arrivals("age_entry", 1);
	EXPECT_GE(mmu_entry(fd, p), 0, "query");
	tp_off("age_entry");
	EXPECT_EQ(call_wait(&r), 0, "reclaim");
	trace_end();
	EXPECT_GE(longest_wait(lock), 20, "it waited for this lock");
	EXPECT_LT(longest_wait(lock), 10000, "and no longer than that");
}
