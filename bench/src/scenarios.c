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
static const char *const cold_only[] = { "cold", NULL };

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
		.which = ENDS,
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
		.which = ENDS,
		.setup = invalidate_setup,
		.run = munmap_run,
	},
	{
		.name = "populate-thp",
		.unit = "pages/s",
		.better = "higher",
		.floor = "gup-only",
		.conditions = write_only,
		.counted_only = true,
		.which = MOST,
		.setup = populate_thp_setup,
		.run = populate_run,
	},
	{
		.name = "evict",
		.unit = "ns",
		.better = "lower",
		.floor = "no-device",
		.conditions = attached_conditions,
		.isolate = true,
		.one_thread = true,
		.counted_only = true,
		.which = LEAST,
		.setup = evict_setup,
		.run = evict_run,
	},
	{
		.name = "device-read",
		.unit = "ns",
		.better = "lower",
		.floor = "gup-only",
		.conditions = cold_only,
		.isolate = true,
		.one_thread = true,
		.counted_only = true,
		.which = ENDS,
		.setup = device_read_setup,
		.run = device_read_run,
	},
	{
		.name = "device-read-hmm",
		.unit = "ns",
		.better = "lower",
		.floor = "test-hmm",
		.conditions = cold_only,
		.isolate = true,
		.one_thread = true,
		.counted_only = true,
		.possible = have_test_hmm,
		.which = ENDS,
		.setup = read_beside_hmm_setup,
		.run = device_read_run,
	},
};

const int n_scenarios = sizeof(scenarios) / sizeof(scenarios[0]);
