/* SPDX-License-Identifier: GPL-2.0 */
/*
 * my_mmu_trace.h - tracepoints of driver and variants
 *
 * perf record -e 'my_mmu:*', or /sys/kernel/tracing/events/my_mmu/.
 *
 * @dev in the events is the external MMU: equal values are the same one.
 * @mmap_locked: some task holds the mmap_lock of the mirrored process, not
 * necessarily the task at hand, and not necessarily for writing.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM my_mmu

#if !defined(MY_MMU_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MY_MMU_TRACE_H

#include <linux/mmu_notifier.h>
#include <linux/tracepoint.h>

#include "my_mmu.h"

#define MY_MMU_LOCK_NAME_LEN	24

TRACE_DEFINE_ENUM(MMU_NOTIFY_UNMAP);
TRACE_DEFINE_ENUM(MMU_NOTIFY_CLEAR);
TRACE_DEFINE_ENUM(MMU_NOTIFY_PROTECTION_VMA);
TRACE_DEFINE_ENUM(MMU_NOTIFY_PROTECTION_PAGE);
TRACE_DEFINE_ENUM(MMU_NOTIFY_SOFT_DIRTY);
TRACE_DEFINE_ENUM(MMU_NOTIFY_RELEASE);
TRACE_DEFINE_ENUM(MMU_NOTIFY_MIGRATE);
TRACE_DEFINE_ENUM(MMU_NOTIFY_EXCLUSIVE);

#define show_my_mmu_event(event)					\
	__print_symbolic(event,						\
		{ MMU_NOTIFY_UNMAP,		"UNMAP" },		\
		{ MMU_NOTIFY_CLEAR,		"CLEAR" },		\
		{ MMU_NOTIFY_PROTECTION_VMA,	"PROTECTION_VMA" },	\
		{ MMU_NOTIFY_PROTECTION_PAGE,	"PROTECTION_PAGE" },	\
		{ MMU_NOTIFY_SOFT_DIRTY,	"SOFT_DIRTY" },		\
		{ MMU_NOTIFY_RELEASE,		"RELEASE" },		\
		{ MMU_NOTIFY_MIGRATE,		"MIGRATE" },		\
		{ MMU_NOTIFY_EXCLUSIVE,		"EXCLUSIVE" })

DECLARE_EVENT_CLASS(my_mmu_life,
	TP_PROTO(struct my_mmu_dev *dev),
	TP_ARGS(dev),
	TP_STRUCT__entry(
		__field(void *, dev)
		__array(char, variant, MY_MMU_VARIANT_LEN)
	),
	TP_fast_assign(
		__entry->dev = dev;
		strscpy(__entry->variant, dev->variant->name,
			MY_MMU_VARIANT_LEN);
	),
	TP_printk("dev=%p variant=%s", __entry->dev, __entry->variant)
);

DEFINE_EVENT(my_mmu_life, my_mmu_attach,
	TP_PROTO(struct my_mmu_dev *dev), TP_ARGS(dev));
DEFINE_EVENT(my_mmu_life, my_mmu_detach,
	TP_PROTO(struct my_mmu_dev *dev), TP_ARGS(dev));
DEFINE_EVENT(my_mmu_life, my_mmu_release,
	TP_PROTO(struct my_mmu_dev *dev), TP_ARGS(dev));

DECLARE_EVENT_CLASS(my_mmu_batch,
	TP_PROTO(struct my_mmu_dev *dev, unsigned long address,
		 unsigned int npages, bool write, long ret),
	TP_ARGS(dev, address, npages, write, ret),
	TP_STRUCT__entry(
		__field(void *, dev)
		__field(unsigned long, address)
		__field(unsigned int, npages)
		__field(bool, write)
		__field(long, ret)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->address = address;
		__entry->npages = npages;
		__entry->write = write;
		__entry->ret = ret;
	),
	TP_printk("dev=%p address=%lx npages=%u write=%d ret=%ld",
		  __entry->dev, __entry->address, __entry->npages,
		  __entry->write, __entry->ret)
);

DEFINE_EVENT(my_mmu_batch, my_mmu_populate,
	TP_PROTO(struct my_mmu_dev *dev, unsigned long address,
		 unsigned int npages, bool write, long ret),
	TP_ARGS(dev, address, npages, write, ret));
DEFINE_EVENT(my_mmu_batch, my_mmu_retry,
	TP_PROTO(struct my_mmu_dev *dev, unsigned long address,
		 unsigned int npages, bool write, long ret),
	TP_ARGS(dev, address, npages, write, ret));

DECLARE_EVENT_CLASS(my_mmu_entry,
	TP_PROTO(struct my_mmu_dev *dev, unsigned long address, u64 value),
	TP_ARGS(dev, address, value),
	TP_STRUCT__entry(
		__field(void *, dev)
		__field(unsigned long, address)
		__field(unsigned long, pfn)
		__field(bool, write)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->address = address;
		__entry->pfn = my_mmu_entry_pfn(value);
		__entry->write = value & MY_MMU_WRITE_OK;
	),
	TP_printk("dev=%p address=%lx pfn=%lx write=%d", __entry->dev,
		  __entry->address, __entry->pfn, __entry->write)
);

DEFINE_EVENT(my_mmu_entry, my_mmu_insert,
	TP_PROTO(struct my_mmu_dev *dev, unsigned long address, u64 value),
	TP_ARGS(dev, address, value));
DEFINE_EVENT(my_mmu_entry, my_mmu_zap_page,
	TP_PROTO(struct my_mmu_dev *dev, unsigned long address, u64 value),
	TP_ARGS(dev, address, value));

TRACE_EVENT(my_mmu_zap_range,
	TP_PROTO(struct my_mmu_dev *dev, unsigned long start,
		 unsigned long end, unsigned long zapped),
	TP_ARGS(dev, start, end, zapped),
	TP_STRUCT__entry(
		__field(void *, dev)
		__field(unsigned long, start)
		__field(unsigned long, end)
		__field(unsigned long, zapped)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->start = start;
		__entry->end = end;
		__entry->zapped = zapped;
	),
	TP_printk("dev=%p start=%lx end=%lx zapped=%lu", __entry->dev,
		  __entry->start, __entry->end, __entry->zapped)
);

DECLARE_EVENT_CLASS(my_mmu_invalidate,
	TP_PROTO(struct my_mmu_dev *dev,
		 const struct mmu_notifier_range *range),
	TP_ARGS(dev, range),
	TP_STRUCT__entry(
		__field(void *, dev)
		__field(unsigned long, start)
		__field(unsigned long, end)
		__field(int, event)
		__field(bool, blockable)
		__field(bool, mmap_locked)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->start = range->start;
		__entry->end = range->end;
		__entry->event = range->event;
		__entry->blockable = mmu_notifier_range_blockable(range);
		__entry->mmap_locked = rwsem_is_locked(&dev->mm->mmap_lock);
	),
	TP_printk("dev=%p start=%lx end=%lx event=%s blockable=%d mmap_lock=%d",
		  __entry->dev, __entry->start, __entry->end,
		  show_my_mmu_event(__entry->event), __entry->blockable,
		  __entry->mmap_locked)
);

DEFINE_EVENT(my_mmu_invalidate, my_mmu_invalidate_start,
	TP_PROTO(struct my_mmu_dev *dev,
		 const struct mmu_notifier_range *range),
	TP_ARGS(dev, range));
DEFINE_EVENT(my_mmu_invalidate, my_mmu_invalidate_end,
	TP_PROTO(struct my_mmu_dev *dev,
		 const struct mmu_notifier_range *range),
	TP_ARGS(dev, range));

/* The VM asks for accessed bits; @clear: and takes them away. */
TRACE_EVENT(my_mmu_age,
	TP_PROTO(struct my_mmu_dev *dev, unsigned long start,
		 unsigned long end, bool clear),
	TP_ARGS(dev, start, end, clear),
	TP_STRUCT__entry(
		__field(void *, dev)
		__field(unsigned long, start)
		__field(unsigned long, end)
		__field(bool, clear)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->start = start;
		__entry->end = end;
		__entry->clear = clear;
	),
	TP_printk("dev=%p start=%lx end=%lx clear=%d", __entry->dev,
		  __entry->start, __entry->end, __entry->clear)
);

