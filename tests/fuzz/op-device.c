// SPDX-License-Identifier: GPL-2.0
/*
 * op-device.c - the ioctls, but for read and write
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "device.h"

/* --- attach, detach ------------------------------------------------------- */

static const char *const names[] = {
	"spinlock", "split-ptl", "rcu-list", "interval",
	"", "nosuch", "spinlock ", "Spinlock", "spin", "split-ptl-split-",
	"................",
};

#define NAMES (sizeof(names) / sizeof(*names))

int variant_named(const char *name)
{
	int v = VARIANTS - 1;

	while (v >= 0 && strcmp(names[v], name))
		v--;
	return v;
}

static unsigned int draw_variant(struct draw *d)
{
	unsigned int drawn = draw_below(d, VARIANTS);

	return fixed.variant < 0 ? drawn : (unsigned int)fixed.variant;
}

void draw_attach(struct draw *d, struct call *c)
{
	int odd = draw_odd(d, 4);

	c->arg[0] = odd == 0 ? VARIANTS + draw_below(d, NAMES - VARIANTS) :
			       draw_variant(d);
	c->arg[1] = odd == 1 ? DRAW_OF(d, 2, 3, 1u << 31, ~0u) :
			       draw_below(d, 2);
	c->arg[2] = odd == 2 ? DRAW_OF(d, 1, ~0u) : 0;
	c->arg[3] = odd == 3 ? draw_place(d) : PLACE_GOOD;
}

static void attached(struct self *me, const struct call *c)
{
	struct handle *h = handle_in(me, c->slot);

	if (!world->seq.serial)
		return;
	h->variant = c->arg[0];
	h->mm_id = me->p->mm_id;
	me->delta.attaches = 1;
	if (!me->mm->users[h->variant]++)
		me->mm->rmap_only[h->variant] = c->arg[1];
}

void run_attach(struct self *me, const struct call *c)
{
	struct my_mmu_attach a = {
		.flags = c->arg[1], .reserved = c->arg[2]
	}, sent;
	struct legal l = legal_for(me, c, MY_MMU_ATTACH, c->arg[3], false);
	struct handle *h = handle_in(me, c->slot);
	const char *name = names[c->arg[0] % NAMES];
	long ret;

	memcpy(a.variant, name, strnlen(name, sizeof(a.variant)));
	sent = a;
	ret = issue(me, c, MY_MMU_ATTACH, &a, sizeof(a), c->arg[3]);
	if (a.flags & ~1u || a.reserved)
		must_be(&l, EINVAL);
	if (c->arg[0] >= VARIANTS)
		must_be(&l, ENODEV);
	if (!world->seq.serial) {
		may_be(&l, EBUSY);
		may_be(&l, EINTR);
	} else if (h && h->variant >= 0) {
		must_be(&l, EBUSY);
	}
	legal_faults(me, &l);
	judge(me, c, ret, &l);
	same(me, !memcmp(&a, &sent, sizeof(a)), "attach changed its argument");
	if (!ret)
		attached(me, c);
}

void draw_detach(struct draw *d, struct call *c)
{
	c->arg[0] = draw_odd(d, 1) ? PLACE_GOOD : draw_place(d);
}

void run_detach(struct self *me, const struct call *c)
{
	/* The argument is not looked at: any will do. */
	struct legal l = legal_for(me, c, MY_MMU_DETACH, PLACE_GOOD, true);
	char none[8] = "";
	long ret;

	if (!world->seq.serial)
		l.err[ESRCH] = false;
	ret = issue(me, c, MY_MMU_DETACH, none, sizeof(none), c->arg[0]);
	judge(me, c, ret, &l);
	if (!ret && world->seq.serial)
		handle_detach(handle_in(me, c->slot));
}

/* --- populate, floor ------------------------------------------------------ */

void draw_populate(struct draw *d, struct call *c)
{
	int odd = draw_odd(d, 5);

	draw_range(d, &c->arg[0], &c->arg[1]);
	c->arg[2] = odd == 2 ? DRAW_OF(d, 4, 7, 8, 1u << 31, ~0u) :
			       draw_below(d, 4);
	c->arg[3] = odd == 3 ? DRAW_OF(d, 513, 1u << 31, ~0u) :
			       DRAW_OF(d, 0, 0, 0, 1, 2, 7, 511, 512);
	c->arg[4] = odd == 4 ? draw_place(d) : PLACE_GOOD;
	if (odd == 1)
		c->arg[1] = draw_edge_len(d, c->arg[0]);
	if (odd == 0)
		c->arg[0] = draw_edge(d, c->arg[0]);
}

