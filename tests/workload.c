// SPDX-License-Identifier: GPL-2.0
/*
 * workload - what the device's user does, without chance, and what it counts
 *
 *	workload overtaken PAGES BATCH TIMES CALLS same|other
 *	workload amid INVALIDATIONS FROM POPULATES PAGES
 *	workload forget TABLES MIRRORED CALLS
 *	workload aliases PAGES ALIASES EVICTED
 *	workload leave DETACHES ATTACHES PAGES
 *	workload reads PAGES PIECE EVERY
 *
 * Each variant does it once. Whoever is overtaken is parked at a test point
 * meanwhile, so each run counts the same. Lab 7 draws the numbers.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "after.h"
#include "race.h"

#define MOST_CALLS	60	/* at once */
#define TRACE		"/sys/kernel/tracing/instances/workload"
#define RETRIES		TRACE "/events/my_mmu/my_mmu_retry/enable"

static unsigned int number[4];
static bool same_table;
static int fd;
static struct my_mmu_stats before;
/* Before what is parked is let go: calls, and entries made */
static unsigned int waiting, done;
static unsigned long early;

/* --- what is counted ------------------------------------------------------ */

static void trace_retries(void)
{
	int trace;

	mkdir(TRACE, 0700);
	ASSERT_EQ(write_file(RETRIES, "1"), 0, "retries can be traced");
	trace = open(TRACE "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC);
	ASSERT_GE(trace, 0, "the trace can be emptied");
	close(trace);
}

static unsigned long looked_up_in_vain(void)
{
	FILE *trace = fopen(TRACE "/trace", "r");
	unsigned long sum = 0;
	char line[256], *pages;

	ASSERT_NE(trace, NULL, "the trace can be read");
	while (fgets(line, sizeof(line), trace)) {
		pages = strstr(line, " npages=");
		if (pages)
			sum += strtoul(pages + strlen(" npages="), NULL, 10);
	}
	fclose(trace);
	return sum;
}

static void begin_to_count(void)
{
	trace_retries();
	before = stats_of(fd);
}

#define SINCE(field) (after.field - before.field)

static void report(void)
{
	struct my_mmu_stats after = stats_of(fd);

	note("batches=%llu retries=%llu vain=%lu populated=%llu zapped=%llu",
	     SINCE(populate_batches), SINCE(retries), looked_up_in_vain(),
	     SINCE(populated_pages), SINCE(zapped_pages));
	note("invalidations=%llu rmap_callbacks=%llu rmap_zaps=%llu",
	     SINCE(invalidations), SINCE(rmap_callbacks), SINCE(rmap_zaps));
	note("faults=%llu entries=%llu tables=%llu", SINCE(device_faults),
	     after.entries, after.tables);
	note("waiting=%u done=%u early=%lu late=%llu", waiting, done, early,
	     SINCE(populated_pages) - early);
}

/* --- a populate that is overtaken ----------------------------------------- */

#define LOOKED_UP	"populate_lookup"

static int populate_in_batches(struct call *c)
{
	return mmu_populate_batch(c->fd, c->p, c->pages * MMU_PAGE, c->flags,
				  number[1], &c->done, &c->retries);
}

static void discard(char *p, size_t pages)
{
	EXPECT_EQ(madvise(p, pages * MMU_PAGE, MADV_DONTNEED), 0, "madvise");
}

static bool comes_again(struct call *c)
{
	while (!call_returned(c) && !tp_parked(LOOKED_UP))
		sleep_ms(1);
	return !call_returned(c);
}

TEST(overtaken, 60)
{
	unsigned int pages = number[0], times = number[2], calls = number[3];
	char *area, *mine, *page;
	struct call c;
	unsigned int i;

	race_begin(1);
	fd = attached();
	area = map_tables(2);
	mine = area + MMU_HUGE;
	page = same_table ? mine + MMU_HUGE - MMU_PAGE : area;
	cpu_stamp(mine, pages, 1);
	cpu_stamp(page, 1, 1);
	populate(fd, page, 1, WRITE);
	begin_to_count();
	c = (struct call) {
		.fn = populate_in_batches, .fd = fd, .p = mine, .pages = pages,
		.flags = WRITE,
	};
	call_to(&c, LOOKED_UP);
	if (times > 1)
		tp_tell(LOOKED_UP, "park %u task %d", times - 1, c.tid);
	while (comes_again(&c)) {
		for (i = 0; i < calls; i++)
			discard(page, 1);
		tp_release(LOOKED_UP);
	}
	tp_off(LOOKED_UP);
	EXPECT_EQ(call_wait(&c), 0, "populate");
	report();
}

/* --- populates that come amid invalidations ------------------------------- */

#define ZAPPED	"start_zapped"

static char *in_table(char *area, unsigned int table, unsigned int page)
{
	return area + table * MMU_HUGE + page * MMU_PAGE;
}

/* Where the driver is not told who waits, the VM has it wait. */
static bool waits(struct call *c, uint64_t waits_before)
{
	if (!variant_can(COUNTS_WAITS))
		return task_is_in(c->tid, "mmu_interval_read_begin");
	return stats_of(fd).waits > waits_before;
}

static void start_and_see(struct call *c)
{
	uint64_t waits_before = stats_of(fd).waits;

	call_start(c);
	while (!call_returned(c) && !waits(c, waits_before))
		sleep_ms(1);
	if (call_returned(c))
		done++;
	else
		waiting++;
}

TEST(amid, 60)
{
	unsigned int n = number[0], from = number[1], m = number[2], i;
	static struct call inv[MOST_CALLS], pop[MOST_CALLS];
	char *area;

	race_begin(n + m);
	fd = attached();
	area = map_tables(2 * n + from + m);
	for (i = 0; i < n; i++) {
		inv[i] = (struct call) {
			.fn = do_madvise, .p = in_table(area, 2 * i, 0),
			.pages = 1, .flags = MADV_DONTNEED,
		};
		cpu_stamp(inv[i].p, 1, 1);
		populate(fd, inv[i].p, 1, WRITE);
	}
	for (i = 0; i < m; i++) {
		pop[i] = (struct call) {
			.fn = do_populate, .fd = fd, .flags = WRITE,
			.p = in_table(area, from + i, 100), .pages = number[3],
		};
		cpu_stamp(pop[i].p, number[3], 1);
	}
	begin_to_count();
	for (i = 0; i < n; i++)
		call_to(&inv[i], ZAPPED);
	for (i = 0; i < m; i++)
		start_and_see(&pop[i]);
	early = stats_of(fd).populated_pages - before.populated_pages;
	tp_off(ZAPPED);
	for (i = 0; i < n; i++)
		EXPECT_EQ(call_wait(&inv[i]), 0, "madvise");
	for (i = 0; i < m; i++)
		EXPECT_EQ(call_wait(&pop[i]), 0, "populate");
	report();
}

/* --- memory of which the device has little -------------------------------- */

TEST(forget, 60)
{
	unsigned int tables = number[0], mirrored = number[1], i;
	char *area;

	fd = attached();
	area = map_tables(tables);
	for (i = 0; i < tables; i++)
		cpu_stamp(in_table(area, i, i), 1, 1);
	begin_to_count();
	for (i = 0; i < mirrored; i++)
		populate(fd, in_table(area, i, i), 1, WRITE);
	for (i = 0; i < number[2]; i++)
		discard(area, tables * MMU_HUGE / MMU_PAGE);
	report();
}

/* --- a file that is mapped several times ---------------------------------- */

TEST(aliases, 60)
{
	unsigned int pages = number[0], aliases = number[1], i;
	int file = make_memfd(pages);
	char *p = NULL;

	fd = attached();
	begin_to_count();
	for (i = 0; i < aliases; i++) {
		p = map_fd(file, pages, PROT_READ | PROT_WRITE, MAP_SHARED);
		cpu_stamp(p, pages, 1);
		populate(fd, p, pages, WRITE);
	}
	for (i = 0; i < number[2]; i++)
		EXPECT_EQ(mmu_evict(fd, p + i * MMU_PAGE), 1, "evict");
	report();
}

/* --- others who come and go while the rmap chain waits for a device ------- */

#define CHAIN	"rmap_zapped"

struct other {
	pid_t pid;
	struct gate ready, go;
	bool *over;
};

static char *mirrored(int own, unsigned int pages)
{
	char *p = map_private(pages);

	cpu_stamp(p, pages, 1);
	populate(own, p, pages, WRITE);
	return p;
}

static void leave_or_come(struct other *o, bool leaves)
{
	int own = -1;

	if (leaves) {
		own = attached();
		mirrored(own, number[2]);
	}
	pass(&o->ready);
	wait_at(&o->go);
	if (leaves)
		ASSERT_EQ(mmu_detach(own), 0, "detach");
	else
		own = attached();
	__atomic_store_n(o->over, true, __ATOMIC_RELEASE);
	wait_at(&o->go);
	_exit(0);
}

static bool is_over(const struct other *o)
{
	return __atomic_load_n(o->over, __ATOMIC_ACQUIRE);
}

static void start_other(struct other *o, bool leaves)
{
	gate_init(&o->ready);
	gate_init(&o->go);
	o->over = (bool *)map_shared(1);
	o->pid = spawn();
	if (!o->pid)
		leave_or_come(o, leaves);
	wait_at(&o->ready);
}

static void let_other_try(struct other *o)
{
	pass(&o->go);
	while (!is_over(o) && !task_is_in(o->pid, "my_mmu_"))
		sleep_ms(1);
	if (is_over(o))
		done++;
	else
		waiting++;
}

static pid_t start_evicting(struct gate *ready, struct gate *go)
{
	pid_t pid = spawn();
	char *p;

	if (pid)
		return pid;
	fd = attached();
	p = mirrored(fd, 1);
	pass(ready);
	wait_at(go);
	ASSERT_EQ(mmu_evict(fd, p), 1, "evict");
	_exit(0);
}

TEST(leave, 60)
{
	unsigned int leaving = number[0], n = leaving + number[1], i;
	static struct other other[MOST_CALLS];
	struct gate ready, go;
	pid_t evicting;

	tp_need();
	gate_init(&ready);
	gate_init(&go);
	fd = mmu_open();
	evicting = start_evicting(&ready, &go);
	wait_at(&ready);
	for (i = 0; i < n; i++)
		start_other(&other[i], i < leaving);
	begin_to_count();
	tp_park_mm(CHAIN, evicting);
	pass(&go);
	tp_wait_parked(CHAIN, 1);
	for (i = 0; i < n; i++)
		let_other_try(&other[i]);
	tp_off(CHAIN);
	for (i = 0; i < n; i++) {
		pass(&other[i].go);
		join(other[i].pid);
	}
	join(evicting);
	report();
}

/* --- a device that reads -------------------------------------------------- */

static void device_reads(char *p, unsigned int pages, unsigned int piece)
{
	static char buf[MY_MMU_BATCH_MAX * MMU_PAGE];
	unsigned int i, n;

	for (i = 0; i < pages; i += piece) {
		n = piece < pages - i ? piece : pages - i;
		EXPECT_EQ(mmu_read(fd, p + i * MMU_PAGE, buf, n * MMU_PAGE), 0,
			  "the device reads");
	}
}

TEST(reads, 60)
{
	unsigned int pages = number[0], piece = number[1], i;
	char *p;

	fd = attached();
	p = map_tables((pages + MY_MMU_BATCH_MAX - 1) / MY_MMU_BATCH_MAX);
	cpu_stamp(p, pages, 1);
	begin_to_count();
	device_reads(p, pages, piece);
	for (i = 0; i < pages; i += number[2])
		discard(p + i * MMU_PAGE, 1);
	device_reads(p, pages, piece);
	report();
}

/* --- the command line ----------------------------------------------------- */

static const struct shape {
	const char *name;
	int numbers;
	bool which_table;
	unsigned int most[4];
} shapes[] = {
	{ "overtaken", 4, true, { 500, MY_MMU_BATCH_MAX, 500, 100 } },
	{ "amid", 4, false, { 28, 60, 30, 200 } },
	{ "forget", 3, false, { 200, 200, 400 } },
	{ "aliases", 3, false, { 400, 40, 400 } },
	{ "leave", 3, false, { 30, 30, 200 } },
	{ "reads", 3, false, { 8000, MY_MMU_BATCH_MAX, 8000 } },
};

static void usage(void)
{
	fprintf(stderr,
		"Usage: workload overtaken PAGES BATCH TIMES CALLS same|other\n"
		"       workload amid INVALIDATIONS FROM POPULATES PAGES\n"
		"       workload forget TABLES MIRRORED CALLS\n"
		"       workload aliases PAGES ALIASES EVICTED\n"
		"       workload leave DETACHES ATTACHES PAGES\n"
		"       workload reads PAGES PIECE EVERY\n"
		"For example: workload overtaken 200 32 4 3 other\n");
	exit(2);
}

static unsigned int number_of(const char *text, unsigned int most)
{
	unsigned int value;
	char end;

	if (sscanf(text, "%u%c", &value, &end) != 1 || !value || value > most)
		usage();
	return value;
}

static const char *read_words(int argc, char **argv)
{
	const struct shape *s = shapes;
	const struct shape *last = s + sizeof(shapes) / sizeof(*s);
	int i;

	while (argc > 1 && s < last && strcmp(argv[1], s->name))
		s++;
	if (argc < 2 || s == last || argc != 2 + s->numbers + s->which_table)
		usage();
	for (i = 0; i < s->numbers; i++)
		number[i] = number_of(argv[2 + i], s->most[i]);
	same_table = s->which_table && !strcmp(argv[argc - 1], "same");
	if (s->which_table && !same_table && strcmp(argv[argc - 1], "other"))
		usage();
	return s->name;
}

static void before_each(void)
{
	write_file("/proc/sys/kernel/numa_balancing", "0");
}

/* What one has left must not be counted of the next. */
static bool after_each(const char *group, const char *test)
{
	(void)group;
	(void)test;
	return nothing_left(4000);
}

int main(int argc, char **argv)
{
	static const struct harness_ops ops = {
		.groups = mmu_variants,
		.before = before_each,
		.let_go = tp_off_all,
		.after = after_each,
	};
	char *args[] = { argv[0], "-t", (char *)read_words(argc, argv), NULL };

	return harness_main(3, args, &ops);
}
