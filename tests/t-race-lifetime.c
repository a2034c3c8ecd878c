// SPDX-License-Identifier: GPL-2.0
/*
 * t-race-lifetime.c - G5, G6: attach, detach and exit, overtaken or held up
 *
 * "The walker" is a task in the rmap chain that has found an external MMU on
 * the list; here always one that evicts a page by hand.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "race.h"

static struct gate ready, go;
static int fd;			/* the test's own handle, attached or not */
static char *page;		/* one page, shared with children */

static void setup(void)
{
	gate_init(&ready);
	gate_init(&go);
	page = map_shared(1);
	cpu_stamp(page, 1, 1);
}

/* A child that mirrors the page, then leaves by detach or exit when told. */
static pid_t mirroring_child(bool detach)
{
	pid_t pid = spawn();
	int own;

	if (!pid) {
		own = attached();
		populate(own, page, 1, WRITE);
		pass(&ready);
		wait_at(&go);
		if (detach)
			ASSERT_EQ(mmu_detach(own), 0, "detach");
		_exit(0);
	}
	wait_at(&ready);
	return pid;
}

/* Who wants to change the list waits for the walker, in two variants. */
static void expect_writers_wait(pid_t pid, const char *where)
{
	if (list_never_blocks())
		join(pid);
	else
		task_wait_in(pid, where);
}

static void finish(pid_t pid)
{
	if (!list_never_blocks())
		join(pid);
}

/*
 *	walker				last detach, or exit
 *
 *	finds m on the list
 *					takes m off the list
 *					frees m
 *	uses m
 *
 * Forbidden, in two variants, by "writers of the list wait for its readers";
 * in rcu-list by "freed when the readers of that moment have gone". There the
 * leaving process does not wait, and m outlives it.
 */
static void walker_holds(bool detach)
{
	struct call c;
	pid_t pid;

	race_begin(1);
	setup();
	fd = mmu_open();
	pid = mirroring_child(detach);
	c = (struct call) { .fn = do_evict, .fd = fd, .p = page };
	tp_tell("notifier_free", "count mm %d", pid);
	call_to(&c, "rmap_walk");
	pass(&go);
	expect_writers_wait(pid, "my_mmu_release");
	if (list_never_blocks())
		tp_wait_arrivals("notifier_free", 1);
	EXPECT_EQ(stats_of(fd).mmus, 1, "the walker still has it");
	EXPECT_EQ(stats_of(fd).entries, 0, "but it maps nothing");
	tp_release("rmap_walk");
	EXPECT_EQ(call_wait(&c), 1, "evict");
	finish(pid);
	wait_for_mmus(fd, 0);
	EXPECT_EQ(tp_arrivals("notifier_free"), 1, "freed, and once");
}

TEST(g5_race_walker_and_last_detach, 20)
{
	walker_holds(true);
}

TEST(g5_race_walker_and_exit, 20)
{
	walker_holds(false);
}

/*
 *	walker				somebody else
 *
 *	finds m on the list
 *	sleeps in m's device
 *					attach
 *					detach
 *
 * In rcu-list nobody waits (G6). The other two make everybody wait: that is
 * documented as their price, and the test sees that it is paid where it says.
 */
TEST(g6_race_detach_beside_a_sleeping_walk, 20)
{
	struct call c;
	pid_t pid;
	int own;

	race_begin(1);
	setup();
	fd = attached();
	populate(fd, page, 1, WRITE);
	c = (struct call) { .fn = do_evict, .fd = fd, .p = page };
	call_to(&c, "rmap_zapped");
	pid = spawn();
	if (!pid) {
		own = attached();
		populate(own, map_private(1), 1, WRITE);
		ASSERT_EQ(mmu_detach(own), 0, "detach");
		_exit(0);
	}
	expect_writers_wait(pid, "my_mmu_attach");
	EXPECT_EQ(call_returned(&c), false, "the walker sleeps still");
	tp_release("rmap_zapped");
	EXPECT_EQ(call_wait(&c), 1, "evict");
	finish(pid);
}

/*
 *	exit				attach, another process
 *
 *	release: zaps
 *	waits for the device
 *					is on the list
 *
 * Nobody waits for somebody else's device here, in all variants: the list is
 * locked "never while a device is waited for".
 */
TEST(g6_race_attach_beside_an_unanswered_exit, 10)
{
	struct call c = { .fn = do_attach };
	pid_t pid;

	race_begin(1);
	setup();
	fd = mmu_open();
	pid = mirroring_child(false);
	tp_park_mm("release_zapped", pid);
	pass(&go);
	tp_wait_parked("release_zapped", 1);
	call_start(&c);
	EXPECT_EQ(call_wait(&c), 0, "attach");
	populate(c.fd, page, 1, WRITE);
	EXPECT_EQ(mmu_evict(c.fd, page), 1, "the chain runs");
	EXPECT_EQ(mmu_entry(c.fd, page), 0, "and finds the entry");
	EXPECT_EQ(tp_parked("release_zapped"), 1, "the exit is where it was");
	tp_release("release_zapped");
	join(pid);
	wait_for_mmus(fd, 1);
}

