# SPDX-License-Identifier: GPL-2.0
"""The report as one HTML file: no script, nothing loaded from elsewhere."""

import html
from pathlib import Path
from typing import Any, Iterable, Optional

from .charts import (ordered, per_thousand, plural, select, title_of,
                     variants_of, what)
from .figures import Figure, microseconds, nice
from .results import FLOOR, Results, Verdict

Row = dict[str, Any]
STYLE = Path(__file__).resolve().parent / "report.css"
NOT_COUNTED = "not counted"
DASH = "–"


def esc(text: Any) -> str:
    return html.escape(str(text))


def emulated(meta: dict[str, Any]) -> bool:
    return meta["accelerator"] != "kvm"


def source_line(meta: dict[str, Any]) -> str:
    """Stands under every figure."""
    parts = [meta["host"], meta["accelerator"].upper(),
             f"Linux {meta['kernel']}", meta["date"][:10]]
    line = " · ".join(parts)
    if emulated(meta):
        line += "\nemulated: shapes and counts, not speeds"
    return line


# --- numbers as text ---------------------------------------------------------

def value_text(row: Row, value: float) -> str:
    if row["unit"] == "pages/s":
        return f"{nice(value / 1e6)} M/s"
    return microseconds(value)


def span(lo: Optional[float], hi: Optional[float]) -> str:
    return "" if lo is None else f" [{lo:.2f}{DASH}{hi:.2f}]"


def _value_span(row: Row) -> str:
    return (f"{value_text(row, row['median'])} [{value_text(row, row['lo'])}"
            f" {DASH} {value_text(row, row['hi'])}]")


def _ratio_span(row: Row) -> str:
    if row["variant"] == FLOOR:
        return "1"
    return f"{row['ratio']:.2f}{span(row['ratio_lo'], row['ratio_hi'])}"


# --- tables ------------------------------------------------------------------

def table(caption: str, head: Iterable[str], body: Iterable[Iterable[str]],
          first: int = 1) -> str:
    """BODY is HTML already; the FIRST cells of a row are its headings."""
    lines = ['<div class="wide" tabindex="0" role="region" '
             f'aria-label="{esc(caption)}"><table>',
             f"<caption>{esc(caption)}</caption><thead><tr>"]
    lines += [f'<th scope="col">{esc(cell)}</th>' for cell in head]
    lines.append("</tr></thead><tbody>")
    for cells in body:
        parts = [f'<th scope="row">{c}</th>' if i < first else f"<td>{c}</td>"
                 for i, c in enumerate(cells)]
        lines.append(f"<tr>{''.join(parts)}</tr>")
    lines.append("</tbody></table></div>")
    return "\n".join(lines)


def _numbers(rows: list[Row]) -> str:
    latency = rows[0]["unit"] != "pages/s"
    head = ["pages", "threads", "variant", "condition", "runs",
            "median [95 %]", "relative to the floor"]
    if latency:
        head += ["50 %", "90 %", "99 %", "99.9 %", "max", "operations"]
    body = []
    for row in sorted(rows, key=lambda r: (r["pages"], r["threads"])):
        cells = [row["pages"], row["threads"], row["variant"],
                 row["condition"], row["n"], _value_span(row),
                 _ratio_span(row)]
        if latency:
            cells += [DASH if row[c] is None else microseconds(row[c])
                      for c in ("p50_ns", "p90_ns", "p99_ns", "p999_ns",
                                "max_ns")] + [row["samples"]]
        body.append([esc(cell) for cell in cells])
    return table(f"{title_of(rows[0]['scenario'])}: all numbers", head, body,
                 3)


def _counted(row: Row, name: str) -> str:
    if row[name] is None:
        return NOT_COUNTED
    return nice(per_thousand(row, name))


COUNT_HEADS = (
    ("contended", "contended locks"), ("retries", "retries"),
    ("waits", "waits"), ("zapped", "entries zapped"),
    ("invalidations", "invalidations"),
    ("context_switches", "context switches"),
    ("cpu_migrations", "CPU migrations"), ("page_faults", "page faults"),
    ("cycles", "cycles"), ("instructions", "instructions"))


def _counts(rows: list[Row]) -> str:
    head = ["pages", "threads", "variant", "condition"]
    head += [text for _, text in COUNT_HEADS]
    body = [[esc(cell) for cell in
             [row["pages"], row["threads"], row["variant"], row["condition"]]
             + [_counted(row, name) for name, _ in COUNT_HEADS]]
            for row in sorted(rows, key=lambda r: (r["pages"], r["threads"]))]
    return table(f"{title_of(rows[0]['scenario'])}: counts per 1000 "
                 "operations", head, body, 3)


# --- the verdict -------------------------------------------------------------

def _verdict_cell(verdicts: list[Verdict]) -> str:
    if not verdicts:
        return "not measured"
    v = verdicts[0]
    word = "met" if v.met else "missed"
    sign = "✓" if v.met else "✗"
    text = (f'<span class="fixed"><span class="{word}">{sign} {word}</span> '
            f"{v.value:.2f}{span(v.lo, v.hi)}</span>")
    if v.unsettled:
        text += ' <span class="unsettled">interval crosses the bar</span>'
    return text


