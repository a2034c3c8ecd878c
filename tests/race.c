// SPDX-License-Identifier: GPL-2.0
/*
 * race.c - calls in threads of their own; see race.h
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "race.h"

/* Where the VM itself has a populate wait */
#define VM_WAITS	"mmu_interval_read_begin"

/* --- calls ---------------------------------------------------------------- */

int do_populate(struct call *c)
{
	return mmu_populate_batch(c->fd, c->p, c->pages * MMU_PAGE, c->flags,
				  0, &c->done, &c->retries);
}

int do_evict(struct call *c)
{
	return mmu_evict(c->fd, c->p);
}

int do_madvise(struct call *c)
{
	return madvise(c->p, c->pages * MMU_PAGE, c->flags) ? -errno : 0;
}

int do_munmap(struct call *c)
{
	return munmap(c->p, c->pages * MMU_PAGE) ? -errno : 0;
}

int do_mprotect(struct call *c)
{
	return mprotect(c->p, c->pages * MMU_PAGE, c->flags) ? -errno : 0;
}

/* Once: mmu_attach() tries again where a signal has come. */
int do_attach(struct call *c)
{
	struct my_mmu_attach a = { .flags = c->flags };

	c->fd = mmu_open();
	if (c->fd < 0)
		return c->fd;
	strcpy(a.variant, test_variant);
	return ioctl(c->fd, MY_MMU_ATTACH, &a) ? -errno : 0;
}

int do_detach(struct call *c)
{
	return mmu_detach(c->fd);
}

int do_reclaim(struct call *c)
{
	int tries;

	for (tries = 0; tries < 8 && !tp_arrivals("age_entry"); tries++)
		cgroup_reclaim(c->group, c->pages * MMU_PAGE);
	return 0;
}

/* --- threads -------------------------------------------------------------- */

static bool get(bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void set(bool *flag)
{
	__atomic_store_n(flag, true, __ATOMIC_RELEASE);
}

static void tick(void)
{
	struct timespec ts = { .tv_nsec = 200 * 1000 };

	nanosleep(&ts, NULL);
}

/* Threads that wait for a call to make; one that is parked stays so. */
#define THREADS_MAX	64
#define TWINS_MAX	4
#define STACK		(64 * 1024)

static struct worker {
	sem_t		begin;
	struct call	*call;
	pid_t		tid;
	bool		idle;
} workers[THREADS_MAX];

/* Nor may there be page faults, while somebody has the mmap_lock to write. */
static void touch_stack(void)
{
	volatile char room[STACK / 2];
	size_t i;

	for (i = 0; i < sizeof(room); i += 1024)
		room[i] = 1;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct call *c;

	touch_stack();
	__atomic_store_n(&w->tid, gettid(), __ATOMIC_RELEASE);
	for (;;) {
		while (sem_wait(&w->begin))
			;
		c = w->call;
		c->ret = c->fn(c);
		set(&w->idle);
		set(&c->returned);
		sem_post(&c->end);
	}
	return NULL;
}

void race_begin(unsigned int threads)
{
	pthread_attr_t attr;
	struct worker *w;
	pthread_t thread;

	tp_need();
	own_all_memory();
	touch_stack();
	/*
	 * khugepaged would queue for the mmap_lock behind who is parked with
	 * it, and everybody else behind khugepaged.
	 */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK);
	memset(workers, 0, sizeof(workers));
	ASSERT_LE(threads, THREADS_MAX, "there is room for the threads");
	for (w = workers; w < workers + threads; w++) {
		sem_init(&w->begin, 0, 0);
		ASSERT_EQ(pthread_create(&thread, &attr, work, w), 0,
			  "a thread");
		while (!__atomic_load_n(&w->tid, __ATOMIC_ACQUIRE))
			tick();
		set(&w->idle);
	}
}

static struct worker *prepare(struct call *c)
{
	struct worker *w = workers;