static bool is_bad_populate(struct legal *l, const struct call *c,
			    unsigned long cmd)
{
	uint64_t flags = MY_MMU_POPULATE_WRITE | MY_MMU_POPULATE_NOFAULT;
	struct legal own = { .success = true };

	if (cmd == MY_MMU_GUP_FLOOR)
		flags |= MY_MMU_FLOOR_LOOKUP;
	if (c->arg[2] & ~flags || c->arg[3] > MY_MMU_BATCH_MAX)
		must_be(&own, EINVAL);
	legal_pages(&own, c->arg[0], c->arg[1]);
	return refuse(l, &own);
}

/*
 * How far a lookup for writing comes that makes no copies: to the first private
 * page of a file that nobody has written.
 */
static uint64_t written(struct mm *mm, uint64_t addr, uint64_t limit)
{
	uint64_t done;

	for (done = 0; done < limit; done += MMU_PAGE) {
		struct page *p = &mm->page[page_index(addr + done)];

		if (p->kind == FILE_PRIVATE && !p->own)
			break;
	}
	return done;
}

/* A private page of a file that a lookup for writing reached is a copy now. */
static void looked_up(struct self *me, const struct call *c, long ret,
		      uint64_t limit)
{
	uint64_t addr = c->arg[0], end = addr + limit;
	uint64_t flags = c->arg[2] & ~(uint64_t)MY_MMU_FLOOR_LOOKUP;

	if (!world->seq.serial || flags != MY_MMU_POPULATE_WRITE)
		return;
	for (; addr < end; addr += MMU_PAGE) {
		if (ret)
			settle(me, page_index(addr));
		else
			make_own(me->mm, page_index(addr));
	}
}

static void check_populated(struct self *me, const struct call *c, long ret,
			    const struct my_mmu_populate *a, uint64_t limit)
{
	uint64_t pages = limit / MMU_PAGE;

	if (!ret)
		same(me, a->populated == c->arg[1] / MMU_PAGE,
		     "success, but not all pages are counted");
	else if (ret == -EFAULT && !(c->arg[2] & MY_MMU_POPULATE_NOFAULT) &&
		 exact(me, c->arg[0]) && !me->injected &&
		 !world->storm)
		same(me, a->populated == pages,
		     "it did not stop at the first page that is not there");
	else if (exact(me, c->arg[0]))
		same(me, a->populated <= pages,
		     "more is counted than is there");
}

static void check_populate_outs(struct self *me, const struct call *c,
				const struct my_mmu_populate *a, bool refused)
{
	same(me, a->addr == c->arg[0] && a->len == c->arg[1] &&
	     a->flags == (uint32_t)c->arg[2] &&
	     a->batch == (uint32_t)c->arg[3], "an input was changed");
	if (refused)
		same(me, !a->populated && !a->retries,
		     "refused, and still something was done");
}

static void run_populate_cmd(struct self *me, const struct call *c,
			     unsigned long cmd, bool attached)
{
	struct my_mmu_populate a = {
		.addr = c->arg[0], .len = c->arg[1], .flags = c->arg[2],
		.batch = c->arg[3], .populated = JUNK64, .retries = JUNK64,
	};
	struct legal l = legal_for(me, c, cmd, c->arg[4], attached);
	bool write = c->arg[2] & MY_MMU_POPULATE_WRITE, refused;
	uint64_t limit = 0;
	long ret;

	refused = is_bad_populate(&l, c, cmd);
	if (!refused) {
		limit = reach(me->mm, a.addr, a.len, write);
		if (write && a.flags & MY_MMU_POPULATE_NOFAULT)
			limit = written(me->mm, a.addr, limit);
		legal_memory(me, &l, a.addr, a.len, limit);
		if (a.flags & MY_MMU_POPULATE_NOFAULT)
			may_be(&l, EFAULT);
	}
	refused |= c->arg[4] >= PLACE_FIRST_BAD;
	if (attached && !refused)
		may_have_entries(me, c, a.addr, limit, write);
	ret = issue(me, c, cmd, &a, sizeof(a), c->arg[4]);
	legal_faults(me, &l);
	legal_populate(&l);
	judge(me, c, ret, &l);
	if (told(me, c->arg[4], ret)) {
		check_populate_outs(me, c, &a, refused || ret == -EIO ||
				    ret == -ENOTCONN);
		if (!refused && (!ret || ret == -EFAULT))
			check_populated(me, c, ret, &a, limit);
		me->delta.populated = attached ? a.populated : 0;
	}
	if (!refused && ret != -EBADF && ret != -ENOTTY && !no_handle(ret))
		looked_up(me, c, ret, limit);
}

