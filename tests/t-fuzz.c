// SPDX-License-Identifier: GPL-2.0
/*
 * t-fuzz.c - a few seconds of tests/fuzz: rounds that found something once,
 * and one seed; with a seed of somebody else's (-s), calls to one variant
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "common.h"

#define CALLS	2000
#define FOR_EVER	1000000	/* for as long as -d says */

/* What it says goes on as notes, but for the line that begins each round. */
static void fuzz(const char *command)
{
	char text[512];
	FILE *f = popen(command, "r");
	int status;

	ASSERT_NE(f, NULL, "the fuzzer can be started");
	while (fgets(text, sizeof(text), f)) {
		text[strcspn(text, "\n")] = '\0';
		if (strncmp(text, "round ", 6))
			note("%s", text);
	}
	status = pclose(f);
	EXPECT_EQ(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0,
		  "every answer is legal (make fuzz SEED=... shows more)");
}

TEST_ONCE("fuzz", g9_no_illegal_answer_to_random_calls, 60)
{
	fuzz("exec mmu-fuzz --check 5");
}

/* A grader's: what is fuzzed is drawn when nobody can look it up any more. */
static void fuzz_variant(const char *kind)
{
	char command[160];

	if (!test_seed)
		skip("it wants a seed (-s)");
	snprintf(command, sizeof(command),
		 "exec mmu-fuzz %s --variant %s --seed %" PRIu64
		 " --calls %u%s%u", kind, test_variant, test_seed,
		 test_seconds ? FOR_EVER : CALLS,
		 test_seconds ? " --seconds " : "", test_seconds);
	fuzz(command);
}

TEST(g9_no_illegal_answer_to_one_call_at_a_time, 60)
{
	fuzz_variant("--serial");
}

TEST(g9_no_illegal_answer_to_calls_at_once, 60)
{
	fuzz_variant("--parallel");
}
