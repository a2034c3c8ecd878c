// SPDX-License-Identifier: GPL-2.0
/*
 * t-signal.c - G10: signals that do not kill, and calls that they must not end
 *
 * A call that gives up whenever a signal is pending is no use to a program with
 * a fast timer. One call does (attach, by the VM's doing), and there the caller
 * has to block signals; all the others go on, and the handler runs afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "race.h"

#define N		64
#define MAPPINGS	20000
#define INTERVAL_US	10000
#define RAW_TRIES	20

static unsigned int taken;

static void on_signal(int nr)
{
	(void)nr;
	__atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);
}

static unsigned int signals_taken(void)
{
	return __atomic_load_n(&taken, __ATOMIC_RELAXED);
}

/* No SA_RESTART: what a signal ends says so. */
static void handle(int nr)
{
	struct sigaction action = { .sa_handler = on_signal };

	ASSERT_EQ(sigaction(nr, &action, NULL), 0, "a handler");
}

/* 0: no more */
static void signal_every(long us)
{
	struct itimerval timer = {
		.it_interval.tv_usec = us, .it_value.tv_usec = us,
	};

	handle(SIGALRM);
	ASSERT_EQ(setitimer(ITIMER_REAL, &timer, NULL), 0, "a timer");
}

static int raw_attach(int fd)
{
	struct my_mmu_attach a = { 0 };

	strncpy(a.variant, test_variant, sizeof(a.variant) - 1);
	return mmu_ioctl(fd, MY_MMU_ATTACH, &a);
}

/* --- a signal is pending from the first line of the call on --------------- */

/*
 * The argument lies on a page that userfaultfd holds back: the call waits in
 * copy_from_user() until the signal has been sent.
 */
static char *late_page;
static int uffd;

struct late_call {
	int fd;
	unsigned long cmd;
	bool blocked;
	int ret;
};

static void late_begin(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	late_page = map_private(1);
	reg.range.start = (uintptr_t)late_page;
	reg.range.len = MMU_PAGE;
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) ||
	    ioctl(uffd, UFFDIO_REGISTER, &reg))
		skip("no userfaultfd (%s)", strerror(errno));
	handle(SIGUSR1);
}

static void *make_late_call(void *arg)
{
	struct late_call *c = arg;
	sigset_t all;

	sigfillset(&all);
	if (c->blocked)
		pthread_sigmask(SIG_BLOCK, &all, NULL);
	c->ret = mmu_ioctl(c->fd, c->cmd, late_page);
	return NULL;
}

static void argument_arrives(const void *arg, size_t len)
{
	static char page[MMU_PAGE] __attribute__((aligned(MMU_PAGE)));
	struct uffdio_copy copy = {
		.dst = (uintptr_t)late_page, .src = (uintptr_t)page,
		.len = MMU_PAGE,
	};

	memcpy(page, arg, len);
	ASSERT_EQ(ioctl(uffd, UFFDIO_COPY, &copy), 0, "the argument arrives");
}

/* What @c returned; @arg has what it wrote. */
static int call_with_signal(struct late_call *c, void *arg, size_t len)
{
	unsigned int before = signals_taken();
	struct uffd_msg msg;
	pthread_t thread;

	ASSERT_EQ(madvise(late_page, MMU_PAGE, MADV_DONTNEED), 0, "hold back");
	ASSERT_EQ(pthread_create(&thread, NULL, make_late_call, c), 0,
		  "a thread");
	ASSERT_EQ(read(uffd, &msg, sizeof(msg)), sizeof(msg), "it waits");
	ASSERT_EQ(pthread_kill(thread, SIGUSR1), 0, "it gets a signal");
	argument_arrives(arg, len);
	ASSERT_EQ(pthread_join(thread, NULL), 0, "it returns");
	memcpy(arg, late_page, len);
	EXPECT_EQ(signals_taken() - before, !c->blocked,
		  "its handler has run if it was not blocked");
	return c->ret;
}

