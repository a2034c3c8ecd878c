# SPDX-License-Identifier: GPL-2.0
"""The words that a ratio and its interval deserve, and no stronger ones."""

from .stats import Interval

SAME_LO, SAME_HI = 0.97, 1.03
BETTER, WORSE, UNDECIDED = "better", "worse", "undecided"
SAME = "same within 3 %"


def word_of(found: Interval, better: str) -> str:
    """Of a ratio to something else; BETTER says which way is good."""
    if SAME_LO <= found.lo and found.hi <= SAME_HI:
        return SAME
    if found.lo <= 1 <= found.hi:
        return UNDECIDED
    return BETTER if (found.lo > 1) == (better == "higher") else WORSE


def word_of_count(cost: float, lo: float, hi: float) -> str:
    """Of a count relative to another: more is worse. LO to HI: of repetitions
    that were not all alike."""
    if SAME_LO <= cost <= SAME_HI:
        return SAME
    if lo <= 1 <= hi:
        return UNDECIDED
    return WORSE if cost > 1 else BETTER


# --- what "pages" are of -----------------------------------------------------------

CALLS = ("populate-table", "populate-per-call", "populate-sparse")


def pages_a(scenario: str) -> str:
    """A populate covers its whole share in one call, and the driver looks up and
    enters so many at a time; elsewhere so many are what a call is about."""
    batches = scenario == "enter" or scenario.startswith("populate")
    return "a batch" if batches and scenario not in CALLS else "a call"