void run_populate(struct self *me, const struct call *c)
{
	run_populate_cmd(me, c, MY_MMU_POPULATE, true);
}

void draw_floor(struct draw *d, struct call *c)
{
	draw_populate(d, c);
	if (draw_below(d, 2))
		c->arg[2] |= MY_MMU_FLOOR_LOOKUP;
}

void run_floor(struct self *me, const struct call *c)
{
	run_populate_cmd(me, c, MY_MMU_GUP_FLOOR, false);
}

/* --- query, verify -------------------------------------------------------- */

void draw_query(struct draw *d, struct call *c)
{
	int odd = draw_odd(d, 3);

	c->arg[0] = draw_page(d) + draw_below(d, MMU_PAGE);
	c->arg[1] = odd == 1 ? DRAW_OF(d, 1, ~0u) : 0;
	c->arg[2] = odd == 2 ? draw_place(d) : PLACE_GOOD;
	if (odd == 0)
		c->arg[0] = draw_edge(d, c->arg[0]);
}

static void check_entry(struct self *me, const struct call *c,
			const struct my_mmu_query *q)
{
	bool present = q->flags & MY_MMU_ENTRY_PRESENT;
	int i = page_index(c->arg[0]), v = variant_of(me, c);

	same(me, present || !q->flags, "an absent entry has other flags");
	same(me, present || !q->pfn, "an absent entry has a frame");
	if (me->actor->no_caps)
		same(me, !q->pfn, "an unprivileged caller learns a frame");
	else
		same(me, !present || q->pfn, "the frame is missing");
	if (!world->seq.serial)
		return;
	same(me, !present || i >= 0, "an entry where no memory is");
	if (present && q->flags & ~me->mm->page[i].may[v])
		fail(me, "the entry has flags %#x, and may have %#x", q->flags,
		     me->mm->page[i].may[v]);
}

void run_query(struct self *me, const struct call *c)
{
	struct my_mmu_query q = {
		.addr = c->arg[0], .pfn = JUNK64, .flags = (uint32_t)JUNK64,
		.reserved = c->arg[1],
	};
	struct legal l = legal_for(me, c, MY_MMU_QUERY, c->arg[2], true);
	long ret;

	legal_range(&l, c->arg[0], 1);
	if (q.reserved)
		must_be(&l, EINVAL);
	ret = issue(me, c, MY_MMU_QUERY, &q, sizeof(q), c->arg[2]);
	legal_faults(me, &l);
	judge(me, c, ret, &l);
	if (!told(me, c->arg[2], ret))
		return;
	same(me, q.addr == c->arg[0] && q.reserved == (uint32_t)c->arg[1],
	     "an input was changed");
	if (!ret)
		check_entry(me, c, &q);
	else
		same(me, !q.pfn && !q.flags,
		     "an error, and still an entry is told");
}

void draw_verify(struct draw *d, struct call *c)
{
	int odd = draw_odd(d, 3);

	draw_range(d, &c->arg[0], &c->arg[1]);
	if (chance(d, 60)) {
		c->arg[0] = 0;
		c->arg[1] = 0;
	}
	c->arg[2] = odd == 2 ? draw_place(d) : PLACE_GOOD;
	if (odd == 1)
		c->arg[1] = draw_edge_len(d, c->arg[0]);
	if (odd == 0)
		c->arg[0] = draw_edge(d, c->arg[0]);
}

static unsigned int may_be_right(struct self *me, const struct call *c)
{
	uint64_t addr, last = c->arg[0] + c->arg[1] - 1;
	unsigned int n = 0, i;
	int v = variant_of(me, c);

	for (i = 0; i < PAGES; i++) {
		addr = page_addr(i);
		n += addr >= c->arg[0] && addr <= last &&
		     me->mm->page[i].may[v];
	}
	return n;
}

static void check_verified(struct self *me, const struct call *c,
			   const struct my_mmu_verify *v)
{
	if (v->stale || v->over_permissive || v->first_bad)
		fail(me, "VERIFY: %llu stale, %llu too permissive, at %#llx",
		     v->stale, v->over_permissive, v->first_bad);
	if (!world->seq.serial)
		return;
	same(me, !v->unsettled || me->mm->rmap_only[variant_of(me, c)],
	     "unsettled entries without the flag for it");
	if (v->right > may_be_right(me, c))
		fail(me, "VERIFY: %llu right entries, and there may be %u",
		     v->right, may_be_right(me, c));
}

