// SPDX-License-Identifier: GPL-2.0
/*
 * Device engine: what the external MMU's device does
 *
 * Reads and writes go through the device page table, and copy while the lock
 * that protects the entry is held: an invalidation that has zapped the entry
 * knows that no access is under way. That lock is all that makes the page
 * safe to touch. No reference to it is held.
 */
#include <linux/delay.h>
#include <linux/highmem.h>
#include <linux/hugetlb_inline.h>
#include <linux/kasan-checks.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "internal.h"
#include "mmu_rmap.h"
#include "my_mmu.h"
#include "my_mmu_testpoint.h"
#include "my_mmu_trace.h"

#define TRIES_MAX	1000	/* times in a row that a batch may fail */
#define TRIES_AWAKE	100	/* then it sleeps in between */

static void __shootdown_list(struct my_mmu_dev *dev, struct my_mmu_shootdown *s)
	__must_hold(&dev->unanswered_lock)
{
	lockdep_assert_held(&dev->unanswered_lock);
	list_add(&s->list, &dev->unanswered);
}

static void __shootdown_unlist(struct my_mmu_dev *dev,
			       struct my_mmu_shootdown *s)
	__must_hold(&dev->unanswered_lock)
{
	lockdep_assert_held(&dev->unanswered_lock);
	list_del(&s->list);
}

static void shootdown_begin(struct my_mmu_dev *dev, struct my_mmu_shootdown *s,
			    unsigned long start, unsigned long end,
			    bool by_page)
{
	s->us = READ_ONCE(dev->shootdown_us);
	if (!s->us)
		return;
	s->start = start;
	s->last = end - 1;
	if (READ_ONCE(dev->had_block)) {
		s->start = round_down(s->start, MY_MMU_TABLE_SIZE);
		s->last |= MY_MMU_TABLE_SIZE - 1;
	}
	s->by_page = by_page;
	my_mmu_spin_lock(&dev->unanswered_lock);
	__shootdown_list(dev, s);
	spin_unlock(&dev->unanswered_lock);
}

/**
 * my_mmu_shootdown_begin() - others shall know of a zap before it is made
 * @dev: external MMU
 * @s: of the caller, until my_mmu_shootdown()
 * @start: first address that will be zapped
 * @end: behind the last one
 *
 * Context: any; takes a spinlock if the device is slow.
 */
void my_mmu_shootdown_begin(struct my_mmu_dev *dev, struct my_mmu_shootdown *s,
			    unsigned long start, unsigned long end)
{
	shootdown_begin(dev, s, start, end, false);
}
EXPORT_SYMBOL_GPL(my_mmu_shootdown_begin);

/**
 * my_mmu_shootdown_begin_page() - likewise, of all addresses of a page
 * @dev: external MMU
 * @s: of the caller, until my_mmu_shootdown()
 *
 * Context: any; takes a spinlock if the device is slow.
 */
void my_mmu_shootdown_begin_page(struct my_mmu_dev *dev,
				 struct my_mmu_shootdown *s)
{
	shootdown_begin(dev, s, 0, ULONG_MAX, true);
}
EXPORT_SYMBOL_GPL(my_mmu_shootdown_begin_page);

/* Two shootdowns by page are of two pages: the folio's lock sees to that. */
static bool may_have_zapped(const struct my_mmu_shootdown *other,
			    const struct my_mmu_shootdown *s)
{
	return !(s->by_page && other->by_page) &&
	       s->start <= other->last && s->last >= other->start;
}

/*
 * Entries that @s found gone may have been zapped by a task that still waits
 * for the answer. Where nothing is left to the rmap chain, the VM has
 * announced each address of a page that it takes, and these waits make one for
 * the page needless. A shootdown that zapped nothing leaves the list:
 * no other need wait for it.
 */
static bool overtakes_another(struct my_mmu_dev *dev,
			      struct my_mmu_shootdown *s)
{
	struct my_mmu_shootdown *other;
	bool found = false;

