// SPDX-License-Identifier: GPL-2.0
/*
 * model.c - what the processes have: memory, contents, handles
 *
 * In a serial round one call runs at a time and all of this is exact. In a
 * parallel round only the pages of a thread's own region are kept, by that
 * thread; see exact().
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "fuzz.h"

struct world *world;

/* --- memory --------------------------------------------------------------- */

int page_index(uint64_t addr)
{
	uint64_t region = (addr - REGION_BASE) / REGION_STRIDE;
	uint64_t page = (addr - REGION_BASE) % REGION_STRIDE / MMU_PAGE;

	if (addr < REGION_BASE || region >= REGIONS || page >= REGION_PAGES)
		return -1;
	return region * REGION_PAGES + page;
}

uint64_t page_addr(unsigned int index)
{
	return REGION_BASE + index / REGION_PAGES * REGION_STRIDE +
	       index % REGION_PAGES * MMU_PAGE;
}

/* Outside the regions there is nothing: calls are drawn so. */
bool exact(struct self *me, uint64_t addr)
{
	int index = page_index(addr);

	return world->seq.serial || index < 0 ||
	       index / REGION_PAGES == me->thread;
}

unsigned char *contents(struct mm *mm, unsigned int index)
{
	struct page *p = &mm->page[index];

	if (p->kind == FILE_SHARED || (p->kind == FILE_PRIVATE && !p->own))
		return world->file[p->file_page];
	return mm->data[index];
}

bool accessible(struct mm *mm, unsigned int index, bool write)
{
	struct page *p = &mm->page[index];

	if (p->kind == NOTHING || !(p->prot & PROT_READ) ||
	    (write && !(p->prot & PROT_WRITE)))
		return false;
	return p->kind == ANON || p->own || p->file_page < world->file_pages;
}

/* How many bytes from @addr on can be accessed, at most @len. */
uint64_t reach(struct mm *mm, uint64_t addr, uint64_t len, bool write)
{
	uint64_t done = 0, step;
	int index;

	while (done < len) {
		index = page_index(addr + done);
		if (index < 0 || !accessible(mm, index, write))
			break;
		step = MMU_PAGE - (addr + done) % MMU_PAGE;
		done += step < len - done ? step : len - done;
	}
	return done;
}

/*
 * A private page is written: from now on it is a copy, of the file's page or
 * of the zero page.
 */
void make_own(struct mm *mm, unsigned int index)
{
	struct page *p = &mm->page[index];

	if (p->kind == FILE_PRIVATE && !p->own)
		memcpy(mm->data[index], world->file[p->file_page], MMU_PAGE);
	p->own = p->kind == FILE_PRIVATE || p->kind == ANON;
}

/*
 * A call that failed may have made the copy. Now it is one: the CPU writes,
 * and changes nothing.
 */
void settle(struct self *me, unsigned int index)
{
	volatile char *at = (char *)page_addr(index);

	if (me->mm->page[index].kind != FILE_PRIVATE ||
	    !accessible(me->mm, index, true))
		return;
	*at = *at;
	make_own(me->mm, index);
}

void forget_entries(struct mm *mm, unsigned int index)
{
	memset(mm->page[index].may, 0, sizeof(mm->page[index].may));
}

static void forget_table(struct mm *mm, unsigned int table, unsigned int v,
			 unsigned int first, unsigned int end)
{
	unsigned int i = table * TABLE_PAGES, next = i + TABLE_PAGES;
	bool used = false, told = false;

	for (; i < next; i++) {
		if (i >= first && i < end)
			told |= mm->page[i].kind != NOTHING;
		else
			used |= mm->page[i].may[v];
	}
	if (told && !used)
		mm->tables[v] &= ~(1u << table);
}

/*
 * Pages are about to be unmapped: leaf tables that will have no entry left go
 * with them. Where nothing is mapped, nobody is told.
 */
void forget_tables(struct mm *mm, unsigned int first, unsigned int end)
{
	unsigned int table, v;

	for (table = first / TABLE_PAGES; table * TABLE_PAGES < end; table++)
		for (v = 0; v < VARIANTS; v++)
			forget_table(mm, table, v, first, end);
}

/* --- handles -------------------------------------------------------------- */

int mm_owner(unsigned int mm_id)
{
	int i;

	for (i = 0; i < PROCS; i++)
		if (world->proc[i].alive && world->proc[i].mm_id == mm_id)
			return i;
	return -1;
}

