// SPDX-License-Identifier: GPL-2.0
/*
 * t-event-migrate.c - which events: pages move to other frames, or merge
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "disk.h"
#include "events/events.h"

#define N	4

#define MPOL_BIND	2
#define MPOL_MF_MOVE	2

/* --- between NUMA nodes --------------------------------------------------- */

static void need_two_nodes(void)
{
	if (!two_nodes())
		cannot("one NUMA node only");
}

SCENARIO(move_pages, 10)
{
	int fd = recorded();
	char *p = map_private(N);

	need_two_nodes();
	cpu_stamp(p, N, 1);
	move_to_node(p, N, 0);
	mirrored(fd, p, N);
	step("move_pages of 4 pages to another node");
	move_to_node(p, N, 1);
	recorded_all();
	EXPECT_EQ(present(fd, p, N), 0, "no entries");
	poison_free_memory();
	device_sees(fd, p, N, 1);
	agree_and_write(fd, p, N);
}

SCENARIO(mbind, 10)
{
	unsigned long mask = 1ul << 1;
	int fd = recorded();
	char *p = map_private(N);

	need_two_nodes();
	cpu_stamp(p, N, 1);
	move_to_node(p, N, 0);
	mirrored(fd, p, N);
	step("mbind(MPOL_MF_MOVE) of 4 pages to another node");
	ASSERT_EQ(syscall(SYS_mbind, p, N * MMU_PAGE, MPOL_BIND, &mask, 8,
			  MPOL_MF_MOVE), 0, "mbind");
	recorded_all();
	EXPECT_EQ(present(fd, p, N), 0, "no entries");
	device_sees(fd, p, N, 1);
	agree_and_write(fd, p, N);
}

#define SAMPLE	"/sys/kernel/debug/sched/numa_balancing/"
#define BALANCE	"/proc/sys/kernel/numa_balancing"

/*
 * The kernel takes permissions away, to see by the faults which node uses the
 * page; then it moves the page there.
 */
SCENARIO(numa_balancing, 30)
{
	int fd = recorded();
	char *p = map_private(N);
	uint64_t old[N];
	double end = seconds() + DEADLINE_S;

	need_two_nodes();
	cpu_stamp(p, N, 1);
	move_to_node(p, N, 1);
	mirrored(fd, p, N);
	pagemap_of(p, N, old);
	step_some("the kernel samples accesses and moves pages to our node");
	if (write_file(SAMPLE "scan_delay_ms", "1") ||
	    write_file(SAMPLE "scan_period_min_ms", "10") ||
	    write_file(BALANCE, "1"))
		cannot("no NUMA balancing");
	while (seconds() < end && count_moved(p, N, old) < N)
		cpu_sees(p, N, 1);
	EXPECT_EQ(write_file(BALANCE, "0"), 0, "off again");
	recorded_all();
	ASSERT_EQ(count_moved(p, N, old), N, "all pages were moved in time");
	device_sees(fd, p, N, 1);
	agree_and_write(fd, p, N);
}

/* --- frames that are said to be bad --------------------------------------- */

SCENARIO(soft_offline, 20)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);
	uint64_t old[N];

	pagemap_of(p, N, old);
	step("MADV_SOFT_OFFLINE of page 2");
	if (madvise(at(p, 2), MMU_PAGE, MADV_SOFT_OFFLINE))
		cannot("no MADV_SOFT_OFFLINE");
	recorded_all();
	EXPECT_EQ(count_moved(p, N, old), 1, "it has moved");
	agree_and_write(fd, p, N);
}

/* A clean page of a file: nothing is lost, so nobody is killed. */
SCENARIO(hwpoison, 20)
{
	int file = disk_file("events", N * MMU_PAGE), fd = recorded();
	char *p = mirrored(fd, map_fd(file, N, RW, MAP_SHARED), N);

	EXPECT_EQ(msync(p, N * MMU_PAGE, MS_SYNC), 0, "msync");
	populate(fd, p, N, 0);
	step("MADV_HWPOISON of page 2, a clean page of a file");
	if (madvise(at(p, 2), MMU_PAGE, MADV_HWPOISON))
		cannot("no MADV_HWPOISON");
	recorded_all();
	EXPECT_EQ(mmu_entry(fd, at(p, 2)), 0, "no entry names the bad frame");
	device_sees(fd, p, N, 1);
	agree_and_write(fd, p, N);
}

/* --- compaction ----------------------------------------------------------- */

#define CHUNK_MAX	(64u << 8)	/* 64 MiB */
#define CHUNK	scaled(CHUNK_MAX)
#define KEEP	8

SCENARIO(compaction, 60)
{
	static uint64_t old[CHUNK_MAX];
	int fd = recorded(), tries;
	size_t i, n = 0;
	char *p;

	for (tries = 0; tries < 12 && !n; tries++) {
		p = map_scattered(CHUNK, KEEP);
		events_nr_named = 0;
		name_range(p, CHUNK / 4);
		record_only_named();
		for (i = 0; i < CHUNK / 4; i += KEEP)
			populate(fd, at(p, i), 1, WRITE);
		pagemap_of(p, CHUNK, old);
		step_some("compact_memory");
		if (write_file("/proc/sys/vm/compact_memory", "1"))
			cannot("no compaction");
		n = count_moved(p, CHUNK / 4, old);
	}
	recorded_all();
	ASSERT_GT(n, 0, "compaction moved some of the pages");
	for (i = 0; i < CHUNK / 4; i += KEEP)
		device_sees(fd, at(p, i), 1, SCATTERED_GEN(i, KEEP));
	verify(fd, p, CHUNK / 4);
	for (i = 0; i < 8 * KEEP; i += KEEP)
		agree_and_write(fd, at(p, i), 1);
}

/* --- KSM ------------------------------------------------------------------ */

#define KSM	"/sys/kernel/mm/ksm/"

SCENARIO(ksm, 30)
{
	int fd = recorded(), ms;
	char *p = map_private(N);

	name_range(p, N);
	memset(p, 0x5a, N * MMU_PAGE);
	populate(fd, p, N, WRITE);
	if (madvise(p, N * MMU_PAGE, MADV_MERGEABLE) ||
	    write_file(KSM "sleep_millisecs", "5") ||
	    write_file(KSM "pages_to_scan", "2000"))
		cannot("no KSM");
	step_some("ksmd merges 4 equal pages");
	EXPECT_EQ(write_file(KSM "run", "1"), 0, "KSM starts");
	for (ms = 0; ms < 10000 && count_merged(p, N) < N; ms += 10)
		sleep_ms(10);
	ASSERT_EQ(count_merged(p, N), N, "KSM merged them in 10 s");
	EXPECT_EQ(write_file(KSM "run", "0"), 0, "KSM stops");
	none_writable(fd, p, N);
	step("the CPU writes page 2, which is merged");
	*(volatile char *)at(p, 2) = 1;
	verify(fd, p, N);
	step("run: 2 (unmerge all)");
	EXPECT_EQ(write_file(KSM "run", "2"), 0, "KSM goes back");
	recorded_all();
	EXPECT_EQ(count_merged(p, N), 1, "they are apart again");
	agree(fd, p, N);
	EXPECT_EQ(at(p, 2)[0], 1, "what was written is there");
	EXPECT_EQ(at(p, 2)[1], 0x5a, "and what was there before");
	agree_and_write(fd, p, N);
}
