# SPDX-License-Identifier: GPL-2.0
"""review.py - what is handed in for a lab of review: verdicts on four patches, and tests

The file that is compiled runs as root in the guest, in the program that prints the
verdicts. So it may say of each test what it likes; what it does not know is which
modules it is asked with.
"""

import json
import re
import shutil
import tomllib

import asking
from answers import good_seed
from places import Trouble
from pool import DECOYS, GUARANTEE, Draw

REVIEW, TESTS = "review.toml", "t-lab9.c"
FIELDS = ("verdict", "guarantee", "test", "why")
TEST = re.compile(r"^TEST\((\w{1,60}),\s*(\d{1,4})\)", re.M | re.A)
LIMIT_S = 20  # how long a test may take, whatever it says itself
TROUBLE_S = 240  # of one boot; three tests that never end, each asked twice
BOOTS = 3
PADDING = range(4096, 5 * 4096, 8)
TREE = "tree"
PASSED, UNKNOWN = ("ok", "skip"), ("not asked", None)

HEAD = """\
# SPDX-License-Identifier: GPL-2.0
# Lab {number}: what you say of each patch. Each field is text in quotes.
# These two lines say which patches you have; leave them as they are.
seed = {seed}
patches = "{mark}"
"""
ROW = """
[patch-{number}]
verdict = ""    # "right" or "wrong"
guarantee = ""  # of a wrong one: which it breaks, "G1" to "G10"
test = ""       # of a wrong one: the TEST() in {tests} that fails with it
why = ""        # a sentence; without it, the verdict earns nothing
"""


class Malformed(Exception):
    """It cannot be understood. messages: why, line by line."""

    def __init__(self, messages):
        super().__init__("; ".join(messages))
        self.messages = messages


def handout(lab, seed):
    """Name -> text of what a student begins with."""
    drawn = Draw(lab, seed)
    texts = drawn.texts()
    text = HEAD.format(number=lab.number, seed=json.dumps(seed), mark=drawn.mark(texts))
    text += "".join(ROW.format(number=n, tests=TESTS) for n in range(1, 5))
    files = {TESTS: (lab.dir / TESTS).read_text(), REVIEW: text}
    return files | {f"patches/{n}.patch": text for n, text in enumerate(texts, 1)}


class Row:
    """What is said of one patch."""

    def __init__(self, number, table):
        self.number = number
        for field in FIELDS:
            setattr(self, field, table.get(field, "").strip())
        self.verdict, self.guarantee = self.verdict.lower(), self.guarantee.upper()

    def complaints(self, tests):
        where = f"[patch-{self.number}]"
        if self.verdict not in ("", "right", "wrong"):
            yield f"{where} verdict = {self.verdict[:60]!r}: it is \"right\" or \"wrong\""
        if self.guarantee and not GUARANTEE.fullmatch(self.guarantee):
            yield f"{where} guarantee = {self.guarantee[:60]!r}: they are \"G1\" to \"G10\""
        if self.test and self.test not in tests:
            yield (f"{where} test = {self.test[:60]!r}: {TESTS} has no such TEST(NAME, SECONDS) at the "
                   "beginning of a line")

    @property
    def asked(self):
        """The test that shall fail with this patch."""
        return self.test if self.verdict == "wrong" else ""


class Review:
    """review.toml and t-lab9.c."""

    def __init__(self, files):
        self.source = files[TESTS]
        self.limits = {name: min(LIMIT_S, max(1, int(limit))) for name, limit in
                       TEST.findall(self.source.decode())}
        try:
            table = tomllib.loads(files[REVIEW].decode())
        except (ValueError, RecursionError) as error:
            raise Malformed([f"{REVIEW} is no TOML: {error}"]) from error
        tables = [table.get(f"patch-{n}", {}) for n in range(1, 5)]
        self.seed, self.mark = table.get("seed"), table.get("patches")
        if not good_seed(self.seed) or not isinstance(self.mark, str):
            raise Malformed([f"{REVIEW} does not say which patches it is about: put the lines "
                             "seed = and patches = back as make lab wrote them"])
        odd = [f"[patch-{n}] {field} is no text in quotes" for n, t in enumerate(tables, 1)
               for field in FIELDS if not isinstance(t, dict) or not isinstance(
                   t.get(field, ""), str)]
        if odd:
            raise Malformed(odd)
        self.rows = [Row(n, t) for n, t in enumerate(tables, 1)]
        odd = [c for row in self.rows for c in row.complaints(self.limits)]
        if odd:
            raise Malformed(odd)

    @property
    def tests(self):
        """Those that a patch names, once each."""
        return list(dict.fromkeys(row.asked for row in self.rows if row.asked))


class Guest(asking.Machine):
    """A machine that has the suite's program with the student's tests."""

    program, binary = "/student-tests", None

    def layer(self):
        layer = super().layer()
        shutil.copy2(self.binary, layer / self.program.lstrip("/"))
        return layer


class Asking(asking.Asking):
    """Tests that are not ours may end the machine, and that is no failure of ours."""

    def judge_end(self, guest, before, todo, rest, again):
        try:
            super().judge_end(guest, before, todo, rest, again)
        except Trouble:
            if not guest.loaded or not todo or guest.status in (130, 143):
                raise
            job = todo.pop(0)
            job.verdict, job.machine = "crash", guest.number
            job.notes = rest + ["the machine ended in the middle of this test"]
            again.append(job)


