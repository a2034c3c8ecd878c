// SPDX-License-Identifier: GPL-2.0
/*
 * evict.c - a page is taken from all devices, while so many are attached
 *
 * MY_MMU_EVICT of one page that the caller's device has; the other processes
 * have devices, too, and not this page. With several threads each evicts a page
 * of its own. The floor is the same of a page that no device has: page lookup,
 * lock, and a look at the export filter.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bench.h"

#define EVICT_OPS	32

const char *const attached_conditions[] = {
	"attached-1", "attached-8", "attached-64", "attached-256", NULL
};

static unsigned int others_attached(const struct cell *c)
{
	return atoi(c->condition + strlen("attached-")) - 1;
}

/* One more process with a device, until its parent is gone. */
static int attach_another(struct space *s, const struct cell *c)
{
	int ready[2], ret = -EIO;
	char ok = 0;
	pid_t pid;

	if (pipe(ready))
		return fail(s, "pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		return fail(s, "fork: %s", strerror(errno));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (!open_device(s) && !attach_device(s, c->variant))
			ret = mmu_populate(s->fd, s->mem, MMU_PAGE,
					   MY_MMU_POPULATE_WRITE);
		ok = !ret;
		if (write(ready[1], &ok, 1) == 1)
			while (true)
				pause();
		_exit(1);
	}
	close(ready[1]);
	ret = read(ready[0], &ok, 1);
	close(ready[0]);
	return ret == 1 && ok ? 0 : fail(s, "a process cannot attach");
}

int evict_setup(struct space *s, const struct cell *c)
{
	unsigned int i;

	if (map_touched(s, s->load.threads))
		return -1;
	for (i = 0; !c->floor && i < others_attached(c); i++)
		if (attach_another(s, c))
			return -1;
	if (open_device(s))
		return -1;
	return c->floor ? 0 : attach_device(s, c->variant);
}

static char *page_of(const struct worker *w)
{
	return w->space->mem + w->index * MMU_PAGE;
}

static uint64_t samples[MAX_THREADS][EVICT_OPS];

static void evict_once(struct worker *w)
{
	char *page = page_of(w);
	int fd = w->space->fd, ret = 0;
	uint64_t start;

	*page = 1;
	if (!w->cell->floor)
		ret = mmu_populate(fd, page, MMU_PAGE, MY_MMU_POPULATE_WRITE);
	if (ret) {
		worker_fail(w, ret, "populate");
		return;
	}
	start = timed_begin(w);
	ret = mmu_evict(fd, page);
	w->samples[w->ops++] = timed_end(w) - start;
	if (ret != !w->cell->floor)
		worker_fail(w, ret < 0 ? ret : -EIO, "evict");
}

static void evict_worker(struct worker *w)
{
	/* Who had the frame before may have left it on the filter's record. */
	mmu_evict(w->space->fd, page_of(w));
	w->samples = samples[w->index];
	workers_start(w);
	while (!w->error && w->ops < EVICT_OPS)
		evict_once(w);
	workers_finish(w);
	w->n_samples = w->ops;
}

int evict_run(struct space *s, const struct cell *c)
{
	struct worker w[MAX_THREADS] = { 0 };
	struct result *r = s->result;
	struct my_mmu_stats a, b;
	unsigned int n = s->load.threads;

	if (take_stats(s, &a) || run_workers(s, c, w, n, evict_worker) ||
	    take_stats(s, &b))
		return -1;
	workers_add_up(s, w, n);
	r->pages = r->ops;
	r->contended = b.contended - a.contended;
	r->zapped = b.rmap_zaps - a.rmap_zaps;
	if (!c->floor && r->zapped != r->ops)
		return fail(s, "%llu entries zapped in %llu evictions",
			    (unsigned long long)r->zapped,
			    (unsigned long long)r->ops);
	return 0;
}
