// SPDX-License-Identifier: GPL-2.0
/*
 * mmu-fuzz - random sequences of calls to /dev/my_mmu; see fuzz.h
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "after.h"
#include "fuzz.h"

#define EXIT_FAILED	1
#define EXIT_DIRTY	3
#define LOOK_ROUNDS	8	/* a look at what is left takes its time */

static struct sequence seq;

static void usage(const char *name, int code)
{
	fprintf(code ? stderr : stdout,
		"usage: %s --seed S [--calls N] [--seconds N] [--from ROUND]\n"
		"       %s --print S:ROUND\n"
		"       %s --replay FILE [--times N]\n"
		"       %s --shrink FILE [--known OUTCOMES]\n"
		"       %s --best FILE --known OUTCOMES\n"
		"       %s --check SECONDS\n"
		"  --factor N    N times the time limits\n"
		"  --no-faults   let no allocation fail\n"
		"  --serial, --parallel  rounds of this kind only\n"
		"  --variant V   no other is attached to\n"
		"                (these three stand before --print)\n",
		name, name, name, name, name, name);
	exit(code);
}

static int exit_code(enum outcome o)
{
	return o == FINE ? 0 : o == WRONG ? EXIT_FAILED : EXIT_DIRTY;
}

/* --- the seeds of a run --------------------------------------------------- */

static void report(const char *what)
{
	char text[256] = "";

	if (world->failed_at < seq.n)
		print_call(text, sizeof(text), &seq.call[world->failed_at]);
	printf("failed: %s: %s\n", what, world->why);
	if (text[0])
		printf("  at call %u of %u: %s\n", world->failed_at + 1, seq.n,
		       text);
}

static void report_round(uint64_t seed, unsigned int round)
{
	char what[64];

	snprintf(what, sizeof(what), "seed %" PRIu64 ", round %u", seed, round);
	report(what);
}

/* A leak shows late: which of the last rounds was it? */
static enum outcome find_leak(uint64_t seed, unsigned int from, unsigned int to)
{
	enum outcome o;

	for (; from <= to; from++) {
		draw_sequence(&seq, seed, from);
		o = run_sequence(&seq);
		if (o == FINE)
			o = look_around();
		if (o != FINE) {
			world->failed_at = seq.n;
			report_round(seed, from);
			return o;
		}
	}
	printf("failed: seed %" PRIu64 ", one of rounds %u to %u: %s\n", seed,
	       to - LOOK_ROUNDS + 1, to, "something was left behind");
	return DIRTY;
}

static enum outcome one_round(uint64_t seed, unsigned int round)
{
	enum outcome o;

	draw_sequence(&seq, seed, round);
	o = run_sequence(&seq);
	if (o == FINE && !kernel_quiet()) {
		strcpy(world->why, "the kernel complained");
		world->failed_at = seq.n;
		o = DIRTY;
	}
	if (o != FINE)
		report_round(seed, round);
	return o;
}

/* Until @calls are made or @ms are over; tells how many. */
static enum outcome run_seed(uint64_t seed, unsigned int first,
			     unsigned long *calls, int64_t ms)
{
	int64_t start = now_ms();
	unsigned int round = first;
	unsigned long made = 0;
	enum outcome o = FINE;

	for (; made < *calls && now_ms() - start < ms; round++) {
		/* Before the round: the last one named brought it all down. */
		printf("round %u %lu\n", round, made);
		o = one_round(seed, round);
		made += world->calls;
		if (o != FINE)
			break;
		if (round % LOOK_ROUNDS == LOOK_ROUNDS - 1 &&
		    !nothing_left(limits.left_ms)) {
			o = find_leak(seed, round - LOOK_ROUNDS + 1, round);
			break;
		}
	}
	*calls = made;
	if (o == FINE && !nothing_left(limits.left_ms))
		o = find_leak(seed, round > first + LOOK_ROUNDS ?
				    round - LOOK_ROUNDS : first, round - 1);
	return o;
}

/* --- the few seconds of make check ---------------------------------------- */

static enum outcome try_found(const struct found *f)
{
	FILE *calls = fmemopen((void *)f->calls, strlen(f->calls), "r");
	enum outcome o = WRONG;

	if (calls && parse_sequence(calls, &seq))
		o = run_sequence(&seq);
	if (calls)
		fclose(calls);
	if (o == FINE)
		o = look_around();
	if (o != FINE)
		report(f->what);
	return o;
}

/* Always one seed: what fails is then of this commit. make fuzz explores. */
static enum outcome check(int seconds)
{
	unsigned long calls = 1000000;
	enum outcome o = FINE;
	uint64_t seed = 1;
	unsigned int i;

