// SPDX-License-Identifier: GPL-2.0
/*
 * disk.c - file systems on spare zram devices; see disk.h
 *
 * A disk is made by the first test that wants it and stays for the others; the
 * machine is thrown away afterwards. vm/mkinitramfs provides /vm/disks: what
 * makes file systems, and modules of those that the kernel has not built in.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common.h"
#include "disk.h"

#define MOUNT_POINT	"/run/mmu-test-disk-"
#define DISKS		"/vm/disks/"

/* Each near the least that it can do with, and idle once it is there. */
static const struct disk {
	const char *type;
	const char *size;
	const char *mkfs;
} disks[] = {
	{ "ext4", "64M", "mke2fs -q -t ext4 -b 4096 "
	  "-E lazy_itable_init=0,lazy_journal_init=0" },
	{ "xfs", "320M", "mkfs.xfs -q -f" },
	{ "btrfs", "128M", "mkfs.btrfs -q -f" },
};

const char *const disk_types[] = { "ext4", "xfs", "btrfs", NULL };

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

static const struct disk *wanted_disk(void)
{
	size_t i;

	for (i = 0; i < sizeof(disks) / sizeof(*disks); i++)
		if (!strcmp(disks[i].type, test_disk))
			return &disks[i];
	skip("no file system is called %s", test_disk);
}

/* /proc/filesystems has a name in each line, behind a tab. */
static bool is_known(const struct disk *disk)
{
	FILE *f = fopen("/proc/filesystems", "re");
	char type[32];
	bool found = false;

	ASSERT_NE(f, NULL, "/proc/filesystems");
	while (!found && fscanf(f, "%*[^\t] %31s", type) != EOF)
		found = !strcmp(type, disk->type);
	fclose(f);
	return found;
}

bool disk_exists(void)
{
	const struct disk *disk = wanted_disk();
	char command[128];

	snprintf(command, sizeof(command),
		 "for m in " DISKS "modules/%s/*.ko; do insmod $m; done 2>&-",
		 disk->type);
	if (!is_known(disk) && system(command))
		note("not all modules of %s could be loaded", disk->type);
	return is_known(disk);
}

static void make_disk(const char *mount_point)
{
	const struct disk *disk = wanted_disk();
	char path[64], device[32], command[160];
	long nr;

	if (!disk_exists())
		skip("this kernel has no %s", disk->type);
	nr = spare_zram();
	if (nr < 0)
		skip("no spare zram device for a file system");
	snprintf(path, sizeof(path), "/sys/block/zram%ld/disksize", nr);
	ASSERT_EQ(write_file(path, "%s", disk->size), 0, "a disk has a size");
	snprintf(device, sizeof(device), "/dev/zram%ld", nr);
	snprintf(command, sizeof(command), DISKS "%s %s >/dev/null 2>&1",
		 disk->mkfs, device);
	if (access(DISKS, F_OK))
		skip("the guest was made without --disks");
	ASSERT_EQ(system(command), 0, "%s works", disk->mkfs);
	mkdir(mount_point, 0755);
	ASSERT_EQ(mount(device, mount_point, disk->type, 0, NULL), 0,
		  "%s can be mounted", disk->type);
}

static bool is_mounted(const char *mount_point)
{
	struct stat below, above;

	return !stat(mount_point, &below) && !stat("/run", &above) &&
	       below.st_dev != above.st_dev;
}

static void get_mount_point(char *path, size_t size)
{
	snprintf(path, size, MOUNT_POINT "%s", test_disk);
}

int disk_freeze(bool frozen)
{
	char mount_point[64];
	int dir, ret;

	get_mount_point(mount_point, sizeof(mount_point));
	dir = open(mount_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ret = dir < 0 ? -errno : 0;
	if (!ret && ioctl(dir, frozen ? FIFREEZE : FITHAW, 0))
		ret = -errno;
	close(dir);
	return ret;
}

int disk_file(const char *name, size_t len)
{
	char mount_point[64], path[128];
	int fd;

	get_mount_point(mount_point, sizeof(mount_point));
	if (!is_mounted(mount_point))
		make_disk(mount_point);
	disk_freeze(false);	/* a test that died may have left it frozen */
	snprintf(path, sizeof(path), "%s/%s", mount_point, name);
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
