// SPDX-License-Identifier: GPL-2.0
/*
 * t-race-rmap.c - G4: the rmap chain, overtaken at each of its steps
 *
 *	reclaim: try_to_unmap			evict by hand
 *	  invalidation: start, ptes go, end
 *	  hook_done				  evict_found
 *	  chain_filtered			  chain_filtered
 *	    rmap_walk, rmap_found, rmap_zapped	    likewise
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "race.h"

#define RW		(PROT_READ | PROT_WRITE)
#define ALIASES		3
#define RUN		64	/* pages that the index files together */

static struct gate ready, go;
static int fd;

/* The page at @p, written by the CPU and entered for writing: target of @e. */
static char *mirrored_for(struct call *e, char *p)
{
	fd = attached();
	cpu_stamp(p, 1, 1);
	populate(fd, p, 1, WRITE);
	e->fd = fd;
	e->p = p;
	return p;
}

/*
 *	walker				populate
 *
 *	takes page X off the record
 *	finds m on the list
 *					enters X at one more address
 *	zaps X, everywhere
 *
 * G4 is about the moment when the callback returns: this address is gone, too.
 * By "the callback looks until it finds no more".
 */
static void insert_beside(const char *walker_at)
{
	struct call e = { .fn = do_evict }, c = { .fn = do_populate };
	int memfd = make_memfd(1), i;
	char *p[ALIASES];

	race_begin(2);
	fd = attached();
	for (i = 0; i < ALIASES; i++)
		p[i] = map_fd(memfd, 1, RW, MAP_SHARED);
	cpu_stamp(p[0], 1, 1);
	for (i = 0; i < ALIASES - 1; i++)
		populate(fd, p[i], 1, WRITE);
	c.fd = fd;
	c.p = p[ALIASES - 1];
	c.pages = 1;
	e.fd = fd;
	e.p = p[0];
	call_to(&c, "populate_lookup");
	call_to(&e, walker_at);
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate, which nobody holds off");
	EXPECT_EQ(stats_of(fd).entries, ALIASES, "all aliases are there");
	tp_release(walker_at);
	EXPECT_EQ(call_wait(&e), 1, "evict");
	for (i = 0; i < ALIASES; i++)
		EXPECT_EQ(mmu_entry(fd, p[i]), 0, "alias %d is gone", i);
	device_sees(fd, p[1], 1, 1);
	verify(fd, p[1], 1);
}

TEST(g4_race_insert_before_callbacks, 20)
{
	insert_beside("chain_filtered");
}

TEST(g4_race_insert_before_the_callbacks_zap, 20)
{
	insert_beside("rmap_walk");
}

/*
 *	walker				discard, populate
 *
 *	page X is at address a
 *					a: X goes
 *					a: page Y comes, and is entered
 *	zap a
 *
 * Forbidden by "look again, with the lock held": a is not X's any more. Where
 * one lock is held all along, the walker is held up one step earlier.
 */
TEST(g4_race_address_gets_another_page, 20)
{
	const char *point = lock_per_table() ? "rmap_found" : "rmap_walk";
	struct call e = { .fn = do_evict };
	int ret = -EAGAIN, tries;
	struct my_mmu_stats before;
	char *p;

	race_begin(1);
	p = mirrored_for(&e, map_private(1));
	before = stats_of(fd);
	call_to(&e, point);
	/*
	 * A page that the index files beside X is held off with it, for a
	 * thousand tries. Its neighbours, too: take them away.
	 */
	for (tries = 0; ret == -EAGAIN && tries < 30; tries++) {
		ASSERT_EQ(madvise(p, MMU_PAGE, MADV_DONTNEED), 0, "madvise");
		cpu_stamp(map_private(RUN), RUN, 1);
		cpu_stamp(p, 1, 2);
		ret = mmu_populate(fd, p, MMU_PAGE, WRITE);
	}
	ASSERT_EQ(ret, 0, "populate of the new page");
	tp_release(point);
	EXPECT_EQ(call_wait(&e), 1, "evict");
	EXPECT_EQ(stats_of(fd).rmap_zaps - before.rmap_zaps, 0,
		  "the old page was nowhere any more");
	EXPECT_EQ(present(fd, p, 1), 1, "the new one was left alone");
	device_sees(fd, p, 1, 2);
	verify(fd, p, 1);
	EXPECT_EQ(mmu_evict(fd, p), 1, "and can be evicted");
	EXPECT_EQ(mmu_entry(fd, p), 0, "in its turn");
}

