// SPDX-License-Identifier: GPL-2.0
/*
 * op-world.c - processes come and go, root reads and writes what is there
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fuzz.h"

#define DEBUGFS		"/sys/kernel/debug/my_mmu/"

/* --- fork, exec, exit, kill ----------------------------------------------- */

void draw_fork(struct draw *d, struct call *c)
{
	c->arg[0] = draw_below(d, d->procs);
}

/* A process that was there in a parallel round is never made again. */
static bool claim(struct process *p)
{
	if (world->seq.serial)
		return !p->alive;
	return !__atomic_exchange_n(&p->alive, true, __ATOMIC_SEQ_CST);
}

void run_fork(struct self *me, const struct call *c)
{
	unsigned int child = c->arg[0] % PROCS;
	pid_t pid;

	if (!claim(&world->proc[child]))
		return;
	if (world->seq.serial)
		process_forked(me, child);
	world->proc[child].pid = 0;
	pid = fork();
	if (!pid)
		start_process(child);
	/* The child says so itself, too: neither must come first. */
	if (pid > 0)
		world->proc[child].pid = pid;
	if (pid < 0 && !world->storm && !me->injected)
		fail(me, "fork: %s", strerror(errno));
}

void draw_exec(struct draw *d, struct call *c)
{
	(void)d;
	(void)c;
}

void run_exec(struct self *me, const struct call *c)
{
	char number[4];

	(void)c;
	snprintf(number, sizeof(number), "%u", me->proc);
	execl("/proc/self/exe", "mmu-fuzz", "--resume", number, NULL);
	if (!world->storm && !me->injected && errno != ENOMEM)
		fail(me, "exec: %s", strerror(errno));
}

void draw_exit(struct draw *d, struct call *c)
{
	(void)d;
	(void)c;
}

/* The turn passes on when the process has gone: the supervisor sees to it. */
void run_exit(struct self *me, const struct call *c)
{
	(void)c;
	if (world->seq.serial) {
		process_gone(me->proc);
		exit_in_turn(me);
	}
	_exit(0);
}

void draw_kill(struct draw *d, struct call *c)
{
	c->arg[0] = draw_below(d, d->procs);
}

void run_kill(struct self *me, const struct call *c)
{
	struct process *p = &world->proc[c->arg[0] % PROCS];
	pid_t pid = __atomic_load_n(&p->pid, __ATOMIC_SEQ_CST);

	if (!p->alive || !pid)
		return;
	if (p == me->p) {
		run_exit(me, c);
		return;
	}
	kill(pid, SIGKILL);
	if (!world->seq.serial)
		return;
	wait_gone(pid);
	process_gone(p - world->proc);
}

void draw_drop_caps(struct draw *d, struct call *c)
{
	(void)d;
	(void)c;
}

void run_drop_caps(struct self *me, const struct call *c)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[2] = { 0 };

	(void)c;
	if (!syscall(SYS_capset, &head, none))
		me->actor->no_caps = true;
	else if (!world->storm)
		fail(me, "capset: %s", strerror(errno));
}

/* --- debugfs and sysfs ---------------------------------------------------- */

long quick_write(const char *path, const char *text)
{
	long ret;
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ret = write(fd, text, strlen(text));
	ret = ret < 0 ? -errno : ret;
	close(fd);
	return ret;
}

static long quick_read(const char *path, char *buf, size_t size)
{
	long n, got = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf + got, size - 1 - got)) > 0)
		got += n;
	n = n < 0 ? -errno : got;
	buf[got] = '\0';
	close(fd);
	return n;
}

static const struct {
	const char *path, *has;
} files[] = {
	{ DEBUGFS "stats", "rmap_hook_active" },
	{ DEBUGFS "variants", "spinlock" },
	{ DEBUGFS "testpoint/populate_lookup", "arrivals" },
	{ "/sys/module/mmu_rmap/parameters/hook", "\n" },
};

void draw_debugfs(struct draw *d, struct call *c)
{
	c->arg[0] = draw_below(d, sizeof(files) / sizeof(*files));
}

