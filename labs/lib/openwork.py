# SPDX-License-Identifier: GPL-2.0
"""openwork.py - what a student does with a design of his own, in a folder of his own"""

import pathlib
import shutil
import time

import asking
import grading
import report
from counting import NotCounted, Standing, Tree
from opengrading import Stage, of_stage, six

HELP = {
    "make": "compile {file}, as the grader does",
    "make check T=NAME": "one test, or several (T='g1_*')",
    "make check": "the suite on 6.12, up to the first failure: minutes (KERNEL=6.1)",
    "make watch": "on each save: compile, and the first test that fails",
    "make count": "instructions and interference, beside the tree's variants",
    "make explain T=NAME": "what a test does, and which guarantee it is of",
    "make hint": "the next hint",
    "make shell": "a shell in the guest, your module loaded",
    "make submit": "pack what is handed in",
}


def check(folder, bench, module):
    """The whole suite; the gate has two kernels, stress and fuzz besides."""
    lab, start = folder.lab, time.monotonic()
    print(f"  ...  {len(lab.tests)} tests of {lab.variant}; the first time, it is asked itself "
          "before yours", flush=True)
    reference = grading.Reference(lab, bench)
    jobs = [job for job in grading.plan(lab, reference, folder.state["seed"]) if not job.turned]
    stage = Stage(lab, bench.kernel, f"the suite of {lab.variant}", jobs)
    with asking.evidence_folder("check") as place:
        own = pathlib.Path(place) / module.name
        shutil.copy2(module, own)
        stage.ask(asking.boards(bench.clean, own), pathlib.Path(place, "suite"),
                  lambda: print(f"  ...  {stage.good} of {len(jobs)}, "
                                f"{time.monotonic() - start:.0f} s", flush=True))
    print("\n".join(of_stage(stage)))
    if stage.lost:
        print("\n".join(report.again(stage.lost, lab)))
    return 1 if stage.lost else 0


def count(folder, bench, module):
    """What the grader counts, and what that is worth."""
    lab = folder.lab
    print("  ...  counting, a minute; the first time, the tree's variants, too", flush=True)
    tree = Tree(bench.kernel)
    with asking.evidence_folder("count") as place:
        try:
            with six(bench, module) as modules:
                counts = tree.count(lab.variant, pathlib.Path(place, "counts"), modules)
        except NotCounted as why:
            print(f"  FAIL it cannot be counted: {why}")
            return 1
    standing = Standing(counts, tree.variants, [part.points for part in lab.parts[1:]])
    print("\n".join([*standing.table(), "", "Somebody waits, or begins again:",
                     *(f"  {cell}" for cell in standing.disturbs()), ""]))
    for part, points in zip(lab.parts[1:], standing.points):
        print(f"  {points:3} of {part.points:2}  {part.name}: {part.title}")
    print(f"  {sum(standing.points):3} of {sum(p.points for p in lab.parts[1:])}, if the gate is "
          "passed")
    return 0
