# SPDX-License-Identifier: GPL-2.0
"""work.py - what a student does with a lab, in a folder of his own"""

import fnmatch
import hashlib
import itertools
import json
import os
import pathlib
import re
import secrets
import shutil
import subprocess
import tarfile
import time

import answering
import asking
import drawn
import grading
import openwork
import report
import reviewwork
from box import Bench, NotBuilt
from lab import by_number
from places import ROOT, Refused, Trouble
from scores import Score
from submission import take

STATE = ".lab"
KERNEL = os.environ.get("KERNEL") or "6.12"
HELP = {
    "make": "compile {file}, as the grader does",
    "make check": "all tests, and the points they earn",
    "make check T=NAME": "one test, or several (T='g1_*')",
    "make watch": "on each save: compile, and the first test that fails",
    "make explain T=NAME": "what a test does, and which guarantee it is of",
    "make hint": "the next hint",
    "make shell": "a shell in the guest, your module loaded",
    "make submit": "pack what is handed in",
}
MAKEFILE = """\
# SPDX-License-Identifier: GPL-2.0
# Lab {number}: {title} Everything is done by labs/lab of the repository.
MMU ?= {root}
LAB := $(MMU)/labs/lab

.PHONY: {targets} {others} help
{rules}
{others}: ; @$(LAB) $@
help:
{help}
"""


class Folder:
    """A student's folder: where it is, which lab, which seed."""

    kernel = KERNEL

    def __init__(self, path):
        self.path = pathlib.Path(path)
        try:
            self.state = json.loads((self.path / STATE).read_text())
            self.lab = by_number(str(self.state["lab"]))
        except (OSError, ValueError, KeyError) as error:
            raise Trouble(f"{self.path} is no folder of a lab ({STATE} is missing or damaged). "
                          "make lab N=2 DIR=... makes one") from error

    def save(self):
        report.write(self.path / STATE, json.dumps(self.state) + "\n")

    def follow(self):
        """An open lab's file says itself what it is tested as."""
        if self.lab.kind == "open":
            self.lab = self.lab.keeping(self.source().data.decode())

    def source(self):
        try:
            return take(self.path / self.lab.file, self.lab)
        except Refused as why:
            raise Trouble(str(why)) from why


def makefile(lab):
    """A target for each command of its kind."""
    commands, lines = KINDS[lab.work]
    of_tests = ("check", "explain")
    return MAKEFILE.format(
        number=lab.number, title=lab.title + ("" if lab.title.endswith("?") else "."), root=ROOT,
        targets=" ".join(commands), others=" ".join(sorted(WORDS - set(commands))),
        rules="\n".join(f"{word}: ; @$(LAB) {word}" + (" '$(T)'" if word in of_tests else "")
                        for word in commands),
        help="\n".join(f'\t@echo "{what:19} {does.format(file=lab.file)}"'
                       for what, does in lines.items()))


def new(number, directory, seed, todo):
    """make lab: a folder with the hand-out."""
    lab = by_number(number)
    path = pathlib.Path(directory or f"{ROOT}/../lab-{lab.number}").absolute()
    path = pathlib.Path(os.path.normpath(path))
    if path == ROOT or ROOT in path.parents:
        raise Trouble(f"{path} lies in the repository; say DIR=../lab-{lab.number} or another "
                      "folder outside")
    for name in lab.files:
        if (path / name).exists():
            raise Trouble(f"{path / name} is there already, and may be work of hours; say another "
                          "DIR=, or remove it yourself")
    seed = seed or secrets.token_hex(4)
    files = lab.handouts(todo, seed)
    try:
        for name, text in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(text)
        (path / "Makefile").write_text(makefile(lab))
        shutil.copyfile(lab.dir / "task.md", path / "README.md")
    except OSError as error:
        raise Trouble(f"{path} cannot be written: {error.strerror}") from error
    report.write(path / STATE, json.dumps({
        "lab": lab.number, "seed": seed, "hints": 0, "todo": todo or "",
        "handout": hashlib.sha256("".join(files.values()).encode()).hexdigest()}) + "\n")
    print("  ...  making ready: modules and a machine, once for each kernel", flush=True)
    with ready(lab) as bench:
        if lab.kind == "code":
            grading.Reference(lab, bench)
    print(f"Lab {lab.number}, {lab.title}: {path}")
    print(*lab.told(todo), *([lab.drafted] if lab.draft else []),
          "Begin with README.md there; make help lists what there is.", sep="\n")
    return 0


class ready:
    """A bench to build on, given back at the end."""

    def __init__(self, lab):
        self.lab = lab

    def __enter__(self):
        self.bench = Bench(KERNEL)
        self.bench.prepare()
        return self.bench

    def __exit__(self, *_):
        self.bench.close()


def compiled(folder, bench, quiet=False):
    """The module, or None and what the compiler said."""
    taken = folder.source()
    for note in taken.notes:
        print(f"  note: {note}")
    try:
        module = bench.build(folder.lab, taken.data)
    except NotBuilt as why:
        print(f"  FAIL {folder.lab.file} does not compile without a word:")
        for message in why.messages:
            print(f"       {message}")
        return None
    if not quiet:
        print(f"  ok   {folder.lab.file} compiles, without a warning")
    return module


