// SPDX-License-Identifier: GPL-2.0
/*
 * mirror.c - an external MMU for a program that knows nothing of it
 *
 * Loaded into a program (LD_PRELOAD), this starts a helper that shares the
 * program's address space, and only that: it is a process of its own
 * (CLONE_VM without CLONE_THREAD), with its own descriptors, signals and
 * session. So it can attach a device to the address space (a process mirrors
 * its own memory only), and the program can close all descriptors, count its
 * threads, wait for its children and end as if it were alone:
 *
 *	program ends	SIGKILL reaches the helper (PR_SET_PDEATHSIG)
 *	program execs	the helper sees that it shares nothing any more; the
 *			new program loads this library again
 *	program forks	a handler in the child starts a helper for the child
 *	vfork, spawn	the child runs in the memory that is mirrored already
 *
 * There are two kinds. The eager one populates for writing what may be written,
 * reads through the device, and now and then brings in a page that is not
 * there: it tests the device, and a program that looks at itself sees it. The
 * gentle one enters what is there, to be read. tests/README.md says what a
 * program can see of it all the same.
 *
 * The helper has no thread-local storage of its own: %fs is the program's.
 * It therefore calls nothing of libc, and makes its system calls by itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mirror.h"
#include "my_mmu_uapi.h"

#define PAGE		4096ul
#define CHUNK		512	/* pages looked at together */
#define CHUNKS_MOST	64	/* of one mapping in one pass */
#define STACK		(128ul << 10)
#define SMALL_BATCH	16	/* pages held at a time, so briefly */
#define PAUSE_NS	2000000	/* between passes */
#define ATTACH_TRIES	100
#define SECOND_NS	1000000000ul
#define AUDITS		20	/* a second, in slow passes */

#define PM_PRESENT	(1ull << 63)

static struct mirror_stats *stats;
static char *stack;		/* the helper's; a child has its own copy */
static struct my_mmu_attach how;
static bool gentle;
static unsigned long pace;	/* pages per second; 0: as fast as it goes */

/* --- system calls --------------------------------------------------------- */

static long call(long nr, long a, long b, long c, long d, long e)
{
	register long r10 asm("r10") = d;
	register long r8 asm("r8") = e;
	long ret;

	asm volatile("syscall"
		     : "=a"(ret)
		     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
		     : "rcx", "r11", "memory");
	return ret;
}

static long ask(int fd, unsigned long request, void *arg)
{
	return call(SYS_ioctl, fd, request, (long)arg, 0, 0);
}

static int open_file(const char *path, int flags)
{
	return call(SYS_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC, 0, 0);
}

static void sleep_ns(unsigned long ns)
{
	struct timespec t = {
		.tv_sec = ns / SECOND_NS, .tv_nsec = ns % SECOND_NS
	};

	call(SYS_nanosleep, (long)&t, 0, 0, 0, 0);
}

