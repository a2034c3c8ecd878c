// SPDX-License-Identifier: GPL-2.0
/*
 * populate.c - how fast pages enter the device page table
 *
 * Memory that the CPU has touched already is populated from nothing: attach,
 * populate all of it (timed), look whether it is all there, detach; again,
 * until enough time has been measured. Each thread has a share of its own of
 * whole leaf tables. One call covers the share; the driver looks up and
 * enters "pages" pages at a time.
 *
 * The floor is the same with the page lookups alone, by the same threads, on
 * the same memory, in the same process.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bench.h"

#define MAX_PASSES	200
#define SETTLE_MS	5000

static size_t share_len(const struct space *s)
{
	return s->len / s->load.threads;
}

static int map_shares(struct space *s)
{
	size_t share = ((size_t)s->params->mib << 20) / s->load.threads;
	void *all;

	share &= ~(MMU_HUGE - 1);
	if (!share)
		return fail(s, "--mib %u: each of %u threads needs 2",
			    s->params->mib, s->load.threads);
	s->len = share * s->load.threads;
	s->mem = map_memory(s->len, MMU_HUGE, &all, &s->guard_len);
	if (!s->mem)
		return fail(s, "no memory: mmap of %zu bytes", s->len);
	s->guard = all;
	return 0;
}

int populate_setup(struct space *s, const struct cell *c)
{
	(void)c;
	if (map_shares(s))
		return -1;
	if (madvise(s->mem, s->len, MADV_NOHUGEPAGE) && errno != EINVAL)
		return fail(s, "MADV_NOHUGEPAGE: %s", strerror(errno));
	memset(s->mem, 1, s->len);
	return 0;
}

static size_t huge_kib(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "re");
	unsigned long kib = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "AnonHugePages: %lu", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

/* All in huge pages, which mmu-bench does without elsewhere. */
int populate_thp_setup(struct space *s, const struct cell *c)
{
	(void)c;
	if (prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0))
		return fail(s, "PR_SET_THP_DISABLE: %s", strerror(errno));
	if (map_shares(s))
		return -1;
	if (madvise(s->mem, s->len, MADV_HUGEPAGE))
		return fail(s, "MADV_HUGEPAGE: %s", strerror(errno));
	memset(s->mem, 1, s->len);
	if (huge_kib() < s->len >> 10)
		return fail(s, "%zu KiB of %zu are in huge pages; give the "
			    "guest more memory", huge_kib(), s->len >> 10);
	return 0;
}

/* [@addr, @addr + @len) once: all of it, or an error. */
static int populate_range(struct worker *w, char *addr, size_t len)
{
	struct space *s = w->space;
	uint64_t done;
	int ret;

	while (len) {
		done = 0;
		if (w->cell->floor)
			ret = mmu_gup_floor(s->fd, addr, len,
					    MY_MMU_POPULATE_WRITE,
					    s->load.pages, &done);
		else
			ret = mmu_populate_batch(s->fd, addr, len,
						 MY_MMU_POPULATE_WRITE,
						 s->load.pages, &done, NULL);
		if (ret && ret != -EAGAIN)
			return worker_fail(w, ret, "populate");
		if (!ret && done != len / MMU_PAGE)
			return worker_fail(w, -EIO, "short populate");
		w->populated += done;
		addr += done * MMU_PAGE;
		len -= done * MMU_PAGE;
	}
	return 0;
}

static void populate_worker(struct worker *w)
{
	size_t share = share_len(w->space), off = 0;
	char *mine = w->space->mem + w->index * share;
	uint64_t timed;

	workers_start(w);
	timed_begin(w);
	populate_range(w, mine, share);
	timed_end(w);
	workers_finish(w);
	timed = w->populated;
	while (!w->error && !workers_all_done()) {
		populate_range(w, mine + off, MMU_HUGE);
		off = (off + MMU_HUGE) % share;
	}
	w->populated = timed;
	w->ops = (timed + w->space->load.pages - 1) / w->space->load.pages;
}

