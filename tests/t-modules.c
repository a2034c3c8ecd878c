// SPDX-License-Identifier: GPL-2.0
/*
 * t-modules.c - G5: modules refuse to go while in use, and go when not
 *
 * Outside the variants, and last: these tests take the device away. Where the
 * modules lie is MY_MMU_MODULES, or /vm/modules; they are loaded in the order
 * of their file names.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "race.h"

#define N	32

/* As they depend on each other: users first. */
static const char *const modules[] = {
	"my_mmu_spinlock", "my_mmu_split_ptl", "my_mmu_rcu_list",
	"my_mmu_driver", "mmu_rmap",
};

#define VARIANTS	3
#define MODULES		5

static int unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

/* The last reference may be a grace period away from its end. */
static int unload_patiently(const char *name)
{
	int ms, ret;

	for (ms = 0; ms < 3000; ms += 10) {
		ret = unload(name);
		if (ret != -EAGAIN)
			return ret;
		sleep_ms(10);
	}
	return ret;
}

static void unload_all(void)
{
	int i;

	for (i = 0; i < MODULES; i++)
		ASSERT_EQ(unload_patiently(modules[i]), 0, "unload %s",
			  modules[i]);
}

static void find_modules(glob_t *files)
{
	const char *dir = getenv("MY_MMU_MODULES");
	char pattern[256];

	snprintf(pattern, sizeof(pattern), "%s/*.ko", dir ?: "/vm/modules");
	if (glob(pattern, 0, NULL, files) || files->gl_pathc < MODULES)
		skip("the modules are not in %s", pattern);
}

static void load(const char *path)
{
	int fd = open(path, O_RDONLY);

	ASSERT_GE(fd, 0, "open %s", path);
	ASSERT_EQ(syscall(SYS_finit_module, fd, "", 0) ? -errno : 0, 0,
		  "load %s", path);
	close(fd);
}

static void load_all(const glob_t *files)
{
	size_t i;

	for (i = 0; i < files->gl_pathc; i++)
		load(files->gl_pathv[i]);
}

static void load_one(const glob_t *files, const char *module)
{
	size_t i;

	for (i = 0; i < files->gl_pathc; i++)
		if (strstr(files->gl_pathv[i], module))
			load(files->gl_pathv[i]);
}

static void use_all(void)
{
	char *p = map_private(N);
	int i, fd;

	for (i = 0; mmu_variants[i]; i++) {
		fd = mmu_open_attached(mmu_variants[i], 0);
		ASSERT_GE(fd, 0, "%s works", mmu_variants[i]);
		device_stamp(fd, p, N, i + 1);
		cpu_sees(p, N, i + 1);
		verify(fd, p, N);
		close(fd);
	}
}

TEST_ONCE("modules", g5_modules_in_use_stay, 20)
{
	char *p = map_private(N);
	int fd, i;

	for (i = 0; i < VARIANTS; i++) {
		fd = mmu_open_attached(mmu_variants[i], 0);
		ASSERT_GE(fd, 0, "attach to %s", mmu_variants[i]);
		populate(fd, p, N, WRITE);
		EXPECT_EQ(unload(modules[i]), -EAGAIN, "%s is in use",
			  modules[i]);
		EXPECT_EQ(unload("my_mmu_driver"), -EAGAIN, "the driver, too");
		EXPECT_EQ(unload("mmu_rmap"), -EAGAIN, "and what it uses");
		device_stamp(fd, p, N, i + 1);
		cpu_sees(p, N, i + 1);
		close(fd);
	}
}

TEST_ONCE("modules", g5_open_handle_holds_the_driver, 20)
{
	struct my_mmu_stats stats;
	glob_t files;
	int fd, i;

	find_modules(&files);
	fd = mmu_open();
	ASSERT_GE(fd, 0, "a handle");
	for (i = 0; i < VARIANTS; i++)
		ASSERT_EQ(unload_patiently(modules[i]), 0, "unload %s",
			  modules[i]);
	EXPECT_EQ(unload("my_mmu_driver"), -EAGAIN, "the handle is open");
	EXPECT_EQ(mmu_attach(fd, "spinlock"), -ENODEV, "no variant is left");
	EXPECT_EQ(mmu_stats(fd, &stats), 0, "but the driver answers");
	close(fd);
	ASSERT_EQ(unload_patiently("my_mmu_driver"), 0, "unload the driver");
	ASSERT_EQ(unload_patiently("mmu_rmap"), 0, "and the chain");
	EXPECT_EQ(mmu_open(), -ENOENT, "the device node is gone");
	load_all(&files);
	use_all();
}

/* Unload at once when the last user goes: callbacks are still on their way. */
TEST_ONCE("modules", g5_unload_behind_the_last_user, 60)
{
	glob_t files;
	int round, i;
	pid_t pid;

	find_modules(&files);
	for (round = 0; round < 3; round++) {
		pid = spawn();
		if (!pid) {
			char *p = map_private(N);

			for (i = 0; mmu_variants[i]; i++)
				populate(mmu_open_attached(mmu_variants[i], 0),
					 p, N, WRITE);
			_exit(0);
		}
		join(pid);
		unload_all();
		load_all(&files);
	}
	use_all();
}