/*
 *	walker				munmap
 *
 *	page X is at address a
 *					a: X goes, so does the leaf table
 *	lock a's table
 *
 * Forbidden by "tables are found under RCU; one that is gone is not found".
 */
TEST(g4_race_address_loses_its_table, 20)
{
	const char *point = lock_per_table() ? "rmap_found" : "rmap_walk";
	struct call e = { .fn = do_evict };
	char *p;

	race_begin(1);
	p = mirrored_for(&e, map_tables(1));
	call_to(&e, point);
	ASSERT_EQ(munmap(p, MMU_HUGE), 0, "munmap");
	tp_release(point);
	EXPECT_EQ(call_wait(&e), 1, "evict");
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is left");
}

/*
 *	walker				munmap
 *
 *	page X is at address a
 *	finds a's table
 *					a: X goes, and the table leaves the tree
 *					a grace period ends, the table is freed?
 *	locks it
 *
 * Forbidden by "freed a grace period after they left the tree": whoever has
 * found it keeps RCU until it is through.
 */
TEST(g5_race_chain_found_table_leaves, 20)
{
	struct call e = { .fn = do_evict };
	char *p;

	if (!lock_per_table())
		skip("one lock: the table is found and used under it");
	race_begin(1);
	p = mirrored_for(&e, map_tables(1));
	call_to_stall(&e, "table_found");
	ASSERT_EQ(munmap(p, MMU_HUGE), 0, "munmap");
	sleep_ms(300);	/* whoever would free it too early has his chance */
	EXPECT_EQ(stats_of(fd).tables, 1, "it is there, found as it is");
	tp_release("table_found");
	EXPECT_EQ(call_wait(&e), 1, "evict");
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is left");
}

/*
 *	walker				populate of the same page
 *
 *	looks for addresses of X
 *	zaps one			enters one
 *	zaps one			enters one ...
 *
 * Forbidden by "populates of X are held off meanwhile". They are told to try
 * again, and give up in bounded time (G10).
 */
TEST(g10_race_populate_of_what_is_evicted, 20)
{
	struct call e = { .fn = do_evict };
	uint64_t done, retries;
	char *p, *q;
	int memfd;

	race_begin(1);
	fd = attached();
	memfd = make_memfd(1);
	p = map_fd(memfd, 1, RW, MAP_SHARED);
	q = map_fd(memfd, 1, RW, MAP_SHARED);
	cpu_stamp(p, 1, 1);
	cpu_stamp(q, 1, 1);	/* else the populate faults, and waits */
	populate(fd, p, 1, WRITE);
	e.fd = fd;
	e.p = p;
	if (lock_per_table()) {
		call_to(&e, "rmap_found");
		EXPECT_EQ(mmu_populate_batch(fd, q, MMU_PAGE, 0, 0, &done,
					     &retries),
			  -EAGAIN, "populate of the page at another address");
		EXPECT_GT(retries, 100, "which tried, again and again");
		EXPECT_EQ(mmu_entry(fd, q), 0, "in vain");
		tp_release("rmap_found");
	} else {
		call_to(&e, "rmap_zapped");	/* m->lock did it */
		tp_release("rmap_zapped");
	}
	EXPECT_EQ(call_wait(&e), 1, "evict");
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is mapped");
	populate(fd, q, 1, WRITE);
	device_sees(fd, q, 1, 1);
	verify(fd, q, 1);
}

/*
 *	walker of page X		walker of page Y, same shard
 *
 *	holds populates off
 *					holds populates off
 *	is done: lets them in
 *					zaps Y, while others enter it
 *
 * Forbidden by counting: Y is held off for as long as its own walker needs.
 * Pages of the same 2 MiB share a shard.
 */
