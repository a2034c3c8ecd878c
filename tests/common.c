// SPDX-License-Identifier: GPL-2.0
/*
 * common.c - memory, stamps and device entries; see common.h
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/mount.h>
#include <unistd.h>

#include "common.h"

#define LAST_WORD	(MMU_PAGE - sizeof(uint64_t))
#define POISON_PAGES	128

int attached(void)
{
	uint32_t flags = test_mode ? MY_MMU_ATTACH_RMAP_ONLY : 0;
	int fd = mmu_open_attached(test_variant, flags);

	ASSERT_GE(fd, 0, "a handle attaches to variant %s", test_variant);
	return fd;
}

bool variant_can(enum ability what)
{
	int answer = can(test_variant, what);

	ASSERT_GE(answer, 0, "lib/ability.c says what variant %s can",
		  test_variant);
	return answer;
}

void need(enum ability what, const char *text)
{
	if (!variant_can(what))
		skip("%s does not: %s", test_variant, text);
}

struct my_mmu_stats stats_of(int fd)
{
	struct my_mmu_stats s = { 0 };

	ASSERT_EQ(mmu_stats(fd, &s), 0, "statistics can be read");
	return s;
}

/* --- memory --------------------------------------------------------------- */

char *map_reserve(size_t len, size_t align)
{
	uintptr_t at;
	char *p;

	p = mmap(NULL, len + align + 2 * MMU_PAGE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ASSERT_NE(p, MAP_FAILED, "mmap reserves %zu bytes", len);
	at = ((uintptr_t)p + MMU_PAGE + align - 1) & -align;
	return (char *)at;
}

static char *map_over(char *at, size_t len, int prot, int flags, int fd)
{
	char *p = mmap(at, len, prot, flags | MAP_FIXED, fd, 0);

	ASSERT_EQ(p, at, "mmap maps %zu bytes", len);
	return p;
}

static char *map_anon(size_t len, size_t align, int flags)
{
	char *p = map_reserve(len, align);

	map_over(p, len, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1);
	ASSERT_EQ(madvise(p, len, MADV_NOHUGEPAGE), 0, "4 KiB pages only");
	return p;
}

/* What fits into a leaf table lies in one: one batch, one notification. */
static size_t in_one_table(size_t len)
{
	size_t align = MMU_PAGE;

	if (len > MMU_HUGE)
		return MMU_PAGE;
	while (align < len)
		align *= 2;
	return align;
}

char *map_private(size_t pages)
{
	size_t len = pages * MMU_PAGE;

	return map_anon(len, in_one_table(len), MAP_PRIVATE);
}

char *map_shared(size_t pages)
{
	size_t len = pages * MMU_PAGE;

	return map_anon(len, in_one_table(len), MAP_SHARED);
}

char *map_tables(size_t tables)
{
	return map_anon(tables * MMU_HUGE, MMU_HUGE, MAP_PRIVATE);
}

char *map_thp(void)
{
	char *p = map_reserve(MMU_HUGE, MMU_HUGE);

	p = mmap(p, MMU_HUGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	ASSERT_NE(p, MAP_FAILED, "mmap");
	if (madvise(p, MMU_HUGE, MADV_HUGEPAGE))
		skip("this kernel has no transparent huge pages");
	cpu_stamp(p, MMU_HUGE / MMU_PAGE, 1);
	if (!is_thp(p))
		skip("no transparent huge page to be had");
	return p;
}

int make_thp_file(void)
{
	static const char dir[] = "/tmp/huge-files";
	int file;

	mkdir(dir, 0700);
	if (mount("tmpfs", dir, "tmpfs", 0, "huge=always"))
		skip("no tmpfs of huge pages (%s)", strerror(errno));
	file = open("/tmp/huge-files/one", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	umount2(dir, MNT_DETACH);
	ASSERT_GE(file, 0, "a file in it");
	ASSERT_EQ(ftruncate(file, MMU_HUGE), 0, "the file grows");
	return file;
}

char *map_thp_file(int file)
{
	char *p = map_reserve(MMU_HUGE, MMU_HUGE);

	return mmap(p, MMU_HUGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_FIXED, file, 0);
}

char *map_scattered(size_t pages, size_t every)
{
	char *p = map_private(pages);
	size_t i;

	for (i = 0; i < pages; i++)
		cpu_stamp(p + i * MMU_PAGE, 1, SCATTERED_GEN(i, every));
	for (i = 0; i < pages; i += every)
		madvise(p + (i + 1) * MMU_PAGE, (every - 1) * MMU_PAGE,
			MADV_DONTNEED);
	return p;
}

int make_memfd(size_t pages)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	ASSERT_GE(fd, 0, "memfd_create works");
	ASSERT_EQ(ftruncate(fd, pages * MMU_PAGE), 0, "the memfd grows");
	return fd;
}

char *map_fd(int memfd, size_t pages, int prot, int flags)
{
	size_t len = pages * MMU_PAGE;

	return map_over(map_reserve(len, in_one_table(len)), len, prot, flags,
			memfd);
}

void poison_free_memory(void)
{
	size_t len = POISON_PAGES * MMU_PAGE, i;
	uint64_t *p;

	p = mmap(NULL, len, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(p, MAP_FAILED, "memory to poison");
	madvise(p, len, MADV_NOHUGEPAGE);
	for (i = 0; i < len / sizeof(*p); i++)
		p[i] = POISON;
}

/* --- stamps --------------------------------------------------------------- */

uint64_t stamp(unsigned int gen, size_t page)
{
	return 0x5700ull << 48 | (uint64_t)gen << 24 | page;
}

void cpu_stamp(char *p, size_t pages, unsigned int gen)
{
	size_t i;

	for (i = 0; i < pages; i++, p += MMU_PAGE) {
		*(volatile uint64_t *)p = stamp(gen, i);
		*(volatile uint64_t *)(p + LAST_WORD) = stamp(gen, i);
	}
}

void device_stamp_(int fd, char *p, size_t pages, unsigned int gen)
{
	uint64_t word;
	size_t i;
	int ret;

	for (i = 0; i < pages; i++, p += MMU_PAGE) {
		word = stamp(gen, i);
		ret = mmu_write(fd, p, &word, sizeof(word));
		ASSERT_EQ(ret, 0, "the device writes page %zu", i);
		ret = mmu_write(fd, p + LAST_WORD, &word, sizeof(word));
		ASSERT_EQ(ret, 0, "the device writes the end of page %zu", i);
	}
}

void cpu_sees_(const char *p, size_t pages, unsigned int gen)
{
	size_t i;

	for (i = 0; i < pages; i++, p += MMU_PAGE) {
		ASSERT_EQ(*(volatile uint64_t *)p, stamp(gen, i),
			  "the CPU sees page %zu in generation %u", i, gen);
		ASSERT_EQ(*(volatile uint64_t *)(p + LAST_WORD), stamp(gen, i),
			  "so it does at the end of the page");
	}
}

static void device_reads(int fd, const char *p, size_t page, uint64_t want)
{
	uint64_t word = POISON;

	ASSERT_EQ(mmu_read(fd, p, &word, sizeof(word)), 0,
		  "the device reads page %zu", page);
	ASSERT_EQ(word, want, "the device sees what is in page %zu", page);
}

void device_sees_(int fd, const char *p, size_t pages, unsigned int gen)
{
	size_t i;

	for (i = 0; i < pages; i++, p += MMU_PAGE) {
		device_reads(fd, p, i, stamp(gen, i));
		device_reads(fd, p + LAST_WORD, i, stamp(gen, i));
	}
}

void device_sees_zeros_(int fd, const char *p, size_t pages)
{
	size_t i;

	for (i = 0; i < pages; i++, p += MMU_PAGE) {
		device_reads(fd, p, i, 0);
		device_reads(fd, p + LAST_WORD, i, 0);
	}
}

void device_cannot_read_(int fd, const char *p, size_t pages)
{
	uint64_t word = POISON, done;
	size_t i;

	for (i = 0; i < pages; i++, p += MMU_PAGE) {
		ASSERT_EQ(mmu_read_count(fd, p, &word, sizeof(word), &done,
					 NULL),
			  -EFAULT, "the device may not read page %zu", i);
		ASSERT_EQ(done, 0, "it says that it read nothing");
		ASSERT_EQ(word, POISON, "and leaves the buffer alone");
	}
}

void device_cannot_write_(int fd, char *p, size_t pages)
{
	uint64_t word = POISON, done;
	size_t i;

	for (i = 0; i < pages; i++, p += MMU_PAGE) {
		ASSERT_EQ(mmu_write_count(fd, p, &word, sizeof(word), &done,
					  NULL),
			  -EFAULT, "the device may not write page %zu", i);
		ASSERT_EQ(done, 0, "it says that it wrote nothing");
	}
}

/* --- device entries ------------------------------------------------------- */

void populate_(int fd, const char *p, size_t pages, uint32_t flags)
{
	uint64_t done = 0;

	ASSERT_EQ(mmu_populate_batch(fd, p, pages * MMU_PAGE, flags, 0, &done,
				     NULL),
		  0, "populate works");
	ASSERT_EQ(done, pages, "and says that it did all pages");
}

void own_all_memory(void)
{
	ASSERT_EQ(mlockall(MCL_CURRENT), 0, "mlockall");
	ASSERT_EQ(munlockall(), 0, "munlockall");
}

/* What has just been mapped and written is soft-dirty. */
bool have_soft_dirty(void)
{
	char *p = map_private(1);
	bool noted;

	*p = 1;
	noted = pagemap(p) & PM_SOFT_DIRTY;
	munmap(p, MMU_PAGE);
	return noted;
}

static void compare_with_pagemap(int fd, const char *p, size_t page,
				 uint64_t cpu)
{
	uint32_t flags;
	uint64_t pfn;

	ASSERT_EQ(mmu_query(fd, p, &flags, &pfn), 0, "query page %zu", page);
	if (!(flags & MY_MMU_ENTRY_PRESENT)) {
		ASSERT_EQ(flags, 0, "an absent entry has no other flags");
		ASSERT_EQ(pfn, 0, "nor a frame");
		return;
	}
	EXPECT_NE(cpu & PM_PRESENT, 0,
		  "page %zu has an entry, so the CPU maps it, too", page);
	EXPECT_EQ(pfn, cpu & PM_PFN,
		  "the entry of page %zu names the CPU's page", page);
}

void verify_(int fd, const char *p, size_t pages)
{
	struct my_mmu_verify v;
	uint64_t *cpu;
	size_t i;

	ASSERT_EQ(mmu_verify(fd, NULL, 0, &v), 0, "VERIFY works");
	EXPECT_EQ(v.stale, 0, "no stale entry (first bad: %#llx, range: %p)",
		  v.first_bad, p);
	EXPECT_EQ(v.over_permissive, 0,
		  "no entry is too permissive (first bad: %#llx, range: %p)",
		  v.first_bad, p);
	EXPECT_EQ(v.unsettled, 0, "nothing is under way in a quiet process");
	cpu = pagemap_alloc(p, pages);
	for (i = 0; i < pages; i++)
		compare_with_pagemap(fd, p + i * MMU_PAGE, i, cpu[i]);
	free(cpu);
}

void none_writable_(int fd, const char *p, size_t pages)
{
	size_t i;
	int flags;

	for (i = 0; i < pages; i++) {
		flags = mmu_entry(fd, p + i * MMU_PAGE);
		ASSERT_GE(flags, 0, "query page %zu", i);
		EXPECT_EQ(flags & MY_MMU_ENTRY_WRITE, 0,
			  "the device may not write page %zu", i);
	}
}

size_t swapped_without_entries_(int fd, const char *p, size_t pages)
{
	uint64_t *cpu = pagemap_alloc(p, pages);
	size_t i, n = 0;

	for (i = 0; i < pages; i++) {
		if (!(cpu[i] & PM_SWAPPED))
			continue;
		n++;
		EXPECT_EQ(mmu_entry(fd, p + i * MMU_PAGE), 0,
			  "page %zu is in swap and has no entry", i);
	}
	free(cpu);
	return n;
}
