// SPDX-License-Identifier: GPL-2.0
/*
 * invalidate.c - how long a system call that takes pages away lasts
 *
 * One operation: make the pages present again, let the device map them (only
 * where the condition is "mirrored"), and then, timed, take them away from it:
 * MADV_DONTNEED, munmap, mprotect, fork, MADV_PAGEOUT. "unmirrored" is an
 * attached process that takes away what its device does not map; so that the
 * device has something to look at, another range is mirrored all the time in
 * both. The floor, "no-device", is a process that never attached.
 *
 * Reclaim is asked about more: what does it cost those who have no device
 * ("bystander")? The floor is a kernel without our modules.
 *
 * Each thread has a range of its own, in page tables and leaf tables of its
 * own. The address of an operation is drawn at random within it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ability.h"
#include "bench.h"

#define WARM_UP_OPS	2
#define LEAST_OPS	4	/* however slow they are */
#define PAGES_PER_RANGE	(MMU_HUGE / MMU_PAGE)

const char *const mirrored_conditions[] = { "mirrored", "unmirrored", NULL };
const char *const reclaim_conditions[] = {
	"bystander", "unmirrored", "mirrored", NULL
};

/*
 * How an operation gets its memory, gives it away, and clears up, untimed.
 * @few: it takes long; do no more than one must.
 */
struct kind {
	const char *name;
	int (*map)(char *addr, size_t len);
	int (*drop)(char *addr, size_t len);
	int (*after)(char *addr, size_t len);
	bool few;
};

static int keep_mapped(char *addr, size_t len)
{
	(void)addr;
	(void)len;
	return 0;
}

static int map_again(char *addr, size_t len)
{
	void *p = mmap(addr, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		       -1, 0);

	return p == (void *)addr ? 0 : -1;
}

static int dontneed(char *addr, size_t len)
{
	return madvise(addr, len, MADV_DONTNEED);
}

static int unmap(char *addr, size_t len)
{
	return munmap(addr, len);
}

static int read_only(char *addr, size_t len)
{
	return mprotect(addr, len, PROT_READ);
}

static int read_write(char *addr, size_t len)
{
	return mprotect(addr, len, PROT_READ | PROT_WRITE);
}

static _Thread_local pid_t child;

static int fork_once(char *addr, size_t len)
{
	(void)addr;
	(void)len;
	child = fork();
	if (!child)
		_exit(0);
	return child < 0 ? -1 : 0;
}

static int reap(char *addr, size_t len)
{
	(void)addr;
	(void)len;
	return waitpid(child, NULL, 0) == child ? 0 : -1;
}

static int page_out(char *addr, size_t len)
{
	return madvise(addr, len, MADV_PAGEOUT);
}

static atomic_ulong still_there;	/* pages of a run */

static int count_there(char *addr, size_t len)
{
	unsigned char there[MMU_HUGE / MMU_PAGE];
	size_t i;

	if (mincore(addr, len, there))
		return -1;
	for (i = 0; i < len / MMU_PAGE; i++)
		atomic_fetch_add(&still_there, there[i] & 1);
	return 0;
}

static const struct kind dontneed_kind = { "MADV_DONTNEED", keep_mapped,
					   dontneed, keep_mapped, false };
static const struct kind munmap_kind = { "munmap", map_again, unmap,
					 keep_mapped, false };
static const struct kind mprotect_kind = { "mprotect", keep_mapped, read_only,
					   read_write, false };
static const struct kind fork_kind = { "fork", keep_mapped, fork_once, reap,
				       false };
/* What is in swap is thrown away: the next pages are new ones. */
static const struct kind reclaim_kind = { "MADV_PAGEOUT", dontneed, page_out,
					  count_there, true };

/* Set by the one scenario that a process runs, before threads start. */
static const struct kind *kind;

/* Whole leaf tables. */
static size_t range_len(const struct space *s)
{
	size_t len = s->load.pages * MMU_PAGE;

	return (len + MMU_HUGE - 1) & ~(MMU_HUGE - 1);
}

/* Each behind a guard. */
static char *range_of(const struct space *s, unsigned int index)
{
	return s->mem + index * (MMU_HUGE + range_len(s)) + MMU_HUGE;
}

bool is_mirrored(const struct cell *c)
{
	return !strcmp(c->condition, "mirrored");
}

static bool has_device(const struct cell *c)
{
	return !c->floor && strcmp(c->condition, "bystander");
}

/* Touched by the kernel in one go, then by this CPU: its TLB knows them. */
static int touch(char *addr, size_t len)
{
	size_t off;

	if (madvise(addr, len, MADV_POPULATE_WRITE))
		return -1;
	for (off = 0; off < len; off += MMU_PAGE)
		*(volatile char *)(addr + off) = 1;
	return 0;
}

