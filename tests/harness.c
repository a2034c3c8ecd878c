// SPDX-License-Identifier: GPL-2.0
/*
 * harness.c - runs the registered tests and reports in KTAP; see harness.h
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "harness-internal.h"

#define KILL_GRACE_S	5	/* how long a killed group may take to die */

const char *test_variant;
unsigned int test_mode;
const char *test_disk;
uint64_t test_seed;
unsigned int test_seconds;

static const struct harness_ops *ops;
static struct test *tests;
static struct test **tests_tail = &tests;

/* What -v or -t named; nothing: everything */
struct filter {
	const char *glob[512];
	size_t globs;
};

static struct filter only_groups;	/* -v */
static struct filter only_tests;	/* -t */
static unsigned int part = 1, parts = 1;	/* -p */
unsigned int harness_time_factor = 1;	/* -x */
unsigned int harness_deadline_s = 15;	/* -D */
static const char *plan;		/* -P */

void harness_register(struct test *t)
{
	static unsigned int count;

	t->nr = count++;
	*tests_tail = t;
	tests_tail = &t->next;
}

/* --- one test ------------------------------------------------------------- */

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void child(const struct test *t, const char *group)
{
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Whoever outlives the parent would keep the device busy. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);

	test_variant = group;
	test_mode = t->mode;
	test_disk = t->disk;
	shared->leader = getpid();
	t->run();
	shared->finished = true;
	_exit(harness_failed() ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* SIGCHLD is blocked: waiting for it with a limit is waiting for @pid. */
static bool wait_until(pid_t pid, int *status, double deadline)
{
	struct timespec tick = { .tv_nsec = 20 * 1000 * 1000 };
	sigset_t chld;
	pid_t got;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	for (;;) {
		got = waitpid(pid, status, WNOHANG);
		if (got > 0 || (got < 0 && errno == ECHILD))
			return true;
		if (now_s() >= deadline)
			return false;
		sigtimedwait(&chld, NULL, &tick);
	}
}

/* Orphans of the test come to us (subreaper); none may reach the next test. */
static bool reap_group(pid_t pgid)
{
	double deadline = now_s() + KILL_GRACE_S;
	struct timespec tick = { .tv_nsec = 5 * 1000 * 1000 };

	kill(-pgid, SIGKILL);
	while (now_s() < deadline) {
		while (waitpid(-pgid, NULL, WNOHANG) > 0)
			;
		if (kill(-pgid, 0) < 0)
			return true;
		nanosleep(&tick, NULL);
	}
	note("still alive %d s after SIGKILL:", KILL_GRACE_S);
	harness_show_group(pgid);
	return false;
}

/* By the process that skips, of itself or of the leader. */
static bool ended_by_skip(int status)
{
	if (!shared->skipped)
		return false;
	return WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL :
				     WEXITSTATUS(status) == EXIT_SKIP;
}

/* Why a test that ended by itself is a failure, or NULL if it is none. */
static const char *verdict(int status, char *buf, size_t size)
{
	if (WIFSIGNALED(status) && !ended_by_skip(status)) {
		snprintf(buf, size, "killed by signal %d (%s)",
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
		return buf;
	}
	if (shared->failures) {
		snprintf(buf, size, "%u of %u checks failed",
			 shared->failures, shared->checks);
		return buf;
	}
	if (ended_by_skip(status))
		return NULL;
	if (WEXITSTATUS(status) || !shared->finished) {
		snprintf(buf, size, "ended early with exit status %d",
			 WEXITSTATUS(status));
		return buf;
	}
	return shared->checks ? NULL : "checked nothing";
}

/* Has a test left something behind? Or had it to be killed? */
static bool wrecked, hung;
static bool stop_group_at_wreck;	/* -w */
static bool stop_at_wreck;		/* -W */
static bool measures_all;		/* -m */

bool harness_stops(void)
{
	return stop_at_wreck && (wrecked || hung);
}

static void report_failure(const struct job *j, int nr)
{
	if (shared->not_reached)
		line("not ok %d %s # NOT-REACHED %s", nr, j->label,
		     shared->not_reached);
	else
		line("not ok %d %s", nr, j->label);
}

static enum result report(const struct job *j, int nr, int status,
			  bool after_ok, double took)
{
	char buf[128];
	const char *why = verdict(status, buf, sizeof(buf));

	if (why)
		note("%s", why);
	if (harness_measures || measures_all)
		note("took %.3f s for %u checks", took, shared->checks);
	if (why || !after_ok) {
		report_failure(j, nr);
		return FAILED;
	}
	if (shared->skipped) {
		line("ok %d %s # SKIP %s", nr, j->label, shared->skip_reason);
		return SKIPPED;
	}
	if (took >= 1 && !harness_measures && !measures_all)
		note("took %.1f s", took);
	line("ok %d %s", nr, j->label);
	return PASSED;
}

/* All that a test has left, and what can be seen of it then. */
static bool clear_up(const struct job *j, pid_t pid, bool in_time)
{
	bool gone;

	if (ops->let_go)
		ops->let_go();
	gone = reap_group(pid);
	if (ops->failed && (!in_time || harness_failed()))
		ops->failed();
	return (!ops->after || ops->after(j->group, j->test->name)) && gone;
}

enum result harness_run(const struct job *j, int nr)
{
	unsigned int limit = j->limit_s * harness_time_factor + test_seconds;
	double start, took;
	bool in_time, after_ok;
	int status = 0;
	pid_t pid;

	memset(shared, 0, sizeof(*shared));
	shared->turned = j->turned;
	if (ops->before)
		ops->before();
	start = now_s();
	pid = fork();
	if (pid < 0) {
		note("fork: %s", strerror(errno));
		line("not ok %d %s", nr, j->label);
		return FAILED;
	}
	if (!pid)
		child(j->test, j->group);
	setpgid(pid, pid);	/* both do it: neither order loses */

	in_time = wait_until(pid, &status, start + limit);
	took = now_s() - start;
	if (!in_time) {
		note("after %u s these tasks are left:", limit);
		harness_show_group(pid);
	}
	after_ok = clear_up(j, pid, in_time);
	if (measures_all)
		note("and %.3f s in all", now_s() - start);
	wrecked |= !after_ok;
	hung |= !in_time;
	if (in_time)
		return report(j, nr, status, after_ok, took);
	line("not ok %d %s # TIMEOUT after %u s", nr, j->label, limit);
	return FAILED;
}

/* --- groups and the whole run --------------------------------------------- */

static void add_glob(struct filter *f, const char *glob)
{
	if (f->globs == sizeof(f->glob) / sizeof(*f->glob)) {
		fprintf(stderr, "more than %zu names; use a * in one\n",
			f->globs);
		exit(2);
	}
	f->glob[f->globs++] = glob;
}

static bool passes(const struct filter *f, const char *name)
{
	size_t i;

	for (i = 0; i < f->globs; i++)
		if (!fnmatch(f->glob[i], name, 0))
			return true;
	return !f->globs;
}

static bool selected(const struct test *t, const char *group, bool variant)
{
	if (t->group ? strcmp(t->group, group) : !variant)
		return false;
	return t->nr % parts == part - 1 && passes(&only_tests, t->name);
}

/* A group that some test names is no variant. */
static bool is_variant(const char *group)
{
	const struct test *t;

	for (t = tests; t; t = t->next)
		if (t->group && !strcmp(t->group, group))
			return false;
	return true;
}

const struct test *harness_find(const char *group, const char *name)
{
	const struct test *t;

	for (t = tests; t; t = t->next)
		if (!strcmp(t->name, name) &&
		    (t->group ? !strcmp(t->group, group) : is_variant(group)))
			return t;
	return NULL;
}

static int count_selected(const char *group)
{
	bool variant = is_variant(group);
	const struct test *t;
	int n = 0;

	if (!passes(&only_groups, group))
		return 0;
	for (t = tests; t; t = t->next)
		n += selected(t, group, variant);
	return n;
}

static enum result run_group(const char *group, int nr)
{
	bool variant = is_variant(group);
	struct job j = { .group = group };
	int sum[3] = { 0 }, i = 0;
	const struct test *t;

	line_indent = "  ";
	line("KTAP version 1");
	line("# Subtest: %s", group);
	line("1..%d", count_selected(group));
	for (t = tests; t && !harness_stops(); t = t->next) {
		if (!selected(t, group, variant))
			continue;
		j.test = t;
		j.label = t->name;
		j.limit_s = t->timeout_s;
		sum[harness_run(&j, ++i)]++;
	}
	note("%s: pass:%d fail:%d skip:%d total:%d", group, sum[PASSED],
	     sum[FAILED], sum[SKIPPED], i);
	line_indent = "";
	line("%s %d %s", sum[FAILED] ? "not ok" : "ok", nr, group);
	return sum[FAILED] ? FAILED : PASSED;
}

static int run_all(void)
{
	const char *const *g;
	int groups = 0, failed = 0, nr = 0;

	for (g = ops->groups; *g; g++)
		groups += !!count_selected(*g);
	line("KTAP version 1");
	line("1..%d", groups);
	for (g = ops->groups; *g && !harness_stops(); g++) {
		if (stop_group_at_wreck && wrecked)
			break;
		if (count_selected(*g) && run_group(*g, ++nr) == FAILED)
			failed++;
	}
	/* A filter that matches nothing must not look like success. */
	if (!groups) {
		note("no test selected");
		return EXIT_FAILURE;
	}
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void list_all(void)
{
	const char *const *g;
	const struct test *t;
	bool variant;

	for (g = ops->groups; *g; g++) {
		variant = is_variant(*g);
		for (t = tests; t && passes(&only_groups, *g); t = t->next)
			if (selected(t, *g, variant))
				line("%s %s %u", *g, t->name, t->timeout_s);
	}
}

static bool set_part(const char *arg)
{
	char end;

	return sscanf(arg, "%u/%u%c", &part, &parts, &end) == 2 && part &&
	       part <= parts;
}

static void usage(const char *name)
{
	fprintf(stderr,
		"usage: %s [-l] [-m] [-v GROUP]... [-t GLOB]... [-p K/N]\n"
		"       [-w] [-W] [-x FACTOR] [-D SECONDS] [-T] [-s SEED]\n"
		"       [-d SECONDS]\n"
		"       or [-W] [-x FACTOR] [-D SECONDS] [-T] -P FILE\n"
		"  -l         list the tests: group, name, limit in seconds\n"
		"  -m         how long each test took, and all with it\n"
		"  -v GROUP   only this variant (or other group), or these\n"
		"  -t GLOB    only tests whose name matches one\n"
		"  -p K/N     of all tests every N-th, from the K-th\n"
		"  -w         no further group when something was left behind\n"
		"  -W         no further test then, nor after a time-out\n"
		"  -x FACTOR  multiply every time limit\n"
		"  -D SECONDS how long to wait for a task that must come (15)\n"
		"  -T         trace tests; show the events of one that fails\n"
		"  -P FILE    run what FILE says, in its order, and remove it\n"
		"  -s SEED    do what the run did that said this seed\n"
		"  -d SECONDS for tests that go on for as long as one wants\n",
		name);
	exit(2);
}

static void prepare(void)
{
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		perror("mmap");
		exit(EXIT_FAILURE);
	}
}

int harness_main(int argc, char **argv, const struct harness_ops *o)
{
	bool list = false, traces = false;
	int opt;

	ops = o;
	while ((opt = getopt(argc, argv, "lmwWTv:t:p:x:D:P:s:d:")) != -1) {
		if (opt == 'l')
			list = true;
		else if (opt == 'm')
			measures_all = true;
		else if (opt == 'w')
			stop_group_at_wreck = true;
		else if (opt == 'W')
			stop_at_wreck = true;
		else if (opt == 'T' && o->trace)
			traces = true;
		else if (opt == 'P')
			plan = optarg;
		else if (opt == 'v')
			add_glob(&only_groups, optarg);
		else if (opt == 't')
			add_glob(&only_tests, optarg);
		else if (opt == 'p' && set_part(optarg))
			continue;
		else if (opt == 'x' && atoi(optarg) > 0)
			harness_time_factor = atoi(optarg);
		else if (opt == 'D' && atoi(optarg) > 0)
			harness_deadline_s = atoi(optarg);
		else if (opt == 's' && strtoull(optarg, NULL, 0))
			test_seed = strtoull(optarg, NULL, 0);
		else if (opt == 'd' && atoi(optarg) > 0)
			test_seconds = atoi(optarg);
		else
			usage(argv[0]);
	}
	if (optind < argc)
		usage(argv[0]);
	if (list) {
		list_all();
		return EXIT_SUCCESS;
	}
	prepare();
	if (traces && !o->trace())
		return EXIT_FAILURE;
	return plan ? harness_run_plan(plan) : run_all();
}
