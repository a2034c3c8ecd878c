// SPDX-License-Identifier: GPL-2.0
/*
 * stress-run.c - rounds of stress: set up, run the threads, look at the end
 *
 * A round is a process of its own with fresh memory and a seed of its own, so
 * that a failure can be tried again without the rounds before it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cgroup.h"
#include "common.h"
#include "disk.h"
#include "harness.h"
#include "stress.h"

#define ROUND_S		20	/* at most; short tests: half of their time */
#define SAY_S		5
#define SETTLE_MS	5000

#define KSM_DIR	"/sys/kernel/mm/ksm/"
#define SAMPLE	"/sys/kernel/debug/sched/numa_balancing/"

static const struct {
	const char *name;
	unsigned int pages;
	unsigned int views;
} kinds[STRESS_REGIONS] = {
	[ANON] = { "anonymous", 256, 1 },
	[THP] = { "huge-page", 2 * STRESS_HUGE, 1 },
	[KSM] = { "mergeable", 64, 1 },
	[SHM] = { "shared", 192, 2 },
	[DISK] = { "disk", 128, 2 },
};

/* --- threads -------------------------------------------------------------- */

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n, size);

	ASSERT_NE(p, NULL, "memory");
	return p;
}

void stress_thread_init(struct stress_thread *t, unsigned int id)
{
	memset(t, 0, sizeof(*t));
	t->id = id;
	t->what = "look on";
	t->buf = zeroed(STRESS_LOOK, MMU_PAGE);
	t->seen = zeroed(STRESS_PAGES * STRESS_STAMPS, sizeof(*t->seen));
	t->moment = zeroed(STRESS_HUGE, sizeof(*t->moment));
	t->scratch = map_reserve(2 * MMU_HUGE, MMU_HUGE);
	t->poison = map_private(STRESS_LOOK);
}

static void *worker(void *arg)
{
	while (stress_running() ||
	       (!stress_has_had_turn(arg) && !harness_failed()))
		stress_operate(arg);
	return arg;
}

static void *reader(void *arg)
{
	struct stress_thread *t = arg;
	struct stress_range g;

	for (; stress_running(); t->op++) {
		t->random = stress_mix(stress.seed ^ stress_mix(t->id) ^ t->op);
		g = stress_choose(t, IN_ALL, 2 * STRESS_LOOK);
		stress_look(t, stress_handle(t), &g);
	}
	return arg;
}

static void *populater(void *arg)
{
	struct stress_thread *t = arg;
	struct stress_range g;

	t->what = "populate";
	for (; stress_running(); t->op++) {
		t->random = stress_mix(stress.seed ^ stress_mix(t->id) ^ t->op);
		g = stress_choose(t, IN_ALL, STRESS_HUGE);
		stress_populate(t, stress_handle(t), &g, stress_dice(t, 3));
	}
	return arg;
}

static void *verifier(void *arg)
{
	struct stress_thread *t = arg;

	t->what = "VERIFY";
	for (; stress_running(); t->op++) {
		stress_verify(t, stress.handle[t->op % STRESS_HANDLES]);
		sleep_ms(5);
	}
	return arg;
}

/* One word per page that nobody else writes, and all find in its place. */
static void scribble(struct stress_thread *t, const struct stress_range *g,
		     uint32_t n)
{
	struct stress_page *page = stress_page(g, 0);
	uint32_t wipes = __atomic_load_n(&page->wipes, __ATOMIC_SEQ_CST);
	uint64_t word = stress_scribble(g, 0, n);
	int ret;

	stress_before(t, g);
	ret = mmu_write(stress_handle(t), g->p + STRESS_SCRIBBLE_AT, &word, 8);
	stress_after(t, g, true, !ret, ret);
	if (!ret && !(wipes & 1) &&
	    wipes == __atomic_load_n(&page->wipes, __ATOMIC_SEQ_CST))
		__atomic_store_n(&page->scribbled, (uint64_t)wipes << 32 | n,
				 __ATOMIC_SEQ_CST);
	stress_count(&stress.shared->scribbles, !ret);
}

static void *scribbler(void *arg)
{
	struct stress_thread *t = arg;
	struct stress_range g;

	t->what = "scribble";
	for (; stress_running(); t->op++) {
		t->random = stress_mix(stress.seed ^ stress_mix(t->id) ^ t->op);
		g = stress_choose(t, IN_ALL & ~IN(KSM), 1);
		scribble(t, &g, t->op + 1);
	}
	return arg;
}

static void *(*const roles[])(void *) = {
	worker, worker, worker, worker, reader, populater, verifier, scribbler
};

#define THREADS	(sizeof(roles) / sizeof(*roles))

/* --- one round ------------------------------------------------------------ */

static struct stress_range all_of(struct stress_region *r)
{
	return (struct stress_range) {
		.r = r,
		.pages = r->pages,
		.p = r->view[0],
		.len = r->pages * MMU_PAGE,
	};
}

