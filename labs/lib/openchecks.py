# SPDX-License-Identifier: GPL-2.0
"""openchecks.py - labs/selftest: open labs, with and without guests"""

import contextlib
import json
import pathlib
import tempfile

import asking
import machine
import opengrading
from board import Board
from counting import DONTNEED, PAGES, POPULATE, RIVAL, Counts, Standing, points
from lab import FILE, all_labs
from patches import VARIANTS
from places import Refused, Trouble
from selfchecks import Liar, check_wrong

# As they were counted once: populate by 1 and 512 pages, DONTNEED likewise, disturbed
COUNTED = {"spinlock": (389.6, 76.0, 656.7, 66.0, 15), "split-ptl": (438.5, 75.7, 829.9, 71.7, 14),
           "rcu-list": (438.5, 75.7, 830.0, 67.8, 8), "interval": (491.5, 76.9, 748.2, 68.9, 9)}
WORTH = {"spinlock": [10, 10, 0], "split-ptl": [8, 0, 1], "rcu-list": [8, 0, 10],
         "interval": [5, 5, 5]}  # as task.md says
CELLS = 35
NOISE = {POPULATE: 0.001, DONTNEED: 0.012}  # of a count, from run to run


def counts_of(numbers, sign=0):
    """sign: 1 or -1 for what noise makes of them"""
    *costs, disturbed = numbers
    loads = [(load, pages) for load in (POPULATE, DONTNEED) for pages in PAGES]
    return Counts({f"{load} {pages}": cost * (1 + sign * NOISE[load])
                   for (load, pages), cost in zip(loads, costs)},
                  {f"cell {n}": n < disturbed for n in range(CELLS)})


TREE = {name: counts_of(numbers) for name, numbers in COUNTED.items()}


# --- what counts are worth ---------------------------------------------------------

def worth(name):
    """Its line of the table in task.md."""
    return f"| `{name}` | " + " | ".join(map(str, [*WORTH[name], sum(WORTH[name])])) + " |"


