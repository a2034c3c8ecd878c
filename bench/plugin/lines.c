// SPDX-License-Identifier: GPL-2.0
/*
 * lines.c - a plugin for QEMU: which cache lines move between CPUs, and which
 * instruction moves them?
 *
 *	qemu-system-x86_64 -accel tcg,thread=multi -smp 2 \
 *		-plugin lines.so,out=FILE ...
 *
 * Each CPU has a cache that is never full. A line of 64 bytes is in any number
 * of them, clean, or in a single one, modified (MSI). A line moves when a CPU
 * reads or writes what another has modified ("modified": what perf c2c calls a
 * HITM), and when it writes what others have clean copies of ("shared": those
 * are invalidated). That is what the protocols of real machines must move at
 * the least; what no longer fits into a cache comes on top there.
 *
 * Only what runs between the guest's markers (src/marker.h) is counted, on
 * the CPU that has given them, its interrupts included. The caches are kept up
 * to date all the time, since the first row: a guest boots at its usual speed.
 *
 * FILE has a line for each row that was begun, behind it one for each
 * instruction that moved lines in it; bench/lines adds the names.
 *
 *	row NUMBER
 *	at ADDRESS MODIFIED SHARED
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-api.h"
#include "../src/marker.h"

#define PLUGIN	"lines.so"
#include "plugin.h"

PLUGIN_EXPORT int qemu_plugin_version = PLUGIN_API_VERSION;

#define LINE_BITS	6
#define MEMORY_MAX	(16ull << 30)	/* of the guest, holes included */
#define CPUS_MAX	31
#define MODIFIED	(1u << 31)	/* its only holder has written it */

/* An instruction that accesses memory. */
struct site {
	struct site *next;
	uint64_t address;
	atomic_uint modified, shared;
};

/* How a machine names the registers of a call's first two arguments. */
struct machine {
	const char *name;
	const char *what;
	size_t marker_size;
	uint64_t marker;	/* its bytes, the first one lowest */
};

static const struct machine machines[] = {
	{ "x86_64", "rdi", 8, MARKER_X86_64 },
	{ "aarch64", "x0", 4, MARKER_ARM64 },
};

static const struct machine *machine;
static atomic_uint *lines;	/* who has each: a bit for each CPU */
static struct site *_Atomic sites;
static struct cpu {
	struct qemu_plugin_register *what;
	bool counting;
} cpus[CPUS_MAX];
static atomic_bool tracking;
static atomic_bool beyond;
static uint64_t plugin_id;
static unsigned int n_rows;
static FILE *out;
static _Thread_local struct g_byte_array *value;

/* --- caches --------------------------------------------------------------- */

