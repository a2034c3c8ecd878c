# SPDX-License-Identifier: GPL-2.0
"""Figures: data files for gnuplot, one call per figure, SVG for the page."""

import math
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Iterable, NamedTuple, Optional

from .results import AGAIN, FLOOR, ResultError
from .stats import LEAST_BEYOND, Bucket

PLOTS = Path(__file__).resolve().parent.parent / "plots"
STYLES = {FLOOR: 1, AGAIN: 11, "spinlock": 2, "split-ptl": 3, "rcu-list": 4,
          "interval": 5}
OTHERS = (6, 7)


class Mark(NamedTuple):
    """A cell of a table with a look of its own; report.css has the looks."""

    text: str
    css: str
    note: str = ""


class Table(NamedTuple):
    """What a figure shows, for whoever cannot see it; FIRST cells head rows."""

    head: list[str]
    body: list[list[Any]]	# of text, or of Mark
    first: int = 1


class Figure(NamedTuple):
    """A finished figure; ALT says in words what is to be seen."""

    name: str
    caption: str
    alt: str
    svg: str
    tall: bool      # wants a row of the page to itself
    width: int
    table: Optional[Table] = None


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
    return OTHERS[others.index(variant) % len(OTHERS)]


def hollow(style: int) -> int:
    """The style of the same variant under another condition."""
    return style + 10


def faint(style: int) -> int:
    """The style of a variant where the machine cannot tell."""
    return style % 10 + 20


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
        return Figure(name, caption, alt, svg, height > width, width)


# --- curves over pages, or something else ------------------------------------


def _ends(curves: dict[str, list[Point]], variants: list[str], top: float,
          height: int) -> list[str]:
    """Names at the ends of the curves, apart enough to be read."""
    names = list(curves)
    gap = top * 17 / (height - 110)
    ys = spread([curves[name][-1].y for name in names], gap)
    least = 0.0		# nor below the axis
    for i in sorted(range(len(ys)), key=lambda i: ys[i]):
        ys[i] = max(ys[i], least)
        least = ys[i] + gap
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


def _right(names: Iterable[str]) -> int:
    return 3 + max(map(len, names))


def draw_curves(plotter: Plotter, name: str, caption: str, alt: str,
                curves: dict[str, list[Point]], variants: list[str],
                ylab: str, bar: float, xlab: str) -> Figure:
    """Values from 0 on, over XLAB on a logarithmic axis."""
    width, height = 640, 380
    top = 1.08 * max(p.hi for points in curves.values() for p in points) or 1.0
    pages = sorted({round(p.x) for points in curves.values()
                    for p in points})
    curves = _beside(curves)
    return plotter.draw(
        "curves.gp", name, caption, alt, width, height,
        data=plotter.table(f"{name}.dat", _curve_data(curves)),
        ends=plotter.table(f"{name}-ends.dat",
                           _ends(curves, variants, top, height)),
        styles=" ".join(str(style_of(n, variants)) for n in curves),
        right=_right(curves), xlab=xlab, ylab=ylab, ymin=0, ymax=max(top, 1.1 * bar),
        logy=0, bar=bar,
        bartext=f"bar: {bar:g}", xmin=pages[0] * 0.8, xmax=pages[-1] * 1.2,
        ticks=", ".join(map(str, pages)))


def draw_log_curves(plotter: Plotter, name: str, caption: str, alt: str,
                    curves: dict[str, list[Point]], styles: dict[str, int],
                    ylab: str, xlab: str) -> Figure:
    """Both axes logarithmic: what grows alike is a line of slope 1."""
    width, height = 640, 380
    values = [p.y for points in curves.values() for p in points]
    low, high = min(values) / 2, max(values) * 2
    gap = math.log10(high / low) * 17 / (height - 110)
    ys = spread([math.log10(c[-1].y) for c in curves.values()], gap)
    pages = sorted({round(p.x) for c in curves.values() for p in c})
    ends = [f'{pages[-1]} {10 ** y!r} "{n}" {styles[n]}'
            for n, y in zip(curves, ys)]
    return plotter.draw(
        "curves.gp", name, caption, alt, width, height,
        data=plotter.table(f"{name}.dat", _curve_data(_beside(curves))),
        ends=plotter.table(f"{name}-ends.dat", ends),
        styles=" ".join(str(styles[n]) for n in curves), xlab=xlab,
        ylab=ylab, right=_right(curves), ymin=low, ymax=high, logy=1, bar=0, bartext="",
        xmin=pages[0] * 0.8, xmax=pages[-1] * 1.2,
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


MOST = 3.0		# ratios beyond this, or 1 by it, are cut off
RATIO_TICKS = (0.33, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1, 1.02, 1.05, 1.1,
               1.25, 1.5, 2, 3)


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
        xmax=high + margin, marks=" ".join(f"{m:g}" for m in marks), band=0,
        ticks="", **_row_tables(plotter, name, entries))


