// SPDX-License-Identifier: GPL-2.0
/*
 * spinlocks.c - which kind of spinlock the running kernel has
 *
 * On x86 that is settled at boot. A kernel that sees a hypervisor takes
 * neither queue nor turns: whoever finds a lock taken tries again until it is
 * not (virt_spin_lock()). Where the hypervisor offers it, the next in the queue
 * sleeps (paravirtual). The same count of contended locks means something else
 * under each, so the answer belongs beside it. Read from the kernel's memory:
 * what a command line or a CPU's flags ask for is not what was done.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define PV_OPS		4	/* structures of pointers: one, or several */
#define PV_OPS_WORDS	256	/* no less than any of them has */

struct symbols {
	uint64_t virt_key;	/* virt_spin_lock_key: test-and-set, if on */
	uint64_t pv_slowpath;	/* __pv_queued_spin_lock_slowpath() */
	uint64_t slowpath;	/* of a queued spinlock, by any name */
	uint64_t pv_ops[PV_OPS];	/* point to the one in use */
	int n_pv_ops;
};

static void take_symbol(struct symbols *s, uint64_t at, const char *name)
{
	if (!strcmp(name, "virt_spin_lock_key"))
		s->virt_key = at;
	else if (!strcmp(name, "__pv_queued_spin_lock_slowpath"))
		s->pv_slowpath = at;
	else if (!strcmp(name, "native_queued_spin_lock_slowpath") ||
		 !strcmp(name, "queued_spin_lock_slowpath"))
		s->slowpath = at;
	else if (!strncmp(name, "pv_ops", 6) && s->n_pv_ops < PV_OPS)
		s->pv_ops[s->n_pv_ops++] = at;
}

static void read_symbols(struct symbols *s)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	unsigned long long at;
	char line[512], name[256];

	if (!f)
		die("cannot read /proc/kallsyms: %s", strerror(errno));
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%llx %*c %255s", &at, name) == 2 &&
		    !strchr(line, '['))
			take_symbol(s, at, name);
	fclose(f);
	if (!s->slowpath && !s->virt_key)
		die("/proc/kallsyms names no queued spinlock: be root, and "
		    "try sysctl kernel.kptr_restrict=0");
}

/* Where the byte at @address is in /proc/kcore, or -1. */
static off_t place_of(int fd, uint64_t address)
{
	Elf64_Ehdr head;
	Elf64_Phdr part;
	int i;

	if (pread(fd, &head, sizeof(head), 0) != sizeof(head))
		return -1;
	for (i = 0; i < head.e_phnum; i++) {
		if (pread(fd, &part, sizeof(part), head.e_phoff +
			  i * sizeof(part)) != sizeof(part))
			return -1;
		if (part.p_type == PT_LOAD && address >= part.p_vaddr &&
		    address - part.p_vaddr < part.p_memsz)
			return part.p_offset + (address - part.p_vaddr);
	}
	return -1;
}

static void read_kernel(uint64_t address, void *to, size_t len)
{
	int fd = open("/proc/kcore", O_RDONLY | O_CLOEXEC);
	off_t place = fd < 0 ? -1 : place_of(fd, address);

	if (place < 0 || pread(fd, to, len, place) != (ssize_t)len)
		die("cannot read /proc/kcore: %s. It wants root, and a kernel "
		    "that is not locked down", strerror(errno));
	close(fd);
}

static bool tests_and_sets(const struct symbols *s)
{
	int32_t enabled;	/* first member of a struct static_key */

	if (!s->virt_key)
		return false;
	read_kernel(s->virt_key, &enabled, sizeof(enabled));
	return enabled > 0;
}

/* Words behind a structure are read, too: no other is a slow path's address. */
static bool is_paravirtual(const struct symbols *s)
{
	uint64_t ops[PV_OPS_WORDS];
	int i, word;

	for (i = 0; s->pv_slowpath && i < s->n_pv_ops; i++) {
		read_kernel(s->pv_ops[i], ops, sizeof(ops));
		for (word = 0; word < PV_OPS_WORDS; word++)
			if (ops[word] == s->pv_slowpath)
				return true;
	}
	return false;
}

const char *spinlocks_kind(void)
{
	struct symbols s = { 0 };

	read_symbols(&s);
	if (is_paravirtual(&s))
		return "paravirtual";
	return tests_and_sets(&s) ? "test-and-set" : "queued";
}
