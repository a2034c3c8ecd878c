// SPDX-License-Identifier: GPL-2.0
/*
 * t-stress.c - G1, G2 under fire: many threads, one truth
 *
 * The oracle: each page holds its generation. Before memory of generation g
 * goes away, nothing is promised; once the call that took it away has
 * returned, the device may never again read generation g or older.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"
#include "stress.h"

#define N	32
#define RUN_MS	1200

static struct {
	int fd;
	char *p;
	bool stop;
	unsigned int gone[N];	/* generations up to this are history */
	unsigned long reads, changes;
} s;

static bool running(void)
{
	return !__atomic_load_n(&s.stop, __ATOMIC_RELAXED) && !harness_failed();
}

static pthread_t thread_of(void *(*fn)(void *), void *arg)
{
	pthread_t t;

	ASSERT_EQ(pthread_create(&t, NULL, fn, arg), 0, "a thread");
	return t;
}

/*
 * The device copies byte by byte: a read may catch a page between zeros and
 * its stamp. Then the mark is missing at one end of the word.
 */
#define MARK	0x57ull
#define ENDS	(0xffull << 56 | 0xff)

static uint64_t marked(unsigned int gen, size_t page)
{
	return MARK << 56 | (uint64_t)gen << 24 | page << 8 | MARK;
}

static void check_word(uint64_t word, size_t page, unsigned int gone)
{
	unsigned int gen = word >> 24;

	if (!(word & 0xff) || !(word >> 56))
		return;
	EXPECT_EQ(word & ENDS, MARK << 56 | MARK,
		  "page %zu has no foreign contents", page);
	EXPECT_EQ(word, marked(gen, page), "nor another page's");
	EXPECT_GT(gen, gone, "nor those of a generation long gone");
}

static void *device_reader(void *unused)
{
	unsigned int gone;
	uint64_t word;
	size_t i;
	int ret;

	for (i = 0; running(); i = (i + 7) % N) {
		gone = __atomic_load_n(&s.gone[i], __ATOMIC_SEQ_CST);
		ret = mmu_read(s.fd, s.p + i * MMU_PAGE, &word, 8);
		if (ret == -EAGAIN)
			continue;
		ASSERT_EQ(ret, 0, "the device reads");
		check_word(word, i, gone);
		s.reads++;
	}
	return unused;
}

static void *populater(void *unused)
{
	int ret;

	while (running()) {
		ret = mmu_populate(s.fd, s.p, N * MMU_PAGE, WRITE);
		if (ret != -EAGAIN)
			ASSERT_EQ(ret, 0, "populate");
	}
	return unused;
}

/* At any time, whatever else goes on. */
static void *verifier(void *unused)
{
	struct my_mmu_verify v;

	while (running()) {
		ASSERT_EQ(mmu_verify(s.fd, NULL, 0, &v), 0, "VERIFY");
		EXPECT_EQ(v.stale, 0, "no stale entry at %#llx", v.first_bad);
		EXPECT_EQ(v.over_permissive, 0,
			  "none too permissive at %#llx", v.first_bad);
	}
	return unused;
}

/* This CPU gets the page that it freed last: spoil what it holds. */
static void poison_one_page(void)
{
	static volatile uint64_t *q;

	if (!q)
		q = (uint64_t *)map_private(1);
	*q = POISON;
	madvise((void *)q, MMU_PAGE, MADV_DONTNEED);
}

/* Writes generation @gen, takes it away again, and says so. */
static void change_pages(unsigned int gen, int (*discard)(char *, size_t))
{
	size_t i;

	for (i = 0; i < N && running(); i++) {
		char *page = s.p + i * MMU_PAGE;

		*(volatile uint64_t *)page = marked(gen, i);
		ASSERT_EQ(discard(page, MMU_PAGE), 0, "the page goes");
		__atomic_store_n(&s.gone[i], gen, __ATOMIC_SEQ_CST);
		poison_one_page();
		s.changes++;
	}
}

static void against_populate(int (*discard)(char *, size_t))
{
	double end = seconds() + RUN_MS / 1000.0;
	pthread_t reader, filler;
	unsigned int gen;

	s.fd = attached();
	reader = thread_of(device_reader, NULL);
	filler = thread_of(populater, NULL);
	for (gen = 1; seconds() < end && running(); gen++)
		change_pages(gen, discard);
	s.stop = true;
	pthread_join(reader, NULL);
	pthread_join(filler, NULL);
	note("%lu discards, %lu device reads", s.changes, s.reads);
	EXPECT_GT(s.reads, 0, "the device did read");
	verify(s.fd, s.p, N);
}

static int discard_dontneed(char *p, size_t len)
{
	return madvise(p, len, MADV_DONTNEED);
}

