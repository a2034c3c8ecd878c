# SPDX-License-Identifier: GPL-2.0
"""Icicles: who calls whom, as boxes as wide as what they take: instructions, or
samples of a profile."""

from typing import Iterable, NamedTuple

from . import insn
from .figures import Figure, Plotter, Table, nice, style_of
from .insn import Cell, Counts
from .results import FLOOR

WIDTH, ROW, LETTER = 760, 15, 6.1	# pixels
NARROW = 0.004		# of the widest panel: too thin to draw
DEEPEST = 12


class Unit(NamedTuple):
    """What the width of a box is."""

    head: str		# behind the number of a panel
    of: str		# at the beginning of the caption
    prefix: str		# of the figure's name
    from_trunk: bool	# leave out what all has in common at the outside


INSTRUCTIONS = Unit("for a page", "Instructions for each page of", "icicle",
                    True)
SAMPLES = Unit("% of the samples", "Where a profile finds", "profile", True)

Paths = list[tuple[tuple[str, ...], float]]


class Frame(NamedTuple):
    """A function as called by those above it."""

    name: str
    depth: int
    left: float
    right: float


def trunk(paths: Paths) -> int:
    """So many functions at the outside have nearly all of it."""
    total = sum(n for _, n in paths)
    depth = 0
    while True:
        heads: dict[tuple[str, ...], float] = {}
        for names, n in paths:
            if len(names) > depth + 1:
                head = names[:depth + 1]
                heads[head] = heads.get(head, 0) + n
        if not heads or max(heads.values()) < 0.9 * total:
            return depth
        depth += 1


def frames(paths: Paths, skip: int = 0) -> list[Frame]:
    """Side by side in order of their names, callers above."""
    found = []
    left = 0.0
    open_frames: list[tuple[str, float]] = []

    def close(depth: int) -> None:
        while len(open_frames) > depth:
            name, start = open_frames.pop()
            found.append(Frame(name, len(open_frames), start, left))

    for names, n in sorted(paths):
        names = names[skip:] or names[-1:]
        same = 0
        while (same < min(len(names), len(open_frames))
               and open_frames[same][0] == names[same]):
            same += 1
        close(same)
        open_frames.extend((name, left) for name in names[same:])
        left += n
    close(0)
    return sorted(found, key=lambda f: (f.depth, f.left))


def flat(paths: Paths) -> bool:
    return all(len(names) == 1 for names, _ in paths)


def _widest_first(paths: Paths) -> list[Frame]:
    """Where nobody knows who called: functions alone."""
    found, left = [], 0.0
    for names, n in sorted(paths, key=lambda p: -p[1]):
        found.append(Frame(names[0], 0, left, left + n))
        left += n
    return found


def _fitting(name: str, width: float) -> str:
    letters = int((width - 4) / LETTER)
    if letters >= len(name):
        return name
    return name[:letters - 1] + "…" if letters > 4 else ""


class Panel(NamedTuple):
    variant: str
    total: float
    frames: list[Frame]


def _panels(counts: Counts, cells: list[Cell], from_trunk: bool) -> list[Panel]:
    found = []
    for cell in cells:
        paths = insn.stack(counts, cell)
        drawn = (_widest_first(paths) if flat(paths)
                 else frames(paths, trunk(paths) if from_trunk else 0))
        found.append(Panel(cell.variant, counts.total[cell].per_page, drawn))
    return found


def _own(panels: list[Panel]) -> set[str]:
    """Functions that the floor does not call."""
    floor = {f.name for p in panels if p.variant == FLOOR for f in p.frames}
    return {f.name for p in panels for f in p.frames} - floor


