// SPDX-License-Identifier: GPL-2.0
/*
 * world.c - one round: the processes and threads of a sequence, and the
 * supervisor who watches them
 *
 * The supervisor is this program's first process. It never touches the device
 * itself, so that it survives whatever happens there. Everybody else is its
 * child or grandchild and ends with the round.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "after.h"
#include "fuzz.h"
#include "harness.h"

#define TICK_MS		100	/* a look for calls that hang */
#define RELEASE_MS	10	/* how long a task stays parked */

struct limits limits = { .call_s = 15, .left_ms = 4000 };

static __thread struct self *self;

int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

/* --- turns ---------------------------------------------------------------- */

static void futex_wait(unsigned int *word, unsigned int value)
{
	struct timespec limit = { .tv_nsec = 200 * 1000 * 1000 };

	syscall(SYS_futex, word, FUTEX_WAIT, value, &limit, NULL, 0);
}

static void futex_wake(unsigned int *word)
{
	__atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static bool stopped(void)
{
	return __atomic_load_n(&world->stop, __ATOMIC_SEQ_CST) ||
	       __atomic_load_n(&world->failed, __ATOMIC_SEQ_CST);
}

static struct actor *actor_of(const struct call *c)
{
	return &world->actor[c->proc][c->thread];
}

static void wake_all(void)
{
	struct actor *a = &world->actor[0][0];

	for (; a < &world->actor[0][0] + PROCS * THREADS; a++)
		futex_wake(&a->go);
}

/* On to the next call of a process that is there. Who passes is awake. */
void pass_turn(unsigned int from)
{
	struct sequence *s = &world->seq;
	unsigned int i = from + 1;

	while (i < s->n && !world->proc[s->call[i].proc].alive)
		i++;
	__atomic_store_n(&world->turn, i, __ATOMIC_SEQ_CST);
	if (i >= s->n)
		wake_all();
	else if (from >= s->n || actor_of(&s->call[from]) !=
		 actor_of(&s->call[i]))
		futex_wake(&actor_of(&s->call[i])->go);
}

/* False if the turn for call @i is over, or will not come. */
static bool wait_turn(struct self *me, unsigned int i)
{
	unsigned int go, turn;

	while (!stopped()) {
		go = __atomic_load_n(&me->actor->go, __ATOMIC_SEQ_CST);
		turn = __atomic_load_n(&world->turn, __ATOMIC_SEQ_CST);
		if (turn >= i)
			return turn == i;
		futex_wait(&me->actor->go, go);
	}
	return false;
}

/* All threads of a process have let go of memory and files. */
void wait_gone(pid_t pid)
{
	struct pollfd p = { .events = POLLIN };

	p.fd = syscall(SYS_pidfd_open, pid, 0);
	if (p.fd < 0)
		return;
	poll(&p, 1, limits.call_s * 1000);
	close(p.fd);
}

/* --- failing -------------------------------------------------------------- */

void fail(struct self *me, const char *fmt, ...)
{
	va_list ap;

	if (!__atomic_exchange_n(&world->failed, true, __ATOMIC_SEQ_CST)) {
		va_start(ap, fmt);
		vsnprintf(world->why, sizeof(world->why), fmt, ap);
		va_end(ap);
		world->failed_at = me->actor->at;
	}
	_exit(1);
}

static void on_fault(int sig, siginfo_t *info, void *unused)
{
	(void)unused;
	if (self && self->fault)
		siglongjmp(*self->fault, 1);
	if (self)
		fail(self, "signal %d at %p", sig, info->si_addr);
	_exit(1);
}

/* --- one call ------------------------------------------------------------- */

/*
 * Serial: nobody else does anything, so the statistics must say just that.
 * What is wrongly counted for memory and processes shows at the next call.
 */
static void check_delta(struct self *me, const struct call *c)
{
	struct my_mmu_stats old = world->stats, *s = &world->stats;
	struct delta *d = &me->delta;

	if (!world->seq.serial || !ops[c->op].allocates ||
	    mmu_stats(FD_STATS, s))
		return;
	if (d->unknown)
		return;
	if (s->attaches - old.attaches != d->attaches)
		fail(me, "%s: attaches counted: %lld", ops[c->op].name,
		     s->attaches - old.attaches);
	if (s->device_reads - old.device_reads != d->reads ||
	    s->device_writes - old.device_writes != d->writes)
		fail(me, "%s: the device says it read %lld, wrote %lld bytes",
		     ops[c->op].name, s->device_reads - old.device_reads,
		     s->device_writes - old.device_writes);
	if (s->populated_pages - old.populated_pages > d->populated)
		fail(me, "%s: %lld entries were made", ops[c->op].name,
		     s->populated_pages - old.populated_pages);
}

/*
 * A call is one that was drawn and that the device has answered: an ioctl, an
 * open, a close. What was refused before it got there is none, nor is what is
 * done to memory and processes, nor what the fuzzer asks for itself.
 */
void count_call(void)
{
	__atomic_add_fetch(&world->calls, 1, __ATOMIC_RELAXED);
}

static void one_call(struct self *me, unsigned int i)
{
	const struct call *c = &world->seq.call[i];

	me->injected = false;
	memset(&me->delta, 0, sizeof(me->delta));
	me->actor->at = i;
	me->actor->next = i + 1;
	__atomic_store_n(&me->actor->since_ms, now_ms(), __ATOMIC_SEQ_CST);
	ops[c->op].run(me, c);
	check_delta(me, c);
	__atomic_store_n(&me->actor->since_ms, 0, __ATOMIC_SEQ_CST);
}

/* A thread looks at everything once more before it ends. */
static void last_look(struct self *me)
{
	struct my_mmu_verify v;
	unsigned int slot;

	for (slot = 0; slot < SLOTS; slot++)
		if (!mmu_verify(FD_SLOT + slot, NULL, 0, &v) &&
		    (v.stale || v.over_permissive))
			fail(me, "at the end: %llu stale, %llu too permissive",
			     v.stale, v.over_permissive);
}

static void run_calls(struct self *me)
{
	struct sequence *s = &world->seq;
	unsigned int i;

	for (i = me->actor->next; i < s->n && !stopped(); i++) {
		if (actor_of(&s->call[i]) != me->actor)
			continue;
		if (s->serial && !wait_turn(me, i))
			continue;
		one_call(me, i);
		if (s->serial)
			pass_turn(i);
	}
	while (s->serial && !stopped() && wait_turn(me, s->n))
		break;
	last_look(me);
}

/* --- a thread ------------------------------------------------------------- */

/* What is mapped next may lie above it: nothing is reached beyond its end. */
static unsigned char *with_hole(size_t pages)
{
	unsigned char *p = mmap(NULL, (pages + 3) * MMU_PAGE,
				PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
				-1, 0);

	if (p == MAP_FAILED)
		return NULL;
	mprotect(p + (pages + 1) * MMU_PAGE, MMU_PAGE, PROT_READ);
	mprotect(p + (pages + 2) * MMU_PAGE, MMU_PAGE, PROT_NONE);
	munmap(p + pages * MMU_PAGE, MMU_PAGE);
	return p;
}

static void open_fail_nth(unsigned int thread)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR);

	if (fd < 0)
		return;
	dup2(fd, FD_FAIL + thread);
	close(fd);
}

