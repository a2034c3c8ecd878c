# SPDX-License-Identifier: GPL-2.0
"""counting.py - what a design costs and whom it disturbs: counts, beside the tree's own

bench/icount counts, in an emulated machine of one CPU whose clock is the number of
instructions. No time is measured. What the tree's variants take is counted once for
each state of the sources.
"""

import csv
import fcntl
import json
import os
import re
import subprocess
import sys
import time

import report
from grading import digest_of, guest_key
from patches import VARIANTS
from places import BUILD, OUT, ROOT, Trouble

sys.path.insert(0, str(ROOT / "bench"))

from benchlib import interference  # noqa: E402

RIVAL = "interval"
PAGES = (1, 512)  # of a call
REPS = 5
LIMIT_S, TIMES = 120, 4  # a submission may take so many times what one variant takes, and this
FIRST_S = 1800
ALIKE = 0.02  # what differs by less is the same: counts are good to a hundredth
POPULATE, DONTNEED = "populate", "dontneed"
# What has points. How much 512 pages cost to zap depends on where they lie in memory: their
# runs and hash chains are others in each guest, and differ more than designs do.
SCORED = {POPULATE: PAGES, DONTNEED: PAGES[:1]}
# scenario, condition, and its floor
LOADS = {POPULATE: ("populate", "write", ("lookup", "lookup-only")),
         DONTNEED: ("invalidate-dontneed", "mirrored", ("floor", "no-device"))}


class NotCounted(Exception):
    """The sentence says why."""


class Counts:
    """Of one variant: instructions above the floor, for a page; and whom it disturbs."""

    def __init__(self, instructions, cells):
        self.instructions = instructions  # "populate 512" -> a number
        self.cells = cells  # "another-table populate" -> is that one disturbed?

    def cost(self, load, rival):
        """Relative to the rival: the mean over the sizes of a call that have points."""
        names = [f"{load} {pages}" for pages in SCORED[load]]
        return sum(self.instructions[n] / rival.instructions[n] for n in names) / len(names)

    def disturbed(self, among):
        return sum(self.cells[cell] for cell in among)


# --- what is counted --------------------------------------------------------------

def of_folder(folder):
    """variant -> Counts, of what bench/icount has left."""
    with open(folder / "insn.csv", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["symbol"] == "[all]"]
    total = {(row["scenario"], row["variant"], row["condition"], int(row["pages"])):
             float(row["per_page"]) for row in rows}
    table = interference.load(folder)
    return {variant: Counts(
        {f"{load} {pages}": total[scenario, variant, condition, pages]
         - total[scenario, *floor, pages]
         for load, (scenario, condition, floor) in LOADS.items() for pages in PAGES},
        {f"{cell.event} {cell.victim}": bool(effect.waits or effect.retries)
         for cell, effect in table.items() if cell.variant == variant})
            for variant in interference.variants(table)}


def environment(kernel, variants, folder, modules):
    """Nothing that a user has set for a benchmark of his own is ours."""
    mine = {"KERNEL": kernel, "VARIANTS": " ".join(variants), "REPS": str(REPS), "ACCEL": "tcg",
            "SCENARIOS": ",".join(scenario for scenario, _, _ in LOADS.values()),
            "PAGES": ",".join(map(str, PAGES)), "COUNTS": str(folder), "KO": str(modules or "")}
    return {**{name: value for name, value in os.environ.items()
               if name not in ("FULL", "LOOKUP", "JOBS")}, **mine}


def count(kernel, variants, folder, modules=None, limit_s=FIRST_S):
    """variant -> Counts; NotCounted where the guest or its time has failed."""
    OUT.mkdir(parents=True, exist_ok=True)
    with open(OUT / "counting.lock", "w") as lock, open(f"{folder}.log", "w+") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)  # bench/icount would not wait
        process = subprocess.Popen([str(ROOT / "bench/icount")], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=subprocess.STDOUT,
                                   env=environment(kernel, variants, folder, modules))
        try:
            status = process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise NotCounted(f"it took more than {limit_s:.0f} s; on one CPU, does a task wait "
                             "for another without giving the CPU away?") from None
        finally:
            end(process)
        log.seek(0)
        said = [line.strip() for line in log if line.strip()]
    if status:
        raise NotCounted(reason(said))
    return of_folder(folder)


def end(process):
    """It ends its guests."""
    if process.poll() is None:
        process.terminate()
        process.wait()


def reason(said):
    """The guest's own word, where it had one."""
    of_guest = [line for line in said if line.startswith("guest-run: ")]
    return re.sub(r"^[\w/-]+: ", "", (of_guest or said or ["bench/icount said nothing"])[-1])


