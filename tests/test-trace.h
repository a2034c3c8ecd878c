/* SPDX-License-Identifier: GPL-2.0 */
/*
 * test-trace.h - the driver's events of each test, shown if it fails
 *
 * In an instance of tracing of its own. What tests tell the test points, and
 * the checks that fail, stand among the events (harness_mark()).
 */
#ifndef TESTS_TEST_TRACE_H
#define TESTS_TEST_TRACE_H

#include <stdbool.h>

/* False, and a note, where there is no tracing. */
bool test_trace_begin(void);
void test_trace_empty(void);
void test_trace_show(void);

#endif /* TESTS_TEST_TRACE_H */
