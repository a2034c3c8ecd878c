// SPDX-License-Identifier: GPL-2.0
/*
 * mmu-bytes.c - memory that the driver takes for pages, by how many and where
 *
 *	mmu-bytes VARIANT...
 *
 * Prints a table (CSV). "dense": so many pages one after the other. "sparse":
 * so many in each of 64 leaf tables. Each row is a process of its own, so that
 * nothing is left of the one before; the same every time, whatever the machine.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mmu.h"

#define TABLE_PAGES	(MMU_HUGE / MMU_PAGE)
#define TABLES		64
#define DENSE_MOST	(16 * TABLE_PAGES)

static void die(const char *what, int error)
{
	fprintf(stderr, "mmu-bytes: %s: %s\n", what, strerror(error));
	exit(1);
}

static char *map_tables(unsigned int tables)
{
	char *p = mmap(NULL, (tables + 1) * MMU_HUGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("mmap", ENOMEM);
	return p + (-(unsigned long)p & (MMU_HUGE - 1));
}

static void populate(int fd, char *p, unsigned int pages)
{
	int ret = mmu_populate(fd, p, pages * MMU_PAGE,
			       MY_MMU_POPULATE_WRITE);

	if (ret)
		die("MY_MMU_POPULATE", -ret);
}

/* What the process before has left is freed later, by RCU's callbacks. */
static void wait_for_nothing(int fd)
{
	struct my_mmu_stats st;
	int tries;

	for (tries = 0; tries < 500; tries++) {
		if (!mmu_stats(fd, &st) && !st.mmus && !st.entries && !st.bytes)
			return;
		usleep(10000);
	}
	fputs("mmu-bytes: somebody else has an external MMU: end that first\n",
	      stderr);
	exit(1);
}

static int open_attached(const char *variant)
{
	int fd = mmu_open(), ret;

	if (fd < 0)
		die(MY_MMU_DEVICE_PATH, -fd);
	wait_for_nothing(fd);
	ret = mmu_attach(fd, variant);
	if (ret)
		die(variant, -ret);
	return fd;
}

/* One row: @each pages in each of @tables, or @each pages in a row. */
static void measure(const char *variant, const char *shape,
		    unsigned int each, unsigned int tables)
{
	int fd = open_attached(variant), ret;
	char *p = map_tables(TABLES);
	struct my_mmu_stats st;
	unsigned int i;

	for (i = 0; i < tables; i++)
		populate(fd, p + i * MMU_HUGE, each);
	ret = mmu_stats(fd, &st);
	if (ret)
		die("MY_MMU_GET_STATS", -ret);
	if (st.entries != (unsigned long long)each * tables) {
		fputs("mmu-bytes: a populate entered less than it said\n",
		      stderr);
		exit(1);
	}
	printf("%s,%s,%u,%u,%llu,%llu\n", variant, shape, each * tables, each,
	       (unsigned long long)st.tables, (unsigned long long)st.bytes);
	fflush(stdout);
}

static void in_a_child(const char *variant, const char *shape,
		       unsigned int each, unsigned int tables)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid) {
		measure(variant, shape, each, tables);
		exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		exit(1);
}

/* About two steps for each doubling: sizes that double show as teeth. */
static unsigned int next(unsigned int pages)
{
	return pages < 4 ? pages + 1 : pages + pages / 2;
}

int main(int argc, char **argv)
{
	unsigned int pages;
	int i;

	if (argc < 2) {
		fputs("mmu-bytes: name the variants that are loaded\n", stderr);
		return 1;
	}
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		die("PR_SET_THP_DISABLE", EINVAL);
	puts("variant,shape,pages,per_table,tables,bytes");
	for (i = 1; i < argc; i++) {
		for (pages = 1; pages <= DENSE_MOST; pages = next(pages))
			in_a_child(argv[i], "dense", pages, 1);
		for (pages = 1; pages <= TABLE_PAGES; pages *= 2)
			in_a_child(argv[i], "sparse", pages, TABLES);
	}
	return 0;
}
