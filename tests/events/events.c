// SPDX-License-Identifier: GPL-2.0
/*
 * events.c - what a scenario calls; see events.h
 */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "events.h"

static const char *scenario;
static bool recording;
static char table[MAX_TABLE];

void events_scenario(const char *name)
{
	scenario = name;
}

/* On one CPU: what a CPU keeps back for itself is then always ours. */
void record(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	trace_start();
	recording = true;
}

int recorded(void)
{
	record();
	return attached();
}

void name_range(const char *p, size_t pages)
{
	struct named *m = &events_named[events_nr_named++];

	ASSERT_LE(events_nr_named, MAX_NAMED, "that many ranges have names");
	m->start = (unsigned long)p;
	m->end = m->start + pages * MMU_PAGE;
}

void record_only_named(void)
{
	struct named *m = &events_named[events_nr_named - 1];

	trace_only(m->start, m->end);
}

static void vstep(bool some, const char *fmt, va_list ap)
{
	char text[96];

	vsnprintf(text, sizeof(text), fmt, ap);
	trace_step(some, text);
}

void step(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vstep(false, fmt, ap);
	va_end(ap);
}

void step_some(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vstep(true, fmt, ap);
	va_end(ap);
}

void recorded_all(void)
{
	static struct event events[MAX_EVENTS];
	size_t n;

	if (!recording)
		return;
	recording = false;
	trace_stop();
	n = trace_read(events, MAX_EVENTS);
	table_write(table, sizeof(table), events, n);
}

/* --- the comparison ------------------------------------------------------- */

/* For tests/update-events. */
static void write_table(const char *dir)
{
	char path[256];
	FILE *f;

	mkdir(dir, 0755);
	snprintf(path, sizeof(path), "%s/%s", dir, test_variant);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/%s", dir, test_variant, scenario);
	f = fopen(path, "we");
	ASSERT_NE(f, NULL, "%s can be written", path);
	fputs(table, f);
	ASSERT_EQ(fclose(f), 0, "%s has been written", path);
}

static void compare(void)
{
	char release[96];
	const char *want = golden_of(scenario, release, sizeof(release));
	struct utsname u;
	bool differs;

	uname(&u);
	ASSERT_NE(want, NULL, "tests/events has a table of \"%s\"; if not: %s",
		  scenario, "tests/update-events");
	differs = variant_can(HEARS_OF_ALL) ?
		  golden_differs(want, table, !strcmp(u.release, release)) :
		  golden_lacks(want, table, !strcmp(u.release, release));
	EXPECT_EQ(differs, false,
		  "as in tests/events; if not: tests/update-events -t %s",
		  scenario);
}

void events_compare(void)
{
	const char *dir = getenv("MMU_EVENTS_OUT");

	recorded_all();
	if (dir)
		write_table(dir);
	else
		compare();
}

void cannot(const char *fmt, ...)
{
	char why[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	if (recording)
		trace_stop();
	recording = false;
	snprintf(table, sizeof(table), "SKIP: %s\n", why);
	events_compare();
	if (harness_failed())
		exit(EXIT_FAILURE);
	skip("%s", why);
}

/* --- before and after ----------------------------------------------------- */

char *mirrored(int fd, char *p, size_t pages)
{
	size_t i;

	name_range(p, pages);
	cpu_stamp(p, pages, 1);
	populate(fd, p, pages, 0);
	for (i = 1; i < pages; i += 2)
		populate(fd, p + i * MMU_PAGE, 1, WRITE);
	device_sees(fd, p, pages, 1);
	return p;
}

/*
 * 0, or -EFAULT where there is nothing to read: write() copies as any load
 * does, and tells instead of killing. (process_vm_readv() pins the page, and
 * for that unshares it; a pipe keeps an empty page of each failure.)
 */
static int cpu_reads(const char *p, char *page)
{
	static int copy = -1;

	if (copy < 0)
		copy = make_memfd(1);
	if (pwrite(copy, p, MMU_PAGE, 0) < 0)
		return -errno;
	ASSERT_EQ(pread(copy, page, MMU_PAGE, 0), (long)MMU_PAGE, "pread");
	return 0;
}

void agree_(int fd, const char *p, size_t pages)
{
	char cpu[MMU_PAGE], device[MMU_PAGE];
	size_t i;
	int ret;

	verify_(fd, p, pages);
	for (i = 0; i < pages; i++, p += MMU_PAGE) {
		ret = cpu_reads(p, cpu);
		ASSERT_EQ(mmu_read(fd, p, device, MMU_PAGE), ret,
			  "the device reads page %zu if the CPU can", i);
		if (!ret)
			ASSERT_EQ(memcmp(device, cpu, MMU_PAGE), 0,
				  "device and CPU see one page %zu", i);
	}
	verify_(fd, p - pages * MMU_PAGE, pages);
}

void agree_and_write_(int fd, char *p, size_t pages)
{
	agree_(fd, p, pages);
	cpu_stamp(p, pages, 7);
	device_sees_(fd, p, pages, 7);
	device_stamp_(fd, p, pages, 8);
	cpu_sees_(p, pages, 8);
	verify_(fd, p, pages);
}
