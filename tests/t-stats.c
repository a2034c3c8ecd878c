// SPDX-License-Identifier: GPL-2.0
/*
 * t-stats.c - each counter of struct my_mmu_stats counts what the ABI says
 *
 * One act at a time, in a quiet system, and what it adds to each counter, to
 * the digit. What other processes and the kernel do now and then can touch a
 * few (rmap_hooked, rmap_filtered, contended): those must grow enough, or are
 * caused by test points.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroup.h"
#include "race.h"

#define N	8
#define MANY	64

static int fd;
static char *p;
static struct my_mmu_stats before;

static void mark(void)
{
	before = stats_of(fd);
}

static long long difference(uint64_t now, uint64_t then)
{
	return now - then;
}

#define added(name) difference(stats_of(fd).name, before.name)
#define adds(name, n, text) EXPECT_EQ(added(name), n, #name ": " text)

static void setup(void)
{
	own_all_memory();	/* the stack: where it ends a page is chance */
	fd = attached();
	p = map_tables(2);
	cpu_stamp(p, N, 1);
	cpu_stamp(p + MMU_HUGE, N, 1);
}

TEST(stats_of_what_exists, 20)
{
	int other, ms;

	fd = mmu_open();
	mark();
	other = attached();
	adds(mmus, 1, "an external MMU");
	adds(attaches, 1, "by one attach");
	EXPECT_GT(added(bytes), 0, "it has an index");
	p = map_tables(2);
	cpu_stamp(p, N, 1);
	mark();
	populate(other, p, N, WRITE);
	populate(other, p + MMU_HUGE, N, 0);
	adds(mmus, 0, "none more");
	adds(entries, 2 * N, "one for each page");
	adds(tables, 2, "one for each 2 MiB");
	EXPECT_GE(added(bytes), 2 * 512 * (8 + 4), "entries and links of two");
	EXPECT_LE(added(bytes), 2 * 4 * 4096, "directories, and little else");
	munmap(p, 2 * MMU_HUGE);
	for (ms = 0; ms < 2000 && stats_of(fd).tables; ms += 5)
		sleep_ms(5);
	adds(entries, 0, "gone");
	adds(tables, 0, "gone");
	adds(bytes, 0, "gone");
}

TEST(stats_of_attaching, 20)
{
	int more[3], i;

	fd = attached();
	mark();
	for (i = 0; i < 3; i++)
		more[i] = attached();
	adds(attaches, 3, "one for each handle");
	adds(mmus, 0, "they share what is there");
	mark();
	EXPECT_EQ(mmu_attach(more[0], test_variant), -EBUSY, "again");
	EXPECT_EQ(mmu_attach(mmu_open(), "no-such"), -ENODEV, "elsewhere");
	adds(attaches, 0, "only those that succeed");
	for (i = 0; i < 3; i++)
		ASSERT_EQ(mmu_detach(more[i]), 0, "detach");
	adds(attaches, 0, "detaching is none");
	adds(mmus, 0, "the first one is left");
}

TEST(stats_of_populating, 20)
{
	uint64_t done, retries;

	setup();
	mark();
	populate(fd, p, N, 0);
	adds(populated_pages, N, "entries made");
	adds(populate_batches, 1, "in one batch");
	adds(retries, 0, "at the first try");
	mark();
	populate(fd, p, N, WRITE);
	populate(fd, p, N, WRITE);
	adds(populated_pages, 0, "they were there");
	adds(populate_batches, 2, "two batches all the same");
	adds(zapped_pages, 0, "nothing was removed");
	mark();
	EXPECT_EQ(mmu_populate_batch(fd, p + MMU_HUGE, N * MMU_PAGE, 0, 3,
				     &done, &retries), 0, "populate");
	adds(populated_pages, N, "all pages");
	adds(populate_batches, 3, "3 + 3 + 2");
	mark();
	populate(fd, p + MMU_HUGE - 2 * MMU_PAGE, 4, 0);
	adds(populate_batches, 2, "a batch ends with its table");
	adds(populated_pages, 2, "two were there");
	mark();
	EXPECT_EQ(mmu_gup_floor(fd, p, N * MMU_PAGE, 0, 0, &done), 0, "floor");
	adds(populate_batches, 0, "the floor is no populate");
	adds(populated_pages, 0, "and makes no entry");
	mark();
	EXPECT_EQ(mmu_populate(fd, (void *)MMU_PAGE, MMU_PAGE, 0), -EFAULT,
		  "populate of nothing");
	adds(populate_batches, 1, "a batch begun");
	adds(populated_pages, 0, "in vain");
	adds(retries, 0, "not to be redone");
}

