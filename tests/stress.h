/* SPDX-License-Identifier: GPL-2.0 */
/*
 * stress.h - everything at once, and two oracles that watch
 *
 * VERIFY asks the driver whether its entries name the CPU's pages. The other
 * oracle trusts nobody: each page carries versions. Whoever holds a page's
 * lock may give it the next version, by the CPU, by the device or from another
 * process, or take it away; all others look on, at any time:
 *
 *	owner				reader
 *
 *					lo: the version that is complete
 *	hi = v, about to write
 *	the CPU or the device writes	the device reads
 *	lo = v, acknowledged
 *					hi: the version that was begun
 *
 * What was read must be of a version in [lo, hi]: never older, never of
 * another page. Zeros are a version, too: memory that was given back.
 *
 * All randomness comes from the seed: what thread t does as its i-th
 * operation depends on seed, t and i alone. The order in which threads come
 * to it is the machine's.
 */
#ifndef TESTS_STRESS_H
#define TESTS_STRESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "mmu.h"

#define STRESS_BLOCK	8	/* pages that share a lock and a history */
#define STRESS_VIEWS	3	/* two addresses of a page, and the peer's */
#define STRESS_PEER	2	/* that view */
#define STRESS_HANDLES	3
#define STRESS_TOUCHES	12	/* operations that a block remembers */
#define STRESS_LOOK	8	/* pages read at once */
#define STRESS_OPS_MAX	32
#define STRESS_PAGES	2048	/* in all regions */
#define STRESS_HUGE	(MMU_HUGE / MMU_PAGE)	/* pages of a huge one */

enum stress_kind { ANON, THP, KSM, SHM, DISK, STRESS_REGIONS };

#define IN(kind)	(1u << (kind))
#define IN_PRIVATE	(IN(ANON) | IN(THP) | IN(KSM))
#define IN_SHARED	(IN(SHM) | IN(DISK))
#define IN_ALL		(IN_PRIVATE | IN_SHARED)

struct stress_region {
	const char *name;
	enum stress_kind kind;
	unsigned int pages;
	unsigned int first;	/* index of its page 0 among all pages */
	unsigned int views;
	int file;		/* or -1 */
	char *view[STRESS_VIEWS];
};

/* Shared with the peer process. Written by who has the page's lock. */
struct stress_page {
	uint32_t lo;		/* versions before this one are history */
	uint32_t hi;		/* versions after this one are not begun */
	uint32_t zero;		/* the last version that is zeros */
	uint32_t wipes;		/* odd: contents may be lost just now */
	uint32_t closed[STRESS_VIEWS];	/* can it be read there? */
	uint32_t fixed[STRESS_VIEWS];	/* can it be written there? */
	uint64_t scribbled;	/* wipes << 32 | last scribble that must stay */
};

struct stress_touch {
	const char *what;
	double when;
	unsigned int thread;
	unsigned int op;
	unsigned int first;	/* page of the region */
	unsigned int pages;
};

struct stress_block {
	pthread_mutex_t lock;
	unsigned int touches;
	struct stress_touch touch[STRESS_TOUCHES];
};

/* What a page was like before the device was asked for it. */
struct stress_moment {
	uint32_t lo;
	uint32_t closed;
	uint32_t fixed;
};

struct stress_thread {
	unsigned int id;
	unsigned int op;	/* number of the current operation */
	const char *what;	/* its name */
	uint64_t random;	/* state of its dice; set anew for each */
	char *scratch;		/* two huge pages' room, to move to */
	char *poison;		/* STRESS_LOOK pages to come and go */
	char *buf;		/* STRESS_LOOK pages */
	uint32_t *seen;		/* per stamp: newest version ever read */
	struct stress_moment *moment;	/* per page of the range at hand */
	bool forked;		/* private memory goes its own way */
};

/* A run of pages at one address, chosen by the dice. */
struct stress_range {
	struct stress_region *r;
	unsigned int view;
	unsigned int first;
	unsigned int pages;
	char *p;
	size_t len;
};

/* Shared with other processes. */
struct stress_shared {
	bool stop;
	bool told;		/* an oracle has spoken */
	unsigned long reads;	/* pages */
	unsigned long populates;	/* calls */
	unsigned long verifies;
	unsigned long scribbles;
	unsigned long moves;
	unsigned long peer;	/* what the peer did on its own */
	unsigned long op[STRESS_OPS_MAX];
	struct stress_page page[STRESS_PAGES];
	struct stress_block block[STRESS_PAGES / STRESS_BLOCK];
};

