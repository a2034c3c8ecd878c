// SPDX-License-Identifier: GPL-2.0
/*
 * t-attach.c - handles: attach, share, detach
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "race.h"

#define N	16

TEST(g5_attach_detach, 10)
{
	int fd = mmu_open();

	ASSERT_GE(fd, 0, "the device can be opened");
	EXPECT_EQ(mmu_detach(fd), -ENOTCONN, "an idle handle has no MMU");
	EXPECT_EQ(mmu_attach(fd, test_variant), 0, "attach");
	EXPECT_EQ(stats_of(fd).mmus, 1, "there is one external MMU");
	EXPECT_EQ(stats_of(fd).entries, 0, "it is empty");
	EXPECT_EQ(mmu_detach(fd), 0, "detach");
	EXPECT_EQ(mmu_detach(fd), -ENOTCONN, "the handle is idle again");
}

TEST(g9_attach_twice_on_one_handle_is_busy, 10)
{
	int fd = attached();
	char *p = map_private(1);
	int i;

	populate(fd, p, 1, WRITE);
	for (i = 0; mmu_variants[i]; i++)
		EXPECT_EQ(mmu_attach(fd, mmu_variants[i]), -EBUSY,
			  "an attached handle refuses %s", mmu_variants[i]);
	EXPECT_EQ(present(fd, p, 1), 1, "and keeps what it has");
	EXPECT_EQ(stats_of(fd).mmus, 1, "no other MMU came into being");
}

TEST(handles_of_one_process_share_one_mmu, 10)
{
	int a = attached(), b = attached();
	char *p = map_private(N);

	EXPECT_EQ(stats_of(a).mmus, 1, "two handles, one external MMU");
	populate(a, p, N, WRITE);
	EXPECT_EQ(present(b, p, N), N, "the second handle sees the entries");
	EXPECT_EQ(mmu_detach(a), 0, "the first handle leaves");
	EXPECT_EQ(present(b, p, N), N, "the entries stay for the second");
	close(a);
	EXPECT_EQ(present(b, p, N), N, "also when the first is closed");
	device_stamp(b, p, N, 1);
	cpu_sees(p, N, 1);
	munmap(p, N * MMU_PAGE);
	EXPECT_EQ(present(b, p, N), 0, "invalidations still arrive");
}

TEST(variants_side_by_side_in_one_process, 10)
{
	int fd[8], i, others = 0;
	char *p = map_private(N);

	for (i = 0; mmu_variants[i]; i++) {
		fd[i] = mmu_open();
		ASSERT_GE(fd[i], 0, "a handle for %s", mmu_variants[i]);
		ASSERT_EQ(mmu_attach(fd[i], mmu_variants[i]), 0,
			  "attach %s", mmu_variants[i]);
		populate(fd[i], p, N, WRITE);
		others++;
	}
	EXPECT_EQ(stats_of(fd[0]).mmus, others, "one external MMU for each");
	EXPECT_EQ(stats_of(fd[0]).entries, others * N, "each with its entries");
	madvise(p, N * MMU_PAGE, MADV_DONTNEED);
	for (i = 0; i < others; i++)
		EXPECT_EQ(present(fd[i], p, N), 0, "%s was told",
			  mmu_variants[i]);
}

TEST(unknown_variant_is_nodev, 10)
{
	/* The last one fills its field: there is no NUL to be found. */
	static const char *const names[] = {
		"", "spin", "spinlocks", "SPINLOCK", "no-such-thing",
		"spinlock-spinloc",
	};
	int fd = mmu_open();
	size_t i;

	ASSERT_GE(fd, 0, "the device can be opened");
	for (i = 0; i < sizeof(names) / sizeof(*names); i++)
		EXPECT_EQ(mmu_attach(fd, names[i]), -ENODEV,
			  "no variant is called \"%s\"", names[i]);
	EXPECT_EQ(mmu_attach(fd, test_variant), 0, "the handle is still good");
}

