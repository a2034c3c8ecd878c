// SPDX-License-Identifier: GPL-2.0
/*
 * disk.c - an ext4 file system on a spare zram device; see disk.h
 *
 * tmpfs never writes back, so it cannot show what write-back does to device
 * entries. The disk is made by the first test that wants it and stays for the
 * others; the machine is thrown away afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"
#include "disk.h"

#define MOUNT_POINT	"/run/mmu-test-disk"
#define DISK_SIZE	"16M"

/* The number of a zram device that nobody uses, or -errno. */
static long spare_zram(void)
{
	char path[64];
	long i, size;

	for (i = 0; i < 16; i++) {
		snprintf(path, sizeof(path), "/sys/block/zram%ld/disksize", i);
		size = read_number(path);
		if (size == 0)
			return i;
		if (size < 0)
			break;
	}
	return read_number("/sys/class/zram-control/hot_add");
}

static void make_disk(void)
{
	char path[64], device[32], command[128];
	long nr = spare_zram();

	if (nr < 0)
		skip("no spare zram device for a file system");
	snprintf(path, sizeof(path), "/sys/block/zram%ld/disksize", nr);
	ASSERT_EQ(write_file(path, DISK_SIZE), 0, "the disk gets a size");
	snprintf(device, sizeof(device), "/dev/zram%ld", nr);
	snprintf(command, sizeof(command),
		 "mke2fs -b 4096 %s >/dev/null 2>&1", device);
	if (system(command))
		skip("mke2fs does not work here");
	mkdir(MOUNT_POINT, 0755);
	if (mount(device, MOUNT_POINT, "ext4", 0, NULL))
		skip("this kernel has no ext4 (%s)", strerror(errno));
}

static bool is_mounted(void)
{
	struct stat below, above;

	return !stat(MOUNT_POINT, &below) && !stat(MOUNT_POINT "/..", &above) &&
	       below.st_dev != above.st_dev;
}

int disk_file(const char *name, size_t len)
{
	char path[128];
	int fd;

	if (!is_mounted())
		make_disk();
	snprintf(path, sizeof(path), MOUNT_POINT "/%s", name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ASSERT_GE(fd, 0, "a file on the disk");
	ASSERT_EQ(ftruncate(fd, len), 0, "of %zu bytes", len);
	return fd;
}

void disk_drop_caches(void)
{
	sync();
	ASSERT_EQ(write_file("/proc/sys/vm/drop_caches", "1"), 0,
		  "the page cache can be dropped");
}
