// SPDX-License-Identifier: GPL-2.0
/*
 * harness-selftest.c - tests with known ends, to test the harness with
 *
 * Needs no device. harness-selftest.sh runs it and compares what comes out
 * with harness-selftest.expected.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

TEST(pass_plain, 5)
{
	EXPECT_EQ(1 + 1, 2, "arithmetic holds");
}

TEST(pass_leaves_child_behind, 5)
{
	EXPECT_EQ(0, 0, "a check");
	if (!fork())
		pause();
}

TEST(skip_with_reason, 5)
{
	skip("no such feature in %s", test_variant);
}

/* The parent fails if it learns how the child has ended. */
TEST(skip_in_child, 5)
{
	int status;

	if (!fork())
		skip("said by the child");
	wait(&status);
	EXPECT_EQ(status, 0, "the parent goes on");
}

/* Nobody waits for this one; the parent would for ever. */
TEST(skip_in_grandchild, 5)
{
	EXPECT_EQ(0, 0, "a check");
	if (!fork()) {
		if (!fork())
			skip("said by the grandchild");
		pause();
	}
	pause();
}

static void *skip_in_thread_of_child(void *unused)
{
	skip("said by the child's thread");
	return unused;
}

TEST(skip_in_thread, 5)
{
	pthread_t thread;

	if (!fork())
		pthread_create(&thread, NULL, skip_in_thread_of_child, NULL);
	pause();
}

TEST(fail_expect_goes_on, 5)
{
	EXPECT_EQ(-14, 0, "first sentence");
	EXPECT_GE(1, 2, "second sentence");
}

TEST(fail_assert_stops, 5)
{
	ASSERT_EQ(1, 2, "the only sentence");
	EXPECT_EQ(3, 4, "never printed");
}

TEST(fail_in_grandchild, 5)
{
	if (!fork()) {
		EXPECT_EQ(1, 2, "said by the grandchild");
		_exit(0);
	}
	wait(NULL);
}

static void *assert_in_thread(void *unused)
{
	ASSERT_EQ(1, 2, "said by the thread");
	return unused;
}

TEST(fail_in_thread, 5)
{
	pthread_t thread;

	pthread_create(&thread, NULL, assert_in_thread, NULL);
	pthread_join(thread, NULL);
}

TEST(fail_before_skip, 5)
{
	EXPECT_EQ(1, 2, "a failure is not hidden by a skip");
	skip("too late");
}

TEST(fail_before_skip_in_child, 5)
{
	EXPECT_EQ(1, 2, "a failure is not hidden by a child's skip");
	if (!fork())
		skip("too late");
	pause();
}

/* skip() is one way to be killed, and no excuse for the others. */
TEST(fail_killed, 5)
{
	raise(SIGKILL);
}

TEST(fail_crash, 5)
{
	raise(SIGSEGV);
}

TEST(fail_exit_early, 5)
{
	EXPECT_EQ(0, 0, "a check");
	_exit(0);
}

TEST(fail_checks_nothing, 5)
{
}

/* Deaf to everything but SIGKILL, as is the child it leaves behind. */
TEST(fail_hang, 1)
{
	prctl(PR_SET_NAME, "hanger");
	signal(SIGTERM, SIG_IGN);
	fork();
	for (;;)
		pause();
}

TEST(fail_not_reached, 5)
{
	EXPECT_EQ(0, 0, "a check that passes");
	REACH_GE(MISSED_POINT, 0, 1, "a task comes to a place");
}

/* What failed before is not excused by what was not reached then. */
TEST(fail_before_not_reached, 5)
{
	EXPECT_EQ(1, 2, "a guarantee is kept");
	REACH_EQ(MISSED_WAIT, 0, 1, "a task waits");
}

TEST(fail_leak, 5)
{
	EXPECT_EQ(0, 0, "the test itself is content");
}

TEST_BOTH_MODES(pass_modes, 5)
{
	EXPECT_LE(test_mode, 1, "a mode is 0 or 1");
}

TEST_ONCE("once", pass_once, 5)
{
	EXPECT_EQ(test_variant[0], 'o', "the group's name is passed on");
}

/* Stands for "something was left behind" after one certain test. */
static bool after(const char *group, const char *test)
{
	if (strcmp(group, "variant") || strcmp(test, "fail_leak"))
		return true;
	note("left behind: 1 thing");
	return false;
}

int main(int argc, char **argv)
{
	static const char *const groups[] = { "variant", "once", NULL };
	static const struct harness_ops ops = {
		.groups = groups,
		.after = after,
	};

	return harness_main(argc, argv, &ops);
}
