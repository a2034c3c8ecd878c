// SPDX-License-Identifier: GPL-2.0
/*
 * t-aging.c - reclaim asks the device which pages it uses
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "common.h"

#define N	512
#define LRU_GEN	"/sys/kernel/mm/lru_gen/enabled"

TEST(access_marks_the_entry, 10)
{
	int fd = attached();
	char *p = map_private(4), c;

	populate(fd, p, 4, WRITE);
	ASSERT_EQ(mmu_read(fd, p, &c, 1), 0, "device read");
	EXPECT_NE(mmu_entry(fd, p) & MY_MMU_ENTRY_ACCESSED, 0,
		  "the read page is marked");
	ASSERT_EQ(mmu_write(fd, p + MMU_PAGE, &c, 1), 0, "device write");
	EXPECT_NE(mmu_entry(fd, p + MMU_PAGE) & MY_MMU_ENTRY_ACCESSED, 0,
		  "the written page is marked");
}

/* Clear the CPU's accessed bits; the kernel tells no notifier of that. */
static void forget_cpu_accesses(void)
{
	ASSERT_EQ(write_file("/proc/self/clear_refs", "1"), 0, "clear_refs");
}

static size_t count_accessed(int fd, const char *p, size_t pages)
{
	size_t i, n = 0;

	for (i = 0; i < pages; i++)
		n += !!(mmu_entry(fd, p + i * MMU_PAGE) &
			MY_MMU_ENTRY_ACCESSED);
	return n;
}

static void touch(int fd, const char *p, size_t pages)
{
	size_t i;
	char c;

	for (i = 0; i < pages; i++)
		ASSERT_EQ(mmu_read(fd, p + i * MMU_PAGE, &c, 1), 0, "read");
}

/*
 * The kernel may take a mark away at any time: it moves a page, or ages it.
 * So all have theirs at once only if nobody came by: try until nobody did.
 */
static void touch_until_all_marked(int fd, const char *p, size_t pages)
{
	size_t marked = 0;
	int try;

	for (try = 0; try < 16 && marked < pages; try++) {
		touch(fd, p, pages);
		marked = count_accessed(fd, p, pages);
	}
	ASSERT_EQ(marked, pages, "all are marked, in 16 tries");
}

/* Two areas of one size, mirrored; the device is to use the first one only. */
static int hot_and_cold(char **hot, char **cold)
{
	int fd;

	cgroup_enter("aging", "memory");
	fd = attached();
	*hot = map_private(N);
	*cold = map_private(N);
	cpu_stamp(*hot, N, 1);
	cpu_stamp(*cold, N, 1);
	populate(fd, *hot, N, WRITE);
	populate(fd, *cold, N, WRITE);
	return fd;
}

/* The CPU uses neither. Reclaim must take the idle one first. */
static void used_and_idle(void)
{
	size_t hot_out, cold_out = 0;
	char *hot, *cold;
	int fd = hot_and_cold(&hot, &cold), round;
	struct my_mmu_stats before = stats_of(fd);

	/* Reclaim takes more than it is asked for: stop while there is idle. */
	for (round = 0; round < 8 && cold_out < N / 2; round++) {
		forget_cpu_accesses();
		touch(fd, hot, N);
		cgroup_reclaim("aging", N / 8 * MMU_PAGE);
		cold_out = count_swapped(cold, N);
	}
	hot_out = count_swapped(hot, N);
	note("reclaimed: %zu of %d used pages, %zu of %d idle ones", hot_out,
	     N, cold_out, N);
	EXPECT_GT(stats_of(fd).aging - before.aging, 0,
		  "the device was asked which pages it uses");
	ASSERT_GE(cold_out, N / 8, "reclaim took idle pages");
	EXPECT_LE(hot_out * 2, cold_out, "and spared the used ones");
	verify(fd, hot, 8);
	device_sees(fd, cold, N, 1);
	device_sees(fd, hot, N, 1);
}

TEST(g4_reclaim_spares_what_the_device_uses, 30)
{
	if (!have_swap())
		skip("no swap");
	used_and_idle();
}

/* What it changes for the whole machine its parent changes back. */
static void in_a_child(void (*fn)(void))
{
	int status = -1;
	pid_t pid = spawn();

	if (!pid) {
		fn();
		_exit(harness_failed());
	}
	waitpid(pid, &status, 0);
	EXPECT_EQ(status, 0, "the child came to its end");
}

