/* SPDX-License-Identifier: GPL-2.0 */
/*
 * faults.h - allocations and copies that fail, one after the other
 *
 * A kernel with CONFIG_FAULT_INJECTION lets the n-th chance to fail of a task
 * fail: an allocation of memory, or a copy from or to user space. A test makes
 * a call again and again, with n from 1 on, until the call has fewer chances.
 *
 *	unsigned int n = 0;
 *
 *	faults_need();
 *	do {
 *		fault_at(++n);
 *		ret = ...;
 *		failed = fault_end();
 *	} while (failed);
 *
 * A slab that takes a new page has a chance to fail that is not the call's; the
 * next time it has none, and the chance behind it is passed over. A test that
 * counts failures begins again where they are too few, FAIL_TRIES times.
 */
#ifndef TESTS_FAULTS_H
#define TESTS_FAULTS_H

#include <stdbool.h>

#include "harness.h"

#define FAIL_TRIES	5

/* Skips the test where the kernel cannot do it. */
void faults_need(void);

/*
 * Count only what is called from the kernel's function @name, directly or not;
 * NULL: whatever the task does.
 */
#define faults_inside(name) (HERE(), faults_inside_(name))

/* The @n-th chance from now on fails, of this thread. */
#define fault_at(n) (HERE(), fault_at_(n))
/* No more; has one failed since? */
#define fault_end() (HERE(), fault_end_())

/* Each chance of this thread fails, from now on or no longer. */
#define fault_all(on) (HERE(), fault_all_(on))

void faults_inside_(const char *name);
void fault_all_(bool on);
void fault_at_(unsigned int n);
bool fault_end_(void);

#endif /* TESTS_FAULTS_H */
