// SPDX-License-Identifier: GPL-2.0
/*
 * ops.c - all operations, and how often each is drawn
 *
 * Where everything is emulated, a process that comes or goes takes as long as
 * fifty calls to the device. They are rare, so that the others are many.
 */
#include <string.h>

#include "fuzz.h"

#define DO(fn) .draw = draw_##fn, .run = run_##fn
#define ASK(fn) .allocates = true, DO(fn)

const struct op ops[] = {
	{ "attach", { "variant", "flags", "reserved", "place" },
	  .often = { 192, 192 }, ASK(attach) },
	{ "detach", { "place" }, .often = { 16, 16 }, ASK(detach) },
	{ "populate", { "addr", "len", "flags", "batch", "place" },
	  .often = { 480, 400 }, ASK(populate) },
	{ "floor", { "addr", "len", "flags", "batch", "place" },
	  .often = { 48, 64 }, ASK(floor) },
	{ "read", { "addr", "len", "buf", "place" },
	  .often = { 480, 400 }, ASK(read) },
	{ "write", { "addr", "len", "buf", "place", "byte" },
	  .often = { 480, 400 }, ASK(write) },
	{ "query", { "addr", "reserved", "place" },
	  .often = { 240, 400 }, ASK(query) },
	{ "verify", { "addr", "len", "place" },
	  .often = { 128, 160 }, ASK(verify) },
	{ "evict", { "addr", "place" }, .often = { 240, 200 }, ASK(evict) },
	{ "configure", { "us", "reserved", "place" },
	  .often = { 32, 32 }, ASK(configure) },
	{ "stats", { "place", "settle" },
	  .often = { 64, 128 }, ASK(stats) },
	{ "unknown", { "cmd", "place" }, .often = { 64, 64 }, ASK(unknown) },

	{ "open", { "flags" }, .often = { 48, 48 }, ASK(open) },
	{ "close", { 0 }, .often = { 8, 8 }, DO(close) },
	{ "dup", { "to" }, .often = { 32, 32 }, DO(dup) },
	{ "other", { "kind" }, .often = { 2, 2 }, DO(other) },
	{ "send", { "to" }, .often = { 24, 24 }, DO(send) },
	{ "receive", { 0 }, .often = { 24, 24 }, DO(receive) },
	{ "file_call", { "which" }, .often = { 0, 24 }, DO(file_call) },

	{ "map", { "addr", "len", "kind", "prot", "page" }, .no_slot = true,
	  .often = { 56, 56 }, DO(map) },
	{ "unmap", { "addr", "len" }, .no_slot = true,
	  .often = { 24, 20 }, DO(unmap) },
	{ "protect", { "addr", "len", "prot" }, .no_slot = true,
	  .often = { 64, 64 }, DO(protect) },
	{ "advise", { "addr", "len", "advice" }, .no_slot = true,
	  .often = { 64, 48 }, DO(advise) },
	{ "remap", { "addr", "len", "to" }, .no_slot = true,
	  .often = { 16, 16 }, DO(remap) },
	{ "touch", { "addr", "len", "write", "byte" }, .no_slot = true,
	  .often = { 64, 80 }, DO(touch) },
	{ "resize", { "how", "pages" }, .no_slot = true,
	  .often = { 16, 24 }, DO(resize) },

	{ "fork", { "child" }, .no_slot = true, .often = { 12, 12 }, DO(fork) },
	{ "exec", { 0 }, .no_slot = true, .often = { 1, 1 }, DO(exec) },
	{ "exit", { 0 }, .no_slot = true, .often = { 1, 1 }, DO(exit) },
	{ "kill", { "process" }, .no_slot = true, .often = { 1, 1 }, DO(kill) },
	{ "drop_caps", { 0 }, .no_slot = true,
	  .often = { 1, 1 }, DO(drop_caps) },

	{ "debugfs", { "file" }, .no_slot = true,
	  .often = { 4, 4 }, DO(debugfs) },
	{ "parameter", { "value" }, .no_slot = true,
	  .often = { 1, 1 }, DO(parameter) },
	{ "point", { "point", "command" }, .no_slot = true,
	  .often = { 12, 8 }, DO(point) },
	{ "storm", { "on" }, .no_slot = true, .often = { 1, 0 }, DO(storm) },
};

const unsigned int nr_ops = sizeof(ops) / sizeof(*ops);

/* nr_ops if there is none. */
unsigned int op_named(const char *name)
{
	unsigned int i = 0;

	while (i < nr_ops && strcmp(ops[i].name, name))
		i++;
	return i;
}
