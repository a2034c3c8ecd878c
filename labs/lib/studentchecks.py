# SPDX-License-Identifier: GPL-2.0
"""studentchecks.py - labs/selftest student: what a student types in a lab with code, and what
an instructor does with what comes of it"""

import json
import os
import pathlib
import signal
import subprocess
import tarfile
import tempfile
import time
import xml.etree.ElementTree as xml

from places import OUT, ROOT

SEED = "selftest"
WATCH_S = 180  # how long the first verdict may take, at most


def typed(words, cwd, **env):
    """(status, what it said)"""
    done = subprocess.run([str(word) for word in words], cwd=cwd, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, env={**os.environ, **env}, check=False)
    return done.returncode, done.stdout + done.stderr


class Student:
    """One of them, in a folder."""

    def __init__(self, tally, lab, path, kernel):
        self.tally, self.lab, self.path, self.kernel = tally, lab, path, kernel

    def types(self, words, wanted, *said):
        """Is this what comes of it? Lines of other kinds may stand beside."""
        status, text = typed(words.split(), self.path, KERNEL=self.kernel)
        return self.tally.check(
            f"lab {self.lab.number}: {words}: {', '.join(map(repr, said))}",
            status == wanted and all(word in text for word in said) and "Traceback" not in text,
            f"status {status}: {text[-600:]}")

    def watch(self, word):
        """make watch says something, and ctrl-C ends it."""
        process = subprocess.Popen([str(ROOT / "labs/lab"), "watch"], cwd=self.path, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, start_new_session=True,
                                   env=dict(os.environ, KERNEL=self.kernel))
        start, said = time.monotonic(), []
        for line in process.stdout:
            said.append(line)
            if word in line or time.monotonic() - start > WATCH_S:
                break
        took = time.monotonic() - start
        os.killpg(process.pid, signal.SIGINT)
        process.stdout.read()
        status = process.wait()
        self.tally.check(f"lab {self.lab.number}: make watch: {word!r} ({took:.1f} s); ctrl-C "
                         "ends it", word in said[-1] and status == 130,
                         f"status {status}: {''.join(said)[-600:]}")


def check_student(tally, labs):
    """The first lab of those that were asked for: another would say the same."""
    lab, kernel = labs[0], tally.args.kernel[0]
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory(dir=OUT) as out:
        student = Student(tally, lab, pathlib.Path(folder, "lab"), kernel)
        status, said = typed([ROOT / "labs/lab", "new", lab.number, "--dir", student.path,
                              "--seed", SEED], ROOT, KERNEL=kernel)
        tally.check(f"lab {lab.number}: make lab", status == 0 and "README.md" in said,
                    said[-400:])
        begins(student, lab.parts[1].tests[0])
        archive = hands_in(student, lab)
        if archive:
            is_graded(tally, lab, archive, pathlib.Path(out), kernel)


def begins(student, test):
    """On what was handed out."""
    student.types("make", 0, "compiles, without a warning")
    student.types(f"make check T={test}", 2, f"FAIL {test}", "0 of 1 tests are ok",
                  "make hint (0 of 3 used)")
    student.types(f"make explain T={test}", 0, f"({test}, ", "part B")
    student.types("make explain T=no_such_test", 2, "has no test no_such_test")
    student.types("make hint", 0, "Hint 1 of 3")
    student.types("make measure", 2, f"lab {student.lab.number} has no measure")
    student.watch("FAIL ")
    again = [ROOT / "labs/lab", "new", student.lab.number, "--dir", student.path]
    status, said = typed(again, ROOT)
    student.tally.check("make lab overwrites nothing", status == 1 and "is there already" in said,
                        said[-300:])


def hands_in(student, lab):
    """The solution, when a mistake of the pen is mended."""
    path = student.path / lab.file
    path.write_text(lab.solution() + "int x = ;\n")
    student.types("make submit", 2, "nothing is packed")
    path.write_text(lab.solution())
    student.types("make submit", 0, "Hand in ")
    archive = student.path / f"lab{lab.number}-{SEED}.tar.gz"
    if not student.tally.check(f"lab {lab.number}: make submit packs {archive.name}",
                               archive.exists()):
        return None
    with tarfile.open(archive) as tar:
        names, state = tar.getnames(), json.load(tar.extractfile("lab"))
    student.tally.check(f"lab {lab.number}: in it are the file, and what the folder says",
                        names == [lab.file, "lab"] and state["hints"] == 1
                        and state["lab"] == lab.number, f"{names}: {state}")
    return archive


def is_graded(tally, lab, archive, out, kernel):
    """Twice, and the second time nothing is done."""
    words = [ROOT / "labs/grade", lab.number, archive, "--out", out, "--seed", SEED,
             "--kernel", kernel]
    status, said = typed(words, ROOT)
    results = json.loads((out / "results.json").read_text())
    full = lab.points + (lab.drawn.most(kernel) if lab.drawn else 0)
    tally.check(f"lab {lab.number}: what was packed has {full} points, and one hint was taken",
                (status, results["score"], results["extra_data"]["hints"]) == (0, full, 1)
                and "1 of 3 hints" in said, f"status {status}: {said[-600:]}")
    top = xml.parse(out / "junit.xml").getroot()
    cases = top.findall("testcase")
    named = {case.get("name") for case in cases}
    tally.check(f"lab {lab.number}: junit.xml has its {len(cases)} cases, and no failure",
                int(top.get("tests")) == len(cases) and set(lab.tests) <= named
                and not top.findall(".//failure"))
    before = [(path, path.stat().st_mtime_ns, path.read_bytes())
              for path in sorted(out.rglob("*")) if path.is_file()]
    again, text = typed(words, ROOT)
    after = [(path, path.stat().st_mtime_ns, path.read_bytes())
             for path in sorted(out.rglob("*")) if path.is_file()]
    tally.check(f"lab {lab.number}: graded twice is graded once: the report is printed again, and "
                "no file is touched", (again, text) == (status, said) and before == after)
    with tempfile.TemporaryDirectory() as folder:
        other = pathlib.Path(folder, lab.file)
        other.write_text("int main(void) { return 0; }\n")
        status, said = typed([*words[:2], other, *words[3:]], ROOT)
    results = json.loads((out / "results.json").read_text())
    tally.check(f"lab {lab.number}: another submission in its place is looked at, and refused "
                "with status 1", (status, results["score"], results["extra_data"]["state"])
                == (1, 0, "refused") and "REFUSED" in said, said[-300:])
