# SPDX-License-Identifier: GPL-2.0
"""Medians and their intervals, percentiles, modes, corrected p-values.

Runs of one block share a place in memory for modules and data, blocks of one
boot share a kernel's, so runs have more in common with each other the closer
they are. The bootstrap therefore draws boots first, blocks within each of them
next, repetitions last. Drawing from all runs alike would make intervals that
are too narrow.
"""

import sys
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Iterable, NamedTuple, Optional, Sequence

try:
    import numpy as np
    from scipy import ndimage, signal, stats
except ImportError as error:
    sys.exit(f"bench: {sys.executable} has no {error.name}, which the "
             "statistics need. \"vm/setup bench\" installs Debian's "
             "(python3-numpy python3-scipy), for /usr/bin/python3.")

RESAMPLES = 4000
LEVEL = 0.95
LEAST_BEYOND = 10	# samples beyond a percentile, or it says nothing


# --- intervals ---------------------------------------------------------------

@dataclass(frozen=True, eq=False)
class Interval:
    """A value of N runs, of so many BLOCKS, with its interval; DRAWN is what
    that comes from."""

    n: int
    blocks: int
    median: float
    lo: float
    hi: float
    drawn: np.ndarray = field(repr=False)

    def inverse(self) -> "Interval":
        """Of a/b, if this is of b/a."""
        return Interval(self.n, self.blocks, 1 / self.median, 1 / self.hi,
                        1 / self.lo, 1 / self.drawn)

    def over(self, other: "Interval") -> "Interval":
        """The ratio of both, where the same runs were drawn for both."""
        drawn = self.drawn / other.drawn
        lo, hi = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(self.n, self.blocks, self.median / other.median,
                        float(lo), float(hi), drawn)

    def one_sided(self, limit: float) -> float:
        """How likely what was seen is, at least, if the truth were at LIMIT or on
        its other side.

        Each block would then be on this side of it by the toss of a coin, at
        best, so a few blocks prove little, however far away they are.
        """
        n = len(self.drawn)
        above = np.count_nonzero(self.drawn >= limit)
        below = np.count_nonzero(self.drawn <= limit)
        seen = (1 + min(above, below)) / (1 + n)
        return float(min(1.0, max(seen, 2.0 ** -self.blocks)))

    def p_value(self, limit: float) -> float:
        """The same of a truth that is LIMIT: it may be missed on either side."""
        return min(1.0, 2 * self.one_sided(limit))


class Shape(NamedTuple):
    """How often everything was measured."""

    boots: int
    blocks: int
    reps: int

    def runs(self) -> int:
        return self.boots * self.blocks * self.reps

    def all_blocks(self) -> int:
        return self.boots * self.blocks


# region: resample
def draw(shape: Shape, times: int, rng: np.random.Generator) -> np.ndarray:
    """Places of runs, a row for each resample: boots, blocks, repetitions."""
    boots, blocks, reps = shape
    boot = rng.integers(boots, size=(times, boots, 1, 1))
    block = rng.integers(blocks, size=(times, boots, blocks, 1))
    rep = rng.integers(reps, size=(times, boots, blocks, reps))
    return ((boot * blocks + block) * reps + rep).reshape(times, -1)
# endregion: resample


class Sampler:
    """The same resamples for every cell: what is paired stays paired.

    Values come in the order of boots, blocks within, repetitions within.
    """

    def __init__(self, shape: Shape, seed: int,
                 resamples: int = RESAMPLES) -> None:
        self.shape = shape
        self.places = draw(shape, resamples, np.random.default_rng(seed))

    def _interval(self, value: float, drawn: np.ndarray) -> Interval:
        lo, hi = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Interval(self.shape.runs(), self.shape.all_blocks(),
                        float(value), float(lo), float(hi), drawn)

    def median(self, values: Sequence[float]) -> Interval:
        v = np.asarray(values, float)
        return self._interval(np.median(v), np.median(v[self.places], axis=1))

    def median_ratio(self, mine: Sequence[float],
                     other: Sequence[float]) -> Interval:
        """Run by run. Of logarithms: b/a is then exactly 1 by a/b."""
        v = np.log(np.asarray(mine, float) / np.asarray(other, float))
        return self._interval(np.exp(np.median(v)),
                              np.exp(np.median(v[self.places], axis=1)))

    def mean(self, sums: Sequence[float], ns: Sequence[float]) -> Interval:
        """Of all operations: their SUMS and how many, for each run."""
        s, n = np.asarray(sums, float), np.asarray(ns, float)
        return self._interval(s.sum() / n.sum(), self._means(s, n))

    def mean_ratio(self, mine: Sequence[Sequence[float]],
                   other: Sequence[Sequence[float]]) -> Interval:
        """Of two means, each given as for mean()."""
        a, b = np.asarray(mine, float), np.asarray(other, float)
        value = (a[0].sum() / a[1].sum()) / (b[0].sum() / b[1].sum())
        return self._interval(value, self._means(*a) / self._means(*b))

    def _means(self, sums: np.ndarray, ns: np.ndarray) -> np.ndarray:
        return sums[self.places].sum(axis=1) / ns[self.places].sum(axis=1)


