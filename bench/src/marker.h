/* SPDX-License-Identifier: GPL-2.0 */
/*
 * marker.h - what a program tells the plugin that counts its instructions
 *
 * An instruction that does nothing, with its arguments in the registers of a
 * call. plugin/count.c knows it by its bytes; all others pass it by.
 */
#ifndef BENCH_MARKER_H
#define BENCH_MARKER_H

enum marker {
	MARK_OFF,	/* what follows is not counted */
	MARK_ON,	/* what follows is */
	MARK_ROW,	/* and belongs to the next row of raw.csv */
	MARK_LOCK,	/* @a is the address of a function that locks, */
	MARK_TRYLOCK,	/* ... that returns whether it has locked, */
	MARK_UNLOCK,	/* ... that unlocks; if called from */
	MARK_CALLER,	/* code from @a to before @b */
};

/* nopl 0x21544e43(%rax,%rax,1); hint #0x7a: as the bytes of a number */
#define MARKER_X86_64	0x21544e4300841f0f
#define MARKER_ARM64	0xd5032f5f

#define MARKER_TEXT_(x)	#x
#define MARKER_TEXT(x)	MARKER_TEXT_(x)

#ifdef __x86_64__
static inline void marker(unsigned long what, unsigned long a, unsigned long b)
{
	asm volatile(".quad " MARKER_TEXT(MARKER_X86_64)
		     :: "D" (what), "S" (a), "d" (b) : "memory");
}
#elif defined(__aarch64__)
static inline void marker(unsigned long what, unsigned long a, unsigned long b)
{
	register unsigned long x0 asm("x0") = what;
	register unsigned long x1 asm("x1") = a;
	register unsigned long x2 asm("x2") = b;

	asm volatile(".long " MARKER_TEXT(MARKER_ARM64)
		     :: "r" (x0), "r" (x1), "r" (x2) : "memory");
}
#endif

#endif /* BENCH_MARKER_H */
