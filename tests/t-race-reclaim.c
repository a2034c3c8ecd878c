// SPDX-License-Identifier: GPL-2.0
/*
 * t-race-reclaim.c - G7, G8: dirt and age, and reapers in a hurry
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroup.h"
#include "race.h"

#define N		64
#define SLOW_MS		200

static int do_device_write(struct call *c)
{
	uint64_t word = stamp(2, 0);

	return mmu_write(c->fd, c->p, &word, sizeof(word));
}

/*
 *	device write			madvise(MADV_FREE)
 *
 *					start: on record, zap
 *	enter the page, make it dirty
 *	write
 *					the page is clean now
 *					end
 *	(the entry allows more writes)
 *					reclaim: clean, so throw it away
 *
 * Forbidden by the record: the entry, and with it the dirt, come after the
 * end.
 */
TEST(g7_race_device_write_amid_madv_free, 20)
{
	struct call f = { .fn = do_madvise, .pages = 1, .flags = MADV_FREE };
	struct call w = { .fn = do_device_write };
	char *p;

	race_begin(2);
	if (!have_swap())
		skip("no swap");
	w.fd = attached();
	p = map_private(1);
	f.p = p;
	w.p = p;
	cpu_stamp(p, 1, 1);
	populate(w.fd, p, 1, WRITE);
	call_to(&f, "start_zapped");
	call_to_wait(&w);
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&f), 0, "madvise");
	EXPECT_EQ(call_wait(&w), 0, "the device writes");
	ASSERT_EQ(madvise(p, MMU_PAGE, MADV_PAGEOUT), 0, "pageout");
	poison_free_memory();
	EXPECT_EQ(*(volatile uint64_t *)p, stamp(2, 0), "the write is there");
	verify(w.fd, p, 1);
}

/*
 *	populate for writing		madvise(MADV_FREE)
 *
 *	look up the page
 *					start, end: the page is clean now
 *	enter it, make it dirty
 *	the device writes
 *
 * Where the page is made dirty when it is looked up, or the entry is older
 * than the end, the write is lost.
 */
TEST(g7_race_madv_free_before_the_insertion, 20)
{
	struct call c = { .fn = do_populate, .pages = 1, .flags = WRITE };

	race_begin(1);
	if (!have_swap())
		skip("no swap");
	c.fd = attached();
	c.p = map_private(1);
	cpu_stamp(c.p, 1, 1);
	call_to(&c, "populate_lookup");
	ASSERT_EQ(madvise(c.p, MMU_PAGE, MADV_FREE), 0, "madvise");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(c.retries, 1, "the batch was begun again");
	device_stamp(c.fd, c.p, 1, 2);
	ASSERT_EQ(madvise(c.p, MMU_PAGE, MADV_PAGEOUT), 0, "pageout");
	poison_free_memory();
	cpu_sees(c.p, 1, 2);
	verify(c.fd, c.p, 1);
}

/* --- aging ---------------------------------------------------------------- */

/*
 *	reclaim: has it been used?	discard
 *
 *					start: on record
 *	reads the entry
 *					zaps the entry
 *	writes it back, without the mark
 *					the VM puts another page there
 *
 * Forbidden by "the mark is cleared under the lock of the entry", and by the
 * zap that takes it, too. The one spins for a while, with the lock held: the
 * other has to spin, too.
 */
TEST(g4_race_aging_beside_zap, 30)
{
	struct call r = { .fn = do_reclaim, .group = "race",
			  .pages = N / 4 };
	struct call d = { .fn = do_madvise, .pages = N,
			  .flags = MADV_DONTNEED };
	int fd, i;
	char *p, c;

	race_begin(2);
	if (!have_swap())
		skip("no swap");
	cgroup_enter("race", "memory");
	fd = attached();
	p = map_tables(1);
	d.p = p;
	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	for (i = 0; i < N; i++)
		ASSERT_EQ(mmu_read(fd, p + i * MMU_PAGE, &c, 1), 0, "read");
	write_file("/proc/self/clear_refs", "1");
	call_to(&d, "start_counted");
	tp_tell("age_entry", "park ms 200 stall");
	call_start(&r);
	tp_wait_arrivals("age_entry", 1);
	tp_release("start_counted");
	EXPECT_EQ(call_wait(&d), 0, "discard");
	EXPECT_EQ(call_wait(&r), 0, "reclaim");
	/* Nobody looks into a table that counts no entries. */
	populate(fd, p + N * MMU_PAGE, 1, WRITE);
	EXPECT_EQ(present(fd, p, N), 0, "no entry came back");
	device_sees_zeros(fd, p, N);
	verify(fd, p, N);
}

