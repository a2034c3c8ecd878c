# SPDX-License-Identifier: GPL-2.0
"""The bars: what a variant must reach, and whether that is known.

A bar on instructions or bytes is decided by counting. One on times is decided
when the interval leaves it out, and does so for all bars on times at once
(Holm, of one-sided p-values: a bar is a limit, and on which side of it the truth
is can be got wrong in one way only); an interval with the bar inside has decided
nothing, nor has one of a group whose two floors differ. One on the longest that an
operation may take is decided by how many took longer: "one in a hundred" is ruled
out, or not, by the binomial distribution of what was seen. One on events is decided
by the table of interference, in which nothing is left to chance.

A bar may be about what some variants promise and others do not. Those others
have a number, and no verdict.
"""

from typing import Any, Iterable, NamedTuple, Optional

from . import insn, interference
from .insn import Counts
from .interference import Table
from .results import CONTROLS, FLOOR
from .stats import LEVEL, Bucket, Interval, holm, share_beyond
from .words import UNDECIDED

MET, MISSED = "met", "missed"
NOT_PROMISED = "not promised"
SIGNS = {MET: "✓", MISSED: "✗", UNDECIDED: "?", NOT_PROMISED: "·"}
INSTRUCTIONS, TIMES, BYTES = "instructions", "times", "bytes"
LONGEST, EVENTS = "longest times", "events"
ONE_THREAD = "one thread"
LOCKS_TABLES = ("split-ptl", "rcu-list", "interval")

Row = dict[str, Any]


class Bar(NamedTuple):
    """A limit on CONDITION of SCENARIO, relative to BASE.

    BASE is a floor, another condition of the same variant, or the same with one
    thread: of both, relative to the floor. A rate is bound
    from below, a cost from above. WHO promises it; empty: all variants. (Of
    waits for other tables interval gives up a part: variants/interval, G6.)
    """

    text: str
    evidence: str
    scenario: str
    condition: str
    pages: int
    at_least: Optional[float] = None
    at_most: Optional[float] = None
    base: str = FLOOR
    who: tuple[str, ...] = ()
    measure: str = "retries"	# of an event: in interference.MEASURES
    counted_by: str = "not asked for"	# where there are counts, and none of it

    def promised_by(self, variant: str) -> bool:
        return not self.who or variant in self.who

    def limit(self) -> float:
        return self.at_most if self.at_least is None else self.at_least

    def limit_text(self) -> str:
        return f"{'≤' if self.at_least is None else '≥'} {self.limit():g}"

    def holds(self, value: float) -> bool:
        if self.at_least is not None:
            return value >= self.at_least
        return value <= self.at_most


def _dontneed(pages: int, condition: str, evidence: str,
              at_most: float) -> Bar:
    return Bar(f"MADV_DONTNEED, {condition}, relative to no device", evidence,
               "invalidate-dontneed", condition, pages, at_most=at_most)


BARS = (
    Bar("populate relative to bare page lookups (gup)", INSTRUCTIONS,
        "populate", "write", 512, at_least=0.85),
    Bar("populate relative to its own way of looking up", INSTRUCTIONS,
        "populate", "write", 512, at_least=0.6, base=insn.LOOKUP),
    Bar("populate relative to bare page lookups (gup)", INSTRUCTIONS,
        "populate", "write", 1, at_least=0.6),
    _dontneed(512, "mirrored", INSTRUCTIONS, 1.12),
    _dontneed(512, "unmirrored", INSTRUCTIONS, 1.01),
    _dontneed(1, "mirrored", INSTRUCTIONS, 1.25),
    _dontneed(1, "unmirrored", INSTRUCTIONS, 1.10),
    Bar("evict with 256 processes attached, relative to 1", INSTRUCTIONS,
        "evict", "attached-256", 1, at_most=2, base="attached-1"),
    Bar("MADV_PAGEOUT with our hook and nobody attached, relative to no modules",
        INSTRUCTIONS, "reclaim", "bystander", 512, at_most=1.02,
        counted_by="FULL=1 make icount counts it, in a machine of its own"),
    Bar("bytes for each mirrored page, entry and reverse index", BYTES,
        "populate", "write", 512, at_most=16),
    Bar("populate relative to bare page lookups (gup)", TIMES,
        "populate", "write", 512, at_least=0.85),
    Bar("retries for 1000 invalidations of other tables, each between the lookup "
        "and the entries of a populate", EVENTS, "interference", "populate",
        interference.PAGES, at_most=0, who=LOCKS_TABLES),
    Bar("populates that wait, of 1000 that meet an invalidation of other tables",
        EVENTS, "interference", "populate", interference.PAGES, at_most=0,
        who=("split-ptl", "rcu-list"), measure="waits"),
    Bar("one attach in a hundred, beside a device asleep in the chain for "
        "100 ms: ms", LONGEST, "attach", "chain-100", 1, at_most=2,
        who=("rcu-list",)),
    _dontneed(512, "mirrored", TIMES, 1.15),
    _dontneed(512, "unmirrored", TIMES, 1.03),
    Bar("MADV_PAGEOUT with our hook and nobody attached, relative to no modules",
        TIMES, "reclaim", "bystander", 512, at_most=1.02),
    Bar("entering pages, the lookup taken off: speed-up by 2 threads, relative to "
        "that of the lookup", TIMES, "enter", "write", 512, at_least=0.9,
        base=ONE_THREAD, who=("split-ptl",)),
)


