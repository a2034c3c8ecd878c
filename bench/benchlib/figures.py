# SPDX-License-Identifier: GPL-2.0
"""Figures: data files for gnuplot, one call per figure, SVG for the page."""

import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Iterable, NamedTuple, Optional

from .results import FLOOR, ResultError

PLOTS = Path(__file__).resolve().parent.parent / "plots"
STYLES = {FLOOR: 1, "spinlock": 2, "split-ptl": 3, "rcu-list": 4}
POSITIONS = ("p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns")

Row = dict[str, Any]


class Figure(NamedTuple):
    """A finished figure; ALT says in words what is to be seen."""

    name: str
    caption: str
    alt: str
    svg: str
    tall: bool      # wants a row of the page to itself


class Point(NamedTuple):
    x: float
    y: float
    lo: float
    hi: float


def style_of(variant: str, variants: Iterable[str]) -> int:
    """The same for a variant in every figure; others get what is left."""
    if variant in STYLES:
        return STYLES[variant]
    others = [v for v in variants if v not in STYLES]
    return 5 + others.index(variant) % 2


def hollow(style: int) -> int:
    """The style of the same variant under another condition."""
    return style + 10


def nice(value: float) -> str:
    """Three digits, no exponent, a space between thousands."""
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}".replace(",", "\u202f")


def microseconds(ns: float) -> str:
    return f"{nice(ns / 1000)} µs"


