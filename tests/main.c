// SPDX-License-Identifier: GPL-2.0
/*
 * mmu-tests - the suite for /dev/my_mmu: every test, in every variant
 *
 * After each test the parent looks at what the test cannot hide: whether
 * external MMUs, entries, tables or bytes are left although all its processes
 * are gone, and whether the kernel complained. Either fails the test.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "common.h"
#include "lifetime.h"

#define GRACE_MS	4000	/* grace periods, delayed mmput */

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

static bool nothing_left(void)
{
	struct my_mmu_stats s;
	int ms = 0, ret;

	while (!(ret = look(&s)) && !clean(&s) && ms < GRACE_MS) {
		sleep_ms(20);
		ms += 20;
	}
	if (ret) {
		note("statistics after the test: %s", strerror(-ret));
		return false;
	}
	if (clean(&s))
		return true;
	note("left behind %d ms after the last process was gone:", GRACE_MS);
	note("    %lld mmus, %lld entries, %lld tables, %lld bytes",
	     s.mmus - left.mmus, s.entries - left.entries,
	     s.tables - left.tables, s.bytes - left.bytes);
	left = s;
	return false;
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

static bool kernel_quiet(void)
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

/* --- hooks of the harness ------------------------------------------------- */

static void before(void)
{
	char buf[2048];

	while (kmsg >= 0 && read_kmsg(buf, sizeof(buf)))
		;
}

static bool after(void)
{
	bool ok = nothing_left();

	cgroup_remove_all();
	return kernel_quiet() && ok;
}

int main(int argc, char **argv)
{
	static const char *const groups[] = {
		"spinlock", "split-ptl", "rcu-list", "modules", NULL
	};
	static const struct harness_ops ops = {
		.groups = groups,
		.before = before,
		.after = after,
	};
	struct my_mmu_stats s;
	int ret;

	if (argc == 4 && !strcmp(argv[1], EXEC_HELPER))
		return after_exec(atoi(argv[2]), argv[3]);

	kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (argc < 2 || strcmp(argv[1], "-l")) {
		ret = look(&s);
		if (ret) {
			printf("Bail out! %s: %s\n", MY_MMU_DEVICE_PATH,
			       strerror(-ret));
			return EXIT_FAILURE;
		}
	}
	return harness_main(argc, argv, &ops);
}
