// SPDX-License-Identifier: GPL-2.0
/*
 * t-protect.c - G3: the device may never do what the CPU may not
 *
 * Every refusal must come in bounded time: a driver that checks the wrong
 * thing retries for ever (4.8 of the skeleton), which the time limit catches.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <sched.h>
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
	bool bits = have_soft_dirty();
	int fd = attached();
	char *p = map_private(N);

	device_stamp(fd, p, N, 1);
	if (write_file("/proc/self/clear_refs", "4"))
		skip("this kernel has no soft-dirty bits");
	none_writable(fd, p, N);
	verify(fd, p, N);
	device_stamp(fd, p, N, 2);
	cpu_sees(p, N, 2);
	EXPECT_EQ(!!(pagemap(p) & PM_SOFT_DIRTY), bits,
		  "the device's write is noticed, where the kernel does that");
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

/*
 * Memory that may be written, and not read by name. x86 has no such ptes: the
 * CPU reads it, present or not. The device reads what is present; what is not,
 * the lookup refuses to bring in for reading, and brings in for writing.
 */
/* The fast lookup passes a zero page over, and the slow one wants PROT_READ. */
static void zero_page_is_there(int fd, char *p, const char *which)
{
	int err = mmu_populate(fd, p, MMU_PAGE, 0);

	if (strcmp(which, "private"))
		EXPECT_EQ(err, 0, "%s: a page is there to read", which);
	else
		EXPECT_EQ(err, -EFAULT, "%s: a zero page is not", which);
}

static void write_only(int fd, char *p, const char *which)
{
	protect(p, N, PROT_WRITE);
	EXPECT_EQ(mmu_populate(fd, p, N * MMU_PAGE, 0), -EFAULT,
		  "%s: nothing is there to read", which);
	device_cannot_read(fd, p, 1);
	device_stamp(fd, p, 1, 1);
	device_sees(fd, p, 1, 1);
	cpu_sees(p, 1, 1);
	EXPECT_EQ(*(volatile uint64_t *)(p + MMU_PAGE), 0,
		  "%s: the CPU reads what it may write", which);
	zero_page_is_there(fd, p + MMU_PAGE, which);
	cpu_stamp(p, N, 2);
	populate(fd, p, N, 0);
	device_sees(fd, p, N, 2);
	verify(fd, p, N);
	EXPECT_EQ(madvise(p, N * MMU_PAGE, MADV_DONTNEED), 0, "drop");
	populate(fd, p, N, WRITE);
	device_stamp(fd, p, N, 3);
	cpu_sees(p, N, 3);
	verify(fd, p, N);
}

TEST(g9_write_only_memory, 10)
{
	int fd = attached(), memfd = make_memfd(N);

	write_only(fd, map_private(N), "private");
	write_only(fd, map_shared(N), "shared");
	write_only(fd, map_fd(memfd, N, RW, MAP_PRIVATE), "private file");
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

/*
 * Finds "[name]" in /proc/self/smaps, and whether @flag is among its VmFlags:
 * "pf" is VM_PFNMAP, "mm" VM_MIXEDMAP.
 */
static char *special_mapping(const char *name, const char *flag, bool *has)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, found = 0;
	char buf[256];

	while (f && fgets(buf, sizeof(buf), f)) {
		if (strstr(buf, name) && sscanf(buf, "%lx-", &start) == 1)
			found = start;
		if (found && !strncmp(buf, "VmFlags:", 8)) {
			*has = strstr(buf + 8, flag);
			break;
		}
	}
	if (f)
		fclose(f);
	return (char *)found;
}

/* Memory of a device that the CPU reads and writes: some PCI device's. */
static char *memory_of_a_device(void)
{
	char *p = MAP_FAILED;
	glob_t found;
	size_t i;
	int fd;

	if (glob("/sys/bus/pci/devices/*/resource[0-9]", 0, NULL, &found))
		return NULL;
	for (i = 0; i < found.gl_pathc && p == MAP_FAILED; i++) {
		fd = open(found.gl_pathv[i], O_RDWR | O_CLOEXEC);
		p = mmap(NULL, MMU_PAGE, RW, MAP_SHARED, fd, 0);
		close(fd);
	}
	globfree(&found);
	return p == MAP_FAILED ? NULL : p;
}

