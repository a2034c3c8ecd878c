/* SPDX-License-Identifier: GPL-2.0 */
/*
 * harness-internal.h - between the two halves of the harness
 */
#ifndef TESTS_HARNESS_INTERNAL_H
#define TESTS_HARNESS_INTERNAL_H

#include <stdbool.h>
#include <sys/types.h>

#define EXIT_SKIP	4	/* as in kselftest */

/* One per run, shared by the parent and all processes of a test. */
struct shared {
	unsigned int failures;
	unsigned int checks;
	bool finished;		/* the test's function returned */
	pid_t leader;		/* the process that runs this function */
	bool skipped;		/* some process of the test called skip() */
	char skip_reason[160];
};

extern struct shared *shared;
extern const char *line_indent;

/* One line of KTAP, indented as the group requires. */
void line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif /* TESTS_HARNESS_INTERNAL_H */
