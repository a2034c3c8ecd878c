# SPDX-License-Identifier: GPL-2.0
"""drawn.py - tests that a seed draws, asked on another kernel beside the others

Whoever hands in knows the pool (lab.toml), but neither which of its tests are
drawn, nor the seed that the fuzzer and the stress begin with.
"""

import concurrent.futures
import hashlib
import os
import random
import threading

import report
from answers import missing
from places import Trouble
from scores import share

TROUBLE_S = 20  # how much time may be lost to tests that wreck their machines
OTHER = "6.12"  # where the visible tests run on the kernel of the drawn ones
GOOD = ("ok", "skip")


class Pool:
    """The table [drawn] of a lab."""

    def __init__(self, table):
        self.points, self.kernel, self.draw = table["points"], table["kernel"], table["draw"]
        self.drawable, self.always = table["tests"], table.get("always", [])

    @property
    def all(self):
        return self.drawable + self.always

    def tests(self, seed):
        """Some of them in their order, and all that take the seed themselves."""
        chosen = random.Random(f"drawn {seed}").sample(self.drawable, self.draw)
        return [t for t in self.drawable if t in chosen] + self.always

    def kernel_beside(self, visible):
        return OTHER if visible == self.kernel else self.kernel

    def most(self, visible):
        """Points that there are on this machine."""
        return 0 if missing(self.kernel_beside(visible)) else self.points


def number(seed):
    """The seed of the tests of chance: 60 bits, and not 0."""
    return int(hashlib.sha256(f"drawn {seed}".encode()).hexdigest()[:15], 16) or 1


def shows():
    """Are drawn tests to be named?"""
    word = os.environ.get("DRAWN") or ""
    if word not in ("", "show"):
        raise Trouble(f"DRAWN={word}: it can be show, or nothing")
    return word == "show"


def more_key(pool, visible):
    """What a grade depends on besides."""
    return f"{shows()} {missing(pool.kernel_beside(visible))}"


class Outcome:
    """What came of the drawn tests."""

    def __init__(self, lab, kernel, seed):
        self.lab, self.kernel, self.seed = lab, kernel, seed
        self.jobs, self.points, self.most = [], 0, lab.drawn.points
        self.why, self.messages = "", []

    def not_asked(self):
        self.most = 0
        self.why = (f"not asked, for kernel {self.kernel} is not on this machine; the score is of "
                    f"{self.lab.points}")
        return self

    def not_built(self, messages):
        self.why, self.messages = f"it does not compile on {self.kernel} without a word", messages
        return self

    def judge(self, folder):
        """Points; and for an instructor, which tests these were."""
        self.points = share(self.most, self.jobs)
        report.write(folder / "drawn.txt", "\n".join(
            [f"{job.verdict:12} {job.test}" for job in self.jobs] + self.explained()) + "\n")
        return self

    @property
    def bad(self):
        return [job for job in self.jobs if job.verdict not in GOOD]

    def explained(self):
        return [line for job in self.bad
                for line in ("", *report.explain(job, self.lab, command=False))]

    def sentence(self):
        """How many failed; which, is for after the deadline to say."""
        if self.why:
            return self.why
        return f"{len(self.bad)} of {len(self.jobs)} failed" if self.bad else "all are ok"

    def lines(self):
        """For report.txt."""
        points = f"{self.points}/{self.most} " if self.most else ""
        return [f"drawn {points}(kernel {self.kernel}, seed {self.seed}): {self.sentence()}",
                *[f"  {message}" for message in self.messages],
                *(self.explained() if shows() else [])]

    def row(self):
        """For results.json."""
        return {"name": f"drawn (kernel {self.kernel}, seed {self.seed})", "number": "drawn",
                "score": self.points, "max_score": self.most, "visibility": "visible",
                "status": "passed" if self.points == self.most else "failed",
                "output": "\n".join(self.lines())}

    def case(self):
        """For junit.xml."""
        good = self.points == self.most
        return "drawn", 0, not self.most, None if good else (self.sentence(),
                                                             "\n".join(self.lines()))


class Beside:
    """A thread of their own for the drawn tests; it is stopped where the grade ends
    without them."""

    def __init__(self, ask, wanted):
        self.stop, self.future = threading.Event(), None
        self.threads = concurrent.futures.ThreadPoolExecutor(1)
        if wanted:
            self.future = self.threads.submit(ask, self.stop)

    def __enter__(self):
        return self

    def outcome(self):
        return self.future.result() if self.future else None

    def __exit__(self, *_):
        self.stop.set()
        self.threads.shutdown()
