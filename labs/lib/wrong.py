# SPDX-License-Identifier: GPL-2.0
"""wrong.py - submissions with a known score: the tests of the grader

labs/NN-name/wrong/NAME.patch has a head and, unless it names a mutant of
tests/mutants that makes the same mistake, a diff against the solution. Of an open lab,
"Variant: spinlock" says which one the diff is against; without a diff it is that one.

	# SPDX-License-Identifier: GPL-2.0
	What is wrong with it.

	Score: 40
	Loses: what it loses, part by part
	Says: words of the report, if there are any that it must have
	Mutant: no-sequence

Drawn: N, where it stands, is what it has of the drawn points with the selftest's seed.
In a lab with answers they are of the program that is to be mended. With Attack: WORDS in
place of Score: it must be refused, or raise an alarm, with these words.
"""

import pathlib
import re
import subprocess
import tempfile

from patches import copy_sources
from places import ROOT, Trouble

FIELD = re.compile(r"^(Score|Drawn|Loses|Says|Mutant|Attack|Variant): (.*)$", re.M)


class Wrong:
    """One of them."""

    def __init__(self, lab, path):
        self.lab, self.path, self.name = lab, path, path.stem
        head, self.diff, _ = self.split(path.read_text())
        fields = dict(FIELD.findall(head))
        self.mutant, self.loses = fields.get("Mutant"), fields.get("Loses", "")
        self.says = fields.get("Says", "")
        self.unchanged = "Variant" in fields and not self.diff
        if "Variant" in fields:
            self.lab = lab.of(fields["Variant"])
        kinds = bool(self.mutant) + bool(self.diff) + self.unchanged
        if kinds != 1 or not ("Score" in fields) ^ ("Attack" in fields):
            raise Trouble(f"{path.relative_to(ROOT)}: it wants Score: or Attack:, and either "
                          "Mutant: or a diff")
        # "?": nobody has measured it yet, and selftest says what it is
        self.score = int(fields["Score"]) if fields.get("Score", "?") != "?" else None
        self.drawn = int(fields["Drawn"]) if "Drawn" in fields else None
        self.attack = fields.get("Attack")

    @staticmethod
    def split(text):
        at = text.find("\n--- ")
        return (text, "", "") if at < 0 else (text[:at], text[at + 1:], "")

    def source(self):
        """The submission."""
        if self.unchanged:
            return self.lab.solution()
        patch = ROOT / "tests/mutants" / f"{self.mutant}.patch" if self.mutant else self.path
        with tempfile.TemporaryDirectory() as folder:
            copy_sources(pathlib.Path(folder))
            own = pathlib.Path(folder, self.lab.source)
            own.parent.mkdir(parents=True, exist_ok=True)
            own.write_text(self.lab.solution())
            done = subprocess.run(["patch", "-p1", "-F1", "-N", "--no-backup-if-mismatch",
                                   "-r", "-", "-d", folder, "-i", str(patch)],
                                  capture_output=True, text=True, check=False)
            if done.returncode:
                raise Trouble(f"{patch.relative_to(ROOT)} does not apply any more: "
                              f"{done.stdout.strip()[-300:]}")
            text = own.read_text()
        if text == self.lab.solution():
            raise Trouble(f"{self.path.relative_to(ROOT)} does not change {self.lab.source}")
        return text


def all_wrong(lab):
    return [Wrong(lab, path) for path in sorted((lab.dir / "wrong").glob("*.patch"))]
