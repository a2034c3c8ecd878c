/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bench.h - the parts of mmu-bench
 *
 * A *scenario* is something to measure, a *cell* one way to do it (under a
 * variant and a condition, or as the floor), a *load* how much of it at once
 * (threads, pages). A *group* is all cells of a scenario under one load: they
 * take turns in random order, repetition after repetition, so that each
 * repetition holds every cell and its floor within a second of each other.
 *
 * An address space that has ever been attached is not the same again (the
 * kernel keeps its notifier structure), and where a process lies in memory
 * makes it a few percent slower or faster for all its life. So a scenario may
 * ask for a new process for each run.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "mmu.h"

#define NSEC_PER_MSEC	1000000ull
#define NSEC_PER_SEC	1000000000ull

#define MAX_LIST	48	/* entries of --variants, --threads, --events */
#define MAX_CELLS	64
#define MAX_THREADS	64
#define MAX_SAMPLES	(1u << 16)

/*
 * How much there is time for: each set has all of those before it. COUNTED is
 * for scenarios of which instructions are counted, and nothing is timed.
 */
enum set { QUICK, NORMAL, FULL, COUNTED };

/* What all runs of one call of mmu-bench share; from the command line. */
struct params {
	const char *variants[MAX_LIST];
	int n_variants;
	const char *scenarios[MAX_LIST];
	int n_scenarios;	/* 0: all */
	unsigned int threads[MAX_LIST];
	int n_threads;
	unsigned int pages[MAX_LIST];
	int n_pages;
	unsigned int boot, block, blocks, reps;
	unsigned int mib;	/* memory that populate works on */
	unsigned int budget_ms;	/* timed part of one run of populate */
	unsigned int passes;	/* of a run of populate; 0: see budget_ms */
	unsigned int ops;	/* timed operations of 512 pages in a run */
	unsigned int limit_ms;	/* of a run of invalidate: stop early */
	unsigned int ms;	/* how long "load" lasts */
	unsigned int part, parts;	/* of all loads, this part of so many */
	uint64_t seed;
	bool verify;		/* check entries after each run, too */
	bool count;		/* open counters around the timed part */
	bool instructions;	/* only these, in the kernel; see counters.c */
	const char *events[MAX_LIST]; /* "load": tracepoints to count */
	int n_events;
	const char *stat;	/* "load": where counts go, or NULL */
	enum set set;		/* of the scenarios and conditions */
	bool no_modules;	/* the floors that are without; else the rest */
	const char *condition;	/* "load" only */
	const char *raw;
	const char *hist;
};

struct load {
	unsigned int threads;
	unsigned int pages;
};

/*
 * @variant is "floor" in the cell that the others are compared with, and
 * "floor-again" in one that is the same.
 */
struct cell {
	const char *variant;
	const char *condition;
	bool floor;
};

enum counter {
	TASK_CLOCK,
	CONTEXT_SWITCHES,
	CPU_MIGRATIONS,
	PAGE_FAULTS,
	CYCLES,
	INSTRUCTIONS,
	CYCLES_KERNEL,
	INSTRUCTIONS_KERNEL,
	NR_COUNTERS,		/* those of a row; then come tracepoints */
	MAX_COUNTERS = 64,
};

/* What perf stat would print; @counted says which of them could be had. */
struct counters {
	uint64_t value[MAX_COUNTERS];
	bool counted[MAX_COUNTERS];
};

/*
 * Result of one run, in memory that the process that ran it shares with the
 * one that writes it down.
 */
struct result {
	uint64_t ops;		/* timed operations */
	uint64_t pages;		/* pages that they were about */
	uint64_t ns;		/* time that they took */
	uint64_t retries, waits, contended, zapped, invalidations;
	uint64_t foreign;	/* what a thread beside has done meanwhile */
	uint64_t late;		/* of these, began later than they were due */
	uint64_t populated;	/* pages the device was told to map */
	uint64_t verified;	/* entries found right by MY_MMU_VERIFY */
	uint64_t stale;		/* entries found wrong */
	uint64_t entries, bytes; /* as they stood when most was mirrored */
	struct counters counters;
	uint32_t n_samples;	/* 0: this scenario takes no latencies */
	uint32_t samples_lost;
	char error[200];	/* a sentence, or empty */
	uint64_t samples[MAX_SAMPLES]; /* nanoseconds */
};