# --- what the tree's own take ------------------------------------------------------

def key():
    """Of all that counts depend on, besides a submission."""
    bench = [p for p in sorted((ROOT / "bench").rglob("*"))
             if p.suffix in (".c", ".h", ".py") or p.name in ("icount", "guest-run")]
    return guest_key() + digest_of(bench + [BUILD / "bin/mmu-fuzz"]) + f" {REPS}"


class Tree:
    """The tree's variants, on this machine."""

    def __init__(self, kernel):
        self.kernel, self.file = kernel, OUT / f"counts-{kernel}.json"
        try:
            mark, self.seconds, found = json.loads(self.file.read_text())
        except (OSError, ValueError):
            mark, found = None, {}
        if mark != key():
            found = self.measure()
        self.variants = {name: Counts(*both) for name, both in found.items()}

    def measure(self):
        folder, start = OUT / f"counts-{self.kernel}", time.monotonic()
        try:
            counts = count(self.kernel, VARIANTS, folder)
        except NotCounted as why:
            raise Trouble(f"the tree's own variants cannot be counted: {why}; see "
                          f"{folder}.log") from why
        found = {name: [c.instructions, c.cells] for name, c in counts.items()}
        self.seconds = time.monotonic() - start
        report.write(self.file, json.dumps([key(), self.seconds, found]))
        return found

    def limit_s(self):
        return LIMIT_S + TIMES * self.seconds / len(self.variants)

    def count(self, variant, folder, modules):
        """A submission's Counts; MODULES: a folder with all six."""
        found = count(self.kernel, [variant], folder, modules, self.limit_s())
        if variant not in found:
            raise NotCounted("the tests of interference said nothing of it")
        return found[variant]


# --- points -----------------------------------------------------------------------

def alike(one, other):
    return abs(one - other) <= ALIKE * other


def points(mine, rival, four, most):
    """0 to MOST: half of it for what the rival has, all for the best of the tree's four.

    None for the worst of them; where that is the rival, for what is worse by as much as the
    best is better. Linear between. Less is better."""
    best, worst = min(four), max(four)
    nothing = worst if worst > rival else 2 * rival - best
    if alike(mine, rival):
        share = 0.5
    elif mine < best or alike(mine, best):
        share = 1.0
    elif mine > nothing or alike(mine, nothing):
        share = 0.0
    elif mine < rival:
        share = 0.5 + 0.5 * (rival - mine) / (rival - best)
    else:
        share = 0.5 * (nothing - mine) / (nothing - rival)
    return int(most * share + 0.5)


class Standing:
    """A submission beside the tree's four: three measures, and their points."""

    def __init__(self, counts, tree, most):
        """most: the points of each of the three."""
        self.counts, self.tree = counts, tree
        rival = tree[RIVAL]
        self.cells = sorted(set(counts.cells) & set(rival.cells))
        self.measures = [self.of(c) for c in (counts, *tree.values())]
        mine, four = self.measures[0], dict(zip(tree, self.measures[1:]))
        self.points = [points(m, r, theirs, p) for m, r, theirs, p in
                       zip(mine, four[RIVAL], zip(*four.values()), most)]

    def of(self, counts):
        rival = self.tree[RIVAL]
        return (counts.cost(POPULATE, rival), counts.cost(DONTNEED, rival),
                counts.disturbed(self.cells))

    def rows(self):
        """(what, yours, each of the tree's): all that was counted."""
        all_of = (self.counts, *self.tree.values())
        for load, word in ((POPULATE, "populate"), (DONTNEED, "DONTNEED")):
            for pages in PAGES:
                yield (f"{word}, {pages} a call" + ", no points" * (pages not in SCORED[load]),
                       *(f"{c.instructions[f'{load} {pages}']:.1f}" for c in all_of))
        yield (f"A  populate / {RIVAL}'s", *(f"{m[0]:.3f}" for m in self.measures))
        yield (f"B  DONTNEED, 1 page / {RIVAL}'s", *(f"{m[1]:.3f}" for m in self.measures))
        yield (f"C  disturbed, of {len(self.cells)}", *(str(m[2]) for m in self.measures))

    def table(self):
        head = ("instructions for a page", "yours", *self.tree)
        return ["".join(f"{word:<32}" if i == 0 else f"{word:>11}" for i, word in enumerate(row))
                for row in (head, *self.rows())]

    def disturbs(self):
        """Where somebody waits or begins again with it."""
        return [cell for cell in self.cells if self.counts.cells[cell]]
