// SPDX-License-Identifier: GPL-2.0
/*
 * t-faults.c - G5, G9, G10: each call, each of its allocations failing in turn
 *
 * A call that fails says -ENOMEM (or -EFAULT: a copy can fail as well), leaves
 * nothing behind, and works when it is made again. What it leaves behind the
 * harness sees after the test, and so do modules that cannot be unloaded.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"
#include "faults.h"

#define N	16
#define MANY	500	/* no call has as many chances to fail */

/* One call, on one place. */
struct attempt {
	int	(*call)(struct attempt *a);	/* 0 or -errno */
	void	(*after)(struct attempt *a, int ret);
	int	fd;
	char	*p;
	size_t	pages;
};

/* Whether another chance is left. */
static bool fail_once(struct attempt *a, unsigned int n, unsigned int *failed)
{
	bool one_failed;
	int ret;

	fault_at(n);
	ret = a->call(a);
	one_failed = fault_end();
	*failed += !!ret;
	if (ret) {
		EXPECT_EQ(ret == -ENOMEM || ret == -EFAULT, true,
			  "chance %u: -ENOMEM or -EFAULT, and not %d", n, ret);
		EXPECT_EQ(one_failed, true, "since an allocation has failed");
	}
	if (a->after)
		a->after(a, ret);
	return one_failed;
}

static unsigned int fail_all_once(struct attempt *a)
{
	unsigned int n = 0, failed = 0;

	while (fail_once(a, ++n, &failed))
		ASSERT_LE(n, MANY, "the chances come to an end");
	note("%u of %u failures made the call fail", failed, n - 1);
	return failed;
}

/* Begins again where fewer than @at_least made the call fail: see faults.h. */
static void fail_each(struct attempt *a, unsigned int at_least,
		      const char *chances)
{
	unsigned int failed, tries = 0;
	int ret;

	faults_need();
	do {
		failed = fail_all_once(a);
	} while (failed < at_least && ++tries < FAIL_TRIES);
	EXPECT_GE(failed, at_least, "failures: %s", chances);
	ret = a->call(a);
	EXPECT_EQ(ret, 0, "and then it works");
	if (a->after)
		a->after(a, ret);
}

/* --- handles -------------------------------------------------------------- */

static int open_handle(struct attempt *a)
{
	a->fd = mmu_open();
	return a->fd < 0 ? a->fd : 0;
}

static void close_handle(struct attempt *a, int ret)
{
	if (!ret)
		close(a->fd);
}

TEST(g10_fault_open, 20)
{
	struct attempt a = { .call = open_handle, .after = close_handle };

	fail_each(&a, 1, "the handle");
}

static int attach(struct attempt *a)
{
	return mmu_attach(a->fd, test_variant);
}

static void detach(struct attempt *a, int ret)
{
	if (!ret)
		EXPECT_EQ(mmu_detach(a->fd), 0, "detach");
	else
		EXPECT_EQ(mmu_detach(a->fd), -ENOTCONN, "it is not attached");
}

TEST(g10_fault_attach, 20)
{
	struct attempt a = { .call = attach, .after = detach };

	a.fd = mmu_open();
	fail_each(&a, 2, "the argument, and the external MMU");
}

/* --- populate ------------------------------------------------------------- */

static int populate_all(struct attempt *a)
{
	return mmu_populate(a->fd, a->p, a->pages * MMU_PAGE, WRITE);
}

/* The table goes with the mapping, and the next attempt needs a new one. */
static void look_and_unmap(struct attempt *a, int ret)
{
	if (ret != -EFAULT)
		EXPECT_EQ(present(a->fd, a->p, a->pages), ret ? 0 : a->pages,
			  "all or nothing");
	device_sees(a->fd, a->p, a->pages, 1);
	verify(a->fd, a->p, a->pages);
	munmap(a->p, MMU_HUGE);
	a->p = map_tables(1);
	cpu_stamp(a->p, a->pages, 1);
}