/* VM_PFNMAP: frames without a struct page; there is nothing to look up. */
TEST(g9_pfn_mapping, 10)
{
	char *p = memory_of_a_device();
	int fd = attached();

	if (!p)
		skip("no PCI device has memory that can be mapped");
	note("the CPU reads %#x", *(volatile uint32_t *)p);
	EXPECT_EQ(mmu_populate(fd, p, MMU_PAGE, 0), -EFAULT, "populate");
	EXPECT_EQ(mmu_populate(fd, p, MMU_PAGE, WRITE), -EFAULT,
		  "populate for writing");
	device_cannot_read(fd, p, 1);
	device_cannot_write(fd, p, 1);
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is mirrored");
	EXPECT_EQ(mmu_evict(fd, p), -EFAULT, "nor can it be evicted");
}

static void refused_as_frames(int fd, char *vvar)
{
	EXPECT_EQ(mmu_populate(fd, vvar, MMU_PAGE, 0), -EFAULT, "populate");
	device_cannot_read(fd, vvar, 1);
	EXPECT_EQ(stats_of(fd).entries, 0, "nothing is mirrored");
	EXPECT_EQ(mmu_evict(fd, vvar), -EFAULT, "nor can it be evicted");
}

/* Some words are the time, and go on. */
static void reads_alike(int fd, const char *p)
{
	static uint64_t cpu[MMU_PAGE / 8], device[MMU_PAGE / 8];
	size_t i, same = 0, nonzero = 0;

	memcpy(cpu, p, MMU_PAGE);
	ASSERT_EQ(mmu_read(fd, p, device, MMU_PAGE), 0, "device read");
	for (i = 0; i < MMU_PAGE / 8; i++) {
		same += cpu[i] == device[i];
		nonzero += cpu[i] && cpu[i] == device[i];
	}
	EXPECT_GE(same, MMU_PAGE / 8 - 64, "CPU and device read the same");
	EXPECT_GT(nonzero, 0, "and not zeros alone");
}

/* Who enters another time namespace has another page there. */
static void another_time(int fd, char *vvar)
{
	uint64_t before, after;
	int ns;

	EXPECT_EQ(mmu_query(fd, vvar, NULL, &before), 0, "an entry");
	ASSERT_EQ(unshare(CLONE_NEWTIME), 0, "unshare");
	ns = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(setns(ns, CLONE_NEWTIME), 0, "setns");
	EXPECT_EQ(mmu_entry(fd, vvar), 0, "the entry is gone");
	populate(fd, vvar, 1, 0);
	EXPECT_EQ(mmu_query(fd, vvar, NULL, &after), 0, "an entry");
	EXPECT_NE(after, before, "of another page");
	reads_alike(fd, vvar);
	verify(fd, vvar, 1);
}

/*
 * The time, for the vDSO. Up to 6.12 the kernel maps its frames by their
 * numbers, and the device is refused. In 7.3 they are pages like others
 * (lib/vdso/datastore.c), which every process maps and none may write: what the
 * CPU reads, the device reads, and it does no more than that.
 */
TEST(g9_vdso_data, 10)
{
	bool by_number = false;
	char *vvar = special_mapping("[vvar]", " pf", &by_number);
	int fd = attached();

	if (!vvar)
		skip("no [vvar] in this process");
	if (by_number) {
		refused_as_frames(fd, vvar);
		return;
	}
	EXPECT_EQ(mmu_populate(fd, vvar, MMU_PAGE, WRITE), -EFAULT,
		  "populate for writing");
	populate(fd, vvar, 1, 0);
	none_writable(fd, vvar, 1);
	device_cannot_write(fd, vvar, 1);
	reads_alike(fd, vvar);
	verify(fd, vvar, 1);
	another_time(fd, vvar);
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
