// SPDX-License-Identifier: GPL-2.0
/*
 * t-event-protect.c - which events: permissions change, the pages stay
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "events/events.h"

#define N	16

SCENARIO(mprotect, 10)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);

	step("mprotect(PROT_READ) of pages 2 to 5");
	EXPECT_EQ(mprotect(at(p, 2), 4 * MMU_PAGE, PROT_READ), 0, "mprotect");
	none_writable(fd, at(p, 2), 4);
	step("mprotect(PROT_NONE)");
	EXPECT_EQ(mprotect(at(p, 2), 4 * MMU_PAGE, PROT_NONE), 0, "mprotect");
	EXPECT_EQ(present(fd, at(p, 2), 4), 0, "no entries");
	device_cannot_read(fd, at(p, 2), 4);
	step("mprotect(PROT_READ | PROT_WRITE)");
	EXPECT_EQ(mprotect(at(p, 2), 4 * MMU_PAGE, RW), 0, "mprotect");
	step("the CPU writes page 2");
	cpu_stamp(at(p, 2), 1, 2);
	recorded_all();
	agree_and_write(fd, p, N);
}

/* Accesses of the CPU and advice that leave all translations alone. */
SCENARIO(silent_advice, 10)
{
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);

	step("MADV_COLD");
	EXPECT_EQ(madvise(p, N * MMU_PAGE, MADV_COLD), 0, "madvise");
	step("mlock");
	EXPECT_EQ(mlock(p, N * MMU_PAGE), 0, "mlock");
	step("munlock");
	EXPECT_EQ(munlock(p, N * MMU_PAGE), 0, "munlock");
	step("MADV_POPULATE_WRITE of what is there");
	EXPECT_EQ(madvise(p, N * MMU_PAGE, MADV_POPULATE_WRITE), 0, "madvise");
	step("clear_refs: 1 (forget accesses)");
	EXPECT_EQ(write_file("/proc/self/clear_refs", "1"), 0, "clear_refs");
	recorded_all();
	agree_and_write(fd, p, N);
}

SCENARIO(clear_refs_soft_dirty, 10)
{
	bool bits = have_soft_dirty();
	int fd = recorded();
	char *p = mirrored(fd, map_private(N), N);

	step("clear_refs: 4 (forget soft-dirty bits)");
	if (write_file("/proc/self/clear_refs", "4"))
		cannot("no soft-dirty bits");
	none_writable(fd, p, N);
	step("the CPU writes page 2");
	cpu_stamp(at(p, 2), 1, 2);
	recorded_all();
	EXPECT_EQ(!!(pagemap(at(p, 2)) & PM_SOFT_DIRTY), bits,
		  "page 2 is soft-dirty, where the kernel has such bits");
	EXPECT_EQ(pagemap(at(p, 3)) & PM_SOFT_DIRTY, 0, "page 3 is not");
	agree_and_write(fd, p, N);
}

/* --- userfaultfd ---------------------------------------------------------- */

/* Newer than some headers. */
#ifndef UFFDIO_MOVE
struct uffdio_move {
	__u64 dst;
	__u64 src;
	__u64 len;
	__u64 mode;
	__s64 move;
};

#define UFFDIO_MOVE		_IOWR(UFFDIO, 0x05, struct uffdio_move)
#define UFFD_FEATURE_MOVE	(1 << 16)
#endif

static int uffd_open(__u64 features, const char *what)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api))
		cannot("no userfaultfd that can %s", what);
	return uffd;
}

static void uffd_register(int uffd, char *p, __u64 mode)
{
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)p, .len = N * MMU_PAGE },
		.mode = mode,
	};

	ASSERT_EQ(ioctl(uffd, UFFDIO_REGISTER, &reg), 0, "UFFDIO_REGISTER");
}

static void uffd_protect(int uffd, char *p, size_t pages, __u64 mode)
{
	struct uffdio_writeprotect wp = {
		.range = { .start = (uintptr_t)p, .len = pages * MMU_PAGE },
		.mode = mode,
	};

	EXPECT_EQ(ioctl(uffd, UFFDIO_WRITEPROTECT, &wp), 0, "writeprotect");
}

