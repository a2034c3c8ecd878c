/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * my_mmu_uapi.h - what user space says to /dev/my_mmu
 *
 * One open file is one handle on an external MMU. A handle starts idle;
 * MY_MMU_ATTACH ties it to the caller's own address space under one locking
 * strategy ("variant"). Handles of one process that name the same variant
 * share one external MMU, as the threads of a process share its page tables.
 *
 * Rules that hold for every ioctl:
 *
 * - Addresses and lengths are bytes. Where a call says "page aligned", a
 *   misaligned value is -EINVAL and nothing happens.
 * - Reserved fields and unknown flag bits must be zero, else -EINVAL.
 * - A range that is empty is -EINVAL; one that wraps around or leaves user
 *   space is -EFAULT. A tagged address (x86 LAM, arm64 TBI) is one that leaves
 *   user space: remove the tag first.
 * - A handle used by another address space than the one that attached it
 *   (after fork, exec, or passing the descriptor on) gets -EIO; once the
 *   attached address space is gone, -ESRCH.
 * - Calls through one handle may run side by side, in any number. Only
 *   MY_MMU_DETACH waits: for those that are under way. Until it has returned,
 *   and until a MY_MMU_ATTACH has, new calls that need attaching get -ENOTCONN.
 * - A signal that does not kill ends no call but MY_MMU_ATTACH: its handler
 *   runs when the call returns. MY_MMU_ATTACH wants signals blocked; see
 *   struct my_mmu_attach. From any other call, -EINTR means: killed.
 * - Fields marked "out" are written whether the call succeeds or not, unless
 *   the argument itself cannot be read or written (-EFAULT) or the call is
 *   unknown (-ENOTTY).
 * - Every wait is killable, or ends in bounded time. Only where a page has to
 *   be brought in, the file system or server that has it may keep the caller
 *   longer. That wait is as killable as the CPU's own access to the page (a
 *   frozen ext4 lets go of neither). And Linux 6.1 has no lookup that waits
 *   killably for the lock of the address space (mmap_lock) and honours the
 *   thread's protection keys. There, a killed call that looks pages up stays
 *   until the lock's holder lets go. The first MY_MMU_ATTACH of a process
 *   waits in mm_take_all_locks() for the locks of the files that it maps; a
 *   task that truncates a file holds its lock while devices answer. In
 *   "interval", a populate's wait for an invalidation cannot be killed. When a
 *   killed call has ended, its task may stay: exit_mm() waits for that lock.
 */
#ifndef MY_MMU_UAPI_H
#define MY_MMU_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define MY_MMU_DEVICE_PATH	"/dev/my_mmu"

#define MY_MMU_VARIANT_LEN	16
#define MY_MMU_BATCH_MAX	512	/* pages: one leaf table */
#define MY_MMU_SHOOTDOWN_MAX_US	1000000	/* microseconds: one second */

/* enum my_mmu_attach_flags - bits of struct my_mmu_attach.flags */
#define MY_MMU_ATTACH_RMAP_ONLY	(1u << 0) /* leave reclaim to the rmap chain */

/**
 * struct my_mmu_attach - argument of MY_MMU_ATTACH
 * @variant: NUL-terminated name: "spinlock", "split-ptl", "rcu-list" or
 *	"interval"
 * @flags: 0 or %MY_MMU_ATTACH_RMAP_ONLY
 * @reserved: must be zero
 *
 * Ties the handle to the address space of the caller.
 *
 * With %MY_MMU_ATTACH_RMAP_ONLY the range notifier leaves alone what the VM
 * unmaps page by page (reclaim, migration, write-protection for writeback) and
 * the rmap chain takes care of it: the division of labour of the 2008
 * skeleton. The range notifier keeps pages whose place another one may take
 * before the chain has run: those freed by MADV_FREE, and shared memory. Where
 * the VM does not feed the chain, the flag changes nothing. A process that
 * already has an external MMU of this variant keeps that one's flags.
 *
 * Block all signals around this call. For the first handle of a process on a
 * variant the VM registers a notifier, under the locks of all mappings. It
 * gives up with -EINTR once any signal is pending, whatever its handler would
 * do. Nothing has happened then, and the call may be repeated. But where
 * signals keep coming (an interval timer, a profiler), and there are so many
 * mappings that one arrives each time, every repetition fails, for ever. See
 * mmu_attach() in tests/lib/mmu.c: pthread_sigmask() before and after. Events
 * that cannot be blocked (SIGSTOP, a tracer, work that io_uring has finished)
 * may still end the call: repeat it.
 *
 * Errors: -EINVAL (flags, reserved), -ENODEV (no such variant is loaded),
 * -EBUSY (this handle is attached, or is just being attached or detached),
 * -ENOMEM, -EINTR (a signal is pending).
 */
