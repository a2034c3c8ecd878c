// SPDX-License-Identifier: GPL-2.0
/*
 * t-race-fork.c - G3: write permission while fork takes it away
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "race.h"

#define N	2

static struct gate go;

/* The child's memory is as it was at its birth, whatever the parent writes. */
static int fork_a_witness(char *p)
{
	int pid = fork();

	if (pid)
		return pid;
	wait_at(&go);
	cpu_sees(p, N, 1);
	_exit(0);
}

static int do_fork(struct call *c)
{
	return fork_a_witness(c->p);
}

static void setup(struct call *populate, struct call *fork_call)
{
	race_begin(3);
	gate_init(&go);
	*populate = (struct call) {
		.fn = do_populate, .fd = attached(), .p = map_private(N),
		.pages = N, .flags = WRITE,
	};
	*fork_call = (struct call) { .fn = do_fork, .p = populate->p };
	cpu_stamp(populate->p, N, 1);
}

static void parent_writes(struct call *c, int pid)
{
	EXPECT_EQ(call_wait(c), 0, "populate");
	device_stamp(c->fd, c->p, N, 2);
	cpu_sees(c->p, N, 2);
	verify(c->fd, c->p, N);
	pass(&go);
	join(pid);
}

/*
 *	populate for writing		fork
 *
 *	(entries for reading are there)
 *	look up: page X, writable
 *					start: zap them
 *					ptes of both: read-only, page shared
 *					end: sequence++
 *	enter X, writable?
 *
 * Forbidden by the sequence, also for mere permission: what the device wrote
 * would be seen by the child.
 */
TEST(g3_race_write_upgrade_beside_fork, 20)
{
	struct call c, unused;
	int pid;

	setup(&c, &unused);
	populate(c.fd, c.p, N, 0);
	call_to(&c, "populate_lookup");
	pid = fork_a_witness(c.p);
	tp_release("populate_lookup");
	parent_writes(&c, pid);
	EXPECT_GE(c.retries, 1, "the batch was begun again");
}

/*
 * A fork copies one mapping after the other, lowest first, with the mmap_lock
 * held for writing: until it is over nobody may fault. So the pages lie below
 * all others, and these are there.
 */
#define LOWEST	((char *)0x100000)

static char *map_lowest(void)
{
	char *p;

	ASSERT_EQ(mlockall(MCL_CURRENT), 0, "mlockall");
	p = mmap(LOWEST, N * MMU_PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_EQ(p, LOWEST, "mmap below the program");
	cpu_stamp(p, N, 1);
	return p;
}

/*
 *	populate for writing		fork
 *
 *					start: on record, zap
 *	look up: page X, writable
 *	enter X, writable?
 *					ptes of both: read-only
 *					end
 *
 * Forbidden by the record.
 */
TEST(g3_race_write_upgrade_amid_fork, 20)
{
	struct call c, f;

	setup(&c, &f);
	c.p = map_lowest();
	f.p = c.p;
	populate(c.fd, c.p, N, 0);
	call_to(&f, "start_zapped");
	EXPECT_EQ(present(c.fd, c.p, N), 0, "fork has begun with these");
	call_to_wait(&c);
	tp_release("start_zapped");
	parent_writes(&c, call_wait(&f));
}

static int do_punch(struct call *c)
{
	return fallocate(c->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
			 MMU_PAGE) ? -errno : 0;
}

/*
 *	truncate			fork
 *
 *	start: on record, zap
 *					start: on record, zap
 *					ptes of both: read-only
 *					end
 *	the file's ptes go
 *	end
 *
 * Two invalidations, the later one within the earlier: each keeps what it
 * promised. (Memory that fork does not copy, or it would wait for the other.)
 */
TEST(g3_race_fork_amid_truncate, 20)
{
	struct call t = { .fn = do_punch }, c, in_file, unused;
	char *file;
	int pid;

	setup(&c, &unused);
	populate(c.fd, c.p, N, WRITE);
	t.fd = make_memfd(1);
	file = map_fd(t.fd, 1, PROT_READ | PROT_WRITE, MAP_SHARED);
	ASSERT_EQ(madvise(file, MMU_PAGE, MADV_DONTFORK), 0, "madvise");
	cpu_stamp(file, 1, 1);
	populate(c.fd, file, 1, WRITE);
	in_file = c;
	in_file.p = file;
	in_file.pages = 1;
	call_to(&t, "start_zapped");
	pid = fork_a_witness(c.p);
	none_writable(c.fd, c.p, N);
	call_to_wait(&in_file);
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&t), 0, "fallocate");
	EXPECT_EQ(call_wait(&in_file), 0, "populate of the file");
	device_sees_zeros(c.fd, file, 1);
	call_start(&c);
	parent_writes(&c, pid);
}
