// SPDX-License-Identifier: GPL-2.0
/*
 * trace.c - the record of a scenario: a trace instance of its own
 *
 * The instance is made by the first scenario and stays for the others; the
 * machine is thrown away afterwards. It counts instead of telling the time, so
 * that what two CPUs record has an order.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "events.h"

#define TRACEFS		"/sys/kernel/tracing"
#define INSTANCE	TRACEFS "/instances/mmu-events"
#define PROGRAM		"mmu-tests"	/* and "true", after exec */
#define MARK_SOME	"some: "
#define MARK_STEP	"step: "

static int marker = -1;

static int set(const char *file, const char *value)
{
	char path[160];

	snprintf(path, sizeof(path), INSTANCE "/%s", file);
	return write_file(path, "%s", value);
}

static const char *const ranged[] = {
	"invalidate_start", "invalidate_end", "age",
};

void trace_only(unsigned long start, unsigned long end)
{
	char path[96], filter[96];
	size_t i;

	snprintf(filter, sizeof(filter), "start < %#lx && end > %#lx", end,
		 start);
	for (i = 0; i < sizeof(ranged) / sizeof(*ranged); i++) {
		snprintf(path, sizeof(path), "events/my_mmu/my_mmu_%s/filter",
			 ranged[i]);
		ASSERT_EQ(set(path, start < end ? filter : "0"), 0, "filter");
	}
}

static void switch_events(const char *on)
{
	static const char *const names[] = {
		"attach", "release", "invalidate_start", "invalidate_end",
		"age", "rmap_invalidate",
	};
	char path[96];
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "events/my_mmu/my_mmu_%s/enable",
			 names[i]);
		ASSERT_EQ(set(path, on), 0, "tracepoint %s", names[i]);
	}
}

void trace_start(void)
{
	/*
	 * Names come from /proc. To collect them, the tracer would patch the
	 * scheduler in each test, which QEMU's CPUs may miss (vm/README.md).
	 * An instance takes this over from the tracer when it is made.
	 */
	if (write_file(TRACEFS "/options/record-cmd", "0"))
		skip("no tracer in " TRACEFS);
	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		skip("no trace instance (%s)", strerror(errno));
	ASSERT_EQ(set("tracing_on", "0"), 0, "the record is held");
	ASSERT_EQ(set("buffer_size_kb", "4096"), 0, "has room");
	/* This also empties it. */
	ASSERT_EQ(set("trace_clock", "counter"), 0, "and an order");
	ASSERT_EQ(set("options/stacktrace", "1"), 0, "and says by whom");
	switch_events("1");
	marker = open(INSTANCE "/trace_marker", O_WRONLY | O_CLOEXEC);
	ASSERT_GE(marker, 0, "and takes remarks");
	ASSERT_EQ(set("tracing_on", "1"), 0, "the record begins");
}

void trace_step(bool some, const char *text)
{
	static char last[128];
	char buf[128];
	int n;

	if (some && !strcmp(last, text))
		return;
	snprintf(last, sizeof(last), "%s", text);
	n = snprintf(buf, sizeof(buf), "%s%s\n", some ? MARK_SOME : MARK_STEP,
		     text);
	ASSERT_LT(n, (int)sizeof(buf), "a step has a short name");
	ASSERT_EQ(write(marker, buf, n), n, "a remark in the record");
}

void trace_stop(void)
{
	ASSERT_EQ(set("tracing_on", "0"), 0, "the record ends");
	switch_events("0");
	trace_only(0, 0);
	close(marker);
}

/* --- reading it ----------------------------------------------------------- */

#define MAX_CPUS	64
#define STACK_HEAD	"<stack trace>"

/* "  comm-pid   [cpu] flags  count: name: values", or a stack's head instead */
struct record {
	char comm[32];
	int pid;
	unsigned int cpu, preempt;
	char name[32];
	const char *values;
};

static const char *cut(char *dst, size_t size, const char *from, const char *to)
{
	size_t n = to - from;

	snprintf(dst, size, "%.*s", (int)(n < size ? n : size - 1), from);
	return to;
}

static bool parse(const char *line, struct record *r)
{
	const char *cpu = strstr(line, " ["), *flags, *dash, *p;

	if (!cpu || line[0] == '#')
		return false;
	for (dash = cpu; dash > line && *dash != '-'; dash--)
		;
	flags = strstr(cpu, "] ");
	p = flags ? strstr(flags, ": ") : NULL;
	if (!p || !(strstr(p + 2, ": ") || strstr(p, STACK_HEAD)))
		return false;
	line += strspn(line, " ");
	cut(r->comm, sizeof(r->comm), line, dash);
	r->pid = atoi(dash + 1);
	r->cpu = atoi(cpu + 2);
	r->preempt = flags[5] == '.' ? 0 : strtoul((char[]){ flags[5], 0 },
						   NULL, 16);
	p += strlen(": ");
	r->values = p + strcspn(p, ":\n");
	cut(r->name, sizeof(r->name), p, r->values);
	r->values += strspn(r->values, ": ");
	return true;
}

static const char *value_of(const char *values, const char *key)
{
	const char *p = strstr(values, key);

	return p ? p + strlen(key) : "";
}

static unsigned long hex(const char *values, const char *key)
{
	return strtoul(value_of(values, key), NULL, 16);
}

/* --- who: letters for our tasks, and for the memory that they attached ---- */

static int pids[8];
static char devs[8][32];
static char owners[8];

/* A is the test itself, B its first child to appear, ... */
static char letter(int pid)
{
	int i;

	pids[0] = getpid();
	for (i = 0; i < 7 && pids[i] && pids[i] != pid; i++)
		;
	pids[i] = pid;
	return 'A' + i;
}

