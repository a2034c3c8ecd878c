# SPDX-License-Identifier: GPL-2.0
"""Medians, intervals and percentiles.

Runs of one block share a place in memory for modules and data, and so have
more in common with each other than with those of another block. The bootstrap
therefore draws blocks first, and repetitions within each of them next;
drawing from all runs alike would make intervals that are too narrow.
"""

import random
from typing import Iterable, NamedTuple, Optional, Sequence

RESAMPLES = 1000


class Interval(NamedTuple):
    """A median with its 95 % interval and the number of runs behind it."""

    n: int
    median: float
    lo: float
    hi: float


def median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


# region: resample
def _resample(blocks: Sequence[Sequence[float]],
              rng: random.Random) -> list[float]:
    drawn: list[float] = []
    for block in rng.choices(blocks, k=len(blocks)):
        drawn += rng.choices(block, k=len(block))
    return drawn
# endregion: resample


def bootstrap(blocks: Sequence[Sequence[float]], seed: int,
              resamples: int = RESAMPLES) -> Interval:
    """Median of all runs, with the 95 % percentile interval."""
    rng = random.Random(seed)
    runs = [value for block in blocks for value in block]
    medians = sorted(median(_resample(blocks, rng))
                     for _ in range(resamples))
    cut = round(0.025 * resamples)
    return Interval(len(runs), median(runs), medians[cut],
                    medians[resamples - 1 - cut])


class Bucket(NamedTuple):
    """Samples from low (included) to end (not included)."""

    low: float
    end: float
    count: int


def percentile(buckets: Iterable[Bucket], percent: float) -> Optional[float]:
    """Value that PERCENT of the samples do not exceed; None if too few.

    Within its bucket a sample is taken to be anywhere alike. A percentile
    that not even one sample lies beyond says nothing and is left out.
    """
    ordered = sorted(buckets)
    total = sum(bucket.count for bucket in ordered)
    if not total or total * (100 - percent) < 100 - 1e-9:
        return None
    rank = total * percent / 100
    seen = 0
    for low, end, count in ordered:
        if seen + count >= rank:
            return low + (end - low) * (rank - seen) / count
        seen += count
    return ordered[-1].end
