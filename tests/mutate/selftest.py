# SPDX-License-Identifier: GPL-2.0
"""selftest.py - do the operators, and the verdicts, do what they should?"""

import difflib

import sites
from patches import ROOT
from sites import HERE, Made, list_sites
from trial import OUT, Trial

# A file, what is changed in it, and what has to be said of the mutant
NO_ZAP = ("variants/split-ptl/my_mmu.c", "\t__my_mmu_entry_clear(t, address);\n", "")
NO_SUCH = ("driver/table.c", "round_down(address,", "round_sideways(address,")
UNUSED = ("driver/engine.c", "\tlong ret;\n\n\tpages = kmalloc_array(",
          "\tlong ret, unused;\n\n\tpages = kmalloc_array(")
SAME = ("driver/engine.c", "\tint cpu;", "\tint  cpu;")


def made_of_sample():
    """What each operator makes of sample.c, as text."""
    name = "tests/mutate/sample.c"
    text = (ROOT / name).read_text()
    said = []
    for operator in sites.operators():
        for site in sorted(list_sites(operator, name, text), key=lambda s: s.key):
            new = site.change(text)
            if new is None:
                continue
            lines = list(difflib.unified_diff(text.splitlines(), new.splitlines(),
                                              lineterm="", n=1))[2:]
            said.append(f"{operator.stem} {site.line}: " + " ".join(
                line[0] + " ".join(line[1:].split()) for line in lines
                if line[1:].strip() and not line.startswith("@@")).strip())
    return said


def operators():
    expected = (HERE / "sample.expected").read_text().splitlines()[1:]
    found = made_of_sample()
    lines = [line for line in difflib.unified_diff(expected, found, "expected", "found",
                                                   lineterm="", n=0) if line[:2] != "@@"]
    if lines:
        lines[0] = ("the operators make something else of tests/mutate/sample.c than "
                    "sample.expected says:\n" + lines[0])
    return ["\n".join(lines)] if lines else []


def made(file, old, new):
    text = (ROOT / file).read_text()
    if text.count(old) != 1:
        raise AssertionError(f"selftest.py wants \"{old.strip()}\" once in {file}")
    return Made(file, text, text.replace(old, new))


def verdicts(runner):
    bad, bench = [], runner.bench(1)
    (OUT / "log").mkdir(parents=True, exist_ok=True)
    with open(OUT / "log/selftest-build.log", "wb") as log:
        for change, wanted in ((NO_SUCH, "does not compile"), (UNUSED, "does not compile"),
                               (SAME, "the same object code"), (NO_ZAP, None)):
            why = runner.build(bench, made(*change), log)
            if not (why is None if wanted is None else (why or "").startswith(wanted)):
                bad.append(f"a mutant of {change[0]} that {wanted or 'compiles'} is said "
                           f"to be: {why or 'one that counts'}")
    order = [("split-ptl", test) for group, test in runner.plan
             if group == "split-ptl" and test.startswith("g1_munmap")]
    for name, layer, wanted in (("selftest-bad", bench.modules(), "caught"),
                                ("selftest-good", None, "survived")):
        if layer is None:
            bench.restore()
            layer = bench.modules()
        verdict = Trial(runner, name, layer, order).run()
        if verdict != wanted:
            bad.append(f"{name}: {verdict} where {wanted} was to be expected")
    return bad
