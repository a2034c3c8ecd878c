// SPDX-License-Identifier: GPL-2.0
/*
 * mmu-bench.c - loads for /dev/my_mmu, and what they cost
 *
 *	mmu-bench list			what can be measured
 *	mmu-bench plan [options]	the rows that a block will have
 *	mmu-bench block [options]	measure everything once, append to CSV
 *	mmu-bench load [options]	scenarios for a while each, for perf
 *	mmu-bench counters		what can be counted, and only where
 *	mmu-bench clock			what reading the time costs, in ns
 *	mmu-bench spinlocks		queued, test-and-set or paravirtual
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define MAX_GROUPS	256

static const struct option options[] = {
	{ "variants", required_argument, NULL, 'v' },
	{ "scenarios", required_argument, NULL, 's' },
	{ "threads", required_argument, NULL, 't' },
	{ "pages", required_argument, NULL, 'p' },
	{ "boot", required_argument, NULL, 'B' },
	{ "block", required_argument, NULL, 'b' },
	{ "blocks", required_argument, NULL, 'n' },
	{ "reps", required_argument, NULL, 'r' },
	{ "mib", required_argument, NULL, 'm' },
	{ "budget-ms", required_argument, NULL, 'g' },
	{ "passes", required_argument, NULL, 'P' },
	{ "ops", required_argument, NULL, 'o' },
	{ "limit-ms", required_argument, NULL, 'l' },
	{ "ms", required_argument, NULL, 'M' },
	{ "part", required_argument, NULL, 'k' },
	{ "parts", required_argument, NULL, 'K' },
	{ "seed", required_argument, NULL, 'S' },
	{ "condition", required_argument, NULL, 'c' },
	{ "set", required_argument, NULL, 'z' },
	{ "events", required_argument, NULL, 'e' },
	{ "stat", required_argument, NULL, 'T' },
	{ "raw", required_argument, NULL, 'R' },
	{ "hist", required_argument, NULL, 'H' },
	{ "no-modules", no_argument, NULL, 'N' },
	{ "instructions", no_argument, NULL, 'i' },
	{ NULL }
};

static unsigned long number(const char *what, const char *text,
			    unsigned long min, unsigned long max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*text) || value < min ||
	    value > max)
		die("--%s: \"%s\" is not a number from %lu to %lu", what,
		    text, min, max);
	return value;
}

static int split(const char *what, const char *text, const char **list)
{
	char *copy = strdup(text), *save, *word;
	int n = 0;

	if (!copy)
		die("no memory");
	for (word = strtok_r(copy, ", ", &save); word;
	     word = strtok_r(NULL, ", ", &save)) {
		if (n == MAX_LIST)
			die("--%s: more than %d entries", what, MAX_LIST);
		list[n++] = word;
	}
	if (!n)
		die("--%s: empty list", what);
	return n;
}

static int numbers(const char *what, const char *text, unsigned int *list,
		   unsigned long max)
{
	const char *words[MAX_LIST];
	int i, n = split(what, text, words);

	for (i = 0; i < n; i++)
		list[i] = number(what, words[i], 1, max);
	return n;
}

static const struct scenario *find_scenario(const char *name)
{
	int i;

	for (i = 0; i < n_scenarios; i++)
		if (!strcmp(scenarios[i].name, name))
			return &scenarios[i];
	die("no scenario \"%s\"; \"mmu-bench list\" prints them", name);
}

/* Of any scenario; the driver's batch bounds what it does at once. */
static unsigned int most_pages(void)
{
	unsigned int most = MY_MMU_BATCH_MAX;
	int i;

	for (i = 0; i < n_scenarios; i++)
		if (scenarios[i].large > most)
			most = scenarios[i].large;
	return most;
}

static void take_list(struct params *p, int opt, const char *arg)
{
	if (opt == 'v')
		p->n_variants = split("variants", arg, p->variants);
	else if (opt == 's')
		p->n_scenarios = split("scenarios", arg, p->scenarios);
	else if (opt == 'e')
		p->n_events = split("events", arg, p->events);
	else if (opt == 't')
		p->n_threads = numbers("threads", arg, p->threads,
				       MAX_THREADS);
	else
		p->n_pages = numbers("pages", arg, p->pages, most_pages());
}

/* Those of a plan are for all scenarios; it has the large ones by itself. */
static void check_pages(const struct params *p, unsigned int large)
{
	int i;

	for (i = 0; i < p->n_pages; i++)
		if (p->pages[i] > MY_MMU_BATCH_MAX && p->pages[i] != large)
			die("--pages: \"%u\" is not a number from 1 to %u",
			    p->pages[i], MY_MMU_BATCH_MAX);
}

