/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lifetime.h - the half of the exec test that runs after exec
 */
#ifndef TESTS_LIFETIME_H
#define TESTS_LIFETIME_H

#define EXEC_HELPER	"--after-exec"

/* Exit status 0 if handle @fd, attached before exec, is of no use now. */
int after_exec(int fd, const char *variant);

#endif /* TESTS_LIFETIME_H */
