// SPDX-License-Identifier: GPL-2.0
/*
 * t-reference.c - G10: every way out of a call lets go of what it took
 *
 * Of pages: the test takes one from the pool of huge pages, has a call look it
 * up and fail in one way, and gives it back. Of tables: a populate pins one,
 * and an unmap frees only those that nobody has pinned. Of modules: attaching
 * holds one. Each failure is caused in turn, each alone.
 */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "cgroup.h"
#include "hugetlb.h"
#include "race.h"

#define ALL	(MMU_HUGE / MMU_PAGE)
#define N	8
#define RW	(PROT_READ | PROT_WRITE)

static int fd;

/* --- one call on one huge page -------------------------------------------- */

static void populate_once(char *p)
{
	populate(fd, p, ALL, WRITE);
}

static void populate_twice(char *p)
{
	populate(fd, p, ALL, 0);
	populate(fd, p, ALL, WRITE);
}

static void populate_lost_thrice(char *p)
{
	uint64_t done, retries;

	tp_need();
	tp_tell("populate_lookup", "fail 3");
	EXPECT_EQ(mmu_populate_batch(fd, p, ALL * MMU_PAGE, WRITE, 0, &done,
				     &retries), 0, "populate");
	EXPECT_EQ(retries, 3, "which lost three times");
}

static void populate_lost_for_good(char *p)
{
	tp_need();
	tp_tell("populate_lookup", "fail 1000000");
	EXPECT_EQ(mmu_populate(fd, p, MMU_PAGE, WRITE), -EAGAIN, "populate");
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is entered");
	tp_off("populate_lookup");
}

static void access_lost_thrice(char *p)
{
	uint64_t word = 0;

	tp_need();
	tp_tell("populate_lookup", "fail 3");
	EXPECT_EQ(mmu_write(fd, p + 5, &word, sizeof(word)), 0, "write");
}

/* The lookup ends with the huge page; what it found is no error. */
static void populate_beyond_the_end(char *p)
{
	uint64_t done;

	ASSERT_EQ(munmap(p + MMU_HUGE, MMU_HUGE), 0, "a hole behind it");
	EXPECT_EQ(mmu_populate_batch(fd, p + MMU_HUGE - N * MMU_PAGE,
				     2 * N * MMU_PAGE, WRITE, 0, &done, NULL),
		  -EFAULT, "populate");
	EXPECT_EQ(done, N, "which came to the end of it");
}

static void populate_without_a_table(char *p)
{
	tp_need();
	tp_tell("table_create", "fail");
	EXPECT_EQ(mmu_populate(fd, p, MMU_HUGE, WRITE), -ENOMEM, "populate");
}

static void populate_with_a_crowded_index(char *p)
{
	tp_need();
	tp_tell("index_grow", "fail 1000000");
	populate(fd, p, ALL, WRITE);
	populate(fd, p + MMU_HUGE, ALL, WRITE);
}

static void populate_during_unmap(char *p)
{
	struct call c = {
		.fn = do_populate, .fd = fd, .p = p, .pages = ALL,
		.flags = WRITE,
	};

	call_to(&c, "populate_lookup");
	ASSERT_EQ(munmap(p, 2 * MMU_HUGE), 0, "munmap");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), -EFAULT, "populate");
	EXPECT_EQ(c.retries, 1, "which began again, and found nothing");
}

static void populate_during_discard(char *p)
{
	struct call c = {
		.fn = do_populate, .fd = fd, .p = p, .pages = ALL,
		.flags = WRITE,
	};

	call_to(&c, "populate_lookup");
	ASSERT_EQ(madvise(p, MMU_HUGE, MADV_DONTNEED), 0, "discard");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(c.retries, 1, "which began again");
}

static void floor_once(char *p)
{
	uint64_t done;

	EXPECT_EQ(mmu_gup_floor(fd, p, MMU_HUGE, WRITE, 0, &done), 0, "floor");
	EXPECT_EQ(done, ALL, "of all pages");
	EXPECT_EQ(mmu_gup_floor(fd, p, N * MMU_PAGE, 0, 3, &done), 0, "again");
	EXPECT_EQ(done, N, "in batches of three");
}

