# SPDX-License-Identifier: GPL-2.0
"""The report as one HTML file: no script, nothing loaded from elsewhere.

What stands in it is put together here; how it looks, report.html says
(a template of jinja2) and report.css.
"""

import sys
from pathlib import Path
from typing import Any, Iterable, NamedTuple, Optional

from . import bars, interference, model, moved, perf, scaling, which
from .bars import EVENTS, INSTRUCTIONS, Verdict
from .charts import (Control, control_sentence, per_thousand, plural, seen,
                     select, span, title_of, variants_of)
from .figures import Figure, Mark, Table, microseconds, nice
from .insn import Counts
from .results import FLOOR, Results, count_of, interval_name

try:
    import jinja2
except ImportError:
    sys.exit(f"bench: {sys.executable} has no jinja2, which the page needs. "
             "\"vm/setup bench\" installs Debian's (python3-jinja2), for "
             "/usr/bin/python3.")

Row = dict[str, Any]
HERE = Path(__file__).resolve().parent
NOT_COUNTED = "not counted"
DASH = "–"


class Part(NamedTuple):
    """A piece of a section; report.html knows the kinds."""

    kind: str
    text: str = ""
    css: str = ""
    table: Optional[Table] = None
    figures: Iterable[Figure] = ()
    parts: Iterable["Part"] = ()


class Section(NamedTuple):
    anchor: str
    title: str
    parts: list[Part]


def text(words: str, css: str = "") -> Part:
    return Part("text", words, css)


def figures(some: Iterable[Figure]) -> Part:
    return Part("figures", figures=some)


def table(caption: str, rows: Table) -> Part:
    return Part("table", caption, table=rows)


def details(summary: str, *parts: Part) -> Part:
    return Part("details", summary, parts=parts)


def emulated(meta: dict[str, Any]) -> bool:
    return meta["accelerator"] == "tcg"


def source_line(meta: dict[str, Any]) -> str:
    """Stands under every figure."""
    parts = [meta["host"], meta["accelerator"].upper(),
             f"Linux {meta['kernel']}", meta["date"][:10]]
    line = " · ".join(parts)
    if emulated(meta):
        line += "\nemulated: shapes and counts, not speeds"
    return line


def spinlocks(meta: dict[str, Any]) -> str:
    """The kind that the guest's kernel had chosen; read back since it is known
    that there are several."""
    kind = meta.get("spinlocks")
    return f"{kind} spinlocks" if kind else "spinlocks of unrecorded kind"


# --- numbers as text ---------------------------------------------------------

def value_text(row: Row, value: float) -> str:
    if row["unit"] == "pages/s":
        return f"{nice(value / 1e6)} M/s"
    return microseconds(value)


def _value_span(row: Row, name: str, lo: str, hi: str) -> str:
    return (f"{value_text(row, row[name])} [{value_text(row, row[lo])}"
            f" {DASH} {value_text(row, row[hi])}]")


def _ratio_span(row: Row) -> Any:
    if row["variant"] == FLOOR:
        return "1"
    words = (f"{row['ratio']:.2f} {span(row['ratio_lo'], row['ratio_hi'])}"
             + (" of means" if row["statistic"] == "mean" else ""))
    return words if seen(row) else Mark(words, "faint")


def _modes(row: Row) -> str:
    """"570 µs (62 %), 3.4 ms (38 %)"."""
    found = [part.split(":") for part in row["modes"].split()]
    return ", ".join(f"{microseconds(float(at))} ({100 * float(share):.0f} %)"
                     for at, share in found)


def _value(row: Row) -> str:
    """Where a cell sleeps, its median is no typical value."""
    if not row.get("sleeps"):
        return _value_span(row, "median", "lo", "hi")
    return (f"{row['sleeps']}: mean "
            f"{_value_span(row, 'mean', 'mean_lo', 'mean_hi')}; modes "
            f"{_modes(row) or 'too few'}")