/* Parallel: what fork() copied of one's own region may be half changed. */
static void clear_home(struct self *me)
{
	unsigned int i, first = me->thread * REGION_PAGES;

	munmap((void *)page_addr(first), REGION_PAGES * MMU_PAGE);
	for (i = first; i < first + REGION_PAGES; i++)
		memset(&me->mm->page[i], 0, sizeof(struct page));
}

static void *thread_main(void *arg)
{
	struct self *me = arg;

	self = me;
	me->args = with_hole(2);
	me->buf = with_hole(BUF_PAGES);
	open_fail_nth(me->thread);
	if (!world->seq.serial)
		clear_home(me);
	me->actor->tid = gettid();
	if (me->args && me->buf)
		run_calls(me);
	else if (!world->storm)
		fail(me, "no memory for the arguments");
	return NULL;
}

static bool has_calls(unsigned int proc, unsigned int thread)
{
	unsigned int i;

	for (i = world->actor[proc][thread].next; i < world->seq.n; i++)
		if (world->seq.call[i].proc == proc &&
		    world->seq.call[i].thread == thread)
			return true;
	return false;
}

static void set_handlers(void)
{
	struct sigaction sa = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	signal(SIGCHLD, SIG_IGN);
}

void start_process(unsigned int proc)
{
	static struct self all[THREADS];
	pthread_t thread[THREADS];
	bool started[THREADS] = { false };
	unsigned int t;

	set_handlers();
	__atomic_store_n(&world->proc[proc].pid, getpid(), __ATOMIC_SEQ_CST);
	for (t = 0; t < THREADS; t++)
		all[t] = (struct self){
			.proc = proc, .thread = t, .p = &world->proc[proc],
			.actor = &world->actor[proc][t],
			.mm = &world->mm[proc],
		};
	for (t = 1; t < THREADS; t++)
		started[t] = has_calls(proc, t) &&
			     !pthread_create(&thread[t], NULL, thread_main,
					     &all[t]);
	thread_main(&all[0]);
	for (t = 1; t < THREADS; t++)
		if (started[t])
			pthread_join(thread[t], NULL);
	_exit(0);
}