static int discard_map_over(char *p, size_t len)
{
	void *q = mmap(p, len, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	return q == p ? 0 : -errno;
}

TEST(g2_discard_against_populate, 30)
{
	s.p = map_private(N);
	against_populate(discard_dontneed);
}

TEST(g2_map_fixed_against_populate, 30)
{
	s.p = map_private(N);
	against_populate(discard_map_over);
}

static int shared_file;

static int discard_punch(char *p, size_t len)
{
	return fallocate(shared_file, FALLOC_FL_PUNCH_HOLE |
			 FALLOC_FL_KEEP_SIZE, p - s.p, len);
}

TEST(g2_punch_hole_against_populate, 30)
{
	shared_file = make_memfd(N);
	s.p = map_fd(shared_file, N, PROT_READ | PROT_WRITE, MAP_SHARED);
	against_populate(discard_punch);
}

/* --- write permission under fire ------------------------------------------ */

static void *device_writer(void *unused)
{
	uint64_t n = 0;
	int ret;

	while (running()) {
		n++;
		ret = mmu_write(s.fd, s.p + n % N * MMU_PAGE, &n, 8);
		if (ret != -EFAULT && ret != -EAGAIN)
			ASSERT_EQ(ret, 0, "the device writes");
		s.reads += !ret;
	}
	return unused;
}

/* While memory is read-only, it must not change. */
TEST(g3_mprotect_against_device_writes, 30)
{
	double end = seconds() + RUN_MS / 1000.0;
	volatile uint64_t *word;
	pthread_t t[2];
	uint64_t seen;
	int i, k, rounds = 0;

	s.p = map_private(N);
	s.fd = attached();
	t[0] = thread_of(device_writer, NULL);
	t[1] = thread_of(verifier, NULL);
	for (i = 0; seconds() < end && running(); i = (i + 1) % N, rounds++) {
		word = (uint64_t *)(s.p + i * MMU_PAGE);
		ASSERT_EQ(mprotect(s.p, N * MMU_PAGE, PROT_READ), 0, "ro");
		seen = *word;
		for (k = 0; k < 200; k++)
			EXPECT_EQ(*word, seen, "read-only memory holds still");
		ASSERT_EQ(mprotect(s.p, N * MMU_PAGE, PROT_READ | PROT_WRITE),
			  0, "rw");
	}
	s.stop = true;
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	note("%d rounds, %lu device writes", rounds, s.reads);
	EXPECT_GT(s.reads, 0, "the device did write");
	verify(s.fd, s.p, N);
}

/* --- data under fire ------------------------------------------------------ */

static void *evictor(void *arg)
{
	size_t i;

	for (i = 0; running(); i = (i + 5) % N) {
		if (arg)
			madvise(s.p, N * MMU_PAGE, MADV_PAGEOUT);
		else
			ASSERT_GE(mmu_evict(s.fd, s.p + i * MMU_PAGE), 0,
				  "evict");
	}
	return arg;
}

/* Every write counts up; none may be lost, whoever takes pages away. */
static void count_up(bool pageout)
{
	double end = seconds() + RUN_MS / 1000.0;
	uint64_t count[N] = { 0 }, word;
	pthread_t t[2];
	size_t i;
	int ret;

	s.p = map_private(N);
	s.fd = attached();
	t[0] = thread_of(evictor, pageout ? "" : NULL);
	t[1] = thread_of(verifier, NULL);
	for (i = 0; seconds() < end && running(); i = (i + 1) % N) {
		ret = mmu_read(s.fd, s.p + i * MMU_PAGE, &word, 8);
		if (ret == -EAGAIN)
			continue;
		ASSERT_EQ(ret, 0, "the device reads");
		EXPECT_EQ(word, count[i], "page %zu is as it was left", i);
		word++;
		ret = mmu_write(s.fd, s.p + i * MMU_PAGE, &word, 8);
		if (ret == -EAGAIN)
			continue;
		ASSERT_EQ(ret, 0, "the device writes");
		count[i] = word;
		s.changes++;
	}
	s.stop = true;
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	note("%lu writes", s.changes);
	for (i = 0; i < N; i++)
		EXPECT_EQ(*(volatile uint64_t *)(s.p + i * MMU_PAGE), count[i],
			  "the CPU finds the last count in page %zu", i);
	verify(s.fd, s.p, N);
}

TEST_BOTH_MODES(g7_no_write_lost_under_pageout, 30)
{
	if (!have_swap())
		skip("no swap");
	count_up(true);
}

TEST_BOTH_MODES(g7_no_write_lost_under_eviction, 30)
{
	count_up(false);
}

/* --- two zaps at once ----------------------------------------------------- */

/*
 * 4.13 of the skeleton: insertions are excluded while an invalidation runs,
 * other zaps are not. A count or a list that two of them change at once comes
 * out wrong, and then something is left, now or when the test is over.
 */
#define ZAPS	256		/* pages each */
#define ROUNDS	((int)scaled(150))

static pthread_barrier_t together;

static void *zap_my_half(void *p)
{
	int round, ret;

	for (round = 0; round < ROUNDS; round++) {
		do {
			ret = mmu_populate(s.fd, p, ZAPS * MMU_PAGE, WRITE);
		} while (ret == -EAGAIN);
		ASSERT_EQ(ret, 0, "populate");
		pthread_barrier_wait(&together);
		ASSERT_EQ(madvise(p, ZAPS * MMU_PAGE, MADV_DONTNEED), 0,
			  "madvise");
	}
	EXPECT_EQ(present(s.fd, p, ZAPS), 0, "nothing is left");
	return NULL;
}

static void zap_both(char *a, char *b)
{
	pthread_t thread;

	s.fd = attached();
	pthread_barrier_init(&together, NULL, 2);
	thread = thread_of(zap_my_half, b);
	zap_my_half(a);
	pthread_join(thread, NULL);
	EXPECT_EQ(stats_of(s.fd).entries, 0, "nothing is left anywhere");
	verify(s.fd, a, ZAPS);
}

TEST(g1_zaps_of_one_table, 20)
{
	char *p = map_tables(1);

	zap_both(p, p + ZAPS * MMU_PAGE);
}

TEST(g1_zaps_of_two_tables, 20)
{
	char *p = map_tables(2);

	zap_both(p, p + MMU_HUGE);
}

/* --- everything at once; see stress.h ------------------------------------- */

TEST_BOTH_MODES(stress_everything, 60)
{
	stress_run(5);
}
