# SPDX-License-Identifier: GPL-2.0
"""pool.py - the patches of a lab of review, and which four of them a seed draws

A patch of the pool has a head and a diff, or names the mutant of tests/mutants whose
diff it takes:

	# SPDX-License-Identifier: GPL-2.0
	For people: why it is right, or what is wrong with it.

	Guarantee: G2 G3		those that it breaks; none: it is harmless
	Mutant: no-sequence		in place of a diff, and of Guarantee:
	Message: the subject
		that it is handed out with, and what follows it
	--- a/variants/...

PRIVATE=DIR draws from an instructor's folder instead.
"""

import difflib
import hashlib
import os
import pathlib
import random
import re
import subprocess
import tempfile

from patches import HUNK, Mutant, copy_sources, enclosing
from places import ROOT, Trouble, source_files

FIELD = re.compile(r"^(Guarantee|Mutant|Message): (.*)$")
GUARANTEE = re.compile(r"G(?:10|[1-9])")
WRONG, RIGHT, DECOYS = 3, 1, 2
CONTEXT = 5
RULE = "\n---\n"  # between a message and its diff


class Diff:
    """Something that can be put on the tree."""

    def __init__(self, path, diff):
        self.path, self.diff = path, diff

    def apply(self, tree):
        """To a copy of the sources."""
        done = subprocess.run(["patch", "-p1", "-F1", "-N", "--no-backup-if-mismatch", "-r", "-",
                               "-d", str(tree)], input=self.diff, capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise Trouble(f"{self.path} does not apply: {' '.join(done.stdout.split())[-300:]}")


class Patch(Diff):
    """One of the pool."""

    def __init__(self, path, variant):
        super().__init__(path, "")
        self.name, self.variant = path.stem, variant
        try:
            text = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise Trouble(f"{path} cannot be read: {error}") from error
        at = text.find("\n--- ")
        head, diff = (text, "") if at < 0 else (text[:at + 1], text[at + 1:])
        self.tests = []  # of the mutant: those that catch it
        self.fields = self.parse(head.splitlines())
        if bool(diff) == ("Mutant" in self.fields) or not self.fields.get("Message"):
            raise Trouble(f"{path}: it wants Message:, and either a diff or Mutant:")
        self.guarantees = set(" ".join(self.fields.get("Guarantee", [])).split())
        if any(not GUARANTEE.fullmatch(g) for g in self.guarantees):
            raise Trouble(f"{path}: Guarantee: wants G1 to G10")
        if not diff:
            diff = self.of_mutant(self.fields["Mutant"][0].strip())
        if re.search(r"(?m)^--- (?!a/)", diff):
            raise Trouble(f"{path}: the names of a diff begin with a/ and b/, as git diff makes them")
        self.diff = narrowed(diff, variant)
        if not self.diff:
            raise Trouble(f"{path}: it does not change the variant {variant}, nor the driver")

    @staticmethod
    def parse(lines):
        fields, field = {}, None
        for line in lines:
            match = FIELD.match(line)
            if match:
                field = fields[match[1]] = [match[2]]
            elif field is not None and line.startswith("\t"):
                field.append(line[1:])
            elif line.strip():
                field = None
        return fields

    def of_mutant(self, name):
        path = ROOT / "tests" / "mutants" / f"{name}.patch"
        if not path.exists():
            raise Trouble(f"{self.path}: there is no mutant {name}")
        mutant = Mutant(path)
        if self.variant not in mutant.variants:
            raise Trouble(f"{self.path}: the mutant {name} is none of {self.variant}")
        names = [test.rpartition("/")[2] for test in mutant.tests]
        self.guarantees = {mutant.guarantee} | {
            f"G{match[1]}" for match in (re.match(r"g(\d+)_", n) for n in names) if match}
        self.tests = [name for name in names if not set(name) & set("*?[")]
        text = path.read_text()
        return text[text.index("\n--- ") + 1:]

    @property
    def wrong(self):
        return bool(self.guarantees)

    def message(self):
        subject, *body = self.fields["Message"]
        return f"Subject: [PATCH] {subject}\n\n" + "".join(f"{line}\n" for line in body)

    def shown(self):
        """As it is handed out: the message, and a diff with more context."""
        with tempfile.TemporaryDirectory() as folder:
            tree = pathlib.Path(folder)
            copy_sources(tree)
            self.apply(tree)
            return self.message() + RULE + "".join(
                difference(path, tree / path.relative_to(ROOT)) for path in source_files(ROOT))


def narrowed(diff, variant):
    """What it changes of one variant, and of what all have in common."""
    parts = re.split(r"(?m)^(?=--- )", diff)
    return "".join(part for part in parts if part and not re.match(
        rf"--- a/variants/(?!{re.escape(variant)}/)", part))


def difference(old, new):
    name = str(old.relative_to(ROOT))
    before, after = old.read_text().splitlines(), new.read_text().splitlines()
    lines = list(difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", lineterm="",
                                      n=CONTEXT))
    for i, line in enumerate(lines):
        match = HUNK.match(line)
        if match:
            lines[i] = f"{line} {enclosing(before, max(int(match[1]) - 2, 0))}"
    return "".join(f"{line}\n" for line in lines)


def private():
    return os.environ.get("PRIVATE") or ""


def read_pool(folder, variant):
    paths = sorted(folder.rglob("*.patch"))
    if not paths:
        raise Trouble(f"there is no patch in {folder}")
    return [Patch(path, variant) for path in paths]


class Draw:
    """Four patches, and the decoys that a test must pass with."""

    def __init__(self, lab, seed):
        self.seed = seed
        public = [p for name in ("mutants", "harmless")
                  for p in read_pool(lab.dir / name, lab.variant)]
        pool = public
        if private():
            pool = read_pool(pathlib.Path(private()), lab.variant)
        wrong, right = ([p for p in pool if p.wrong == wrong] for wrong in (True, False))
        self.pool = pool + (public if private() else [])
        if len(wrong) < WRONG or len(right) < RIGHT:
            raise Trouble(f"there are {len(wrong)} wrong patches and {len(right)} harmless ones in "
                          f"{private() or lab.dir}; {WRONG} and {RIGHT} are drawn. A harmless "
                          "one has no Guarantee: in its head")
        draw = random.Random(f"review {seed}")
        self.four = draw.sample(wrong, WRONG) + draw.sample(right, RIGHT)
        draw.shuffle(self.four)
        self.decoys = [p for p in self.pool if not p.wrong and p not in self.four]

    def texts(self):
        """As they are handed out."""
        return [patch.shown() for patch in self.four]

    def key(self):
        """Of the whole pool."""
        return self.mark([p.diff + p.message() for p in self.pool])

    @staticmethod
    def mark(texts):
        """Tells whether two hand-outs have the same patches."""
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