void run_debugfs(struct self *me, const struct call *c)
{
	unsigned int i = c->arg[0] % (sizeof(files) / sizeof(*files));
	char buf[2048];
	long n;

	if (me->actor->no_caps)
		return;
	n = quick_read(files[i].path, buf, sizeof(buf));
	if (n < 0 && world->storm)
		return;
	if (n < 0)
		fail(me, "%s: %s", files[i].path, strerror(-n));
	if (!strstr(buf, files[i].has))
		fail(me, "%s does not say %s", files[i].path, files[i].has);
}

void draw_parameter(struct draw *d, struct call *c)
{
	c->arg[0] = draw_below(d, 2);
}

/* The hook is chosen when the module is loaded: the file is for reading. */
void run_parameter(struct self *me, const struct call *c)
{
	struct legal l = { 0 };

	must_be(&l, EACCES);
	judge(me, c, quick_write("/sys/module/mmu_rmap/parameters/hook",
				 c->arg[0] ? "1" : "0"), &l);
}

/* --- test points ---------------------------------------------------------- */

static const char *const points[] = {
	"table_create", "populate_lookup",
	/* from here on: only parked at, and only in a parallel round */
	"populate_pinned", "start_counted", "start_zapped", "release_dead",
	"release_unlisted", "attach_found", "rmap_walk", "rmap_zapped",
};

#define POINTS (sizeof(points) / sizeof(*points))

static long tell_point(const char *name, const char *command)
{
	char path[128];

	snprintf(path, sizeof(path), DEBUGFS "testpoint/%s", name);
	return quick_write(path, command);
}

/*
 * To switch the first on or the last off means to patch the kernel, and that
 * takes longer than a hundred calls: one that nothing else uses stays on.
 */
void points_on(bool on)
{
	tell_point("end", on ? "count" : "off");
}

void release_points(void)
{
	unsigned int used = __atomic_load_n(&world->points, __ATOMIC_SEQ_CST);
	size_t i;

	for (i = 0; i < POINTS; i++)
		if (used & 1u << i)
			tell_point(points[i], "off");
}

static const struct {
	const char *text;
	bool good;
	unsigned int fails;
} commands[] = {
	{ "off", true, 0 }, { "off\n", true, 0 }, { "count", true, 0 },
	{ "fail 1", true, 1 }, { "fail 2", true, 2 }, { "fail 5", true, 5 },
	{ "fail 1200", true, 1200 },
	{ "fail", true, 1 }, { "fail x", false, 0 }, { "", false, 0 },
	{ "bogus", false, 0 }, { "release", true, 0 },
	{ "count 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9 10 11",
	  false, 0 },	/* longer than a command may be */
	{ "park", true, 0 },
};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

void draw_point(struct draw *d, struct call *c)
{
	if (!d->serial && chance(d, 60)) {
		c->arg[0] = draw_below(d, POINTS);
		c->arg[1] = COMMANDS - 1;
		return;
	}
	c->arg[0] = draw_below(d, 2);
	c->arg[1] = draw_below(d, COMMANDS - 1);
}

/* What may fail from now on; nothing more, once it is off for certain. */
static void armed(unsigned int point, unsigned int command)
{
	unsigned int *n = point ? &world->fail_lookup : &world->fail_create;

	if (point >= 2)
		return;
	if (commands[command].fails)
		*n = commands[command].fails;
	else if (!strncmp(commands[command].text, "off", 3) &&
		 world->seq.serial)
		*n = 0;
}

void run_point(struct self *me, const struct call *c)
{
	unsigned int point = c->arg[0] % POINTS;
	unsigned int command = c->arg[1] % COMMANDS;
	struct legal l = { .success = true };
	long ret;

	/* Modules may be built without points */
	if (me->actor->no_caps || access(DEBUGFS "testpoint", F_OK))
		return;
	if (!commands[command].good)
		must_be(&l, EINVAL);
	else
		armed(point, command);
	__atomic_or_fetch(&world->points, 1u << point, __ATOMIC_SEQ_CST);
	ret = tell_point(points[point], commands[command].text);
	judge(me, c, ret < 0 ? ret : 0, &l);
}

/* --- allocations of this thread fail at random ---------------------------- */

void draw_storm(struct draw *d, struct call *c)
{
	c->arg[0] = chance(d, 50);
}

void run_storm(struct self *me, const struct call *c)
{
	if (!limits.faults || world->seq.serial || me->actor->no_caps)
		return;
	world->storm = true;
	quick_write("/proc/thread-self/make-it-fail", c->arg[0] ? "1" : "0");
}