static const struct {
	int opt;
	size_t field;
} number_options[] = {
	{ 'B', offsetof(struct params, boot) },
	{ 'b', offsetof(struct params, block) },
	{ 'n', offsetof(struct params, blocks) },
	{ 'r', offsetof(struct params, reps) },
	{ 'm', offsetof(struct params, mib) },
	{ 'g', offsetof(struct params, budget_ms) },
	{ 'P', offsetof(struct params, passes) },
	{ 'o', offsetof(struct params, ops) },
	{ 'l', offsetof(struct params, limit_ms) },
	{ 'M', offsetof(struct params, ms) },
	{ 'k', offsetof(struct params, part) },
	{ 'K', offsetof(struct params, parts) },
};

static void take_number(struct params *p, int opt, const char *what,
			const char *arg)
{
	unsigned long n = number(what, arg, 1, 1000000);
	size_t i;

	for (i = 0; i < sizeof(number_options) / sizeof(*number_options); i++)
		if (number_options[i].opt == opt)
			*(unsigned int *)((char *)p +
					  number_options[i].field) = n;
}

static enum set set_of(const char *name)
{
	static const char *const names[] = { "quick", "normal", "full" };
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(names[i], name))
			return i;
	die("--set: \"%s\" is none of: quick, normal, full", name);
}

