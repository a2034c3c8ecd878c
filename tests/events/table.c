// SPDX-License-Identifier: GPL-2.0
/*
 * table.c - from a record to the table of a scenario
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "events.h"

#define MAX_OPEN	16
#define MAX_ROWS	64

struct named events_named[MAX_NAMED];
unsigned int events_nr_named;

/* --- START and END -------------------------------------------------------- */

static bool same_side(const struct event *a, const struct event *b)
{
	return a->mm == b->mm && !strcmp(a->task, b->task);
}

static bool same_range(const struct event *a, const struct event *b)
{
	return a->start == b->start && a->end == b->end &&
	       !strcmp(a->what, b->what);
}

/* Each END belongs to the last START of its task: find those that do not. */
static void pair(struct event *events, size_t n)
{
	struct event *open[MAX_OPEN], *e;
	unsigned int nr = 0, i;

	if (!variant_can(HEARS_THE_END))
		return;
	for (e = events; e < events + n; e++) {
		for (i = 0; i < nr; i++)
			e->depth += same_side(open[i], e);
		if (e->kind == START) {
			ASSERT_LT(nr, MAX_OPEN, "not that many are open");
			open[nr++] = e;
		}
		if (e->kind != END)
			continue;
		for (i = nr; i && !same_side(open[i - 1], e); i--)
			;
		ASSERT_GT(i, 0, "an END (%s) has its START", e->what);
		ASSERT_EQ(same_range(open[i - 1], e), true,
			  "START and END of %s agree", e->what);
		memmove(&open[i - 1], &open[i],
			(nr-- - i) * sizeof(*open));
	}
	EXPECT_EQ(nr, 0, "every START (%s) has its END",
		  nr ? open[0]->what : "");
}

/* --- ranges --------------------------------------------------------------- */

static const struct named *named_of(const struct event *e)
{
	unsigned int i;

	for (i = 0; i < events_nr_named; i++)
		if (e->start < events_named[i].end &&
		    e->end > events_named[i].start)
			return &events_named[i];
	return NULL;
}

/*
 * The chain also runs for frames that were mirrored once and are something else
 * now. It follows what the same task told of the folio, so look there.
 */
static bool of_named_folio(const struct event *rmap, const struct event *first)
{
	const struct event *e;

	for (e = rmap; e > first; e--)
		if (e->kind == START && !strcmp(e->task, rmap->task))
			return named_of(e);
	return rmap->end;
}

static bool of_interest(const struct event *e, const struct event *first)
{
	switch (e->kind) {
	case END:
		return false;
	case START:
	case AGE:
		return named_of(e);
	case RMAP:
		return of_named_folio(e, first);
	default:
		return true;
	}
}

/* "p[2..5]"; with @some, "p[4 pages]". */
static void range_text(char *buf, size_t size, const struct event *e, bool some)
{
	const struct named *m = named_of(e);
	long first, last;
	char name;

	if (e->kind == RMAP) {
		snprintf(buf, size, "%lu entr%s", e->end,
			 e->end == 1 ? "y" : "ies");
		return;
	}
	if (!e->start && e->end >= -MMU_PAGE) {
		snprintf(buf, size, "everything");
		return;
	}
	name = 'p' + (m - events_named);
	first = ((long)e->start - (long)m->start) / (long)MMU_PAGE;
	last = ((long)e->end - 1 - (long)m->start) / (long)MMU_PAGE;
	if (e->start == m->start && e->end == m->end)
		snprintf(buf, size, "%c", name);
	else if (some)
		snprintf(buf, size, "%c[%ld page%s]", name, last - first + 1,
			 last > first ? "s" : "");
	else if (first == last)
		snprintf(buf, size, "%c[%ld]", name, first);
	else
		snprintf(buf, size, "%c[%ld..%ld]", name, first, last);
}

/* --- rows ----------------------------------------------------------------- */

/*
 * A kernel that may be preempted counts who forbids it. Another one (arm64's)
 * does not, and what is under a spinlock looks like everything else.
 */
bool preemption_is_counted(void)
{
	struct utsname u;

	uname(&u);
	return strstr(u.version, "PREEMPT");
}

static const char *may_sleep(const struct event *e)
{
	if (e->kind == AGE && !preemption_is_counted())
		return "?";
	if (!e->preempt)
		return e->blockable ? "yes" : "no";
	return e->kind == AGE ? "no" : "ATOMIC";
}