def build(folder, _):
    with ready(folder.lab) as bench:
        return 0 if compiled(folder, bench) else 1


def asked(folder, bench, module, tests):
    """What became of these tests (all: None). The bench is locked meanwhile: a
    student has one copy of the module."""
    lab = folder.lab
    reference = grading.Reference(lab, bench, known(lab, tests))
    jobs = [job for job in grading.plan(lab, reference, folder.state["seed"], tests)
            if not job.turned]
    with asking.evidence_folder("check") as place:
        own = pathlib.Path(place) / module.name
        shutil.copy2(module, own)
        guests = asking.Asking(KERNEL, asking.boards(bench.clean, own), pathlib.Path(place),
                               test_seed=drawn.number(folder.state["seed"]))
        guests.ask(jobs)
    return jobs, guests


def known(lab, tests):
    """All that the solution is measured with; of those that may be drawn, what is asked."""
    return lab.tests + [test for test in tests or [] if test not in lab.tests]


def named(lab, pattern):
    """The tests of a lab that a pattern means; also those that may be drawn."""
    found = fnmatch.filter(lab.tests, pattern)
    if not found and lab.drawn:
        found = fnmatch.filter(lab.drawn.all, pattern)
    if not found:
        raise Trouble(f"lab {lab.number} has no test {pattern}; make check lists them all")
    return found


def check(folder, words):
    """All tests with their points, or some."""
    lab, start = folder.lab, time.monotonic()
    with ready(lab) as bench:
        module = compiled(folder, bench)
        if not module:
            return 1
        tests = named(lab, words[0]) if words and words[0] else None
        jobs, guests = asked(folder, bench, module, tests)
    if guests.silent:
        print("  FAIL the module could not be loaded:")
        print(*[f"       {note}" for note in jobs[0].notes[-6:]], sep="\n")
        return 1
    for job in jobs:
        if job.verdict in ("ok", "skip"):
            print(f"  ok   {job.test}")
    bad = [job for job in jobs if job.verdict not in ("ok", "skip")]
    bad.sort(key=lambda job: job.verdict == "not reached")  # they say nothing of the rest
    for job in bad:
        print("\n" + "\n".join(report.explain(job, lab, hints=folder.state["hints"])))
    for line in report.unreached([job for job in bad if job.verdict == "not reached"]):
        print(f"\n{line}")
    if not tests:
        print_score(lab, jobs, guests)
    print(f"\n{len(jobs) - len(bad)} of {len(jobs)} tests are ok, "
          f"{time.monotonic() - start:.1f} s")
    return 1 if bad else 0


def print_score(lab, jobs, guests):
    score = Score(lab, {job.test: job for job in jobs}, len(guests.wrecks))
    print()
    for part in lab.parts:
        print(f"  {score.parts[part.name]:3} of {part.points:2}  {part.name}: {part.title}")
    if score.regressions:
        print(f"  {score.regressions:3}        what worked before, and does no more")
    if score.wreck:
        print(f"  {score.wreck:3}        the machine was taken down")
    print(f"  {score.total:3} of {score.most}")


def watch(folder, _):
    """On each save: compile, and the first test that fails."""
    seen, at = None, 0
    print("watching my_mmu.c; ctrl-C ends it", flush=True)
    while True:
        try:
            data = (folder.path / folder.lab.file).read_bytes()
        except OSError:
            data = None  # an editor is at it
        if data is not None and data != seen:
            seen = data
            try:
                at = saved(folder, at)
            except Trouble as why:
                print(f"  FAIL {why}", flush=True)
        time.sleep(0.2)


def saved(folder, at):
    """Where to begin the next time: at the test that failed."""
    folder.follow()
    lab, start = folder.lab, time.monotonic()
    print(f"\n--- {time.strftime('%H:%M:%S')}", flush=True)
    with ready(lab) as bench:
        module = compiled(folder, bench, quiet=True)
        together = 1  # one at first, for a quick verdict; a machine for each takes long
        while module and at < len(lab.tests):
            jobs, _ = asked(folder, bench, module, lab.tests[at:at + together])
            good = list(itertools.takewhile(lambda job: job.verdict in ("ok", "skip"), jobs))
            print("".join(f"  ok   {job.test}\n" for job in good), end="", flush=True)
            at += len(good)
            if len(good) < len(jobs):
                print("\n".join(report.explain(jobs[len(good)], lab,
                                               hints=folder.state["hints"])))
                break
            together *= 2
    if at == len(lab.tests):
        print("  ok   these are all; make check counts the points")
        at = 0
    print(f"({time.monotonic() - start:.1f} s)", flush=True)
    return at


