// SPDX-License-Identifier: GPL-2.0
/*
 * t-lifetime.c - G5: exit, exec, kill, close, at any moment
 *
 * Much of the verdict is given after the test, when the parent looks whether
 * anything is left.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "lifetime.h"

#define N	64
#define N_TABLE	(MMU_HUGE / MMU_PAGE)

TEST(g5_exit_with_everything_open, 10)
{
	pid_t pid = spawn();
	int fd, i;

	if (!pid) {
		for (i = 0; mmu_variants[i]; i++) {
			fd = mmu_open_attached(mmu_variants[i], 0);
			populate(fd, map_private(N), N, WRITE);
		}
		_exit(0);
	}
	join(pid);
	fd = mmu_open();
	for (i = 0; i < 200 && stats_of(fd).entries; i++)
		sleep_ms(10);
	EXPECT_EQ(stats_of(fd).entries, 0, "no entry outlives its process");
}

/* Nor does a table, though somebody else has the handle open. */
TEST(g10_exit_frees_what_a_handle_outlives, 10)
{
	struct my_mmu_stats s;
	int fd = mmu_open(), i;
	pid_t pid = spawn();

	if (!pid) {
		ASSERT_EQ(mmu_attach(fd, test_variant), 0, "attach");
		populate(fd, map_tables(4), 4 * N_TABLE, WRITE);
		_exit(0);
	}
	join(pid);
	s = stats_of(fd);
	for (i = 0; i < 200 && s.tables; i++) {
		sleep_ms(10);
		s = stats_of(fd);
	}
	EXPECT_EQ(s.mmus, 1, "the external MMU is there");
	EXPECT_EQ(s.entries, 0, "without an entry");
	EXPECT_EQ(s.tables, 0, "and without a table");
	EXPECT_EQ(mmu_entry(fd, NULL), -ESRCH, "for there is no process");
}

/* --- exec ----------------------------------------------------------------- */

/* The other side: plain checks, for the harness is not here. */
int after_exec(int fd, const char *variant)
{
	struct my_mmu_stats s;
	int ret, own, bad = 0;
	char *p, word[8];

	p = mmap(NULL, MMU_PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ret = mmu_populate(fd, p, MMU_PAGE, MY_MMU_POPULATE_WRITE);
	bad |= (ret != -ESRCH && ret != -EIO) << 0;
	ret = mmu_read(fd, p, word, sizeof(word));
	bad |= (ret != -ESRCH && ret != -EIO) << 1;
	ret = mmu_entry(fd, p);
	bad |= (ret != -ESRCH && ret != -EIO) << 2;
	bad |= (mmu_stats(fd, &s) || s.entries) << 3;
	/* A new handle starts afresh with the new memory. */
	own = mmu_open_attached(variant, 0);
	bad |= (own < 0) << 4;
	bad |= !!mmu_write(own, p, "sevenths", 8) << 5;
	bad |= !!memcmp(p, "sevenths", 8) << 6;
	return bad;
}

TEST(g5_exec_with_handle_open, 10)
{
	char number[16], variant[32];
	int fd, status;
	pid_t pid;

	pid = spawn();
	if (!pid) {
		fd = attached();
		fcntl(fd, F_SETFD, 0);
		populate(fd, map_private(N), N, WRITE);
		snprintf(number, sizeof(number), "%d", fd);
		snprintf(variant, sizeof(variant), "%s", test_variant);
		execl("/proc/self/exe", "mmu-tests", EXEC_HELPER, number,
		      variant, NULL);
		_exit(127);
	}
	ASSERT_EQ(waitpid(pid, &status, 0), pid, "the program ends");
	EXPECT_EQ(WIFEXITED(status), 1, "by itself");
	EXPECT_EQ(WEXITSTATUS(status), 0,
		  "all checks after exec (see after_exec() for the bits)");
}

/* --- handles in the wrong hands ------------------------------------------- */

/* The owner dies, a child of its keeps the handle. */
TEST(g5_handle_outlives_its_process, 10)
{
	struct gate dead, done;
	int fd, ret = 0, i;
	char *p;
	pid_t pid;

	gate_init(&dead);
	gate_init(&done);
	pid = spawn();
	if (!pid) {
		fd = attached();
		p = map_private(N);
		populate(fd, p, N, WRITE);
		if (fork())
			_exit(0);
		wait_at(&dead);
		/* The memory goes a moment after the exit is seen. */
		for (i = 0; i < 200 && ret != -ESRCH; i++) {
			ret = mmu_populate(fd, p, MMU_PAGE, 0);
			sleep_ms(10);
		}
		EXPECT_EQ(ret, -ESRCH, "populate for a dead process");
		EXPECT_EQ(mmu_entry(fd, p), -ESRCH, "query");
		EXPECT_EQ(stats_of(fd).entries, 0, "nothing is mirrored");
		pass(&done);
		_exit(0);
	}
	join(pid);
	pass(&dead);
	wait_at(&done);
}

static void send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	ASSERT_EQ(sendmsg(sock, &m, 0), 1, "the handle is sent");
}

