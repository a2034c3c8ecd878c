# SPDX-License-Identifier: GPL-2.0
"""reviewchecks.py - labs/selftest: is a lab of review fair, and its grader right?"""

import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import tempfile
import time

import asking
import machine
import reviewgrading
from box import Bench
from likeness import copies
from places import OUT, ROOT, Refused
from pool import DECOYS, RIGHT, WRONG, Draw, read_pool
from review import BOOTS, REVIEW, TESTS, TREE, Boot, Malformed, Matrix, Points, Review
from submission import SIZE, take
from trees import Sets, program

SEED = "selftest"
COPIED = "t-race-populate.c"
BLANK = {"verdict": "", "guarantee": "", "test": "", "why": ""}
DRAWS = 60


# --- the pool -------------------------------------------------------------------

def check_pool(tally, lab):
    wrong = read_pool(lab.dir / "mutants", lab.variant)
    right = read_pool(lab.dir / "harmless", lab.variant)
    shown = "\n".join(p.shown() for p in wrong + right)
    tally.check(f"lab {lab.number}: {len(wrong)} wrong patches and {len(right)} harmless ones apply",
                all(p.wrong for p in wrong) and not any(p.wrong for p in right)
                and shown.count("\n---\n") == len(wrong + right)
                and len(right) >= RIGHT + DECOYS)
    silent = [p.name for p in right if len(p.path.read_text().split("Message:")[0].split()) < 20]
    tally.check(f"lab {lab.number}: each harmless patch says why it is right", not silent,
                ", ".join(silent))
    told = [word for word in ["mutant", "harmless", *(p.name for p in wrong + right)]
            if re.search(rf"\b{word}\b", shown)]
    tally.check(f"lab {lab.number}: no patch is handed out with its name", not told,
                ", ".join(told))
    draws = [Draw(lab, f"{n}") for n in range(DRAWS)]
    names = [[p.name for p in draw.four] for draw in draws]
    again = [[p.name for p in Draw(lab, f"{n}").four] for n in range(DRAWS)]
    tally.check(f"lab {lab.number}: each seed draws {WRONG} wrong patches and {RIGHT} harmless one, "
                "and the same ones again",
                all(sum(p.wrong for p in draw.four) == WRONG and len(draw.four) == WRONG + RIGHT
                    for draw in draws) and names == again
                and {name for four in names for name in four} == {p.name for p in wrong + right})
    tally.check(f"lab {lab.number}: no decoy is wrong, or one of the four",
                all(len(draw.decoys) >= DECOYS and not any(
                    p.wrong or p in draw.four for p in draw.decoys) for draw in draws))


# --- what is handed in ------------------------------------------------------------

def filled(lab, seed, rows, source=None):
    """The hand-out of a seed with these rows, number -> fields."""
    files = lab.handouts(None, seed)
    text = files[REVIEW]
    for number, fields in rows.items():
        before, row, after = re.split(rf"(^\[patch-{number}\]\n(?:\w.*\n)+)", text, flags=re.M)
        for field, value in fields.items():
            row = re.sub(rf"^{field} = .*", lambda _, f=field, v=value: f"{f} = {json.dumps(v)}", row,
                         flags=re.M)
        text = before + row + after
    return {REVIEW: text.encode(), TESTS: (source or files[TESTS]).encode()}


def solved(drawn):
    """Number -> fields of a review that is right."""
    return {n: {"verdict": "wrong", "guarantee": sorted(p.guarantees)[0], "why": "so it is"}
            if p.wrong else {"verdict": "right", "why": "so it is"}
            for n, p in enumerate(drawn.four, 1)}


