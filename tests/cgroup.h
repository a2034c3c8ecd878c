/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cgroup.h - control groups for the tests that reclaim, throttle or charge
 */
#ifndef TESTS_CGROUP_H
#define TESTS_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Make a cgroup and move the calling process into it. Skips the test where
 * there is no cgroup v2 with @controller. Only for processes with one thread.
 */
void cgroup_enter(const char *name, const char *controller);

/* Write to, read from a file of cgroup @name. */
int cgroup_write(const char *name, const char *file, const char *value);
long cgroup_number(const char *name, const char *file);
/* A line "key number" of a file such as memory.stat; or -ENOENT. */
long cgroup_stat(const char *name, const char *file, const char *key);

/* Ask for @bytes of cgroup @name to be reclaimed; 0 or -errno (-EAGAIN:
 * less was).
 */
int cgroup_reclaim(const char *name, size_t bytes);

/*
 * Give cgroup @name 5 ms of CPU time in every second: true once it has used
 * them up, false where there is no CPU quota. Sleeps for up to 3 s.
 */
bool cgroup_throttle(const char *name);

/* Remove the cgroups of all tests; their processes must be gone. */
void cgroup_remove_all(void);

#endif /* TESTS_CGROUP_H */