TEST(g10_race_two_evictions_in_one_shard, 20)
{
	struct call x = { .fn = do_evict }, y = { .fn = do_evict };
	int memfd = make_memfd(256), i;
	uint64_t cpu[256], done;
	char *p, *q;

	race_begin(2);
	if (!lock_per_table())
		skip("m->lock is held all along");
	fd = attached();
	p = map_fd(memfd, 256, RW, MAP_SHARED);
	q = map_fd(memfd, 256, RW, MAP_SHARED);
	cpu_stamp(p, 256, 1);
	cpu_stamp(q, 256, 1);
	pagemap_of(p, 256, cpu);
	for (i = 1; i < 255; i++)
		if ((cpu[i] & PM_PFN) >> 9 == (cpu[i + 1] & PM_PFN) >> 9)
			break;
	ASSERT_LT(i, 255, "two pages are of one shard");
	p += i * MMU_PAGE;
	q += i * MMU_PAGE;
	populate(fd, p, 2, WRITE);
	x.fd = fd;
	x.p = p;
	y.fd = fd;
	y.p = p + MMU_PAGE;
	call_to(&y, "rmap_found");
	call_to(&x, "rmap_found");
	tp_tell("rmap_found", "release task %d", x.tid);
	EXPECT_EQ(call_wait(&x), 1, "one is done");
	EXPECT_EQ(mmu_populate_batch(fd, q + MMU_PAGE, MMU_PAGE, 0, 0, &done,
				     NULL),
		  -EAGAIN, "populate of the other's page");
	tp_release("rmap_found");
	EXPECT_EQ(call_wait(&y), 1, "now the other is");
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is mapped");
	populate(fd, q, 2, WRITE);
	verify(fd, q, 2);
}

/* --- the export filter ---------------------------------------------------- */

static void child_mirrors(char *p, int times)
{
	int own = attached();

	cpu_stamp(p, 1, 1);	/* its page table knows the page */
	while (times--) {
		pass(&ready);
		wait_at(&go);
		populate(own, p, 1, WRITE);
	}
	pass(&ready);
	wait_at(&go);
	EXPECT_EQ(mmu_entry(own, p), 0, "the chain has found the entry");
	_exit(0);
}

/*
 *	walker				populate, in another process
 *
 *	takes page X off the record
 *					enters X, puts it on record
 *	callbacks
 *
 * or, where the callback of that process has been
 *
 *	callbacks
 *					enters X, puts it on record
 *	takes page X off the record
 *
 * Forbidden by "off the record first": the next walk would pass X over.
 */
static void export_beside(const char *walker_at)
{
	struct call e = { .fn = do_evict };
	char *p = map_shared(1);
	pid_t pid;

	race_begin(1);
	gate_init(&ready);
	gate_init(&go);
	fd = attached();
	populate(fd, p, 1, WRITE);
	pid = spawn();		/* later on the list, so visited first */
	if (!pid)
		child_mirrors(p, 1);
	wait_at(&ready);
	e.fd = fd;
	e.p = p;
	tp_park_mm("rmap_zapped", getpid());
	if (strcmp(walker_at, "rmap_zapped")) {
		tp_off("rmap_zapped");
		call_to(&e, walker_at);
	} else {
		call_start(&e);
		tp_wait_parked("rmap_zapped", 1);
	}
	pass(&go);
	wait_at(&ready);		/* it has populated */
	tp_release(walker_at);
	EXPECT_EQ(call_wait(&e), 1, "evict");
	EXPECT_EQ(mmu_evict(fd, p), 1, "evict again: the page is on record");
	pass(&go);
	join(pid);
	EXPECT_EQ(stats_of(fd).entries, 0, "nobody maps it");
	EXPECT_EQ(mmu_evict(fd, p), 0, "now the filter spares the chain");
}

TEST(g4_race_export_before_callbacks, 20)
{
	export_beside("chain_filtered");
}

TEST(g4_race_export_behind_the_callback, 20)
{
	export_beside("rmap_zapped");
}

/*
 *	populate			walker
 *
 *	looks X up
 *					takes X off the record
 *					callbacks: X is nowhere
 *	enters X, puts it on record
 *
 * Forbidden is an entry that is not on record: the next walk would pass it
 * over. By "the bit is set in the critical section that makes the mapping".
 */
TEST(g4_race_lookup_eviction_insert, 20)
{
	struct call c = { .fn = do_populate, .pages = 1, .flags = WRITE };
	char *p;

	race_begin(1);
	c.fd = attached();
	p = map_private(1);
	c.p = p;
	cpu_stamp(p, 1, 1);
	call_to(&c, "populate_lookup");
	EXPECT_GE(mmu_evict(c.fd, p), 0, "evict");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(present(c.fd, p, 1), 1, "the page is entered");
	EXPECT_EQ(mmu_evict(c.fd, p), 1, "evict again: it is on record");
	EXPECT_EQ(mmu_entry(c.fd, p), 0, "and gone");
	device_sees(c.fd, p, 1, 1);
	verify(c.fd, p, 1);
}

/* --- two walkers, and what else may come ---------------------------------- */

/*
 *	walker				walker, same page
 *
 *	holds the folio lock
 *	callbacks
 *					waits for the folio lock
 *	lets go of it
 *					finds nothing on record
 */
