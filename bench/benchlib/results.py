# SPDX-License-Identifier: GPL-2.0
"""Reading what a run left, refusing it when incomplete, summing it up."""

import csv
import json
import zlib
from collections import defaultdict
from pathlib import Path
from typing import Any, Iterator, NamedTuple, Optional

from .stats import Bucket, Interval, bootstrap, percentile

FLOOR = "floor"
PERCENTS = ((50, "p50_ns"), (90, "p90_ns"), (99, "p99_ns"),
            (99.9, "p999_ns"))
COUNTS = ("retries", "waits", "contended", "zapped", "invalidations",
          "task_clock_ns", "context_switches", "cpu_migrations",
          "page_faults", "cycles", "instructions", "steal_ms")
SUMMARY_COLUMNS = (
    "scenario", "variant", "condition", "threads", "pages", "unit", "better",
    "n", "median", "lo", "hi", "ratio", "ratio_lo", "ratio_hi",
    "samples", "p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns",
    "ops", "pages_total", *COUNTS, "bytes_per_page")
TEXT_COLUMNS = ("scenario", "variant", "condition")
MAY_BE_EMPTY = frozenset(
    ("p50_ns", "p90_ns", "p99_ns", "p999_ns", "max_ns", "task_clock_ns",
     "context_switches", "cpu_migrations", "page_faults", "cycles",
     "instructions"))


class ResultError(Exception):
    """What is wrong with the results, as a sentence, and what to do."""


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
    runs: dict[Key, list[dict[str, Any]]]
    hist: dict[Key, list[Bucket]]


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
    return dict(runs)


def _read_hist(path: Path) -> dict[Key, list[Bucket]]:
    counts: dict[Key, dict[tuple[int, int], int]] = defaultdict(
        lambda: defaultdict(int))
    for row in _rows(path):
        bounds = int(row["low_ns"]), int(row["end_ns"])
        counts[_key(row)][bounds] += int(row["count"])
    return {key: [Bucket(low, end, count)
                  for (low, end), count in sorted(cell.items())]
            for key, cell in counts.items()}


def _read_plan(path: Path) -> dict[Key, Plan]:
    return {_key(row): Plan(row["unit"], row["better"], row["floor"])
            for row in _rows(path)}


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except OSError:
        raise ResultError(f"There is no {path.name} in {path.parent}: "
                          "nobody could tell what was measured.") from None
    except ValueError as error:
        raise ResultError(f"{path.name} cannot be read: {error}") from None


# --- checking ----------------------------------------------------------------

def describe(key: Key) -> str:
    return (f"{key.scenario}, {key.variant} {key.condition}, {key.threads} "
            f"thread{'s' * (key.threads > 1)}, {key.pages} "
            f"page{'s' * (key.pages > 1)}")


def floor_of(results: Results, key: Key) -> Key:
    return key._replace(variant=FLOOR, condition=results.plan[key].floor)


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
        seen = [(r["boot"], r["block"], r["rep"]) for r in runs]
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
        kept = sum(b.count for b in results.hist.get(key, []))
        if samples != kept:
            raise ResultError(f"{describe(key)}: hist.csv has {kept} of "
                              f"{samples} latencies. Run it again.")


def load(folder: Path) -> Results:
    """Everything that a run left in FOLDER, whole; or ResultError."""
    results = Results(_read_meta(folder / "meta.json"),
                      _read_plan(folder / "plan.csv"),
                      _read_runs(folder / "raw.csv"),
                      _read_hist(folder / "hist.csv"))
    if not results.plan:
        raise ResultError("plan.csv is empty: nothing was to be measured.")
    _check_sane(results)
    _check_complete(results)
    return results


# --- summing up --------------------------------------------------------------

def value_of(plan: Plan, run: dict[str, Any]) -> float:
    """The figure of merit: a rate, or the median latency of the run."""
    return run["pages_per_s"] if plan.unit == "pages/s" else run["p50_ns"]


def _by_block(results: Results, key: Key) -> dict[tuple, dict[int, float]]:
    blocks: dict[tuple, dict[int, float]] = defaultdict(dict)
    for run in results.runs[key]:
        blocks[run["boot"], run["block"]][run["rep"]] = value_of(
            results.plan[key], run)
    return blocks


def _seed(results: Results, key: Key, what: str) -> int:
    text = f"{results.meta['parameters']['seed']} {what} {key}"
    return zlib.crc32(text.encode())


