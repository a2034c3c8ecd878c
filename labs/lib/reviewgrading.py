# SPDX-License-Identifier: GPL-2.0
"""reviewgrading.py - one submission of a lab of review, from the files to the points"""

import random
import shutil

import asking
import grading
import report
from box import Bench, NotBuilt
from likeness import copies
from picture import Picture
from places import Refused
from pool import Draw
from review import REVIEW, TESTS, Malformed, Matrix, Points, Review
from trees import Sets, program

UNKNOWN = (f"the program that {TESTS} makes lacks a test that {REVIEW} names. Is it behind an #if, "
           "or in a comment?")
LINES, WIDTH = 40, 160  # of what a guest says, in a report
WORDS = {"failed": "a check failed", "time-out": "out of time", "crash": "the machine went down",
         "hang": "the machine hung", "not reached": "the interleaving did not come about"}


class Grader(grading.Grader):
    """What differs from a lab of code."""

    matrix, order = None, ""

    def more_key(self, taken):
        """An instructor's patches are no part of the tree."""
        return Draw(self.lab, "any").key()

    def judge(self, taken, evidence):
        result = self.result
        try:
            review = Review(taken.files)
        except Malformed as why:
            result.state, result.messages = "It cannot be understood:", why.messages
            return
        self.order, result.seed = result.seed, review.seed
        drawn = Draw(self.lab, review.seed)
        if drawn.mark(drawn.texts()) != review.mark:
            raise Refused(f"its four patches are not those that this tree draws for the seed "
                          f"{review.seed}. Was the lab made from another commit, or with another "
                          "PRIVATE=? Or were seed = and patches = edited?")
        result.notes += copies(review.source.decode())
        self.matrix = Matrix(review, drawn, None, random.Random(f"matrix {self.order}"))
        result.score = Points(self.lab, self.matrix)
        result.state = ""
        try:
            if review.tests:
                self.ask(evidence)
        except asking.Alarm as why:
            result.score = None  # who lies about a test is believed in nothing
            if "is no plan" not in str(why):
                raise
            result.state, result.messages = "Its tests cannot be asked:", [UNKNOWN]

    def ask(self, evidence):
        matrix, result = self.matrix, self.result
        bench = Bench(result.kernel)
        try:
            bench.prepare()
            binary = evidence / "tests"
            shutil.copy2(program(bench, TESTS, matrix.review.source), binary)
            matrix.sets = Sets(bench, self.lab)
            boots = matrix.plan()
        except NotBuilt as why:
            matrix.unbuilt = why.messages
            return
        finally:
            bench.close()
        self.write_down(boots, evidence)
        for number, boot in enumerate(boots, 1):
            result.machines += matrix.ask(boot, result.kernel, binary,
                                          evidence / f"boot-{number:02}")
            result.score = Points(self.lab, matrix)
            self.publish()

    def write_down(self, boots, evidence):
        """For people: which patches these were, and in which order all was asked."""
        drawn = self.matrix.drawn
        lines = [f"patch {n}: {p.name}, {' '.join(sorted(p.guarantees)) or 'harmless'}"
                 for n, p in enumerate(drawn.four, 1)]
        lines += [f"decoy {n}: {p.name}" for n, p in enumerate(self.matrix.decoys, 1)]
        lines += [f"boot {n}: {f'patch {b.subject}' if b.subject in range(1, 5) else b.subject}"
                  for n, b in enumerate(boots, 1)]
        report.write(evidence / "draw.txt", "".join(f"{line}\n" for line in lines))

    def reports(self):
        result = self.result
        found = rows(self.lab, self.matrix, result.score) if result.score else []
        return (report.gradescope(result, found), text(result, self.matrix, self.order),
                report.suite(result, [
                    (row["name"], 0, False, None if row["status"] == "passed" else
                     (f"{row['score']} of {row['max_score']} points", row["output"]))
                    for row in found]))


def cleaned(lines):
    """What a guest says is for the screens of others, too."""
    return ["".join(c if c.isprintable() else "?" for c in line)[:WIDTH] for line in lines[:LINES]]


def explained(job):
    """How a test failed."""
    where, expected, seen = report.first_failure(job.notes)
    lines = [f"FAIL {job.test}    {WORDS[job.verdict]}"]
    if expected:
        lines += [f"  expected  {expected}", f"  seen      {seen}", f"  at        {where}"]
    else:
        lines += [f"  seen      {line}" for line in report.told(job)]
    return cleaned(lines + ["  " + line for line in Picture(job.notes).draw()])


def sentence(matrix, score, number):
    """What came of one patch."""
    row = matrix.review.rows[number - 1]
    if not row.verdict:
        return "no verdict"
    said = f"judged {row.verdict}" + (f", {row.guarantee}" if row.guarantee else "")
    if not row.why:
        said += "; why = is empty, so the verdict earns nothing"
    if row.verdict == "right":
        return said
    if not row.test:
        return f"{said}; no test"
    if matrix.unbuilt:
        return f"{said}; {row.test} was not asked"
    if row.test in score.faults:
        return f"{said}; {row.test} fails where nothing is broken, so it proves nothing"
    times, asked = matrix.caught(number)
    return f"{said}; {row.test} failed with it {times} of {asked} times, and not without"


def failures(matrix, score):
    """Of each test that fails where it must not: how."""
    lines = []
    for test in score.faults:
        job, subject = matrix.fault(test)
        lines += ["", *explained(job), f"  with      {subject}"]
    return lines


def unbuilt(matrix):
    return [f"{TESTS} does not compile without a word, so no test was asked:",
            *[f"  {m}" for m in cleaned(matrix.unbuilt)]] if matrix.unbuilt else []


def text(result, matrix, order):
    """report.txt"""
    lab, score = result.lab, result.score
    lines = report.beginning(result)
    if not score or result.refused:
        return "\n".join(lines) + "\n"
    lines += [f"{score.total}/{score.most}   "
              + "   ".join(f"{p.name} {score.parts[p.name]}/{p.points}" for p in lab.parts)
              + (f"   tests that are wrong {score.lost}" if score.lost else "")]
    lines += [f"  {part.name}  {part.title}" for part in lab.parts] + [""]
    lines += unbuilt(matrix)
    lines += [f"patch {n}  {sentence(matrix, score, n)}" for n in range(1, 5)]
    lines += failures(matrix, score)
    lines += ["", f"{result.seconds:.1f} s, {result.machines} machines, kernel {result.kernel}, "
              f"patches of seed {result.seed}, decoys of seed {order}"]
    return "\n".join(lines) + "\n"


def rows(lab, matrix, score):
    """Of results.json: a table for each part. Which patch is wrong is not said."""
    output = "\n".join(unbuilt(matrix)
                       + [f"patch {n}: {sentence(matrix, score, n)}" for n in range(1, 5)]
                       + failures(matrix, score))
    return [{"name": part.title, "number": part.name, "score": score.parts[part.name],
             "max_score": part.points, "visibility": "visible",
             "status": "passed" if score.parts[part.name] == part.points else "failed",
             "output": output if part is lab.parts[0] else ""} for part in lab.parts]
