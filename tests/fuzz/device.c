// SPDX-License-Identifier: GPL-2.0
/*
 * device.c - making an ioctl, and what may come back from any; see device.h
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"

#define ODD	30	/* percent of calls that have something odd */

/* Which of @n things about a call is odd; mostly none: -1. */
int draw_odd(struct draw *d, unsigned int n)
{
	return chance(d, ODD) ? (int)draw_below(d, n) : -1;
}

unsigned int draw_place(struct draw *d)
{
	return draw_below(d, PLACE_NR);
}

/* --- making the call ------------------------------------------------------ */

static unsigned char *place_of(struct self *me, unsigned int place,
			       size_t size)
{
	unsigned char *hole = me->args + 2 * MMU_PAGE;

	switch (place) {
	case PLACE_END:
		return hole - size;
	case PLACE_UNALIGNED:
		return me->args + 1001;
	case PLACE_READ_ONLY:
		return hole + MMU_PAGE;
	case PLACE_CROSSES:
		return hole - size / 2;
	case PLACE_NULL:
		return NULL;
	case PLACE_KERNEL:
		return (void *)KERNEL_ADDR;
	case PLACE_HOLE:
		return hole;
	case PLACE_HIGH:
		return (void *)(TASK_TOP - 8);
	default:
		return me->args + 1024;
	}
}

/* To tell it means a copy, which may be what fails. */
static void set_fail_nth(struct self *me, unsigned int nth)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", nth), tries = 100;

	while (pwrite(FD_FAIL + me->thread, text, n, 0) != n)
		if (errno != EFAULT || !--tries)
			fail(me, "fail-nth cannot be set: %s", strerror(errno));
}

void inject(struct self *me, const struct call *c)
{
	if (c->fail && limits.faults)
		set_fail_nth(me, c->fail);
}

/* The kernel has counted down; at zero, one has failed. */
void inject_end(struct self *me, const struct call *c)
{
	char text[16] = "";

	if (!c->fail || !limits.faults)
		return;
	if (pread(FD_FAIL + me->thread, text, sizeof(text) - 1, 0) > 0)
		me->injected = !atoi(text);
	set_fail_nth(me, 0);
}

void check_junk(struct self *me, const unsigned char *from,
		const unsigned char *to)
{
	for (; from < to; from++)
		if (*from != JUNK)
			fail(me, "a byte outside the argument was written");
}

static bool lies_here(unsigned int place)
{
	return place < PLACE_READ_ONLY;
}

/* Fills the read-only page, which means to make it writable for a moment. */
static void store_read_only(struct self *me, const void *arg, size_t size)
{
	void *page = place_of(me, PLACE_READ_ONLY, size);

	mprotect(page, MMU_PAGE, PROT_READ | PROT_WRITE);
	memcpy(page, arg, size);
	mprotect(page, MMU_PAGE, PROT_READ);
}

/* ENOTTY comes from other files, too; in a parallel round nobody knows. */
static bool answered_by_device(struct self *me, const struct call *c, long ret)
{
	return ret != -EBADF && (ret != -ENOTTY || handle_in(me, c->slot));
}

/*
 * Puts @arg where @place says, calls, and brings back what is there then. The
 * bytes around it must stay as they were.
 */
long issue(struct self *me, const struct call *c, unsigned long cmd, void *arg,
	   size_t size, unsigned int place)
{
	unsigned char *at = place_of(me, place, size);
	unsigned char *from = at - 64, *to = at + size + 64;
	int ret;

	if (to > me->args + 2 * MMU_PAGE)
		to = me->args + 2 * MMU_PAGE;
	if (lies_here(place)) {
		memset(from, JUNK, to - from);
		memcpy(at, arg, size);
	} else if (place == PLACE_READ_ONLY) {
		store_read_only(me, arg, size);
	}
	inject(me, c);
	ret = ioctl(FD_SLOT + c->slot, cmd, at);
	ret = ret < 0 ? -errno : ret;
	inject_end(me, c);
	if (answered_by_device(me, c, ret))
		count_call();
	if (lies_here(place)) {
		check_junk(me, from, at);
		check_junk(me, at + size, to);
		memcpy(arg, at, size);
	}
	return ret;
}

/* --- what may come back from any of them ---------------------------------- */

static void legal_handle(struct self *me, const struct call *c,
			 struct legal *l, bool attached, bool dead_is_fine)
{
	unsigned int content = me->p->slot[c->slot];
	struct handle *h = handle_in(me, c->slot);

