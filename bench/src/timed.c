// SPDX-License-Identifier: GPL-2.0
/*
 * timed.c - the very part that a row is about, for whoever times or counts it
 *
 * The clock is read at both ends, the counters of counters.c run in between,
 * and a plugin of the emulator, which is told by markers, knows the function
 * and the lock as well.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "marker.h"

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

/* What a worker does before it starts and when it has finished is not meant. */
static bool is_timed(const struct worker *w)
{
	return w->start && !w->end;
}

/* Returns the time at which it begins, in ns. */
uint64_t timed_begin(const struct worker *w)
{
	uint64_t start;

	if (!is_timed(w))
		return now_ns();
	counters_start();
	start = now_ns();
	marker(MARK_ON, 0, 0);
	return start;
}

/* Returns the time at which it ends. */
uint64_t timed_end(const struct worker *w)
{
	uint64_t end;

	if (!is_timed(w))
		return now_ns();
	marker(MARK_OFF, 0, 0);
	end = now_ns();
	counters_stop();
	return end;
}