	my_mmu_spin_lock(&dev->unanswered_lock);
	__shootdown_unlist(dev, s);
	list_for_each_entry(other, &dev->unanswered, list)
		found |= may_have_zapped(other, s);
	spin_unlock(&dev->unanswered_lock);
	if (s->by_page && !(READ_ONCE(dev->flags) & MY_MMU_ATTACH_RMAP_ONLY))
		return false;
	return found;
}

static void wait_for_answer(unsigned int us, bool blockable)
{
	ktime_t answer;

	if (blockable) {
		fsleep(us);
		return;
	}
	answer = ktime_add_us(ktime_get(), us);
	while (ktime_before(ktime_get(), answer))
		udelay(1);
}

/**
 * my_mmu_shootdown() - wait until the device has answered
 * @dev: external MMU
 * @s: begun before the zap
 * @zapped: entries that were removed; if none, this waits only if another task
 *	may have zapped the same addresses and has no answer yet
 * @blockable: the caller may sleep
 *
 * Context: may sleep if @blockable; else polls the device.
 * Source: mm_tlb_flush_nested(), the same with a counter, for the CPU's TLBs.
 */
void my_mmu_shootdown(struct my_mmu_dev *dev, struct my_mmu_shootdown *s,
		      unsigned long zapped, bool blockable)
{
	if (!s->us)
		return;
	if (!zapped) {
		if (overtakes_another(dev, s))
			wait_for_answer(s->us, blockable);
		return;
	}
	wait_for_answer(s->us, blockable);
	my_mmu_spin_lock(&dev->unanswered_lock);
	__shootdown_unlist(dev, s);
	spin_unlock(&dev->unanswered_lock);
}
EXPORT_SYMBOL_GPL(my_mmu_shootdown);

/*
 * Populate
 */
/* Populates one batch, or only looks it up; how many pages, or -errno. */
typedef long (*batch_fn)(struct my_mmu_dev *dev, unsigned long address,
			 unsigned int npages, u32 flags, struct page **pages);

static long populate_batch(struct my_mmu_dev *dev, unsigned long address,
			   unsigned int npages, u32 flags, struct page **pages)
{
	bool write = flags & MY_MMU_POPULATE_WRITE;
	long ret;

	my_mmu_count(populate_batches);
	ret = dev->variant->populate(dev, address, npages, flags, pages);
	trace_my_mmu_populate(dev, address, npages, write, ret);
	my_mmu_index_fit(dev);
	if (ret == -EAGAIN) {
		my_mmu_count(retries);
		trace_my_mmu_retry(dev, address, npages, write, ret);
	}
	return ret;
}

/* What a populate costs without a device: the lookup, and no more. */
static long floor_batch(struct my_mmu_dev *dev, unsigned long address,
			unsigned int npages, u32 flags, struct page **pages)
{
	long got;

	if (flags & MY_MMU_FLOOR_LOOKUP)
		return my_mmu_lookup_only(address, npages, flags, pages);
	got = my_mmu_get_pages(address, npages, flags, pages);
	my_mmu_put_pages(pages, got);
	return got;
}

static unsigned int batch_size(unsigned long address, unsigned long left,
			       unsigned int batch)
{
	unsigned long to_end = MY_MMU_TABLE_SIZE -
			       (address & (MY_MMU_TABLE_SIZE - 1));

	return min3(left, to_end, (unsigned long)batch << PAGE_SHIFT) >>
		PAGE_SHIFT;
}

/* The task in the way may have been preempted by the very one that tries. */
static void before_next_try(unsigned int tries)
{
	if (tries >= TRIES_AWAKE)
		usleep_range(200, 400);
}

/*
 * A batch that lost against an invalidation is tried again with half the
 * pages: the shorter the lookup, the likelier that nothing comes in between.
 */
