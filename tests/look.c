// SPDX-License-Identifier: GPL-2.0
/*
 * look - do one thing to memory that a device mirrors, for others to watch
 *
 *	look SCENARIO PAGES FROM+COUNT DEVICE_FROM+DEVICE_COUNT
 *
 * Maps PAGES pages, p, at 0x100000000, lets a device populate DEVICE_COUNT of
 * them, and does to COUNT pages what the scenario is called after. A second
 * mapping is q, at 0x200000000. Before each step it says what it will do, on
 * the terminal and in the kernel's trace, where the line stands among the
 * driver's events. Lab 0 draws scenarios and numbers.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mmu.h"

#define RW		(PROT_READ | PROT_WRITE)
#define HUGE_PAGES	(MMU_HUGE / MMU_PAGE)
#define MOST		400
#define MPOL_MF_MOVE	2
#define PM_PFN		((1ull << 55) - 1)
#define KPF_THP		22

/* Each run shows the same, and nothing else is near. */
static char *const p = (char *)0x100000000;
static char *const q = (char *)0x200000000;
static unsigned int pages, from, count, device_from, device_count;
static int fd, file;

static void must(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "look: %s failed; ", what);
	fprintf(stderr, "the kernel's log (dmesg) may say why\n");
	exit(1);
}

__attribute__((format(printf, 1, 2)))
static void say(const char *fmt, ...)
{
	int marker = open("/sys/kernel/tracing/trace_marker",
			  O_WRONLY | O_CLOEXEC);
	static unsigned int step;
	char what[96];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	printf("%u  %s\n", ++step, what);
	fflush(stdout);
	if (marker < 0)
		return;
	dprintf(marker, "-- %u %s\n", step, what);
	close(marker);
}

static char *at(char *base, size_t page)
{
	return base + page * MMU_PAGE;
}

/* "pages 3 to 9", as a step says it. */
static const char *range(unsigned int first, unsigned int n)
{
	static char text[2][40];
	static int turn;
	char *buf = text[turn ^= 1];

	snprintf(buf, sizeof(*text), n > 1 ? "pages %u to %u" : "page %u",
		 first, first + n - 1);
	return buf;
}

static void attach(void)
{
	fd = mmu_open_attached(mmu_variants[0], 0);
	must(fd >= 0, "MY_MMU_ATTACH");
}

static void populate(char *base, unsigned int first, unsigned int n,
		     unsigned int flags)
{
	must(!mmu_populate(fd, at(base, first), n * MMU_PAGE, flags),
	     "MY_MMU_POPULATE");
}

static void map(char *where, size_t n, int flags, off_t first)
{
	int file_or_none = flags & MAP_ANONYMOUS ? -1 : file;

	must(mmap(where, n * MMU_PAGE, RW, flags | MAP_FIXED_NOREPLACE,
		  file_or_none, first * MMU_PAGE) == where, "mmap");
}

static void write_pages(char *base, unsigned int first, unsigned int n)
{
	volatile char *byte = at(base, first);

	for (; n; n--, byte += MMU_PAGE)
		*byte = 2;
}

/* --- what there is before ------------------------------------------------- */