#define WITH_SIGNAL(handle, number, arg) \
	call_with_signal(&(struct late_call) { \
		.fd = (handle), .cmd = (number) }, &(arg), sizeof(arg))

TEST(g10_signal_pending_in_a_call, 20)
{
	int fd = attached();
	char *p = map_tables(1), *buf = map_private(N);
	struct my_mmu_populate pop = {
		.addr = (uintptr_t)p, .len = N * MMU_PAGE, .flags = WRITE,
	}, floor = pop;
	struct my_mmu_access access = {
		.addr = (uintptr_t)p, .buf = (uintptr_t)buf,
		.len = N * MMU_PAGE,
	}, back = access;
	struct my_mmu_verify v = { 0 };
	struct my_mmu_query q = { .addr = (uintptr_t)p };
	struct my_mmu_evict e = { .addr = (uintptr_t)p };
	struct my_mmu_device_config slow = { .shootdown_us = 1 };
	struct my_mmu_stats s = { 0 };

	late_begin();
	cpu_stamp(p, N, 1);
	EXPECT_EQ(WITH_SIGNAL(fd, MY_MMU_GUP_FLOOR, floor), 0, "floor");
	EXPECT_EQ(floor.populated, N, "of all pages");
	EXPECT_EQ(WITH_SIGNAL(fd, MY_MMU_POPULATE, pop), 0, "populate");
	EXPECT_EQ(pop.populated, N, "all of it");
	EXPECT_EQ(WITH_SIGNAL(fd, MY_MMU_QUERY, q), 0, "query");
	EXPECT_EQ(q.flags & MY_MMU_ENTRY_PRESENT, 1, "an entry is there");
	EXPECT_EQ(WITH_SIGNAL(fd, MY_MMU_VERIFY, v), 0, "verify");
	EXPECT_EQ(v.right, N, "everything was looked at");
	EXPECT_EQ(WITH_SIGNAL(fd, MY_MMU_CONFIGURE, slow), 0, "configure");
	EXPECT_EQ(WITH_SIGNAL(fd, MY_MMU_GET_STATS, s), 0, "statistics");
	EXPECT_EQ(WITH_SIGNAL(fd, MY_MMU_EVICT, e), 0, "evict");
	EXPECT_EQ(e.walked, 1, "the chain has run");
	madvise(p, N * MMU_PAGE / 2, MADV_DONTNEED);
	EXPECT_EQ(WITH_SIGNAL(fd, MY_MMU_READ, access), 0, "read");
	EXPECT_EQ(access.done, N * MMU_PAGE, "to the end");
	EXPECT_EQ(access.faults, 1, "with its fault");
	cpu_stamp(buf, N, 2);
	EXPECT_EQ(WITH_SIGNAL(fd, MY_MMU_WRITE, back), 0, "write");
	cpu_sees(p, N, 2);
	verify(fd, p, N);
}

/* The exception, and what the header tells its caller to do. */
TEST(attach_wants_signals_blocked, 10)
{
	struct my_mmu_attach a = { 0 };
	struct late_call c = { .cmd = MY_MMU_ATTACH };
	char *p = map_private(N);

	late_begin();
	c.fd = mmu_open();
	strncpy(a.variant, test_variant, sizeof(a.variant) - 1);
	EXPECT_EQ(call_with_signal(&c, &a, sizeof(a)), -EINTR,
		  "the VM gives up, with a signal pending");
	EXPECT_EQ(mmu_entry(c.fd, p), -ENOTCONN, "and nothing is attached");
	c.blocked = true;
	EXPECT_EQ(call_with_signal(&c, &a, sizeof(a)), 0,
		  "a signal that is blocked is not in the way");
	populate(c.fd, p, N, WRITE);
	verify(c.fd, p, N);
}