/* --- G8: invalidations that may not sleep --------------------------------- */

/*
 *	victim				reaper
 *
 *	in the middle of a populate
 *	is killed, cannot leave yet
 *					start, not blockable: zap
 *					the device is slow: poll it
 *					the memory goes
 *	finds that it is killed
 *
 * The victim holds no lock that the reaper needs; the reaper never sleeps.
 */
static int populate_one_more(struct call *c)
{
	return mmu_populate(c->fd, c->p + c->pages * MMU_PAGE, MMU_PAGE, WRITE);
}

static void victim(struct gate *ready, struct gate *go,
		   int (*parks)(struct call *c))
{
	struct call c = { .pages = N, .flags = MADV_DONTNEED };

	c.fd = attached();
	c.p = map_private(N + 1);
	populate(c.fd, c.p, N, WRITE);
	ASSERT_EQ(mmu_configure(c.fd, SLOW_MS * 1000), 0, "a slow device");
	pass(ready);
	wait_at(go);
	parks(&c);
	_exit(0);
}

/* How many entries the reaper zapped; it must wait, and never sleep. */
static long reap_at(const char *point, int (*parks)(struct call *c))
{
	struct my_mmu_stats before, after;
	int fd = mmu_open(), pidfd, ret;
	struct gate ready, go;
	double start;
	long slept;
	pid_t pid;

	race_begin(0);
	gate_init(&ready);
	gate_init(&go);
	pid = spawn();
	if (!pid)
		victim(&ready, &go, parks);
	wait_at(&ready);
	pidfd = syscall(SYS_pidfd_open, pid, 0);
	ASSERT_GE(pidfd, 0, "pidfd_open");
	tp_tell(point, "park hold mm %d", pid);
	pass(&go);
	tp_wait_parked(point, 1);
	kill(pid, SIGKILL);
	before = stats_of(fd);
	slept = sleeps();
	start = seconds();
	ret = syscall(SYS_process_mrelease, pidfd, 0) ? -errno : 0;
	start = seconds() - start;
	slept = sleeps() - slept;
	after = stats_of(fd);
	tp_release(point);
	kill_and_reap(pid);
	ASSERT_EQ(ret, 0, "process_mrelease");
	EXPECT_EQ(slept, 0, "the reaper did not sleep, slow as the device is");
	EXPECT_GT(after.nonblockable - before.nonblockable, 0,
		  "invalidations arrived that may not sleep");
	EXPECT_GE(start * 1000, SLOW_MS / 4, "when the device had answered");
	wait_for_mmus(fd, 0);
	return after.zapped_pages - before.zapped_pages;
}

TEST(g8_race_reaper_beside_a_snapshot, 20)
{
	EXPECT_EQ(reap_at("populate_pinned", populate_one_more), N,
		  "it took all entries");
}

TEST(g8_race_reaper_beside_a_lookup, 20)
{
	EXPECT_EQ(reap_at("populate_lookup", populate_one_more), N,
		  "it took all entries");
}

/*
 *	victim				reaper
 *
 *	discard: zaps all
 *	is killed, has not asked the device
 *					start, not blockable: nothing to zap
 *					poll the device all the same
 *					the memory goes
 *	asks the device
 */
TEST(g8_race_reaper_beside_an_unanswered_zap, 20)
{
	EXPECT_EQ(reap_at("start_zapped", do_madvise), 0, "nothing was left");
}
