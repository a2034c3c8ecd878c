// SPDX-License-Identifier: GPL-2.0
/*
 * mute-fs.c - a file system that never answers a read; see mute-fs.h
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "mute-fs.h"

#define MOUNT_POINT	MUTE_FILES

static int dev;
static size_t size;

static void reply(const struct fuse_in_header *in, int error, const void *data,
		  size_t len)
{
	struct {
		struct fuse_out_header head;
		char data[256];
	} out = {
		.head.len = sizeof(out.head) + len,
		.head.error = -error,
		.head.unique = in->unique,
	};

	memcpy(out.data, data, len);
	if (write(dev, &out, out.head.len) < 0)
		_exit(0);
}

static struct fuse_attr attr_of(uint64_t inode)
{
	return (struct fuse_attr) {
		.ino = inode,
		.size = inode == FUSE_ROOT_ID ? 0 : size,
		.mode = inode == FUSE_ROOT_ID ? S_IFDIR | 0700 : S_IFREG | 0600,
		.nlink = 1,
		.blksize = MMU_PAGE,
	};
}

/* No flags: who reads waits for the answer, and not for the page's lock. */
static void reply_init(const struct fuse_in_header *in)
{
	struct fuse_init_out out = {
		.major = FUSE_KERNEL_VERSION,
		.minor = FUSE_KERNEL_MINOR_VERSION,
		.max_write = MMU_PAGE,
	};

	reply(in, 0, &out, sizeof(out));
}

/* The letter is the inode. */
static void reply_lookup(const struct fuse_in_header *in)
{
	uint64_t inode = *(const unsigned char *)(in + 1);
	struct fuse_entry_out out = {
		.nodeid = inode,
		.attr_valid = 3600,
		.entry_valid = 3600,
		.attr = attr_of(inode),
	};

	reply(in, 0, &out, sizeof(out));
}

static void reply_getattr(const struct fuse_in_header *in)
{
	struct fuse_attr_out out = {
		.attr_valid = 3600,
		.attr = attr_of(in->nodeid),
	};

	reply(in, 0, &out, sizeof(out));
}

static void answer(const struct fuse_in_header *in)
{
	static const struct fuse_open_out opened;

	switch (in->opcode) {
	case FUSE_INIT:
		reply_init(in);
		break;
	case FUSE_LOOKUP:
		reply_lookup(in);
		break;
	case FUSE_GETATTR:
		reply_getattr(in);
		break;
	case FUSE_OPEN:
		reply(in, 0, &opened, sizeof(opened));
		break;
	case FUSE_READ:
	case FUSE_INTERRUPT:
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		break;
	default:
		reply(in, ENOSYS, "", 0);
	}
}

static void serve(void)
{
	static char buf[64 << 10] __attribute__((aligned(8)));

	while (read(dev, buf, sizeof(buf)) >
	       (ssize_t)sizeof(struct fuse_in_header))
		answer((struct fuse_in_header *)buf);
	_exit(0);
}

pid_t mute_fs_start(size_t file_size)
{
	char options[128];
	pid_t server;

	size = file_size;
	dev = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (dev < 0)
		skip("no FUSE here (%s)", strerror(errno));
	snprintf(options, sizeof(options),
		 "fd=%d,rootmode=40000,user_id=0,group_id=0", dev);
	mkdir(MOUNT_POINT, 0700);
	if (mount("mute", MOUNT_POINT, "fuse", MS_NOSUID | MS_NODEV, options))
		skip("FUSE cannot be mounted (%s)", strerror(errno));
	server = spawn();
	if (!server)
		serve();
	close(dev);
	return server;
}

void mute_fs_stop(pid_t server)
{
	kill_and_reap(server);
	EXPECT_EQ(umount2(MOUNT_POINT, MNT_DETACH), 0, "unmount");
}