/* The hook is taken out while the kernel runs through it. */
TEST_ONCE("modules", g5_unload_under_reclaim, 60)
{
	glob_t files;
	int round;
	pid_t pid;

	find_modules(&files);
	if (!have_swap())
		skip("no swap");
	pid = spawn();
	if (!pid) {
		char *p = map_private(256);

		for (round = 0; ; round++) {
			cpu_stamp(p, 256, round);
			madvise(p, 256 * MMU_PAGE, MADV_PAGEOUT);
			cpu_sees(p, 256, round);
		}
	}
	for (round = 0; round < 2; round++) {
		unload_all();
		load_all(&files);
	}
	kill_and_reap(pid);
	use_all();
}

/* --- held up at a test point ---------------------------------------------- */

static int do_unload(struct call *c)
{
	return unload(c->p);
}

static pid_t mirror_until_told(const char *variant, char *p, struct gate *ready,
			       struct gate *go)
{
	pid_t pid = spawn();

	if (!pid) {
		populate(mmu_open_attached(variant, 0), p, 1, WRITE);
		pass(ready);
		wait_at(go);
		_exit(0);
	}
	wait_at(ready);
	return pid;
}

/*
 *	walker				exit, rmmod
 *
 *	finds m on the list
 *					the last user goes
 *					unload the variant
 *	uses m, in the variant's code
 *
 * Forbidden in two variants since the exit waits for the walker, and the
 * module has a user until then; in rcu-list, where it does not, by "unloading
 * waits until the last m is freed, and that waits for the walker".
 */
static void unload_under_a_walk(int nr, const glob_t *files)
{
	struct call e = { .fn = do_evict }, u = { .fn = do_unload };
	char *p = map_shared(1);
	struct gate ready, go;
	pid_t pid;

	gate_init(&ready);
	gate_init(&go);
	pid = mirror_until_told(mmu_variants[nr], p, &ready, &go);
	cpu_stamp(p, 1, 1);
	e.fd = mmu_open();
	e.p = p;
	u.p = (char *)modules[nr];
	call_to(&e, "rmap_walk");
	pass(&go);
	if (nr == VARIANTS - 1) {
		join(pid);
		call_start(&u);
		call_wait_in(&u, "my_mmu_unregister_variant");
	} else {
		task_wait_in(pid, "my_mmu_release");
		EXPECT_EQ(unload(modules[nr]), -EAGAIN, "%s is in use",
			  modules[nr]);
	}
	tp_release("rmap_walk");
	EXPECT_EQ(call_wait(&e), 1, "evict");
	if (nr == VARIANTS - 1) {
		EXPECT_EQ(call_wait(&u), 0, "unload %s", modules[nr]);
	} else {
		join(pid);
		EXPECT_EQ(unload_patiently(modules[nr]), 0, "unload %s",
			  modules[nr]);
	}
	close(e.fd);
	load_one(files, modules[nr]);
}

TEST_ONCE("modules", g5_race_unload_under_a_walk, 30)
{
	glob_t files;
	int i;

	find_modules(&files);
	race_begin(2);
	for (i = 0; i < VARIANTS; i++)
		unload_under_a_walk(i, &files);
	use_all();
}

/*
 *	reclaim				rmmod mmu_rmap
 *
 *	is in the hook's replacement
 *					unhooks the VM's functions
 *					frees the code
 *	runs it
 *
 * Forbidden by "unloading waits for the calls that were counted, then for the
 * tasks between the count and the return". Nothing can be told to the point
 * while its module goes: the call is held up for a given time, and unloading
 * must take as long. (Sleeps end early where a guest's ticks lag and catch up.)
 */
#define HELD_MS	4000

TEST_ONCE("modules", g5_race_unload_under_a_hooked_call, 30)
{
	struct gate go;
	double start;
	glob_t files;
	char *p;
	int fd, i;
	pid_t pid;

	find_modules(&files);
	tp_need();
	if (!have_swap())
		skip("no swap");
	fd = mmu_open();
	if (!stats_of(fd).rmap_hook_active)
		skip("the VM does not feed the rmap chain here");
	close(fd);
	gate_init(&go);
	pid = spawn();
	if (!pid) {
		p = map_private(N);
		cpu_stamp(p, N, 1);
		wait_at(&go);
		madvise(p, N * MMU_PAGE, MADV_PAGEOUT);
		cpu_sees(p, N, 1);
		_exit(0);
	}
	for (i = 0; i < MODULES - 1; i++)
		ASSERT_EQ(unload_patiently(modules[i]), 0, "unload %s",
			  modules[i]);
	tp_tell("hook_done", "park ms %d task %d", HELD_MS, pid);
	pass(&go);
	tp_wait_arrivals("hook_done", 1);
	start = seconds();
	EXPECT_EQ(tp_parked("hook_done"), 1, "the call is held up");
	ASSERT_EQ(unload_patiently("mmu_rmap"), 0, "unload the chain");
	EXPECT_GE((long)((seconds() - start) * 1000), HELD_MS * 3 / 4,
		  "and the chain's module has waited for it");
	join(pid);
	load_all(&files);
	use_all();
}