struct rows {
	char text[MAX_ROWS][256];
	unsigned int count[MAX_ROWS];
	unsigned int nr;
};

static void row_text(char *buf, size_t size, const struct event *e, bool some)
{
	char what[112], range[40];

	snprintf(what, sizeof(what), "%.*s%s", (int)e->depth * 2, "> > > > ",
		 e->what);
	range_text(range, sizeof(range), e, some);
	snprintf(buf, size, "%-4c%-22s%-14s%-7s%-6s%-11s%s", e->mm, what,
		 range, may_sleep(e),
		 e->kind != START ? "-" : e->locked ? "held" : "free", e->task,
		 e->by);
}

/* The row of @text, or rows->nr. */
static unsigned int find_row(const struct rows *rows, unsigned int from,
			     const char *text)
{
	unsigned int i = from;

	while (i < rows->nr && strcmp(rows->text[i], text))
		i++;
	return i;
}

static bool has_row(const struct rows *rows, const struct event *e)
{
	char text[sizeof(*rows->text)];

	row_text(text, sizeof(text), e, true);
	return find_row(rows, 0, text) < rows->nr;
}

/* Equal rows are one: with @some wherever they are, else if they follow. */
static void add_row(struct rows *rows, const struct event *e, bool some)
{
	char text[sizeof(*rows->text)];
	unsigned int i;

	row_text(text, sizeof(text), e, some);
	i = find_row(rows, some || !rows->nr ? 0 : rows->nr - 1, text);
	ASSERT_LT(i, MAX_ROWS, "a step with fewer different events");
	if (i == rows->nr) {
		strcpy(rows->text[i], text);
		rows->count[i] = 0;
		rows->nr++;
	}
	rows->count[i]++;
}

/*
 * Where the kernel chooses the pages it works for a while, and another thread,
 * one that ages the pages say, may hold the mmap_lock meanwhile. So one event
 * that came while nobody held it says that its caller does not need it: those
 * first, and then of the others only what never came like that.
 */
static void add_rows_of_some(struct rows *rows, const struct event *first,
			     const struct event *end)
{
	const struct event *e;

	for (e = first + 1; e < end; e++)
		if (!e->locked && of_interest(e, first))
			add_row(rows, e, true);
	for (e = first + 1; e < end; e++) {
		struct event free = *e;

		free.locked = false;
		if (e->locked && of_interest(e, first))
			add_row(rows, has_row(rows, &free) ? &free : e, true);
	}
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void add(char *buf, size_t size, const char *text)
{
	ASSERT_LT(strlen(buf) + strlen(text), size, "room for the table");
	strcat(buf, text);
}

static void write_rows(char *buf, size_t size, struct rows *rows, bool some)
{
	char line[320], count[16];
	unsigned int i;

	if (some)
		qsort(rows->text, rows->nr, sizeof(*rows->text), by_text);
	for (i = 0; i < rows->nr; i++) {
		snprintf(count, sizeof(count), "%u", rows->count[i]);
		snprintf(line, sizeof(line), "  %-5s%s\n",
			 some ? "1+" : rows->count[i] > 1 ? count : "",
			 rows->text[i]);
		add(buf, size, line);
	}
	if (!rows->nr)
		add(buf, size, "       nothing\n");
}

/* All up to the next step; returns where that is. */
static struct event *add_step(char *buf, size_t size, struct event *e,
			      const struct event *end)
{
	const struct event *first = e;
	bool some = e->kind == STEP_SOME;
	static struct rows rows;

	add(buf, size, e->what);
	add(buf, size, "\n");
	rows.nr = 0;
	for (e++; e < end && e->kind > STEP_SOME; e++)
		if (!some && of_interest(e, first))
			add_row(&rows, e, false);
	if (some)
		add_rows_of_some(&rows, first, e);
	write_rows(buf, size, &rows, some);
	return e;
}

void table_write(char *buf, size_t size, struct event *events, size_t n)
{
	struct event *e = events, *end = events + n;

	buf[0] = '\0';
	pair(events, n);
	while (e < end && e->kind > STEP_SOME)
		e++;
	while (e < end)
		e = add_step(buf, size, e, end);
}
