// SPDX-License-Identifier: GPL-2.0
/*
 * t-handle.c - G5, G10: what calls through one handle do to each other
 *
 * A call may wait for as long as user space lets it, and others may come
 * meanwhile through the same handle: a fault handler that must call before
 * the fault is resolved, a thread that detaches.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "race.h"

static char *page;		/* one page */
static uint64_t word;

static int do_read(struct call *c)
{
	return mmu_read(c->fd, page, c->p, sizeof(word));
}

static int do_write(struct call *c)
{
	return mmu_write(c->fd, page, c->p, sizeof(word));
}

static int do_floor(struct call *c)
{
	return mmu_gup_floor(c->fd, c->p, MMU_PAGE, 0, 0, NULL);
}

static int do_look(struct call *c)
{
	(void)*(volatile char *)c->p;
	return 0;
}

/* Must not fault while somebody is parked with the mmap_lock. */
static void setup(void)
{
	page = map_private(1);
	cpu_stamp(page, 1, 1);
}

/* These need no attachment: nobody holds them up, whatever else goes on. */
static void calls_of_any_handle_work(int fd)
{
	EXPECT_GE(stats_of(fd).mmus, 0, "GET_STATS works");
	EXPECT_EQ(mmu_gup_floor(fd, page, MMU_PAGE, 0, 0, NULL), 0,
		  "GUP_FLOOR works");
	EXPECT_GE(mmu_evict(fd, page), 0, "EVICT works");
}

static void nobody_is_attached(int fd)
{
	EXPECT_EQ(mmu_populate(fd, page, MMU_PAGE, 0), -ENOTCONN, "POPULATE");
	EXPECT_EQ(mmu_read(fd, page, &word, 8), -ENOTCONN, "READ");
	EXPECT_EQ(mmu_write(fd, page, &word, 8), -ENOTCONN, "WRITE");
	EXPECT_EQ(mmu_entry(fd, page), -ENOTCONN, "QUERY");
	EXPECT_EQ(mmu_verify(fd, NULL, 0, NULL), -ENOTCONN, "VERIFY");
	EXPECT_EQ(mmu_configure(fd, 0), -ENOTCONN, "CONFIGURE");
	EXPECT_EQ(mmu_detach(fd), -ENOTCONN, "DETACH");
}

/*
 *	populate			detach, through the same handle
 *
 *	looked up
 *					release, free?
 *	enter
 *
 * Forbidden by "dev stays for as long as there are users": the detach waits.
 * It turns newcomers away at once.
 */
TEST(g5_race_detach_waits_for_its_users, 20)
{
	struct call c = { .fn = do_populate, .pages = 1, .flags = WRITE };
	struct call d = { .fn = do_detach };

	race_begin(2);
	setup();
	c.fd = attached();
	d.fd = c.fd;
	c.p = page;
	call_to(&c, "populate_lookup");
	call_start(&d);
	call_wait_in(&d, "ioctl_detach");
	calls_of_any_handle_work(c.fd);
	nobody_is_attached(c.fd);
	EXPECT_EQ(mmu_attach(c.fd, test_variant), -EBUSY, "not yet idle");
	EXPECT_EQ(call_returned(&d), false, "the detach waits");
	EXPECT_EQ(stats_of(c.fd).mmus, 1, "nothing is gone yet");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "the populate comes to its end");
	EXPECT_EQ(c.done, 1, "undisturbed");
	EXPECT_EQ(call_wait(&d), 0, "and then the detach");
	EXPECT_EQ(stats_of(c.fd).entries, 0, "nothing is mapped any more");
	nobody_is_attached(c.fd);
	ASSERT_EQ(mmu_attach(c.fd, test_variant), 0, "the handle is idle");
	populate(c.fd, page, 1, WRITE);
	verify(c.fd, page, 1);
}

/* Two users: the last of them lets the detach go on, whichever that is. */
TEST(g5_race_detach_waits_for_the_last_user, 20)
{
	struct call first = { .fn = do_populate, .pages = 1 }, last = first;
	struct call d = { .fn = do_detach };

	race_begin(3);
	setup();
	first.fd = attached();
	first.p = page;
	last.fd = first.fd;
	last.p = page;
	d.fd = first.fd;
	call_to(&last, "populate_lookup");
	call_to(&first, "populate_pinned");
	call_start(&d);
	call_wait_in(&d, "ioctl_detach");
	tp_release("populate_pinned");
	EXPECT_EQ(call_wait(&first), 0, "one populate comes to its end");
	sleep_ms(20);
	call_wait_in(&d, "ioctl_detach");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&last), 0, "the other does");
	EXPECT_EQ(call_wait(&d), 0, "and then the detach");
}

/*
 *	populate			detach
 *
 *	looked up
 *					turns newcomers away, waits
 *					is killed
 *	enter
 *
 * Forbidden is a handle that stays shut: the detach has not happened.
 */
