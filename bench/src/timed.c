// SPDX-License-Identifier: GPL-2.0
/*
 * timed.c - the very part that a row is about, for whoever counts instructions
 *
 * Two can: a plugin of the emulator, which is told by markers, and knows the
 * function and the lock as well; and, where the machine has counters of its
 * own, the kernel ("mmu-bench block --instructions"), as
 * "perf stat -e instructions:k" would.
 */
#define _GNU_SOURCE
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "marker.h"

static _Thread_local int instructions_fd = -1;

static const struct {
	const char *name;
	enum marker kind;
} locks[] = {
	{ "_raw_spin_lock", MARK_LOCK },
	{ "_raw_spin_trylock", MARK_TRYLOCK },
	{ "_raw_spin_unlock", MARK_UNLOCK },
};

static bool is_ours(const char *module)
{
	return !strncmp(module, "[my_mmu_", 8) ||
	       !strncmp(module, "[mmu_rmap", 9);
}

static void tell_caller(const char *module, unsigned long from,
			unsigned long to)
{
	if (*module)
		marker(MARK_CALLER, from, (to | (MMU_PAGE - 1)) + 1);
}

/*
 * Which functions take and release spinlocks, and where those who call them
 * for us are: the text of each of our modules, to the end of its last page.
 */
void instructions_tell_locks(void)
{
	unsigned long address, from = 0, to = 0;
	char line[512], name[256], module[128], last[128] = "", type;
	FILE *f = fopen("/proc/kallsyms", "re");
	size_t i;

	if (!f)
		die("cannot read /proc/kallsyms");
	while (fgets(line, sizeof(line), f)) {
		*module = '\0';
		if (sscanf(line, "%lx %c %255s %127s", &address, &type, name,
			   module) < 3 || !strchr("tT", type))
			continue;
		for (i = 0; i < sizeof(locks) / sizeof(*locks); i++)
			if (!*module && !strcmp(name, locks[i].name))
				marker(locks[i].kind, address, 0);
		if (!is_ours(module))
			continue;
		if (strcmp(module, last)) {
			tell_caller(last, from, to);
			strcpy(last, module);
			from = address;
			to = address;
		}
		from = address < from ? address : from;
		to = address > to ? address : to;
	}
	tell_caller(last, from, to);
	fclose(f);
}

/* What is counted from now on belongs to the next row of raw.csv. */
void instructions_row(void)
{
	marker(MARK_ROW, 0, 0);
}

/* In each worker, before it starts. */
void instructions_open(const struct params *p)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = PERF_TYPE_HARDWARE,
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.disabled = 1,
		.exclude_user = 1,
	};

	if (p->instructions)
		instructions_fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1,
					  PERF_FLAG_FD_CLOEXEC);
}

void instructions_close(struct counters *sum)
{
	uint64_t value;

	if (instructions_fd < 0)
		return;
	if (read(instructions_fd, &value, sizeof(value)) == sizeof(value)) {
		sum->value[INSTRUCTIONS] += value;
		sum->counted[INSTRUCTIONS] = true;
	}
	close(instructions_fd);
	instructions_fd = -1;
}

/* What a worker does before it starts and when it has finished is not meant. */
static bool is_timed(const struct worker *w)
{
	return w->start && !w->end;
}

void timed_begin(const struct worker *w)
{
	if (!is_timed(w))
		return;
	if (instructions_fd >= 0)
		ioctl(instructions_fd, PERF_EVENT_IOC_ENABLE, 0);
	marker(MARK_ON, 0, 0);
}

void timed_end(const struct worker *w)
{
	if (!is_timed(w))
		return;
	marker(MARK_OFF, 0, 0);
	if (instructions_fd >= 0)
		ioctl(instructions_fd, PERF_EVENT_IOC_DISABLE, 0);
}
