# SPDX-License-Identifier: GPL-2.0
"""grading.py - one submission, from the file to its points"""

import hashlib
import json
import pathlib
import random
import shutil
import time

import answers
import asking
import drawn
import frozen
import gate
import machine
import mending
import report
from box import Bench, NotBuilt
from places import BUILD, LABS, OUT, ROOT, Refused, Trouble, source_files
from scores import Score
from submission import take

CANARY_EACH = 8
SILENT = {"hang": "insmod did not return: does my_mmu_init() come to an end?",
          "crash": "the kernel went down while the module was loaded:",
          "refused": "the kernel refuses to load the module:"}


class Result:
    """What there is to report, at any time."""

    def __init__(self, lab, kernel, seed):
        self.lab, self.kernel, self.seed = lab, kernel, seed
        self.jobs, self.score, self.drawn = {}, None, None
        self.state, self.messages, self.refused = "not finished", [], ""
        self.notes = [lab.drafted] if lab.draft else []
        self.hints = None  # how many were taken, if the submission says so
        self.key, self.seconds, self.machines, self.finished = "", 0.0, 0, False

    @property
    def total(self):
        return (self.score.total if self.score else 0) + (self.drawn.points if self.drawn else 0)

    @property
    def most(self):
        return self.score.most + (self.drawn.most if self.drawn else 0)


def digest_of(paths):
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def guest_key():
    """Of what runs in a guest, and how: good for what was measured there."""
    return digest_of(source_files(ROOT) + [BUILD / "bin/mmu-tests", BUILD / "bin/look",
                                           BUILD / "bin/workload",
                                           ROOT / "vm/run", ROOT / "vm/qemu.py"])


def tree_key():
    """Of all that a grade depends on."""
    return guest_key() + digest_of(sorted(p for p in LABS.rglob("*")
                                          if p.suffix in (".py", ".toml", ".c", ".patch")))


class Reference:
    """What the solution needs on this machine: seconds and checks of each test."""

    def __init__(self, lab, bench, tests=None, stop=None):
        """tests: those that will be asked about, if not all"""
        self.lab, self.bench, self.stop = lab, bench, stop
        self.file = OUT / f"reference-{lab.mark}-{bench.kernel}.json"
        self.key = guest_key()
        try:
            key, self.tests = json.loads(self.file.read_text())
        except (OSError, ValueError):
            key, self.tests = None, {}
        if key != self.key:
            self.tests = {}
        unknown = [test for test in tests or lab.tests if test not in self.tests]
        if unknown:
            self.measure(unknown)

    def measure(self, tests):
        lab, limits = self.lab, own_limits(self.lab, tests)
        jobs = [asking.Job(lab.variant, test, limits[test]) for test in tests]
        with asking.evidence_folder("reference") as folder:
            guests = asking.Patient(self.bench.kernel, self.modules(), pathlib.Path(folder),
                                    test_seed=drawn.number("reference"), stop=self.stop)
            guests.ask(jobs)
            bad = [job for job in jobs if job.verdict not in ("ok", "skip")]
            if bad:
                keep = OUT / f"reference-{lab.mark}-failed"
                shutil.rmtree(keep, ignore_errors=True)
                shutil.copytree(folder, keep)
                raise Trouble("the solution itself does not pass "
                              + ", ".join(f"{j.test} ({j.verdict})" for j in bad[:4])
                              + f"; see {keep}")
        self.tests |= {job.test: [job.took, job.checks] for job in jobs}
        report.write(self.file, json.dumps([self.key, self.tests]))

    def modules(self):
        return asking.boards(self.bench.clean, self.bench.module(self.lab, self.bench.clean))

    def limit(self, test, own):
        """Four times what the solution took here, and something for a machine that is
        busy; never more than the test allows itself."""
        return min(own, int(5 + 4 * self.tests[test][0]))

    def checks(self, test):
        return max(1, self.tests[test][1])