/* The VM has two sorts of lists; each asks in its own way. */
static void by_the_other_lists(void (*fn)(void))
{
	long generations = read_number(LRU_GEN);

	if (generations < 0)
		skip("this kernel has one sort of lists");
	ASSERT_EQ(write_file(LRU_GEN, generations ? "n" : "y"), 0, "switch");
	in_a_child(fn);
	ASSERT_EQ(write_file(LRU_GEN, "%ld", generations), 0, "switch back");
}

TEST(g4_reclaim_spares_it_by_the_other_lists, 60)
{
	if (!have_swap())
		skip("no swap");
	by_the_other_lists(used_and_idle);
}

/* What reclaim finds used a second time, it moves to the active list. */
static void used_and_active(void)
{
	size_t used = 0, idle;
	char *hot, *cold;
	int fd = hot_and_cold(&hot, &cold), round;

	for (round = 0; round < 32 && used < N / 16; round++) {
		forget_cpu_accesses();
		touch(fd, hot, N);
		cgroup_reclaim("aging", N / 8 * MMU_PAGE);
		used = count_flags(hot, N, KPF_ACTIVE);
	}
	idle = count_flags(cold, N, KPF_ACTIVE);
	note("round %d: of %d pages %zu used and %zu idle ones are active",
	     round, N, used, idle);
	EXPECT_GE(used, N / 16, "used pages are active");
	EXPECT_LE(idle * 4, used, "idle ones are not");
	device_sees(fd, hot, N, 1);
}

/* Generations, the other sort, have no flag that would show where a page is. */
TEST(g4_reclaim_moves_what_the_device_uses, 60)
{
	if (!have_swap())
		skip("no swap");
	if (read_number(LRU_GEN) > 0)
		by_the_other_lists(used_and_active);
	else
		used_and_active();
}

/* Asking takes the mark away: what was used once is not young for ever. */
static void young_once(void)
{
	struct my_mmu_stats before;
	size_t still, left;
	int fd, round;
	char *p;

	cgroup_enter("aging", "memory");
	fd = attached();
	p = map_private(N);
	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	touch_until_all_marked(fd, p, N);
	before = stats_of(fd);
	for (round = 0; round < 3; round++)
		cgroup_reclaim("aging", N / 16 * MMU_PAGE);
	still = count_accessed(fd, p, N);
	left = present(fd, p, N);
	note("%zu entries left, %zu of them marked", left, still);
	EXPECT_GT(stats_of(fd).aging - before.aging, 0, "it was asked");
	EXPECT_LT(still, left, "some marks are gone, not their entries");
}

TEST(g4_reclaim_clears_the_mark, 30)
{
	if (!have_swap())
		skip("no swap");
	young_once();
}

TEST(g4_reclaim_clears_it_by_the_other_lists, 60)
{
	if (!have_swap())
		skip("no swap");
	by_the_other_lists(young_once);
}

/* --- asking, and taking away ---------------------------------------------- */

#define THP		"/sys/kernel/mm/transparent_hugepage/"
#define KHUGEPAGED	THP "khugepaged/"

static uint64_t asked(int fd)
{
	return stats_of(fd).aging;
}

static bool asked_more(int fd, uint64_t before, uint64_t n)
{
	double deadline = seconds() + DEADLINE_S;

	while (asked(fd) - before < n && seconds() < deadline)
		sleep_ms(2);
	return asked(fd) - before >= n;
}

/*
 * khugepaged looks at every page of 2 MiB, asks of each whether it is young,
 * and makes a huge page of them if one is; it looks again and again.
 */
static void start_khugepaged(void)
{
	if (write_file(THP "enabled", "madvise") ||
	    write_file(KHUGEPAGED "scan_sleep_millisecs", "10") ||
	    write_file(KHUGEPAGED "alloc_sleep_millisecs", "10") ||
	    write_file(KHUGEPAGED "max_ptes_none", "0"))
		skip("no khugepaged");
}

static void stop_khugepaged(void)
{
	write_file(KHUGEPAGED "scan_sleep_millisecs", "10000");
	write_file(KHUGEPAGED "alloc_sleep_millisecs", "60000");
	write_file(KHUGEPAGED "max_ptes_none", "511");
	write_file(THP "enabled", "always");
}

/*
 * khugepaged asks of every page of this process, the program's own included,
 * and would be counted for somebody else.
 */
static void khugepaged_stays_away(void)
{
	write_file(THP "enabled", "madvise");
}

