# SPDX-License-Identifier: GPL-2.0
"""patches.py - the mutants: patches with a header, and where they apply

A patch is small and has little context, so that it survives what is edited
around it. It could then apply somewhere else: its hunks name the function that
they change (not, as diff does, the one that their first line is in), and
nothing else may differ when it has been applied.
"""

import difflib
import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD") or ROOT / "build")
OUT = BUILD / "mutants"
SOURCES = ("Kbuild", "include", "rmap", "driver", "variants")
VARIANTS = ("spinlock", "split-ptl", "rcu-list", "interval")
CONTEXT = 2  # lines of context in a patch


class Trouble(Exception):
    """A sentence that says what is wrong, and where to look."""


FIELD = re.compile(r"^([A-Z][a-z-]+): (.*)$")
HUNK = re.compile(r"^@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@ ?(.*)$")


class Mutant:
    """One patch with its header."""

    def __init__(self, path):
        self.path = path
        self.name = path.stem
        self.fields = {}
        self.places = set()  # (file, function) of each hunk
        self.head = []
        self.parse(path.read_text().splitlines())

    def parse(self, lines):
        at = next((i for i, line in enumerate(lines)
                   if line.startswith("--- ")), len(lines))
        self.head, diff = lines[:at], lines[at:]
        field = None
        for line in self.head:
            match = FIELD.match(line)
            if match:
                field = self.fields[match[1]] = match[2].split()
            elif field is not None and line.startswith("\t"):
                field += line.split()
            else:
                field = None
        for line in diff:
            if line.startswith("+++ "):
                file = line.split()[1].partition("/")[2]
            match = HUNK.match(line)
            if match:
                self.places.add((file, match[2]))
        self.check()

    def check(self):
        for field in ("Guarantee", "Variants", "Breaks"):
            if field not in self.fields:
                raise Trouble(f"{self.where}: the header has no {field}: line")
        if not set(self.variants) <= set(VARIANTS):
            raise Trouble(f"{self.where}: no such variant: {' '.join(self.variants)}")
        if bool(self.tests) == bool(self.models):
            raise Trouble(f"{self.where}: the header names Tests:, or checks of Model:")
        if self.tests and not any(t.rpartition("/")[2].startswith(f"{self.guarantee.lower()}_")
                                  for t in self.tests):
            raise Trouble(f"{self.where}: no test of its header names {self.guarantee}; "
                          "take one that does, or the guarantee of those that there are")
        if not self.places:
            raise Trouble(f"{self.where}: there is no diff in it")

    @property
    def where(self):
        return self.path.relative_to(ROOT)

    @property
    def guarantee(self):
        return self.fields["Guarantee"][0]

    @property
    def variants(self):
        return self.fields["Variants"]

    @property
    def tests(self):
        return self.fields.get("Tests", [])

    @property
    def models(self):
        """Checks of model/run, as words; several are divided by commas."""
        text = " ".join(self.fields.get("Model", []))
        return [check.split() for check in text.split(",")] if text else []

    @property
    def kernel(self):
        return self.fields.get("Kernel", ["6.12"])[0]

    @property
    def rules(self):
        return re.findall(r'"([^"]+)"', " ".join(self.fields["Breaks"]))

    def groups(self, variants):
        """What mmu-tests is to run: variants, and others that tests name."""
        others = [t.partition("/")[0] for t in self.tests if "/" in t]
        return list(variants) + sorted(set(others))

    def promised(self):
        """(group, test) of all that must fail, whatever else does: race tests,
        which force what they need."""
        return [(group, test.rpartition("/")[2])
                for test in self.tests
                if "_race_" in test and not set(test) & set("*?[")
                for group in (self.variants if "/" not in test
                              else [test.partition("/")[0]])]

    def globs(self):
        return [t.rpartition("/")[2] for t in self.tests]