def bars_of(scenario: str, evidence: str) -> list[Bar]:
    return [b for b in BARS
            if (b.scenario, b.evidence) == (scenario, evidence)]


class Verdict(NamedTuple):
    bar: Bar
    variant: str
    threads: int
    value: float
    lo: Optional[float]
    hi: Optional[float]
    word: str


def _word(bar: Bar, lo: float, hi: float, variant: str = "") -> str:
    if variant and not bar.promised_by(variant):
        return NOT_PROMISED
    if bar.holds(lo) != bar.holds(hi):
        return UNDECIDED
    return MET if bar.holds(lo) else MISSED


# --- counts ------------------------------------------------------------------

def _base(counts: Counts, bar: Bar, cell: insn.Cell) -> Optional[insn.Cell]:
    if bar.base in (FLOOR, insn.LOOKUP):
        return counts.floor(cell, bar.base)
    other = cell._replace(condition=bar.base)
    return other if other in counts.total else None


def _of_counts(bar: Bar, counts: Counts) -> Iterable[Verdict]:
    for variant in counts.variants():
        cell = insn.Cell(bar.scenario, variant, bar.condition, bar.pages)
        base = _base(counts, bar, cell)
        if cell not in counts.total or base is None:
            continue
        band = insn.cost(counts, cell, base)
        if bar.at_least is not None:
            band = band.inverse()
        yield Verdict(bar, variant, 1, *band, _word(bar, band.lo, band.hi))


# --- what interval pays, and for what ---------------------------------------------

CONTENDER, NEAR = "interval", 1.05
PAYS = {	# by scenario: the guarantee that more instructions buy, and how
    "populate": "G6, independence: each leaf table has a lock beside a shard's, and a "
                "notifier, so that no populate begins again because of another table",
    "invalidate": "G6, independence: the VM's tree has a notifier for each leaf table; "
                  "it is searched for each, and an emptied table's is removed",
    "evict": "G6, independence: a shard's lock beside the table's, where spinlock has "
             "one for both; as split-ptl",
    "device-read": "G6, independence: as populate, for each leaf table",
    "age": "G6, independence: the table's lock for each question, where spinlock has "
           "one for all; as split-ptl",
    "reclaim": "G6, independence: the VM's tree is searched for each page, and a "
               "shard's lock is taken beside the table's",
}


class Price(NamedTuple):
    """What the contender costs beside the best of the others."""

    cell: insn.Cell
    band: insn.Band
    word: str	# MET: within NEAR of it, or beats it
    pays: str	# else: for what


def prices(counts: Counts) -> list[Price]:
    found = []
    for cell in counts.total:
        others = [c for c in (cell._replace(variant=v)
                              for v in counts.variants() if v != CONTENDER)
                  if c in counts.total]
        if cell.variant != CONTENDER or not others:
            continue
        best = min(others, key=lambda c: counts.total[c].per_op)
        band = insn.cost(counts, cell, best)
        word = (MET if band.hi <= NEAR else
                MISSED if band.lo > NEAR else UNDECIDED)
        stems = [s for s in PAYS if cell.scenario.startswith(s)]
        found.append(Price(cell, band, word,
                           "" if word == MET or not stems else PAYS[stems[0]]))
    return found


