/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ability.h - in what the variants differ, as far as others must know
 */
#ifndef TESTS_LIB_ABILITY_H
#define TESTS_LIB_ABILITY_H

/*
 * What not every variant promises, or not everyone can be seen doing. A test
 * asks for that, and not for the name of a variant; ability.c has the list.
 */
enum ability {
	/* There is a lock for each leaf table, and not one for all. */
	LOCKS_TABLES		= 1 << 0,
	/* The list of external MMUs is walked without holding off writers. */
	LIST_NEVER_BLOCKS	= 1 << 1,
	/* It is told of memory of which it has no leaf table. */
	HEARS_OF_ALL		= 1 << 2,
	/* It hears when an invalidation is over: points "end", "end_bumped". */
	HEARS_THE_END		= 1 << 3,
	/* It is called once for all that an invalidation covers. */
	ZAPS_ALL_AT_ONCE	= 1 << 4,
	/* A populate waits for what covers its pages, not the whole table. */
	WAITS_BY_PAGE		= 1 << 5,
	/* ... and goes on when that is over, whatever else is running. */
	WAITS_FOR_NO_OTHER	= 1 << 6,
	/* A populate that waits for an invalidation can be killed, */
	WAITS_KILLABLY		= 1 << 7,
	/* and is counted. */
	COUNTS_WAITS		= 1 << 8,
	/*
	 * It shows each leaf table to the VM, which calls for it until a worker
	 * has withdrawn it: points "interval_insert", "interval_remove".
	 */
	SHOWS_TABLES		= 1 << 9,
};

/* 1 or 0; -ENOENT of a variant that the list lacks. */
int can(const char *variant, enum ability what);

#endif /* TESTS_LIB_ABILITY_H */