def explain(folder, words):
    """What a test does: the comment that it stands below, and its code."""
    if not words or not words[0]:
        raise Trouble("which test? make explain T=NAME; make check names them")
    name = re.sub(r"_rmap_only$", "", named(folder.lab, words[0])[0])
    for path in sorted((ROOT / "tests").glob("t-*.c")):
        match = re.search(r"((?:^/\*(?:(?!\*/).|\n)*?\*/\n)?)^TEST\w*\(" + re.escape(name)
                          + r", \d+\)\n\{.*?^\}$", path.read_text(), re.M | re.S)
        if match:
            part = folder.lab.part_of(name)
            print(f"{name}: {report.guarantee(name) or 'several guarantees'}"
                  + (f"; part {part.name}, {part.title}" if part else "; must stay as it is"))
            print(f"tests/{path.name}; tests/race.h and tests/common.h say what its calls do\n")
            print(match[0])
            return 0
    raise Trouble(f"no source of {name} was found below tests/")


def hint(folder, _):
    hints = folder.lab.hints()
    used = folder.state["hints"]
    if used >= len(hints):
        print(f"There were {len(hints)} hints, and you have had them all:")
        used, shown = 0, hints
    else:
        shown = hints[:used + 1]
        folder.state["hints"] += 1
        folder.save()
    for path in shown[used:]:
        text = re.sub(r"^<!--.*?-->\n+", "", path.read_text())
        print(f"Hint {path.stem} of {len(hints)}\n\n{text}")
    return 0


def shell(folder, _):
    with ready(folder.lab) as bench:
        if not compiled(folder, bench):
            return 1
        done = subprocess.run([str(ROOT / "vm/run"), "--kernel", KERNEL, "--modules",
                               str(bench.out), "--shell"], check=False)
    return done.returncode


def submit(folder, _):
    with ready(folder.lab) as bench:
        if not compiled(folder, bench):
            print("Handed in like this, it would earn nothing; so nothing is packed.")
            return 1
    return pack(folder)


def pack(folder, names=None, what=""):
    """One archive, with what is handed in and how many hints there were."""
    lab = folder.lab
    path = folder.path / f"lab{lab.number}-{folder.state['seed']}{what}.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name in (*(names or lab.files), STATE):
            tar.add(folder.path / name, name.lstrip("."), filter=nobody)
    print(f"Hand in {path}")
    return 0


def nobody(member):
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


COMMANDS = {"build": build, "check": check, "watch": watch, "explain": explain,
            "hint": hint, "shell": shell, "submit": submit}


def answers_build(folder, _):
    return answering.build(folder)


def answers_check(folder, _):
    return answering.check(folder, KERNEL)


def answers_shell(folder, _):
    with ready(folder.lab) as bench:
        return answering.shell(folder, bench, KERNEL)


def answers_submit(folder, _):
    return answering.build(folder) or pack(folder)


def predictions_measure(folder, _):
    return answering.measure(folder, KERNEL)


def predictions_submit(folder, _):
    """First the predictions alone, then all."""
    if answering.freeze(folder):
        return answers_submit(folder, _)
    answering.form(folder)
    status = pack(folder, [folder.lab.file], "-predictions")
    print("It has your predictions, which are not to change any more; then make measure. The next "
          "make submit\npacks all that is handed in.")
    return status


ANSWERS_COMMANDS = {"build": answers_build, "check": answers_check, "hint": hint,
                    "shell": answers_shell, "submit": answers_submit}
PREDICTIONS_COMMANDS = {**ANSWERS_COMMANDS, "measure": predictions_measure,
                        "submit": predictions_submit}


def review_build(folder, _):
    with ready(folder.lab) as bench:
        return reviewwork.build(folder, bench)


def review_check(folder, words):
    with ready(folder.lab) as bench:
        return reviewwork.check(folder, bench, words[0] if words else "")


def review_submit(folder, words):
    if review_build(folder, words):
        print("Its tests would earn nothing like this; so nothing is packed.")
        return 1
    return pack(folder)


REVIEW_COMMANDS = {"build": review_build, "check": review_check, "hint": hint,
                   "submit": review_submit}


def open_check(folder, words):
    return check(folder, words) if words and words[0] else of_module(folder, openwork.check)


def open_count(folder, _):
    return of_module(folder, openwork.count)


def of_module(folder, what):
    with ready(folder.lab) as bench:
        module = compiled(folder, bench)
        return what(folder, bench, module) if module else 1


OPEN_COMMANDS = COMMANDS | {"check": open_check, "count": open_count}
# The commands of each kind of lab, and what make help says of them
KINDS = {"code": (COMMANDS, HELP), "answers": (ANSWERS_COMMANDS, answering.HELP),
         "predictions": (PREDICTIONS_COMMANDS, answering.HELP_TO_PREDICT),
         "review": (REVIEW_COMMANDS, reviewwork.HELP), "open": (OPEN_COMMANDS, openwork.HELP)}
WORDS = {word for commands, _ in KINDS.values() for word in commands}


def check_word(folder, word):
    """A sentence for what other labs have."""
    commands, _ = KINDS[folder.lab.work]
    if word not in commands:
        raise Trouble(f"lab {folder.lab.number} has no {word}; it has {', '.join(commands)}")


def run(folder, word, words):
    """A command of the folder's lab."""
    commands, _ = KINDS[folder.lab.work]
    if word != "hint":
        folder.follow()
    try:
        return commands[word](folder, words)
    except (Refused, asking.Alarm) as why:
        raise Trouble(f"{why}. Handed in like this, it would be refused") from why
