// SPDX-License-Identifier: GPL-2.0
/*
 * t-protect.c - G3: the device may never do what the CPU may not
 *
 * Every refusal must come in bounded time: a driver that checks the wrong
 * thing retries for ever (4.8 of the skeleton), which the time limit catches.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"

#define N	32

#define RW	(PROT_READ | PROT_WRITE)

static void protect(char *p, size_t pages, int prot)
{
	ASSERT_EQ(mprotect(p, pages * MMU_PAGE, prot), 0, "mprotect %d", prot);
}

static void read_only_and_back(int fd, char *p)
{
	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	protect(p, N, PROT_READ);
	none_writable(fd, p, N);
	verify(fd, p, N);
	device_cannot_write(fd, p, N);
	device_sees(fd, p, N, 1);
	EXPECT_EQ(mmu_populate(fd, p, N * MMU_PAGE, WRITE), -EFAULT,
		  "nor is there a write populate");
	none_writable(fd, p, N);
	verify(fd, p, N);
	protect(p, N, RW);
	device_stamp(fd, p, N, 2);
	cpu_sees(p, N, 2);
	verify(fd, p, N);
}

TEST(g3_mprotect_read_only, 10)
{
	read_only_and_back(attached(), map_private(N));
}

TEST(g3_mprotect_read_only_shared, 10)
{
	read_only_and_back(attached(), map_shared(N));
}

TEST(g3_mprotect_none, 10)
{
	int fd = attached();
	char *p = map_private(N);

	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	protect(p, N, PROT_NONE);
	EXPECT_EQ(present(fd, p, N), 0, "no entry is left");
	device_cannot_read(fd, p, N);
	device_cannot_write(fd, p, N);
	/* 4.9 of the skeleton: such ptes look present. */
	EXPECT_EQ(mmu_populate(fd, p, N * MMU_PAGE, 0), -EFAULT,
		  "nor can it be populated");
	verify(fd, p, N);
	protect(p, N, RW);
	device_sees(fd, p, N, 1);
	device_stamp(fd, p, N, 2);
	cpu_sees(p, N, 2);
	verify(fd, p, N);
}

/* In the middle, so that the mapping is split in three. */
TEST(g3_mprotect_of_the_middle, 10)
{
	int fd = attached();
	char *p = map_private(N), *mid = p + 8 * MMU_PAGE;

	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	protect(mid, 4, PROT_READ);
	none_writable(fd, mid, 4);
	device_cannot_write(fd, mid, 4);
	device_stamp(fd, p, 8, 2);
	cpu_sees(p, 8, 2);
	protect(mid + MMU_PAGE, 2, PROT_NONE);
	EXPECT_EQ(present(fd, mid + MMU_PAGE, 2), 0, "two have no entry");
	device_cannot_read(fd, mid + MMU_PAGE, 2);
	verify(fd, p, N);
}

/* The kernel invalidates 0..ULONG_MAX here: an end that is no page's. */
TEST(g3_soft_dirty_write_protects, 10)
{
	int fd = attached();
	char *p = map_private(N);

	device_stamp(fd, p, N, 1);
	if (write_file("/proc/self/clear_refs", "4"))
		skip("this kernel has no soft-dirty bits");
	none_writable(fd, p, N);
	verify(fd, p, N);
	device_stamp(fd, p, N, 2);
	cpu_sees(p, N, 2);
	EXPECT_NE(pagemap(p) >> 55 & 1, 0, "the device's write is noticed");
	verify(fd, p, N);
}

TEST(g3_write_to_read_only_memory, 10)
{
	int fd = attached(), memfd = make_memfd(N);
	char *area[3];
	size_t i;

	area[0] = map_private(N);
	cpu_stamp(area[0], N, 1);
	protect(area[0], N, PROT_READ);
	area[1] = map_fd(memfd, N, PROT_READ, MAP_PRIVATE);
	area[2] = map_fd(memfd, N, PROT_READ, MAP_SHARED);
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(mmu_populate(fd, area[i], N * MMU_PAGE, WRITE),
			  -EFAULT, "write populate of area %zu", i);
		device_cannot_write(fd, area[i], N);
		populate(fd, area[i], N, 0);
		none_writable(fd, area[i], N);
		device_cannot_write(fd, area[i], N);
		verify(fd, area[i], N);
	}
	device_sees(fd, area[0], N, 1);
	device_sees_zeros(fd, area[1], N);
}