/*
 *	truncate, in another process	exit
 *
 *	start: on record
 *					release: dead, all zapped
 *					free m
 *	back in start: uses m
 *	the VM changes the ptes
 *	end: of what?
 *
 * Forbidden by "freed a grace period after release": the notifiers wait for
 * callbacks that are running. The end never comes, and nobody waits for it.
 */
static int do_punch(struct call *c)
{
	return fallocate(c->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			 MMU_PAGE) ? -errno : 0;
}

static void exit_amid_invalidation(const char *point)
{
	struct call c = { .fn = do_punch };
	pid_t pid;

	race_begin(1);
	setup();
	fd = mmu_open();
	c.fd = make_memfd(1);
	page = map_fd(c.fd, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
	pid = mirroring_child(false);
	ASSERT_EQ(munmap(page, MMU_PAGE), 0, "the page is the child's alone");
	tp_tell("release_unlisted", "count mm %d", pid);
	tp_tell("notifier_free", "count mm %d", pid);
	call_to(&c, point);
	pass(&go);
	tp_wait_arrivals("release_unlisted", 1);
	EXPECT_EQ(stats_of(fd).entries, 0, "release has zapped all");
	EXPECT_EQ(tp_arrivals("notifier_free"), 0, "nothing is freed yet");
	tp_release(point);
	EXPECT_EQ(call_wait(&c), 0, "fallocate");
	join(pid);
	wait_for_mmus(fd, 0);
	EXPECT_EQ(tp_arrivals("notifier_free"), 1, "freed, and once");
}

TEST(g5_race_exit_before_the_zap, 20)
{
	exit_amid_invalidation("start_counted");
}

TEST(g5_race_exit_behind_the_zap, 20)
{
	exit_amid_invalidation("start_zapped");
}

TEST(g5_race_exit_before_the_end, 20)
{
	need(HEARS_THE_END, "know when the ptes have changed");
	exit_amid_invalidation("end");
}

/*
 *	invalidate			last detach, attach anew
 *
 *	start: count of m = 1
 *					m is dead; new m', count = 0
 *	the ptes change
 *	end: count of m' = -1?
 *
 * Forbidden by "a notifier is registered under the locks of the whole address
 * space": the attach waits until no invalidation is running. That is the
 * kernel's rule; ours is not to offer m, with its count of 1, once more.
 */
TEST(g5_race_attach_anew_amid_invalidation, 20)
{
	struct call c = { .fn = do_punch }, again = { .fn = do_attach };
	uint64_t before;

	race_begin(2);
	setup();
	c.fd = make_memfd(1);
	page = map_fd(c.fd, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
	fd = attached();
	populate(fd, page, 1, WRITE);
	call_to(&c, "start_zapped");
	ASSERT_EQ(mmu_detach(fd), 0, "the last detach");
	call_start(&again);
	call_wait_in(&again, "mm_take_all_locks");
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&c), 0, "fallocate");
	EXPECT_EQ(call_wait(&again), 0, "attach");
	before = stats_of(fd).waits;
	populate(again.fd, page, 1, WRITE);
	EXPECT_EQ(stats_of(fd).waits, before, "no invalidation is on record");
	device_sees_zeros(again.fd, page, 1);
	verify(again.fd, page, 1);
	wait_for_mmus(fd, 1);
}

/* --- attach and detach ---------------------------------------------------- */

/*
 *	attach				last detach
 *
 *	finds m
 *					no user left: m is dead
 *	becomes a user of m
 *	populates: -ESRCH, for ever
 *
 * Forbidden by "the last detach and the death are one critical section, and
 * nobody becomes a user of the dead": the attach takes another m.
 */
TEST(g5_race_attach_and_last_detach, 20)
{
	struct call c = { .fn = do_attach };

	race_begin(1);
	setup();
	fd = attached();
	populate(fd, page, 1, WRITE);
	call_to(&c, "attach_found");
	ASSERT_EQ(mmu_detach(fd), 0, "the last detach");
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is mapped");
	tp_release("attach_found");
	EXPECT_EQ(call_wait(&c), 0, "attach");
	populate(c.fd, page, 1, WRITE);
	EXPECT_EQ(mmu_evict(fd, page), 1, "and is on the list");
	EXPECT_EQ(mmu_entry(c.fd, page), 0, "which the chain walks");
	wait_for_mmus(fd, 1);
}

/* Likewise, with the detach held up: the attach comes again and again. */
TEST(g5_race_attach_amid_last_detach, 20)
{
	struct call c = { .fn = do_attach }, d = { .fn = do_detach };

	race_begin(2);
	setup();
	fd = mmu_open();
	d.fd = attached();
	populate(d.fd, page, 1, WRITE);
	call_to(&d, "detach_last");
	tp_tell("attach_found", "count");
	call_start(&c);
	call_wait_arrivals(&c, "attach_found", 3);
	EXPECT_EQ(call_returned(&c), false, "not to the one that dies");
	tp_release("detach_last");
	EXPECT_EQ(call_wait(&d), 0, "detach");
	EXPECT_EQ(call_wait(&c), 0, "attach");
	populate(c.fd, page, 1, WRITE);
	wait_for_mmus(fd, 1);
}

