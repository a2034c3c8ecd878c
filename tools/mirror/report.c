// SPDX-License-Identifier: GPL-2.0
/*
 * report.c - what the mirrors of a run have found; see mirror.h
 *
 * usage: mirror-report FILE init	an empty file
 *        mirror-report FILE		a line on stderr; exit status 1 if an
 *					audit failed or nothing was mirrored
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mirror.h"
#include "my_mmu_uapi.h"

static int init(const char *path)
{
	char page[4096] = { 0 };
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);

	if (fd < 0 || write(fd, page, sizeof(page)) != sizeof(page)) {
		perror(path);
		return 1;
	}
	return 0;
}

static unsigned long long invalidations(void)
{
	struct my_mmu_stats s = { 0 };
	int fd = open(MY_MMU_DEVICE_PATH, O_RDWR);

	if (fd < 0 || ioctl(fd, MY_MMU_GET_STATS, &s))
		perror(MY_MMU_DEVICE_PATH);
	return s.invalidations;
}

static void say(const char *fmt, ...)
{
	va_list ap;

	fputs("mirror: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void report_counts(const struct mirror_stats *s, uint64_t wrong)
{
	say("%" PRIu64 " processes, %" PRIu64 " pages populated, "
	    "%llu invalidations, %" PRIu64 " retries, "
	    "%" PRIu64 " verify rounds (%" PRIu64 " entries right, "
	    "%" PRIu64 " unsettled), %" PRIu64 " wrong entries",
	    s->mirrored, s->populated, invalidations(), s->retries, s->audits,
	    s->right, s->unsettled, wrong);
}

static void report_unmirrored(const struct mirror_stats *s)
{
	uint64_t known = s->mirrored + s->refused + s->no_kcmp;

	if (s->no_kcmp)
		say("%" PRIu64 " processes were left alone: this kernel has no "
		    "kcmp(), by which a mirror knows whose memory it shares. "
		    "Use one with CONFIG_KCMP", s->no_kcmp);
	if (s->begun > known)
		say("%" PRIu64 " more were over before their mirror began",
		    s->begun - known);
	if (s->refused)
		say("%" PRIu64 " processes could not be mirrored: %s",
		    s->refused, strerror(-s->refused_error));
}

static void report_errors(const struct mirror_stats *s)
{
	if (s->errors)
		say("%" PRIu64 " calls failed, the last one: %s", s->errors,
		    strerror(-s->last_error));
	if (s->stale + s->over_permissive)
		say("FAILED: %" PRIu64 " stale, %" PRIu64 " too permissive; "
		    "the first at %#" PRIx64 " of process %" PRIu64, s->stale,
		    s->over_permissive, s->bad_address, s->bad_pid);
}

static bool judge(const struct mirror_stats *s)
{
	uint64_t wrong = s->stale + s->over_permissive;

	report_counts(s, wrong);
	report_unmirrored(s);
	report_errors(s);
	if (!s->audits && s->begun && s->begun == s->refused + s->no_kcmp)
		say("FAILED: nothing was audited, for the reason above");
	else if (!s->audits)
		say("FAILED: nothing was audited. Is the program static, or "
		    "over before the mirror began?");
	else if (!s->populated)
		say("FAILED: not one page was populated, so the audits looked "
		    "at nothing. The call that failed last says why");
	return !wrong && s->audits && s->populated;
}

int main(int argc, char **argv)
{
	struct mirror_stats s;
	int fd;

	if (argc == 3 && !strcmp(argv[2], "init"))
		return init(argv[1]);
	fd = argc == 2 ? open(argv[1], O_RDONLY) : -1;
	if (fd < 0 || read(fd, &s, sizeof(s)) != sizeof(s)) {
		fprintf(stderr, "mirror-report: cannot read the results\n");
		return 1;
	}
	return !judge(&s);
}
