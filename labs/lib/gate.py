# SPDX-License-Identifier: GPL-2.0
"""gate.py - look at a module before it is loaded

It judges what the kernel would load, not the text. A refusal is no zero: a human
looks. It raises the price of forging results; labs/INSTRUCTOR.md says what it
does not promise.
"""

import re
import subprocess

from places import Refused

# What an honest submission may take besides what the variants take.
MORE = set("""
	_raw_spin_lock_irq _raw_spin_unlock_irq _raw_spin_lock_irqsave _raw_spin_unlock_irqrestore
	_raw_spin_trylock _raw_read_lock _raw_read_unlock _raw_write_lock _raw_write_unlock
	mutex_lock mutex_unlock mutex_trylock mutex_lock_killable mutex_lock_interruptible
	__mutex_init down_read_killable down_write_killable down_read_trylock down_write_trylock
	schedule schedule_timeout msleep usleep_range_state __cond_resched
	prepare_to_wait prepare_to_wait_exclusive __wake_up __wake_up_sync autoremove_wake_function
	complete complete_all wait_for_completion wait_for_completion_killable __init_swait_queue_head
	synchronize_srcu synchronize_rcu call_rcu kfree_call_rcu kvfree_call_rcu rcu_barrier
	refcount_warn_saturate kmalloc_caches __kmalloc_cache_noprof kmalloc_trace __kmalloc
	__kmalloc_noprof kfree kvfree krealloc memcpy memset memmove memcmp __memcpy __memset
	_printk __warn_printk ___ratelimit __dynamic_pr_debug sort bsearch
	xa_load xa_store xa_erase xa_find xa_find_after mas_find interval_tree_insert
	interval_tree_remove interval_tree_iter_first interval_tree_iter_next
	rb_insert_color rb_erase rb_first rb_next
	queue_work_on system_wq flush_work cancel_work_sync delayed_work_timer_fn
	mmu_interval_notifier_insert mmu_interval_notifier_remove mmu_interval_read_begin
	__stack_chk_fail __SCT__might_resched __SCT__cond_resched
""".split())

# Nothing that a driver of page tables does: it reads or writes the machine
# behind the kernel's back. \b so that "lgdt" is not found in a symbol.
PRIVILEGED = re.compile(r"\t(?:mov\s+%[cd]r|mov\s+.*,%[cd]r|wrmsr|rdmsr|lgdt|lidt|sidt|sgdt|lldt|ltr|"
                        r"invlpg|invpcid|in\s|out\s|ins|outs|hlt|cli|sti|swapgs|wbinvd|vmcall|"
                        r"syscall|sysenter|sysret|iret|lmsw|smsw|clts|xsetbv|int3?\s)")
# A prefix (notrack, bnd) may stand in front
INDIRECT = re.compile(r"\t(?:[a-z]+\s+)?(?:(?:call|jmp)q?\s+\*|l(?:call|jmp)\b)")
THUNK = re.compile(r"__x86_indirect_thunk|__x86_return_thunk_|__indirect")
# Compilers make these as they please.
SECTIONS = re.compile(r"__(bug_table|jump_table|mcount_loc|patchable_function_entries|dyndbg)$|"
                      r"\.(smp_locks|discard\..*|data(\..*)?|bss(\..*)?|rodata(\..*)?|"
                      r"rela?\..*|text\.unlikely|return_sites|call_sites|data\.once)$")
# In these the kernel finds what it is to patch when it loads a module: it patches
# wherever they point. The keys that a branch or a static call goes by are the kernel's.
PATCHED = re.compile(r"__(?:bug_table|jump_table|mcount_loc|patchable_function_entries)$|"
                     r"\.(?:smp_locks|return_sites|call_sites|static_call_sites|orc_unwind_ip)$")
KEYS = re.compile(r"__tracepoint_|__SC[KT]__")