PERCENTILES = ("p50_ns", "p90_ns", "p99_ns", "p999_ns")


def _percentile(row: Row, name: str) -> str:
    if row[name] is None:
        return DASH
    return (f"{microseconds(row[name])} [{microseconds(row[name + '_lo'])} "
            f"{DASH} {microseconds(row[name + '_hi'])}]")


# --- tables ------------------------------------------------------------------

def _by_load(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda r: (r["pages"], r["threads"]))


def _numbers(rows: list[Row], interval: str) -> Table:
    latency = rows[0]["unit"] != "pages/s"
    head = ["pages", "threads", "variant", "condition", "runs",
            f"median [{interval}]", "relative to the floor"]
    if latency:
        head += ["50 %", "90 %", "99 %", "99.9 %", "max", "operations"]
    body = []
    for row in _by_load(rows):
        cells = [str(row["pages"]), str(row["threads"]), row["variant"],
                 row["condition"], str(row["n"]), _value(row),
                 _ratio_span(row)]
        if latency:
            cells += [_percentile(row, name) for name in PERCENTILES]
            worst = row["max_ns"]
            cells += [DASH if worst is None else microseconds(worst),
                      str(row["samples"])]
        body.append(cells)
    return Table(head, body, 3)


def _counted(row: Row, name: str) -> str:
    if count_of(row, name) is None:
        return NOT_COUNTED
    return nice(per_thousand(row, name))


COUNT_HEADS = (
    ("foreign", "beside"), ("late", "late"),
    ("contended", "contended locks"), ("retries", "retries"),
    ("waits", "waits"), ("zapped", "entries zapped"),
    ("invalidations", "invalidations"),
    ("context_switches", "context switches"),
    ("cpu_migrations", "CPU migrations"), ("page_faults", "page faults"),
    ("cycles", "cycles"), ("instructions", "instructions"))


def _counts(rows: list[Row]) -> Table:
    head = ["pages", "threads", "variant", "condition"]
    head += [words for _, words in COUNT_HEADS]
    body = [[str(row["pages"]), str(row["threads"]), row["variant"],
             row["condition"]] + [_counted(row, name)
                                  for name, _ in COUNT_HEADS]
            for row in _by_load(rows)]
    return Table(head, body, 3)


# --- the bars ----------------------------------------------------------------

def _verdict_cell(verdicts: list[Verdict]) -> Any:
    if not verdicts:
        return "not measured"
    v = verdicts[0]
    exact = v.bar.evidence == INSTRUCTIONS
    note = (f"{v.value:.0f}" if v.bar.evidence == EVENTS else
            f"{v.value:.3f}" if exact else f"{v.value:.2f}")
    if v.lo is not None and not exact:
        note += f" {span(v.lo, v.hi)}"
    elif v.lo is not None:
        note += f" ± {(v.hi - v.lo) / 2:.3f}"
    return Mark(f"{bars.SIGNS[v.word]} {v.word}", v.word, note)


def _bar_table(verdicts: list[Verdict], variants: list[str]) -> Table:
    body = []
    for bar in dict.fromkeys(v.bar for v in verdicts):
        mine = [v for v in verdicts if v.bar == bar]
        for threads in dict.fromkeys(v.threads for v in mine):
            cells = [_verdict_cell([v for v in mine if v.variant == variant
                                    and v.threads == threads])
                     for variant in variants]
            body.append([bar.text, str(bar.pages), str(threads), bar.evidence,
                         Mark(bar.limit_text(), "fixed"), *cells])
    known = {v.bar for v in verdicts}
    for bar in bars.BARS:
        if bar not in known and any(b.evidence == bar.evidence == INSTRUCTIONS
                                    for b in known):
            body.append([bar.text, str(bar.pages), "1", bar.evidence,
                         Mark(bar.limit_text(), "fixed"),
                         *[Mark(NOT_COUNTED, "faint", bar.counted_by)
                           for _ in variants]])
    return Table(["what", "pages", "threads", "from", "bar", *variants], body)


