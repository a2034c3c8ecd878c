# SPDX-License-Identifier: GPL-2.0
"""Reading what a run left, refusing it when incomplete, summing it up."""

import csv
import json
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any, Iterator, NamedTuple, Optional, Sequence

from .errors import ResultError
from .stats import (Bucket, Interval, Mode, Sampler, Shape, at_rank,
                    coverage_text, modes, percentile)
from .words import UNDECIDED, word_of

FLOOR = "floor"
AGAIN = "floor-again"	# the floor under another name: A/A
CONTROLS = (FLOOR, AGAIN)
FORMAT = 2		# 1: no AGAIN; both are read
PERCENTS = ((50, "p50_ns"), (90, "p90_ns"), (99, "p99_ns"),
            (99.9, "p999_ns"))
COUNTS = ("retries", "waits", "contended", "zapped", "invalidations",
          "task_clock_ns", "context_switches", "cpu_migrations",
          "page_faults", "cycles", "instructions", "steal_ms")
LATER = ("foreign", "late", "cycles_kernel", "instructions_kernel") # as they came
SUMMARY_COLUMNS = (
    "scenario", "variant", "condition", "threads", "pages", "unit", "better",
    "n", "median", "lo", "hi", "ratio", "ratio_lo", "ratio_hi",
    "samples", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns",
    "ops", "pages_total", *COUNTS, "bytes_per_page",
    "against", "statistic", "word", "sees", "sleeps",
    "mean", "mean_lo", "mean_hi", "modes",
    *(f"{name}_{end}" for _, name in PERCENTS for end in ("lo", "hi")), *LATER)
TEXT_COLUMNS = ("scenario", "variant", "condition")
MAY_BE_EMPTY = frozenset(
    ("p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns", "task_clock_ns",
     "context_switches", "cpu_migrations", "page_faults", "cycles",
     "instructions", "cycles_kernel", "instructions_kernel"))


Block = tuple[int, int]		# boot and block


class Key(NamedTuple):
    """A cell under a load: one line of the plan and of the summary."""

    scenario: str
    variant: str
    condition: str
    threads: int
    pages: int


class Plan(NamedTuple):
    """What was meant to be measured for a key, and against which floor."""

    unit: str
    better: str
    floor: str


class Results(NamedTuple):
    meta: dict[str, Any]
    plan: dict[Key, Plan]
    runs: dict[Key, list[dict[str, Any]]]	# in order of time
    hist: dict[Key, dict[Block, list[Bucket]]]
    sampler: Sampler
    asleep: dict[Key, "Asleep"]		# as far as it was asked for

    @property
    def shape(self) -> Shape:
        return self.sampler.shape


# --- reading -----------------------------------------------------------------

def _rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        text = path.read_text()
    except OSError:
        raise ResultError(f"There is no {path.name} in {path.parent}: the "
                          "run did not get that far. Run it again.") from None
    if not text.endswith("\n"):
        raise ResultError(f"{path.name} is cut short: its last line has no "
                          "end. Run it again.")
    lines = csv.reader(line for line in text.splitlines()
                       if not line.startswith("#"))
    columns = next(lines, [])
    for number, fields in enumerate(lines, 2):
        if len(fields) != len(columns):
            raise ResultError(f"{path.name}, line {number}: {len(fields)} "
                              f"fields where {len(columns)} belong. Run it "
                              "again.")
        yield dict(zip(columns, fields))


def _key(row: dict[str, str]) -> Key:
    return Key(row["scenario"], row["variant"], row["condition"],
               int(row["threads"]), int(row["pages"]))


def _number(name: str, text: str, number: int) -> Any:
    if name in TEXT_COLUMNS:
        return text
    if not text and name in MAY_BE_EMPTY:
        return None
    try:
        return int(text)
    except ValueError:
        raise ResultError(f'raw.csv, line {number}: {name} is "{text}", '
                          "not a number. Run it again.") from None


def _read_runs(path: Path) -> dict[Key, list[dict[str, Any]]]:
    runs = defaultdict(list)
    for number, row in enumerate(_rows(path), 2):
        values = {name: _number(name, text, number)
                  for name, text in row.items()}
        runs[_key(row)].append(values)
    for cell in runs.values():
        cell.sort(key=turn)
    return dict(runs)


