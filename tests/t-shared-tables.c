// SPDX-License-Identifier: GPL-2.0
/*
 * t-shared-tables.c - G1, G3: page tables of huge pages that mappings share
 *
 * Mappings of one file of huge pages that cover the same GiB share the table
 * with its ptes. When one page of it is to be unmapped, the VM takes the whole
 * table from a mapping: all that the mapping had in this GiB is unmapped then.
 * Few of the pages need to be there: nothing is reserved.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common.h"
#include "hugetlb.h"

#define GIB	(1ul << 30)
#define ALL	(MMU_HUGE / MMU_PAGE)
#define RW	(PROT_READ | PROT_WRITE)
#define PAGES	3	/* huge ones that are there */
#define FEW	16	/* pages of each, mirrored */

static int fd, memfd;
static char *a, *b;

static char *map_gib(void)
{
	char *p = map_reserve(GIB, GIB);

	p = mmap(p, GIB, RW, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, memfd, 0);
	if (p == MAP_FAILED)
		skip("no GiB of hugetlb addresses (%s)", strerror(errno));
	return p;
}

/* A page that is mapped through a shared table counts once. */
static long times_mapped(const char *p)
{
	uint64_t count, pfn = pagemap(p) & PM_PFN;
	int f = open("/proc/kpagecount", O_RDONLY | O_CLOEXEC);

	ASSERT_EQ(pread(f, &count, 8, pfn * 8), 8, "kpagecount");
	close(f);
	return count;
}

static char *huge(char *p, size_t i)
{
	return p + i * MMU_HUGE;
}

static void mirror(char *p)
{
	size_t i;

	for (i = 0; i < PAGES; i++)
		populate(fd, huge(p, i), FEW, WRITE);
}

static void setup(void)
{
	size_t i;

	memfd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	if (memfd < 0)
		skip("no hugetlb files (%s)", strerror(errno));
	ASSERT_EQ(ftruncate(memfd, GIB), 0, "a GiB of nothing");
	if (huge_free() < PAGES + 2)
		skip("too few huge pages are free");
	a = map_gib();
	b = map_gib();
	for (i = 0; i < PAGES; i++) {
		cpu_stamp(huge(a, i), FEW, 1);
		cpu_sees(huge(b, i), FEW, 1);
	}
	if (times_mapped(a) != 1)
		skip("this kernel shares no page tables");
	fd = attached();
	mirror(a);
	mirror(b);
	EXPECT_EQ(stats_of(fd).entries, 2 * PAGES * FEW, "all is mirrored");
}

/* Without a fault of the CPU: at the next one it shares the table again. */
static void nothing_outlives_its_pte(void)
{
	size_t i;

	for (i = 0; i < PAGES; i++) {
		verify(fd, huge(a, i), FEW);
		verify(fd, huge(b, i), FEW);
	}
}

/* Whatever happened, no entry outlived its pte, and all is as it was. */
static void check(unsigned int gen)
{
	size_t i;

	nothing_outlives_its_pte();
	for (i = 0; i < PAGES; i++) {
		device_sees(fd, huge(a, i), FEW, gen);
		device_sees(fd, huge(b, i), FEW, gen);
		device_stamp(fd, huge(a, i), FEW, gen + 1);
		cpu_sees(huge(b, i), FEW, gen + 1);
	}
}

static long move_page(char *p, int node)
{
	int status = -ENOENT;
	void *page = p;

	if (syscall(SYS_move_pages, 0, 1ul, &page, &node, &status,
		    MPOL_MF_MOVE_ALL))
		return -errno;
	return status;
}

static int node_of(char *p)
{
	void *page = p;
	int status = -ENOENT;

	syscall(SYS_move_pages, 0, 1ul, &page, NULL, &status, 0);
	return status;
}

/* To the other node where there are two, else away from a bad frame. */
static void migrate(char *p)
{
	uint64_t old = pagemap(p) & PM_PFN;
	long ret = move_page(p, !node_of(p));

	if (ret < 0 && madvise(p, MMU_PAGE, MADV_SOFT_OFFLINE))
		skip("huge pages do not migrate here (%ld, %s)", ret,
		     strerror(errno));
	nothing_outlives_its_pte();
	ASSERT_EQ(*(volatile uint64_t *)p, stamp(1, 0), "it is there");
	ASSERT_NE(pagemap(p) & PM_PFN, old, "elsewhere");
}

/*
 * Left to the chain, only the entries of the page that moves would go. "More
 * than the folio has (a page table of huge pages that processes share) is not
 * the chain's business."
 */
TEST_BOTH_MODES(g1_migration_under_shared_tables, 20)
{
	long size;

	setup();
	size = read_number(HUGE_POOL "nr_hugepages");
	migrate(huge(a, 1));
	check(1);
	close(fd);
	munmap(a, GIB);
	munmap(b, GIB);
	close(memfd);
	references_let_go(0);
	/* A frame that was said to be bad has left the pool. */
	write_file(HUGE_POOL "nr_hugepages", "%ld", size);
}

TEST_BOTH_MODES(g3_protection_under_shared_tables, 20)
{
	setup();
	EXPECT_EQ(mprotect(huge(a, 1), MMU_HUGE, PROT_READ), 0, "mprotect");
	none_writable(fd, huge(a, 1), FEW);
	verify(fd, huge(a, 1), FEW);
	device_cannot_write(fd, huge(a, 1), 1);
	device_stamp(fd, huge(b, 1), FEW, 2);
	device_sees(fd, huge(a, 1), FEW, 2);
	EXPECT_EQ(mprotect(huge(a, 1), MMU_HUGE, RW), 0, "and back");
	device_stamp(fd, huge(b, 1), FEW, 1);
	check(1);
}

TEST_BOTH_MODES(g1_unmap_under_shared_tables, 20)
{
	setup();
	EXPECT_EQ(munmap(huge(a, PAGES), GIB - PAGES * MMU_HUGE), 0,
		  "all that is empty");
	check(1);
	EXPECT_EQ(munmap(huge(a, 1), MMU_HUGE), 0, "one page");
	EXPECT_EQ(present(fd, huge(a, 1), FEW), 0, "no entry is left");
	device_cannot_read(fd, huge(a, 1), 1);
	verify(fd, huge(a, 0), FEW);
	verify(fd, huge(a, 2), FEW);
	verify(fd, huge(b, 1), FEW);
	device_sees(fd, huge(b, 1), FEW, 2);
}

TEST_BOTH_MODES(g1_hole_under_shared_tables, 20)
{
	setup();
	ASSERT_EQ(fallocate(memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			    MMU_HUGE, MMU_HUGE), 0, "a hole");
	EXPECT_EQ(present(fd, huge(a, 1), FEW), 0, "no entry is left");
	EXPECT_EQ(present(fd, huge(b, 1), FEW), 0, "nor there");
	device_sees_zeros(fd, huge(a, 1), FEW);
	verify(fd, huge(b, 0), FEW);
	verify(fd, huge(b, 2), FEW);
	device_stamp(fd, huge(b, 1), FEW, 1);
	check(1);
}

TEST_BOTH_MODES(g4_eviction_under_shared_tables, 20)
{
	size_t i;

	setup();
	for (i = 0; i < PAGES; i++) {
		EXPECT_EQ(mmu_evict(fd, huge(i & 1 ? a : b, i) + 5 * MMU_PAGE),
			  1, "evict");
		EXPECT_EQ(stats_of(fd).entries, 2 * (PAGES - 1 - i) * FEW,
			  "at both addresses, and no other page's");
	}
	check(1);
}