static void parse(struct params *p, int argc, char **argv)
{
	int opt, index;

	while ((opt = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (opt == '?')
			exit(2);
		if (strchr("vstpe", opt))
			take_list(p, opt, optarg);
		else if (opt == 'c')
			p->condition = optarg;
		else if (opt == 'z')
			p->set = set_of(optarg);
		else if (opt == 'T')
			p->stat = optarg;
		else if (opt == 'R')
			p->raw = optarg;
		else if (opt == 'H')
			p->hist = optarg;
		else if (opt == 'N')
			p->no_modules = true;
		else if (opt == 'i')
			p->instructions = true;
		else if (opt == 'S')
			p->seed = number("seed", optarg, 0, ~0ul);
		else
			take_number(p, opt, options[index].name, optarg);
	}
	p->count &= !p->instructions;
	counters_add_tracepoints(p->events, p->n_events);
	if (p->part > p->parts)
		die("--part: there is no part %u of %u", p->part, p->parts);
	if (optind < argc)
		die("what is \"%s\"? Options begin with --", argv[optind]);
}

static bool asked_for(const struct params *p, const struct scenario *sc)
{
	int i;

	for (i = 0; i < p->n_scenarios; i++)
		if (find_scenario(p->scenarios[i]) == sc)
			return true;
	if (p->n_scenarios)
		return false;
	if (p->instructions)
		return !sc->timed_only && sc->counted <= p->set;
	return sc->set <= p->set;
}

static bool wanted(const struct params *p, const struct scenario *sc)
{
	return asked_for(p, sc) && (!sc->possible || sc->possible(p));
}

/* Some scenarios need only an end of the list of page counts, or both. */
static bool wants_pages(const struct params *p, const struct scenario *sc,
			unsigned int pages)
{
	bool least = true, most = true;
	int i;

	for (i = 0; i < p->n_pages; i++) {
		least &= pages <= p->pages[i];
		most &= pages >= p->pages[i];
	}
	switch (sc->which) {
	case ENDS:
		return least || most;
	case LEAST:
		return least;
	case MOST:
		return most;
	case PART:
		return pages < MY_MMU_BATCH_MAX;
	default:
		return true;
	}
}

/* How many threads the entry at @t of the list means, or 0: not for this. */
static unsigned int threads_at(const struct params *p,
			       const struct scenario *sc, int t)
{
	if (sc->one_thread)
		return t ? 0 : 1;
	return sc->many_threads && p->threads[t] < 2 ? 0 : p->threads[t];
}

struct group_ref {
	const struct scenario *sc;
	struct load load;
};

static int add_group(struct group_ref *groups, int n, const struct scenario *sc,
		     unsigned int threads, unsigned int pages)
{
	if (n == MAX_GROUPS)
		die("too many combinations");
	groups[n] = (struct group_ref) { sc, { threads, pages } };
	return n + 1;
}

static int list_all_groups(const struct params *p, struct group_ref *groups)
{
	unsigned int threads;
	int i, t, g, n = 0;

	check_pages(p, 0);
	for (i = 0; i < n_scenarios; i++)
		for (t = 0; t < p->n_threads; t++)
			for (g = 0; g < p->n_pages; g++) {
				threads = threads_at(p, &scenarios[i], t);
				if (!threads || !wanted(p, &scenarios[i]) ||
				    !wants_pages(p, &scenarios[i],
						 p->pages[g]))
					continue;
				n = add_group(groups, n, &scenarios[i], threads,
					      p->pages[g]);
			}
	for (i = 0; i < n_scenarios; i++)
		if (scenarios[i].large && p->set >= FULL &&
		    wanted(p, &scenarios[i]))
			n = add_group(groups, n, &scenarios[i], 1,
				      scenarios[i].large);
	return n;
}

/* Every @parts-th, so that several guests share the work. */
static int list_groups(const struct params *p, struct group_ref *groups)
{
	int i, n = list_all_groups(p, groups), kept = 0;

	for (i = p->part - 1; i < n; i += p->parts)
		groups[kept++] = groups[i];
	return kept;
}

static void cmd_plan(const struct params *p)
{
	struct group_ref groups[MAX_GROUPS];
	struct cell cells[MAX_CELLS];
	int i, c, n = list_groups(p, groups);

	puts("scenario,variant,condition,threads,pages,unit,better,floor");
	for (i = 0; i < n; i++) {
		const struct scenario *sc = groups[i].sc;

		for (c = 0; c < make_cells(p, sc, cells); c++)
			printf("%s,%s,%s,%u,%u,%s,%s,%s\n", sc->name,
			       cells[c].variant, cells[c].condition,
			       groups[i].load.threads, groups[i].load.pages,
			       sc->unit, sc->better, sc->floor);
	}
}

static void cmd_block(const struct params *p)
{
	struct group_ref groups[MAX_GROUPS];
	uint64_t seed = p->seed + p->boot * 1000 + p->block, start = now_ns();
	int order[MAX_GROUPS], i, n = list_groups(p, groups);

	shuffle(order, n, &seed);
	if (p->instructions)
		instructions_tell_locks();
	else
		counters_hold();
	write_open(p);
	for (i = 0; i < n; i++) {
		const struct group_ref *g = &groups[order[i]];

		if (p->no_modules && !g->sc->bare)
			continue;
		progress(true, "block %u of %u, %u s: %d of %d: %s, %s",
			 p->block, p->blocks,
			 (unsigned int)((now_ns() - start) / NSEC_PER_SEC),
			 i + 1, n, g->sc->name, load_text(&g->load));
		run_group(p, g->sc, g->load);
	}
	write_close();
}

/* One after the other, each in a process that knows of no other. */
static void cmd_load(struct params *p)
{
	struct load load = { p->threads[0], p->pages[0] };
	const struct scenario *sc;
	pid_t pid;
	int i;

	if (!p->n_scenarios)
		die("load: name the --scenarios");
	p->verify = false;
	p->count = p->stat;
	for (i = 0; i < p->n_scenarios; i++) {
		sc = find_scenario(p->scenarios[i]);
		check_pages(p, sc->large);
		fflush(NULL);
		pid = fork();
		if (!pid)
			exit(run_load(p, sc, load));
		if (wait_for_all_of(pid)) {
			no_load(p, sc, load);
			exit(1);
		}
	}
}

static void cmd_list(const struct params *p)
{
	int i, c;

	for (i = 0; i < n_scenarios; i++) {
		if (!wanted(p, &scenarios[i]))
			continue;
		printf("%-22s %-8s floor %s; conditions", scenarios[i].name,
		       scenarios[i].unit, scenarios[i].floor);
		for (c = 0; scenarios[i].conditions[c]; c++)
			printf(" %s", scenarios[i].conditions[c]);
		putchar('\n');
	}
}

/* The least difference of two readings in a row: part of every latency. */
static void cmd_clock(void)
{
	uint64_t a, b, least = ~0ull;
	int i;

	for (i = 0; i < 2000; i++) {
		a = now_ns();
		b = now_ns();
		if (b > a && b - a < least)
			least = b - a;
	}
	printf("%llu\n", (unsigned long long)least);
}

static const struct params defaults = {
	.variants = { "spinlock", "split-ptl", "rcu-list", "interval" },
	.n_variants = 4,
	.threads = { 1, 2 },
	.n_threads = 2,
	.pages = { 1, 16, 512 },
	.n_pages = 3,
	.boot = 1,
	.block = 1,
	.blocks = 1,
	.reps = 3,
	.mib = 64,
	.budget_ms = 20,
	.ops = 8,
	.limit_ms = 150,
	.ms = 500,
	.part = 1,
	.parts = 1,
	.set = NORMAL,
	.verify = true,
	.count = true,
	.raw = "raw.csv",
	.hist = "hist.csv",
};

int main(int argc, char **argv)
{
	const char *cmd = argc > 1 ? argv[1] : "";
	struct params p = defaults;

	if (argc > 1)
		parse(&p, argc - 1, argv + 1);
	/* 4 KiB pages everywhere, also where the system would rather not. */
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		die("PR_SET_THP_DISABLE: %s", strerror(errno));
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
		die("PR_SET_CHILD_SUBREAPER: %s", strerror(errno));
	if (!strcmp(cmd, "list"))
		cmd_list(&p);
	else if (!strcmp(cmd, "plan"))
		cmd_plan(&p);
	else if (!strcmp(cmd, "block"))
		cmd_block(&p);
	else if (!strcmp(cmd, "load"))
		cmd_load(&p);
	else if (!strcmp(cmd, "counters"))
		counters_check(&p);
	else if (!strcmp(cmd, "clock"))
		cmd_clock();
	else if (!strcmp(cmd, "spinlocks"))
		puts(spinlocks_kind());
	else
		die("commands: list, plan, block, load, counters, clock, "
		    "spinlocks");
	return 0;
}
