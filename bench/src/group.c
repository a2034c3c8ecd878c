// SPDX-License-Identifier: GPL-2.0
/*
 * group.c - the cells of one scenario under one load take turns
 *
 * The work is done by a child, a new one for each turn or the same for all,
 * as the scenario says; the parent tells it what to run and writes down what
 * comes back.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define TURN_LIMIT_MS	120000

struct turn {
	int cell;
	bool setup;
	uint64_t seed;
};

struct group {
	const struct params *params;
	const struct scenario *scenario;
	struct load load;
	struct cell cells[MAX_CELLS];
	int n_cells;
	pid_t pid;		/* the child there is, or 0 */
	int sock;
	struct result *result;	/* shared with it */
	uint64_t *hist[MAX_CELLS];
	uint64_t seed;
};

static int add_cells(struct cell *cells, int n, const char *variant,
		     const char *const *conditions)
{
	for (; *conditions; conditions++) {
		if (n == MAX_CELLS)
			die("too many variants and conditions");
		cells[n++] = (struct cell) { variant, *conditions, false };
	}
	return n;
}

/*
 * Where time is measured, the floor takes part a second time, under another
 * name: what is seen between the two is no difference, but the machine.
 * Instructions are counted too exactly to need that.
 */
int make_cells(const struct params *p, const struct scenario *sc,
	       struct cell *cells)
{
	int v, n = 0;

	cells[n++] = (struct cell) { "floor", sc->floor, true };
	if (!p->instructions)
		cells[n++] = (struct cell) { "floor-again", sc->floor, true };
	if (sc->lookup && p->instructions)
		cells[n++] = (struct cell) { "lookup", sc->lookup, true };
	for (v = 0; v < p->n_variants; v++) {
		n = add_cells(cells, n, p->variants[v], sc->conditions);
		if (p->set >= FULL && sc->more_conditions)
			n = add_cells(cells, n, p->variants[v],
				      sc->more_conditions);
	}
	return n;
}

/*
 * A kernel without our modules is measured before they are loaded, in the same
 * block: the cells of such a group take turns among themselves.
 */
bool is_now(const struct params *p, const struct scenario *sc,
	    const struct cell *c)
{
	return p->no_modules == (sc->bare && c->floor);
}

static void make_space(const struct group *g, struct space *s)
{
	*s = (struct space) {
		.scenario = g->scenario,
		.params = g->params,
		.load = g->load,
		.result = g->result,
		.fd = -1,
	};
}

/* In the child: a turn for every request, until the parent hangs up. */
static void serve(struct group *g, int sock)
{
	struct space s;
	struct turn t;
	char ok;

	make_space(g, &s);
	while (read(sock, &t, sizeof(t)) == sizeof(t)) {
		memset(g->result, 0, offsetof(struct result, samples));
		s.seed = t.seed;
		if (t.setup)
			ok = !g->scenario->setup(&s, &g->cells[t.cell]);
		else
			ok = !g->scenario->run(&s, &g->cells[t.cell]);
		if (write(sock, &ok, 1) != 1)
			break;
	}
	if (g->scenario->done)
		g->scenario->done();
	_exit(0);
}

static void start_child(struct group *g)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		die("socketpair: %s", strerror(errno));
	fflush(NULL);
	g->pid = fork();
	if (g->pid < 0)
		die("fork: %s", strerror(errno));
	if (!g->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(pair[0]);
		serve(g, pair[1]);
	}
	close(pair[1]);
	g->sock = pair[0];
}

/* Returns when all of it is gone, its own children's devices included. */
static void stop_child(struct group *g)
{
	close(g->sock);
	wait_for_all_of(g->pid);
	g->pid = 0;
}

static const char *cell_name(const struct group *g, int cell)
{
	static char name[128];

	snprintf(name, sizeof(name), "%s %s, %s, %s", g->cells[cell].variant,
		 g->cells[cell].condition, g->scenario->name,
		 load_text(&g->load));
	return name;
}

/* A child that hangs or fails is the end of everything. */
static void give_up(struct group *g, int cell, const char *why)
{
	kill(g->pid, SIGKILL);
	die("%s: %s", cell_name(g, cell), why);
}

/* Returns when the child has answered. */
static void request(struct group *g, int cell, bool setup)
{
	struct turn t = { cell, setup, next_random(&g->seed) };
	struct pollfd pfd = { .fd = g->sock, .events = POLLIN };
	char ok = 0;

	if (write(g->sock, &t, sizeof(t)) != sizeof(t))
		give_up(g, cell, "process is gone");
	if (!poll(&pfd, 1, TURN_LIMIT_MS))
		give_up(g, cell, "no answer; the console may say why");
	if (read(g->sock, &ok, 1) != 1)
		give_up(g, cell, "process died; the console may say why");
	if (!ok)
		give_up(g, cell, g->result->error);
}

/* A new process per turn has a new place in memory, too: more of chance. */
static void take_turn(struct group *g, int cell)
{
	if (!g->pid) {
		start_child(g);
		request(g, cell, true);
	}
	request(g, cell, false);
	if (g->scenario->isolate)
		stop_child(g);
}

