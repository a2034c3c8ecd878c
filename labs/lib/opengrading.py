# SPDX-License-Identifier: GPL-2.0
"""opengrading.py - one submission of an open lab: the gate, then the counts

The gate is all or nothing: the whole suite of the variant whose promises the design
keeps, stress and fuzz, on each kernel. The first failure ends it. What has passed is
counted beside the tree's own variants.
"""

import contextlib
import json
import random
import shutil

import asking
import grading
import report
from box import NotBuilt
from counting import NotCounted, Standing, Tree, key
from places import Trouble

CHUNK = 60  # tests for a machine: soon enough it is known that the gate is lost
STRESS = ("stress_everything", "stress_everything_rmap_only")
FUZZ = ("g9_no_illegal_answer_to_one_call_at_a_time", "g9_no_illegal_answer_to_calls_at_once")
TIME_S = 60  # what stress and fuzz may take besides the time that they are asked for
GOOD = ("ok", "skip")


class Stage:
    """A part of the gate: jobs on one kernel, in as many machines as it takes."""

    def __init__(self, lab, kernel, title, jobs, program=asking.Machine.program):
        self.lab, self.kernel, self.title, self.program = lab, kernel, title, program
        self.jobs, self.lost, self.machines = jobs, None, 0

    @property
    def tests(self):
        """Without canaries."""
        return [job for job in self.jobs if not job.turned]

    @property
    def good(self):
        return sum(job.verdict in GOOD for job in self.tests)

    @property
    def passed(self):
        return self.good == len(self.tests)

    def machine(self, *words):
        guest = asking.Machine(*words)
        guest.program = self.program
        return guest

    def ask(self, modules, folder, after_each):
        folder.mkdir()
        guests = asking.Patient(self.kernel, modules, folder, after_each=after_each)
        guests.make = self.machine
        for at in range(0, len(self.jobs), CHUNK):
            jobs = self.jobs[at:at + CHUNK]
            guests.ask(jobs)
            self.machines = len(guests.machines)
            grading.check_canaries(jobs)
            self.lost = first_lost(jobs, guests)
            if self.lost:
                break


def first_lost(jobs, guests):
    if guests.silent:
        jobs[0].notes.insert(0, grading.SILENT[guests.silent])
        return jobs[0]
    bad = [job for job in jobs if not job.turned and job.verdict not in GOOD]
    known = [job for job in bad if job.verdict != "not asked"]
    if bad and not known:
        raise Trouble(f"{bad[0].test} was not asked: tests that must fail have used up the time "
                      "for wrecks")
    return known[0] if known else None