def own_limits(lab, tests):
    """test -> the limit that it has in the suite; a sentence for a wrong name."""
    found = {test: limit for (_, test), limit in machine.plan([lab.variant], [])}
    unknown = [test for test in tests if test not in found]
    if unknown:
        raise Trouble(f"{lab.name}/lab.toml names tests that do not exist: {', '.join(unknown)}")
    return found


def plan(lab, reference, seed, tests=None):
    """The jobs of a lab in their order, canaries among them."""
    limits, asked, jobs = own_limits(lab, tests or lab.tests), {}, []
    for test in tests or lab.tests:
        needed = asked.get(lab.needs.get(test))
        asked[test] = asking.Job(lab.variant, test, reference.limit(test, limits[test]),
                                 needed=needed)
        jobs.append(asked[test])
    if not tests:
        add_canaries(jobs, lab.tests, reference, seed)
    return jobs


def add_canaries(jobs, tests, reference, seed):
    """Twins of some of these tests, which must fail."""
    draw, asked = random.Random(seed), {job.test: job for job in jobs}
    for test in draw.sample(tests, max(1, len(tests) // CANARY_EACH)):
        turned = draw.randint(1, min(reference.checks(test), 8))
        jobs.insert(draw.randint(0, len(jobs)), asking.Job(
            asked[test].group, test, asked[test].limit, turned))


def check_canaries(jobs):
    for job in jobs:
        if job.turned and job.verdict == "ok":
            raise asking.Alarm(f"a test that must fail was reported as ok ({job.test}, check "
                               f"{job.turned}): the guest's verdicts are worth nothing")


class Grader:
    """One submission; what is known is on disk at any time. Without a seed, the lab
    says which."""

    draws = True  # where the lab has tests to draw

    def __init__(self, lab, path, out, seed, kernel):
        self.lab, self.path, self.out = lab, path, out
        self.result = Result(lab, kernel, seed)
        self.start = time.monotonic()

    def publish(self):
        self.result.seconds = time.monotonic() - self.start
        results, text, junit = self.reports()
        report.write(self.out / "results.json", results)
        report.write(self.out / "report.txt", text)
        report.write(self.out / "junit.xml", junit)

    def reports(self):
        """results.json, report.txt, junit.xml"""
        result = self.result
        return (report.gradescope(result, report.rows(result)), report.text(result),
                report.junit(result))

    def more_key(self, taken):
        """What else a grade of this kind depends on."""
        return (drawn.more_key(self.lab.drawn, self.result.kernel) if self.lab.drawn else
                frozen.state(self.lab, taken.main))

    def known(self):
        """Has exactly this been graded already?"""
        try:
            data = json.loads((self.out / "results.json").read_text())["extra_data"]
        except (OSError, ValueError, KeyError):
            return False
        return data["state"] in ("graded", "refused") and data["key"] == self.result.key

    def grade(self):
        """0: graded; 1: refused."""
        result, evidence = self.result, self.out / "evidence"
        try:
            taken = take(self.path, self.lab)
        except Refused as why:
            result.refused = str(why)
            self.publish()
            return 1
        result.seed = self.seed(taken)
        digest = hashlib.sha256(taken.data + f"{tree_key()} {self.lab.number} {result.seed} "
                                f"{result.kernel} {self.more_key(taken)}".encode())
        result.key = digest.hexdigest()
        result.notes += taken.notes + self.begun(taken)
        result.hints = taken.hints
        if self.known():
            return 1 if json.loads((self.out / "results.json").read_text())[
                "extra_data"]["state"] == "refused" else 0
        self.publish()
        shutil.rmtree(evidence, ignore_errors=True)
        evidence.mkdir()
        for name, data in taken.files.items():
            (evidence / name).write_bytes(data)
        try:
            self.judge(taken, evidence)
        except NotBuilt as why:
            result.state, result.messages = "It does not compile without a word:", why.messages
        except (Refused, asking.Alarm) as why:
            result.refused, result.score, result.drawn = str(why), None, None
        result.finished = True
        self.publish()
        return 1 if result.refused else 0

    def begun(self, taken):
        """Did its folder come with parts solved?"""
        todo = taken.state.get("todo")
        given = todo in [part.name for part in self.lab.parts[1:]] and self.lab.told(todo)
        return [f"its folder was handed out with {given[0]}"] if given else []

    def judge(self, taken, evidence):
        if self.lab.kind == "answers":
            self.compare(taken, evidence)
            return
        with drawn.Beside(lambda stop: self.ask_drawn(taken, evidence / "drawn", stop),
                          self.draws and self.lab.drawn) as beside:
            self.ask(*self.build(taken, evidence, self.result.kernel), evidence)
            if self.result.score:
                self.result.drawn = beside.outcome()

    def seed(self, taken):
        """As we were told; else as the submission says, or at random."""
        own = self.lab.seed_of(taken.main)
        if self.lab.kind == "answers" and self.result.seed not in (None, own):
            taken.notes.append(f"it was answered for the seed {own}, and is graded for "
                               f"{self.result.seed}")
        return self.result.seed or own

    def compare(self, taken, evidence):
        """Answers with what is true, and a program with what it does."""
        result, lab = self.result, self.lab
        if lab.frozen:
            result.notes.append(frozen.check(lab, taken.main))
        result.jobs, notes = answers.compare(taken.main.decode(), lab, result.seed,
                                             result.kernel, evidence)
        result.notes += notes
        if lab.program:
            result.jobs |= mending.judge(lab.program, taken.files, result.seed, result.kernel,
                                         evidence / "program")
        result.score = Score(self.lab, result.jobs)
        result.state = ""

    def build(self, taken, evidence, kernel):
        """The bench, free for others again, and our copy of the module."""
        bench = Bench(kernel)
        try:
            bench.prepare()
            module = bench.build(self.lab, taken.data)
            own = evidence / module.name
            shutil.copy2(module, own)
        finally:
            bench.close()
        gate.check(own, bench.clean, self.lab)
        self.result.notes += [note for note in gate.notes(own) if note not in self.result.notes]
        return bench, own

    def ask(self, bench, module, evidence):
        result, lab = self.result, self.lab
        jobs = plan(lab, Reference(lab, bench), result.seed)
        self.ask_jobs(jobs, asking.Asking(result.kernel, asking.boards(bench.clean, module),
                                          evidence))

    def ask_jobs(self, jobs, guests):
        """What is earned is counted and published behind each machine: it stays if we
        are stopped."""
        result = self.result
        result.jobs = {job.test: job for job in jobs if not job.turned}

        def so_far():
            self.count(jobs, guests)
            self.publish()

        guests.after_each = so_far
        guests.ask(jobs)
        self.count(jobs, guests)

    def count(self, jobs, guests):
        result = self.result
        result.machines = len(guests.machines)
        check_canaries(jobs)
        if guests.silent:
            result.score, result.state = None, SILENT[guests.silent]
            result.messages = next(iter(result.jobs.values())).notes[-6:]
            return
        result.score = Score(self.lab, result.jobs, len(guests.wrecks))
        result.state = ""

    def ask_drawn(self, taken, evidence, stop):
        """What a seed draws of more tests, on another kernel."""
        lab, seed, pool = self.lab, self.result.seed, self.lab.drawn
        kernel = pool.kernel_beside(self.result.kernel)
        outcome = drawn.Outcome(lab, kernel, seed)
        if answers.missing(kernel):
            return outcome.not_asked()
        evidence.mkdir()
        try:
            bench, module = self.build(taken, evidence, kernel)
        except NotBuilt as why:
            return outcome.not_built(why.messages)
        reference = Reference(lab, bench, pool.all, stop)
        tests = pool.tests(seed)
        jobs = plan(lab, reference, seed, tests)
        outcome.jobs = list(jobs)
        add_canaries(jobs, [t for t in tests if t not in pool.always], reference, f"drawn {seed}")
        guests = asking.Asking(kernel, asking.boards(bench.clean, module), evidence,
                               trouble_s=drawn.TROUBLE_S, test_seed=drawn.number(seed), stop=stop)
        guests.ask(jobs)
        check_canaries(jobs)
        return outcome.judge(evidence)
