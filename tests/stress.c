// SPDX-License-Identifier: GPL-2.0
/*
 * stress.c - pages, dice and the oracle of versions; see stress.h
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common.h"
#include "stress.h"

#define LOAD(x)		__atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define STORE(x, v)	__atomic_store_n(&(x), v, __ATOMIC_SEQ_CST)

#define SCRIBBLED	0x8000	/* in a word's page number */
#define TORN_MOST	16	/* versions that a torn word may be mixed of */

struct stress stress;

/* The first word of a page, one across a cache line or two, the last one. */
const unsigned int stress_stamp_at[STRESS_STAMPS] = {
	0, MMU_PAGE / 2 + 8, MMU_PAGE - 8
};

/* --- dice ----------------------------------------------------------------- */

uint64_t stress_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ull;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

uint64_t stress_random(struct stress_thread *t)
{
	return t->random = stress_mix(t->random);
}

unsigned int stress_dice(struct stress_thread *t, unsigned int n)
{
	return (stress_random(t) >> 32) * n >> 32;
}

int stress_handle(struct stress_thread *t)
{
	return stress.handle[stress_dice(t, STRESS_HANDLES)];
}

/* Mostly few pages; sometimes all that @most allows. */
static unsigned int choose_pages(struct stress_thread *t, unsigned int most)
{
	static const unsigned int few[] = { 1, 1, 1, 2, 3, 8, 16, 40 };
	unsigned int n = few[stress_dice(t, 8)];

	if (!stress_dice(t, 12) || n > most)
		n = most;
	return n;
}

struct stress_range stress_choose(struct stress_thread *t, uint32_t regions,
				  unsigned int most)
{
	struct stress_range g;
	struct stress_region *r;

	do {
		r = &stress.region[stress_dice(t, STRESS_REGIONS)];
	} while (!(regions & IN(r->kind)));
	g.r = r;
	g.view = stress_dice(t, r->views);
	g.pages = choose_pages(t, most < r->pages ? most : r->pages);
	g.first = stress_dice(t, r->pages - g.pages + 1);
	if (g.pages == MMU_HUGE / MMU_PAGE)
		g.first -= g.first % g.pages;
	g.p = r->view[g.view] + g.first * MMU_PAGE;
	g.len = g.pages * MMU_PAGE;
	return g;
}