def _data(panels: list[Panel], xmax: float, unit: Unit
          ) -> tuple[list[str], list[str], list[str], int]:
    """Boxes, their names, headings, and how high all of it is."""
    boxes: list[str] = []
    texts: list[str] = []
    heads: list[str] = []
    own, top = _own(panels), 0
    scale = (WIDTH - 40) / xmax
    for panel in panels:
        heads.append(f'{top + 0.5} "{panel.variant}: '
                     f'{nice(panel.total)} {unit.head}"')
        top += 1
        kept = [f for f in panel.frames if f.depth < DEEPEST
                and f.right - f.left >= NARROW * xmax]
        for f in kept:
            y = top + f.depth
            boxes.append(f"{(f.left + f.right) / 2!r} {y + 0.5} "
                         f"{(f.right - f.left) / 2!r} 0.46 "
                         f"{int(f.name in own)}")
            text = _fitting(f.name, (f.right - f.left) * scale)
            if text:
                texts.append(f'{f.left!r} {y + 0.5} "{text}"')
        boxes += ["", ""]
        top += 1 + max(f.depth for f in kept) + 1
    return boxes, texts or ['0 0 ""'], heads, top


def _table(counts: Counts, cells: list[Cell]) -> Table:
    """Functions on their own, the dearest first."""
    by_cell = [{s: c.per_page for s, c in counts.symbols.get(cell, [])}
               for cell in cells]
    names = {s for known in by_cell for s in known}
    most = sorted(names, key=lambda s: -max(k.get(s, 0) for k in by_cell))
    body = [["all", *[nice(counts.total[c].per_page) for c in cells]]]
    body += [[s, *[nice(k.get(s, 0)) for k in by_cell]] for s in most[:15]]
    return Table(["function", *[c.variant for c in cells]], body)


def draw(plotter: Plotter, counts: Counts, cells: list[Cell], what: str,
         unit: Unit = INSTRUCTIONS) -> Figure:
    panels = _panels(counts, cells, unit.from_trunk)
    xmax = max(p.total for p in panels) * 1.005
    boxes, texts, heads, top = _data(panels, xmax, unit)
    cell = cells[-1]
    name = f"{unit.prefix}-{cell.scenario}-{cell.condition}-{cell.pages}p"
    own = ("; solid: functions that the floor does not call"
           if FLOOR in (c.variant for c in cells) else "")
    alone = all(flat(insn.stack(counts, c)) for c in cells)
    totals = ", ".join(f"{p.variant} {nice(p.total)}" for p in panels)
    known = [p.variant for p in panels]
    figure = plotter.draw(
        "icicle.gp", name,
        f"{unit.of} {what}, by function"
        + (", the dearest first" if alone else ", callers above") + own + ".",
        f"Icicles: {unit.of} {what}, by function. "
        f"{totals}.", WIDTH, 70 + ROW * top,
        data=plotter.table(f"{name}.dat", boxes),
        texts=plotter.table(f"{name}-texts.dat", texts),
        heads=plotter.table(f"{name}-heads.dat", heads),
        styles=" ".join(str(style_of(v, known)) for v in known),
        xmax=xmax, ymax=top, xlab=("instructions for a page" if unit == INSTRUCTIONS
                               else unit.head))
    return figure._replace(table=_table(counts, cells), tall=True)


def _dearest(counts: Counts, cells: Iterable[Cell]) -> list[Cell]:
    """Of each scenario and page count, the condition that costs most."""
    found: dict[tuple[str, int], Cell] = {}
    for cell in cells:
        place = cell.scenario, cell.pages
        found[place] = max(found.get(place, cell), cell,
                           key=lambda c: counts.total[c].per_op)
    return list(found.values())


def chosen(counts: Counts) -> Iterable[list[Cell]]:
    """Floor and variants of each scenario and page count."""
    variants = counts.variants()
    ours = [c for c in counts.total if c.variant in variants]
    for main in sorted(_dearest(counts, ours),
                       key=lambda c: (c.scenario, c.pages)):
        floor = counts.floor(main)
        cells = [main._replace(variant=v) for v in variants]
        yield ([floor] if floor else []) + [c for c in cells
                                            if c in counts.total]