/* Memory for a huge page; of the CPU's accesses nothing is known any more. */
static char *idle_small_pages(int fd, size_t pages)
{
	char *p = map_tables(1);

	cpu_stamp(p, pages, 1);
	populate(fd, p, pages, 0);
	forget_cpu_accesses();
	return p;
}

/*
 * The last page is missing, so that it never comes to a huge page. Whoever
 * only asks leaves the marks for reclaim, which would take the pages for idle.
 */
TEST(g4_asking_leaves_the_mark, 30)
{
	int fd = attached();
	uint64_t before;
	char *p;

	start_khugepaged();
	p = idle_small_pages(fd, N - 1);
	touch_until_all_marked(fd, p, N - 1);
	before = asked(fd);
	ASSERT_EQ(madvise(p, MMU_HUGE, MADV_HUGEPAGE), 0, "madvise");
	if (!asked_more(fd, before, 2 * (N - 1))) {
		stop_khugepaged();
		skip("khugepaged did not come by");
	}
	madvise(p, MMU_HUGE, MADV_NOHUGEPAGE);
	stop_khugepaged();
	EXPECT_EQ(count_accessed(fd, p, N - 1), N - 1,
		  "each page is as young as it was");
	EXPECT_EQ(present(fd, p, N - 1), N - 1, "and mirrored");
	verify(fd, p, N - 1);
}

/*
 * Nobody but the device has used one page of them; which one is all the same.
 * That makes khugepaged try. (It asks again when it has told the notifier to
 * drop the entries, and their marks: it gives up then.)
 */
static void one_is_young(int fd, size_t page)
{
	char *p = idle_small_pages(fd, N);
	uint64_t before = asked(fd);
	double deadline;

	ASSERT_EQ(madvise(p, MMU_HUGE, MADV_HUGEPAGE), 0, "madvise");
	if (!asked_more(fd, before, 2 * N)) {
		stop_khugepaged();
		skip("khugepaged did not come by");
	}
	EXPECT_EQ(present(fd, p, N), N, "idle pages it leaves alone");
	touch(fd, p + page * MMU_PAGE, 1);
	deadline = seconds() + DEADLINE_S;
	while (mmu_entry(fd, p + page * MMU_PAGE) && seconds() < deadline)
		sleep_ms(2);
	EXPECT_EQ(present(fd, p, N), 0,
		  "those that the device uses it wants to collapse (%zu)",
		  page);
	device_sees(fd, p, N, 1);
	verify(fd, p, N);
	munmap(p, MMU_HUGE);
}

/* Of the page behind them it has not asked. */
static void neighbour_is_young(int fd)
{
	char *p = map_tables(2);
	uint64_t before;

	cpu_stamp(p, N + 1, 1);
	populate(fd, p, N + 1, 0);
	forget_cpu_accesses();
	touch(fd, p + MMU_HUGE, 1);
	before = asked(fd);
	ASSERT_EQ(madvise(p, MMU_HUGE, MADV_HUGEPAGE), 0, "madvise");
	EXPECT_EQ(asked_more(fd, before, 3 * N), true, "khugepaged has asked");
	EXPECT_EQ(present(fd, p, N), N, "idle pages it leaves alone");
	munmap(p, 2 * MMU_HUGE);
}

TEST(g4_use_by_the_device_is_told, 60)
{
	int fd = attached();

	start_khugepaged();
	one_is_young(fd, 0);
	one_is_young(fd, N / 2 + 1);
	one_is_young(fd, N - 1);
	neighbour_is_young(fd);
	stop_khugepaged();
}

/* --- the marks of one page ------------------------------------------------ */

#define DAMON	"/sys/kernel/mm/damon/admin/kdamonds/"
#define CONTEXT	DAMON "0/contexts/0/"

/* DAMON watches what it is told to: here one page, for as long as it is on. */
static int damon_watch(const char *p)
{
	int bad = write_file(DAMON "nr_kdamonds", "1");

	bad |= write_file(DAMON "0/contexts/nr_contexts", "1");
	bad |= write_file(CONTEXT "operations", "fvaddr");
	bad |= write_file(CONTEXT "targets/nr_targets", "1");
	bad |= write_file(CONTEXT "targets/0/pid_target", "%d", getpid());
	bad |= write_file(CONTEXT "targets/0/regions/nr_regions", "1");
	bad |= write_file(CONTEXT "targets/0/regions/0/start", "%lu",
			  (unsigned long)p);
	bad |= write_file(CONTEXT "targets/0/regions/0/end", "%lu",
			  (unsigned long)p + MMU_PAGE);
	bad |= write_file(CONTEXT "monitoring_attrs/intervals/sample_us",
			  "5000");
	bad |= write_file(CONTEXT "monitoring_attrs/intervals/aggr_us",
			  "100000");
	return bad ? bad : write_file(DAMON "0/state", "on");
}