TEST(g10_fault_populate, 60)
{
	struct attempt a = {
		.call = populate_all, .after = look_and_unmap, .pages = N,
	};

	a.fd = attached();
	a.p = map_tables(1);
	cpu_stamp(a.p, N, 1);
	fail_each(&a, 9,
		  "argument, batch, table, entries, links, two directories");
}

static int floor_all(struct attempt *a)
{
	return mmu_gup_floor(a->fd, a->p, a->pages * MMU_PAGE, WRITE, 0, NULL);
}

TEST(g10_fault_floor, 20)
{
	struct attempt a = { .call = floor_all, .pages = N };

	a.fd = mmu_open();
	a.p = map_private(N);
	fail_each(&a, 2, "the argument, and the batch");
}

/*
 * A shard that gets no buckets goes on with those that it has. So many pages
 * that each shard asks for some.
 */
TEST(g4_fault_index, 120)
{
	struct attempt a = {
		.call = populate_all, .pages = scaled(16) * 512,
	};
	unsigned int n = 0, failed = 0;

	a.fd = attached();
	a.p = map_tables(scaled(16));
	cpu_stamp(a.p, a.pages, 1);
	faults_need();
	do {
		madvise(a.p, a.pages * MMU_PAGE, MADV_DONTNEED);
		cpu_stamp(a.p, a.pages, 1);
	} while (fail_once(&a, n += 7, &failed) && n < MANY);
	EXPECT_EQ(mmu_evict(a.fd, a.p), 1, "the index works");
	EXPECT_EQ(mmu_entry(a.fd, a.p), 0, "it has found the page");
	verify(a.fd, a.p, a.pages);
}

/* --- the device, the oracle, the chain ------------------------------------*/

static int write_page(struct attempt *a)
{
	static const char bytes[MMU_PAGE];

	return mmu_write(a->fd, a->p, bytes, sizeof(bytes));
}

static int read_page(struct attempt *a)
{
	static char bytes[MMU_PAGE];

	return mmu_read(a->fd, a->p, bytes, sizeof(bytes));
}

TEST(g10_fault_access, 20)
{
	struct attempt w = { .call = write_page }, r = { .call = read_page };

	w.fd = attached();
	w.p = map_private(1);
	r.fd = w.fd;
	r.p = w.p;
	populate(w.fd, w.p, 1, WRITE);
	fail_each(&w, 3, "the argument, the buffer, the bytes");
	fail_each(&r, 3, "the argument, the buffer, the bytes");
	device_sees_zeros(w.fd, w.p, 1);
	verify(w.fd, w.p, 1);
}

static int verify_all(struct attempt *a)
{
	struct my_mmu_verify v;
	int ret = mmu_verify(a->fd, NULL, 0, &v);

	if (!ret)
		EXPECT_EQ(v.right, a->pages, "every entry is right");
	return ret;
}

TEST(g10_fault_verify, 20)
{
	struct attempt a = { .call = verify_all, .pages = N };

	a.fd = attached();
	a.p = map_private(N);
	populate(a.fd, a.p, N, WRITE);
	fail_each(&a, 2, "the argument, and the list of suspects");
}

static int evict_page(struct attempt *a)
{
	int ret = mmu_evict(a->fd, a->p);

	return ret < 0 ? ret : 0;
}

static void populate_again(struct attempt *a, int ret)
{
	if (ret != -EFAULT)
		EXPECT_EQ(present(a->fd, a->p, 1), !!ret, "all or nothing");
	populate(a->fd, a->p, 1, WRITE);
}

TEST(g10_fault_evict, 20)
{
	struct attempt a = { .call = evict_page, .after = populate_again };

	a.fd = attached();
	a.p = map_private(1);
	populate(a.fd, a.p, 1, WRITE);
	fail_each(&a, 1, "the argument");
	verify(a.fd, a.p, 1);
}