static void floor_beyond_the_end(char *p)
{
	uint64_t done;

	ASSERT_EQ(munmap(p + MMU_HUGE, MMU_HUGE), 0, "a hole behind it");
	EXPECT_EQ(mmu_gup_floor(fd, p, 2 * MMU_HUGE, 0, 7, &done), -EFAULT,
		  "floor");
	EXPECT_EQ(done, ALL, "which came to the end of it");
}

static void access_it(char *p)
{
	char buf[3 * MMU_PAGE];

	EXPECT_EQ(mmu_read(fd, p + 100, buf, sizeof(buf)), 0, "read");
	EXPECT_EQ(mmu_write(fd, p + 100, buf, sizeof(buf)), 0, "write");
	EXPECT_EQ(mmu_read(fd, p + 100, (void *)-4096l, 8), -EFAULT,
		  "read to nowhere");
	EXPECT_EQ(mmu_write(fd, p + 100, (void *)-4096l, 8), -EFAULT,
		  "write from nowhere");
	EXPECT_EQ(mmu_entry(fd, p) & MY_MMU_ENTRY_PRESENT, 1, "an entry");
}

static void evict_it(char *p)
{
	populate(fd, p, N, WRITE);
	EXPECT_EQ(mmu_evict(fd, p + MMU_PAGE), 1, "evict");
	EXPECT_EQ(mmu_evict(fd, p + MMU_PAGE), 0, "evict what is off record");
	EXPECT_EQ(mmu_evict(fd, (void *)MMU_PAGE), -EFAULT, "evict a hole");
}

static void verified(char *p, size_t pages)
{
	struct my_mmu_verify v;

	ASSERT_EQ(mmu_verify(fd, p, pages * MMU_PAGE, &v), 0, "VERIFY");
	EXPECT_EQ(v.right, pages, "all are right");
}

static void verify_it(char *p)
{
	populate(fd, p, ALL, WRITE);
	verified(p, ALL);
	populate(fd, p + MMU_HUGE, ALL, 0);
	verified(p, 2 * ALL);
}

/* Refused at the first look, confirmed at the second: by two lookups. */
static void verify_with_a_key(char *p)
{
	int key = pkey_alloc(0, 0);

	if (key < 0)
		skip("no protection keys here (%s)", strerror(errno));
	ASSERT_EQ(pkey_mprotect(p, 2 * MMU_HUGE, RW, key), 0, "a key");
	populate(fd, p, ALL, WRITE);
	populate(fd, p + MMU_HUGE, N, 0);
	pkey_set(key, PKEY_DISABLE_ACCESS);
	verified(p, ALL);
	verified(p + MMU_HUGE, N);
	pkey_set(key, 0);
	pkey_free(key);
}

static void detach_it(char *p)
{
	populate(fd, p, ALL, WRITE);
	ASSERT_EQ(mmu_detach(fd), 0, "detach");
	ASSERT_EQ(mmu_attach(fd, test_variant), 0, "attach");
}

static void discard_it(char *p)
{
	populate(fd, p, ALL, WRITE);
	ASSERT_EQ(madvise(p, MMU_HUGE, MADV_DONTNEED), 0, "discard");
}

static const struct {
	const char *what;
	void (*call)(char *p);
} calls[] = {
	{ "populate", populate_once },
	{ "populate twice", populate_twice },
	{ "populate, lost thrice", populate_lost_thrice },
	{ "populate, lost for good", populate_lost_for_good },
	{ "device access, lost thrice", access_lost_thrice },
	{ "populate beyond the end", populate_beyond_the_end },
	{ "populate, no table", populate_without_a_table },
	{ "populate, a crowded index", populate_with_a_crowded_index },
	{ "populate during munmap", populate_during_unmap },
	{ "populate during a discard", populate_during_discard },
	{ "floor", floor_once },
	{ "floor beyond the end", floor_beyond_the_end },
	{ "access", access_it },
	{ "evict", evict_it },
	{ "verify", verify_it },
	{ "verify with a key", verify_with_a_key },
	{ "detach", detach_it },
	{ "discard", discard_it },
};

/* A leaf table that has left the tree takes a grace period to go. */
static void tables_let_go(const char *what)
{
	int ms;

	for (ms = 0; ms < 2000 && stats_of(fd).tables; ms += 5)
		sleep_ms(5);
	EXPECT_EQ(stats_of(fd).tables, 0, "%s: no table is left", what);
}

