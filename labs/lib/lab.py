# SPDX-License-Identifier: GPL-2.0
"""lab.py - what a lab is: lab.toml, and the hand-out

Of most, the hand-out is made of the solution and stubs.c (CodeLab). In others,
answers are handed in (AnswersLab); a module draws the questions and finds the truth.
Or it is patches to judge, which are drawn as well (ReviewLab). Of an open lab there is
no solution: a design of one's own passes the suite, and is counted (OpenLab).
"""

import copy
import functools
import importlib
import re
import secrets
import tomllib

import answers
import machine
import review
from drawn import Pool
from definitions import Unknown, cut, definitions, find, replace, without_markers
from patches import VARIANTS
from places import LABS, ROOT, Refused, Trouble

FILE = "my_mmu.c"
NAME = re.compile(r'^\s*\.name\s*=\s*"([^"\n]+)"', re.M)
MARK = re.compile(r"^// Lab (\d+): ", re.M)  # what a hand-out says of itself
TITLE, TITLE_LINES, TITLE_LENGTH = re.compile(r"[\s/*]*Title:(.*?)(?:\*/)?\s*"), 40, 40


class Part:
    """Some points, and the tests that earn them."""

    def __init__(self, table):
        self.name, self.title = table["name"], table["title"]
        self.points, self.tests = table["points"], table.get("tests", [])
        self.hint = table.get("hint")  # the number of the one that is about it
        self.of_program = table.get("of_program", False)  # of a lab with answers


class Lab:
    """What labs of all kinds have."""

    waits, regressions, optional, frozen, drawn = None, [], [], False, None
    kernels = []  # it is graded on all of these; else on the one that is said

    def __init__(self, folder, table):
        self.dir = folder
        self.number, self.title = table["number"], table["title"]
        self.chapter, self.hours = table["chapter"], table["hours"]
        self.parts = [Part(part) for part in table["parts"]]
        self.draft = table.get("draft", False)

    @property
    def name(self):
        return self.dir.name

    @property
    def work(self):
        """Which commands a student's folder has."""
        return self.kind

    @property
    def tests(self):
        """All that are asked: those of the parts, then the others."""
        return [t for part in self.parts for t in part.tests] + self.regressions

    @property
    def points(self):
        return sum(part.points for part in self.parts)

    @property
    def files(self):
        """What is handed in."""
        return [self.file]

    def handouts(self, todo, seed):
        """Name -> text of what a student begins with."""
        return {self.file: self.handout(todo, seed)}

    def told(self, todo):  # pylint: disable=unused-argument
        """What there is to say of it when it is handed out."""
        return []

    def part_of(self, test):
        return next((part for part in self.parts if test in part.tests), None)

    def hints(self):
        return sorted((self.dir / "hints").glob("*.md"), key=lambda path: int(path.stem))

    @property
    def asked_on(self):
        """All kernels that a grade may ask."""
        other = ([self.drawn.kernel] if self.drawn else
                 [self.module.OLD] if hasattr(getattr(self, "module", None), "OLD") else [])
        return [*(self.kernels or ["6.12"]), *other]

    @property
    def drafted(self):
        """What is to be said of a draft, wherever it is used."""
        return (f"lab {self.number} is a draft: what fails on its hand-out and what mistakes cost "
                "has not been measured, so its points are no grade yet")

    def check_number(self, number):
        """What a hand-out's folder, or its file, says of itself."""
        if number != self.number:
            raise Refused(f"this is for another lab: it was made for lab {number}, and is graded "
                          f"as lab {self.number}")


def check_whole(lab, todo):
    """Of what has no stubs, nothing can be solved beforehand."""
    if todo:
        raise Trouble(f"TODO=: lab {lab.number} has no parts that can be given solved")


def check_draw(lab, todo, seed):
    """What is drawn by a seed has no parts."""
    check_whole(lab, todo)
    if not answers.good_seed(seed):
        raise Trouble(f"SEED={seed}: a seed is a word of letters, digits and . _ @ + -, with "
                      "64 of them at most")


class AnswersLab(Lab):
    """Answers to questions that a seed draws; in some also a program to be mended, which
    runs as a user in a guest."""

    kind, noun = "answers", "answers"

    def __init__(self, folder, table):
        super().__init__(folder, table)
        self.file = table["file"]
        self.module = importlib.import_module(table["module"])
        self.frozen = table.get("frozen", False)
        self.program = table.get("program")

    @property
    def work(self):
        return "predictions" if self.frozen else self.kind

    @property
    def keys(self):
        """What is asked."""
        return [key for part in self.parts if not part.of_program for key in part.tests]

    @property
    def optional(self):
        """What may be handed in later, or never."""
        return [self.program] if self.program else []

    @property
    def files(self):
        return [self.file, *self.optional]

    @property
    def source(self):
        """The program as it is handed out, below ROOT."""
        return str((self.dir / self.program).relative_to(ROOT))

    def solution(self):
        """What wrong programs are patches of."""
        return (ROOT / self.source).read_text()

    def handouts(self, todo, seed):
        found = {self.file: self.handout(todo, seed)}
        if self.program:
            found[self.program] = self.solution()
        return found

    def handout(self, todo=None, seed=None):
        check_draw(self, todo, seed)
        return answers.handout(self, seed)

    def check(self, text):
        answers.parse(text, self)

    def seed_of(self, data):
        """What the questions of a submission were drawn with."""
        return answers.parse(data.decode(), self)[0]


