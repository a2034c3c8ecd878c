/* SPDX-License-Identifier: GPL-2.0 */
/*
 * plugin.h - what each plugin needs: an end with a sentence, and memory
 *
 * PLUGIN is its file's name; whoever includes this defines it.
 */
#ifndef BENCH_PLUGIN_H
#define BENCH_PLUGIN_H

#include <stdio.h>
#include <stdlib.h>

static void __attribute__((noreturn)) die(const char *sentence)
{
	fprintf(stderr, "%s: %s\n", PLUGIN, sentence);
	exit(1);
}

static void *zalloc(size_t len)
{
	void *p = calloc(1, len);

	if (!p)
		die("no memory");
	return p;
}

#endif /* BENCH_PLUGIN_H */
