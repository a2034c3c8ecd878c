// SPDX-License-Identifier: GPL-2.0
/*
 * count.c - a plugin for QEMU: how many instructions, in which function, who
 * called it, and was a lock held?
 *
 *	qemu-system-x86_64 -accel tcg,thread=single -smp 1 -icount shift=0 \
 *		-plugin count.so,out=FILE ...
 *
 * The guest says with markers (src/marker.h) when to count, and for which row
 * of its results. Between them, each block of instructions that QEMU runs is
 * counted in the place where it was called: a path of call sites, kept as a
 * tree. That is a shadow of the guest's stack. It is right again after each
 * return, whatever came between (an interrupt, a switch to another task), since
 * a frame is gone when the stack pointer is above it, and each stack has a
 * shadow of its own.
 *
 * FILE has one line for each row that was begun, for each place and for each
 * block in a place; bench/icount adds the names.
 *
 *	row NUMBER PLACE LOCKS		its root; how many locks it took
 *	place NUMBER PARENT SITE	SITE: behind the call, in hexadecimal
 *	block PLACE ADDRESS INSTRUCTIONS TIMES TIMES-LOCKED
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu-api.h"
#include "../src/marker.h"

#define PLUGIN	"count.so"
#include "plugin.h"

PLUGIN_EXPORT int qemu_plugin_version = PLUGIN_API_VERSION;

#define STACK_ALIGN	(16ul << 10)	/* of a task's stack in the kernel */
#define MAX_FRAMES	256
#define MAX_CALLERS	16
#define BUCKETS		(1u << 16)

enum ending { RUNS_ON, CALLS, RETURNS };

/* A block of instructions as QEMU has translated it. */
struct block {
	uint64_t address, end;
	uint64_t instructions;
	enum ending ending;
};

/* A path of call sites. */
struct place {
	struct place *next, *parent;
	uint64_t site;
	unsigned int number;
};

/* What was run there. */
struct tally {
	struct tally *next;
	const struct place *place;
	const struct block *block;
	uint64_t times, locked;
};

struct frame {
	uint64_t sp;		/* as the function was entered */
	struct place *place;
	enum marker lock;	/* MARK_LOCK, MARK_TRYLOCK or none of these */
};

struct stack {
	struct stack *next;
	uint64_t base;
	unsigned int depth;
	struct frame frames[MAX_FRAMES];
};

/* How a machine calls, and in which registers. */
struct machine {
	const char *name;
	const char *registers[4];	/* stack pointer, three arguments */
	const char *result;
	bool pushes;		/* a call puts the way back on the stack */
	size_t marker_size;
	uint64_t marker;	/* its bytes, the first one lowest */
	enum ending (*ending)(const unsigned char *code, size_t len);
};

enum { SP, WHAT, A, B, RESULT, REGISTERS };

static const struct machine *machine;
static struct qemu_plugin_register *handles[REGISTERS];
static struct g_byte_array *value;

static struct place *places[BUCKETS];
static struct tally *tallies[BUCKETS];
static struct stack *stacks;
static struct row {
	struct place *root;
	uint64_t locks;		/* taken, of those that callers[] take */
} *rows;
static unsigned int n_rows, n_places;

static bool counting;
static struct stack *stack;
static const struct block *last;
static long locks_held;
static uint64_t lock_functions[MARK_UNLOCK + 1];
static struct {
	uint64_t from, to;
} callers[MAX_CALLERS];
static unsigned int n_callers;
static const char *out_path;

static unsigned int bucket_of(uint64_t a, uint64_t b)
{
	return ((a ^ b * 0x9e3779b97f4a7c15ull) * 0x9e3779b97f4a7c15ull) >> 48;
}

/* --- how machines call ---------------------------------------------------- */

static enum ending ending_x86_64(const unsigned char *code, size_t len)
{
	size_t i = 0;

	/* Prefixes: of a register, of a branch that is checked or not */
	while (i < len && ((code[i] & 0xf0) == 0x40 || code[i] == 0x3e ||
			   code[i] == 0xf2 || code[i] == 0xf3 ||
			   code[i] == 0x2e))
		i++;
	if (i >= len)
		return RUNS_ON;
	if (code[i] == 0xe8 ||
	    (code[i] == 0xff && i + 1 < len && (code[i + 1] >> 3 & 7) == 2))
		return CALLS;
	if (code[i] == 0xc3 || code[i] == 0xc2)
		return RETURNS;
	return RUNS_ON;
}

static enum ending ending_aarch64(const unsigned char *code, size_t len)
{
	uint32_t insn;

