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

#include "faults.h"
#include "race.h"

#define N	32
#define GOOD_LOADS	8
#define FTRACE_ENABLED	"/proc/sys/kernel/ftrace_enabled"
#define DEBUGFS		"/sys/kernel/debug/my_mmu"
#define KPROBE_EVENTS	"/sys/kernel/tracing/kprobe_events"

/* As they depend on each other: users first. */
static const char *const modules[] = {
	"my_mmu_spinlock", "my_mmu_split_ptl", "my_mmu_rcu_list",
	"my_mmu_interval", "my_mmu_driver", "mmu_rmap",
};

#define VARIANTS	4
#define MODULES		6

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

static int try_load(const char *path, const char *arguments)
{
	int fd = open(path, O_RDONLY), ret;

	ASSERT_GE(fd, 0, "open %s", path);
	ret = syscall(SYS_finit_module, fd, arguments, 0) ? -errno : 0;
	close(fd);
	return ret;
}

static void load(const char *path)
{
	ASSERT_EQ(try_load(path, ""), 0, "load %s", path);
}

static void load_all(const glob_t *files)
{
	size_t i;

	for (i = 0; i < files->gl_pathc; i++)
		load(files->gl_pathv[i]);
}

static const char *path_of(const glob_t *files, const char *module)
{
	size_t i;

	for (i = 0; i < files->gl_pathc; i++)
		if (strstr(files->gl_pathv[i], module))
			return files->gl_pathv[i];
	skip("there is no file of %s", module);
}

