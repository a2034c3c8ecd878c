/* SPDX-License-Identifier: GPL-2.0 */
/*
 * disk.h - file systems on spare zram devices, one of each kind
 *
 * tmpfs never writes back, so it cannot show what write-back does to device
 * entries. What a file system does before and after differs: ext4 has a
 * journal, btrfs writes each page to a new place, xfs keeps large folios.
 */
#ifndef TESTS_DISK_H
#define TESTS_DISK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A file of @len zero bytes on test_disk, made by the first test that wants it;
 * skips the test where this kernel has no such file system.
 */
int disk_file(const char *name, size_t len);

/* All kinds; ends with NULL. Can test_disk be had? */
extern const char *const disk_types[];
bool disk_exists(void);

/* Throw away all page cache that is clean and not mapped. */
void disk_drop_caches(void);

/* Freeze it, or thaw it; 0 or -errno. */
int disk_freeze(bool frozen);

#endif /* TESTS_DISK_H */