	if (!h) {
		must_be(l, content == SLOT_OTHER ? ENOTTY : EBADF);
		return;
	}
	if (!attached)
		return;
	if (h->variant < 0)
		must_be(l, ENOTCONN);
	else if (mm_owner(h->mm_id) < 0 && !dead_is_fine)
		must_be(l, ESRCH);
	else if (mm_owner(h->mm_id) >= 0 && h->mm_id != me->p->mm_id)
		must_be(l, EIO);
}

static void legal_by_others(struct legal *l, bool attached)
{
	may_be(l, EBADF);
	may_be(l, ENOTTY);
	if (!attached)
		return;
	may_be(l, ENOTCONN);
	may_be(l, EIO);
	may_be(l, ESRCH);
}

struct legal legal_for(struct self *me, const struct call *c, unsigned long cmd,
		       unsigned int place, bool attached)
{
	struct legal l = { .success = true };

	if (world->seq.serial)
		legal_handle(me, c, &l, attached, cmd == MY_MMU_DETACH);
	else
		legal_by_others(&l, attached);
	if (place >= PLACE_FIRST_BAD ||
	    (place == PLACE_READ_ONLY && _IOC_DIR(cmd) & _IOC_READ))
		must_be(&l, EFAULT);
	return l;
}

/* An allocation that failed shows as itself, or as memory that is not there. */
void legal_faults(struct self *me, struct legal *l)
{
	if (!me->injected)
		return;
	may_be(l, ENOMEM);
	may_be(l, EFAULT);
}

void legal_range(struct legal *l, uint64_t addr, uint64_t len)
{
	if (!len)
		must_be(l, EINVAL);
	if (addr >= TASK_TOP || len > TASK_TOP - addr)
		must_be(l, EFAULT);
}

void legal_pages(struct legal *l, uint64_t addr, uint64_t len)
{
	if (addr % MMU_PAGE || len % MMU_PAGE)
		must_be(l, EINVAL);
	legal_range(l, addr, len);
}

/* What populates meet: test points that fail, and other threads. */
void legal_populate(struct legal *l)
{
	if (world->fail_create)
		may_be(l, ENOMEM);
	if (world->fail_lookup >= 1000 || !world->seq.serial)
		may_be(l, EAGAIN);
}

void same(struct self *me, bool good, const char *what)
{
	if (!good)
		fail(me, "%s", what);
}

int variant_of(struct self *me, const struct call *c)
{
	struct handle *h = handle_in(me, c->slot);

	return h ? h->variant : -1;
}

/* Whatever is wrong by itself; true if anything is. */
bool refuse(struct legal *l, const struct legal *own)
{
	int err;

	for (err = 0; err < 160; err++)
		if (own->err[err])
			must_be(l, err);
	return !own->success;
}

/*
 * The results are there to be looked at. They are not if it was the copy to or
 * from user space that was made to fail; then nobody knows what was done.
 */
bool told(struct self *me, unsigned int place, long ret)
{
	bool known = ret != -EFAULT || !(me->injected || world->storm);

	if (place == PLACE_READ_ONLY || !known)
		me->delta.unknown = true;
	return lies_here(place) && known && ret != -EBADF && ret != -ENOTTY;
}

bool no_handle(long ret)
{
	return ret == -EIO || ret == -ENOTCONN || ret == -ESRCH;
}

void legal_memory(struct self *me, struct legal *l, uint64_t addr, uint64_t len,
		  uint64_t limit)
{
	if (!exact(me, addr))
		may_be(l, EFAULT);
	else if (limit < len)
		must_be(l, EFAULT);
}

void may_have_entries(struct self *me, const struct call *c, uint64_t addr,
		      uint64_t len, bool write)
{
	int v = variant_of(me, c), i;
	uint64_t end = addr + len;

	if (!world->seq.serial || v < 0 ||
	    handle_in(me, c->slot)->mm_id != me->p->mm_id)
		return;
	for (; addr < end; addr += MMU_PAGE) {
		i = page_index(addr);
		if (i < 0)
			continue;
		me->mm->tables[v] |= 1u << i / TABLE_PAGES;
		me->mm->page[i].may[v] |=
			MY_MMU_ENTRY_PRESENT | MY_MMU_ENTRY_ACCESSED |
			(write ? MY_MMU_ENTRY_WRITE : 0);
	}
}