TEST(g4_race_two_evictions_of_one_page, 20)
{
	struct call a = { .fn = do_evict }, b = { .fn = do_evict };
	char *p;

	race_begin(2);
	fd = attached();
	p = map_private(1);
	cpu_stamp(p, 1, 1);
	populate(fd, p, 1, WRITE);
	a.fd = fd;
	b.fd = fd;
	a.p = p;
	b.p = p;
	call_to(&a, "rmap_walk");
	call_start(&b);
	call_wait_in(&b, "folio_wait_bit");
	tp_release("rmap_walk");
	EXPECT_EQ(call_wait(&a), 1, "one runs the chain");
	EXPECT_EQ(call_wait(&b), 0, "the other need not");
	EXPECT_EQ(mmu_entry(fd, p), 0, "the entry is gone");
	device_sees(fd, p, 1, 1);
	verify(fd, p, 1);
}

/* And while it waits it can be killed. */
TEST(g10_race_eviction_waits_killably, 20)
{
	struct call a = { .fn = do_evict };
	char *p = map_shared(1);
	pid_t pid;

	race_begin(1);
	gate_init(&ready);
	gate_init(&go);
	pid = spawn();
	if (!pid) {
		fd = mmu_open();
		cpu_stamp(p, 1, 1);
		pass(&ready);
		wait_at(&go);
		mmu_evict(fd, p);
		_exit(0);
	}
	wait_at(&ready);
	fd = attached();
	populate(fd, p, 1, WRITE);
	a.fd = fd;
	a.p = p;
	call_to(&a, "rmap_walk");
	pass(&go);
	task_wait_in(pid, "folio_wait_bit");
	kill_to_its_end(pid);
	EXPECT_EQ(call_returned(&a), false, "the other is still at it");
	tp_release("rmap_walk");
	EXPECT_EQ(call_wait(&a), 1, "evict");
}

/*
 *	walker				munmap
 *
 *	has the page, not its lock
 *					the page leaves the address space
 *	locks it
 *					or does so now
 *	runs the chain
 *
 * Forbidden by "the reference is kept until the lock is dropped": the page is
 * the walker's until then, whoever else has let go of it.
 */
TEST(g4_race_eviction_beside_munmap, 20)
{
	static const char *const points[] = { "evict_found", "chain_filtered" };
	struct call e = { .fn = do_evict };
	char *p;
	int i;

	race_begin(1);
	for (i = 0; i < 2; i++) {
		p = mirrored_for(&e, map_private(1));
		call_to(&e, points[i]);
		ASSERT_EQ(munmap(p, MMU_PAGE), 0, "munmap");
		EXPECT_EQ(stats_of(fd).entries, 0, "the entry is gone");
		poison_free_memory();
		tp_release(points[i]);
		EXPECT_GE(call_wait(&e), 0, "evict");
		poison_free_memory();
		EXPECT_EQ(stats_of(fd).entries, 0, "nothing came back");
	}
}

/* --- reclaim, with page-level events left to the chain -------------------- */

static void need_hook(void)
{
	if (!have_swap())
		skip("no swap");
	if (!stats_of(fd).rmap_hook_active)
		skip("the VM does not feed the rmap chain here");
}

static char *page_for_reclaim(uint32_t flags)
{
	char *p;

	stay_on_one_cpu();
	race_begin(2);
	fd = mmu_open_attached(test_variant, MY_MMU_ATTACH_RMAP_ONLY);
	ASSERT_GE(fd, 0, "attach");
	need_hook();
	p = map_private(1);
	cpu_stamp(p, 1, 1);
	populate(fd, p, 1, flags);
	return p;
}

/*
 *	reclaim				device, CPU
 *
 *	start: entry left to the chain
 *	pte of X becomes a swap entry
 *	end
 *					device uses X: as good as ever
 *					CPU or populate wants the page: waits
 *	chain: zap X			  for the folio lock
 *	X is written and freed
 *
 * What may be left to the chain is an entry whose place nobody else can take:
 * who faults there needs the lock of X.
 */