def interval(results: Results, key: Key) -> Interval:
    blocks = _by_block(results, key)
    return bootstrap([list(block.values()) for block in blocks.values()],
                     _seed(results, key, "value"))


def ratio(results: Results, key: Key) -> Interval:
    """Against the floor's run of the same boot, block and repetition."""
    mine = _by_block(results, key)
    floor = _by_block(results, floor_of(results, key))
    paired = [[value / floor[block][rep] for rep, value in reps.items()]
              for block, reps in mine.items()]
    return bootstrap(paired, _seed(results, key, "ratio"))


def _total(runs: list[dict[str, Any]], name: str) -> Optional[int]:
    values = [run[name] for run in runs]
    return None if None in values else sum(values)


def _latencies(results: Results, key: Key) -> dict[str, Any]:
    buckets = results.hist.get(key, [])
    row = {name: percentile(buckets, percent) for percent, name in PERCENTS}
    worst = [run["max_ns"] for run in results.runs[key]]
    row["max_ns"] = None if None in worst else max(worst)
    return row


def bytes_per_page(runs: list[dict[str, Any]]) -> Optional[float]:
    entries, size = _total(runs, "entries"), _total(runs, "bytes")
    return size / entries if entries else None


def _summary_row(results: Results, key: Key) -> dict[str, Any]:
    runs, plan = results.runs[key], results.plan[key]
    value = interval(results, key)
    row: dict[str, Any] = {**key._asdict(), "unit": plan.unit,
                           "better": plan.better, **value._asdict()}
    if key.variant != FLOOR:
        against = ratio(results, key)
        row.update(ratio=against.median, ratio_lo=against.lo,
                   ratio_hi=against.hi)
    row.update(_latencies(results, key))
    for name in ("samples", "ops", "pages_total", *COUNTS):
        row[name] = _total(runs, name)
    row["bytes_per_page"] = bytes_per_page(runs)
    return row


def summarise(results: Results) -> list[dict[str, Any]]:
    return [_summary_row(results, key) for key in results.plan]


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


# --- the bars ----------------------------------------------------------------

class Bar(NamedTuple):
    """What a variant must reach, against the floor or in itself."""

    text: str
    scenario: str
    condition: str
    pages: int
    column: str
    at_least: Optional[float] = None
    at_most: Optional[float] = None

    def limit(self) -> str:
        return (f"≥ {self.at_least:g}" if self.at_least is not None
                else f"≤ {self.at_most:g}")

    def holds(self, value: float) -> bool:
        if self.at_least is not None:
            return value >= self.at_least
        return value <= self.at_most


BARS = (
    Bar("populate, 512 pages per call, relative to bare page lookups",
        "populate", "write", 512, "ratio", at_least=0.7),
    Bar("MADV_DONTNEED of 512 mirrored pages, relative to no device",
        "invalidate-dontneed", "mirrored", 512, "ratio", at_most=1.25),
    Bar("MADV_DONTNEED of 512 unmirrored pages, relative to no device",
        "invalidate-dontneed", "unmirrored", 512, "ratio", at_most=1.05),
    Bar("bytes per mirrored page, entry and reverse index",
        "populate", "write", 512, "bytes_per_page", at_most=32),
)


class Verdict(NamedTuple):
    bar: Bar
    variant: str
    threads: int
    value: float
    lo: Optional[float]
    hi: Optional[float]
    met: bool
    unsettled: bool     # the interval has the bar inside


def _verdict(bar: Bar, row: dict[str, Any]) -> Verdict:
    value = row[bar.column]
    lo, hi = row.get(f"{bar.column}_lo"), row.get(f"{bar.column}_hi")
    unsettled = lo is not None and bar.holds(lo) != bar.holds(hi)
    return Verdict(bar, row["variant"], row["threads"], value, lo, hi,
                   bar.holds(value), unsettled)


def judge(rows: list[dict[str, Any]]) -> list[Verdict]:
    """Each bar for each variant and thread count that was measured."""
    found = []
    for bar in BARS:
        found += [_verdict(bar, row) for row in rows
                  if row["variant"] != FLOOR
                  and row["scenario"] == bar.scenario
                  and row["condition"] == bar.condition
                  and row["pages"] == bar.pages
                  and row.get(bar.column) is not None]
    return found