def enclosing(lines, at):
    """Name of the function (or table, or macro) that line number at is in."""
    for line in reversed(lines[:at + 1]):
        if not re.match(r"[A-Za-z_#]", line) or re.match(r"\w+:\s*$", line):
            continue
        for pattern in (r"^#\s*define (\w+)", r"(\w+)(?:\[.*\])? = ?\{?$",
                        r"^((?:struct|enum|union) \w+) \{", r"(\w+)\("):
            match = re.search(pattern, line)
            if match:
                return match[1]
        return line.strip()
    return "head of file"


def differences(old, new):
    """(file, place) of everything that differs between two source trees."""
    places = set()
    for path in source_files(old):
        name = str(path.relative_to(old))
        before = path.read_text().splitlines()
        after = (new / name).read_text().splitlines()
        match = difflib.SequenceMatcher(None, before, after, autojunk=False)
        for tag, i1, i2, _, _ in match.get_opcodes():
            if tag != "equal":
                at = i1 if i2 > i1 else max(i1 - 1, 0)
                places.add((name, enclosing(before, at)))
    return places


def rules(tree):
    """All that the sources say, as one line: comments without their margins."""
    text = "\n".join(p.read_text() for p in source_files(tree))
    text = re.sub(r"\n[ \t]*(?:/?\*+(?!/))?[ \t]*", " ", text)
    return re.sub(r"\s+", " ", text)


def check_rules(mutant, text):
    for rule in mutant.rules:
        if rule not in text:
            raise Trouble(f"{mutant.where}: no source says \"{rule}\" any more: is it "
                          "still a rule? Quote it as it is now (Breaks:), or let the "
                          "mutant go")


def source_files(tree):
    found = []
    for name in SOURCES:
        top = tree / name
        found += [top] if top.is_file() else sorted(
            p for p in top.rglob("*") if p.suffix in (".c", ".h") or p.name == "Kbuild")
    return found


def apply(mutant, tree, pristine):
    """Break tree; False only if not where the mutant says that it breaks it."""
    result = subprocess.run(
        ["patch", "-p1", "-F1", "-N", "--no-backup-if-mismatch", "-r", "-",
         "-d", str(tree), "-i", str(mutant.path)],
        capture_output=True, text=True)
    if result.returncode:
        raise Trouble(
            f"{mutant.where} does not apply any more: "
            + " ".join(re.findall(r"Hunk #\d+ FAILED at \d+|can't find file|malformed.*",
                                  result.stdout + result.stderr))
            + "; look at " + ", ".join(sorted({f for f, _ in mutant.places}))
            + ", make the same mistake in it by hand, and write it down as "
            "tests/mutants/README.md says")
    return differences(pristine, tree) == mutant.places


def apply_checked(mutant, tree, pristine):
    if apply(mutant, tree, pristine):
        return
    wanted = ", ".join(f"{f}: {p}" for f, p in sorted(mutant.places))
    found = ", ".join(f"{f}: {p}" for f, p in sorted(differences(pristine, tree)))
    raise Trouble(f"{mutant.where} applies in another place than it names; it names "
                  f"{wanted}; it hits {found}. Correct the patch, or if the function "
                  f"has a new name, tests/run-mutants --refresh {mutant.name}")


def refresh(mutant, tree, pristine):
    """Write the patch again, as it applies now."""
    apply(mutant, tree, pristine)
    text = mutant.head
    for path in source_files(pristine):
        name = str(path.relative_to(pristine))
        before = path.read_text().splitlines()
        after = (tree / name).read_text().splitlines()
        at = 0
        body = list(difflib.unified_diff(before, after, f"a/{name}", f"b/{name}",
                                         lineterm="", n=CONTEXT))
        for i, line in enumerate(body):
            match = HUNK.match(line)
            if not match:
                continue
            at = int(match[1]) - 1
            first = next(j for j in range(i + 1, len(body)) if body[j][0] in "+-")
            at += first - i - 1 - (body[first][0] == "+")
            # Added lines that are followed by removed ones stand for those
            body[i] = f"{line} {enclosing(before, at)}"
        text = text + body
    mutant.path.write_text("\n".join(text) + "\n")


def copy_sources(to):
    for path in source_files(ROOT):
        target = to / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
