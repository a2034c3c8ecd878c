// SPDX-License-Identifier: GPL-2.0
/*
 * beside.c - populates while somebody else's memory goes away
 *
 * Threads populate as in populate.c; one more takes single pages away, on a
 * clock, so many a second, as the scenario's name says. Where it was kept from
 * beginning in time, that is counted ("late"); on a host that is busy, it may
 * not have begun at all when a pass is over ("foreign" is what was done, not
 * what was asked for). The pages that it takes are never those populated:
 *
 *	elsewhere	of a leaf table of their own
 *	between		below and above what is populated, in turn
 *	table		the last page of the leaf table that is being populated
 *
 * device-read-beside: instead of populating, threads let the device read, which
 * takes its faults as they come.
 *
 * The device maps something of each of these tables, or it would not be told
 * in some variants. One call covers a leaf table but for its last page.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "bench.h"

#define EACH_TABLE	(MMU_HUGE - MMU_PAGE)	/* bytes populated of it */

const char *const beside_conditions[] = {
	"elsewhere", "between", "table", NULL
};

static atomic_uint populating;	/* threads that have not finished */
static char *_Atomic table;	/* the one that the first of them is in */
static uint64_t late;

/* One leaf table below, one above what is populated. */
static char *lower(const struct space *s)
{
	return s->mem;
}

static char *upper(const struct space *s)
{
	return s->mem + s->len - MMU_HUGE;
}

/* What is done to each table, in one call; set before threads start. */
static int (*table_fn)(struct worker *w, char *at, size_t len);

/* The floor looks the pages up, as for a populate. For one thread. */
static int read_range(struct worker *w, char *at, size_t len)
{
	static char into[EACH_TABLE];
	int ret;

	if (w->cell->floor)
		return populate_range(w, at, len);
	ret = mmu_read(w->space->fd, at, into, len);
	if (ret)
		return worker_fail(w, ret, "read");
	if (memcmp(into, at, len))
		return worker_fail(w, -EIO, "the device read something else");
	w->populated += len / MMU_PAGE;
	return 0;
}

static size_t tables_of_all(const struct space *s)
{
	return s->len / MMU_HUGE - 2;
}

int beside_setup(struct space *s, const struct cell *c)
{
	size_t n = s->params->mib / (MMU_HUGE >> 20);

	(void)c;
	n -= n % s->load.threads;
	if (!n)
		return fail(s, "--mib %u: each of %u threads needs 2",
			    s->params->mib, s->load.threads);
	return map_small_pages(s, (n + 2) * MMU_HUGE);
}

static void populate_own_tables(struct worker *w)
{
	size_t each = tables_of_all(w->space) / w->space->load.threads, i;
	char *at = lower(w->space) + MMU_HUGE + w->index * each * MMU_HUGE;

	for (i = 0; i < each && !w->error; i++, at += MMU_HUGE) {
		if (!w->index)
			atomic_store(&table, at);
		table_fn(w, at, EACH_TABLE);
	}
}

static void populater(struct worker *w)
{
	unsigned int batch = w->space->load.pages;
	size_t each = tables_of_all(w->space) / w->space->load.threads;
	size_t pages = EACH_TABLE / MMU_PAGE;
	uint64_t timed;

	workers_start(w);
	w->start = timed_begin(w);
	populate_own_tables(w);
	w->end = timed_end(w);
	workers_finish(w);
	atomic_fetch_sub(&populating, 1);
	timed = w->populated;
	while (!w->error && atomic_load(&populating))
		populate_own_tables(w);
	w->populated = timed;
	w->ops = each * ((pages + batch - 1) / batch);
}

static char *victim(const struct worker *w)
{
	const char *place = w->cell->floor ? "elsewhere" : w->cell->condition;

	if (!strcmp(place, "table"))
		return atomic_load(&table) + EACH_TABLE;
	if (!strcmp(place, "between") && w->extra_ops % 2)
		return upper(w->space) + EACH_TABLE;
	return lower(w->space) + EACH_TABLE;
}

static void take_a_page_away(struct worker *w)
{
	char *p = victim(w);

	*(volatile char *)p = 1;
	if (madvise(p, MMU_PAGE, MADV_DONTNEED))
		worker_fail(w, -errno, "MADV_DONTNEED");
	w->extra_ops++;
}

static void sleep_until(uint64_t ns)
{
	struct timespec ts = {
		.tv_sec = ns / NSEC_PER_SEC,
		.tv_nsec = ns % NSEC_PER_SEC,
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
		;
}

static unsigned int rate_of(const struct scenario *sc)
{
	return atoi(strrchr(sc->name, '-') + 1);
}

/* What it could not begin in time it makes up for, at once. */
static void storm(struct worker *w)
{
	uint64_t period = NSEC_PER_SEC / rate_of(w->space->scenario), due;

	workers_start(w);
	for (due = w->start; !w->error && atomic_load(&populating);
	     due += period) {
		if (now_ns() < due)
			sleep_until(due);
		else if (due > w->start)
			late++;
		take_a_page_away(w);
	}
	workers_finish(w);
}

static void populater_or_storm(struct worker *w)
{
	if (w->index < w->space->load.threads)
		populater(w);
	else
		storm(w);
}

/* Of the two tables at the ends, so that each variant is told of them. */
static int mirror_ends(struct space *s)
{
	int ret = mmu_populate(s->fd, lower(s), MMU_PAGE, 0) ?:
		  mmu_populate(s->fd, upper(s), MMU_PAGE, 0);

	return ret ? fail(s, "populate: %s", strerror(-ret)) : 0;
}

static int check_done(struct space *s, uint64_t pages)
{
	uint64_t asked = tables_of_all(s) * (EACH_TABLE / MMU_PAGE);

	if (pages != asked)
		return fail(s, "%llu pages populated where %llu were asked for",
			    (unsigned long long)pages,
			    (unsigned long long)asked);
	return 0;
}

static int beside_pass(struct space *s, const struct cell *c, bool verify)
{
	struct worker w[MAX_THREADS] = { 0 };
	unsigned int n = s->load.threads;
	uint64_t total = s->result->populated;
	struct my_mmu_stats before;

	if (n == MAX_THREADS)
		return fail(s, "at most %u threads, and one beside",
			    n - 1);
	atomic_store(&populating, n);
	atomic_store(&table, lower(s) + MMU_HUGE);
	late = 0;
	if (!c->floor && mirror_ends(s))
		return -1;
	if (take_stats(s, &before) ||
	    run_workers(s, c, w, n + 1, populater_or_storm))
		return -1;
	workers_add_up(s, w, n);
	total = s->result->populated - total;
	s->result->pages += total;
	s->result->ns += wall_time(w, n);
	s->result->foreign += w[n].extra_ops;
	s->result->late += late;
	return check_done(s, total) ?:
	       count_pass(s, c, &before, total + 2, verify);
}

/* One pass may be over before the other thread has begun; not all of them. */
static int run_beside(struct space *s, const struct cell *c)
{
	if (populate_passes(s, c, beside_pass))
		return -1;
	if (!s->result->foreign)
		return fail(s, "no page was taken away beside the populates: "
			    "the thread that does it never ran");
	return 0;
}

int beside_run(struct space *s, const struct cell *c)
{
	table_fn = populate_range;
	return run_beside(s, c);
}

int read_beside_run(struct space *s, const struct cell *c)
{
	table_fn = read_range;
	return run_beside(s, c);
}