def verdict_table(verdicts: list[Verdict], variants: list[str]) -> str:
    body = []
    for bar in dict.fromkeys(v.bar for v in verdicts):
        mine = [v for v in verdicts if v.bar == bar]
        for threads in dict.fromkeys(v.threads for v in mine):
            cells = [_verdict_cell([v for v in mine if v.variant == variant
                                    and v.threads == threads])
                     for variant in variants]
            body.append([esc(bar.text), str(threads),
                         f'<span class="fixed">{esc(bar.limit())}</span>',
                         *cells])
    if not body:
        return ("<p>None of the bars was measured: they are about 512 "
                "pages per call.</p>")
    return table("The bars, with 95 % intervals",
                 ["what", "threads", "bar", *variants], body)


# --- sections ----------------------------------------------------------------

def _section(anchor: str, title: str, *parts: str) -> str:
    return (f'<section id="{anchor}"><h2>{esc(title)}</h2>\n'
            + "\n".join(parts) + "\n</section>")


def _figure(figure: Figure) -> str:
    tall = ' class="tall"' if figure.tall else ""
    return (f'<figure id="fig-{figure.name}"{tall}>'
            f'<div class="wide" tabindex="0" '
            f'role="region" aria-label="Figure: {esc(figure.caption)}">'
            f"{figure.svg}</div>"
            f"<figcaption>{esc(figure.caption)}</figcaption></figure>")


def _details(summary: str, *parts: str) -> str:
    return (f"<details><summary>{esc(summary)}</summary>\n"
            + "\n".join(parts) + "\n</details>")


def _scenario(scenario: str, rows: list[Row], figures: list[Figure]) -> str:
    return _section(
        scenario, title_of(scenario), f"<p>{esc(ABOUT.get(scenario, ''))}</p>",
        '<div class="figures">', *map(_figure, figures), "</div>",
        _details("The same as a table", _numbers(rows)),
        _details("What was counted meanwhile", _counts(rows)))


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
    "invalidate-munmap":
        "The pages and their mapping go away. Conditions as for "
        "MADV_DONTNEED; munmap also takes the mmap lock for writing, so two "
        "threads wait for each other whatever the device does.",
}


def _memory(rows: list[Row]) -> str:
    body = []
    for variant in variants_of(rows):
        known = [r["bytes_per_page"] for r in select(rows, variant=variant)
                 if r["bytes_per_page"]]
        if known:
            body.append([esc(variant), f"{max(known):.1f}"])
    return table("Bytes of leaf tables and reverse index per mirrored page",
                 ["variant", "bytes per page, at most"], body)


HOW_TO_READ = (
    "Numbers with brackets are medians with the interval that holds 95 % of "
    "the medians of resampled runs (bootstrap over blocks, then over the "
    "repetitions within a block). A block is one full set of measurements "
    "with freshly loaded modules and fresh processes; within it, all "
    "variants and the floor take turns in random order. A ratio compares a "
    "run with the floor's run of the same block and repetition, never with "
    "another boot. Few blocks make rough intervals.",
    "Latency is the time between two readings of the clock around the "
    "system call, each operation started after the one before had ended: "
    "waiting in a queue does not show. A percentile is left out when fewer "
    "operations were measured than it takes for one to lie beyond it.",
)
EMULATED = (
    "This was measured under emulation (QEMU's TCG). Instructions cost what "
    "it takes to translate and imitate them, caches and their misses are the "
    "host's, two virtual CPUs are two threads of an emulator. Shapes (what "
    "grows with pages or threads), counts (contended locks, retries) and "
    "ratios between like kinds of work carry over; speeds do not.")


def _how_to_read(meta: dict[str, Any]) -> str:
    parts = [f"<p>{esc(text)}</p>" for text in HOW_TO_READ]
    if emulated(meta):
        parts.insert(0, f'<p class="warning">{esc(EMULATED)}</p>')
    return _section("reading", "How to read this", *parts)


def mitigations(meta: dict[str, Any]) -> str:
    """Those that the guest applies or lacks; most are not affected."""
    return "; ".join(f"{name}: {state}"
                     for name, state in meta["mitigations"].items()
                     if state != "Not affected") or "none needed"


def _what_was_run(results: Results) -> str:
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
    body = [[esc(name), esc(value)] for name, value in known]
    return _section("setting", "What was run",
                    table("Machine, kernel and parameters",
                          ["", "value"], body))


def commands(meta: dict[str, Any]) -> list[str]:
    p = meta["parameters"]
    given = [f'VARIANTS="{" ".join(p["variants"])}"',
             f'THREADS={",".join(map(str, p["threads"]))}',
             f'PAGES={",".join(map(str, p["pages"]))}',
             f'KERNEL={meta["series"]}', f'BOOTS={p["boots"]}',
             f'BLOCKS={p["blocks"]}', f'REPS={p["reps"]}',
             f'SEED={p["seed"]}']
    return [f"git checkout {meta['commit']}",
            "make bench " + " ".join(given),
            "bench/report build/report   # draws again from the same rows",
            "bench/save-results NAME     # keeps them in bench/results/"]