	for (i = 0; i < nr_found && o == FINE; i++)
		o = try_found(&found[i]);
	if (o != FINE)
		return o;
	printf("seed %" PRIu64 "\n", seed);
	o = run_seed(seed, 0, &calls, seconds * 1000);
	printf("made %lu calls to the device\n", calls);
	return o;
}

/* --- files ---------------------------------------------------------------- */

static void load(const char *path)
{
	FILE *f = fopen(path, "r");

	if (!f) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(2);
	}
	if (!parse_sequence(f, &seq)) {
		fprintf(stderr, "%s is not a sequence\n", path);
		exit(2);
	}
	fclose(f);
}

static enum outcome replay(const char *path, unsigned int times)
{
	enum outcome o = FINE;

	load(path);
	while (times-- && o == FINE) {
		o = run_sequence(&seq);
		if (o == FINE)
			o = look_around();
	}
	if (o != FINE)
		report(path);
	return o;
}

static void print_round(const char *text)
{
	unsigned int round;
	uint64_t seed;

	if (sscanf(text, "%" SCNu64 ":%u", &seed, &round) != 2)
		usage("mmu-fuzz", 2);
	draw_sequence(&seq, seed, round);
	printf("# seed %" PRIu64 ", round %u\n", seed, round);
	print_sequence(stdout, &seq);
}

struct options {
	const char *seed, *replay, *shrink, *best, *known, *check;
	unsigned long calls, seconds;
	unsigned int from, times, factor;
	bool no_faults;
};

static struct options parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", 1, NULL, 's' }, { "calls", 1, NULL, 'n' },
		{ "seconds", 1, NULL, 'S' },
		{ "from", 1, NULL, 'f' }, { "print", 1, NULL, 'p' },
		{ "replay", 1, NULL, 'r' }, { "times", 1, NULL, 't' },
		{ "shrink", 1, NULL, 'x' }, { "known", 1, NULL, 'k' },
		{ "best", 1, NULL, 'b' }, { "check", 1, NULL, 'c' },
		{ "factor", 1, NULL, 'F' },
		{ "no-faults", 0, NULL, 'N' }, { "resume", 1, NULL, 'R' },
		{ "serial", 0, &fixed.serial, 1 },
		{ "parallel", 0, &fixed.serial, 0 },
		{ "variant", 1, NULL, 'v' },
		{ "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 }
	};
	struct options o = {
		.calls = 10000, .seconds = 1000000, .times = 1, .factor = 1,
		.known = ""
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (opt) {
		case 's':
			o.seed = optarg;
			break;
		case 'n':
			o.calls = strtoul(optarg, NULL, 0);
			break;
		case 'S':
			o.seconds = strtoul(optarg, NULL, 0);
			break;
		case 'f':
			o.from = strtoul(optarg, NULL, 0);
			break;
		case 'r':
			o.replay = optarg;
			break;
		case 't':
			o.times = strtoul(optarg, NULL, 0);
			break;
		case 'x':
			o.shrink = optarg;
			break;
		case 'b':
			o.best = optarg;
			break;
		case 'k':
			o.known = optarg;
			break;
		case 'c':
			o.check = optarg;
			break;
		case 'F':
			o.factor = strtoul(optarg, NULL, 0);
			break;
		case 'N':
			o.no_faults = true;
			break;
		case 'v':
			fixed.variant = variant_named(optarg);
			if (fixed.variant < 0)
				usage(argv[0], 2);
			break;
		case 0:	/* was stored */
			break;
		case 'R':
			resume_after_exec(optarg);
		case 'p':
			print_round(optarg);
			exit(0);
		default:
			usage(argv[0], opt == 'h' ? 0 : 2);
		}
	}
	return o;
}

static int work(const struct options *o)
{
	enum outcome out;
	unsigned long calls = o->calls;

	if (o->replay)
		return exit_code(replay(o->replay, o->times));
	if (o->check)
		return exit_code(check(atoi(o->check)));
	if (o->shrink) {
		load(o->shrink);
		return shrink(&seq, o->known);
	}
	out = run_seed(strtoull(o->seed, NULL, 0), o->from, &calls,
		       o->seconds * 1000);
	printf("made %lu calls to the device%s\n", calls,
	       limits.faults ? ", some with allocations that failed" : "");
	return exit_code(out);
}

int main(int argc, char **argv)
{
	struct options o = parse(argc, argv);
	int code;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (o.best) {
		load(o.best);
		return shrink(&seq, o.known);
	}
	if (!o.seed && !o.replay && !o.shrink && !o.check)
		usage(argv[0], 2);
	if (device_answers()) {
		printf("Bail out! no %s\n", MY_MMU_DEVICE_PATH);
		return 2;
	}
	kernel_listen();
	world_init();
	limits.call_s *= o.factor;
	limits.left_ms *= o.factor;
	limits.faults &= !o.no_faults;
	code = work(&o);
	points_on(false);
	return code;
}
