// SPDX-License-Identifier: GPL-2.0
/*
 * op-access.c - the device reads and writes
 */
#include <errno.h>
#include <string.h>

#include "device.h"

/* --- read, write ---------------------------------------------------------- */

/* Where the caller's buffer lies. */
enum buffer {
	BUFFER_GOOD, BUFFER_ODD, BUFFER_END, BUFFER_FIRST_BAD,
	BUFFER_CROSSES = BUFFER_FIRST_BAD, BUFFER_READ_ONLY, BUFFER_HOLE,
	BUFFER_NULL, BUFFER_KERNEL, BUFFER_WRAPS, BUFFER_NR
};

static unsigned char *buffer_of(struct self *me, unsigned int buffer,
				uint64_t len)
{
	unsigned char *hole = me->buf + BUF_PAGES * MMU_PAGE;

	switch (buffer) {
	case BUFFER_ODD:
		return me->buf + 1003;
	case BUFFER_END:
		return len < BUF_PAGES * MMU_PAGE ? hole - len : me->buf;
	case BUFFER_CROSSES:
		return len < BUF_PAGES * MMU_PAGE ? hole - len / 2 : me->buf;
	case BUFFER_READ_ONLY:
		return hole + MMU_PAGE;
	case BUFFER_HOLE:
		return hole;
	case BUFFER_NULL:
		return NULL;
	case BUFFER_KERNEL:
		return (void *)KERNEL_ADDR;
	case BUFFER_WRAPS:
		return (void *)-4l;
	default:
		return me->buf;
	}
}

/* Bytes from there on that the kernel can write (read). */
static uint64_t buffer_room(struct self *me, const unsigned char *at,
			    bool kernel_writes)
{
	unsigned char *hole = me->buf + BUF_PAGES * MMU_PAGE;

	if (at >= me->buf && at <= hole)
		return hole - at;
	return at == hole + MMU_PAGE && !kernel_writes ? MMU_PAGE : 0;
}

static void draw_access(struct draw *d, struct call *c)
{
	int odd = draw_odd(d, 4);

	draw_range(d, &c->arg[0], &c->arg[1]);
	if (chance(d, 70)) {
		c->arg[0] += draw_below(d, MMU_PAGE);
		c->arg[1] = 1 + draw_below(d, chance(d, 70) ? 64 : 6000);
	}
	c->arg[2] = odd == 2 ? draw_below(d, BUFFER_NR) : draw_below(d, 3);
	c->arg[3] = odd == 3 ? draw_place(d) : PLACE_GOOD;
	if (odd == 1)
		c->arg[1] = draw_edge_len(d, c->arg[0]);
	if (odd == 0)
		c->arg[0] = draw_edge(d, c->arg[0]);
}

void draw_read(struct draw *d, struct call *c)
{
	draw_access(d, c);
}

/* What was written must be known, and it is told in the argument. */
void draw_write(struct draw *d, struct call *c)
{
	draw_access(d, c);
	if (c->arg[3] == PLACE_READ_ONLY)
		c->arg[3] = PLACE_GOOD;
	c->arg[4] = draw_below(d, 256);
}

static void fill_buffer(const struct call *c, unsigned char *at, uint64_t room,
			bool write)
{
	uint64_t n = c->arg[1] < room ? c->arg[1] : room, i;

	if (n > BUF_PAGES * MMU_PAGE)
		n = BUF_PAGES * MMU_PAGE;
	if (c->arg[2] == BUFFER_READ_ONLY)
		return;
	for (i = 0; i < n; i++)
		at[i] = write ? c->arg[4] + i * 7 : JUNK;
	if (!write)
		for (; i < n + 64 && i < room; i++)
			at[i] = JUNK;
}

/* The page of the read-only buffer holds zeros. */
static unsigned char written(const struct call *c, uint64_t i)
{
	return c->arg[2] == BUFFER_READ_ONLY ? 0 : c->arg[4] + i * 7;
}

/* From @addr to the end of its page, at most @left. */
static uint64_t in_page(uint64_t addr, uint64_t left)
{
	uint64_t n = MMU_PAGE - addr % MMU_PAGE;

	return n < left ? n : left;
}

static void compare_page(struct self *me, uint64_t addr,
			 const unsigned char *at, uint64_t n)
{
	const unsigned char *want = contents(me->mm, page_index(addr)) +
				    addr % MMU_PAGE;
	uint64_t i = 0;

	if (!memcmp(at, want, n))
		return;
	while (at[i] == want[i])
		i++;
	fail(me, "the device read %#x at %#llx, where %#x is", at[i],
	     (unsigned long long)(addr + i), want[i]);
}

static void compare_read(struct self *me, const struct call *c,
			 const unsigned char *at, uint64_t done)
{
	uint64_t i, n;

	for (i = 0; i < done; i += n) {
		n = in_page(c->arg[0] + i, done - i);
		compare_page(me, c->arg[0] + i, at + i, n);
	}
}

static void note_written(struct self *me, const struct call *c, uint64_t done)
{
	uint64_t i = 0, addr, end;
	unsigned char *to;
	int index;

	while (i < done) {
		addr = c->arg[0] + i;
		index = page_index(addr);
		make_own(me->mm, index);
		to = contents(me->mm, index) + addr % MMU_PAGE;
		for (end = i + in_page(addr, done - i); i < end; i++)
			*to++ = written(c, i);
	}
}