static uint64_t wall_time(const struct worker *w, unsigned int n)
{
	uint64_t start = w[0].start, end = w[0].end;
	unsigned int i;

	for (i = 1; i < n; i++) {
		start = w[i].start < start ? w[i].start : start;
		end = w[i].end > end ? w[i].end : end;
	}
	return end - start;
}

/* All that was asked for is there, once, and right; nothing else is. */
static int check_entries(struct space *s, uint64_t expected, bool verify)
{
	struct my_mmu_verify v = { 0 };
	int ret;

	if (s->result->entries != expected)
		return fail(s, "%llu entries where %llu were populated",
			    (unsigned long long)s->result->entries,
			    (unsigned long long)expected);
	if (!verify)
		return 0;
	ret = mmu_verify(s->fd, s->mem, s->len, &v);
	if (ret)
		return fail(s, "MY_MMU_VERIFY: %s", strerror(-ret));
	s->result->verified = v.right;
	s->result->stale = v.stale + v.over_permissive;
	if (v.right != expected || s->result->stale)
		return fail(s, "VERIFY: %llu right of %llu, %llu wrong",
			    (unsigned long long)v.right,
			    (unsigned long long)expected,
			    (unsigned long long)s->result->stale);
	return 0;
}

static int count_pass(struct space *s, const struct cell *c,
		      const struct my_mmu_stats *a, bool verify)
{
	struct result *r = s->result;
	struct my_mmu_stats b;

	if (take_stats(s, &b))
		return -1;
	r->retries += b.retries - a->retries;
	r->waits += b.waits - a->waits;
	r->contended += b.contended - a->contended;
	r->zapped += b.zapped_pages - a->zapped_pages;
	r->invalidations += b.invalidations - a->invalidations;
	r->entries = b.entries;
	r->bytes = b.bytes;
	return check_entries(s, c->floor ? 0 : s->len / MMU_PAGE,
			     verify && !c->floor);
}

static int populate_pass(struct space *s, const struct cell *c, bool verify)
{
	struct worker w[MAX_THREADS] = { 0 };
	unsigned int n = s->load.threads;
	struct result *r = s->result;
	struct my_mmu_stats before;
	uint64_t total;

	if (take_stats(s, &before) ||
	    run_workers(s, c, w, n, populate_worker))
		return -1;
	total = r->populated;
	workers_add_up(s, w, n);
	total = r->populated - total;
	if (total != s->len / MMU_PAGE)
		return fail(s, "%llu pages populated where %zu were asked for",
			    (unsigned long long)total, s->len / MMU_PAGE);
	r->pages += total;
	r->ns += wall_time(w, n);
	return count_pass(s, c, &before, verify);
}

/*
 * What the pass before has left is freed when readers are done with it, some
 * time later. Wait for that: it would be work in the middle of this pass, and
 * bytes that are not its own.
 */
static int settle(struct space *s)
{
	struct my_mmu_stats st;
	int ms;

	for (ms = 0; ms < SETTLE_MS; ms++) {
		if (take_stats(s, &st))
			return -1;
		if (!st.mmus && !st.entries && !st.bytes)
			return 0;
		usleep(1000);
	}
	return fail(s, "left %d s later: %llu MMUs, %llu entries, %llu bytes",
		    SETTLE_MS / 1000, (unsigned long long)st.mmus,
		    (unsigned long long)st.entries,
		    (unsigned long long)st.bytes);
}

static int one_pass(struct space *s, const struct cell *c, bool verify)
{
	if (settle(s))
		return -1;
	if (!c->floor && attach_device(s, c->variant))
		return -1;
	return populate_pass(s, c, verify);
}

int populate_run(struct space *s, const struct cell *c)
{
	uint64_t budget = s->params->budget_ms * NSEC_PER_MSEC;
	int ret = 0, pass;

	for (pass = 0; pass < MAX_PASSES && !ret; pass++) {
		if (open_device(s))
			return -1;
		ret = one_pass(s, c, s->params->verify && !pass);
		close(s->fd);
		s->fd = -1;
		if (s->params->passes ? pass + 1 == (int)s->params->passes :
		    s->result->ns >= budget)
			break;
	}
	return ret;
}
