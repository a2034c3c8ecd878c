// SPDX-License-Identifier: GPL-2.0
/*
 * common-os.c - page tables as /proc shows them, processes, files; see common.h
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

#define MPOL_MF_MOVE		2

/* --- what the CPU's side looks like --------------------------------------- */

static void read_words(const char *path, uint64_t index, size_t n,
		       uint64_t *words)
{
	ssize_t len = n * sizeof(*words);
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_GE(fd, 0, "%s can be opened", path);
	ASSERT_EQ(pread(fd, words, len, index * sizeof(*words)), len,
		  "%s has words from %#llx on", path,
		  (unsigned long long)index);
	close(fd);
}

void pagemap_of(const void *p, size_t pages, uint64_t *entries)
{
	read_words("/proc/self/pagemap", (uintptr_t)p / MMU_PAGE, pages,
		   entries);
}

long smaps_kb(const char *p, const char *name)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	long kb, found = -1;
	bool here = false;
	char line[512];

	ASSERT_NE(f, NULL, "smaps");
	while (found < 0 && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (uintptr_t)p && (uintptr_t)p < end;
		else if (here && !strncmp(line, name, strlen(name)) &&
			 sscanf(line + strlen(name), ": %ld kB", &kb) == 1)
			found = kb;
	}
	fclose(f);
	return found;
}

uint64_t pagemap(const void *p)
{
	uint64_t entry;

	pagemap_of(p, 1, &entry);
	return entry;
}

uint64_t *pagemap_alloc(const void *p, size_t pages)
{
	uint64_t *entries = calloc(pages + 1, sizeof(*entries));

	ASSERT_NE(entries, NULL, "memory");
	pagemap_of(p, pages, entries);
	return entries;
}

size_t count_swapped(const char *p, size_t pages)
{
	uint64_t *entry = pagemap_alloc(p, pages);
	size_t i, n = 0;

	for (i = 0; i < pages; i++)
		n += !!(entry[i] & PM_SWAPPED);
	free(entry);
	return n;
}

/* Those that wait on another CPU's list cannot be taken at once. */
void page_all_out_(char *p, size_t pages)
{
	double end = seconds() + 5;

	while (count_swapped(p, pages) < pages && seconds() < end)
		madvise(p, pages * MMU_PAGE, MADV_PAGEOUT);
	ASSERT_EQ(count_swapped(p, pages), pages, "all are unmapped");
}

/* Of the frames that were ours: a page that somebody holds stays there. */
size_t still_in_swap_cache(const uint64_t *old, size_t pages)
{
	int flags = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	size_t i, n = 0;
	uint64_t word;

	ASSERT_GE(flags, 0, "kpageflags");
	for (i = 0; i < pages; i++) {
		ASSERT_EQ(pread(flags, &word, 8, (old[i] & PM_PFN) * 8), 8,
			  "read");
		n += word >> KPF_SWAPCACHE & 1;
	}
	close(flags);
	return n;
}

size_t count_moved(const char *p, size_t pages, const uint64_t *old)
{
	uint64_t *entry = pagemap_alloc(p, pages);
	size_t i, n = 0;

	for (i = 0; i < pages; i++)
		n += (entry[i] & PM_PFN) != (old[i] & PM_PFN);
	free(entry);
	return n;
}

size_t count_merged(const char *p, size_t pages)
{
	uint64_t *entry = pagemap_alloc(p, pages);
	size_t i, n = 0;

	for (i = 0; i < pages; i++)
		n += (entry[i] & PM_PFN) == (entry[0] & PM_PFN);
	free(entry);
	return n;
}

static bool has_flag(uint64_t entry, unsigned int bit)
{
	uint64_t flags;

	read_words("/proc/kpageflags", entry & PM_PFN, 1, &flags);
	return flags >> bit & 1;
}

bool is_thp(const void *p)
{
	uint64_t entry = pagemap(p);

	return entry & PM_PRESENT && has_flag(entry, KPF_THP);
}

int split_thp(char *p)
{
	int tries, ret = 0;

	for (tries = 0; tries < 50 && !ret && is_thp(p); tries++) {
		ret = write_file("/sys/kernel/debug/split_huge_pages",
				 "%d,%#lx,%#lx", getpid(), (unsigned long)p,
				 (unsigned long)p + MMU_HUGE);
		sleep_ms(tries);
	}
	return ret;
}

