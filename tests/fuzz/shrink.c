// SPDX-License-Identifier: GPL-2.0
/*
 * shrink.c - the shortest sequence that still fails
 *
 * Leaves out calls, by halves and then one by one; lets one thread do what
 * several did; makes arguments simpler. Each step is a candidate that fails or
 * does not. The steps depend on nothing but the outcomes before, so that a
 * candidate may take the machine down: whoever boots it again tells what came
 * of the steps so far (@known, a string of 0 and 1), and the work goes on.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define EXIT_DIRTY	3
#define TIMES_SERIAL	2
#define TIMES_PARALLEL	25

static struct sequence *best;
static struct sequence candidate;
static const char *outcomes;
static unsigned int steps;

static enum outcome run_times(const struct sequence *s)
{
	unsigned int n = s->serial ? TIMES_SERIAL : TIMES_PARALLEL;
	enum outcome o;

	while (n--) {
		o = run_sequence(s);
		if (o == FINE)
			o = look_around();
		if (o != FINE)
			return o;
	}
	return FINE;
}

static void tell(void)
{
	printf("shrunk to %u calls in %u steps\n", best->n, steps);
	print_sequence(stdout, best);
}

static bool still_fails(void)
{
	enum outcome o;
	bool fails;

	if (steps < strlen(outcomes)) {
		fails = outcomes[steps++] == '1';
	} else if (!world) {
		tell();		/* no device here: as far as is known */
		exit(0);
	} else {
		printf("step %u: %u calls\n", ++steps, candidate.n);
		fflush(stdout);
		o = run_times(&candidate);
		fails = o != FINE;
		printf("outcome %d%s%s\n", fails, fails ? ": " : "",
		       fails ? world->why : "");
		fflush(stdout);
		if (o == DIRTY)
			exit(EXIT_DIRTY);
	}
	if (fails)
		*best = candidate;
	return fails;
}

/* --- fewer calls ---------------------------------------------------------- */

static bool without(unsigned int first, unsigned int n)
{
	candidate = *best;
	if (first + n > candidate.n)
		n = candidate.n - first;
	memmove(&candidate.call[first], &candidate.call[first + n],
		(candidate.n - first - n) * sizeof(struct call));
	candidate.n -= n;
	return still_fails();
}

/* From the end: what comes after the failure goes first. */
static bool leave_out(unsigned int chunk)
{
	unsigned int end = best->n;
	bool any = false;

	while (end > 0 && best->n > 1) {
		unsigned int first = end > chunk ? end - chunk : 0;

		any |= without(first, end - first);
		end = first;
	}
	return any;
}

static void fewer_calls(void)
{
	unsigned int chunk;

	for (chunk = (best->n + 1) / 2; chunk > 1; chunk = (chunk + 1) / 2) {
		leave_out(chunk);
		if (chunk == 2)
			break;
	}
	while (leave_out(1) && best->n > 1)
		;
}

/* --- fewer threads -------------------------------------------------------- */

static void one_at_a_time(void)
{
	if (best->serial)
		return;
	candidate = *best;
	candidate.serial = true;
	still_fails();
}

static void merge(bool processes)
{
	unsigned int i;
	bool any = false;

	candidate = *best;
	for (i = 0; i < candidate.n; i++) {
		any |= candidate.call[i].thread;
		candidate.call[i].thread = 0;
		if (processes) {
			any |= candidate.call[i].proc;
			candidate.call[i].proc = 0;
		}
	}
	if (any)
		still_fails();
}

/* --- simpler arguments ---------------------------------------------------- */

static bool with_arg(unsigned int i, unsigned int arg, uint64_t value)
{
	if (best->call[i].arg[arg] == value)
		return false;
	candidate = *best;
	candidate.call[i].arg[arg] = value;
	return still_fails();
}

static void simpler_arg(unsigned int i, unsigned int arg)
{
	uint64_t value = best->call[i].arg[arg];
	int page = page_index(value);

	if (!value || with_arg(i, arg, 0) || with_arg(i, arg, 1))
		return;
	if (page >= 0) {
		if (!with_arg(i, arg, page_addr(page / REGION_PAGES *
						REGION_PAGES)))
			with_arg(i, arg, page_addr(page));
		return;
	}
	if (value > MMU_PAGE)
		with_arg(i, arg, MMU_PAGE);
}

/*
 * Calls to the device may have any argument. What is done to memory is right
 * as it was drawn, and would fail by itself if it were not.
 */
static void simpler_call(unsigned int i)
{
	const struct op *op = &ops[best->call[i].op];
	unsigned int arg;

	candidate = *best;
	candidate.call[i].fail = 0;
	if (best->call[i].fail)
		still_fails();
	candidate = *best;
	candidate.call[i].slot = 0;
	if (best->call[i].slot)
		still_fails();
	for (arg = 0; arg < ARGS && op->allocates; arg++)
		if (op->arg[arg])
			simpler_arg(i, arg);
}

static void simpler_calls(void)
{
	unsigned int i;

	for (i = 0; i < best->n; i++)
		simpler_call(i);
}

int shrink(struct sequence *s, const char *known)
{
	best = s;
	outcomes = known;
	candidate = *s;
	if (!still_fails()) {
		printf("it does not fail again\n");
		return 0;
	}
	one_at_a_time();
	merge(true);
	merge(false);
	fewer_calls();
	one_at_a_time();
	merge(true);
	merge(false);
	simpler_calls();
	fewer_calls();
	tell();
	return 1;
}