struct my_mmu_attach {
	char	variant[MY_MMU_VARIANT_LEN];
	__u32	flags;
	__u32	reserved;
};

/*
 * enum my_mmu_populate_flags - bits of struct my_mmu_populate.flags
 *
 * The last is for MY_MMU_GUP_FLOOR. Without it the floor asks
 * get_user_pages_fast(). With it the floor asks as a populate would: the
 * driver's parameter lookup says how. Where no reference is needed, none is
 * taken.
 */
#define MY_MMU_POPULATE_WRITE	(1u << 0) /* the device may write */
#define MY_MMU_POPULATE_NOFAULT	(1u << 1) /* only what is there */
#define MY_MMU_FLOOR_LOOKUP	(1u << 2) /* the lookup of a populate */

/**
 * struct my_mmu_populate - argument of MY_MMU_POPULATE and MY_MMU_GUP_FLOOR
 * @addr: first address; page aligned
 * @len: bytes; page aligned
 * @flags: %MY_MMU_POPULATE_WRITE, ..._NOFAULT, %MY_MMU_FLOOR_LOOKUP, or 0
 * @batch: pages looked up and inserted together, 1..%MY_MMU_BATCH_MAX;
 *	0 means %MY_MMU_BATCH_MAX. A batch never crosses a leaf table.
 * @populated: out: pages done, counted from @addr; set on error, too
 * @retries: out: batches redone: an invalidation, or a huge page, came between
 *
 * MY_MMU_POPULATE faults the pages in as the CPU would and enters them into
 * the device page table. One exception: memory without PROT_READ that the CPU
 * reads nevertheless (PROT_WRITE alone: x86 and arm64 read what they write). A
 * populate for reading enters what is present there, and brings nothing in:
 * -EFAULT. So are a zero page, and a page on which NUMA balancing has set a
 * hint. One for writing does as the CPU.
 *
 * MY_MMU_GUP_FLOOR does the page lookups and nothing else, on any open handle,
 * attached or not: the floor to compare with. With %MY_MMU_POPULATE_NOFAULT
 * these take no page fault and wait for no lock of the address space. (A
 * populate still waits for an invalidation that is running.) A page that the
 * CPU could not access that way at this moment without a fault counts as not
 * there: -EFAULT. So does the zero page (a huge one only on kernels that mark
 * it; 6.1 and 6.12 do not). So does a page that is being moved, split or taken,
 * or that a driver or the kernel has put there. Go on behind it, or not.
 *
 * Errors: -EINVAL, -EFAULT (a page is not there, or not accessible that way),
 * -EEXIST and -EREMOTEIO (the lookup's own words for pages that another driver
 * has mapped), -ENOTCONN, -EIO, -ESRCH, -EINTR (killed), -ENOMEM. Or -EAGAIN:
 * invalidations, or evictions, kept interfering; the call may be repeated from
 * @addr + @populated pages.
 */
struct my_mmu_populate {
	__u64	addr;
	__u64	len;
	__u32	flags;
	__u32	batch;
	__u64	populated;
	__u64	retries;
};

/**
 * struct my_mmu_access - argument of MY_MMU_READ and MY_MMU_WRITE
 * @addr: where the device reads or writes; any alignment
 * @buf: user buffer of the caller; any alignment
 * @len: bytes
 * @done: out: bytes transferred; set on error, too
 * @faults: out: device page faults taken
 *
 * The device engine reads (writes) memory through the device page table only.
 * Where it misses, it populates what is left of the access in the same 2 MiB,
 * up to the driver's parameter fault_ahead pages (512), as MY_MMU_POPULATE
 * does in one batch. So it may wait for pages that it has not come to; a task
 * that answers their faults must not wait for the access. An access that ends
 * early may have populated, and brought in, pages that it never came to.
 *
 * Errors: as MY_MMU_POPULATE.
 */
