# SPDX-License-Identifier: GPL-2.0
"""Instructions per operation: what bench/icount has left in a folder."""

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, Iterable, NamedTuple, Optional

from .results import FLOOR, ResultError

ALL = "[all]"
BESIDE = "[beside]"	# not in ALL
LOOKUP = "lookup"	# the second floor of populates
NEEDED = ("scenario", "variant", "condition", "pages", "symbol", "per_op",
          "per_page")
META = "insn-meta.json"	# beside times; meta.json where there are none


class Cell(NamedTuple):
    """One thread; otherwise as results.Key."""

    scenario: str
    variant: str
    condition: str
    pages: int

    def file_name(self) -> str:
        return (f"{self.scenario}-{self.variant}-{self.condition}-"
                f"{self.pages}.folded")


class Count(NamedTuple):
    """Instructions; SPREAD is how far the repetitions were apart; TAKEN: locks
    taken in an operation."""

    per_op: float
    per_page: float
    spread: float
    locked: Optional[float]
    taken: Optional[float] = None


class Counts(NamedTuple):
    meta: dict[str, Any]
    total: dict[Cell, Count]
    symbols: dict[Cell, list[tuple[str, Count]]]
    folder: Path

    def floor(self, cell: Cell, name: str = FLOOR) -> Optional[Cell]:
        """Whatever its condition is called."""
        return next((c for c in self.total if c.variant == name
                     and (c.scenario, c.pages) == (cell.scenario, cell.pages)),
                    None)

    def variants(self) -> list[str]:
        """As they were asked for."""
        asked = self.meta.get("parameters", {}).get("variants", [])
        there = {cell.variant for cell in self.total} - {FLOOR, LOOKUP}
        return [v for v in asked if v in there] + sorted(there - set(asked))


class Band(NamedTuple):
    """A ratio of counts, and how far repetition would move it."""

    value: float
    lo: float
    hi: float

    def inverse(self) -> "Band":
        return Band(1 / self.value, 1 / self.hi, 1 / self.lo)


def cost(counts: Counts, cell: Cell, base: Cell) -> Band:
    """Instructions of an operation of CELL relative to BASE."""
    mine, other = counts.total[cell], counts.total[base]
    value, spread = mine.per_op / other.per_op, (mine.spread + other.spread) / 2
    return Band(value, value * (1 - spread), value * (1 + spread))


# --- reading -----------------------------------------------------------------

def _number(row: dict[str, str], name: str, line: int) -> float:
    try:
        return float(row.get(name) or 0)
    except ValueError:
        raise ResultError(f'insn.csv, line {line}: {name} is "{row[name]}", '
                          'not a number. Count again: "make icount".'
                          ) from None


def _count(row: dict[str, str], line: int) -> Count:
    locked = _number(row, "locked", line) if row.get("locked") else None
    taken = _number(row, "taken", line) if row.get("taken") else None
    return Count(_number(row, "per_op", line), _number(row, "per_page", line),
                 _number(row, "spread", line), locked, taken)


def _lines(path: Path) -> Iterable[tuple[int, dict[str, str]]]:
    try:
        text = path.read_text()
    except OSError:
        raise ResultError(f'There is no {path.name} in {path.parent}. "make '
                          'icount" writes one into build/icount.') from None
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    reader = csv.DictReader(lines)
    lacks = [n for n in NEEDED if n not in (reader.fieldnames or ())]
    if lacks or not text.endswith("\n"):
        raise ResultError(f"{path} is cut short, or is no such table (it has "
                          f"no {', '.join(lacks) or 'end'}). Count again: "
                          '"make icount".')
    yield from enumerate(reader, 2)


def _meta(folder: Path) -> dict[str, Any]:
    for name in (META, "meta.json"):
        if (folder / name).exists():
            return json.loads((folder / name).read_text())
    raise ResultError(f"There is no meta.json in {folder}: nobody could tell "
                      "what was counted.")


def load(folder: Path) -> Counts:
    """Of build/icount, or of a set of results with insn.csv."""
    total: dict[Cell, Count] = {}
    symbols: dict[Cell, list[tuple[str, Count]]] = defaultdict(list)
    for line, row in _lines(folder / "insn.csv"):
        cell = Cell(row["scenario"], row["variant"], row["condition"],
                    int(_number(row, "pages", line)))
        if row["symbol"] == ALL:
            total[cell] = _count(row, line)
        elif row["symbol"] != BESIDE:
            symbols[cell].append((row["symbol"], _count(row, line)))
    if not total:
        raise ResultError(f"{folder / 'insn.csv'} has no rows of {ALL}. "
                          'Count again: "make icount".')
    return Counts(_meta(folder), total, dict(symbols), folder)


def stack(counts: Counts, cell: Cell) -> list[tuple[tuple[str, ...], float]]:
    """Paths of functions, outermost first, with instructions for a page.

    Where stacks were not kept, each function stands alone.
    """
    path = counts.folder / "stacks" / cell.file_name()
    count = counts.total[cell]
    if not path.exists():
        return [((name,), c.per_page)
                for name, c in counts.symbols.get(cell, [])]
    paths = []
    for line in path.read_text().splitlines():
        names, number = line.rsplit(" ", 1)
        if names != BESIDE:
            paths.append((tuple(names.split(";")), float(number)))
    scale = count.per_page / sum(n for _, n in paths)
    return [(names, n * scale) for names, n in paths]
