// SPDX-License-Identifier: GPL-2.0
/*
 * t-lookup.c - G2, G3, G9, G10: a batch that is looked up without references
 *
 * From 16 pages on a populate reads the ptes, and takes no reference, if all
 * pages are there and are memory like any other. Everything else is for
 * get_user_pages_fast(), which knows it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "race.h"

#define N	64
#define RW	(PROT_READ | PROT_WRITE)

static int fd;

/* --- without references --------------------------------------------------- */

/*
 *	populate			reclaim
 *
 *	read the ptes
 *					unmaps the pages, and frees them
 *	enter them?
 *
 * By "no invalidation has run or is running". Pages that somebody holds stay in
 * the swap cache; how many there are says what the populate holds.
 */
static size_t held_meanwhile(size_t pages)
{
	struct call c = { .fn = do_populate, .pages = pages, .flags = WRITE };
	uint64_t old[N];
	size_t held;

	c.fd = attached();
	c.p = map_private(pages);
	madvise(c.p, pages * MMU_PAGE, MADV_NOHUGEPAGE);
	cpu_stamp(c.p, pages, 1);
	pagemap_of(c.p, pages, old);
	call_to(&c, "populate_lookup");
	page_all_out(c.p, pages);
	held = still_in_swap_cache(old, pages);
	poison_free_memory();
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	EXPECT_EQ(c.retries, 1, "which has begun again");
	device_sees(c.fd, c.p, pages, 1);
	device_stamp(c.fd, c.p, pages, 2);
	cpu_sees(c.p, pages, 2);
	verify(c.fd, c.p, pages);
	close(c.fd);
	return held;
}

/* Frames that were let go may be somebody else's, in the swap cache. */
#define SOME	4

TEST(g2_race_freed_between_lookup_and_insertion, 20)
{
	if (!have_swap())
		skip("no swap");
	race_begin(1);
	EXPECT_LE(held_meanwhile(N), SOME, "the populate holds none");
}

/* Fewer pages than it pays for. */
TEST(g2_race_held_between_lookup_and_insertion, 20)
{
	if (!have_swap())
		skip("no swap");
	race_begin(1);
	EXPECT_EQ(held_meanwhile(15), 15, "it holds all");
}

TEST(g2_race_lookup_as_it_was_told, 30)
{
	size_t gup, snapshot, by_itself;
	char word[32];
	FILE *f;

	if (!have_swap())
		skip("no swap");
	race_begin(1);
	set_lookup("gup");
	gup = held_meanwhile(N);
	set_lookup("snapshot");
	snapshot = held_meanwhile(15);
	set_lookup("auto");
	by_itself = held_meanwhile(N);
	EXPECT_EQ(gup, N, "with gup all are held");
	EXPECT_LE(by_itself, SOME, "left to itself it holds none of so many");
	EXPECT_LE(snapshot, SOME, "with snapshot not even fifteen are");
	EXPECT_EQ(write_file(DRIVER_PARAM("lookup"), "fast"), -EINVAL,
		  "another word");
	f = fopen(DRIVER_PARAM("lookup"), "r");
	ASSERT_EQ(f && fgets(word, sizeof(word), f), true, "it can be read");
	fclose(f);
	EXPECT_EQ(strcmp(word, "auto\n"), 0, "changes nothing");
}

/* --- what is not there, or not so ----------------------------------------- */

