# SPDX-License-Identifier: GPL-2.0
"""board.py - results of an open lab, in the order of their points"""

import json

from places import Trouble

WIDTHS = "{:>5} {:>6}  {:>6} {:>6} {:>4}  {:<10} {}"
HEAD = WIDTHS.format("", "points", "A", "B", "C", "promises", "")


class Entry:
    """One of them: graded, with measures unless its gate was lost; or not."""

    def __init__(self, path):
        data = json.loads(path.read_text())
        extra = data["extra_data"]
        self.of_open_lab = "promises" in extra
        self.state, self.points = extra["state"], data["score"]
        self.measures = extra.get("measures")
        self.promises = extra.get("promises", "")
        self.folder, self.title = path.parent.name, extra.get("title", "")
        self.why = data["output"].partition("\n")[0]

    @property
    def name(self):
        return f"{self.title} ({self.folder})" if self.title else self.folder

    def line(self, rank):
        a, b, c = (("-",) * 3 if not self.measures else
                   (*(f"{m:.3f}" for m in self.measures[:2]), self.measures[2]))
        return WIDTHS.format(rank, self.points, a, b, c, self.promises, self.name)


class Board:
    """All that lies in some folders."""

    def __init__(self, folders):
        self.entries, self.broken, self.others = [], [], 0
        folders = list(folders)
        for path in sorted(path for folder in folders for path in folder.rglob("results.json")):
            try:
                entry = Entry(path)
            except (OSError, ValueError, KeyError, TypeError):
                self.broken.append(path.parent.name)
                continue
            if entry.of_open_lab:
                self.entries.append(entry)
            else:
                self.others += 1
        if not self.entries:
            raise Trouble(f"there is no result of an open lab in {', '.join(map(str, folders))}; "
                          "make grade-all LAB=8 DIR=submissions makes some")

    def ranked(self):
        """(rank, entry); who has as many points as another one shares the better rank."""
        graded = sorted((e for e in self.entries if e.state == "graded"),
                        key=lambda e: (-e.points, e.name))
        points = [e.points for e in graded]
        return [(("=" if points.count(e.points) > 1 else "") + str(points.index(e.points) + 1), e)
                for e in graded]

    def lines(self):
        yield HEAD
        yield from (entry.line(rank) for rank, entry in self.ranked())
        for entry in self.entries:
            if entry.state != "graded":
                yield f"{entry.state}: {entry.name}: {entry.why}"
        if self.broken:
            yield f"cannot be read: {', '.join(self.broken)}"
        if self.others:
            yield f"{self.others} results are of labs without a leaderboard"
