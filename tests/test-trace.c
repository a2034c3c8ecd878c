// SPDX-License-Identifier: GPL-2.0
/*
 * test-trace.c - what the driver did in a test that failed; see test-trace.h
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"
#include "test-trace.h"

#define TRACING	"/sys/kernel/tracing/instances/mmu_tests"
#define LINES	120		/* the last ones; a race has some twenty */

static bool kept;

bool test_trace_begin(void)
{
	if (mkdir(TRACING, 0700) && errno != EEXIST) {
		note("no traces: %s: %s", TRACING, strerror(errno));
		return false;
	}
	write_file(TRACING "/options/record-cmd", "0");
	write_file(TRACING "/buffer_size_kb", "64");
	harness_marker = open(TRACING "/trace_marker", O_WRONLY | O_CLOEXEC);
	kept = !write_file(TRACING "/events/my_mmu/enable", "1");
	if (!kept)
		note("no traces: the driver's events cannot be had");
	return kept;
}

void test_trace_empty(void)
{
	int fd;

	if (!kept)
		return;
	/* To open it so is to empty it. */
	fd = open(TRACING "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC);
	close(fd);
}

void test_trace_show(void)
{
	static char last[LINES][256];
	unsigned int n = 0, i;
	FILE *f;

	f = kept ? fopen(TRACING "/trace", "r") : NULL;
	if (!f)
		return;
	while (fgets(last[n % LINES], sizeof(*last), f))
		if (*last[n % LINES] != '#')
			n++;
	fclose(f);
	for (i = n > LINES ? n - LINES : 0; i < n; i++) {
		last[i % LINES][strcspn(last[i % LINES], "\n")] = '\0';
		note("trace: %s", last[i % LINES]);
	}
}
