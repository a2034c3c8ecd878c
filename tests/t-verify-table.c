// SPDX-License-Identifier: GPL-2.0
/*
 * t-verify-table.c - the oracle, asked of everything that an entry may say
 *
 * Each kind of memory, with each permission, entered for reading and for
 * writing, with faults and without, under each right that a protection key
 * gives the thread that populates and the one that asks. VERIFY must say of
 * each entry what the CPU says of the page: how, is in truth_of(). Once with a
 * driver that works, for false alarms; once with one that has been told to
 * forget an invalidation, for alarms that do not come. A run with all variants
 * tries all of it, with one variant its share.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common.h"
#include "testpoint.h"

#define N	3	/* pages looked at in each trial */
#define RW	(PROT_READ | PROT_WRITE)
#define NO_KEY	-1

/* --- kinds of memory ------------------------------------------------------ */

struct kind {
	const char *name;
	char *(*map)(void);
	size_t len;
};

static char *untouched(void)
{
	return map_private(N);
}

static char *written(void)
{
	char *p = map_private(N);

	cpu_stamp(p, N, 1);
	return p;
}

static char *shared(void)
{
	char *p = map_shared(N);

	cpu_stamp(p, N, 1);
	return p;
}

static char *of_file(int flags)
{
	static int file;
	char *p;

	if (!file)
		file = make_memfd(N);
	p = map_fd(file, N, RW, MAP_SHARED);
	cpu_stamp(p, N, 1);
	munmap(p, N * MMU_PAGE);
	return map_fd(file, N, RW, flags);
}

static char *file_shared(void)
{
	return of_file(MAP_SHARED);
}

static char *file_private(void)
{
	return of_file(MAP_PRIVATE);
}

