// SPDX-License-Identifier: GPL-2.0
/*
 * populate.c - how fast pages enter the device page table
 *
 * Memory that the CPU has touched already is populated from nothing: attach,
 * populate all of it (timed), look whether it is all there, detach; again,
 * until enough time has been measured. The driver looks up and enters "pages"
 * pages at a time. Who populates what is the scenario:
 *
 * populate: each thread has a share of its own of whole leaf tables, and covers
 * it in one call; populate-per-call: in calls of "pages" pages. populate-
 * overlap: each thread populates all of it, and begins where its share would;
 * who comes second finds the entries there. populate-table: "pages" pages a
 * call, which the threads of a table take in turns.
 *
 * populate-file is of pages that a file in memory has. populate-sparse is of
 * one page of each leaf table, a call each.
 *
 * enter: what a populate does besides looking pages up. Each pass is followed
 * by one that only looks up, by the same threads, and the time is the
 * difference. Its floor are those lookups.
 *
 * The floor is the same with the page lookups alone, by the same threads, on
 * the same memory, in the same process: get_user_pages_fast(). Where
 * instructions are counted there is a second one, the lookup that a populate
 * does (LOOKUP=), which tells what entering costs at equal lookup.
 */
#define _GNU_SOURCE
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

int map_small_pages(struct space *s, size_t len)
{
	void *all;

	s->len = len;
	s->mem = map_memory(len, MMU_HUGE, &all, &s->guard_len);
	if (!s->mem)
		return fail(s, "no memory: mmap of %zu bytes", len);
	s->guard = all;
	if (madvise(s->mem, len, MADV_NOHUGEPAGE) && errno != EINVAL)
		return fail(s, "MADV_NOHUGEPAGE: %s", strerror(errno));
	memset(s->mem, 1, len);
	return 0;
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

/* A file of tmpfs: all pages in the page cache, and writable. */
int populate_file_setup(struct space *s, const struct cell *c)
{
	int fd = memfd_create("mmu-bench", MFD_CLOEXEC);

	(void)c;
	if (map_shares(s))
		return -1;
	if (fd < 0 || ftruncate(fd, s->len) ||
	    mmap(s->mem, s->len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 fd, 0) == MAP_FAILED)
		return fail(s, "memfd of %zu bytes: %s", s->len,
			    strerror(errno));
	close(fd);
	memset(s->mem, 1, s->len);
	return 0;
}

#define SPARSE_TABLES	512

int populate_sparse_setup(struct space *s, const struct cell *c)
{
	size_t tables = SPARSE_TABLES - SPARSE_TABLES % s->load.threads, i;
	void *all;

	(void)c;
	s->len = tables * MMU_HUGE;
	s->mem = map_memory(s->len, MMU_HUGE, &all, &s->guard_len);
	if (!s->mem)
		return fail(s, "no memory: mmap of %zu bytes", s->len);
	for (i = 0; i < tables; i++)
		s->mem[i * MMU_HUGE] = 1;
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
int populate_range(struct worker *w, char *addr, size_t len)
{
	bool lookup = !strcmp(w->cell->condition, "lookup-only");
	struct space *s = w->space;
	uint64_t done;
	int ret;

	while (len) {
		done = 0;
		if (w->cell->floor)
			ret = mmu_gup_floor(s->fd, addr, len,
					    MY_MMU_POPULATE_WRITE |
					    (lookup ? MY_MMU_FLOOR_LOOKUP : 0),
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

static void by_calls(struct worker *w, char *at, size_t len)
{
	size_t piece = w->space->load.pages * MMU_PAGE;

	while (len && !w->error) {
		piece = piece < len ? piece : len;
		populate_range(w, at, piece);
		at += piece;
		len -= piece;
	}
}

static void own_share_by_calls(struct worker *w)
{
	size_t share = share_len(w->space);

	by_calls(w, w->space->mem + w->index * share, share);
}

static void own_share(struct worker *w)
{
	size_t share = share_len(w->space);

	populate_range(w, w->space->mem + w->index * share, share);
}

static void all_of_it(struct worker *w)
{
	size_t before = w->index * share_len(w->space);

	populate_range(w, w->space->mem + before, w->space->len - before);
	populate_range(w, w->space->mem, before);
}

static void in_turns(struct worker *w)
{
	size_t piece = w->space->load.pages * MMU_PAGE, off;
	size_t step = w->space->load.threads * piece;

	for (off = w->index * piece; off < w->space->len && !w->error;
	     off += step)
		populate_range(w, w->space->mem + off, piece);
}

static void a_page_of_each(struct worker *w)
{
	size_t share = share_len(w->space), off;
	char *mem = w->space->mem + w->index * share;

	for (off = 0; off < share && !w->error; off += MMU_HUGE)
		populate_range(w, mem + off, MMU_PAGE);
}

/*
 * Who populates what, and so how often each page is asked for; and how far it
 * is to the next page.
 */
struct cover {
	void (*populate)(struct worker *w);
	bool all_ask_for_all;
	size_t step;
};

static const struct cover shares = { own_share, false, MMU_PAGE };
static const struct cover calls = { own_share_by_calls, false, MMU_PAGE };
static const struct cover overlap = { all_of_it, true, MMU_PAGE };
static const struct cover turns = { in_turns, false, MMU_PAGE };
static const struct cover sparse = { a_page_of_each, false, MMU_HUGE };

/* Set by the one scenario that a process runs, before threads start. */
static const struct cover *cover;

/* The same kind of work again; of one leaf table, where that can be. */
static void go_on(struct worker *w, size_t off)
{
	char *at = w->space->mem + w->index * share_len(w->space) + off;

	if (cover == &turns || cover == &sparse)
		cover->populate(w);
	else if (cover == &calls)
		by_calls(w, at, MMU_HUGE);
	else
		populate_range(w, at, MMU_HUGE);
}

static void populate_worker(struct worker *w)
{
	size_t share = share_len(w->space), off = 0;
	uint64_t timed;

	workers_start(w);
	w->start = timed_begin(w);
	cover->populate(w);
	w->end = timed_end(w);
	workers_finish(w);
	timed = w->populated;
	while (!w->error && !workers_all_done()) {
		go_on(w, off);
		off = (off + MMU_HUGE) % share;
	}
	w->populated = timed;
	w->ops = (timed + w->space->load.pages - 1) / w->space->load.pages;
}

uint64_t wall_time(const struct worker *w, unsigned int n)
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

int count_pass(struct space *s, const struct cell *c,
	       const struct my_mmu_stats *a, uint64_t expected, bool verify)
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
	return check_entries(s, c->floor ? 0 : expected, verify && !c->floor);
}

static int populate_pass(struct space *s, const struct cell *c, bool verify)
{
	struct worker w[MAX_THREADS] = { 0 };
	unsigned int n = s->load.threads;
	struct result *r = s->result;
	uint64_t total, there = s->len / cover->step, asked;
	struct my_mmu_stats before;

	if (take_stats(s, &before) ||
	    run_workers(s, c, w, n, populate_worker))
		return -1;
	total = r->populated;
	workers_add_up(s, w, n);
	total = r->populated - total;
	asked = cover->all_ask_for_all ? n * there : there;
	if (total != asked)
		return fail(s, "%llu pages populated where %llu were asked for",
			    (unsigned long long)total,
			    (unsigned long long)asked);
	r->pages += total;
	r->ns += wall_time(w, n);
	return count_pass(s, c, &before, there, verify);
}

/* Of all passes of a run, what is left when lookups have been taken off. */
static int enter_pass(struct space *s, const struct cell *c, bool verify)
{
	const struct cell lookup = { "lookup", "lookup-only", true };
	struct worker w[MAX_THREADS] = { 0 };
	unsigned int n = s->load.threads;
	struct result *r = s->result;
	static int64_t left;
	uint64_t before;

	if (!r->pages)
		left = 0;
	before = r->ns;
	if (populate_pass(s, c, verify))
		return -1;
	if (c->floor)
		return 0;
	left += r->ns - before;
	if (run_workers(s, &lookup, w, n, populate_worker))
		return -1;
	left -= wall_time(w, n);
	r->ns = left > 0 ? left : 0;
	return 0;
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

static int one_pass(struct space *s, const struct cell *c, bool verify,
		    int (*pass)(struct space *s, const struct cell *c,
				bool verify))
{
	if (settle(s))
		return -1;
	if (!c->floor && attach_device(s, c->variant))
		return -1;
	return pass(s, c, verify);
}

int populate_passes(struct space *s, const struct cell *c,
		    int (*one)(struct space *s, const struct cell *c,
			       bool verify))
{
	uint64_t budget = s->params->budget_ms * NSEC_PER_MSEC;
	int ret = 0, pass;

	for (pass = 0; pass < MAX_PASSES && !ret; pass++) {
		if (open_device(s))
			return -1;
		ret = one_pass(s, c, s->params->verify && !pass, one);
		close(s->fd);
		s->fd = -1;
		if (s->params->passes ? pass + 1 == (int)s->params->passes :
		    s->result->ns >= budget)
			break;
	}
	return ret;
}

int populate_run(struct space *s, const struct cell *c)
{
	cover = &shares;
	return populate_passes(s, c, populate_pass);
}

int per_call_run(struct space *s, const struct cell *c)
{
	cover = &calls;
	return populate_passes(s, c, populate_pass);
}

int overlap_run(struct space *s, const struct cell *c)
{
	cover = &overlap;
	return populate_passes(s, c, populate_pass);
}

int table_run(struct space *s, const struct cell *c)
{
	cover = &turns;
	return populate_passes(s, c, populate_pass);
}

int sparse_run(struct space *s, const struct cell *c)
{
	cover = &sparse;
	return populate_passes(s, c, populate_pass);
}

int enter_run(struct space *s, const struct cell *c)
{
	cover = &shares;
	if (populate_passes(s, c, enter_pass))
		return -1;
	return s->result->ns ? 0 : fail(s, "looking up took longer than "
		"populating: times are too unsteady here for a difference");
}
