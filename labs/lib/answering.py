# SPDX-License-Identifier: GPL-2.0
"""answering.py - what a student does with questions, in a folder of his own

Where predictions are asked for, make submit packs them first, alone. From then on they
can be compared with what is measured, and are not to change any more.
"""

import pathlib
import shutil
import subprocess
import tempfile

import answers
import asking
import mending
import trees
from box import Bench
from frozen import sha256
from places import OUT, ROOT, Trouble
from scores import Score
from submission import read, text_of

HELP = {
    "make": "can {file} be read? What is empty?",
    "make check": "how many answers are right, and the points they earn",
    "make shell": "a shell in the guest, the driver loaded (KERNEL=6.1: an older one)",
    "make hint": "the next hint",
    "make submit": "pack what is handed in",
}
HELP_TO_PREDICT = {
    "make": "can {file} be read? What is empty? Does badbench.c compile?",
    "make check": "how many faults are mended; how many predictions are right, once packed",
    "make measure": "what the workloads count, once your predictions are packed",
    "make shell": "a shell in the guest, with the driver and badbench",
    "make hint": "the next hint",
    "make submit": "pack your predictions; the second time, badbench.c as well",
}


def of_folder(folder):
    """(seed, key -> Answer) of the folder's file, and what there is to say of it."""
    taken = folder.source()
    for note in taken.notes:
        print(f"  note: {note}")
    text = taken.data.decode()
    seed, _ = answers.parse(text, folder.lab)
    if seed != folder.state["seed"]:
        print(f"  note: {folder.lab.file} says seed {seed}, and make lab drew "
              f"{folder.state['seed']} for this folder; are these your own questions?")
    return text, seed, answers.answers_of(text, folder.lab)


def build(folder):
    """All that can be said without a guest."""
    form(folder)
    if not folder.lab.program:
        return 0
    bench = Bench(folder.kernel)
    try:
        return 0 if program_of(folder, bench) else 1
    finally:
        bench.close()


def form(folder):
    _, _, jobs = of_folder(folder)
    empty = [key for key, job in jobs.items() if not job.said]
    print(f"  ok   {folder.lab.file} can be read"
          + (f"; not answered yet: {', '.join(empty)}" if empty else ""))
    say_problems(jobs)


def sources(folder):
    """Name -> what the folder has of the program, if it has it."""
    name = folder.lab.program
    path = folder.path / (name or "")
    return {name: text_of(read(path, name), [], name)} if name and path.exists() else {}


def program_of(folder, bench):
    """The program, compiled; or None, and why."""
    name, found = folder.lab.program, sources(folder)
    if not found:
        print(f"  FAIL {name} is not here; make lab in another folder brings it again")
        return None
    return trees.aloud(trees.tool, bench, name, found[name])


def say_problems(jobs):
    for key, job in jobs.items():
        if job.problem:
            print(f"  note: {key} = {job.said[:60]!r} cannot be right: {job.problem}")


def check(folder, kernel):
    """Right ones are counted, and not named: who has to find out which looks again."""
    lab = folder.lab
    text, seed, jobs = of_folder(folder)
    say_problems(jobs)
    print("  ...  looking, in a guest", flush=True)
    with asking.evidence_folder("check") as place:
        if may_measure(folder):
            jobs, notes = answers.compare(text, lab, seed, kernel, pathlib.Path(place))
            has_measured(folder)
        else:
            notes = [f"{lab.file} is not packed yet (make submit), so it is not compared"]
        if lab.program:
            jobs |= mending.judge(lab.program, sources(folder), seed, kernel,
                                  pathlib.Path(place, "program"))
    for note in notes:
        print(f"  note: {note}")
    return count(lab, jobs)


def count(lab, jobs):
    """What was asked, part by part."""
    score = Score(lab, jobs)
    asked = [part for part in lab.parts if jobs[part.tests[0]].verdict]
    for part in asked:
        right = sum(jobs[key].verdict in ("ok", "skip") for key in part.tests)
        print(f"  {score.parts[part.name]:3} of {part.points:2}  {part.name}: {right} of "
              f"{len(part.tests)} right; {jobs[part.tests[0]].about}")
        if part.of_program and not right and len({jobs[key].detail for key in part.tests}) == 1:
            print(f"       {jobs[part.tests[0]].detail}")
    print(f"  {score.total:3} of {sum(part.points for part in asked)}")
    return 0 if all(job.verdict in ("ok", "skip") for job in jobs.values()) else 1


def measure(folder, kernel):
    """What was to be predicted, for all variants."""
    if not may_measure(folder):
        raise Trouble(f"{folder.lab.file} is not packed yet: what you predict after you have "
                      "measured is no prediction. make submit packs it")
    print("  ...  measuring, in a guest", flush=True)
    with asking.evidence_folder("measure") as place:
        lines = folder.lab.module.measured(folder.state["seed"], kernel, pathlib.Path(place))
    has_measured(folder)
    print("\n".join(lines))
    return 0


# --- predictions are handed in first -------------------------------------------

def may_measure(folder):
    return not folder.lab.frozen or bool(folder.state.get("frozen"))


def has_measured(folder):
    if folder.lab.frozen and not folder.state.get("measured"):
        folder.state["measured"] = True
        folder.save()


def freeze(folder):
    """Are these the predictions that are packed already? If nothing was measured yet, they
    may change."""
    digest = sha256(folder.source().main)
    before = folder.state.get("frozen")
    if before not in (None, digest) and folder.state.get("measured"):
        raise Trouble(f"{folder.lab.file} is no longer the one that you handed in (its sha256 was "
                      f"{before}). You have measured since; take it out of the archive that make "
                      "submit made then")
    folder.state["frozen"] = digest
    folder.save()
    return before == digest


def shell(folder, bench, kernel):
    """A guest like the one that is asked, with the program, if there is one."""
    with tempfile.TemporaryDirectory(dir=OUT) as files:
        if folder.lab.program:
            program = program_of(folder, bench)
            if not program:
                return 1
            place = pathlib.Path(files, "bin")
            place.mkdir()
            shutil.copy2(program, place)
        done = subprocess.run(
            [str(ROOT / "vm/run"), "--kernel", kernel, "--cpus", "2", "--nodes", "2", "--append",
             "numa_balancing=disable", "--modules", str(bench.clean), "--files", files, "--shell"],
            check=False)
    return done.returncode