struct stress {
	uint64_t seed;
	double start;
	int nodes;		/* of memory */
	char swap[64];		/* path of the first swap device, or "" */
	uint32_t allowed;	/* bit per operation */
	bool blind;		/* leave it to the versions: no VERIFY */
	struct stress_region region[STRESS_REGIONS];
	struct stress_shared *shared;
	int handle[STRESS_HANDLES];
	pthread_mutex_t handle_lock[STRESS_HANDLES];
};

extern struct stress stress;

/* --- dice ----------------------------------------------------------------- */

uint64_t stress_mix(uint64_t x);
uint64_t stress_random(struct stress_thread *t);
/* 0 .. n - 1 */
unsigned int stress_dice(struct stress_thread *t, unsigned int n);
int stress_handle(struct stress_thread *t);
struct stress_range stress_choose(struct stress_thread *t, uint32_t regions,
				  unsigned int most);

/* --- pages ---------------------------------------------------------------- */

struct stress_page *stress_page(const struct stress_range *g, unsigned int i);
uint64_t stress_word(const struct stress_range *g, unsigned int i,
		     uint32_t version);
uint64_t stress_scribble(const struct stress_range *g, unsigned int i,
			 uint32_t n);

#define STRESS_STAMPS	3
#define STRESS_SCRIBBLE_AT	64
extern const unsigned int stress_stamp_at[STRESS_STAMPS];

void stress_lock(struct stress_thread *t, const struct stress_range *g);
void stress_unlock(const struct stress_range *g);
void stress_touch(struct stress_thread *t, const struct stress_range *g);

/*
 * With the lock held: the next version begins, and is complete. If the memory
 * may become zeros at any time later, no more can be said than settled.
 */
void stress_begin(const struct stress_range *g, bool zeros);
void stress_complete(const struct stress_range *g);
void stress_settle(const struct stress_range *g);
/*
 * Each call is a step on: open, about to shut, shut, about to open, open. Who
 * looks on can be sure of what did not change while it looked.
 */
enum stress_gate { CLOSED, FIXED };
void stress_gate(const struct stress_range *g, enum stress_gate gate);
/* One step back: it was about to be shut, and could not be. */
void stress_gate_back(const struct stress_range *g, enum stress_gate gate);

/* --- oracles -------------------------------------------------------------- */

bool stress_running(void);
void stress_fail(struct stress_thread *t, const struct stress_range *g,
		 unsigned int i, uint64_t got, uint64_t expected,
		 const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/* With the lock held: what the CPU sees is what was left there. */
void stress_check(struct stress_thread *t, const struct stress_range *g);
/* The device reads the range, whoever has its locks. */
void stress_look(struct stress_thread *t, int fd, const struct stress_range *g);
/* The same pages, while they are at another address. */
void stress_look_at(struct stress_thread *t, int fd,
		    const struct stress_range *g, char *p);
/*
 * The device was asked for the range, did @done pages and returned @ret: was
 * that right? Between the two, the question is put.
 */
void stress_before(struct stress_thread *t, const struct stress_range *g);
void stress_after(struct stress_thread *t, const struct stress_range *g,
		  bool write, unsigned int done, int ret);
void stress_populate(struct stress_thread *t, int fd,
		     const struct stress_range *g, bool write);
void stress_verify(struct stress_thread *t, int fd);

/* Adds to what all processes have done; of stress.shared. */
void stress_count(unsigned long *counter, unsigned long n);

/* --- stress-ops.c --------------------------------------------------------- */

/* Workers are threads 0 to 3. The first turns are each operation's once. */
#define STRESS_WORKERS	4
void stress_operate(struct stress_thread *t);
bool stress_has_had_turn(const struct stress_thread *t);
const char *stress_op_name(unsigned int i);	/* NULL: no more */
/* Maps the range as it is at the beginning: readable, writable. */
void stress_map(const struct stress_range *g);
/* With the lock held: the next version's stamps, and whether all were made. */
void stress_cpu_stamps(const struct stress_range *g);
bool stress_device_stamps(struct stress_thread *t, int fd,
			  const struct stress_range *g);

/* --- stress-peer.c: another process with the same files ------------------- */

enum peer_order { PEER_PUNCH, PEER_SHRINK, PEER_GROW, PEER_WRITE,
		  PEER_DEVICE_WRITE, PEER_PAGEOUT };

void stress_peer_start(void);
void stress_peer_stop(void);
/* Has the peer do it, and waits until it has. */
void stress_peer(enum peer_order order, const struct stress_range *g);

/* --- stress-run.c --------------------------------------------------------- */

/* The body of a test: rounds of some seconds each. */
void stress_run(unsigned int run_seconds);
void stress_thread_init(struct stress_thread *t, unsigned int id);

#endif /* TESTS_STRESS_H */
