# SPDX-License-Identifier: GPL-2.0
"""scores.py - points for verdicts

A part earns its points in proportion to its tests that are ok. A race that did
not come about earns nothing, for nothing is known of what it was to test: if it
did for a submission that sleeps nowhere, nobody would have to get the rest right.
Where a lab names the part whose rule makes a populate wait, the report says that
this part comes first.

What must be ok already on the hand-out earns nothing, and costs if it is lost.
A machine that was taken down costs once, whatever else is right.

A prediction may be half right, and is worth half.
"""

LOST, LOST_AT_MOST = 2, 10  # for a regression; for all of them
WRECK = 10
HALVES = {"ok": 2, "half": 1}  # of what a test is worth


def halves(job):
    return HALVES.get(job.verdict, 0)


def share(points, jobs):
    """As many of POINTS as there are jobs that are ok; of those half right, half."""
    asked = [job for job in jobs if job.verdict != "skip"]
    return points * sum(map(halves, asked)) // (2 * len(asked)) if asked else 0


class Score:
    """What a submission has earned, and why."""

    def __init__(self, lab, verdicts, wrecks=0):
        """verdicts: test -> Job"""
        self.lab, self.verdicts = lab, verdicts
        self.never_waits = [t for t in lab.tests if self.unasked(t)]
        self.parts = {part.name: self.of_part(part) for part in lab.parts}
        # What has no verdict yet is not lost yet
        self.lost = [t for t in lab.regressions if verdicts[t].verdict not in (None, "ok", "skip")]
        self.regressions = -min(LOST * len(self.lost), LOST_AT_MOST)
        self.wreck = -WRECK if wrecks else 0
        self.most = lab.points
        self.total = max(0, sum(self.parts.values()) + self.regressions + self.wreck)

    def unasked(self, test):
        """For lack of a populate that waits, not of a test point: that a design may do
        without one is for a human to judge."""
        job = self.verdicts[test]
        return bool(self.lab.waits) and (job.verdict, job.detail) == ("not reached", "wait")

    def of_part(self, part):
        return share(part.points, [self.verdicts[t] for t in part.tests])

    def of_test(self, test):
        """(points, most): parts of points, so that a table adds up to the part."""
        part = self.lab.part_of(test)
        if not part:
            return (-LOST if test in self.lost else 0), 0
        most = round(part.points / len(part.tests), 2)
        return most * halves(self.verdicts[test]) / 2, most
