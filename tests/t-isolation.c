// SPDX-License-Identifier: GPL-2.0
/*
 * t-isolation.c - G9: who may know and do what, and who pays
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroup.h"
#include "common.h"

#define N	16

static void drop_capabilities(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };

	ASSERT_EQ(syscall(SYS_capset, &head, none), 0, "capset");
}

TEST(g9_frame_numbers_need_privilege, 10)
{
	int fd = attached();
	char *p = map_private(N);
	uint64_t pfn = 0;
	uint32_t flags;
	pid_t pid;

	populate(fd, p, N, WRITE);
	ASSERT_EQ(mmu_query(fd, p, &flags, &pfn), 0, "query");
	EXPECT_EQ(pfn, pagemap(p) & PM_PFN, "the privileged learn the frame");
	pid = spawn();
	if (!pid) {
		int own = attached(), i;

		populate(own, p, N, WRITE);
		drop_capabilities();
		for (i = 0; i < N; i++) {
			pfn = 1;
			ASSERT_EQ(mmu_query(own, p + i * MMU_PAGE, &flags,
					    &pfn), 0, "query");
			EXPECT_EQ(pfn, 0, "others do not");
			EXPECT_NE(flags & MY_MMU_ENTRY_PRESENT, 0,
				  "they see that there is an entry");
		}
		device_stamp(own, p, N, 1);
		cpu_sees(p, N, 1);
		_exit(0);
	}
	join(pid);
}

TEST(g9_slow_devices_need_privilege, 10)
{
	int fd = attached();

	EXPECT_EQ(mmu_configure(fd, 1000), 0, "the privileged may");
	drop_capabilities();
	EXPECT_EQ(mmu_configure(fd, 1), -EPERM, "others may not");
	EXPECT_EQ(mmu_configure(fd, MY_MMU_SHOOTDOWN_MAX_US), -EPERM,
		  "whatever the figure");
	EXPECT_EQ(mmu_configure(fd, 0), 0, "but may make it fast");
	EXPECT_EQ(mmu_configure(fd, 1), -EPERM, "for good");
}

/* The device does what its process may, no more: privilege is no bypass. */
TEST(g9_privilege_is_no_way_around_protection, 10)
{
	int fd = attached(), file = open("/proc/self/exe", O_RDONLY);
	char *text = map_fd(file, 1, PROT_READ, MAP_PRIVATE);

	device_cannot_write(fd, text, 1);
	device_cannot_write(fd, (char *)((uintptr_t)drop_capabilities &
					 ~4095ul), 1);
	EXPECT_EQ(mmu_populate(fd, text, MMU_PAGE, WRITE), -EFAULT, "file");
	populate(fd, text, 1, 0);
	none_writable(fd, text, 1);
	verify(fd, text, 1);
}

/*
 * Who mirrors sparsely makes the driver allocate a table per page. That must
 * count against the cgroup, or it is a way around memory limits.
 */
TEST(g9_tables_are_charged_to_the_cgroup, 30)
{
	const size_t tables = 256;
	long kernel0, kernel1, cpu0, cpu1;
	struct my_mmu_stats s;
	size_t i;
	char *p;
	int fd;

	cgroup_enter("charge", "memory");
	fd = attached();
	p = map_tables(tables);
	for (i = 0; i < tables; i++)	/* the CPU's tables first */
		EXPECT_EQ(p[i * MMU_HUGE], 0, "an untouched page");
	kernel0 = cgroup_stat("charge", "memory.stat", "kernel");
	cpu0 = cgroup_stat("charge", "memory.stat", "pagetables");
	if (kernel0 < 0)
		skip("memory.stat does not tell kernel memory");
	for (i = 0; i < tables; i++)
		populate(fd, p + i * MMU_HUGE, 1, 0);
	s = stats_of(fd);
	EXPECT_EQ(s.tables, tables, "one leaf table for each page");
	kernel1 = cgroup_stat("charge", "memory.stat", "kernel");
	cpu1 = cgroup_stat("charge", "memory.stat", "pagetables");
	note("%lld bytes of tables, %ld more charged", s.bytes,
	     kernel1 - kernel0 - (cpu1 - cpu0));
	/* The kernel flushes these sums lazily: three quarters will do. */
	EXPECT_GE((kernel1 - kernel0 - (cpu1 - cpu0)) * 4, (long)s.bytes * 3,
		  "the cgroup was charged for them");
	munmap(p, tables * MMU_HUGE);
}

/* G10: tables must not stay when what they mirrored is gone. */
TEST(g10_tables_go_with_their_memory, 20)
{
	const size_t tables = 64;
	int fd = attached(), ms, round;
	size_t i;
	char *p;

	for (round = 0; round < 3; round++) {
		p = map_tables(tables);
		for (i = 0; i < tables; i++)
			populate(fd, p + i * MMU_HUGE, 1, 0);
		EXPECT_GE(stats_of(fd).tables, tables, "a table for each");
		munmap(p, tables * MMU_HUGE);
		EXPECT_EQ(stats_of(fd).entries, 0, "no entry is left");
		for (ms = 0; ms < 2000 && stats_of(fd).tables; ms += 20)
			sleep_ms(20);
		EXPECT_EQ(stats_of(fd).tables, 0, "nor a table");
	}
}

static uint64_t settled_bytes(int fd)
{
	int ms;

	for (ms = 0; ms < 2000 && stats_of(fd).tables; ms += 20)
		sleep_ms(20);
	return stats_of(fd).bytes;
}

/* A call that fails must not leave tables either. */
TEST(g10_failed_populates_leave_no_tables, 20)
{
	const size_t tables = 64;
	int fd = attached();
	char *p = map_reserve(tables * MMU_HUGE, MMU_HUGE), c;
	uint64_t bytes = 0;
	size_t i;

	for (i = 0; i < tables; i++) {
		if (i == 1)	/* what an MMU needs but once is there now */
			bytes = settled_bytes(fd);
		EXPECT_EQ(mmu_populate(fd, p + i * MMU_HUGE, MMU_PAGE, 0),
			  -EFAULT, "no access there");
		EXPECT_EQ(mmu_read(fd, p + i * MMU_HUGE + MMU_PAGE, &c, 1),
			  -EFAULT, "nor for the device");
	}
	EXPECT_LE(settled_bytes(fd), bytes, "no byte is left of them");
	EXPECT_EQ(stats_of(fd).tables, 0, "nor a table");
}