static void keep_samples(struct group *g, int cell)
{
	struct result *r = g->result;
	uint32_t i;

	if (!r->n_samples)
		return;
	if (!g->hist[cell])
		g->hist[cell] = calloc(HIST_BUCKETS, sizeof(uint64_t));
	if (!g->hist[cell])
		die("no memory for a histogram");
	for (i = 0; i < r->n_samples; i++)
		g->hist[cell][hist_bucket(r->samples[i])]++;
	sort_samples(r->samples, r->n_samples);
}

static void run_cell(struct group *g, unsigned int rep, int order, int cell)
{
	struct row_id id = {
		.params = g->params,
		.scenario = g->scenario,
		.cell = &g->cells[cell],
		.load = g->load,
		.rep = rep,
		.order = order,
	};
	uint64_t steal = steal_ms();

	instructions_row();
	take_turn(g, cell);
	steal = steal_ms() - steal;
	keep_samples(g, cell);
	write_row(&id, g->result, steal);
	progress(false, "  … %s: repetition %u of %u", cell_name(g, cell),
		 rep, g->params->reps);
}

static void run_reps(struct group *g)
{
	int order[MAX_CELLS];
	unsigned int rep;
	int i;

	for (rep = 1; rep <= g->params->reps; rep++) {
		shuffle(order, g->n_cells, &g->seed);
		for (i = 0; i < g->n_cells; i++)
			if (is_now(g->params, g->scenario, &g->cells[order[i]]))
				run_cell(g, rep, i + 1, order[i]);
	}
}

static void finish_hist(struct group *g)
{
	struct row_id id = {
		.params = g->params,
		.scenario = g->scenario,
		.load = g->load,
	};
	int i;

	for (i = 0; i < g->n_cells; i++) {
		if (!g->hist[i])
			continue;
		id.cell = &g->cells[i];
		write_hist(&id, g->hist[i]);
		free(g->hist[i]);
	}
}

static struct result *share_result(void)
{
	void *p = mmap(NULL, sizeof(struct result), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("no memory for results");
	return p;
}

/* The order within a group depends on the seed and on what the group is. */
static uint64_t group_seed(const struct params *p, const struct scenario *sc,
			   struct load load)
{
	uint64_t seed = p->seed;

	seed = next_random(&seed) + p->boot;
	seed = next_random(&seed) + p->block;
	seed = next_random(&seed) + (sc - scenarios);
	seed = next_random(&seed) + load.threads * 1000003ull + load.pages;
	return seed;
}

int run_group(const struct params *p, const struct scenario *sc,
	      struct load load)
{
	struct group g = { .params = p, .scenario = sc, .load = load };

	g.seed = group_seed(p, sc, load);
	g.n_cells = make_cells(p, sc, g.cells);
	g.result = share_result();
	run_reps(&g);
	if (g.pid)
		stop_child(&g);
	finish_hist(&g);
	munmap(g.result, sizeof(struct result));
	return 0;
}

static struct cell load_cell(const struct params *p, const struct scenario *sc)
{
	const char *condition = p->condition ?: sc->conditions[0];
	bool floor = !strcmp(condition, sc->floor);

	return (struct cell) { p->variants[0], condition, floor };
}

/* What a load that has failed leaves: fields that are empty. */
void no_load(const struct params *p, const struct scenario *sc,
	     struct load load)
{
	struct cell c = load_cell(p, sc);
	struct row_id id = {
		.params = p, .scenario = sc, .cell = &c, .load = load,
	};

	if (p->stat)
		write_stat(&id, NULL, 0);
}

/* One cell over and over in this process, for perf to look at. */
int run_load(const struct params *p, const struct scenario *sc,
	     struct load load)
{
	struct group g = { .params = p, .scenario = sc, .load = load };
	uint64_t end, runs = 0, ops = 0;
	struct counters sum = { 0 };
	struct cell c = load_cell(p, sc);
	struct row_id id = {
		.params = p, .scenario = sc, .cell = &c, .load = load,
	};
	struct space s;

	g.result = share_result();
	make_space(&g, &s);
	if (sc->setup(&s, &c))
		die("%s: %s", sc->name, g.result->error);
	end = now_ns() + p->ms * NSEC_PER_MSEC;
	do {
		memset(g.result, 0, offsetof(struct result, samples));
		s.seed = p->seed + runs++;
		if (sc->run(&s, &c))
			die("%s: %s", sc->name, g.result->error);
		counters_add(&sum, &g.result->counters);
		ops += g.result->ops;
	} while (now_ns() < end);
	if (sc->done)
		sc->done();
	if (p->stat)
		write_stat(&id, &sum, ops);
	printf("load: %s, %s %s, %u threads, %u pages: %llu runs\n", sc->name,
	       c.variant, c.condition, load.threads, load.pages,
	       (unsigned long long)runs);
	return 0;
}
