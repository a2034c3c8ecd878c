# SPDX-License-Identifier: GPL-2.0
"""What perf has left in a folder of results, as tables and stacks.

Older results have perf's own text (perf-*.txt) and none of these files; the page
shows that as it is.
"""

import csv
import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Iterable, NamedTuple, Optional

from . import icicle, insn
from .figures import Figure, Mark, Plotter, Table, microseconds, nice
from .results import ResultError
from .words import pages_a

ENOUGH = 1000	# samples; guest-run goes on until there are, with PERF=record
UNITS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
WAIT = re.compile(r"^ *(\d+) +([\d.]+) (\w+) +([\d.]+) (\w+) +([\d.]+) (\w+)"
                  r" +(\S+) +(\S.*)$")


class Waits(NamedTuple):
    """For one lock, in runs of one cell."""

    scenario: str
    variant: str
    pages: int
    who: str	# "my_mmu": the driver's own tracepoint; "perf lock"
    lock: str
    kind: str
    contended: int
    total_ns: float


def _rows(folder: Path, name: str, *needed: str) -> list[dict[str, str]]:
    path = folder / name
    if not path.exists():
        return []
    with path.open() as lines:
        reader = csv.DictReader(lines)
        lacks = set(needed) - set(reader.fieldnames or ())
        if lacks:
            raise ResultError(f"{path} has no {', '.join(sorted(lacks))}: it "
                              "is no such table, or cut short. Measure "
                              "again: \"make bench\".")
        return list(reader)


# --- locks -------------------------------------------------------------------

def own_waits(folder: Path) -> list[Waits]:
    return [Waits(r["scenario"], r["variant"], int(r["pages"]), r["who"],
                  r["lock"], r["kind"], int(r["contended"]),
                  float(r["total_ns"]))
            for r in _rows(folder, "perf-locks.csv", "lock", "contended",
                           "total_ns")]


def lock_lines(lines: Iterable[str]) -> Iterable[Waits]:
    """Of the table that "perf lock contention" prints, cell by cell."""
    cell: Optional[list[str]] = None
    for line in lines:
        if line.startswith("## "):
            words = line[3:].strip().split(",")
            cell = words if len(words) == 5 else None
            continue
        found = WAIT.match(line)
        if not found or cell is None:
            continue
        total = float(found[2]) * UNITS.get(found[3], 1.0)
        yield Waits(cell[0], cell[1], int(cell[4]), "perf lock",
                    found[9].strip(), found[8], int(found[1]), total)


def waits(folder: Path) -> list[Waits]:
    found = own_waits(folder)
    for path in sorted(folder.glob("perf-lock-*.txt")):
        found += lock_lines(path.read_text().splitlines())
    return found


def wait_table(found: list[Waits]) -> Table:
    """Ours first, then the kernel's; the longest waits first."""
    order = sorted(found, key=lambda w: (w.scenario, w.pages, w.variant,
                                         w.who, -w.total_ns))
    return Table(
        ["scenario", "pages", "variant", "lock", "kind", "seen by",
         "found taken", "waited in all", "on average"],
        [[w.scenario, str(w.pages), w.variant, w.lock, w.kind, w.who,
          nice(w.contended), f"{nice(w.total_ns / 1e6)} ms",
          microseconds(w.total_ns / w.contended) if w.contended else ""]
         for w in order], 4)


# --- counters ----------------------------------------------------------------

def stat_table(folder: Path) -> Optional[Table]:
    """A column for each event that any cell could count."""
    cells: dict[tuple, dict[str, str]] = defaultdict(dict)
    for r in _rows(folder, "perf-stat.csv", "event", "value"):
        cell = tuple(r[n] for n in ("scenario", "variant", "condition",
                                    "threads", "pages"))
        cells[cell][r["event"]] = r["value"]
    seen = list(dict.fromkeys(e for c in cells.values() for e in c))
    events = [e for e in seen if any(c.get(e) for c in cells.values())]
    if not events:
        return None
    body: list[list[Any]] = []
    for cell, values in cells.items():
        body.append([*cell, *(nice(float(values[e])) if values.get(e)
                              else "not counted" for e in events)])
    return Table(["scenario", "variant", "condition", "threads", "pages",
                  *events], body, 3)


# --- profiles ----------------------------------------------------------------

class Profile(NamedTuple):
    cell: insn.Cell
    samples: int

    def enough(self) -> bool:
        return self.samples >= ENOUGH


def profiles(folder: Path) -> list[Profile]:
    return [Profile(insn.Cell(r["scenario"], r["variant"], r["condition"],
                              int(r["pages"])), int(r["samples"]))
            for r in _rows(folder, "perf-profile.csv", "samples")]


def _symbols(path: Path) -> list[tuple[str, insn.Count]]:
    """The innermost function of each stack, as a share in percent."""
    found: Counter[str] = Counter()
    for line in path.read_text().splitlines():
        names, number = line.rsplit(" ", 1)
        found[names.rsplit(";", 1)[-1]] += int(number)
    total = sum(found.values())
    return [(name, insn.Count(100 * n / total, 100 * n / total, 0, None))
            for name, n in found.most_common()]


def as_counts(folder: Path, meta: dict[str, Any]) -> Optional[insn.Counts]:
    """Samples in the shape of instructions: each cell has 100 %."""
    where = folder / "perf-stacks"
    # results that were kept have no stacks
    files = {p.cell: where / "stacks" / p.cell.file_name()
             for p in profiles(folder) if p.samples}
    cells = [cell for cell, path in files.items()
             if path.is_file() and path.stat().st_size]
    if not cells:
        return None
    whole = insn.Count(100, 100, 0, None)
    return insn.Counts(meta, dict.fromkeys(cells, whole),
                       {c: _symbols(files[c]) for c in cells}, where)


def sample_table(found: list[Profile]) -> Table:
    return Table(["scenario", "variant", "samples", ""],
                 [[p.cell.scenario, p.cell.variant, str(p.samples),
                   "" if p.enough() else Mark("too few", "faint")]
                  for p in found], 2)


def icicles(plotter: Plotter, folder: Path, meta: dict[str, Any]
            ) -> list[Figure]:
    """Variants of a scenario under each other; those with enough samples."""
    counts = as_counts(folder, meta)
    if counts is None:
        return []
    enough = {p.cell for p in profiles(folder) if p.enough()}
    by_place: dict[tuple[str, int], list[insn.Cell]] = defaultdict(list)
    for cell in counts.total:
        if cell in enough:
            by_place[cell.scenario, cell.pages].append(cell)
    return [icicle.draw(plotter, counts, cells, f"{scenario}, {pages} pages "
                        f"{pages_a(scenario)}", icicle.SAMPLES)
            for (scenario, pages), cells in by_place.items()]


def notes(folder: Path) -> list[str]:
    path = folder / "perf-notes.txt"
    return path.read_text().splitlines() if path.exists() else []