BARS = (
    "Bars on instructions and bytes are decided by counting. A bar on times is "
    "met or missed only if the interval leaves it out, for all of them at "
    "once; where the bar is inside, nothing has been decided.")


def _price_table(prices: list[bars.Price]) -> Table:
    body = [[p.cell.scenario, p.cell.condition, str(p.cell.pages),
             f"{p.band.value:.3f}", Mark(f"{bars.SIGNS[p.word]} {p.word}", p.word),
             p.pays or DASH] for p in prices]
    return Table(["scenario", "condition", "pages", "relative to the best",
                  "bar", "pays for"], body, 3)


def _verdicts(verdicts: list[Verdict], prices: list[bars.Price],
              interval: str) -> Section:
    names = list(dict.fromkeys(v.variant for v in verdicts))
    parts = [text("None of the bars was measured: they are about 1 and 512 "
                  "pages.")]
    if verdicts:
        parts = [text(BARS), text(bars.how_many(verdicts)),
                 table(f"The bars; intervals of times: {interval}",
                       _bar_table(verdicts, names))]
    if not any(v.bar.evidence == INSTRUCTIONS for v in verdicts):
        parts.append(text(NO_COUNTS))
    if prices:
        parts.append(table(
            "interval beside the best of the others, in instructions of an "
            "operation: at most 1.05, or for what it pays", _price_table(prices)))
    return Section("verdict", "The bars", parts)


NO_COUNTS = (
    "Instructions were not counted for this report, and most bars are about "
    "them: \"make icount\", then \"bench/report FOLDER build/icount\".")


# --- sections ----------------------------------------------------------------

ABOUT = {
    "populate":
        "Memory that the CPU has touched already goes into an empty device "
        "page table. Each thread has its own share of whole leaf tables. The "
        "floor does the page lookups (get_user_pages_fast) and nothing else, "
        "by the same threads on the same memory, in turn with the variants.",
    "invalidate-dontneed":
        "The pages stay mapped and lose their contents. Mirrored: the device "
        "had all of them. Unmirrored: the process has a device, which maps "
        "something else. With two threads, both do it at once, each to a "
        "range of its own.",
    "populate-overlap":
        "All threads populate the same memory; each begins where its share "
        "would. Entries are made once. The floor's threads look up the same "
        "pages, and take references of the same pages, too.",
    "populate-per-call":
        "As populate, but a thread covers its share call by call, each of so many "
        "pages, where there one call covers all of it and only the driver goes on by "
        "so many. The floor's lookups are called for in the same way.",
    "populate-table":
        "The threads share each leaf table: they take its batches in turns, one "
        "call for each. Where a lock is for one table, splitting it helps no "
        "further here.",
    "attach":
        "A new process attaches while another one's device is asked for an "
        "answer again and again, and takes its time. In the chain: by "
        "evictions, so that whoever walks the list of external MMUs sleeps. In a "
        "range callback: by invalidations, which no variant's list has to do "
        "with.",
    "detach":
        "As attach: the process has attached before, and detaches.",
    "exit":
        "As attach: the process has attached before, and exits. An exit waits for "
        "the callbacks of plain notifiers that are under way anywhere in the "
        "machine, since the VM keeps one SRCU for all of them. Those of interval "
        "notifiers are not among these.",
    "age":
        "The VM walks the tables of one process for a new generation of pages: it "
        "takes each accessed bit away and asks the device for its own, page by "
        "page. Mirrored: the device has used all pages, so that each question finds "
        "and clears a mark. Unmirrored: it has used one other page, and each "
        "question finds nothing.",
    "evict":
        "One page is taken from all devices while so many processes have one; the "
        "caller alone has the page. Every external MMU on the list is asked.",
    "invalidate-munmap":
        "The pages and their mapping go away. Conditions as for "
        "MADV_DONTNEED; munmap also takes the mmap lock for writing, so two "
        "threads wait for each other whatever the device does.",
}