/* Who has no name in the record is alive, or one of ours. */
static void look_up_comm(struct record *r)
{
	char path[32];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", r->pid);
	strcpy(r->comm, PROGRAM);
	f = fopen(path, "re");
	if (f && fgets(r->comm, sizeof(r->comm), f))
		r->comm[strcspn(r->comm, "\n")] = '\0';
	if (f)
		fclose(f);
}

static void name_task(char *task, size_t size, struct record *r)
{
	if (!strcmp(r->comm, "<...>"))
		look_up_comm(r);
	if (!strcmp(r->comm, PROGRAM) || !strcmp(r->comm, "true"))
		snprintf(task, size, "%c", letter(r->pid));
	else
		cut(task, size, r->comm,
		    r->comm + strcspn(r->comm, "/:0123456789"));
}

static char owner_of(const struct record *r)
{
	char dev[32];
	int i;

	cut(dev, sizeof(dev), value_of(r->values, "dev="),
	    strchrnul(value_of(r->values, "dev="), ' '));
	for (i = 0; i < 7 && devs[i][0] && strcmp(devs[i], dev); i++)
		;
	if (!devs[i][0]) {
		strcpy(devs[i], dev);
		owners[i] = letter(r->pid);
	}
	return owners[i];
}

/* --- what ----------------------------------------------------------------- */

static bool mark(const struct record *r, struct event *e)
{
	size_t n = strlen(MARK_STEP);
	bool some = !strncmp(r->values, MARK_SOME, n);

	e->kind = some ? STEP_SOME : STEP;
	cut(e->what, sizeof(e->what), r->values + n,
	    strchrnul(r->values + n, '\n'));
	return true;
}

static bool invalidation(const struct record *r, struct event *e)
{
	const char *what = value_of(r->values, "event=");

	e->kind = strstr(r->name, "_start") ? START : END;
	cut(e->what, sizeof(e->what), what, strchrnul(what, ' '));
	e->start = hex(r->values, "start=");
	e->end = hex(r->values, "end=");
	e->blockable = atoi(value_of(r->values, "blockable="));
	e->locked = atoi(value_of(r->values, "mmap_lock="));
	return true;
}

/* False: nothing for the table. */
static bool describe(struct record *r, struct event *e)
{
	memset(e, 0, sizeof(*e));
	if (!strcmp(r->name, "tracing_mark_write"))
		return mark(r, e);
	if (strncmp(r->name, "my_mmu_", 7))
		return false;
	e->mm = owner_of(r);
	name_task(e->task, sizeof(e->task), r);
	e->preempt = r->preempt;
	e->blockable = true;
	if (!strncmp(r->name, "my_mmu_invalidate_", 18))
		return invalidation(r, e);
	if (!strcmp(r->name, "my_mmu_age")) {
		e->kind = AGE;
		e->start = hex(r->values, "start=");
		e->end = hex(r->values, "end=");
		return true;
	}
	if (!strcmp(r->name, "my_mmu_rmap_invalidate")) {
		e->kind = RMAP;
		strcpy(e->what, "rmap");
		e->end = strtoul(value_of(r->values, "zapped="), NULL, 10);
		return true;
	}
	e->kind = RELEASE;
	strcpy(e->what, "release");
	e->end = -1ul;
	return !strcmp(r->name, "my_mmu_release");
}

/*
 * " => function": the first behind those of the notifier. The rmap chain has a
 * hook instead, which bears the name of the function that it follows; and what
 * the last detach releases, no notifier has asked for.
 */
static void add_caller(struct event *e, const char *line, bool *next)
{
	const char *name = line + strlen(" => ");
	size_t n = strcspn(name, ".\n");

	if (e->kind == RELEASE && !strncmp(name, "my_mmu_detach", n))
		strcpy(e->by, "my_mmu_detach");
	if (e->kind == RMAP && !strncmp(name, "hooked_", 7))
		snprintf(e->by, sizeof(e->by), "%.*s", (int)n - 7, name + 7);
	if (*next && !e->by[0])
		snprintf(e->by, sizeof(e->by), "%.*s", (int)n, name);
	*next = !strncmp(name, "__mmu_notifier_", 15);
	if (*next && e->kind == AGE)
		snprintf(e->what, sizeof(e->what), "%.*s", (int)n - 15,
			 name + 15);
}

/*
 * A stack follows its event on its CPU. In the file, which is in the order of
 * the clock, the events of other CPUs may be between the two.
 */
size_t trace_read(struct event *events, size_t room)
{
	struct event *last_of[MAX_CPUS] = {}, *of_stack = NULL;
	FILE *f = fopen(INSTANCE "/trace", "re");
	bool caller_next = false;
	struct record r;
	char buf[512];
	size_t n = 0;

	ASSERT_NE(f, NULL, "the record can be read");
	while (fgets(buf, sizeof(buf), f)) {
		if (!strncmp(buf, " => ", 4)) {
			if (of_stack)
				add_caller(of_stack, buf, &caller_next);
			continue;
		}
		if (!parse(buf, &r))
			continue;
		ASSERT_LT(r.cpu, MAX_CPUS, "a CPU whose events are kept apart");
		if (!strcmp(r.name, STACK_HEAD)) {
			of_stack = last_of[r.cpu];
			caller_next = false;
			continue;
		}
		ASSERT_LT(n, room, "the record is not that long");
		last_of[r.cpu] = describe(&r, &events[n]) ? &events[n++] : NULL;
	}
	fclose(f);
	return n;
}
