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

#endif /* TESTS_AFTER_H */
