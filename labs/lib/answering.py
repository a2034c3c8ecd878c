# SPDX-License-Identifier: GPL-2.0
"""answering.py - what a student does with questions, in a folder of his own"""

import pathlib
import subprocess

import answers
import asking
from places import ROOT
from scores import Score

HELP = {
    "make": "can {file} be read? What is empty?",
    "make check": "how many answers are right, and the points they earn",
    "make shell": "a shell in the guest, the driver loaded (KERNEL=6.1: an older one)",
    "make hint": "the next hint",
    "make submit": "pack what is handed in",
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
    """Its form: all that can be said without a guest."""
    _, _, jobs = of_folder(folder)
    empty = [key for key, job in jobs.items() if not job.said]
    print(f"  ok   {folder.lab.file} can be read"
          + (f"; not answered yet: {', '.join(empty)}" if empty else ""))
    say_problems(jobs)
    return 0


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
        jobs, notes = answers.compare(text, lab, seed, kernel, pathlib.Path(place))
    for note in notes:
        print(f"  note: {note}")
    score = Score(lab, jobs)
    for part in lab.parts:
        right = sum(jobs[key].verdict in ("ok", "skip") for key in part.tests)
        print(f"  {score.parts[part.name]:3} of {part.points:2}  {part.name}: {right} of "
              f"{len(part.tests)} right; {jobs[part.tests[0]].question.command}")
    print(f"  {score.total:3} of {score.most}")
    return 0 if all(job.verdict in ("ok", "skip") for job in jobs.values()) else 1


def shell(bench, kernel):
    """A guest like the one that is asked."""
    done = subprocess.run(
        [str(ROOT / "vm/run"), "--kernel", kernel, "--cpus", "2", "--nodes", "2", "--append",
         "numa_balancing=disable", "--modules", str(bench.clean), "--shell"], check=False)
    return done.returncode
