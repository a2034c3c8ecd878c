// SPDX-License-Identifier: GPL-2.0
/*
 * after.c - what a test cannot hide; see after.h
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "after.h"
#include "common.h"

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
