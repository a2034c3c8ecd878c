// SPDX-License-Identifier: GPL-2.0
/*
 * t-disjoint.c - G6, G10: who waits for whom within one address space
 *
 * A slow device stretches an invalidation to a third of a second: long enough
 * to look at what happens meanwhile, on the same memory and elsewhere.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define N	16
#define SLOW_MS	300

static int fd;

static double ms_since(double start)
{
	return (seconds() - start) * 1000;
}

/* Does the variant promise that disjoint tables do not disturb each other? */
static bool per_table(void)
{
	return variant_can(LOCKS_TABLES);
}

static pthread_t thread_of(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	ASSERT_EQ(pthread_create(&t, NULL, fn, arg), 0, "a thread");
	return t;
}

static void *discard(void *p)
{
	EXPECT_EQ(madvise(p, N * MMU_PAGE, MADV_DONTNEED), 0, "madvise");
	return NULL;
}

/* Two pieces of memory whose entries are in different leaf tables. */
static void setup(char **a, char **b)
{
	char *area = map_tables(4);

	fd = attached();
	*a = area;
	*b = area + 3 * MMU_HUGE;
	cpu_stamp(*a, N, 1);
	cpu_stamp(*b, N, 1);
	populate(fd, *a, N, WRITE);
	ASSERT_EQ(mmu_configure(fd, SLOW_MS * 1000), 0, "a slow device");
}

/* None can be made until the matching end. */
TEST(g1_populate_waits_for_invalidation, 20)
{
	uint64_t word = POISON;
	pthread_t thread;
	double start;
	char *a, *b;

	setup(&a, &b);
	thread = thread_of(discard, a);
	sleep_ms(SLOW_MS / 6);
	EXPECT_EQ(present(fd, a, N), 0, "the entries are gone at once");
	start = seconds();
	ASSERT_EQ(mmu_read(fd, a, &word, sizeof(word)), 0, "device read");
	EXPECT_GE(ms_since(start), SLOW_MS / 3,
		  "which waited until the invalidation was over");
	EXPECT_EQ(word, 0, "and saw what came after it");
	pthread_join(thread, NULL);
	verify(fd, a, N);
}

/* Of an invalidation of other tables, a populate should not even know. */
TEST(g6_populate_beside_an_invalidation, 20)
{
	uint64_t done, retries = 99, waits;
	pthread_t thread;
	char *a, *b;

	setup(&a, &b);
	thread = thread_of(discard, a);
	sleep_ms(SLOW_MS / 6);
	waits = stats_of(fd).waits;
	EXPECT_EQ(mmu_populate_batch(fd, b, N * MMU_PAGE, WRITE, 1, &done,
				     &retries),
		  0, "populate");
	EXPECT_EQ(stats_of(fd).waits - waits, 0, "which did not wait");
	EXPECT_EQ(done, N, "and did its work");
	if (per_table())
		EXPECT_EQ(retries, 0, "nor had to begin again");
	EXPECT_EQ(present(fd, b, N), N, "the entries are there");
	pthread_join(thread, NULL);
	verify(fd, b, N);
}

/* --- a storm of invalidations --------------------------------------------- */

#define STORM_MS	400

static bool stop;
static unsigned long gusts;	/* what the storm's thread has done */

static pthread_t start_storm(void *(*fn)(void *), char *p)
{
	pthread_t thread = thread_of(fn, p);

	while (__atomic_load_n(&gusts, __ATOMIC_RELAXED) < 3)
		sleep_ms(1);
	return thread;
}

/* For a while, and on a slow machine until there was something of a storm. */
static bool storming(double start, unsigned long before)
{
	return ms_since(start) < STORM_MS ||
	       __atomic_load_n(&gusts, __ATOMIC_RELAXED) - before <= 3;
}

/* How many gusts there were since @before. */
static unsigned long end_storm(pthread_t thread, unsigned long before)
{
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	EXPECT_GT(gusts - before, 3, "there was a storm");
	return gusts - before;
}