struct scenario;

/* A process of a group, and what the scenario keeps in it. */
struct space {
	const struct scenario *scenario;
	const struct params *params;
	struct load load;
	struct result *result;
	int fd;			/* handle of the device, -1 if none */
	char *mem;
	size_t len;
	uint64_t seed;		/* of this run */
	char *guard;		/* all that was mapped, to unmap it */
	size_t guard_len;
};

enum which_pages { EACH, ENDS, LEAST, MOST, PART };

/**
 * struct scenario - something to measure; one entry of the table
 * @name: for the command line and the results
 * @unit: of the figure of merit: "pages/s" or "ns"
 * @better: which figures are good ones: "higher" or "lower"
 * @floor: condition of the floor
 * @lookup: condition of another, counted beside it: the lookup of a populate,
 *	or NULL
 * @conditions: those of each variant, NULL at the end
 * @more_conditions: NULL, or those that only the full set has
 * @set: the least set that it belongs to
 * @counted: the least set in which its instructions are counted
 * @bare: its floor is a kernel without our modules
 * @large: 0, or pages that the full set asks for, too, with one thread
 * @timed_only: where instructions are counted, with one CPU, it says nothing
 * @isolate: a process of its own for each run, not one for the group
 * @which: of all page counts asked for, those that it needs
 * @one_thread: with one thread, whatever was asked for
 * @many_threads: with two threads and more
 * @possible: NULL, or whether this machine can
 * @setup: maps memory; called once in each process
 * @run: measures one cell once; fills in the result; may be called again
 * @done: NULL, or takes away what @setup made and would outlive the process
 *
 * @setup and @run return 0, or -1 after fail().
 */
struct scenario {
	const char *name;
	const char *unit;
	const char *better;
	const char *floor;
	const char *lookup;
	const char *const *conditions;
	const char *const *more_conditions;
	enum set set;
	enum set counted;
	bool bare;
	unsigned int large;
	bool timed_only;
	bool isolate;
	bool one_thread;
	bool many_threads;
	bool (*possible)(const struct params *p);
	enum which_pages which;
	int (*setup)(struct space *s, const struct cell *c);
	int (*run)(struct space *s, const struct cell *c);
	void (*done)(void);
};

extern const struct scenario scenarios[];
extern const int n_scenarios;

extern const char *const mirrored_conditions[];
bool is_mirrored(const struct cell *c);
int populate_setup(struct space *s, const struct cell *c);
int populate_thp_setup(struct space *s, const struct cell *c);
int populate_run(struct space *s, const struct cell *c);
int populate_file_setup(struct space *s, const struct cell *c);
int populate_sparse_setup(struct space *s, const struct cell *c);
int enter_run(struct space *s, const struct cell *c);
int sparse_run(struct space *s, const struct cell *c);
int per_call_run(struct space *s, const struct cell *c);
int overlap_run(struct space *s, const struct cell *c);
int table_run(struct space *s, const struct cell *c);

extern const char *const beside_conditions[];
int beside_setup(struct space *s, const struct cell *c);
int beside_run(struct space *s, const struct cell *c);
int read_beside_run(struct space *s, const struct cell *c);

int invalidate_setup(struct space *s, const struct cell *c);
int dontneed_run(struct space *s, const struct cell *c);
int munmap_run(struct space *s, const struct cell *c);
int mprotect_run(struct space *s, const struct cell *c);
int fork_run(struct space *s, const struct cell *c);
extern const char *const reclaim_conditions[];
int reclaim_run(struct space *s, const struct cell *c);
bool have_swap(const struct params *p);

extern const char *const slow_conditions[];
extern const char *const more_slow_conditions[];
int lifetime_setup(struct space *s, const struct cell *c);
int attach_run(struct space *s, const struct cell *c);
int detach_run(struct space *s, const struct cell *c);
int exit_run(struct space *s, const struct cell *c);

int age_setup(struct space *s, const struct cell *c);
int age_run(struct space *s, const struct cell *c);
void age_done(void);
bool walk_asks_devices(const struct params *p);

extern const char *const attached_conditions[];
int map_touched(struct space *s, size_t pages);
int evict_setup(struct space *s, const struct cell *c);
int evict_run(struct space *s, const struct cell *c);
int device_read_setup(struct space *s, const struct cell *c);
int device_read_run(struct space *s, const struct cell *c);
bool have_test_hmm(const struct params *p);
int read_beside_hmm_setup(struct space *s, const struct cell *c);