TEST(g4_race_reclaim_between_end_and_chain, 20)
{
	struct call r = { .fn = do_madvise, .pages = 1, .flags = MADV_PAGEOUT };
	struct call c = { .fn = do_populate, .pages = 1, .flags = WRITE };
	uint64_t word = 0, before;
	struct my_mmu_verify v;

	r.p = page_for_reclaim(WRITE);
	c.p = r.p;
	c.fd = fd;
	before = stats_of(fd).rmap_zaps;
	call_to(&r, "hook_done");
	ASSERT_EQ(count_swapped(r.p, 1), 1, "the pte is gone");
	ASSERT_NE(mmu_entry(fd, r.p), 0, "the entry is not");
	ASSERT_EQ(mmu_verify(fd, NULL, 0, &v), 0, "VERIFY");
	EXPECT_EQ(v.unsettled, 1, "which is known");
	EXPECT_EQ(v.stale, 0, "and in order");
	ASSERT_EQ(mmu_read(fd, r.p, &word, sizeof(word)), 0, "device read");
	EXPECT_EQ(word, stamp(1, 0), "sees the page");
	call_start(&c);
	call_wait_in(&c, "folio");
	tp_release("hook_done");
	EXPECT_EQ(call_wait(&r), 0, "pageout");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(stats_of(fd).rmap_zaps - before, 1, "the chain took X away");
	poison_free_memory();
	device_sees(fd, r.p, 1, 1);
	verify(fd, r.p, 1);
}

/*
 *	populate			reclaim
 *
 *	look up: page X
 *					start: on record, zap left to the chain
 *					pte of X becomes a swap entry
 *					end: sequence++
 *					chain: zap X
 *	enter X?
 *
 * Forbidden by "populates are held off all the same": behind the chain nobody
 * would ever zap it.
 */
TEST(g2_race_reclaim_before_the_insertion, 20)
{
	struct call c = { .fn = do_populate, .pages = 1, .flags = WRITE };

	c.p = page_for_reclaim(0);
	c.fd = fd;
	call_to(&c, "populate_lookup");
	ASSERT_EQ(madvise(c.p, MMU_PAGE, MADV_PAGEOUT), 0, "pageout");
	ASSERT_EQ(count_swapped(c.p, 1), 1, "the pte is gone");
	EXPECT_EQ(mmu_entry(fd, c.p), 0, "so is the entry");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(c.retries, 1, "the batch was begun again");
	device_sees(fd, c.p, 1, 1);
	verify(fd, c.p, 1);
}

/*
 *	reclaim				CPU, device
 *
 *	start: entry left to the chain?
 *	MADV_FREE: X is thrown away,
 *	its pte is empty
 *	end
 *					CPU: new page Y there, at once
 *					device reads X: history
 *	chain: zap X
 *
 * Forbidden by "an entry is left to the chain only if its place is kept": the
 * one of a page that will be thrown away is zapped in the start.
 */
TEST(g1_race_place_of_a_discarded_page, 20)
{
	struct call r = { .fn = do_madvise, .pages = 1, .flags = MADV_PAGEOUT };
	uint64_t word = POISON;

	r.p = page_for_reclaim(0);
	ASSERT_EQ(madvise(r.p, MMU_PAGE, MADV_FREE), 0, "madvise");
	populate(fd, r.p, 1, 0);
	call_to(&r, "hook_done");
	ASSERT_EQ(pagemap(r.p) & (PM_PRESENT | PM_SWAPPED), 0,
		  "the page is thrown away");
	cpu_stamp(r.p, 1, 2);
	ASSERT_EQ(mmu_read(fd, r.p, &word, sizeof(word)), 0, "device read");
	EXPECT_EQ(word, stamp(2, 0), "sees what is there now");
	tp_release("hook_done");
	EXPECT_EQ(call_wait(&r), 0, "pageout");
	device_sees(fd, r.p, 1, 2);
	cpu_sees(r.p, 1, 2);
	verify(fd, r.p, 1);
}

/* --- whose walk it is ----------------------------------------------------- */

/* Tasks are filed in 64 buckets: among so many, some share one. */
#define STRANGERS	250

static char strangers_stack[STRANGERS][4096] __attribute__((aligned(16)));
static char *strangers_pages;
static unsigned int turn[STRANGERS + 1];

static void pass_on_to(unsigned int nr)
{
	__atomic_store_n(&turn[nr], 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &turn[nr], FUTEX_WAKE_PRIVATE, 1, NULL);
}