def turn(run: dict[str, Any]) -> tuple[int, int, int]:
    return run["boot"], run["block"], run["rep"]


def _read_hist(path: Path) -> dict[Key, dict[Block, list[Bucket]]]:
    hist: dict[Key, dict[Block, list[Bucket]]] = defaultdict(
        lambda: defaultdict(list))
    for row in _rows(path):
        block = int(row["boot"]), int(row["block"])
        hist[_key(row)][block].append(Bucket(
            int(row["low_ns"]), int(row["end_ns"]), int(row["count"])))
    return {key: dict(blocks) for key, blocks in hist.items()}


def _read_plan(path: Path) -> dict[Key, Plan]:
    return {_key(row): Plan(row["unit"], row["better"], row["floor"])
            for row in _rows(path)}


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        meta = json.loads(path.read_text())
    except OSError:
        raise ResultError(f"There is no {path.name} in {path.parent}: "
                          "nobody could tell what was measured.") from None
    except ValueError as error:
        raise ResultError(f"{path.name} cannot be read: {error}") from None
    if meta.get("format", 1) > FORMAT:
        raise ResultError(f"{path.name} says format {meta['format']}, and "
                          f"this knows {FORMAT} at most. Use the bench/ "
                          f"that wrote it (commit {meta.get('commit')}).")
    return meta


# --- checking ----------------------------------------------------------------

def describe(key: Key) -> str:
    return (f"{key.scenario}, {key.variant} {key.condition}, {key.threads} "
            f"thread{'s' * (key.threads > 1)}, {key.pages} "
            f"page{'s' * (key.pages > 1)}")


def latencies(results: Results, key: Key) -> list[Bucket]:
    """Of all blocks together."""
    counts: dict[tuple[float, float], int] = defaultdict(int)
    for block in results.hist.get(key, {}).values():
        for bucket in block:
            counts[bucket.low, bucket.end] += bucket.count
    return [Bucket(*bounds, n) for bounds, n in sorted(counts.items())]


def floor_of(results: Results, key: Key) -> Key:
    return key._replace(variant=FLOOR, condition=results.plan[key].floor)


def shape_of(meta: dict[str, Any]) -> Shape:
    p = meta["parameters"]
    return Shape(p["boots"], p["blocks"], p["reps"])


def _turns(meta: dict[str, Any]) -> set[tuple[int, int, int]]:
    p = meta["parameters"]
    return {(boot, block, rep)
            for boot in range(1, p["boots"] + 1)
            for block in range(1, p["blocks"] + 1)
            for rep in range(1, p["reps"] + 1)}


def _check_complete(results: Results) -> None:
    wanted = _turns(results.meta)
    for key in results.plan:
        runs = results.runs.get(key, [])
        seen = [turn(run) for run in runs]
        if set(seen) == wanted and len(seen) == len(wanted):
            continue
        raise ResultError(
            f"Incomplete: {describe(key)} has {len(set(seen) & wanted)} of "
            f"{len(wanted)} runs. Part of a run is not reported as a whole; "
            "run it again.")


def _check_sane(results: Results) -> None:
    for key, runs in results.runs.items():
        if key not in results.plan:
            raise ResultError(f"raw.csv has {describe(key)}, which "
                              "plan.csv does not know.")
        if any(run["stale"] for run in runs):
            raise ResultError(f"{describe(key)}: stale entries. That is a "
                              "bug in the module, not a result.")
        if any(not run["ns"] or not run["ops"] for run in runs):
            raise ResultError(f"{describe(key)}: a run without time or "
                              "operations. Run it again.")
        samples = sum(run["samples"] for run in runs)
        kept = sum(b.count for b in latencies(results, key))
        if samples != kept:
            raise ResultError(f"{describe(key)}: hist.csv has {kept} of "
                              f"{samples} latencies. Run it again.")


