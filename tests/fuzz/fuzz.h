/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fuzz.h - random sequences of calls to /dev/my_mmu, and what they may answer
 *
 * A round is one sequence: a list of calls, each for one thread of one of a
 * few processes. A serial round makes them one at a time, in the order of the
 * list, whoever's turn it is: then the model (model.c) knows every answer and
 * every byte. A parallel round lets all threads go at their own pace: the model
 * knows what is right of a call by itself, and what each thread's own memory
 * holds.
 *
 * Nothing about a call is decided when it is made. It is drawn from the seed
 * before (draw.c), printed and parsed as one line (text.c), so that it can be
 * left out, changed and tried again (shrink.c).
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "mmu.h"

#define PROCS		3
#define THREADS		3	/* in each */
#define SLOTS		5	/* descriptors that calls name, per process */
#define VARIANTS	4
#define CALLS_MAX	4096
#define ARGS		5

/*
 * Memory that calls name: a few regions, at the same addresses in every
 * process. Each lies across the border of two leaf tables.
 */
#define REGIONS		6
#define REGION_PAGES	16ul
#define PAGES		(REGIONS * REGION_PAGES)
#define REGION_STRIDE	(4 * MMU_HUGE)
#define REGION_BASE	(0x200000000000ul + MMU_HUGE - \
			 REGION_PAGES / 2 * MMU_PAGE)
#define TABLE_PAGES	(REGION_PAGES / 2)	/* in one leaf table */
#define HOMES		THREADS	/* of those: one thread's own, if parallel */
#ifdef __aarch64__
#define TASK_TOP	(1ul << 48)
#else
#define TASK_TOP	0x7ffffffff000ul
#endif

/* Descriptors have fixed numbers, so that a call can name a closed one. */
#define FD_SLOT		100	/* + slot */
#define FD_WORLD	200	/* shared memory */
#define FD_STATS	201	/* a handle for the statistics, never used */
#define FD_FILE		202	/* what shared mappings map */
#define FD_LIFE		203	/* closed by the last process to go */
#define FD_MAIL		210	/* + 2 * process, and the one after */
#define FD_FAIL		220	/* + thread: /proc/thread-self/fail-nth */

struct call {
	uint8_t proc;
	uint8_t thread;
	uint8_t op;
	uint8_t slot;
	uint32_t fail;		/* which allocation is to fail; 0: none */
	uint64_t arg[ARGS];
};

struct sequence {
	bool serial;
	unsigned int n;
	struct call call[CALLS_MAX];
};

/* --- draw.c: what is drawn from a seed ------------------------------------ */

/* What is not left to the seed; -1: it is. */
struct fixed {
	int serial;
	int variant;
};

extern struct fixed fixed;

struct draw {
	uint64_t state;
	bool serial;
	unsigned int procs;
	unsigned int thread;	/* whose call is drawn */
};

uint64_t draw_u64(struct draw *d);
unsigned int draw_below(struct draw *d, unsigned int n);
bool chance(struct draw *d, unsigned int percent);
uint64_t draw_page(struct draw *d);
void draw_range(struct draw *d, uint64_t *addr, uint64_t *len);
uint64_t draw_edge(struct draw *d, uint64_t addr);
uint64_t draw_edge_len(struct draw *d, uint64_t addr);
void draw_sequence(struct sequence *s, uint64_t seed, unsigned int round);

/* One of a few values: DRAW_OF(d, 1, 2, 3). */
#define DRAW_OF(d, ...) ({						\
	static const uint64_t of_[] = { __VA_ARGS__ };			\
	of_[draw_below(d, sizeof(of_) / sizeof(*of_))];			\
})

/* --- the model, in shared memory ------------------------------------------ */

enum page_kind { NOTHING, ANON, FILE_SHARED, FILE_PRIVATE };

struct page {
	uint8_t kind;
	uint8_t prot;
	bool own;		/* written: not the file's, not the zero page */
	uint16_t file_page;
	uint8_t may[VARIANTS];	/* MY_MMU_ENTRY_*: what an entry may have */
};

/* The address space of a process. */
struct mm {
	struct page page[PAGES];
	unsigned int users[VARIANTS];
	bool rmap_only[VARIANTS];
	uint32_t tables[VARIANTS];	/* leaf tables there may be, as bits */
	unsigned char data[PAGES][MMU_PAGE];
};

#define HANDLES		64
#define MAIL_MAX	4	/* descriptors on their way to one process */

enum { SLOT_CLOSED, SLOT_OTHER, SLOT_PATH, SLOT_HANDLE };

struct handle {
	unsigned int refs;
	int variant;		/* -1: not attached */
	unsigned int mm_id;	/* of the address space attached to */
};

struct process {
	pid_t pid;
	bool alive;
	unsigned int mm_id;	/* no two address spaces ever have the same */
	unsigned int slot[SLOTS];	/* SLOT_*, + index of the handle */
	unsigned int mail[MAIL_MAX];
	unsigned int mails;
};

struct actor {
	pid_t tid;
	unsigned int next;	/* call to go on with after exec */
	unsigned int go;	/* futex: it may be this one's turn */
	int64_t since_ms;	/* when its call began; 0: in none */
	unsigned int at;	/* which */
	bool no_caps;
};

struct world {
	struct sequence seq;
	unsigned int turn;	/* serial: whose call it is */
	bool stop;
	bool failed;
	unsigned int failed_at;
	char why[1024];
	pid_t dying;		/* its turn passes on when it has gone */
	unsigned int dying_at;
	unsigned int calls;	/* of the device, as count_call() has it */
	unsigned int last_mm_id;
	bool storm;		/* allocations of some tasks fail at random */
	unsigned int points;	/* test points this round has told, as bits */
	unsigned int fail_create, fail_lookup;	/* what they may do */
	struct my_mmu_stats stats;	/* serial: after the last call */