BESIDE = (
    "As populate, while one more thread takes away a page {} times a second, by "
    "MADV_DONTNEED: elsewhere, a page of another leaf table; between, of one "
    "below and one above in turn; table, of the leaf table that is being "
    "populated, never a page that is. The floor looks up under the same storm.")


def about(scenario: str) -> str:
    stem, _, rate = scenario.rpartition("-")
    if stem == "populate-beside":
        return BESIDE.format(rate)
    return ABOUT.get(scenario, "")


def _scenario(scenario: str, rows: list[Row], drawn: list[Figure],
              interval: str) -> Section:
    title = title_of(scenario)
    return Section(scenario, title, [
        text(about(scenario)), figures(drawn),
        details("All numbers", table(f"{title}: all numbers",
                                     _numbers(rows, interval))),
        details("What was counted meanwhile",
                table(f"{title}: counts per 1000 operations",
                      _counts(rows)))])


def _memory(rows: list[Row], drawn: list[Figure]) -> Section:
    body = []
    for variant in variants_of(rows):
        known = [r["bytes_per_page"] for r in select(rows, variant=variant)
                 if r["bytes_per_page"]]
        if known:
            body.append([variant, f"{max(known):.1f}"])
    return Section("memory", "Memory", [figures(drawn), table(
        "Bytes of leaf tables and reverse index per mirrored page",
        Table(["variant", "bytes per page, at most"], body))])


def _reading(interval: str) -> list[str]:
    return [
        "Numbers with brackets are medians and their intervals, by a "
        "bootstrap: boots are drawn first, blocks of the boots drawn next, "
        "repetitions last. A block is one full set of measurements with "
        "freshly loaded modules and fresh processes; within it, all variants "
        "and both floors take turns in random order. In a simulation with as "
        f"many boots, blocks and repetitions as here, {interval} of such "
        "intervals had the truth inside.",
        "A ratio compares a run with another of the same boot, block and "
        "repetition, never with another time. \"Better\" and \"worse\" are "
        "said when 1 is outside the interval, \"same within 3 %\" when all of "
        "the interval is, and \"undecided\" else: more blocks, or a quieter "
        "machine, may decide.",
        "A/A: in each group the floor is measured twice, under two names. "
        "Nothing differs, so their interval shows what the machine itself "
        "does; smaller differences are grey.",
        "Where an operation sleeps (one context switch or more for each), or "
        "has two modes, a median jumps from one to the other: mean and modes "
        "are given instead, and ratios are those of means.",
        "Latency is the time between two readings of the clock around the "
        "system call, each operation started after the one before had ended: "
        "waiting in a queue does not show. A percentile is left out unless 10 "
        "operations lie beyond it; its interval takes operations to be "
        "independent, so it is the least one must allow for.",
    ]


EMULATED = (
    "This was measured under emulation (QEMU's TCG). Instructions cost what "
    "it takes to translate and imitate them, caches and their misses are the "
    "host's, two virtual CPUs are two threads of an emulator. Shapes (what "
    "grows with pages or threads), counts (contended locks, retries) and "
    "ratios between like kinds of work carry over; speeds do not.")


def _how_to_read(meta: dict[str, Any], interval: str) -> Section:
    parts = [text(words) for words in _reading(interval)]
    if emulated(meta):
        parts.insert(0, text(EMULATED, "warning"))
    return Section("reading", "How to read this", parts)


def mitigations(meta: dict[str, Any]) -> str:
    """Those that the guest applies or lacks; most are not affected."""
    return "; ".join(f"{name}: {state}"
                     for name, state in meta["mitigations"].items()
                     if state != "Not affected") or "none needed"