def malformed(lab):
    """(what, files, sentence)"""
    good = filled(lab, SEED, {})
    text = good[REVIEW].decode()
    row = "[patch-1]\nverdict"
    return [
        ("TOML that is none", text + "why = \n", "is no TOML"),
        ("a number for a verdict", text.replace(f"{row} = \"\"", f"{row} = 1"), "no text in quotes"),
        ("a patch that is no table", re.sub(r"(?s)\[patch-4\].*", "", text).replace(
            "\n[patch-1]", "\npatch-4 = 3\n[patch-1]"), "no text in quotes"),
        ("another word", text.replace(f"{row} = \"\"", f"{row} = \"perhaps\""), "it is \"right\" or"),
        ("another guarantee", text.replace("guarantee = \"\"", "guarantee = \"G11\"", 1),
         "\"G1\" to \"G10\""),
        ("a test that is not there", text.replace("test = \"\"", "test = \"g1_none\"", 1),
         "has no such TEST(NAME"),
        ("a name with a blank", text.replace("test = \"\"", "test = \"a b\"", 1), "has no such TEST"),
        ("brackets in brackets", text + "x = " + "[" * 30000, "is no TOML"),
        ("a seed that is none", re.sub("(?m)^seed = .*", 'seed = "\\\\u001b[2J"', text),
         "does not say which patches"),
        ("no seed", re.sub("(?m)^seed = .*\n", "", text), "does not say which patches"),
    ], good[TESTS]


def check_malformed(tally, lab):
    cases, tests = malformed(lab)
    for what, text, sentence in cases:
        try:
            Review({REVIEW: text.encode(), TESTS: tests})
            said = "it was understood"
        except Malformed as why:
            said = str(why)
        tally.check(f"lab {lab.number}: {what}: {sentence!r}", sentence in said, said)


def check_taking(tally, lab):
    """Both files, whatever they come in."""
    good = filled(lab, SEED, {})
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder)
        for name, also in (("both", {}), ("deep", {}), ("two", {f"again/{REVIEW}": good[REVIEW]}),
                           ("one", {TESTS: None}), ("large", {TESTS: b" " * (SIZE + 1)}),
                           ("empty", {REVIEW: b"\n"})):
            put(base / name / ("a/b" if name == "deep" else ""), good | also)
        (base / "one" / TESTS).symlink_to("/etc/passwd")
        put(base / "half", {REVIEW: good[REVIEW]})
        for kind in ("gztar", "zip"):
            shutil.make_archive(str(base / "packed"), kind, base / "both")
        for name, sentence in (
                ("both", None), ("deep", None), ("packed.tar.gz", None), ("packed.zip", None),
                ("half", f"no {TESTS} in it"), ("two", "which one is meant"), ("one", "is a link"),
                ("large", f"{TESTS} has"), ("empty", f"{REVIEW} is empty"),
                (f"both/{REVIEW}", "this is one file")):
            try:
                said = "taken" if take(base / name, lab).files == good else "others were taken"
            except Refused as why:
                said = str(why)
            tally.check(f"lab {lab.number}: handed in as {name}: {sentence or 'taken'!r}",
                        (sentence or "taken") in said, said)


def put(folder, files):
    for name, data in files.items():
        if data is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)


# --- points ---------------------------------------------------------------------------

def scored(lab, drawn, files, verdicts):
    """Points, of verdicts (test, subject) -> words, without a machine."""
    matrix = Matrix(Review(files), drawn, None, random.Random(0))
    for (test, subject), words in verdicts.items():
        matrix.jobs[test, subject] = []
        for word in words:
            job = asking.Job(lab.variant, test, 5)
            job.verdict = word
            matrix.jobs[test, subject].append(job)
    return Points(lab, matrix)