/* No registration, nothing to give up: the process has a notifier. */
TEST(attach_of_a_second_handle_takes_signals, 10)
{
	struct my_mmu_attach a = { 0 };
	struct late_call c = { .cmd = MY_MMU_ATTACH };

	attached();
	late_begin();
	c.fd = mmu_open();
	strncpy(a.variant, test_variant, sizeof(a.variant) - 1);
	EXPECT_EQ(call_with_signal(&c, &a, sizeof(a)), 0, "attach");
}

/*
 *	populate			invalidate
 *
 *					start: on record
 *	waits until it is over
 *	gets a signal
 *					end
 *	enters the pages, returns
 *	the handler runs
 *
 * Forbidden is to give up, or to enter anything before the end.
 */
TEST(g10_race_populate_gets_a_signal_while_it_waits, 20)
{
	struct call inv = { .fn = do_madvise, .pages = 1 };
	struct call c = { .fn = do_populate, .pages = 1 };

	race_begin(2);
	hear_all();
	handle(SIGUSR1);
	c.fd = attached();
	c.p = map_private(1);
	inv.p = c.p;
	cpu_stamp(c.p, 1, 1);
	inv.flags = MADV_DONTNEED;
	call_to(&inv, "start_zapped");
	call_to_wait(&c);
	ASSERT_EQ(syscall(SYS_tgkill, getpid(), c.tid, SIGUSR1), 0, "signal");
	call_wait_in(&c, "populate");
	EXPECT_EQ(call_returned(&c), false, "it waits on");
	EXPECT_EQ(signals_taken(), 0, "the handler has to wait as well");
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&inv), 0, "madvise");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(c.done, 1, "does what it was asked for");
	EXPECT_EQ(signals_taken(), 1, "and then the handler has run");
	verify(c.fd, c.p, 1);
}

/*
 *	populate			detach, through the same handle
 *
 *	looked up
 *					turns newcomers away, waits
 *					gets a signal
 *	enter
 *					releases, returns
 *					the handler runs
 *
 * Forbidden is to give up: the handle would stay attached.
 */
TEST(g10_race_detach_gets_a_signal_while_it_waits, 20)
{
	struct call c = { .fn = do_populate, .pages = 1 };
	struct call d = { .fn = do_detach };

	race_begin(2);
	handle(SIGUSR1);
	c.fd = attached();
	c.p = map_private(1);
	d.fd = c.fd;
	cpu_stamp(c.p, 1, 1);
	call_to(&c, "populate_lookup");
	call_start(&d);
	call_wait_in(&d, "ioctl_detach");
	ASSERT_EQ(syscall(SYS_tgkill, getpid(), d.tid, SIGUSR1), 0, "signal");
	call_wait_in(&d, "ioctl_detach");
	EXPECT_EQ(call_returned(&d), false, "it waits on");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(call_wait(&d), 0, "detach");
	EXPECT_EQ(signals_taken(), 1, "and then the handler has run");
	EXPECT_EQ(mmu_entry(c.fd, c.p), -ENOTCONN, "nothing is attached");
}

/* --- a timer -------------------------------------------------------------- */

static int call_populate(int fd, char *p)
{
	return mmu_populate(fd, p, N * MMU_PAGE, WRITE);
}

static int call_floor(int fd, char *p)
{
	return mmu_gup_floor(fd, p, N * MMU_PAGE, WRITE, 0, NULL);
}

static int call_read(int fd, char *p)
{
	static char buf[N * MMU_PAGE];

	return mmu_read(fd, p, buf, sizeof(buf));
}

static int call_write(int fd, char *p)
{
	static char buf[N * MMU_PAGE];

	return mmu_write(fd, p, buf, sizeof(buf));
}

static int call_query(int fd, char *p)
{
	return mmu_query(fd, p, NULL, NULL);
}

static int call_verify(int fd, char *p)
{
	(void)p;
	return mmu_verify(fd, NULL, 0, NULL);
}

static int call_evict(int fd, char *p)
{
	int ret = mmu_evict(fd, p);

	return ret < 0 ? ret : 0;
}

static int call_configure(int fd, char *p)
{
	(void)p;
	return mmu_configure(fd, 0);
}

