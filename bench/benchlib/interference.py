# SPDX-License-Identifier: GPL-2.0
"""What one event costs who is at work elsewhere: counted, not by chance.

tests/t-interference.c parks one task in the middle of an event and lets another
go by; bench/icount runs it and keeps the table as interference.csv.
"""

import csv
import re
from pathlib import Path
from typing import Iterable, NamedTuple, Optional

from .errors import ResultError

FILE = "interference.csv"
PAGES = 511	# of a populate there: a leaf table but for its last page
COLUMNS = ("event", "victim", "variant", "waits", "retries", "pages_again",
           "instructions")
LINE = re.compile(r"^# *interference (\S+) (\S+) waits (\d+) retries (\d+) "
                  r"pages (\d+)$")
GROUP = re.compile(r"^# Subtest: (\S+)$")


WAITS = ("", "waits", "tries until it is over")


class Cell(NamedTuple):
    event: str
    victim: str
    variant: str


class Effect(NamedTuple):
    """INSTRUCTIONS: of the lookups that were in vain; None: not known."""

    waits: int
    retries: int
    pages_again: int
    instructions: Optional[float]


Table = dict[Cell, Effect]


def from_ktap(text: str, a_page: Optional[float]) -> Table:
    """Of what "mmu-tests -t 'g6_interference*'" printed."""
    found: Table = {}
    variant = ""
    for line in map(str.strip, text.splitlines()):
        group, cell = GROUP.match(line), LINE.match(line)
        if group:
            variant = group[1]
        elif cell:
            waits, retries, pages = map(int, cell.groups()[2:])
            found[Cell(cell[1], cell[2], variant)] = Effect(
                waits, retries, pages,
                None if a_page is None else pages * a_page)
    if not found:
        raise ResultError("No test of interference printed a number: were the "
                          "modules built without test points?")
    return found


def write(table: Table, path: Path) -> None:
    with path.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for cell, effect in table.items():
            cost = effect.instructions
            writer.writerow([*cell, *effect[:3],
                             "" if cost is None else f"{cost:.0f}"])


def load(folder: Path) -> Table:
    """Empty where nobody has counted it."""
    path = folder / FILE
    if not path.exists():
        return {}
    with path.open(newline="") as lines:
        rows = [line for line in lines if not line.startswith("#")]
    found: Table = {}
    try:
        for row in csv.DictReader(rows):
            cost = row["instructions"]
            found[Cell(row["event"], row["victim"], row["variant"])] = Effect(
                int(row["waits"]), int(row["retries"]),
                int(row["pages_again"]), float(cost) if cost else None)
    except (KeyError, ValueError, TypeError):
        raise ResultError(f"{path} is cut short, or is no such table. Count "
                          'again: "make icount".') from None
    return found


# --- in words --------------------------------------------------------------------

def events(table: Table) -> list[str]:
    return list(dict.fromkeys(cell.event for cell in table))


def victims(table: Table) -> list[str]:
    return list(dict.fromkeys(cell.victim for cell in table))


def variants(table: Table) -> list[str]:
    return list(dict.fromkeys(cell.variant for cell in table))


def words(effect: Optional[Effect]) -> str:
    """"waits", "again 1 (511 pages)", "-": nothing."""
    if effect is None:
        return "not counted"
    said = [WAITS[effect.waits]] if effect.waits else []
    if effect.retries:
        said.append(f"again {effect.retries}: {effect.pages_again} pages")
    return ", ".join(said) or "–"


def rows(table: Table) -> Iterable[list[str]]:
    """A line for each event and who met it; a column for each variant."""
    for event in events(table):
        for victim in victims(table):
            found = [table.get(Cell(event, victim, v)) for v in variants(table)]
            if any(found):
                yield [event, victim, *map(words, found)]


def text(table: Table) -> str:
    """For the terminal: only where something happens to somebody."""
    body = [row for row in rows(table) if set(row[2:]) != {"–"}]
    head = ["amid, or after one", "who"] + variants(table)
    widths = [max(len(row[i]) for row in [head, *body]) + 2
              for i in range(len(head))]
    return "\n".join("".join(f"{word:<{w}}" for word, w in zip(row, widths)
                             ).rstrip() for row in [head, *body])


# --- what is promised ---------------------------------------------------------------

DISJOINT = ("another-table", "between-two")


MEASURES = {
    "retries": lambda effect: effect.retries,
    "waits": lambda effect: int(effect.waits > 0),
}


def disjoint(table: Table, variant: str, measure: str) -> Optional[int]:
    """For 1000 foreign invalidations, each in the middle of a populate."""
    found = [table.get(Cell(event, "populate", variant)) for event in DISJOINT]
    if any(effect is None for effect in found):
        return None
    return max(1000 * MEASURES[measure](effect) for effect in found if effect)
