// SPDX-License-Identifier: GPL-2.0
/*
 * ability.c - what each variant can; see ability.h
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "ability.h"

static const struct {
	const char *variant;
	unsigned int abilities;
} variants[] = {
	{ "spinlock", HEARS_OF_ALL | HEARS_THE_END | ZAPS_ALL_AT_ONCE |
		      WAITS_BY_PAGE | WAITS_KILLABLY | COUNTS_WAITS },
	{ "split-ptl", LOCKS_TABLES | HEARS_OF_ALL | HEARS_THE_END |
		       ZAPS_ALL_AT_ONCE | WAITS_BY_PAGE | WAITS_FOR_NO_OTHER |
		       WAITS_KILLABLY | COUNTS_WAITS },
	{ "rcu-list", LOCKS_TABLES | LIST_NEVER_BLOCKS | HEARS_OF_ALL |
		      HEARS_THE_END | ZAPS_ALL_AT_ONCE | WAITS_BY_PAGE |
		      WAITS_FOR_NO_OTHER | WAITS_KILLABLY | COUNTS_WAITS },
	{ "interval", LOCKS_TABLES | SHOWS_TABLES },
};

int can(const char *variant, enum ability what)
{
	size_t i;

	for (i = 0; i < sizeof(variants) / sizeof(*variants); i++)
		if (!strcmp(variants[i].variant, variant))
			return !!(variants[i].abilities & what);
	return -ENOENT;
}