def load(folder: Path) -> Results:
    """Everything that a run left in FOLDER, whole; or ResultError."""
    meta = _read_meta(folder / "meta.json")
    results = Results(meta, _read_plan(folder / "plan.csv"),
                      _read_runs(folder / "raw.csv"),
                      _read_hist(folder / "hist.csv"),
                      Sampler(shape_of(meta), meta["parameters"]["seed"]),
                      {})
    if not results.plan:
        raise ResultError("plan.csv is empty: nothing was to be measured.")
    _check_sane(results)
    _check_complete(results)
    return results


# --- summing up --------------------------------------------------------------

def is_latency(results: Results, key: Key) -> bool:
    return results.plan[key].unit != "pages/s"


def _column(results: Results, key: Key, name: str) -> list[float]:
    return [run[name] for run in results.runs[key]]


def values_of(results: Results, key: Key) -> list[float]:
    """The figure of merit: a rate, or the median latency of each run."""
    return _column(results, key, "p50_ns" if is_latency(results, key)
                   else "pages_per_s")


def _sums(results: Results, key: Key) -> tuple[list[float], list[float]]:
    return _column(results, key, "ns"), _column(results, key, "ops")


def interval(results: Results, key: Key) -> Interval:
    return results.sampler.median(values_of(results, key))


def mean(results: Results, key: Key) -> Interval:
    return results.sampler.mean(*_sums(results, key))


class Asleep(NamedTuple):
    """Why a median of this cell says little, and what to say instead."""

    why: str		# empty: it says enough
    modes: Sequence[Mode]


def _levelled(results: Results, key: Key) -> list[Bucket]:
    """Latencies as if all blocks had one median: a machine that is slower
    for a while has no second mode, and paired ratios know nothing of it."""
    blocks = [sorted(b) for b in results.hist.get(key, {}).values()]
    middles = [at_rank(b, sum(x.count for x in b) / 2) for b in blocks]
    common = median(middles) if middles else 0
    return [Bucket(low * common / middle, end * common / middle, count)
            for block, middle in zip(blocks, middles)
            for low, end, count in block]


def _asleep(results: Results, key: Key) -> Asleep:
    if not is_latency(results, key):
        return Asleep("", ())
    runs = results.runs[key]
    switches, ops = _total(runs, "context_switches"), _total(runs, "ops")
    humps = modes(_levelled(results, key))
    if switches is not None and switches >= ops:
        return Asleep("sleeps", humps)
    return Asleep("two modes" if len(humps) > 1 else "", humps)


def asleep(results: Results, key: Key) -> Asleep:
    """A latency that sleeps once an operation, or has two humps."""
    if key not in results.asleep:
        results.asleep[key] = _asleep(results, key)
    return results.asleep[key]


class Ratio(NamedTuple):
    """MINE relative to OTHER, run by run of the same turn."""

    interval: Interval
    statistic: str	# "median" or, where one of them sleeps, "mean"


def of_means(results: Results, mine: Key, other: Key) -> bool:
    """Where a median would jump from one mode to the other."""
    return bool(asleep(results, mine).why or asleep(results, other).why)


def ratio(results: Results, mine: Key, other: Key,
          means: Optional[bool] = None) -> Ratio:
    if of_means(results, mine, other) if means is None else means:
        found = results.sampler.mean_ratio(_sums(results, mine),
                                           _sums(results, other))
        return Ratio(found, "mean")
    return Ratio(results.sampler.median_ratio(values_of(results, mine),
                                              values_of(results, other)),
                 "median")


def control(results: Results, key: Key) -> Optional[Ratio]:
    """A/A: the floor beside itself, where KEY was measured."""
    floor = floor_of(results, key)
    again = floor._replace(variant=AGAIN)
    if again not in results.plan:
        return None
    return ratio(results, again, floor)


def sees(aa: Optional[Ratio]) -> Optional[float]:
    """The least difference that is not the machine's own: 0.05 is 5 %."""
    if aa is None:
        return None
    lo, hi = aa.interval.lo, aa.interval.hi
    return max(abs(hi - 1), abs(1 / lo - 1))


def trusted(aa: Optional[Ratio]) -> bool:
    """Not where two floors differ; where there is only one, nobody knows."""
    return aa is None or aa.interval.lo <= 1 <= aa.interval.hi


def _total(runs: list[dict[str, Any]], name: str) -> Optional[int]:
    values = [run.get(name) for run in runs]
    return None if None in values else sum(values)