	while (w < workers + THREADS_MAX && !get(&w->idle))
		w++;
	ASSERT_LT(w, workers + THREADS_MAX,
		  "a thread is free: see the number at race_begin()");
	w->idle = false;
	w->call = c;
	c->returned = false;
	c->tid = w->tid;
	sem_init(&c->end, 0, 0);
	return w;
}

void call_start_(struct call *c)
{
	sem_post(&prepare(c)->begin);
}

/* Its death needs nothing that a parked invalidation holds, but mmap_lock. */
static int twin(void *arg)
{
	struct call *c = arg;

	touch_stack();
	if (c->gate)
		wait_at(c->gate);
	c->ret = c->fn(c);
	set(&c->returned);
	_exit(0);
}

pid_t start_twin_(struct call *c)
{
	static char stacks[TWINS_MAX][STACK] __attribute__((aligned(16)));
	static unsigned int twins;
	pid_t pid;

	ASSERT_LT(twins, TWINS_MAX, "there is room for a twin");
	c->ret = 1;
	c->returned = false;
	pid = clone(twin, stacks[twins++] + STACK, CLONE_VM | SIGCHLD, c);
	ASSERT_GE(pid, 0, "a process in the same memory");
	return pid;
}

static void send_to(struct call *c, const char *point, const char *how)
{
	unsigned int others = tp_parked_(point);
	struct worker *w = prepare(c);

	tp_tell_(point, "park task %d%s", c->tid, how);
	sem_post(&w->begin);
	tp_wait_parked_(point, others + 1);
}

void call_to_(struct call *c, const char *point)
{
	send_to(c, point, "");
}

void call_to_stall_(struct call *c, const char *point)
{
	send_to(c, point, " stall");
}

bool call_returned(struct call *c)
{
	return get(&c->returned);
}

int call_wait_(struct call *c)
{
	struct timespec ts;
	int ret;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += DEADLINE_S;
	do {
		ret = sem_timedwait(&c->end, &ts) ? -errno : 0;
	} while (ret == -EINTR);
	ASSERT_EQ(ret, 0, "the call that was let go returns");
	return c->ret;
}

