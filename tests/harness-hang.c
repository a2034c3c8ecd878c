// SPDX-License-Identifier: GPL-2.0
/*
 * harness-hang.c - say what a process group is waiting for
 *
 * A time-out that says only "time-out" costs an afternoon. For every thread
 * of the group print its state and, where the kernel lets us, the kernel
 * stack it sleeps on.
 */
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define STACK_LINES	14

/* /proc/PID/stat: "pid (comm) state ppid pgrp ..."; comm may hold anything */
static int read_stat(int pid, int tid, char *comm, char *state)
{
	char path[64], buf[512], *open, *close;
	int pgrp = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tid);
	f = fopen(path, "r");
	if (!f)
		return -1;
	if (fgets(buf, sizeof(buf), f)) {
		open = strchr(buf, '(');
		close = strrchr(buf, ')');
		if (open && close &&
		    sscanf(close + 1, " %c %*d %d", state, &pgrp) == 2) {
			*close = '\0';
			snprintf(comm, 32, "%s", open + 1);
		}
	}
	fclose(f);
	return pgrp;
}

static void show_stack(int pid, int tid)
{
	char path[64], buf[200];
	int lines = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stack", pid, tid);
	f = fopen(path, "r");
	if (!f)
		return;
	while (lines++ < STACK_LINES && fgets(buf, sizeof(buf), f)) {
		buf[strcspn(buf, "\n")] = '\0';
		note("    %s", buf);
	}
	fclose(f);
}

static void show_process(int pid, int pgid)
{
	char path[64], comm[32], state;
	struct dirent *d;
	DIR *dir;
	int tid;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		return;
	while ((d = readdir(dir))) {
		tid = atoi(d->d_name);
		if (!tid || read_stat(pid, tid, comm, &state) != pgid)
			continue;
		note("  task %d of process %d (%s), state %c", tid, pid, comm,
		     state);
		show_stack(pid, tid);
	}
	closedir(dir);
}

void harness_show_group(int pgid)
{
	struct dirent *d;
	DIR *proc = opendir("/proc");

	if (!proc)
		return;
	while ((d = readdir(proc)))
		if (isdigit(d->d_name[0]))
			show_process(atoi(d->d_name), pgid);
	closedir(proc);
}
