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

/* Pages go into the device's table, or are only looked up. */
#define POPULATE(what)							\
	.name = what,							\
	.unit = "pages/s",						\
	.better = "higher",						\
	.floor = "gup-only",						\
	.conditions = write_only

/* A system call that takes pages away from one thread's device. */
#define INVALIDATE(what, since)						\
	.name = "invalidate-" #what,					\
	.unit = "ns",							\
	.better = "lower",						\
	.floor = "no-device",						\
	.conditions = mirrored_conditions,				\
	.set = since,							\
	.counted = since,						\
	.isolate = true,						\
	.which = ENDS,							\
	.setup = invalidate_setup,					\
	.run = what##_run

/* One for each rate, since the floor is to be under the same storm. */
#define BESIDE(what, rate, since, fn) {					\
	.name = what "-beside-" #rate,					\
	.unit = "pages/s",						\
	.better = "higher",						\
	.floor = "gup-only",						\
	.conditions = beside_conditions,				\
	.set = since,							\
	.timed_only = true,						\
	.one_thread = true,						\
	.which = MOST,							\
	.setup = beside_setup,						\
	.run = fn,							\
}

#define LIFETIME(what, since) {						\
	.name = #what,							\
	.unit = "ns",							\
	.better = "lower",						\
	.floor = "no-device",						\
	.conditions = slow_conditions,					\
	.more_conditions = more_slow_conditions,			\
	.set = since,							\
	.timed_only = true,						\
	.isolate = true,						\
	.one_thread = true,						\
	.which = LEAST,							\
	.setup = lifetime_setup,					\
	.run = what##_run,						\
}

const struct scenario scenarios[] = {
	{
		POPULATE("populate"),
		.lookup = "lookup-only",
		.setup = populate_setup,
		.run = populate_run,
	},
	{ INVALIDATE(dontneed, QUICK) },
	{ INVALIDATE(munmap, QUICK), .large = 16384 },
	{ INVALIDATE(mprotect, FULL), .one_thread = true },
	{ INVALIDATE(fork, FULL), .one_thread = true },
	{
		.name = "reclaim",
		.unit = "ns",
		.better = "lower",
		.floor = "no-modules",
		.conditions = reclaim_conditions,
		.bare = true,
		.set = FULL,
		.timed_only = true,
		.isolate = true,
		.one_thread = true,
		.possible = have_swap,
		.which = MOST,
		.setup = invalidate_setup,
		.run = reclaim_run,
	},
	{
		.name = "age",
		.unit = "ns",
		.better = "lower",
		.floor = "no-device",
		.conditions = mirrored_conditions,
		.set = FULL,
		.counted = FULL,
		.isolate = true,
		.one_thread = true,
		.possible = walk_asks_devices,
		.which = MOST,
		.setup = age_setup,
		.run = age_run,
		.done = age_done,
	},
	{
		POPULATE("populate-overlap"),
		.set = NORMAL,
		.timed_only = true,
		.many_threads = true,
		.which = ENDS,
		.setup = populate_setup,
		.run = overlap_run,
	},
	{
		POPULATE("populate-table"),
		.set = NORMAL,
		.timed_only = true,
		.many_threads = true,
		.which = PART,
		.setup = populate_setup,
		.run = table_run,
	},
	{
		POPULATE("populate-per-call"),
		.lookup = "lookup-only",
		.set = FULL,
		.counted = FULL,
		.setup = populate_setup,
		.run = per_call_run,
	},
	BESIDE("populate", 100, FULL, beside_run),
	BESIDE("populate", 1000, NORMAL, beside_run),
	BESIDE("populate", 10000, FULL, beside_run),
	BESIDE("device-read", 1000, FULL, read_beside_run),
	LIFETIME(attach, NORMAL),
	LIFETIME(detach, FULL),
	LIFETIME(exit, FULL),
	{
		POPULATE("populate-thp"),
		.lookup = "lookup-only",
		.set = COUNTED,
		.which = MOST,
		.setup = populate_thp_setup,
		.run = populate_run,
	},
	{
		.name = "enter",
		.unit = "pages/s",
		.better = "higher",
		.floor = "lookup-only",
		.conditions = write_only,
		.set = FULL,
		.timed_only = true,
		.which = MOST,
		.setup = populate_setup,
		.run = enter_run,
	},
	{
		POPULATE("populate-file"),
		.lookup = "lookup-only",
		.set = FULL,
		.counted = FULL,
		.one_thread = true,
		.which = MOST,
		.setup = populate_file_setup,
		.run = populate_run,
	},
	{
		POPULATE("populate-sparse"),
		.lookup = "lookup-only",
		.set = FULL,
		.counted = FULL,
		.which = LEAST,
		.setup = populate_sparse_setup,
		.run = sparse_run,
	},
	{
		.name = "evict",
		.unit = "ns",
		.better = "lower",
		.floor = "no-device",
		.conditions = attached_conditions,
		.isolate = true,
		.set = FULL,
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
		.set = COUNTED,
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
		.set = COUNTED,
		.possible = have_test_hmm,
		.which = ENDS,
		.setup = read_beside_hmm_setup,
		.run = device_read_run,
	},
};

const int n_scenarios = sizeof(scenarios) / sizeof(scenarios[0]);
