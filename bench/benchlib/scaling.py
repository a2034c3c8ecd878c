# SPDX-License-Identifier: GPL-2.0
"""Figure 3: speed-up against threads, beside what bounds and predicts it."""

import math
from typing import Iterable, NamedTuple, Optional

from . import model
from .figures import Figure, Plotter, Point, Table, nice, spread, style_of
from .insn import Counts
from .model import Prediction
from .results import CONTROLS, FLOOR, Key, Results, values_of
from .words import pages_a

SHOWN = 16	# CPUs, at least


class Load(NamedTuple):
    """What a figure is about; threads vary."""

    scenario: str
    condition: str
    pages: int


def loads(results: Results) -> list[Load]:
    """Rates only: a latency with more threads is no speed-up."""
    keys = [k for k, plan in results.plan.items() if plan.unit == "pages/s"
            and k.variant not in CONTROLS]
    several = {Load(k.scenario, k.condition, k.pages) for k in keys
               if k.threads > 1 and k._replace(threads=1) in results.plan}
    return sorted(several)


def _floor(results: Results, load: Load) -> Optional[str]:
    return next((plan.floor for k, plan in results.plan.items()
                 if k.variant not in CONTROLS
                 and Load(k.scenario, k.condition, k.pages) == load), None)


def _measured(results: Results, load: Load, variant: str, condition: str
              ) -> list[Point]:
    """Run by run of the same turn, with intervals."""
    one = Key(load.scenario, variant, condition, 1, load.pages)
    points = [Point(1, 1, 1, 1)]
    for key in sorted(results.plan, key=lambda k: k.threads):
        if key.threads > 1 and key._replace(threads=1) == one:
            found = results.sampler.median_ratio(values_of(results, key),
                                                 values_of(results, one))
            points.append(Point(key.threads, found.median, found.lo,
                                found.hi))
    return points


def _curves(results: Results, load: Load) -> dict[str, list[Point]]:
    variants = dict.fromkeys(k.variant for k in results.plan
                             if k.variant not in CONTROLS)
    curves = {v: _measured(results, load, v, load.condition)
              for v in variants}
    floor = _floor(results, load)
    if floor:
        curves = {FLOOR: _measured(results, load, FLOOR, floor), **curves}
    return {v: points for v, points in curves.items() if len(points) > 1}


def _of(load: Load, found: Iterable[Prediction]) -> list[Prediction]:
    return [p for p in found if (p.cell.scenario, p.cell.condition,
                                 p.cell.pages) == load]


# --- words -------------------------------------------------------------------

def check_text(prediction: Prediction) -> str:
    if prediction.check is None:
        return "not counted with two threads"
    error = prediction.check.error()
    word = "model drawn" if prediction.believed() else "model not used"
    if math.isinf(error):
        return f"none was counted: {word}"
    return f"{error:+.0%}: {word}"


def check_table(found: list[Prediction]) -> Table:
    """What the model says of two threads, and what was counted."""
    body = []
    for p in found:
        known = p.check and f"{p.check.counted:.3f}"
        predicted = f"{model.contended(p.work):.3f}"
        body.append([p.cell.variant, str(p.cell.pages),
                     f"{p.work.held / (p.work.think + p.work.held):.1%}",
                     nice(p.work.bound()), f"{p.work.taken:.2f}", predicted,
                     known or "", check_text(p)])
    return Table(["variant", "pages", "under a lock", "at most times as fast",
                  "locks taken", "found taken: predicted", "counted",
                  "error"], body, 2)


def _span(prediction: Prediction, cpus: int) -> str:
    if not prediction.believed():
        return ""
    low, high = prediction.low[cpus - 1], prediction.high[cpus - 1]
    return f"{low:.2f} – {high:.2f}"


def _table(curves: dict[str, list[Point]], found: list[Prediction],
           most: int) -> Table:
    threads = sorted({p.x for c in curves.values() for p in c})
    by_name = {p.cell.variant: p for p in found}
    body = []
    for name, points in curves.items():
        known = {p.x: f"{p.y:.2f} [{p.lo:.2f} – {p.hi:.2f}]" for p in points}
        p = by_name.get(name)
        body.append([name, *(known.get(t, "") for t in threads),
                     nice(p.work.bound()) if p else "",
                     _span(p, most) if p else ""])
    return Table(["variant", *(f"{t:g} threads" for t in threads),
                  "bound", f"model, {most} CPUs"], body)