void run_verify(struct self *me, const struct call *c)
{
	struct my_mmu_verify v = {
		.addr = c->arg[0], .len = c->arg[1], .right = JUNK64,
		.stale = JUNK64, .over_permissive = JUNK64,
		.unsettled = JUNK64, .first_bad = JUNK64,
	};
	struct legal l = legal_for(me, c, MY_MMU_VERIFY, c->arg[2], true);
	long ret;

	if (v.addr || v.len)
		legal_pages(&l, v.addr, v.len);
	ret = issue(me, c, MY_MMU_VERIFY, &v, sizeof(v), c->arg[2]);
	legal_faults(me, &l);
	judge(me, c, ret, &l);
	if (!told(me, c->arg[2], ret))
		return;
	same(me, v.addr == c->arg[0] && v.len == c->arg[1],
	     "an input was changed");
	if (!ret)
		check_verified(me, c, &v);
	else
		same(me, !v.right && !v.stale && !v.over_permissive &&
		     !v.unsettled && !v.first_bad,
		     "an error, and still counts");
}

/* --- evict, configure, statistics ----------------------------------------- */

void draw_evict(struct draw *d, struct call *c)
{
	int odd = draw_odd(d, 2);

	c->arg[0] = draw_page(d) + draw_below(d, MMU_PAGE);
	c->arg[1] = odd == 1 ? draw_place(d) : PLACE_GOOD;
	if (odd == 0)
		c->arg[0] = draw_edge(d, c->arg[0]);
}

/*
 * Nobody maps the page now: not at this address, nor the file's elsewhere. But
 * the zero page is on no record, and stays: it is nobody's to be evicted.
 */
static void evicted(struct self *me, int index, bool walked)
{
	struct page *p = &me->mm->page[index], *other;
	unsigned int proc, i;

	if (p->kind == ANON && !p->own && !walked)
		return;
	forget_entries(me->mm, index);
	if (p->kind != FILE_SHARED && (p->kind != FILE_PRIVATE || p->own))
		return;
	for (proc = 0; proc < PROCS; proc++) {
		for (i = 0; i < PAGES; i++) {
			other = &world->mm[proc].page[i];
			if (other->file_page == p->file_page && !other->own &&
			    other->kind >= FILE_SHARED)
				forget_entries(&world->mm[proc], i);
		}
	}
}

void run_evict(struct self *me, const struct call *c)
{
	struct my_mmu_evict e = { .addr = c->arg[0], .walked = JUNK64 };
	struct legal l = legal_for(me, c, MY_MMU_EVICT, c->arg[1], false);
	int i = page_index(c->arg[0]);
	long ret;

	legal_range(&l, c->arg[0], 1);
	if (!exact(me, c->arg[0]))
		may_be(&l, EFAULT);
	else if (i < 0 || !accessible(me->mm, i, false))
		must_be(&l, EFAULT);
	ret = issue(me, c, MY_MMU_EVICT, &e, sizeof(e), c->arg[1]);
	legal_faults(me, &l);
	judge(me, c, ret, &l);
	if (!told(me, c->arg[1], ret))
		return;
	same(me, e.addr == c->arg[0], "an input was changed");
	same(me, e.walked <= !ret, "walked is neither 0 nor 1, or on error");
	if (!ret && world->seq.serial)
		evicted(me, i, e.walked);
}

/* Mostly short: others wait for a slow device, and so does the fuzzer. */
void draw_configure(struct draw *d, struct call *c)
{
	int odd = draw_odd(d, 3);

	c->arg[0] = DRAW_OF(d, 0, 0, 0, 0, 1, 20, 100);
	c->arg[1] = odd == 1 ? DRAW_OF(d, 1, ~0u) : 0;
	c->arg[2] = odd == 2 ? draw_place(d) : PLACE_GOOD;
	if (odd == 0)
		c->arg[0] = DRAW_OF(d, 1000001, 1u << 31, ~0u, 3000);
}

void run_configure(struct self *me, const struct call *c)
{
	struct my_mmu_device_config a = {
		.shootdown_us = c->arg[0], .reserved = c->arg[1]
	}, sent = a;
	struct legal l = legal_for(me, c, MY_MMU_CONFIGURE, c->arg[2], true);
	long ret;

	if (a.reserved || a.shootdown_us > MY_MMU_SHOOTDOWN_MAX_US)
		must_be(&l, EINVAL);
	if (a.shootdown_us && me->actor->no_caps)
		must_be(&l, EPERM);
	ret = issue(me, c, MY_MMU_CONFIGURE, &a, sizeof(a), c->arg[2]);
	legal_faults(me, &l);
	judge(me, c, ret, &l);
	same(me, !memcmp(&a, &sent, sizeof(a)), "configure changed its input");
}