/* Holes of all kinds at each place: at the edges of a batch, and amidst. */
TEST(g3_holes_in_a_batch, 20)
{
	static const size_t at[] = { 0, 1, 15, 31, 62, 63 };
	uint64_t done;
	size_t i;
	char *p;

	fd = attached();
	for (i = 0; i < sizeof(at) / sizeof(*at); i++) {
		p = map_private(N);
		cpu_stamp(p, N, 1);
		madvise(p + at[i] * MMU_PAGE, MMU_PAGE, MADV_DONTNEED);
		populate(fd, p, N, WRITE);
		EXPECT_EQ(present(fd, p, N), N, "what was missing is there");
		cpu_stamp(p + at[i] * MMU_PAGE, 1, 5);
		verify(fd, p, N);
		munmap(p + at[i] * MMU_PAGE, MMU_PAGE);
		madvise(p, N * MMU_PAGE, MADV_COLD);
		mmu_detach(fd);
		mmu_attach(fd, test_variant);
		EXPECT_EQ(mmu_populate_batch(fd, p, N * MMU_PAGE, WRITE, 0,
					     &done, NULL), -EFAULT,
			  "what is not mapped is not there");
		EXPECT_EQ(done, at[i], "it goes as far as the hole");
		EXPECT_EQ(stats_of(fd).entries, at[i], "and not beyond");
	}
}

/* Shared with a child: who writes gets a copy, all of the batch. */
TEST(g3_batch_of_shared_pages, 20)
{
	char *p = map_private(N), c;
	int pipes[2];
	pid_t pid;

	fd = attached();
	cpu_stamp(p, N, 1);
	ASSERT_EQ(pipe(pipes), 0, "pipe");
	pid = spawn();
	if (!pid) {
		ASSERT_EQ(read(pipes[0], &c, 1), 1, "told to look");
		cpu_sees(p, N, 1);
		_exit(0);
	}
	populate(fd, p, N, 0);
	none_writable(fd, p, N);
	populate(fd, p, N, WRITE);
	device_stamp(fd, p, N, 2);
	cpu_sees(p, N, 2);
	verify(fd, p, N);
	ASSERT_EQ(write(pipes[1], "x", 1), 1, "tell");
	join(pid);
}

/* --- what must not be touched --------------------------------------------- */

/* Anonymous pages, and from @n on what @p maps at that place. */
static void none_of(char *p, size_t n, const char *what)
{
	uint64_t done = 0;

	EXPECT_EQ(mmu_populate_batch(fd, p, N * MMU_PAGE, 0, 0, &done, NULL),
		  -EFAULT, "%s", what);
	EXPECT_EQ(done, n, "%s: none of it", what);
	EXPECT_EQ(stats_of(fd).entries, n, "%s: no entry", what);
	device_cannot_read(fd, p + n * MMU_PAGE, N - n);
}

static char *secret_from(char *p, size_t n)
{
	size_t len = (N - n) * MMU_PAGE;
	int secret = syscall(SYS_memfd_secret, 0);

	if (secret < 0)
		skip("memfd_secret: %s", strerror(errno));
	ASSERT_EQ(ftruncate(secret, len), 0, "its size");
	p = mmap(p + n * MMU_PAGE, len, RW, MAP_SHARED | MAP_FIXED, secret, 0);
	ASSERT_NE(p, MAP_FAILED, "mmap");
	cpu_stamp(p, N - n, 1);
	close(secret);
	return p - n * MMU_PAGE;
}

TEST(g9_secret_memory_in_a_batch, 20)
{
	static const size_t from[] = { 0, 1, 16, 63 };
	size_t i;
	char *p;

	for (i = 0; i < sizeof(from) / sizeof(*from); i++) {
		fd = attached();
		p = map_private(N);
		cpu_stamp(p, N, 1);
		p = secret_from(p, from[i]);
		none_of(p, from[i], "secret memory");
		munmap(p, N * MMU_PAGE);
		close(fd);
	}
}

/* The thread's key of today, for the whole batch or its last page. */
TEST(g9_protection_key_in_a_batch, 20)
{
	static const size_t from[] = { 0, 40, 63 };
	int key = pkey_alloc(0, 0);
	size_t i;
	char *p;

	if (key < 0)
		skip("no protection keys");
	for (i = 0; i < sizeof(from) / sizeof(*from); i++) {
		fd = attached();
		p = map_private(N);
		cpu_stamp(p, N, 1);
		ASSERT_EQ(pkey_mprotect(p + from[i] * MMU_PAGE,
					(N - from[i]) * MMU_PAGE, RW, key), 0,
			  "a key");
		pkey_set(key, PKEY_DISABLE_ACCESS);
		none_of(p, from[i], "behind a key");
		pkey_set(key, 0);
		populate(fd, p, N, WRITE);
		verify(fd, p, N);
		munmap(p, N * MMU_PAGE);
		close(fd);
	}
	pkey_free(key);
}

