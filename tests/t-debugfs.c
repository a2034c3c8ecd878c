// SPDX-License-Identifier: GPL-2.0
/*
 * t-debugfs.c - what /sys/kernel/debug/my_mmu says is what GET_STATS says
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define N	16
#define FOLDER	"/sys/kernel/debug/my_mmu/"
#define STAT(name) { #name, offsetof(struct my_mmu_stats, name) }

static const struct {
	const char *name;
	size_t offset;
} stats[] = {
	STAT(mmus), STAT(entries), STAT(tables), STAT(bytes), STAT(attaches),
	STAT(populated_pages), STAT(populate_batches), STAT(retries),
	STAT(waits), STAT(invalidations), STAT(nonblockable),
	STAT(zapped_pages), STAT(rmap_callbacks), STAT(rmap_zaps),
	STAT(aging), STAT(device_reads), STAT(device_writes),
	STAT(device_faults), STAT(contended), STAT(rmap_hooked),
	STAT(rmap_walks), STAT(rmap_filtered), STAT(rmap_hook_active),
};

#define STATS	(sizeof(stats) / sizeof(*stats))

static __u64 value_in(const struct my_mmu_stats *s, size_t i)
{
	return *(const __u64 *)((const char *)s + stats[i].offset);
}

/* Counts only grow: what the file says lies between two answers. */
static void compare(FILE *f, int fd)
{
	struct my_mmu_stats first = stats_of(fd), second;
	unsigned long long value[STATS];
	char name[32];
	size_t i;

	for (i = 0; i < STATS; i++) {
		ASSERT_EQ(fscanf(f, "%31s %llu", name, &value[i]), 2,
			  "line %zu: a name and a number", i);
		EXPECT_EQ(strcmp(name, stats[i].name), 0, "line %zu is %s", i,
			  stats[i].name);
	}
	EXPECT_EQ(fscanf(f, "%31s", name), EOF, "there are no more");
	second = stats_of(fd);
	for (i = 0; i < STATS; i++) {
		EXPECT_GE(value[i], value_in(&first, i), "%s",
			  stats[i].name);
		EXPECT_LE(value[i], value_in(&second, i), "%s",
			  stats[i].name);
	}
}

TEST(debugfs_stats_are_those_of_the_ioctl, 20)
{
	FILE *f = fopen(FOLDER "stats", "r");
	int fd = attached();
	char *p = map_private(N);

	ASSERT_NE(f, NULL, FOLDER "stats can be read");
	device_stamp(fd, p, N, 1);
	device_sees(fd, p, N, 1);
	EXPECT_EQ(mmu_evict(fd, p), 1, "evict");
	ASSERT_EQ(madvise(p, N / 2 * MMU_PAGE, MADV_DONTNEED), 0, "discard");
	compare(f, fd);
	fclose(f);
	verify(fd, p, N);
}

TEST(debugfs_names_the_variants, 20)
{
	FILE *f = fopen(FOLDER "variants", "r");
	unsigned int found = 0;
	char name[32];

	ASSERT_NE(f, NULL, FOLDER "variants can be read");
	while (fscanf(f, "%31s", name) == 1)
		found += !strcmp(name, test_variant);
	fclose(f);
	EXPECT_EQ(found, 1, "%s is there, once", test_variant);
}