def check_points(tally, lab):
    drawn = Draw(lab, SEED)
    rows = solved(drawn)
    first = next(n for n, p in enumerate(drawn.four, 1) if p.wrong)
    right = next(n for n, p in enumerate(drawn.four, 1) if not p.wrong)
    test = "g3_example_of_a_parked_populate"
    named = rows | {first: rows[first] | {"test": test}}
    ok, bad = ["ok"] * BOOTS, ["failed"] * BOOTS
    clean = {(test, s): ok for s in (TREE, "decoy 1", "decoy 2")}
    cases = [
        ("the hand-out", {}, {}, 0),
        ("a review without tests", rows, {}, 30),
        ("a review without reasons", {n: r | {"why": ""} for n, r in rows.items()}, {}, 0),
        ("right for all", {n: {"verdict": "right", "why": "x"} for n in rows}, {}, 0),
        ("wrong for all, without a guarantee", {n: {"verdict": "wrong", "why": "x"} for n in rows},
         {}, 0),
        ("a test that fails each time", named, clean | {(test, first): bad}, 45),
        ("a test that fails once", named, clean | {(test, first): ["ok", "crash", "ok"]}, 38),
        ("a test that never fails", named, clean | {(test, first): ok}, 30),
        ("a test that skips", named, clean | {(test, first): ["skip"] * BOOTS}, 30),
        ("a test that was not asked", named, clean | {(test, first): ["not asked"] * BOOTS}, 30),
        ("a test that fails on the tree", named,
         clean | {(test, first): bad, (test, TREE): ["ok", "time-out"]}, 20),
        ("a test that fails with a decoy", named,
         clean | {(test, first): bad, (test, "decoy 2"): ["failed"]}, 20),
        ("a test that fails with the harmless patch",
         rows | {right: {"verdict": "wrong", "why": "x", "test": test}},
         clean | {(test, right): bad}, 10),
        ("a test of a patch that is judged right",
         named | {first: {"verdict": "right", "test": test}}, {}, 18),
    ]
    for what, said, verdicts, total in cases:
        score = scored(lab, drawn, filled(lab, SEED, said), verdicts)
        tally.check(f"lab {lab.number}: {what} has {total} points", score.total == total,
                    f"{score.total}: {score.parts} {score.lost}")


# --- copies ------------------------------------------------------------------------------

@contextlib.contextmanager
def private(lab):
    """A pool whose wrong patches the tests of one file of the suite catch: (the names of
    these tests, the file). One patch is as an instructor writes it, with its own diff."""
    path = ROOT / "tests" / COPIED
    tests = {}
    with tempfile.TemporaryDirectory() as folder:
        for patch in read_pool(lab.dir / "mutants", lab.variant):
            test = next((t for t in patch.tests if f"TEST({t}," in path.read_text()), None)
            if test and len(tests) < WRONG:
                shutil.copy2(patch.path, folder)
                tests[patch.name] = test
                last = patch
        shutil.copy2(sorted((lab.dir / "harmless").glob("*.patch"))[0], folder)
        message = "\n\t".join(last.fields["Message"])
        pathlib.Path(folder, last.path.name).write_text(
            f"Guarantee: {sorted(last.guarantees)[0]}\nMessage: {message}\n{last.diff}")
        os.environ["PRIVATE"] = folder
        try:
            yield tests, path
        finally:
            del os.environ["PRIVATE"]


def copied(lab, tests, path):
    """(rows, source) of a submission that copies the suite's tests."""
    drawn = Draw(lab, SEED)
    rows = solved(drawn)
    for n, patch in enumerate(drawn.four, 1):
        if patch.wrong:
            rows[n]["test"] = f"my_{tests[patch.name]}"
    return rows, re.sub(r"(?m)^TEST\((\w+),", r"TEST(my_\1,", path.read_text())


def check_likeness(tally, lab):
    skeleton = (lab.dir / TESTS).read_text()
    tally.check(f"lab {lab.number}: {TESTS} as it is handed out is no copy", not list(copies(skeleton)))
    with private(lab) as (tests, path):
        rows, source = copied(lab, tests, path)
    said = "\n".join(copies(source))
    start = time.monotonic()
    for bomb in ("a(" * 32000, "/*" * 32000, "\"" * 63999, "{\n" * 32000, "x (x\n" * 12000):
        list(copies(bomb))
    took = time.monotonic() - start
    tally.check(f"lab {lab.number}: no text keeps the comparison busy", took < 30, f"{took:.0f} s")
    missed = [row["test"] for row in rows.values() if "test" in row and row["test"] not in said]
    tally.check(f"lab {lab.number}: tests of the suite under other names are flagged",
                len(missed) < WRONG, f"not {', '.join(missed)}")