	if (len != sizeof(insn))
		return RUNS_ON;
	memcpy(&insn, code, sizeof(insn));
	if (insn >> 26 == 0x25 ||			/* bl */
	    (insn & 0xfffffc1f) == 0xd63f0000)		/* blr */
		return CALLS;
	if ((insn & 0xfffffc1f) == 0xd65f0000)		/* ret */
		return RETURNS;
	return RUNS_ON;
}

static const struct machine machines[] = {
	{ "x86_64", { "rsp", "rdi", "rsi", "rdx" }, "rax", true,
	  8, MARKER_X86_64, ending_x86_64 },
	{ "aarch64", { "sp", "x0", "x1", "x2" }, "x0", false,
	  4, MARKER_ARM64, ending_aarch64 },
};

static uint64_t read_register(unsigned int which)
{
	uint64_t word = 0;
	int len;

	g_byte_array_set_size(value, 0);
	len = qemu_plugin_read_register(handles[which], value);
	if (len < 0 || len > (int)sizeof(word))
		die("a register cannot be read");
	memcpy(&word, value->data, len);
	return word;
}

static void find_registers(uint64_t id, unsigned int vcpu)
{
	struct g_array *list = qemu_plugin_get_registers();
	const struct qemu_register_name *r = (void *)list->data;
	unsigned int i, k;

	(void)id;
	(void)vcpu;
	for (i = 0; i < list->len; i++)
		for (k = 0; k < REGISTERS; k++)
			if (!strcmp(r[i].name, k < RESULT ?
				    machine->registers[k] : machine->result))
				handles[k] = r[i].handle;
	for (k = 0; k < REGISTERS; k++)
		if (!handles[k])
			die("QEMU does not name the registers as expected");
}

/* --- where it runs -------------------------------------------------------- */

static struct place *place_below(struct place *parent, uint64_t site)
{
	struct place **bucket, *p;

	bucket = &places[bucket_of((uintptr_t)parent, site)];
	for (p = *bucket; p; p = p->next)
		if (p->parent == parent && p->site == site)
			return p;
	p = zalloc(sizeof(*p));
	p->parent = parent;
	p->site = site;
	p->number = n_places++;
	p->next = *bucket;
	*bucket = p;
	return p;
}

static struct stack *stack_at(uint64_t sp)
{
	uint64_t base = sp & ~(STACK_ALIGN - 1);
	struct stack *s;

	if (stack && stack->base == base)
		return stack;
	for (s = stacks; s; s = s->next)
		if (s->base == base)
			return s;
	s = zalloc(sizeof(*s));
	s->base = base;
	s->next = stacks;
	stacks = s;
	return s;
}

static bool is_caller(uint64_t site)
{
	unsigned int i;

	for (i = 0; i < n_callers; i++)
		if (site >= callers[i].from && site < callers[i].to)
			return true;
	return false;
}

static struct place *here(void)
{
	return stack->depth ? stack->frames[stack->depth - 1].place :
	       rows[n_rows - 1].root;
}

static void leave(void)
{
	struct frame *f = &stack->frames[--stack->depth];

	if (f->lock == MARK_LOCK ||
	    (f->lock == MARK_TRYLOCK && read_register(RESULT) & 0xff)) {
		locks_held++;
		rows[n_rows - 1].locks++;
	}
}

/* @f: of the function that returns; where that was a jump, who jumped. */
static void enter_lock(struct frame *f, const struct block *from,
		       const struct block *to)
{
	enum marker kind;

	for (kind = MARK_LOCK; kind <= MARK_UNLOCK; kind++)
		if (to->address == lock_functions[kind])
			break;
	if (kind > MARK_UNLOCK || !is_caller(from->end))
		return;
	f->lock = kind;
	if (kind == MARK_UNLOCK)
		locks_held--;
}

static void enter(const struct block *from, const struct block *to, uint64_t sp)
{
	struct place *place = place_below(here(), from->end);
	struct frame *f;

	if (stack->depth == MAX_FRAMES)
		die("the guest calls too deep: raise MAX_FRAMES in count.c");
	f = &stack->frames[stack->depth++];
	*f = (struct frame) { .sp = sp, .place = place };
	enter_lock(f, from, to);
}

/* Frames whose function has returned: the stack has grown back above them. */
static void leave_returned(uint64_t sp)
{
	while (stack->depth && stack->frames[stack->depth - 1].sp < sp)
		leave();
	if (!machine->pushes && last && last->ending == RETURNS &&
	    stack->depth && stack->frames[stack->depth - 1].sp == sp)
		leave();
}

