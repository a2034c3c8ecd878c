// SPDX-License-Identifier: GPL-2.0
/*
 * golden.c - the tables that are right, and how another one differs
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "events.h"

#define MAX_LINES	200
#define MADE_ON		"# Linux: "	/* in the head of each file */
#define SLEEP_COLUMN	47	/* as row_text() has it */
#define MMAP_LOCK_COLUMN	54
#define BY_COLUMN	71

/* The files are part of the program: the guest needs nothing else. */
#define GOLDEN(symbol, file)						\
	asm(".pushsection .rodata\n"					\
	    ".global " #symbol "\n"					\
	    #symbol ": .incbin \"" file "\"\n"				\
	    ".byte 0\n"							\
	    ".popsection\n")

GOLDEN(golden_6_1, "events/6.1.events");
GOLDEN(golden_6_12, "events/6.12.events");
GOLDEN(golden_7_3, "events/7.3.events");
/* Only what differs on arm64. */
GOLDEN(golden_6_1_arm64, "events/6.1-arm64.events");

static const struct {
	const char *series;
	const char *file;
} golden[] = {
	{ "6.1.", golden_6_1 },
	{ "6.12.", golden_6_12 },
	{ "7.3.", golden_7_3 },
};

static const char *file_of(const char *release)
{
	size_t i;

	for (i = 0; i < sizeof(golden) / sizeof(*golden); i++)
		if (!strncmp(release, golden[i].series,
			     strlen(golden[i].series)))
			return golden[i].file;
	return NULL;
}

static const char *section(const char *file, const char *scenario)
{
	char title[64];
	const char *p;

	snprintf(title, sizeof(title), "\n== %s\n", scenario);
	p = strstr(file, title);
	return p ? p + strlen(title) : NULL;
}

/* Up to the empty line, or the end. */
static const char *copy_section(const char *from)
{
	static char buf[MAX_TABLE];
	const char *end = strstr(from, "\n\n");

	snprintf(buf, sizeof(buf), "%.*s",
		 end ? (int)(end + 1 - from) : (int)strlen(from), from);
	return buf;
}

const char *golden_of(const char *scenario, char *release, size_t size)
{
	const char *file, *found, *made_on;
	struct utsname u;

	uname(&u);
	file = file_of(u.release);
	if (file == golden_6_1 && !strcmp(u.machine, "aarch64") &&
	    section(golden_6_1_arm64, scenario))
		file = golden_6_1_arm64;
	if (!file)
		skip("no table for kernel %s: see tests/update-events",
		     u.release);
	made_on = strstr(file, MADE_ON) + strlen(MADE_ON);
	snprintf(release, size, "%.*s", (int)strcspn(made_on, "\n"), made_on);
	found = section(file, scenario);
	return found ? copy_section(found) : NULL;
}

/* --- a unified diff ------------------------------------------------------- */

struct lines {
	char *line[MAX_LINES];
	int nr;
};

/* What this kernel cannot tell is taken to be as it should. */
static void forget_unknown(char *line)
{
	if (!preemption_is_counted() && strstr(line, " clear_") &&
	    strlen(line) > MMAP_LOCK_COLUMN)
		memset(line + SLEEP_COLUMN, ' ',
		       MMAP_LOCK_COLUMN - SLEEP_COLUMN);
}

/* Functions are inlined as the compiler likes: without @with_by, no names. */
static void split(struct lines *l, const char *text, bool with_by)
{
	char *copy = strdup(text), *line, *state = NULL, *end;

	l->nr = 0;
	for (line = strtok_r(copy, "\n", &state); line;
	     line = strtok_r(NULL, "\n", &state)) {
		if (!with_by && line[0] == ' ' && strlen(line) > BY_COLUMN)
			line[BY_COLUMN] = '\0';
		forget_unknown(line);
		for (end = line + strlen(line); end > line && end[-1] == ' ';)
			*--end = '\0';
		ASSERT_LT(l->nr, MAX_LINES, "a table of fewer lines");
		l->line[l->nr++] = line;
	}
}

static void show(char sign, const char *line)
{
	note("  %c%s", sign, line);
}

/* Lengths of longest common subsequences of the tails. */
static unsigned char tails[MAX_LINES + 1][MAX_LINES + 1];

static void measure(const struct lines *a, const struct lines *b)
{
	unsigned char skip_a, skip_b;
	int i, j;

	memset(tails, 0, sizeof(tails));
	for (i = a->nr - 1; i >= 0; i--) {
		for (j = b->nr - 1; j >= 0; j--) {
			skip_a = tails[i + 1][j];
			skip_b = tails[i][j + 1];
			tails[i][j] = skip_a > skip_b ? skip_a : skip_b;
			if (!strcmp(a->line[i], b->line[j]))
				tails[i][j] = tails[i + 1][j + 1] + 1;
		}
	}
}

bool golden_differs(const char *want, const char *seen, bool with_by)
{
	static struct lines a, b;
	int i = 0, j = 0;

	split(&a, want, with_by);
	split(&b, seen, with_by);
	measure(&a, &b);
	if (tails[0][0] == a.nr && a.nr == b.nr)
		return false;
	note("--- as in tests/events");
	note("+++ as seen");
	while (i < a.nr || j < b.nr) {
		if (i < a.nr && j < b.nr && !strcmp(a.line[i], b.line[j])) {
			show(' ', a.line[i++]);
			j++;
		} else if (j == b.nr ||
			   (i < a.nr && tails[i + 1][j] >= tails[i][j + 1])) {
			show('-', a.line[i++]);
		} else {
			show('+', b.line[j++]);
		}
	}
	return true;
}

/* --- of a variant that is not told of everything -------------------------- */

#define WHAT_COLUMN	11
#define PAGES_COLUMN	33

static bool is_row(const char *line)
{
	return line[0] == ' ';
}

/* Without what follows from being told of all: how often, and inside what. */
static void bare(char *buf, size_t size, const char *line)
{
	const char *what = line + WHAT_COLUMN;

	if (strlen(line) < PAGES_COLUMN) {
		snprintf(buf, size, "nothing");
		return;
	}
	while (!strncmp(what, "> ", 2))
		what += 2;
	snprintf(buf, size, "%c %.*s %s", line[WHAT_COLUMN - 4],
		 (int)strcspn(what, " "), what, line + PAGES_COLUMN);
}

/* Is there a row like @line in the step that begins behind @i? */
static bool step_has(const struct lines *l, int i, const char *line)
{
	char want[256], row[256];

	bare(want, sizeof(want), line);
	if (!strcmp(want, "nothing"))
		return true;
	while (++i < l->nr && is_row(l->line[i])) {
		bare(row, sizeof(row), l->line[i]);
		if (!strcmp(row, want))
			return true;
	}
	return false;
}

static int next_step(const struct lines *l, int i)
{
	while (++i < l->nr && is_row(l->line[i]))
		;
	return i;
}

bool golden_lacks(const char *want, const char *seen, bool with_by)
{
	static struct lines a, b;
	bool lacks = false;
	int i = -1, j;

	split(&a, want, with_by);
	split(&b, seen, with_by);
	for (j = 0; j < b.nr; j++) {
		if (!is_row(b.line[j])) {
			i = next_step(&a, i);
			ASSERT_LT(i, a.nr, "tests/events has the step %s",
				  b.line[j]);
		}
		if (is_row(b.line[j]) ? step_has(&a, i, b.line[j]) :
					!strcmp(a.line[i], b.line[j]))
			continue;
		note("not in tests/events, in the step \"%s\":", a.line[i]);
		show('+', b.line[j]);
		lacks = true;
	}
	return lacks;
}
