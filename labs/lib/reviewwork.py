# SPDX-License-Identifier: GPL-2.0
"""reviewwork.py - what a student does with a lab of review, in a folder of his own"""

import fnmatch
import pathlib
import random
import time

import asking
import reviewgrading
from likeness import copies
from places import Refused, Trouble
from pool import RULE, Diff, Draw
from review import BOOTS, REVIEW, TESTS, Malformed, Matrix, Review
from submission import take
from trees import Sets, aloud, program

HELP = {
    "make": "compile {file}, as the grader does",
    "make check": "each test: with the tree, decoys, and the patch that it is about",
    "make check T=NAME": "one test, or several (T='g2_*'), once with each",
    "make hint": "the next hint",
    "make submit": "pack what is handed in",
}


class HandedOut(Diff):
    """One of the four, of which nobody here knows whether it is wrong."""

    wrong = True

    def __init__(self, path):
        try:
            super().__init__(path, path.read_text().partition(RULE)[2])
        except (OSError, UnicodeDecodeError) as error:
            raise Trouble(f"{path} cannot be read: {error}. make lab makes it again, in another "
                          "folder, with the SEED= that review.toml names") from error


class OfFolder:
    """The patches that lie in a student's folder, wherever they were drawn from."""

    def __init__(self, lab, path):
        self.four = [HandedOut(path / "patches" / f"{n}.patch") for n in range(1, 5)]
        mine = {patch.diff for patch in self.four}
        self.decoys = [p for p in Draw(lab, "any").pool
                       if not p.wrong and p.shown().partition(RULE)[2] not in mine]


def read(folder):
    """The review; a sentence where it cannot be understood."""
    try:
        taken = take(folder.path, folder.lab)
        return Review(taken.files)
    except Refused as why:
        raise Trouble(str(why)) from why
    except Malformed as why:
        raise Trouble("; ".join(why.messages)) from why


def compiled(bench, source):
    """The program, or nothing and what the compiler said."""
    return aloud(program, bench, TESTS, source)


def build(folder, bench):
    """What can be said without a machine."""
    review = read(folder)
    empty = [str(row.number) for row in review.rows if not row.verdict]
    if empty:
        print(f"  note: {REVIEW} has no verdict on patch {', '.join(empty)}")
    return 0 if compiled(bench, review.source) else 1


def check(folder, bench, pattern):
    """What each test says, with each tree that it is asked with."""
    review, start = read(folder), time.monotonic()
    tests = fnmatch.filter(review.tests, pattern or "*")
    if not tests:
        raise Trouble(f"no patch of {REVIEW} that is judged wrong names "
                      + (f"a test {pattern}" if pattern else "a test") + ", so there is nothing to "
                      "ask: write verdict = \"wrong\" and test = \"NAME\"")
    binary = compiled(bench, review.source)
    if not binary:
        return 1
    print("  ...  building the modules with each patch, once", flush=True)
    matrix = Matrix(review, OfFolder(folder.lab, folder.path), Sets(bench, folder.lab),
                    random.Random(f"check {review.seed}"))
    boots = matrix.plan(tests, 1 if pattern else BOOTS)
    with asking.evidence_folder("check") as place:
        for number, boot in enumerate(boots, 1):
            print(f"  ...  machine {number} of {len(boots)}", flush=True)
            try:
                matrix.ask(boot, bench.kernel, binary, pathlib.Path(place, str(number)))
            except asking.Alarm as why:
                raise Trouble(reviewgrading.UNKNOWN if "is no plan" in str(why) else
                              f"a test must print nothing that looks like a verdict: {why}") from why
    good = [test for test in tests if told(matrix, test)]
    for sentence in copies(review.source.decode()):
        print(f"  note: {sentence}")
    print(f"\n{len(good)} of {len(tests)} tests tell their patch from the tree, "
          f"{time.monotonic() - start:.0f} s. Whether your verdicts are right is not said here.")
    return 0 if len(good) == len(tests) else 1


def told(matrix, test):
    """Prints what came of a test; did it do what it shall?"""
    numbers = [row.number for row in matrix.review.rows if row.asked == test]
    print(f"\n{test}")
    for subject in matrix.subjects() + numbers:
        jobs = matrix.jobs.get((test, subject), [])
        name = f"patch {subject}" if subject in numbers else subject
        print(f"  {name:8}  {', '.join(job.verdict for job in jobs) or 'not asked any more'}")
    fault = matrix.fault(test)
    if fault:
        print(f"  FAIL it fails with {fault[1]}, where nothing is broken:")
        print("\n".join(reviewgrading.explained(fault[0])))
        return False
    missed = [number for number in numbers if not matrix.always(number)]
    for number in missed:
        print(f"  FAIL it does not fail each time with patch {number}")
    return not missed