static int receive_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	ASSERT_EQ(recvmsg(sock, &m, 0), 1, "a handle arrives");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(int));
	return fd;
}

TEST(g9_handle_passed_to_a_stranger, 10)
{
	int sock[2], fd;
	char *p = map_private(1);
	pid_t pid;

	ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, sock), 0, "sockets");
	pid = spawn();
	if (!pid) {
		fd = attached();
		populate(fd, p, 1, WRITE);
		send_fd(sock[1], fd);
		pause();
	}
	fd = receive_fd(sock[0]);
	EXPECT_EQ(mmu_populate(fd, p, MMU_PAGE, WRITE), -EIO, "populate");
	EXPECT_EQ(mmu_entry(fd, p), -EIO, "query");
	EXPECT_EQ(stats_of(fd).entries, 1, "the owner's entry is untouched");
	kill_and_reap(pid);
	EXPECT_EQ(mmu_populate(fd, p, MMU_PAGE, WRITE), -ESRCH,
		  "the owner is dead now");
	EXPECT_EQ(stats_of(fd).entries, 0, "and its entry gone");
}

/*
 * 4.27 of the skeleton: TASK_SIZE is that of whoever asks. A program of 32 bits
 * drops the last handle on memory that lies far above its own.
 */
static void exec_32_bits(void)
{
	static const uint8_t exit_0[] = {
		0x31, 0xdb,			/* xor %ebx, %ebx */
		0xb8, 0x01, 0x00, 0x00, 0x00,	/* mov $1, %eax */
		0xcd, 0x80,			/* int $0x80 */
	};
	struct {
		Elf32_Ehdr e;
		Elf32_Phdr p;
		uint8_t code[sizeof(exit_0)];
	} program = {
		.e = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32,
				     ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_EXEC, .e_machine = EM_386,
			.e_version = EV_CURRENT,
			.e_entry = 0x10000 + offsetof(typeof(program), code),
			.e_phoff = offsetof(typeof(program), p),
			.e_ehsize = sizeof(Elf32_Ehdr),
			.e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 1,
		},
		.p = {
			.p_type = PT_LOAD, .p_vaddr = 0x10000,
			.p_filesz = sizeof(program),
			.p_memsz = sizeof(program),
			.p_flags = PF_R | PF_X, .p_align = MMU_PAGE,
		},
	};
	int fd = memfd_create("program", MFD_CLOEXEC);

	memcpy(program.code, exit_0, sizeof(exit_0));
	ASSERT_EQ(write(fd, &program, sizeof(program)), sizeof(program),
		  "the program is written");
	fexecve(fd, (char *[]){ "program", NULL }, (char *[]){ NULL });
	skip("no programs of 32 bits (%s)", strerror(errno));
}

TEST(g5_last_detach_by_32_bits, 10)
{
	char *p = map_shared(N);	/* fork() leaves it alone */
	struct gate alone;
	int fd, status;
	pid_t pid;

	gate_init(&alone);
	fd = attached();
	fcntl(fd, F_SETFD, 0);
	populate(fd, p, N, WRITE);
	pid = spawn();
	if (!pid) {
		wait_at(&alone);
		exec_32_bits();
	}
	close(fd);
	fd = mmu_open();
	EXPECT_EQ(stats_of(fd).entries, N, "the other holds what is mirrored");
	pass(&alone);
	ASSERT_EQ(waitpid(pid, &status, 0), pid, "the program ends");
	EXPECT_EQ(status, 0, "by itself");
	EXPECT_EQ(stats_of(fd).entries, 0, "and its exit drops all of it");
}