struct my_mmu_access {
	__u64	addr;
	__u64	buf;
	__u64	len;
	__u64	done;
	__u64	faults;
};

/* enum my_mmu_entry_flags - bits of struct my_mmu_query.flags */
#define MY_MMU_ENTRY_PRESENT	(1u << 0)
#define MY_MMU_ENTRY_WRITE	(1u << 1)
#define MY_MMU_ENTRY_ACCESSED	(1u << 2)

/**
 * struct my_mmu_query - argument of MY_MMU_QUERY
 * @addr: any address in user space; rounded down to its page
 * @pfn: out: page frame number; 0 unless the caller has CAP_SYS_ADMIN
 * @flags: out: %MY_MMU_ENTRY_PRESENT, ..._WRITE, ..._ACCESSED
 * @reserved: must be zero
 *
 * Looks at one device entry and changes nothing.
 *
 * Errors: -EINVAL, -EFAULT (not a user address), -ENOTCONN, -EIO, -ESRCH.
 */
struct my_mmu_query {
	__u64	addr;
	__u64	pfn;
	__u32	flags;
	__u32	reserved;
};

/**
 * struct my_mmu_verify - argument of MY_MMU_VERIFY
 * @addr: first address; page aligned
 * @len: bytes; page aligned; @addr and @len both 0 mean all of user space
 * @right: out: entries that name the page that the CPU page table names and
 *	allow writing only where that does
 * @stale: out: entries that name another page, or one that is gone
 * @over_permissive: out: entries that allow writing where the CPU may not
 * @unsettled: out: entries that differ while the rmap chain is at work, be it
 *	on other pages: ask again (only with %MY_MMU_ATTACH_RMAP_ONLY)
 * @first_bad: out: lowest address counted as stale or over-permissive; 0
 *	if none
 *
 * Walks the device table under the variant's own locks. May be called at
 * any time, whatever else goes on in the address space.
 *
 * Errors: -EINVAL, -EFAULT, -ENOTCONN, -EIO, -ESRCH, -EINTR (killed),
 * -ENOMEM.
 */
struct my_mmu_verify {
	__u64	addr;
	__u64	len;
	__u64	right;
	__u64	stale;
	__u64	over_permissive;
	__u64	unsettled;
	__u64	first_bad;
};

/**
 * struct my_mmu_evict - argument of MY_MMU_EVICT
 * @addr: address of the page in the caller's memory; rounded down
 * @walked: out: 1 if the rmap chain ran, 0 if the export filter had no
 *	external mapping of this page, or of its folio, on record
 *
 * Locks the page and runs the rmap chain on it, as reclaim does: each external
 * MMU of every process gives the page up. The CPU page table stays as it is,
 * so that a populate meanwhile, or afterwards, maps the page again. Needs no
 * attached handle. The zero page stays: it has no owner, and is not on record.
 *
 * Errors: -EFAULT (no page there), -EEXIST and -EREMOTEIO (as MY_MMU_POPULATE),
 * -ENOMEM, -EINTR (killed).
 */
struct my_mmu_evict {
	__u64	addr;
	__u64	walked;
};

/**
 * struct my_mmu_device_config - argument of MY_MMU_CONFIGURE
 * @shootdown_us: microseconds that the device takes to answer a shootdown,
 *	0..%MY_MMU_SHOOTDOWN_MAX_US; 0 is the state after the first attach
 * @reserved: must be zero
 *
 * Makes the device slow: an invalidation that removed an entry, or came upon
 * one that has not been answered for the same addresses, then waits that long,
 * asleep where the VM allows it. A new value counts as the answer to all that
 * has been asked before.
 *
 * Errors: -EINVAL, -ENOTCONN, -EIO, -ESRCH, -EPERM (not 0, and the caller
 * lacks CAP_SYS_ADMIN: others wait for such a device, too).
 */
struct my_mmu_device_config {
	__u32	shootdown_us;
	__u32	reserved;
};