def _within(entry: Entry) -> Entry:
    """At the edge, with its value in its name, if it lies beyond."""
    if not entry.point or 1 / MOST <= entry.point[0] <= MOST:
        return entry
    edge = min(max(entry.point[0], 1 / MOST), MOST)
    return entry._replace(text=f"{entry.text}: {nice(entry.point[0])}",
                          point=(edge, edge, edge))


def _ticks(low: float, high: float) -> str:
    """Not so many that their names touch."""
    inside = [t for t in RATIO_TICKS if low <= t <= high]
    least = math.log(high / low) / 14
    kept = [1.0]
    for tick in sorted(inside, key=lambda t: (abs(math.log(t)), t)):
        if all(abs(math.log(tick / k)) > least for k in kept):
            kept.append(tick)
    return ", ".join(f"{t:g}" for t in sorted(kept))


def draw_ratios(plotter: Plotter, name: str, caption: str, alt: str,
                entries: list[Entry], xlab: str, marks: list[float],
                band: float = 0) -> Figure:
    """Twice as much lies as far from 1 as half; BAND % around 1 are shaded."""
    entries = [_within(entry) for entry in entries]
    points = [e.point for e in entries if e.point]
    low = max(1 / MOST, min([p[1] for p in points] + marks + [0.94])) / 1.03
    high = min(MOST, max([p[2] for p in points] + marks + [1.06])) * 1.03
    return plotter.draw(
        "rows.gp", name, caption, alt, 640, 130 + 19 * len(entries),
        xlab=xlab, xmin=low, xmax=high, band=band, ticks=_ticks(low, high),
        marks=" ".join(f"{m:g}" for m in marks),
        **_row_tables(plotter, name, entries))


# --- latencies ---------------------------------------------------------------

SHARES = (0.5, 0.1, 0.01, 0.001)


def beyond(buckets: list[Bucket]) -> list[tuple[float, float]]:
    """Steps: at so many seconds, the share that took longer falls to this."""
    total = left = sum(b.count for b in buckets)
    steps = [(buckets[0].low / 1e9, 1.0)]
    for _, end, count in sorted(buckets):
        left -= count
        # the last one's way down ends below the axis
        steps.append((end / 1e9, left / total or 0.1 / total))
    return steps


def longer_than(buckets: list[Bucket], share: float) -> Optional[float]:
    """Seconds; None where fewer than 10 operations took longer."""
    if share * sum(b.count for b in buckets) < LEAST_BEYOND:
        return None
    return next(x for x, y in beyond(buckets) if y < share)


def _marks(buckets: list[Bucket]) -> list[tuple[float, float]]:
    """Where a curve falls past half, one in 10 …: its variant's sign."""
    found = ((longer_than(buckets, share), share) for share in SHARES)
    return [(x, share) for x, share in found if x is not None]


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


class Axes(NamedTuple):
    """Common to all panels of a scenario."""

    low: float
    high: float
    least: float


def axes_of(cells: Iterable[list[Bucket]]) -> Axes:
    cells = list(cells)
    return Axes(min(b.low for c in cells for b in c) / 1.2e9,
                max(b.end for c in cells for b in c) * 1.2e-9,
                0.5 / max(sum(b.count for b in c) for c in cells))


def _blocks(curves: Iterable[list[tuple[float, float]]]) -> list[str]:
    lines: list[str] = []
    for curve in curves:
        lines += [f"{x!r} {y!r}" for x, y in curve] or ["1 NaN"]
        lines += ["", ""]
    return lines


def draw_beyond(plotter: Plotter, name: str, heading: str, caption: str,
                alt: str, cells: dict[str, list[Bucket]], axes: Axes,
                variants: list[str]) -> Figure:
    curves = {v: beyond(buckets) for v, buckets in cells.items()}
    return plotter.draw(
        "beyond.gp", name, caption, alt, 480, 340, heading=heading,
        data=plotter.table(f"{name}.dat", _blocks(curves.values())),
        points=plotter.table(f"{name}-points.dat",
                             _blocks(map(_marks, cells.values()))),
        styles=" ".join(str(style_of(v, variants)) for v in curves),
        names=" ".join(curves), xmin=axes.low, xmax=axes.high,
        ymin=axes.least, ticks=_time_ticks(axes.low, axes.high))
