// SPDX-License-Identifier: GPL-2.0
/*
 * write.c - rows of raw.csv and hist.csv; README.md says what they mean
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

static FILE *raw, *hist;

static const char raw_columns[] =
	"scenario,variant,condition,threads,pages,boot,block,rep,order,"
	"ops,pages_total,ns,ops_per_s,pages_per_s,"
	"samples,p50_ns,p90_ns,p99_ns,p999_ns,max_ns,"
	"retries,waits,contended,zapped,invalidations,"
	"populated,verified,stale,entries,bytes,"
	"task_clock_ns,context_switches,cpu_migrations,page_faults,"
	"cycles,instructions,steal_ms,foreign,late,"
	"cycles_kernel,instructions_kernel\n";

static const char hist_columns[] =
	"scenario,variant,condition,threads,pages,boot,block,"
	"low_ns,end_ns,count\n";

/* Blocks are appended; the first one writes the names of the columns. */
static FILE *open_csv(const char *path, const char *columns)
{
	FILE *f = fopen(path, "ae");

	if (!f)
		die("cannot write %s: %s", path, strerror(errno));
	if (!ftell(f))
		fputs(columns, f);
	return f;
}

void write_open(const struct params *p)
{
	raw = open_csv(p->raw, raw_columns);
	hist = open_csv(p->hist, hist_columns);
}

static void close_csv(FILE *f, const char *path)
{
	if (fflush(f) || ferror(f) || fclose(f))
		die("cannot write %s: is there room?", path);
}

void write_close(void)
{
	close_csv(raw, "raw.csv");
	close_csv(hist, "hist.csv");
}

static void write_id(FILE *f, const struct row_id *id)
{
	fprintf(f, "%s,%s,%s,%u,%u,%u,%u", id->scenario->name,
		id->cell->variant, id->cell->condition, id->load.threads,
		id->load.pages, id->params->boot, id->params->block);
}

/* Thousands and thousandths of a second in one: n per second. */
static uint64_t per_second(uint64_t n, uint64_t ns)
{
	return ns ? (double)n * NSEC_PER_SEC / ns + 0.5 : 0;
}

static void write_percentiles(const struct result *r)
{
	static const unsigned int per_mille[] = { 500, 900, 990, 999, 1000 };
	unsigned int i;

	fprintf(raw, ",%" PRIu32, r->n_samples);
	for (i = 0; i < 5; i++) {
		fputc(',', raw);
		if (r->n_samples)
			fprintf(raw, "%" PRIu64,
				percentile(r->samples, r->n_samples,
					   per_mille[i]));
	}
}

static void write_counters(const struct counters *c, int first, int end)
{
	int i;

	for (i = first; i < end; i++) {
		fputc(',', raw);
		if (c->counted[i])
			fprintf(raw, "%" PRIu64, c->value[i]);
	}
}

/* Samples must be sorted. What was not counted is an empty field. */
void write_row(const struct row_id *id, struct result *r, uint64_t steal)
{
	const uint64_t counts[] = {
		r->retries, r->waits, r->contended, r->zapped,
		r->invalidations, r->populated, r->verified, r->stale,
		r->entries, r->bytes,
	};
	unsigned int i;

	write_id(raw, id);
	fprintf(raw, ",%u,%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64, id->rep,
		id->order, r->ops, r->pages, r->ns);
	fprintf(raw, ",%" PRIu64 ",%" PRIu64, per_second(r->ops, r->ns),
		per_second(r->pages, r->ns));
	write_percentiles(r);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		fprintf(raw, ",%" PRIu64, counts[i]);
	write_counters(&r->counters, TASK_CLOCK, CYCLES_KERNEL);
	fprintf(raw, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, steal, r->foreign,
		r->late);
	write_counters(&r->counters, CYCLES_KERNEL, NR_COUNTERS);
	fputc('\n', raw);
}

/*
 * The counts of one cell under "load", a row for each event; without @c the
 * load has failed, and the values are empty.
 */
void write_stat(const struct row_id *id, const struct counters *c, uint64_t ops)
{
	FILE *f = fopen(id->params->stat, "ae");
	char before[200];

	snprintf(before, sizeof(before), "%s,%s,%s,%u,%u,", id->scenario->name,
		 id->cell->variant, id->cell->condition, id->load.threads,
		 id->load.pages);
	if (!f)
		die("cannot write %s: %s", id->params->stat, strerror(errno));
	fprintf(f, "%soperations%s,", before,
		id->params->n_events ? " traced" : "");
	if (c)
		fprintf(f, "%" PRIu64, ops);
	fputs(",\n", f);
	counters_print(f, before, c);
	close_csv(f, id->params->stat);
}

void write_hist(const struct row_id *id, const uint64_t *h)
{
	unsigned int b;

	for (b = 0; b + 1 < HIST_BUCKETS; b++) {
		if (!h[b])
			continue;
		write_id(hist, id);
		fprintf(hist, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n",
			hist_low(b), hist_low(b + 1), h[b]);
	}
}
