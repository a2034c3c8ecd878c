// SPDX-License-Identifier: GPL-2.0
/*
 * faults.c - allocations and copies that fail; see faults.h
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "faults.h"

#define FAULTS	"/sys/kernel/debug"

static const char *const kinds[] = {
	"failslab", "fail_page_alloc", "fail_usercopy"
};

#define KINDS	(sizeof(kinds) / sizeof(*kinds))

static int fail_nth = -1;

/* Not each kind has each setting. */
static void set_all(const char *setting, const char *value)
{
	char path[128];
	size_t i;

	for (i = 0; i < KINDS; i++) {
		snprintf(path, sizeof(path), FAULTS "/%s/%s", kinds[i],
			 setting);
		write_file(path, "%s", value);
	}
}

void faults_need(void)
{
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (fail_nth < 0)
		skip("this kernel lets no allocation fail");
	set_all("ignore-gfp-wait", "N");
	set_all("min-order", "0");
	set_all("verbose", "0");
	faults_inside(NULL);
}

/* A function ends where the next one begins. */
static bool find_function(const char *name, uint64_t *start, uint64_t *end)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	char line[256], symbol[128];
	uint64_t address;

	*start = 0;
	*end = UINT64_MAX;
	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx %*c %127s", &address, symbol) != 2)
			continue;
		if (!strcmp(symbol, name))
			*start = address;
	}
	if (f)
		rewind(f);
	while (f && fgets(line, sizeof(line), f)) {
		address = strtoull(line, NULL, 16);
		if (address > *start && address < *end)
			*end = address;
	}
	if (f)
		fclose(f);
	return *start;
}

void faults_inside_(const char *name)
{
	uint64_t start = 0, end = UINT64_MAX;
	char text[32];

	if (name)
		ASSERT_EQ(find_function(name, &start, &end), true,
			  "the kernel has a function %s", name);
	snprintf(text, sizeof(text), "%#lx", start);
	set_all("require-start", text);
	snprintf(text, sizeof(text), "%#lx", end);
	set_all("require-end", text);
}

void fault_at_(unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n), tries = 3;

	/* What is to fail next may be the copy that says so */
	while (pwrite(fail_nth, text, len, 0) != len)
		ASSERT_GT(tries--, 0, "%u can be told to fail: %s", n,
			  strerror(errno));
}

bool fault_end_(void)
{
	char text[16] = "";
	ssize_t n = pread(fail_nth, text, sizeof(text) - 1, 0);
	bool failed = n > 0 && !strtoul(text, NULL, 10);

	fault_at_(0);
	return failed;
}

void fault_all_(bool on)
{
	set_all("times", "-1");
	set_all("task-filter", "Y");
	set_all("probability", on ? "100" : "0");
	ASSERT_EQ(write_file("/proc/thread-self/make-it-fail", "%d", on), 0,
		  "this thread can be told to fail");
}
