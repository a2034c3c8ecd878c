/* SPDX-License-Identifier: GPL-2.0 */
/*
 * assert_tables.h - "a function named __like_this wants its lock held"
 *
 * Which lock that is differs between the variants; that it is a spinlock does
 * not, and a spinlock keeps the task from being preempted. Appended to
 * include/my_mmu_table.h in the copies that mutants are made of; for variants,
 * since the driver takes tables to pieces that nobody else can reach.
 */
#ifndef TESTS_ASSERT_TABLES_H
#define TESTS_ASSERT_TABLES_H
#ifndef MY_MMU_INTERNAL_H

#define ASSERT_LOCKED(call)						\
	({ WARN_ON_ONCE(!preempt_count()); call; })
#define ASSERT_RCU(call)						\
	({ WARN_ON_ONCE(!preempt_count() && !rcu_preempt_depth()); call; })

#define __my_mmu_buckets_swap(...)					\
	ASSERT_LOCKED((__my_mmu_buckets_swap)(__VA_ARGS__))
#define __my_mmu_entry_clear(...)					\
	ASSERT_LOCKED((__my_mmu_entry_clear)(__VA_ARGS__))
#define __my_mmu_enter_run(...)						\
	ASSERT_LOCKED((__my_mmu_enter_run)(__VA_ARGS__))
#define __my_mmu_index_del(...)						\
	ASSERT_LOCKED((__my_mmu_index_del)(__VA_ARGS__))
#define __my_mmu_index_find(...)					\
	ASSERT_LOCKED((__my_mmu_index_find)(__VA_ARGS__))
#define __my_mmu_table_remove(...)					\
	ASSERT_LOCKED((__my_mmu_table_remove)(__VA_ARGS__))
#define __my_mmu_walk_table(...)					\
	ASSERT_LOCKED((__my_mmu_walk_table)(__VA_ARGS__))
#define my_mmu_table_find(...)						\
	ASSERT_RCU((my_mmu_table_find)(__VA_ARGS__))
#define my_mmu_table_next(...)						\
	ASSERT_RCU((my_mmu_table_next)(__VA_ARGS__))

#endif
#endif /* TESTS_ASSERT_TABLES_H */
