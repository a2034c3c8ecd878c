# SPDX-License-Identifier: GPL-2.0
"""How a cost grows with something else than pages: figures 4, 7 and 8.

A scenario or a condition that ends in a number says with what:
populate-beside-1000 (invalidations a second), attached-16 (processes), chain-100
(milliseconds that a device takes). Where there are no such rows, there is no
figure.
"""

import math
import re
from typing import Any, Iterable, Optional

from .figures import (Entry, Figure, Plotter, Point, Table, draw_curves,
                      microseconds, nice, style_of)
from .insn import Counts
from .results import CONTROLS, count_of

Row = dict[str, Any]
NUMBERED = re.compile(r"^(.*)-(\d+)$")
SLOW = {"chain": "in the chain of rmap callbacks",
        "range": "in a range callback"}


def number_of(name: str, stem: str) -> Optional[int]:
    """16 for "attached-16" and the stem "attached"."""
    found = NUMBERED.match(name)
    return int(found[2]) if found and found[1] == stem else None


# --- retries and waits beside invalidations (4) ------------------------------

BESIDE = {
    "retries": ("beside-{}", "A populate begins again because of invalidations ({}): "
                "how often, for 1000 of them. 0 is what a lock for each table "
                "promises.", "Retries"),
    "waits": ("beside-{}-waits", "A populate sleeps until an invalidation is over "
              "({}): how often, for 1000 of them. Not of interval, where the VM "
              "waits, and counts nothing.", "Waits"),
}


def _for_1000(row: Row, name: str) -> Optional[float]:
    """Of what the thread beside has taken away, as the bar has it: "invalidations"
    counts what the populate's own process was told, for whatever reason."""
    if count_of(row, name) is None or not row.get("foreign"):
        return None
    return 1000 * row[name] / row["foreign"]


def beside(plotter: Plotter, rows: Iterable[Row]) -> list[Figure]:
    """Work thrown away, and time slept, because of somebody else's invalidations."""
    found: dict[str, dict[str, list[tuple[int, Row]]]] = {}
    for row in rows:
        rate = number_of(row["scenario"], "populate-beside")
        if rate and row["variant"] not in CONTROLS \
                and _for_1000(row, "retries") is not None:
            found.setdefault(row["condition"], {}).setdefault(
                row["variant"], []).append((rate, row))
    return [_beside(plotter, where, counted, measure)
            for where, by_variant in found.items() for measure in BESIDE
            for counted in [{v: some for v, some in by_variant.items()
                             if all(_for_1000(row, measure) is not None
                                    for _, row in some)}] if counted]


def _beside(plotter: Plotter, where: str,
            found: dict[str, list[tuple[int, Row]]], measure: str) -> Figure:
    name, caption, said_of = BESIDE[measure]
    curves, body = {}, []
    for variant, some in found.items():
        some.sort(key=lambda item: item[0])
        curves[variant] = [Point(rate, *([_for_1000(row, measure)] * 3))
                           for rate, row in some]
        body += [[variant, str(rate), nice(_for_1000(row, measure)),
                  nice(row["foreign"]), f"{row['ratio']:.2f}"]
                 for rate, row in some]
    said = "; ".join(f"{v} {nice(c[-1].y)} at {c[-1].x:g}"
                     for v, c in curves.items())
    figure = draw_curves(
        plotter, name.format(where), caption.format(where),
        f"{said_of} per 1000 foreign invalidations ({where}) against their "
        f"rate: {said}.", curves, list(curves), f"{measure} per 1000", 0,
        "invalidations a second")
    return figure._replace(table=Table(
        ["variant", "a second", f"{measure} per 1000", "of so many",
         "populate relative to its floor"], body, 2))


# --- evict, with so many attached (7) ----------------------------------------

def slope(points: list[Point]) -> float:
    """For each process more, over the whole width."""
    return (points[-1].y - points[0].y) / (points[-1].x - points[0].x)


