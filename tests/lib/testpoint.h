/* SPDX-License-Identifier: GPL-2.0 */
/*
 * testpoint.h - park tasks in the kernel where a race is lost or won
 *
 * include/my_mmu_testpoint.h has the points and says what orders there are
 * ("2 mm 123 hold"). A task that does not come where it is waited for, within
 * a deadline, fails the test that waits. Whatever a test leaves parked or
 * armed, the harness lets go when the test is over, however it ended.
 */
#ifndef TESTS_LIB_TESTPOINT_H
#define TESTS_LIB_TESTPOINT_H

#include <stdbool.h>
#include <sys/types.h>

#include "harness.h"

/* Skips the test where the modules were built without the points. */
void tp_need(void);

/*
 * A command to a point: "park 2", "park mm 123", "fail 3", "count", "release
 * 1", "off" ... Fails the test if there is no such point, or the point does
 * not understand.
 */
#define tp_tell(point, ...) (HERE(), tp_tell_(point, __VA_ARGS__))

/* The next task to come by sleeps there; of all, or on behalf of @pid. */
#define tp_park(point) tp_tell(point, "park")
#define tp_park_mm(point, pid) tp_tell(point, "park mm %d", pid)
/* All that are parked go on; what was ordered stays. */
#define tp_release(point) tp_tell(point, "release")
#define tp_off(point) tp_tell(point, "off")

/* Since the last command but release, by those whom it meant. */
#define tp_arrivals(point) (HERE(), tp_arrivals_(point))
#define tp_parked(point) (HERE(), tp_parked_(point))

/* Wait until there are @n; polls. */
#define tp_wait_parked(point, n) (HERE(), tp_wait_parked_(point, n))
#define tp_wait_arrivals(point, n) (HERE(), tp_wait_arrivals_(point, n))

/* Every point off, in whatever state it is. For the harness. */
void tp_off_all(void);

void tp_tell_(const char *point, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
unsigned long tp_arrivals_(const char *point);
unsigned int tp_parked_(const char *point);
void tp_wait_parked_(const char *point, unsigned int n);
void tp_wait_arrivals_(const char *point, unsigned long n);

#endif /* TESTS_LIB_TESTPOINT_H */