void draw_stats(struct draw *d, struct call *c)
{
	c->arg[0] = draw_odd(d, 1) ? PLACE_GOOD : draw_place(d);
	c->arg[1] = chance(d, 3);
}

/* What may be there at most, in all processes; but for @mmus, at least. */
struct totals {
	uint64_t mmus, entries, tables;
};

static struct totals add_up(void)
{
	struct totals t = { 0 };
	unsigned int proc, v, i;
	struct mm *mm;

	for (proc = 0; proc < PROCS; proc++) {
		mm = &world->mm[proc];
		if (!world->proc[proc].alive)
			continue;
		for (v = 0; v < VARIANTS; v++) {
			t.mmus += !!mm->users[v];
			t.tables += __builtin_popcount(mm->tables[v]);
			for (i = 0; i < PAGES; i++)
				t.entries += !!mm->page[i].may[v];
		}
	}
	return t;
}

/* Tables go a grace period after their memory (G10). */
static void wait_for_tables(struct my_mmu_stats *s, uint64_t limit)
{
	struct timespec tick = { .tv_nsec = 2 * 1000 * 1000 };
	int64_t start = now_ms();

	while (s->tables > limit && now_ms() - start < limits.left_ms) {
		nanosleep(&tick, NULL);
		mmu_stats(FD_STATS, s);
	}
}

static void check_stats(struct self *me, struct my_mmu_stats *s, bool settle)
{
	struct totals t = add_up();

	if (s->mmus < t.mmus)
		fail(me, "%llu external MMUs, and %llu are attached", s->mmus,
		     (unsigned long long)t.mmus);
	if (s->entries > t.entries)
		fail(me, "%llu entries, and there may be %llu", s->entries,
		     (unsigned long long)t.entries);
	same(me, s->bytes >= s->tables * 64, "tables without bytes");
	if (!settle)
		return;
	wait_for_tables(s, t.tables);
	if (s->tables > t.tables)
		fail(me, "%llu leaf tables stay, and there may be %llu",
		     s->tables, (unsigned long long)t.tables);
}

void run_stats(struct self *me, const struct call *c)
{
	struct legal l = legal_for(me, c, MY_MMU_GET_STATS, c->arg[0], false);
	struct my_mmu_stats s;
	long ret;

	memset(&s, JUNK, sizeof(s));
	ret = issue(me, c, MY_MMU_GET_STATS, &s, sizeof(s), c->arg[0]);
	legal_faults(me, &l);
	judge(me, c, ret, &l);
	if (!ret && world->seq.serial)
		check_stats(me, &s, c->arg[1]);
}

/* --- numbers that are none ------------------------------------------------ */

static const unsigned long unknown[] = {
	0, ~0u, _IO(MY_MMU_IOC_MAGIC, 0x10), _IO(MY_MMU_IOC_MAGIC, 0x0f),
	_IO(MY_MMU_IOC_MAGIC, 0x1b), _IO(MY_MMU_IOC_MAGIC, 0x7f),
	_IOW(MY_MMU_IOC_MAGIC, 0x12, struct my_mmu_populate),
	_IOR(MY_MMU_IOC_MAGIC, 0x12, struct my_mmu_populate),
	_IOWR(MY_MMU_IOC_MAGIC, 0x12, struct my_mmu_query),
	_IOWR(MY_MMU_IOC_MAGIC, 0x11, struct my_mmu_evict),
	_IOC(_IOC_READ | _IOC_WRITE, MY_MMU_IOC_MAGIC, 0x13, 0x3fff),
	_IOC(_IOC_READ, MY_MMU_IOC_MAGIC, 0x19, 0),
	_IOWR('x', 0x12, struct my_mmu_populate),
};

void draw_unknown(struct draw *d, struct call *c)
{
	c->arg[0] = unknown[draw_below(d, sizeof(unknown) / sizeof(*unknown))];
	if (chance(d, 30))
		c->arg[0] = _IOC(draw_below(d, 4), MY_MMU_IOC_MAGIC,
				 0x20 + draw_below(d, 200), draw_below(d, 300));
	c->arg[1] = draw_place(d);
}

void run_unknown(struct self *me, const struct call *c)
{
	struct legal l = legal_for(me, c, 0, PLACE_GOOD, false);
	unsigned char arg[64], sent[64];
	long ret;

	memset(arg, 0xa5, sizeof(arg));
	memcpy(sent, arg, sizeof(arg));
	must_be(&l, ENOTTY);
	ret = issue(me, c, c->arg[0], arg, sizeof(arg), c->arg[1]);
	judge(me, c, ret, &l);
	same(me, !memcmp(arg, sent, sizeof(arg)),
	     "an unknown call changed its argument");
}
