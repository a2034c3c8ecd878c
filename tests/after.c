// SPDX-License-Identifier: GPL-2.0
/*
 * after.c - what a test cannot hide; see after.h
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "after.h"
#include "common.h"
#include "hugetlb.h"

static struct my_mmu_stats left;	/* leaked by earlier tests, and told */
static int kmsg = -1;

/* --- nothing left behind -------------------------------------------------- */

static bool clean(const struct my_mmu_stats *s)
{
	return s->mmus <= left.mmus && s->entries <= left.entries &&
	       s->tables <= left.tables && s->bytes <= left.bytes;
}

/* No handle stays open between the looks: it would keep modules busy. */
static int look(struct my_mmu_stats *s)
{
	int fd = mmu_open(), ret;

	if (fd < 0)
		return fd;
	ret = mmu_stats(fd, s);
	close(fd);
	return ret;
}

bool nothing_left(unsigned int grace_ms)
{
	struct my_mmu_stats s;
	unsigned int ms = 0;
	int ret;

	while (!(ret = look(&s)) && !clean(&s) && ms < grace_ms) {
		sleep_ms(20);
		ms += 20;
	}
	if (ret) {
		note("statistics after the test: %s", strerror(-ret));
		return false;
	}
	if (clean(&s))
		return true;
	note("left behind %u ms after the last process was gone:", grace_ms);
	note("    %lld mmus, %lld entries, %lld tables, %lld bytes",
	     s.mmus - left.mmus, s.entries - left.entries,
	     s.tables - left.tables, s.bytes - left.bytes);
	left = s;
	return false;
}

/* --- nobody has a hold of anything --------------------------------------- */

/* What is taken while no test runs; tests may not add to it. */
static struct held {
	long huge;	/* huge pages of the pool */
	long modules;	/* users of the modules */
	long orphans;	/* pages of nobody that are on the LRU lists */
} held;

static const char *const module_names[] = {
	"mmu_rmap", "my_mmu_driver", "my_mmu_spinlock", "my_mmu_split_ptl",
	"my_mmu_rcu_list", "my_mmu_interval",
};

static long module_users(void)
{
	char path[64];
	long sum = 0, n;
	size_t i;

	for (i = 0; i < sizeof(module_names) / sizeof(*module_names); i++) {
		snprintf(path, sizeof(path), "/sys/module/%s/refcnt",
			 module_names[i]);
		n = read_number(path);
		sum += n > 0 ? n : 0;
	}
	return sum;
}

/*
 * To bring the statistics up to date takes work on each CPU. A test that has
 * wrecked the kernel may have left one that never comes round to it, and a task
 * that waits for that cannot be killed: let it be another one than this.
 */
#define REFRESH_MS	5000

static bool refresh_vmstat(void)
{
	unsigned int ms;
	pid_t pid = fork();

	if (pid < 0)
		return false;
	if (!pid) {
		write_file("/proc/sys/vm/stat_refresh", "1");
		_exit(0);
	}
	for (ms = 0; waitpid(pid, NULL, WNOHANG) != pid; ms++) {
		if (ms >= REFRESH_MS)
			return false;
		sleep_ms(1);
	}
	return true;
}

/*
 * A page to which only a forgotten reference is left stays on its LRU list,
 * though no process has it mapped, no file has it and it is not in swap.
 */
static long orphan_pages(void)
{
	static const struct {
		const char *name;
		int sign;
	} parts[] = {
		{ "nr_active_anon", 1 }, { "nr_inactive_anon", 1 },
		{ "nr_anon_pages", -1 }, { "nr_shmem", -1 },
		{ "nr_swapcached", -1 },
	};
	char word[64];
	long n, sum = 0;
	size_t i;
	FILE *f;

	f = fopen("/proc/vmstat", "r");
	while (f && fscanf(f, "%63s %ld", word, &n) == 2)
		for (i = 0; i < sizeof(parts) / sizeof(*parts); i++)
			if (!strcmp(word, parts[i].name))
				sum += parts[i].sign * n;
	if (f)
		fclose(f);
	return sum;
}

static bool held_now(struct held *h)
{
	if (!refresh_vmstat()) {
		note("a CPU is held up: it has not come round to the "
		     "statistics in %u ms", REFRESH_MS);
		return false;
	}
	*h = (struct held) {
		.huge = huge_taken(),
		.modules = module_users(),
		.orphans = orphan_pages(),
	};
	return true;
}

/* Of the pages, others in the guest may have a few of their own. */
#define FEW_ORPHANS	4

static bool let_go(const struct held *h)
{
	return h->huge <= held.huge && h->modules <= held.modules &&
	       h->orphans <= held.orphans + FEW_ORPHANS;
}

bool nothing_held(unsigned int grace_ms)
{
	unsigned int ms = 0;
	struct held h;

	do {
		if (ms)
			sleep_ms(20);
		if (!held_now(&h))
			return false;
		if (let_go(&h))
			return true;
		ms += 20;
	} while (ms <= grace_ms);
	note("left behind %u ms after the last process was gone:", grace_ms);
	note("    references: %ld huge pages, %ld of modules, %ld pages",
	     h.huge - held.huge, h.modules - held.modules,
	     h.orphans - held.orphans);
	held = h;
	return false;
}

void hold_nothing_against(void)
{
	if (!held_now(&held) || held.orphans < 0)
		held.orphans = 0;
}

/* --- the kernel has nothing to say ---------------------------------------- */

static bool is_complaint(const char *text)
{
	static const char *const words[] = {
		"BUG:", "WARNING:", "Oops", "general protection", "kernel BUG",
		"corruption", "Voluntary context switch", "INFO: task",
		"rcu: INFO", "stall", "refcount_t", "Bad page",
		"scheduling while", "sleeping function", "UBSAN", "KASAN",
		"KFENCE",
		"detected at", "cache my_mmu", "Objects remaining",
	};
	size_t i;

	/* May be the kernel's own: tests/debug-reports tells */
	if (strstr(text, "BUG: KCSAN"))
		return false;
	/* The unwinder lost its way: see vm/qemu.py, ALLOW */
	if (strstr(text, "WARNING: kernel stack "))
		return false;
	for (i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strstr(text, words[i]))
			return true;
	return false;
}

/* A record: "level,seq,time,flags;text\n", then lines we do not want. */
static int read_kmsg(char *buf, size_t size)
{
	ssize_t n;

	do {
		n = read(kmsg, buf, size - 1);
	} while (n < 0 && (errno == EPIPE || errno == EINTR));
	if (n <= 0)
		return 0;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return 1;
}

bool kernel_quiet(void)
{
	char buf[2048], *text;
	int shown = 0;

	while (kmsg >= 0 && read_kmsg(buf, sizeof(buf))) {
		text = strchr(buf, ';');
		if (!text || (!shown && !is_complaint(text)))
			continue;
		if (!shown)
			note("the kernel complained:");
		if (shown++ < 30)
			note("    %s", text + 1);
	}
	return !shown;
}

void kernel_listen(void)
{
	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (kmsg >= 0)
		lseek(kmsg, 0, SEEK_END);
}

void kernel_skip(void)
{
	char buf[2048];

	while (kmsg >= 0 && read_kmsg(buf, sizeof(buf)))
		;
}

int device_answers(void)
{
	struct my_mmu_stats s;

	return look(&s);
}
