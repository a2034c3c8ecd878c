// SPDX-License-Identifier: GPL-2.0
/*
 * t-nofault.c - populate what is there, and change nothing that the process
 * could see of itself
 *
 * The witness is /proc/self/pagemap: presence, frame, swap entry, soft-dirty
 * and "mapped by nobody else" of each page must be the same bits before and
 * after.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"
#include "race.h"

#define N	16
#define ALL	(MMU_HUGE / MMU_PAGE)
#define NOFAULT	MY_MMU_POPULATE_NOFAULT

/* Goes on behind each page that is not there; how many there were. */
static size_t enter_what_is_there(int fd, const char *p, size_t pages,
				  uint32_t flags)
{
	size_t at, found = 0;
	uint64_t done;
	int err;

	for (at = 0; at < pages; at += done + 1) {
		err = mmu_populate_batch(fd, p + at * MMU_PAGE,
					 (pages - at) * MMU_PAGE,
					 flags | NOFAULT, 0, &done, NULL);
		found += done;
		if (!err)
			return found;
		ASSERT_EQ(err, -EFAULT, "page %zu is not there", at + done);
	}
	return found;
}

static size_t count_there(const uint64_t *entries, size_t pages)
{
	size_t n = 0;

	while (pages--)
		n += !!(entries[pages] & PM_PRESENT);
	return n;
}

/* Enters @want pages, all that are there or none, and nothing else changes. */
static void changes_nothing(int fd, const char *p, size_t pages,
			    uint32_t flags, size_t want, const char *what)
{
	uint64_t *before = pagemap_alloc(p, pages), *after;
	size_t found = enter_what_is_there(fd, p, pages, flags);

	after = pagemap_alloc(p, pages);
	EXPECT_EQ(found, want, "%s: pages that were there", what);
	EXPECT_EQ(memcmp(before, after, pages * sizeof(*after)), 0,
		  "%s: the CPU page table is as before", what);
	free(before);
	free(after);
}

static void enters_all_that_is_there(int fd, const char *p, size_t pages,
				     const char *what)
{
	uint64_t *entries = pagemap_alloc(p, pages);
	size_t there = count_there(entries, pages);

	free(entries);
	EXPECT_GE(there, 1, "%s: something is there", what);
	EXPECT_LT(there, pages, "%s: something is not", what);
	changes_nothing(fd, p, pages, 0, there, what);
	EXPECT_EQ(present(fd, p, pages), (long)there, "%s: entries", what);
	none_writable(fd, p, pages);
	verify(fd, p, N);
}

static void touch_every_third(char *p, size_t pages)
{
	size_t i;

	for (i = 0; i < pages; i += 3)
		cpu_stamp(p + i * MMU_PAGE, 1, 1);
}