# --- times and bytes ---------------------------------------------------------

def _rows(bar: Bar, rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row["variant"] not in CONTROLS
            and (row["scenario"], row["condition"], row["pages"])
            == (bar.scenario, bar.condition, bar.pages)]


def _of_bytes(bar: Bar, rows: Iterable[Row]) -> Iterable[Verdict]:
    for row in _rows(bar, rows):
        value = row.get("bytes_per_page")
        if value is not None:
            yield Verdict(bar, row["variant"], row["threads"], value, None,
                          None, _word(bar, value, value))


def _asked(bar: Bar, rows: Iterable[Row]) -> Iterable[tuple[Bar, Row]]:
    """The rows that BAR is about; their intervals are those to be judged."""
    mine = _rows(bar, rows)
    if bar.base != ONE_THREAD:
        return [(bar, row) for row in mine]
    one = {row["variant"]: row for row in mine if row["threads"] == 1}
    return [(bar, {**row, "interval": row["interval"].over(
                       one[row["variant"]]["interval"]),
                   "trusted": row["trusted"] and one[row["variant"]]["trusted"]})
            for row in mine if row["threads"] == 2 and row["variant"] in one]


def _of_times(rows: list[Row]) -> list[Verdict]:
    """All at once: the more there are, the surer each of them must be."""
    asked = [pair for bar in BARS if bar.evidence == TIMES
             for pair in _asked(bar, rows)]
    promised = [bar.promised_by(row["variant"]) for bar, row in asked]
    sure = iter(holm([row["interval"].one_sided(bar.limit())
                      for (bar, row), yes in zip(asked, promised) if yes]))
    found = []
    for (bar, row), yes in zip(asked, promised):
        i: Interval = row["interval"]
        word = NOT_PROMISED
        if yes:
            p = next(sure)
            word = (_word(bar, i.lo, i.hi)
                    if p < 1 - LEVEL and row["trusted"] else UNDECIDED)
        found.append(Verdict(bar, row["variant"], row["threads"], i.median,
                             i.lo, i.hi, word))
    return found


# --- the longest, and events -----------------------------------------------------

MS, RARE = 1e6, 0.01	# ns; one in a hundred


def _of_longest(bar: Bar, rows: Iterable[Row]) -> Iterable[Verdict]:
    """The time that one in a hundred exceeds, in ms, and on which side of the bar
    it is: the share beyond the bar has an interval of its own."""
    for row in _rows(bar, rows):
        buckets: list[Bucket] = row["latencies"]
        beyond = share_beyond(buckets, bar.limit() * MS)
        value = row["p99_ns"] or row["max_ns"]
        word = (MET if beyond.hi < RARE else
                MISSED if beyond.lo > RARE else UNDECIDED)
        yield Verdict(bar, row["variant"], row["threads"], value / MS, None,
                      None, word if bar.promised_by(row["variant"])
                      else NOT_PROMISED)


def _of_events(bar: Bar, table: Table) -> Iterable[Verdict]:
    for variant in interference.variants(table):
        value = interference.disjoint(table, variant, bar.measure)
        if value is not None:
            yield Verdict(bar, variant, 1, value, None, None,
                          _word(bar, value, value, variant))


def judge(rows: list[Row], counts: Optional[Counts],
          table: Optional[Table] = None) -> list[Verdict]:
    """Each bar for each variant, and thread count, that is known."""
    found: list[Verdict] = []
    for bar in BARS:
        if bar.evidence == INSTRUCTIONS and counts:
            found += _of_counts(bar, counts)
        elif bar.evidence == BYTES:
            found += _of_bytes(bar, rows)
        elif bar.evidence == LONGEST:
            found += _of_longest(bar, rows)
        elif bar.evidence == EVENTS:
            found += _of_events(bar, table or {})
    return found + _of_times(rows)


def how_many(verdicts: list[Verdict]) -> str:
    """A sentence: of so many, some are wrong by chance alone."""
    verdicts = [v for v in verdicts if v.word != NOT_PROMISED]
    timed = sum(v.bar.evidence == TIMES for v in verdicts)
    return (f"{len(verdicts)} verdicts: {len(verdicts) - timed} from counts, "
            f"{timed} from times, these with Holm's correction for {timed}.")
