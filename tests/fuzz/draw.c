// SPDX-License-Identifier: GPL-2.0
/*
 * draw.c - sequences from a seed
 *
 * Every thread has a stream of its own, made from seed, round and who it is:
 * what one thread does never changes what another draws.
 */
#include <string.h>

#include "fuzz.h"

#define CALLS_MIN	40
#define STAY		90	/* percent by who made the call before */

struct fixed fixed = { .serial = -1, .variant = -1 };

/* splitmix64 */
uint64_t draw_u64(struct draw *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

unsigned int draw_below(struct draw *d, unsigned int n)
{
	return draw_u64(d) % n;
}

bool chance(struct draw *d, unsigned int percent)
{
	return draw_below(d, 100) < percent;
}

static struct draw stream(uint64_t seed, unsigned int round, unsigned int who)
{
	struct draw d = { .state = seed };

	d.state = draw_u64(&d) ^ round;
	d.state = draw_u64(&d) ^ who;
	return d;
}

/* --- addresses ------------------------------------------------------------ */

/* In a parallel round: the thread's own region, or one that all share. */
static unsigned int draw_region(struct draw *d)
{
	if (d->serial)
		return draw_below(d, REGIONS);
	if (chance(d, 50))
		return d->thread;
	return HOMES + draw_below(d, REGIONS - HOMES);
}

uint64_t draw_page(struct draw *d)
{
	return page_addr(draw_region(d) * REGION_PAGES +
			 draw_below(d, REGION_PAGES));
}

/* Pages of one region; now and then beyond its end. */
void draw_range(struct draw *d, uint64_t *addr, uint64_t *len)
{
	uint64_t first = draw_below(d, REGION_PAGES);
	uint64_t room = REGION_PAGES - first + chance(d, 10);

	*addr = page_addr(draw_region(d) * REGION_PAGES) + first * MMU_PAGE;
	*len = (1 + draw_below(d, chance(d, 50) ? 2 : room)) * MMU_PAGE;
	if (first * MMU_PAGE + *len > (REGION_PAGES + 1) * MMU_PAGE)
		*len = MMU_PAGE;
}

uint64_t draw_edge(struct draw *d, uint64_t addr)
{
	switch (draw_below(d, 4)) {
	case 0:
		return addr + DRAW_OF(d, 1, 8, 2048, 4095);
	case 1:
		return DRAW_OF(d, 0, 0xfff, 0x1000);
	case 2:
		return DRAW_OF(d, TASK_TOP - 4096, TASK_TOP - 1, TASK_TOP,
			       TASK_TOP + 4096);
	default:
		return DRAW_OF(d, 1ull << 63, 0xffff888000000000, ~0ull,
			       ~0xfffull, 0xffffffffff600000,
			       0x800000000000);
	}
}

uint64_t draw_edge_len(struct draw *d, uint64_t addr)
{
	switch (draw_below(d, 4)) {
	case 0:
		return DRAW_OF(d, 0, 1, 4095, 4097, 0x1800);
	case 1:
		return DRAW_OF(d, ~0ull, ~0xfffull, 1ull << 63, 1ull << 46);
	case 2:
		return DRAW_OF(d, 4096, 0, -4096ull, -8192ull) - addr;
	default:
		return TASK_TOP - addr + DRAW_OF(d, 0, 4096, -4096ull);
	}
}

/* --- sequences ------------------------------------------------------------ */

/* A process that is alone has nobody who would make another. */
static bool ends_round(struct draw *d, unsigned int op)
{
	return d->procs == 1 && (op == op_named("exit") ||
				 op == op_named("kill"));
}

static unsigned int draw_any_op(struct draw *d)
{
	unsigned int sum = 0, i, at;

	for (i = 0; i < nr_ops; i++)
		sum += ops[i].often[d->serial];
	at = draw_below(d, sum);
	for (i = 0; at >= ops[i].often[d->serial]; i++)
		at -= ops[i].often[d->serial];
	return i;
}

static unsigned int draw_op(struct draw *d)
{
	unsigned int op;

	do {
		op = draw_any_op(d);
	} while (ends_round(d, op));
	return op;
}

/*
 * A process that begins wants a handle and memory before anything else, and
 * the first one then makes the others.
 */
static const char *const first_ops[] = {
	"open", "attach", "map", "map", "populate", "fork", "fork"
};

#define FIRST_OPS	5
#define FIRST_FORKS	(sizeof(first_ops) / sizeof(*first_ops))

static void draw_first(struct draw *d, struct call *c, unsigned int nth)
{
	c->op = op_named(first_ops[nth]);
	ops[c->op].draw(d, c);
	if (nth >= FIRST_OPS)
		c->arg[0] = 1 + nth - FIRST_OPS;
}

/* Two are mostly open, and attached; one of the others is mostly not. */
static unsigned int draw_slot(struct draw *d)
{
	return draw_below(d, chance(d, 60) ? 1 : chance(d, 75) ? 2 : SLOTS);
}

static void draw_call(struct draw *d, struct call *c, unsigned int nth)
{
	if (!c->thread && nth < (c->proc ? FIRST_OPS : FIRST_FORKS)) {
		draw_first(d, c, nth);
		return;
	}
	c->op = draw_op(d);
	c->slot = draw_slot(d);
	ops[c->op].draw(d, c);
	/* The later an allocation is to fail, the fewer calls get there. */
	if (ops[c->op].allocates && chance(d, 20))
		c->fail = 1 + draw_below(d, chance(d, 70) ? 4 : 24);
}

/*
 * The first round of everything is small, and most have one thread only: an
 * error that shows there is the easiest to understand.
 */
static void draw_plan(struct draw *d, struct sequence *s, unsigned int round,
		      unsigned int *procs, unsigned int *threads)
{
	s->serial = chance(d, 50);
	if (fixed.serial >= 0)
		s->serial = fixed.serial;
	s->n = CALLS_MIN +
	       draw_below(d, round < 4 ? 60 : CALLS_MAX - CALLS_MIN);
	*procs = 1 + draw_below(d, PROCS);
	*threads = 1 + draw_below(d, THREADS);
	if (s->serial && chance(d, 40))
		*procs = *threads = 1;
	if (!s->serial && *procs * *threads == 1)
		*threads = 2;
}

void draw_sequence(struct sequence *s, uint64_t seed, unsigned int round)
{
	struct draw plan = stream(seed, round, 0), actor[PROCS * THREADS];
	unsigned int drawn[PROCS * THREADS] = { 0 };
	unsigned int procs, threads, i, who;
	struct call *c;

	memset(s, 0, sizeof(*s));
	draw_plan(&plan, s, round, &procs, &threads);
	for (who = 0; who < PROCS * THREADS; who++) {
		actor[who] = stream(seed, round, who + 1);
		actor[who].serial = s->serial;
		actor[who].procs = procs;
		actor[who].thread = who % THREADS;
	}
	for (who = i = 0; i < s->n; i++) {
		c = &s->call[i];
		if (i >= FIRST_FORKS && !chance(&plan, STAY))
			who = draw_below(&plan, procs) * THREADS +
			      draw_below(&plan, threads);
		c->proc = who / THREADS;
		c->thread = who % THREADS;
		draw_call(&actor[who], c, drawn[who]++);
	}
}
