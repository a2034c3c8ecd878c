// SPDX-License-Identifier: GPL-2.0
/*
 * t-access.c - what the kernel learns of an access, the CPU's and the device's
 *
 * A CPU that goes to a page leaves traces: it is young, dirty, soft-dirty,
 * locked, nearer to where it is used. Each test has the CPU leave them first,
 * then the device, and says where the two differ.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common.h"
#include "disk.h"

#define N	64
#define RW	(PROT_READ | PROT_WRITE)
#define ALL_KB	(N * MMU_PAGE / 1024)

/* --- who goes there ------------------------------------------------------- */

static int device;

static void cpu_reads(char *p)
{
	size_t i;

	for (i = 0; i < N; i++)
		(void)*(volatile char *)(p + i * MMU_PAGE);
}

static void cpu_writes(char *p)
{
	size_t i;

	for (i = 0; i < N; i++)
		*(volatile char *)(p + i * MMU_PAGE) = 1;
}

static void device_reads(char *p)
{
	size_t i;
	char c;

	for (i = 0; i < N; i++)
		ASSERT_EQ(mmu_read(device, p + i * MMU_PAGE, &c, 1), 0,
			  "the device reads page %zu", i);
}

static void device_writes(char *p)
{
	size_t i;
	char c = 1;

	for (i = 0; i < N; i++)
		ASSERT_EQ(mmu_write(device, p + i * MMU_PAGE, &c, 1), 0,
			  "the device writes page %zu", i);
}

/* --- where it shows ------------------------------------------------------- */

static size_t count_pagemap(const char *p, uint64_t bit)
{
	uint64_t cpu[N];
	size_t i, n = 0;

	pagemap_of(p, N, cpu);
	for (i = 0; i < N; i++)
		n += !!(cpu[i] & bit);
	return n;
}

/* --- hints of NUMA balancing ---------------------------------------------- */

#define SAMPLE	"/sys/kernel/debug/sched/numa_balancing/"
#define BALANCE	"/proc/sys/kernel/numa_balancing"

static void balance(bool on)
{
	if (write_file(SAMPLE "scan_delay_ms", "1") ||
	    write_file(SAMPLE "scan_period_min_ms", "10") ||
	    write_file(BALANCE, "%d", on))
		skip("no NUMA balancing here");
}

static size_t moved_by(void (*go_there)(char *p))
{
	double end = seconds() + DEADLINE_S;
	char *p = map_private(N);
	unsigned int node = 0;
	uint64_t old[N];
	size_t moved = 0;

	ASSERT_EQ(getcpu(NULL, &node), 0, "which node is ours");
	cpu_stamp(p, N, 1);
	move_to_node(p, N, !node);
	pagemap_of(p, N, old);
	balance(true);
	while (seconds() < end && moved < N) {
		go_there(p);
		moved = count_moved(p, N, old);
	}
	balance(false);
	verify(device, p, N);
	munmap(p, N * MMU_PAGE);
	return moved;
}

/*
 * The kernel takes permissions away, to see by the faults who uses a page, and
 * from where; then it moves the page there. (6.12 must be asked to see it.)
 */
TEST(g4_accesses_take_numa_hints, 80)
{
	if (!two_nodes())
		skip("one NUMA node only");
	stay_on_one_cpu();
	device = attached();
	if (moved_by(cpu_reads) < N)
		skip("the kernel does not move what the CPU reads, either");
	EXPECT_EQ(moved_by(cpu_writes), N, "what the CPU writes comes nearer");
	EXPECT_EQ(moved_by(device_reads), N, "what the device reads does");
	EXPECT_EQ(moved_by(device_writes), N, "what the device writes does");
}

/* --- young ---------------------------------------------------------------- */

/* A CPU that has the translation does not mark it again: its TLB must go. */
static void forget_references(void)
{
	char *p = map_private(N);

	ASSERT_EQ(write_file("/proc/self/clear_refs", "1"), 0, "clear_refs");
	cpu_writes(p);
	ASSERT_EQ(munmap(p, N * MMU_PAGE), 0, "munmap");
}

static size_t count_marked(const char *p)
{
	size_t i, n = 0;

	for (i = 0; i < N; i++)
		n += !!(mmu_entry(device, p + i * MMU_PAGE) &
			MY_MMU_ENTRY_ACCESSED);
	return n;
}

/*
 * A populate is a reference, like the CPU's access. An access through an entry
 * marks the entry, and nothing else: reclaim asks for that mark, which smaps
 * does not (t-aging.c has the rest).
 */
TEST(g4_accesses_are_references, 20)
{
	char *p = map_private(N);

	device = attached();
	cpu_writes(p);
	forget_references();
	EXPECT_EQ(smaps_kb(p, "Referenced"), 0, "all are forgotten");
	cpu_reads(p);
	EXPECT_EQ(smaps_kb(p, "Referenced"), ALL_KB, "the CPU's are seen");
	forget_references();
	populate(device, p, N, 0);
	EXPECT_EQ(smaps_kb(p, "Referenced"), ALL_KB, "a populate is seen");
	forget_references();
	EXPECT_EQ(count_marked(p), 0, "no entry has been used");
	device_reads(p);
	EXPECT_EQ(smaps_kb(p, "Referenced"), 0, "smaps asks no device");
	EXPECT_EQ(count_marked(p), N, "the entries know");
	verify(device, p, N);
}

/* --- locked --------------------------------------------------------------- */