TEST(g9_nofault_brings_nothing_in, 20)
{
	int fd = attached(), memfd = make_memfd(2 * N), i;
	char *anon = map_private(N), *shared = map_shared(N);
	char *file = map_fd(memfd, N, PROT_READ | PROT_WRITE, MAP_SHARED);
	char *copy = map_fd(memfd, 2 * N, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	touch_every_third(anon, N);
	touch_every_third(shared, N);
	touch_every_third(file, N);
	for (i = 0; i < N; i += 3)
		(void)*(volatile char *)(copy + i * MMU_PAGE);
	enters_all_that_is_there(fd, anon, N, "anonymous");
	enters_all_that_is_there(fd, shared, N, "shared anonymous");
	enters_all_that_is_there(fd, file, N, "file, shared");
	enters_all_that_is_there(fd, copy, 2 * N, "file, private");
}

/* Two of them, and their addresses. */
static char *map_huge(int flags)
{
	char *p = map_reserve(2 * MMU_HUGE, MMU_HUGE);

	p = mmap(p, 2 * MMU_HUGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags, -1, 0);
	if (p == MAP_FAILED)
		skip("no huge pages (%s)", strerror(errno));
	return p;
}

TEST(g9_nofault_makes_no_huge_page, 20)
{
	int fd = attached();
	char *p = map_huge(MAP_HUGETLB);

	cpu_stamp(p, 1, 1);
	enters_all_that_is_there(fd, p, 2 * ALL, "hugetlb");
	changes_nothing(fd, p, 2 * ALL, WRITE, ALL, "hugetlb, to write");

	p = map_huge(0);
	if (madvise(p, 2 * MMU_HUGE, MADV_HUGEPAGE))
		skip("this kernel has no transparent huge pages");
	cpu_stamp(p, 1, 1);
	if (!is_thp(p))
		skip("no transparent huge page to be had");
	enters_all_that_is_there(fd, p, 2 * ALL, "transparent huge page");
	EXPECT_EQ(is_thp(p), 1, "the huge page was not split");
}

/* It is no page of the process: nothing can be lost by leaving it out. */
TEST(g9_nofault_passes_the_zero_page_over, 10)
{
	int fd = attached();
	char *p = map_private(N);
	size_t i;

	for (i = 0; i < N; i++)
		EXPECT_EQ(p[i * MMU_PAGE], 0, "the zero page is mapped");
	changes_nothing(fd, p, N, 0, 0, "zero pages");
	changes_nothing(fd, p, N, WRITE, 0, "zero pages, to write");
	EXPECT_EQ(present(fd, p, N), 0, "no entries");
}

/* 6.1 and 6.12 do not tell it from another huge page, and so it is there. */
TEST(g3_nofault_and_the_huge_zero_page, 20)
{
	int fd = attached();
	char *p = map_huge(0);
	uint64_t *before, *after;
	size_t found;

	if (madvise(p, 2 * MMU_HUGE, MADV_HUGEPAGE))
		skip("this kernel has no transparent huge pages");
	EXPECT_EQ(*(volatile char *)p, 0, "a zero page is mapped");
	if (!(pagemap(p + MMU_HUGE - MMU_PAGE) & PM_PRESENT))
		skip("this kernel maps no huge zero page");
	before = pagemap_alloc(p, ALL);
	found = enter_what_is_there(fd, p, ALL, WRITE);
	EXPECT_EQ(found, 0, "nothing that could be written");
	found = enter_what_is_there(fd, p, ALL, 0);
	EXPECT_EQ(found % ALL, 0, "all of it or none");
	after = pagemap_alloc(p, ALL);
	EXPECT_EQ(memcmp(before, after, ALL * sizeof(*after)), 0,
		  "the CPU page table is as before");
	free(before);
	free(after);
	EXPECT_EQ(present(fd, p, ALL), (long)found, "entries");
	none_writable(fd, p, ALL);
	verify(fd, p, found);
	cpu_stamp(p, ALL, 1);
	device_sees(fd, p, ALL, 1);
	verify(fd, p, ALL);
}

TEST(g9_nofault_leaves_swap_alone, 20)
{
	int fd = attached();
	char *p = map_private(N);
	size_t swapped;

	if (!have_swap())
		skip("no swap");
	stay_on_one_cpu();
	cpu_stamp(p, N, 1);
	ASSERT_EQ(madvise(p, N * MMU_PAGE, MADV_PAGEOUT), 0, "pageout");
	swapped = count_swapped(p, N);
	EXPECT_GE(swapped, 1, "some pages were swapped out");
	changes_nothing(fd, p, N, 0, N - swapped, "swapped out");
	EXPECT_EQ(count_swapped(p, N), swapped, "they stay where they are");
	cpu_sees(p, N, 1);
}

/* A copy is made by a fault. Without one, there is no page to write to. */
TEST(g9_nofault_breaks_no_sharing, 20)
{
	int fd = attached();
	char *p = map_private(N);
	struct gate end;
	pid_t pid;

	cpu_stamp(p, N, 1);
	gate_init(&end);
	pid = spawn();
	if (!pid) {
		wait_at(&end);
		cpu_sees(p, N, 1);
		_exit(0);
	}
	changes_nothing(fd, p, N, WRITE, 0, "shared with a child, to write");
	changes_nothing(fd, p, N, 0, N, "shared with a child");
	none_writable(fd, p, N);
	verify(fd, p, N);
	pass(&end);
	join(pid);
}

TEST(g3_nofault_write_wants_permission, 10)
{
	int fd = attached();
	char *p = map_private(N);

	cpu_stamp(p, N, 1);
	changes_nothing(fd, p, N, WRITE, N, "written, to write");
	device_stamp(fd, p, N, 2);
	cpu_sees(p, N, 2);
	ASSERT_EQ(mprotect(p, N * MMU_PAGE, PROT_READ), 0, "mprotect");
	changes_nothing(fd, p, N, WRITE, 0, "read-only, to write");
	changes_nothing(fd, p, N, 0, N, "read-only");
	none_writable(fd, p, N);
	ASSERT_EQ(mprotect(p, N * MMU_PAGE, PROT_NONE), 0, "mprotect");
	changes_nothing(fd, p, N, 0, 0, "without access");
	verify(fd, p, N);
}

/* The page table entry that a write would mark is not writable then. */
TEST(g9_nofault_marks_nothing_dirty, 10)
{
	int fd = attached();
	char *p = map_private(N);
	uint64_t before;

	cpu_stamp(p, N, 1);
	before = pagemap(p);
	if (write_file("/proc/self/clear_refs", "4") || pagemap(p) == before)
		skip("no soft-dirty bits");
	changes_nothing(fd, p, N, 0, N, "clean");
	changes_nothing(fd, p, N, WRITE, 0, "clean, to write");
}

/*
 * Who populates for writing says that the device may write: the page is dirty
 * from then on (G7), and reclaim will not throw it away.
 */
TEST(g7_nofault_write_keeps_what_was_given_up, 10)
{
	int fd = attached();
	char *p = map_private(N);

	cpu_stamp(p, N, 1);
	ASSERT_EQ(madvise(p, N * MMU_PAGE, MADV_FREE), 0, "MADV_FREE");
	EXPECT_EQ(smaps_kb(p, "Private_Dirty"), 0, "given up");
	EXPECT_EQ(enter_what_is_there(fd, p, N, 0), N, "all are there");
	EXPECT_EQ(smaps_kb(p, "Private_Dirty"), 0, "which changes nothing");
	EXPECT_EQ(enter_what_is_there(fd, p, N, WRITE), N, "writable, too");
	EXPECT_EQ(smaps_kb(p, "Private_Dirty"), N * 4, "taken back");
	verify(fd, p, N);
}

TEST(g9_nofault_asks_no_fault_handler, 10)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	char *p = map_private(N);
	int fd = attached();
	struct uffd_msg msg;

	cpu_stamp(p, N / 2, 1);
	reg.range.start = (uintptr_t)p;
	reg.range.len = N * MMU_PAGE;
	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) ||
	    ioctl(uffd, UFFDIO_REGISTER, &reg))
		skip("no userfaultfd (%s)", strerror(errno));
	enters_all_that_is_there(fd, p, N, "under a fault handler");
	EXPECT_EQ(read(uffd, &msg, sizeof(msg)), -1, "no fault to handle");
	EXPECT_EQ(errno, EAGAIN, "no fault to handle");
}