static void count(const struct cpu *cpu, atomic_uint *counter)
{
	if (cpu->counting)
		atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static void line_read(unsigned int vcpu, atomic_uint *line, struct site *site)
{
	unsigned int me = 1u << vcpu, was = atomic_load(line);

	do {
		if (was & me)
			return;
	} while (!atomic_compare_exchange_weak(line, &was,
					       (was & ~MODIFIED) | me));
	if (was & MODIFIED)
		count(&cpus[vcpu], &site->modified);
}

static void line_write(unsigned int vcpu, atomic_uint *line, struct site *site)
{
	unsigned int mine = 1u << vcpu | MODIFIED, was;

	if (atomic_load(line) == mine)
		return;
	was = atomic_exchange(line, mine);
	if (!(was & ~mine))
		return;
	count(&cpus[vcpu], was & MODIFIED ? &site->modified : &site->shared);
}

static void accessed(unsigned int vcpu, memory_info info, uint64_t vaddr,
		     void *arg)
{
	const struct qemu_plugin_hwaddr *addr;
	uint64_t at;

	addr = qemu_plugin_get_hwaddr(info, vaddr);
	if (!addr || qemu_plugin_hwaddr_is_io(addr))
		return;
	at = qemu_plugin_hwaddr_phys_addr(addr);
	if (at >= MEMORY_MAX)
		atomic_store(&beyond, true);
	else if (qemu_plugin_mem_is_store(info))
		line_write(vcpu, &lines[at >> LINE_BITS], arg);
	else
		line_read(vcpu, &lines[at >> LINE_BITS], arg);
}

static void look_closer(uint64_t id);

/* --- what the guest says -------------------------------------------------- */

static void find_register(uint64_t id, unsigned int vcpu)
{
	struct g_array *list = qemu_plugin_get_registers();
	const struct qemu_register_name *r = (void *)list->data;
	unsigned int i;

	(void)id;
	for (i = 0; i < list->len; i++)
		if (!strcmp(r[i].name, machine->what))
			cpus[vcpu].what = r[i].handle;
	if (!cpus[vcpu].what)
		die("QEMU does not name the registers as expected");
}

static uint64_t what_is_marked(unsigned int vcpu)
{
	uint64_t word = 0;
	int len;

	if (!value)
		value = g_byte_array_new();
	g_byte_array_set_size(value, 0);
	len = qemu_plugin_read_register(cpus[vcpu].what, value);
	if (len < 0 || len > (int)sizeof(word))
		die("a register cannot be read");
	memcpy(&word, value->data, len);
	return word;
}

/* What was counted since the last time; nobody counts meanwhile. */
static void write_sites(void)
{
	struct site *s;
	unsigned int modified, shared;

	for (s = atomic_load(&sites); s; s = s->next) {
		modified = atomic_exchange(&s->modified, 0);
		shared = atomic_exchange(&s->shared, 0);
		if (modified || shared)
			fprintf(out, "at %" PRIx64 " %u %u\n", s->address,
				modified, shared);
	}
}

static void begin_row(void)
{
	write_sites();
	fprintf(out, "row %u\n", n_rows++);
	if (!atomic_exchange(&tracking, true))
		qemu_plugin_reset(plugin_id, look_closer);
}

static void marked(unsigned int vcpu, void *arg)
{
	(void)arg;
	switch (what_is_marked(vcpu)) {
	case MARK_ON:
		cpus[vcpu].counting = n_rows;
		break;
	case MARK_OFF:
		cpus[vcpu].counting = false;
		break;
	case MARK_ROW:
		begin_row();
		break;
	}
}

/* --- QEMU ----------------------------------------------------------------- */

static struct site *new_site(uint64_t address)
{
	struct site *s = zalloc(sizeof(*s));

	s->address = address;
	s->next = atomic_load(&sites);
	while (!atomic_compare_exchange_weak(&sites, &s->next, s))
		;
	return s;
}

static void watch(struct qemu_plugin_insn *insn)
{
	struct site *site = new_site(qemu_plugin_insn_vaddr(insn));

	qemu_plugin_register_vcpu_mem_cb(insn, accessed, NO_REGISTERS,
					 MEMORY_BOTH, site);
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb), i, len;
	struct qemu_plugin_insn *insn;
	unsigned char code[16];

	(void)id;
	for (i = 0; i < n; i++) {
		insn = qemu_plugin_tb_get_insn(tb, i);
		len = qemu_plugin_insn_data(insn, code, sizeof(code));
		if (len == machine->marker_size &&
		    !memcmp(code, &machine->marker, len))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, marked,
							       READS_REGISTERS,
							       NULL);
		else if (atomic_load(&tracking))
			watch(insn);
	}
}

static void finish(uint64_t id, void *arg)
{
	(void)id;
	(void)arg;
	write_sites();
	if (beyond)
		fputs("beyond\n", out);
	fputs("end\n", out);
	if (fclose(out))
		die("cannot write what was counted; is the disk full?");
}

/* All that was translated until then is forgotten, and translated anew. */
static void look_closer(uint64_t id)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finish, NULL);
}

static bool understood(const struct qemu_info *info, int argc, char **argv)
{
	size_t i;

	for (i = 0; i < sizeof(machines) / sizeof(*machines); i++)
		if (!strcmp(info->target_name, machines[i].name))
			machine = &machines[i];
	return machine && info->system.max_vcpus <= CPUS_MAX && argc == 1 &&
	       !strncmp(argv[0], "out=", 4);
}

PLUGIN_EXPORT int qemu_plugin_install(uint64_t id,
				      const struct qemu_info *info, int argc,
				      char **argv)
{
	if (!understood(info, argc, argv)) {
		fputs("lines.so wants x86_64 or aarch64, "
		      "31 CPUs at most, and out=FILE\n", stderr);
		return -1;
	}
	out = fopen(argv[0] + 4, "w");
	if (!out) {
		fprintf(stderr, "lines.so: cannot write %s\n", argv[0] + 4);
		return -1;
	}
	lines = zalloc((MEMORY_MAX >> LINE_BITS) * sizeof(*lines));
	plugin_id = id;
	qemu_plugin_register_vcpu_init_cb(id, find_register);
	look_closer(id);
	return 0;
}
