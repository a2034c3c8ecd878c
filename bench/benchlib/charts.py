# SPDX-License-Identifier: GPL-2.0
"""Which figures a report has, and from which rows of the summary."""

import itertools
from typing import Any, Callable, Iterable, NamedTuple, Optional

from . import icicle, insn, which
from .bars import TIMES, bars_of
from .figures import (SHARES, Axes, Entry, Figure, Mark, Plotter, Point,
                      Table, axes_of, draw_beyond, draw_curves,
                      draw_log_curves, draw_ratios, draw_rows, faint, hollow,
                      longer_than, microseconds, nice, style_of)
from .insn import Counts
from .results import (AGAIN, CONTROLS, FLOOR, Key, Results, control, latencies,
                      sees)
from .words import pages_a

Row = dict[str, Any]

TITLES = {
    "populate": "Populate: pages into the device page table",
    "populate-thp": "Populate: of huge pages",
    "populate-overlap": "Populate: all threads the same memory",
    "populate-table": "Populate: threads share each leaf table",
    "populate-per-call": "Populate: a call for each batch",
    "populate-beside-100": "Populate: beside 100 invalidations a second",
    "populate-beside-1000": "Populate: beside 1000 invalidations a second",
    "populate-beside-10000": "Populate: beside 10000 invalidations a second",
    "attach": "Attach: beside a slow device",
    "detach": "Detach: beside a slow device",
    "exit": "Exit: beside a slow device",
    "invalidate-dontneed": "Invalidate: MADV_DONTNEED",
    "invalidate-munmap": "Invalidate: munmap",
    "invalidate-mprotect": "Invalidate: mprotect",
    "invalidate-fork": "Invalidate: fork",
    "reclaim": "Reclaim: MADV_PAGEOUT",
    "age": "Age: a new generation",
    "enter": "Enter: a populate without its lookup",
    "populate-file": "Populate: pages of a file",
    "populate-sparse": "Populate: one page of each leaf table",
    "device-read": "The device reads",
    "device-read-beside-1000": "The device reads: beside 1000 invalidations a second",
    "evict": "Evict: with so many processes attached",
}
WHAT = {
    "populate": "populate",
    "invalidate-dontneed": "MADV_DONTNEED",
    "invalidate-munmap": "munmap",
    "invalidate-mprotect": "mprotect",
    "invalidate-fork": "fork",
    "reclaim": "MADV_PAGEOUT",
    "age": "a walk for a new generation",
}