static int mirror(int fd, char *addr, size_t len)
{
	uint64_t done;
	int ret;

	do {
		ret = mmu_populate_batch(fd, addr, len, MY_MMU_POPULATE_WRITE,
					 0, &done, NULL);
	} while (ret == -EAGAIN);
	if (!ret && done != len / MMU_PAGE)
		return -EIO;
	return ret;
}

static int prepare_op(struct worker *w, char *addr, size_t len)
{
	int ret;

	if (kind->map(addr, len))
		return worker_fail(w, -errno, "mmap");
	if (touch(addr, len))
		return worker_fail(w, -errno, "MADV_POPULATE_WRITE");
	if (!is_mirrored(w->cell))
		return 0;
	ret = mirror(w->space->fd, addr, len);
	if (ret)
		return worker_fail(w, ret, "populate");
	w->populated += len / MMU_PAGE;
	return 0;
}

/* One operation; returns how long it took, 0 when it failed. */
static uint64_t one_op(struct worker *w)
{
	unsigned int pages = w->space->load.pages;
	size_t len = pages * MMU_PAGE;
	char *addr = range_of(w->space, w->index);
	uint64_t start, end;

	addr += next_random(&w->seed) %
		(range_len(w->space) / MMU_PAGE - pages + 1) * MMU_PAGE;
	if (prepare_op(w, addr, len))
		return 0;
	start = timed_begin(w);
	if (kind->drop(addr, len)) {
		worker_fail(w, -errno, kind->name);
		return 0;
	}
	end = timed_end(w);
	if (kind->after(addr, len)) {
		worker_fail(w, -errno, kind->name);
		return 0;
	}
	return end > start ? end - start : 1;
}

/* More operations where each is quick; all conditions get the same. */
static unsigned int ops_per_run(const struct space *s)
{
	unsigned int times = PAGES_PER_RANGE / s->load.pages;

	if (kind->few || !times)
		return LEAST_OPS;
	return s->params->ops * (times < 32 ? times : 32);
}

static void warm_up(struct worker *w)
{
	while (!w->error && w->extra_ops < WARM_UP_OPS) {
		one_op(w);
		w->extra_ops++;
	}
}

/* A child waits for its turn until its parent waits for it. */
static void be_patient(struct worker *w)
{
	struct sched_param none = { 0 };

	if (kind == &fork_kind && sched_setscheduler(0, SCHED_BATCH, &none))
		worker_fail(w, -errno, "SCHED_BATCH");
}

static void invalidate_worker(struct worker *w)
{
	uint64_t limit = w->space->params->limit_ms * NSEC_PER_MSEC;
	unsigned int n = ops_per_run(w->space);

	be_patient(w);

	warm_up(w);
	workers_start(w);
	while (!w->error && w->ops < n) {
		w->samples[w->ops] = one_op(w);
		w->ops++;
		if (w->ops >= LEAST_OPS && now_ns() - w->start > limit)
			break;
	}
	workers_finish(w);
	while (!w->error && !workers_all_done()) {
		one_op(w);
		w->extra_ops++;
	}
	w->n_samples = w->ops;
}

/*
 * Something else for the device to map, untouched by all operations. Also
 * there in a process without a device, so that this is all they differ in.
 */
static int touch_neighbour(struct space *s)
{
	if (touch(range_of(s, s->load.threads), MMU_HUGE))
		return fail(s, "MADV_POPULATE_WRITE: %s", strerror(errno));
	return 0;
}

static int mirror_neighbour(struct space *s)
{
	int ret = mirror(s->fd, range_of(s, s->load.threads), MMU_HUGE);

	if (ret)
		return fail(s, "populate: %s", strerror(-ret));
	return 0;
}

static int map_ranges(struct space *s)
{
	void *all;
	unsigned int i;

	s->len = (s->load.threads + 1) * (MMU_HUGE + range_len(s));
	s->mem = map_memory(s->len, MMU_HUGE, &all, &s->guard_len);
	if (!s->mem)
		return fail(s, "no memory: mmap of %zu bytes", s->len);
	s->guard = all;
	for (i = 0; i <= s->load.threads; i++)
		if (mprotect(range_of(s, i) - MMU_HUGE, MMU_HUGE, PROT_NONE))
			return fail(s, "mprotect: %s", strerror(errno));
	return 0;
}

int invalidate_setup(struct space *s, const struct cell *c)
{
	if (map_ranges(s) || touch_neighbour(s))
		return -1;
	/* A fork leaves the neighbour alone, as all others do. */
	if (madvise(range_of(s, s->load.threads), MMU_HUGE, MADV_DONTFORK))
		return fail(s, "MADV_DONTFORK: %s", strerror(errno));
	if (!has_device(c))
		return 0;
	if (open_device(s) || attach_device(s, c->variant))
		return -1;
	return mirror_neighbour(s);
}

