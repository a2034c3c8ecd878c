// SPDX-License-Identifier: GPL-2.0
/*
 * stress-ops.c - what is done to memory, all at once; see stress.h
 *
 * An operation that changes contents or access has the pages to itself: it
 * knows what must be seen afterwards, and looks. Others change nothing that
 * may be seen, and come in between at any time.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "common.h"
#include "stress.h"

#define RW		(PROT_READ | PROT_WRITE)
#define MPOL_MF_MOVE	(1 << 1)

static void advise(const struct stress_range *g, int advice)
{
	/* Whether the kernel takes the advice is its own affair. */
	madvise(g->p, g->len, advice);
}

static void pause_us(unsigned int us)
{
	struct timespec ts = { .tv_nsec = us * 1000 };

	nanosleep(&ts, NULL);
}

/* Of private memory, whoever gets the frames next writes something else. */
static void poison_some(struct stress_thread *t)
{
	size_t i, len = STRESS_LOOK * MMU_PAGE;

	for (i = 0; i < len; i += 8)
		*(volatile uint64_t *)(t->poison + i) = POISON;
	madvise(t->poison, len, MADV_DONTNEED);
}

/* --- contents ------------------------------------------------------------- */

void stress_cpu_stamps(const struct stress_range *g)
{
	unsigned int i, k;

	for (i = 0; i < g->pages; i++)
		for (k = 0; k < STRESS_STAMPS; k++)
			*(volatile uint64_t *)(g->p + i * MMU_PAGE +
					       stress_stamp_at[k]) =
				stress_word(g, i, stress_page(g, i)->hi);
}

static void cpu_write(struct stress_thread *t, const struct stress_range *g)
{
	stress_begin(g, false);
	stress_cpu_stamps(g);
	stress_complete(g);
	stress_look(t, stress_handle(t), g);
}

static bool stamp_page(struct stress_thread *t, int fd,
		       const struct stress_range *g, unsigned int i)
{
	uint64_t word = stress_word(g, i, stress_page(g, i)->hi);
	char *p = g->p + i * MMU_PAGE;
	unsigned int k;
	int ret;

	for (k = 0; k < STRESS_STAMPS; k++) {
		ret = mmu_write(fd, p + stress_stamp_at[k], &word, 8);
		if (ret == -EAGAIN || ret == -ENOTCONN)
			return false;
		if (ret)
			stress_fail(t, g, i, ret, 0, "the device writes");
	}
	return true;
}

bool stress_device_stamps(struct stress_thread *t, int fd,
			  const struct stress_range *g)
{
	bool done = true;
	unsigned int i;

	for (i = 0; i < g->pages && !harness_failed(); i++)
		done &= stamp_page(t, fd, g, i);
	return done && i == g->pages;
}

static void device_write(struct stress_thread *t, const struct stress_range *g)
{
	stress_begin(g, false);
	if (!stress_device_stamps(t, stress_handle(t), g))
		stress_cpu_stamps(g);
	stress_complete(g);
	stress_check(t, g);
}

/* --- gone, and back ------------------------------------------------------- */

void stress_map(const struct stress_range *g)
{
	int flags = g->r->file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	char *p = mmap(g->p, g->len, RW, flags | MAP_FIXED, g->r->file,
		       g->r->file < 0 ? 0 : g->first * MMU_PAGE);

	ASSERT_EQ(p, g->p, "the %s memory is mapped", g->r->name);
	if (g->r->kind == THP)
		advise(g, MADV_HUGEPAGE);
	else
		advise(g, MADV_NOHUGEPAGE);
	if (g->r->kind == KSM)
		advise(g, MADV_MERGEABLE);
}

/* What was wiped is zeros now, for everybody. */
static void look_again(struct stress_thread *t, const struct stress_range *g)
{
	switch (stress_dice(t, 4)) {
	case 0:
		poison_some(t);
		/* fallthrough */
	case 1:
		stress_look(t, stress_handle(t), g);
		break;
	case 2:
		stress_check(t, g);
		break;
	}
}

static void discard(struct stress_thread *t, const struct stress_range *g)
{
	stress_begin(g, true);
	advise(g, MADV_DONTNEED);
	stress_complete(g);
	look_again(t, g);
}

static void map_over(struct stress_thread *t, const struct stress_range *g)
{
	if (g->r->file < 0)
		stress_begin(g, true);
	stress_map(g);
	if (g->r->file < 0)
		stress_complete(g);
	look_again(t, g);
}