/* The floor that asks as a populate does finds what a populate would. */
TEST(g10_floor_that_looks_up_as_a_populate, 20)
{
	static const size_t sizes[] = { 1, 16, N };
	uint64_t done, batches;
	size_t i;
	char *p;

	fd = attached();
	batches = stats_of(fd).populate_batches;
	p = map_private(N);
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		EXPECT_EQ(mmu_gup_floor(fd, p, N * MMU_PAGE,
					WRITE | MY_MMU_FLOOR_LOOKUP, sizes[i],
					&done), 0, "%zu a batch", sizes[i]);
		EXPECT_EQ(done, N, "it brings in what is missing");
	}
	EXPECT_EQ(stats_of(fd).entries, 0, "and enters nothing");
	EXPECT_EQ(stats_of(fd).populate_batches, batches, "it is no populate");
	munmap(p + 20 * MMU_PAGE, MMU_PAGE);
	EXPECT_EQ(mmu_gup_floor(fd, p, N * MMU_PAGE, MY_MMU_FLOOR_LOOKUP, 0,
				&done), -EFAULT, "a hole");
	EXPECT_EQ(done, 20, "it comes to the hole");
	p = secret_from(p, 16);
	EXPECT_EQ(mmu_gup_floor(fd, p, N * MMU_PAGE, MY_MMU_FLOOR_LOOKUP, 0,
				&done), -EFAULT, "secret memory");
	EXPECT_EQ(done, 16, "it comes to what is secret");
}

/* --- what others have made ------------------------------------------------ */

static void mirrored_both_ways(char *p)
{
	fd = attached();
	cpu_stamp(p, N, 1);
	populate(fd, p, N, WRITE);
	device_sees(fd, p, N, 1);
	device_stamp(fd, p, N, 2);
	cpu_sees(p, N, 2);
	verify(fd, p, N);
}

/* Pages that a driver has put there one by one: VM_MIXEDMAP, of no file. */
TEST(g9_pages_of_a_driver_in_a_batch, 20)
{
	struct tpacket_req req = {
		.tp_block_size = 4 * MMU_PAGE, .tp_block_nr = N / 4,
		.tp_frame_size = 2048, .tp_frame_nr = N * 2,
	};
	int s = socket(AF_PACKET, SOCK_RAW, 0);
	char *p;

	if (s < 0)
		skip("no packet sockets: %s", strerror(errno));
	ASSERT_EQ(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)),
		  0, "a ring");
	p = mmap(NULL, N * MMU_PAGE, RW, MAP_SHARED, s, 0);
	ASSERT_NE(p, MAP_FAILED, "mmap");
	mirrored_both_ways(p);
	munmap(p, N * MMU_PAGE);
	EXPECT_EQ(stats_of(fd).entries, 0, "all are gone");
	close(s);
}

/* Locked by shmctl(): never to be reclaimed, like what nobody may touch. */
TEST(g3_locked_shared_memory_in_a_batch, 20)
{
	int id = shmget(IPC_PRIVATE, N * MMU_PAGE, IPC_CREAT | 0600);
	char *p;

	if (id < 0)
		skip("no System V shared memory: %s", strerror(errno));
	p = shmat(id, NULL, 0);
	ASSERT_NE(p, (void *)-1, "shmat");
	ASSERT_EQ(shmctl(id, SHM_LOCK, NULL), 0, "lock");
	shmctl(id, IPC_RMID, NULL);
	mirrored_both_ways(p);
	shmdt(p);
	EXPECT_EQ(stats_of(fd).entries, 0, "all are gone");
}
