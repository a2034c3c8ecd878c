# SPDX-License-Identifier: GPL-2.0
"""Which figures a report has, and from which rows of the summary."""

from typing import Any, Callable, Iterable

from .figures import (Entry, Figure, Plotter, Point, draw_curves,
                      draw_percentiles, draw_rows, hollow, microseconds,
                      nice, style_of)
from .results import BARS, FLOOR

Row = dict[str, Any]

TITLES = {
    "populate": "Populate: pages into the device page table",
    "invalidate-dontneed": "Invalidate: MADV_DONTNEED",
    "invalidate-munmap": "Invalidate: munmap",
}
WHAT = {
    "populate": "populate",
    "invalidate-dontneed": "MADV_DONTNEED",
    "invalidate-munmap": "munmap",
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
    return [v for v in ordered(rows, "variant") if v != FLOOR]


def main_condition(rows: list[Row], scenario: str) -> str:
    """The condition that a scenario is about: its first."""
    return next(row["condition"] for row in rows
                if row["scenario"] == scenario and row["variant"] != FLOOR)


# --- rates over the pages per call -------------------------------------------

def _curves(rows: list[Row], point: Callable[[Row], Point]
            ) -> dict[str, list[Point]]:
    return {variant: sorted(point(row)
                            for row in select(rows, variant=variant))
            for variant in ordered(rows, "variant")}


def _throughput(plotter: Plotter, rows: list[Row], variants: list[str]
                ) -> Figure:
    threads, scenario = rows[0]["threads"], rows[0]["scenario"]
    most = max(row["pages"] for row in rows)
    ends = ", ".join(f"{row['variant']} {nice(row['median'] / 1e6)}"
                     for row in select(rows, pages=most))
    return draw_curves(
        plotter, f"{scenario}-throughput-{threads}t",
        f"Throughput of {what(scenario)}, {plural(threads, 'thread')}: "
        "median and 95 % interval.",
        f"{what(scenario)}, {plural(threads, 'thread')}: million pages per "
        f"second over pages per call. At {most}: {ends}.",
        _curves(rows, lambda row: Point(row["pages"], row["median"] / 1e6,
                                        row["lo"] / 1e6, row["hi"] / 1e6)),
        variants, "million pages per second")


def _relative(plotter: Plotter, rows: list[Row], variants: list[str]
              ) -> Figure:
    threads, scenario = rows[0]["threads"], rows[0]["scenario"]
    compared = [row for row in rows if row["variant"] != FLOOR]
    most = max(row["pages"] for row in compared)
    bar = next((b.at_least for b in BARS
                if b.scenario == scenario and b.at_least), 0)
    ends = ", ".join(f"{row['variant']} {row['ratio']:.2f}"
                     for row in select(compared, pages=most))
    return draw_curves(
        plotter, f"{scenario}-relative-{threads}t",
        f"The same relative to the floor ({plural(threads, 'thread')}): 1 "
        "would be an insertion that costs nothing.",
        f"{what(scenario)} relative to the floor, "
        f"{plural(threads, 'thread')}. At {most} pages per call: {ends}.",
        _curves(compared, lambda row: Point(row["pages"], row["ratio"],
                                            row["ratio_lo"],
                                            row["ratio_hi"])),
        variants, "relative to the floor", bar)


def rate_figures(plotter: Plotter, rows: list[Row]) -> list[Figure]:
    variants = variants_of(rows)
    figures = []
    for threads in ordered(rows, "threads"):
        some = select(rows, threads=threads)
        figures.append(_throughput(plotter, some, variants))
        figures.append(_relative(plotter, some, variants))
    return figures


# --- latencies ---------------------------------------------------------------

def _ratio_entries(rows: list[Row], variants: list[str]) -> list[Entry]:
    entries = []
    main = main_condition(rows, rows[0]["scenario"])

    def style(row: Row) -> int:
        plain = style_of(row["variant"], variants)
        return plain if row["condition"] == main else hollow(plain)

    for pages in ordered(rows, "pages"):
        for threads in ordered(rows, "threads"):
            entries.append(Entry(f"{plural(pages, 'page')}, "
                                 f"{plural(threads, 'thread')}", True))
            entries += [
                Entry(f"{row['variant']}, {row['condition']}",
                      style=style(row),
                      point=(row["ratio"], row["ratio_lo"], row["ratio_hi"]))
                for row in select(rows, pages=pages, threads=threads)
                if row["variant"] != FLOOR]
    return entries


def _ratio_figure(plotter: Plotter, rows: list[Row]) -> Figure:
    scenario, variants = rows[0]["scenario"], variants_of(rows)
    marks = [1.0] + sorted(b.at_most for b in BARS
                           if b.scenario == scenario and b.at_most)
    worst = max((row for row in rows if row["variant"] != FLOOR),
                key=lambda row: row["ratio"])
    return draw_rows(
        plotter, f"{scenario}-ratio",
        f"Median latency of {what(scenario)} relative to a process without "
        "a device, with 95 % intervals (cut where they leave the figure). "
        "Dashed: no difference"
        + (", and the bars for 512 pages." if len(marks) > 1 else "."),
        f"{what(scenario)} relative to no device, one row per variant, "
        f"condition, pages and threads. Highest: {worst['ratio']:.2f}, "
        f"{worst['variant']} {worst['condition']}, "
        f"{plural(worst['pages'], 'page')}, "
        f"{plural(worst['threads'], 'thread')}.",
        _ratio_entries(rows, variants), "times the latency without a device",
        marks)


def _percentile_figure(plotter: Plotter, rows: list[Row], pages: int,
                       threads: int) -> Figure:
    scenario, variants = rows[0]["scenario"], variants_of(rows)
    condition = main_condition(rows, scenario)
    shown = [row for row in select(rows, pages=pages, threads=threads)
             if row["variant"] == FLOOR or row["condition"] == condition]
    where = f"{plural(pages, 'page')}, {plural(threads, 'thread')}"
    medians = ", ".join(f"{row['variant']} {microseconds(row['p50_ns'])}"
                        for row in shown)
    return draw_percentiles(
        plotter, f"{scenario}-latency-{pages}p-{threads}t",
        f"{what(scenario)}, {where}",
        f"Latency of {what(scenario)}, {where}, {condition}; all operations "
        "of all runs.",
        f"Latency percentiles of {what(scenario)}, {where}, {condition}. "
        f"Medians: {medians}.", shown, variants)


def latency_figures(plotter: Plotter, rows: list[Row]) -> list[Figure]:
    figures = [_ratio_figure(plotter, rows)]
    for pages in ordered(rows, "pages"):
        for threads in ordered(rows, "threads"):
            figures.append(_percentile_figure(plotter, rows, pages, threads))
    return figures


def scenario_figures(plotter: Plotter, rows: list[Row]) -> list[Figure]:
    if rows[0]["unit"] == "pages/s":
        return rate_figures(plotter, rows)
    return latency_figures(plotter, rows)


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


def count_figure(plotter: Plotter, rows: list[Row]) -> Figure:
    """Contended acquisitions where threads are most: they survive TCG."""
    threads = max(row["threads"] for row in rows)
    entries = _count_entries(rows, "contended", threads)
    most = max(e.point[0] for e in entries if e.point)
    return draw_rows(
        plotter, "counts-contended",
        "Acquisitions of the variants' own locks that had to wait, per 1000 "
        f"operations, {plural(threads, 'thread')}.",
        f"Contended lock acquisitions per 1000 operations, "
        f"{plural(threads, 'thread')}; at most {nice(most)}.",
        entries, "contended acquisitions per 1000 operations", [], True)
