# SPDX-License-Identifier: GPL-2.0
"""Figure 9: which cache lines move between CPUs (bench/lines)."""

import csv
import json
from pathlib import Path
from typing import Any, NamedTuple

from . import icicle, insn
from .figures import Figure, Plotter, Table, nice
from .insn import ALL
from .results import FLOOR, ResultError
from .words import pages_a

NEEDED = {"scenario", "variant", "condition", "threads", "pages", "symbol",
          "part", "per_op", "modified", "shared", "spread"}
LINES = icicle.Unit("lines for an operation", "Cache lines that move in each",
                    "lines", False)
PARTS = ("driver", "locks", "kernel", "program")


class Row(NamedTuple):
    cell: insn.Cell
    threads: int
    symbol: str
    part: str
    per_op: float
    modified: float
    spread: float


class Moved(NamedTuple):
    """COUNTS has lines where it usually has instructions."""

    counts: insn.Counts
    rows: list[Row]
    threads: int


def _row(row: dict[str, str]) -> Row:
    cell = insn.Cell(row["scenario"], row["variant"], row["condition"],
                     int(row["pages"]))
    return Row(cell, int(row["threads"]), row["symbol"], row["part"],
               float(row["per_op"]), float(row["modified"]),
               float(row["spread"] or 0))


def _read(path: Path) -> list[Row]:
    try:
        text = path.read_text()
    except OSError:
        raise ResultError(f"There is no {path.name} in {path.parent}. \"make "
                          "lines\" writes one into build/lines.") from None
    reader = csv.DictReader(text.splitlines())
    lacks = NEEDED - set(reader.fieldnames or ())
    if lacks or not text.endswith("\n"):
        raise ResultError(f"{path} is cut short, or is no such table (it has "
                          f"no {', '.join(sorted(lacks)) or 'end'}). Count "
                          "again: \"make lines\".")
    try:
        return [_row(row) for row in reader]
    except (TypeError, ValueError) as error:
        raise ResultError(f"{path}: {error}. Count again: \"make lines\"."
                          ) from None


def load(folder: Path) -> Moved:
    rows = _read(folder / "lines.csv")
    total = {r.cell: insn.Count(r.per_op, r.per_op, r.spread, None)
             for r in rows if r.symbol == ALL}
    if not total:
        raise ResultError(f"{folder / 'lines.csv'} has no rows of {ALL}. "
                          "Count again: \"make lines\".")
    symbols: dict[insn.Cell, list] = {cell: [] for cell in total}
    for r in rows:
        if r.symbol != ALL:
            symbols[r.cell].append((r.symbol, insn.Count(r.per_op, r.per_op,
                                                         0, None)))
    meta: dict[str, Any] = json.loads((folder / "meta.json").read_text())
    return Moved(insn.Counts(meta, total, symbols, folder), rows,
                 rows[0].threads)


def table(moved: Moved) -> Table:
    """By part; what was modified in another cache is what perf c2c shows."""
    body = []
    for cell, count in moved.counts.total.items():
        mine = [r for r in moved.rows if r.cell == cell and r.symbol != ALL]
        parts = [sum(r.per_op for r in mine if r.part == part)
                 for part in PARTS]
        modified = sum(r.modified for r in mine)
        body.append([cell.scenario, str(cell.pages), cell.variant,
                     cell.condition, nice(count.per_op), nice(modified),
                     *map(nice, parts), f"{count.spread:.0%}"])
    body.sort(key=lambda b: (b[0], int(b[1]), b[3], b[2] != FLOOR))
    return Table(["scenario", "pages", "variant", "condition", "lines",
                  "of them modified", *PARTS, "spread"], body, 4)


def figures(plotter: Plotter, moved: Moved) -> list[Figure]:
    return [icicle.draw(plotter, moved.counts, cells,
                        f"{cells[-1].scenario}, {cells[-1].condition}, "
                        f"{cells[-1].pages} pages "
                        f"{pages_a(cells[-1].scenario)}, {moved.threads} threads", LINES)
            for cells in icicle.chosen(moved.counts)]