TEST(g10_race_detach_killed_while_it_waits, 20)
{
	struct call c = { .fn = do_populate, .pages = 1, .flags = WRITE };
	struct call d = { .fn = do_detach };
	pid_t pid;

	race_begin(1);
	setup();
	c.fd = attached();
	d.fd = c.fd;
	c.p = page;
	call_to(&c, "populate_lookup");
	pid = start_twin(&d);
	task_wait_in(pid, "ioctl_detach");
	EXPECT_EQ(mmu_entry(c.fd, page), -ENOTCONN, "newcomers are sent away");
	kill_to_its_end(pid);
	EXPECT_EQ(call_returned(&d), false, "it did not return");
	EXPECT_EQ(mmu_entry(c.fd, page), 0, "the handle is attached");
	EXPECT_EQ(mmu_attach(c.fd, test_variant), -EBUSY, "as before");
	tp_release("populate_lookup");
	EXPECT_EQ(call_wait(&c), 0, "populate");
	device_sees(c.fd, page, 1, 1);
	verify(c.fd, page, 1);
	EXPECT_EQ(mmu_detach(c.fd), 0, "nobody is left to wait for");
}

static int do_attach_handle(struct call *c)
{
	return mmu_attach(c->fd, test_variant);
}

/*
 *	attach				anything, through the same handle
 *
 *	has found the notifier
 *					waits for the attach?
 *	is a user
 */
TEST(g10_race_calls_beside_an_attach, 20)
{
	struct call a = { .fn = do_attach_handle };

	race_begin(1);
	setup();
	a.fd = mmu_open();
	call_to(&a, "attach_found");
	calls_of_any_handle_work(a.fd);
	nobody_is_attached(a.fd);
	EXPECT_EQ(mmu_attach(a.fd, test_variant), -EBUSY, "one at a time");
	EXPECT_EQ(call_returned(&a), false, "all of that beside the attach");
	tp_release("attach_found");
	EXPECT_EQ(call_wait(&a), 0, "attach");
	populate(a.fd, page, 1, WRITE);
	verify(a.fd, page, 1);
}

/* An attach that fails leaves the handle as it was. */
TEST(g5_handle_after_a_failed_attach, 10)
{
	int fd = mmu_open();

	EXPECT_EQ(mmu_attach(fd, "no-such-variant"), -ENODEV, "attach");
	EXPECT_EQ(mmu_detach(fd), -ENOTCONN, "the handle is idle");
	EXPECT_EQ(mmu_attach(fd, test_variant), 0, "and can be attached");
	EXPECT_EQ(mmu_detach(fd), 0, "detach");
}

/* --- user space is waited for --------------------------------------------- */

static int uffd;
static char *awaited;		/* a page that is there when we say so */

static void setup_handler(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	setup();
	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0)
		skip("this kernel has no userfaultfd");
	ASSERT_EQ(ioctl(uffd, UFFDIO_API, &api), 0, "userfaultfd's API");
	awaited = map_private(1);
	reg.range.start = (uintptr_t)awaited;
	reg.range.len = MMU_PAGE;
	ASSERT_EQ(ioctl(uffd, UFFDIO_REGISTER, &reg), 0, "UFFDIO_REGISTER");
}

static void resolve_fault(void)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)awaited,
		.src = (uintptr_t)page,
		.len = MMU_PAGE,
	};

	ASSERT_EQ(ioctl(uffd, UFFDIO_COPY, &copy), 0, "the fault is resolved");
}

/*
 *	call				detach		fault handler
 *
 *	waits for the page
 *					waits
 *							uses the handle
 *							resolves the fault
 *
 * Forbidden is that the handler waits: for the detach, or for the lock that
 * the detach waits for. Nobody would ever go on.
 */
static void handler_uses_the_handle(struct call *c)
{
	struct call d = { .fn = do_detach };

	c->fd = attached();
	d.fd = c->fd;
	c->p = awaited;
	call_start(c);
	call_wait_in(c, "handle_userfault");
	EXPECT_GE(mmu_entry(c->fd, page), 0, "QUERY beside it");
	EXPECT_EQ(mmu_verify(c->fd, NULL, 0, NULL), 0, "VERIFY beside it");
	EXPECT_EQ(mmu_populate(c->fd, page, MMU_PAGE, 0), 0, "POPULATE, too");
	calls_of_any_handle_work(c->fd);
	call_start(&d);
	call_wait_in(&d, "ioctl_detach");
	nobody_is_attached(c->fd);
	calls_of_any_handle_work(c->fd);
	resolve_fault();
	EXPECT_EQ(call_wait(c), 0, "the call goes on");
	EXPECT_EQ(call_wait(&d), 0, "and then the detach");
}

TEST(g10_handler_of_a_populate_uses_the_handle, 20)
{
	struct call c = { .fn = do_populate, .pages = 1 };

	race_begin(2);
	setup_handler();
	handler_uses_the_handle(&c);
	EXPECT_EQ(c.done, 1, "it has populated the page");
}

