/* SPDX-License-Identifier: GPL-2.0 */
/*
 * counters.h - which lines of the modules a test ran, for tests/run-coverage
 *
 * A kernel with CONFIG_GCOV_KERNEL shows what its modules counted, in one file
 * for each source. With COVERAGE in the environment these files are copied
 * after each test, into a folder of that name:
 *
 *	$COVERAGE/NNNN.GROUP.TEST/FOLDER-SOURCE.gcda
 *
 * The counts go on from test to test. What one test ran is the difference
 * between its copy and the one before; the first copy is made before any test.
 */
#ifndef TESTS_COUNTERS_H
#define TESTS_COUNTERS_H

#include <stdbool.h>

/* Does nothing, and succeeds, without COVERAGE in the environment. */
bool counters_save(const char *group, const char *test);

#endif /* TESTS_COUNTERS_H */
