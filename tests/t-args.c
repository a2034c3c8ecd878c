// SPDX-License-Identifier: GPL-2.0
/*
 * t-args.c - G9: any bad argument gets its documented errno, changes nothing
 *
 * Every table row is sent to an attached handle that mirrors a few pages.
 * Afterwards the counters that only move when something happened must stand
 * where they stood, and the entry must be as it was.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define N		4
#define KERNEL		0xffff888000000000ull
#define NON_CANONICAL	0x8000000000000000ull
#define ALL_ONES	(~0ull)

/* A row says "p" for the address of the test's own memory. */
#define AT(off)		((off) | 1ull << 62)
#define TAGGED(off)	AT((off) | 1ull << 57)	/* a CPU may ignore it */
#define IS_AT(a)	((a) >> 62 == 1)
/* And this for where user space ends, which is the CPU's business. */
#define TASK_TOP	(3ull << 60)
#define IS_AT_TOP(a)	((a) >> 61 == 1)

static char *p;		/* N populated pages, then a hole */

static bool in_user_space(__u64 page)
{
	void *at = (void *)(uintptr_t)page;

	if (mmap(at, MMU_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
		return errno == EEXIST;
	munmap(at, MMU_PAGE);
	return true;
}

/* A power of two; on x86 less its last page. */
static __u64 task_top(void)
{
	static __u64 top;
	unsigned int bits, spare;

	for (bits = 57; !top && bits > 32; bits--)
		for (spare = 0; !top && spare <= 1; spare++)
			if (in_user_space((1ull << bits) -
					  (1 + spare) * MMU_PAGE))
				top = (1ull << bits) - spare * MMU_PAGE;
	ASSERT_NE(top, 0, "user space ends somewhere");
	return top;
}

static __u64 place(__u64 a)
{
	if (IS_AT(a))
		return (uintptr_t)p + (a & ~(1ull << 62));
	return IS_AT_TOP(a) ? a - TASK_TOP + task_top() : a;
}

struct fixed {
	struct my_mmu_stats s;
	uint32_t flags;
	uint64_t pfn;
};

static int setup(struct fixed *before)
{
	int fd = attached();

	p = map_private(N);
	populate(fd, p, N, WRITE);
	before->s = stats_of(fd);
	ASSERT_EQ(mmu_query(fd, p, &before->flags, &before->pfn), 0, "query");
	return fd;
}

/* A table that a call made and gave up again takes a grace period to go. */
static struct my_mmu_stats settled_stats(int fd, const struct fixed *b)
{
	struct my_mmu_stats s = stats_of(fd);
	int ms;

	for (ms = 0; ms < 2000 && s.tables != b->s.tables; ms += 5) {
		sleep_ms(5);
		s = stats_of(fd);
	}
	return s;
}

static void check_unchanged(int fd, const struct fixed *b, const char *what)
{
	struct my_mmu_stats s = settled_stats(fd, b);
	uint32_t flags;
	uint64_t pfn;

	EXPECT_EQ(s.mmus, b->s.mmus, "%s: same MMUs", what);
	EXPECT_EQ(s.entries, b->s.entries, "%s: same entries", what);
	EXPECT_EQ(s.tables, b->s.tables, "%s: same tables", what);
	EXPECT_EQ(s.bytes, b->s.bytes, "%s: same bytes", what);
	EXPECT_EQ(s.populated_pages, b->s.populated_pages,
		  "%s: nothing populated", what);
	EXPECT_EQ(s.zapped_pages, b->s.zapped_pages, "%s: nothing zapped",
		  what);
	EXPECT_EQ(s.device_reads, b->s.device_reads, "%s: nothing read", what);
	EXPECT_EQ(s.device_writes, b->s.device_writes, "%s: nothing written",
		  what);
	ASSERT_EQ(mmu_query(fd, p, &flags, &pfn), 0, "query");
	EXPECT_EQ(flags, b->flags, "%s: the entry has the same flags", what);
	EXPECT_EQ(pfn, b->pfn, "%s: the entry names the same page", what);
}

struct populate_row {
	const char *what;
	__u64 addr, len;
	__u32 flags, batch;
	int want;
};

static const struct populate_row populate_rows[] = {
	{ "address not aligned", AT(1), 4096, 0, 0, -EINVAL },
	{ "address aligned to half a page", AT(2048), 4096, 0, 0, -EINVAL },
	{ "length not aligned", AT(0), 4097, 0, 0, -EINVAL },
	{ "length below a page", AT(0), 1, 0, 0, -EINVAL },
	{ "empty", AT(0), 0, 0, 0, -EINVAL },
	{ "flag bit 3", AT(0), 4096, 8, 0, -EINVAL },
	{ "flag bit 3 with those below", AT(0), 4096, 15, 0, -EINVAL },
	{ "flag bit 31", AT(0), 4096, 1u << 31, 0, -EINVAL },
	{ "batch above the limit", AT(0), 4096, 0, 513, -EINVAL },
	{ "batch of all ones", AT(0), 4096, 0, ~0u, -EINVAL },
	{ "wraps to 0", AT(0), -4096ull, 0, 0, -EFAULT },
	{ "wraps past 0", 0x1000, ALL_ONES & ~4095ull, 0, 0, -EFAULT },
	{ "ends above user space", TASK_TOP - 4096, 8192, 0, 0, -EFAULT },
	{ "starts where user space ends", TASK_TOP, 4096, 0, 0, -EFAULT },
	{ "kernel address", KERNEL, 4096, 0, 0, -EFAULT },
	{ "kernel address, write", KERNEL, 4096, WRITE, 0, -EFAULT },
	{ "vsyscall page", 0xffffffffff600000ull, 4096, 0, 0, -EFAULT },
	{ "last page of all", -4096ull, 4096, 0, 0, -EFAULT },
	{ "non-canonical", NON_CANONICAL, 4096, 0, 0, -EFAULT },
	{ "tagged address", TAGGED(0), 4096, 0, 0, -EFAULT },
	{ "hole behind the memory", AT(N * 4096), 4096, 0, 0, -EFAULT },
	{ "page 0", 0, 4096, 0, 0, -EFAULT },
	{ "hole, without faults", AT(N * 4096), 4096, 2, 0, -EFAULT },
	{ "kernel address, without faults", KERNEL, 4096, 2, 0, -EFAULT },
	{ "page 0, without faults", 0, 4096, 2, 0, -EFAULT },
};

static const struct populate_row floor_row = {
	"the floor's flag", AT(0), 4096, MY_MMU_FLOOR_LOOKUP, 0, -EINVAL,
};

static void try_populate(int fd, unsigned long cmd,
			 const struct populate_row *r)
{
	struct my_mmu_populate a = {
		.addr = place(r->addr), .len = r->len, .flags = r->flags,
		.batch = r->batch, .populated = 77,
	};

	EXPECT_EQ(mmu_ioctl(fd, cmd, &a), r->want, "%s", r->what);
	EXPECT_EQ(a.populated == 77 ? 0 : a.populated, 0,
		  "%s: populates nothing", r->what);
}

TEST(g9_populate_refuses_bad_arguments, 20)
{
	struct fixed before;
	int fd = setup(&before);
	size_t i;

	for (i = 0; i < sizeof(populate_rows) / sizeof(*populate_rows); i++) {
		try_populate(fd, MY_MMU_POPULATE, &populate_rows[i]);
		try_populate(fd, MY_MMU_GUP_FLOOR, &populate_rows[i]);
		check_unchanged(fd, &before, populate_rows[i].what);
	}
	try_populate(fd, MY_MMU_POPULATE, &floor_row);
	check_unchanged(fd, &before, floor_row.what);
	verify(fd, p, N);
}

struct access_row {
	const char *what;
	__u64 addr, buf, len;
	int want;
};

static const struct access_row access_rows[] = {
	{ "empty", AT(0), AT(4096), 0, -EINVAL },
	{ "wraps", AT(8), AT(4096), -8ull, -EFAULT },
	{ "wraps to all ones", 1, AT(4096), ALL_ONES, -EFAULT },
	{ "kernel address", KERNEL, AT(4096), 8, -EFAULT },
	{ "where user space ends", TASK_TOP, AT(4096), 8, -EFAULT },
	{ "non-canonical", NON_CANONICAL, AT(4096), 8, -EFAULT },
	{ "tagged address", TAGGED(0), AT(4096), 8, -EFAULT },
	{ "hole", AT(N * 4096), AT(4096), 8, -EFAULT },
	{ "page 0", 0, AT(4096), 8, -EFAULT },
	{ "buffer in the kernel", AT(0), KERNEL, 8, -EFAULT },
	{ "buffer at page 0", AT(0), 0, 8, -EFAULT },
	{ "buffer in a hole", AT(0), AT(N * 4096), 8, -EFAULT },
	{ "buffer wraps", AT(0), -4ull, 8, -EFAULT },
};

TEST(g9_access_refuses_bad_arguments, 20)
{
	struct fixed before;
	int fd = setup(&before);
	const struct access_row *r = access_rows;
	const struct access_row *end =
		r + sizeof(access_rows) / sizeof(*access_rows);

	for (; r < end; r++) {
		struct my_mmu_access a = {
			.addr = place(r->addr), .buf = place(r->buf),
			.len = r->len,
		};

		EXPECT_EQ(mmu_ioctl(fd, MY_MMU_READ, &a), r->want,
			  "read: %s", r->what);
		EXPECT_EQ(a.done, 0, "read: %s: nothing done", r->what);
		EXPECT_EQ(mmu_ioctl(fd, MY_MMU_WRITE, &a), r->want,
			  "write: %s", r->what);
		EXPECT_EQ(a.done, 0, "write: %s: nothing done", r->what);
		/* A touched entry may say so. */
		ASSERT_EQ(mmu_query(fd, p, &before.flags, NULL), 0, "query");
		check_unchanged(fd, &before, r->what);
	}
	device_sees_zeros(fd, p, N);
	verify(fd, p, N);
}

struct verify_row {
	const char *what;
	__u64 addr, len;
	int want;
};

static const struct verify_row verify_rows[] = {
	{ "address not aligned", AT(8), 4096, -EINVAL },
	{ "length not aligned", AT(0), 100, -EINVAL },
	{ "empty", AT(0), 0, -EINVAL },
	{ "wraps", AT(0), -4096ull, -EFAULT },
	{ "kernel address", KERNEL, 4096, -EFAULT },
	{ "tagged address", TAGGED(0), 4096, -EFAULT },
	{ "ends above user space", TASK_TOP - 4096, 8192, -EFAULT },
};

TEST(g9_verify_refuses_bad_arguments, 10)
{
	struct fixed before;
	int fd = setup(&before);
	struct my_mmu_verify v;
	size_t i;

	for (i = 0; i < sizeof(verify_rows) / sizeof(*verify_rows); i++) {
		const struct verify_row *r = &verify_rows[i];
		struct my_mmu_verify a = {
			.addr = place(r->addr), .len = r->len,
		};

		EXPECT_EQ(mmu_ioctl(fd, MY_MMU_VERIFY, &a), r->want, "%s",
			  r->what);
		check_unchanged(fd, &before, r->what);
	}
	EXPECT_EQ(mmu_verify(fd, NULL, 4096, &v), 0,
		  "the first page is of user space like any other");
}

/* What a call tells is not what was there before it failed. */
TEST(g9_results_are_written_on_error_too, 10)
{
	struct my_mmu_query q = { .pfn = 77, .flags = 77 };
	struct my_mmu_verify v = {
		.right = 77, .stale = 77, .over_permissive = 77,
		.unsettled = 77, .first_bad = 77,
	};
	int fd = mmu_open();

	EXPECT_EQ(mmu_ioctl(fd, MY_MMU_QUERY, &q), -ENOTCONN, "query");
	EXPECT_EQ(q.pfn, 0, "no frame");
	EXPECT_EQ(q.flags, 0, "no entry");
	EXPECT_EQ(mmu_ioctl(fd, MY_MMU_VERIFY, &v), -ENOTCONN, "verify");
	EXPECT_EQ(v.right + v.stale + v.over_permissive + v.unsettled +
		  v.first_bad, 0, "verify has counted nothing");
}

/* Nor where it succeeds: each is written anew. */
TEST(g9_results_are_written_each_time, 10)
{
	struct my_mmu_populate a = { .populated = 77, .retries = 77 };
	struct my_mmu_access r = { .done = 77, .faults = 77 };
	struct my_mmu_evict e = { .walked = 77 };
	struct fixed before;
	int fd = setup(&before);
	char byte;

	a.addr = (uintptr_t)p;
	a.len = MMU_PAGE;
	EXPECT_EQ(mmu_ioctl(fd, MY_MMU_POPULATE, &a), 0, "populate");
	EXPECT_EQ(a.populated, 1, "one page");
	EXPECT_EQ(a.retries, 0, "at once");
	a.len = 1;
	EXPECT_EQ(mmu_ioctl(fd, MY_MMU_POPULATE, &a), -EINVAL, "populate");
	EXPECT_EQ(a.populated, 0, "no page");
	a.retries = 77;
	EXPECT_EQ(mmu_ioctl(fd, MY_MMU_GUP_FLOOR, &a), -EINVAL, "floor");
	EXPECT_EQ(a.retries, 0, "no batch");
	r.addr = (uintptr_t)p;
	r.buf = (uintptr_t)&byte;
	r.len = 1;
	EXPECT_EQ(mmu_ioctl(fd, MY_MMU_READ, &r), 0, "read");
	EXPECT_EQ(r.done, 1, "one byte");
	EXPECT_EQ(r.faults, 0, "which was there");
	r.faults = 77;
	r.addr = KERNEL;
	EXPECT_EQ(mmu_ioctl(fd, MY_MMU_WRITE, &r), -EFAULT, "write");
	EXPECT_EQ(r.done + r.faults, 0, "nothing");
	e.addr = KERNEL;
	EXPECT_EQ(mmu_ioctl(fd, MY_MMU_EVICT, &e), -EFAULT, "evict");
	EXPECT_EQ(e.walked, 0, "nothing");
	e.walked = 77;
	e.addr = (uintptr_t)p + N * MMU_PAGE;
	EXPECT_EQ(mmu_ioctl(fd, MY_MMU_EVICT, &e), -EFAULT, "evict a hole");
	EXPECT_EQ(e.walked, 0, "nothing");
}

/* The last of what is allowed is allowed. */
TEST(g9_limits_are_included, 10)
{
	char *top = (char *)task_top() - MMU_PAGE, *q;
	struct fixed before;
	int fd = setup(&before);
	uint64_t done;

	EXPECT_EQ(mmu_configure(fd, MY_MMU_SHOOTDOWN_MAX_US), 0, "the slowest");
	EXPECT_EQ(mmu_configure(fd, 0), 0, "the fastest");
	EXPECT_EQ(mmu_populate_batch(fd, p, MMU_PAGE, 0, MY_MMU_BATCH_MAX,
				     &done, NULL), 0, "the largest batch");
	EXPECT_EQ(mmu_populate_batch(fd, p, MMU_PAGE, 0, 1, &done, NULL), 0,
		  "the smallest");
	EXPECT_GE(mmu_entry(fd, top + MMU_PAGE - 1), 0, "the last byte");
	q = mmap(top, MMU_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		 MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (q != top)
		skip("the last page of user space is not to be had");
	cpu_stamp(top, 1, 1);
	populate(fd, top, 1, WRITE);
	device_sees(fd, top, 1, 1);
	device_stamp(fd, top, 1, 2);
	cpu_sees(top, 1, 2);
	EXPECT_EQ(mmu_evict(fd, top), 1, "it can be evicted");
	populate(fd, top, 1, WRITE);
	verify(fd, top, 1);
	ASSERT_EQ(munmap(top, MMU_PAGE), 0, "munmap");
	EXPECT_EQ(mmu_entry(fd, top), 0, "and goes");
}

/* What is left: one call each. */
TEST(g9_other_calls_refuse_bad_arguments, 10)
{
	struct my_mmu_query q = { .reserved = 1 };
	struct my_mmu_device_config c = { .reserved = 1 };
	struct fixed before;
	int fd = setup(&before);

	q.addr = (uintptr_t)p;
	EXPECT_EQ(mmu_ioctl(fd, MY_MMU_QUERY, &q), -EINVAL,
		  "query: reserved must be zero");
	EXPECT_EQ(mmu_entry(fd, (void *)KERNEL), -EFAULT,
		  "query: kernel address");
	EXPECT_EQ(mmu_entry(fd, (void *)place(TASK_TOP)), -EFAULT,
		  "query: where user space ends");
	EXPECT_EQ(mmu_entry(fd, (void *)NON_CANONICAL), -EFAULT,
		  "query: non-canonical");
	EXPECT_EQ(mmu_entry(fd, NULL), 0, "query: page 0 has no entry");
	EXPECT_EQ(mmu_entry(fd, p + 5), before.flags,
		  "query: an odd address means its page");
	EXPECT_EQ(mmu_ioctl(fd, MY_MMU_CONFIGURE, &c), -EINVAL,
		  "configure: reserved must be zero");
	EXPECT_EQ(mmu_configure(fd, MY_MMU_SHOOTDOWN_MAX_US + 1), -EINVAL,
		  "configure: slower than the limit");
	EXPECT_EQ(mmu_configure(fd, ~0u), -EINVAL, "configure: all ones");
	EXPECT_EQ(mmu_evict(fd, (void *)KERNEL), -EFAULT,
		  "evict: kernel address");
	EXPECT_EQ(mmu_evict(fd, p + N * MMU_PAGE), -EFAULT, "evict: hole");
	EXPECT_EQ(mmu_evict(fd, NULL), -EFAULT, "evict: page 0");
	check_unchanged(fd, &before, "after all of these");
}

TEST(g9_bad_pointers_and_numbers, 10)
{
	static const unsigned long cmds[] = {
		MY_MMU_ATTACH, MY_MMU_POPULATE, MY_MMU_READ, MY_MMU_WRITE,
		MY_MMU_QUERY, MY_MMU_VERIFY, MY_MMU_EVICT, MY_MMU_CONFIGURE,
		MY_MMU_GET_STATS, MY_MMU_GUP_FLOOR,
	};
	struct fixed before;
	int fd = setup(&before);
	char *read_only;
	size_t i;

	for (i = 0; i < sizeof(cmds) / sizeof(*cmds); i++) {
		EXPECT_EQ(mmu_ioctl(fd, cmds[i], NULL), -EFAULT,
			  "ioctl %#lx of NULL", cmds[i]);
		EXPECT_EQ(mmu_ioctl(fd, cmds[i], (void *)KERNEL), -EFAULT,
			  "ioctl %#lx of a kernel address", cmds[i]);
		EXPECT_EQ(mmu_ioctl(fd, cmds[i], p + N * MMU_PAGE - 4),
			  -EFAULT, "ioctl %#lx of half a structure", cmds[i]);
		check_unchanged(fd, &before, "after a bad pointer");
	}
	read_only = map_private(1);
	mprotect(read_only, MMU_PAGE, PROT_READ);
	EXPECT_EQ(mmu_ioctl(fd, MY_MMU_GET_STATS, read_only), -EFAULT,
		  "results do not go where the caller may not write");

	EXPECT_EQ(mmu_ioctl(fd, _IO(MY_MMU_IOC_MAGIC, 0x7f), NULL), -ENOTTY,
		  "an unknown number");
	EXPECT_EQ(mmu_ioctl(fd, _IO(MY_MMU_IOC_MAGIC, 0x10), NULL), -ENOTTY,
		  "a known number with another size");
	EXPECT_EQ(mmu_ioctl(fd, _IO('x', 0x11), NULL), -ENOTTY,
		  "another driver's number");
}

/* An error in the middle: what was done before it stands and is reported. */
TEST(populate_stops_at_a_hole, 10)
{
	int fd = attached();
	uint64_t done = 0;

	p = map_private(8);
	munmap(p + 5 * MMU_PAGE, MMU_PAGE);
	EXPECT_EQ(mmu_populate_batch(fd, p, 8 * MMU_PAGE, 0, 1, &done, NULL),
		  -EFAULT, "the hole is reported");
	EXPECT_EQ(done, 5, "the pages before it are counted");
	EXPECT_EQ(present(fd, p, 5), 5, "and are there");
	EXPECT_EQ(present(fd, p + 5 * MMU_PAGE, 3), 0, "those behind are not");
	done = 99;
	EXPECT_EQ(mmu_populate_batch(fd, p, 8 * MMU_PAGE, 0, 512, &done, NULL),
		  -EFAULT, "the hole is reported to a large batch, too");
	EXPECT_LE(done, 5, "the count never goes beyond the hole");
	EXPECT_GE(present(fd, p, 5), (long)done, "what is counted is there");
	verify(fd, p, 5);
}

/*
 * Whoever fills in structures of the uapi and whoever uses the wrappers must
 * not need casts for it: this test is that it compiles without a warning.
 */
TEST(numbers_of_either_type_go_out, 10)
{
	struct my_mmu_populate a = { 0 };
	struct my_mmu_query q = { 0 };
	uint64_t done, retries, pfn;
	int fd = attached();
	char text[64];

	p = map_private(N);
	EXPECT_EQ(mmu_populate_batch(fd, p, N * MMU_PAGE, WRITE, 0,
				     &a.populated, &a.retries), 0, "uapi");
	EXPECT_EQ(mmu_populate_batch(fd, p, N * MMU_PAGE, WRITE, 0, &done,
				     &retries), 0, "stdint");
	EXPECT_EQ(done, N, "this many");
	EXPECT_EQ(a.populated, N, "in either");
	EXPECT_EQ(mmu_query(fd, p, &q.flags, &q.pfn), 0, "uapi");
	EXPECT_EQ(mmu_query(fd, p, NULL, &pfn), 0, "stdint");
	EXPECT_EQ(pfn, q.pfn, "the same frame");
	snprintf(text, sizeof(text), "%llu", a.populated);
	EXPECT_EQ(strcmp(text, "4"), 0, "printed as a number");
}
