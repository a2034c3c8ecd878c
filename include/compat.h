/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat.h - where the kernels 6.1 to 6.12 differ for this driver
 *
 * The only file of the project that may ask for a kernel's version. It asks
 * for a feature instead wherever the feature can be seen.
 */
#ifndef MY_MMU_COMPAT_H
#define MY_MMU_COMPAT_H

#include <linux/ftrace.h>
#include <linux/mm.h>
#include <linux/version.h>

#ifndef ftrace_regs_set_instruction_pointer	/* named so since 6.3 */
#define ftrace_regs_set_instruction_pointer(fregs, ip) \
	ftrace_instruction_pointer_set(fregs, ip)
#endif

#if KERNEL_VERSION(6, 5, 0) <= LINUX_VERSION_CODE
#define my_mmu_get_user_pages_remote(mm, start, nr, flags, pages) \
	get_user_pages_remote(mm, start, nr, flags, pages, NULL)
#else	/* could give the VMAs as well */
#define my_mmu_get_user_pages_remote(mm, start, nr, flags, pages) \
	get_user_pages_remote(mm, start, nr, flags, pages, NULL, NULL)
#endif

#endif /* MY_MMU_COMPAT_H */