static void read_of_task(pid_t tid, const char *file, char *text, size_t size)
{
	char path[64];
	ssize_t n;
	int f;

	snprintf(path, sizeof(path), "/proc/%d/%s", tid, file);
	f = open(path, O_RDONLY | O_CLOEXEC);
	n = f < 0 ? 0 : read(f, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(f);
}

/*
 * Not by the state in /proc/PID/stat: who reads that holds the mm meanwhile,
 * and when its owner exits then, runs the release himself.
 */
static bool is_asleep(pid_t tid)
{
	char text[128];

	read_of_task(tid, "wchan", text, sizeof(text));
	return *text && strcmp(text, "0");
}

bool task_is_in(pid_t tid, const char *name)
{
	char text[2048];

	if (!is_asleep(tid))
		return false;
	read_of_task(tid, "stack", text, sizeof(text));
	return strstr(text, name);
}

/* A thread of this process is gone then, a child waits to be reaped. */
static bool has_ended(pid_t tid)
{
	siginfo_t child = { .si_pid = 0 };
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", tid);
	if (access(path, F_OK))
		return true;
	return !waitid(P_PID, tid, &child, WEXITED | WNOHANG | WNOWAIT) &&
	       child.si_pid;
}

static void note_where(pid_t tid)
{
	char text[2048], *line, *rest = text;

	read_of_task(tid, "wchan", text, sizeof(text));
	note("task %d is in: %s", tid, *text ? text : "no place, it is gone");
	read_of_task(tid, "stack", text, sizeof(text));
	while ((line = strsep(&rest, "\n")))
		if (*line)
			note("%s", line);
}

void task_wait_in(pid_t tid, const char *name)
{
	double deadline = seconds() + DEADLINE_S;
	bool there;

	while (!(there = task_is_in(tid, name)) && !has_ended(tid) &&
	       seconds() < deadline)
		tick();
	if (!there)
		note_where(tid);
	ASSERT_EQ(there, true, "the other task waits in %s()", name);
}

void kill_to_its_end_(pid_t pid)
{
	double deadline = seconds() + DEADLINE_S / 2;

	kill(pid, SIGKILL);
	while (!has_ended(pid) && seconds() < deadline)
		tick();
	ASSERT_EQ(has_ended(pid), true, "what it waits for can be interrupted");
	ASSERT_EQ(waitpid(pid, NULL, 0), pid, "the killed child dies");
}

void call_wait_in_(struct call *c, const char *name)
{
	double deadline = seconds() + DEADLINE_S;
	bool there;

	while (!(there = task_is_in(c->tid, name)) && !call_returned(c) &&
	       seconds() < deadline)
		tick();
	ASSERT_EQ(there, true, "the call waits in %s()", name);
}

void call_wait_arrivals_(struct call *c, const char *point, unsigned long n)
{
	double deadline = seconds() + DEADLINE_S;

	while (tp_arrivals_(point) < n && !call_returned(c) &&
	       seconds() < deadline)
		tick();
	REACH_GE(MISSED_POINT, tp_arrivals_(point), n,
		 "so often it came to %s", point);
}

/* --- what the statistics tell --------------------------------------------- */

/* The driver counts those that have gone to sleep, where it is told. */
static void wait_for_waits(struct call *c, uint64_t before)
{
	double deadline = seconds() + DEADLINE_S;

	if (!variant_can(COUNTS_WAITS)) {
		call_wait_in_(c, VM_WAITS);
		return;
	}
	while (stats_of(c->fd).waits == before && !call_returned(c) &&
	       seconds() < deadline)
		tick();
	/* One that has entered pages has broken what it was to wait for. */
	if (call_returned(c) && !c->ret)
		ASSERT_EQ(call_returned(c), false,
			  "the populate waits until the invalidation is over");
	REACH_EQ(MISSED_WAIT, call_returned(c), false,
		 "the populate waits until the invalidation is over");
	REACH_GT(MISSED_WAIT, stats_of(c->fd).waits, before, "asleep");
}

void call_to_wait_(struct call *c)
{
	uint64_t before = stats_of(c->fd).waits;

	call_start_(c);
	wait_for_waits(c, before);
}

void call_on_to_wait_(struct call *c, const char *point)
{
	uint64_t before = stats_of(c->fd).waits;

	tp_tell_(point, "release task %d", c->tid);
	wait_for_waits(c, before);
}

/* With the memory of this process, in another one. */
void twin_waits(pid_t pid, int fd, uint64_t before)
{
	double deadline = seconds() + DEADLINE_S;

	if (!variant_can(COUNTS_WAITS)) {
		task_wait_in(pid, VM_WAITS);
		return;
	}
	while (stats_of(fd).waits == before && seconds() < deadline)
		tick();
	REACH_GT(MISSED_WAIT, stats_of(fd).waits, before, "it waits");
}

void hear_all(void)
{
	int i = 0;

	if (variant_can(HEARS_OF_ALL))
		return;
	while (mmu_variants[i] && can(mmu_variants[i], HEARS_OF_ALL) <= 0)
		i++;
	ASSERT_GE(mmu_open_attached(mmu_variants[i], 0), 0, "%s hears all",
		  mmu_variants[i]);
}

void make_table(int fd, char *p)
{
	if (variant_can(WAITS_FOR_NO_OTHER))
		return;
	populate_(fd, p, 1, 0);
	ASSERT_EQ(madvise(p, MMU_PAGE, MADV_DONTNEED), 0, "the zero page");
}

void wait_for_mmus_(int fd, uint64_t n)
{
	double deadline = seconds() + DEADLINE_S;

	while (stats_of(fd).mmus != n && seconds() < deadline)
		tick();
	ASSERT_EQ(stats_of(fd).mmus, n, "so many external MMUs exist");
}

/* --- variants ------------------------------------------------------------- */

bool lock_per_table(void)
{
	return variant_can(LOCKS_TABLES);
}

bool list_never_blocks(void)
{
	return variant_can(LIST_NEVER_BLOCKS);
}
