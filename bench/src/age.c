// SPDX-License-Identifier: GPL-2.0
/*
 * age.c - the VM asks which pages were used since it asked last
 *
 * One operation makes the next generation of a control group with this one
 * process in it (/sys/kernel/debug/lru_gen, Documentation/admin-guide/mm/
 * multigen_lru.rst). That walks its page tables, takes each accessed bit away,
 * and asks the devices for theirs, page by page. Not each kernel asks in this
 * walk: that is tried out. None walks a process of fewer than 64 pages.
 * Mirrored: the device has the pages, and has used all of them. Unmirrored: it
 * has one other page.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define AGE_OPS		32
#define CGROUPS		"/sys/fs/cgroup"
#define CGROUP		"/bench-age"
#define GENERATIONS	"/sys/kernel/debug/lru_gen"

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n = strlen(text);
	int ret;

	if (fd < 0)
		return -errno;
	ret = write(fd, text, n) == n ? 0 : -errno;
	close(fd);
	return ret;
}

/* Memory counts for the cgroup in which it is first touched. */
static int enter_cgroup(struct space *s)
{
	int ret;

	if (mkdir(CGROUPS CGROUP, 0700) && errno != EEXIST)
		return fail(s, CGROUPS CGROUP ": %s", strerror(errno));
	ret = write_text(CGROUPS CGROUP "/cgroup.procs", "0");
	if (ret)
		rmdir(CGROUPS CGROUP);
	return ret ? fail(s, "cgroup.procs: %s", strerror(-ret)) : 0;
}

/* Whoever leaves takes it away: it was alone. */
void age_done(void)
{
	write_text(CGROUPS "/cgroup.procs", "0");
	rmdir(CGROUPS CGROUP);
}

/* "memcg ID PATH", " node N", a line for each generation, youngest last. */
static int youngest_generation(unsigned int *id, unsigned long *generation)
{
	FILE *f = fopen(GENERATIONS, "re");
	bool is_ours = false, found = false;
	char line[256], path[200];
	unsigned long number;
	unsigned int memcg;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "memcg %u %199s", &memcg, path) == 2) {
			is_ours = !strcmp(path, CGROUP);
			if (is_ours)
				*id = memcg;
		} else if (is_ours && sscanf(line, "%lu", &number) == 1) {
			*generation = number;
			found = true;
		}
	}
	if (f)
		fclose(f);
	return found ? 0 : -ENOENT;
}

static int request(char *text, size_t size)
{
	unsigned long generation;
	unsigned int id;
	int ret = youngest_generation(&id, &generation);

	/* of node 0, with swap, and all tables are walked */
	if (!ret)
		snprintf(text, size, "+ %u 0 %lu 1 1", id, generation);
	return ret;
}

/* One page more, which is what a device has that has nothing else. */
int age_setup(struct space *s, const struct cell *c)
{
	if (enter_cgroup(s) || map_touched(s, s->load.pages + 1))
		return -1;
	if (c->floor)
		return 0;
	return open_device(s) || attach_device(s, c->variant) ? -1 : 0;
}

/* The CPU has used all of it, and the device what it has. */
static int use(struct space *s, const struct cell *c)
{
	static char buf[MMU_HUGE + MMU_PAGE];
	size_t rest = is_mirrored(c) ? 0 : s->len - MMU_PAGE;

	memset(s->mem, 1, s->len);
	if (c->floor)
		return 0;
	return mmu_read(s->fd, s->mem + rest, buf, s->len - rest);
}

static uint64_t samples[AGE_OPS];

static void age_once(struct worker *w)
{
	uint64_t start;
	char text[64];
	int fd, ret;

	ret = use(w->space, w->cell) ?: request(text, sizeof(text));
	fd = open(GENERATIONS, O_WRONLY | O_CLOEXEC);
	if (ret || fd < 0) {
		worker_fail(w, ret ?: -errno, GENERATIONS);
		return;
	}
	start = timed_begin(w);
	ret = write(fd, text, strlen(text));
	w->samples[w->ops++] = timed_end(w) - start;
	if (ret < 0)
		worker_fail(w, -errno, "a new generation");
	close(fd);
}

static void age_worker(struct worker *w)
{
	w->samples = samples;
	workers_start(w);
	while (!w->error && w->ops < AGE_OPS)
		age_once(w);
	workers_finish(w);
	w->n_samples = w->ops;
}

int age_run(struct space *s, const struct cell *c)
{
	struct worker w[MAX_THREADS] = { 0 };
	struct result *r = s->result;
	struct my_mmu_stats a, b;

	if (take_stats(s, &a) || run_workers(s, c, w, 1, age_worker) ||
	    take_stats(s, &b))
		return -1;
	workers_add_up(s, w, 1);
	r->pages = r->ops * s->load.pages;
	r->contended = b.contended - a.contended;
	if (is_mirrored(c) && b.aging - a.aging < r->pages)
		return fail(s, "the device was asked %llu times for %llu pages",
			    (unsigned long long)(b.aging - a.aging),
			    (unsigned long long)r->pages);
	return 0;
}

/* --- does this kernel's walk ask? ----------------------------------------- */

/* In a process of its own: an mm that was attached is another one for good. */
static bool device_is_asked(const struct params *p)
{
	const struct cell cell = { p->variants[0], "mirrored", false };
	struct scenario age = { .name = "age" };
	static struct result result;
	struct space s = { .scenario = &age, .params = p, .result = &result,
			   .load = { 1, MMU_HUGE / MMU_PAGE }, .fd = -1 };
	struct my_mmu_stats a, b;
	bool asked = false;
	char text[64];

	if (!age_setup(&s, &cell) && !use(&s, &cell) && !take_stats(&s, &a) &&
	    !request(text, sizeof(text)) && !write_text(GENERATIONS, text) &&
	    !take_stats(&s, &b))
		asked = b.aging > a.aging;
	age_done();
	return asked;
}

bool walk_asks_devices(const struct params *p)
{
	int status = 0;
	pid_t pid;

	if (p->no_modules)
		return false;
	pid = fork();
	if (!pid)
		_exit(!device_is_asked(p));
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}
