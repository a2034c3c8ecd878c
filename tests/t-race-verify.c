// SPDX-License-Identifier: GPL-2.0
/*
 * t-race-verify.c - G3: the oracle beside a change of what it judges
 *
 * VERIFY sees an entry, asks the VM about it without a lock, and looks at the
 * entry again before it judges. What has been zapped in between was right for
 * as long as it was there, though another one may look like it.
 */
#include <sys/mman.h>

#include "race.h"

static struct my_mmu_verify said;

static int do_judge(struct call *c)
{
	return mmu_verify(c->fd, c->p, c->pages * MMU_PAGE, &said);
}

/*
 *	VERIFY				somebody else
 *
 *	finds an entry, and cannot
 *	confirm it
 *					@go: takes the page away, zaps
 *	asks the VM: not there
 *					@back: gives it back, populates
 *	looks again: the same entry
 *	calls it stale
 *
 * Forbidden by "no two tables ever have the same zaps, which grow with each
 * entry removed". The zero page is what VERIFY cannot confirm.
 */
static void zapped_and_back(void (*go)(char *p), void (*back)(char *p))
{
	struct call c = { .fn = do_judge, .pages = 1 };

	race_begin(1);
	c.fd = attached();
	c.p = map_private(1);
	populate(c.fd, c.p, 1, 0);
	call_to(&c, "verify_suspects");
	go(c.p);
	EXPECT_EQ(present(c.fd, c.p, 1), 0, "zapped");
	tp_park("verify_asked");
	tp_release("verify_suspects");
	tp_wait_parked("verify_asked", 1);
	back(c.p);
	populate(c.fd, c.p, 1, 0);
	tp_release("verify_asked");
	EXPECT_EQ(call_wait(&c), 0, "VERIFY");
	EXPECT_EQ(said.stale, 0, "neither the old nor the new one is stale");
	EXPECT_EQ(said.right, 0, "nor has either been judged");
	verify(c.fd, c.p, 1);
}

static void forbid(char *p)
{
	ASSERT_EQ(mprotect(p, MMU_PAGE, PROT_NONE), 0, "mprotect");
}

static void allow(char *p)
{
	ASSERT_EQ(mprotect(p, MMU_PAGE, PROT_READ), 0, "mprotect");
}

TEST(g3_race_suspect_zapped_and_entered_again, 20)
{
	zapped_and_back(forbid, allow);
}

/* Its leaf table goes, too: the new one must not look like it. */
static void unmap(char *p)
{
	ASSERT_EQ(munmap(p, MMU_PAGE), 0, "munmap");
}

static void map_again(char *p)
{
	void *new = mmap(p, MMU_PAGE, PROT_READ,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
			 0);

	ASSERT_EQ(new == p, true, "mapped again, at the same place");
}

TEST(g3_race_suspect_in_a_table_of_another_life, 20)
{
	zapped_and_back(unmap, map_again);
}