class ReviewLab(Lab):
    """A lab in which patches are judged, and tests show which are wrong."""

    kind, noun, file = "review", "tests", review.TESTS
    files = [review.REVIEW, review.TESTS]

    def __init__(self, folder, table):
        super().__init__(folder, table)
        self.variant = table["variant"]

    @property
    def source(self):
        """What most patches change, below ROOT."""
        return f"variants/{self.variant}/{FILE}"

    def handouts(self, todo, seed):
        check_draw(self, todo, seed)
        return review.handout(self, seed)

    @staticmethod
    def seed_of(_):
        """What decoys are drawn with; the patches are drawn as review.toml says."""
        return secrets.token_hex(4)

    @staticmethod
    def check(_):
        """What is wrong with it is said when it is graded."""


class CodeLab(Lab):
    """A lab whose submission is a variant."""

    kind, noun, file = "code", "tests", FILE

    def __init__(self, folder, table):
        super().__init__(folder, table)
        self.variant = table["variant"]
        self.handout_of = table.get("handout_of")
        self.whole = table.get("whole", False)
        self.cuts = table.get("cuts", {})
        self.waits = table.get("waits")
        self.regressions = table.get("regressions", {}).get("tests", [])
        self.needs = table.get("needs", {})
        self.drawn = Pool(table["drawn"]) if "drawn" in table else None

    @property
    def source(self):
        """The solution, below ROOT."""
        return f"variants/{self.variant}/{FILE}"

    @property
    def mark(self):
        """In names of files: what was measured for it."""
        return f"{self.number:02}"

    @staticmethod
    def seed_of(_):
        """What canaries are drawn with, where nobody has said it."""
        return secrets.token_hex(4)

    def names(self, text):
        found = NAME.findall(text)
        if not found:
            raise Refused("this is no variant: struct my_mmu_variant with .name = "
                          f'"{self.variant}" is missing')
        return found

    def check(self, text):
        """Is it this lab's variant, and this lab's hand-out?"""
        names = self.names(text)
        self.check_mark(text)
        if names != [self.variant]:
            raise Refused(f'this is for another lab: it says .name = "{names[0]}", and lab '
                          f"{self.number} is about {self.variant}")

    def solution(self):
        return (ROOT / self.source).read_text()

    def check_mark(self, text):
        """Several labs are about one variant. A hand-out says which it is of; where that
        line is gone, stubs of another lab still stand in what nobody has worked on."""
        mark = MARK.search(text)
        if mark:
            self.check_number(int(mark[1]))
            return
        named = {d.name: cut(text, d) for d in definitions(text) if d.body}
        for lab in all_labs():
            if lab.kind != "code" or lab.number == self.number or not lab.cuts:
                continue
            left = [name for name, code in lab.stubs().items()
                    if name not in self.cuts and named.get(name) == code]
            if left:
                raise Refused(f"this is for another lab: {left[0]} is as lab {lab.number} hands "
                              f"it out, and this is lab {self.number}")

    def definitions_of(self, name):
        """Name -> code, comment and all, of one of our files; none where it is not there."""
        path = self.dir / name
        text = path.read_text() if path.exists() else ""
        return {d.name: cut(text, d) for d in definitions(text)
                if d.body and d.name != "head"}

    def stubs(self):
        """Name -> code, comment and all."""
        found = self.definitions_of("stubs.c")
        if set(found) != set(self.cuts):
            odd = ", ".join(sorted(set(found) ^ set(self.cuts)))
            raise Trouble(f"labs/{self.name}/stubs.c and the cuts of lab.toml differ in: {odd}")
        return found

    def solved(self, todo):
        """The parts that come solved: those before TODO, and with them the one that makes
        a populate wait, for without it nothing can be seen of them."""
        names = [part.name for part in self.parts]
        if not todo:
            return []
        if todo not in names:
            raise Trouble(f"TODO={todo}: lab {self.number} has the parts {', '.join(names)}")
        if self.handout_of:
            check_whole(self, todo)
        if self.whole and todo != names[0]:
            raise Trouble(f"TODO={todo}: lab {self.number} is handed out whole. Half of it would "
                          "be a driver that corrupts memory")
        before = names[:names.index(todo)]
        return before + ([self.waits] if before and self.waits not in [None, todo, *before]
                         else [])

    def cut_for(self, todo):
        """Name -> code of what is replaced. A definition that solved parts need is theirs,
        or stands in todo-PART.c without what is still to come."""
        if not self.cuts:
            return {}
        solved, half = set(self.solved(todo)), self.definitions_of(f"todo-{todo}.c")
        shared = {name for name, parts in self.cuts.items()
                  if solved & set(parts) and not solved >= set(parts)}
        if set(half) - shared:
            raise Trouble(f"labs/{self.name}/todo-{todo}.c defines what no solved part shares: "
                          + ", ".join(sorted(set(half) - shared)))
        return {name: code for name, code in self.stubs().items()
                if not solved & set(self.cuts[name])} | half

    def left(self, todo):
        """The parts of which there is something to write."""
        solved = set(self.solved(todo))
        return sorted({part for name in self.cut_for(todo) for part in self.cuts[name]} - solved)

    def todos(self):
        """The parts that TODO= can name."""
        if not self.cuts or self.whole:
            return []
        return [part.name for part in self.parts if part.name in self.left(part.name)]

    def check_todo(self, todo):
        """Is there something to do of the part that is asked for?"""
        self.solved(todo)
        if todo and todo not in self.left(todo):
            raise Trouble(f"TODO={todo}: lab {self.number} has part {todo} in functions that the "
                          f"parts before it need whole; TODO= can be {', '.join(self.todos())}")

    def told(self, todo):
        """What make lab says of TODO."""
        left = self.left(todo) if todo else []
        done = [part.name for part in self.parts if part.name not in left]
        return [f"TODO={todo}: {', '.join(done)} solved, {', '.join(left)} to write: "
                f"{', '.join(self.cut_for(todo))}"] if todo and done else []

    def handout(self, todo=None, seed=None):  # pylint: disable=unused-argument
        """What a student begins with; the parts before TODO are solved."""
        self.check_todo(todo)
        if self.handout_of:
            return self.marked(self.neighbour())
        text, where = self.solution(), self.source
        try:
            for name, code in self.cut_for(todo).items():
                text = replace(text, name, code, where)
        except Unknown as unknown:
            raise Trouble(f"lab {self.number} cannot be cut: {unknown}") from unknown
        return self.marked(without_markers(text))

    def marked(self, text):
        """Below the licence, which lab it is for."""
        first, _, rest = text.partition("\n")
        return f"{first}\n// Lab {self.number}: {self.title}\n{rest}"

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


