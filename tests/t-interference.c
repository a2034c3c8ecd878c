// SPDX-License-Identifier: GPL-2.0
/*
 * t-interference.c - G6: what one event costs who is at work elsewhere
 *
 * A table, made without chance. A row is an event in the middle of which a task
 * is parked, or which happens once between the lookup of a populate and its
 * entries; a column is what somebody else does meanwhile. Each cell says
 * whether that one had to wait (2: awake, by beginning again and again), how
 * often it began again after the event, and how many pages it looked up in
 * vain. What the variants promise is checked; bench/icount shows all of it
 * ("interference.csv").
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "race.h"

#define PAGES	511	/* of a populate: a leaf table but for its last page */
#define IS_LONG	700	/* milliseconds; nobody computes for so long here */

/*
 * Calls of ours (two at once are one event, for what lies between them), or
 * what a child does when it is told to.
 */
struct event {
	const char *row;
	struct call call[2];
	int calls;
	pid_t child;
	const char *point;	/* where they are, when it is under way */
	bool ours_to_restore;	/* the device lost a page of ours each time */
};

static int fd;
static struct gate child_go, child_done;
static char *mine;	/* what the populate and the invalidation are about */

static void report(const char *row, const char *column, unsigned long waits,
		   unsigned long retries, unsigned long pages)
{
	note("interference %s %s waits %lu retries %lu pages %lu", row, column,
	     waits, retries, pages);
}

static void begin(struct event *e)
{
	int i;

	if (e->child) {
		tp_park_mm(e->point, e->child);
		pass(&child_go);
		tp_wait_parked(e->point, 1);
	}
	for (i = 0; i < e->calls; i++)
		call_to(&e->call[i], e->point);
}

static void end(struct event *e)
{
	int i;

	tp_off(e->point);
	if (e->child)
		wait_at(&child_done);
	for (i = 0; i < e->calls; i++)
		EXPECT_GE(call_wait(&e->call[i]), 0, "the event itself");
}

static void happen(struct event *e)
{
	int i;

	if (e->child) {
		pass(&child_go);
		wait_at(&child_done);
	}
	for (i = 0; i < e->calls; i++)
		call_start(&e->call[i]);
	for (i = 0; i < e->calls; i++)
		EXPECT_GE(call_wait(&e->call[i]), 0, "the event itself");
}

/* So that the next one finds what this one took away. */
static void restore(struct event *e)
{
	int i;

	for (i = 0; i < e->calls && e->ours_to_restore; i++) {
		cpu_stamp(e->call[i].p, 1, 1);
		populate(fd, e->call[i].p, 1, WRITE);
	}
}

static void empty_mine(void)
{
	ASSERT_EQ(mprotect(mine, PAGES * MMU_PAGE, PROT_READ), 0, "mprotect");
	ASSERT_EQ(mprotect(mine, PAGES * MMU_PAGE, PROT_READ | PROT_WRITE), 0,
		  "mprotect");
	cpu_stamp(mine, PAGES, 1);
}

/* --- populate ------------------------------------------------------------- */

static struct call populate_of_mine(void)
{
	return (struct call) {
		.fn = do_populate, .fd = fd, .p = mine, .pages = PAGES,
		.flags = WRITE,
	};
}