/* Nobody says what was written: the CPU looks. The old, or the new. */
static void look_after(struct self *me, const struct call *c, uint64_t limit)
{
	uint64_t i, addr;
	unsigned char *old, byte;
	int index;

	for (i = 0; i < limit; i++) {
		addr = c->arg[0] + i;
		index = page_index(addr);
		if (world->seq.serial)
			settle(me, index);
		old = &contents(me->mm, index)[addr % MMU_PAGE];
		byte = *(volatile unsigned char *)addr;
		if (byte != *old && byte != written(c, i))
			fail(me, "after a write there is %#x at %#llx", byte,
			     (unsigned long long)addr);
		*old = byte;
	}
}

/*
 * A write that failed may have made copies of the page where it did, and of
 * those that it would have come to.
 */
static void settle_after(struct self *me, const struct call *c, uint64_t done,
			 uint64_t limit)
{
	uint64_t addr;
	int i;

	do {
		addr = c->arg[0] + done;
		i = page_index(addr);
		if (world->seq.serial && i >= 0)
			settle(me, i);
		done += MMU_PAGE - addr % MMU_PAGE;
	} while (done < limit);
}

static void check_done(struct self *me, const struct call *c, long ret,
		       uint64_t done, uint64_t limit, uint64_t room)
{
	uint64_t least = limit;

	if (!ret)
		same(me, done == c->arg[1], "success, and not all bytes done");
	if (!exact(me, c->arg[0]))
		return;
	same(me, done <= limit && done <= room, "more done than there is");
	if (ret != -EFAULT || me->injected || world->storm)
		return;
	/* A copy is by pages: the one where the buffer ends is not counted. */
	if (room < limit)
		least = room > MMU_PAGE ? room - MMU_PAGE : 0;
	same(me, done >= least, "it stopped before the first bad address");
}

struct access {
	unsigned char *at;
	uint64_t room;		/* in the buffer */
	uint64_t limit;		/* in the device's memory */
	bool write;
};

static struct legal legal_access(struct self *me, const struct call *c,
				 unsigned long cmd, struct access *x)
{
	struct legal l = legal_for(me, c, cmd, c->arg[3], true);
	struct legal own = { .success = true };

	legal_range(&own, c->arg[0], c->arg[1]);
	if (refuse(&l, &own))
		return l;
	x->limit = reach(me->mm, c->arg[0], c->arg[1], x->write);
	legal_memory(me, &l, c->arg[0], c->arg[1], x->limit);
	if (x->room < c->arg[1])
		must_be(&l, EFAULT);
	return l;
}

/* A fault populates no more than the pages of the access. */
static uint64_t pages_of(uint64_t addr, uint64_t len)
{
	return (addr % MMU_PAGE + len + MMU_PAGE - 1) / MMU_PAGE;
}

static void check_access(struct self *me, const struct call *c, long ret,
			 const struct my_mmu_access *a, const struct access *x)
{
	same(me, a->addr == c->arg[0] && a->len == c->arg[1] &&
	     a->buf == (uintptr_t)x->at, "an input was changed");
	check_done(me, c, ret, a->done, x->limit, x->room);
	me->delta.populated = a->faults ? pages_of(c->arg[0], c->arg[1]) : 0;
	me->delta.reads = x->write ? 0 : a->done;
	me->delta.writes = x->write ? a->done : 0;
	if (no_handle(ret) || ret == -EINVAL)
		same(me, !a->done && !a->faults, "refused, and still done");
	if (!exact(me, c->arg[0]))
		return;
	if (x->write)
		note_written(me, c, a->done);
	else
		compare_read(me, c, x->at, a->done);
	if (!ret && !x->write)
		check_junk(me, x->at + a->done, x->at + a->done +
			   (x->room - a->done < 64 ? x->room - a->done : 64));
	if (ret && x->write && !no_handle(ret) && ret != -EINVAL)
		settle_after(me, c, a->done, x->limit);
}

static void run_access(struct self *me, const struct call *c,
		       unsigned long cmd, bool write)
{
	struct access x = { .write = write };
	struct my_mmu_access a = {
		.addr = c->arg[0], .len = c->arg[1],
		.done = JUNK64, .faults = JUNK64,
	};
	struct legal l;
	long ret;

	x.at = buffer_of(me, c->arg[2], a.len);
	x.room = buffer_room(me, x.at, !write);
	a.buf = (uintptr_t)x.at;
	fill_buffer(c, x.at, x.room, write);
	l = legal_access(me, c, cmd, &x);
	if (c->arg[3] < PLACE_FIRST_BAD && x.limit)
		may_have_entries(me, c, a.addr & -MMU_PAGE,
				 x.limit + a.addr % MMU_PAGE, write);
	ret = issue(me, c, cmd, &a, sizeof(a), c->arg[3]);
	legal_faults(me, &l);
	legal_populate(&l);
	judge(me, c, ret, &l);
	if (told(me, c->arg[3], ret))
		check_access(me, c, ret, &a, &x);
	else if (write && c->arg[3] < PLACE_FIRST_BAD && exact(me, a.addr))
		look_after(me, c, x.limit < x.room ? x.limit : x.room);
}

void run_read(struct self *me, const struct call *c)
{
	run_access(me, c, MY_MMU_READ, false);
}

void run_write(struct self *me, const struct call *c)
{
	run_access(me, c, MY_MMU_WRITE, true);
}