static int stranger(void *arg)
{
	unsigned int me = (uintptr_t)arg;

	while (!__atomic_load_n(&turn[me], __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &turn[me], FUTEX_WAIT_PRIVATE, 0, NULL);
	madvise(strangers_pages + me * MMU_PAGE, MMU_PAGE, MADV_DONTNEED);
	pass_on_to(me + 1);
	return 0;
}

static void make_strangers(void)
{
	uintptr_t i;

	strangers_pages = map_private(STRANGERS);
	cpu_stamp(strangers_pages, STRANGERS, 1);
	populate(fd, strangers_pages, STRANGERS, WRITE);
	for (i = 0; i < STRANGERS; i++)
		ASSERT_GE(clone(stranger, strangers_stack[i + 1] - 16,
				CLONE_VM | SIGCHLD, (void *)i), 0, "a task");
}

/*
 *	reclaim of page X		discard of page Y, another task
 *
 *	X is left to the chain
 *					start: left to the chain, too?
 *					Y is freed
 *					the device has Y still
 *	chain: zap X
 *
 * Forbidden by "asks for the calling task": the chain of others will not come
 * for Y.
 */
TEST(g1_race_walk_of_another_task, 30)
{
	struct call r = { .fn = do_madvise, .pages = 1, .flags = MADV_PAGEOUT };
	double deadline = seconds() + DEADLINE_S;

	r.p = page_for_reclaim(WRITE);
	make_strangers();
	call_to(&r, "hook_done");
	ASSERT_EQ(count_swapped(r.p, 1), 1, "the walk has begun");
	pass_on_to(0);
	while (!__atomic_load_n(&turn[STRANGERS], __ATOMIC_ACQUIRE) &&
	       seconds() < deadline)
		sleep_ms(1);
	EXPECT_EQ(turn[STRANGERS], 1, "all have given their pages back");
	EXPECT_EQ(present(fd, strangers_pages, STRANGERS), 0,
		  "and no entry is left of them");
	tp_release("hook_done");
	EXPECT_EQ(call_wait(&r), 0, "pageout");
	verify(fd, strangers_pages, STRANGERS);
}

/* Shared memory, mapped privately: an empty pte is for userfaultfd to fill. */
static int open_uffd(char *p)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)p, .len = MMU_PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		skip("no userfaultfd");
	ASSERT_EQ(ioctl(uffd, UFFDIO_REGISTER, &reg), 0, "UFFDIO_REGISTER");
	return uffd;
}

static char *private_page_of(int memfd, unsigned int gen)
{
	uint64_t word = stamp(gen, 0);

	ASSERT_EQ(pwrite(memfd, &word, sizeof(word), 0), (long)sizeof(word),
		  "the file has a page");
	return map_fd(memfd, 1, RW, MAP_PRIVATE);
}

/*
 *	reclaim				userfaultfd, device
 *
 *	start: entry left to the chain?
 *	X is the file's, its pte is
 *	empty now
 *	end
 *					UFFDIO_COPY: new page Y there, at once
 *					device reads X: history
 *	chain: zap X
 *
 * UFFDIO_COPY to a private mapping of shared memory does not ask the file, so
 * it does not wait for the lock of X. Forbidden by the same rule.
 */
TEST(g1_race_place_taken_by_userfaultfd, 20)
{
	struct call r = { .fn = do_madvise, .pages = 1, .flags = MADV_PAGEOUT };
	struct uffdio_copy copy = { .len = MMU_PAGE };
	uint64_t word = POISON;
	char *from;
	int uffd;

	stay_on_one_cpu();
	race_begin(1);
	fd = mmu_open_attached(test_variant, MY_MMU_ATTACH_RMAP_ONLY);
	ASSERT_GE(fd, 0, "attach");
	need_hook();
	from = map_private(1);
	cpu_stamp(from, 1, 2);
	r.p = private_page_of(make_memfd(1), 1);
	uffd = open_uffd(r.p);
	ASSERT_EQ(*(volatile uint64_t *)r.p, stamp(1, 0), "the CPU reads X");
	populate(fd, r.p, 1, 0);
	call_to(&r, "hook_done");
	ASSERT_EQ(pagemap(r.p) & PM_PRESENT, 0, "the pte is empty");
	copy.dst = (uintptr_t)r.p;
	copy.src = (uintptr_t)from;
	ASSERT_EQ(ioctl(uffd, UFFDIO_COPY, &copy), 0, "UFFDIO_COPY");
	ASSERT_EQ(*(volatile uint64_t *)r.p, stamp(2, 0), "the CPU reads Y");
	ASSERT_EQ(mmu_read(fd, r.p, &word, sizeof(word)), 0, "device read");
	EXPECT_EQ(word, stamp(2, 0), "sees what is there now");
	tp_release("hook_done");
	EXPECT_EQ(call_wait(&r), 0, "pageout");
	device_sees(fd, r.p, 1, 2);
	cpu_sees(r.p, 1, 2);
	verify(fd, r.p, 1);
}
