# SPDX-License-Identifier: GPL-2.0
"""What more CPUs would give: a queueing model, checked before it is believed.

N threads take turns between work of their own and work under a lock; how long
either is, bench/icount has counted. That is a closed network of queues: one
station for each lock, and a delay for the rest. Mean value analysis solves it
exactly for exponential times, first come first served. A lock that another CPU had
last costs a hand-over more. Nobody knows how much that is on the reader's machine,
so a prediction is a band: from nothing to the transfer of a cache line between
CPUs that are far apart.

A model can be wrong. It predicts how often a lock is found taken with two threads
as well, and that has been counted: it speaks only where the two agree.
"""

import sys
from typing import Iterable, NamedTuple, Optional, Sequence

from .insn import Cell, Counts
from .results import Key, Results

try:
    import numpy as np
    from scipy import optimize
except ImportError as error:
    sys.exit(f"bench: {sys.executable} has no {error.name}, which the model "
             "needs. \"vm/setup bench\" installs Debian's (python3-numpy "
             "python3-scipy), for /usr/bin/python3.")

SHARDS = 16
HANDOVER = (0.0, 600.0)	# instructions: 200 ns at 3 instructions per ns
AGREE = 0.25
MOST_CPUS = 64
LEAST_USL = 6


class Work(NamedTuple):
    """One operation: instructions; TAKEN locks; LOCKS that it may draw from."""

    think: float
    held: float
    taken: float
    locks: int

    def bound(self) -> float:
        """However many CPUs there are."""
        return self.locks * (self.think + self.held) / self.held


def one_lock(variant: str) -> bool:
    return variant == "spinlock"


def work_of(counts: Counts, cell: Cell) -> Optional[Work]:
    """None where locks were not counted, or none is held."""
    count = counts.total.get(cell)
    if count is None or not count.locked or not count.taken:
        return None
    held = count.per_op * count.locked
    return Work(count.per_op - held, held, count.taken,
                1 if one_lock(cell.variant) else SHARDS)


# region: mean-value
def speed_ups(work: Work, handover: float, most: int = MOST_CPUS
              ) -> np.ndarray:
    """Of 1, 2 ... MOST threads, relative to one, by mean value analysis."""
    queue = 0.0	# at each lock, as one more thread finds it on arrival
    found = []
    for n in range(1, most + 1):
        held = work.held + handover * work.taken * (n - 1) / n
        here = held * (1 + queue) / work.locks	# time at one of the locks
        rate = n / (work.think + work.locks * here)
        queue = rate * here
        found.append(rate)
    return np.array(found) / found[0]
# endregion: mean-value


def contended(work: Work, handover: float = 0.0) -> float:
    """Locks found taken in an operation, by the first of two threads.

    Who comes sees what the other one does when it is alone.
    """
    held = work.held + handover * work.taken / 2
    return work.taken * held / (work.think + held) / work.locks


class Check(NamedTuple):
    """Prediction and count, for two threads."""

    predicted: float
    counted: float

    def error(self) -> float:
        """0.1: 10 % more was predicted than was counted."""
        return (self.predicted / self.counted - 1 if self.counted
                else float("inf"))

    def agrees(self) -> bool:
        return abs(self.error()) <= AGREE


def counted_contended(results: Results, key: Key) -> Optional[float]:
    """Locks found taken in an operation, over all runs."""
    runs = results.runs.get(key, [])
    if not runs or any(run["contended"] is None for run in runs):
        return None
    return sum(r["contended"] for r in runs) / sum(r["ops"] for r in runs)


class Prediction(NamedTuple):
    """Of one cell; LOW and HIGH are speed-ups of 1, 2 ... CPUs."""

    cell: Cell
    work: Work
    check: Optional[Check]
    low: np.ndarray
    high: np.ndarray

    def believed(self) -> bool:
        return self.check is not None and self.check.agrees()


def predict(results: Results, counts: Counts, cell: Cell
            ) -> Optional[Prediction]:
    work = work_of(counts, cell)
    if work is None:
        return None
    key = Key(cell.scenario, cell.variant, cell.condition, 2, cell.pages)
    known = counted_contended(results, key)
    check = None if known is None else Check(contended(work), known)
    high, low = (speed_ups(work, h) for h in HANDOVER)
    return Prediction(cell, work, check, low, high)


def predictions(results: Results, counts: Optional[Counts]
                ) -> list[Prediction]:
    """Of all populates: the other scenarios wait for locks of the VM."""
    if counts is None:
        return []
    cells = sorted((c for c in counts.total if c.scenario == "populate"),
                   key=lambda c: c.pages)
    found = (predict(results, counts, cell) for cell in cells
             if cell.variant in counts.variants())
    return [p for p in found if p is not None]


# --- the universal scalability law -----------------------------------------------

class Usl(NamedTuple):
    """Contention and crosstalk, with their standard errors."""

    contention: float
    crosstalk: float
    contention_error: float
    crosstalk_error: float


def _usl(n: np.ndarray, contention: float, crosstalk: float) -> np.ndarray:
    return n / (1 + contention * (n - 1) + crosstalk * n * (n - 1))


def fit_usl(cpus: Sequence[int], speed_up: Sequence[float]) -> Optional[Usl]:
    """None for fewer than six numbers of CPUs: two parameters fit anything."""
    if len(set(cpus)) < LEAST_USL:
        return None
    best, spread = optimize.curve_fit(
        _usl, np.asarray(cpus, float), np.asarray(speed_up, float),
        p0=(0.1, 0.001), bounds=(0, np.inf))
    errors = np.sqrt(np.diag(spread))
    return Usl(*map(float, (*best, *errors)))


def may_fit(meta: dict, threads: Iterable[int]) -> bool:
    """An emulator's CPUs are threads of another machine: no law is theirs."""
    real = meta["accelerator"] != "tcg"
    return real and sum(t <= meta["vcpus"] for t in set(threads)) >= LEAST_USL
