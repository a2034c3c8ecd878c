/* SPDX-License-Identifier: GPL-2.0 */
/*
 * mute-fs.h - a file system (FUSE) whose files can be opened, and not read
 */
#ifndef TESTS_MUTE_FS_H
#define TESTS_MUTE_FS_H

#include <stddef.h>
#include <sys/types.h>

/* Its files; each has a name of one letter. */
#define MUTE_FILES	"/run/mmu-test-mute/"

/*
 * Mounts it, for this process and its children. Returns the server: once that
 * is killed, all who wait for an answer get an error. Skips the test where
 * there is no FUSE.
 */
pid_t mute_fs_start(size_t file_size);
void mute_fs_stop(pid_t server);

#endif /* TESTS_MUTE_FS_H */