static void map_region(struct stress_region *r)
{
	struct stress_range g;
	unsigned int v;

	for (v = 0; v < r->views; v++) {
		r->view[v] = map_reserve(r->pages * MMU_PAGE, MMU_HUGE);
		g = all_of(r);
		g.p = r->view[v];
		stress_map(&g);
	}
	r->view[STRESS_PEER] = r->view[0];
	g = all_of(r);
	stress_begin(&g, false);
	stress_cpu_stamps(&g);
	stress_complete(&g);
}

static void describe_regions(void)
{
	struct stress_region *r = stress.region;
	unsigned int first = 0, kind;

	for (kind = 0; kind < STRESS_REGIONS; kind++, r++) {
		r->name = kinds[kind].name;
		r->kind = kind;
		r->pages = kinds[kind].pages;
		r->views = kinds[kind].views;
		r->first = first;
		r->file = -1;
		first += r->pages;
	}
	ASSERT_LE(first, STRESS_PAGES, "there is room for all pages");
	stress.region[SHM].file = make_memfd(kinds[SHM].pages);
	stress.region[DISK].file = disk_file("stress",
					     kinds[DISK].pages * MMU_PAGE);
}

/* The peer comes between: it is to have the files, and nothing else. */
static void set_up_memory(void)
{
	unsigned int i;

	stress.shared = mmap(NULL, sizeof(*stress.shared),
			     PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(stress.shared, MAP_FAILED, "shared memory");
	for (i = 0; i < STRESS_PAGES / STRESS_BLOCK; i++)
		pthread_mutex_init(&stress.shared->block[i].lock, NULL);
	describe_regions();
	map_region(&stress.region[SHM]);
	map_region(&stress.region[DISK]);
	stress_peer_start();
	map_region(&stress.region[ANON]);
	map_region(&stress.region[THP]);
	map_region(&stress.region[KSM]);
}

static int count_nodes(void)
{
	char path[64];
	int n = 0;

	do {
		n++;
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%d",
			 n);
	} while (!access(path, F_OK));
	return n;
}

static void find_swap(void)
{
	FILE *f = fopen("/proc/swaps", "re");

	if (!f || fscanf(f, "%*[^\n] %63s", stress.swap) != 1)
		stress.swap[0] = '\0';
	if (f)
		fclose(f);
}

/*
 * Where there are nodes, the kernel moves pages to where they are used. Not
 * where lockdep is: the tick adds the task's work under the lock of the run
 * queue, KASAN wants to note the stack and may have to allocate for it, and
 * lockdep is right to complain, of the kernel itself.
 */
static void balance(bool on)
{
	if (have_lockdep())
		return;
	if (on) {
		write_file(SAMPLE "scan_delay_ms", "1");
		write_file(SAMPLE "scan_period_min_ms", "100");
	}
	write_file("/proc/sys/kernel/numa_balancing", "%d", on);
}

/*
 * Of four seeds, one stands for everything; with the others each operation
 * stays away with a chance of one in three. What hides behind a mixture of
 * all shows in another.
 */
static uint32_t allow_ops(uint64_t seed)
{
	uint64_t dice = stress_mix(seed);
	uint32_t allowed = ~0u;
	unsigned int i;

	if (dice % 4 == 0)
		return allowed;
	for (i = 0; i < STRESS_OPS_MAX; i++) {
		dice = stress_mix(dice);
		if (dice % 3 == 0)
			allowed &= ~(1u << i);
	}
	return allowed | 1;
}

/* The seed decides which file system; where this kernel lacks it, ext4. */
static void choose_disk(uint64_t seed)
{
	unsigned int kinds_of_disk = 0;

	while (disk_types[kinds_of_disk])
		kinds_of_disk++;
	test_disk = disk_types[stress_mix(seed ^ 1) % kinds_of_disk];
	if (!disk_exists())
		test_disk = disk_types[0];
	note("the disk is %s", test_disk);
}

static void set_up(uint64_t seed)
{
	unsigned int i;

	choose_disk(seed);
	stress.seed = seed;
	stress.start = seconds();
	stress.nodes = count_nodes();
	find_swap();
	stress.allowed = allow_ops(seed);
	stress.blind = getenv("STRESS_BLIND");
	set_up_memory();
	for (i = 0; i < STRESS_HANDLES; i++) {
		stress.handle[i] = attached();
		pthread_mutex_init(&stress.handle_lock[i], NULL);
	}
	/* Without KSM, its memory is memory like any other. */
	write_file(KSM_DIR "sleep_millisecs", "20");
	write_file(KSM_DIR "pages_to_scan", "100");
	write_file(KSM_DIR "run", "1");
}

static unsigned long sum_of_ops(void)
{
	unsigned long sum = 0;
	unsigned int i;

	for (i = 0; stress_op_name(i); i++)
		sum += stress.shared->op[i];
	return sum;
}

static void say_progress(const struct my_mmu_stats *before)
{
	struct my_mmu_stats now = stats_of(stress.handle[0]);
	struct stress_shared *s = stress.shared;

	note("%.0f s: %lu operations, %lu populates, %llu retries, "
	     "%llu invalidations, %llu rmap walks, %lu verify rounds, "
	     "%lu pages read", seconds() - stress.start, sum_of_ops(),
	     s->populates, now.retries - before->retries,
	     now.invalidations - before->invalidations,
	     now.rmap_walks - before->rmap_walks, s->verifies, s->reads);
}