static void let_go_of_all(char *p, const char *what)
{
	tp_off_all();
	munmap(p, 2 * MMU_HUGE);
	EXPECT_EQ(stats_of(fd).entries, 0, "%s: no entry is left", what);
	tables_let_go(what);
	EXPECT_EQ(huge_taken(), 0, "%s: no reference is left", what);
}

/*
 * What one call leaves is known when its memory is unmapped, with the external
 * MMU still there: its end would free a pinned table as well.
 */
TEST(g10_race_every_call_lets_go, 60)
{
	size_t i;
	char *p;

	race_begin(1);
	fd = attached();
	references_let_go(0);
	for (i = 0; i < sizeof(calls) / sizeof(*calls); i++) {
		p = map_huge(2);
		memset(p, i, 2 * MMU_HUGE);
		calls[i].call(p);
		let_go_of_all(p, calls[i].what);
		if (harness_failed())
			return;
	}
}

/* The same of an exit that finds all of it in use. */
TEST(g10_exit_lets_go_of_all_pages, 20)
{
	char *p;
	pid_t pid;
	int i;

	references_let_go(0);
	for (i = 0; i < 3; i++) {
		pid = spawn();
		if (!pid) {
			fd = attached();
			p = map_huge(2);
			populate(fd, p, 2 * ALL, i ? WRITE : 0);
			if (i == 2)
				mmu_evict(fd, p);
			if (i != 2)
				verified(p, 2 * ALL);
			_exit(0);
		}
		join(pid);
		references_let_go(0);
	}
}

/* --- cut short, held off, killed ------------------------------------------ */

/* As my_mmu_shard() has it. */
static unsigned int shard_of(uint64_t entry)
{
	return ((entry & PM_PFN) >> 9) * 0x61c8864680b583ebull >> 60;
}

/* A page whose shard is not that of the two before it. */
static size_t where_shards_differ(const uint64_t *entry, size_t pages)
{
	size_t i;

	for (i = 2; i < pages - 2; i++)
		if (shard_of(entry[i]) != shard_of(entry[i - 1]) &&
		    shard_of(entry[i]) != shard_of(entry[i - 2]))
			return i;
	ASSERT_LT(i, pages - 2, "pages are in different shards");
	return 0;
}

#define CUT_SHORT	2048	/* pages, of which two are to be apart */

/*
 *	walker				populate
 *
 *	page X is being evicted
 *					looks up pages before X, X, and behind
 *					enters those before X, no more
 *
 * Of all that were looked up the references are dropped, not only of those
 * that were entered. A page that somebody holds stays in the swap cache.
 */
TEST(g10_race_batch_cut_short_lets_go, 20)
{
	struct call e = { .fn = do_evict };
	uint64_t old[CUT_SHORT], done = 0;
	char *p, *x;
	size_t i;

	if (!have_swap())
		skip("no swap");
	race_begin(1);
	fd = attached();
	p = map_tables(CUT_SHORT / ALL);
	cpu_stamp(p, CUT_SHORT, 1);
	pagemap_of(p, CUT_SHORT, old);
	i = where_shards_differ(old, CUT_SHORT);
	x = p + i * MMU_PAGE;
	populate(fd, x, 1, WRITE);
	e.fd = fd;
	e.p = x;
	if (lock_per_table()) {
		call_to(&e, "rmap_found");
		EXPECT_EQ(mmu_populate_batch(fd, x - 2 * MMU_PAGE, 4 * MMU_PAGE,
					     WRITE, 0, &done, NULL), -EAGAIN,
			  "populate");
		EXPECT_EQ(done, 2, "which entered those before");
		tp_release("rmap_found");
		EXPECT_EQ(call_wait(&e), 1, "evict");
	} else {
		populate(fd, x - 2 * MMU_PAGE, 4, WRITE);
	}
	page_all_out(x - 2 * MMU_PAGE, 4);
	EXPECT_EQ(still_in_swap_cache(old + i - 2, 4), 0, "none is held");
}

