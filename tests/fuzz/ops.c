// SPDX-License-Identifier: GPL-2.0
/*
 * ops.c - all operations, and how often each is drawn
 */
#include <string.h>

#include "fuzz.h"

#define DO(fn) .draw = draw_##fn, .run = run_##fn
#define ASK(fn) .allocates = true, DO(fn)

const struct op ops[] = {
	{ "attach", { "variant", "flags", "reserved", "place" },
	  .often = { 10, 10 }, ASK(attach) },
	{ "detach", { "place" }, .often = { 4, 4 }, ASK(detach) },
	{ "populate", { "addr", "len", "flags", "batch", "place" },
	  .often = { 24, 20 }, ASK(populate) },
	{ "floor", { "addr", "len", "flags", "batch", "place" },
	  .often = { 3, 4 }, ASK(floor) },
	{ "read", { "addr", "len", "buf", "place" },
	  .often = { 24, 20 }, ASK(read) },
	{ "write", { "addr", "len", "buf", "place", "byte" },
	  .often = { 24, 20 }, ASK(write) },
	{ "query", { "addr", "reserved", "place" },
	  .often = { 10, 20 }, ASK(query) },
	{ "verify", { "addr", "len", "place" },
	  .often = { 8, 10 }, ASK(verify) },
	{ "evict", { "addr", "place" }, .often = { 12, 10 }, ASK(evict) },
	{ "configure", { "us", "reserved", "place" },
	  .often = { 4, 4 }, ASK(configure) },
	{ "stats", { "place" }, .often = { 3, 8 }, ASK(stats) },
	{ "unknown", { "cmd", "place" }, .often = { 4, 4 }, ASK(unknown) },

	{ "open", { "flags" }, .often = { 10, 10 }, ASK(open) },
	{ "close", { 0 }, .often = { 6, 4 }, DO(close) },
	{ "dup", { "to" }, .often = { 4, 4 }, DO(dup) },
	{ "other", { "kind" }, .often = { 1, 1 }, DO(other) },
	{ "send", { "to" }, .often = { 4, 4 }, DO(send) },
	{ "receive", { 0 }, .often = { 4, 4 }, DO(receive) },
	{ "file_call", { "which" }, .often = { 0, 3 }, DO(file_call) },

	{ "map", { "addr", "len", "kind", "prot", "page" }, .no_slot = true,
	  .often = { 14, 14 }, DO(map) },
	{ "unmap", { "addr", "len" }, .no_slot = true,
	  .often = { 6, 4 }, DO(unmap) },
	{ "protect", { "addr", "len", "prot" }, .no_slot = true,
	  .often = { 8, 8 }, DO(protect) },
	{ "advise", { "addr", "len", "advice" }, .no_slot = true,
	  .often = { 8, 6 }, DO(advise) },
	{ "remap", { "addr", "len", "to" }, .no_slot = true,
	  .often = { 4, 4 }, DO(remap) },
	{ "touch", { "addr", "len", "write", "byte" }, .no_slot = true,
	  .often = { 10, 14 }, DO(touch) },
	{ "resize", { "how", "pages" }, .no_slot = true,
	  .often = { 2, 3 }, DO(resize) },

	{ "fork", { "child" }, .no_slot = true, .often = { 4, 4 }, DO(fork) },
	{ "exec", { 0 }, .no_slot = true, .often = { 1, 1 }, DO(exec) },
	{ "exit", { 0 }, .no_slot = true, .often = { 1, 1 }, DO(exit) },
	{ "kill", { "process" }, .no_slot = true, .often = { 1, 1 }, DO(kill) },
	{ "drop_caps", { 0 }, .no_slot = true,
	  .often = { 1, 1 }, DO(drop_caps) },

	{ "debugfs", { "file" }, .no_slot = true,
	  .often = { 2, 2 }, DO(debugfs) },
	{ "parameter", { "value" }, .no_slot = true,
	  .often = { 1, 1 }, DO(parameter) },
	{ "point", { "point", "command" }, .no_slot = true,
	  .often = { 4, 2 }, DO(point) },
	{ "storm", { "on" }, .no_slot = true, .often = { 2, 0 }, DO(storm) },
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
