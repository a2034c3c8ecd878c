// SPDX-License-Identifier: GPL-2.0
/*
 * counters.c - copies of what gcov counted; see counters.h
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "counters.h"
#include "harness.h"

#define COUNTED	"/sys/kernel/debug/gcov"

static char folder[256];	/* where the copies of one test go */

static bool copy(int from, int to)
{
	char buf[16384];
	ssize_t n;

	while ((n = read(from, buf, sizeof(buf))) > 0)
		if (write(to, buf, n) != n)
			return false;
	return !n;
}

static bool copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	bool ok = false;

	if (in < 0)
		return false;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (out >= 0) {
		ok = copy(in, out);
		close(out);
	}
	close(in);
	return ok;
}

/* ".../driver/main.gcda" becomes "driver-main.gcda". */
static bool short_name(const char *path, char *name, size_t size)
{
	const char *file = strrchr(path, '/'), *dir = file;

	if (!file || strcmp(file + strcspn(file, "."), ".gcda"))
		return false;
	while (dir > path && dir[-1] != '/')
		dir--;
	snprintf(name, size, "%.*s-%s", (int)(file - dir), dir, file + 1);
	return true;
}

static int save_one(const char *path, const struct stat *st, int type,
		    struct FTW *at)
{
	char name[128], to[512];

	(void)st;
	(void)at;
	if (type != FTW_F || !short_name(path, name, sizeof(name)))
		return 0;
	snprintf(to, sizeof(to), "%s/%s", folder, name);
	if (copy_file(path, to))
		return 0;
	note("%s cannot be copied to %s: %s", path, to, strerror(errno));
	return 1;
}

bool counters_save(const char *group, const char *test)
{
	const char *base = getenv("COVERAGE");
	static unsigned int count;

	if (!base)
		return true;
	snprintf(folder, sizeof(folder), "%s/%04u.%s.%s", base, count++, group,
		 test);
	if (mkdir(folder, 0755)) {
		note("%s cannot be made: %s", folder, strerror(errno));
		return false;
	}
	return !nftw(COUNTED, save_one, 16, FTW_PHYS);
}
