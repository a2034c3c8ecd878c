// SPDX-License-Identifier: GPL-2.0
/*
 * t-killable.c - G10: a populate can be killed where a CPU's access can be
 *
 * Both take the same page fault, and some of its waits are a file system's own.
 * Two children go to the same page, one with the CPU and one with a populate;
 * both are killed while they wait. What becomes of one becomes of the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "disk.h"
#include "mute-fs.h"

#define RW		(PROT_READ | PROT_WRITE)
#define PATIENCE_MS	500	/* for somebody who will not die */

/* --- what happens to the two ---------------------------------------------- */

static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) ||
	       info.si_pid == pid;
}

static char state_of(pid_t pid)
{
	char path[64], state = '?';
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (f) {
		if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = '?';
		fclose(f);
	}
	return state;
}

/* Nothing here may end the test: who would thaw the file system? */
static bool falls_asleep(pid_t pid)
{
	double end = seconds() + DEADLINE_S;
	int asleep = 0;

	while (seconds() < end && asleep < 20) {
		sleep_ms(10);
		asleep = strchr("SD", state_of(pid)) ? asleep + 1 : 0;
	}
	return asleep && !has_ended(pid);
}

static bool outlives_kill(pid_t pid)
{
	int ms;

	kill(pid, SIGKILL);
	for (ms = 0; ms < PATIENCE_MS && !has_ended(pid); ms += 10)
		sleep_ms(10);
	return !has_ended(pid);
}

static bool ends(pid_t pid)
{
	double end = seconds() + DEADLINE_S;

	while (seconds() < end && !has_ended(pid))
		sleep_ms(10);
	return has_ended(pid);
}

static void expect_killed(pid_t pid, const char *who)
{
	int status = 0;

	EXPECT_EQ(waitpid(pid, &status, 0), pid, "%s is reaped", who);
	EXPECT_EQ(WIFSIGNALED(status) ? WTERMSIG(status) : 0, SIGKILL,
		  "%s has been killed", who);
}

/* --- the two -------------------------------------------------------------- */

enum { CPU, DEVICE, BOTH };

static const char *const names[] = { "the CPU's access", "the populate" };

struct place {
	char *(*map)(int who);	/* in the child */
	uint32_t flags;
};

static void go_there(const struct place *place, int who)
{
	volatile char *p = place->map(who);

	if (who == DEVICE)
		mmu_populate(attached(), (char *)p, MMU_PAGE, place->flags);
	else if (place->flags & WRITE)
		*p = 1;
	else
		(void)*p;
	_exit(0);
}

static void send_both(const struct place *place, pid_t *child)
{
	int who;

	for (who = CPU; who < BOTH; who++) {
		child[who] = spawn();
		if (!child[who])
			go_there(place, who);
	}
}

static void kill_both(const pid_t *child, bool *outlived)
{
	int who;

	for (who = CPU; who < BOTH; who++) {
		EXPECT_EQ(falls_asleep(child[who]), true, "%s waits",
			  names[who]);
		outlived[who] = outlives_kill(child[who]);
	}
	EXPECT_EQ(outlived[DEVICE], outlived[CPU],
		  "the populate can be killed where the CPU's access can");
}

static void reap_both(const pid_t *child)
{
	int who;

	for (who = CPU; who < BOTH; who++) {
		EXPECT_EQ(ends(child[who]), true, "%s ends", names[who]);
		if (has_ended(child[who]))
			expect_killed(child[who], names[who]);
	}
}

/* --- where they wait ------------------------------------------------------ */

static int file;

static char *map_file(int who)
{
	(void)who;
	return map_fd(file, 1, RW, MAP_SHARED);
}

/* A clean page becomes writable when the file system says so. */
TEST(g10_killed_on_a_frozen_file_system, 60)
{
	static const struct place place = { map_file, WRITE };
	bool outlived[BOTH];
	pid_t child[BOTH];
	char *p;

	file = disk_file("frozen", MMU_PAGE);
	p = map_file(CPU);
	cpu_stamp(p, 1, 1);
	ASSERT_EQ(msync(p, MMU_PAGE, MS_SYNC), 0, "msync");
	ASSERT_EQ(disk_freeze(true), 0, "the file system is frozen");
	send_both(&place, child);
	kill_both(child, outlived);
	ASSERT_EQ(disk_freeze(false), 0, "and thawed");
	EXPECT_EQ(outlived[CPU], true, "no kill ends the wait for the thaw");
	reap_both(child);
}

/* Not the same: who wants a page second waits for the first, killably. */
static char *map_mute_file(int who)
{
	int fd = open(who == CPU ? MUTE_FILES "c" : MUTE_FILES "d",
		      O_RDWR | O_CLOEXEC);

	ASSERT_GE(fd, 0, "the file can be opened");
	return map_fd(fd, 1, PROT_READ, MAP_SHARED);
}

/* A server has the question, and does not answer. */
TEST(g10_killed_on_a_file_system_that_is_mute, 60)
{
	static const struct place place = { map_mute_file, 0 };
	pid_t child[BOTH], server = mute_fs_start(MMU_PAGE);
	bool outlived[BOTH];

	send_both(&place, child);
	kill_both(child, outlived);
	mute_fs_stop(server);
	EXPECT_EQ(outlived[CPU], true, "no kill ends the wait for an answer");
	reap_both(child);
}

static char *map_userfault(int who)
{
	char *p = map_private(1);
	struct uffdio_register area = {
		.range = { (uintptr_t)p, MMU_PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_api api = { .api = UFFD_API };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	(void)who;
	ASSERT_GE(fd, 0, "userfaultfd");
	ASSERT_EQ(ioctl(fd, UFFDIO_API, &api), 0, "UFFDIO_API");
	ASSERT_EQ(ioctl(fd, UFFDIO_REGISTER, &area), 0, "UFFDIO_REGISTER");
	return p;
}

/* Here the kernel lets go of who is killed. */
TEST(g10_killed_at_a_userfault, 60)
{
	static const struct place place = { map_userfault, 0 };
	bool outlived[BOTH];
	pid_t child[BOTH];

	send_both(&place, child);
	kill_both(child, outlived);
	EXPECT_EQ(outlived[CPU], false, "a wait for user space can be killed");
	reap_both(child);
}