static int protect(struct call *c)
{
	return mprotect(c->p, c->pages * MMU_PAGE, PROT_READ);
}

/*
 *	thread				process
 *	mprotect(): mmap_lock
 *	  invalidation: the device
 *	    takes its time
 *					populate without faults: not there
 *	  end, mmap_unlock
 *
 * A process whose mirror waited for its lock would itself wait behind the
 * mirror for it: an rwsem lets nobody pass who comes later. Nothing here may
 * fault while the lock is held, so all pages of the test are brought in before.
 */
TEST(g9_nofault_waits_for_no_lock, 20)
{
	struct call c = { .fn = protect, .pages = N };
	int fd = attached();
	char *p;

	race_begin(1);
	ASSERT_EQ(mlockall(MCL_CURRENT), 0, "mlockall");
	p = map_tables(1);
	make_table(fd, p);
	c.p = map_tables(1);
	cpu_stamp(c.p, N, 1);
	populate(fd, c.p, N, WRITE);
	cpu_stamp(p, N / 2, 1);
	call_to(&c, "start_zapped");
	EXPECT_EQ(enter_what_is_there(fd, p, N, 0), N / 2,
		  "what is there, while the lock is held");
	EXPECT_EQ(call_returned(&c), 0, "it is held");
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&c), 0, "mprotect");
	verify(fd, p, N);
}

