// SPDX-License-Identifier: GPL-2.0
/*
 * t-directories.c - G1, G3, G5, G10: tables in all corners of the address space
 *
 * A directory has 512 slots: leaf tables of 2 MiB, directories of 1 GiB, of
 * 512 GiB. What lies in the first slot, in the last, on both sides of an edge,
 * alone in a directory or beside others, must be found, passed by and let go of
 * alike.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "race.h"

#define MIB		(1ul << 20)
#define GIB		(1ul << 30)
#define ROOT_SLOT	(512 * GIB)
#define LOWEST		(64ul << 10)		/* vm.mmap_min_addr */
#define HIGHEST		((1ul << 47) - 2 * MMU_PAGE)

static int fd;

/* One page at each place; the tables of neighbours touch. */
static const unsigned long places[] = {
	LOWEST,
	MMU_HUGE - MMU_PAGE,			/* the lowest table's last */
	5 * GIB - MMU_PAGE, 5 * GIB,
	7 * GIB + 511 * MMU_HUGE,		/* last slot, alone */
	9 * GIB,				/* first slot, alone */
	9 * GIB + 255 * MMU_HUGE, 9 * GIB + 256 * MMU_HUGE,
	ROOT_SLOT - MMU_PAGE, ROOT_SLOT,
	3 * ROOT_SLOT + 200 * GIB,		/* alone, two levels of it */
	4 * ROOT_SLOT + 511 * GIB + 511 * MMU_HUGE,
	5 * ROOT_SLOT,
	200 * ROOT_SLOT + GIB,
	HIGHEST,
};

#define PLACES	(sizeof(places) / sizeof(*places))

static bool mapped[PLACES];

static char *at(size_t i)
{
	return (char *)places[i];
}

/* Where something lies already (the stack, a library), we do without. */
static size_t map_places(void)
{
	size_t i, n = 0;

	for (i = 0; i < PLACES; i++) {
		mapped[i] |= mmap(at(i), MMU_PAGE, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS |
				  MAP_FIXED_NOREPLACE, -1, 0) == at(i);
		n += mapped[i];
	}
	return n;
}

static size_t populate_places(void)
{
	size_t i, n = 0;

	for (i = 0; i < PLACES; i++) {
		if (!mapped[i])
			continue;
		cpu_stamp(at(i), 1, i);
		populate(fd, at(i), 1, WRITE);
		n++;
	}
	EXPECT_EQ(stats_of(fd).entries, n, "an entry for each place");
	return n;
}

static void unmap_places(void)
{
	size_t i;

	for (i = 0; i < PLACES; i++)
		if (mapped[i])
			munmap(at(i), MMU_PAGE);
}

static void verify_all(size_t n)
{
	struct my_mmu_verify v;

	ASSERT_EQ(mmu_verify(fd, NULL, 0, &v), 0, "VERIFY of all");
	EXPECT_EQ(v.right, n, "it sees each");
	EXPECT_EQ(v.stale + v.over_permissive + v.unsettled, 0, "all right");
}

TEST(g3_tables_in_all_corners, 20)
{
	size_t i, n;

	fd = attached();
	n = map_places();
	EXPECT_GE(n, PLACES - 4, "most places are free");
	EXPECT_EQ(populate_places(), n, "populated");
	for (i = 0; i < PLACES; i++)
		if (mapped[i])
			device_sees(fd, at(i), 1, i);
	verify_all(n);
	unmap_places();
	EXPECT_EQ(stats_of(fd).entries, 0, "all are gone");
}

/* From each place, behind it, or far behind it, to each other, or before it. */
struct range {
	unsigned long start, end;
};

enum { BEHIND = 1, BEFORE = 2, FAR_BEHIND = 4, ALL_EDGES = 7 };

static bool make_range(struct range *r, size_t from, size_t to, int edges)
{
	r->start = places[from] + (edges & BEHIND ? MMU_PAGE : 0) +
		   (edges & FAR_BEHIND ? 700 * MIB : 0);
	r->end = places[to] + (edges & BEFORE ? 0 : MMU_PAGE);
	return r->start < r->end;
}

static bool inside(const struct range *r, size_t i)
{
	return mapped[i] && places[i] >= r->start && places[i] < r->end;
}

static size_t count_inside(const struct range *r)
{
	size_t i, n = 0;

	for (i = 0; i < PLACES; i++)
		n += inside(r, i);
	return n;
}

/* What lies between is visited, and nothing else. */
TEST(g3_ranges_over_all_corners, 20)
{
	struct my_mmu_verify v;
	size_t from, to;
	struct range r;
	int edges;

	fd = attached();
	map_places();
	populate_places();
	for (from = 0; from < PLACES; from++)
		for (to = from; to < PLACES; to++)
			for (edges = 0; edges <= ALL_EDGES; edges++) {
				if (!make_range(&r, from, to, edges))
					continue;
				ASSERT_EQ(mmu_verify(fd, (void *)r.start,
						     r.end - r.start, &v), 0,
					  "VERIFY");
				ASSERT_EQ(v.right, count_inside(&r),
					  "VERIFY from %lx to %lx", r.start,
					  r.end);
			}
	unmap_places();
}

static void unmap_range(const struct range *r)
{
	size_t i;

	populate_places();
	ASSERT_EQ(munmap((void *)r->start, r->end - r->start), 0, "munmap");
	for (i = 0; i < PLACES; i++)
		if (mapped[i])
			ASSERT_EQ(mmu_entry(fd, at(i)) == 0, inside(r, i),
				  "place %zu, unmapped from %lx to %lx", i,
				  r->start, r->end);
	map_places();
}