def plural(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


def title_of(scenario: str) -> str:
    return TITLES.get(scenario, scenario)


def what(scenario: str) -> str:
    return WHAT.get(scenario, scenario)


def ordered(rows: Iterable[Row], name: str) -> list[Any]:
    """The values of a column, each once, as they first come."""
    return list(dict.fromkeys(row[name] for row in rows))


def select(rows: Iterable[Row], **wanted: Any) -> list[Row]:
    return [row for row in rows
            if all(row[name] == value for name, value in wanted.items())]


def variants_of(rows: Iterable[Row]) -> list[str]:
    return [v for v in ordered(rows, "variant") if v not in CONTROLS]


def main_condition(rows: list[Row], scenario: str) -> str:
    """The condition that a scenario is about: its first."""
    return next(row["condition"] for row in rows
                if row["scenario"] == scenario
                and row["variant"] not in CONTROLS)


def span(lo: float, hi: float) -> str:
    return f"[{lo:.2f}–{hi:.2f}]"


def load_text(row: Any) -> str:
    return f"{plural(row['pages'], 'page')}, {plural(row['threads'], 'thread')}"


def least_text(least: float) -> str:
    """"5 %", or "a factor of 3"."""
    return (f"{100 * least:.1f} %" if least < 0.1 else
            f"{100 * least:.0f} %" if least < 1 else
            f"a factor of {1 + least:.0f}")


def seen(row: Row) -> bool:
    """Whether the machine can see a difference as small as this one."""
    limit = row.get("sees")
    return limit is None or max(row["ratio"], 1 / row["ratio"]) - 1 >= limit


# --- which, when -------------------------------------------------------------

SHADES = (1.03, 1.1, 1.25, 1.5)		# from here on darker


def _line_text(line: which.Line) -> str:
    text = f"{line.condition}, {plural(line.pages, 'page')}"
    return text + (f", {line.threads} threads" if line.threads > 1 else "")


def _matrix_cell(size: which.Size, style: int) -> str:
    shade = sum(size.cost > s for s in SHADES)
    good = style if size.word == which.BEST else 0
    return f'"{size.text()}" {shade} {good}'


def matrix_table(lines: list[which.Line]) -> Table:
    names = which.variants_of(lines)
    body = []
    for line in lines:
        sizes = [line.sizes.get(name) for name in names]
        body.append([
            title_of(line.scenario), line.condition, str(line.pages),
            str(line.threads),
            *[f"{s.text()} {span(s.lo, s.hi)}" if s and s.lo != s.hi
              else s.text() if s else "" for s in sizes], line.evidence])
    return Table(["scenario", "condition", "pages", "threads", *names, "from"],
                 body, 4)


def _costs(line: which.Line) -> str:
    """"populate, write, 1 page: spinlock best, interval 1.09 worse"."""
    by_cost = sorted(line.sizes.items(), key=lambda item: item[1].cost)
    (best, _), (last, size) = by_cost[0], by_cost[-1]
    return (f"{what(line.scenario)}, {_line_text(line)}: {best} {which.BEST}, "
            f"{last} {size.text()}")


def _told(lines: list[which.Line]) -> str:
    """What tells variants apart, best and dearest of each load, for whoever cannot
    see it; the table below has the others."""
    return "; ".join(map(_costs, (x for x in lines if x.differs())))


def _matrix(plotter: Plotter, name: str, caption: str, alt: str,
            lines: list[which.Line]) -> Figure:
    variants = which.variants_of(lines)
    cells, names, heads, froms, row = [], [], [], [], 0
    for scenario in dict.fromkeys(line.scenario for line in lines):
        heads.append(f'{row} "{scenario}"')
        row += 1
        for line in (x for x in lines if x.scenario == scenario):
            names.append(f'{row} "{_line_text(line)}"')
            froms.append(f'{row} "{line.evidence}"')
            cells += [
                f"{x} {row} "
                f"{_matrix_cell(line.sizes[v], style_of(v, variants))}"
                for x, v in enumerate(variants, 1) if v in line.sizes]
            row += 1
    figure = plotter.draw(
        "matrix.gp", name, caption, alt,
        330 + 112 * len(variants), 80 + 21 * row,
        columns=" ".join(variants),
        styles=" ".join(str(style_of(v, variants)) for v in variants),
        cells=plotter.table(f"{name}.dat", cells),
        names=plotter.table(f"{name}-names.dat", names),
        heads=plotter.table(f"{name}-heads.dat", heads),
        froms=plotter.table(f"{name}-froms.dat", froms), rows=row)
    return figure._replace(table=matrix_table(lines), tall=True)


MEANING = ("Cost relative to the best of each row (1.00), from times where "
           "they decide the row, else from instructions, counted with one "
           "thread. Of the words by times at most one in twenty is expected to "
           "be chance. Darker is dearer; a sign marks the best.")


def matrix_figures(plotter: Plotter, lines: list[which.Line]) -> list[Figure]:
    """Figure 1: the answer, as far as there is one; then all of it."""
    differing = [line for line in lines if line.differs()]
    decided = sum(line.decided() for line in lines)
    same = decided - len(differing)
    everything = _matrix(
        plotter, "which-when", f"Which, when: all loads. {MEANING}",
        f"Matrix of {plural(len(lines), 'load')}: cost relative to the best. "
        f"In {same} all are the same within 3 %, {len(lines) - decided} are "
        f"undecided, and {len(differing)} tell variants apart"
        + (f": {_told(differing)}." if differing else "."), lines)
    if not differing:
        return [everything]
    return [_matrix(
        plotter, "which-differ",
        f"Which, when: the loads that tell variants apart, {len(differing)} "
        f"of {len(lines)}. In {same} more all are the same within 3 %, and "
        f"{len(lines) - decided} are undecided. {MEANING}",
        f"Matrix of {plural(len(differing), 'load')} of {len(lines)}, with "
        f"the cost of each variant relative to the best: {_told(differing)}.",
        differing),
        everything]


# --- variants against each other ---------------------------------------------

def _pair_entries(rows: list[Row], variants: list[str]) -> list[Entry]:
    main = main_condition(rows, rows[0]["scenario"])
    entries = []
    for pages, threads in dict.fromkeys((r["pages"], r["threads"])
                                        for r in rows):
        some = select(rows, pages=pages, threads=threads)
        entries.append(Entry(load_text(some[0]), True))
        for row in sorted(some, key=lambda r: r["condition"] != main):
            style = style_of(row["variant"], variants)
            if not seen(row):
                style = faint(style)
            elif row["condition"] != main:
                style = hollow(style)
            text = f"{row['variant']} / {row['against']}"
            if row["condition"] != main:
                text += f", {row['condition']}"
            entries.append(Entry(text, style=style, point=(
                row["ratio"], row["ratio_lo"], row["ratio_hi"])))
    return entries


def pair_table(rows: list[Row], interval: str) -> Table:
    head = ["pages", "threads", "condition", "variant", "against",
            f"ratio [{interval}]", "word", "of", "machine sees"]
    body = []
    for row in rows:
        limit = row["sees"]
        cells = [
            str(row["pages"]), str(row["threads"]), row["condition"],
            row["variant"], row["against"],
            f"{row['ratio']:.2f} {span(row['ratio_lo'], row['ratio_hi'])}",
            row["word"] + ("" if seen(row) else ", below what it sees"),
            row["statistic"],
            "unknown" if limit is None else f"≥ {least_text(limit)}"]
        body.append(cells if seen(row) else
                    [Mark(cell, "faint") for cell in cells])
    return Table(head, body, 5)


def pair_figure(plotter: Plotter, rows: list[Row], variants: list[str],
                interval: str) -> Figure:
    scenario = rows[0]["scenario"]
    rate = rows[0]["better"] == "higher"
    words = [row["word"] for row in rows]
    counted = ", ".join(f"{words.count(w)} {w}" for w in dict.fromkeys(words))
    figure = draw_ratios(
        plotter, f"{scenario}-pairs",
        f"{what(scenario)}: variants against each other, run by run "
        f"({interval} interval). {'Right' if rate else 'Left'} of 1 the first "
        "is better; shaded: same within 3 %. Grey signs: less than this "
        "machine can see between two floors.",
        f"Paired ratios of {what(scenario)}, one row per load and pair of "
        f"variants: {counted}.", _pair_entries(rows, variants),
        "rate relative to the other" if rate else
        "latency relative to the other", [1.0], 3)
    return figure._replace(table=pair_table(rows, interval))


# --- A/A ---------------------------------------------------------------------

class Control(NamedTuple):
    """One group's floor beside itself."""

    key: Key		# of the second floor
    ratio: float
    lo: float
    hi: float
    sees: float

    def holds(self) -> bool:
        return self.lo <= 1 <= self.hi


def controls(results: Results) -> list[Control]:
    found = []
    for key in results.plan:
        if key.variant == AGAIN:
            aa = control(results, key)
            i = aa.interval
            found.append(Control(key, i.median, i.lo, i.hi, sees(aa)))
    return found


def control_sentence(found: list[Control]) -> str:
    """What this machine can see, and whether it sees what is not there."""
    if not found:
        return ("No A/A: this run was measured before the floor was measured "
                "twice, so nobody knows how small a difference its machine "
                "can see.")
    least = [c.sees for c in found]
    bad = [c for c in found if not c.holds()]
    text = (f"A/A, the floor beside itself: this machine can see differences "
            f"of ≥ {least_text(min(least))} where it sees best, and only of "
            f"≥ {least_text(max(least))} where it sees worst.")
    if not bad:
        return text + f" All {len(found)} intervals contain 1."
    names = "; ".join(f"{what(c.key.scenario)}, {load_text(c.key._asdict())}"
                      for c in bad)
    return (f"{text} A/A FAILS in {len(bad)} of {len(found)} groups, where "
            f"two floors differ: {names}. Times of these groups decide "
            f"nothing; chance alone would fail {0.05 * len(found):.1f}.")


def control_figure(plotter: Plotter, found: list[Control], interval: str
                   ) -> Figure:
    entries, body = [], []
    for scenario in dict.fromkeys(c.key.scenario for c in found):
        entries.append(Entry(what(scenario), True))
        for c in (x for x in found if x.key.scenario == scenario):
            entries.append(Entry(
                load_text(c.key._asdict()), style=1 if c.holds() else 11,
                point=(c.ratio, c.lo, c.hi)))
            body.append([what(scenario), str(c.key.pages),
                         str(c.key.threads),
                         f"{c.ratio:.2f} {span(c.lo, c.hi)}",
                         f"≥ {least_text(c.sees)}",
                         "holds" if c.holds() else "fails"])
    widest = max(found, key=lambda c: c.sees)
    figure = draw_ratios(
        plotter, "a-a",
        f"A/A: the floor relative to itself under another name ({interval} "
        "interval). What lies inside such an interval is the machine; an "
        "interval without 1 is a failure.",
        f"Floor against floor, one row per load. Widest: "
        f"{what(widest.key.scenario)}, {load_text(widest.key._asdict())}, "
        f"{least_text(widest.sees)}.", entries,
        "floor relative to the floor", [1.0])
    return figure._replace(table=Table(
        ["scenario", "pages", "threads", f"ratio [{interval}]",
         "machine sees", "A/A"], body, 3))


# --- rates over the pages of a batch or a call -------------------------------

def _relative_text(row: Row) -> str:
    if "ratio" not in row:
        return "1"
    return f"{row['ratio']:.2f} {span(row['ratio_lo'], row['ratio_hi'])}"


def _rate_table(rows: list[Row]) -> Table:
    return Table(
        ["pages", "variant", "million pages/s", "relative to the floor"],
        [[str(row["pages"]), row["variant"], nice(row["median"] / 1e6),
          _relative_text(row)]
         for row in sorted(rows, key=lambda r: r["pages"])], 2)


def _curves(rows: list[Row], point: Callable[[Row], Point]
            ) -> dict[str, list[Point]]:
    return {variant: sorted(point(row)
                            for row in select(rows, variant=variant))
            for variant in ordered(rows, "variant")}


def _rate_name(rows: list[Row], main: str, kind: str) -> str:
    """Those of a scenario's first condition have no condition in their names."""
    condition, where = rows[-1]["condition"], ""
    if condition != main:
        where = f"-{condition}"
    return f"{rows[0]['scenario']}{where}-{kind}-{rows[0]['threads']}t"


def _rate_text(rows: list[Row], conditions: int) -> str:
    text = f"{what(rows[0]['scenario'])}, {plural(rows[0]['threads'], 'thread')}"
    return text + (f", {rows[-1]['condition']}" if conditions > 1 else "")


def _throughput(plotter: Plotter, rows: list[Row], variants: list[str],
                name: str, where: str) -> Figure:
    most = max(row["pages"] for row in rows)
    each = pages_a(rows[0]["scenario"])
    ends = ", ".join(f"{row['variant']} {nice(row['median'] / 1e6)}"
                     for row in select(rows, pages=most))
    return draw_curves(
        plotter, name, f"Throughput of {where}: median and interval.",
        f"{where}: million pages per second over pages {each}. At {most}: "
        f"{ends}.",
        _curves(rows, lambda row: Point(row["pages"], row["median"] / 1e6,
                                        row["lo"] / 1e6, row["hi"] / 1e6)),
        variants, "million pages per second", 0, f"pages {each}")


def _relative(plotter: Plotter, rows: list[Row], variants: list[str],
              name: str, where: str) -> Figure:
    compared = [row for row in rows if row["variant"] not in CONTROLS]
    most = max(row["pages"] for row in compared)
    each = pages_a(rows[0]["scenario"])
    bar = next((b.at_least for b in bars_of(rows[0]["scenario"], TIMES)), 0)
    ends = ", ".join(f"{row['variant']} {row['ratio']:.2f}"
                     for row in select(compared, pages=most))
    return draw_curves(
        plotter, name,
        f"The same relative to the floor ({where}): 1 would be an insertion that "
        "costs nothing.",
        f"{where}, relative to the floor. At {most} pages {each}: {ends}.",
        _curves(compared, lambda row: Point(row["pages"], row["ratio"],
                                            row["ratio_lo"],
                                            row["ratio_hi"])),
        variants, "relative to the floor", bar, f"pages {each}")


def _rate_rows(plotter: Plotter, rows: list[Row]) -> Figure:
    """With one number of pages there is nothing to draw a curve over."""
    scenario = rows[0]["scenario"]
    compared = [r for r in rows if r["variant"] not in CONTROLS]
    least = min(compared, key=lambda row: row["ratio"])
    figure = draw_ratios(
        plotter, f"{scenario}-relative",
        f"Rate of {what(scenario)} relative to the floor. Grey signs: less than "
        "this machine can see.",
        f"{what(scenario)} relative to the floor, one row per variant, condition, "
        f"pages and threads. Lowest: {least['ratio']:.2f}, {least['variant']} "
        f"{least['condition']}, {load_text(least)}.",
        _ratio_entries(rows, variants_of(rows)), "rate relative to the floor",
        [1.0] + [b.at_least for b in bars_of(scenario, TIMES) if b.base == FLOOR])
    return figure._replace(table=Table(
        ["pages", "threads", "variant", "condition", "million pages/s",
         "relative to the floor"],
        [[str(r["pages"]), str(r["threads"]), r["variant"], r["condition"],
          nice(r["median"] / 1e6), _relative_text(r)]
         for r in rows if r["variant"] != AGAIN], 4))


def rate_figures(plotter: Plotter, rows: list[Row]) -> list[Figure]:
    """For each number of threads and each condition, beside the one floor."""
    variants, figures = variants_of(rows), []
    if len(ordered(rows, "pages")) == 1:
        return [_rate_rows(plotter, rows)]
    main = main_condition(rows, rows[0]["scenario"])
    conditions = ordered((r for r in rows if r["variant"] not in CONTROLS),
                         "condition")
    for threads, condition in itertools.product(ordered(rows, "threads"),
                                                conditions):
        some = [row for row in select(rows, threads=threads)
                if row["variant"] == FLOOR
                or (row["variant"] != AGAIN and row["condition"] == condition)]
        where = _rate_text(some, len(conditions))
        figures += [figure._replace(table=_rate_table(some)) for figure in (
            _throughput(plotter, some, variants,
                        _rate_name(some, main, "throughput"), where),
            _relative(plotter, some, variants,
                      _rate_name(some, main, "relative"), where))]
    return figures


# --- latencies ---------------------------------------------------------------

def loads_of(rows: list[Row]) -> list[tuple[int, int]]:
    """Pages and threads: not each load is tried with each number of threads."""
    return [(pages, threads) for pages in ordered(rows, "pages")
            for threads in ordered(rows, "threads")
            if select(rows, pages=pages, threads=threads)]


def _ratio_entries(rows: list[Row], variants: list[str]) -> list[Entry]:
    entries = []
    main = main_condition(rows, rows[0]["scenario"])

    def style(row: Row) -> int:
        plain = style_of(row["variant"], variants)
        if not seen(row):
            return faint(plain)
        return plain if row["condition"] == main else hollow(plain)

    for pages, threads in loads_of(rows):
        some = [r for r in select(rows, pages=pages, threads=threads)
                if r["variant"] not in CONTROLS]
        entries.append(Entry(load_text(some[0]), True))
        entries += [
            Entry(f"{row['variant']}, {row['condition']}",
                  style=style(row),
                  point=(row["ratio"], row["ratio_lo"], row["ratio_hi"]))
            for row in some]
    return entries


def _ratio_table(rows: list[Row]) -> Table:
    return Table(
        ["pages", "threads", "variant", "condition", "relative to the floor",
         "of"],
        [[str(r["pages"]), str(r["threads"]), r["variant"], r["condition"],
          _relative_text(r), r["statistic"]] for r in rows
         if r["variant"] not in CONTROLS], 4)


def floor_text(rows: list[Row]) -> str:
    """What the latencies are compared with."""
    floors = {row["condition"] for row in rows if row["variant"] == FLOOR}
    return ("a kernel without the modules" if floors == {"no-modules"}
            else "a process without a device")


def _ratio_figure(plotter: Plotter, rows: list[Row]) -> Figure:
    scenario, variants = rows[0]["scenario"], variants_of(rows)
    marks = [1.0] + sorted(b.at_most for b in bars_of(scenario, TIMES))
    worst = max((row for row in rows if row["variant"] not in CONTROLS),
                key=lambda row: row["ratio"])
    figure = draw_ratios(
        plotter, f"{scenario}-ratio",
        f"Latency of {what(scenario)} relative to {floor_text(rows)}: "
        "median, or mean where a cell sleeps or has two modes. Dashed: no "
        "difference"
        + (", and the bars for 512 pages." if len(marks) > 1 else ".")
        + " Grey signs: less than this machine can see.",
        f"{what(scenario)} relative to {floor_text(rows)}, one row per variant, "
        f"condition, pages and threads. Highest: {worst['ratio']:.2f}, "
        f"{worst['variant']} {worst['condition']}, {load_text(worst)}.",
        _ratio_entries(rows, variants), f"times that of {floor_text(rows)}",
        marks)
    return figure._replace(table=_ratio_table(rows))


def _longer(cell: list[Any], share: float) -> str:
    seconds = longer_than(cell, share)
    return "too few" if seconds is None else microseconds(1e9 * seconds)


def _beyond_figure(plotter: Plotter, results: Results, rows: list[Row],
                   axes: Axes, variants: list[str]) -> Figure:
    scenario = rows[0]["scenario"]
    cells = {row["variant"]: latencies(results, key_of(row)) for row in rows}
    where = load_text(rows[0])
    middles = {v: _longer(cell, 0.5) for v, cell in cells.items()}
    figure = draw_beyond(
        plotter, f"{scenario}-latency-{rows[0]['pages']}p-"
        f"{rows[0]['threads']}t", f"{what(scenario)}, {where}",
        f"How many operations took longer: {what(scenario)}, {where}, "
        f"{rows[-1]['condition']}; all of all runs. Signs: half, one in 10, "
        "100, 1000. All panels have the same axes.",
        f"Distribution of the latency of {what(scenario)}, {where}. Medians: "
        + ", ".join(f"{v} {m}" for v, m in middles.items())
        + ".", cells, axes, variants)
    return figure._replace(table=Table(
        ["variant", "half take longer than", "one in 10", "one in 100",
         "one in 1000"],
        [[v, *[_longer(cell, s) for s in SHARES]]
         for v, cell in cells.items()]))


def key_of(row: Row) -> Key:
    return Key(*(row[name] for name in Key._fields))


def latency_figures(plotter: Plotter, results: Results, rows: list[Row]
                    ) -> list[Figure]:
    variants = variants_of(rows)
    condition = main_condition(rows, rows[0]["scenario"])
    shown = [row for row in rows if row["samples"] and
             (row["variant"] == FLOOR or row["condition"] == condition)
             and row["variant"] != AGAIN]
    axes = axes_of(latencies(results, key_of(row)) for row in shown)
    figures = [_ratio_figure(plotter, rows)]
    for pages, threads in loads_of(shown):
        figures.append(_beyond_figure(
            plotter, results, select(shown, pages=pages, threads=threads),
            axes, variants))
    return figures


def scenario_figures(plotter: Plotter, results: Results, rows: list[Row]
                     ) -> list[Figure]:
    if rows[0]["unit"] == "pages/s":
        return rate_figures(plotter, rows)
    return latency_figures(plotter, results, rows)


# --- instructions ------------------------------------------------------------

def _extra(counts: Counts, cell: insn.Cell) -> Optional[Point]:
    """What an operation takes beyond the floor; None where nothing."""
    floor = counts.floor(cell)
    if floor is None:
        return None
    mine, base = counts.total[cell], counts.total[floor]
    extra = mine.per_op - base.per_op
    apart = (mine.spread * mine.per_op + base.spread * base.per_op) / 2
    return Point(cell.pages, extra, max(extra - apart, extra / 100),
                 extra + apart) if extra > 0 else None


def _extra_curves(counts: Counts, scenario: str
                  ) -> dict[tuple[str, str], list[Point]]:
    curves: dict[tuple[str, str], list[Point]] = {}
    for cell in sorted(counts.total, key=lambda c: c.pages):
        if cell.scenario == scenario and cell.variant in counts.variants():
            point = _extra(counts, cell)
            if point:
                curves.setdefault((cell.variant, cell.condition),
                                  []).append(point)
    return {name: points for name, points in curves.items()
            if len(points) > 1}


def _fixed_and_slope(points: list[Point]) -> tuple[str, str]:
    """Of a line through the ends."""
    first, last = points[0], points[-1]
    slope = (last.y - first.y) / (last.x - first.x)
    return nice(max(0.0, first.y - slope * first.x)), nice(slope)


def extra_figure(plotter: Plotter, counts: Counts, scenario: str
                 ) -> Optional[Figure]:
    """Figure 5: a fixed part, and one that grows with the pages."""
    curves = _extra_curves(counts, scenario)
    if not curves:
        return None
    variants = counts.variants()
    main = next(iter(curves))[1] if len(curves) == 1 else "mirrored"
    named = {f"{v}, {c}": points for (v, c), points in curves.items()}
    styles = {f"{v}, {c}": style_of(v, variants) if c == main
              else hollow(style_of(v, variants)) for v, c in curves}
    body = []
    for (variant, condition), points in curves.items():
        fixed, slope = _fixed_and_slope(points)
        body.append([variant, condition,
                     *[f"{nice(p.y)} ({p.x:g} p.)" for p in points][:1],
                     f"{nice(points[-1].y)} ({points[-1].x:g} p.)", fixed,
                     slope])
    figure = draw_log_curves(
        plotter, f"{scenario}-extra",
        f"{what(scenario)}: instructions beyond the floor's, for each call. "
        "Hollow: the process has a device that maps something else.",
        f"Extra instructions of {what(scenario)} against pages, both axes "
        "logarithmic. Each for a fixed part and for each page: "
        + "; ".join(f"{b[0]} {b[1]} {b[4]} and {b[5]}" for b in body) + ".",
        named, styles, "instructions beyond the floor", f"pages {pages_a(scenario)}")
    return figure._replace(table=Table(
        ["variant", "condition", "fewest pages", "most pages", "fixed part",
         "for each page more"], body, 2))


def insn_figures(plotter: Plotter, counts: Counts) -> list[Figure]:
    figures = []
    for scenario in dict.fromkeys(c.scenario for c in counts.total):
        if scenario.startswith("invalidate"):
            figures.append(extra_figure(plotter, counts, scenario))
    for cells in icicle.chosen(counts):
        cell = cells[-1]
        figures.append(icicle.draw(
            plotter, counts, cells, f"{what(cell.scenario)}, "
            f"{cell.condition}, {plural(cell.pages, 'page')} "
            f"{pages_a(cell.scenario)}"))
    return [figure for figure in figures if figure]


# --- counts ------------------------------------------------------------------

def per_thousand(row: Row, name: str) -> float:
    return 1000 * row[name] / row["ops"]


def _count_entries(rows: list[Row], name: str, threads: int) -> list[Entry]:
    variants, entries = variants_of(rows), []
    for scenario in ordered(rows, "scenario"):
        condition = main_condition(rows, scenario)
        some = select(rows, scenario=scenario, condition=condition,
                      threads=threads)
        for pages in ordered(some, "pages"):
            entries.append(Entry(f"{what(scenario)}, "
                                 f"{plural(pages, 'page')}", True))
            entries += [
                Entry(row["variant"],
                      style=style_of(row["variant"], variants),
                      point=(per_thousand(row, name),) * 3)
                for row in select(some, pages=pages)]
    return entries


def _count_table(rows: list[Row], name: str, threads: int) -> Table:
    body = [[what(r["scenario"]), str(r["pages"]), r["variant"],
             r["condition"], nice(per_thousand(r, name))]
            for r in select(rows, threads=threads)
            if r["variant"] not in CONTROLS]
    return Table(["scenario", "pages", "variant", "condition",
                  f"{name} per 1000 operations"], body, 4)


def count_figure(plotter: Plotter, rows: list[Row]) -> Figure:
    """Contended acquisitions where threads are most: they survive TCG."""
    threads = max(row["threads"] for row in rows)
    entries = _count_entries(rows, "contended", threads)
    most = max(e.point[0] for e in entries if e.point)
    figure = draw_rows(
        plotter, "counts-contended",
        "Acquisitions of the variants' own locks that had to wait, per 1000 "
        f"operations, {plural(threads, 'thread')}.",
        f"Contended lock acquisitions per 1000 operations, "
        f"{plural(threads, 'thread')}; at most {nice(most)}.",
        entries, "contended acquisitions per 1000 operations", [], True)
    return figure._replace(table=_count_table(rows, "contended", threads))