void stress_count(unsigned long *counter, unsigned long n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* --- pages ---------------------------------------------------------------- */

struct stress_page *stress_page(const struct stress_range *g, unsigned int i)
{
	return &stress.shared->page[g->r->first + g->first + i];
}

/* Version, page, and a sum that tells whether these belong together. */
static uint64_t word_of(uint32_t version, unsigned int id)
{
	uint64_t word = (uint64_t)version << 40 | (uint64_t)id << 24;

	return word | (stress_mix(word) & 0xffffff);
}

/* Pages that are to be merged do not say which one they are. */
static unsigned int id_of(const struct stress_range *g, unsigned int i)
{
	if (g->r->kind == KSM)
		return g->r->first + 1;
	return g->r->first + g->first + i + 1;
}

uint64_t stress_word(const struct stress_range *g, unsigned int i,
		     uint32_t version)
{
	return word_of(version, id_of(g, i));
}

uint64_t stress_scribble(const struct stress_range *g, unsigned int i,
			 uint32_t n)
{
	return word_of(n, id_of(g, i) | SCRIBBLED);
}

static struct stress_block *blocks_of(const struct stress_range *g,
				      unsigned int *n)
{
	unsigned int first = (g->r->first + g->first) / STRESS_BLOCK;
	unsigned int last = (g->r->first + g->first + g->pages - 1) /
			    STRESS_BLOCK;

	*n = last - first + 1;
	return &stress.shared->block[first];
}

void stress_touch(struct stress_thread *t, const struct stress_range *g)
{
	struct stress_touch *touch;
	struct stress_block *b;
	unsigned int i, n;

	b = blocks_of(g, &n);
	for (i = 0; i < n; i++, b++) {
		touch = &b->touch[__atomic_fetch_add(&b->touches, 1,
						     __ATOMIC_RELAXED) %
				  STRESS_TOUCHES];
		*touch = (struct stress_touch) {
			.what = t->what,
			.when = seconds() - stress.start,
			.thread = t->id,
			.op = t->op,
			.first = g->first,
			.pages = g->pages,
		};
	}
}

/* Lowest first, so that nobody waits in a circle. */
void stress_lock(struct stress_thread *t, const struct stress_range *g)
{
	struct stress_block *b;
	unsigned int i, n;

	b = blocks_of(g, &n);
	for (i = 0; i < n; i++)
		pthread_mutex_lock(&b[i].lock);
	stress_touch(t, g);
}

void stress_unlock(const struct stress_range *g)
{
	struct stress_block *b;
	unsigned int i, n;

	b = blocks_of(g, &n);
	for (i = 0; i < n; i++)
		pthread_mutex_unlock(&b[i].lock);
}

void stress_begin(const struct stress_range *g, bool zeros)
{
	struct stress_page *page;
	unsigned int i;

	for (i = 0; i < g->pages; i++) {
		page = stress_page(g, i);
		if (zeros) {
			STORE(page->wipes, page->wipes + 1);
			STORE(page->zero, page->hi + 1);
		}
		STORE(page->hi, page->hi + 1);
	}
}

/* What was begun has come to its end; older versions must not be seen. */
void stress_complete(const struct stress_range *g)
{
	unsigned int i;

	stress_settle(g);
	for (i = 0; i < g->pages; i++)
		STORE(stress_page(g, i)->lo, stress_page(g, i)->hi);
}

void stress_settle(const struct stress_range *g)
{
	struct stress_page *page;
	unsigned int i;

	for (i = 0; i < g->pages; i++) {
		page = stress_page(g, i);
		if (page->wipes & 1)
			STORE(page->wipes, page->wipes + 1);
	}
}

static void step(const struct stress_range *g, enum stress_gate gate, int by)
{
	struct stress_page *page;
	uint32_t *count;
	unsigned int i;

	for (i = 0; i < g->pages; i++) {
		page = stress_page(g, i);
		count = gate == CLOSED ? &page->closed[g->view] :
					 &page->fixed[g->view];
		STORE(*count, *count + by);
	}
}

void stress_gate(const struct stress_range *g, enum stress_gate gate)
{
	step(g, gate, 1);
}

void stress_gate_back(const struct stress_range *g, enum stress_gate gate)
{
	step(g, gate, -1);
}

/* --- what is said when an oracle speaks ----------------------------------- */

static void show_touches(const struct stress_range *g, unsigned int i)
{
	unsigned int page = g->r->first + g->first + i, k;
	struct stress_block *b = &stress.shared->block[page / STRESS_BLOCK];
	struct stress_touch *touch;

	note("    what touched its block of pages, oldest first:");
	for (k = 0; k < STRESS_TOUCHES; k++) {
		touch = &b->touch[(b->touches + k) % STRESS_TOUCHES];
		if (!touch->what)
			continue;
		note("%14.6f s  thread %2u  operation %-6u %s, pages %u..%u",
		     touch->when, touch->thread, touch->op, touch->what,
		     touch->first, touch->first + touch->pages - 1);
	}
}

static void show_page(const struct stress_range *g, unsigned int i)
{
	struct stress_page *page = stress_page(g, i);

	note("    versions: %u complete, %u begun, %u zeros; %u wipes",
	     page->lo, page->hi, page->zero, page->wipes);
	note("    closed %u (alias %u), fixed %u (alias %u), scribbles %#llx",
	     page->closed[0], page->closed[1], page->fixed[0], page->fixed[1],
	     (unsigned long long)page->scribbled);
}

/* The first one tells, the others would be confused by it. */
void stress_fail(struct stress_thread *t, const struct stress_range *g,
		 unsigned int i, uint64_t got, uint64_t expected,
		 const char *fmt, ...)
{
	char text[160];
	va_list ap;

	if (__atomic_exchange_n(&stress.shared->told, true, __ATOMIC_SEQ_CST))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	note("seed %#llx, after %.6f s: thread %u, operation %u (%s)",
	     (unsigned long long)stress.seed, seconds() - stress.start, t->id,
	     t->op, t->what);
	note("    %s memory, page %u of %u at %p: expected %#llx, got %#llx",
	     g->r->name, g->first + i, g->r->pages, g->p + i * MMU_PAGE,
	     (unsigned long long)expected, (unsigned long long)got);
	show_page(g, i);
	show_touches(g, i);
	EXPECT_EQ(got, expected, "%s", text);
}

bool stress_running(void)
{
	return !LOAD(stress.shared->stop) && !harness_failed();
}

/* --- the oracle of versions ----------------------------------------------- */

/*
 * Nobody promises that a word is copied in one piece. One that was not is a
 * mixture of what it may be.
 */
static bool is_torn(const struct stress_range *g, unsigned int i, uint64_t word,
		    uint32_t lo, uint32_t hi, bool zero)
{
	unsigned int byte;
	uint32_t v;

	if (hi - lo >= TORN_MOST)
		return true;
	for (byte = 0; byte < 64; byte += 8) {
		bool found = zero && !(word >> byte & 0xff);

		for (v = lo; v <= hi && !found; v++)
			found = !((stress_word(g, i, v) ^ word) >> byte & 0xff);
		if (!found)
			return false;
	}
	return true;
}

static const char *what_is_wrong(const struct stress_range *g, unsigned int i,
				 uint64_t word, uint32_t lo)
{
	uint32_t v = word >> 40;

	if (!word)
		return "zeros out of nothing";
	if (word != word_of(v, word >> 24 & 0xffff))
		return "foreign contents";
	if (word != stress_word(g, i, v))
		return "another page";
	return v < lo ? "a generation has come back" : "not yet written";
}

/* Returns the version, or @lo if that cannot be told. */
static uint32_t judge_word(struct stress_thread *t,
			   const struct stress_range *g, unsigned int i,
			   uint64_t word, uint32_t lo)
{
	struct stress_page *page = stress_page(g, i);
	bool zero = LOAD(page->zero) >= lo;
	uint32_t hi = LOAD(page->hi), v = word >> 40;

	if (!word && zero)
		return lo;
	if (word && word == stress_word(g, i, v) && v >= lo && v <= hi)
		return v;
	if (word != word_of(v, word >> 24 & 0xffff) &&
	    is_torn(g, i, word, lo, hi, zero))
		return lo;
	stress_fail(t, g, i, word, zero ? 0 : stress_word(g, i, lo),
		    "%s: versions %u to %u%s may be seen",
		    what_is_wrong(g, i, word, lo), lo, hi,
		    zero ? " and zeros" : "");
	return lo;
}

/* Scribbles have no order for those who look on, but they have a page. */
static void judge_scribble(struct stress_thread *t,
			   const struct stress_range *g, unsigned int i,
			   uint64_t word)
{
	if (g->r->kind == KSM || !word ||
	    word == stress_scribble(g, i, word >> 40))
		return;
	stress_fail(t, g, i, word, stress_scribble(g, i, word >> 40),
		    "the scribble is this page's");
}

static uint64_t word_at(const char *p, unsigned int offset)
{
	return *(const volatile uint64_t *)(p + offset);
}

static void judge_page(struct stress_thread *t, const struct stress_range *g,
		       unsigned int i, const char *contents)
{
	uint32_t *seen = &t->seen[(g->r->first + g->first + i) * STRESS_STAMPS];
	uint32_t lo = t->moment[i].lo, v;
	unsigned int k;

	for (k = 0; k < STRESS_STAMPS; k++) {
		/* What this thread has seen once, nobody takes back. */
		v = judge_word(t, g, i, word_at(contents, stress_stamp_at[k]),
			       seen[k] > lo ? seen[k] : lo);
		if (v > seen[k])
			seen[k] = v;
	}
	judge_scribble(t, g, i, word_at(contents, STRESS_SCRIBBLE_AT));
}

/* What the device was told is written must be there, if nothing wiped it. */
static void check_scribble(struct stress_thread *t,
			   const struct stress_range *g, unsigned int i)
{
	uint64_t must = LOAD(stress_page(g, i)->scribbled);
	uint64_t word = word_at(g->p + i * MMU_PAGE, STRESS_SCRIBBLE_AT);

	if (g->r->kind == KSM || (t->forked && g->r->file < 0) ||
	    must >> 32 != stress_page(g, i)->wipes)
		return;
	if (word >> 40 < (uint32_t)must)
		stress_fail(t, g, i, word, stress_scribble(g, i, must),
			    "an acknowledged device write is lost");
}

void stress_check(struct stress_thread *t, const struct stress_range *g)
{
	unsigned int i;

	stress_before(t, g);
	for (i = 0; i < g->pages && !harness_failed(); i++) {
		judge_page(t, g, i, g->p + i * MMU_PAGE);
		check_scribble(t, g, i);
	}
}

/* --- the device is asked -------------------------------------------------- */

void stress_before(struct stress_thread *t, const struct stress_range *g)
{
	struct stress_page *page;
	unsigned int i;

	for (i = 0; i < g->pages; i++) {
		page = stress_page(g, i);
		t->moment[i] = (struct stress_moment) {
			.lo = LOAD(page->lo),
			.closed = LOAD(page->closed[g->view]),
			.fixed = LOAD(page->fixed[g->view]),
		};
	}
}

/* A gate's four states: open, about to shut, shut, about to open. */
static bool always_shut(uint32_t before, uint32_t now)
{
	return before % 4 == 2 && before == now;
}

static bool ever_shut(uint32_t before, uint32_t now)
{
	return before % 4 || before != now;
}

void stress_after(struct stress_thread *t, const struct stress_range *g,
		  bool write, unsigned int done, int ret)
{
	struct stress_page *page;
	struct stress_moment *m;
	unsigned int i;

	for (i = 0; i < done; i++) {
		page = stress_page(g, i);
		m = &t->moment[i];
		if (always_shut(m->closed, LOAD(page->closed[g->view])) ||
		    (write && always_shut(m->fixed,
					  LOAD(page->fixed[g->view]))))
			stress_fail(t, g, i, 0, -EFAULT,
				    "the device reached what was shut off");
	}
	if (!ret || ret == -EAGAIN || ret == -ENOTCONN)
		return;
	if (ret == -EFAULT && done < g->pages) {
		page = stress_page(g, done);
		m = &t->moment[done];
		if (ever_shut(m->closed, LOAD(page->closed[g->view])) ||
		    (write && ever_shut(m->fixed, LOAD(page->fixed[g->view]))))
			return;
	}
	stress_fail(t, g, done < g->pages ? done : 0, ret, 0,
		    "the device is let through to what is open");
}

/* In one go, or in the pieces that the buffer has room for. */
void stress_look(struct stress_thread *t, int fd, const struct stress_range *g)
{
	struct stress_range piece = *g;
	unsigned int i;
	uint64_t done;
	int ret;

	for (; piece.first < g->first + g->pages; piece.first += STRESS_LOOK) {
		piece.pages = g->first + g->pages - piece.first;
		if (piece.pages > STRESS_LOOK)
			piece.pages = STRESS_LOOK;
		piece.len = piece.pages * MMU_PAGE;
		stress_before(t, &piece);
		ret = mmu_read_count(fd, piece.p, t->buf, piece.len, &done,
				     NULL);
		done /= MMU_PAGE;
		for (i = 0; i < done; i++)
			judge_page(t, &piece, i, t->buf + i * MMU_PAGE);
		stress_after(t, &piece, false, done, ret);
		stress_count(&stress.shared->reads, done);
		piece.p += piece.len;
	}
}

void stress_look_at(struct stress_thread *t, int fd,
		    const struct stress_range *g, char *p)
{
	unsigned int i;
	int ret;

	stress_before(t, g);
	for (i = 0; i < g->pages; i++) {
		ret = mmu_read(fd, p + i * MMU_PAGE, t->buf, MMU_PAGE);
		if (!ret)
			judge_page(t, g, i, t->buf);
		else if (ret != -EAGAIN && ret != -ENOTCONN)
			stress_fail(t, g, i, ret, 0,
				    "the device finds it where it was moved");
	}
	stress_count(&stress.shared->reads, g->pages);
}

void stress_populate(struct stress_thread *t, int fd,
		     const struct stress_range *g, bool write)
{
	static const uint32_t batches[] = { 0, 0, 1, 7, 64, 512 };
	uint64_t done = 0;
	int ret;

	stress_before(t, g);
	ret = mmu_populate_batch(fd, g->p, g->len, write ? WRITE : 0,
				 batches[stress_dice(t, 6)], &done, NULL);
	stress_after(t, g, write, done, ret);
	stress_count(&stress.shared->populates, 1);
}

/* --- the driver is asked -------------------------------------------------- */

static bool find_page(uint64_t address, struct stress_range *g)
{
	struct stress_region *r;
	unsigned int v;
	char *p = (char *)(uintptr_t)address;

	for (r = stress.region; r < stress.region + STRESS_REGIONS; r++) {
		for (v = 0; v < r->views; v++) {
			if (p < r->view[v] ||
			    p >= r->view[v] + r->pages * MMU_PAGE)
				continue;
			*g = (struct stress_range) {
				.r = r, .view = v, .pages = 1, .p = p,
				.first = (p - r->view[v]) / MMU_PAGE,
				.len = MMU_PAGE,
			};
			return true;
		}
	}
	return false;
}

void stress_verify(struct stress_thread *t, int fd)
{
	struct my_mmu_verify v;
	struct stress_range g;
	int ret;

	if (stress.blind)
		return;
	ret = mmu_verify(fd, NULL, 0, &v);
	if (ret == -ENOTCONN)
		return;
	ASSERT_EQ(ret, 0, "VERIFY works");
	if (v.stale + v.over_permissive && find_page(v.first_bad, &g))
		stress_fail(t, &g, 0, v.stale + v.over_permissive, 0,
			    "VERIFY: %llu stale, %llu too permissive",
			    v.stale, v.over_permissive);
	EXPECT_EQ(v.stale, 0, "no stale entry (first bad: %#llx)", v.first_bad);
	EXPECT_EQ(v.over_permissive, 0, "none too permissive (%#llx)",
		  v.first_bad);
	stress_count(&stress.shared->verifies, 1);
	if (!test_mode)
		EXPECT_EQ(v.unsettled, 0, "nothing is left to the rmap chain");
}