/*
 * One invalidation for the whole range, holes and all. Not around what the
 * program needs: it lies below the third place, and above the last but one.
 */
TEST(g1_ranges_over_all_corners, 60)
{
	size_t from, to;
	struct range r;

	fd = attached();
	map_places();
	for (from = 2; from < PLACES - 1; from++)
		for (to = from; to < PLACES - 1; to++)
			if (make_range(&r, from, to, (from + to) & ALL_EDGES))
				unmap_range(&r);
	if (make_range(&r, 0, 1, 0))
		unmap_range(&r);
	unmap_places();
}

/* They are freed when those that read them are done. */
static void no_tables_left(int from)
{
	int ms;

	for (ms = 0; ms < 3000 && stats_of(from).tables; ms += 5)
		sleep_ms(5);
	EXPECT_EQ(stats_of(from).tables, 0, "no table is left");
}

/* The last detach walks over all of them, and frees what it leaves behind. */
TEST(g5_detach_lets_go_of_all_corners, 20)
{
	int other = mmu_open();

	fd = attached();
	map_places();
	populate_places();
	ASSERT_EQ(mmu_detach(fd), 0, "detach");
	wait_for_mmus(other, 0);
	EXPECT_EQ(stats_of(other).entries, 0, "no entry is left");
	no_tables_left(other);
}

static uint64_t bytes_without_tables(void)
{
	no_tables_left(fd);
	return stats_of(fd).bytes;
}

static uint64_t bytes_when(uint64_t expected)
{
	int ms;

	for (ms = 0; ms < 3000 && stats_of(fd).bytes != expected; ms += 5)
		sleep_ms(5);
	return stats_of(fd).bytes;
}

/* Directories are counted, shared, and go with the last that needs them. */
TEST(g10_directories_follow_their_tables, 20)
{
	uint64_t born, one, two, far;
	char *p;

	fd = attached();
	born = stats_of(fd).bytes;
	p = (char *)(20 * ROOT_SLOT + 3 * GIB);
	ASSERT_EQ(mmap(p, 2 * MMU_HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == p, true,
		  "mmap");
	populate(fd, p, 1, WRITE);
	one = stats_of(fd).bytes - born;
	populate(fd, p + MMU_HUGE, 1, WRITE);
	two = stats_of(fd).bytes - born;
	EXPECT_GT(one, two - one, "the first table came with directories");
	munmap(p, MMU_HUGE);
	EXPECT_EQ(bytes_when(born + one), born + one, "the second needs them");
	munmap(p + MMU_HUGE, MMU_HUGE);
	EXPECT_EQ(bytes_without_tables(), born, "and nobody any more");
	map_places();
	populate_places();
	far = stats_of(fd).bytes - born;
	EXPECT_GT(far, PLACES * one / 2, "many were needed");
	unmap_places();
	EXPECT_EQ(bytes_when(born), born, "all have gone");
}

/*
 *	populate			another one, same directories
 *
 *	has made directories
 *					has made directories
 *					hangs them up, and its table
 *	throws its own away?
 */
TEST(g10_race_two_make_one_directory, 20)
{
	struct call a = { .fn = do_populate, .pages = 1, .flags = WRITE }, b;
	uint64_t both;

	race_begin(2);
	fd = attached();
	a.fd = fd;
	a.p = map_tables(2);
	b = a;
	b.p += MMU_HUGE;
	populate(fd, a.p, 1, WRITE);
	populate(fd, b.p, 1, WRITE);
	both = stats_of(fd).bytes;
	munmap(a.p, 2 * MMU_HUGE);
	bytes_without_tables();
	ASSERT_EQ(mmap(a.p, 2 * MMU_HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == a.p, true,
		  "mmap");
	call_to(&a, "table_insert");
	call_to(&b, "table_insert");
	tp_release("table_insert");
	EXPECT_EQ(call_wait(&a), 0, "one populate");
	EXPECT_EQ(call_wait(&b), 0, "the other");
	EXPECT_EQ(stats_of(fd).tables, 2, "two tables");
	EXPECT_EQ(stats_of(fd).bytes, both, "in directories made once");
	verify_all(2);
}

/*
 *	populate			munmap of the neighbour
 *
 *	the lowest directory is
 *	missing; has made one
 *					takes the last table out, and
 *					the directories above with it
 *	two are missing
 *
 * By "How many are missing is counted with it, again each time".
 */
TEST(g5_race_directory_goes_before_the_table_comes, 20)
{
	struct call a = { .fn = do_populate, .pages = 1, .flags = WRITE };
	char *p = (char *)(20 * ROOT_SLOT + 3 * GIB);

	race_begin(1);
	fd = attached();
	a.fd = fd;
	a.p = p + GIB;
	ASSERT_EQ(mmap(p, GIB + MMU_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		       MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
		       0) == p, true, "mmap");
	populate(fd, p, 1, WRITE);
	call_to(&a, "table_insert");
	ASSERT_EQ(munmap(p, GIB), 0, "munmap");
	tp_off("table_insert");
	EXPECT_EQ(call_wait(&a), 0, "populate");
	EXPECT_NE(mmu_entry(fd, a.p), 0, "its entry is there");
	verify_all(1);
}