class Boot:
    """One machine: modules, and the tests that are asked with them."""

    def __init__(self, subject, modules, tests):
        self.subject, self.modules, self.tests = subject, modules, tests


class Matrix:
    """Each test, with the tree, with decoys, and with the patch that it is about."""

    def __init__(self, review, drawn, sets, draw):
        self.review, self.drawn, self.sets, self.draw = review, drawn, sets, draw
        self.decoys = draw.sample(drawn.decoys, DECOYS)
        self.padding = [0] + [draw.choice(PADDING) for _ in range(BOOTS - 1)]
        self.jobs = {}  # (test, subject) -> its jobs
        self.unbuilt = []  # what the compiler said of the tests

    def subjects(self):
        """What a test must pass with, then what it shall fail with."""
        return [TREE] + [f"decoy {n}" for n in range(1, len(self.decoys) + 1)]

    def plan(self, only=None, boots=BOOTS):
        """The boots in their order. A patch alone is not put beside a decoy, which could
        mend what it breaks; sizes and addresses give nothing away all the same."""
        tests = [test for test in self.review.tests if test in (only or self.review.tests)]
        found = []
        for number, subject in enumerate(self.subjects() if tests else []):
            patches = self.decoys[number - 1:number] if number else []
            modules = self.sets.modules(patches, self.padding[number])
            found += [Boot(subject, modules, tests) for _ in range(boots)]
        for row in self.review.rows:
            if row.asked in tests:
                found += [Boot(row.number, self.sets.modules([self.drawn.four[row.number - 1]],
                                                             padding), [row.asked])
                          for padding in self.padding[:boots]]
        self.draw.shuffle(found)
        return found

    def fault(self, test):
        """(job, subject) in which it failed without a patch that breaks anything."""
        subjects = {s: f"the {s}" if s == TREE else f"{s}, a patch that breaks nothing"
                    for s in self.subjects()}
        subjects |= {n: f"patch {n}" for n, p in enumerate(self.drawn.four, 1) if not p.wrong}
        return next(((job, name) for subject, name in subjects.items()
                     for job in self.jobs.get((test, subject), [])
                     if job.verdict not in PASSED + UNKNOWN), None)

    def ask(self, boot, kernel, binary, folder):
        """How many machines it took. What has failed where it must not is asked no more."""
        jobs = [asking.Job(self.sets.lab.variant, test, self.review.limits[test])
                for test in boot.tests if not self.fault(test)]
        if not jobs:
            return 0
        self.draw.shuffle(jobs)
        folder.mkdir()
        guests = Asking(kernel, boot.modules, folder, TROUBLE_S)
        guests.make = type("Student", (Guest,), {"binary": binary})
        guests.ask(jobs)
        if guests.silent:
            raise Trouble(f"the modules could not be loaded ({boot.subject}); see {folder}")
        for job in jobs:
            self.jobs.setdefault((job.test, boot.subject), []).append(job)
        return len(guests.machines)

    def caught(self, number):
        """(how often the test of this patch has failed with it, how often it was asked)"""
        test = self.review.rows[number - 1].asked
        jobs = self.jobs.get((test, number), [])
        return sum(job.verdict not in PASSED + UNKNOWN for job in jobs), len(jobs)

    def always(self, number):
        times, asked = self.caught(number)
        return asked > 0 and times == asked


class Points:
    """What a review has earned, part by part."""

    TEST, SOMETIMES, FAULT = 15, 8, 10
    HARMLESS, BLIND = 10, 5

    def __init__(self, lab, matrix):
        self.matrix, self.rows = matrix, matrix.review.rows
        self.four = matrix.drawn.four
        names = [part.name for part in lab.parts]
        self.most = sum(part.points for part in lab.parts)
        guarantees = next(part.points for part in lab.parts if part.name == names[2])
        self.faults = [t for t in matrix.review.tests if matrix.fault(t)]
        named = sum(self.named(n) for n in range(1, 5))
        self.parts = {
            names[0]: sum(self.of_test(n) for n in range(1, 5)),
            names[1]: self.of_harmless(),
            names[2]: guarantees * named // sum(p.wrong for p in self.four)}
        self.lost = -self.FAULT * len(self.faults)
        self.total = max(0, sum(self.parts.values()) + self.lost)

    def of_test(self, number):
        row = self.rows[number - 1]
        if not self.four[number - 1].wrong or not row.asked or row.asked in self.faults:
            return 0
        if self.matrix.always(number):
            return self.TEST
        return self.SOMETIMES if self.matrix.caught(number)[0] else 0

    def named(self, number):
        """Is it judged wrong, for the guarantee that it breaks, with a reason?"""
        row, patch = self.rows[number - 1], self.four[number - 1]
        return (row.verdict == "wrong" and row.guarantee in patch.guarantees
                and bool(row.why))

    def harmless(self, number):
        row = self.rows[number - 1]
        return row.verdict == "right" and bool(row.why)

    def of_harmless(self):
        """Who calls everything right has not looked."""
        blind = sum(row.verdict == "right" and patch.wrong
                    for row, patch in zip(self.rows, self.four))
        good = any(self.harmless(n) for n in range(1, 5) if not self.four[n - 1].wrong)
        return max(0, (self.HARMLESS - self.BLIND * blind) if good else 0)