/* All variants are told of what is mirrored; of the rest, not each. */
static bool is_told(const struct cell *c)
{
	return is_mirrored(c) || can(c->variant, HEARS_OF_ALL) > 0;
}

/* The device lost what was taken away, all of it and nothing more. */
static int check_zapped(struct space *s, const struct cell *c, uint64_t ops)
{
	uint64_t expected = is_mirrored(c) ? ops * s->load.pages : 0;
	struct my_mmu_verify v = { 0 };
	struct result *r = s->result;
	int ret;

	if (r->zapped != expected)
		return fail(s, "%llu entries zapped where %llu went away",
			    (unsigned long long)r->zapped,
			    (unsigned long long)expected);
	if (is_told(c) && r->invalidations < ops)
		return fail(s, "%llu invalidations of %llu arrived",
			    (unsigned long long)r->invalidations,
			    (unsigned long long)ops);
	if (!s->params->verify)
		return 0;
	ret = mmu_verify(s->fd, NULL, 0, &v);
	if (ret)
		return fail(s, "MY_MMU_VERIFY: %s", strerror(-ret));
	r->verified = v.right;
	r->stale = v.stale + v.over_permissive;
	if (v.right != PAGES_PER_RANGE || r->stale)
		return fail(s, "VERIFY: %llu right of %lu, %llu wrong",
			    (unsigned long long)v.right, PAGES_PER_RANGE,
			    (unsigned long long)r->stale);
	return 0;
}

/* Who measures reclaim wants pages reclaimed, all of them. */
static int check_gone(struct space *s)
{
	unsigned long there = atomic_exchange(&still_there, 0);

	if (there)
		return fail(s, "%lu pages are still in memory", there);
	return 0;
}

static int run_timed(struct space *s, const struct cell *c, struct worker *w,
		     uint64_t *ops)
{
	static uint64_t samples[MAX_SAMPLES];
	unsigned int i, n = s->load.threads;
	uint32_t each = MAX_SAMPLES / n;

	if (ops_per_run(s) > each)
		return fail(s, "--ops %u: at most %u samples fit",
			    s->params->ops, each);
	for (i = 0; i < n; i++) {
		w[i].samples = samples + i * each;
		w[i].max_samples = each;
	}
	if (run_workers(s, c, w, n, invalidate_worker))
		return -1;
	workers_add_up(s, w, n);
	for (i = 0; i < n; i++)
		*ops += w[i].ops + w[i].extra_ops;
	return 0;
}

/* The op ranges of munmap are holes between runs, those of the other not. */
static int open_holes(struct space *s)
{
	unsigned int i;

	if (kind != &munmap_kind || !s->guard)
		return 0;
	for (i = 0; i < s->load.threads; i++)
		if (munmap(range_of(s, i), range_len(s)))
			return fail(s, "munmap: %s", strerror(errno));
	s->guard = NULL;
	return 0;
}

static int invalidate_run(struct space *s, const struct cell *c)
{
	struct worker w[MAX_THREADS] = { 0 };
	struct my_mmu_stats a, b;
	struct result *r = s->result;
	uint64_t ops = 0;

	if (open_holes(s) || take_stats(s, &a) || run_timed(s, c, w, &ops) ||
	    take_stats(s, &b))
		return -1;
	r->pages = r->ops * s->load.pages;
	r->retries = b.retries - a.retries;
	r->waits = b.waits - a.waits;
	r->contended = b.contended - a.contended;
	r->zapped = b.zapped_pages - a.zapped_pages;
	r->invalidations = b.invalidations - a.invalidations;
	if (check_gone(s))
		return -1;
	return has_device(c) ? check_zapped(s, c, ops) : 0;
}

int dontneed_run(struct space *s, const struct cell *c)
{
	kind = &dontneed_kind;
	return invalidate_run(s, c);
}

int munmap_run(struct space *s, const struct cell *c)
{
	kind = &munmap_kind;
	return invalidate_run(s, c);
}

int mprotect_run(struct space *s, const struct cell *c)
{
	kind = &mprotect_kind;
	return invalidate_run(s, c);
}

int fork_run(struct space *s, const struct cell *c)
{
	kind = &fork_kind;
	return invalidate_run(s, c);
}

int reclaim_run(struct space *s, const struct cell *c)
{
	kind = &reclaim_kind;
	return invalidate_run(s, c);
}

/* Is there somewhere to page out to? */
bool have_swap(const struct params *p)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[256];
	int n = 0;

	(void)p;
	while (f && fgets(line, sizeof(line), f))
		n++;
	if (f)
		fclose(f);
	return n > 1;
}
