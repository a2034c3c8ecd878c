// SPDX-License-Identifier: GPL-2.0
/*
 * scenarios.c - the table of what can be measured
 *
 * One more scenario is one more entry here and its setup and run functions,
 * for most in a file of their own. All the rest (order, repetition, rows,
 * ratios, tables of the report) follows from the entry.
 */
#include "bench.h"

static const char *const write_only[] = { "write", NULL };

const struct scenario scenarios[] = {
	{
		.name = "populate",
		.unit = "pages/s",
		.better = "higher",
		.floor = "gup-only",
		.conditions = write_only,
		.setup = populate_setup,
		.run = populate_run,
	},
	{
		.name = "invalidate-dontneed",
		.unit = "ns",
		.better = "lower",
		.floor = "no-device",
		.conditions = mirrored_conditions,
		.isolate = true,
		.ends_only = true,
		.setup = invalidate_setup,
		.run = dontneed_run,
	},
	{
		.name = "invalidate-munmap",
		.unit = "ns",
		.better = "lower",
		.floor = "no-device",
		.conditions = mirrored_conditions,
		.isolate = true,
		.ends_only = true,
		.setup = invalidate_setup,
		.run = munmap_run,
	},
};

const int n_scenarios = sizeof(scenarios) / sizeof(scenarios[0]);