def unpaired(b: Interval, a: Interval, seed: int) -> Interval:
    """b / a, of two measurements that know nothing of each other."""
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(b.drawn) / rng.permutation(a.drawn)
    lo, hi = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(min(a.n, b.n), min(a.blocks, b.blocks),
                    b.median / a.median, float(lo), float(hi), drawn)


# --- what an interval is worth ----------------------------------------------

BOOT_SD, BLOCK_SDS, REP_SD = 0.03, (0.05, 0.10), 0.03


def _covered(shape: Shape, block_sd: float, sims: int) -> float:
    rng = np.random.default_rng(1)
    boots, blocks, reps = shape
    boot_sd = BOOT_SD if boots > 1 else 0	# what one boot cannot see
    places = draw(shape, 500, rng)
    hits = 0
    for _ in range(sims):
        v = (rng.normal(0, boot_sd, (boots, 1, 1))
             + rng.normal(0, block_sd, (boots, blocks, 1))
             + rng.normal(0, REP_SD, shape)).ravel()
        lo, hi = np.quantile(np.median(v[places], axis=1),
                             [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        hits += lo <= 0 <= hi
    return hits / sims


@lru_cache
def coverage(shape: Shape, sims: int = 1000) -> float:
    """Of so many intervals the truth is inside, by simulation.

    Times are log-normal; blocks differ by 5 or 10 % (the worse of the two),
    repetitions by 3 %, boots by 3 %.
    """
    return min(_covered(shape, sd, sims) for sd in BLOCK_SDS)


def coverage_text(shape: Shape) -> str:
    """"95 %" where that is so, and what is so where it is not."""
    found = coverage(shape)
    if found >= LEVEL - 0.015:
        return f"{100 * LEVEL:.0f} %"
    return f"about {100 * found:.0f} %"


def holm(ps: Sequence[float]) -> list[float]:
    """p-values as they are when all of them must hold at once (Holm)."""
    order = np.argsort(ps)
    scaled = np.asarray(ps, float)[order] * np.arange(len(ps), 0, -1)
    adjusted = np.empty(len(ps))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(scaled))
    return adjusted.tolist()


def false_discoveries(ps: Sequence[float]) -> list[float]:
    """p-values as they are when of those below a level no more than that share is
    to be chance (Benjamini and Hochberg).

    For many comparisons at once: Holm's asks that not one of them is wrong.
    """
    n = len(ps)
    order = np.argsort(ps)[::-1]
    scaled = np.asarray(ps, float)[order] * n / np.arange(n, 0, -1)
    adjusted = np.empty(n)
    adjusted[order] = np.minimum(1, np.minimum.accumulate(scaled))
    return adjusted.tolist()


# --- latencies ---------------------------------------------------------------

class Bucket(NamedTuple):
    """Samples from low (included) to end (not included)."""

    low: float
    end: float
    count: int


class Percentile(NamedTuple):
    """With the interval that its neighbours in rank give."""

    value: float
    lo: float
    hi: float


def at_rank(ordered: Sequence[Bucket], rank: float) -> float:
    """Within its bucket a sample is taken to be anywhere alike."""
    seen = 0
    for low, end, count in ordered:
        if seen + count >= rank:
            return low + (end - low) * (rank - seen) / count
        seen += count
    return ordered[-1].end


def percentile(buckets: Iterable[Bucket], percent: float
               ) -> Optional[Percentile]:
    """What PERCENT of the samples do not exceed; None if too few.

    The interval is of order statistics: so many of n samples are below the
    true percentile as heads are in n tosses. It takes samples to be
    independent, so it is the least that one must allow for.
    """
    ordered = sorted(buckets)
    total = sum(bucket.count for bucket in ordered)
    share = percent / 100
    if total * min(share, 1 - share) < LEAST_BEYOND - 1e-9:
        return None
    lo, hi = stats.binom.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2], total, share)
    return Percentile(at_rank(ordered, total * share),
                      at_rank(ordered, max(1, lo)),
                      at_rank(ordered, min(total, hi + 1)))