static void unmap(struct stress_thread *t, const struct stress_range *g)
{
	stress_gate(g, CLOSED);
	if (g->r->file < 0)
		stress_begin(g, true);
	ASSERT_EQ(munmap(g->p, g->len), 0, "munmap");
	stress_gate(g, CLOSED);
	if (stress_dice(t, 2))
		stress_look(t, stress_handle(t), g);
	poison_some(t);
	stress_gate(g, CLOSED);
	stress_map(g);
	if (g->r->file < 0)
		stress_complete(g);
	stress_gate(g, CLOSED);
	look_again(t, g);
}

/* The device's write must be kept, whatever the page's pte says. */
static void lazy_free(struct stress_thread *t, const struct stress_range *g)
{
	bool write = stress_dice(t, 2), pageout = stress_dice(t, 3);
	bool first = stress_dice(t, 2);

	if (first)
		stress_populate(t, stress_handle(t), g, true);
	stress_begin(g, true);
	advise(g, MADV_FREE);
	stress_settle(g);
	if (write)
		device_write(t, g);
	if (pageout)
		advise(g, MADV_PAGEOUT);
	stress_check(t, g);
}

static void punch_hole(struct stress_thread *t, const struct stress_range *g)
{
	unsigned int how = stress_dice(t, 3);

	stress_begin(g, true);
	if (how == 0)
		stress_peer(PEER_PUNCH, g);
	else if (how == 1 && !madvise(g->p, g->len, MADV_REMOVE))
		;
	else
		ASSERT_EQ(fallocate(g->r->file, FALLOC_FL_PUNCH_HOLE |
				    FALLOC_FL_KEEP_SIZE, g->first * MMU_PAGE,
				    g->len),
			  0, "punch a hole");
	stress_complete(g);
	look_again(t, g);
}

static void gate_everywhere(const struct stress_range *g)
{
	struct stress_range other = *g;

	for (other.view = 0; other.view < STRESS_VIEWS; other.view++)
		stress_gate(&other, CLOSED);
}

/* From here on to the end of the file, at all addresses. */
static void truncate_tail(struct stress_thread *t, const struct stress_range *g)
{
	gate_everywhere(g);
	stress_begin(g, true);
	stress_peer(PEER_SHRINK, g);
	gate_everywhere(g);
	stress_look(t, stress_handle(t), g);
	gate_everywhere(g);
	stress_peer(PEER_GROW, g);
	stress_complete(g);
	gate_everywhere(g);
	look_again(t, g);
}

static void peer_write(struct stress_thread *t, const struct stress_range *g)
{
	enum peer_order order = stress_dice(t, 2) ? PEER_WRITE :
						    PEER_DEVICE_WRITE;

	stress_begin(g, false);
	stress_peer(order, g);
	stress_complete(g);
	stress_look(t, stress_handle(t), g);
	stress_check(t, g);
}

/* --- access --------------------------------------------------------------- */

/* Nobody else has the page's private memory: what is read-only holds still. */
static void holds_still(struct stress_thread *t, const struct stress_range *g)
{
	const volatile uint64_t *p = (uint64_t *)(g->p + STRESS_SCRIBBLE_AT);
	unsigned int i, k, words = MMU_PAGE / 8;
	uint64_t seen[STRESS_LOOK];

	for (i = 0; i < g->pages && i < STRESS_LOOK; i++)
		seen[i] = p[i * words];
	pause_us(stress_dice(t, 200));
	for (k = 0; k < i; k++)
		if (p[k * words] != seen[k])
			stress_fail(t, g, k, p[k * words], seen[k],
				    "read-only memory holds still");
}

static void try_to_write(struct stress_thread *t, const struct stress_range *g)
{
	uint64_t word = POISON;
	int ret;

	stress_before(t, g);
	ret = mmu_write(stress_handle(t), g->p + STRESS_SCRIBBLE_AT + 8, &word,
			8);
	stress_after(t, g, true, !ret, ret);
}

static void read_only(struct stress_thread *t, const struct stress_range *g)
{
	stress_gate(g, FIXED);
	ASSERT_EQ(mprotect(g->p, g->len, PROT_READ), 0, "read-only");
	stress_gate(g, FIXED);
	if (g->r->file < 0)
		holds_still(t, g);
	try_to_write(t, g);
	stress_check(t, g);
	stress_gate(g, FIXED);
	ASSERT_EQ(mprotect(g->p, g->len, RW), 0, "writable");
	stress_gate(g, FIXED);
}

