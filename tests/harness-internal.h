/* SPDX-License-Identifier: GPL-2.0 */
/*
 * harness-internal.h - between the two halves of the harness
 */
#ifndef TESTS_HARNESS_INTERNAL_H
#define TESTS_HARNESS_INTERNAL_H

#include <stdbool.h>
#include <sys/types.h>

struct test;

#define EXIT_SKIP	4	/* as in kselftest */

/* One per run, shared by the parent and all processes of a test. */
struct shared {
	unsigned int failures;
	unsigned int checks;
	bool finished;		/* the test's function returned */
	pid_t leader;		/* the process that runs this function */
	unsigned int turned;	/* the check that fails whatever it sees */
	const char *not_reached;	/* see harness_not_reached() */
	bool skipped;		/* some process of the test called skip() */
	char skip_reason[160];
};

extern struct shared *shared;
extern const char *line_indent;

/* One line of KTAP, indented as the group requires. */
void line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A test that is to run. */
struct job {
	const struct test *test;
	const char *group;
	const char *label;	/* what its verdict is called */
	unsigned int limit_s;
	unsigned int turned;	/* this check is to fail; 0: none */
};

enum result { PASSED, FAILED, SKIPPED };

enum result harness_run(const struct job *j, int nr);
/* Is the machine no longer to be trusted, and did the user ask to stop then? */
bool harness_stops(void);
const struct test *harness_find(const char *group, const char *name);

/* harness-plan.c: the jobs of a file; EXIT_SUCCESS if all of them passed */
int harness_run_plan(const char *path);
/* How long a test took, and how many checks it made: for the next plan. */
extern bool harness_measures;

#endif /* TESTS_HARNESS_INTERNAL_H */
