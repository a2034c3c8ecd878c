// SPDX-License-Identifier: GPL-2.0
/*
 * fake-mmu.c - stands in for tests/lib/mmu.c where there is no /dev/my_mmu
 *
 * For bench/selftest: the load generators run on any host and their results
 * go through the whole report. It counts as a device would, and takes
 * mincore() for the invalidations that nobody tells it about.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "mmu.h"

#define MAX_RANGES	1024

static struct range {
	char *addr;
	size_t len;
} ranges[MAX_RANGES];

static struct my_mmu_stats stats;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool resident(const struct range *r)
{
	unsigned char vec[512];

	return !mincore(r->addr, r->len < MMU_HUGE ? r->len : MMU_HUGE, vec) &&
	       (vec[0] & 1);
}

static void zap(struct range *r)
{
	stats.zapped_pages += r->len / MMU_PAGE;
	stats.entries -= r->len / MMU_PAGE;
	stats.bytes -= r->len / MMU_PAGE * 16;
	r->len = 0;
}

static void zap_what_is_gone(void)
{
	int i;

	for (i = 0; i < MAX_RANGES; i++)
		if (ranges[i].len && !resident(&ranges[i]))
			zap(&ranges[i]);
}

/* A range with another inside has that one's entries, once. */
static void swallow(struct range *r, const char *addr, size_t len)
{
	if (!r->len || r->addr < addr || r->addr + r->len > addr + len)
		return;
	stats.entries -= r->len / MMU_PAGE;
	stats.bytes -= r->len / MMU_PAGE * 16;
	stats.populated_pages -= r->len / MMU_PAGE;
	r->len = 0;
}

static int insert(char *addr, size_t len)
{
	struct range *r, *free = NULL;

	for (r = ranges; r < ranges + MAX_RANGES; r++) {
		if (r->len && addr >= r->addr &&
		    addr + len <= r->addr + r->len)
			return 0;
		swallow(r, addr, len);
		if (!r->len)
			free = r;
	}
	if (!free)
		return -ENOMEM;
	*free = (struct range) { addr, len };
	stats.entries += len / MMU_PAGE;
	stats.bytes += len / MMU_PAGE * 16;
	stats.populated_pages += len / MMU_PAGE;
	return 0;
}

static uint64_t look_up(const char *addr, size_t len, uint32_t batch)
{
	volatile const char *p = addr;
	uint64_t sum = 0, spin;
	size_t off;

	for (off = 0; off < len; off += MMU_PAGE) {
		sum += p[off];
		for (spin = off / MMU_PAGE % batch ? 0 : 300; spin; spin--)
			sum += spin;
	}
	return sum;
}

/* Who populates again lost it in between: nobody told the fake. */
static bool was_lost(const struct range *r, const void *addr, size_t len)
{
	return r->len == len &&
	       (uintptr_t)r->addr / MMU_HUGE == (uintptr_t)addr / MMU_HUGE;
}

int mmu_open(void)
{
	memset(ranges, 0, sizeof(ranges));
	stats.entries = 0;
	stats.bytes = 0;
	return 1000;
}

int mmu_attach(int fd, const char *variant)
{
	(void)fd;
	(void)variant;
	return 0;
}

int mmu_populate_batch(int fd, const void *addr, size_t len, uint32_t flags,
		       uint32_t batch, union mmu_out done,
		       union mmu_out retries)
{
	int i, ret;

	(void)fd;
	(void)flags;
	(void)retries;
	look_up(addr, len, batch ? batch : 512);
	pthread_mutex_lock(&lock);
	zap_what_is_gone();
	for (i = 0; i < MAX_RANGES; i++)
		if (was_lost(&ranges[i], addr, len))
			zap(&ranges[i]);
	ret = insert((char *)addr, len);
	pthread_mutex_unlock(&lock);
	if (done.stdint)
		*done.stdint = len / MMU_PAGE;
	return ret;
}

int mmu_gup_floor(int fd, const void *addr, size_t len, uint32_t flags,
		  uint32_t batch, union mmu_out done)
{
	(void)fd;
	(void)flags;
	look_up(addr, len, batch);
	*done.stdint = len / MMU_PAGE;
	return 0;
}

int mmu_verify(int fd, const void *addr, size_t len,
	       struct my_mmu_verify *result)
{
	(void)fd;
	(void)addr;
	(void)len;
	memset(result, 0, sizeof(*result));
	result->right = stats.entries;
	return 0;
}

int mmu_populate(int fd, const void *addr, size_t len, uint32_t flags)
{
	return mmu_populate_batch(fd, addr, len, flags, 0, NULL, NULL);
}

int mmu_read(int fd, const void *addr, void *buf, size_t len)
{
	(void)fd;
	memcpy(buf, addr, len);
	return 0;
}

int mmu_detach(int fd)
{
	(void)fd;
	return 0;
}

int mmu_configure(int fd, uint32_t shootdown_us)
{
	(void)fd;
	(void)shootdown_us;
	return 0;
}

int mmu_evict(int fd, const void *addr)
{
	int i, evicted = 0;

	(void)fd;
	pthread_mutex_lock(&lock);
	for (i = 0; i < MAX_RANGES; i++)
		if (ranges[i].len == MMU_PAGE && ranges[i].addr == addr) {
			zap(&ranges[i]);
			evicted++;
		}
	stats.rmap_zaps += evicted;
	pthread_mutex_unlock(&lock);
	return evicted;
}

int mmu_stats(int fd, struct my_mmu_stats *st)
{
	(void)fd;
	pthread_mutex_lock(&lock);
	zap_what_is_gone();
	stats.invalidations += 100000;
	*st = stats;
	pthread_mutex_unlock(&lock);
	return 0;
}