def tool(*argv):
    done = subprocess.run(argv, capture_output=True, text=True, check=False,
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"})
    if done.returncode:
        raise Refused(f"its object cannot be read by {argv[0]}: {done.stderr.strip()[:200]}")
    return done.stdout


def imports(module):
    return {line.split()[-1] for line in tool("nm", "-u", str(module)).splitlines()}


def sections(module):
    text = tool("readelf", "-SW", str(module))
    return set(re.findall(r"^\s*\[\s*[1-9]\d*\]\s+(\S+)", text, re.M))


def odd_calls(module):
    """Calls and pointers to the middle of something that is not ours."""
    text, found = tool("readelf", "-rW", str(module)), []
    defined = {line.split()[-1] for line in
               tool("nm", "--defined-only", str(module)).splitlines() if line.split()}
    for line in text.splitlines():
        match = re.match(r"[0-9a-f]+\s+[0-9a-f]+\s+(R_\S+)\s+[0-9a-f]+\s+(\S+)(?:\s*([-+])\s*"
                         r"([0-9a-f]+))?\s*$", line)
        if not match:
            continue
        kind, symbol, sign, addend = match.groups()
        offset = int((sign or "+") + (addend or "0"), 16)
        if symbol.startswith(".") or symbol in defined or "my_mmu" in symbol:
            continue
        usual = {"R_X86_64_PLT32": (-4,), "R_X86_64_PC32": (-4, -5, -8),
                 "R_AARCH64_CALL26": (0,), "R_AARCH64_JUMP26": (0,)}.get(kind)
        if usual and offset not in usual or (
                not usual and kind in ("R_X86_64_64", "R_X86_64_32S", "R_AARCH64_ABS64") and offset):
            found.append((symbol, f"{symbol}{offset:+#x}"))
    return found


def patched_elsewhere(module):
    """(table, symbol) where a table of places to be patched points out of the module."""
    text, found, table = tool("readelf", "-rW", str(module)), [], ""
    defined = {line.split()[-1] for line in
               tool("nm", "--defined-only", str(module)).splitlines() if line.split()}
    for line in text.splitlines():
        head = re.match(r"Relocation section '\.rela?(\S+)' at", line)
        table = head[1] if head else table
        match = re.match(r"[0-9a-f]+\s+[0-9a-f]+\s+R_\S+\s+[0-9a-f]+\s+(\S+)", line)
        if match and PATCHED.match(table) and not (
                match[1].startswith(".") or match[1] in defined or KEYS.match(match[1])):
            found.append((table, match[1]))
    return found


def notes(module):
    """What is to be said of a module that passes."""
    kind = re.search(r"Machine:\s+(.*)", tool("readelf", "-h", str(module)))[1]
    return [] if "X86-64" in kind else [
        f"the object gate knows the instructions of x86-64, and this module is for {kind}; grade "
        "for credit on a PC"]


def check(module, clean, lab):
    """Refused, with the reason, if it has what no variant has."""
    variants = [ko for ko in clean.glob("variants/*/*.ko")]
    known = set().union(*map(imports, variants)) | MORE
    new = sorted(imports(module) - known)
    if new:
        raise Refused(f"its object takes what lab {lab.number} has no use for: "
                      f"{', '.join(new[:6])}")
    code = tool("objdump", "-d", "--no-show-raw-insn", str(module))
    for pattern, what in ((PRIVILEGED, "an instruction that is the kernel's own"),
                          (INDIRECT, "a call through a pointer"), (THUNK, "a call through a pointer")):
        if pattern is THUNK and any(pattern.search(s) for s in known):
            continue
        match = pattern.search(code)
        if match:
            line = code[code.rfind("\n", 0, match.start()) + 1:code.find("\n", match.end())]
            raise Refused(f"its object has {what}: {line.strip()}")
    # Tables of the kernel that variants look into, too
    tables = {symbol for ko in variants for symbol, _ in odd_calls(ko)}
    odd = [place for symbol, place in odd_calls(module) if symbol not in tables]
    if odd:
        raise Refused(f"its object calls or points into the middle of {odd[0]}")
    usual = {place for ko in variants for place in patched_elsewhere(ko)}
    odd = [place for place in patched_elsewhere(module) if place not in usual]
    if odd:
        raise Refused(f"its object lets the kernel patch {odd[0][1]}, by its section {odd[0][0]}")
    usual = set().union(*map(sections, variants))
    strange = sorted(s for s in sections(module) - usual if not SECTIONS.match(s))
    if strange:
        raise Refused(f"its object has sections that no variant has: {', '.join(strange[:4])}")