def law_sentence(results: Results, load: Load) -> str:
    """A fit of the universal scalability law, or why there is none."""
    curves = _curves(results, load)
    threads = {p.x for c in curves.values() for p in c}
    if not model.may_fit(results.meta, map(int, threads)):
        return ("The universal scalability law is fitted to six or more "
                "numbers of real CPUs; here there are fewer, or emulated "
                "ones.")
    said = []
    for name, points in curves.items():
        law = model.fit_usl([int(p.x) for p in points],
                            [p.y for p in points])
        if law:
            said.append(f"{name} contention {law.contention:.3f} ± "
                        f"{law.contention_error:.3f}, crosstalk "
                        f"{law.crosstalk:.5f} ± {law.crosstalk_error:.5f}")
    return (f"Universal scalability law, {load.scenario}, {load.condition}, "
            f"{load.pages} pages: " + "; ".join(said or ["no fit"]) + ".")


# --- drawing -----------------------------------------------------------------

def _blocks(curves: Iterable[list[str]]) -> list[str]:
    lines: list[str] = []
    for curve in curves:
        lines += [*curve, "", ""]
    return lines or ["1 NaN NaN"]


def _bands(found: list[Prediction], most: int) -> list[list[str]]:
    return [[f"{n} {p.low[n - 1]!r} {p.high[n - 1]!r}"
             for n in range(1, most + 1)] for p in found]


def _ends(curves: dict[str, list[Point]], variants: list[str]) -> list[str]:
    """Names behind the last points, apart enough to be read."""
    ys = spread([math.log2(c[-1].y) for c in curves.values()], 0.32)
    return [f'{c[-1].x!r} {2 ** y!r} "{name}" {style_of(name, variants)}'
            for (name, c), y in zip(curves.items(), ys)]


def _notes(low: list[Prediction], believed: list[Prediction], most: int,
           variants: list[str]) -> list[str]:
    """What a bound and a band are, and whose."""
    notes = [(most, p.work.bound(), f"bound, {p.cell.variant}", p)
             for p in low]
    notes += [(most, math.sqrt(p.low[-1] * p.high[-1]),
               f"model, {p.cell.variant}", p) for p in believed if p in low]
    return [f'{x} {y!r} "{said}" {style_of(p.cell.variant, variants)}'
            for x, y, said, p in notes] or ['1 1 "" 1']


def draw(plotter: Plotter, results: Results, load: Load,
         all_found: list[Prediction]) -> Figure:
    curves, found = _curves(results, load), _of(load, all_found)
    variants = list(curves)
    most = max([SHOWN, *(int(p.x) for c in curves.values() for p in c)])
    believed = [p for p in found if p.believed()]
    low = [p for p in found if p.work.bound() <= most]
    name = f"scaling-{load.scenario}-{load.pages}p"
    ticks = [2 ** k for k in range(int(math.log2(most)) + 1)]
    said = ", ".join(f"{v} {c[-1].y:.2f} with {c[-1].x:g}"
                     for v, c in curves.items())
    bounds = "; ".join(f"{p.cell.variant} at most {nice(p.work.bound())}"
                       for p in found)
    style = [str(style_of(p.cell.variant, variants)) for p in believed]
    each = f"{load.pages} pages {pages_a(load.scenario)}"
    figure = plotter.draw(
        "scaling.gp", name,
        f"How much faster {load.scenario} gets with more threads, {each}. "
        "Dash-dotted: the bound that the share of instructions under one lock "
        "sets. Dashed band: the model, where it agrees with what was counted.",
        f"Speed-up of {load.scenario} against threads, {each}: {said}. "
        f"Bounds: {bounds or 'not counted'}. Model drawn for: "
        f"{', '.join(p.cell.variant for p in believed) or 'none'}.",
        640, 420,
        data=plotter.table(f"{name}.dat", _blocks(
            [" ".join(map(repr, p)) for p in c] for c in curves.values())),
        bands=plotter.table(f"{name}-bands.dat",
                            _blocks(_bands(believed, most))),
        bandstyles=" ".join(style) or "1",
        styles=" ".join(str(style_of(v, variants)) for v in curves),
        bounds=" ".join(f"{p.work.bound():.3f}" for p in low),
        boundstyles=" ".join(str(style_of(p.cell.variant, variants))
                             for p in low),
        ends=plotter.table(f"{name}-ends.dat", _ends(curves, variants)),
        notes=plotter.table(f"{name}-notes.dat",
                            _notes(low, believed, most, variants)),
        most=most, ticks=", ".join(map(str, ticks)), right=3)
    return figure._replace(table=_table(curves, found, most))


def figures(plotter: Plotter, results: Results, counts: Optional[Counts]
            ) -> list[Figure]:
    found = model.predictions(results, counts)
    return [draw(plotter, results, load, found) for load in loads(results)]


def terminal(found: list[Prediction]) -> list[str]:
    """How far off the model is, before anybody believes it."""
    return [f"model, {p.cell.variant}, {p.cell.pages} pages {pages_a(p.cell.scenario)}: "
            f"{check_text(p)}" for p in found]