TEST(stats_of_lost_batches, 20)
{
	uint64_t done, retries;

	tp_need();
	setup();
	mark();
	tp_tell("populate_lookup", "fail 5");
	EXPECT_EQ(mmu_populate_batch(fd, p, N * MMU_PAGE, WRITE, N, &done,
				     &retries), 0, "populate");
	EXPECT_EQ(retries, 5, "the caller is told");
	adds(retries, 5, "and the public");
	adds(populated_pages, N, "each page once");
	/* Tried as 8, 4, 2, 1, 1 pages; then 1, 2, 4, and the last. */
	adds(populate_batches, 5 + 4, "half as many pages each time");
	mark();
	tp_tell("populate_lookup", "fail 2");
	EXPECT_EQ(mmu_populate_batch(fd, p, N * MMU_PAGE, WRITE, 2, &done,
				     &retries), 0, "populate by two");
	adds(retries, 2, "lost twice");
	adds(populate_batches, 2 + 5, "1, 2, 2, 2, 1");
	mark();
	tp_tell("populate_lookup", "fail");
	EXPECT_EQ(mmu_read(fd, p + MMU_HUGE, &done, sizeof(done)), 0, "read");
	adds(retries, 1, "a device access may lose, too");
	adds(device_faults, 2, "each of its tries is a fault");
}

TEST(stats_of_device_accesses, 20)
{
	static char buf[3 * 4096];
	uint64_t done, faults;

	setup();
	mark();
	EXPECT_EQ(mmu_read_count(fd, p + 100, buf, 2 * 4096, &done, &faults),
		  0, "read");
	EXPECT_EQ(faults, 1, "of three pages");
	adds(device_reads, 2 * 4096, "bytes read");
	adds(device_writes, 0, "none written");
	adds(device_faults, 1, "accesses that missed");
	adds(populated_pages, 3, "were populated");
	adds(populate_batches, 1, "at once");
	mark();
	EXPECT_EQ(mmu_write_count(fd, p + 100, buf, 5000, &done, &faults), 0,
		  "write");
	EXPECT_EQ(faults, 1, "entries for reading miss");
	adds(device_writes, 5000, "bytes written");
	adds(device_reads, 0, "none read");
	adds(device_faults, 1, "accesses that missed");
	adds(populated_pages, 0, "the entries were there");
	mark();
	EXPECT_EQ(mmu_write_count(fd, p, buf, 4096, &done, &faults), 0, "hit");
	adds(device_faults, 0, "no miss");
	adds(device_writes, 4096, "and as many bytes");
	mark();
	munmap(p + 3 * MMU_PAGE, MMU_PAGE);
	EXPECT_EQ(mmu_read_count(fd, p + 2 * MMU_PAGE, buf, 2 * 4096, &done,
				 &faults), -EFAULT, "read to a hole");
	adds(device_reads, 4096, "what was read before it counts");
	EXPECT_EQ(done, 4096, "as the caller is told");
}

TEST(stats_of_invalidations, 20)
{
	setup();
	populate(fd, p, N, WRITE);
	populate(fd, p + MMU_HUGE, N, WRITE);
	mark();
	madvise(p, 2 * MMU_PAGE, MADV_DONTNEED);
	adds(invalidations, 1, "one call");
	adds(nonblockable, 0, "which may sleep");
	adds(zapped_pages, 2, "entries removed");
	adds(entries, -2, "as many fewer");
	adds(rmap_callbacks, 0, "no page was handed on");
	mark();
	madvise(p, 2 * MMU_PAGE, MADV_DONTNEED);
	adds(zapped_pages, 0, "there was nothing");
	mark();
	madvise(p, 2 * MMU_HUGE, MADV_DONTNEED);
	if (variant_can(ZAPS_ALL_AT_ONCE))
		adds(invalidations, 1, "one call for both tables");
	else
		adds(invalidations, 2, "one call for each table");
	adds(zapped_pages, 2 * N - 2, "all entries");
	mark();
	populate(fd, p, N, WRITE);
	ASSERT_EQ(mmu_detach(fd), 0, "detach");
	adds(zapped_pages, N, "the last detach removes all");
	adds(invalidations, 0, "and is no invalidation");
	wait_for_mmus(fd, before.mmus - 1);
}