static void watch(unsigned int run_seconds, bool talk)
{
	struct my_mmu_stats before = stats_of(stress.handle[0]);
	double end = stress.start + run_seconds, say = stress.start + SAY_S;

	while (stress_running() && seconds() < end) {
		sleep_ms(50);
		if (talk && seconds() >= say && say + 1 < end) {
			say_progress(&before);
			say += SAY_S;
		}
	}
	__atomic_store_n(&stress.shared->stop, true, __ATOMIC_SEQ_CST);
	say_progress(&before);
}

static void note_ops(void)
{
	char text[900] = "";
	unsigned int i;
	size_t n = 0;

	for (i = 0; stress_op_name(i); i++)
		n += snprintf(text + n, sizeof(text) - n, "%s %s %lu",
			      i ? "," : "", stress_op_name(i),
			      stress.shared->op[i]);
	note("operations:%s; moved %lu, scribbles %lu, peer %lu", text,
	     stress.shared->moves, stress.shared->scribbles,
	     stress.shared->peer);
}

/*
 * Threads of the kernel go on for a while: write-back, merging. Where page
 * level events are left to the chain, they may still be at it.
 */
static void settle(void)
{
	struct my_mmu_verify v = { .unsettled = 1 };
	int ms;

	write_file(KSM_DIR "run", "0");
	fsync(stress.region[DISK].file);
	for (ms = 0; v.unsettled && ms < SETTLE_MS; ms += 20) {
		ASSERT_EQ(mmu_verify(stress.handle[0], NULL, 0, &v), 0,
			  "VERIFY works");
		if (v.unsettled)
			sleep_ms(20);
	}
}

/* All is quiet now: contents, entries and frames must agree exactly. */
static void look_at_the_end(void)
{
	struct stress_region *r;
	struct stress_thread t;
	struct stress_range g;

	stress_thread_init(&t, STRESS_WORKERS);
	t.what = "the end";
	settle();
	for (r = stress.region; r < stress.region + STRESS_REGIONS; r++) {
		for (g = all_of(r); g.first < r->pages; g.first++) {
			g.pages = 1;
			g.len = MMU_PAGE;
			g.p = r->view[0] + g.first * MMU_PAGE;
			stress_check(&t, &g);
			stress_look(&t, stress.handle[0], &g);
		}
		verify(stress.handle[0], r->view[0], r->pages);
	}
}

static void check_coverage(void)
{
	unsigned int i;

	EXPECT_GT(stress.shared->reads, 0, "the device did read");
	if (!stress.blind)
		EXPECT_GT(stress.shared->verifies, 0, "VERIFY did look");
	for (i = 0; stress_op_name(i); i++)
		if (stress.allowed >> i & 1)
			EXPECT_GT(stress.shared->op[i], 0, "%s was tried",
				  stress_op_name(i));
}

static void run_round(uint64_t seed, unsigned int run_seconds, bool talk)
{
	static struct stress_thread t[THREADS];
	pthread_t thread[THREADS];
	unsigned int i;

	set_up(seed);
	for (i = 0; i < THREADS; i++)
		stress_thread_init(&t[i], i);
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(pthread_create(&thread[i], NULL, roles[i], &t[i]), 0,
			  "a thread");
	watch(run_seconds, talk);
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	stress_peer_stop();
	if (talk)
		note_ops();
	if (!harness_failed() && !stress.blind)
		look_at_the_end();
	check_coverage();
	_exit(EXIT_SUCCESS);
}

/* --- all rounds ----------------------------------------------------------- */

/* One that stands for everything: a short run may have no other. */
static uint64_t first_seed(void)
{
	struct timespec ts;
	uint64_t seed;

	if (test_seed)
		return test_seed;
	clock_gettime(CLOCK_REALTIME, &ts);
	seed = ts.tv_sec * 1000000000ull + ts.tv_nsec + getpid();
	do {
		seed = stress_mix(seed) | 1;
	} while (allow_ops(seed) != ~0u);
	return seed;
}

void stress_run(unsigned int run_seconds)
{
	unsigned int round_s = run_seconds / 2;
	double end = seconds() + run_seconds;
	uint64_t seed = first_seed();
	pid_t pid;

	if (test_seconds) {
		end = seconds() + test_seconds;
		round_s = test_seconds < ROUND_S ? test_seconds : ROUND_S;
	}
	cgroup_enter("stress", "memory");
	balance(true);
	while (!harness_failed() && seconds() < end - 0.5) {
		note("seed %#llx, %u s", (unsigned long long)seed, round_s);
		pid = spawn();
		if (!pid)
			run_round(seed, round_s, test_seconds);
		join(pid);
		seed = stress_mix(seed);
	}
	balance(false);
	write_file(KSM_DIR "run", "2");
}