/* Waiting for the lock of a page that it has looked up. */
TEST(g10_race_killed_eviction_lets_go, 20)
{
	struct call a = { .fn = do_evict };
	int memfd = make_huge_memfd(1);
	struct gate ready, go;
	pid_t pid;
	char *p;

	race_begin(1);
	gate_init(&ready);
	gate_init(&go);
	p = map_huge_fd(memfd, 1);
	pid = spawn();
	if (!pid) {
		fd = mmu_open();
		cpu_stamp(p, 1, 1);
		pass(&ready);
		wait_at(&go);
		mmu_evict(fd, p + MMU_PAGE);
		_exit(0);
	}
	wait_at(&ready);
	fd = attached();
	populate(fd, p, N, WRITE);
	a.fd = fd;
	a.p = p;
	call_to(&a, "rmap_walk");
	pass(&go);
	task_wait_in(pid, "folio_wait_bit");
	kill_to_its_end(pid);
	tp_release("rmap_walk");
	EXPECT_EQ(call_wait(&a), 1, "evict");
	EXPECT_EQ(munmap(p, MMU_HUGE), 0, "munmap");
	close(memfd);
	references_let_go(0);
}

/* Killed with pages in its hands: looked up, not entered. */
TEST(g10_race_killed_populate_lets_go, 20)
{
	static const char *const points[] = {
		"populate_pinned", "populate_lookup", "index_grow",
	};
	pid_t pid;
	size_t i;
	char *p;

	tp_need();
	for (i = 0; i < 3; i++) {
		tp_tell(points[i], "park hold");
		pid = spawn();
		if (!pid) {
			fd = attached();
			p = map_huge(8);
			populate(fd, p, 8 * ALL, WRITE);
			_exit(0);
		}
		tp_wait_parked(points[i], 1);
		kill(pid, SIGKILL);
		tp_off(points[i]);
		kill_and_reap(pid);
		references_let_go(0);
	}
}

/* --- the kernel's own memory ---------------------------------------------- */

/*
 * The tests below do a thing so often that what it leaves shows in the memory
 * in use. Where kmemleak is, tests/run-debug has it look for what is left when
 * the modules have gone: one leak is enough for it.
 */
static void leave_leaks_to_kmemleak(void)
{
	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		skip("kmemleak looks for leaks here");
}

#define OFTEN	800
#define KEPT_KB	1600	/* a page of each time would be twice that */

static long meminfo_kb(const char *name)
{
	FILE *f = fopen("/proc/meminfo", "r");
	long n, found = 0;
	char word[64];

	write_file("/proc/sys/vm/stat_refresh", "1");
	while (f && fscanf(f, "%63s %ld%*[^\n]", word, &n) == 2)
		if (!strcmp(word, name))
			found = n;
	if (f)
		fclose(f);
	return found;
}

/* Free pages that wait on a CPU's list are not counted as free elsewhere. */
static long free_on_cpus_kb(void)
{
	FILE *f = fopen("/proc/zoneinfo", "r");
	long n, sum = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, " count: %ld", &n) == 1)
			sum += n;
	if (f)
		fclose(f);
	return sum * 4;
}

/* Of the slab, and in whole pages: what is neither free nor anybody's. */
static long kernel_memory_kb(void)
{
	return meminfo_kb("MemTotal:") - meminfo_kb("MemFree:") -
	       free_on_cpus_kb() - meminfo_kb("Active:") -
	       meminfo_kb("Inactive:") - meminfo_kb("Unevictable:") -
	       meminfo_kb("SReclaimable:");
}

static void every_call(char *p)
{
	struct my_mmu_verify v;
	uint64_t word;

	populate(fd, p, 1, WRITE);
	mmu_gup_floor(fd, p, MMU_PAGE, 0, 0, NULL);
	mmu_read(fd, p, &word, sizeof(word));
	mmu_write(fd, p, &word, sizeof(word));
	mmu_read(fd, (void *)MMU_PAGE, &word, sizeof(word));
	mmu_verify(fd, p, MMU_PAGE, &v);
	mmu_evict(fd, p);
	close(mmu_open());
}

static long kept_kb(char *p)
{
	long before = kernel_memory_kb(), kept;
	size_t i;

	for (i = 0; i < OFTEN; i++)
		every_call(p);
	kept = kernel_memory_kb() - before;
	note("%ld KiB more are in use after %d of each call", kept, OFTEN);
	return kept;
}

/*
 * What is not counted as a table or an index: buffers, arrays, handles. Others
 * may take memory meanwhile, but not as much each time.
 */