# The VM waits for interval, and tells nobody (include/my_mmu_uapi.h).
UNKNOWN = {("interval", "waits")}


def count_of(row: dict[str, Any], name: str) -> Optional[int]:
    """Of a row of the summary; None: nobody could count it."""
    return None if (row["variant"], name) in UNKNOWN else row.get(name)


def _percentiles(results: Results, key: Key) -> dict[str, Any]:
    buckets = latencies(results, key)
    row: dict[str, Any] = {}
    for percent, name in PERCENTS:
        found = percentile(buckets, percent)
        row[name] = found and found.value
        row[f"{name}_lo"] = found and found.lo
        row[f"{name}_hi"] = found and found.hi
    worst = [run["max_ns"] for run in results.runs[key]]
    row["max_ns"] = None if None in worst else max(worst)
    return row


def _modes_text(humps: Sequence[Mode]) -> str:
    """"570000:0.62 3400000:0.38": where in ns, and which share."""
    return " ".join(f"{m.at:.0f}:{m.share:.2f}" for m in humps)


def _means(results: Results, key: Key) -> dict[str, Any]:
    if not is_latency(results, key):
        return {}
    found = mean(results, key)
    state = asleep(results, key)
    return {"mean": found.median, "mean_lo": found.lo, "mean_hi": found.hi,
            "sleeps": state.why, "modes": _modes_text(state.modes)}


def bytes_per_page(runs: list[dict[str, Any]]) -> Optional[float]:
    entries, size = _total(runs, "entries"), _total(runs, "bytes")
    return size / entries if entries else None


def _against(results: Results, mine: Key, other: Key) -> dict[str, Any]:
    """The columns of a ratio, and what those need who judge it."""
    found, aa = ratio(results, mine, other), control(results, mine)
    i, sure = found.interval, trusted(aa) or mine.variant == AGAIN
    word = word_of(i, results.plan[mine].better) if sure else UNDECIDED
    return {"against": other.variant, "ratio": i.median, "ratio_lo": i.lo,
            "ratio_hi": i.hi, "statistic": found.statistic,
            "sees": sees(aa), "word": word, "interval": i, "trusted": sure}


def _summary_row(results: Results, key: Key) -> dict[str, Any]:
    runs, plan = results.runs[key], results.plan[key]
    value = interval(results, key)
    row: dict[str, Any] = {
        **key._asdict(), "unit": plan.unit, "better": plan.better,
        "n": value.n, "median": value.median, "lo": value.lo,
        "hi": value.hi, "against": ""}
    if key.variant != FLOOR:
        row.update(_against(results, key, floor_of(results, key)))
    row.update(_percentiles(results, key))
    row.update(_means(results, key))
    for name in ("samples", "ops", "pages_total", *COUNTS, *LATER):
        row[name] = _total(runs, name)
    row["bytes_per_page"] = bytes_per_page(runs)
    row["latencies"] = latencies(results, key)
    return row


def summarise(results: Results) -> list[dict[str, Any]]:
    """A row for each cell, relative to its floor."""
    return [_summary_row(results, key) for key in results.plan]


def pairs(results: Results) -> list[dict[str, Any]]:
    """A row for each two variants that took turns: the later by the former."""
    found = []
    keys = [key for key in results.plan if key.variant not in CONTROLS]
    for place, mine in enumerate(keys):
        for other in keys[:place]:
            if other != mine and other._replace(variant=mine.variant) == mine:
                plan = results.plan[mine]
                found.append({**mine._asdict(), "unit": plan.unit,
                              "better": plan.better,
                              "n": results.shape.runs(),
                              **_against(results, mine, other)})
    return found


def interval_name(results: Results) -> str:
    """"95 %", or what the intervals of so few runs are really worth."""
    return coverage_text(results.shape)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}" if value < 1000 else f"{value:.0f}"
    return str(value)


def write_summary(rows: list[dict[str, Any]], path: Path) -> None:
    with path.open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(SUMMARY_COLUMNS)
        for row in rows:
            writer.writerow(_cell(row.get(name)) for name in SUMMARY_COLUMNS)