/**
 * struct my_mmu_stats - result of MY_MMU_GET_STATS
 * @mmus: external MMUs that exist now, in all processes
 * @entries: device entries present now, in all of them
 * @tables: leaf tables that exist now
 * @bytes: bytes of leaf tables, directories and reverse indexes that exist now
 * @attaches: successful MY_MMU_ATTACH
 * @populated_pages: entries made
 * @populate_batches: batches begun (each retry counts again)
 * @retries: batches redone because an invalidation came in between
 * @waits: how often a batch found an invalidation of its addresses running and
 *	began to wait until it is over (one batch may do so again and again);
 *	not counted of "interval", where the VM waits
 * @invalidations: calls of invalidate_range_start; of "interval", one for each
 *	leaf table
 * @nonblockable: those of them that were not allowed to sleep
 * @zapped_pages: entries removed
 * @rmap_callbacks: pages the rmap chain handed to a variant
 * @rmap_zaps: entries removed by them
 * @aging: clear_flush_young, clear_young and test_young calls
 * @device_reads: bytes read by the device
 * @device_writes: bytes written by the device
 * @device_faults: device accesses that missed
 * @contended: acquisitions of a variant's spinlocks that had to wait
 * @rmap_hooked: calls of the VM's own functions that passed the rmap hook
 * @rmap_walks: pages for which the rmap chain ran
 * @rmap_filtered: calls of the hook for a folio of which no page was exported;
 *	the filter spared the chain
 * @rmap_hook_active: 1 while the VM itself feeds the chain, else 0
 *
 * All but the first four and the last count upwards since the driver was
 * loaded (@rmap_hooked, @rmap_walks, @rmap_filtered: since mmu_rmap was), over
 * all processes. Works on any open handle.
 */
struct my_mmu_stats {
	__u64	mmus;
	__u64	entries;
	__u64	tables;
	__u64	bytes;
	__u64	attaches;
	__u64	populated_pages;
	__u64	populate_batches;
	__u64	retries;
	__u64	waits;
	__u64	invalidations;
	__u64	nonblockable;
	__u64	zapped_pages;
	__u64	rmap_callbacks;
	__u64	rmap_zaps;
	__u64	aging;
	__u64	device_reads;
	__u64	device_writes;
	__u64	device_faults;
	__u64	contended;
	__u64	rmap_hooked;
	__u64	rmap_walks;
	__u64	rmap_filtered;
	__u64	rmap_hook_active;
};

/*
 * MY_MMU_DETACH has no argument. It unties the handle; when it was the last
 * one of its external MMU, nothing is mapped any more on return. It works
 * also once the attached address space is gone, so that the handle can be
 * attached anew, after exec say. It waits for calls that use the handle, and
 * turns newcomers away meanwhile (-ENOTCONN; MY_MMU_ATTACH: -EBUSY).
 *
 * Errors: -ENOTCONN (not attached, or another call is detaching it), -EIO
 * (another address space's handle), -EINTR (killed while waiting; the handle
 * is attached as before).
 */

#define MY_MMU_IOC_MAGIC	0xB7

#define MY_MMU_ATTACH	 _IOW(MY_MMU_IOC_MAGIC, 0x10, struct my_mmu_attach)
#define MY_MMU_DETACH	 _IO(MY_MMU_IOC_MAGIC, 0x11)
#define MY_MMU_POPULATE	 _IOWR(MY_MMU_IOC_MAGIC, 0x12, struct my_mmu_populate)
#define MY_MMU_READ	 _IOWR(MY_MMU_IOC_MAGIC, 0x13, struct my_mmu_access)
#define MY_MMU_WRITE	 _IOWR(MY_MMU_IOC_MAGIC, 0x14, struct my_mmu_access)
#define MY_MMU_QUERY	 _IOWR(MY_MMU_IOC_MAGIC, 0x15, struct my_mmu_query)
#define MY_MMU_VERIFY	 _IOWR(MY_MMU_IOC_MAGIC, 0x16, struct my_mmu_verify)
#define MY_MMU_EVICT	 _IOWR(MY_MMU_IOC_MAGIC, 0x17, struct my_mmu_evict)
#define MY_MMU_CONFIGURE \
	_IOW(MY_MMU_IOC_MAGIC, 0x18, struct my_mmu_device_config)
#define MY_MMU_GET_STATS _IOR(MY_MMU_IOC_MAGIC, 0x19, struct my_mmu_stats)
#define MY_MMU_GUP_FLOOR \
	_IOWR(MY_MMU_IOC_MAGIC, 0x1a, struct my_mmu_populate)

#endif /* MY_MMU_UAPI_H */
