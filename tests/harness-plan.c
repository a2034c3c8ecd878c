// SPDX-License-Identifier: GPL-2.0
/*
 * harness-plan.c - run what somebody else has planned
 *
 * For a grader, who decides which tests run, in which order, and how long each
 * may take. A plan has a line for each job:
 *
 *	LABEL GROUP TEST LIMIT TURNED NEEDED
 *
 * The verdict is of LABEL, and the test's name is not printed: nobody can
 * report it who does not know the plan. LIMIT is in seconds. The check with
 * the number TURNED fails whatever it sees (0: none does). If NEEDED, a label
 * of a line before ("-": none), has not passed, this one is not asked.
 *
 * The file is removed before the first test.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "harness-internal.h"

#define PLAN_MAX	1024
#define WORD		"%63s "

bool harness_measures;

static struct entry {
	char label[64], group[64], test[64], needed[64];
	struct job job;
	bool passed;
} plan[PLAN_MAX];

static int entries;

static bool read_entry(const char *text)
{
	struct entry *e = &plan[entries];
	struct job *j = &e->job;
	char end;

	if (entries == PLAN_MAX)
		return false;
	if (sscanf(text, WORD WORD WORD "%u %u " WORD "%c", e->label, e->group,
		   e->test, &j->limit_s, &j->turned, e->needed, &end) != 6)
		return false;
	j->label = e->label;
	j->group = e->group;
	j->test = harness_find(e->group, e->test);
	return j->test && j->limit_s && ++entries;
}

static bool read_plan(const char *path)
{
	FILE *f = fopen(path, "r");
	char text[512];
	bool good = f;

	while (good && fgets(text, sizeof(text), f)) {
		good = read_entry(text);
		if (!good)
			note("%s: what is this: %s", path, text);
	}
	if (!f) {
		perror(path);
		return false;
	}
	fclose(f);
	return good && entries && !unlink(path);
}

static bool may_ask(const struct entry *e)
{
	const struct entry *other;

	for (other = plan; other < e; other++)
		if (!strcmp(other->label, e->needed))
			return other->passed;
	return true;
}

int harness_run_plan(const char *path)
{
	int i, failed = 0;

	if (!read_plan(path)) {
		line("Bail out! %s is no plan", path);
		return EXIT_FAILURE;
	}
	harness_measures = true;
	line("KTAP version 1");
	line("1..%d", entries);
	for (i = 0; i < entries && !harness_stops(); i++) {
		struct entry *e = &plan[i];

		if (!may_ask(e)) {
			line("not ok %d %s # NOT-ASKED %s", i + 1, e->label,
			     e->needed);
			failed++;
			continue;
		}
		e->passed = harness_run(&e->job, i + 1) == PASSED;
		failed += !e->passed;
	}
	return failed || i < entries ? EXIT_FAILURE : EXIT_SUCCESS;
}
