// SPDX-License-Identifier: GPL-2.0
/*
 * harness-check.c - what a test calls: checks, notes, skip
 *
 * Every line leaves in one write(), so that what several processes of a test
 * print is mixed by lines only. Nothing is buffered: when a test takes the
 * machine down, the last line on the console names it.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"
#include "harness-internal.h"

const char *line_indent = "";
struct shared *shared;

static __thread const char *here_file;
static __thread int here_line;

static void vline(const char *prefix, const char *fmt, va_list ap)
{
	char buf[1024];
	int room = sizeof(buf) - 1;
	int n;

	n = snprintf(buf, room, "%s%s", line_indent, prefix);
	n += vsnprintf(buf + n, room - n, fmt, ap);
	if (n >= room)
		n = room - 1;
	buf[n++] = '\n';
	if (write(STDOUT_FILENO, buf, n) < 0)
		abort();
}

void line(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vline("", fmt, ap);
	va_end(ap);
}

void note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vline("# ", fmt, ap);
	va_end(ap);
}

/*
 * The leader may be waiting for whoever skips, or be about to check how that
 * one ends: it must be gone before. The group's other processes go with it.
 */
void skip(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!__atomic_exchange_n(&shared->skipped, true, __ATOMIC_RELAXED))
		vsnprintf(shared->skip_reason, sizeof(shared->skip_reason),
			  fmt, ap);
	va_end(ap);
	if (getpid() != shared->leader)
		kill(shared->leader, SIGKILL);
	_exit(EXIT_SKIP);
}

void harness_here(const char *file, int lineno)
{
	here_file = file;
	here_line = lineno;
}

int harness_marker = -1;

void harness_mark(const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	if (harness_marker < 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(text))
		n = sizeof(text) - 1;
	/* Without it a picture lacks a line, and no test fails. */
	if (write(harness_marker, text, n) < 0)
		harness_marker = -1;
}

bool harness_failed(void)
{
	return __atomic_load_n(&shared->failures, __ATOMIC_RELAXED);
}

/* "-14 (EFAULT)" tells more than "-14". */
static const char *value_text(char *buf, size_t size, long long v)
{
	const char *name = NULL;

	if (v < 0 && v > -4096)
		name = strerrorname_np(-v);
	if (name)
		snprintf(buf, size, "%lld (-%s)", v, name);
	else if (v > 0xffff || v < -0xffff)
		snprintf(buf, size, "%#llx", v);
	else
		snprintf(buf, size, "%lld", v);
	return buf;
}

void harness_check(bool good, const struct check *c, const char *fmt, ...)
{
	char seen[48], want[48], caller[80] = "", text[512];
	unsigned int nr;
	va_list ap;

	nr = __atomic_add_fetch(&shared->checks, 1, __ATOMIC_RELAXED);
	if (good && nr != shared->turned)
		return;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Only a helper, in another file, was called from there. */
	if (here_file && strcmp(here_file, c->file))
		snprintf(caller, sizeof(caller), " (from %s:%d)", here_file,
			 here_line);
	note("%s:%d%s: failed: %s", c->file, c->line, caller, text);
	note("    %s is %s, should be %s %s", c->seen_text,
	     value_text(seen, sizeof(seen), c->seen), c->op,
	     value_text(want, sizeof(want), c->want));

	harness_mark("%s:%d failed: %s", c->file, c->line, text);
	if (!__atomic_fetch_add(&shared->failures, 1, __ATOMIC_RELAXED))
		shared->not_reached = c->not_reached;
	if (c->fatal)
		_exit(EXIT_FAILURE);
}