static void count(const struct block *b)
{
	const struct place *place = here();
	struct tally **bucket, *t;

	bucket = &tallies[bucket_of((uintptr_t)place, (uintptr_t)b)];
	for (t = *bucket; t; t = t->next)
		if (t->place == place && t->block == b)
			break;
	if (!t) {
		t = zalloc(sizeof(*t));
		t->place = place;
		t->block = b;
		t->next = *bucket;
		*bucket = t;
	}
	t->times++;
	t->locked += locks_held > 0;
}

static void executed(unsigned int vcpu, void *arg)
{
	const struct block *b = arg;
	uint64_t sp;

	(void)vcpu;
	if (!counting)
		return;
	sp = read_register(SP);
	stack = stack_at(sp);
	leave_returned(sp);
	if (last && last->ending == CALLS)
		enter(last, b, sp);
	else if (last && last->ending == RUNS_ON && stack->depth)
		enter_lock(&stack->frames[stack->depth - 1], last, b);
	count(b);
	last = b;
}

/* --- what the guest says -------------------------------------------------- */

static void begin_row(void)
{
	struct stack *s;

	rows = realloc(rows, (n_rows + 1) * sizeof(*rows));
	if (!rows)
		die("no memory");
	rows[n_rows] = (struct row) { .root = place_below(NULL, n_rows) };
	n_rows++;
	for (s = stacks; s; s = s->next)
		s->depth = 0;
	locks_held = 0;
}

static void marked(unsigned int vcpu, void *arg)
{
	uint64_t what = read_register(WHAT), a = read_register(A);

	(void)vcpu;
	(void)arg;
	switch (what) {
	case MARK_ON:
		counting = n_rows;
		last = NULL;
		break;
	case MARK_OFF:
		counting = false;
		break;
	case MARK_ROW:
		begin_row();
		break;
	case MARK_LOCK:
	case MARK_TRYLOCK:
	case MARK_UNLOCK:
		lock_functions[what] = a;
		break;
	case MARK_CALLER:
		if (n_callers == MAX_CALLERS)
			die("too many modules: raise MAX_CALLERS in count.c");
		callers[n_callers].from = a;
		callers[n_callers++].to = read_register(B);
		break;
	}
}

/* --- QEMU ----------------------------------------------------------------- */

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb), i, len = 0;
	struct block *b = zalloc(sizeof(*b));
	struct qemu_plugin_insn *insn = NULL;
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
	}
	b->address = qemu_plugin_tb_vaddr(tb);
	b->instructions = n;
	b->end = qemu_plugin_insn_vaddr(insn) + qemu_plugin_insn_size(insn);
	b->ending = machine->ending(code, len);
	qemu_plugin_register_vcpu_tb_exec_cb(tb, executed,
					     READS_REGISTERS, b);
}

static void write_places(FILE *out)
{
	const struct place *p;
	unsigned int i;

	for (i = 0; i < n_rows; i++)
		fprintf(out, "row %u %u %" PRIu64 "\n", i,
			rows[i].root->number, rows[i].locks);
	for (i = 0; i < BUCKETS; i++)
		for (p = places[i]; p; p = p->next)
			if (p->parent)
				fprintf(out, "place %u %u %" PRIx64 "\n",
					p->number, p->parent->number, p->site);
}

static void write_tallies(FILE *out)
{
	const struct tally *t;
	unsigned int i;

	for (i = 0; i < BUCKETS; i++)
		for (t = tallies[i]; t; t = t->next)
			fprintf(out, "block %u %" PRIx64 " %" PRIu64 " %" PRIu64
				" %" PRIu64 "\n", t->place->number,
				t->block->address, t->block->instructions,
				t->times, t->locked);
}

static void write_all(uint64_t id, void *arg)
{
	FILE *out = fopen(out_path, "w");

	(void)id;
	(void)arg;
	if (!out)
		die("cannot write what was counted; is the disk full?");
	write_places(out);
	write_tallies(out);
	if (fclose(out))
		die("cannot write what was counted; is the disk full?");
}

PLUGIN_EXPORT int qemu_plugin_install(uint64_t id,
				      const struct qemu_info *info, int argc,
				      char **argv)
{
	size_t i;

	for (i = 0; i < sizeof(machines) / sizeof(*machines); i++)
		if (!strcmp(info->target_name, machines[i].name))
			machine = &machines[i];
	if (!machine || info->system.smp_vcpus != 1 || argc != 1 ||
	    strncmp(argv[0], "out=", 4)) {
		fputs("count.so wants one CPU (x86_64, aarch64) and out=FILE\n",
		      stderr);
		return -1;
	}
	out_path = strdup(argv[0] + 4);
	value = g_byte_array_new();
	qemu_plugin_register_vcpu_init_cb(id, find_registers);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, write_all, NULL);
	return 0;
}
