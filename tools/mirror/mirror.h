/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mirror.h - what the mirrors of all processes add up, in a file they share
 */
#ifndef MIRROR_H
#define MIRROR_H

#include <stdint.h>

/* Names of the environment; tools/mirror-run sets them. */
#define MIRROR_STATS	"MIRROR_STATS"		/* path of the file */
#define MIRROR_VARIANT	"MIRROR_VARIANT"
#define MIRROR_FLAGS	"MIRROR_FLAGS"		/* MY_MMU_ATTACH_* */
#define MIRROR_GENTLE	"MIRROR_GENTLE"		/* 1: enter what is there */
#define MIRROR_PACE	"MIRROR_PACE"		/* pages per second; 0: any */

/**
 * struct mirror_stats - sums over all processes, also those that were killed
 * @begun: helpers started, one for each address space
 * @mirrored: address spaces that were attached to
 * @refused: address spaces that could not be; @refused_error says why
 * @no_kcmp: address spaces left alone by a kernel without kcmp()
 * @passes: over all mappings of a process
 * @populated: pages
 * @retries: batches of them that met an invalidation
 * @denied: calls that met a page that is not there, or that the device may not
 *	reach
 * @busy: calls that gave up against invalidations
 * @errors: calls that failed otherwise; @last_error says how
 * @reads: pages that the device has read
 * @audits: calls of VERIFY: after each pass, and during slow ones
 * @right: entries that were found to be right by them
 * @unsettled: see struct my_mmu_verify
 * @stale: see there; must be 0
 * @over_permissive: see there; must be 0
 * @bad_address: of the first wrong entry, in process @bad_pid
 */
struct mirror_stats {
	uint64_t begun;
	uint64_t mirrored;
	uint64_t refused;
	int64_t refused_error;
	uint64_t no_kcmp;
	uint64_t passes;
	uint64_t populated;
	uint64_t retries;
	uint64_t denied;
	uint64_t busy;
	uint64_t errors;
	int64_t last_error;
	uint64_t reads;
	uint64_t audits;
	uint64_t right;
	uint64_t unsettled;
	uint64_t stale;
	uint64_t over_permissive;
	uint64_t bad_address;
	uint64_t bad_pid;
};

#endif /* MIRROR_H */
