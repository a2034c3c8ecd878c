// SPDX-License-Identifier: GPL-2.0
/*
 * cgroup.c - control groups for the tests; see cgroup.h
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "common.h"

#define ROOT	"/sys/fs/cgroup"
#define PREFIX	"mmu-test-"

static void path_of(char *buf, size_t size, const char *name, const char *file)
{
	snprintf(buf, size, ROOT "/" PREFIX "%s/%s", name, file);
}

void cgroup_enter(const char *name, const char *controller)
{
	char path[160];
	int ret;

	ret = write_file(ROOT "/cgroup.subtree_control", "+%s", controller);
	if (ret)
		skip("no cgroup v2 with the %s controller", controller);
	path_of(path, sizeof(path), name, "");
	ret = mkdir(path, 0755) ? -errno : 0;
	if (ret != -EEXIST)
		ASSERT_EQ(ret, 0, "a cgroup can be made");
	path_of(path, sizeof(path), name, "cgroup.procs");
	ASSERT_EQ(write_file(path, "0"), 0, "and entered");
}

int cgroup_write(const char *name, const char *file, const char *value)
{
	char path[160];

	path_of(path, sizeof(path), name, file);
	return write_file(path, "%s", value);
}

long cgroup_number(const char *name, const char *file)
{
	char path[160];

	path_of(path, sizeof(path), name, file);
	return read_number(path);
}

long cgroup_stat(const char *name, const char *file, const char *key)
{
	char path[160], word[64];
	long value = -ENOENT, v;
	FILE *f;

	path_of(path, sizeof(path), name, file);
	f = fopen(path, "r");
	if (!f)
		return -errno;
	while (fscanf(f, "%63s %ld", word, &v) == 2)
		if (!strcmp(word, key))
			value = v;
	fclose(f);
	return value;
}

bool cgroup_throttle(const char *name)
{
	int ms;

	if (cgroup_write(name, "cpu.max", "5000 1000000"))
		return false;
	for (ms = 0; ms < 3000; ms += 5) {
		if (cgroup_stat(name, "cpu.stat", "nr_throttled") > 0)
			return true;
		sleep_ms(5);
	}
	return false;
}

int cgroup_reclaim(const char *name, size_t bytes)
{
	char path[160];

	path_of(path, sizeof(path), name, "memory.reclaim");
	return write_file(path, "%zu", bytes);
}

void cgroup_remove_all(void)
{
	struct dirent *d;
	DIR *dir = opendir(ROOT);
	char path[320];
	int tries;

	if (!dir)
		return;
	while ((d = readdir(dir))) {
		if (strncmp(d->d_name, PREFIX, strlen(PREFIX)))
			continue;
		snprintf(path, sizeof(path), ROOT "/%s", d->d_name);
		/* A task leaves its cgroup a little after it was reaped. */
		for (tries = 0; rmdir(path) && tries < 50; tries++)
			sleep_ms(10);
	}
	closedir(dir);
}