static void load_one(const glob_t *files, const char *module)
{
	load(path_of(files, module));
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

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

/* Who opens a file that was left behind runs code that is gone. */
TEST_ONCE("modules", g5_unload_takes_the_files_along, 20)
{
	glob_t files;
	int i;

	find_modules(&files);
	if (!exists(DEBUGFS))
		skip("debugfs is not mounted");
	EXPECT_EQ(exists(DEBUGFS "/stats"), true, "a file of the driver");
	EXPECT_EQ(exists(DEBUGFS "/variants"), true, "another");
	for (i = 0; i < MODULES - 1; i++)
		ASSERT_EQ(unload_patiently(modules[i]), 0, "unload %s",
			  modules[i]);
	EXPECT_EQ(exists(DEBUGFS "/stats"), false, "gone with the driver");
	EXPECT_EQ(exists(DEBUGFS "/variants"), false, "likewise");
	EXPECT_EQ(exists(DEBUGFS), true, "the chain has the folder");
	ASSERT_EQ(unload_patiently("mmu_rmap"), 0, "unload the chain");
	EXPECT_EQ(exists(DEBUGFS), false, "gone with the chain");
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

/* --- loading that fails --------------------------------------------------- */

/* The same module, called otherwise; what it registers keeps its name. */
static int load_renamed(const char *path, const char *name)
{
	int fd = open(path, O_RDONLY), ret;
	size_t size = lseek(fd, 0, SEEK_END), len = strlen(name);
	char *image, *at;

	image = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	ASSERT_NE(image, MAP_FAILED, "map %s", path);
	for (at = image; (at = memmem(at, image + size - at, name, len)); at++)
		at[len - 1] ^= 1;
	ret = syscall(SYS_init_module, image, size, "") ? -errno : 0;
	munmap(image, size);
	close(fd);
	return ret;
}

/* The counters of the driver, not those of the chain, which the VM moves. */
TEST_ONCE("modules", stats_begin_at_zero, 20)
{
	struct my_mmu_stats s, zero = { .mmus = 0 };
	glob_t files;
	int fd;

	find_modules(&files);
	unload_all();
	load_all(&files);
	fd = mmu_open();
	ASSERT_GE(fd, 0, "open");
	s = stats_of(fd);
	close(fd);
	s.rmap_hooked = 0;
	s.rmap_walks = 0;
	s.rmap_filtered = 0;
	s.rmap_hook_active = 0;
	EXPECT_EQ(memcmp(&s, &zero, sizeof(s)), 0, "all of them");
}

/*
 * Two modules of one variant: the second must not be there half, its notifier
 * on the chain, say, which has no code any more. Walk the chain.
 */
TEST_ONCE("modules", g5_one_variant_of_a_name, 20)
{
	char *p = map_private(N);
	glob_t files;
	int fd, i;

	find_modules(&files);
	for (i = 0; i < VARIANTS; i++)
		EXPECT_EQ(load_renamed(path_of(&files, modules[i]), modules[i]),
			  -EBUSY, "%s has registered its name", modules[i]);
	fd = mmu_open_attached("spinlock", 0);
	populate(fd, p, N, WRITE);
	EXPECT_EQ(mmu_evict(fd, p), 1, "the chain runs");
	EXPECT_EQ(mmu_entry(fd, p), 0, "through the first module");
	close(fd);
	use_all();
}

/* The chain is fed by hand only: reclaim is left to the range notifier. */
TEST_ONCE("modules", g4_load_without_hook, 60)
{
	char *p = map_private(N);
	glob_t files;
	int fd, i;

	find_modules(&files);
	unload_all();
	ASSERT_EQ(try_load(path_of(&files, "mmu_rmap"), "hook=0"), 0, "load");
	for (i = MODULES - 2; i >= 0; i--)
		load_one(&files, modules[i]);
	for (i = 0; mmu_variants[i]; i++) {
		fd = mmu_open_attached(mmu_variants[i],
				       MY_MMU_ATTACH_RMAP_ONLY);
		EXPECT_EQ(stats_of(fd).rmap_hook_active, 0, "no hook");
		cpu_stamp(p, N, i + 1);
		populate(fd, p, N, WRITE);
		madvise(p, N * MMU_PAGE, MADV_PAGEOUT);
		EXPECT_EQ(present(fd, p, N), N - count_swapped(p, N),
			  "what is swapped out has no entry");
		device_sees(fd, p, N, i + 1);
		populate(fd, p, N, WRITE);
		EXPECT_EQ(mmu_evict(fd, p), 1, "by hand the chain runs");
		EXPECT_EQ(mmu_entry(fd, p), 0, "and zaps");
		verify(fd, p, N);
		close(fd);
	}
	unload_all();
	load_all(&files);
	use_all();
}

/* Each of three hooks can be refused: nothing is left of those before it. */
TEST_ONCE("modules", g5_load_without_ftrace, 30)
{
	glob_t files;
	int ret;

	find_modules(&files);
	unload_all();
	if (write_file(FTRACE_ENABLED, "0")) {
		load_all(&files);
		skip("ftrace cannot be switched off here");
	}
	ret = try_load(path_of(&files, "mmu_rmap"), "");
	write_file(FTRACE_ENABLED, "1");
	EXPECT_EQ(ret, -EBUSY, "there is nothing to hook into");
	EXPECT_EQ(unload("mmu_rmap"), -ENOENT, "the module is not there");
	load_all(&files);
	use_all();
}

/*
 * Counts only what the module's own init asks for, not what the loader does. A
 * module that loads all the same so often in a row is making files in debugfs,
 * and goes without those that cannot be made.
 */
static unsigned int fail_load_once(const char *path, const char *name)
{
	unsigned int n = 0, failed = 0, good = 0;
	bool more;
	int ret;

	faults_inside("do_one_initcall");
	do {
		fault_at(++n);
		ret = try_load(path, "");
		more = fault_end();
		if (ret) {
			good = 0;
			failed++;
			EXPECT_EQ(more, true, "load %s: %s", name,
				  strerror(-ret));
			EXPECT_EQ(unload(name), -ENOENT, "it is not there");
		} else {
			good++;
			ASSERT_EQ(unload_patiently(name), 0, "unload %s", name);
		}
	} while (more && good < GOOD_LOADS);
	faults_inside(NULL);
	note("%s: %u of %u failures made loading fail", name, failed, n);
	return failed;
}

/* As fail_each() in t-faults.c: not each chance has its turn at once. */
static void fail_each_load(const char *path, const char *name,
			   unsigned int at_least, const char *chances)
{
	unsigned int failed, tries = 0;

	do {
		failed = fail_load_once(path, name);
	} while (failed < at_least && ++tries < FAIL_TRIES);
	EXPECT_GE(failed, at_least, "failures of %s: %s", name, chances);
}

/*
 * Somebody else has a probe at a function that is to be found, so that finding
 * it needs memory, too.
 */
TEST_ONCE("modules", g5_fault_loading, 120)
{
	glob_t files;

	find_modules(&files);
	faults_need();
	unload_all();
	EXPECT_EQ(write_file(KPROBE_EVENTS, "p:my_mmu_other folio_mkclean"), 0,
		  "a probe");
	fail_each_load(path_of(&files, "mmu_rmap"), "mmu_rmap", 3,
		       "the filter, a probe, a hook");
	load_one(&files, "mmu_rmap");
	fail_each_load(path_of(&files, "my_mmu_driver"), "my_mmu_driver", 1,
		       "the device");
	ASSERT_EQ(unload_patiently("mmu_rmap"), 0, "unload the chain");
	EXPECT_EQ(write_file(KPROBE_EVENTS, "-:my_mmu_other"), 0, "no probe");
	load_all(&files);
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
 * Forbidden in most variants since the exit waits for the walker, and the
 * module has a user until then; in rcu-list, where it does not, by "unloading
 * waits until the last m is freed, and that waits for the walker".
 */
static void unload_under_a_walk(int nr, const glob_t *files)
{
	bool exit_waits = !can(mmu_variants[nr], LIST_NEVER_BLOCKS);
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
	if (!exit_waits) {
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
	if (!exit_waits) {
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
