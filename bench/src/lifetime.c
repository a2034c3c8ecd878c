// SPDX-License-Identifier: GPL-2.0
/*
 * lifetime.c - attach, detach and exit beside somebody else's slow device
 *
 * One process, the sleeper, has a device that takes its time to answer, and
 * asks for an answer again and again: by MY_MMU_EVICT, so that a walk of the
 * rmap chain sleeps ("chain-100": for 100 ms), or by MADV_DONTNEED, so that a
 * range callback does ("range-100"). Another process, a new one for each
 * operation, attaches, or detaches, or exits; it begins somewhere in the first
 * half of such a sleep. Who does not wait for the device is through long before
 * the sleep is over; then the next one begins beside the same sleep, as long
 * as a quarter of it is left. The floor does without a device: it opens or
 * closes a handle that is not attached, or exits, and nobody sleeps.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

#define NSEC_PER_USEC	1000ull

/*
 * Operations of a run. There are at least so many, and then more, up to
 * MOST_LIVES, for as long as the least would take if each waited for an answer:
 * where none waits, that is time for many. That at most one in a hundred takes
 * longer than so and so can be said, with 95 %, if none of 299 does: for that,
 * an attach beside a device of 100 ms has 24 runs of 13 in the full set. If one
 * or two do take longer, 24 runs of 42 say so still. Elsewhere there are enough
 * to tell a wait from none.
 */
#define LIVES		2
#define LIVES_FULL	4
#define LIVES_FOR_P99	13
#define MOST_LIVES	42
#define LONG_US		100000

const char *const slow_conditions[] = { "chain-100", "range-100", NULL };
const char *const more_slow_conditions[] = {
	"chain-1", "range-1", "chain-0", "range-0", NULL
};

/* Between the processes. */
static struct shared {
	atomic_ulong	naps;		/* answers asked for */
	atomic_ullong	asleep;		/* since when, of the latest */
	atomic_ulong	met;		/* which an operation began in */
	atomic_uint	over;		/* and had */
	atomic_ullong	start, end;	/* of the operation */
	atomic_int	error;		/* -errno of either */
	struct counters	counters;	/* of the operation */
} *shared;

static bool in_chain(const struct cell *c)
{
	return !strncmp(c->condition, "chain-", 6);
}

static unsigned int answer_us(const struct cell *c)
{
	return atoi(strchr(c->condition, '-') + 1) * 1000;
}

static int nap(struct space *s, const struct cell *c)
{
	int ret = mmu_populate(s->fd, s->mem, MMU_PAGE, MY_MMU_POPULATE_WRITE);

	if (ret)
		return ret == -EAGAIN ? 0 : ret;
	atomic_store(&shared->asleep, now_ns());
	atomic_fetch_add(&shared->naps, 1);
	if (in_chain(c))
		ret = mmu_evict(s->fd, s->mem) == 1 ? 0 : -EIO;
	else
		ret = madvise(s->mem, MMU_PAGE, MADV_DONTNEED) ? -errno : 0;
	atomic_fetch_add(&shared->over, 1);
	return ret;
}

/* Until its parent is gone. */
static void sleeper(struct space *s, const struct cell *c)
{
	int ret;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	name_task("slow-device");
	if (open_device(s) || attach_device(s, c->variant))
		atomic_store(&shared->error, -ENODEV);
	ret = mmu_configure(s->fd, answer_us(c));
	while (!ret)
		ret = nap(s, c);
	atomic_store(&shared->error, ret);
	_exit(1);
}

static int start_sleeper(struct space *s, const struct cell *c)
{
	pid_t pid = fork();

	if (pid < 0)
		return fail(s, "fork: %s", strerror(errno));
	if (!pid)
		sleeper(s, c);
	return 0;
}

int lifetime_setup(struct space *s, const struct cell *c)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return fail(s, "mmap: %s", strerror(errno));
	if (map_small_pages(s, MMU_HUGE))
		return -1;
	return c->floor ? 0 : start_sleeper(s, c);
}

static void sleep_ns(uint64_t ns)
{
	struct timespec ts = { .tv_nsec = ns };

	nanosleep(&ts, NULL);
}

/* The sleep that the operation before began in, and did not wait for */
static bool asleep_still(const struct cell *c)
{
	uint64_t part = answer_us(c) * NSEC_PER_USEC / 4 * 3;
	unsigned long naps = atomic_load(&shared->naps);

	return naps == atomic_load(&shared->met) &&
	       naps > atomic_load(&shared->over) &&
	       now_ns() < atomic_load(&shared->asleep) + part;
}

/* The sleeper has just begun to sleep; then up to half of that goes by. */
static void wait_for_nap(const struct cell *c, const char *scenario,
			 uint64_t *seed)
{
	unsigned long before = atomic_load(&shared->naps);

	if (asleep_still(c))
		return;
	name_task("waiting");
	while (atomic_load(&shared->naps) == before &&
	       !atomic_load(&shared->error))
		sleep_ns(50 * NSEC_PER_USEC);
	if (answer_us(c))
		sleep_ns(next_random(seed) % (answer_us(c) / 2) *
			 NSEC_PER_USEC);
	atomic_store(&shared->met, atomic_load(&shared->naps));
	name_task(scenario);
}