/* --- the supervisor ------------------------------------------------------- */

/* One huge page, if there is one: every process touches all of it. */
#define WORLD_SIZE	MMU_HUGE
_Static_assert(sizeof(struct world) <= WORLD_SIZE, "the world has grown");

static struct world *map_world(void)
{
	void *p = mmap(NULL, WORLD_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		       FD_WORLD, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void give_number(int fd, int number)
{
	if (fd < 0 || dup2(fd, number) < 0) {
		printf("Bail out! %s\n", strerror(errno));
		exit(1);
	}
	close(fd);
}

static void set_fault(const char *kind, const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s%s%s", kind,
		 name ? "/" : "", name ? name : "");
	quick_write(path, value);
}

/* The n-th allocation of a call, or one in ten of a task that asks for it. */
static void prepare_faults(void)
{
	static const char *const settings[][2] = {
		{ "failslab/probability", "10" },
		{ "fail_page_alloc/probability", "5" },
		{ "fail_page_alloc/min-order", "0" },
		{ "fail_usercopy/probability", "2" },
	};
	static const char *const kinds[] = {
		"failslab", "fail_page_alloc", "fail_usercopy"
	};
	size_t i;

	limits.faults = !access("/proc/self/fail-nth", W_OK);
	for (i = 0; limits.faults && i < 3; i++) {
		set_fault(kinds[i], "task-filter", "Y");
		set_fault(kinds[i], "verbose", "0");
		set_fault(kinds[i], "times", "-1");
		set_fault(kinds[i], "ignore-gfp-wait", "N");
	}
	for (i = 0; limits.faults && i < 4; i++)
		set_fault(settings[i][0], NULL, settings[i][1]);
}

static void make_world(unsigned int flags)
{
	int fd = memfd_create("world", flags);

	if (fd < 0)
		return;
	give_number(fd, FD_WORLD);
	if (!ftruncate(FD_WORLD, WORLD_SIZE))
		world = map_world();
}

void world_init(void)
{
	make_world(MFD_HUGETLB | MFD_HUGE_2MB);
	if (!world)
		make_world(0);
	give_number(memfd_create("file", 0), FD_FILE);
	if (!world) {
		printf("Bail out! %s\n", strerror(errno));
		exit(1);
	}
	prepare_faults();
	points_on(true);
	/* Whoever dies is gone at once, whosever child it was. */
	signal(SIGCHLD, SIG_IGN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

/* After exec nothing is left but the descriptors. */
void resume_after_exec(const char *proc)
{
	unsigned int p = atoi(proc), i;
	unsigned int t;

	world = map_world();
	if (!world || p >= PROCS)
		_exit(1);
	limits.faults = !access("/proc/self/fail-nth", W_OK);
	if (world->seq.serial) {
		i = world->turn;
		process_execed(p);
		for (t = 0; t < THREADS; t++)
			world->actor[p][t].since_ms = 0;
		pass_turn(i);
	} else {
		for (t = 0; t < THREADS; t++) {
			world->actor[p][t].since_ms = 0;
			world->actor[p][t].no_caps = false;
		}
	}
	start_process(p);
}

static void fresh_world(const struct sequence *s)
{
	unsigned int proc;
	int pair[2];

	memset(world, 0, offsetof(struct world, mm));
	for (proc = 0; proc < PROCS; proc++) {
		memset(&world->mm[proc], 0, offsetof(struct mm, data));
		if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
			continue;
		give_number(pair[0], FD_MAIL + 2 * proc);
		give_number(pair[1], FD_MAIL + 2 * proc + 1);
	}
	memset(world->file, 0, sizeof(world->file));
	world->seq = *s;
	world->file_pages = PAGES;
	if (ftruncate(FD_FILE, 0) || ftruncate(FD_FILE, PAGES * MMU_PAGE))
		perror("ftruncate");
	give_number(open(MY_MMU_DEVICE_PATH, O_RDWR), FD_STATS);
	mmu_stats(FD_STATS, &world->stats);
}

static void end_world(void)
{
	unsigned int proc;

	for (proc = 0; proc < PROCS; proc++) {
		close(FD_MAIL + 2 * proc);
		close(FD_MAIL + 2 * proc + 1);
	}
	close(FD_STATS);
}

/* The first actor that has been in a call for too long, or NULL. */
static struct actor *hanging(void)
{
	struct actor *a = &world->actor[0][0];
	int64_t since;

	for (; a < &world->actor[0][0] + PROCS * THREADS; a++) {
		since = __atomic_load_n(&a->since_ms, __ATOMIC_SEQ_CST);
		if (since && now_ms() - since > limits.call_s * 1000 &&
		    a->tid && !kill(a->tid, 0))
			return a;
	}
	return NULL;
}

/* Whoever exits in its turn says so first: here it is passed on. */
void exit_in_turn(struct self *me)
{
	world->dying_at = me->actor->at;
	__atomic_store_n(&world->dying, getpid(), __ATOMIC_SEQ_CST);
	if (write(FD_LIFE, "", 1) != 1)
		fail(me, "the supervisor is not told: %s", strerror(errno));
}

static void pass_for_the_dead(int life)
{
	char byte;

	if (read(life, &byte, 1) != 1)
		return;
	wait_gone(__atomic_load_n(&world->dying, __ATOMIC_SEQ_CST));
	pass_turn(world->dying_at);
}

/* Waits for @ms, or until something happens. */
static bool all_gone(int life, int ms)
{
	struct pollfd p = { .fd = life, .events = POLLIN };

	if (poll(&p, 1, ms) <= 0)
		return false;
	if (p.revents & POLLIN) {
		pass_for_the_dead(life);
		return false;
	}
	return p.revents & POLLHUP;
}

/* True if all processes have come to their end. */
static bool watch(const struct sequence *s, int life)
{
	int64_t start = now_ms();
	struct actor *a;

	while (!all_gone(life, s->serial ? TICK_MS : RELEASE_MS)) {
		if (!s->serial)
			release_points();
		a = hanging();
		if (a) {
			snprintf(world->why, sizeof(world->why),
				 "a call takes longer than %u s",
				 limits.call_s);
			world->failed_at = a->at;
			return false;
		}
		if (now_ms() - start > 4000 * limits.call_s) {
			snprintf(world->why, sizeof(world->why),
				 "the round does not end");
			world->failed_at = world->turn;
			return false;
		}
	}
	return true;
}

static void kill_all(void)
{
	unsigned int proc;

	for (proc = 0; proc < PROCS; proc++)
		if (world->proc[proc].pid)
			kill(world->proc[proc].pid, SIGKILL);
}

/* Runs @s once. world->why says what is wrong. */
enum outcome run_sequence(const struct sequence *s)
{
	int life[2];
	bool ended;
	pid_t pid;

	fresh_world(s);
	if (pipe2(life, O_CLOEXEC))
		return WRONG;
	dup2(life[1], FD_LIFE);
	close(life[1]);
	world->proc[0].alive = true;
	world->proc[0].mm_id = ++world->last_mm_id;
	world->turn = UINT_MAX;
	pass_turn(UINT_MAX);
	pid = fork();
	if (!pid) {
		close(life[0]);
		start_process(0);
	}
	close(FD_LIFE);
	ended = watch(s, life[0]);
	if (!ended) {
		harness_show_group(getpgrp());
		kill_all();
	}
	close(life[0]);
	release_points();
	end_world();
	if (!ended)
		return DIRTY;
	return world->failed ? WRONG : FINE;
}

enum outcome look_around(void)
{
	if (!kernel_quiet()) {
		strcpy(world->why, "the kernel complained");
		return DIRTY;
	}
	if (!nothing_left(limits.left_ms)) {
		strcpy(world->why, "something is left behind");
		return DIRTY;
	}
	return FINE;
}
