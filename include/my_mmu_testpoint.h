/* SPDX-License-Identifier: GPL-2.0 */
/*
 * my_mmu_testpoint.h - places where a test can stop the world for a moment
 *
 * Every race in this project is a task that is between two lines. A test
 * point is such a place, with a name; a test parks the next task that comes
 * by, does what must not happen now, and lets it go on. The same places can
 * be told to fail. Off, a point costs a nop; built with
 * MY_MMU_NO_TEST_POINTS=y in make's environment, not even that.
 *
 * /sys/kernel/debug/my_mmu/testpoint/NAME, for root:
 *
 *	echo park [N] > NAME	the next N (1) tasks to arrive sleep here
 *	echo fail [N] > NAME	the next N arrivals fail with the point's error
 *	echo count > NAME	no task stops, all are counted
 *	echo release [N] > NAME	let N (all) parked tasks go on, first come first
 *	echo off > NAME		let all go on, and count no more
 *	cat NAME		"arrivals N parked N"; counts begin at a command
 *
 * Whom park, fail and count mean, release as far as "task" goes:
 *
 *	task TID		no other thread
 *	mm PID			no task but on behalf of this process's memory
 *
 * How park keeps them:
 *
 *	ms N			for N milliseconds at most
 *	hold			even if killed; else a killed task goes on
 *	stall			also where it may not sleep: there it spins, for
 *				%MY_MMU_STALL_MAX_MS at most
 *
 * A parked task goes on by itself after %MY_MMU_PARK_MAX_S seconds.
 */
#ifndef MY_MMU_TESTPOINT_H
#define MY_MMU_TESTPOINT_H

#include <linux/jump_label.h>
#include <linux/types.h>

#define MY_MMU_PARK_MAX_S	60U
#define MY_MMU_STALL_MAX_MS	2000U

/*
 * Name, and what has happened when a task is there. Where a point can fail,
 * the error stands behind it.
 */
#define MY_MMU_TEST_POINTS(X)						\
	X(table_create)		/* no leaf table yet; -ENOMEM */	\
	X(table_insert)		/* has what is missing, not its place */ \
	X(slots_alloc)		/* looked up, no slots for it; -ENOMEM */ \
	X(index_grow)		/* wants more buckets; no memory */	\
	X(interval_insert)	/* pinned, not known to the VM; -ENOMEM */ \
	X(populate_pinned)	/* sequence taken, nothing looked up */	\
	X(populate_lookup)	/* looked up, not entered; -EAGAIN */	\
	X(table_found)		/* under RCU, not locked, may leave */	\
	X(start_counted)	/* on record, no zap; it is forgotten */ \
	X(start_zapped)		/* zapped, the VM changes the ptes next */ \
	X(end)			/* ptes changed, still on record */	\
	X(end_bumped)		/* sequences moved, still on record */	\
	X(interval_remove)	/* off the tree, the VM still tells of it */ \
	X(age_entry)		/* entry read, its mark not cleared */	\
	X(release_dead)		/* dead is set, entries are there */	\
	X(release_zapped)	/* zapped, the device not asked yet */	\
	X(release_unlisted)	/* off the list, still allocated */	\
	X(notifier_free)	/* no callback can have it any more */	\
	X(attach_found)		/* has the notifier, is no user yet */	\
	X(attach_counted)	/* is a user, perhaps not on the list */ \
	X(detach_last)		/* no user is left, nothing released */	\
	X(evict_found)		/* has the page, not its lock */	\
	X(verify_suspects)	/* not confirmed, the VM not asked yet */ \
	X(verify_asked)		/* the VM has answered, entry not seen */ \
	X(hook_done)		/* the VM is done, the chain not begun */ \
	X(chain_filtered)	/* off the filter's record, none told */ \
	X(rmap_walk)		/* found on the list, nothing zapped */	\
	X(rmap_found)		/* has an address of the page, no lock */ \
	X(rmap_zapped)		/* zapped, the device not asked yet */

#define MY_MMU_TEST_POINT_ID(name) MY_MMU_AT_##name,
enum my_mmu_test_point_id {
	MY_MMU_TEST_POINTS(MY_MMU_TEST_POINT_ID)
	MY_MMU_NR_TEST_POINTS
};

struct dentry;
struct mm_struct;

#ifdef MY_MMU_NO_TEST_POINTS

static inline bool my_mmu_no_test_point(struct mm_struct *mm, bool may_sleep)
{
	return false;
}

#define my_mmu_test_point(name, mm, may_sleep) \
	my_mmu_no_test_point(mm, may_sleep)

static inline void my_mmu_test_points_init(struct dentry *parent)
{
}

#else

DECLARE_STATIC_KEY_FALSE(my_mmu_test_points_on);

void my_mmu_test_points_init(struct dentry *parent);
bool __my_mmu_test_point(enum my_mmu_test_point_id id, struct mm_struct *mm,
			 bool may_sleep);

/* region: point */
/**
 * my_mmu_test_point() - a task is here
 * @name: which of MY_MMU_TEST_POINTS
 * @mm: the address space that this is about, or NULL if about none or several
 * @may_sleep: false where the caller is atomic or not blockable: the task is
 *	counted, and not parked
 *
 * Context: may sleep if @may_sleep.
 * Return: true if the test wants this place to fail.
 */
#define my_mmu_test_point(name, mm, may_sleep) ({			\
	bool __fail = static_branch_unlikely(&my_mmu_test_points_on) &&	\
		      __my_mmu_test_point(MY_MMU_AT_##name, mm, may_sleep); \
	__fail;								\
})
/* endregion: point */

#endif /* MY_MMU_NO_TEST_POINTS */

#endif /* MY_MMU_TESTPOINT_H */
