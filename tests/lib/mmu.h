/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mmu.h - thin wrappers around the ioctls of /dev/my_mmu
 *
 * Every function returns 0 (or what its comment says) on success and a
 * negative errno on failure; nothing is printed, nothing is retried behind
 * the caller's back, except by mmu_attach() as its comment says. Outputs may
 * be NULL where the caller does not care.
 *
 * Whoever wants to send an argument that these wrappers cannot express (bad
 * flags, reserved fields, a bad pointer) uses mmu_ioctl() with the structure
 * from my_mmu_uapi.h.
 */
#ifndef TESTS_LIB_MMU_H
#define TESTS_LIB_MMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "my_mmu_uapi.h"

/*
 * A __u64 of the uapi is an unsigned long long, to be printed with %llu; a
 * uint64_t of the C library is not everywhere. Both are 64 bits, and whichever
 * the caller has, its address is welcome here.
 */
_Static_assert(__builtin_types_compatible_p(__u64, unsigned long long),
	       "%llu prints what my_mmu_uapi.h says");

union mmu_out {
	__u64		*uapi;
	uint64_t	*stdint;
} __attribute__((transparent_union));

#define MMU_PAGE	4096ul
#define MMU_HUGE	(2ul << 20)	/* THP, hugetlb; also one leaf table */

/* The variants that this project ships; ends with NULL. */
extern const char *const mmu_variants[];

/* ioctl() that returns -errno; @arg may be any pointer, also a bad one. */
int mmu_ioctl(int fd, unsigned long cmd, void *arg);

/* A new handle (close-on-exec), or -errno. */
int mmu_open(void);

/*
 * Attach @fd to the calling process, with all signals blocked: any that is
 * pending ends the registration of a notifier (see my_mmu_uapi.h). -EINTR by
 * what cannot be blocked is tried again, a hundred times at most.
 */
int mmu_attach(int fd, const char *variant);
int mmu_attach_flags(int fd, const char *variant, uint32_t flags);
int mmu_detach(int fd);

/* mmu_open() and mmu_attach() in one; returns the handle or -errno. */
int mmu_open_attached(const char *variant, uint32_t flags);

/*
 * Populate @len bytes at @addr; @flags is 0 or MY_MMU_POPULATE_WRITE. On
 * error, too, @done counts the pages that were populated.
 */
int mmu_populate(int fd, const void *addr, size_t len, uint32_t flags);
int mmu_populate_batch(int fd, const void *addr, size_t len, uint32_t flags,
		       uint32_t batch, union mmu_out done,
		       union mmu_out retries);

/* The page lookups of a populate and nothing else. */
int mmu_gup_floor(int fd, const void *addr, size_t len, uint32_t flags,
		  uint32_t batch, union mmu_out done);

/* The device copies between its view of @addr and @buf. */
int mmu_read(int fd, const void *addr, void *buf, size_t len);
int mmu_write(int fd, void *addr, const void *buf, size_t len);
int mmu_read_count(int fd, const void *addr, void *buf, size_t len,
		   union mmu_out done, union mmu_out faults);
int mmu_write_count(int fd, void *addr, const void *buf, size_t len,
		    union mmu_out done, union mmu_out faults);

/* One entry; @pfn is 0 for callers without CAP_SYS_ADMIN. */
int mmu_query(int fd, const void *addr, uint32_t *flags, union mmu_out pfn);

/* The entry's MY_MMU_ENTRY_* flags (>= 0), or -errno. */
int mmu_entry(int fd, const void *addr);

/* How many pages of [@addr, @addr + @len) have an entry, or -errno. */
long mmu_count_present(int fd, const void *addr, size_t len);

/* @addr NULL and @len 0: all of user space. */
int mmu_verify(int fd, const void *addr, size_t len,
	       struct my_mmu_verify *result);

/* Run the rmap chain on the page at @addr; returns 1 if it ran, 0 if not. */
int mmu_evict(int fd, const void *addr);

/* How long the device takes to answer a shootdown. */
int mmu_configure(int fd, uint32_t shootdown_us);

int mmu_stats(int fd, struct my_mmu_stats *stats);

#endif /* TESTS_LIB_MMU_H */
