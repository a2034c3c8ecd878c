/* SPDX-License-Identifier: GPL-2.0 */
/*
 * my_mmu_testpoint.h - places where a test can stop the world for a moment
 *
 * Every race in this project is a task that is between two lines. A test
 * point is such a place, with a name; a test parks the next task that comes
 * by, does what must not happen now, and lets it go on. The same places can
 * be told to fail. Off, a point costs a nop.
 *
 * /sys/kernel/debug/my_mmu/testpoint/NAME, for root:
 *
 *	echo park > NAME	the next task to arrive sleeps here
 *	echo fail N > NAME	the next N arrivals fail with the point's error
 *	echo off > NAME		release what sleeps, count and fail no more
 *	cat NAME		"arrivals N parked N"
 *
 * A parked task goes on by itself after %MY_MMU_PARK_MAX_S seconds.
 */
#ifndef MY_MMU_TESTPOINT_H
#define MY_MMU_TESTPOINT_H

#include <linux/jump_label.h>
#include <linux/types.h>

#define MY_MMU_PARK_MAX_S	20

/*
 * Name, and what has happened when a task is there. Where a point can fail,
 * the error stands behind it.
 */
#define MY_MMU_TEST_POINTS(X)						\
	X(table_create)		/* no leaf table yet; -ENOMEM */	\
	X(populate_pinned)	/* sequence taken, nothing looked up */	\
	X(populate_lookup)	/* looked up, not entered; -EAGAIN */	\
	X(start_counted)	/* invalidation on record, no zap */	\
	X(start_zapped)		/* zapped, the VM changes the ptes next */ \
	X(end)			/* ptes changed, still on record */	\
	X(release_dead)		/* dead is set, entries are there */	\
	X(release_unlisted)	/* off the list, still allocated */	\
	X(attach_found)		/* has the notifier, is no user yet */	\
	X(rmap_walk)		/* found on the list, nothing zapped */	\
	X(rmap_zapped)		/* zapped, the device not asked yet */

#define MY_MMU_TEST_POINT_ID(name) MY_MMU_AT_##name,
enum my_mmu_test_point_id {
	MY_MMU_TEST_POINTS(MY_MMU_TEST_POINT_ID)
	MY_MMU_NR_TEST_POINTS
};

DECLARE_STATIC_KEY_FALSE(my_mmu_test_points_on);

bool __my_mmu_test_point(enum my_mmu_test_point_id id, bool may_sleep);

/**
 * my_mmu_test_point() - a task is here
 * @name: which of MY_MMU_TEST_POINTS
 * @may_sleep: false where the caller is atomic or not blockable: the task is
 *	counted, and not parked
 *
 * Context: may sleep if @may_sleep.
 * Return: true if the test wants this place to fail.
 */
#define my_mmu_test_point(name, may_sleep) ({				\
	bool __fail = static_branch_unlikely(&my_mmu_test_points_on) &&	\
		      __my_mmu_test_point(MY_MMU_AT_##name, may_sleep);	\
	__fail;								\
})

#endif /* MY_MMU_TESTPOINT_H */
