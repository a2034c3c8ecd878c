// SPDX-License-Identifier: GPL-2.0
/*
 * sees-itself.c - what a program can see of its own memory
 *
 * Each line is something that a mirror may change. tests/mirror-run-check runs
 * this without a mirror, with a gentle and with an eager one, and compares.
 * Between a cause and the look at it, a mirror gets the time to look around.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mirror.h"

#define PAGE		4096ul
#define HUGE		(2ul << 20)
#define N		64
#define MANY		512	/* an eager mirror brings in one of 64 a pass */
#define PASSES		20
#define TRIES		40

#define PM_SOFT_DIRTY	(1ull << 55)
#define PM_EXCLUSIVE	(1ull << 56)
#define PM_SWAPPED	(1ull << 62)
#define PM_PRESENT	(1ull << 63)
#define PM_PFN		((1ull << 55) - 1)

#ifndef MADV_COLLAPSE	/* newer than the C library of Debian 12 */
#define MADV_COLLAPSE		25
#endif

static const volatile struct mirror_stats *stats;

static void must(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

/* Without a mirror there is nobody to wait for. */
static void find_mirror(void)
{
	const char *path = getenv("LD_PRELOAD") ? getenv(MIRROR_STATS) : NULL;
	int fd = path && *getenv("LD_PRELOAD") ? open(path, O_RDONLY) : -1;

	if (fd < 0)
		return;
	stats = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	must(stats != MAP_FAILED, path);
	close(fd);
}

static void let_it_look(void)
{
	uint64_t until;

	if (!stats)
		return;
	for (until = stats->passes + PASSES; stats->passes < until;)
		usleep(2000);
}

static char *map(size_t len, int flags)
{
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	must(p != MAP_FAILED, "mmap");
	return p;
}

static char *map_written(size_t pages)
{
	char *p = map(pages * PAGE, 0);
	size_t i;

	madvise(p, pages * PAGE, MADV_NOHUGEPAGE);
	for (i = 0; i < pages; i++)
		*(size_t *)(p + i * PAGE) = i + 1;
	return p;
}

static void write_to(const char *path, const char *what)
{
	int fd = open(path, O_WRONLY);

	must(fd >= 0 && write(fd, what, strlen(what)) > 0, path);
	close(fd);
}

static uint64_t entry_of(const char *p)
{
	static int fd = -1;
	uint64_t entry = 0;

	if (fd < 0)
		fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	must(pread(fd, &entry, 8, (uintptr_t)p / PAGE * 8) == 8, "pagemap");
	return entry;
}

static unsigned int count(const char *p, size_t pages, uint64_t bit)
{
	unsigned int n = 0;

	while (pages--)
		n += !!(entry_of(p + pages * PAGE) & bit);
	return n;
}

static unsigned int count_same_frame(const char *p, size_t pages)
{
	uint64_t first = entry_of(p) & PM_PFN;
	unsigned int n = 0;

	while (pages--)
		n += (entry_of(p + pages * PAGE) & PM_PFN) == first;
	return n;
}

/* The number behind @key, in @path, behind the line that begins with @from. */
static long number(const char *path, const char *from, const char *key)
{
	char line[256];
	FILE *f = fopen(path, "re");
	long value = -1;
	bool on = !*from;

	must(f, path);
	while (value < 0 && fgets(line, sizeof(line), f)) {
		on |= !strncmp(line, from, strlen(from));
		if (on && !strncmp(line, key, strlen(key)))
			value = strtol(line + strlen(key), NULL, 10);
	}
	fclose(f);
	return value;
}

static long free_huge_pages(void)
{
	return number("/proc/meminfo", "", "HugePages_Free:");
}

/* --- what a gentle mirror leaves as it is --------------------------------- */

static void soft_dirty(void)
{
	char *p = map_written(N);

	write_to("/proc/self/clear_refs", "4");
	let_it_look();
	printf("soft-dirty: %u of %u pages that nobody wrote\n",
	       count(p, N, PM_SOFT_DIRTY), N);
}

static void untouched(void)
{
	char *p = map(MANY * PAGE, 0);

	madvise(p, MANY * PAGE, MADV_NOHUGEPAGE);
	let_it_look();
	printf("untouched: %u of %u pages are there\n",
	       count(p, MANY, PM_PRESENT), MANY);
}

static void populated(void)
{
	char *p = map(MANY * PAGE, 0);

	madvise(p, MANY * PAGE, MADV_NOHUGEPAGE);
	must(!madvise(p, N * PAGE, MADV_POPULATE_READ), "MADV_POPULATE_READ");
	let_it_look();
	printf("populated: %u pages are there of %u asked for\n",
	       count(p, MANY, PM_PRESENT), N);
}

/* Reclaim knows a new page at once only on the CPU that made it. */
static void swapped(void)
{
	cpu_set_t one, old;
	unsigned int before;
	char *p;

	sched_getaffinity(0, sizeof(old), &old);
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
	p = map_written(MANY);
	/* A page that a mirror looks up at this moment stays. */
	do {
		madvise(p, MANY * PAGE, MADV_PAGEOUT);
		before = count(p, MANY, PM_SWAPPED);
	} while (before < MANY / 2);
	let_it_look();
	printf("swapped: %u pages came back\n",
	       before - count(p, MANY, PM_SWAPPED));
	sched_setaffinity(0, sizeof(old), &old);
}

static void shared_with_child(void)
{
	char *p = map_written(N);
	int end[2];
	pid_t pid;

	must(!pipe(end), "pipe");
	pid = fork();
	if (!pid) {
		close(end[1]);
		_exit(read(end[0], p, 1));
	}
	let_it_look();
	printf("copy-on-write: %u of %u pages were copied\n",
	       count(p, N, PM_EXCLUSIVE), N);
	close(end[1]);
	close(end[0]);
	waitpid(pid, NULL, 0);
}

static unsigned int handled;

static void *handle_faults(void *arg)
{
	int uffd = (intptr_t)arg;
	struct uffdio_zeropage zero = { .range.len = PAGE };
	struct uffd_msg msg;

	while (read(uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		__atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
		zero.range.start = msg.arg.pagefault.address & -PAGE;
		ioctl(uffd, UFFDIO_ZEROPAGE, &zero);
	}
	return NULL;
}

static void fault_handler(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	intptr_t uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	char *p = map(MANY * PAGE, 0);
	pthread_t thread;

	must(uffd >= 0 && !ioctl(uffd, UFFDIO_API, &api), "userfaultfd");
	reg.range.start = (uintptr_t)p;
	reg.range.len = MANY * PAGE;
	must(!ioctl(uffd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER");
	must(!pthread_create(&thread, NULL, handle_faults, (void *)uffd),
	     "a thread");
	must(p[0] == 0, "one fault of my own");
	let_it_look();
	printf("userfaultfd: %u faults of 1\n",
	       __atomic_load_n(&handled, __ATOMIC_RELAXED));
	munmap(p, MANY * PAGE);
}

static void huge_pages(void)
{
	long before = free_huge_pages();
	char *p = map(4 * HUGE, MAP_HUGETLB);

	*p = 1;
	let_it_look();
	printf("hugetlb: %ld pages are used of 1\n",
	       before - free_huge_pages());
	munmap(p, 4 * HUGE);
}

static void merged(void)
{
	char *p = map_written(N);
	unsigned int i;

	for (i = 0; i < N; i++)
		*(size_t *)(p + i * PAGE) = 1;
	must(!madvise(p, N * PAGE, MADV_MERGEABLE), "MADV_MERGEABLE");
	write_to("/sys/kernel/mm/ksm/pages_to_scan", "1000");
	write_to("/sys/kernel/mm/ksm/run", "1");
	for (i = 0; i < 1000 && count_same_frame(p, N) < N; i++)
		usleep(10000);
	printf("ksm: %u of %u pages are one\n", count_same_frame(p, N), N);
	must(!madvise(p, N * PAGE, MADV_UNMERGEABLE), "MADV_UNMERGEABLE");
	printf("ksm: %u of %u pages are one, unmerged\n",
	       count_same_frame(p, N), N);
	write_to("/sys/kernel/mm/ksm/run", "2");
	write_to("/sys/kernel/mm/ksm/run", "0");
}

/* --- what any mirror changes, always -------------------------------------- */

static void referenced(void)
{
	char *p = map_written(N), from[32];

	snprintf(from, sizeof(from), "%lx-", (unsigned long)p);
	write_to("/proc/self/clear_refs", "1");
	let_it_look();
	printf("always: referenced: %s\n",
	       number("/proc/self/smaps", from, "Referenced:") ?
	       "looked at" : "not looked at");
}

static void children(void)
{
	printf("always: wait(__WALL): %s\n",
	       waitpid(-1, NULL, __WALL | WNOHANG) ? "no child" : "a child");
}

static int kill_and_release(void)
{
	pid_t pid = fork();
	int fd, err;

	if (!pid) {
		map_written(4 * MANY);
		raise(SIGSTOP);
		_exit(0);
	}
	waitpid(pid, NULL, WUNTRACED);
	fd = syscall(SYS_pidfd_open, pid, 0);
	kill(pid, SIGKILL);
	err = syscall(SYS_process_mrelease, fd, 0) ? errno : 0;
	close(fd);
	waitpid(pid, NULL, 0);
	return err;
}

static void released(void)
{
	int tries, err;

	for (tries = 0; tries < TRIES; tries++) {
		err = kill_and_release();
		if (!err || err == EINVAL)
			break;
	}
	printf("always: process_mrelease: %s\n", strerror(err));
}

/* --- what any mirror changes, sometimes ----------------------------------- */

static void collapsed(void)
{
	char *p = map(2 * HUGE, 0), *huge;
	unsigned int tries, refused = 0;
	size_t at;

	huge = (char *)(((uintptr_t)p + HUGE - 1) & -HUGE);
	for (tries = 0; tries < TRIES; tries++) {
		madvise(huge, HUGE, MADV_NOHUGEPAGE);
		for (at = 0; at < HUGE; at += PAGE)
			huge[at] = 1;
		madvise(huge, HUGE, MADV_HUGEPAGE);
		refused += !!madvise(huge, HUGE, MADV_COLLAPSE);
		madvise(huge, HUGE, MADV_DONTNEED);
	}
	printf("sometimes: MADV_COLLAPSE: %u of %u are refused\n", refused,
	       TRIES);
}

static void given_back(void)
{
	long before = free_huge_pages();
	unsigned int tries, late = 0;
	char *p;

	for (tries = 0; tries < TRIES; tries++) {
		p = map(HUGE, MAP_HUGETLB);
		*p = 1;
		usleep(1000);
		munmap(p, HUGE);
		late += free_huge_pages() != before;
	}
	printf("sometimes: hugetlb: %u of %u are not free at once\n", late,
	       TRIES);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	find_mirror();
	soft_dirty();
	untouched();
	populated();
	swapped();
	shared_with_child();
	fault_handler();
	huge_pages();
	merged();
	referenced();
	children();
	released();
	collapsed();
	given_back();
	return 0;
}