static int collapse(char *p)
{
	return madvise(p, MMU_HUGE, MADV_COLLAPSE) ? -errno : 0;
}

/*
 * What a lookup changes even so. For as long as it lasts, each page has one
 * reference more than ptes: the VM will not collapse it, and a huge page that
 * is given back is not free yet.
 */
TEST(nofault_lookup_holds_pages_for_a_moment, 20)
{
	struct call c = { .fn = do_populate, .pages = ALL };

	race_begin(1);
	prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);	/* as it was before that */
	c.fd = attached();
	c.flags = NOFAULT;
	c.p = map_tables(1);
	cpu_stamp(c.p, ALL, 1);
	if (madvise(c.p, MMU_HUGE, MADV_HUGEPAGE))
		skip("this kernel has no transparent huge pages");
	call_to(&c, "populate_lookup");
	EXPECT_EQ(collapse(c.p), -EAGAIN, "held");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(collapse(c.p), 0, "let go");
	EXPECT_EQ(is_thp(c.p), 1, "a huge page");
	cpu_sees(c.p, ALL, 1);
	verify(c.fd, c.p, N);
}

/* What has found nothing can lose nothing, and is not begun again. */
TEST(g9_race_nofault_finds_nothing_once, 20)
{
	struct call c = { .fn = do_populate, .pages = 1, .flags = NOFAULT };

	race_begin(1);
	c.fd = attached();
	c.p = map_private(2);
	cpu_stamp(c.p + MMU_PAGE, 1, 1);
	call_to(&c, "populate_lookup");
	ASSERT_EQ(madvise(c.p, 2 * MMU_PAGE, MADV_DONTNEED), 0, "madvise");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), -EFAULT, "nothing is there");
	EXPECT_EQ(c.retries, 0, "it has looked once");
}

#define FREE_HUGE "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"

TEST(nofault_lookup_holds_a_huge_page_for_a_moment, 20)
{
	struct call c = { .fn = do_populate, .pages = ALL };
	long before = read_number(FREE_HUGE);

	race_begin(1);
	c.fd = attached();
	c.flags = NOFAULT;
	c.p = map_huge(MAP_HUGETLB);
	*c.p = 1;
	call_to(&c, "populate_lookup");
	EXPECT_EQ(munmap(c.p, 2 * MMU_HUGE), 0, "munmap");
	EXPECT_EQ(read_number(FREE_HUGE), before - 1, "held");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), -EFAULT, "it is gone");
	EXPECT_EQ(read_number(FREE_HUGE), before, "let go");
}

TEST(nofault_floor_stops_where_populate_does, 10)
{
	char *p = map_private(N);
	int fd = attached();
	uint64_t done = 0;

	cpu_stamp(p, 5, 1);
	EXPECT_EQ(mmu_gup_floor(fd, p, N * MMU_PAGE, NOFAULT, 0, &done),
		  -EFAULT, "the sixth is not there");
	EXPECT_EQ(done, 5, "five are");
	EXPECT_EQ(pagemap(p + 5 * MMU_PAGE) & PM_PRESENT, 0, "nor is it now");
	EXPECT_EQ(mmu_populate_batch(fd, p, 5 * MMU_PAGE, NOFAULT, 2, &done,
				     NULL), 0, "all that was asked for");
	EXPECT_EQ(done, 5, "in batches");
}
