// SPDX-License-Identifier: GPL-2.0
/*
 * found.c - short sequences that failed once: in this driver, or in one that
 * was broken on purpose
 */
#include "fuzz.h"

#define ATTACHED							\
	"serial\n"							\
	"0.0 open slot=0 flags=2\n"					\
	"0.0 attach slot=0 variant=0 flags=0 reserved=0 place=0\n"	\
	"0.0 map addr=r0+0 len=0x10000 kind=1 prot=3 page=0\n"

#define FAIL_TABLE(nth)							\
	"0.0 populate slot=0 addr=r0+0 len=0x1000 flags=0 batch=0"	\
	" place=0 fail=" #nth "\n"

const struct found found[] = {
	{ "results of calls that failed were left as they had been",
	  "serial\n"
	  "0.0 open slot=0 flags=0\n"
	  "0.0 query slot=0 addr=r0+0 reserved=0 place=0\n"
	  "0.0 verify slot=0 addr=0 len=0 place=0\n" },
	{ "a table that could not be had, and was told to fail as well",
	  ATTACHED
	  "0.0 point point=0 command=5\n"
	  FAIL_TABLE(2) FAIL_TABLE(3) FAIL_TABLE(4) FAIL_TABLE(5)
	  "0.0 point point=0 command=0\n" },
	{ "the model: the zero page was thought to be evicted",
	  ATTACHED
	  "0.0 populate slot=0 addr=r0+0 len=0x1000 flags=0 batch=0 place=0\n"
	  "0.0 evict slot=0 addr=r0+0 place=0\n"
	  "0.0 query slot=0 addr=r0+0 reserved=0 place=0\n"
	  "0.0 stats slot=0 place=0\n" },
	{ "the model: munmap() of nothing was thought to free a leaf table",
	  ATTACHED
	  "0.0 unmap addr=r0+0xb000 len=0x2000\n"
	  "0.0 write slot=0 addr=r0+0xe000 len=1 buf=0 place=0 byte=0\n"
	  "0.0 evict slot=0 addr=r0+0xe000 place=0\n"
	  "0.0 unmap addr=r0+0xb000 len=0x2000\n"
	  "0.0 stats slot=0 place=0 settle=1\n" },
	{ "broken on purpose: somebody else's handle works",
	  ATTACHED
	  "0.0 populate slot=0 addr=r0+0 len=0x4000 flags=1 batch=0 place=0\n"
	  "0.0 fork child=1\n"
	  "1.0 query slot=0 addr=r0+0 reserved=0 place=0\n"
	  "1.0 verify slot=0 addr=0 len=0 place=0\n" },
	{ "broken on purpose: a failed populate leaves its table",
	  ATTACHED
	  "0.0 populate slot=0 addr=r1+0 len=0x1000 flags=1 batch=0 place=0\n"
	  "0.0 stats slot=0 place=0 settle=1\n"
	  "0.0 dup slot=0 to=1\n"
	  "0.0 detach slot=0 place=0\n"
	  "0.0 attach slot=1 variant=2 flags=0 reserved=0 place=0\n"
	  "0.0 populate slot=1 addr=r1+0 len=0x1000 flags=1 batch=0 place=0\n"
	  "0.0 stats slot=0 place=0 settle=1\n" },
	{ "broken on purpose: lengths that wrap are not refused",
	  ATTACHED
	  "0.0 read slot=0 addr=r0+0x55 len=0xfffffffffffff000 buf=0 place=0\n"
	  "0.0 populate slot=0 addr=r0+0 len=0xfffffffffffff000 flags=0"
	  " batch=0 place=0\n" },
};

const unsigned int nr_found = sizeof(found) / sizeof(*found);