TEST(g9_memory_without_access, 10)
{
	int fd = attached();
	char *p = map_reserve(N * MMU_PAGE, MMU_PAGE);

	EXPECT_EQ(mmu_populate(fd, p, N * MMU_PAGE, 0), -EFAULT, "PROT_NONE");
	device_cannot_read(fd, p, N);
	device_cannot_write(fd, p, N);
	munmap(p, N * MMU_PAGE);
	EXPECT_EQ(mmu_populate(fd, p, N * MMU_PAGE, 0), -EFAULT, "no mapping");
	device_cannot_read(fd, p, N);
	device_cannot_write(fd, p, N);
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is mirrored");
}

/* Behind the end of a file the CPU would get SIGBUS. */
TEST(g9_behind_the_end_of_a_file, 10)
{
	int fd = attached(), memfd = make_memfd(2);
	char *p = map_fd(memfd, 4, RW, MAP_SHARED);
	uint64_t done = 0;

	EXPECT_EQ(mmu_populate_batch(fd, p, 4 * MMU_PAGE, WRITE, 1, &done,
				     NULL),
		  -EFAULT, "populate ends with the file");
	EXPECT_EQ(done, 2, "after its two pages");
	device_cannot_read(fd, p + 2 * MMU_PAGE, 2);
	verify(fd, p, 2);
}

/* Finds "[name]" in /proc/self/maps. */
static char *special_mapping(const char *name)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long start, found = 0;
	char buf[256];

	while (f && fgets(buf, sizeof(buf), f))
		if (strstr(buf, name) && sscanf(buf, "%lx-", &start) == 1)
			found = start;
	if (f)
		fclose(f);
	return (char *)found;
}

/* VM_PFNMAP: frames without a struct page; there is nothing to look up. */
TEST(g9_pfn_mapping, 10)
{
	char *vvar = special_mapping("[vvar]");
	int fd = attached();

	if (!vvar)
		skip("no [vvar] in this process");
	EXPECT_EQ(mmu_populate(fd, vvar, MMU_PAGE, 0), -EFAULT, "populate");
	device_cannot_read(fd, vvar, 1);
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is mirrored");
	EXPECT_EQ(mmu_evict(fd, vvar), -EFAULT, "nor can it be evicted");
}

TEST(g9_secret_memory, 10)
{
	int fd = attached(), secret = syscall(SYS_memfd_secret, 0);
	char *p;

	if (secret < 0)
		skip("memfd_secret: %s", strerror(errno));
	ASSERT_EQ(ftruncate(secret, MMU_PAGE), 0, "a page");
	p = map_fd(secret, 1, RW, MAP_SHARED);
	cpu_stamp(p, 1, 1);
	EXPECT_EQ(mmu_populate(fd, p, MMU_PAGE, 0), -EFAULT, "populate");
	device_cannot_read(fd, p, 1);
}

/* The stack grows for the device as it does for the CPU, no further. */
TEST(stack_of_the_process, 10)
{
	int fd = attached();
	uint64_t here = stamp(1, 1), got = 0;

	EXPECT_EQ(mmu_read(fd, &here, &got, sizeof(got)), 0, "device read");
	EXPECT_EQ(got, stamp(1, 1), "a local variable");
	got = stamp(2, 2);
	EXPECT_EQ(mmu_write(fd, &here, &got, sizeof(got)), 0, "device write");
	EXPECT_EQ(*(volatile uint64_t *)&here, stamp(2, 2), "it has changed");
	verify(fd, (char *)((uintptr_t)&here & ~4095ul), 1);
}

/*
 * Below the stack there is nothing until the CPU goes there. (A page lookup
 * below it makes new kernels print a warning, so the device does not try.)
 */
TEST(stack_grows_under_the_device, 10)
{
	size_t len = 512 * MMU_PAGE;
	int fd = attached(), i;
	char *p = map_reserve(len, MMU_PAGE) + len - 4 * MMU_PAGE;

	ASSERT_EQ(munmap(p - len + 4 * MMU_PAGE, len), 0, "room to grow");
	p = mmap(p, 4 * MMU_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		 MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
	ASSERT_NE(p, MAP_FAILED, "mmap");
	cpu_stamp(p, 4, 1);
	populate(fd, p, 4, WRITE);
	for (i = 1; i <= 8; i++)
		cpu_stamp(p - i * MMU_PAGE, 1, i + 1);
	device_sees(fd, p, 4, 1);
	device_sees(fd, p - 8 * MMU_PAGE, 1, 9);
	device_stamp(fd, p - 8 * MMU_PAGE, 12, 20);
	cpu_sees(p - 8 * MMU_PAGE, 12, 20);
	verify(fd, p - 8 * MMU_PAGE, 12);
}
