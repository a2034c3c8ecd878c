// SPDX-License-Identifier: GPL-2.0
/*
 * op-file.c - descriptors: open, close, copy, pass on, and calls that the
 * device does not have
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"

/* Takes the place of what is in the slot, as dup2() does. */
static void install(struct self *me, unsigned int slot, int fd,
		    unsigned int content)
{
	if (dup2(fd, FD_SLOT + slot) < 0)
		fail(me, "dup2: %s", strerror(errno));
	close(fd);
	if (!world->seq.serial)
		return;
	slot_put(me->p, slot);
	me->p->slot[slot] = content;
}

void draw_open(struct draw *d, struct call *c)
{
	c->arg[0] = chance(d, 90) ? O_RDWR : DRAW_OF(d, O_RDONLY, O_WRONLY,
						     O_PATH);
}

void run_open(struct self *me, const struct call *c)
{
	struct legal l = { .success = true };
	bool path = c->arg[0] & O_PATH;
	int fd;

	inject(me, c);
	fd = open(MY_MMU_DEVICE_PATH, c->arg[0]);
	fd = fd < 0 ? -errno : fd;
	inject_end(me, c);
	if (me->injected) {
		may_be(&l, ENOMEM);
		may_be(&l, EFAULT);	/* its path could not be read */
		may_be(&l, ENFILE);
	}
	judge(me, c, fd < 0 ? fd : 0, &l);
	if (fd >= 0 && !path)
		count_call();
	if (fd >= 0)
		install(me, c->slot, fd, path ? SLOT_PATH :
			world->seq.serial ? handle_new() : SLOT_CLOSED);
}

void draw_close(struct draw *d, struct call *c)
{
	(void)d;
	(void)c;
}

void run_close(struct self *me, const struct call *c)
{
	struct legal l = { .success = true };

	if (!world->seq.serial)
		may_be(&l, EBADF);
	else if (me->p->slot[c->slot] == SLOT_CLOSED)
		must_be(&l, EBADF);
	judge(me, c, close(FD_SLOT + c->slot) ? -errno : 0, &l);
	if (handle_in(me, c->slot))
		count_call();
	if (world->seq.serial)
		slot_put(me->p, c->slot);
}

void draw_dup(struct draw *d, struct call *c)
{
	c->arg[0] = draw_below(d, SLOTS);
}

void run_dup(struct self *me, const struct call *c)
{
	unsigned int to = c->arg[0], content = me->p->slot[c->slot];
	struct legal l = { .success = true };
	int ret = dup2(FD_SLOT + c->slot, FD_SLOT + to);

	ret = ret < 0 ? -errno : 0;
	if (!world->seq.serial) {
		may_be(&l, EBADF);
		may_be(&l, EBUSY);	/* somebody else opens it just now */
	} else if (content == SLOT_CLOSED) {
		must_be(&l, EBADF);
	}
	judge(me, c, ret, &l);
	if (ret || !world->seq.serial || to == c->slot)
		return;
	handle_get(content);
	slot_put(me->p, to);
	me->p->slot[to] = content;
}

/* A file of another kind where a handle might be. */
void draw_other(struct draw *d, struct call *c)
{
	c->arg[0] = draw_below(d, 3);
}

void run_other(struct self *me, const struct call *c)
{
	int fd = -1, pair[2];

	if (c->arg[0] == 0) {
		fd = open("/dev/null", O_RDWR);
	} else if (c->arg[0] == 1) {
		fd = memfd_create("other", 0);
	} else if (!pipe(pair)) {
		close(pair[1]);
		fd = pair[0];
	}
	if (fd >= 0)
		install(me, c->slot, fd, SLOT_OTHER);
	else if (!world->storm)
		fail(me, "no other file: %s", strerror(errno));
}

/* --- from process to process ---------------------------------------------- */

