// SPDX-License-Identifier: GPL-2.0
/*
 * op-memory.c - what happens to memory underneath, and what the CPU sees in it
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#ifndef MADV_PAGEOUT
#define MADV_COLD	20
#define MADV_PAGEOUT	21
#endif

/* In a parallel round a thread's own region stays anonymous. */
static bool is_home(uint64_t addr)
{
	int index = page_index(addr);

	return index >= 0 && (unsigned int)index < HOMES * REGION_PAGES;
}

/* What other calls may be given: never beyond the region. */
static void draw_inside(struct draw *d, struct call *c)
{
	uint64_t room;

	draw_range(d, &c->arg[0], &c->arg[1]);
	room = REGION_PAGES - page_index(c->arg[0]) % REGION_PAGES;
	if (c->arg[1] > room * MMU_PAGE)
		c->arg[1] = room * MMU_PAGE;
}

#define FOR_PAGES(i, c)							\
	for (unsigned int i = page_index((c)->arg[0]),			\
	     end_ = i + (c)->arg[1] / MMU_PAGE; i < end_; i++)

/*
 * A call that failed for lack of memory may have done half of its work: an
 * mmap() has unmapped what was there before. From here on, nothing is there.
 */
static void clear(struct self *me, uint64_t addr, uint64_t len)
{
	unsigned int i = page_index(addr), end = i + len / MMU_PAGE;
	unsigned int tries = 100;

	if (!exact(me, addr))
		return;
	while (munmap((void *)addr, len))
		if (!--tries)
			fail(me, "munmap: %s", strerror(errno));
	for (; i < end; i++)
		memset(&me->mm->page[i], 0, sizeof(struct page));
}

/* Serial: memory calls that are right succeed. */
static bool done(struct self *me, const struct call *c, long ret)
{
	struct legal l = { .success = true };

	if (ret && world->storm) {
		clear(me, c->arg[0], c->arg[1]);
		return false;
	}
	if (world->seq.serial || is_home(c->arg[0]))
		judge(me, c, ret, &l);
	return !ret && exact(me, c->arg[0]);
}

static long err_of(long ret)
{
	return ret < 0 ? -errno : 0;
}

/* --- map, unmap, protect -------------------------------------------------- */

void draw_map(struct draw *d, struct call *c)
{
	draw_inside(d, c);
	if (chance(d, 50)) {
		c->arg[0] = page_addr(page_index(c->arg[0]) / REGION_PAGES *
				      REGION_PAGES);
		c->arg[1] = REGION_PAGES * MMU_PAGE;
	}
	c->arg[2] = ANON + draw_below(d, 3);
	c->arg[3] = chance(d, 80) ? PROT_READ | PROT_WRITE :
				    DRAW_OF(d, PROT_NONE, PROT_READ);
	/* Low pages of the file: aliases, in one process and among several. */
	c->arg[4] = draw_below(d, 8);
	if (!d->serial && is_home(c->arg[0]))
		c->arg[2] = ANON;
}

void run_map(struct self *me, const struct call *c)
{
	bool anon = c->arg[2] == ANON;
	int flags = c->arg[2] == FILE_SHARED ? MAP_SHARED : MAP_PRIVATE;
	struct page *p;
	void *at;

	at = mmap((void *)c->arg[0], c->arg[1], c->arg[3],
		  flags | MAP_FIXED | (anon ? MAP_ANONYMOUS : 0),
		  anon ? -1 : FD_FILE, anon ? 0 : c->arg[4] * MMU_PAGE);
	if (!done(me, c, at == MAP_FAILED ? -errno : 0))
		return;
	FOR_PAGES(i, c) {
		p = &me->mm->page[i];
		*p = (struct page){
			.kind = c->arg[2], .prot = c->arg[3],
			.file_page = c->arg[4] + i - page_index(c->arg[0]),
		};
		memset(me->mm->data[i], 0, anon ? MMU_PAGE : 0);
	}
}

void draw_unmap(struct draw *d, struct call *c)
{
	draw_inside(d, c);
}

void run_unmap(struct self *me, const struct call *c)
{
	unsigned int first = page_index(c->arg[0]);

	if (!done(me, c, err_of(munmap((void *)c->arg[0], c->arg[1]))))
		return;
	forget_tables(me->mm, first, first + c->arg[1] / MMU_PAGE);
	FOR_PAGES(i, c)
		memset(&me->mm->page[i], 0, sizeof(struct page));
}