# --- with machines -------------------------------------------------------------------------

def asked(bench, lab, modules, tests, folder):
    """test -> verdict, by the suite's own program."""
    limits = {t: limit for (_, t), limit in machine.plan([lab.variant], tests)}
    jobs = [asking.Job(lab.variant, test, limits[test]) for test in tests]
    folder.mkdir(parents=True)
    asking.Asking(bench.kernel, modules, folder).ask(jobs)
    return {job.test: job.verdict for job in jobs}


def check_trees(tally, lab, kernel):
    """Each harmless patch passes what each wrong one fails."""
    wrong = read_pool(lab.dir / "mutants", lab.variant)
    right = read_pool(lab.dir / "harmless", lab.variant)
    chosen = {p.name: next(t for t in p.tests if "_race_" in t) for p in wrong}
    place = OUT / f"review-pool-{kernel}"
    shutil.rmtree(place, ignore_errors=True)
    bench = Bench(kernel)
    try:
        bench.prepare()
        sets = Sets(bench, lab)
        for patch in wrong:
            test = chosen[patch.name]
            seen = asked(bench, lab, sets.modules([patch]), [test], place / patch.name)
            tally.check(f"lab {lab.number}: {patch.name} as it is handed out fails {test}",
                        seen[test] not in ("ok", "skip", "not asked"), seen[test])
        for patch in right:
            seen = asked(bench, lab, sets.modules([patch]), sorted(set(chosen.values())),
                         place / patch.name)
            bad = [f"{t} ({v})" for t, v in seen.items() if v not in ("ok", "skip")]
            tally.check(f"lab {lab.number}: {patch.name} passes the tests of all wrong ones", not bad,
                        ", ".join(bad))
    finally:
        bench.close()


def graded(lab, files, kernel):
    """(exit status, results.json, report.txt)"""
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        path, out = pathlib.Path(folder, "in"), pathlib.Path(folder, "out")
        path.mkdir()
        out.mkdir()
        for name, data in files.items():
            (path / name).write_bytes(data)
        status = reviewgrading.Grader(lab, path, out, SEED, kernel).grade()
        return (status, json.loads((out / "results.json").read_text()),
                (out / "report.txt").read_text())


BAD = """\
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "race.h"

/* As large as on the tree: what a test could know that looks at no behaviour. */
static long size_of_module(void)
{
	FILE *f = fopen("/proc/modules", "r");
	char name[64], text[256];
	long size = 0, sum = 0;

	while (f && fgets(text, sizeof(text), f))
		if (sscanf(text, "%63s %ld", name, &size) == 2 &&
		    !strcmp(name, "my_mmu_spinlock"))
			sum = size;
	return sum;
}

TEST(never_true, 20)
{
	EXPECT_EQ(1, 2, "one is two");
}

TEST(reads_sizes, 20)
{
	EXPECT_EQ(size_of_module(), SIZE_OF_TREE, "the module is as large as it was");
}

TEST(never_returns, 600)
{
	EXPECT_EQ(0, 0, "zero is zero");
	for (;;)
		pause();
}

TEST(ends_the_machine, 20)
{
	EXPECT_EQ(0, 0, "zero is zero");
	reboot(RB_POWER_OFF);
}

TEST(never_silent, 20)
{
	EXPECT_EQ(0, 0, "zero is zero");
	for (;;)
		puts("nothing happens here, and it is said all the time");
}

TEST(reports_for_others, 20)
{
	EXPECT_EQ(0, 0, "zero is zero");
	printf("ok 1 0123456789ab\\n");
	fflush(stdout);
}
"""


