// SPDX-License-Identifier: GPL-2.0
/*
 * util.c - time, chance, memory, and saying what went wrong
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "bench.h"

uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* splitmix64: any seed will do, also 0 and neighbours of each other. */
uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

void shuffle(int *order, int n, uint64_t *state)
{
	int i, j, tmp;

	for (i = 0; i < n; i++)
		order[i] = i;
	for (i = n - 1; i > 0; i--) {
		j = next_random(state) % (i + 1);
		tmp = order[i];
		order[i] = order[j];
		order[j] = tmp;
	}
}

/* The first failure of a run is the one that is reported. */
int fail(struct space *s, const char *fmt, ...)
{
	char *text = s->result->error;
	va_list ap;

	if (text[0])
		return -1;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(s->result->error), fmt, ap);
	va_end(ap);
	return -1;
}

void die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("mmu-bench: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/*
 * Returns when @pid is gone, and the children that it has left to us, as main()
 * has asked: a device that is still going away would be measured with the next.
 */
int wait_for_all_of(pid_t pid)
{
	int status, ret = -1;
	pid_t gone;

	while ((gone = wait(&status)) > 0)
		if (gone == pid)
			ret = status;
	return ret;
}

/* For perf: as much of @name as the kernel keeps, 15 characters. */
void name_task(const char *name)
{
	prctl(PR_SET_NAME, name);
}

/* "2 threads, 16 pages"; good until the next call */
const char *load_text(const struct load *load)
{
	static char text[48];

	snprintf(text, sizeof(text), "%u thread%s, %u page%s", load->threads,
		 load->threads == 1 ? "" : "s", load->pages,
		 load->pages == 1 ? "" : "s");
	return text;
}

/* A line when something is worth it, and every few seconds otherwise. */
void progress(bool always, const char *fmt, ...)
{
	static uint64_t last;
	uint64_t now = now_ns();
	va_list ap;

	if (!always && now - last < 3 * NSEC_PER_SEC)
		return;
	last = now;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

/*
 * Far from where the kernel puts what a library maps: the hole that an
 * munmap() leaves stays free until its owner maps it again.
 */
#define APART	(16ul << 40)

/* Private anonymous memory that begins at a multiple of @align. */
void *map_memory(size_t len, size_t align, void **all, size_t *all_len)
{
	static uintptr_t next = APART;
	uintptr_t p;

	*all_len = len + align;
	*all = mmap((void *)next, *all_len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (*all == MAP_FAILED)
		return NULL;
	next += *all_len;
	p = ((uintptr_t)*all + align - 1) & ~(uintptr_t)(align - 1);
	return (void *)p;
}

int open_device(struct space *s)
{
	s->fd = mmu_open();
	if (s->fd < 0)
		return fail(s, "%s: %s (is my_mmu_driver loaded?)",
			    MY_MMU_DEVICE_PATH, strerror(-s->fd));
	return 0;
}

int attach_device(struct space *s, const char *variant)
{
	int ret = mmu_attach(s->fd, variant);

	if (ret)
		return fail(s, "cannot attach to %s: %s (is it loaded?)",
			    variant, strerror(-ret));
	return 0;
}

int take_stats(struct space *s, struct my_mmu_stats *st)
{
	int ret;

	memset(st, 0, sizeof(*st));
	if (s->fd < 0)
		return 0;
	ret = mmu_stats(s->fd, st);
	if (ret)
		return fail(s, "MY_MMU_GET_STATS: %s", strerror(-ret));
	return 0;
}