static long populate_range(struct my_mmu_dev *dev, struct my_mmu_populate *arg,
			   struct page **pages, batch_fn one)
{
	unsigned int batch = arg->batch ?: MY_MMU_BATCH_MAX, limit = batch;
	unsigned long address = arg->addr;
	unsigned long end = arg->addr + arg->len;
	unsigned int tries = 0;
	long ret;

	while (address < end) {
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		ret = one(dev, address, batch_size(address, end - address,
						   limit), arg->flags, pages);
		if (ret == -EAGAIN && ++tries < TRIES_MAX) {
			arg->retries++;
			limit = max(limit / 2, 1U);
			before_next_try(tries);
			continue;
		}
		if (ret <= 0)
			return ret ?: -EFAULT;
		tries = 0;
		limit = min(limit * 2, batch);
		address += ret << PAGE_SHIFT;
		arg->populated += ret;
	}
	return 0;
}

static long populate_with(struct my_mmu_dev *dev, struct my_mmu_populate *arg,
			  batch_fn one)
{
	struct page **pages;
	long ret;

	pages = kmalloc_array(arg->batch ?: MY_MMU_BATCH_MAX, sizeof(*pages),
			      GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	ret = populate_range(dev, arg, pages, one);
	kfree(pages);
	return ret;
}

/**
 * my_mmu_engine_populate() - do MY_MMU_POPULATE
 * @dev: external MMU of current->mm; the caller holds off detach
 * @arg: checked argument, and where results go
 *
 * Context: may sleep.
 * Return: 0 or an errno of the user ABI.
 */
long my_mmu_engine_populate(struct my_mmu_dev *dev,
			    struct my_mmu_populate *arg)
{
	long expected = min(arg->len >> PAGE_SHIFT, MY_MMU_EXPECT_MAX), ret;

	if (expected < MY_MMU_EXPECT_MIN)
		return populate_with(dev, arg, populate_batch);
	my_mmu_index_expect(dev, expected);
	ret = populate_with(dev, arg, populate_batch);
	my_mmu_index_expect(dev, -expected);
	return ret;
}

/**
 * my_mmu_engine_floor() - do MY_MMU_GUP_FLOOR
 * @arg: checked argument, and where results go
 *
 * Context: may sleep.
 * Return: 0 or an errno of the user ABI.
 */
long my_mmu_engine_floor(struct my_mmu_populate *arg)
{
	return populate_with(NULL, arg, floor_batch);
}

/*
 * Device reads and writes
 */
static unsigned int fault_ahead = MY_MMU_BATCH_MAX;
module_param(fault_ahead, uint, 0644);
MODULE_PARM_DESC(fault_ahead,
		 "pages that a miss populates at most (default: 512)");

/**
 * struct device_access - a device reads or writes
 * @buf: a page, between the device and the caller
 * @to: where the caller wants what the device reads
 * @bounced: it is in @buf: @to is not in memory just now
 * @offset: in the page that the device is at
 * @len: bytes of that page
 * @left: bytes to the end of the access, those of that page among them
 * @ahead: pages that a miss populates at most; at least 1
 * @limit: likewise, for the moment
 * @pages: room for so many pointers
 * @one: room for one
 * @write: the device writes
 * @hit: it has found an entry that allows that
 */
struct device_access {
	void		*buf;
	void __user	*to;
	bool		bounced;
	unsigned int	offset;
	unsigned int	len;
	unsigned long	left;
	unsigned int	ahead;
	unsigned int	limit;
	struct page	**pages;
	struct page	*one;
	bool		write;
	bool		hit;
};

/*
 * The lock does not let the caller's memory be faulted in. Where it is there,
 * one copy will do.
 */
static void device_reads(struct device_access *a, const void *from)
{
	a->bounced = copy_to_user_nofault(a->to, from, a->len);
	if (a->bounced)
		memcpy(a->buf, from, a->len);
}

static int access_entry(struct my_mmu_table *t, unsigned int slot, void *arg)
{
	u64 entry = __my_mmu_entry(t, slot), *at = __my_mmu_entry_at(t, slot);
	struct device_access *a = arg;
	void *page;

	if (a->write && !(entry & MY_MMU_WRITE_OK))
		return 0;
	page = kmap_local_page(pfn_to_page(my_mmu_entry_pfn(entry)));
	/* Before gcc 13 KASAN sees no memcpy(): has the page been freed? */
	if (a->write) {
		kasan_check_write(page + a->offset, a->len);
		memcpy(page + a->offset, a->buf, a->len);
	} else {
		kasan_check_read(page + a->offset, a->len);
		device_reads(a, page + a->offset);
	}
	kunmap_local(page);
	WRITE_ONCE(*at, *at | MY_MMU_ACCESSED);
	a->hit = true;
	return 0;
}

/*
 * A device that misses on one page of an access will miss on the next:
 * populate the rest of the access at once, as far as the leaf table goes. A
 * batch that lost against an invalidation is tried again with half the pages,
 * as in populate_range().
 */
static long device_fault(struct my_mmu_dev *dev, unsigned long address,
			 struct device_access *a)
{
	unsigned long left = PAGE_ALIGN(a->offset + a->left);
	long ret;

	my_mmu_count(device_faults);
	if (fatal_signal_pending(current))
		return -EINTR;
	cond_resched();
	ret = populate_batch(dev, address, batch_size(address, left, a->limit),
			     a->write ? MY_MMU_POPULATE_WRITE : 0, a->pages);
	a->limit = ret == -EAGAIN ? max(a->limit / 2, 1U) :
				    min(a->limit * 2, a->ahead);
	return ret < 0 && ret != -EAGAIN ? ret : 0;
}

/* One access, which stays within one page. */
static long device_access(struct my_mmu_dev *dev, unsigned long address,
			  struct device_access *a, u64 *faults)
{
	unsigned long start = address & PAGE_MASK;
	unsigned int tries;
	long err;

	a->offset = offset_in_page(address);
	a->hit = false;
	for (tries = 0; tries < TRIES_MAX; tries++) {
		dev->variant->walk(dev, start, start + PAGE_SIZE, access_entry,
				   a);
		if (a->hit)
			return 0;
		++*faults;
		before_next_try(tries);
		err = device_fault(dev, start, a);
		if (err)
			return err;
	}
	return -EAGAIN;
}

static long device_copy(struct my_mmu_dev *dev, struct my_mmu_access *arg,
			struct device_access *a)
{
	void __user *buf = u64_to_user_ptr(arg->buf);
	long err;

	while (arg->done < arg->len) {
		unsigned long address = arg->addr + arg->done;

		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
		a->left = arg->len - arg->done;
		a->len = min(a->left, PAGE_SIZE - offset_in_page(address));
		a->to = buf + arg->done;
		if (a->write && copy_from_user(a->buf, a->to, a->len))
			return -EFAULT;
		err = device_access(dev, address, a, &arg->faults);
		if (err)
			return err;
		if (a->bounced && copy_to_user(a->to, a->buf, a->len))
			return -EFAULT;
		arg->done += a->len;
	}
	return 0;
}

/* Without memory for more, one at a time will do. */
static void room_ahead(struct device_access *a, struct my_mmu_access *arg)
{
	unsigned long touched = offset_in_page(arg->addr) + arg->len;
	unsigned long ahead = READ_ONCE(fault_ahead);

	ahead = min3(ahead, PAGE_ALIGN(touched) >> PAGE_SHIFT,
		     (unsigned long)MY_MMU_BATCH_MAX);
	if (ahead > 1)
		a->pages = kmalloc_array(ahead, sizeof(*a->pages),
					 GFP_KERNEL | __GFP_NOWARN);
	a->ahead = a->pages ? ahead : 1;
	a->limit = a->ahead;
	if (!a->pages)
		a->pages = &a->one;
}

/**
 * my_mmu_engine_access() - do MY_MMU_READ or MY_MMU_WRITE
 * @dev: external MMU of current->mm; the caller holds off detach
 * @arg: checked argument, and where results go
 * @write: the device writes
 *
 * Context: may sleep.
 * Return: 0 or an errno of the user ABI.
 */
long my_mmu_engine_access(struct my_mmu_dev *dev, struct my_mmu_access *arg,
			  bool write)
{
	struct device_access a = { .write = write };
	long ret;

	a.buf = (void *)__get_free_page(GFP_KERNEL);
	if (!a.buf)
		return -ENOMEM;
	room_ahead(&a, arg);
	ret = device_copy(dev, arg, &a);
	if (a.pages != &a.one)
		kfree(a.pages);
	free_page((unsigned long)a.buf);
	if (write)
		my_mmu_count_n(device_writes, arg->done);
	else
		my_mmu_count_n(device_reads, arg->done);
	return ret;
}

static int query_entry(struct my_mmu_table *t, unsigned int slot, void *arg)
{
	*(u64 *)arg = __my_mmu_entry(t, slot);
	return 1;
}

/**
 * my_mmu_engine_query() - look at one entry
 * @dev: external MMU of current->mm; the caller holds off detach
 * @address: any address in user space
 *
 * Context: may sleep.
 * Return: the entry, or 0.
 */
u64 my_mmu_engine_query(struct my_mmu_dev *dev, unsigned long address)
{
	unsigned long start = address & PAGE_MASK;
	u64 entry = 0;

	dev->variant->walk(dev, start, start + PAGE_SIZE, query_entry, &entry);
	return entry;
}

/*
 * Verify. The first look at an entry is under its lock, where only
 * get_user_pages_fast_only() can be asked. The lock keeps an invalidation that
 * must zap this entry from coming to its end, so the answer is exact even
 * while the address space changes. But that function says nothing of some good
 * mappings (the zero page, and pages that a protection key forbids the
 * caller). So an entry that it does not confirm is a suspect. Look at it again
 * without the lock; it is guilty only if entry and table have not changed
 * meanwhile.
 */
#define SUSPECTS	16

struct verify {
	struct my_mmu_dev	*dev;
	struct my_mmu_verify	*result;
	unsigned int		suspects;
	struct suspect {
		unsigned long	address;
		u64		entry;
		unsigned long	zaps;
	} suspect[SUSPECTS];
	unsigned long		next;	/* where to go on after a full list */
};

static bool names_page(u64 entry, unsigned long address, unsigned int foll)
{
	struct page *page;
	bool same;

	if (get_user_pages_fast_only(address, 1, foll, &page) != 1)
		return false;
	same = page_to_pfn(page) == my_mmu_entry_pfn(entry);
	put_page(page);
	return same;
}

static int verify_entry(struct my_mmu_table *t, unsigned int slot, void *arg)
{
	struct verify *v = arg;
	struct suspect *s = &v->suspect[v->suspects];

	s->address = my_mmu_slot_address(t, slot);
	s->entry = __my_mmu_entry(t, slot);
	s->zaps = t->zaps;
	if (names_page(s->entry, s->address,
		       s->entry & MY_MMU_WRITE_OK ? FOLL_WRITE : 0)) {
		v->result->right++;
		return 0;
	}
	v->next = s->address + PAGE_SIZE;
	return ++v->suspects == SUSPECTS;
}

/*
 * The lookup's own answer. Ask as if for another process: the protection keys
 * that the thread has at the moment do not matter to the device. Where the
 * lookup would fault a missing page in, and call it right, ask only the fast
 * one, unless a key keeps that from answering. (Then, on 6.1, a wrong entry of
 * a hugetlb page may come true by being asked about.)
 */
static bool lookup_names(struct vm_area_struct *vma, struct suspect *s,
			 unsigned int foll)
{
	struct page *page;
	bool same;
	long got;

	if (MY_MMU_FAULTS_HUGETLB && is_vm_hugetlb_page(vma) &&
	    arch_vma_access_permitted(vma, foll & FOLL_WRITE, false, false))
		return names_page(s->entry, s->address, foll & FOLL_WRITE);
	got = my_mmu_get_user_pages_remote(vma->vm_mm, s->address, 1,
					   foll | FOLL_NOFAULT, &page);
	if (got != 1)
		return false;
	same = page_to_pfn(page) == my_mmu_entry_pfn(s->entry);
	put_page(page);
	return same;
}

/*
 * Does the CPU reach the suspect's page, in the way that the entry allows? May
 * sleep. A lookup for writing wants a pte that is writable: that is the
 * question. A lookup for reading wants VM_READ, which is another question: x86
 * and arm64 read what they may write. So it is forced past that, and past
 * nothing else, for the VMA has been asked. (Forced alone, it would find the
 * pages behind PROT_NONE.)
 */
static bool cpu_reaches(struct mm_struct *mm, struct suspect *s, bool write)
{
	struct vm_area_struct *vma;
	bool reached = false;

	if (mmap_read_lock_killable(mm))
		return false;
	vma = vma_lookup(mm, s->address);
	if (vma && my_mmu_cpu_reads(vma))
		reached = lookup_names(vma, s, write ? FOLL_WRITE : FOLL_FORCE);
	mmap_read_unlock(mm);
	return reached;
}

static int suspect_unchanged(struct my_mmu_table *t, unsigned int slot,
			     void *arg)
{
	struct suspect *s = arg;

	return t->zaps == s->zaps &&
	       !((__my_mmu_entry(t, slot) ^ s->entry) & ~MY_MMU_ACCESSED);
}

/*
 * Where page-level events are left to the chain, an entry may outlive its pte
 * until the chain has run. Asked before the entry is looked at again, this
 * says whether it can be such an entry if it is still there.
 */
static bool chain_at_work(struct my_mmu_dev *dev)
{
	struct mmu_rmap_stats stats;

	if (!(READ_ONCE(dev->flags) & MY_MMU_ATTACH_RMAP_ONLY))
		return false;
	mmu_rmap_get_stats(&stats);
	return stats.in_flight;
}

/* Suspects come in the order of their addresses. */
static void count_bad(struct verify *v, u64 *counter, unsigned long address)
{
	++*counter;
	if (!v->result->first_bad)
		v->result->first_bad = address;
}

/*
 * munmap() takes the mapping away with the lock held for writing, and the ptes
 * later, with it held for reading: in between, the CPU still reaches the page
 * and only the lookup does not. Let it come to its invalidation. Not for an
 * unsettled entry: reclaim may hold the lock for reading around its chain.
 */
static void let_munmap_finish(struct mm_struct *mm)
{
	if (mmap_write_lock_killable(mm))
		return;
	mmap_write_unlock(mm);
}

static void judge_suspect(struct verify *v, struct suspect *s)
{
	bool write = s->entry & MY_MMU_WRITE_OK;
	bool right = cpu_reaches(v->dev->mm, s, write);
	bool maps = right || (write && cpu_reaches(v->dev->mm, s, false));
	bool unsettled = chain_at_work(v->dev);

	if (!maps && !unsettled)
		let_munmap_finish(v->dev->mm);
	if (fatal_signal_pending(current))
		return;
	my_mmu_test_point(verify_asked, v->dev->mm, true);
	if (!v->dev->variant->walk(v->dev, s->address, s->address + PAGE_SIZE,
				   suspect_unchanged, s))
		return;		/* zapped or changed since: nothing to judge */
	if (right)
		v->result->right++;
	else if (unsettled)
		v->result->unsettled++;
	else if (!maps)
		count_bad(v, &v->result->stale, s->address);
	else
		count_bad(v, &v->result->over_permissive, s->address);
}

static long verify_range(struct verify *v, unsigned long start,
			 unsigned long end)
{
	unsigned int i;
	int more;

	do {
		if (fatal_signal_pending(current))
			return -EINTR;
		v->suspects = 0;
		more = v->dev->variant->walk(v->dev, start, end, verify_entry,
					     v);
		my_mmu_test_point(verify_suspects, v->dev->mm, true);
		for (i = 0; i < v->suspects; i++)
			judge_suspect(v, &v->suspect[i]);
		start = v->next;
	} while (more && start < end);
	return 0;
}

/**
 * my_mmu_engine_verify() - do MY_MMU_VERIFY
 * @dev: external MMU of current->mm; the caller holds off detach
 * @arg: checked argument, and where results go; these are 0
 *
 * Context: may sleep.
 * Return: 0 or an errno of the user ABI.
 */
long my_mmu_engine_verify(struct my_mmu_dev *dev, struct my_mmu_verify *arg)
{
	unsigned long end = arg->len ? arg->addr + arg->len : TASK_SIZE;
	struct verify *v = kzalloc(sizeof(*v), GFP_KERNEL);
	long ret;

	if (!v)
		return -ENOMEM;
	v->dev = dev;
	v->result = arg;
	ret = verify_range(v, arg->addr, end);
	kfree(v);
	return ret;
}

/**
 * my_mmu_engine_evict() - do MY_MMU_EVICT, the manual source of the rmap chain
 * @arg: checked argument, and where results go
 *
 * Context: may sleep.
 * Return: 0 or an errno of the user ABI.
 */
long my_mmu_engine_evict(struct my_mmu_evict *arg)
{
	struct folio *folio;
	struct page *page;
	long ret;

	ret = get_user_pages_fast(arg->addr & PAGE_MASK, 1, 0, &page);
	if (ret < 0)
		return ret;
	my_mmu_test_point(evict_found, current->mm, true);
	folio = page_folio(page);
	ret = folio_lock_killable(folio);
	if (!ret) {
		arg->walked = mmu_rmap_invalidate_folio(folio) > 0;
		folio_unlock(folio);
	}
	put_page(page);
	return ret;
}

/*
 * Statistics
 */
#define SUM(name) ({							\
	u64 sum = 0;							\
	int cpu;							\
	for_each_possible_cpu(cpu)					\
		sum += READ_ONCE(per_cpu(my_mmu_counters, cpu).name);	\
	sum;								\
})

