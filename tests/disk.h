/* SPDX-License-Identifier: GPL-2.0 */
/*
 * disk.h - an ext4 file system on a spare zram device, where there is one
 */
#ifndef TESTS_DISK_H
#define TESTS_DISK_H

#include <stddef.h>

/* A file of @len zero bytes on it; skips the test where it cannot be had. */
int disk_file(const char *name, size_t len);

/* Throw away all page cache that is clean and not mapped. */
void disk_drop_caches(void);

#endif /* TESTS_DISK_H */