class Share(NamedTuple):
    """Of all operations; each bound holds with LEVEL by itself."""

    value: float
    lo: float
    hi: float


def share_beyond(buckets: Iterable[Bucket], limit: float) -> Share:
    """How many take longer than LIMIT (Clopper and Pearson); who lies in a
    bucket with it is counted among them."""
    known = list(buckets)
    total = sum(bucket.count for bucket in known)
    far = sum(bucket.count for bucket in known if bucket.end > limit)
    lo = stats.beta.ppf(1 - LEVEL, far, total - far + 1) if far else 0
    hi = stats.beta.ppf(LEVEL, far + 1, total - far) if far < total else 1
    return Share(far / total if total else 0, float(lo), float(hi))


class Mode(NamedTuple):
    """One hump of a distribution: its median, its share of the samples."""

    at: float
    share: float


STEPS = 32		# of the grid, per power of two
LEAST_SHARE = 0.1	# of the samples, or a hump is an accident
DIP = 0.5		# of the lower hump: how deep a dip between two must be


def _smooth(ordered: Sequence[Bucket]) -> tuple[np.ndarray, np.ndarray]:
    """Positions (logarithms to base 2) and smoothed density there."""
    mids = np.log2([(b.low + b.end) / 2 for b in ordered])
    counts = np.array([b.count for b in ordered], float)
    total = counts.sum()
    middle = np.average(mids, weights=counts)
    sd = np.sqrt(np.average((mids - middle) ** 2, weights=counts))
    quarters = np.interp([total / 4, total * 3 / 4], np.cumsum(counts), mids)
    iqr = (quarters[1] - quarters[0]) / 1.34
    # Silverman's rule of thumb
    width = 0.9 * min(sd, iqr or sd) * total ** -0.2
    sigma = max(1.0, width * STEPS)
    margin = 4 * sigma / STEPS
    edges = np.arange(mids[0] - margin, mids[-1] + margin + 1, 1 / STEPS)
    density, _ = np.histogram(mids, bins=edges, weights=counts)
    return edges[:-1], ndimage.gaussian_filter1d(density, sigma)


def _dips(xs: np.ndarray, ys: np.ndarray) -> list[float]:
    """Where the humps of a curve are parted, as latencies."""
    peaks, _ = signal.find_peaks(ys)
    dips, last = [], peaks[0] if len(peaks) else 0
    for peak in peaks[1:]:
        dip = last + int(np.argmin(ys[last:peak]))
        if ys[dip] < DIP * min(ys[last], ys[peak]):
            dips.append(float(2 ** xs[dip]))
            last = peak
        elif ys[peak] > ys[last]:
            last = peak
    return dips


def modes(buckets: Iterable[Bucket]) -> list[Mode]:
    """The humps; one of them alone is the usual case, none: too few."""
    ordered = sorted(buckets)
    total = sum(b.count for b in ordered)
    if total < 5 * LEAST_BEYOND:
        return []
    cuts = [0, *_dips(*_smooth(ordered)), np.inf]
    parts = [[b for b in ordered if lo <= b.low < hi]
             for lo, hi in zip(cuts, cuts[1:])]
    return [Mode(at_rank(part, n / 2), n / total)
            for part in _joined(parts, LEAST_SHARE * total)
            for n in [sum(b.count for b in part)]]


def _joined(parts: list[list[Bucket]], least: float) -> list[list[Bucket]]:
    """What is too small for a hump of its own belongs to its neighbour."""
    found: list[list[Bucket]] = []
    for part in parts:
        small = sum(b.count for b in part) < least
        if found and (small or sum(b.count for b in found[-1]) < least):
            found[-1] = found[-1] + part
        else:
            found.append(part)
    return found