/*
 * Its own mark is taken away, and the others keep what they have; but for the
 * next page: DAMON asks for any byte of the page, and a page's length from it.
 */
static void marks_of_the_others(int fd, char *p, size_t page)
{
	size_t i;

	for (i = 0; i < N; i++)
		if (i != page && i != page + 1)
			ASSERT_EQ(count_accessed(fd, p + i * MMU_PAGE, 1), 1,
				  "page %zu has its mark, asked for %zu", i,
				  page);
}

TEST(g4_aging_is_of_one_page, 30)
{
	static const size_t at[] = { 255, 511 };
	int fd = attached();
	uint64_t before;
	char *p;
	size_t i;

	khugepaged_stays_away();
	p = idle_small_pages(fd, N);
	for (i = 0; i < sizeof(at) / sizeof(*at); i++) {
		touch_until_all_marked(fd, p, N);
		before = asked(fd);
		if (damon_watch(p + at[i] * MMU_PAGE))
			skip("this kernel has no DAMON");
		EXPECT_EQ(asked_more(fd, before, 3), true, "DAMON has asked");
		write_file(DAMON "0/state", "off");
		write_file(DAMON "nr_kdamonds", "0");
		EXPECT_EQ(mmu_entry(fd, p + at[i] * MMU_PAGE),
			  MY_MMU_ENTRY_PRESENT, "the mark of page %zu is gone",
			  at[i]);
		marks_of_the_others(fd, p, at[i]);
	}
	verify(fd, p, N);
}

/*
 * A huge page is asked for as one: each entry of it has its mark taken. @split:
 * it has an entry for each of its pages, since one of them may be written.
 */
static void aging_of_a_huge_page(bool split)
{
	int fd = attached(), ret;
	uint64_t before;
	char *p;

	khugepaged_stays_away();
	p = map_thp();
	populate(fd, p, N, 0);
	if (split)
		populate(fd, p, 1, WRITE);
	touch(fd, p, N);
	forget_cpu_accesses();
	before = asked(fd);
	ret = damon_watch(p);
	if (!ret) {
		EXPECT_EQ(asked_more(fd, before, 3), true, "DAMON has asked");
		write_file(DAMON "0/state", "off");
		write_file(DAMON "nr_kdamonds", "0");
		EXPECT_EQ(present(fd, p, N), N, "and changed nothing");
	} else if (have_swap()) {
		madvise(p, MMU_HUGE, MADV_PAGEOUT);
		if (asked(fd) == before)
			skip("no DAMON here, and pageout does not ask");
	} else {
		skip("no DAMON here, and no swap");
	}
	EXPECT_EQ(count_accessed(fd, p, N), 0, "no mark is left");
	verify(fd, p, N);
}

TEST(g4_aging_of_a_huge_page, 30)
{
	aging_of_a_huge_page(false);
}

TEST(g4_aging_of_a_split_huge_page, 30)
{
	aging_of_a_huge_page(true);
}

/* Reclaim of one page asks for it, too, on kernels that heed the answer. */
TEST(g4_reclaim_asks_for_one_page, 30)
{
	static const size_t at[] = { 0, 7, 511 };
	int fd = attached();
	uint64_t before;
	char *p;
	size_t i;

	if (!have_swap())
		skip("no swap");
	stay_on_one_cpu();
	khugepaged_stays_away();
	p = idle_small_pages(fd, N);
	for (i = 0; i < sizeof(at) / sizeof(*at); i++) {
		touch_until_all_marked(fd, p, N);
		forget_cpu_accesses();
		before = asked(fd);
		ASSERT_EQ(madvise(p + at[i] * MMU_PAGE, MMU_PAGE, MADV_PAGEOUT),
			  0, "pageout");
		if (asked(fd) == before)
			skip("this kernel pages out without asking");
		EXPECT_EQ(mmu_entry(fd, p + at[i] * MMU_PAGE) &
			  MY_MMU_ENTRY_ACCESSED, 0, "no mark on page %zu",
			  at[i]);
		EXPECT_EQ(count_accessed(fd, p, N), N - 1,
			  "all others have one");
	}
	verify(fd, p, N);
}
