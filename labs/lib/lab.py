# SPDX-License-Identifier: GPL-2.0
"""lab.py - what a lab is: lab.toml, stubs.c, and the hand-out made of them"""

import re
import tomllib

from definitions import Unknown, cut, definitions, find, replace, without_markers
from places import LABS, ROOT, Trouble

FILE = "my_mmu.c"


class Part:
    """Some points, and the tests that earn them."""

    def __init__(self, table):
        self.name, self.title = table["name"], table["title"]
        self.points, self.tests = table["points"], table["tests"]


class Lab:
    """A lab by its folder."""

    def __init__(self, folder):
        self.dir = folder
        try:
            table = tomllib.loads((folder / "lab.toml").read_text())
            self.number, self.title = table["number"], table["title"]
            self.variant, self.chapter = table["variant"], table["chapter"]
            self.hours = table["hours"]
            self.parts = [Part(part) for part in table["parts"]]
        except (OSError, tomllib.TOMLDecodeError, KeyError) as error:
            raise Trouble(f"{folder.name}/lab.toml cannot be used: {error}") from error
        self.draft = table.get("draft", False)
        self.handout_of = table.get("handout_of")
        self.cuts = table.get("cuts", {})
        self.waits = table.get("waits")
        self.regressions = table["regressions"]["tests"]
        self.needs = table.get("needs", {})

    @property
    def name(self):
        return self.dir.name

    @property
    def source(self):
        """The solution, below ROOT."""
        return f"variants/{self.variant}/{FILE}"

    @property
    def tests(self):
        """All that are asked: those of the parts, then the others."""
        return [t for part in self.parts for t in part.tests] + self.regressions

    def part_of(self, test):
        return next((part for part in self.parts if test in part.tests), None)

    def solution(self):
        return (ROOT / self.source).read_text()

    def stubs(self):
        """Name -> code, comment and all."""
        path = self.dir / "stubs.c"
        text = path.read_text()
        found = {d.name: cut(text, d) for d in definitions(text)
                 if d.body and d.name != "head"}
        if set(found) != set(self.cuts):
            odd = ", ".join(sorted(set(found) ^ set(self.cuts)))
            raise Trouble(f"{path.relative_to(ROOT)} and the cuts of lab.toml differ in: {odd}")
        return found

    def handout(self, todo=None):
        """What a student begins with; the parts before TODO are solved."""
        names = [part.name for part in self.parts]
        if todo and todo not in names:
            raise Trouble(f"TODO={todo}: lab {self.number} has the parts {', '.join(names)}")
        if self.handout_of:
            if todo:
                raise Trouble(f"TODO=: lab {self.number} has no parts that can be given solved; "
                              "its hand-out is a neighbour's file")
            return self.neighbour()
        text, where = self.solution(), self.source
        try:
            for name, code in (self.stubs() if self.cuts else {}).items():
                if not todo or max(self.cuts[name]) >= todo:
                    text = replace(text, name, code, where)
        except Unknown as unknown:
            raise Trouble(f"lab {self.number} cannot be cut: {unknown}") from unknown
        return without_markers(text)

    def neighbour(self):
        """Another variant's file under this one's name."""
        text = (ROOT / "variants" / self.handout_of / FILE).read_text()
        text, n = re.subn(rf'(\.name\s*=\s*)"{self.handout_of}"', rf'\1"{self.variant}"', text)
        if n != 1:
            raise Trouble(f"variants/{self.handout_of}/{FILE} does not say its name once")
        return without_markers(text)

    def secrets(self):
        """The bodies that no hand-out may hold."""
        text = self.solution()
        return {name: cut(text, find(text, name, self.source)) for name in self.cuts}


def all_labs():
    return sorted((Lab(p.parent) for p in LABS.glob("[0-9][0-9]-*/lab.toml")),
                  key=lambda lab: lab.number)


def by_number(word):
    for lab in all_labs():
        if word in (str(lab.number), f"{lab.number:02}", lab.name):
            return lab
    there = ", ".join(f"{lab.number} ({lab.title})" for lab in all_labs())
    raise Trouble(f"there is no lab {word!r}; there are {there}")
