// SPDX-License-Identifier: GPL-2.0
/*
 * t-fuzz.c - a few seconds of tests/fuzz: rounds that found something once,
 * and one seed
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "common.h"

/* What it says goes on as notes, but for the line that begins each round. */
TEST_ONCE("fuzz", g9_no_illegal_answer_to_random_calls, 60)
{
	char text[512];
	FILE *f = popen("exec mmu-fuzz --check 5", "r");
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