static void add(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* --- one mapping ---------------------------------------------------------- */

struct mapping {
	unsigned long start;
	unsigned long end;
	bool readable;
	bool writable;
	bool shared;
};

struct helper {
	int device;
	int pagemap;
	uint64_t random;
	unsigned long unaudited;	/* pages since the last audit */
	uint64_t entry[CHUNK];	/* of pagemap */
	char buf[4096];		/* of maps */
};

static unsigned int dice(struct helper *h, unsigned int n)
{
	h->random ^= h->random << 13;
	h->random ^= h->random >> 7;
	h->random ^= h->random << 17;
	return (h->random >> 32) % n;
}

static unsigned int batch(struct helper *h)
{
	return gentle || dice(h, 2) ? SMALL_BATCH : 0;
}

static unsigned int populate_flags(bool write)
{
	if (gentle)
		return MY_MMU_POPULATE_NOFAULT;
	return write ? MY_MMU_POPULATE_WRITE : 0;
}

static void keep_pace(struct helper *h, unsigned long pages)
{
	h->unaudited += pages;
	if (pace)
		sleep_ns(pages * SECOND_NS / pace);
}

/* What the device may not reach is passed over, page by page. */
static void populate(struct helper *h, unsigned long start, unsigned long end,
		     bool write)
{
	struct my_mmu_populate p;
	long ret;

	while (start < end) {
		p = (struct my_mmu_populate) {
			.addr = start,
			.len = end - start,
			.flags = populate_flags(write),
			.batch = batch(h),
		};
		ret = ask(h->device, MY_MMU_POPULATE, &p);
		add(&stats->populated, p.populated);
		add(&stats->retries, p.retries);
		keep_pace(h, p.populated + !!ret);
		start += (p.populated + 1) * PAGE;
		if (!ret)
			return;
		if (ret == -EFAULT) {
			add(&stats->denied, 1);
		} else if (ret == -EAGAIN) {
			add(&stats->busy, 1);
		} else {
			add(&stats->errors, 1);
			stats->last_error = ret;
			return;
		}
	}
}

static void read_some(struct helper *h, unsigned long address)
{
	char buf[64];
	struct my_mmu_access a = {
		.addr = address,
		.buf = (unsigned long)buf,
		.len = sizeof(buf),
	};

	if (!ask(h->device, MY_MMU_READ, &a))
		add(&stats->reads, 1);
}

/*
 * A page that is not there would be made by looking at it. Where this costs
 * memory that the program does not expect to use, it is left alone.
 */
static bool may_fault(struct helper *h, const struct mapping *m)
{
	return !gentle && !m->shared && !dice(h, 64);
}

static void visit_chunk(struct helper *h, const struct mapping *m,
			unsigned long start, unsigned long end)
{
	long n = call(SYS_pread64, h->pagemap, (long)h->entry,
		      (end - start) / PAGE * 8, start / PAGE * 8, 0) / 8;
	bool write = m->writable && dice(h, 2);
	long i = 0, first;

	while (i < n) {
		if (!(h->entry[i] & PM_PRESENT)) {
			if (may_fault(h, m))
				populate(h, start + i * PAGE,
					 start + (i + 1) * PAGE, false);
			i++;
			continue;
		}
		first = i;
		while (i < n && h->entry[i] & PM_PRESENT)
			i++;
		populate(h, start + first * PAGE, start + i * PAGE, write);
		if (!gentle && !dice(h, 4))
			read_some(h, start + first * PAGE);
	}
}

static void audit(struct helper *h)
{
	struct my_mmu_verify v = { 0 };
	uint64_t none = 0;
	long ret = ask(h->device, MY_MMU_VERIFY, &v);

	h->unaudited = 0;
	if (ret) {
		add(&stats->errors, 1);
		stats->last_error = ret;
		return;
	}
	add(&stats->audits, 1);
	add(&stats->right, v.right);
	add(&stats->unsettled, v.unsettled);
	add(&stats->stale, v.stale);
	add(&stats->over_permissive, v.over_permissive);
	if (v.stale + v.over_permissive &&
	    __atomic_compare_exchange_n(&stats->bad_address, &none,
					v.first_bad, false, __ATOMIC_RELAXED,
					__ATOMIC_RELAXED))
		stats->bad_pid = call(SYS_getppid, 0, 0, 0, 0, 0);
}

/* Of a program that is over before a slow pass is, something was audited. */
static void audit_if_due(struct helper *h)
{
	if (pace && h->unaudited > pace / AUDITS)
		audit(h);
}

/* Of a mapping that is too large for one pass, as much from somewhere. */
static void visit(struct helper *h, const struct mapping *m)
{
	unsigned long chunks = (m->end - m->start) / (CHUNK * PAGE);
	unsigned long start = m->start, end = m->end, next;

	if (!m->readable)
		return;
	if (chunks > CHUNKS_MOST) {
		start += dice(h, chunks - CHUNKS_MOST) * CHUNK * PAGE;
		end = start + CHUNKS_MOST * CHUNK * PAGE;
	}
	for (; start < end; start = next) {
		next = (start / (CHUNK * PAGE) + 1) * CHUNK * PAGE;
		if (next > end)
			next = end;
		visit_chunk(h, m, start, next);
		audit_if_due(h);
	}
}

/* --- all mappings --------------------------------------------------------- */

static const char *parse_hex(const char *p, unsigned long *value)
{
	unsigned int digit;

	for (*value = 0;; p++) {
		if (*p >= '0' && *p <= '9')
			digit = *p - '0';
		else if (*p >= 'a' && *p <= 'f')
			digit = *p - 'a' + 10;
		else
			return p;
		*value = *value << 4 | digit;
	}
}

/* "start-end rwxp ..." */
static void parse_line(const char *p, struct mapping *m)
{
	p = parse_hex(p, &m->start) + 1;
	p = parse_hex(p, &m->end) + 1;
	m->readable = p[0] == 'r';
	m->writable = p[1] == 'w';
	m->shared = p[3] == 's';
}

/* Each read() of maps gives whole lines. */
static void visit_all(struct helper *h)
{
	int maps = open_file("/proc/self/maps", O_RDONLY);
	struct mapping m;
	long n, i, line;

	if (maps < 0)
		return;
	while ((n = call(SYS_read, maps, (long)h->buf, sizeof(h->buf), 0,
			 0)) > 0) {
		for (i = line = 0; i < n; i++) {
			if (h->buf[i] != '\n')
				continue;
			parse_line(h->buf + line, &m);
			line = i + 1;
			visit(h, &m);
		}
	}
	call(SYS_close, maps, 0, 0, 0, 0);
}

/* --- the helper ----------------------------------------------------------- */

static void count_refusal(long error)
{
	stats->refused_error = error;
	add(&stats->refused, 1);
}

/* 0: they are the same; > 0: others; or -errno */
static long compare_memory_with_parent(void)
{
	return call(SYS_kcmp, call(SYS_getppid, 0, 0, 0, 0, 0),
		    call(SYS_getpid, 0, 0, 0, 0, 0), KCMP_VM, 0, 0);
}

/* After exec, the program has another address space and this one nobody. */
static bool shares_memory_with_parent(void)
{
	return !compare_memory_with_parent();
}

static bool may_mirror(void)
{
	long ret = compare_memory_with_parent();

	if (ret == -ENOSYS)
		add(&stats->no_kcmp, 1);
	else if (ret < 0 && ret != -ESRCH)
		count_refusal(ret);
	return !ret;
}

static void leave_the_program(void)
{
	call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	call(SYS_setsid, 0, 0, 0, 0, 0);
	/* Copies of the program's; its pipes must end when it closes them. */
	call(SYS_close_range, 0, ~0u, 0, 0, 0);
	call(SYS_prctl, PR_SET_NAME, (long)"mirror", 0, 0, 0);
}

/*
 * The helper is born with all signals blocked, and never lets one in: attaching
 * fails as long as any is pending. A stop cannot be blocked: try again.
 */
static long attach(struct helper *h)
{
	int tries = 0;
	long ret;

	h->device = open_file(MY_MMU_DEVICE_PATH, O_RDWR);
	if (h->device < 0)
		return h->device;
	h->pagemap = open_file("/proc/self/pagemap", O_RDONLY);
	if (h->pagemap < 0)
		return h->pagemap;
	do {
		ret = ask(h->device, MY_MMU_ATTACH, &how);
	} while (ret == -EINTR && ++tries < ATTACH_TRIES);
	return ret;
}

static bool mirrors(struct helper *h)
{
	long ret = attach(h);

	if (ret)
		count_refusal(ret);
	else
		add(&stats->mirrored, 1);
	return !ret;
}

static void helper(void)
{
	struct helper h;

	leave_the_program();
	if (may_mirror() && mirrors(&h)) {
		h.unaudited = 0;
		h.random = call(SYS_getpid, 0, 0, 0, 0, 0) * 0x9e3779b97f4a7c15;
		do {
			visit_all(&h);
			audit(&h);
			add(&stats->passes, 1);
			sleep_ns(PAUSE_NS);
		} while (shares_memory_with_parent());
	}
	call(SYS_exit_group, 0, 0, 0, 0, 0);
}

/* --- in the program ------------------------------------------------------- */

/* The new process begins on @top, as if helper() had been called there. */
static long clone_to(char *top)
{
	register long r10 asm("r10") = 0;
	register long r8 asm("r8") = 0;
	register long fn asm("r12") = (long)helper;
	long clone_flags = CLONE_VM, ret;

	/* No exit signal: for wait() the program has no such child. */
	asm volatile("syscall\n\t"
		     "test %%rax, %%rax\n\t"
		     "jnz 1f\n\t"
		     "xor %%ebp, %%ebp\n\t"
		     "call *%[fn]\n\t"
		     "hlt\n"
		     "1:"
		     : "=a"(ret)
		     : "a"(SYS_clone), "D"(clone_flags), "S"(top), "d"(0L),
		       "r"(r10), "r"(r8), [fn] "r"(fn)
		     : "rcx", "r11", "memory");
	return ret;
}

/* Safe in a child after fork(): system calls, and nothing else. */
static void start_helper(void)
{
	uint64_t all = ~0ull, old;
	long pid;

	call(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, (long)&old, sizeof(all),
	     0);
	add(&stats->begun, 1);
	pid = clone_to(stack + STACK);
	if (pid < 0)
		count_refusal(pid);
	call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&old, 0, sizeof(old), 0);
}