def _what_was_run(results: Results) -> Section:
    meta, p = results.meta, results.meta["parameters"]
    commit = meta["commit"] + (" with local changes" if meta["dirty"] else "")
    known = [
        ("Date", meta["date"]), ("Where", meta["host"]),
        ("Host", f"{meta['host_cpu']}, {plural(meta['host_cpus'], 'core')}, "
                 f"Linux {meta['host_kernel']}"),
        ("Accelerator", f"{meta['accelerator']} ({meta['qemu']})"),
        ("Guest", f"{plural(meta['vcpus'], 'virtual CPU')}, "
                  f"{meta['memory_kb'] // 1024} MiB, {meta['uname']}"),
        ("Kernel package", meta["package"]),
        ("Spinlocks", meta.get("spinlocks", "not recorded")),
        ("Clock", f"{meta['clocksource']}, {meta['clock_ns']} ns to read"),
        ("Steal", f"{meta['steal_ms']} ms in the guest, "
                  f"{meta['host_steal_ms']} ms on the host"),
        ("Load of the host", f"{meta['host_load']:.2f} when it began; far "
                             "above 0 makes times unsteady"),
        ("Took", f"{meta['seconds']} s of measuring"),
        ("Mitigations", mitigations(meta)),
        ("perf", meta["perf"]),
        ("Compiler", meta["compiler"]), ("Commit", commit),
        ("Parameters", "; ".join(
            f"{k} {' '.join(map(str, v)) if isinstance(v, list) else v}"
            for k, v in p.items())),
        ("Runs", f"{sum(map(len, results.runs.values()))}, in "
                 f"{plural(p['boots'] * p['blocks'], 'block')} of "
                 f"{plural(p['reps'], 'repetition')}"),
    ]
    body = [[name, str(value)] for name, value in known]
    return Section("setting", "What was run",
                   [table("Machine, kernel and parameters",
                          Table(["", "value"], body))])


SETS = {"quick": ["QUICK=1"], "full": ["FULL=1"]}
ONCE = {"boots": "BOOTS", "blocks": "BLOCKS", "reps": "REPS", "mib": "MIB",
        "budget_ms": "BUDGET_MS", "limit_ms": "LIMIT_MS", "ops": "OPS",
        "perf_ms": "PERF_MS", "perf": "PERF", "lookup": "LOOKUP", "seed": "SEED"}


def _again(meta: dict[str, Any]) -> list[str]:
    """All that decides what is measured. Of a host and of older runs not all was
    recorded, and not all applies."""
    p = meta["parameters"]
    of_host = p.get("host", False)
    given = ["HOST=1"] if of_host else [f"KERNEL={meta['series']}"]
    if meta.get("pinned"):
        given.append(f"CPUS={p['cpus']}")
    given += SETS.get(p.get("set", "quick" if p.get("quick") else "normal"), [])
    if p.get("scenarios"):
        given.append(f"SCENARIOS={','.join(p['scenarios'])}")
    given += [f'VARIANTS="{" ".join(p["variants"])}"',
              f'THREADS={",".join(map(str, p["threads"]))}',
              f'PAGES={",".join(map(str, p["pages"]))}']
    return given + [f"{said}={p[name]}" for name, said in ONCE.items()
                    if name in p and not (of_host and name == "boots")]


def commands(meta: dict[str, Any]) -> list[str]:
    return [f"git checkout {meta['commit']}",
            "make bench " + " ".join(_again(meta)),
            "bench/report build/report   # draws again from the same rows",
            "bench/report build/report build/icount   # with instructions",
            "bench/save-results NAME     # keeps them in bench/results/"]


def _repeat(meta: dict[str, Any]) -> Section:
    return Section("repeat", "How to repeat it", [
        text("All rows, as they were measured, are beside this file: raw.csv, "
             "hist.csv, summary.csv and meta.json."),
        Part("pre", "\n".join(commands(meta)))])


# --- perf --------------------------------------------------------------------

