// SPDX-License-Identifier: GPL-2.0
/*
 * t-lab9.c - tests that tell a wrong patch from a right one
 *
 * They are compiled as part of the suite: tests/harness.h, tests/common.h and
 * tests/race.h say what there is. review.toml says which test is about which
 * patch.
 */
#include <sys/mman.h>

#include "race.h"

#define N	4

/*
 * An example, which fails with none of the four: a populate is parked between
 * its lookup and its insertion, and nothing happens meanwhile.
 *
 *	populate			somebody else
 *
 *	snapshot of the sequence
 *	look up: page X
 *					does nothing
 *	enter X
 */
TEST(g3_example_of_a_parked_populate, 20)
{
	struct call c = { .fn = do_populate, .pages = N, .flags = WRITE };

	race_begin(1);
	c.fd = attached();
	c.p = map_private(N);
	cpu_stamp(c.p, N, 1);
	call_to(&c, "populate_lookup");
	EXPECT_EQ(present(c.fd, c.p, N), 0, "nothing is entered yet");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	device_sees(c.fd, c.p, N, 1);
	verify(c.fd, c.p, N);
}