TEST(g10_calls_leave_no_memory, 60)
{
	char *p = map_private(1);
	int round;
	size_t i;

	leave_leaks_to_kmemleak();
	fd = attached();
	cpu_stamp(p, 1, 1);
	for (i = 0; i < OFTEN / 10; i++)
		every_call(p);
	for (round = 0; round < 4 && kept_kb(p) >= KEPT_KB; round++)
		;
	EXPECT_LT(round, 4, "no call keeps memory");
}

#define HANDLES		4000	/* of 64 bytes and more */
#define SHORT_LIVES	800	/* of 1 KiB and more */
#define KEPT_BYTES	(100 << 10)

static void open_and_close(void)
{
	close(mmu_open());
}

static void attach_and_detach(void)
{
	int handle = attached();

	ASSERT_EQ(mmu_detach(handle), 0, "DETACH");
	close(handle);
}

#define MANY_TABLES	64
#define UNMAPPINGS	40	/* of so many tables, of 80 bytes and more */

static void map_and_unmap_tables(void)
{
	char *p = map_tables(MANY_TABLES);
	size_t i;

	for (i = 0; i < MANY_TABLES; i++)
		populate(fd, p + i * MMU_HUGE, 1, WRITE);
	ASSERT_EQ(munmap(p, MANY_TABLES * MMU_HUGE), 0, "munmap");
}

static long slab_bytes(void)
{
	return cgroup_stat("lives", "memory.stat", "slab_unreclaimable");
}

/* Files and tables are freed after a grace period: what is kept stays. */
static long kept_bytes(void (*act)(void), int times)
{
	double deadline = seconds() + DEADLINE_S;
	long before = slab_bytes(), kept;
	int i;

	for (i = 0; i < times; i++)
		act();
	while ((kept = slab_bytes() - before) >= KEPT_BYTES &&
	       seconds() < deadline)
		sleep_ms(10);
	note("%ld bytes more are in use after %d times", kept, times);
	return kept;
}

/*
 * What a handle and an external MMU are themselves. They are charged to a
 * control group, where nobody else allocates.
 */
TEST(g10_handles_and_lives_leave_no_memory, 60)
{
	leave_leaks_to_kmemleak();
	cgroup_enter("lives", "memory");
	fd = mmu_open();
	kept_bytes(attach_and_detach, SHORT_LIVES / 10);
	wait_for_mmus(fd, 0);
	EXPECT_LT(kept_bytes(open_and_close, HANDLES), KEPT_BYTES,
		  "no handle is kept");
	EXPECT_LT(kept_bytes(attach_and_detach, SHORT_LIVES), KEPT_BYTES,
		  "no external MMU is kept");
}

/* Pages of tables show among the calls above; the head of one is small. */
TEST(g10_tables_leave_no_memory, 60)
{
	leave_leaks_to_kmemleak();
	cgroup_enter("lives", "memory");
	fd = attached();
	map_and_unmap_tables();
	EXPECT_LT(kept_bytes(map_and_unmap_tables, UNMAPPINGS), KEPT_BYTES,
		  "no table is kept");
}

#define LIVES	8
#define FILE_PAGES	1024
#define VIEWS	44
#define LIVES_KB	650	/* all buckets of all lives: twice that */

/* An index that grows in each of its lives, more than once, and then goes. */
static void live(int memfd)
{
	char *p;
	int i;

	fd = attached();
	for (i = 0; i < VIEWS; i++) {
		p = map_fd(memfd, FILE_PAGES, RW, MAP_SHARED);
		populate(fd, p, FILE_PAGES, 0);
	}
	_exit(0);
}

TEST(g10_lives_leave_no_memory, 60)
{
	int memfd = make_memfd(FILE_PAGES), i;
	long before = 0, after;
	pid_t pid;

	leave_leaks_to_kmemleak();
	cpu_stamp(map_fd(memfd, FILE_PAGES, RW, MAP_SHARED), FILE_PAGES, 1);
	fd = mmu_open();
	for (i = 0; i < 1 + LIVES; i++) {
		if (i == 1)
			before = meminfo_kb("SUnreclaim:");
		pid = spawn();
		if (!pid)
			live(memfd);
		join(pid);
		wait_for_mmus(fd, 0);
	}
	after = meminfo_kb("SUnreclaim:");
	note("%ld KiB more are in use after %d lives", after - before, LIVES);
	EXPECT_LT(after - before, LIVES_KB, "none leaves its buckets");
}