void draw_protect(struct draw *d, struct call *c)
{
	draw_inside(d, c);
	c->arg[2] = DRAW_OF(d, PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
			    PROT_READ | PROT_WRITE);
}

static bool all_mapped(struct self *me, const struct call *c)
{
	FOR_PAGES(i, c)
		if (me->mm->page[i].kind == NOTHING)
			return false;
	return true;
}

/* A hole in the range stops it half-way: not tried where it must be known. */
void run_protect(struct self *me, const struct call *c)
{
	struct page *p;

	if (exact(me, c->arg[0]) && !all_mapped(me, c))
		return;
	if (!done(me, c, err_of(mprotect((void *)c->arg[0], c->arg[1],
					 c->arg[2]))))
		return;
	FOR_PAGES(i, c) {
		p = &me->mm->page[i];
		p->prot = c->arg[2];
		if (!(p->prot & PROT_READ))
			forget_entries(me->mm, i);
		for (int v = 0; v < VARIANTS && !(p->prot & PROT_WRITE); v++)
			p->may[v] &= ~MY_MMU_ENTRY_WRITE;
	}
}

/* --- advice --------------------------------------------------------------- */

static const int advice[] = {
	MADV_DONTNEED, MADV_PAGEOUT, MADV_COLD, MADV_MERGEABLE,
	MADV_UNMERGEABLE, MADV_FREE,
};

#define ADVICE (sizeof(advice) / sizeof(*advice))

void draw_advise(struct draw *d, struct call *c)
{
	draw_inside(d, c);
	c->arg[2] = draw_below(d, chance(d, 50) ? 2 : ADVICE);
	/* Nobody knows when what is free is gone. */
	if (advice[c->arg[2]] == MADV_FREE &&
	    (d->serial || is_home(c->arg[0])))
		c->arg[2] = 0;
}

void run_advise(struct self *me, const struct call *c)
{
	int a = advice[c->arg[2] % ADVICE];
	struct page *p;
	long ret;

	if (exact(me, c->arg[0]) && !all_mapped(me, c))
		return;
	ret = err_of(madvise((void *)c->arg[0], c->arg[1], a));
	if (a != MADV_DONTNEED)
		return;
	if (!done(me, c, ret))
		return;
	FOR_PAGES(i, c) {
		p = &me->mm->page[i];
		forget_entries(me->mm, i);
		p->own = false;
		if (p->kind == ANON)
			memset(me->mm->data[i], 0, MMU_PAGE);
	}
}

/* --- move ----------------------------------------------------------------- */

void draw_remap(struct draw *d, struct call *c)
{
	c->arg[0] = draw_page(d);
	c->arg[1] = MMU_PAGE;
	c->arg[2] = draw_page(d);
	/* Contents go with the page, so both must be known or neither. */
	if (!d->serial && is_home(c->arg[0]) != is_home(c->arg[2]))
		c->arg[2] = c->arg[0] ^ MMU_PAGE;
}

/*
 * One page: always within one mapping. An anonymous page and a private copy
 * keep their contents, the others are the file's.
 */
void run_remap(struct self *me, const struct call *c)
{
	int from = page_index(c->arg[0]), to = page_index(c->arg[2]);
	void *at;

	if (from < 0 || to < 0 || from == to ||
	    (exact(me, c->arg[0]) && me->mm->page[from].kind == NOTHING))
		return;
	at = mremap((void *)c->arg[0], MMU_PAGE, MMU_PAGE,
		    MREMAP_MAYMOVE | MREMAP_FIXED, (void *)c->arg[2]);
	if (!done(me, c, at == MAP_FAILED ? -errno : 0)) {
		if (world->storm)
			clear(me, c->arg[2], MMU_PAGE);
		return;
	}
	me->mm->page[to] = me->mm->page[from];
	memset(&me->mm->page[from], 0, sizeof(struct page));
	/* Without memory to cut it out, mremap() leaves an empty mapping. */
	if (world->storm)
		clear(me, c->arg[0], MMU_PAGE);
	memcpy(me->mm->data[to], me->mm->data[from], MMU_PAGE);
	forget_entries(me->mm, to);
}