PERF = (
    ("profile", "Where the time goes",
     "perf record -e cpu-clock: share and number of the samples taken in the "
     "worker threads, symbols above 1 %; for invalidations that includes "
     "touching and mirroring the pages again"),
    ("lock", "Locks that were waited for",
     "perf lock record, perf lock contention: the kernel's own locks as "
     "well as ours. Of a queued spinlock it sees who waits in the queue, not the "
     "first to wait, who spins on the lock itself; of a test-and-set lock, "
     "which a kernel takes where it sees a hypervisor, nobody. The variants' "
     "own count of contended acquisitions, above, has them all"),
    ("stat", "Counters around runs of their own", "perf stat"),
    ("tracepoints", "The project's tracepoints",
     "perf stat -e 'my_mmu:*'; not among the timed runs, since enabled "
     "tracepoints cost time"),
)


def _perf_text(text: str) -> str:
    """perf's output without empty lines and dates."""
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join(line for line in lines
                     if line and not line.startswith("# started on"))


WAITS = (
    "\"my_mmu\" is the driver's own tracepoint in the slow path of each of its "
    "spinlocks, added up by the kernel: it sees every waiter. \"perf lock\" "
    "sees the kernel's locks, by who waits; of a spinlock it sees those that "
    "queue, so never the only one that waits.")
PROFILE = (
    "Stacks of the worker threads at 2000 samples a second; for invalidations "
    "that includes touching and mirroring the pages again. Below 1000 samples "
    "a share means little and none is drawn; PERF=record goes on until there "
    "are as many. The folded stacks are in perf-stacks/, for any flame graph.")


def _perf_tables(folder: Path, drawn: list[Figure]) -> list[Part]:
    parts = []
    waits, found = perf.waits(folder), perf.profiles(folder)
    if waits:
        parts += [Part("heading", "Locks that were waited for, by name"),
                  text(WAITS), table("Waits for locks in runs under perf",
                                     perf.wait_table(waits))]
    if found:
        parts += [Part("heading", "Where the time goes"), text(PROFILE),
                  figures(drawn), details("How many samples", table(
                      "Samples of each profile", perf.sample_table(found)))]
    counted = perf.stat_table(folder)
    if counted:
        parts.append(details("Counters and tracepoints", table(
            "perf stat, around runs of their own", counted)))
    parts += [text(f"{note}.") for note in perf.notes(folder)]
    return parts


def _perf(folder: Path, drawn: list[Figure]) -> Section:
    parts: list[Part] = _perf_tables(folder, drawn)
    for kind, title, about in PERF:
        files = sorted(folder.glob(f"perf-{kind}-*.txt"))
        if files:
            parts += [Part("heading", title), text(f"{about}.")]
        for path in files:
            who = path.stem.removeprefix(f"perf-{kind}-")
            parts.append(details(
                who, Part("pre", _perf_text(path.read_text()))))
    return Section("perf", "What perf saw",
                   parts or [text("perf was not run (PERF=none).")])


# --- the whole ---------------------------------------------------------------

class Report(NamedTuple):
    """All that is known; the programs fill it in."""

    results: Results
    rows: list[Row]
    pairs: list[Row]
    controls: list[Control]
    counts: Optional[Counts]
    lines: list[which.Line]
    verdicts: list[Verdict]
    interference: interference.Table
    folder: Path
    transfers: Optional[moved.Moved] = None


class Drawn(NamedTuple):
    matrices: list[Figure]
    pairs: list[Figure]
    controls: list[Figure]
    insn: list[Figure]
    scenarios: dict[str, list[Figure]]
    counts: Figure
    scaling: list[Figure]
    profiles: list[Figure]
    transfers: list[Figure]
    memory: list[Figure]
    growth: list[Figure]


