// SPDX-License-Identifier: GPL-2.0
/*
 * t-race-handle.c - G5: DETACH, and a call through the same handle
 *
 * The external MMU may go with the last detach. A call that has passed the
 * handle uses it until the call returns, wherever it is: t-handle.c asks who
 * waits for whom, this what becomes of the pages.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hugetlb.h"
#include "race.h"

#define ALL	(MMU_HUGE / MMU_PAGE)

static int fd;

static int do_read(struct call *c)
{
	char byte;

	return mmu_read(c->fd, c->p, &byte, 1);
}

/* What the one inside may be told: that it succeeded, or what is the matter. */
static bool fair(int ret)
{
	return !ret || ret == -ESRCH || ret == -ENOTCONN;
}

/*
 *	populate			DETACH, same handle
 *
 *	has looked pages up
 *					no user is left: releases, frees m
 *	enters them, in what is freed
 *
 * Forbidden by "DETACH waits for those inside": it has not returned before
 * they have, nothing is freed, and what they enter meanwhile goes with it.
 */
static void detach_under(int (*fn)(struct call *c), const char *point)
{
	struct call c = { .fn = fn, .pages = ALL, .flags = WRITE };
	struct call d = { .fn = do_detach };

	fd = attached();
	c.fd = fd;
	d.fd = fd;
	c.p = map_huge(1);
	memset(c.p, 1, MMU_HUGE);
	tp_tell("notifier_free", "count mm %d", getpid());
	call_to(&c, point);
	call_start(&d);
	call_wait_in(&d, "my_mmu_ioctl");
	sleep_ms(20);
	EXPECT_EQ(call_returned(&d), false, "DETACH waits (%s)", point);
	EXPECT_EQ(call_returned(&c), false, "for the one inside");
	EXPECT_EQ(tp_arrivals("notifier_free"), 0, "nothing is freed");
	tp_release(point);
	EXPECT_EQ(fair(call_wait(&c)), true, "the call (%d)", c.ret);
	EXPECT_EQ(call_wait(&d), 0, "DETACH");
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is mapped any more");
	EXPECT_EQ(mmu_populate(fd, c.p, MMU_PAGE, 0), -ENOTCONN,
		  "the handle is free");
	tp_off(point);
	wait_for_mmus(fd, 0);
	EXPECT_EQ(munmap(c.p, MMU_HUGE), 0, "munmap");
	references_let_go(0);
	close(fd);
}

TEST(g5_detach_waits_for_the_call_inside, 30)
{
	race_begin(2);
	detach_under(do_populate, "table_create");
	detach_under(do_populate, "populate_pinned");
	detach_under(do_populate, "populate_lookup");
	detach_under(do_read, "populate_lookup");
}

/* Another handle of the same external MMU goes on as if nothing happened. */
TEST(g5_detach_of_one_of_two_handles, 20)
{
	struct call c = { .fn = do_populate, .pages = 1, .flags = WRITE };
	struct call d = { .fn = do_detach };
	int other;

	race_begin(2);
	fd = attached();
	other = attached();
	c.fd = fd;
	c.p = map_private(1);
	d.fd = fd;
	call_to(&c, "populate_lookup");
	call_start(&d);
	call_wait_in(&d, "my_mmu_ioctl");
	populate(other, c.p, 1, WRITE);
	EXPECT_EQ(mmu_entry(other, c.p), MY_MMU_ENTRY_PRESENT |
		  MY_MMU_ENTRY_WRITE, "the other handle works");
	tp_release("populate_lookup");
	EXPECT_EQ(fair(call_wait(&c)), true, "populate (%d)", c.ret);
	EXPECT_EQ(call_wait(&d), 0, "DETACH");
	EXPECT_EQ(present(other, c.p, 1), 1, "what is mapped stays mapped");
	verify(other, c.p, 1);
	EXPECT_EQ(stats_of(other).mmus, 1, "the external MMU has a user");
}
