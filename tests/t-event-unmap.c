// SPDX-License-Identifier: GPL-2.0
/*
 * t-event-unmap.c - which events: memory goes away, or elsewhere
 */
#include <errno.h>
#include <sys/mman.h>

#include "events/events.h"

#define N	16

SCENARIO(munmap, 10)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);
	char *q = map_private(N);

	name_range(q, N);
	step("munmap of pages 2 to 5");
	EXPECT_EQ(munmap(at(p, 2), 4 * MMU_PAGE), 0, "munmap");
	step("munmap of memory that nobody has touched");
	EXPECT_EQ(munmap(q, N * MMU_PAGE), 0, "munmap");
	recorded_all();
	EXPECT_EQ(present(fd, at(p, 2), 4), 0, "those have no entries");
	EXPECT_EQ(present(fd, p, N), N - 4, "the others have theirs");
	agree(fd, p, N);
	agree_and_write(fd, p, 2);
	agree_and_write(fd, at(p, 6), N - 6);
}

SCENARIO(map_fixed, 10)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);

	step("mmap(MAP_FIXED) over pages 2 to 5");
	EXPECT_EQ(mmap(at(p, 2), 4 * MMU_PAGE, RW, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_FIXED, -1, 0), at(p, 2), "mmap");
	recorded_all();
	EXPECT_EQ(present(fd, at(p, 2), 4), 0, "those have no entries");
	device_sees_zeros(fd, at(p, 2), 4);
	agree_and_write(fd, p, N);
}

SCENARIO(madv_dontneed, 10)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);

	step("MADV_DONTNEED of pages 2 to 5");
	EXPECT_EQ(madvise(at(p, 2), 4 * MMU_PAGE, MADV_DONTNEED), 0,
		  "madvise");
	recorded_all();
	EXPECT_EQ(present(fd, at(p, 2), 4), 0, "those have no entries");
	device_sees_zeros(fd, at(p, 2), 4);
	agree_and_write(fd, p, N);
}

SCENARIO(madv_free, 10)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);

	step("MADV_FREE of pages 2 to 5");
	EXPECT_EQ(madvise(at(p, 2), 4 * MMU_PAGE, MADV_FREE), 0, "madvise");
	step("the CPU writes page 2");
	cpu_stamp(at(p, 2), 1, 2);
	recorded_all();
	agree_and_write(fd, p, N);
}

/* Since 6.13: pages that nobody may touch, without a VMA of their own. */
SCENARIO(madv_guard, 10)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);

	step("MADV_GUARD_INSTALL on pages 2 to 5");
	if (madvise(at(p, 2), 4 * MMU_PAGE, MADV_GUARD_INSTALL))
		cannot("no MADV_GUARD_INSTALL");
	step("MADV_GUARD_REMOVE");
	EXPECT_EQ(madvise(at(p, 2), 4 * MMU_PAGE, MADV_GUARD_REMOVE), 0,
		  "madvise");
	recorded_all();
	device_sees_zeros(fd, at(p, 2), 4);
	EXPECT_EQ(madvise(at(p, 2), 4 * MMU_PAGE, MADV_GUARD_INSTALL), 0,
		  "madvise");
	device_cannot_read(fd, at(p, 2), 4);
	device_cannot_write(fd, at(p, 2), 4);
	agree(fd, p, N);
	EXPECT_EQ(madvise(at(p, 2), 4 * MMU_PAGE, MADV_GUARD_REMOVE), 0,
		  "madvise");
	agree_and_write(fd, p, N);
}

/* --- mremap --------------------------------------------------------------- */

/* A place to go to, with nothing there. */
static char *hole(size_t pages)
{
	char *q = map_reserve(pages * MMU_PAGE, MMU_PAGE);

	EXPECT_EQ(munmap(q, pages * MMU_PAGE), 0, "munmap");
	name_range(q, pages);
	return q;
}

static char *move(char *from, char *to, size_t pages, int flags)
{
	char *p = mremap(from, pages * MMU_PAGE, pages * MMU_PAGE,
			 MREMAP_MAYMOVE | MREMAP_FIXED | flags, to);

	EXPECT_EQ(p, to, "mremap");
	return p;
}

SCENARIO(mremap_moves, 10)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);
	char *q = hole(N);

	step("mremap of p to q");
	move(p, q, N, 0);
	recorded_all();
	EXPECT_EQ(present(fd, p, N), 0, "no entry where it was");
	device_sees(fd, q, N, 1);
	agree(fd, p, N);
	agree_and_write(fd, q, N);
}

/*
 * From page 5 of a leaf table to its end, with free room below both places: the
 * kernel may take the whole page of page tables.
 */
SCENARIO(mremap_to_the_end_of_a_table, 10)
{
	const size_t pages = MMU_HUGE / MMU_PAGE - 5;
	int fd = recorded();
	char *p = map_tables(1), *q = map_tables(1);

	EXPECT_EQ(munmap(p, MMU_HUGE), 0, "free room");
	EXPECT_EQ(munmap(q, MMU_HUGE), 0, "on both sides");
	p = mmap(at(p, 5), pages * MMU_PAGE, RW,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	madvise(p, pages * MMU_PAGE, MADV_NOHUGEPAGE);
	mirrored(fd, p, pages);
	name_range(at(q, 5), pages);
	step("mremap of p, all but 5 pages of a leaf table, to q");
	move(p, at(q, 5), pages, 0);
	recorded_all();
	EXPECT_EQ(present(fd, p, pages), 0, "no entry where it was");
	device_sees(fd, at(q, 5), pages, 1);
	agree(fd, p, 4);
	agree_and_write(fd, at(q, 5), pages);
}

SCENARIO(mremap_dontunmap, 10)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);
	char *q = hole(N);

	step("mremap(MREMAP_DONTUNMAP) of p to q");
	move(p, q, N, MREMAP_DONTUNMAP);
	recorded_all();
	device_sees_zeros(fd, p, N);
	device_sees(fd, q, N, 1);
	agree_and_write(fd, p, N);
	agree_and_write(fd, q, N);
}

SCENARIO(mremap_shrinks, 10)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);

	step("mremap of p to its first 4 pages");
	EXPECT_EQ(mremap(p, N * MMU_PAGE, 4 * MMU_PAGE, 0), p, "mremap");
	recorded_all();
	EXPECT_EQ(present(fd, p, N), 4, "four entries are left");
	agree(fd, p, N);
	agree_and_write(fd, p, 4);
}