TEST(g10_handler_of_a_device_read_uses_the_handle, 20)
{
	struct call c = { .fn = do_read };

	race_begin(2);
	setup_handler();
	handler_uses_the_handle(&c);
	EXPECT_EQ(*(uint64_t *)awaited, stamp(1, 0), "it has read the page");
}

TEST(g10_handler_of_a_device_write_uses_the_handle, 20)
{
	struct call c = { .fn = do_write };

	race_begin(2);
	setup_handler();
	handler_uses_the_handle(&c);
	cpu_sees(page, 1, 1);
}

/* --- killed while the mmap_lock is held ----------------------------------- */

/*
 *	mprotect			attach, populate
 *
 *	takes mmap_lock, sleeps
 *	in a slow device
 *					waits for mmap_lock
 *					is killed
 *
 * Forbidden is to wait for the device. A task that dies needs mmap_lock once
 * more, in exit_mm(); that is as far as it comes.
 */
static bool dies(struct call *c, pid_t pid, const char *where)
{
	double deadline;

	task_wait_in(pid, where);
	kill(pid, SIGKILL);
	for (deadline = seconds() + 1; seconds() < deadline; sleep_ms(1))
		if (task_is_in(pid, "do_exit"))
			break;
	EXPECT_EQ(call_returned(c), false, "it returned to nobody");
	return seconds() < deadline;
}

/* What is mapped by now is in memory: nothing faults unless it is meant to. */
static void setup_without_faults(void)
{
	race_begin(1);
	setup();
	ASSERT_EQ(mlockall(MCL_CURRENT), 0, "all is in memory");
}

/* Page 0 of @p is mapped, page 1 is not; both are about to be protected. */
static void hold_mmap_lock(struct call *c, char *p)
{
	c->p = p;
	c->pages = 2;
	c->fn = do_mprotect;
	c->flags = PROT_READ;
	call_to(c, "start_zapped");
}

TEST(g10_race_attach_killed_at_the_mmap_lock, 20)
{
	struct call holder = {}, a = { .fn = do_attach_handle };
	struct gate gate;
	char *p;
	pid_t pid;
	int fd;

	setup_without_faults();
	gate_init(&gate);
	fd = attached();
	p = map_private(2);
	populate(fd, p, 1, 0);
	a.fd = mmu_open();
	a.gate = &gate;
	pid = start_twin(&a);
	hold_mmap_lock(&holder, p);
	pass(&gate);
	EXPECT_EQ(dies(&a, pid, "my_mmu_attach_to_process"), true,
		  "attach leaves the queue for the mmap_lock");
	EXPECT_EQ(call_returned(&holder), false, "whose holder sleeps on");
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&holder), 0, "mprotect");
	kill_to_its_end(pid);
	EXPECT_EQ(mmu_attach(a.fd, test_variant), 0, "the handle is idle");
}

/*
 * As killable as the lookup by itself, which on 6.1 is not, though an access by
 * the CPU is. The page is of the same VMA and outside of the invalidation, and
 * of its leaf table: nothing but the lock keeps any of them away from it.
 */
TEST(g10_race_populate_killed_at_the_mmap_lock, 20)
{
	struct call holder = {}, floor = { .fn = do_floor };
	struct call c = { .fn = do_populate, .pages = 1 };
	struct call cpu = { .fn = do_look };
	bool floor_dies, populate_dies;
	struct gate gate[3];
	pid_t pid[3];
	char *p;
	int i;

	setup_without_faults();
	for (i = 0; i < 3; i++)
		gate_init(&gate[i]);
	c.fd = attached();
	floor.fd = c.fd;
	p = map_tables(2);
	populate(c.fd, p, 1, 0);
	c.p = p + MMU_HUGE;
	make_table(c.fd, c.p);
	floor.p = c.p;
	cpu.p = c.p;
	floor.gate = &gate[0];
	c.gate = &gate[1];
	cpu.gate = &gate[2];
	pid[0] = start_twin(&floor);
	pid[1] = start_twin(&c);
	pid[2] = start_twin(&cpu);
	hold_mmap_lock(&holder, p);
	for (i = 0; i < 3; i++)
		pass(&gate[i]);
	floor_dies = dies(&floor, pid[0], "populate_with");
	populate_dies = dies(&c, pid[1], "populate_with");
	EXPECT_EQ(populate_dies, floor_dies, "one dies if the other does");
	EXPECT_EQ(dies(&cpu, pid[2], "lock_mm_and_find_vma"), true,
		  "who comes there by an instruction dies");
	tp_release("start_zapped");
	EXPECT_EQ(call_wait(&holder), 0, "mprotect");
	for (i = 0; i < 3; i++)
		kill_to_its_end(pid[i]);
	verify(c.fd, p, 1);
}