TEST(stats_of_evictions, 20)
{
	struct my_mmu_stats s;
	int memfd = make_memfd(1), i;
	char *q[3];

	setup();
	populate(fd, p, N, WRITE);
	mark();
	EXPECT_EQ(mmu_evict(fd, p), 1, "evict");
	adds(rmap_walks, 1, "a page for which the chain ran");
	s = stats_of(fd);
	for (i = 0; mmu_variants[i]; i++)
		;
	EXPECT_EQ(s.rmap_callbacks - before.rmap_callbacks, (uint64_t)i,
		  "rmap_callbacks: each variant has been handed it");
	adds(rmap_zaps, 1, "an entry removed");
	adds(zapped_pages, 1, "which is one of all");
	adds(invalidations, 0, "the range notifier was not told");
	mark();
	EXPECT_EQ(mmu_evict(fd, p), 0, "evict again");
	adds(rmap_walks, 0, "the filter knows");
	adds(rmap_callbacks, 0, "so nobody is called");
	for (i = 0; i < 3; i++) {
		q[i] = map_fd(memfd, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
		populate(fd, q[i], 1, WRITE);
	}
	mark();
	EXPECT_EQ(mmu_evict(fd, q[1]), 1, "evict");
	adds(rmap_walks, 1, "one page");
	adds(rmap_zaps, 3, "at three addresses");
	adds(zapped_pages, 3, "entries removed");
}

TEST(stats_of_reclaim, 20)
{
	char *q;
	int i;

	setup();
	if (!have_swap() || !stats_of(fd).rmap_hook_active)
		skip("the VM does not feed the rmap chain here");
	stay_on_one_cpu();
	populate(fd, p, N, WRITE);
	q = map_private(N);
	cpu_stamp(q, N, 1);
	/* A frame may be on record from before: a walk strikes it off. */
	madvise(q, N * MMU_PAGE, MADV_PAGEOUT);
	cpu_sees(q, N, 1);
	for (i = 0; i < N; i++)
		mmu_evict(fd, q + i * MMU_PAGE);
	mark();
	ASSERT_EQ(madvise(q, N * MMU_PAGE, MADV_PAGEOUT), 0, "pageout");
	ASSERT_EQ(count_swapped(q, N), N, "all of it is out");
	EXPECT_GE(added(rmap_hooked), N, "each passed the hook");
	EXPECT_GE(added(rmap_filtered), N, "and none was exported");
	adds(rmap_walks, 0, "so the chain did not run");
	mark();
	ASSERT_EQ(madvise(p, N * MMU_PAGE, MADV_PAGEOUT), 0, "pageout");
	EXPECT_GE(added(rmap_hooked), (long)count_swapped(p, N), "likewise");
	EXPECT_GE(added(rmap_walks), (long)count_swapped(p, N),
		  "those were exported");
	EXPECT_LT(added(rmap_filtered), N, "and not filtered");
}

/* A reaper may not sleep; its calls are counted on their own as well. */
TEST(stats_of_the_reaper, 20)
{
	struct gate ready;
	int pidfd, ret;
	pid_t pid;

	tp_need();
	gate_init(&ready);
	fd = mmu_open();
	tp_tell("populate_pinned", "park hold");
	pid = spawn();
	if (!pid) {
		setup();
		pass(&ready);
		populate(fd, p, N, WRITE);
		_exit(0);
	}
	wait_at(&ready);
	tp_wait_parked("populate_pinned", 1);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	kill(pid, SIGKILL);
	mark();
	ret = syscall(SYS_process_mrelease, pidfd, 0) ? -errno : 0;
	EXPECT_EQ(ret, 0, "process_mrelease");
	EXPECT_GT(added(nonblockable), 0, "that many may not sleep");
	EXPECT_EQ(added(invalidations), added(nonblockable),
		  "and they are invalidations as all others");
	tp_off("populate_pinned");
	kill_and_reap(pid);
}

/* One waits for an invalidation, and one for a lock. */
TEST(stats_of_waiting, 20)
{
	struct call inv = { .fn = do_madvise, .pages = N,
			    .flags = MADV_DONTNEED };
	struct call c = { .fn = do_populate, .pages = N, .flags = WRITE };

	need(COUNTS_WAITS, "count those that wait");
	race_begin(2);
	setup();
	inv.p = p;
	c.p = p;
	c.fd = fd;
	call_to(&inv, "start_zapped");
	mark();
	call_to_wait(&c);
	adds(waits, 1, "one batch waits");
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&inv), 0, "madvise");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	adds(waits, 1, "once");
	adds(populate_batches, 1, "it is one batch still");
	adds(retries, 0, "and has lost nothing");
}

/* Reclaim is held up with the lock of a table: whoever wants it is counted. */
TEST(stats_of_contention, 30)
{
	struct call r = { .fn = do_reclaim, .group = "stats",
			  .pages = MANY / 4 };
	char byte;
	int i;

	race_begin(1);
	if (!have_swap())
		skip("no swap");
	cgroup_enter("stats", "memory");
	fd = attached();
	p = map_tables(1);
	cpu_stamp(p, MANY, 1);
	populate(fd, p, MANY, WRITE);
	for (i = 0; i < MANY; i++)
		ASSERT_EQ(mmu_read(fd, p + i * MMU_PAGE, &byte, 1), 0, "read");
	write_file("/proc/self/clear_refs", "1");
	mark();
	for (i = 0; i < MANY; i++)
		ASSERT_GE(mmu_entry(fd, p + i * MMU_PAGE), 0, "query");
	adds(contended, 0, "nobody is in the way");
	tp_tell("age_entry", "park ms 300 stall");
	call_start(&r);
	tp_wait_arrivals("age_entry", 1);
	ASSERT_GE(mmu_entry(fd, p), 0, "query");
	EXPECT_GE(added(contended), 1, "it had to wait for the lock");
	tp_off("age_entry");
	EXPECT_EQ(call_wait(&r), 0, "reclaim");
	EXPECT_GT(added(aging), 0, "and was asked for their age");
}
