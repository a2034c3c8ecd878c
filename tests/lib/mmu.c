// SPDX-License-Identifier: GPL-2.0
/*
 * mmu.c - thin wrappers around the ioctls of /dev/my_mmu; see mmu.h
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "mmu.h"

#define ATTACH_TRIES	100

const char *const mmu_variants[] = {
	"spinlock", "split-ptl", "rcu-list", "interval", NULL
};

static uint64_t user_addr(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

int mmu_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

int mmu_open(void)
{
	int fd = open(MY_MMU_DEVICE_PATH, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/*
 * Registering a notifier gives up as soon as any signal is pending. Where
 * signals come faster than the VM takes its locks, no number of tries will do:
 * hold the signals back. What cannot be held back (SIGSTOP, a tracer, work
 * that io_uring has finished) does not come that often.
 */
static int attach_undisturbed(int fd, struct my_mmu_attach *a)
{
	int ret, tries = 0;
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	do {
		ret = mmu_ioctl(fd, MY_MMU_ATTACH, a);
	} while (ret == -EINTR && ++tries < ATTACH_TRIES);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}

int mmu_attach_flags(int fd, const char *variant, uint32_t flags)
{
	struct my_mmu_attach a = { .flags = flags };

	/* A name that fills the field stays unterminated: the driver's case. */
	memcpy(a.variant, variant, strnlen(variant, sizeof(a.variant)));
	return attach_undisturbed(fd, &a);
}

int mmu_attach(int fd, const char *variant)
{
	return mmu_attach_flags(fd, variant, 0);
}

int mmu_detach(int fd)
{
	return mmu_ioctl(fd, MY_MMU_DETACH, NULL);
}

int mmu_open_attached(const char *variant, uint32_t flags)
{
	int fd = mmu_open();
	int ret;

	if (fd < 0)
		return fd;
	ret = mmu_attach_flags(fd, variant, flags);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

/* Without a word on the type that the caller's number has */
static void put(union mmu_out out, __u64 value)
{
	if (out.uapi)
		memcpy(out.uapi, &value, sizeof(value));
}

static int populate(int fd, unsigned long cmd, struct my_mmu_populate *p,
		    union mmu_out done, union mmu_out retries)
{
	int ret = mmu_ioctl(fd, cmd, p);

	put(done, p->populated);
	put(retries, p->retries);
	return ret;
}

int mmu_populate_batch(int fd, const void *addr, size_t len, uint32_t flags,
		       uint32_t batch, union mmu_out done,
		       union mmu_out retries)
{
	struct my_mmu_populate p = {
		.addr = user_addr(addr),
		.len = len,
		.flags = flags,
		.batch = batch,
	};

	return populate(fd, MY_MMU_POPULATE, &p, done, retries);
}

int mmu_populate(int fd, const void *addr, size_t len, uint32_t flags)
{
	return mmu_populate_batch(fd, addr, len, flags, 0, NULL, NULL);
}

int mmu_gup_floor(int fd, const void *addr, size_t len, uint32_t flags,
		  uint32_t batch, union mmu_out done)
{
	struct my_mmu_populate p = {
		.addr = user_addr(addr),
		.len = len,
		.flags = flags,
		.batch = batch,
	};

	return populate(fd, MY_MMU_GUP_FLOOR, &p, done, NULL);
}

static int device_access(int fd, unsigned long cmd, const void *addr,
			 const void *buf, size_t len, union mmu_out done,
			 union mmu_out faults)
{
	struct my_mmu_access a = {
		.addr = user_addr(addr),
		.buf = user_addr(buf),
		.len = len,
	};
	int ret = mmu_ioctl(fd, cmd, &a);

	put(done, a.done);
	put(faults, a.faults);
	return ret;
}

int mmu_read_count(int fd, const void *addr, void *buf, size_t len,
		   union mmu_out done, union mmu_out faults)
{
	return device_access(fd, MY_MMU_READ, addr, buf, len, done, faults);
}

int mmu_write_count(int fd, void *addr, const void *buf, size_t len,
		    union mmu_out done, union mmu_out faults)
{
	return device_access(fd, MY_MMU_WRITE, addr, buf, len, done, faults);
}

int mmu_read(int fd, const void *addr, void *buf, size_t len)
{
	return mmu_read_count(fd, addr, buf, len, NULL, NULL);
}

int mmu_write(int fd, void *addr, const void *buf, size_t len)
{
	return mmu_write_count(fd, addr, buf, len, NULL, NULL);
}

int mmu_query(int fd, const void *addr, uint32_t *flags, union mmu_out pfn)
{
	struct my_mmu_query q = { .addr = user_addr(addr) };
	int ret = mmu_ioctl(fd, MY_MMU_QUERY, &q);

	if (flags)
		*flags = q.flags;
	put(pfn, q.pfn);
	return ret;
}

int mmu_entry(int fd, const void *addr)
{
	uint32_t flags;
	int ret = mmu_query(fd, addr, &flags, NULL);

	return ret ? ret : (int)flags;
}

long mmu_count_present(int fd, const void *addr, size_t len)
{
	const char *p = addr;
	long present = 0;
	size_t off;
	int ret;

	for (off = 0; off < len; off += MMU_PAGE) {
		ret = mmu_entry(fd, p + off);
		if (ret < 0)
			return ret;
		present += !!(ret & MY_MMU_ENTRY_PRESENT);
	}
	return present;
}

int mmu_verify(int fd, const void *addr, size_t len,
	       struct my_mmu_verify *result)
{
	struct my_mmu_verify v = { .addr = user_addr(addr), .len = len };
	int ret = mmu_ioctl(fd, MY_MMU_VERIFY, &v);

	if (result)
		*result = v;
	return ret;
}

int mmu_evict(int fd, const void *addr)
{
	struct my_mmu_evict e = { .addr = user_addr(addr) };
	int ret = mmu_ioctl(fd, MY_MMU_EVICT, &e);

	return ret ? ret : (int)e.walked;
}

int mmu_configure(int fd, uint32_t shootdown_us)
{
	struct my_mmu_device_config c = { .shootdown_us = shootdown_us };

	return mmu_ioctl(fd, MY_MMU_CONFIGURE, &c);
}

int mmu_stats(int fd, struct my_mmu_stats *stats)
{
	return mmu_ioctl(fd, MY_MMU_GET_STATS, stats);
}
