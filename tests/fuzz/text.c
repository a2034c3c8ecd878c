// SPDX-License-Identifier: GPL-2.0
/*
 * text.c - a sequence as text: one call per line
 *
 *	serial
 *	0.0 open slot=0 flags=2
 *	1.2 populate slot=0 addr=r3+0x2000 len=0x1000 flags=1 batch=0 place=0
 *
 * "1.2" is thread 2 of process 1; "r3" is region 3. "fail=4" makes the fourth
 * allocation of the call fail.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static uint64_t region_start(unsigned int region)
{
	return REGION_BASE + region * REGION_STRIDE;
}

static int print_arg(char *buf, size_t size, const char *name, uint64_t value)
{
	uint64_t region = (value - REGION_BASE) / REGION_STRIDE;
	uint64_t offset = (value - REGION_BASE) % REGION_STRIDE;

	if (value >= REGION_BASE && region < REGIONS && offset < MMU_HUGE)
		return snprintf(buf, size, " %s=r%d+%#llx", name, (int)region,
				(unsigned long long)offset);
	return snprintf(buf, size, value < 10 ? " %s=%llu" : " %s=%#llx", name,
			(unsigned long long)value);
}

void print_call(char *buf, size_t size, const struct call *c)
{
	const struct op *op = &ops[c->op];
	size_t at;
	int i;

	at = snprintf(buf, size, "%u.%u %s", c->proc, c->thread, op->name);
	if (!op->no_slot)
		at += snprintf(buf + at, size - at, " slot=%u", c->slot);
	for (i = 0; i < ARGS && op->arg[i]; i++)
		at += print_arg(buf + at, size - at, op->arg[i], c->arg[i]);
	if (c->fail)
		snprintf(buf + at, size - at, " fail=%u", c->fail);
}

void print_sequence(FILE *f, const struct sequence *s)
{
	char buf[256];
	unsigned int i;

	fprintf(f, "%s\n", s->serial ? "serial" : "parallel");
	for (i = 0; i < s->n; i++) {
		print_call(buf, sizeof(buf), &s->call[i]);
		fprintf(f, "%s\n", buf);
	}
}

static uint64_t parse_value(const char *text)
{
	unsigned int region;
	unsigned long long offset;

	if (sscanf(text, "r%u+%llx", &region, &offset) == 2)
		return region_start(region) + offset;
	return strtoull(text, NULL, 0);
}

static bool parse_arg(struct call *c, const char *name, const char *value)
{
	const struct op *op = &ops[c->op];
	int i;

	if (!strcmp(name, "slot")) {
		c->slot = parse_value(value) % SLOTS;
		return true;
	}
	if (!strcmp(name, "fail")) {
		c->fail = parse_value(value);
		return true;
	}
	for (i = 0; i < ARGS && op->arg[i]; i++) {
		if (!strcmp(name, op->arg[i])) {
			c->arg[i] = parse_value(value);
			return true;
		}
	}
	return false;
}

static bool parse_call(char *text, struct call *c)
{
	char name[32], *word, *value;
	unsigned int proc, thread;
	int skip = 0;

	if (sscanf(text, "%u.%u %31s%n", &proc, &thread, name, &skip) < 3 ||
	    proc >= PROCS || thread >= THREADS || op_named(name) >= nr_ops)
		return false;
	*c = (struct call){
		.proc = proc, .thread = thread, .op = op_named(name)
	};
	for (word = strtok(text + skip, " "); word; word = strtok(NULL, " ")) {
		value = strchr(word, '=');
		if (!value)
			return false;
		*value++ = '\0';
		if (!parse_arg(c, word, value))
			return false;
	}
	return true;
}

bool parse_sequence(FILE *f, struct sequence *s)
{
	char text[512];

	memset(s, 0, sizeof(*s));
	while (fgets(text, sizeof(text), f)) {
		text[strcspn(text, "\n")] = '\0';
		if (!text[0] || text[0] == '#')
			continue;
		if (!strcmp(text, "serial") || !strcmp(text, "parallel")) {
			s->serial = text[0] == 's';
			continue;
		}
		if (s->n == CALLS_MAX ||
		    !parse_call(text, &s->call[s->n++])) {
			fprintf(stderr, "cannot read this call: %s\n", text);
			return false;
		}
	}
	return s->n;
}