/* --- the worst moments ---------------------------------------------------- */

static void populate_for_ever(int fd, char *p, size_t pages)
{
	size_t len = pages * MMU_PAGE;
	int ret;

	for (;;) {
		ret = mmu_populate(fd, p, len, WRITE);
		if (ret && ret != -EAGAIN)
			_exit(ret == -EINTR ? 0 : 1);
		madvise(p, len, MADV_DONTNEED);
	}
}

TEST(g5_killed_in_the_middle_of_populate, 30)
{
	int round, fd;
	pid_t pid;

	for (round = 0; round < 20; round++) {
		pid = spawn();
		if (!pid)
			populate_for_ever(attached(), map_private(512), 512);
		sleep_ms(5 + 3 * round);
		kill_and_reap(pid);
	}
	fd = mmu_open();
	for (round = 0; round < 200 && stats_of(fd).mmus; round++)
		sleep_ms(10);
	EXPECT_EQ(stats_of(fd).mmus, 0, "no external MMU is left");
	EXPECT_EQ(stats_of(fd).entries, 0, "no entry is left");
}

struct work {
	int fd;
	char *p;
	int last;
};

static void *populate_until_refused(void *arg)
{
	struct work *w = arg;

	do {
		w->last = mmu_populate(w->fd, w->p, 64 * MMU_PAGE, WRITE);
		madvise(w->p, 64 * MMU_PAGE, MADV_DONTNEED);
	} while (!w->last || w->last == -EAGAIN);
	return NULL;
}

TEST(g5_detach_and_close_under_a_populate, 20)
{
	pthread_t thread;
	struct work w;
	int round;

	w.p = map_private(64);
	for (round = 0; round < 20; round++) {
		w.fd = attached();
		ASSERT_EQ(pthread_create(&thread, NULL, populate_until_refused,
					 &w), 0, "a thread");
		sleep_ms(round);
		if (round % 2) {
			EXPECT_EQ(mmu_detach(w.fd), 0, "detach");
			pthread_join(thread, NULL);
			EXPECT_EQ(w.last == -ENOTCONN || w.last == -ESRCH, 1,
				  "populate says so: %d", w.last);
			close(w.fd);
		} else {
			close(w.fd);
			pthread_join(thread, NULL);
			EXPECT_EQ(w.last, -EBADF, "the handle is closed");
		}
	}
}

/* 4.5 of the skeleton: exit, while others invalidate what it maps. */
TEST(g5_exit_while_others_truncate, 20)
{
	int memfd = make_memfd(8), round, fd;
	pid_t cutter, pid;
	char *p;

	cutter = spawn();
	if (!cutter) {
		for (;;) {
			if (ftruncate(memfd, 0) ||
			    ftruncate(memfd, 8 * MMU_PAGE))
				_exit(1);
		}
	}
	for (round = 0; round < 25; round++) {
		pid = spawn();
		if (!pid) {
			fd = attached();
			p = map_fd(memfd, 8, PROT_READ | PROT_WRITE,
				   MAP_SHARED);
			mmu_populate(fd, p, 8 * MMU_PAGE, WRITE);
			verify(fd, p, 0);
			_exit(0);
		}
		join(pid);
	}
	EXPECT_EQ(waitpid(cutter, NULL, WNOHANG), 0, "the other still cuts");
	kill_and_reap(cutter);
}

/* All threads of a process are in the driver when it dies. */
TEST(g5_many_threads_die_at_once, 20)
{
	static struct work w[4];
	pthread_t thread;
	int round, i, fd;
	pid_t pid;

	for (round = 0; round < 5; round++) {
		pid = spawn();
		if (!pid) {
			fd = attached();
			for (i = 0; i < 4; i++) {
				w[i].fd = fd;
				w[i].p = map_private(64);
				pthread_create(&thread, NULL,
					       populate_until_refused, &w[i]);
			}
			sleep_ms(20 + 5 * round);
			_exit(0);
		}
		join(pid);
	}
	EXPECT_EQ(harness_failed(), 0, "no thread complained");
}