def counted_elsewhere(report: Report) -> Optional[str]:
    """Instructions and times of two commits are not of one program."""
    if not report.counts:
        return None
    mine, other = report.results.meta, report.counts.meta
    if (mine["commit"], mine["kernel"]) == (other.get("commit"),
                                            other.get("kernel")):
        return None
    return (f"Times are of commit {mine['commit']} and {mine['kernel']}, "
            f"instructions of {other.get('commit')} and "
            f"{other.get('kernel')}: two programs, if bench/ or the modules "
            "changed between.")


BUSY, STOLEN = 0.5, 0.01	# load of the host; share of the guest's time


def disturbed(meta: dict[str, Any]) -> Optional[str]:
    """A machine that others used meanwhile: its rows are kept, and flagged."""
    load = meta["host_load"]
    stolen = meta["steal_ms"] / (1000 * meta["seconds"] * meta["vcpus"])
    if load <= BUSY and stolen <= STOLEN:
        return None
    return (f"The machine was not idle: load {load:.1f} when it began, "
            f"{100 * stolen:.1f} % of the guest's time stolen. All rows are "
            "kept; intervals are wider than they need be.")


QUEUED = "queued"
OTHER_LOCKS = (
    "This guest had {}, as a kernel takes them where it sees a hypervisor. Most "
    "machines have queued ones. Contention here, in counts and in times of more "
    "than one thread, is of these locks; compare it with no other kind. "
    "HYPERVISOR=off hides the hypervisor.")


def other_locks(meta: dict[str, Any]) -> Optional[str]:
    if meta.get("spinlocks") == QUEUED:
        return None
    return OTHER_LOCKS.format(spinlocks(meta)) if meta.get("spinlocks") else (
        "Which kind of spinlocks the guest had was not recorded. Guests showed "
        "a hypervisor then, for which x86 has test-and-set locks: do not compare "
        "contention with that of other runs.")


def labels(report: Report) -> list[str]:
    """What nobody must overlook."""
    found = [disturbed(report.results.meta), other_locks(report.results.meta)]
    if any(not c.holds() for c in report.controls):
        found.append(control_sentence(report.controls))
    found.append(counted_elsewhere(report))
    return [label for label in found if label]


INTERFERENCE = (
    "One task is parked in the middle of an event; or a populate is, between its "
    "lookup and its entries, and the event happens once (populate). What somebody "
    "else does then has to wait until the event is over, or to begin again with so "
    "many pages, or neither (–). No chance is involved, so the numbers are the "
    "same on every machine (tests/t-interference.c).")


def _interference(table_: interference.Table) -> Section:
    names = interference.variants(table_)
    return Section("interference", "Who disturbs whom", [
        text(INTERFERENCE),
        table("What one event costs who is at work elsewhere",
              Table(["amid, or after one", "who", *names],
                    list(interference.rows(table_)), 2))])


def _pairs(report: Report, drawn: Drawn) -> Section:
    return Section("pairs", "Variants against each other",
                   [figures(drawn.pairs)] if drawn.pairs else
                   [text("Only one variant was measured.")])


def _controls(report: Report, drawn: Drawn) -> Section:
    return Section("control", "A/A: what this machine can see",
                   [text(control_sentence(report.controls)),
                    figures(drawn.controls)])


def sections(report: Report, drawn: Drawn) -> list[Section]:
    interval = interval_name(report.results)
    found = [
        Section("which", "Which, when", [figures(drawn.matrices)]),
        _pairs(report, drawn), _controls(report, drawn),
        _verdicts(report.verdicts,
                  bars.prices(report.counts) if report.counts else [], interval),
        _how_to_read(report.results.meta, interval)]
    if report.interference:
        found.insert(1, _interference(report.interference))
    if drawn.insn:
        found.append(Section("instructions", "Instructions",
                             [text(INSTRUCTIONS_ARE), figures(drawn.insn)]))
    found += [_scenario(s, select(report.rows, scenario=s), drawn_s, interval)
              for s, drawn_s in drawn.scenarios.items()]
    if drawn.growth:
        found.append(Section("beside", "Beside others",
                             [figures(drawn.growth)]))
    found += _scaling(report, drawn) + _moved(report, drawn)
    return found + [
        Section("counts", "Contention", [
            text("Counts say why, and they say it under emulation too, where "
                 "times say little."), figures([drawn.counts])]),
        _memory(report.rows, drawn.memory), _perf(report.folder, drawn.profiles),
        _what_was_run(report.results), _repeat(report.results.meta)]


