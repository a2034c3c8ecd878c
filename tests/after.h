/* SPDX-License-Identifier: GPL-2.0 */
/*
 * after.h - what a test cannot hide: what is left, and what the kernel says
 *
 * Both look for what is new since the last look, and note() what they find.
 */
#ifndef TESTS_AFTER_H
#define TESTS_AFTER_H

#include <stdbool.h>

/* Start to listen to the kernel's log, from its end. */
void kernel_listen(void);

/* Forget what the kernel has said so far. */
void kernel_skip(void);

/* No complaint since the last look. */
bool kernel_quiet(void);

/* 0 or -errno: can the device be asked? */
int device_answers(void);

/*
 * No external MMU, entry, table or byte is left, at the latest @grace_ms from
 * now: grace periods and delayed mmput() take their time.
 */
bool nothing_left(unsigned int grace_ms);

/*
 * Nobody has a reference any more to a huge page of the pool, to a module, or
 * to memory that no process and no file has: more than there were before the
 * first test, that is.
 */
bool nothing_held(unsigned int grace_ms);
void hold_nothing_against(void);

#endif /* TESTS_AFTER_H */