static char *map_locked(void)
{
	char *p = map_private(N);

	if (syscall(SYS_mlock2, p, N * MMU_PAGE, MLOCK_ONFAULT))
		skip("mlock2: %s", strerror(errno));
	return p;
}

/* What is to be locked when it is first touched, the device locks as well. */
TEST(g4_accesses_lock_on_fault, 20)
{
	void (*const go_there[])(char *p) = {
		cpu_writes, device_writes, cpu_reads, device_reads,
	};
	size_t i;
	char *p;

	device = attached();
	for (i = 0; i < 4; i++) {
		p = map_locked();
		EXPECT_EQ(count_pagemap(p, PM_PRESENT), 0, "nothing is there");
		go_there[i](p);
		/* The page of zeros is nobody's, and cannot be locked. */
		EXPECT_EQ(count_flags(p, N, KPF_MLOCKED), i < 2 ? N : 0,
			  "pages locked by access %zu", i);
		verify(device, p, N);
		munmap(p, N * MMU_PAGE);
	}
}

/* --- dirty ---------------------------------------------------------------- */

static char *map_clean(void)
{
	int file = disk_file("access", N * MMU_PAGE);
	char *p = map_fd(file, N, RW, MAP_SHARED);

	cpu_writes(p);
	ASSERT_EQ(msync(p, N * MMU_PAGE, MS_SYNC), 0, "msync");
	EXPECT_EQ(smaps_kb(p, "Private_Dirty"), 0, "all is clean");
	close(file);
	return p;
}

/*
 * The CPU's table says what has been written, the device's only what may be:
 * it is dirty from then on. Reading makes nothing dirty.
 */
TEST(g7_accesses_make_dirty, 20)
{
	char *p = map_clean();

	device = attached();
	cpu_reads(p);
	EXPECT_EQ(smaps_kb(p, "Private_Dirty"), 0, "the CPU has read");
	device_reads(p);
	EXPECT_EQ(smaps_kb(p, "Private_Dirty"), 0, "the device has read");
	cpu_writes(p);
	EXPECT_EQ(smaps_kb(p, "Private_Dirty"), ALL_KB, "the CPU has written");
	ASSERT_EQ(msync(p, N * MMU_PAGE, MS_SYNC), 0, "msync");
	populate(device, p, N, WRITE);
	EXPECT_EQ(smaps_kb(p, "Private_Dirty"), ALL_KB,
		  "the device may write, and has not");
	EXPECT_EQ(count_flags(p, N, KPF_DIRTY), N, "the pages say so");
	ASSERT_EQ(msync(p, N * MMU_PAGE, MS_SYNC), 0, "msync");
	EXPECT_EQ(smaps_kb(p, "Private_Dirty"), 0, "cleaned once more");
	device_writes(p);
	EXPECT_EQ(smaps_kb(p, "Private_Dirty"), ALL_KB,
		  "the device has written");
	verify(device, p, N);
}

static const char *machine(void)
{
	static struct utsname u;

	ASSERT_EQ(uname(&u), 0, "uname");
	return u.machine;
}

static void forget_soft_dirty(void)
{
	if (write_file("/proc/self/clear_refs", "4"))
		skip("this kernel has no soft-dirty bits");
}

/* As with dirty: what is entered for writing counts as written. */
TEST(g7_accesses_make_soft_dirty, 20)
{
	char *p = map_private(N);

	device = attached();
	cpu_writes(p);
	/* Fresh memory is soft-dirty, where anything is: arm64 has no bit. */
	if (strcmp(machine(), "x86_64") && !count_pagemap(p, PM_SOFT_DIRTY))
		skip("no soft-dirty bits on %s", machine());
	forget_soft_dirty();
	if (count_pagemap(p, PM_SOFT_DIRTY))
		skip("this kernel does not forget soft-dirty bits");
	cpu_reads(p);
	device_reads(p);
	EXPECT_EQ(count_pagemap(p, PM_SOFT_DIRTY), 0, "both have read");
	cpu_writes(p);
	EXPECT_EQ(count_pagemap(p, PM_SOFT_DIRTY), N, "the CPU has written");
	forget_soft_dirty();
	populate(device, p, N, WRITE);
	EXPECT_EQ(count_pagemap(p, PM_SOFT_DIRTY), N,
		  "the device may write, and has not");
	forget_soft_dirty();
	none_writable(device, p, N);
	device_writes(p);
	EXPECT_EQ(count_pagemap(p, PM_SOFT_DIRTY), N, "the device has written");
	verify(device, p, N);
}

/* --- counted -------------------------------------------------------------- */

static long faults(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_minflt + u.ru_majflt;
}

/* A few more are the test's own: its stack, its libraries. */
static void expect_faults(void (*go_there)(char *p), char *p, long least,
			  const char *who)
{
	long before = faults(), n;

	go_there(p);
	n = faults() - before;
	EXPECT_GE(n, least, "faults taken by %s", who);
	EXPECT_LE(n, least + N / 4, "and no more, by %s", who);
}

/* What a populate brings in is the caller's fault, as if it had gone there. */
TEST(accesses_are_counted_as_faults, 20)
{
	char *p = map_private(N), *q = map_private(N);

	device = attached();
	expect_faults(cpu_writes, p, N, "the CPU");
	expect_faults(cpu_writes, p, 0, "the CPU, once more");
	expect_faults(device_writes, q, N, "the device");
	expect_faults(device_writes, q, 0, "the device, once more");
	expect_faults(device_reads, p, 0, "the device, of what is there");
}