/* --- the CPU -------------------------------------------------------------- */

void draw_touch(struct draw *d, struct call *c)
{
	draw_range(d, &c->arg[0], &c->arg[1]);
	c->arg[0] += draw_below(d, MMU_PAGE);
	c->arg[1] = 1 + draw_below(d, chance(d, 70) ? 16 : 5000);
	c->arg[2] = chance(d, 60);
	c->arg[3] = draw_below(d, 256);
}

static void write_byte(struct self *me, uint64_t addr, unsigned char byte)
{
	int i = page_index(addr);

	*(volatile unsigned char *)addr = byte;
	if (!exact(me, addr))
		return;
	if (!accessible(me->mm, i, true))
		fail(me, "the CPU can write %#llx", (unsigned long long)addr);
	make_own(me->mm, i);
	contents(me->mm, i)[addr % MMU_PAGE] = byte;
}

static void read_byte(struct self *me, uint64_t addr)
{
	unsigned char byte = *(volatile unsigned char *)addr, want;
	int i = page_index(addr);

	if (!exact(me, addr))
		return;
	if (!accessible(me->mm, i, false))
		fail(me, "the CPU can read %#llx", (unsigned long long)addr);
	want = contents(me->mm, i)[addr % MMU_PAGE];
	if (byte != want)
		fail(me, "the CPU reads %#x at %#llx, where %#x is", byte,
		     (unsigned long long)addr, want);
}

void run_touch(struct self *me, const struct call *c)
{
	volatile uint64_t n = 0;
	sigjmp_buf here;
	uint64_t addr;

	if (sigsetjmp(here, 1)) {
		me->fault = NULL;
		addr = c->arg[0] + n;
		if (!world->storm && exact(me, addr) && page_index(addr) >= 0 &&
		    accessible(me->mm, page_index(addr), c->arg[2]))
			fail(me, "the CPU cannot touch %#llx",
			     (unsigned long long)addr);
		return;
	}
	me->fault = &here;
	for (; n < c->arg[1]; n++) {
		if (c->arg[2])
			write_byte(me, c->arg[0] + n, c->arg[3] + n * 5);
		else
			read_byte(me, c->arg[0] + n);
	}
	me->fault = NULL;
}

/* --- the file ------------------------------------------------------------- */

void draw_resize(struct draw *d, struct call *c)
{
	c->arg[0] = draw_below(d, 3);
	c->arg[1] = chance(d, 50) ? PAGES : 1 + draw_below(d, 24);
}

static bool of_file(const struct page *p)
{
	return p->kind == FILE_SHARED || p->kind == FILE_PRIVATE;
}

/* Pages of the file are gone, in every process. */
static void dropped(unsigned int first, unsigned int n, bool copies_too)
{
	struct page *p;
	unsigned int i, proc;

	for (i = first; i < first + n && i < PAGES; i++)
		memset(world->file[i], 0, MMU_PAGE);
	for (proc = 0; proc < PROCS; proc++) {
		for (i = 0; i < PAGES; i++) {
			p = &world->mm[proc].page[i];
			if (!of_file(p) || p->file_page < first ||
			    p->file_page >= first + n)
				continue;
			if (p->own && !copies_too)
				continue;
			p->own = false;
			forget_entries(&world->mm[proc], i);
		}
	}
}

/* Punches a hole of a page, or makes the file shorter or longer. */
void run_resize(struct self *me, const struct call *c)
{
	unsigned int pages = c->arg[1], old = world->file_pages;
	struct legal l = { .success = true };
	long ret;

	if (c->arg[0] == 0) {
		ret = fallocate(FD_FILE, FALLOC_FL_PUNCH_HOLE |
				FALLOC_FL_KEEP_SIZE, (pages % 24) * MMU_PAGE,
				MMU_PAGE);
	} else {
		ret = ftruncate(FD_FILE, pages * MMU_PAGE);
	}
	ret = err_of(ret);
	if (!world->storm)
		judge(me, c, ret, &l);
	if (!world->seq.serial)
		return;
	if (c->arg[0] == 0) {
		dropped(pages % 24, 1, false);
		return;
	}
	world->file_pages = pages;
	if (pages < old)
		dropped(pages, PAGES + REGION_PAGES - pages, true);
}
