// SPDX-License-Identifier: GPL-2.0
/*
 * counters.c - what perf stat counts, around the timed part only
 *
 * Each worker thread opens the counters for itself, through the system call
 * that perf uses, and lets them run between its start and its end. What a
 * machine cannot count (most virtual ones have no cycles) stays "not
 * counted": an empty field in the results, never a zero.
 */
#define _GNU_SOURCE
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

static const struct {
	uint32_t type;
	uint64_t config;
} events[NR_COUNTERS] = {
	[TASK_CLOCK] = { PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK },
	[CONTEXT_SWITCHES] = { PERF_TYPE_SOFTWARE,
			       PERF_COUNT_SW_CONTEXT_SWITCHES },
	[CPU_MIGRATIONS] = { PERF_TYPE_SOFTWARE,
			     PERF_COUNT_SW_CPU_MIGRATIONS },
	[PAGE_FAULTS] = { PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS },
	[CYCLES] = { PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
	[INSTRUCTIONS] = { PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS },
};

/* With @wanted false, none: where perf itself is looking on. */
void counters_open(int fds[NR_COUNTERS], bool wanted)
{
	struct perf_event_attr attr;
	int i;

	for (i = 0; i < NR_COUNTERS; i++) {
		attr = (struct perf_event_attr) {
			.size = sizeof(attr),
			.type = events[i].type,
			.config = events[i].config,
			.disabled = 1,
		};
		fds[i] = !wanted ? -1 : syscall(SYS_perf_event_open, &attr, 0,
						-1, -1, PERF_FLAG_FD_CLOEXEC);
	}
}

/*
 * With the first counter of the machine the kernel patches its own code, and
 * again after the last is gone, interrupting every CPU. One set that stays
 * open keeps that out of what is measured.
 */
void counters_hold(void)
{
	static int fds[NR_COUNTERS];

	counters_open(fds, true);
}

static void control(const int fds[NR_COUNTERS], unsigned long cmd)
{
	int i;

	for (i = 0; i < NR_COUNTERS; i++)
		if (fds[i] >= 0)
			ioctl(fds[i], cmd, 0);
}

void counters_enable(const int fds[NR_COUNTERS])
{
	control(fds, PERF_EVENT_IOC_ENABLE);
}

/* Stop the counters and add them to @sum. */
void counters_read(const int fds[NR_COUNTERS], struct counters *sum)
{
	uint64_t value;
	int i;

	control(fds, PERF_EVENT_IOC_DISABLE);
	for (i = 0; i < NR_COUNTERS; i++) {
		if (fds[i] < 0 ||
		    read(fds[i], &value, sizeof(value)) != sizeof(value))
			continue;
		sum->value[i] += value;
		sum->counted[i] = true;
	}
}

void counters_close(int fds[NR_COUNTERS])
{
	int i;

	for (i = 0; i < NR_COUNTERS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

void counters_add(struct counters *sum, const struct counters *more)
{
	int i;

	for (i = 0; i < NR_COUNTERS; i++) {
		sum->value[i] += more->value[i];
		sum->counted[i] |= more->counted[i];
	}
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
