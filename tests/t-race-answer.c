// SPDX-License-Identifier: GPL-2.0
/*
 * t-race-answer.c - an entry is gone, and the device has not answered yet
 *
 * Each test is one interleaving, forced with test points. Left is who zaps the
 * entry and still waits for the device, right who finds nothing left to zap.
 * The right one must wait for the device all the same: its caller will free
 * the page.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "race.h"

#define N	4
#define SLOW_US		(400 * 1000)
#define VERY_SLOW_US	(1000 * 1000)
/* On a busy host the guest's ticks lag, then catch up: sleeps end early. */
#define ANSWER_US	(SLOW_US / 2)

static long us_since(double start)
{
	return (seconds() - start) * 1e6;
}

/* A call, and how many microseconds it took. */
static long timed(struct call *c)
{
	double start = seconds();

	EXPECT_GE(c->fn(c), 0, "the call");
	return us_since(start);
}

static void waits_for_the_device(struct call *c)
{
	EXPECT_GE(timed(c), ANSWER_US, "it waits for the device");
}

/* Once may be bad luck with the scheduler, five times is not. */
static void does_not_wait(struct call *c)
{
	long best = timed(c), took;
	int i;

	for (i = 0; i < 5; i++) {
		took = timed(c);
		best = took < best ? took : best;
	}
	EXPECT_LT(best, ANSWER_US, "it does not wait");
}

static struct call discard(char *p, size_t pages)
{
	return (struct call) { .fn = do_madvise, .p = p, .pages = pages,
			       .flags = MADV_DONTNEED };
}

/* Two tables, the first pages mirrored by a device that is slow from now on. */
static char *mirrored_slowly(int fd)
{
	char *p = map_tables(2);

	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	ASSERT_EQ(mmu_configure(fd, SLOW_US), 0, "a slow device");
	return p;
}

/* @first is held up: it has zapped its pages, and not asked the device yet. */
static void discard_unanswered(struct call *first, int fd)
{
	*first = discard(mirrored_slowly(fd), N);
	call_to(first, "start_zapped");
}

/*
 *	discard A			discard A
 *
 *	start: zaps A
 *					start: nothing to zap, returns
 *					the VM frees A's page
 *	asks the device
 *
 * Forbidden by "others shall know of a zap before it is made". Another table is
 * another matter (G6).
 */
TEST(g1_race_zapped_and_unanswered, 20)
{
	struct call first, second, far;
	int fd;

	race_begin(1);
	fd = attached();
	discard_unanswered(&first, fd);
	second = discard(first.p, N);
	far = discard(first.p + MMU_HUGE, 1);
	waits_for_the_device(&second);
	does_not_wait(&far);
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&first), 0, "discard");
	ASSERT_EQ(mmu_configure(fd, 0), 0, "a fast device");
}

/*
 *	discard A			discard A and B		discard B
 *
 *	start: zaps A
 *					start: nothing to zap
 *					waits for A's device
 *								start: waits?
 *	asks the device
 *
 * Forbidden by "who has zapped nothing is nobody to wait for".
 */
TEST(g6_race_waiting_is_not_waited_for, 20)
{
	struct call first, both, near, far;
	int fd;

	race_begin(2);
	fd = attached();
	discard_unanswered(&first, fd);
	near = discard(first.p + N * MMU_PAGE, 1);
	far = discard(first.p + MMU_HUGE, 1);
	both = discard(first.p, MMU_HUGE / MMU_PAGE + 1);
	ASSERT_EQ(mmu_configure(fd, VERY_SLOW_US), 0, "very slow");
	call_start(&both);
	call_wait_in(&both, "my_mmu_invalidate");
	EXPECT_LT(timed(&near), VERY_SLOW_US / 2, "for B, nobody waits");
	EXPECT_LT(timed(&far), VERY_SLOW_US / 2, "nor in another table");
	EXPECT_EQ(call_wait(&both), 0, "discard of both");
	EXPECT_EQ(tp_parked("start_zapped"), 1, "the first is where it was");
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&first), 0, "discard");
	ASSERT_EQ(mmu_configure(fd, 0), 0, "a fast device");
}

