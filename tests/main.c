// SPDX-License-Identifier: GPL-2.0
/*
 * mmu-tests - the suite for /dev/my_mmu: every test, in every variant
 *
 * After each test the parent looks at what the test cannot hide: whether
 * external MMUs, entries, tables or bytes are left although all its processes
 * are gone, whether anything still holds a page or a module, and whether the
 * kernel complained. Each fails the test.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "after.h"
#include "cgroup.h"
#include "common.h"
#include "counters.h"
#include "lifetime.h"
#include "test-trace.h"
#include "testpoint.h"

#define GRACE_MS	4000	/* grace periods, delayed mmput */

/* --- hooks of the harness ------------------------------------------------- */

/*
 * NUMA balancing begins when a process is a second old: invalidations that no
 * test has asked for, by whichever of its threads. Who wants them says so.
 */
static void before(void)
{
	write_file("/proc/sys/kernel/numa_balancing", "0");
	write_file("/sys/kernel/mm/transparent_hugepage/enabled", "always");
	write_file(DRIVER_PARAM("lookup"), "auto");
	write_file(DRIVER_PARAM("fault_ahead"), "512");
	kernel_skip();
	test_trace_empty();
}

static bool after(const char *group, const char *test)
{
	bool ok = nothing_left(GRACE_MS);

	cgroup_remove_all();
	ok = nothing_held(GRACE_MS) && ok;
	ok = kernel_quiet() && ok;
	return counters_save(group, test) && ok;
}

int main(int argc, char **argv)
{
	static const char *const groups[] = {
		"spinlock", "split-ptl", "rcu-list", "interval", "fuzz",
		"modules", NULL
	};
	static const struct harness_ops ops = {
		.groups = groups,
		.before = before,
		.let_go = tp_off_all,
		.failed = test_trace_show,
		.trace = test_trace_begin,
		.after = after,
	};
	int ret;

	if (argc == 4 && !strcmp(argv[1], EXEC_HELPER))
		return after_exec(atoi(argv[2]), argv[3]);

	kernel_listen();
	hold_nothing_against();
	if (argc < 2 || strcmp(argv[1], "-l")) {
		ret = device_answers();
		if (ret) {
			printf("Bail out! %s: %s\n", MY_MMU_DEVICE_PATH,
			       strerror(-ret));
			return EXIT_FAILURE;
		}
		if (!counters_save("none", "before"))
			return EXIT_FAILURE;
	}
	return harness_main(argc, argv, &ops);
}
