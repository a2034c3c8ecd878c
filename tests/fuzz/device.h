/* SPDX-License-Identifier: GPL-2.0 */
/*
 * device.h - what the ioctls have in common: device.c makes the call, and says
 * what may come back whichever it is
 */
#ifndef FUZZ_DEVICE_H
#define FUZZ_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "fuzz.h"

#define JUNK		0x5a	/* what was there before */
#define JUNK64		0x5a5a5a5a5a5a5a5aull
#define KERNEL_ADDR	0xffff888000000000ull

/* Where the argument lies. */
enum place {
	PLACE_GOOD, PLACE_END, PLACE_UNALIGNED, PLACE_READ_ONLY,
	PLACE_FIRST_BAD,
	PLACE_CROSSES = PLACE_FIRST_BAD, PLACE_NULL, PLACE_KERNEL, PLACE_HOLE,
	PLACE_HIGH, PLACE_NR
};

unsigned int draw_place(struct draw *d);
int draw_odd(struct draw *d, unsigned int n);	/* which of @n, or -1 */

long issue(struct self *me, const struct call *c, unsigned long cmd, void *arg,
	   size_t size, unsigned int place);
void check_junk(struct self *me, const unsigned char *from,
		const unsigned char *to);
void same(struct self *me, bool good, const char *what);

/* @attached: the call wants to be made on an attached handle. */
struct legal legal_for(struct self *me, const struct call *c, unsigned long cmd,
		       unsigned int place, bool attached);
/* The next three: once the call has been made. */
void legal_faults(struct self *me, struct legal *l);
void legal_populate(struct legal *l);
bool refuse(struct legal *l, const struct legal *own);
void legal_range(struct legal *l, uint64_t addr, uint64_t len);
void legal_pages(struct legal *l, uint64_t addr, uint64_t len);
void legal_memory(struct self *me, struct legal *l, uint64_t addr, uint64_t len,
		  uint64_t limit);
bool told(struct self *me, unsigned int place, long ret);
bool no_handle(long ret);		/* it was not for this caller */

int variant_of(struct self *me, const struct call *c);
void may_have_entries(struct self *me, const struct call *c, uint64_t addr,
		      uint64_t len, bool write);

#endif /* FUZZ_DEVICE_H */