SCENARIO(uffd_writeprotect, 10)
{
	int fd = recorded();
	int uffd = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP, "protect");
	char *p = mirrored(fd, map_private(N), N);

	step("UFFDIO_REGISTER for write protection");
	uffd_register(uffd, p, UFFDIO_REGISTER_MODE_WP);
	step("UFFDIO_WRITEPROTECT of pages 2 to 5");
	uffd_protect(uffd, at(p, 2), 4, UFFDIO_WRITEPROTECT_MODE_WP);
	none_writable(fd, at(p, 2), 4);
	step("UFFDIO_WRITEPROTECT takes it back");
	uffd_protect(uffd, at(p, 2), 4, 0);
	step("UFFDIO_UNREGISTER");
	EXPECT_EQ(ioctl(uffd, UFFDIO_UNREGISTER,
			&(struct uffdio_range){ (uintptr_t)p, N * MMU_PAGE }),
		  0, "unregister");
	recorded_all();
	agree_and_write(fd, p, N);
}

SCENARIO(uffd_move, 10)
{
	int fd = recorded(), uffd = uffd_open(UFFD_FEATURE_MOVE, "move");
	char *p = mirrored(fd, map_private(N), N), *q = map_private(N);
	struct uffdio_move move = {
		.dst = (uintptr_t)at(q, 2), .src = (uintptr_t)at(p, 2),
		.len = 4 * MMU_PAGE,
	};

	name_range(q, N);
	uffd_register(uffd, q, UFFDIO_REGISTER_MODE_MISSING);
	step("UFFDIO_MOVE of pages 2 to 5 of p to q");
	EXPECT_EQ(ioctl(uffd, UFFDIO_MOVE, &move), 0, "UFFDIO_MOVE");
	recorded_all();
	EXPECT_EQ(present(fd, at(p, 2), 4), 0, "no entry where they were");
	close(uffd);
	agree(fd, q, N);
	EXPECT_EQ(*(uint64_t *)at(q, 2), stamp(1, 2), "the page has moved");
	agree_and_write(fd, p, N);
	agree_and_write(fd, q, N);
}

/* --- PAGEMAP_SCAN: which pages were written, and protect them again ------- */

struct scan_arg {
	__u64 size, flags, start, end, walk_end, vec, vec_len, max_pages;
	__u64 category_inverted, category_mask, category_anyof_mask;
	__u64 return_mask;
};

struct scan_region {
	__u64 start, end, categories;
};

#define SCAN		_IOWR('f', 16, struct scan_arg)
#define SCAN_PROTECT	1	/* PM_SCAN_WP_MATCHING */
#define IS_WRITTEN	2	/* PAGE_IS_WRITTEN */

SCENARIO(pagemap_scan, 10)
{
	int pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int fd = recorded(), uffd;
	char *p = map_private(N);
	struct scan_region found[4];
	struct scan_arg arg = {
		.size = sizeof(arg), .flags = SCAN_PROTECT,
		.start = (uintptr_t)at(p, 2), .end = (uintptr_t)at(p, 6),
		.vec = (uintptr_t)found, .vec_len = 4,
		.category_mask = IS_WRITTEN, .return_mask = IS_WRITTEN,
	};

	/* UFFD_FEATURE_WP_UNPOPULATED and _ASYNC: faults are solved by it. */
	uffd = uffd_open(1 << 13 | 1 << 15, "protect by itself");
	uffd_register(uffd, p, UFFDIO_REGISTER_MODE_WP);
	mirrored(fd, p, N);
	step("PAGEMAP_SCAN of pages 2 to 5, and write protection");
	EXPECT_EQ(ioctl(pagemap, SCAN, &arg), 1, "one region was written");
	none_writable(fd, at(p, 2), 4);
	step("the CPU writes page 3");
	cpu_stamp(at(p, 3), 1, 2);
	recorded_all();
	arg.flags = 0;
	EXPECT_EQ(ioctl(pagemap, SCAN, &arg), 1, "one region was written");
	EXPECT_EQ(found[0].start, (uintptr_t)at(p, 3), "page 3");
	EXPECT_EQ(found[0].end, (uintptr_t)at(p, 4), "alone");
	device_stamp(fd, p, N, 2);
	EXPECT_EQ(ioctl(pagemap, SCAN, &arg), 1, "the device wrote, too");
	EXPECT_EQ(found[0].end - found[0].start, 4 * MMU_PAGE, "all pages");
	agree_and_write(fd, p, N);
}