/* Helpers of what ran in this process before exec. */
static void reap_old_helpers(void)
{
	while (call(SYS_wait4, -1, 0, __WCLONE | WNOHANG, 0, 0) > 0)
		;
}

static bool find_stats(void)
{
	const char *path = getenv(MIRROR_STATS);
	int fd = path ? open_file(path, O_RDWR) : -1;

	if (fd < 0)
		return false;
	stats = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	call(SYS_close, fd, 0, 0, 0, 0);
	return stats != MAP_FAILED;
}

static unsigned long number_in(const char *name)
{
	const char *value = getenv(name);

	return value ? strtoul(value, NULL, 10) : 0;
}

static bool find_options(void)
{
	const char *variant = getenv(MIRROR_VARIANT);
	size_t i;

	if (!variant)
		return false;
	for (i = 0; i < sizeof(how.variant) - 1 && variant[i]; i++)
		how.variant[i] = variant[i];
	how.flags = number_in(MIRROR_FLAGS);
	gentle = number_in(MIRROR_GENTLE);
	pace = number_in(MIRROR_PACE);
	return true;
}

static __attribute__((constructor)) void begin(void)
{
	int saved = errno;

	if (!find_options() || !find_stats())
		return;
	stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return;
	reap_old_helpers();
	start_helper();
	pthread_atfork(NULL, NULL, start_helper);
	errno = saved;
}
