// SPDX-License-Identifier: GPL-2.0
/*
 * hugetlb.c - huge pages from the pool; see hugetlb.h
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"
#include "hugetlb.h"

#define RW	(PROT_READ | PROT_WRITE)

static char *or_skip(char *p)
{
	if (p == MAP_FAILED)
		skip("no hugetlb pages (%s)", strerror(errno));
	return p;
}

char *map_huge(size_t pages)
{
	return or_skip(mmap(NULL, pages * MMU_HUGE, RW, MAP_PRIVATE |
			    MAP_ANONYMOUS | MAP_HUGETLB, -1, 0));
}

int make_huge_memfd(size_t pages)
{
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);

	if (fd < 0)
		skip("no files of hugetlb pages (%s)", strerror(errno));
	ASSERT_EQ(ftruncate(fd, pages * MMU_HUGE), 0, "the file grows");
	return fd;
}

char *map_huge_fd(int memfd, size_t pages)
{
	return or_skip(mmap(NULL, pages * MMU_HUGE, RW, MAP_SHARED, memfd, 0));
}

long huge_free(void)
{
	return read_number(HUGE_POOL "free_hugepages");
}

long huge_taken(void)
{
	return read_number(HUGE_POOL "nr_hugepages") - huge_free();
}

void references_let_go_(long taken)
{
	int ms;

	for (ms = 0; ms < 2000 && huge_taken() != taken; ms += 5)
		sleep_ms(5);
	EXPECT_EQ(huge_taken(), taken,
		  "huge pages in use: nobody else has a reference to one");
}
