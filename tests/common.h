/* SPDX-License-Identifier: GPL-2.0 */
/*
 * common.h - what the tests of the device share
 *
 * Memory is checked with stamps: the first and the last word of each page say
 * which page of the mapping it is and in which generation it was written. A
 * stale translation then shows as an old generation, another page's number
 * or the poison that poison_free_memory() leaves in pages that were freed:
 * the CPU that frees an anonymous page hands it out again at once, so that a
 * device which still reads the old page may see the very bytes it should.
 */
#ifndef TESTS_COMMON_H
#define TESTS_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "ability.h"
#include "harness.h"
#include "mmu.h"

/* Newer than the C library of Debian 12 */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE	101
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif

#define WRITE	MY_MMU_POPULATE_WRITE
#define POISON	0xdeadc0dedeadc0deull

/* A handle attached to this process with the variant and mode under test. */
int attached(void);

/* lib/ability.h has the list. */
bool variant_can(enum ability what);	/* the one under test */
/* Skips the test where the variant cannot. */
void need(enum ability what, const char *text);

struct my_mmu_stats stats_of(int fd);

/*
 * --- memory; all mappings have a hole at both ends, so they never merge, and
 * those of up to 2 MiB lie in one leaf table
 */

char *map_private(size_t pages);	/* anonymous, 4 KiB pages only */
char *map_shared(size_t pages);		/* anonymous, shared with children */
char *map_tables(size_t tables);	/* private, @tables x 2 MiB, aligned */
int make_memfd(size_t pages);
char *map_fd(int memfd, size_t pages, int prot, int flags);
char *map_reserve(size_t len, size_t align);	/* PROT_NONE, private */

/*
 * Every @every-th page of a private mapping; those between were given back, so
 * that little memory is in many places. Stamps tell the pages apart.
 */
char *map_scattered(size_t pages, size_t every);
#define SCATTERED_GEN(page, every)	((page) / (every) + 1)

/* Fill what is free with POISON; call it after memory was given back. */
void poison_free_memory(void);

/* --- stamps --------------------------------------------------------------- */

uint64_t stamp(unsigned int gen, size_t page);
void cpu_stamp(char *p, size_t pages, unsigned int gen);
#define device_stamp(fd, p, n, gen) (HERE(), device_stamp_(fd, p, n, gen))
#define cpu_sees(p, n, gen) (HERE(), cpu_sees_(p, n, gen))
#define device_sees(fd, p, n, gen) (HERE(), device_sees_(fd, p, n, gen))
#define device_sees_zeros(fd, p, n) (HERE(), device_sees_zeros_(fd, p, n))
/* Each page is unreadable (or unwritable) for the device, with -EFAULT. */
#define device_cannot_read(fd, p, n) (HERE(), device_cannot_read_(fd, p, n))
#define device_cannot_write(fd, p, n) (HERE(), device_cannot_write_(fd, p, n))

void device_stamp_(int fd, char *p, size_t pages, unsigned int gen);
void cpu_sees_(const char *p, size_t pages, unsigned int gen);
void device_sees_(int fd, const char *p, size_t pages, unsigned int gen);
void device_sees_zeros_(int fd, const char *p, size_t pages);
void device_cannot_read_(int fd, const char *p, size_t pages);
void device_cannot_write_(int fd, char *p, size_t pages);

/*
 * From here on what is mapped already causes no page fault, which would wait
 * for an mmap_lock; nor is it copied because it is written for the first time
 * since fork(), which is an invalidation that no test has ordered.
 */
void own_all_memory(void);

/* --- device entries ------------------------------------------------------- */

/* Populates, and checks that it worked. */
#define populate(fd, p, n, flags) (HERE(), populate_(fd, p, n, flags))
/* How many of the pages have an entry. */
#define present(fd, p, n) mmu_count_present(fd, p, (n) * MMU_PAGE)
/*
 * The whole device table tells the truth: nothing stale, nothing writable
 * that may not be. The frame numbers of [p, p + n pages) are compared with
 * /proc/self/pagemap as well, so that VERIFY need not be trusted.
 */
#define verify(fd, p, n) (HERE(), verify_(fd, p, n))
/* No entry in the range lets the device write. */
#define none_writable(fd, p, n) (HERE(), none_writable_(fd, p, n))
/* How many pages went to swap; the device must have lost all of those. */
#define swapped_without_entries(fd, p, n) \
	(HERE(), swapped_without_entries_(fd, p, n))