/* The event happens once, after the lookup and before the entries. */
static unsigned long populate_overtaken(struct event *e)
{
	struct call c = populate_of_mine();

	restore(e);
	empty_mine();
	make_table(fd, mine);
	cpu_stamp(mine, PAGES, 1);
	call_to(&c, "populate_lookup");
	happen(e);
	tp_off("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(c.done, PAGES, "all of it");
	return c.retries;
}

static bool returns_soon(struct call *c)
{
	double deadline = seconds() + IS_LONG / 1000.0;

	while (!call_returned(c) && seconds() < deadline)
		sleep_ms(1);
	return call_returned(c);
}

/* A populate, or an invalidation, while the event is under way. */
static bool waits_amid(struct event *e, struct call *c)
{
	bool waits;

	begin(e);
	call_start(c);
	waits = !returns_soon(c);
	end(e);
	c->ret = call_wait(c);
	return waits;
}

static void populate_column(struct event *e, bool free)
{
	unsigned long retries = populate_overtaken(e), waits;
	struct call c = populate_of_mine();

	restore(e);
	empty_mine();
	make_table(fd, mine);
	cpu_stamp(mine, PAGES, 1);
	waits = waits_amid(e, &c);
	if (c.retries > 1)
		waits = 2;
	report(e->row, "populate", waits, retries, retries * PAGES);
	if (free && variant_can(LOCKS_TABLES))
		EXPECT_EQ(retries, 0, "%s: nothing is looked up again", e->row);
	if (free && variant_can(WAITS_FOR_NO_OTHER))
		EXPECT_EQ(waits, 0, "%s: nobody waits", e->row);
	while (c.ret == -EAGAIN)
		c.ret = c.fn(&c);
	EXPECT_EQ(c.ret, 0, "populate");
	verify(fd, mine, PAGES);
}

/* --- invalidate ----------------------------------------------------------- */

static void invalidate_column(struct event *e)
{
	struct call c = {
		.fn = do_madvise, .p = mine + MMU_PAGE, .pages = 1,
		.flags = MADV_DONTNEED,
	};
	bool waits;

	restore(e);
	cpu_stamp(c.p, 1, 1);
	populate(fd, c.p, 1, WRITE);
	waits = waits_amid(e, &c);
	EXPECT_EQ(c.ret, 0, "madvise");
	report(e->row, "invalidate", waits, 0, 0);
	EXPECT_EQ(waits, false, "%s: no invalidation waits for it", e->row);
}

/* --- attach, detach, exit: of another process ----------------------------- */

enum life { ATTACH, DETACH, EXIT };

static const char *const life_names[] = { "attach", "detach", "exit" };

static pid_t start_life(enum life life, struct gate *ready, struct gate *go)
{
	pid_t pid = spawn();
	int own;

	if (pid)
		return pid;
	own = life == ATTACH ? mmu_open() : attached();
	if (life != ATTACH)
		populate(own, map_private(1), 1, WRITE);
	pass(ready);
	wait_at(go);
	if (life == ATTACH)
		own = attached();
	else if (life == DETACH)
		ASSERT_EQ(mmu_detach(own), 0, "detach");
	if (life != EXIT) {
		pass(ready);
		wait_at(go);
	}
	_exit(0);
}

static bool is_over(pid_t pid, enum life life, struct gate *ready)
{
	siginfo_t child = { .si_pid = 0 };
	int waiting = 0;

	if (life != EXIT)
		return !ioctl(ready->fd[0], FIONREAD, &waiting) && waiting;
	return !waitid(P_PID, pid, &child, WEXITED | WNOHANG | WNOWAIT) &&
	       child.si_pid;
}

static void life_column(struct event *e, enum life life)
{
	struct gate ready, go;
	double deadline;
	bool over;
	pid_t pid;

	gate_init(&ready);
	gate_init(&go);
	pid = start_life(life, &ready, &go);
	wait_at(&ready);
	restore(e);	/* fork() has taken something from the device */
	begin(e);
	pass(&go);
	deadline = seconds() + IS_LONG / 1000.0;
	while (!(over = is_over(pid, life, &ready)) && seconds() < deadline)
		sleep_ms(1);
	end(e);
	report(e->row, life_names[life], !over, 0, 0);
	/* An exit waits for all callbacks of plain notifiers: the VM does. */
	if (list_never_blocks() && life != EXIT)
		EXPECT_EQ(over, true, "%s: %s does not wait", e->row,
			  life_names[life]);
	pass(&go);
	join(pid);
}

/* --- the rows ------------------------------------------------------------- */

static void all_columns(struct event *e, bool free)
{
	populate_column(e, free);
	invalidate_column(e);
	life_column(e, ATTACH);
	life_column(e, DETACH);
	life_column(e, EXIT);
}

static struct call discard_at(char *p)
{
	return (struct call) {
		.fn = do_madvise, .p = p, .pages = 1, .flags = MADV_DONTNEED,
	};
}

/* Three leaf tables; ours is that in the middle. */
static char *setup(void)
{
	char *area;

	race_begin(4);
	fd = attached();
	area = map_tables(3);
	mine = area + MMU_HUGE;
	cpu_stamp(mine, PAGES, 1);
	return area;
}

static void row(const char *name, bool free, struct call first,
		struct call *second)
{
	struct event e = {
		.row = name, .point = "start_zapped", .calls = 1,
		.call = { first }, .ours_to_restore = true,
	};

	if (second)
		e.call[e.calls++] = *second;
	all_columns(&e, free);
}

TEST(g6_interference_another_table, 60)
{
	row("another-table", true, discard_at(setup()), NULL);
}

TEST(g6_interference_between_two, 60)
{
	char *area = setup();
	struct call above = discard_at(area + 2 * MMU_HUGE);

	row("between-two", true, discard_at(area), &above);
}

TEST(g6_interference_same_table, 60)
{
	setup();
	row("same-table", false, discard_at(mine + PAGES * MMU_PAGE), NULL);
}

TEST(g6_interference_same_page, 60)
{
	setup();
	row("same-page", false, discard_at(mine + 7 * MMU_PAGE), NULL);
}

/* A page of the table below in a shard of ours: those of the same 2 MiB are. */
static char *page_in_our_shard(char *area)
{
	uint64_t theirs[PAGES], ours[PAGES];
	int i, j;

	cpu_stamp(area, PAGES, 1);
	pagemap_of(area, PAGES, theirs);
	pagemap_of(mine, PAGES, ours);
	for (i = 0; i < PAGES; i++)
		for (j = 0; j < PAGES; j++)
			if ((theirs[i] & PM_PFN) >> 9 ==
			    (ours[j] & PM_PFN) >> 9)
				return area + i * MMU_PAGE;
	skip("no page of one range lies near to one of the other");
}

TEST(g6_interference_eviction, 60)
{
	char *area = setup();
	struct event e = {
		.row = "eviction-same-shard", .calls = 1,
		/* With one lock for all, that is held at the other point. */
		.point = lock_per_table() ? "rmap_found" : "rmap_zapped",
		.ours_to_restore = true,
	};

	e.call[0] = (struct call) { .fn = do_evict, .fd = fd };
	e.call[0].p = page_in_our_shard(area);
	all_columns(&e, false);
}

/* --- another process whose device does not answer ------------------------- */

static void child(char *shared)
{
	int own = attached();
	char *p = shared ?: map_private(1);

	for (;;) {
		cpu_stamp(p, 1, 1);
		populate(own, p, 1, WRITE);
		wait_at(&child_go);
		if (shared)
			ASSERT_EQ(mmu_evict(own, p), 1, "evict");
		else
			ASSERT_EQ(madvise(p, MMU_PAGE, MADV_DONTNEED), 0,
				  "madvise");
		pass(&child_done);
	}
}

static void row_of_child(const char *name, const char *point, bool in_chain)
{
	char *shared = map_shared(1);
	struct event e = { .row = name, .point = point };

	gate_init(&child_go);
	gate_init(&child_done);
	e.child = spawn();
	if (!e.child)
		child(in_chain ? shared : NULL);
	setup();
	all_columns(&e, true);
	kill_and_reap(e.child);
}

TEST(g6_interference_slow_device_in_the_chain, 60)
{
	tp_need();
	row_of_child("slow-device-chain", "rmap_zapped", true);
}

TEST(g6_interference_slow_device_in_a_range_callback, 60)
{
	tp_need();
	row_of_child("slow-device-range", "start_zapped", false);
}