@functools.lru_cache
def suite_of(variant):
    return [test for (_, test), _ in machine.plan([variant], [])]


class OpenLab(CodeLab):
    """A lab whose submission is a design of one's own. It says itself which variant's
    promises it keeps, by taking its name, and is tested as that one."""

    kind = "open"

    def __init__(self, folder, table):
        super().__init__(folder, table)
        self.kernels = table["kernels"]
        self.stress_s, self.fuzz_s = table["stress_s"], table["fuzz_s"]

    @property
    def mark(self):
        return f"{super().mark}-{self.variant}"

    @property
    def tests(self):
        return suite_of(self.variant)

    def handout(self, todo=None, seed=None):
        check_whole(self, todo)
        return super().handout(None, seed)

    def check(self, text):
        names = self.names(text)
        self.check_mark(text)
        if len(names) > 1 or names[0] not in VARIANTS:
            raise Refused(f'it says .name = "{", ".join(names)}", and nobody has promised anything '
                          "by that name. Take the name of the variant whose promises your design "
                          f"keeps: {', '.join(VARIANTS)}")

    def of(self, variant):
        """The lab for submissions that keep this variant's promises."""
        lab = copy.copy(self)
        lab.variant = variant
        return lab

    def keeping(self, text):
        return self.of(self.names(text)[0])

    @staticmethod
    def title_of(text):
        """What a design is called on the leaderboard; nothing where it does not say."""
        found = [match[1] for match in map(TITLE.fullmatch, text.splitlines()[:TITLE_LINES])
                 if match]
        words = "".join(c if c.isprintable() else " " for c in (found or [""])[0]).split()
        return " ".join(words)[:TITLE_LENGTH].strip()


KINDS = {kind.kind: kind for kind in (CodeLab, AnswersLab, ReviewLab, OpenLab)}


def load(folder):
    try:
        table = tomllib.loads((folder / "lab.toml").read_text())
        return KINDS[table.get("kind", "code")](folder, table)
    except (OSError, tomllib.TOMLDecodeError, KeyError, ImportError) as error:
        raise Trouble(f"{folder.name}/lab.toml cannot be used: {error}") from error


def all_labs():
    return sorted((load(p.parent) for p in LABS.glob("[0-9][0-9]-*/lab.toml")),
                  key=lambda lab: lab.number)


def by_number(word):
    for lab in all_labs():
        if word in (str(lab.number), f"{lab.number:02}", lab.name):
            return lab
    there = ", ".join(f"{lab.number} ({lab.title})" for lab in all_labs())
    raise Trouble(f"there is no lab {word!r}; there are {there}")