/*
 *	attach				exit (SIGKILL)
 *
 *	has the notifier
 *					every task is killed
 *	becomes a user
 *					release, close
 *
 * Forbidden is a leak: harness and statistics look. Who attaches does so to his
 * own address space, and is in the way of its end: release can only come after.
 */
TEST(g5_race_attach_and_exit, 20)
{
	static const char *const points[] = {
		"attach_found", "attach_counted"
	};
	pid_t pid;
	int i;

	tp_need();
	fd = mmu_open();
	for (i = 0; i < 2; i++) {
		tp_tell(points[i], "park hold");
		pid = spawn();
		if (!pid) {
			attached();
			_exit(0);
		}
		tp_wait_parked(points[i], 1);
		kill(pid, SIGKILL);
		tp_release(points[i]);
		kill_and_reap(pid);
		wait_for_mmus(fd, 0);
	}
}

/*
 *	first attach			second attach, same process
 *
 *	is a user
 *					is a user, too
 *					populates
 *					the chain runs: m is not on the list
 *	puts m on the list
 *
 * Forbidden by "whoever attaches sees to the list", not the first one alone.
 */
TEST(g4_race_second_attach_overtakes, 20)
{
	struct call c = { .fn = do_attach };

	race_begin(1);
	setup();
	call_to(&c, "attach_counted");
	fd = attached();
	populate(fd, page, 1, WRITE);
	EXPECT_EQ(mmu_evict(fd, page), 1, "the chain runs");
	EXPECT_EQ(mmu_entry(fd, page), 0, "and finds the entry");
	tp_release("attach_counted");
	EXPECT_EQ(call_wait(&c), 0, "the first attach");
	EXPECT_EQ(stats_of(fd).mmus, 1, "it is the same external MMU");
	populate(c.fd, page, 1, WRITE);
	EXPECT_EQ(mmu_evict(fd, page), 1, "the chain runs once for it");
	EXPECT_EQ(mmu_entry(fd, page), 0, "and finds the entry");
}

/*
 *	populate through one handle	detach of the other
 *
 *	looked up
 *					one user less
 *	enter
 *
 * Forbidden is any trace of the detach: m has a user.
 */
TEST(g5_race_detach_beside_a_populate, 20)
{
	struct call c = { .fn = do_populate, .pages = 1, .flags = WRITE };
	int other;

	race_begin(1);
	setup();
	c.fd = attached();
	c.p = page;
	other = attached();
	call_to(&c, "populate_lookup");
	ASSERT_EQ(mmu_detach(other), 0, "detach, which does not wait");
	EXPECT_EQ(call_returned(&c), false, "the populate is under way");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(c.retries, 0, "undisturbed");
	device_sees(c.fd, page, 1, 1);
	verify(c.fd, page, 1);
}

/*
 *	exit				detach, by who else has the handle
 *
 *	release: dead
 *					release: zap, off the list
 *					"nothing is mapped any more"
 *	zap, off the list
 *
 * Forbidden by "both do all of it, and either may come first".
 */
static void detach_amid_exit(const char *point)
{
	pid_t pid;

	tp_need();
	setup();
	fd = mmu_open();		/* one file for both */
	pid = spawn();
	if (!pid) {
		ASSERT_EQ(mmu_attach(fd, test_variant), 0, "attach");
		populate(fd, page, 1, WRITE);
		pass(&ready);
		wait_at(&go);
		_exit(0);
	}
	wait_at(&ready);
	tp_park_mm(point, pid);
	pass(&go);
	tp_wait_parked(point, 1);
	ASSERT_EQ(mmu_detach(fd), 0, "detach, from outside");
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is mapped any more");
	EXPECT_EQ(tp_parked(point), 1, "the exit is held up still");
	tp_release(point);
	join(pid);
	wait_for_mmus(fd, 0);
	ASSERT_EQ(mmu_attach(fd, test_variant), 0, "the handle is free");
	populate(fd, page, 1, WRITE);
	verify(fd, page, 1);
}

TEST(g5_race_detach_before_exit_zaps, 20)
{
	detach_amid_exit("release_dead");
}

TEST(g5_race_detach_behind_exit, 20)
{
	detach_amid_exit("release_unlisted");
}

/*
 *	populate			exit, in another thread
 *
 *	looked up
 *					the process is killed
 *	enter?
 *					release: zaps
 *
 * An address space goes when its last task has left: the populate first.
 */
TEST(g5_race_killed_before_the_insertion, 20)
{
	struct my_mmu_stats s;
	pid_t pid;

	tp_need();
	setup();
	fd = mmu_open();
	tp_tell("populate_lookup", "park hold");
	pid = spawn();
	if (!pid) {
		populate(attached(), page, 1, WRITE);
		_exit(0);
	}
	tp_wait_parked("populate_lookup", 1);
	kill(pid, SIGKILL);
	tp_release("populate_lookup");
	kill_and_reap(pid);
	wait_for_mmus(fd, 0);
	s = stats_of(fd);
	EXPECT_EQ(s.entries, 0, "no entry is left");
}