static void *invalidations(void *p)
{
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		*(volatile char *)p = 1;
		EXPECT_EQ(madvise(p, MMU_PAGE, MADV_DONTNEED), 0, "madvise");
		__atomic_fetch_add(&gusts, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Repeats a populate that gave up, as its caller should. */
static uint64_t populate_patiently(char *p, size_t pages)
{
	uint64_t done, retries, sum = 0;
	size_t at;
	int ret;

	for (at = 0; at < pages; at += done) {
		ret = mmu_populate_batch(fd, p + at * MMU_PAGE,
					 (pages - at) * MMU_PAGE, WRITE, 1,
					 &done, &retries);
		sum += retries;
		if (ret != -EAGAIN) {
			ASSERT_EQ(ret, 0, "populate");
			ASSERT_EQ(done, pages - at, "all of the rest");
		}
	}
	return sum;
}

static uint64_t populate_in_storm(char *storm_at, char *p, size_t pages)
{
	pthread_t thread = start_storm(invalidations, storm_at);
	unsigned long before = gusts, rounds = 0;
	double start = seconds();
	uint64_t retries = 0;

	do {
		retries += populate_patiently(p, pages);
		rounds++;
	} while (storming(start, before));
	before = end_storm(thread, before);
	note("%lu invalidations, %llu of %lu batches begun again", before,
	     (unsigned long long)retries, rounds * pages);
	return retries;
}

/* Whatever goes on elsewhere, populates come to an end. */
TEST(g6_populate_in_a_storm_elsewhere, 20)
{
	char *area = map_tables(4), *far = area + 3 * MMU_HUGE;
	uint64_t retries;

	fd = attached();
	cpu_stamp(far, 512, 1);
	retries = populate_in_storm(area, far, 512);
	if (per_table())
		EXPECT_EQ(retries, 0, "no invalidation elsewhere disturbs");
	EXPECT_EQ(present(fd, far, 512), 512, "all is mirrored");
	verify(fd, far, 512);
}

/* In the same table there may be retries, but there must be progress. */
TEST(g10_populate_in_a_storm_nearby, 20)
{
	char *p = map_tables(1);

	fd = attached();
	cpu_stamp(p, 256, 1);
	populate_in_storm(p + 511 * MMU_PAGE, p, 256);
	EXPECT_EQ(present(fd, p, 256), 256, "all is mirrored");
	verify(fd, p, 256);
}

/* The other way round: invalidations get through a storm of populates. */
static void *populates(void *p)
{
	int ret;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		ret = mmu_populate(fd, p, 64 * MMU_PAGE, WRITE);
		if (ret != -EAGAIN)
			ASSERT_EQ(ret, 0, "populate");
		__atomic_fetch_add(&gusts, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST(g10_invalidations_in_a_storm_of_populates, 20)
{
	char *p = map_private(64);
	double begin, start, worst = 0, ms;
	unsigned long before;
	pthread_t thread;

	fd = attached();
	thread = start_storm(populates, p);
	before = gusts;
	begin = seconds();
	while (storming(begin, before)) {
		start = seconds();
		EXPECT_EQ(madvise(p, 64 * MMU_PAGE, MADV_DONTNEED), 0,
			  "madvise");
		ms = ms_since(start);
		worst = ms > worst ? ms : worst;
	}
	note("%lu populates, slowest invalidation %.1f ms",
	     end_storm(thread, before), worst);
	EXPECT_LT(worst, 1000, "each ends in bounded time");
	verify(fd, p, 64);
}

/* --- many processes ------------------------------------------------------- */

static void one_of_many(int nr, char *private, char *shared)
{
	int own = attached(), round;

	for (round = 1; round <= 10; round++) {
		cpu_stamp(private, N, nr * 100 + round);
		device_sees(own, private, N, nr * 100 + round);
		device_stamp(own, private, N, nr * 100 + round + 50);
		cpu_sees(private, N, nr * 100 + round + 50);
		device_sees(own, shared, N, 7);
		madvise(private, N / 2 * MMU_PAGE, MADV_DONTNEED);
		device_sees_zeros(own, private, N / 2);
		verify(own, private, N);
	}
	_exit(0);
}

/* The same addresses in each, other contents; and a page cache they share. */
TEST(g9_many_processes_at_once, 30)
{
	char *private = map_private(N), *shared = map_shared(N);
	pid_t pid[6];
	int i;

	cpu_stamp(private, N, 1);
	cpu_stamp(shared, N, 7);
	fd = attached();
	populate(fd, private, N, WRITE);
	for (i = 0; i < 6; i++) {
		pid[i] = spawn();
		if (!pid[i])
			one_of_many(i + 1, private, shared);
	}
	for (i = 0; i < 6; i++)
		join(pid[i]);
	device_sees(fd, private, N, 1);
	verify(fd, private, N);
}
