// SPDX-License-Identifier: GPL-2.0
/*
 * sample.c - latencies: exact percentiles of a run, log-linear histogram
 *
 * Bucket widths double with every power of two and each power is cut into
 * the same number of buckets: the relative error is the same everywhere, and
 * nanoseconds and seconds fit into one small table.
 */
#include <stdlib.h>

#include "bench.h"

#define SUB	(1u << HIST_SUB_BITS)

unsigned int hist_bucket(uint64_t ns)
{
	unsigned int shift;

	if (ns < SUB)
		return ns;
	shift = 63 - __builtin_clzll(ns) - HIST_SUB_BITS;
	return (shift + 1) * SUB + ((ns >> shift) - SUB);
}

/* The least value of @bucket; the next bucket's is the end of this one. */
uint64_t hist_low(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < SUB)
		return bucket;
	shift = bucket / SUB - 1;
	return (uint64_t)(SUB + bucket % SUB) << shift;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void sort_samples(uint64_t *samples, uint32_t n)
{
	qsort(samples, n, sizeof(*samples), compare);
}

/* The least sample that @per_mille of all do not exceed. */
uint64_t percentile(const uint64_t *sorted, uint32_t n, unsigned int per_mille)
{
	uint64_t rank = ((uint64_t)n * per_mille + 999) / 1000;

	return sorted[rank ? rank - 1 : 0];
}