TRACE_EVENT(my_mmu_rmap_invalidate,
	TP_PROTO(struct my_mmu_dev *dev, unsigned long pfn,
		 unsigned long zapped),
	TP_ARGS(dev, pfn, zapped),
	TP_STRUCT__entry(
		__field(void *, dev)
		__field(unsigned long, pfn)
		__field(unsigned long, zapped)
	),
	TP_fast_assign(
		__entry->dev = dev;
		__entry->pfn = pfn;
		__entry->zapped = zapped;
	),
	TP_printk("dev=%p pfn=%lx zapped=%lu", __entry->dev, __entry->pfn,
		  __entry->zapped)
);

/*
 * A spinlock was found taken; the event comes as soon as it has been got.
 * Unlike lock:contention_begin it sees every waiter, whatever kind of spinlock
 * the kernel runs. The clock is only read while the event is traced.
 */
TRACE_EVENT(my_mmu_lock_wait,
	TP_PROTO(const char *lock, u64 ns),
	TP_ARGS(lock, ns),
	TP_STRUCT__entry(
		__array(char, lock, MY_MMU_LOCK_NAME_LEN)
		__field(u64, ns)
	),
	TP_fast_assign(
		strscpy(__entry->lock, lock, MY_MMU_LOCK_NAME_LEN);
		__entry->ns = ns;
	),
	TP_printk("lock=%s ns=%llu", __entry->lock, __entry->ns)
);

#endif /* MY_MMU_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE my_mmu_trace
#include <trace/define_trace.h>
