/* SPDX-License-Identifier: GPL-2.0 */
/*
 * race.h - one task stops at a test point, another overtakes it
 *
 * A struct call is something done by a thread of its own: started, looked at,
 * waited for. Its function is one of those below, or the test's own.
 *
 *	struct call c = { .fn = do_populate, .fd = fd, .p = p, .pages = 1 };
 *
 *	race_begin(1);				one thread will do
 *	call_to(&c, "populate_lookup");		now it is parked there
 *	...					what must not happen now
 *	tp_release("populate_lookup");
 *	EXPECT_EQ(call_wait(&c), 0, "populate");
 */
#ifndef TESTS_RACE_H
#define TESTS_RACE_H

#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common.h"
#include "testpoint.h"

struct call {
	int		(*fn)(struct call *c);
	int		fd;
	char		*p;
	size_t		pages;
	uint32_t	flags;		/* of a populate or an attach; advice */
	const char	*group;		/* a control group, see cgroup.h */
	uint64_t	done;		/* out: of a populate */
	uint64_t	retries;	/* out: of a populate */

	struct gate	*gate;		/* of a twin: waits there first */

	int		ret;		/* what fn returned */
	pid_t		tid;		/* set by call_start() */
	bool		returned;
	sem_t		end;
};

/*
 * First of all, in each process: makes the threads for as many calls at once.
 * A task that is parked in an invalidation may hold the mmap_lock, and then no
 * thread can be made. Skips where the modules were built without test points.
 */
void race_begin(unsigned int threads);

int do_populate(struct call *c);	/* c->flags: 0 or WRITE */
int do_evict(struct call *c);
int do_madvise(struct call *c);		/* c->flags: MADV_... */
int do_munmap(struct call *c);
int do_mprotect(struct call *c);	/* c->flags: PROT_... */
int do_attach(struct call *c);		/* a new handle, into c->fd */
int do_detach(struct call *c);
/* Of c->group, c->pages at a time, until somebody has come to age_entry. */
int do_reclaim(struct call *c);

/* In a thread of its own, which runs on without further ado. */
#define call_start(c) (HERE(), call_start_(c))
/* Likewise, and this returns when it, and no other, is parked at @point. */
#define call_to(c, point) (HERE(), call_to_(c, point))
/* Likewise, also where it may not sleep: it spins, for 2 seconds at most. */
#define call_to_stall(c, point) (HERE(), call_to_stall_(c, point))
/*
 * In a process of its own in our memory: it can be killed alone. A gate keeps
 * it, if there is one: it can be made before somebody is parked.
 */
#define start_twin(c) (HERE(), start_twin_(c))
/* Has it returned? */
bool call_returned(struct call *c);
/* Waits for its return, with a deadline; what fn returned. */
#define call_wait(c) (HERE(), call_wait_(c))
/*
 * Waits until it sleeps, uninterruptibly, with a function called like @name on
 * its stack. The kernel's stack traces leave out the locks' own functions.
 * A call that returns instead, or a task that ends, fails the test at once.
 */
#define call_wait_in(c, name) (HERE(), call_wait_in_(c, name))
void task_wait_in(pid_t tid, const char *name);
bool task_is_in(pid_t tid, const char *name);
/* Kills a child, and waits until it has ended; what it waits for stays away. */
#define kill_to_its_end(pid) (HERE(), kill_to_its_end_(pid))
/* Likewise, until it has come by @point so often. */
#define call_wait_arrivals(c, point, n) \
	(HERE(), call_wait_arrivals_(c, point, n))

/* A populate that must sleep until an invalidation is over; until it does. */
#define call_to_wait(c) (HERE(), call_to_wait_(c))
/* Or after being let go from @point: it must sleep, and must not return. */
#define call_on_to_wait(c, point) (HERE(), call_on_to_wait_(c, point))

/* A populate in a twin: it must sleep until an invalidation is over. */
void twin_waits(pid_t pid, int fd, uint64_t before);

/*
 * A variant may not be told of memory of which it has no table. Then another
 * variant is attached as well, which is: parked there, an invalidation is as
 * much under way. Never before the end, which the first knows before it.
 */
void hear_all(void);
/* So that a populate at @p, where nothing is, is not the first of its table. */
void make_table(int fd, char *p);

/* Waits until as many external MMUs exist. */
#define wait_for_mmus(fd, n) (HERE(), wait_for_mmus_(fd, n))

void call_start_(struct call *c);
pid_t start_twin_(struct call *c);
void kill_to_its_end_(pid_t pid);
void call_to_(struct call *c, const char *point);
void call_to_stall_(struct call *c, const char *point);
int call_wait_(struct call *c);
void call_wait_in_(struct call *c, const char *name);
void call_wait_arrivals_(struct call *c, const char *point, unsigned long n);
void call_to_wait_(struct call *c);
void call_on_to_wait_(struct call *c, const char *point);
void wait_for_mmus_(int fd, uint64_t n);

/* In the variant at hand: is there a lock for each leaf table; is the list of
 * external MMUs walked without holding off its writers?
 */
bool lock_per_table(void);
bool list_never_blocks(void);

#endif /* TESTS_RACE_H */