def evict(plotter: Plotter, counts: Counts) -> Optional[Figure]:
    curves: dict[str, list[Point]] = {}
    for cell, count in counts.total.items():
        attached = number_of(cell.condition, "attached")
        if cell.scenario == "evict" and attached \
                and cell.variant in counts.variants():
            apart = count.per_op * count.spread / 2
            curves.setdefault(cell.variant, []).append(
                Point(attached, count.per_op, count.per_op - apart,
                      count.per_op + apart))
    curves = {v: sorted(curves[v]) for v in counts.variants()
              if len(curves.get(v, [])) > 1}
    if not curves:
        return None
    most = max(p.x for c in curves.values() for p in c)
    body = [[v, *(nice(p.y) for p in c), f"{slope(c):.1f}",
             f"{c[-1].y / c[0].y:.2f}"] for v, c in curves.items()]
    said = "; ".join(f"{b[0]} {b[-2]} for each process more, {b[-1]} times "
                     f"as many with {most:g}" for b in body)
    figure = draw_curves(
        plotter, "evict-attached",
        "Instructions of one MY_MMU_EVICT, with so many processes attached "
        "that do not have the page.",
        f"Instructions of an eviction against attached processes: {said}.",
        curves, list(curves), "instructions for an eviction", 0,
        "processes attached")
    head = [f"{p.x:g} attached" for p in next(iter(curves.values()))]
    return figure._replace(table=Table(
        ["variant", *head, "for each process more", "most / fewest"], body))


# --- attach, detach, exit beside a slow device (8) ---------------------------

def _ms(row: Row, name: str) -> Optional[float]:
    return None if row[name] is None else row[name] / 1e6


def _point(row: Row) -> tuple[float, float, float]:
    """Median and, as far as there is one, the 99th percentile."""
    half, most = row["median"] / 1e6, _ms(row, "p99_ns") or _ms(row, "max_ns")
    return half, half, max(most or half, half)


def _entries(rows: list[Row], where: str, variants: list[str]
             ) -> list[Entry]:
    entries: list[Entry] = []
    mine = sorted((number_of(r["condition"], where), i)
                  for i, r in enumerate(rows)
                  if number_of(r["condition"], where) is not None)
    last = None
    for ms, i in mine:
        if ms != last:
            entries.append(Entry(f"{ms} ms", True))
            last = ms
        entries.append(Entry(rows[i]["variant"],
                             style=style_of(rows[i]["variant"], variants),
                             point=_point(rows[i])))
    return entries


def _log_rows(plotter: Plotter, name: str, caption: str, alt: str,
              entries: list[Entry]) -> Figure:
    """As figures.draw_rows, on a logarithmic axis of milliseconds."""
    points = [e.point for e in entries if e.point]
    low = min(p[1] for p in points) / 1.5
    high = max(p[2] for p in points) * 1.5
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
    ticks = ", ".join(f'"{10.0 ** k:g}" 1e{k}' for k in powers)
    styles = sorted({e.style for e in entries if e.point})
    data = []
    for style in styles:
        data += [" ".join(map(repr, (*e.point, row)))
                 for row, e in enumerate(entries)
                 if e.point and e.style == style]
        data += ["", ""]
    texts = {heading: plotter.table(f"{name}-{heading}.dat", [
        f'{row} "{e.text}"' for row, e in enumerate(entries)
        if e.heading == heading]) for heading in (False, True)}
    return plotter.draw(
        "rows.gp", name, caption, alt, 640, 130 + 19 * len(entries),
        xlab="milliseconds (half of the calls; bar: to 99 of 100)", xmin=low,
        xmax=high, band=0, ticks=ticks, marks="",
        data=plotter.table(f"{name}.dat", data), names=texts[False],
        heads=texts[True], styles=" ".join(map(str, styles)),
        rows=len(entries))


def figures(plotter: Plotter, rows: list[Row]) -> list[Figure]:
    """Those for which somebody has measured."""
    found = beside(plotter, rows)
    for scenario in ("attach", "detach", "exit"):
        found += slow(plotter, rows, scenario)
    return found


def slow(plotter: Plotter, rows: list[Row], scenario: str) -> list[Figure]:
    """One figure for each way in which somebody may be kept waiting."""
    mine = [r for r in rows if r["scenario"] == scenario
            and r["variant"] not in CONTROLS]
    variants = list(dict.fromkeys(r["variant"] for r in mine))
    drawn = []
    for where, said in SLOW.items():
        entries = _entries(mine, where, variants)
        if not entries:
            continue
        body = [[r["variant"], r["condition"], microseconds(r["median"]),
                 microseconds(r["p99_ns"]) if r["p99_ns"] else "–",
                 microseconds(r["max_ns"]) if r["max_ns"] else "–"]
                for r in mine if number_of(r["condition"], where) is not None]
        worst = "; ".join(f"{b[0]} {b[1]} {b[2]}" for b in body)
        figure = _log_rows(
            plotter, f"{scenario}-{where}",
            f"{scenario} while another process's device takes so long {said}.",
            f"Time of {scenario} beside a device that is slow {said}, "
            f"median: {worst}.", entries)
        drawn.append(figure._replace(table=Table(
            ["variant", "device", "half", "99 of 100", "most"], body, 2)))
    return drawn
