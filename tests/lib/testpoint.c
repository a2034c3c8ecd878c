// SPDX-License-Identifier: GPL-2.0
/*
 * testpoint.c - park tasks in the kernel; see testpoint.h
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "testpoint.h"

#define POINTS		"/sys/kernel/debug/my_mmu/testpoint"

struct state {
	unsigned long	arrivals;
	unsigned int	parked;
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void tick(void)
{
	struct timespec ts = { .tv_nsec = 200 * 1000 };

	nanosleep(&ts, NULL);
}

void tp_need(void)
{
	if (access(POINTS, F_OK))
		skip("no test points in this build (" POINTS ")");
}

static int open_point(const char *point, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), POINTS "/%s", point);
	fd = open(path, flags | O_CLOEXEC);
	ASSERT_GE(fd < 0 ? -errno : fd, 0, "test point %s can be opened",
		  point);
	return fd;
}

void tp_tell_(const char *point, const char *fmt, ...)
{
	int fd = open_point(point, O_WRONLY), len;
	char command[64];
	va_list ap;
	ssize_t ret;

	va_start(ap, fmt);
	len = vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	harness_mark("%s: %s", point, command);
	ret = write(fd, command, len) < 0 ? -errno : 0;
	close(fd);
	ASSERT_EQ(ret, 0, "test point %s obeys \"%s\"", point, command);
}

static struct state look_at(const char *point)
{
	int fd = open_point(point, O_RDONLY);
	struct state s = { 0 };
	char text[64] = "";
	ssize_t n;

	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	ASSERT_GT(n, 0, "test point %s can be read", point);
	n = sscanf(text, "arrivals %lu parked %u", &s.arrivals, &s.parked);
	ASSERT_EQ(n, 2, "test point %s has two numbers", point);
	return s;
}

unsigned long tp_arrivals_(const char *point)
{
	return look_at(point).arrivals;
}

unsigned int tp_parked_(const char *point)
{
	return look_at(point).parked;
}

void tp_wait_parked_(const char *point, unsigned int n)
{
	double deadline = now_s() + DEADLINE_S;
	struct state s = look_at(point);

	while (s.parked < n && now_s() < deadline) {
		tick();
		s = look_at(point);
	}
	REACH_EQ(MISSED_POINT, s.parked, n,
		 "so many tasks are parked at %s (%lu came by)", point,
		 s.arrivals);
}

void tp_wait_arrivals_(const char *point, unsigned long n)
{
	double deadline = now_s() + DEADLINE_S;
	struct state s = look_at(point);

	while (s.arrivals < n && now_s() < deadline) {
		tick();
		s = look_at(point);
	}
	REACH_GE(MISSED_POINT, s.arrivals, n, "so many tasks came to %s",
		 point);
}

/* Called by the parent of tests: nothing here may end it. */
void tp_off_all(void)
{
	DIR *dir = opendir(POINTS);
	struct dirent *d;
	int fd;

	if (!dir)
		return;
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), d->d_name, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "off", 3) < 0)
			note("test point %s: %s", d->d_name, strerror(errno));
		close(fd);
	}
	closedir(dir);
}