union control {
	char buf[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static struct msghdr message(struct iovec *iov, union control *control)
{
	return (struct msghdr){
		.msg_iov = iov, .msg_iovlen = 1,
		.msg_control = control->buf,
		.msg_controllen = sizeof(control->buf),
	};
}

void draw_send(struct draw *d, struct call *c)
{
	c->arg[0] = draw_below(d, d->procs);
}

static int send_fd(int socket, int fd)
{
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	union control control = { 0 };
	struct msghdr msg = message(&iov, &control);
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(socket, &msg, MSG_DONTWAIT) < 0 ? -errno : 0;
}

void run_send(struct self *me, const struct call *c)
{
	unsigned int content = me->p->slot[c->slot];
	struct process *to = &world->proc[c->arg[0] % PROCS];
	struct legal l = { .success = true };

	if (world->seq.serial && to->mails == MAIL_MAX)
		return;
	if (!world->seq.serial) {
		may_be(&l, EBADF);
		may_be(&l, EAGAIN);
		may_be(&l, ENOMEM);
		may_be(&l, ENOBUFS);
		may_be(&l, ETOOMANYREFS);
	} else if (content == SLOT_CLOSED) {
		must_be(&l, EBADF);
	}
	judge(me, c, send_fd(FD_MAIL + 2 * (c->arg[0] % PROCS),
			     FD_SLOT + c->slot), &l);
	if (!world->seq.serial || content == SLOT_CLOSED)
		return;
	handle_get(content);
	to->mail[to->mails++] = content;
}

void draw_receive(struct draw *d, struct call *c)
{
	(void)d;
	(void)c;
}

void run_receive(struct self *me, const struct call *c)
{
	char byte;
	struct iovec iov = { &byte, 1 };
	union control control = { 0 };
	struct msghdr msg = message(&iov, &control);
	struct cmsghdr *cmsg;
	unsigned int content = SLOT_CLOSED;
	int fd;

	if (recvmsg(FD_MAIL + 2 * me->proc + 1, &msg, MSG_DONTWAIT) < 0)
		return;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return;		/* no descriptor was free, or no memory */
	memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
	if (world->seq.serial) {
		content = me->p->mail[0];
		me->p->mails--;
		memmove(me->p->mail, me->p->mail + 1,
			sizeof(me->p->mail) - sizeof(me->p->mail[0]));
	}
	install(me, c->slot, fd, content);
}

/* --- calls that the device does not have ---------------------------------- */

struct file_call {
	const char *name;
	long (*call)(int fd);
	int want;		/* errno; 0: success */
};

static long call_read(int fd)
{
	char byte;

	return read(fd, &byte, 1);
}

static long call_write(int fd)
{
	return write(fd, "", 1);
}

static long call_pread(int fd)
{
	char byte;

	return pread(fd, &byte, 1, 0);
}

static long call_lseek(int fd)
{
	return lseek(fd, 0, SEEK_SET);
}

static long call_mmap(int fd)
{
	void *p = mmap(NULL, MMU_PAGE, PROT_READ, MAP_SHARED, fd, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static long call_fsync(int fd)
{
	return fsync(fd);
}

static long call_truncate(int fd)
{
	return ftruncate(fd, 0);
}

static long call_poll(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) < 0 ? -1 : 0;
}

static const struct file_call file_calls[] = {
	{ "read", call_read, EINVAL },
	{ "write", call_write, EINVAL },
	{ "pread", call_pread, ESPIPE },
	{ "lseek", call_lseek, ESPIPE },
	{ "mmap", call_mmap, ENODEV },
	{ "fsync", call_fsync, EINVAL },
	{ "ftruncate", call_truncate, EINVAL },
	{ "poll", call_poll, 0 },
};

#define FILE_CALLS (sizeof(file_calls) / sizeof(*file_calls))

void draw_file_call(struct draw *d, struct call *c)
{
	c->arg[0] = draw_below(d, FILE_CALLS);
}

/* A handle may have been opened for reading or writing only: EBADF. */
void run_file_call(struct self *me, const struct call *c)
{
	const struct file_call *f = &file_calls[c->arg[0] % FILE_CALLS];
	struct legal l = { .success = !f->want };
	long ret;

	if (!world->seq.serial || !handle_in(me, c->slot))
		return;
	ret = f->call(FD_SLOT + c->slot) < 0 ? -errno : 0;
	if (f->want)
		may_be(&l, f->want);
	may_be(&l, EBADF);
	if (f->call == call_mmap)
		may_be(&l, EACCES);
	judge(me, c, ret, &l);
}