/**
 * my_mmu_engine_stats() - add up the statistics
 * @stats: out
 *
 * Context: any. Sums of counters that go on counting: not of one moment.
 */
void my_mmu_engine_stats(struct my_mmu_stats *stats)
{
	struct mmu_rmap_stats rmap;

	mmu_rmap_get_stats(&rmap);
	*stats = (struct my_mmu_stats) {
		.mmus = atomic_long_read(&my_mmu_nr_mmus),
		.tables = atomic_long_read(&my_mmu_nr_tables),
		.bytes = atomic_long_read(&my_mmu_nr_bytes),
		.attaches = SUM(attaches),
		.populated_pages = SUM(populated_pages),
		.populate_batches = SUM(populate_batches),
		.retries = SUM(retries),
		.waits = SUM(waits),
		.invalidations = SUM(invalidations),
		.nonblockable = SUM(nonblockable),
		.zapped_pages = SUM(zapped_pages),
		.rmap_callbacks = SUM(rmap_callbacks),
		.rmap_zaps = SUM(rmap_zaps),
		.aging = SUM(aging),
		.device_reads = SUM(device_reads),
		.device_writes = SUM(device_writes),
		.device_faults = SUM(device_faults),
		.contended = SUM(contended),
		.rmap_hooked = rmap.hooked,
		.rmap_walks = rmap.walks,
		.rmap_filtered = rmap.filtered,
		.rmap_hook_active = rmap.hook_active,
	};
	/* Sums of different moments: an entry may seem to go before it came. */
	stats->entries = stats->populated_pages -
			 min(stats->populated_pages, stats->zapped_pages);
}