static int call_stats(int fd, char *p)
{
	struct my_mmu_stats s;

	(void)p;
	return mmu_stats(fd, &s);
}

static int call_detach_and_attach(int fd, char *p)
{
	(void)p;
	return mmu_detach(fd) ?: mmu_attach(fd, test_variant);
}

static const struct {
	const char *name;
	int (*call)(int fd, char *p);
} calls[] = {
	{ "populate", call_populate },
	{ "floor", call_floor },
	{ "read", call_read },
	{ "write", call_write },
	{ "query", call_query },
	{ "verify", call_verify },
	{ "evict", call_evict },
	{ "configure", call_configure },
	{ "statistics", call_stats },
	{ "detach and attach", call_detach_and_attach },
};

TEST(g10_timer_ends_no_call, 60)
{
	int fd = attached();
	char *p = map_private(N);
	unsigned int until;
	size_t i;

	cpu_stamp(p, N, 1);
	signal_every(1000);
	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		until = signals_taken() + 50;
		while ((int)(signals_taken() - until) < 0) {
			ASSERT_EQ(madvise(p, N * MMU_PAGE / 2, MADV_DONTNEED),
				  0, "half of it is to be populated anew");
			ASSERT_EQ(calls[i].call(fd, p), 0, "%s", calls[i].name);
		}
	}
	signal_every(0);
	verify(fd, p, N);
}

/* The last detach waits for the device, in one piece. */
TEST(g10_timer_does_not_end_a_detach, 10)
{
	const unsigned int device_us = 200000;
	int fd = attached();
	char *p = map_private(N);
	unsigned int before;
	double start;

	populate(fd, p, N, WRITE);
	ASSERT_EQ(mmu_configure(fd, device_us), 0, "a slow device");
	signal_every(1000);
	before = signals_taken();
	start = seconds();
	EXPECT_EQ(mmu_detach(fd), 0, "detach");
	/* The kernel sleeps by another clock than the one that we look at */
	EXPECT_GE((seconds() - start) * 1e6, device_us / 2., "has waited");
	EXPECT_GT(signals_taken(), before, "though signals came");
	signal_every(0);
}

static void make_mappings(void)
{
	size_t i, n = scaled(MAPPINGS);
	char *p = map_private(n);

	/* With an anon_vma each, so that there is a lock each */
	cpu_stamp(p, n, 1);
	for (i = 0; i < n; i += 2)
		ASSERT_EQ(mprotect(p + i * MMU_PAGE, MMU_PAGE, PROT_READ), 0,
			  "mapping %zu", i);
}

static double attach_takes(int fd)
{
	double start = seconds(), took;

	ASSERT_EQ(mmu_attach(fd, test_variant), 0, "attach in peace");
	took = seconds() - start;
	ASSERT_EQ(mmu_detach(fd), 0, "detach");
	return took;
}

/*
 * Attach takes all locks of 20,000 mappings, and the timer is faster: signals
 * defeat it as often as it is tried, unless they are blocked.
 */
TEST(g10_attach_with_a_timer_and_many_mappings, 60)
{
	int fd = mmu_open(), tries, ended = 0;
	long us;

	make_mappings();
	us = attach_takes(fd) * 1e6 / 8;
	us = us < INTERVAL_US ? us : INTERVAL_US;
	signal_every(us);
	for (tries = 0; tries < RAW_TRIES; tries++) {
		if (raw_attach(fd) == -EINTR)
			ended++;
		else
			ASSERT_EQ(mmu_detach(fd), 0, "detach");
	}
	note("a signal each %ld us, %d of %d tries were ended", us, ended,
	     tries);
	EXPECT_GT(ended, 0, "with a timer, attach was ended by a signal");
	EXPECT_EQ(mmu_attach(fd, test_variant), 0, "with signals blocked");
	signal_every(0);
	EXPECT_EQ(mmu_entry(fd, &fd) >= 0, true, "it is attached");
}
