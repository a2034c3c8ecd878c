// SPDX-License-Identifier: GPL-2.0
/*
 * stress-peer.c - another process that maps the same files; see stress.h
 *
 * It has an external MMU of its own, watches through it, and does to the
 * files what it is told: the pages of one process go because of another.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"
#include "stress.h"

#define PEER_ID		99

struct message {
	enum peer_order order;
	enum stress_kind kind;
	unsigned int first;
	unsigned int pages;
};

static struct {
	pthread_mutex_t lock;	/* one order at a time */
	int socket;
	pid_t pid;
} peer = { .lock = PTHREAD_MUTEX_INITIALIZER };

static struct stress_range range_of(const struct message *m)
{
	struct stress_region *r = &stress.region[m->kind];

	return (struct stress_range) {
		.r = r,
		.view = STRESS_PEER,
		.first = m->first,
		.pages = m->pages,
		.p = r->view[STRESS_PEER] + m->first * MMU_PAGE,
		.len = m->pages * MMU_PAGE,
	};
}

static void obey(struct stress_thread *t, int fd, const struct message *m)
{
	struct stress_range g = range_of(m);
	size_t offset = g.first * MMU_PAGE;
	int ret = 0;

	switch (m->order) {
	case PEER_PUNCH:
		ret = fallocate(g.r->file, FALLOC_FL_PUNCH_HOLE |
				FALLOC_FL_KEEP_SIZE, offset, g.len);
		break;
	case PEER_SHRINK:
		ret = ftruncate(g.r->file, offset);
		break;
	case PEER_GROW:
		ret = ftruncate(g.r->file, offset + g.len);
		break;
	case PEER_DEVICE_WRITE:
		if (stress_device_stamps(t, fd, &g))
			break;
		/* fallthrough */
	case PEER_WRITE:
		stress_cpu_stamps(&g);
		break;
	case PEER_PAGEOUT:
		madvise(g.p, g.len, MADV_PAGEOUT);
		break;
	}
	ASSERT_EQ(ret, 0, "the peer does what it is told (%d)", m->order);
}

/* Nothing to do: look on, and keep entries of the files alive. */
static void look_on(struct stress_thread *t, int fd)
{
	struct stress_range g;

	t->random = stress_mix(stress.seed ^ stress_mix(t->id) ^ t->op++);
	g = stress_choose(t, IN_SHARED, 64);
	g.p += g.r->view[STRESS_PEER] - g.r->view[g.view];
	g.view = STRESS_PEER;
	switch (stress_dice(t, 8)) {
	case 0:
		stress_verify(t, fd);
		break;
	case 1:
	case 2:
		stress_populate(t, fd, &g, stress_dice(t, 2));
		break;
	case 3:
		mmu_evict(fd, g.p);
		break;
	default:
		stress_look(t, fd, &g);
	}
	stress_count(&stress.shared->peer, 1);
}

static void be_peer(int socket)
{
	struct pollfd p = { .fd = socket, .events = POLLIN };
	struct stress_thread t;
	struct message m;
	int fd = attached();

	stress_thread_init(&t, PEER_ID);
	t.what = "the peer";
	while (stress_running()) {
		if (!poll(&p, 1, 0)) {
			look_on(&t, fd);
			continue;
		}
		if (read(socket, &m, sizeof(m)) != sizeof(m))
			break;
		obey(&t, fd, &m);
		ASSERT_EQ(write(socket, "", 1), 1, "the peer answers");
	}
	/* Whoever is still in an operation gets it done. */
	while (read(socket, &m, sizeof(m)) == sizeof(m)) {
		obey(&t, fd, &m);
		ASSERT_EQ(write(socket, "", 1), 1, "the peer answers");
	}
	_exit(EXIT_SUCCESS);
}

void stress_peer_start(void)
{
	int pair[2];

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0,
		  "a pair of sockets");
	peer.pid = spawn();
	if (!peer.pid) {
		close(pair[0]);
		be_peer(pair[1]);
	}
	close(pair[1]);
	peer.socket = pair[0];
}

void stress_peer_stop(void)
{
	close(peer.socket);
	join(peer.pid);
}

void stress_peer(enum peer_order order, const struct stress_range *g)
{
	struct message m = {
		.order = order,
		.kind = g->r->kind,
		.first = g->first,
		.pages = g->pages,
	};
	char answer;

	pthread_mutex_lock(&peer.lock);
	ASSERT_EQ(write(peer.socket, &m, sizeof(m)), (ssize_t)sizeof(m),
		  "the peer is told");
	ASSERT_EQ(read(peer.socket, &answer, 1), 1, "the peer has done it");
	pthread_mutex_unlock(&peer.lock);
}