/*
 *	the rmap chain, for A's page	discard A
 *
 *	zaps A
 *					start: nothing to zap, returns
 *					the VM frees A's page
 *	asks the device
 */
TEST_BOTH_MODES(g1_race_evicted_and_unanswered, 20)
{
	struct call evict = { .fn = do_evict }, second;

	race_begin(1);
	evict.fd = attached();
	evict.p = mirrored_slowly(evict.fd);
	second = discard(evict.p, 1);
	call_to(&evict, "rmap_zapped");
	waits_for_the_device(&second);
	tp_release("rmap_zapped");
	EXPECT_EQ(call_wait(&evict), 1, "evict");
	ASSERT_EQ(mmu_configure(evict.fd, 0), 0, "a fast device");
}

/*
 *	discard A			the rmap chain, for A's page
 *
 *	start: zaps A
 *					finds the page nowhere, returns
 *					the VM frees the page
 *	asks the device
 *
 * Where events are left to the chain, nobody else asks for A.
 */
TEST(g4_race_chain_finds_it_unanswered, 20)
{
	struct call evict = { .fn = do_evict }, first;

	race_begin(1);
	evict.fd = mmu_open_attached(test_variant, MY_MMU_ATTACH_RMAP_ONLY);
	ASSERT_GE(evict.fd, 0, "attach");
	discard_unanswered(&first, evict.fd);
	evict.p = first.p;
	waits_for_the_device(&evict);
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&first), 0, "discard");
	ASSERT_EQ(mmu_configure(evict.fd, 0), 0, "a fast device");
}

/*
 *	discard A			the rmap chain, for A's page
 *
 *	start: zaps A
 *					finds the page nowhere
 *					waits for the device as well?
 *	asks the device
 *
 * Not where nothing is left to the chain: then the VM has announced each
 * address of a page that it takes, and waits there.
 */
TEST(g6_race_chain_leaves_waiting_to_the_range, 20)
{
	struct call evict = { .fn = do_evict }, first;
	long slept;

	race_begin(1);
	evict.fd = attached();
	discard_unanswered(&first, evict.fd);
	slept = sleeps();
	EXPECT_EQ(mmu_evict(evict.fd, first.p), 1, "the chain runs");
	EXPECT_EQ(sleeps() - slept, 0, "and waits for nobody");
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&first), 0, "discard");
	ASSERT_EQ(mmu_configure(evict.fd, 0), 0, "a fast device");
}

/*
 *	last detach			discard A
 *
 *	release: zaps all
 *					start: nothing to zap, returns
 *					the VM frees A's page
 *	asks the device
 */
TEST(g5_race_released_and_unanswered, 20)
{
	struct call detach = { .fn = do_detach }, second;

	race_begin(1);
	detach.fd = attached();
	second = discard(mirrored_slowly(detach.fd), N);
	call_to(&detach, "release_zapped");
	waits_for_the_device(&second);
	tp_release("release_zapped");
	EXPECT_EQ(call_wait(&detach), 0, "detach");
}

static int do_close(struct call *c)
{
	return close(c->fd);
}

/*
 *	last close, by a stranger	exit
 *
 *	release: zaps all
 *					release: nothing to zap, returns
 *					the VM frees all pages
 *	asks the device
 */
TEST(g5_race_exit_before_the_answer, 20)
{
	struct call stranger = { .fn = do_close };
	struct gate ready, go;
	double start;
	pid_t pid;

	race_begin(1);
	gate_init(&ready);
	gate_init(&go);
	stranger.fd = mmu_open();
	pid = spawn();
	if (!pid) {
		ASSERT_EQ(mmu_attach(stranger.fd, test_variant), 0, "attach");
		mirrored_slowly(stranger.fd);
		close(stranger.fd);
		pass(&ready);
		wait_at(&go);
		_exit(0);
	}
	wait_at(&ready);
	call_to(&stranger, "release_zapped");
	start = seconds();
	pass(&go);
	join(pid);
	EXPECT_GE(us_since(start), ANSWER_US, "exit waits for the device");
	EXPECT_EQ(tp_parked("release_zapped"), 1, "the close is held up still");
	tp_release("release_zapped");
	EXPECT_EQ(call_wait(&stranger), 0, "close");
}