/* A block of 4096 numbers is 32 KiB, which counts as slab. */
#define BLOCK		4096
#define BLOCKS		4
#define BLOCKS_KB	100	/* all of them: 128 */
#define ROUNDS		8	/* KASAN keeps what is freed for a while */

static void make_and_drop_tables(size_t tables)
{
	const size_t at_once = 256;
	size_t i, n;
	char *p;

	for (n = 0; n < tables; n += at_once) {
		p = map_tables(at_once);
		for (i = 0; i < at_once; i++)
			ASSERT_EQ(mmu_populate(fd, p + i * MMU_HUGE, MMU_PAGE,
					       0), 0, "populate");
		munmap(p, at_once * MMU_HUGE);
		while (stats_of(fd).tables)
			sleep_ms(2);
	}
}

/* A few tables at a time. What others take they do not take each time. */
TEST_ONCE("modules", g10_numbers_of_tables, 120)
{
	long before, more, least = LONG_MAX;
	int round;

	fd = mmu_open_attached("spinlock", 0);
	for (round = 0; round < ROUNDS && least >= BLOCKS_KB; round++) {
		before = meminfo_kb("SUnreclaim:");
		make_and_drop_tables(BLOCKS * BLOCK);
		more = meminfo_kb("SUnreclaim:") - before;
		note("%ld KiB more are in use", more);
		least = more < least ? more : least;
	}
	EXPECT_LT(least, BLOCKS_KB, "numbers are given out again");
}

/* --- modules -------------------------------------------------------------- */

static long users_of_the_module(void)
{
	char path[64], *c;

	snprintf(path, sizeof(path), "/sys/module/my_mmu_%s/refcnt",
		 test_variant);
	for (c = path; *c; c++)
		if (*c == '-')
			*c = '_';
	return read_number(path);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Each attach that a signal ends is one that failed: most of these do. */
static unsigned int attach_under_alarms(int handle)
{
	struct itimerval often = {
		.it_interval = { .tv_usec = 1000 }, .it_value = { .tv_usec = 1 }
	}, never = { .it_value = { .tv_usec = 0 } };
	struct my_mmu_attach a = { .flags = 0 };
	unsigned int failed = 0, tries;
	int ret;

	strcpy(a.variant, test_variant);
	signal(SIGALRM, on_alarm);
	for (tries = 0; tries < 2000 && !failed; tries++) {
		setitimer(ITIMER_REAL, &often, NULL);
		ret = mmu_ioctl(handle, MY_MMU_ATTACH, &a);
		setitimer(ITIMER_REAL, &never, NULL);
		failed += ret == -EINTR;
		if (!ret)
			ASSERT_EQ(mmu_detach(handle), 0, "detach");
	}
	return failed;
}

#define MAPPINGS	1500	/* attaching locks each of them */

static void make_mappings(void)
{
	char *p = map_private(2 * MAPPINGS);
	size_t i;

	for (i = 0; i < MAPPINGS; i++)
		ASSERT_EQ(mprotect(p + 2 * i * MMU_PAGE, MMU_PAGE, PROT_READ),
			  0, "a mapping of its own");
}

TEST(g5_attach_that_fails_holds_no_module, 20)
{
	struct my_mmu_attach a = { .variant = "no-such" };
	int handle = mmu_open();
	long before = users_of_the_module();

	EXPECT_EQ(mmu_ioctl(handle, MY_MMU_ATTACH, &a), -ENODEV, "no variant");
	ASSERT_EQ(mmu_attach(handle, test_variant), 0, "attach");
	EXPECT_EQ(users_of_the_module(), before + 1, "who attaches holds it");
	EXPECT_EQ(mmu_attach(handle, test_variant), -EBUSY, "attach again");
	EXPECT_EQ(users_of_the_module(), before + 1, "once");
	ASSERT_EQ(mmu_detach(handle), 0, "detach");
	EXPECT_EQ(mmu_detach(handle), -ENOTCONN, "detach again");
	EXPECT_EQ(users_of_the_module(), before, "and who detaches does not");
	make_mappings();
	if (!attach_under_alarms(handle))
		skip("no signal came in time");
	EXPECT_EQ(users_of_the_module(), before, "nor who was interrupted");
	wait_for_mmus(handle, 0);
}