def _repeat(meta: dict[str, Any]) -> str:
    lines = "\n".join(commands(meta))
    return _section("repeat", "How to repeat it",
                    "<p>All rows, as they were measured, are beside this "
                    "file: raw.csv, hist.csv, summary.csv and meta.json.</p>",
                    f'<pre tabindex="0">{esc(lines)}</pre>')


# --- perf --------------------------------------------------------------------

PERF = (
    ("profile", "Where the time goes",
     "perf record -e cpu-clock: share and number of the samples taken in the "
     "worker threads, symbols above 1 %; for invalidations that includes "
     "touching and mirroring the pages again"),
    ("lock", "Locks that were waited for",
     "perf lock record, perf lock contention: the kernel's own locks as "
     "well as ours. A spinlock with a single waiter does not show here (the "
     "waiter spins before the tracepoint); the variants' own count of "
     "contended acquisitions, above, has it"),
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


def _perf(folder: Path) -> str:
    parts = []
    for kind, title, about in PERF:
        files = sorted(folder.glob(f"perf-{kind}-*.txt"))
        if not files:
            continue
        parts.append(f"<h3>{esc(title)}</h3><p>{esc(about)}.</p>")
        for path in files:
            text = _perf_text(path.read_text())
            who = path.stem.removeprefix(f"perf-{kind}-")
            parts.append(_details(who, f'<pre tabindex="0">{esc(text)}'
                                       "</pre>"))
    if not parts:
        parts = ["<p>perf was not run (PERF=none).</p>"]
    return _section("perf", "What perf saw", *parts)


# --- the whole ---------------------------------------------------------------

def _contents(scenarios: list[str]) -> str:
    anchors = [("verdict", "The bars"), ("reading", "How to read this")]
    anchors += [(s, title_of(s)) for s in scenarios]
    anchors += [("counts", "Contention"), ("memory", "Memory"),
                ("perf", "What perf saw"), ("setting", "What was run"),
                ("repeat", "How to repeat it")]
    items = "".join(f'<li><a href="#{a}">{esc(t)}</a></li>'
                    for a, t in anchors)
    return f'<nav aria-label="Contents"><ul>{items}</ul></nav>'


def build(results: Results, rows: list[Row], verdicts: list[Verdict],
          figures: dict[str, list[Figure]], folder: Path) -> str:
    meta = results.meta
    scenarios = ordered(rows, "scenario")
    title = (f"External MMU: {', '.join(variants_of(rows))} compared")
    body = [
        f"<header><h1>{esc(title)}</h1><p>{esc(source_line(meta)).replace(chr(10), ' · ')}</p>"
        f"</header>", _contents(scenarios), "<main>",
        _section("verdict", "The bars",
                 verdict_table(verdicts, variants_of(rows))),
        _how_to_read(meta),
        *[_scenario(s, select(rows, scenario=s), figures[s])
          for s in scenarios],
        _section("counts", "Contention",
                 "<p>Counts say why, and they say it under emulation "
                 "too, where times say little.</p>",
                 '<div class="figures">', *map(_figure, figures["counts"]),
                 "</div>"),
        _section("memory", "Memory", _memory(rows)),
        _perf(folder), _what_was_run(results), _repeat(meta), "</main>"]
    return ('<!doctype html>\n<!-- SPDX-License-Identifier: CC-BY-SA-4.0 -->'
            '\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            '<meta name="color-scheme" content="light dark">'
            f"<title>{esc(title)}</title><style>{STYLE.read_text()}</style>"
            "</head><body>\n" + "\n".join(body) + "\n</body></html>\n")


def short_table(rows: list[Row]) -> str:
    """What the terminal shows: a line per variant and thread count."""
    lines = [f"{'variant':<12}{'threads':>8}{'populate 1':>20}"
             f"{'populate 512':>20}{'DONTNEED 512':>20}{'bytes/page':>12}"]

    def cell(**wanted: Any) -> str:
        found = select(rows, **wanted)
        return _ratio_span(found[0]) if found else DASH

    for variant in variants_of(rows):
        for threads in ordered(rows, "threads"):
            same = {"variant": variant, "threads": threads}
            size = [r["bytes_per_page"] for r in select(rows, **same)
                    if r["bytes_per_page"]]
            populate = {**same, "scenario": "populate"}
            lines.append(
                f"{variant:<12}{threads:>8}"
                f"{cell(**populate, pages=1):>20}"
                f"{cell(**populate, pages=512):>20}"
                + f"{cell(**same, scenario='invalidate-dontneed', condition='mirrored', pages=512):>20}"
                + (f"{max(size):>12.1f}" if size else f"{DASH:>12}"))
    lines.append("Ratios: populate relative to bare page lookups (1 is the "
                 "most), MADV_DONTNEED")
    lines.append("of mirrored pages relative to no device (1 is the least); "
                 "95 % intervals.")
    return "\n".join(lines)
