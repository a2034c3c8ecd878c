// SPDX-License-Identifier: GPL-2.0
/*
 * counters.c - what perf stat counts, around the timed part only
 *
 * Each worker thread opens the counters for itself, through the system call
 * that perf uses, and lets them run in its timed parts: all that it does before
 * and between these is not counted. What a machine cannot count (most virtual
 * ones have no cycles) stays "not counted": an empty field in the results,
 * never a zero.
 *
 * Tracepoints cost time where they are hit. So "load" alone counts those that
 * it is told to (--events), and no run that is timed does.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

#define TRACING		"/sys/kernel/tracing/events"

static struct event {
	const char *name;	/* as perf says it */
	uint32_t type;
	uint64_t config;
	bool kernel_only;
} events[MAX_COUNTERS] = {
	[TASK_CLOCK] = { "task-clock", PERF_TYPE_SOFTWARE,
			 PERF_COUNT_SW_TASK_CLOCK },
	[CONTEXT_SWITCHES] = { "context-switches", PERF_TYPE_SOFTWARE,
			       PERF_COUNT_SW_CONTEXT_SWITCHES },
	[CPU_MIGRATIONS] = { "cpu-migrations", PERF_TYPE_SOFTWARE,
			     PERF_COUNT_SW_CPU_MIGRATIONS },
	[PAGE_FAULTS] = { "page-faults", PERF_TYPE_SOFTWARE,
			  PERF_COUNT_SW_PAGE_FAULTS },
	[CYCLES] = { "cycles", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
	[INSTRUCTIONS] = { "instructions", PERF_TYPE_HARDWARE,
			   PERF_COUNT_HW_INSTRUCTIONS },
	[CYCLES_KERNEL] = { "cycles:k", PERF_TYPE_HARDWARE,
			    PERF_COUNT_HW_CPU_CYCLES, true },
	[INSTRUCTIONS_KERNEL] = { "instructions:k", PERF_TYPE_HARDWARE,
				  PERF_COUNT_HW_INSTRUCTIONS, true },
};

static int n_events = NR_COUNTERS;
static _Thread_local int fds[MAX_COUNTERS];
static _Thread_local bool are_open;

/* "group:name" is a tracepoint that this kernel has, or the end. */
static void add_tracepoint(const char *name)
{
	char path[256];
	FILE *f;

	if (n_events == MAX_COUNTERS)
		die("--events: more than %d", MAX_COUNTERS - NR_COUNTERS);
	snprintf(path, sizeof(path), TRACING "/%s/id", name);
	*strchr(path + sizeof(TRACING), ':') = '/';
	f = fopen(path, "re");
	events[n_events] = (struct event) {
		.name = name,
		.type = PERF_TYPE_TRACEPOINT,
	};
	if (!f || fscanf(f, "%lu", &events[n_events].config) != 1)
		die("--events: this kernel has no tracepoint %s", name);
	fclose(f);
	n_events++;
}

/* Count these, too. */
void counters_add_tracepoints(const char *const *names, int n)
{
	int i;

	for (i = 0; i < n; i++) {
		if (!strchr(names[i], ':'))
			die("--events: \"%s\" is no tracepoint, group:name",
			    names[i]);
		add_tracepoint(names[i]);
	}
}

static int open_counter(const struct event *e)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = e->type,
		.config = e->config,
		.disabled = 1,
		.exclude_user = e->kernel_only,
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1,
		       PERF_FLAG_FD_CLOEXEC);
}

/* Where instructions, or tracepoints, are wanted, nothing else runs along. */
static bool is_wanted(const struct params *p, int i)
{
	if (p->instructions)
		return i == INSTRUCTIONS_KERNEL;
	return p->count && (i < NR_COUNTERS) == !p->n_events;
}

/* In each thread that is to be counted, before it starts. */
void counters_open(const struct params *p)
{
	int i;

	for (i = 0; i < n_events; i++)
		fds[i] = is_wanted(p, i) ? open_counter(&events[i]) : -1;
	are_open = p->instructions || p->count;
}

/*
 * With the first counter of the machine the kernel patches its own code, and
 * again after the last is gone, interrupting every CPU. One set that stays
 * open keeps that out of what is measured.
 */
void counters_hold(void)
{
	int i;

	for (i = 0; i < n_events; i++)
		open_counter(&events[i]);
}

/* All counters of this thread at once. */
void counters_start(void)
{
	if (are_open)
		prctl(PR_TASK_PERF_EVENTS_ENABLE);
}

void counters_stop(void)
{
	if (are_open)
		prctl(PR_TASK_PERF_EVENTS_DISABLE);
}

/* What the timed parts came to is added to @sum. */
void counters_close(struct counters *sum)
{
	uint64_t value;
	int i;

	for (i = 0; are_open && i < n_events; i++) {
		if (fds[i] < 0)
			continue;
		if (read(fds[i], &value, sizeof(value)) == sizeof(value)) {
			sum->value[i] += value;
			sum->counted[i] = true;
		}
		close(fds[i]);
	}
	are_open = false;
}

void counters_add(struct counters *sum, const struct counters *more)
{
	int i;

	for (i = 0; i < MAX_COUNTERS; i++) {
		sum->value[i] += more->value[i];
		sum->counted[i] |= more->counted[i];
	}
}

/* "event,value,unit" for each; an empty value, or no @c: not counted. */
void counters_print(FILE *f, const char *before, const struct counters *c)
{
	int i;

	for (i = n_events > NR_COUNTERS ? NR_COUNTERS : 0; i < n_events; i++) {
		fprintf(f, "%s%s,", before, events[i].name);
		if (c && c->counted[i])
			fprintf(f, "%llu", (unsigned long long)c->value[i]);
		fprintf(f, ",%s\n", i == TASK_CLOCK ? "ns" : "");
	}
}

/* @n pages that are touched for the first time: @n faults, and no fewer. */
static void fault(char *at, int n)
{
	while (n-- > 0)
		at[n * MMU_PAGE] = 1;
}

#define FAULTS_BEFORE	64
#define FAULTS_TIMED	7

/*
 * Counts of what is not timed must not be there. So count something of which it
 * is known how often it happens, before, in, and after the timed part.
 */
void counters_check(const struct params *p)
{
	size_t len = (2 * FAULTS_BEFORE + FAULTS_TIMED) * MMU_PAGE;
	char *mem = mmap(NULL, len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct counters c = { 0 };

	if (mem == MAP_FAILED)
		die("no memory for %zu bytes", len);
	counters_open(p);
	fault(mem, FAULTS_BEFORE);
	counters_start();
	fault(mem + FAULTS_BEFORE * MMU_PAGE, FAULTS_TIMED);
	counters_stop();
	fault(mem + (FAULTS_BEFORE + FAULTS_TIMED) * MMU_PAGE, FAULTS_BEFORE);
	counters_close(&c);
	munmap(mem, len);
	counters_print(stdout, "", &c);
	if (c.counted[PAGE_FAULTS] && c.value[PAGE_FAULTS] != FAULTS_TIMED)
		die("%llu page faults were counted where %d were timed",
		    (unsigned long long)c.value[PAGE_FAULTS], FAULTS_TIMED);
}

/* Time that the hypervisor gave to others since boot, over all CPUs. */
uint64_t steal_ms(void)
{
	unsigned long long v[8] = { 0 };
	FILE *f = fopen("/proc/stat", "re");
	int n = 0;

	if (!f)
		return 0;
	n = fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0],
		   &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]);
	fclose(f);
	return n == 8 ? v[7] * 1000 / sysconf(_SC_CLK_TCK) : 0;
}