/* populate.c, for its likes */
struct worker;
int populate_passes(struct space *s, const struct cell *c,
		    int (*pass)(struct space *s, const struct cell *c,
				bool verify));
int populate_range(struct worker *w, char *addr, size_t len);
int count_pass(struct space *s, const struct cell *c,
	       const struct my_mmu_stats *before, uint64_t expected,
	       bool verify);
uint64_t wall_time(const struct worker *w, unsigned int n);
int map_small_pages(struct space *s, size_t len);

/* group.c */
int run_group(const struct params *p, const struct scenario *sc,
	      struct load load);
int run_load(const struct params *p, const struct scenario *sc,
	     struct load load);
void no_load(const struct params *p, const struct scenario *sc,
	     struct load load);
int make_cells(const struct params *p, const struct scenario *sc,
	       struct cell *cells);
bool is_now(const struct params *p, const struct scenario *sc,
	    const struct cell *c);

/* worker.c */
struct worker {
	struct space *space;
	const struct cell *cell;
	unsigned int index;
	uint64_t seed;		/* never the same in two threads */
	uint64_t start, end;	/* of all its timed parts */
	uint64_t ops;		/* timed operations */
	uint64_t extra_ops;	/* others: warming up, cooling down */
	uint64_t populated;
	uint64_t retries;
	uint64_t *samples;
	uint32_t n_samples, max_samples;
	struct counters counters;
	int error;		/* -errno */
	const char *error_at;	/* what failed */
};

int run_workers(struct space *s, const struct cell *c, struct worker *w,
		unsigned int n, void (*fn)(struct worker *w));
void workers_start(struct worker *w);
void workers_finish(struct worker *w);
bool workers_all_done(void);
int worker_fail(struct worker *w, int error, const char *at);
void workers_add_up(struct space *s, struct worker *w, unsigned int n);

/* counters.c */
void counters_add_tracepoints(const char *const *names, int n);
void counters_open(const struct params *p);
void counters_hold(void);
void counters_start(void);
void counters_stop(void);
void counters_close(struct counters *sum);
void counters_add(struct counters *sum, const struct counters *more);
void counters_print(FILE *f, const char *before, const struct counters *c);
void counters_check(const struct params *p);
uint64_t steal_ms(void);

/* timed.c */
void instructions_tell_locks(void);
void instructions_row(void);
uint64_t timed_begin(const struct worker *w);
uint64_t timed_end(const struct worker *w);

/* sample.c */
#define HIST_SUB_BITS	5	/* 32 buckets per doubling: 3 % wide */
#define HIST_BUCKETS	((64 - HIST_SUB_BITS + 1) << HIST_SUB_BITS)

unsigned int hist_bucket(uint64_t ns);
uint64_t hist_low(unsigned int bucket);
void sort_samples(uint64_t *samples, uint32_t n);
uint64_t percentile(const uint64_t *sorted, uint32_t n, unsigned int per_mille);

/* util.c */
uint64_t now_ns(void);
uint64_t next_random(uint64_t *state);
void shuffle(int *order, int n, uint64_t *state);
int fail(struct space *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
int wait_for_all_of(pid_t pid);
void name_task(const char *name);
void die(const char *fmt, ...)
	__attribute__((format(printf, 1, 2), noreturn));
const char *load_text(const struct load *load);
void progress(bool always, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void *map_memory(size_t len, size_t align, void **all, size_t *all_len);
int open_device(struct space *s);
int attach_device(struct space *s, const char *variant);
int take_stats(struct space *s, struct my_mmu_stats *st);

/* spinlocks.c */
const char *spinlocks_kind(void);

/* write.c */
struct row_id {
	const struct params *params;
	const struct scenario *scenario;
	const struct cell *cell;
	struct load load;
	unsigned int rep, order;
};

void write_row(const struct row_id *id, struct result *r, uint64_t steal);
void write_stat(const struct row_id *id, const struct counters *c,
		uint64_t ops);
void write_hist(const struct row_id *id, const uint64_t *hist);
void write_open(const struct params *p);
void write_close(void);

#endif /* BENCH_H */