struct handle *handle_in(struct self *me, unsigned int slot)
{
	unsigned int content = me->p->slot[slot];

	return content < SLOT_HANDLE ? NULL :
				       &world->handle[content - SLOT_HANDLE];
}

/* The content of a slot with a new handle in it. */
unsigned int handle_new(void)
{
	unsigned int i = 0;

	while (world->handle[i].refs)
		i++;
	world->handle[i] = (struct handle){ .refs = 1, .variant = -1 };
	return SLOT_HANDLE + i;
}

void handle_detach(struct handle *h)
{
	int owner = mm_owner(h->mm_id), v = h->variant;
	unsigned int i;

	h->variant = -1;
	if (v < 0 || owner < 0 || --world->mm[owner].users[v])
		return;
	world->mm[owner].tables[v] = 0;
	for (i = 0; i < PAGES; i++)
		world->mm[owner].page[i].may[v] = 0;
}

void handle_get(unsigned int content)
{
	if (content >= SLOT_HANDLE)
		world->handle[content - SLOT_HANDLE].refs++;
}

void handle_put(unsigned int content)
{
	struct handle *h = &world->handle[content - SLOT_HANDLE];

	if (content >= SLOT_HANDLE && !--h->refs)
		handle_detach(h);
}

void slot_put(struct process *p, unsigned int slot)
{
	handle_put(p->slot[slot]);
	p->slot[slot] = SLOT_CLOSED;
}

/* --- processes ------------------------------------------------------------ */

static void new_mm(unsigned int proc)
{
	world->proc[proc].mm_id = ++world->last_mm_id;
	memset(world->mm[proc].users, 0, sizeof(world->mm[proc].users));
	memset(world->mm[proc].tables, 0, sizeof(world->mm[proc].tables));
}

/* Its address space went first: what was attached to it is dead. */
void process_gone(unsigned int proc)
{
	struct process *p = &world->proc[proc];
	unsigned int i;

	p->alive = false;
	for (i = 0; i < SLOTS; i++)
		slot_put(p, i);
}

void process_forked(struct self *me, unsigned int child)
{
	struct process *p = &world->proc[child];
	struct mm *mm = &world->mm[child];
	unsigned int i;

	memcpy(mm, me->mm, sizeof(*mm));
	for (i = 0; i < PAGES; i++)
		forget_entries(mm, i);
	memcpy(p->slot, me->p->slot, sizeof(p->slot));
	for (i = 0; i < SLOTS; i++)
		handle_get(p->slot[i]);
	for (i = 0; i < THREADS; i++)
		world->actor[child][i].no_caps = me->actor->no_caps;
	new_mm(child);
	p->alive = true;
}

void process_execed(unsigned int proc)
{
	unsigned int i;

	memset(world->mm[proc].page, 0, sizeof(world->mm[proc].page));
	for (i = 0; i < THREADS; i++)
		world->actor[proc][i].no_caps = false;
	new_mm(proc);
}

/* --- legal answers -------------------------------------------------------- */

void must_be(struct legal *l, int err)
{
	l->success = false;
	l->err[err] = true;
}

void may_be(struct legal *l, int err)
{
	l->err[err] = true;
}

static void list_legal(char *buf, size_t size, const struct legal *l)
{
	size_t at = 0;
	int err;

	buf[0] = '\0';
	if (l->success)
		at += snprintf(buf, size, " success");
	for (err = 1; err < 160; err++)
		if (l->err[err] && at < size)
			at += snprintf(buf + at, size - at, " %s",
				       strerrorname_np(err));
}

/* While allocations fail at random, these are no news. */
static bool by_storm(long ret)
{
	return world->storm && (ret == -ENOMEM || ret == -EFAULT ||
				ret == -ENOBUFS || ret == -ENFILE);
}

void judge(struct self *me, const struct call *c, long ret,
	   const struct legal *l)
{
	const char *name = ret < 0 ? strerrorname_np(-ret) : "success";
	char want[256];

	if (by_storm(ret))
		return;
	if (ret >= 0 ? l->success : -ret < 160 && l->err[-ret])
		return;
	list_legal(want, sizeof(want), l);
	fail(me, "%s gave %s%s, and may give:%s", ops[c->op].name,
	     name ? name : "an unknown error",
	     me->injected ? " (an allocation failed)" : "", want);
}