/* What an operation is; each returns -errno. */
struct act {
	bool attached_before;
	int (*attached)(int fd, const char *variant);
	int (*without)(int *fd);
};

static int open_handle(int *fd)
{
	*fd = mmu_open();
	return *fd < 0 ? *fd : 0;
}

static int close_handle(int *fd)
{
	return close(*fd) ? -errno : 0;
}

static int detach(int fd, const char *variant)
{
	(void)variant;
	return mmu_detach(fd);
}

static const struct act attach_act = { false, mmu_attach, open_handle };
static const struct act detach_act = { true, detach, close_handle };
/* The end is when its parent knows. */
static const struct act exit_act = { true, NULL, NULL };

/* Set by the one scenario that a process runs. */
static const struct act *act;

static int prepare_act(struct space *s, const struct cell *c)
{
	if (c->floor && act->attached_before)
		return open_handle(&s->fd);
	if (c->floor)
		return 0;
	s->fd = mmu_open();
	if (s->fd < 0 || !act->attached_before)
		return s->fd < 0 ? s->fd : 0;
	return mmu_attach(s->fd, c->variant) ?:
	       mmu_populate(s->fd, s->mem, MMU_PAGE, MY_MMU_POPULATE_WRITE);
}

static int do_act(struct space *s, const struct cell *c)
{
	if (act == &exit_act)
		return 0;
	return c->floor ? act->without(&s->fd) :
			  act->attached(s->fd, c->variant);
}

/*
 * Who exits is not there to read the counters of its exit. perf knows it by its
 * name, but for while it waits for the device to fall asleep.
 */
static void one_life(struct space *s, const struct cell *c, uint64_t *seed)
{
	int ret;

	name_task(s->scenario->name);
	ret = prepare_act(s, c);
	if (!c->floor)
		wait_for_nap(c, s->scenario->name, seed);
	if (act != &exit_act)
		counters_open(s->params);
	counters_start();
	atomic_store(&shared->start, now_ns());
	ret = ret ?: do_act(s, c);
	atomic_store(&shared->end, now_ns());
	counters_stop();
	counters_close(&shared->counters);
	if (ret)
		atomic_store(&shared->error, ret);
	_exit(0);
}

/* Nanoseconds, or 0 when it failed. */
static uint64_t one_op(struct space *s, const struct cell *c, uint64_t *seed)
{
	uint64_t end;
	int error;
	pid_t pid;

	pid = fork();
	if (!pid)
		one_life(s, c, seed);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid) {
		fail(s, "fork: %s", strerror(errno));
		return 0;
	}
	end = act == &exit_act ? now_ns() : atomic_load(&shared->end);
	next_random(seed);
	error = atomic_load(&shared->error);
	if (error) {
		fail(s, "%s: %s", s->scenario->name, strerror(-error));
		return 0;
	}
	return end - atomic_load(&shared->start);
}

/* All of them are gone but the sleeper, who has been asleep meanwhile. */
static int check_lives(struct space *s, const struct cell *c,
		       unsigned long naps)
{
	struct my_mmu_stats st;

	if (c->floor)
		return 0;
	if (!naps)
		return fail(s, "the slow device did not sleep");
	if (open_device(s) || take_stats(s, &st))
		return -1;
	close(s->fd);
	s->fd = -1;
	return st.entries <= 1 ? 0 : fail(s, "%llu entries are left, of 1",
					  (unsigned long long)st.entries);
}

static unsigned int least_lives(const struct space *s, const struct cell *c)
{
	if (s->params->set != FULL)
		return LIVES;
	if (act == &attach_act && !c->floor && answer_us(c) >= LONG_US)
		return LIVES_FOR_P99;
	return LIVES_FULL;
}

/* How long the least of them take if each waits, in ns; 0: nobody waits. */
static uint64_t budget(const struct space *s, const struct cell *c)
{
	uint64_t us = c->floor ? 0 : answer_us(c);

	return least_lives(s, c) * us * NSEC_PER_USEC;
}

static int lifetime_run(struct space *s, const struct cell *c)
{
	unsigned long naps = atomic_load(&shared->over);
	unsigned int i, least = least_lives(s, c);
	uint64_t end = now_ns() + budget(s, c);
	struct result *r = s->result;
	uint64_t seed = s->seed, ns;

	memset(&shared->counters, 0, sizeof(shared->counters));

	for (i = 0; i < least || (i < MOST_LIVES && now_ns() < end); i++) {
		ns = one_op(s, c, &seed);
		if (!ns)
			return fail(s, "no time has passed");
		r->samples[i] = ns;
		r->ns += ns;
	}
	r->n_samples = i;
	r->ops = i;
	r->pages = i;
	r->foreign = atomic_load(&shared->over) - naps;
	r->counters = shared->counters;
	return check_lives(s, c, atomic_load(&shared->naps));
}

int attach_run(struct space *s, const struct cell *c)
{
	act = &attach_act;
	return lifetime_run(s, c);
}

int detach_run(struct space *s, const struct cell *c)
{
	act = &detach_act;
	return lifetime_run(s, c);
}

int exit_run(struct space *s, const struct cell *c)
{
	act = &exit_act;
	return lifetime_run(s, c);
}