	struct actor actor[PROCS][THREADS];
	struct process proc[PROCS];
	struct handle handle[HANDLES];
	unsigned int file_pages;	/* length of the file */
	struct mm mm[PROCS];
	unsigned char file[PAGES][MMU_PAGE];
};

extern struct world *world;

/* A thread of this process, and what it works with. */
struct self {
	unsigned int proc;
	unsigned int thread;
	struct process *p;
	struct actor *actor;
	struct mm *mm;
	unsigned char *args;	/* page, page, hole, read-only page, nothing */
	unsigned char *buf;	/* BUF_PAGES, hole, read-only page, nothing */
	sigjmp_buf *fault;	/* where to go on after SIGSEGV, SIGBUS */
	bool injected;		/* an allocation of this call has failed */
	struct delta {		/* what its call may do to the statistics */
		bool unknown;
		uint64_t attaches;
		uint64_t reads;
		uint64_t writes;
		uint64_t populated;	/* at most */
	} delta;
};

#define BUF_PAGES	8ul

int page_index(uint64_t addr);			/* -1: in no region */
uint64_t page_addr(unsigned int index);
bool exact(struct self *me, uint64_t addr);	/* the model knows this page */
unsigned char *contents(struct mm *mm, unsigned int index);
bool accessible(struct mm *mm, unsigned int index, bool write);
uint64_t reach(struct mm *mm, uint64_t addr, uint64_t len, bool write);
void make_own(struct mm *mm, unsigned int index);
void settle(struct self *me, unsigned int index);
void forget_entries(struct mm *mm, unsigned int index);
void forget_tables(struct mm *mm, unsigned int first, unsigned int end);

struct handle *handle_in(struct self *me, unsigned int slot);
void slot_put(struct process *p, unsigned int slot);
unsigned int handle_new(void);
void handle_get(unsigned int content);
void handle_put(unsigned int content);
void handle_detach(struct handle *h);
int mm_owner(unsigned int mm_id);		/* process, or -1 */
void process_gone(unsigned int proc);
void process_forked(struct self *me, unsigned int child);
void process_execed(unsigned int proc);

/* --- legal answers -------------------------------------------------------- */

struct legal {
	bool success;
	bool err[160];
};

void must_be(struct legal *l, int err);		/* success is not legal */
void may_be(struct legal *l, int err);
void judge(struct self *me, const struct call *c, long ret,
	   const struct legal *l);
/* The round has failed: notes why, once, and ends the process. */
void fail(struct self *me, const char *fmt, ...)
	__attribute__((format(printf, 2, 3), noreturn));
void count_call(void);

/* --- operations ----------------------------------------------------------- */

struct op {
	const char *name;
	const char *arg[ARGS];	/* names, for text */
	bool no_slot;
	bool allocates;		/* a call to the device: allocations may fail */
	unsigned int often[2];	/* weights: parallel, serial */
	void (*draw)(struct draw *d, struct call *c);
	void (*run)(struct self *me, const struct call *c);
};

extern const struct op ops[];
extern const unsigned int nr_ops;
unsigned int op_named(const char *name);
int variant_named(const char *name);	/* -1 if there is none */

#define OP(fn)							\
	void draw_##fn(struct draw *d, struct call *c);		\
	void run_##fn(struct self *me, const struct call *c)

OP(attach); OP(detach); OP(populate); OP(floor); OP(read); OP(write);
OP(query); OP(verify); OP(evict); OP(configure); OP(stats); OP(unknown);
OP(open); OP(close); OP(dup); OP(other); OP(send); OP(receive); OP(file_call);
OP(map); OP(unmap); OP(protect); OP(advise); OP(remap); OP(touch); OP(resize);
OP(fork); OP(exec); OP(exit); OP(kill); OP(drop_caps);
OP(debugfs); OP(parameter); OP(point); OP(storm);

void inject(struct self *me, const struct call *c);
void inject_end(struct self *me, const struct call *c);
long quick_write(const char *path, const char *text);	/* bytes, or -errno */
void points_on(bool on);
void release_points(void);

/* --- text.c --------------------------------------------------------------- */

void print_call(char *buf, size_t size, const struct call *c);
void print_sequence(FILE *f, const struct sequence *s);
bool parse_sequence(FILE *f, struct sequence *s);

/* --- found.c -------------------------------------------------------------- */

struct found {
	const char *what, *calls;
};

extern const struct found found[];
extern const unsigned int nr_found;

/* --- world.c -------------------------------------------------------------- */

enum outcome {
	FINE,
	WRONG,		/* a call did not do what it should */
	DIRTY,		/* a hang, a leak, a complaint: best to reboot */
};

struct limits {
	unsigned int call_s;	/* a call that takes longer hangs */
	unsigned int left_ms;	/* how long what was freed may take to go */
	bool faults;		/* this kernel can make allocations fail */
};

extern struct limits limits;

void world_init(void);
enum outcome run_sequence(const struct sequence *s);
enum outcome look_around(void);		/* leaks and complaints */
void resume_after_exec(const char *proc) __attribute__((noreturn));
void start_process(unsigned int proc) __attribute__((noreturn));
void pass_turn(unsigned int from);
void exit_in_turn(struct self *me);
void wait_gone(pid_t pid);
int64_t now_ms(void);

/* --- shrink.c ------------------------------------------------------------- */

int shrink(struct sequence *s, const char *known);

#endif /* FUZZ_H */
