// SPDX-License-Identifier: GPL-2.0
/*
 * first-contact - one process, one device, and all that happens between them
 *
 *	first-contact [VARIANT [MICROSECONDS]]
 *
 * MICROSECONDS is how long the device takes to answer a shootdown.
 *
 * Maps four pages, lets the device use them, and then does to them what
 * programs do to their memory, one thing at a time. Before each it says what
 * it will do, on the terminal and in the kernel's trace, where the line stands
 * among the driver's events. Chapter 4 of the book reads that trace.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mmu.h"

#define PAGES	4
#define PLACE	((char *)0x10000000)	/* so that every run shows the same */

static char *const p = PLACE;
static int fd;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "first-contact: %s failed; ", what);
	fprintf(stderr, "the kernel's log (dmesg) may say why\n");
	exit(1);
}

static void map(void)
{
	must(mmap(p, PAGES * MMU_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		  MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == p, "mmap");
	must(!madvise(p, PAGES * MMU_PAGE, MADV_NOHUGEPAGE), "MADV_NOHUGEPAGE");
	memset(p, 1, PAGES * MMU_PAGE);
}

static void populate(void)
{
	must(!mmu_populate(fd, p, PAGES * MMU_PAGE, MY_MMU_POPULATE_WRITE),
	     "MY_MMU_POPULATE");
}

static void discard(void)
{
	must(!madvise(p + MMU_PAGE, MMU_PAGE, MADV_DONTNEED), "MADV_DONTNEED");
}

static void device_read(void)
{
	char byte = 1;

	must(!mmu_read(fd, p + MMU_PAGE, &byte, 1), "MY_MMU_READ");
	must(!byte, "the device reads what was there before");
}

static void page_out(void)
{
	must(!madvise(p + 2 * MMU_PAGE, MMU_PAGE, MADV_PAGEOUT),
	     "MADV_PAGEOUT");
}

static void protect(void)
{
	must(!mprotect(p, PAGES * MMU_PAGE, PROT_READ), "mprotect");
}

static void unprotect(void)
{
	must(!mprotect(p, PAGES * MMU_PAGE, PROT_READ | PROT_WRITE),
	     "mprotect");
}

/* The child keeps its copy until the parent has written. */
static void fork_and_write(void)
{
	int gate[2];
	pid_t child;
	char byte;

	must(!pipe(gate), "pipe");
	child = fork();
	must(child >= 0, "fork");
	if (!child) {
		close(gate[1]);
		_exit(read(gate[0], &byte, 1) != 0);
	}
	*(volatile char *)p = 2;
	close(gate[0]);
	close(gate[1]);
	waitpid(child, NULL, 0);
}

static void unmap(void)
{
	must(!munmap(p, PAGES * MMU_PAGE), "munmap");
}

/* region: steps */
static const struct step {
	const char *what;
	void (*run)(void);
} steps[] = {
	{ "map four pages and write to them", map },
	{ "populate: the device may use all four", populate },
	{ "discard the second (MADV_DONTNEED)", discard },
	{ "the device reads the second", device_read },
	{ "page out the third (MADV_PAGEOUT)", page_out },
	{ "make all four read-only (mprotect)", protect },
	{ "and writable again", unprotect },
	{ "populate once more", populate },
	{ "fork, and write to the first", fork_and_write },
	{ "munmap", unmap },
};

/* endregion: steps */

static void say(const char *what)
{
	int marker = open("/sys/kernel/tracing/trace_marker",
			  O_WRONLY | O_CLOEXEC);

	puts(what);
	if (marker < 0)
		return;
	dprintf(marker, "-- %s\n", what);
	close(marker);
}

static void attach(const char *variant)
{
	fd = mmu_open_attached(variant, 0);
	if (fd < 0) {
		fprintf(stderr, "first-contact: cannot attach to %s: %s\n",
			variant, strerror(-fd));
		fprintf(stderr, "variants are listed in %s\n",
			"/sys/kernel/debug/my_mmu/variants");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	size_t i;

	attach(argc > 1 ? argv[1] : mmu_variants[0]);
	if (argc > 2)
		must(!mmu_configure(fd, atoi(argv[2])), "MY_MMU_CONFIGURE");
	for (i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
		say(steps[i].what);
		steps[i].run();
	}
	say("exit");
	return 0;
}