TEST(attach_refuses_unknown_bits, 10)
{
	struct my_mmu_attach a = { 0 };
	int fd = mmu_open(), bit;

	ASSERT_GE(fd, 0, "the device can be opened");
	strncpy(a.variant, test_variant, sizeof(a.variant) - 1);
	for (bit = 1; bit < 32; bit++) {
		a.flags = 1u << bit;
		EXPECT_EQ(mmu_ioctl(fd, MY_MMU_ATTACH, &a), -EINVAL,
			  "flag bit %d means nothing", bit);
	}
	a.flags = 0;
	a.reserved = 1;
	EXPECT_EQ(mmu_ioctl(fd, MY_MMU_ATTACH, &a), -EINVAL,
		  "reserved must be zero");
	EXPECT_EQ(mmu_ioctl(fd, MY_MMU_ATTACH, NULL), -EFAULT,
		  "there is no structure at NULL");
	EXPECT_EQ(stats_of(fd).mmus, 0, "none of this made an MMU");
	EXPECT_EQ(mmu_attach(fd, test_variant), 0, "the handle is still good");
}

TEST(g5_attach_again_after_detach, 10)
{
	int fd = attached(), i;
	char *p = map_private(N);

	cpu_stamp(p, N, 1);
	for (i = 0; mmu_variants[i]; i++) {
		populate(fd, p, N, WRITE);
		EXPECT_EQ(mmu_detach(fd), 0, "detach");
		EXPECT_EQ(mmu_attach(fd, mmu_variants[i]), 0,
			  "the same handle attaches to %s", mmu_variants[i]);
		EXPECT_EQ(present(fd, p, N), 0, "nothing of before is there");
		device_sees(fd, p, N, 1);
	}
	verify(fd, p, N);
}

#define TAGS	16	/* MMU_RMAP_TAGS: as many lists are there, in turn */

/* One that left its list by half is found when the turn comes round. */
TEST(g5_more_lives_than_lists, 20)
{
	int fd = mmu_open(), i;
	char *p = map_private(1);

	for (i = 0; i < 2 * TAGS + 1; i++) {
		ASSERT_EQ(mmu_attach(fd, test_variant), 0, "attach %d", i);
		populate(fd, p, 1, WRITE);
		EXPECT_EQ(mmu_evict(fd, p), 1, "its list is walked");
		ASSERT_EQ(mmu_detach(fd), 0, "detach");
		wait_for_mmus(fd, 0);
	}
}

TEST(idle_handle_says_not_connected, 10)
{
	struct my_mmu_verify v;
	char *p = map_private(1);
	char buf[8];
	int fd = mmu_open();

	ASSERT_GE(fd, 0, "the device can be opened");
	EXPECT_EQ(mmu_populate(fd, p, MMU_PAGE, 0), -ENOTCONN, "populate");
	EXPECT_EQ(mmu_read(fd, p, buf, 8), -ENOTCONN, "read");
	EXPECT_EQ(mmu_write(fd, p, buf, 8), -ENOTCONN, "write");
	EXPECT_EQ(mmu_entry(fd, p), -ENOTCONN, "query");
	EXPECT_EQ(mmu_verify(fd, NULL, 0, &v), -ENOTCONN, "verify");
	EXPECT_EQ(mmu_configure(fd, 0), -ENOTCONN, "configure");
	EXPECT_EQ(mmu_gup_floor(fd, p, MMU_PAGE, WRITE, 0, NULL), 0,
		  "the floor needs no attached handle");
	EXPECT_GE(mmu_evict(fd, p), 0, "nor does evict");
}

/* 4.24, 4.26 of the skeleton: attach and exit of many, in any order. */
TEST(g5_attach_storm, 20)
{
	pid_t pid[4];
	int i, round, fd;

	for (i = 0; i < 4; i++) {
		pid[i] = spawn();
		if (pid[i])
			continue;
		for (round = 0; round < 40; round++) {
			char *p = map_private(4);

			fd = attached();
			populate(fd, p, 4, WRITE);
			if (round % 3 == 0)
				EXPECT_EQ(mmu_detach(fd), 0, "detach");
			if (round % 3 != 1)
				close(fd);
			munmap(p, 4 * MMU_PAGE);
		}
		_exit(0);	/* with some handles open */
	}
	for (i = 0; i < 4; i++)
		join(pid[i]);
}