void populate_(int fd, const char *p, size_t pages, uint32_t flags);
void verify_(int fd, const char *p, size_t pages);
void none_writable_(int fd, const char *p, size_t pages);
size_t swapped_without_entries_(int fd, const char *p, size_t pages);

/* --- what the CPU's side looks like --------------------------------------- */

#define PM_PRESENT	(1ull << 63)
#define PM_SWAPPED	(1ull << 62)
#define PM_SOFT_DIRTY	(1ull << 55)
#define PM_PFN		((1ull << 55) - 1)

uint64_t pagemap(const void *p);	/* of /proc/self/pagemap */
void pagemap_of(const void *p, size_t pages, uint64_t *entries);
uint64_t *pagemap_alloc(const void *p, size_t pages);	/* for free() */
size_t count_swapped(const char *p, size_t pages);
/* Reclaims all of it, or fails. */
#define page_all_out(p, pages) (HERE(), page_all_out_(p, pages))
void page_all_out_(char *p, size_t pages);
/*
 * Of frames that were ours, as pagemap_of() named them: a page that somebody
 * holds stays there.
 */
size_t still_in_swap_cache(const uint64_t *old, size_t pages);
/* How many of the pages have other frames than in @old, from pagemap_of(). */
size_t count_moved(const char *p, size_t pages, const uint64_t *old);
/* How many of the pages have the same frame as the first, itself included. */
size_t count_merged(const char *p, size_t pages);
/* A line of the mapping at @p in /proc/self/smaps, in kB; -1: there is none. */
long smaps_kb(const char *p, const char *name);
bool is_thp(const void *p);
/* A transparent huge page, private, stamped; skips where there is none. */
char *map_thp(void);
/*
 * A file of one huge page, in a tmpfs that nobody else sees, and a shared
 * mapping of it, which is huge once it has been touched.
 */
int make_thp_file(void);
char *map_thp_file(int file);
/*
 * By debugfs; 0, or -errno where that cannot be asked. The kernel lets be what
 * somebody else has a hold of just now, so it is asked more than once.
 */
int split_thp(char *p);
/* How many of the pages are there, and have this bit in /proc/kpageflags? */
size_t count_flags(const char *p, size_t pages, unsigned int bit);
#define KPF_DIRTY		4
#define KPF_SWAPCACHE		13
#define KPF_ACTIVE		6
#define KPF_COMPOUND_TAIL	16
#define KPF_THP			22
#define KPF_MLOCKED		33
/* How many of the pages are in a folio behind its first page. */
size_t count_tails(const char *p, size_t pages);
/* How many pages has the folio that begins at @p; 0 if none begins there. */
size_t folio_pages(const char *p);
bool have_swap(void);
bool have_lockdep(void);
/* Does the kernel note what has been written (x86), or not (arm64)? */
bool have_soft_dirty(void);

/* --- processes ------------------------------------------------------------ */

/* fork(), which must work; the child is killed when its parent dies. */
pid_t spawn(void);
/* Wait for a child that must end with exit status 0. */
#define join(pid) (HERE(), join_(pid))
void join_(pid_t pid);
void kill_and_reap(pid_t pid);

/* A gate between processes: pass() lets one wait_at() through. */
struct gate {
	int fd[2];
};

void gate_init(struct gate *g);
void pass(struct gate *g);
void wait_at(struct gate *g);

/* --- files of the kernel -------------------------------------------------- */

int write_file(const char *path, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));	/* 0 or -errno */
long read_number(const char *path);		/* or -errno */

/* Every test finds them as they are by default. */
#define DRIVER_PARAM(name)	"/sys/module/my_mmu_driver/parameters/" name
#define set_lookup(how)							\
	ASSERT_EQ(write_file(DRIVER_PARAM("lookup"), "%s", how), 0,	\
		  "lookup=%s", how)

/*
 * Reclaim knows a new page at once only on the CPU that made it; one that waits
 * for its LRU list in the batch of another CPU is passed over.
 */
void stay_on_one_cpu(void);

bool two_nodes(void);	/* does the machine have several NUMA nodes? */
void move_to_node(char *p, size_t pages, int node);

double seconds(void);
/* How often did this thread sleep? Being preempted does not count. */
long sleeps(void);
void sleep_ms(unsigned int ms);

#endif /* TESTS_COMMON_H */