static char *huge_tlb(int flags)
{
	char *p = mmap(NULL, MMU_HUGE, RW, flags | MAP_ANONYMOUS | MAP_HUGETLB,
		       -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	cpu_stamp(p, N, 1);
	return p;
}

static char *huge_tlb_shared(void)
{
	return huge_tlb(MAP_SHARED);
}

static char *huge_tlb_private(void)
{
	return huge_tlb(MAP_PRIVATE);
}

static char *may_be_huge(void)
{
	char *p = map_tables(1);

	return madvise(p, MMU_HUGE, MADV_HUGEPAGE) ? NULL : p;
}

static char *huge(void)
{
	char *p = may_be_huge();

	if (p)
		cpu_stamp(p, N, 1);
	return p;
}

static const struct kind kinds[] = {
	{ "untouched memory", untouched, N * MMU_PAGE },
	{ "written memory", written, N * MMU_PAGE },
	{ "shared memory", shared, N * MMU_PAGE },
	{ "a shared file", file_shared, N * MMU_PAGE },
	{ "a private file", file_private, N * MMU_PAGE },
	{ "shared hugetlb", huge_tlb_shared, MMU_HUGE },
	{ "private hugetlb", huge_tlb_private, MMU_HUGE },
	{ "a huge page", huge, MMU_HUGE },
	{ "an untouched huge page", may_be_huge, MMU_HUGE },
};

static const struct {
	const char *name;
	int prot;
} permissions[] = {
	{ "---", PROT_NONE },
	{ "r--", PROT_READ },
	{ "-w-", PROT_WRITE },
	{ "rw-", RW },
	{ "--x", PROT_EXEC },
	{ "r-x", PROT_READ | PROT_EXEC },
	{ "-wx", PROT_WRITE | PROT_EXEC },
	{ "rwx", RW | PROT_EXEC },
};

#define LENGTH(a)	(sizeof(a) / sizeof(*(a)))

/* --- protection keys ------------------------------------------------------ */

static int key = NO_KEY;

static void all_open(void)
{
	int k;

	/* 0 is everybody's; what only executes has one of the kernel's. */
	for (k = 1; key != NO_KEY && k < 16; k++)
		pkey_set(k, 0);
}

static const char *const right_names[] = {
	[0] = "open", [PKEY_DISABLE_ACCESS] = "locked",
	[PKEY_DISABLE_WRITE] = "locked for writing",
	[PKEY_DISABLE_ACCESS | PKEY_DISABLE_WRITE] = "locked twice",
};

/* Rights when populated, rights when verified, and by whom. */
struct rights {
	bool keyed;
	unsigned int then;
	unsigned int now;
	bool other;
};

/* Nothing, PKEY_DISABLE_ACCESS, PKEY_DISABLE_WRITE, both */
#define LOCKS	4
#define RIGHTS	(1 + LOCKS * LOCKS * 2)

/* Without a key, then with: each right then, each right now, of each thread. */
static struct rights nth_rights(size_t n)
{
	if (!n--)
		return (struct rights){ .keyed = false };
	return (struct rights){
		.keyed = true,
		.then = n % LOCKS,
		.now = n / LOCKS % LOCKS,
		.other = n / LOCKS / LOCKS,
	};
}

static const uint32_t ways[] = {	/* to enter a page */
	0, WRITE, MY_MMU_POPULATE_NOFAULT, MY_MMU_POPULATE_NOFAULT | WRITE,
};

/*
 * All that VMA, key, thread and call can say together is tried with a kind of
 * memory that is there and with one that is not. With the others, what differs
 * in the answer.
 */
static bool in_the_table(const struct kind *kind, struct rights r, uint32_t way)
{
	if (kind->map == written || kind->map == untouched)
		return true;
	return !(way & MY_MMU_POPULATE_NOFAULT) && r.then != LOCKS - 1 &&
	       r.now != LOCKS - 1 && !(r.other && r.then);
}

/*
 * VERIFY is no variant's own: each variant takes its turn at the one table. The
 * turns are mixed: in the table, too, many things come back every four rows.
 */
static bool is_my_turn(void)
{
	static uint32_t turns;
	size_t variants = 0, mine = 0;

	for (; mmu_variants[variants]; variants++)
		if (!strcmp(mmu_variants[variants], test_variant))
			mine = variants;
	return (turns++ * 2654435761u >> 16) % variants == mine;
}

static bool worth_trying(const struct kind *kind, struct rights r,
			 uint32_t way)
{
	return in_the_table(kind, r, way) && is_my_turn();
}

/* --- what the CPU says ---------------------------------------------------- */

static sigjmp_buf refused;

static void on_refusal(int sig)
{
	siglongjmp(refused, sig);
}

static void catch_refusals(void)
{
	struct sigaction act = { .sa_handler = on_refusal };

	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
}

static long faults(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_minflt + u.ru_majflt;
}

/*
 * Is the access one that the page table allows as it is? Where it is not, the
 * CPU faults, and the kernel counts it or sends a signal.
 */
static bool without_fault(volatile char *p, bool write)
{
	long before;

	all_open();	/* a signal that is not returned from locks them */
	if (sigsetjmp(refused, 1))
		return false;
	faults();	/* so that the stack itself does not fault below */
	before = faults();
	if (write)
		*p = 1;
	else
		(void)*p;
	return faults() == before;
}

struct truth {
	uint64_t right;
	uint64_t stale;
	uint64_t over_permissive;
	uint64_t first_bad;	/* address */
};

/* Asked before the CPU goes there, which may change it. */
struct entry {
	uint32_t flags;
	bool same;
};

static struct entry entry_at(int fd, char *p)
{
	uint64_t pfn, cpu = pagemap(p);
	struct entry e;

	ASSERT_EQ(mmu_query(fd, p, &e.flags, &pfn), 0, "query");
	e.same = cpu & PM_PRESENT && (cpu & PM_PFN) == pfn;
	return e;
}

/*
 * A write to one page of a huge page makes all of it writable: only the first
 * is asked, and speaks for the others. Reading comes first, for the same
 * reason.
 */
static struct truth truth_of(char *p, const struct entry *e, bool huge)
{
	bool readable[N], writable = false;
	struct truth t = { 0 };
	size_t i;

	for (i = 0; i < N; i++)
		readable[i] = e[i].same &&
			      without_fault(p + i * MMU_PAGE, false);
	for (i = 0; i < N; i++) {
		if (!(e[i].flags & MY_MMU_ENTRY_PRESENT))
			continue;
		if (e[i].flags & MY_MMU_ENTRY_WRITE && (!i || !huge))
			writable = without_fault(p + i * MMU_PAGE, true);
		if (!readable[i])
			t.stale++;
		else if (e[i].flags & MY_MMU_ENTRY_WRITE && !writable)
			t.over_permissive++;
		else
			t.right++;
		if (!t.first_bad && t.stale + t.over_permissive)
			t.first_bad = (uintptr_t)p + i * MMU_PAGE;
	}
	return t;
}

/* --- VERIFY, by this thread or by another --------------------------------- */

struct question {
	int fd;
	char *p;
	unsigned int now;
	bool keyed;
	struct my_mmu_verify v;
};

static void ask(struct question *q)
{
	if (q->keyed)
		pkey_set(key, q->now);
	ASSERT_EQ(mmu_verify(q->fd, q->p, N * MMU_PAGE, &q->v), 0, "VERIFY");
	all_open();
}

static struct question *asked;
static sem_t please, thanks;

static void *asker(void *unused)
{
	while (true) {
		sem_wait(&please);
		ask(asked);
		sem_post(&thanks);
	}
	return unused;
}

static void ask_elsewhere(struct question *q)
{
	asked = q;
	/* Here all is locked: it must not matter. */
	pkey_set(key, PKEY_DISABLE_ACCESS);
	sem_post(&please);
	sem_wait(&thanks);
	all_open();
}

static void prepare(void)
{
	static char page[MMU_PAGE];
	pthread_t t;

	key = pkey_alloc(0, 0);
	if (key < 0) {
		note("no protection keys here (%s)", strerror(errno));
		key = NO_KEY;
	}
	sem_init(&please, 0, 0);
	sem_init(&thanks, 0, 0);
	ASSERT_EQ(pthread_create(&t, NULL, asker, NULL), 0, "a thread");
	catch_refusals();
	page[0] = 1;
	ASSERT_EQ(without_fault(page, true), true, "the CPU is asked aright");
}

/* --- a trial -------------------------------------------------------------- */

struct trial {
	const struct kind *kind;
	const char *change;	/* to a permission, or what else was done */
	uint32_t flags;
	struct rights r;
};

static const char *name_of(const struct trial *t)
{
	static char text[160];

	snprintf(text, sizeof(text), "%s, %s, entered for %s%s%s%s%s%s%s",
		 t->kind->name, t->change,
		 t->flags & WRITE ? "writing" : "reading",
		 t->flags & MY_MMU_POPULATE_NOFAULT ? " if there" : "",
		 t->r.keyed ? ", key " : "",
		 t->r.keyed ? right_names[t->r.then] : "",
		 t->r.keyed ? " then, now " : "",
		 t->r.keyed ? right_names[t->r.now] : "",
		 t->r.other ? ", another thread asks" : "");
	return text;
}

/* Does the driver forget invalidations? */
static void forget(bool all)
{
	if (all)
		tp_tell("start_counted", "fail 1000000 mm %d", getpid());
	else
		tp_tell("start_counted", "count");
}

static struct truth seen;

static void judge(int fd, char *p, const struct trial *t)
{
	struct question q = {
		.fd = fd, .p = p, .now = t->r.now, .keyed = t->r.keyed,
	};
	struct entry e[N];
	struct truth truth;
	size_t i;

	for (i = 0; i < N; i++)
		e[i] = entry_at(fd, p + i * MMU_PAGE);
	if (t->r.other)
		ask_elsewhere(&q);
	else
		ask(&q);
	forget(false);
	truth = truth_of(p, e, t->kind->len == MMU_HUGE);
	seen.right += truth.right;
	seen.stale += truth.stale;
	seen.over_permissive += truth.over_permissive;
	ASSERT_EQ(q.v.stale, truth.stale, "stale: %s", name_of(t));
	ASSERT_EQ(q.v.over_permissive, truth.over_permissive,
		  "over-permissive: %s", name_of(t));
	ASSERT_EQ(q.v.right, truth.right, "right: %s", name_of(t));
	ASSERT_EQ(q.v.first_bad, truth.first_bad, "the first: %s", name_of(t));
}

static char *mapped(const struct trial *t)
{
	return t->r.keyed && key == NO_KEY ? NULL : t->kind->map();
}

static void set_permission(char *p, const struct trial *t, int prot)
{
	int ret = t->r.keyed ? pkey_mprotect(p, t->kind->len, prot, key) :
				mprotect(p, t->kind->len, prot);

	ASSERT_EQ(ret, 0, "mprotect: %s", name_of(t));
}

static bool forbidden(const struct trial *t, int prot)
{
	bool write = t->flags & WRITE;
	unsigned int then = t->r.then;

	return prot == PROT_NONE || (write && !(prot & PROT_WRITE)) ||
	       then & PKEY_DISABLE_ACCESS ||
	       (write && then & PKEY_DISABLE_WRITE);
}

/*
 * What is neither forbidden nor readable by name may be there, or not; so may
 * anything where no fault may be taken.
 */
static void populate_under(int fd, char *p, const struct trial *t, int prot)
{
	int ret;

	if (t->r.keyed)
		pkey_set(key, t->r.then);
	ret = mmu_populate(fd, p, N * MMU_PAGE, t->flags);
	all_open();
	if (forbidden(t, prot))
		ASSERT_EQ(ret, -EFAULT, "forbidden: %s", name_of(t));
	else if (t->flags & MY_MMU_POPULATE_NOFAULT)
		ASSERT_EQ(!ret || ret == -EFAULT, true, "%d: %s", ret,
			  name_of(t));
	else if (t->flags & WRITE || prot & PROT_READ)
		ASSERT_EQ(ret, 0, "allowed: %s", name_of(t));
}

/* What cannot be had here is told, not passed over in silence. */
static size_t had(const struct kind *kind, size_t trials)
{
	if (!trials)
		note("not tried: %s", kind->name);
	return trials;
}

static size_t no_false_alarm(int fd, const struct trial *t, int prot)
{
	char *p = mapped(t);

	if (!p)
		return 0;
	set_permission(p, t, prot);
	populate_under(fd, p, t, prot);
	judge(fd, p, t);
	ASSERT_EQ(munmap(p, t->kind->len), 0, "munmap");
	return 1;
}

/* Every permission, every right: what the driver enters is right. */
static size_t all_permissions(int fd, const struct kind *kind,
			      size_t (*trial)(int fd, const struct trial *t,
					      int prot))
{
	size_t perm, r, w, n = 0;

	for (perm = 0; perm < LENGTH(permissions); perm++) {
		for (r = 0; r < RIGHTS; r++) {
			for (w = 0; w < LENGTH(ways); w++) {
				struct trial t = {
					kind, permissions[perm].name, ways[w],
					nth_rights(r),
				};

				if (worth_trying(kind, t.r, t.flags))
					n += trial(fd, &t,
						   permissions[perm].prot);
			}
		}
	}
	return n;
}

TEST(g3_verify_table_no_false_alarm, 90)
{
	int fd = attached();
	size_t i, n = 0;

	tp_need();
	prepare();
	for (i = 0; i < LENGTH(kinds); i++)
		n += had(&kinds[i], all_permissions(fd, &kinds[i],
						    no_false_alarm));
	note("%zu trials, %zu entries", n, seen.right);
	EXPECT_GT(seen.right, 0, "there were entries");
	EXPECT_EQ(seen.stale, 0, "no entry was stale");
	EXPECT_EQ(seen.over_permissive, 0, "none was over-permissive");
	verify(fd, NULL, 0);
}

/* --- a driver that forgets ------------------------------------------------ */

/*
 * Before 6.6 the lookup brings hugetlb pages in, whatever it is told. VERIFY
 * then asks the fast one only, and that one is mute where a key is locked.
 */
static bool comes_true_when_asked(const struct trial *t)
{
	int major = 0, minor = 0;
	struct utsname u;

	uname(&u);
	if (sscanf(u.release, "%d.%d", &major, &minor) != 2)
		return false;
	return strstr(t->kind->name, "hugetlb") && t->r.now &&
	       (major < 6 || (major == 6 && minor < 6));
}

/* Entered while everything was allowed; what changed then, it has not heard. */
static char *entered(int fd, const struct trial *t)
{
	char *p = t->r.then || comes_true_when_asked(t) ? NULL : mapped(t);

	if (!p)
		return NULL;
	set_permission(p, t, RW);
	populate_under(fd, p, t, RW);
	forget(true);
	return p;
}

static size_t permission_changed(int fd, const struct trial *t, int prot)
{
	char *p = entered(fd, t);

	if (!p)
		return 0;
	set_permission(p, t, prot);
	judge(fd, p, t);
	ASSERT_EQ(munmap(p, t->kind->len), 0, "munmap");
	return 1;
}

static void give_back(char *p, size_t len)
{
	ASSERT_EQ(madvise(p, len, MADV_DONTNEED), 0, "MADV_DONTNEED");
}

static void give_back_and_read(char *p, size_t len)
{
	size_t i;

	give_back(p, len);
	for (i = 0; i < N; i++)
		(void)*(volatile char *)(p + i * MMU_PAGE);
}

static void give_back_and_write(char *p, size_t len)
{
	poison_free_memory();
	give_back(p, len);
	cpu_stamp(p, N, 2);
}

static void fork_once(char *p, size_t len)
{
	pid_t pid = spawn();

	(void)p;
	(void)len;
	if (!pid)
		_exit(0);
	join(pid);
}

static void unmap(char *p, size_t len)
{
	ASSERT_EQ(munmap(p, len), 0, "munmap");
}

static const struct {
	const char *name;
	void (*make)(char *p, size_t len);
} changes[] = {
	{ "given back", give_back },
	{ "given back and read again", give_back_and_read },
	{ "given back and written again", give_back_and_write },
	{ "shared with a child", fork_once },
	{ "unmapped", unmap },
};

/* Entries that nothing will ever zap go with the external MMU. */
static void begin_anew(int fd)
{
	ASSERT_EQ(mmu_detach(fd), 0, "DETACH");
	ASSERT_EQ(mmu_attach(fd, test_variant), 0, "ATTACH");
}

static size_t memory_changed(int fd, const struct trial *t, size_t change)
{
	char *p = entered(fd, t);

	if (!p)
		return 0;
	changes[change].make(p, t->kind->len);
	judge(fd, p, t);
	munmap(p, t->kind->len);
	if (changes[change].make == unmap)
		begin_anew(fd);
	return 1;
}

static size_t all_changes(int fd, const struct kind *kind)
{
	size_t c, r, w, n = 0;

	for (c = 0; c < LENGTH(changes); c++) {
		for (r = 0; r < RIGHTS; r++) {
			for (w = 0; w < LENGTH(ways); w++) {
				struct trial t = {
					kind, changes[c].name, ways[w],
					nth_rights(r),
				};

				if (worth_trying(kind, t.r, t.flags))
					n += memory_changed(fd, &t, c);
			}
		}
	}
	return n;
}

TEST(g3_verify_table_true_alarms, 90)
{
	size_t i, n = 0;
	int fd = attached();

	tp_need();
	prepare();
	for (i = 0; i < LENGTH(kinds); i++) {
		n += had(&kinds[i], all_permissions(fd, &kinds[i],
						    permission_changed));
		n += had(&kinds[i], all_changes(fd, &kinds[i]));
	}
	note("%zu trials: %zu right, %zu stale, %zu over-permissive", n,
	     seen.right, seen.stale, seen.over_permissive);
	EXPECT_GT(seen.right, 0, "some were right all the same");
	EXPECT_GT(seen.stale, 0, "some were stale");
	EXPECT_GT(seen.over_permissive, 0, "some were over-permissive");
	verify(fd, NULL, 0);
}