static void no_access(struct stress_thread *t, const struct stress_range *g)
{
	stress_gate(g, CLOSED);
	ASSERT_EQ(mprotect(g->p, g->len, PROT_NONE), 0, "no access");
	stress_gate(g, CLOSED);
	stress_look(t, stress_handle(t), g);
	stress_gate(g, CLOSED);
	ASSERT_EQ(mprotect(g->p, g->len, RW), 0, "access");
	stress_gate(g, CLOSED);
	stress_check(t, g);
}

/* Nobody may get what is free there for the moment: it is reserved again. */
static void move_back(const struct stress_range *g, char *from)
{
	char *p = mremap(from, g->len, g->len, MREMAP_MAYMOVE | MREMAP_FIXED,
			 g->p);

	ASSERT_EQ(p, g->p, "memory moves back");
	p = mmap(from, g->len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
		 MAP_FIXED, -1, 0);
	ASSERT_EQ(p, from, "its place is reserved");
	stress_count(&stress.shared->moves, 1);
}

/* Where earlier operations have left several mappings, this is refused. */
static void move(struct stress_thread *t, const struct stress_range *g)
{
	char *to = t->scratch + (uintptr_t)g->p % MMU_HUGE;

	void *p;

	stress_gate(g, CLOSED);
	p = mremap(g->p, g->len, g->len, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (p != to) {
		stress_gate_back(g, CLOSED);
		return;
	}
	stress_gate(g, CLOSED);
	stress_look(t, stress_handle(t), g);
	stress_look_at(t, stress_handle(t), g, to);
	stress_gate(g, CLOSED);
	move_back(g, to);
	stress_gate(g, CLOSED);
	stress_check(t, g);
}

/* --- processes ------------------------------------------------------------ */

/* A mirror of its own, that goes in one of three ways. */
static void child_mirrors(struct stress_thread *t, const struct stress_range *g)
{
	int fd = attached();

	stress_populate(t, fd, g, stress_dice(t, 2));
	stress_look(t, fd, g);
	stress_verify(t, fd);
	if (!stress_dice(t, 3))
		ASSERT_EQ(mmu_detach(fd), 0, "the child detaches");
}

/* What the parent writes from now on is not for this process. */
static void child(struct stress_thread *t, const struct stress_range *g,
		  struct gate *ready, struct gate *written)
{
	const char *p = g->p + (g->pages - 1) * MMU_PAGE;
	uint64_t seen = *(const volatile uint64_t *)p;

	t->forked = true;
	stress_check(t, g);
	if (stress_dice(t, 2))
		child_mirrors(t, g);
	pass(ready);
	wait_at(written);
	if (g->r->file < 0 && *(const volatile uint64_t *)p != seen)
		stress_fail(t, g, g->pages - 1, *(const volatile uint64_t *)p,
			    seen, "what the parent writes stays with it");
	if (g->r->file < 0)
		memset(g->p, 0xa5, g->len);
	if (!stress_dice(t, 4))
		pause();	/* until it is killed */
	_exit(EXIT_SUCCESS);
}

static void fork_child(struct stress_thread *t, const struct stress_range *g)
{
	struct gate ready, written;
	bool by_device = stress_dice(t, 2);
	pid_t pid;

	gate_init(&ready);
	gate_init(&written);
	pid = spawn();
	if (!pid)
		child(t, g, &ready, &written);
	close(ready.fd[1]);	/* so that its death would be noticed */
	wait_at(&ready);
	if (by_device)
		device_write(t, g);
	else
		cpu_write(t, g);
	pass(&written);
	pause_us(stress_dice(t, 2000));
	kill_and_reap(pid);
	close(ready.fd[0]);
	close(written.fd[0]);
	close(written.fd[1]);
	stress_check(t, g);
}

/* --- the kernel takes, moves, merges, splits; contents stay --------------- */

static void pageout(struct stress_thread *t, const struct stress_range *g)
{
	if (g->r->file >= 0 && stress_dice(t, 2))
		stress_peer(PEER_PAGEOUT, g);
	else
		advise(g, MADV_PAGEOUT);
}

static void reclaim(struct stress_thread *t, const struct stress_range *g)
{
	cgroup_reclaim("stress", (1 + stress_dice(t, 8)) * g->len);
}

static void evict(struct stress_thread *t, const struct stress_range *g)
{
	struct stress_range one = *g;
	int ret;

	one.pages = 1;
	for (; one.first < g->first + g->pages; one.first++) {
		stress_before(t, &one);
		ret = mmu_evict(stress_handle(t), one.p);
		/* 0 and 1 say whether the chain ran */
		stress_after(t, &one, false, 0, ret < 0 ? ret : 0);
		one.p += MMU_PAGE;
	}
}

static void collapse(struct stress_thread *t, const struct stress_range *g)
{
	char *huge = g->p - (g->p - g->r->view[0]) % MMU_HUGE;

	if (stress_dice(t, 2))
		madvise(huge, MMU_HUGE, MADV_COLLAPSE);
	else
		write_file("/sys/kernel/debug/split_huge_pages", "%d,%#lx,%#lx",
			   getpid(), (long)huge, (long)huge + MMU_HUGE);
}

/* Between nodes, if there are two. */
static void migrate(struct stress_thread *t, const struct stress_range *g)
{
	int node[STRESS_HUGE], status[STRESS_HUGE];
	void *page[STRESS_HUGE];
	unsigned int i;

	for (i = 0; i < g->pages; i++) {
		page[i] = g->p + i * MMU_PAGE;
		node[i] = stress_dice(t, stress.nodes);
	}
	syscall(SYS_move_pages, 0, (long)g->pages, page, node, status,
		MPOL_MF_MOVE);
}

static void compact(struct stress_thread *t, const struct stress_range *g)
{
	(void)t;
	(void)g;
	write_file("/proc/sys/vm/compact_memory", "1");
}

/* All that is swapped out comes back at once. One at a time, or it fails. */
static void swap_off(struct stress_thread *t, const struct stress_range *g)
{
	(void)g;
	if (!stress.swap[0] || swapoff(stress.swap))
		return;
	pause_us(stress_dice(t, 2000));
	ASSERT_EQ(swapon(stress.swap, 0), 0, "swap is on again");
}

static void merge(struct stress_thread *t, const struct stress_range *g)
{
	advise(g, stress_dice(t, 3) ? MADV_MERGEABLE : MADV_UNMERGEABLE);
}

/* 1 clears accessed bits, 4 write-protects to find out who writes. */
static void clear_refs(struct stress_thread *t, const struct stress_range *g)
{
	(void)g;
	write_file("/proc/self/clear_refs", "%d", stress_dice(t, 2) ? 1 : 4);
}

static void write_back(struct stress_thread *t, const struct stress_range *g)
{
	if (stress_dice(t, 2))
		msync(g->p, g->len, MS_SYNC);
	else
		sync_file_range(g->r->file, g->first * MMU_PAGE, g->len,
				SYNC_FILE_RANGE_WRITE);
	if (stress_dice(t, 2))
		posix_fadvise(g->r->file, g->first * MMU_PAGE, g->len,
			      POSIX_FADV_DONTNEED);
}

/* --- the device's side ---------------------------------------------------- */

static void populate_some(struct stress_thread *t, const struct stress_range *g)
{
	stress_populate(t, stress_handle(t), g, stress_dice(t, 2));
}

static void reattach(struct stress_thread *t, const struct stress_range *g)
{
	uint32_t flags = test_mode ? MY_MMU_ATTACH_RMAP_ONLY : 0;
	unsigned int i = stress_dice(t, STRESS_HANDLES);

	(void)g;
	pthread_mutex_lock(&stress.handle_lock[i]);
	ASSERT_EQ(mmu_detach(stress.handle[i]), 0, "detach");
	pause_us(stress_dice(t, 5000));
	ASSERT_EQ(mmu_attach_flags(stress.handle[i], test_variant, flags), 0,
		  "attach");
	pthread_mutex_unlock(&stress.handle_lock[i]);
}

static void slow_down(struct stress_thread *t, const struct stress_range *g)
{
	static const uint32_t us[] = { 0, 0, 0, 0, 20, 400 };
	int ret = mmu_configure(stress_handle(t), us[stress_dice(t, 6)]);

	(void)g;
	if (ret != -ENOTCONN)
		ASSERT_EQ(ret, 0, "the device changes its pace");
}

/* --- the table ------------------------------------------------------------ */

static const struct op {
	const char *name;
	void (*run)(struct stress_thread *t, const struct stress_range *g);
	unsigned int weight;
	bool alone;		/* has the pages to itself */
	uint32_t regions;
	unsigned int most;	/* pages */
} ops[] = {
	{ "CPU write", cpu_write, 30, true, IN_ALL, 64 },
	{ "device write", device_write, 20, true, IN_ALL, 16 },
	{ "MADV_DONTNEED", discard, 12, true, IN_PRIVATE, 512 },
	{ "mmap over it", map_over, 6, true, IN_ALL, 512 },
	{ "munmap and mmap", unmap, 8, true, IN_ALL, 64 },
	{ "MADV_FREE", lazy_free, 12, true, IN_PRIVATE, 40 },
	{ "punch a hole", punch_hole, 8, true, IN_SHARED, 64 },
	{ "truncate by peer", truncate_tail, 4, true, IN_SHARED, 0 },
	{ "write by peer", peer_write, 8, true, IN_SHARED, 8 },
	{ "mprotect READ", read_only, 12, true, IN_ALL, 512 },
	{ "mprotect NONE", no_access, 6, true, IN_ALL, 64 },
	{ "mremap", move, 8, true, IN_ALL, 512 },
	{ "fork", fork_child, 4, true, IN_ALL, 8 },
	{ "MADV_PAGEOUT", pageout, 10, false, IN_ALL, 64 },
	{ "cgroup reclaim", reclaim, 3, false, IN_ALL, 16 },
	{ "evict", evict, 20, false, IN_ALL, 16 },
	{ "collapse or split", collapse, 4, false, IN(THP), 1 },
	{ "move_pages", migrate, 8, false, IN_ALL, 64 },
	{ "compact", compact, 1, false, IN_ALL, 1 },
	{ "swapoff", swap_off, 1, false, IN_ALL, 1 },
	{ "KSM advice", merge, 6, false, IN(KSM), 64 },
	{ "clear_refs", clear_refs, 2, false, IN_ALL, 1 },
	{ "write back", write_back, 4, false, IN_SHARED, 64 },
	{ "populate", populate_some, 30, false, IN_ALL, 512 },
	{ "reattach", reattach, 3, false, IN_ALL, 1 },
	{ "slow device", slow_down, 3, false, IN_ALL, 1 },
};

#define OPS	(sizeof(ops) / sizeof(*ops))

const char *stress_op_name(unsigned int i)
{
	return i < OPS ? ops[i].name : NULL;
}

/* Operations are dealt out to the workers, one after the other. */
static unsigned int turn_of(const struct stress_thread *t)
{
	return t->op * STRESS_WORKERS + t->id;
}

/* Each operation has its turn first; then the weights decide. */
static unsigned int choose_op(struct stress_thread *t)
{
	unsigned int i = turn_of(t), sum = 0, at;

	if (i < OPS) {
		i = (i + stress.seed) % OPS;
		if (stress.allowed >> i & 1)
			return i;
	}
	for (i = 0; i < OPS; i++)
		sum += stress.allowed >> i & 1 ? ops[i].weight : 0;
	at = stress_dice(t, sum);
	for (i = 0; i < OPS; i++) {
		if (!(stress.allowed >> i & 1))
			continue;
		if (at < ops[i].weight)
			break;
		at -= ops[i].weight;
	}
	return i;
}

bool stress_has_had_turn(const struct stress_thread *t)
{
	return turn_of(t) >= OPS;
}

void stress_operate(struct stress_thread *t)
{
	struct stress_range g;
	const struct op *op;
	unsigned int i;

	t->random = stress_mix(stress.seed ^ stress_mix(t->id) ^ t->op);
	i = choose_op(t);
	op = &ops[i];
	t->what = op->name;
	g = stress_choose(t, op->regions, op->most ?: 1);
	if (!op->most) {	/* all that follows */
		g.pages = g.r->pages - g.first;
		g.len = g.pages * MMU_PAGE;
	}
	if (op->alone)
		stress_lock(t, &g);
	else
		stress_touch(t, &g);
	op->run(t, &g);
	if (op->alone)
		stress_unlock(&g);
	stress_count(&stress.shared->op[i], 1);
	t->op++;
}