size_t count_flags(const char *p, size_t pages, unsigned int bit)
{
	uint64_t *entry = pagemap_alloc(p, pages);
	size_t i, n = 0;

	for (i = 0; i < pages; i++)
		n += entry[i] & PM_PRESENT && has_flag(entry[i], bit);
	free(entry);
	return n;
}

size_t count_tails(const char *p, size_t pages)
{
	return count_flags(p, pages, KPF_COMPOUND_TAIL);
}

static bool is_tail_of(uint64_t entry, uint64_t pfn)
{
	return entry & PM_PRESENT && (entry & PM_PFN) == pfn &&
	       has_flag(entry, KPF_COMPOUND_TAIL);
}

size_t folio_pages(const char *p)
{
	uint64_t first = pagemap(p);
	size_t n = 1;

	if (!(first & PM_PRESENT) || has_flag(first, KPF_COMPOUND_TAIL))
		return 0;
	while (is_tail_of(pagemap(p + n * MMU_PAGE), (first & PM_PFN) + n))
		n++;
	return n;
}

bool have_lockdep(void)
{
	return !access("/proc/lockdep", F_OK);
}

/* /proc/swaps has a headline, and a line per device. */
bool have_swap(void)
{
	FILE *f = fopen("/proc/swaps", "r");
	char buf[256];
	int lines = 0;

	if (!f)
		return false;
	while (fgets(buf, sizeof(buf), f))
		lines++;
	fclose(f);
	return lines > 1;
}

/* --- processes ------------------------------------------------------------ */

pid_t spawn(void)
{
	pid_t parent = getpid(), pid = fork();

	ASSERT_GE(pid, 0, "fork works");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(EXIT_FAILURE);
	}
	return pid;
}

void join_(pid_t pid)
{
	int status;

	ASSERT_EQ(waitpid(pid, &status, 0), pid, "the child can be waited for");
	ASSERT_EQ(WIFSIGNALED(status) ? WTERMSIG(status) : 0, 0,
		  "no signal killed the child");
	ASSERT_EQ(WEXITSTATUS(status), 0, "the child did its part");
}

void kill_and_reap(pid_t pid)
{
	kill(pid, SIGKILL);
	ASSERT_EQ(waitpid(pid, NULL, 0), pid, "the killed child dies");
}

void gate_init(struct gate *g)
{
	ASSERT_EQ(pipe2(g->fd, O_CLOEXEC), 0, "pipe works");
}

void pass(struct gate *g)
{
	ASSERT_EQ(write(g->fd[1], "", 1), 1, "the gate opens");
}

void wait_at(struct gate *g)
{
	char c;

	ASSERT_EQ(read(g->fd[0], &c, 1), 1, "the gate lets us through");
}

/* --- files of the kernel -------------------------------------------------- */

int write_file(const char *path, const char *fmt, ...)
{
	char buf[256];
	ssize_t done;
	va_list ap;
	int fd, n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	done = write(fd, buf, n);
	n = done < 0 ? -errno : 0;
	close(fd);
	return n;
}

long read_number(const char *path)
{
	char buf[64] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	return n < 0 ? -EIO : strtol(buf, NULL, 0);
}

long sleeps(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nvcsw;
}

double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

void sleep_ms(unsigned int ms)
{
	struct timespec ts = {
		.tv_sec = ms / 1000,
		.tv_nsec = ms % 1000 * 1000000l,
	};

	nanosleep(&ts, NULL);
}

void stay_on_one_cpu(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	ASSERT_EQ(sched_setaffinity(0, sizeof(here), &here), 0, "affinity");
}

bool two_nodes(void)
{
	return !access("/sys/devices/system/node/node1", F_OK);
}

void move_to_node(char *p, size_t pages, int node)
{
	int status = -1;
	size_t i;

	for (i = 0; i < pages; i++, p += MMU_PAGE) {
		ASSERT_EQ(syscall(SYS_move_pages, 0, 1ul, &p, &node, &status,
				  MPOL_MF_MOVE), 0, "move_pages");
		ASSERT_EQ(status, node, "page %zu is there", i);
	}
}
