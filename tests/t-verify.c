// SPDX-License-Identifier: GPL-2.0
/*
 * t-verify.c - the oracle itself: VERIFY while the address space changes
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common.h"

#define N	8
#define POINT	"/sys/kernel/debug/my_mmu/testpoint/start_counted"

static char *p;
static struct gate unmap, look;

static bool someone_parked(void)
{
	unsigned int parked = 0;
	FILE *f = fopen(POINT, "r");

	if (f) {
		if (fscanf(f, "arrivals %*u parked %u", &parked) != 1)
			parked = 0;
		fclose(f);
	}
	return parked;
}

static void *unmapper(void *arg)
{
	wait_at(&unmap);
	ASSERT_EQ(munmap(p, N * MMU_PAGE), 0, "munmap");
	return arg;
}

/* Nothing here but VERIFY may need the mmap_lock: it would wait, too. */
static void *verifier(void *arg)
{
	struct my_mmu_verify v;

	wait_at(&look);
	ASSERT_EQ(mmu_verify(*(int *)arg, NULL, 0, &v), 0, "VERIFY");
	EXPECT_EQ(v.stale, 0, "what the CPU still maps is not stale");
	return arg;
}

/*
 * munmap() forgets the mapping first and calls the notifier later, with the
 * mmap_lock shared. The zero page is what VERIFY cannot judge without it.
 */
TEST(g3_verify_between_mapping_and_ptes, 30)
{
	int fd = attached(), ms;
	pthread_t t[2];

	own_all_memory();
	p = map_private(N);
	populate(fd, p, N, 0);
	gate_init(&unmap);
	gate_init(&look);
	ASSERT_EQ(pthread_create(&t[0], NULL, unmapper, NULL), 0, "a thread");
	ASSERT_EQ(pthread_create(&t[1], NULL, verifier, &fd), 0, "a thread");
	/* What is done once does not break COW again: that, too, would park. */
	if (write_file(POINT, "off") || someone_parked())
		skip("no test points");
	write_file(POINT, "park");
	pass(&unmap);
	for (ms = 0; ms < 10000 && !someone_parked(); ms += 10)
		sleep_ms(10);
	ASSERT_EQ(someone_parked(), true, "munmap has come to the notifier");
	pass(&look);
	sleep_ms(200);
	write_file(POINT, "off");
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	EXPECT_EQ(present(fd, p, N), 0, "the entries are gone");
	verify(fd, p, 0);
}

static void all_right(int fd, const char *when)
{
	struct my_mmu_verify v;

	ASSERT_EQ(mmu_verify(fd, NULL, 0, &v), 0, "VERIFY");
	EXPECT_EQ(v.right, N, "all entries are right, %s", when);
	EXPECT_EQ(v.stale + v.over_permissive, 0, "none is bad, %s", when);
}

/* What a key allows is up to the thread, which may change it unnoticed. */
TEST(g3_verify_with_a_protection_key, 20)
{
	int fd = attached(), key = pkey_alloc(0, 0);

	if (key < 0)
		skip("no protection keys here (%s)", strerror(errno));
	p = map_private(N);
	ASSERT_EQ(pkey_mprotect(p, N * MMU_PAGE, PROT_READ | PROT_WRITE, key),
		  0, "the pages get a key");
	populate(fd, p, N, WRITE);
	pkey_set(key, PKEY_DISABLE_WRITE);
	all_right(fd, "writing locked");
	pkey_set(key, PKEY_DISABLE_ACCESS);
	all_right(fd, "all locked");
	EXPECT_EQ(madvise(p, N * MMU_PAGE, MADV_DONTNEED), 0, "drop");
	EXPECT_EQ(mmu_populate(fd, p, N * MMU_PAGE, 0), -EFAULT,
		  "what the thread may not read it may not mirror");
	pkey_set(key, 0);
	populate(fd, p, N, WRITE);
	all_right(fd, "unlocked");
}
