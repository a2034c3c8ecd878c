/* SPDX-License-Identifier: GPL-2.0 */
/*
 * assert_locks.h - what lockdep asserts, on a kernel without lockdep
 *
 * A stock kernel compiles the assertions away. In the copies that mutants are
 * made of, each one warns when nobody at all holds the lock: the most that a
 * lock can say of itself, and enough where one task is at work. Appended to
 * include/my_mmu.h there, and to nothing else.
 */
#ifndef TESTS_ASSERT_LOCKS_H
#define TESTS_ASSERT_LOCKS_H

#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/spinlock.h>

static inline bool assert_spin(spinlock_t *lock)
{
	return spin_is_locked(lock);
}

static inline bool assert_mutex(struct mutex *lock)
{
	return mutex_is_locked(lock);
}

static inline bool assert_rwsem(struct rw_semaphore *lock)
{
	return rwsem_is_locked(lock);
}

#undef lockdep_assert_held
#define lockdep_assert_held(l)						\
	WARN_ON_ONCE(!_Generic((l), spinlock_t *: assert_spin,		\
			       struct mutex *: assert_mutex,		\
			       struct rw_semaphore *: assert_rwsem)(l))

#undef lockdep_assert_held_write
#define lockdep_assert_held_write(l)	lockdep_assert_held(l)

#undef RCU_LOCKDEP_WARN
#define RCU_LOCKDEP_WARN(c, s)	WARN_ONCE(c, s)
#define rcu_read_lock_held()	rcu_preempt_depth()

#endif /* TESTS_ASSERT_LOCKS_H */
