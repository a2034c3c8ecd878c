# SPDX-License-Identifier: GPL-2.0
"""Which variant, when: what each costs beside the best, and how we know.

From times where they decide a whole row; else from instructions, which are
counted with one thread; else the row says that it is undecided.

A matrix compares so often that chance alone would write some words into it. So
what each comparison by times may say depends on all of them: of the words that
are left, at most one in twenty is expected to be chance.
"""

import re
from typing import Iterable, NamedTuple, Optional

from . import insn
from .insn import Counts
from .results import (CONTROLS, Key, Results, control, ratio, sees,
                      trusted)
from .stats import LEVEL, Interval, false_discoveries
from .words import (SAME, SAME_HI, SAME_LO, UNDECIDED, WORSE, word_of,
                    word_of_count)

BEST = "best"
AHEAD = "ahead"		# best, if the row were decided
TIMES, INSTRUCTIONS = "times", "instructions"


class Size(NamedTuple):
    """What a variant costs relative to the best of its row."""

    cost: float
    lo: float
    hi: float
    word: str
    chance: Optional[float] = None	# p-value of the word; None: none is needed

    def text(self) -> str:
        word = "same" if self.word == SAME else self.word
        return f"{self.cost:.2f} {word}"


class Line(NamedTuple):
    scenario: str
    condition: str
    pages: int
    threads: int
    evidence: str
    sizes: dict[str, Size]

    def decided(self) -> bool:
        return all(s.word != UNDECIDED for s in self.sizes.values())

    def differs(self) -> bool:
        """Whether it is known that some variant costs more."""
        return self.decided() and any(s.word == WORSE
                                      for s in self.sizes.values())

    def honest(self) -> "Line":
        """Nobody is best of a row that does not know it."""
        if self.decided():
            return self
        return self._replace(sizes={
            v: s._replace(word=AHEAD) if s.word == BEST else s
            for v, s in self.sizes.items()})


# --- times -------------------------------------------------------------------

def _cost(results: Results, mine: Key, other: Key) -> Interval:
    found = ratio(results, mine, other).interval
    higher = results.plan[mine].better == "higher"
    return found.inverse() if higher else found


def _chance(found: Interval, word: str) -> float:
    """How likely, at least, such a word is if it is wrong."""
    if word == SAME:
        return max(found.one_sided(SAME_LO), found.one_sided(SAME_HI))
    return found.p_value(1)


def _size(results: Results, mine: Key, best: Key,
          least: Optional[float]) -> Size:
    if mine == best:
        return Size(1, 1, 1, BEST)
    found = _cost(results, mine, best)
    word = word_of(found, "lower")
    if least is not None and word == WORSE and found.median - 1 < least:
        word = UNDECIDED
    return Size(found.median, found.lo, found.hi, word, _chance(found, word))


def _timed_line(results: Results, keys: list[Key]) -> Line:
    # Paired medians need not be in one order: who is least bad at its worst?
    best = min(keys, key=lambda k: max(_cost(results, k, other).median
                                       for other in keys))
    aa = control(results, best)
    sizes = {k.variant: _size(results, k, best, sees(aa)) for k in keys}
    if not trusted(aa):
        sizes = {v: s if s.word == BEST else
                 s._replace(word=UNDECIDED, chance=None)
                 for v, s in sizes.items()}
    return Line(best.scenario, best.condition, best.pages, best.threads,
                TIMES, sizes)


def _all_at_once(lines: list[Line]) -> list[Line]:
    """Without the words that so many comparisons would bring by chance."""
    sizes = [(i, v, s) for i, line in enumerate(lines)
             for v, s in line.sizes.items() if s.chance is not None]
    adjusted = false_discoveries([s.chance for _, _, s in sizes])
    unsure = {(i, v) for (i, v, _), p in zip(sizes, adjusted) if p >= 1 - LEVEL}
    return [line._replace(sizes={
        v: s._replace(word=UNDECIDED) if (i, v) in unsure else s
        for v, s in line.sizes.items()}) for i, line in enumerate(lines)]


def timed(results: Results) -> list[Line]:
    rows: dict[Key, list[Key]] = {}
    for key in results.plan:
        if key.variant not in CONTROLS:
            rows.setdefault(key._replace(variant=""), []).append(key)
    return _all_at_once([_timed_line(results, keys) for keys in rows.values()])


# --- counts ------------------------------------------------------------------

def _counted_line(counts: Counts, cells: list[insn.Cell]) -> Line:
    best = min(cells, key=lambda c: counts.total[c].per_op)

    def size(cell: insn.Cell) -> Size:
        if cell == best:
            return Size(1, 1, 1, BEST)
        band = insn.cost(counts, cell, best)
        return Size(*band, word_of_count(*band))
    return Line(best.scenario, best.condition, best.pages, 1, INSTRUCTIONS,
                {c.variant: size(c) for c in cells})


def _natural(cell: insn.Cell) -> tuple[str, int, int, str]:
    number = re.search(r"\d+$", cell.condition)
    return (cell.scenario, cell.pages, int(number[0]) if number else 0,
            cell.condition)


def counted(counts: Counts) -> list[Line]:
    rows: dict[insn.Cell, list[insn.Cell]] = {}
    for cell in sorted(counts.total, key=_natural):
        if cell.variant in counts.variants():
            rows.setdefault(cell._replace(variant=""), []).append(cell)
    for cells in rows.values():
        cells.sort(key=lambda c: counts.variants().index(c.variant))
    return [_counted_line(counts, cells) for cells in rows.values()]


# --- both --------------------------------------------------------------------

def _place(line: Line) -> tuple[str, str, int, int]:
    return line.scenario, line.condition, line.pages, line.threads


def matrix(results: Optional[Results], counts: Optional[Counts]
           ) -> list[Line]:
    """One line for each load; of times if those decide, else of counts."""
    known = {_place(line): line for line in counted(counts)} if counts else {}
    lines = []
    for line in timed(results) if results else []:
        other = known.pop(_place(line), None)
        enough = other and set(other.sizes) >= set(line.sizes)
        lines.append(other if enough and not line.decided() else line)
    return [line.honest() for line in lines] + list(known.values())


def variants_of(lines: Iterable[Line]) -> list[str]:
    return list(dict.fromkeys(v for line in lines for v in line.sizes))


def table(lines: list[Line]) -> str:
    """For the terminal."""
    names = variants_of(lines)
    wide = max([20] + [len(line.scenario) + 1 for line in lines])
    text = [f"{'':{wide}}{'':13}{'pages':>6}{'threads':>8}  "
            + "".join(f"{name:<17}" for name in names) + "from"]
    for line in lines:
        sizes = [line.sizes.get(name) for name in names]
        text.append(f"{line.scenario:<{wide}}{line.condition:<13}{line.pages:>6}"
                    f"{line.threads:>8}  "
                    + "".join(f"{s.text() if s else '-':<17}" for s in sizes)
                    + line.evidence)
    return "\n".join(text)