def bad_tests(lab, kernel):
    """With the size that the module has on the tree, as the guest says it."""
    bench = Bench(kernel)
    try:
        bench.prepare()
        source = BAD.replace("SIZE_OF_TREE", "-1")
        rows = {1: {"verdict": "wrong", "test": "reads_sizes"}}
        review, sets = Review(filled(lab, SEED, rows, source)), Sets(bench, lab)
        matrix = Matrix(review, Draw(lab, SEED), sets, random.Random(SEED))
        with asking.evidence_folder("sizes") as place:
            matrix.ask(Boot(TREE, sets.modules([]), review.tests), kernel,
                       program(bench, TESTS, review.source), pathlib.Path(place, "boot"))
        notes = matrix.jobs["reads_sizes", TREE][0].notes
        size = next(m[1] for m in (re.search(r"size_of_module\(\) is (\w+),", n) for n in notes) if m)
        return BAD.replace("SIZE_OF_TREE", size)
    finally:
        bench.close()


def check_grades(tally, lab, kernel):
    """Whole submissions."""
    drawn = Draw(lab, SEED)
    wrong = [n for n, p in enumerate(drawn.four, 1) if p.wrong]
    rows = solved(drawn)

    def tests(*names):
        return rows | {n: rows[n] | {"test": name} for n, name in zip(wrong, names)}

    def case(what, files, total, *sentences, status=0):
        seen, results, text = graded(lab, files, kernel)
        tally.check(f"lab {lab.number}: {what}: {total} points, {results['execution_time']} s",
                    (seen, results["score"]) == (status, total)
                    and all(s in text for s in sentences), f"status {seen}: {text}")

    case("the hand-out", filled(lab, SEED, {}), 0, "no verdict")
    case("a review without tests", filled(lab, SEED, rows), 30)
    source = (lab.dir / TESTS).read_text()
    example = tests("g3_example_of_a_parked_populate")
    case("tests that do not compile", filled(lab, SEED, example, source + "int x = ;\n"), 30,
         "expected expression")
    case("tests that warn", filled(lab, SEED, example, source + "static int x;\n"), 30,
         "defined but not used")
    case("tests that include a file of the host",
         filled(lab, SEED, example, source + '__asm__(".incbin \\"/etc/hostname\\"");\n'), 30,
         "file not found: /etc/hostname")
    case("a review of other patches", {
        **filled(lab, SEED, rows), REVIEW: filled(lab, SEED, rows)[REVIEW].replace(
            b'seed = "', b'seed = "x')}, 0, "are not those that this tree draws", status=1)
    bad = bad_tests(lab, kernel)
    with private(lab) as (names, path):
        its_rows, source = copied(lab, names, path)
        copies_of_all = filled(lab, SEED, its_rows, source)
        case("copies of the suite's tests", copies_of_all, 75, "looks like")
        numbers = [n for n, row in its_rows.items() if "test" in row]
        for number, name in zip(numbers, ("never_returns", "ends_the_machine")):
            its_rows[number]["test"] = name
        case("one of these beside a test that never returns, and one that ends the machine",
             filled(lab, SEED, its_rows, source + bad), 25, "out of time", "ended in the middle",
             "with it 3 of 3 times")
    case("the same, but graded without PRIVATE=", copies_of_all, 0, "are not those", status=1)
    case("a test that fails always, and one that looks at sizes",
         filled(lab, SEED, tests("never_true", "reads_sizes"), bad), 10,
         "one is two", "a patch that breaks nothing")
    case("a test that is never silent", filled(lab, SEED, tests("never_silent"), bad), 20,
         "the machine hung")
    case("a test that is not compiled",
         filled(lab, SEED, tests("never_there"), f"{bad}\n#if 0\nTEST(never_there, 20)\n#endif\n"),
         0, "Is it behind an #if")
    case("a test that reports for others", filled(lab, SEED, tests("reports_for_others"), bad), 0,
         "not asked for", status=1)


def check_review(tally, labs):
    """What needs neither a compiler nor a machine."""
    for lab in labs:
        check_pool(tally, lab)
        check_taking(tally, lab)
        check_malformed(tally, lab)
        check_points(tally, lab)
        check_likeness(tally, lab)


def check_reviews(tally, labs):
    for lab in labs:
        check_trees(tally, lab, tally.args.kernel[0])
        check_grades(tally, lab, tally.args.kernel[0])


CHECKS = {"patches": check_review, "reviews": check_reviews}
