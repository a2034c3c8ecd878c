/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - where kernels (6.1 to 7.3) and machines differ for this driver
 *
 * The only file of the project that may ask for a kernel's version. It asks
 * for a feature instead wherever the feature can be seen.
 */
#ifndef MY_MMU_COMPAT_H
#define MY_MMU_COMPAT_H

#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/version.h>

#if KERNEL_VERSION(6, 2, 0) > LINUX_VERSION_CODE
#define ftrace_regs_set_instruction_pointer(fregs, ip) \
	ftrace_instruction_pointer_set(fregs, ip)
#endif

/*
 * Where ftrace gives every handler the arguments and the instruction pointer,
 * asking for all registers is a waste on x86-64 and an error on arm64. Where it
 * does not (arm64 before 6.2), all registers are the only way.
 */
#ifdef CONFIG_DYNAMIC_FTRACE_WITH_ARGS
#define MY_MMU_FTRACE_SAVE_REGS		0
#else
#define MY_MMU_FTRACE_SAVE_REGS		FTRACE_OPS_FL_SAVE_REGS
#undef ftrace_regs_set_instruction_pointer
#define ftrace_regs_set_instruction_pointer(fregs, ip) \
	instruction_pointer_set(ftrace_get_regs(fregs), ip)
#endif

#if KERNEL_VERSION(6, 5, 0) <= LINUX_VERSION_CODE
#define my_mmu_get_user_pages_remote(mm, start, nr, flags, pages) \
	get_user_pages_remote(mm, start, nr, flags, pages, NULL)
#else	/* could give the VMAs as well */
#define my_mmu_get_user_pages_remote(mm, start, nr, flags, pages) \
	get_user_pages_remote(mm, start, nr, flags, pages, NULL, NULL)
#endif

#if KERNEL_VERSION(6, 6, 0) <= LINUX_VERSION_CODE
#define MY_MMU_FOLL_NUMA	FOLL_HONOR_NUMA_FAULT
#define MY_MMU_FAULTS_HUGETLB	false
#else	/* stops at NUMA hints unasked; FOLL_NOFAULT faults hugetlb in */
#define MY_MMU_FOLL_NUMA	0
#define MY_MMU_FAULTS_HUGETLB	true
#endif

/* A protection key other than the first, which all may use. */
#ifdef CONFIG_ARCH_HAS_PKEYS
#define MY_MMU_VM_PKEY \
	(VM_PKEY_BIT0 | VM_PKEY_BIT1 | VM_PKEY_BIT2 | VM_PKEY_BIT3)
#else
#define MY_MMU_VM_PKEY		0
#endif

/*
 * May the CPU read what is mapped? It may where it may write. Where it may
 * only execute, x86 reads all the same, and so does arm64 on machines that
 * cannot tell the two apart (no EPAN).
 */
#ifdef CONFIG_ARM64
#define my_mmu_cpu_reads(vma) \
	(pgprot_val((vma)->vm_page_prot) & PTE_USER)
#else
#define my_mmu_cpu_reads(vma)	vma_is_accessible(vma)
#endif

/* What the callbacks about aging return: an int in 6.12, a bool in 7.3 */
#define my_mmu_young_t \
	typeof(((struct mmu_notifier_ops *)NULL)->test_young(NULL, NULL, 0))

#endif /* MY_MMU_COMPAT_H */
