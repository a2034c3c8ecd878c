// SPDX-License-Identifier: GPL-2.0
/*
 * worker.c - threads that start together and stop together
 *
 * Every thread sits on a CPU of its own (as far as there are enough), gets a
 * seed of its own, and waits at a barrier until all are ready. One that has
 * done its share goes on with the same work, untimed, until the last one has
 * finished: otherwise the slowest would run its last part alone and look
 * better than it is.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "bench.h"

#define STACK_SIZE	(256ul << 10)

static pthread_barrier_t barrier;
static atomic_uint running;
static void (*worker_fn)(struct worker *w);

/* From the last CPU downwards: CPU 0 has more interrupts than the others. */
static void pin(struct worker *w)
{
	cpu_set_t all, mine;
	int cpu = CPU_SETSIZE, skip;

	if (sched_getaffinity(0, sizeof(all), &all))
		return (void)worker_fail(w, -errno, "sched_getaffinity");
	skip = w->index % CPU_COUNT(&all);
	while (cpu-- > 0)
		if (CPU_ISSET(cpu, &all) && !skip--)
			break;
	CPU_ZERO(&mine);
	CPU_SET(cpu, &mine);
	if (sched_setaffinity(0, sizeof(mine), &mine))
		worker_fail(w, -errno, "sched_setaffinity");
}

/*
 * Call once in each worker, when all is prepared: timed parts follow. Who has
 * only one puts its ends into @start and @end.
 */
void workers_start(struct worker *w)
{
	pthread_barrier_wait(&barrier);
	w->start = now_ns();
}

/* There are no more of them; then cool down until workers_all_done(). */
void workers_finish(struct worker *w)
{
	if (!w->end)
		w->end = now_ns();
	atomic_fetch_sub(&running, 1);
}

bool workers_all_done(void)
{
	return !atomic_load(&running);
}

int worker_fail(struct worker *w, int error, const char *at)
{
	if (!w->error) {
		w->error = error;
		w->error_at = at;
	}
	return error;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;

	name_task(w->space->scenario->name);
	pin(w);
	counters_open(w->space->params);
	worker_fn(w);
	counters_close(&w->counters);
	return NULL;
}

/* Same seed, same work: two threads must not walk in step. */
static void assert_seeds(const struct worker *w, unsigned int n)
{
	unsigned int i, j;

	for (i = 0; i < n; i++)
		for (j = 0; j < i; j++)
			assert(w[i].seed != w[j].seed);
}

static int prepare(struct space *s, const struct cell *c, struct worker *w,
		   unsigned int n)
{
	uint64_t seed = s->seed;
	unsigned int i;

	for (i = 0; i < n; i++) {
		w[i].space = s;
		w[i].cell = c;
		w[i].index = i;
		w[i].seed = next_random(&seed);
	}
	assert_seeds(w, n);
	atomic_store(&running, n);
	return pthread_barrier_init(&barrier, NULL, n);
}

/*
 * Stacks of our own, kept: the C library gives back part of its own whenever
 * a thread ends, an invalidation in the middle of what others do, and may put
 * a new one into the hole where munmap's next mapping belongs.
 */
static char *stack_of(unsigned int index)
{
	static char *stacks;

	if (!stacks)
		stacks = mmap(NULL, MAX_THREADS * STACK_SIZE,
			      PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			      MAP_STACK, -1, 0);
	if (stacks == MAP_FAILED)
		die("no memory for stacks");
	return stacks + index * STACK_SIZE;
}

static void start_thread(pthread_t *thread, struct worker *w)
{
	pthread_attr_t attr;

	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stack_of(w->index), STACK_SIZE);
	if (pthread_create(thread, &attr, worker_main, w))
		die("cannot start thread %u", w->index + 1);
	pthread_attr_destroy(&attr);
}

/* Run @fn in @n threads and wait for them; reports what went wrong. */
int run_workers(struct space *s, const struct cell *c, struct worker *w,
		unsigned int n, void (*fn)(struct worker *w))
{
	pthread_t threads[MAX_THREADS];
	unsigned int i;

	if (prepare(s, c, w, n))
		return fail(s, "no barrier for %u threads", n);
	worker_fn = fn;
	for (i = 0; i < n; i++)
		start_thread(&threads[i], &w[i]);
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	for (i = 0; i < n; i++)
		if (w[i].error)
			return fail(s, "thread %u, %s: %s", i, w[i].error_at,
				    strerror(-w[i].error));
	return 0;
}

/*
 * Sums and samples of all threads go into the result of the run, whose time is
 * that of the samples, if there are any.
 */
void workers_add_up(struct space *s, struct worker *w, unsigned int n)
{
	struct result *r = s->result;
	unsigned int i, j, take;

	for (i = 0; i < n; i++) {
		r->ops += w[i].ops;
		r->populated += w[i].populated;
		r->retries += w[i].retries;
		counters_add(&r->counters, &w[i].counters);
		take = w[i].n_samples;
		if (take > MAX_SAMPLES - r->n_samples)
			take = MAX_SAMPLES - r->n_samples;
		memcpy(&r->samples[r->n_samples], w[i].samples,
		       take * sizeof(*w[i].samples));
		for (j = 0; j < take; j++)
			r->ns += w[i].samples[j];
		r->n_samples += take;
		r->samples_lost += w[i].n_samples - take;
	}
}