static void private_memory(void)
{
	say("map p, %u pages, and write to them", pages);
	map(p, pages, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	must(!madvise(p, pages * MMU_PAGE, MADV_NOHUGEPAGE), "MADV_NOHUGEPAGE");
	write_pages(p, 0, pages);
	say("populate %s for writing", range(device_from, device_count));
	populate(p, device_from, device_count, MY_MMU_POPULATE_WRITE);
}

static void untouched_memory(void)
{
	say("map p, %u pages, and leave them alone", pages);
	map(p, pages, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	must(!madvise(p, pages * MMU_PAGE, MADV_NOHUGEPAGE), "MADV_NOHUGEPAGE");
	say("populate %s for reading", range(device_from, device_count));
	populate(p, device_from, device_count, 0);
}

/* All of a file is p, its second half is q, too. */
static void mapped_file(void)
{
	unsigned int half = pages / 2;

	say("map p, a file of %u pages, and q, its %s", pages,
	    range(half, pages - half));
	file = syscall(SYS_memfd_create, "look", 0);
	must(file >= 0 && !ftruncate(file, pages * MMU_PAGE), "memfd_create");
	map(p, pages, MAP_SHARED, 0);
	map(q, pages - half, MAP_SHARED, half);
	write_pages(p, 0, pages);
	say("populate %s of p and all of q for writing",
	    range(device_from, device_count));
	populate(p, device_from, device_count, MY_MMU_POPULATE_WRITE);
	populate(q, 0, pages - half, MY_MMU_POPULATE_WRITE);
}

static unsigned long long word_of(const char *path, unsigned long long index)
{
	int words = open(path, O_RDONLY | O_CLOEXEC);
	unsigned long long word;

	must(words >= 0 && pread(words, &word, 8, index * 8) == 8, path);
	close(words);
	return word;
}

static bool is_huge(const char *where)
{
	unsigned long long entry = word_of("/proc/self/pagemap",
					   (uintptr_t)where / MMU_PAGE);

	return word_of("/proc/kpageflags", entry & PM_PFN) >> KPF_THP & 1;
}

/* Once broken, nobody is to mend it. */
static void huge_page(void)
{
	must(pages == HUGE_PAGES, "a huge page of 512 pages");
	say("map p, a huge page, and write to it");
	map(p, pages, MAP_PRIVATE | MAP_ANONYMOUS, 0);
	must(!madvise(p, MMU_HUGE, MADV_HUGEPAGE), "MADV_HUGEPAGE");
	write_pages(p, 0, 1);
	must(is_huge(p), "to get a huge page");
	must(!madvise(p, MMU_HUGE, MADV_NOHUGEPAGE), "MADV_NOHUGEPAGE");
	say("populate %s for writing", range(device_from, device_count));
	populate(p, device_from, device_count, MY_MMU_POPULATE_WRITE);
}

/* --- what is done to it --------------------------------------------------- */

static void unmap(void)
{
	say("munmap of %s", range(from, count));
	must(!munmap(at(p, from), count * MMU_PAGE), "munmap");
}

static void map_over(void)
{
	say("mmap(MAP_FIXED) over %s", range(from, count));
	must(mmap(at(p, from), count * MMU_PAGE, RW, MAP_PRIVATE |
		  MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at(p, from), "mmap");
}

static void advise(int advice, const char *name)
{
	say("%s of %s", name, range(from, count));
	must(!madvise(at(p, from), count * MMU_PAGE, advice), name);
}

static void discard(void)
{
	advise(MADV_DONTNEED, "MADV_DONTNEED");
}

static void offer(void)
{
	advise(MADV_FREE, "MADV_FREE");
	say("the CPU writes %s", range(from, count));
	write_pages(p, from, count);
}

static void page_out(void)
{
	advise(MADV_PAGEOUT, "MADV_PAGEOUT");
}

static void protect(void)
{
	say("mprotect(PROT_READ) of %s", range(from, count));
	must(!mprotect(at(p, from), count * MMU_PAGE, PROT_READ), "mprotect");
	say("mprotect(PROT_READ | PROT_WRITE) of the same");
	must(!mprotect(at(p, from), count * MMU_PAGE, RW), "mprotect");
}

/* The child keeps its copy until the parent has written. */
static void fork_and_write(void)
{
	int gate[2];
	pid_t child;
	char byte;

	must(!pipe(gate), "pipe");
	say("fork");
	child = fork();
	must(child >= 0, "fork");
	if (!child) {
		close(gate[1]);
		_exit(read(gate[0], &byte, 1) != 0);
	}
	say("the parent writes %s", range(from, count));
	write_pages(p, from, count);
	say("the parent writes the same again");
	write_pages(p, from, count);
	close(gate[0]);
	close(gate[1]);
	waitpid(child, NULL, 0);
}

static void write_all(void)
{
	say("the CPU writes %s", range(from, count));
	write_pages(p, from, count);
}

static void move_to_node(unsigned int first, unsigned int n, int node)
{
	int nodes[MOST], status[MOST];
	void *where[MOST];
	unsigned int i;

	for (i = 0; i < n; i++) {
		where[i] = at(p, first + i);
		nodes[i] = node;
	}
	must(!syscall(SYS_move_pages, 0, (long)n, where, nodes, status,
		      MPOL_MF_MOVE), "move_pages (are there two nodes?)");
	for (i = 0; i < n; i++)
		must(status[i] == node, "to move a page");
}

static void move_pages(void)
{
	say("move_pages of %s to the other NUMA node", range(from, count));
	move_to_node(from, count, 1);
}

static void punch(void)
{
	say("%s are punched out of the file", range(from, count));
	must(!fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			from * MMU_PAGE, count * MMU_PAGE), "fallocate");
}

static void cut(void)
{
	say("the file is cut to %u pages", from);
	must(!ftruncate(file, from * MMU_PAGE), "ftruncate");
}

static void move_with(int flags)
{
	must(mremap(at(p, from), count * MMU_PAGE, count * MMU_PAGE,
		    MREMAP_MAYMOVE | MREMAP_FIXED | flags, q) == q, "mremap");
}

static void move(void)
{
	say("mremap of %s to q", range(from, count));
	move_with(0);
}

static void move_contents(void)
{
	say("mremap(MREMAP_DONTUNMAP) of %s to q", range(from, count));
	move_with(MREMAP_DONTUNMAP);
}

static void shrink(void)
{
	say("mremap of p to its first %u pages", from);
	must(mremap(p, pages * MMU_PAGE, from * MMU_PAGE, 0) == p, "mremap");
}

static void forget_dirty(void)
{
	int refs = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	say("4 is written to /proc/self/clear_refs");
	must(refs >= 0 && write(refs, "4", 1) == 1, "clear_refs");
	close(refs);
	say("the CPU writes %s", range(from, count));
	write_pages(p, from, count);
}

static const struct scenario {
	const char *name;
	void (*before)(void);
	void (*run)(void);
} scenarios[] = {
	{ "munmap", private_memory, unmap },
	{ "map_fixed", private_memory, map_over },
	{ "dontneed", private_memory, discard },
	{ "free", private_memory, offer },
	{ "pageout", private_memory, page_out },
	{ "mprotect", private_memory, protect },
	{ "fork", private_memory, fork_and_write },
	{ "zero_page", untouched_memory, write_all },
	{ "move_pages", private_memory, move_pages },
	{ "punch_hole", mapped_file, punch },
	{ "truncate", mapped_file, cut },
	{ "mremap", private_memory, move },
	{ "dontunmap", private_memory, move_contents },
	{ "shrink", private_memory, shrink },
	{ "soft_dirty", private_memory, forget_dirty },
	{ "huge_munmap", huge_page, unmap },
	{ "huge_dontneed", huge_page, discard },
	{ "huge_mprotect", huge_page, protect },
};

/* --- the command line ----------------------------------------------------- */

static void usage(void)
{
	size_t i;

	fprintf(stderr, "Usage: look SCENARIO PAGES FROM+COUNT "
		"DEVICE_FROM+DEVICE_COUNT\nFor example: look munmap 24 5+7 "
		"3+12\nScenarios:");
	for (i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
		fprintf(stderr, " %s", scenarios[i].name);
	fprintf(stderr, "\n");
	exit(2);
}

static void read_range(const char *text, unsigned int *first, unsigned int *n)
{
	char end;

	if (sscanf(text, "%u+%u%c", first, n, &end) != 2 || !*n ||
	    *first >= pages || *n > pages - *first)
		usage();
}

static void read_numbers(char **argv)
{
	char end;

	if (sscanf(argv[0], "%u%c", &pages, &end) != 1 || !pages ||
	    (pages > MOST && pages != HUGE_PAGES))
		usage();
	read_range(argv[1], &from, &count);
	read_range(argv[2], &device_from, &device_count);
}

/* What a CPU keeps back for itself is then ours. */
static void stay_on_one_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	must(!sched_setaffinity(0, sizeof(one), &one), "sched_setaffinity");
}

int main(int argc, char **argv)
{
	const struct scenario *s = scenarios;
	const struct scenario *end = s + sizeof(scenarios) / sizeof(*s);

	while (argc == 5 && s < end && strcmp(argv[1], s->name))
		s++;
	if (argc != 5 || s == end)
		usage();
	read_numbers(argv + 2);
	stay_on_one_cpu();
	attach();
	s->before();
	s->run();
	say("exit");
	return 0;
}