def check_formula(tally, lab):
    four = (8, 9, 10, 14)  # 10 is the rival's
    cases = {7: 10, 8: 10, 9: 8, 10: 5, 11: 4, 12: 3, 13: 1, 14: 0, 99: 0}
    odd = {x: points(x, 10, four, 10) for x in cases if points(x, 10, four, 10) != cases[x]}
    tally.check(f"lab {lab.number}: points are 5 at the rival's, 10 at the best, 0 at the worst, "
                "and linear between", not odd, str(odd))
    worst = {x: points(x, 10, (8, 9, 9, 10), 10) for x in (8, 10, 11, 12, 13)}
    tally.check(f"lab {lab.number}: where the rival is the worst, what is as much worse as the "
                "best is better has none", worst == {8: 10, 10: 5, 11: 3, 12: 0, 13: 0}, str(worst))
    best = {x: points(x, 10, (10, 10, 11, 12), 10) for x in (9, 10, 11, 12)}
    tally.check(f"lab {lab.number}: where the rival is the best, who has less has all",
                best == {9: 10, 10: 5, 11: 3, 12: 0}, str(best))
    same = [points(x, 10, (10,) * 4, 10) for x in (9, 10, 11)]
    tally.check(f"lab {lab.number}: where all are alike, points are defined", same == [10, 5, 0],
                str(same))
    most = [part.points for part in lab.parts[1:]]
    mine = {name: Standing(TREE[name], TREE, most).points for name in VARIANTS}
    tally.check(f"lab {lab.number}: the tree's variants have what task.md says, {RIVAL} half of it",
                mine == WORTH and mine[RIVAL] == [p // 2 for p in most]
                and all(worth(name) in (lab.dir / "task.md").read_text() for name in VARIANTS),
                str(mine))
    noisy = {name: [Standing(counts_of(COUNTED[name], sign), TREE, most).points
                    for sign in (-1, 1)] for name in VARIANTS}
    tally.check(f"lab {lab.number}: noise of {max(NOISE.values()):.1%} changes no points of the "
                "tree's", all(mine[n] == p for n, both in noisy.items() for p in both),
                f"{mine}, {noisy}")
    fewer = counts_of(COUNTED["rcu-list"])
    del fewer.cells["cell 0"]
    few = Standing(fewer, TREE, most)
    tally.check(f"lab {lab.number}: a cell that was skipped counts for nobody",
                len(few.cells) == CELLS - 1 and few.measures[0][2] == COUNTED["rcu-list"][-1] - 1
                and few.measures[1 + list(TREE).index(RIVAL)][2] == COUNTED[RIVAL][-1] - 1)


# --- what a design may call itself ----------------------------------------------------

TITLES = [("/* Title: Two queues */\n", "Two queues"), (" *  Title:  a \t b\n", "a b"),
          ("// Title: \u202eevil\n", "evil"), (f"// Title: {'x' * 60}\n", "x" * 40),
          ("// Title:\n", ""), ("// Subtitle: no\n", ""),
          ("int x;\n" * 50 + "// Title: late\n", ""),
          ('static const char *s = "Title: code";\n', "")]


def refused(lab, text):
    try:
        lab.check(text)
    except Refused as why:
        return str(why)
    return ""


def check_names(tally, lab):
    odd = [text for text, title in TITLES if lab.title_of(text) != title]
    tally.check(f"lab {lab.number}: titles are found, and cleaned", not odd, str(odd))
    tally.check(f"lab {lab.number}: a design may keep the promises of each variant",
                all(not refused(lab, lab.of(name).solution())
                    and lab.keeping(lab.of(name).solution()).variant == name for name in VARIANTS))
    good = lab.solution()
    for what, text, sentence in (
            ("a name of its own", good.replace(f'"{lab.variant}"', '"two-queues"'),
             "nobody has promised anything by that name"),
            ("two names", good + '\t.name = "spinlock",\n', "nobody has promised"),
            ("no name", "int main(void) { return 0; }\n", "this is no variant")):
        said = refused(lab, text)
        tally.check(f"lab {lab.number}: {what} is refused: \"... {sentence} ...\"",
                    sentence in said, said)
    try:
        lab.handout("B")
        said = "handed out"
    except Trouble as why:
        said = str(why)
    tally.check(f"lab {lab.number}: TODO= is refused, and the hand-out is the rival",
                "has no parts" in said and refused(lab, lab.handout()) == "", said)


# --- the gate, with guests that are none ----------------------------------------------

def verdicts(words):
    """A guest's lines: a word for each job, "ok" for those beyond."""
    def how(jobs):
        said = [*words, *["ok"] * len(jobs)]
        return [line for n, (job, word) in enumerate(zip(jobs, said), 1)
                for line in (["# t.c:1: failed: a == b", f"not ok {n} {job.label}"]
                             if word == "failed" or job.turned and word == "ok" else
                             [f"ok {n} {job.label}" + (" # SKIP" if word == "skip" else "")])]
    return how


class Crashing(Liar):
    """A guest that goes down when it has said what it was told to."""

    status_s = machine.VM_CONSOLE

    def run(self):
        super().run()
        self.said = self.said.replace(asking.DONE, "")
        return self


@contextlib.contextmanager
def asked(lab, how, guest=Liar, canary=False, tests=2 * opengrading.CHUNK):
    """A stage of so many tests, with guests that say what they are told to."""
    jobs = [asking.Job(lab.variant, f"g1_test_{n}", 5) for n in range(tests)]
    if canary:
        jobs.insert(1, asking.Job(lab.variant, "g1_test_0", 5, turned=1))
    stage = opengrading.Stage(lab, "6.12", "the suite", jobs)
    stage.machine = type("Guest", (guest,), {"how": staticmethod(how)})
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.suppress(asking.Alarm):
            stage.ask([], pathlib.Path(folder, "stage"), None)
            yield stage
            return
    stage.alarm = True
    yield stage


def check_gate(tally, lab):
    with asked(lab, verdicts([]), canary=True) as stage:
        tally.check(f"lab {lab.number}: a gate is passed if all is ok but what must fail",
                    stage.passed and not stage.lost and stage.machines == 3)
    with asked(lab, verdicts(["ok", "skip"])) as stage:
        tally.check(f"lab {lab.number}: a skip is no failure", stage.passed)
    with asked(lab, verdicts(["ok", "failed", "ok"])) as stage:
        said = "\n".join(opengrading.of_stage(stage))
        tally.check(f"lab {lab.number}: the first failure ends the gate, and is explained",
                    not stage.passed and stage.lost.test == "g1_test_1" and stage.machines == 1
                    and "expected  a == b" in said, said)
    with asked(lab, lambda jobs: [f"ok 1 {jobs[0].label}"], Crashing) as stage:
        tally.check(f"lab {lab.number}: a crash is lost, whatever comes of it the next time",
                    not stage.passed and stage.lost.verdict == "crash")
    with asked(lab, lambda jobs: [f"ok {n} {job.label}" for n, job in enumerate(jobs, 1)],
               canary=True) as stage:
        tally.check(f"lab {lab.number}: a guest that says ok to everything raises an alarm",
                    getattr(stage, "alarm", False))


# --- the leaderboard --------------------------------------------------------------------

def results(lab, folder, name, title="", numbers=None, refusal="", passed=True):
    """results.json as the grader writes it, of one that was never asked."""
    out = folder / name
    out.mkdir()
    grader = opengrading.Grader(lab, folder / FILE, out, "selftest", "6.12")
    grader.title, grader.result.refused, grader.result.finished = title, refusal, True
    if numbers:
        most = [part.points for part in lab.parts[1:]]
        grader.standing = Standing(counts_of(numbers), TREE, most)
    if not refusal:
        grader.result.score = opengrading.Points(lab, passed, grader.standing)
    grader.publish()
    return json.loads((out / "results.json").read_text()), (out / "report.txt").read_text()


def check_board(tally, lab):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        data, text = results(lab, folder, "ada", "Two queues", COUNTED["rcu-list"])
        results(lab, folder, "bob", "", COUNTED["rcu-list"])
        results(lab, folder, "cyd", "Half", COUNTED[RIVAL])
        results(lab, folder, "dan", "No locks", passed=False)
        results(lab, folder, "eve", refusal="its object takes what it has no use for")
        (folder / "other").mkdir()
        (folder / "other/results.json").write_text(json.dumps(
            {"score": 60, "output": "graded", "extra_data": {"state": "graded", "parts": {}}}))
        (folder / "half").mkdir()
        (folder / "half/results.json").write_text('{"score": 6')
        lines = list(Board([folder]).lines())
    tally.check(f"lab {lab.number}: results.json has a leaderboard in Gradescope's format",
                all({"name", "value"} <= set(row) <= {"name", "value", "order"}
                    for row in data["leaderboard"]) and data["leaderboard"][0]["value"] == 58
                and data["extra_data"]["promises"] == lab.variant, json.dumps(data["leaderboard"]))
    tally.check(f"lab {lab.number}: the report has all counts", all(
        f"{number:.1f}" in text for numbers in COUNTED.values() for number in numbers[:-1]), text)
    ranks = [(line.split()[0], line.split()[1]) for line in lines[1:5]]
    tally.check(f"lab {lab.number}: the leaderboard is in the order of points, ties share a rank",
                ranks == [("=1", "58"), ("=1", "58"), ("3", "55"), ("4", "0")]
                and "Two queues (ada)" in lines[1] + lines[2], "\n".join(lines))
    tally.check(f"lab {lab.number}: the refused, the unreadable and other labs' are named below it",
                [line.partition(":")[0] for line in lines[5:7]] == ["refused", "cannot be read"]
                and "no use for" in lines[5] and lines[7].startswith("1 "), "\n".join(lines))
    try:
        said = str(list(Board([pathlib.Path("/nonexistent")]).lines()))
    except Trouble as why:
        said = str(why)
    tally.check(f"lab {lab.number}: a leaderboard of nothing is a sentence", "no result" in said,
                said)


def check_open(tally, _):
    """What needs no guest; also of drafts."""
    for lab in all_labs():
        if lab.kind == "open":
            for check in (check_formula, check_names, check_gate, check_board):
                check(tally, lab)


def check_designs(tally, labs):
    check_wrong(tally, labs, opengrading.Grader)


CHECKS = {"open": check_open, "designs": check_designs}
