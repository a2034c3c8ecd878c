/* SPDX-License-Identifier: GPL-2.0 */
/*
 * events.h - which notifier events arrive, compared with a golden file
 *
 * A scenario does something to memory that is mirrored, in steps. What the
 * external MMU is told in each step is read from the project's tracepoints,
 * written as a table, and compared with this kernel's, 6.12.events say:
 *
 *	SCENARIO(munmap, 10)
 *	{
 *		int fd = recorded();
 *		char *p = mirrored(fd, map_private(N), N);
 *
 *		step("munmap of pages 2 to 5");
 *		munmap(p + 2 * MMU_PAGE, 4 * MMU_PAGE);
 *		recorded_all();
 *		...
 *	}
 *
 * is the test event_munmap. README.md says what the columns are.
 */
#ifndef TESTS_EVENTS_EVENTS_H
#define TESTS_EVENTS_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>

#include "common.h"

#define SCENARIO(id, limit)						\
	static void scenario_##id(void);				\
	TEST(event_##id, limit)						\
	{								\
		events_scenario(#id);					\
		scenario_##id();					\
		events_compare();					\
	}								\
	static void scenario_##id(void)

/* Called by SCENARIO(). */
void events_scenario(const char *name);
void events_compare(void);

/* attached(), and from now on the kernel keeps a record. */
int recorded(void);
/* Keep a record, for scenarios in which only children attach; or begin anew. */
void record(void);

/*
 * Addresses are written relative to the mappings that were named here, p, q,
 * r in this order; events that touch none of them are left out.
 */
void name_range(const char *p, size_t pages);

/* What follows, up to the next step, is a section of the table. */
/* Equal events that follow each other are one line, and a number in front. */
void step(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/*
 * A step in which the kernel chooses the pages, or how often: each kind of
 * event is listed once, as "1+", without page numbers, in alphabetical order.
 * Once more with the same text: another attempt at the same step.
 */
void step_some(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * The kernel is about to tell of thousands of pages: record those that touch
 * the last range with a name, and no others.
 */
void record_only_named(void);

/* The record ends; what follows is none of its business. */
void recorded_all(void);

/* This kernel cannot do it: the table must say so, too; ends the test. */
void cannot(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));

#define RW	(PROT_READ | PROT_WRITE)

static inline char *at(char *p, size_t page)
{
	return p + page * MMU_PAGE;
}

/* --- before and after ----------------------------------------------------- */

/*
 * Name the range, stamp it with generation 1, mirror it: even pages for
 * reading, odd ones for writing. Returns @p.
 */
char *mirrored(int fd, char *p, size_t pages);

/*
 * The device, asked page by page, sees what the CPU sees, byte for byte, or
 * gets -EFAULT where the CPU cannot read; VERIFY is content before and after.
 */
#define agree(fd, p, n) (HERE(), agree_(fd, p, n))
void agree_(int fd, const char *p, size_t pages);

/* The same; then each side writes and the other reads. */
#define agree_and_write(fd, p, n) (HERE(), agree_and_write_(fd, p, n))
void agree_and_write_(int fd, char *p, size_t pages);

/* --- between the parts of the framework ----------------------------------- */

enum kind { STEP, STEP_SOME, START, END, AGE, RMAP, RELEASE };

struct event {
	enum kind kind;
	char mm;		/* 'A', 'B': whose external MMU */
	char task[16];		/* 'A', 'B', or a kernel thread's name */
	char what[96];		/* UNMAP ...; or the text of a step */
	unsigned long start, end;	/* RMAP: @end entries were dropped */
	bool blockable, locked;
	unsigned int preempt;	/* depth of preempt_disable() */
	unsigned int depth;	/* inside so many unfinished invalidations */
	char by[48];
};

struct named {
	unsigned long start, end;
};

#define MAX_EVENTS	16384
#define MAX_NAMED	8
#define MAX_TABLE	65536

extern struct named events_named[MAX_NAMED];
extern unsigned int events_nr_named;

/* trace.c */
void trace_start(void);
void trace_only(unsigned long start, unsigned long end);
void trace_step(bool some, const char *text);
void trace_stop(void);
size_t trace_read(struct event *events, size_t room);

/* table.c */
void table_write(char *buf, size_t size, struct event *events, size_t n);

/* golden.c */
extern const char golden_6_1[], golden_6_1_arm64[], golden_6_12[];
extern const char golden_7_3[];
/* This scenario's table, or NULL; *@release: the kernel it was made on. */
const char *golden_of(const char *scenario, char *release, size_t size);
/* Print how @seen differs from @want; false if it does not. */
/* Else nobody knows whether aging was told under a spinlock. */
bool preemption_is_counted(void);
bool golden_differs(const char *want, const char *seen, bool with_by);
/* Print what is in @seen, not in @want, step by step; false if nothing is. */
bool golden_lacks(const char *want, const char *seen, bool with_by);

#endif /* TESTS_EVENTS_EVENTS_H */
