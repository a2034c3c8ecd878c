/* SPDX-License-Identifier: GPL-2.0 */
/*
 * harness.h - tests in processes of their own, results as KTAP
 *
 * A test is a function that checks things:
 *
 *	TEST(g3_munmap_drops_entries, 10)
 *	{
 *		...
 *		EXPECT_EQ(mmu_populate(fd, p, len, 0), 0, "populate works");
 *	}
 *
 * It runs once per variant (test_variant names it), in a child process that
 * leads a process group. 10 is its time limit in seconds: when that is over
 * the whole group is killed, the test has failed, and the run goes on. A test
 * also fails when its process dies from a signal, ends before the end of the
 * function, or checks nothing.
 *
 * EXPECT_xx() notes a failure and goes on; ASSERT_xx() ends the process that
 * calls it. Both may be used in children and threads of the test: failures
 * are counted in memory that all of them share. skip() ends the whole test
 * from there as well; a failure that was noted before stays one.
 */
#ifndef TESTS_HARNESS_H
#define TESTS_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the running test is to use; set before it starts. */
extern const char *test_variant;
extern unsigned int test_mode;		/* 1 in the second run, see below */
extern const char *test_disk;		/* a file system, for disk.h */
/* For tests of chance: 0, or what the user asks for. */
extern uint64_t test_seed;		/* to do as it was done then */
extern unsigned int test_seconds;	/* how long to go on */

struct test {
	const char *name;
	const char *group;	/* NULL: once in every variant's group */
	unsigned int timeout_s;
	unsigned int mode;
	const char *disk;
	void (*run)(void);
	unsigned int nr;	/* how many stand before it */
	struct test *next;
};

void harness_register(struct test *t);