MODEL = (
    "A lock that is held for a share of all instructions bounds the speed-up to "
    "its inverse, however many CPUs there are. The model (queues, solved by mean "
    "value analysis; a hand-over costs nothing at one edge of the band, the "
    "transfer of a cache line between far CPUs at the other) says how soon. It "
    "also says how often two threads find a lock taken, which was counted: "
    "where the two are more than 25 % apart, it is not drawn.")


def _scaling(report: Report, drawn: Drawn) -> list[Section]:
    if not drawn.scaling:
        return []
    found = model.predictions(report.results, report.counts)
    loads = scaling.loads(report.results)
    parts = [text(MODEL), figures(drawn.scaling)]
    if found:
        parts.append(details("The model beside what was counted", table(
            "Locks found taken in an operation, two threads",
            scaling.check_table(found))))
    parts += [text(said) for said in dict.fromkeys(
        scaling.law_sentence(report.results, load) for load in loads)]
    return [Section("scaling", "More threads", parts)]


LINES_ARE = (
    "Counted in an emulated machine whose CPUs have caches that are never full "
    "(make lines): a line of 64 bytes moves when a CPU wants what another has "
    "modified, and when it writes what another has a copy of. Real caches move "
    "these at the least. A machine with a unit for it shows the same by perf "
    "c2c. How threads meet is chance, so repetitions differ by the spread.")


def _moved(report: Report, drawn: Drawn) -> list[Section]:
    if report.transfers is None:
        return []
    mine, other = report.results.meta, report.transfers.counts.meta
    parts = [text(LINES_ARE), figures(drawn.transfers),
             table("Cache lines that moved, for each operation",
                   moved.table(report.transfers))]
    if mine["commit"] != other.get("commit"):
        parts.insert(1, text(f"Counted of commit {other.get('commit')}, times "
                             f"are of {mine['commit']}.", "warning"))
    return [Section("lines", "Cache lines that move", parts)]


INSTRUCTIONS_ARE = (
    "Counted one by one in an emulated machine of one CPU (make icount): the "
    "same each time but for what refills of caches add, so no intervals. They "
    "say what the code does, not how long a CPU takes over it, and nothing "
    "about waiting for another thread.")


def build(report: Report, drawn: Drawn) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE), autoescape=True,
        undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    names = ", ".join(variants_of(report.rows))
    return environment.get_template("report.html").render(
        title=f"External MMU: {names} compared",
        source=" · ".join([*source_line(report.results.meta).split("\n"),
                           spinlocks(report.results.meta)]),
        style=(HERE / "report.css").read_text(), labels=labels(report),
        sections=sections(report, drawn)).lstrip()


def terminal(report: Report) -> str:
    """What "make bench" ends with: the answer, and how far to trust it."""
    lines = ["Which, when: cost relative to the best (1.00)",
             which.table(report.lines), "",
             *([interference.text(report.interference), ""]
               if report.interference else []),
             *filter(None, [disturbed(report.results.meta),
                            other_locks(report.results.meta)]),
             control_sentence(report.controls),
             f"Intervals: {interval_name(report.results)} have the truth "
             "inside (simulated).", bars.how_many(report.verdicts)]
    if report.counts:
        lines += scaling.terminal(model.predictions(report.results, report.counts))
    words = [v.word for v in report.verdicts]
    lines += [f"{words.count(word):>4} {word}" for word in bars.SIGNS]
    if not report.counts:
        lines.append(NO_COUNTS)
    return "\n".join(lines)
