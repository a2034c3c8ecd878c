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
#define SLOW_US	(700 * 1000)

/* Asleep in the device; later, when it has answered, the call returns. */
static void waits_for_the_device(struct call *c)
{
	call_wait_in(c, "my_mmu_shootdown");
	EXPECT_GE(call_wait(c), 0, "then it returns");
}

static struct call discard(char *p)
{
	return (struct call) { .fn = do_madvise, .p = p, .pages = N,
			       .flags = MADV_DONTNEED };
}

/* Pages in two tables, all mirrored, by a device that is slow from now on. */
static char *mirrored_slowly(int fd)
{
	char *p = map_tables(2);

	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	ASSERT_EQ(mmu_configure(fd, SLOW_US), 0, "a slow device");
	return p;
}

/*
 *	discard A			discard A
 *
 *	start: zaps A
 *					start: nothing to zap, returns
 *					the VM frees A's page
 *	asks the device
 *
 * Forbidden by "a zap is on record before it is made, until the device has
 * answered". Another table is another matter (G6).
 */
TEST(g1_race_zapped_and_unanswered, 20)
{
	double begin, took, best = SLOW_US;
	struct call first, second;
	int fd, i;

	race_begin(2);
	fd = attached();
	first = discard(mirrored_slowly(fd));
	second = discard(first.p);
	call_to(&first, "start_zapped");
	call_start(&second);
	waits_for_the_device(&second);
	second.p = first.p + MMU_HUGE;
	for (i = 0; i < 5; i++) {
		begin = seconds();
		EXPECT_EQ(do_madvise(&second), 0, "discard in another table");
		took = seconds() - begin;
		best = took < best ? took : best;
	}
	EXPECT_LT(best * 1000000, SLOW_US / 2, "does not wait");
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

	race_begin(2);
	evict.fd = attached();
	evict.p = mirrored_slowly(evict.fd);
	second = discard(evict.p);
	second.pages = 1;
	call_to(&evict, "rmap_zapped");
	call_start(&second);
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

	race_begin(2);
	evict.fd = mmu_open_attached(test_variant, MY_MMU_ATTACH_RMAP_ONLY);
	ASSERT_GE(evict.fd, 0, "attach");
	evict.p = mirrored_slowly(evict.fd);
	first = discard(evict.p);
	call_to(&first, "start_zapped");
	call_start(&evict);
	waits_for_the_device(&evict);
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&first), 0, "discard");
	ASSERT_EQ(mmu_configure(evict.fd, 0), 0, "a fast device");
}

/*
 *	last detach			discard A
 *
 *	release: zaps all
 *	waits for the device
 *					start: nothing to zap, returns
 *					the VM frees A's page
 */
TEST(g5_race_released_and_unanswered, 20)
{
	struct call detach = { .fn = do_detach }, second;

	race_begin(2);
	detach.fd = attached();
	second = discard(mirrored_slowly(detach.fd));
	call_start(&detach);
	call_wait_in(&detach, "my_mmu_shootdown");
	call_start(&second);
	waits_for_the_device(&second);
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
 *	waits for the device
 *					release: nothing to zap, returns
 *					the VM frees all pages
 */
TEST(g5_race_exit_before_the_answer, 20)
{
	struct call stranger = { .fn = do_close };
	struct gate ready, go;
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
	call_start(&stranger);
	call_wait_in(&stranger, "my_mmu_shootdown");
	pass(&go);
	task_wait_in(pid, "my_mmu_shootdown");
	EXPECT_EQ(call_wait(&stranger), 0, "close");
	join(pid);
}