#define HARNESS_TEST_ON(fn, id, label, grp, limit, md, fs)		\
	static struct test harness_##id = {				\
		.name = label, .group = grp, .timeout_s = limit,	\
		.mode = md, .disk = fs, .run = fn,			\
	};								\
	static void __attribute__((constructor)) harness_add_##id(void)	\
	{								\
		harness_register(&harness_##id);			\
	}

#define HARNESS_TEST(fn, id, label, grp, limit, md)			\
	HARNESS_TEST_ON(fn, id, label, grp, limit, md, "ext4")

/* One test, in every variant. */
#define TEST(fn, limit)							\
	static void fn(void);						\
	HARNESS_TEST(fn, fn, #fn, NULL, limit, 0)			\
	static void fn(void)

/* One function, two tests: with test_mode 0, and "..._rmap_only" with 1. */
#define TEST_BOTH_MODES(fn, limit)					\
	static void fn(void);						\
	HARNESS_TEST(fn, fn, #fn, NULL, limit, 0)			\
	HARNESS_TEST(fn, fn##_1, #fn "_rmap_only", NULL, limit, 1)	\
	static void fn(void)

/* Likewise on each file system of disk.h: "..._on_xfs_rmap_only" and so on. */
#define TEST_ON_DISKS(fn, lim)						\
	static void fn(void);						\
	HARNESS_TEST_ON(fn, fn, #fn, NULL, lim, 0, "ext4")		\
	HARNESS_TEST_ON(fn, fn##_1, #fn "_rmap_only", NULL, lim, 1, "ext4") \
	HARNESS_TEST_ON(fn, fn##_x, #fn "_on_xfs", NULL, lim, 0, "xfs")	\
	HARNESS_TEST_ON(fn, fn##_x1, #fn "_on_xfs_rmap_only", NULL, lim, 1, \
			"xfs")						\
	HARNESS_TEST_ON(fn, fn##_b, #fn "_on_btrfs", NULL, lim, 0, "btrfs") \
	HARNESS_TEST_ON(fn, fn##_b1, #fn "_on_btrfs_rmap_only", NULL, lim, 1, \
			"btrfs")					\
	static void fn(void)

/* One test outside the variants, in a group of its own. */
#define TEST_ONCE(grp, fn, limit)					\
	static void fn(void);						\
	HARNESS_TEST(fn, fn, #fn, grp, limit, 0)			\
	static void fn(void)

/* What the program at hand adds to the harness; all but @groups optional. */
struct harness_ops {
	const char *const *groups;	/* variants and others; NULL ends */
	void (*before)(void);		/* before each test, in the parent */
	void (*failed)(void);		/* after one that failed: see after */
	bool (*trace)(void);		/* once, to have traces (-T) */
	/* When the test is over, before what is left of it is killed. */
	void (*let_go)(void);
	/* After each test, in the parent; false fails it. Uses note(). */
	bool (*after)(const char *group, const char *test);
};

int harness_main(int argc, char **argv, const struct harness_ops *ops);

/* What time limits and deadlines are multiplied by on a slow kernel (-x) */
extern unsigned int harness_time_factor;
extern unsigned int harness_deadline_s;	/* -D */

/*
 * How long to wait for another task that must come: shorter than the time after
 * which a parked task goes on by itself (MY_MMU_PARK_MAX_S)
 */
#define DEADLINE_S	(harness_deadline_s * harness_time_factor)

/* How much of something a test takes: a quarter where all takes longer. */
static inline size_t scaled(size_t n)
{
	return harness_time_factor > 1 ? n / 4 : n;
}

/* A diagnostic line: "# ...". */
void note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Ends the test as skipped, whichever of its processes calls it. */
void skip(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/* Into the trace of the test, if one is kept (-T). */
extern int harness_marker;
void harness_mark(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * For helpers that check on behalf of a test: HERE() remembers the line of
 * the test, and failures inside the helper name it, too.
 */
void harness_here(const char *file, int line);
#define HERE() harness_here(__FILE__, __LINE__)

struct check {
	const char *file;
	int line;
	bool fatal;
	const char *not_reached;	/* if this fails: see below */
	const char *seen_text;
	const char *op;
	const char *want_text;
	long long seen;
	long long want;
};

void harness_check(bool good, const struct check *c, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#define HARNESS_CHECK(stop, seen_, op_, want_, ...)			\
	HARNESS_CHECK_REACHED(stop, NULL, seen_, op_, want_, __VA_ARGS__)

#define HARNESS_CHECK_REACHED(stop, missed, seen_, op_, want_, ...)	\
	do {								\
		struct check c_ = {					\
			.file = __FILE__, .line = __LINE__,		\
			.fatal = stop, .not_reached = missed,		\
			.op = #op_,					\
			.seen_text = #seen_, .want_text = #want_,	\
			.seen = (long long)(seen_),			\
			.want = (long long)(want_),			\
		};							\
		harness_check(c_.seen op_ c_.want, &c_, __VA_ARGS__);	\
	} while (0)

/* Each takes what was seen, what is wanted, and a sentence (printf style). */
#define EXPECT_EQ(s, w, ...) HARNESS_CHECK(false, s, ==, w, __VA_ARGS__)
#define EXPECT_NE(s, w, ...) HARNESS_CHECK(false, s, !=, w, __VA_ARGS__)
#define EXPECT_GE(s, w, ...) HARNESS_CHECK(false, s, >=, w, __VA_ARGS__)
#define EXPECT_GT(s, w, ...) HARNESS_CHECK(false, s, >, w, __VA_ARGS__)
#define EXPECT_LE(s, w, ...) HARNESS_CHECK(false, s, <=, w, __VA_ARGS__)
#define EXPECT_LT(s, w, ...) HARNESS_CHECK(false, s, <, w, __VA_ARGS__)
#define ASSERT_EQ(s, w, ...) HARNESS_CHECK(true, s, ==, w, __VA_ARGS__)
#define ASSERT_NE(s, w, ...) HARNESS_CHECK(true, s, !=, w, __VA_ARGS__)
#define ASSERT_GE(s, w, ...) HARNESS_CHECK(true, s, >=, w, __VA_ARGS__)
#define ASSERT_GT(s, w, ...) HARNESS_CHECK(true, s, >, w, __VA_ARGS__)
#define ASSERT_LE(s, w, ...) HARNESS_CHECK(true, s, <=, w, __VA_ARGS__)
#define ASSERT_LT(s, w, ...) HARNESS_CHECK(true, s, <, w, __VA_ARGS__)

/*
 * The interleaving that a race is about has not come about, if this fails, and
 * so nothing is known of the guarantee: for lack of @missed. If no other check
 * has failed before, the verdict says NOT-REACHED.
 */
#define REACH_EQ(missed, s, w, ...) \
	HARNESS_CHECK_REACHED(true, missed, s, ==, w, __VA_ARGS__)
#define REACH_GE(missed, s, w, ...) \
	HARNESS_CHECK_REACHED(true, missed, s, >=, w, __VA_ARGS__)
#define REACH_GT(missed, s, w, ...) \
	HARNESS_CHECK_REACHED(true, missed, s, >, w, __VA_ARGS__)

/* What can be missed: a test point that no task comes to, a task that waits */
#define MISSED_POINT	"point"
#define MISSED_WAIT	"wait"

/* Has this test failed already, in whichever process? */
bool harness_failed(void);

/* harness-hang.c: what the tasks of process group @pgid are waiting for */
void harness_show_group(int pgid);

#endif /* TESTS_HARNESS_H */
