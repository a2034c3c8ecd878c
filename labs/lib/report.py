# SPDX-License-Identifier: GPL-2.0
"""report.py - results.json (Gradescope's format), report.txt, junit.xml"""

import json
import os
import re
import xml.etree.ElementTree as xml

from picture import Picture
from places import ROOT

BLAME = {"crash": "your code took the kernel down",
         "hang": "your code hung the machine",
         "time-out": "out of time: your code did not come to an end",
         "not reached": "the interleaving did not come about",
         "not asked": "not asked",
         "failed": "broken"}
CHECK = re.compile(r"^(\S+): failed: (.*)$|^(\S+ \(from \S+\)): failed: (.*)$")


def write(path, text):
    """Whole, or not at all."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    os.replace(new, path)


def guarantees():
    """G1 -> "no stale access", as README.md has it."""
    text = (ROOT / "README.md").read_text()
    return dict(re.findall(r"^\| (G\d+) \| ([^:|]+)", text, re.M))


def guarantee(test):
    match = re.match(r"g(\d+)_", test)
    if not match:
        return ""
    name = f"G{match[1]}"
    return f"{name}, {guarantees().get(name, '').strip()}"


def first_failure(notes):
    """(where, what was expected, what was seen) of the first check that failed."""
    for i, note in enumerate(notes):
        match = CHECK.match(note)
        if match:
            seen = notes[i + 1].strip() if i + 1 < len(notes) else ""
            return match[1] or match[3], match[2] or match[4], seen
    return "", "", ""


def explain(job, lab, command=True, hints=None):
    """All that can be said of a test that is not ok, as lines. hints: how many were used."""
    if lab.kind == "answers":
        return job.explain()
    where, expected, seen = first_failure(job.notes)
    lines = [f"FAIL {job.test}    {BLAME[job.verdict]}"]
    if guarantee(job.test):
        lines.append(f"  guarantee {guarantee(job.test)}")
    if expected:
        lines += [f"  expected  {expected}", f"  seen      {seen}", f"  at        {where}"]
    if job.verdict == "not reached":
        lines.append("  so        nothing is known of the guarantee. "
                     + ("No populate went to sleep, and this race needs one that does"
                        if job.detail == "wait" else
                        "No task came to the test point; my_mmu_test_point() is part of the task"))
    elif job.verdict in ("crash", "hang", "not asked") or not expected:
        lines += [f"  seen      {line}" for line in told(job)]
    lines += ["  " + line for line in Picture(job.notes).draw()]
    return lines + (again(job, lab, hints) if command else [])


def again(job, lab, hints=None):
    """What a student does next."""
    return [f"  again     make check T={job.test}",
            f"  ask       {hint(job, lab, hints)}; chapter {lab.chapter}"]


def hint(job, lab, used):
    """Which one helps, where lab.toml says so of the part."""
    part, there = lab.part_of(job.test), len(lab.hints())
    words = "make hint" + (f" ({used} of {there} used)" if used is not None else "")
    if not part or not part.hint:
        return words
    if used is not None and used >= part.hint:
        return f"hint {part.hint}, which you have had, is about part {part.name}"
    return f"{words}: hint {part.hint} is about part {part.name}"


def unreached(jobs):
    """Races that did not come about, apart from what failed: they say nothing of it."""
    if not jobs:
        return []
    asleep = sum(job.detail == "wait" for job in jobs)
    why = [f"{n} for lack of {what}" for n, what in
           ((asleep, "a populate that sleeps"), (len(jobs) - asleep, "a task at the test point"))
           if n]
    return [f"NOT REACHED: {len(jobs)} interleavings did not come about, {' and '.join(why)}. "
            "Nothing is known of these guarantees."]


def told(job):
    """What the kernel or the harness said, where no check did."""
    said = [n for n in job.notes if not n.startswith("trace: ") and not n.startswith("took ")]
    return ([job.detail] if job.detail else []) + said[:8]


def beginning(result):
    """Lines of report.txt: all of it, where there are no points."""
    head = f"lab {result.lab.number}  {result.lab.title}"
    lines = [head, "=" * len(head), ""]
    lines += [f"note: {note}" for note in result.notes]
    if result.refused:
        return lines + [f"REFUSED: {result.refused}",
                        "No points are given or taken before a human has looked."]
    if not result.score:
        return lines + [result.state, *[f"  {m}" for m in result.messages]]
    return lines


def text(result):
    """report.txt"""
    lab, score = result.lab, result.score
    lines = beginning(result)
    if not score or result.refused:
        return "\n".join(lines) + "\n"
    lines += [f"{result.total}/{result.most}   "
              + "   ".join(f"{p.name} {score.parts[p.name]}/{p.points}" for p in lab.parts)
              + (f"   regressions {score.regressions}" if lab.regressions else "")
              + (f"   machine taken down {score.wreck}" if score.wreck else "")]
    lines += [f"  {p.name}  {p.title}" for p in lab.parts]
    if result.drawn:
        lines += result.drawn.lines()
    if score.never_waits:
        lines.append(f"No populate waits, which is part {lab.waits}. Write that first: "
                     f"{len(score.never_waits)} races need one that does, and earn nothing without.")
    lines.append("")
    bad = [job for job in map(result.jobs.get, lab.tests)
           if job.verdict not in (None, "ok", "skip")]
    apart = [job for job in bad if job.verdict == "not reached"]
    for job in [job for job in bad if job not in apart]:
        lines += [*explain(job, lab, hints=result.hints), ""]
    lines += [line for line in unreached(apart) for line in (line, "")]
    for job in apart:
        lines += [*explain(job, lab, hints=result.hints), ""]
    if not result.finished:
        asked = sum(result.jobs[t].verdict is not None for t in lab.tests)
        lines.append(f"NOT FINISHED: {asked} of {len(lab.tests)} {lab.noun} were asked so far.")
    good = sum(result.jobs[t].verdict == "ok" for t in lab.tests)
    machines = f"{result.machines} machines, " if result.machines else ""
    lines.append(f"{good} of {len(lab.tests)} {lab.noun} are ok; {result.seconds:.1f} s, "
                 f"{machines}kernel {result.kernel}, seed {result.seed}"
                 + (f", {result.hints} of {len(lab.hints())} hints" if result.hints is not None
                    else ""))
    return "\n".join(lines) + "\n"


def rows(result):
    """Of results.json: a table for each test."""
    tests = []
    for test in result.lab.tests:
        job, part = result.jobs.get(test), result.lab.part_of(test)
        points, most = (result.score.of_test(test) if result.score else
                        (0, round(part.points / len(part.tests), 2) if part else 0))
        verdict = job.verdict if job and job.verdict else "not asked"
        tests.append({
            "name": test, "number": part.name if part else "regression",
            "score": points, "max_score": most,
            "status": "passed" if verdict in ("ok", "skip") else "failed",
            "output": "ok" if verdict == "ok" else
                      "\n".join(explain(job, result.lab, hints=result.hints))
                      if job and job.verdict
                      and verdict != "skip" else verdict,
            "visibility": "visible"})
    return tests + ([result.drawn.row()] if result.drawn else [])


def gradescope(result, tests):
    """results.json"""
    return json.dumps({
        "score": result.total if result.score else 0,
        "execution_time": round(result.seconds, 1),
        "output": result.refused or "\n".join(
            [result.state or ("graded" if result.finished else "not finished"), *result.messages]),
        "visibility": "visible", "tests": tests,
        "extra_data": {"state": "refused" if result.refused else
                       "graded" if result.finished else "not finished",
                       "parts": result.score.parts if result.score else {},
                       "drawn": result.drawn.points if result.drawn and result.drawn.most
                       else None,
                       "verdicts": {t: j.verdict for t, j in result.jobs.items()},
                       "hints": result.hints,
                       "key": result.key, "seed": result.seed, "kernel": result.kernel,
                       "notes": result.notes}}, indent=1) + "\n"


def junit(result):
    """junit.xml"""
    cases = []
    for test in result.lab.tests:
        job = result.jobs.get(test)
        why = None
        if job and job.verdict not in (None, "ok", "not asked", "skip"):
            lines = explain(job, result.lab)
            why = lines[0].removeprefix(f"FAIL {test}").strip(), "\n".join(lines)
        skipped = not job or job.verdict in (None, "not asked", "skip")
        cases.append((test, job.took if job else 0, skipped, why))
    return suite(result, cases + ([result.drawn.case()] if result.drawn else []))


def suite(result, cases):
    """cases: (name, seconds, skipped, (message, text) of a failure)"""
    top = xml.Element("testsuite", name=f"lab {result.lab.number}", tests=str(len(cases)),
                      time=f"{result.seconds:.1f}")
    for name, took, skipped, why in cases:
        case = xml.SubElement(top, "testcase", name=name, classname=result.lab.name,
                              time=f"{took:.3f}")
        if skipped:
            xml.SubElement(case, "skipped")
        elif why:
            failure = xml.SubElement(case, "failure", message=why[0])
            failure.text = why[1]
    return xml.tostring(top, encoding="unicode", xml_declaration=True) + "\n"