def spread(values: list[float], gap: float) -> list[float]:
    """The same values, moved apart as little as it takes to keep GAP."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    placed = [values[i] for i in order]
    for _ in range(200):
        moved = False
        for low, high in zip(range(len(placed)), range(1, len(placed))):
            short = gap - (placed[high] - placed[low])
            if short > 1e-9 * gap:
                placed[low] -= short / 2
                placed[high] += short / 2
                moved = True
        if not moved:
            break
    result = [0.0] * len(values)
    for position, index in zip(placed, order):
        result[index] = position
    return result


# --- gnuplot -----------------------------------------------------------------

def _quote(value: Any) -> str:
    if isinstance(value, (int, float)):
        return repr(value)
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _accessible(svg: str, name: str, alt: str) -> str:
    """An SVG element for the page, or a file of its own: no prologue."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<desc>.*?</desc>", "", svg, flags=re.S)
    svg = re.sub(r"<title>.*?</title>", "", svg, flags=re.S)
    # gnuplot clears the paper under points with white: there is dark paper.
    svg = re.sub(r"<use [^>]*color='white'/>", "", svg)
    svg = svg.replace('"sans-serif:Bold"', '"sans-serif" font-weight="bold"')
    alt = alt.replace("&", "&amp;").replace("<", "&lt;").replace('"', "'")
    # Two figures on one page must not share names of points and patterns.
    svg = re.sub(r"(id=['\"]|url\(#|href=['\"]#)", rf"\g<1>{name}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{alt}"', 1)


class Plotter:
    """Draws figures into FOLDER; SOURCE stands under each of them."""

    def __init__(self, folder: Path, source: str) -> None:
        self.folder = folder
        self.source = source
        self.data = folder / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        if not shutil.which("gnuplot"):
            raise ResultError("gnuplot is missing, and without it there are "
                              "no figures: apt-get install gnuplot-nox")

    def table(self, name: str, lines: Iterable[str]) -> str:
        path = self.data / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path.resolve())

    def draw(self, script: str, name: str, caption: str, alt: str,
             width: int, height: int, **given: Any) -> Figure:
        out = self.folder / f"{name}.svg"
        given.update(name=name.replace("-", "_"), out=str(out.resolve()),
                     W=width, H=height, source=self.source)
        code = "; ".join(f"{key} = {_quote(value)}"
                         for key, value in given.items())
        done = subprocess.run(
            ["gnuplot", "-e", code, script], cwd=PLOTS, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode or not out.exists():
            raise ResultError(f"gnuplot could not draw {name}: "
                              f"{done.stdout.strip()}")
        svg = _accessible(out.read_text(), name, alt)
        out.write_text(svg)
        return Figure(name, caption, alt, svg, height > width)


# --- curves over the pages per call ------------------------------------------

def _ends(curves: dict[str, list[Point]], variants: list[str], top: float,
          height: int) -> list[str]:
    """Names at the ends of the curves, apart enough to be read."""
    names = list(curves)
    gap = top * 17 / (height - 110)
    ys = spread([curves[name][-1].y for name in names], gap)
    right = max(points[-1].x for points in curves.values())
    return [f'{right} {y!r} "{name}" {style_of(name, variants)}'
            for name, y in zip(names, ys)]


def _beside(curves: dict[str, list[Point]]) -> dict[str, list[Point]]:
    """Moved sideways a little, so that whiskers do not hide each other."""
    step, middle = 1.05, (len(curves) - 1) / 2
    return {name: [p._replace(x=p.x * step ** (i - middle)) for p in points]
            for i, (name, points) in enumerate(curves.items())}


def _curve_data(curves: dict[str, list[Point]]) -> list[str]:
    lines = []
    for name, points in curves.items():
        lines += [f"# {name}"] + [" ".join(map(repr, p)) for p in points]
        lines += ["", ""]
    return lines


def draw_curves(plotter: Plotter, name: str, caption: str, alt: str,
                curves: dict[str, list[Point]], variants: list[str],
                ylab: str, bar: float = 0) -> Figure:
    width, height = 640, 380
    top = 1.08 * max(p.hi for points in curves.values() for p in points)
    pages = sorted({round(p.x) for points in curves.values()
                    for p in points})
    curves = _beside(curves)
    return plotter.draw(
        "curves.gp", name, caption, alt, width, height,
        data=plotter.table(f"{name}.dat", _curve_data(curves)),
        ends=plotter.table(f"{name}-ends.dat",
                           _ends(curves, variants, top, height)),
        styles=" ".join(str(style_of(n, variants)) for n in curves),
        ylab=ylab, ymax=max(top, 1.1 * bar), bar=bar,
        bartext=f"bar: {bar:g}", xmin=pages[0] * 0.8, xmax=pages[-1] * 1.2,
        ticks=", ".join(map(str, pages)))


# --- rows with points and intervals ------------------------------------------

class Entry(NamedTuple):
    """One line of a figure of rows; a heading has no point."""

    text: str
    heading: bool = False
    style: int = 1
    point: Optional[tuple[float, float, float]] = None


def _row_tables(plotter: Plotter, name: str, entries: list[Entry]
                ) -> dict[str, Any]:
    styles = sorted({e.style for e in entries if e.point})
    lines = []
    for style in styles:
        lines += [f"{e.point[0]!r} {e.point[1]!r} {e.point[2]!r} {row}"
                  for row, e in enumerate(entries)
                  if e.point and e.style == style]
        lines += ["", ""]
    return {
        "data": plotter.table(f"{name}.dat", lines),
        "names": plotter.table(
            f"{name}-names.dat",
            [f'{row} "{e.text}"' for row, e in enumerate(entries)
             if not e.heading]),
        "heads": plotter.table(
            f"{name}-heads.dat",
            [f'{row} "{e.text}"' for row, e in enumerate(entries)
             if e.heading]),
        "styles": " ".join(map(str, styles)),
        "rows": len(entries),
    }


def _bounds(entries: list[Entry], marks: list[float]) -> tuple[float, float]:
    """All points, and of their intervals what leaves room for the rest."""
    points = [e.point for e in entries if e.point]
    low = min([p[0] for p in points] + marks)
    high = max([p[0] for p in points] + marks)
    room = (high - low) / 2
    return (max(low - room, min([p[1] for p in points] + [low])),
            min(high + room, max([p[2] for p in points] + [high])))


def draw_rows(plotter: Plotter, name: str, caption: str, alt: str,
              entries: list[Entry], xlab: str, marks: list[float],
              from_zero: bool = False) -> Figure:
    low, high = _bounds(entries, marks)
    margin = (high - low) * 0.04 or 1
    return plotter.draw(
        "rows.gp", name, caption, alt, 640, 130 + 19 * len(entries),
        xlab=xlab, xmin=0.0 if from_zero else max(0.0, low - margin),
        xmax=high + margin, marks=" ".join(f"{m:g}" for m in marks),
        **_row_tables(plotter, name, entries))


# --- percentiles -------------------------------------------------------------

def _percentile_curve(row: Row) -> list[tuple[int, float]]:
    return [(position, row[column] / 1e9)
            for position, column in enumerate(POSITIONS, 1)
            if row[column] is not None]


def _time_text(seconds: float) -> str:
    for unit, size in (("s", 1), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size * 0.999:
            return f"{seconds / size:g} {unit}"
    return f"{seconds / 1e-9:g} ns"


def _time_ticks(low: float, high: float) -> str:
    """Ticks on a log axis of seconds; the fewer decades, the more names."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
    named = (1, 2, 5) if math.log10(high / low) < 2 else (1,)
    return ", ".join(
        f'"{_time_text(factor * 10.0 ** power) if factor in named else ""}" '
        f"{factor}e{power}{'' if factor in named else ' 1'}"
        for power in powers for factor in (1, 2, 5))


def draw_percentiles(plotter: Plotter, name: str, heading: str, caption: str,
                     alt: str, rows: list[Row], variants: list[str]
                     ) -> Figure:
    width, height = 480, 320
    curves = {row["variant"]: _percentile_curve(row) for row in rows}
    values = [y for curve in curves.values() for _, y in curve]
    low, high = min(values) / 1.6, max(values) * 1.6
    gap = math.log10(high / low) * 17 / (height - 130)
    ys = spread([math.log10(c[-1][1]) for c in curves.values()], gap)
    low = min(low, 10 ** (min(ys) - gap / 2))
    high = max(high, 10 ** (max(ys) + gap / 2))
    lines = []
    for variant, curve in curves.items():
        lines += [f"{x} {y!r}" for x, y in curve] + ["", ""]
    ends = [f'{c[-1][0]} {10 ** y!r} "{variant}" '
            f"{style_of(variant, variants)}"
            for (variant, c), y in zip(curves.items(), ys)]
    return plotter.draw(
        "percentiles.gp", name, caption, alt, width, height, heading=heading,
        data=plotter.table(f"{name}.dat", lines),
        ends=plotter.table(f"{name}-ends.dat", ends),
        styles=" ".join(str(style_of(v, variants)) for v in curves),
        ymin=low, ymax=high, ticks=_time_ticks(low, high))