def stages(lab, bench, seed):
    """The gate on a kernel; what is drawn is drawn by the seed."""
    kernel, half = bench.kernel, lab.stress_s // len(STRESS)
    draw = random.Random(f"gate {seed} {kernel}")
    numbers = [draw.getrandbits(32) | 1 for _ in range(2)]
    yield Stage(lab, kernel, f"the suite of {lab.variant}",
                grading.plan(lab, grading.Reference(lab, bench), f"{seed} {kernel}"))
    yield Stage(lab, kernel, f"stress for {lab.stress_s} s, seed {numbers[0]}",
                [asking.Job(lab.variant, test, half + TIME_S) for test in STRESS],
                f"mmu-tests -d {half} -s {numbers[0]}")
    yield Stage(lab, kernel, f"fuzz for {lab.fuzz_s} s, seed {numbers[1]}",
                [asking.Job(lab.variant, test, lab.fuzz_s // len(FUZZ) + TIME_S) for test in FUZZ],
                f"mmu-tests -d {lab.fuzz_s // len(FUZZ)} -s {numbers[1]}")


class Points:
    """The gate, and three counts that are worth nothing without it."""

    def __init__(self, lab, passed, standing=None):
        self.most, most = lab.points, [part.points for part in lab.parts]
        counts = standing.points if standing else [0] * len(most[1:])
        self.parts = dict(zip([part.name for part in lab.parts],
                              [most[0] if passed else 0, *counts]))
        self.total = sum(self.parts.values())


class Grader(grading.Grader):
    """What differs from a lab with a solution."""

    def __init__(self, *words):
        super().__init__(*words)
        self.result.kernel = " and ".join(self.lab.kernels)
        self.title, self.stages, self.standing, self.uncounted = "", [], None, ""

    def more_key(self, taken):
        return key()

    def judge(self, taken, evidence):
        text = taken.data.decode()
        self.title = self.lab.title_of(text)
        self.lab = self.result.lab = self.lab.keeping(text)
        built = [self.built(taken, evidence, kernel) for kernel in self.lab.kernels]
        passed = all(self.gate(bench, module, evidence) for bench, module in built)
        if passed:
            self.count(*built[0], evidence)
        self.result.score = Points(self.lab, passed, self.standing)
        self.result.state = ""

    def built(self, taken, evidence, kernel):
        folder = evidence / kernel
        folder.mkdir()
        try:
            return self.build(taken, folder, kernel)
        except NotBuilt as why:
            raise NotBuilt([f"on {kernel}: {message}" for message in why.messages]) from why

    def gate(self, bench, module, evidence):
        """Is it passed on this kernel?"""
        modules = asking.boards(bench.clean, module)
        for number, stage in enumerate(stages(self.lab, bench, self.result.seed), 1):
            self.stages.append(stage)
            stage.ask(modules, evidence / bench.kernel / f"stage-{number}", self.publish)
            self.result.machines += stage.machines
            if stage.lost:
                return False
        return True

    def count(self, bench, module, evidence):
        tree = Tree(bench.kernel)
        try:
            with six(bench, module) as folder:
                counts = tree.count(self.lab.variant, evidence / "counts", folder)
            self.standing = Standing(counts, tree.variants, [p.points for p in self.lab.parts[1:]])
        except NotCounted as why:
            self.uncounted = str(why)

    def reports(self):
        result = self.result
        found = rows(self) if result.score else []
        data = json.loads(report.gradescope(result, found))
        data["leaderboard"] = leaderboard(self) if result.score else []
        data["extra_data"] |= {"title": self.title, "promises": self.lab.variant,
                               "measures": self.standing.measures[0] if self.standing else None}
        return (json.dumps(data, indent=1) + "\n", text(self),
                report.suite(result, [
                    (row["name"], 0, False, None if row["status"] == "passed" else
                     (f"{row['score']} of {row['max_score']} points", row["output"]))
                    for row in found]))


@contextlib.contextmanager
def six(bench, module):
    """A folder with the submission's module and the others of the tree."""
    with asking.evidence_folder("modules") as folder:
        for path in asking.boards(bench.clean, module):
            shutil.copy2(path, folder)
        yield folder


# --- what is said -----------------------------------------------------------------

def of_stage(stage):
    """A line, and how it was lost."""
    skipped = sum(job.verdict == "skip" for job in stage.tests)
    if not stage.lost:
        return [f"  ok   {stage.kernel}: {stage.title}"
                + (f"; {stage.good} tests, {skipped} of them skipped"
                   if len(stage.tests) > len(STRESS) else "")]
    return [f"  FAIL {stage.kernel}: {stage.title}; {stage.lost.test}, and {stage.good} of "
            f"{len(stage.tests)} were ok", "",
            *report.explain(stage.lost, stage.lab, command=False)]


def of_gate(grader):
    lines = [line for stage in grader.stages for line in of_stage(stage)]
    if grader.result.score.parts[grader.lab.parts[0].name]:
        return lines
    return lines + ["", "The gate is lost with its first failure: nothing else was asked, and "
                    "nothing was counted."]


def of_counts(grader):
    if grader.uncounted:
        return ["", f"It could not be counted: {grader.uncounted}"]
    if not grader.standing:
        return []
    return ["", *grader.standing.table(), "", "Somebody waits, or begins again:",
            *(f"  {cell}" for cell in grader.standing.disturbs())]


def text(grader):
    """report.txt"""
    result, lab = grader.result, grader.lab
    lines = report.beginning(result)
    if not result.score or result.refused:
        return "\n".join(lines) + "\n"
    score, title = result.score, grader.title or "A design without a title"
    lines += [f"{score.total}/{score.most}   "
              + "   ".join(f"{p.name} {score.parts[p.name]}/{p.points}" for p in lab.parts),
              *(f"  {p.name}  {p.title}" for p in lab.parts), "",
              f"{title}, with the promises of {lab.variant}",
              *of_gate(grader), *of_counts(grader), "",
              f"{result.seconds:.0f} s, {result.machines} machines, kernels {result.kernel}, seed "
              f"{result.seed}: with SEED={result.seed}, make grade draws the same again"]
    return "\n".join(lines) + "\n"


def rows(grader):
    """Of results.json: a table for each part."""
    score, parts = grader.result.score, grader.lab.parts
    output = {parts[0].name: "\n".join(of_gate(grader)),
              parts[1].name: "\n".join(of_counts(grader)).strip()}
    return [{"name": part.title, "number": part.name, "score": score.parts[part.name],
             "max_score": part.points, "visibility": "visible",
             "status": "passed" if score.parts[part.name] else "failed",
             "output": output.get(part.name, "")} for part in parts]


def leaderboard(grader):
    """Gradescope's; labs/leaderboard reads extra_data."""
    standing = grader.standing
    found = [{"name": "points", "value": grader.result.score.total, "order": "desc"},
             {"name": "title", "value": grader.title or "-"},
             {"name": "promises of", "value": grader.lab.variant}]
    for row in standing.rows() if standing else []:
        found.append({"name": row[0], "value": float(row[1]), "order": "asc"})
    return found
