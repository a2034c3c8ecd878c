// SPDX-License-Identifier: GPL-2.0
/*
 * badbench - does a populate gain by batches? A load generator with faults
 *
 *	badbench --seed S --repetitions R --chunks N --hole H
 *
 * Memory of N chunks, 16 pages each, in which every H-th page is missing. In a
 * run, a device that has nothing populates all chunks, one call each, in an
 * order drawn from the seed: page by page (condition "single"), or 16 pages in
 * a batch ("batched"). A repetition is a run of either. A line for each run:
 * the pages that entered the device's table, and the time that the calls took.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "mmu.h"

#define CHUNK		16	/* pages */
#define MOST_CHUNKS	32	/* one leaf table */
#define CONDITIONS	2

struct result {
	unsigned long pages;
	unsigned long long ns;
};

static const struct condition {
	const char *name;
	unsigned int batch;
} conditions[CONDITIONS] = { { "single", 1 }, { "batched", CHUNK } };

static char *const memory = (char *)0x100000000;
static unsigned long seed, repetitions, chunks, hole;
static unsigned long long random_state;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "badbench: %s failed: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* --- chance --------------------------------------------------------------- */

/* xorshift64*: never begin it with 0 */
static unsigned int draw(unsigned int below)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1dull >> 33) % below;
}

static void shuffle(unsigned int *order, unsigned int n)
{
	unsigned int i, j, kept;

	for (i = 0; i < n; i++)
		order[i] = i;
	for (i = n; i > 1; i--) {
		j = draw(i);
		kept = order[j];
		order[j] = order[i - 1];
		order[i - 1] = kept;
	}
}

static void start_chance(void)
{
	random_state = now_ns() | 1;
}

/* --- a run ---------------------------------------------------------------- */

static void map_memory(void)
{
	unsigned long pages = chunks * CHUNK, page;

	must(mmap(memory, pages * MMU_PAGE, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		  0) == memory, "mmap");
	must(!madvise(memory, pages * MMU_PAGE, MADV_NOHUGEPAGE), "madvise");
	memset(memory, 1, pages * MMU_PAGE);
	for (page = hole - 1; page < pages; page += hole)
		must(!munmap(memory + page * MMU_PAGE, MMU_PAGE), "munmap");
}

static void populate_chunk(int fd, unsigned int chunk, unsigned int batch,
			   struct result *r)
{
	char *start = memory + chunk * CHUNK * MMU_PAGE;
	unsigned long long begin = now_ns();

	mmu_populate_batch(fd, start, CHUNK * MMU_PAGE, MY_MMU_POPULATE_WRITE,
			   batch, NULL, NULL);
	r->ns += now_ns() - begin;
	r->pages += CHUNK;
}

/* Closing the handle takes all entries away. */
static struct result measure(const struct condition *c)
{
	unsigned int order[MOST_CHUNKS], i;
	struct result r = { 0 };
	int fd = mmu_open_attached(mmu_variants[0], 0);

	must(fd >= 0, "MY_MMU_ATTACH");
	shuffle(order, chunks);
	for (i = 0; i < chunks; i++)
		populate_chunk(fd, order[i], c->batch, &r);
	must(!mmu_detach(fd), "MY_MMU_DETACH");
	return r;
}

/* --- all runs ------------------------------------------------------------- */

static struct result results[CONDITIONS];

static void one_row(unsigned int condition, unsigned long repetition)
{
	const struct condition *c = &conditions[condition];
	struct result *r = &results[condition];

	if (!repetition)
		*r = measure(c);
	printf("%lu,%lu,%s,%lu,%llu\n", seed, repetition, c->name, r->pages,
	       r->ns);
}

static void all_rows(void)
{
	unsigned long repetition;
	unsigned int condition;

	printf("seed,repetition,condition,pages,ns\n");
	for (condition = 0; condition < CONDITIONS; condition++)
		for (repetition = 0; repetition < repetitions; repetition++)
			one_row(condition, repetition);
}

/* --- the command line ----------------------------------------------------- */

static unsigned long number(unsigned long most)
{
	unsigned long value;
	char end;

	if (sscanf(optarg, "%lu%c", &value, &end) == 1 && value &&
	    value <= most)
		return value;
	fprintf(stderr, "badbench: \"%s\" is no number from 1 to %lu\n",
		optarg, most);
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", 1, NULL, 's' }, { "repetitions", 1, NULL, 'r' },
		{ "chunks", 1, NULL, 'c' }, { "hole", 1, NULL, 'h' }, { 0 }
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (option) {
		case 's':
			seed = number(1000000000);
			break;
		case 'r':
			repetitions = number(1000);
			break;
		case 'c':
			chunks = number(MOST_CHUNKS);
			break;
		case 'h':
			hole = number(CHUNK * MOST_CHUNKS);
			break;
		default:
			return 2;
		}
	if (!seed || !repetitions || !chunks || !hole) {
		fprintf(stderr, "Usage: badbench --seed S --repetitions R "
			"--chunks N --hole H\n");
		return 2;
	}
	start_chance();
	map_memory();
	all_rows();
	return 0;
}
