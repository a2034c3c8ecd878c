// SPDX-License-Identifier: GPL-2.0
/*
 * counted.c - what is counted in instructions, and not timed
 *
 * device-read: the device reads what the CPU has touched and the device has
 * not. One call reads "pages" pages. The floor looks the pages up and copies
 * nothing.
 *
 * device-read-hmm: the same beside the kernel's own mirror of a process,
 * lib/test_hmm.c, which reads the same memory as cold (KERNEL=debug-hmm).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define COUNTED_OPS	32

int map_touched(struct space *s, size_t pages)
{
	void *all;

	s->len = pages * MMU_PAGE;
	s->mem = map_memory(s->len, MMU_HUGE, &all, &s->guard_len);
	if (!s->mem)
		return fail(s, "no memory: mmap of %zu bytes", s->len);
	s->guard = all;
	memset(s->mem, 1, s->len);
	return 0;
}

static int counted_run(struct space *s, const struct cell *c,
		       void (*fn)(struct worker *w))
{
	struct worker w[MAX_THREADS] = { 0 };
	unsigned int n = s->load.threads;

	if (run_workers(s, c, w, n, fn))
		return -1;
	workers_add_up(s, w, n);
	s->result->pages = s->result->ops * s->load.pages;
	s->result->ns = w[0].end - w[0].start;
	return 0;
}

int device_read_setup(struct space *s, const struct cell *c)
{
	if (map_touched(s, s->load.pages) || open_device(s))
		return -1;
	return c->floor ? 0 : attach_device(s, c->variant);
}

/* The CPU keeps its ptes; the device loses its own. */
static int make_cold(struct space *s)
{
	if (mprotect(s->mem, s->len, PROT_READ) ||
	    mprotect(s->mem, s->len, PROT_READ | PROT_WRITE))
		return -errno;
	memset(s->mem, 1, s->len);
	return 0;
}

static char read_into[MMU_HUGE];

/* lib/test_hmm_uapi.h, as far as it is needed; no package has it. */
#define HMM_DEVICE	"/dev/hmm_dmirror0"

struct hmm_command {
	uint64_t addr, ptr, npages;
	uint64_t cpages, faults;	/* out */
};

#define HMM_READ	_IOWR('H', 0x00, struct hmm_command)

bool have_test_hmm(const struct params *p)
{
	(void)p;
	return !access(HMM_DEVICE, R_OK | W_OK);
}

static int hmm_read(struct space *s)
{
	struct hmm_command c = {
		.addr = (uintptr_t)s->mem,
		.ptr = (uintptr_t)read_into,
		.npages = s->len / MMU_PAGE,
	};

	if (ioctl(s->fd, HMM_READ, &c))
		return -errno;
	return c.cpages == c.npages ? 0 : -EIO;
}

static int device_reads(struct worker *w)
{
	struct space *s = w->space;
	uint64_t done;

	if (!w->cell->floor)
		return mmu_read(s->fd, s->mem, read_into, s->len);
	if (s->scenario->possible)
		return hmm_read(s);
	return mmu_gup_floor(s->fd, s->mem, s->len, 0, 0, &done);
}

static bool has_read(const struct worker *w)
{
	const struct space *s = w->space;

	if (w->cell->floor && !s->scenario->possible)
		return true;
	return !memcmp(read_into, s->mem, s->len);
}

static void read_once(struct worker *w)
{
	int ret = make_cold(w->space);

	memset(read_into, 0, w->space->len);
	timed_begin(w);
	ret = ret ?: device_reads(w);
	timed_end(w);
	if (ret)
		worker_fail(w, ret, "read");
	else if (!has_read(w))
		worker_fail(w, -EIO, "the device has read something else");
	w->ops++;
}

static void read_worker(struct worker *w)
{
	workers_start(w);
	while (!w->error && w->ops < COUNTED_OPS)
		read_once(w);
	workers_finish(w);
}

int device_read_run(struct space *s, const struct cell *c)
{
	return counted_run(s, c, read_worker);
}

int read_beside_hmm_setup(struct space *s, const struct cell *c)
{
	if (!c->floor)
		return device_read_setup(s, c);
	if (map_touched(s, s->load.pages))
		return -1;
	s->fd = open(HMM_DEVICE, O_RDWR | O_CLOEXEC);
	return s->fd < 0 ? fail(s, HMM_DEVICE ": %s", strerror(errno)) : 0;
}
