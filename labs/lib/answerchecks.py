# SPDX-License-Identifier: GPL-2.0
"""answerchecks.py - the checks of labs/selftest for labs in which answers are handed in"""

import csv
import io
import itertools
import os
import pathlib
import re
import subprocess
import tarfile
import tempfile

import asking
from places import OUT, ROOT, Trouble
from selfchecks import SEED, graded, packed, taken_or_refused
from submission import SIZE, take
from wrong import all_wrong

SEEDS = (SEED, "neighbour", "alice", "bob", "5f2a0c17")
DEFAULT = "6.12"
ENOUGH = 25 / 60  # of the points: what a neighbour's answers may earn at most


def asked(lab):
    """Points for answers."""
    return sum(part.points for part in lab.parts if not part.of_program)


def filled(text, given):
    """A hand-out with these answers."""
    for key, answer in given.items():
        text, n = re.subn(rf'^{key} = "[^"\n]*"$', f'{key} = "{answer}"', text, flags=re.M)
        assert n == 1, key
    return text


# --- what can be handed in ------------------------------------------------------

def inputs(lab, good):
    """(what, bytes, the sentence, or None where it is taken)"""
    key = lab.keys[0]
    line = f'{key} = ""\n'.encode()

    def answered(value):
        return good.replace(line, f"{key} = {value}\n".encode())

    return [
        ("a hand-out", good, None),
        ("a number without quotes", answered("7"), None),
        ("an archive", packed([(f"x/{lab.file}", good), ("x/lab", b"{}")]), None),
        ("a zip", packed([(lab.file, good)], "zip"), None),
        ("lines that end as on Windows", good.replace(b"\n", b"\r\n"), None),
        ("Latin-1", good + "# gr\u00fcn\n".encode("latin-1"), None),
        ("UTF-8 with a mark in front", b"\xef\xbb\xbf" + good, None),
        ("a quote that is missing", answered('"7'), "cannot be read as TOML"),
        ("an answer twice", good + line, "cannot be read as TOML"),
        ("brackets in brackets", answered("[" * 30000), "cannot be read as TOML"),
        ("a number of 20,000 digits", answered("9" * 20000), "cannot be read as TOML"),
        ("a hexadecimal number of 20,000 digits", answered("0x" + "9" * 20000),
         "nothing here counts"),
        ("a number below 0", answered("-7"), "nothing here counts"),
        ("another lab that is no number", good.replace(f"lab = {lab.number}\n".encode(),
                                                       b"lab = [1]\n"), "another lab"),
        ("a variant", (ROOT / "variants/spinlock/my_mmu.c").read_bytes(),
         "cannot be read as TOML"),
        ("a list", answered('["7"]'), "is a list"),
        ("a table", answered('{ a = "7" }'), "is a table"),
        ("a truth value", answered("true"), "is a truth value"),
        ("a number with a point", answered("7.0"), "is a number with a point"),
        ("a date", answered("2026-12-01"), "is a date or time"),
        ("without an answer", good.replace(line, b""), f"lacks '{key}'"),
        ("an answer that nobody asked for", good + b'Z9 = "7"\n', "nobody asked"),
        ("an answer with a long name", good + b"Z" * 9000 + b" = 7\n", "a long name"),
        ("another lab's file", good.replace(f"lab = {lab.number}\n".encode(), b"lab = 99\n"),
         "says lab = 99"),
        ("without its lab", good.replace(f"lab = {lab.number}\n".encode(), b""),
         "does not say its lab"),
        ("without a seed", re.sub(rb"^seed = .*\n", b"", good, flags=re.M), "has no seed"),
        ("a seed that is none", re.sub(rb"^seed = .*$", b"seed = 7", good, flags=re.M),
         "has no seed"),
        ("an archive without it", packed([("other.toml", good)]), f"no {lab.file}"),
        ("10 MB", good + b"#" * (10 << 20), f"{SIZE} at most"),
        ("nothing", b"", "is empty"),
    ]


def inputs_with_program(lab, good):
    """Likewise, of a lab with a program to be mended."""
    name, source = lab.program, lab.solution().encode()
    return [
        ("with its program", packed([(lab.file, good), (name, source)]), None),
        ("its program alone", packed([(name, source)]), f"no {lab.file}"),
        ("two programs", packed([(lab.file, good), (f"a/{name}", source), (f"b/{name}", source)]),
         f"2 files {name}"),
        ("a program that is no text", packed([(lab.file, good), (name, b"\x7fELF\0")]),
         "is no text"),
        ("a program of 10 MB", packed([(lab.file, good), (name, b" " * (10 << 20))]),
         f"{SIZE} at most"),
    ]


def check_questions(tally, labs):
    """What is drawn, and what can be handed in: without a guest."""
    OUT.mkdir(parents=True, exist_ok=True)
    for lab in labs:
        texts = [lab.handout(seed=f"seed-{i}") for i in range(200)]
        tally.check(f"lab {lab.number}: 200 seeds draw 200 hand-outs, and each draws its own again",
                    len(set(texts)) == 200 and texts[7] == lab.handout(seed="seed-7"))
        keys = [q.key for i in range(200) for q in lab.module.questions(f"seed-{i}")]
        tally.check(f"lab {lab.number}: each asks what lab.toml gives points for",
                    keys == lab.keys * 200)
        good = texts[0].encode()
        cases = inputs(lab, good) + (inputs_with_program(lab, good) if lab.program else [])
        with tempfile.TemporaryDirectory(dir=OUT) as folder:
            place = pathlib.Path(folder)
            for i, (what, data, sentence) in enumerate(cases):
                (place / str(i)).write_bytes(data)
                taken_or_refused(tally, place / str(i), what, sentence, lab)
            check_folders(tally, lab, place, good)


def check_folders(tally, lab, place, good):
    for name in ("plain", "two/a", "two/b", "none"):
        (place / name).mkdir(parents=True)
    for name in ("plain", "two/a", "two/b"):
        (place / name / lab.file).write_bytes(good)
    taken_or_refused(tally, place / "plain", "a folder", None, lab)
    taken_or_refused(tally, place / "two", "a folder with two", "which one is meant", lab)
    taken_or_refused(tally, place / "none", "a folder without it", f"no {lab.file}", lab)
    (place / "latin").write_bytes(good + "# gr\u00fcn\n".encode("latin-1"))
    notes = take(place / "latin", lab).notes
    tally.check("input: of Latin-1 it is said", any("read as Latin-1" in n for n in notes))
    for seed in ("", "a b", "../x", "x" * 65, 'a"b'):
        try:
            said = lab.handout(seed=seed) and "it was drawn"
        except Exception as why:  # pylint: disable=broad-exception-caught
            said = str(why)
        tally.check(f"input: the seed {seed[:8]!r} is refused", "a seed is a word" in said, said)


# --- what it is worth -----------------------------------------------------------

def check_answers(tally, labs):
    """Points, with what is true on this machine."""
    kernel = tally.args.kernel[0]
    OUT.mkdir(parents=True, exist_ok=True)
    for lab in labs:
        with asking.evidence_folder("selftest") as folder:
            place = pathlib.Path(folder)
            lab.module.prepare(SEEDS, kernel, place)
            truths = {seed: lab.module.truth(seed, kernel, place)[0] for seed in SEEDS}
        check_scores(tally, lab, kernel, truths[SEED])
        check_each(tally, lab, kernel, truths[SEED])
        check_others(tally, lab, kernel, truths)
        if hasattr(lab.module, "OLD"):
            check_missing(tally, lab, kernel, truths[SEED])
        if lab.frozen:
            check_frozen(tally, lab, kernel, truths[SEED])
        check_student(tally, lab, kernel, truths)


def worth(lab, kernel, seed, given, graded_for=None):
    """(status, results, report) of these answers to the questions of SEED."""
    text = filled(lab.handout(seed=seed), given)
    return graded(lab, text.encode(), kernel, lab.file, graded_for)


def check_scores(tally, lab, kernel, truth):
    full = asked(lab)
    status, results, text = worth(lab, kernel, SEED, {})
    tally.check(f"lab {lab.number}: no answers have 0 points",
                (status, results["score"]) == (0, 0), text[-300:])
    said = " ".join(q.text for q in lab.module.questions(SEED))
    leaked = [v for v in truth.values()
              if len(v) > 7 and v not in said and v in text + results["output"]]
    tally.check(f"lab {lab.number}: the report does not say what is right", not leaked,
                ", ".join(leaked))
    status, results, text = worth(lab, kernel, SEED, truth)
    tally.check(f"lab {lab.number}: what is true has {full} points "
                f"({results['execution_time']} s)",
                (status, results["score"]) == (0, full), text[-600:])
    _, results, text = worth(lab, kernel, SEED, {lab.keys[0]: "(?)"})
    tally.check(f"lab {lab.number}: an answer that cannot be one is said",
                results["score"] == 0 and "'(?)': " in text, text[-600:])


def check_each(tally, lab, kernel, truth):
    """Each answer, and no other, earns what it is worth."""
    odd = []
    for key in lab.keys:
        status, results, _ = worth(lab, kernel, SEED, {key: truth[key]})
        right = [k for k, v in results["extra_data"]["verdicts"].items() if v == "ok"]
        part = lab.part_of(key)
        if (status, results["score"], right) != (0, part.points // len(part.tests), [key]):
            odd.append(f"{key}: {results['score']}, {right}")
    tally.check(f"lab {lab.number}: each of {len(lab.keys)} answers alone earns its points",
                not odd, "; ".join(odd[:4]))
    odd = []
    for question in lab.module.questions(SEED):
        given = dict(truth, **{question.key: question.miss(truth[question.key])})
        _, results, _ = worth(lab, kernel, SEED, given)
        lost = [k for k, v in results["extra_data"]["verdicts"].items() if v != "ok"]
        lost = [key for key in lost if key in lab.keys]
        if lost != [question.key] or results["score"] >= asked(lab):
            odd.append(f"{given[question.key]} for {truth[question.key]}: {results['score']}")
    tally.check(f"lab {lab.number}: nearly right is wrong", not odd, "; ".join(odd[:4]))


def check_others(tally, lab, kernel, truths):
    """What is worth little: another draw's answers, and always the same."""
    scores = {(a, b): worth(lab, kernel, b, truths[b], a)[1]["score"]
              for a, b in itertools.permutations(SEEDS, 2)}
    most, enough = max(scores.values()), int(ENOUGH * asked(lab))
    tally.check(f"lab {lab.number}: a neighbour's answers have at most {enough} points "
                f"(of {len(scores)} pairs: {sum(scores.values()) / len(scores):.1f} on average, "
                f"{most} at most)", most <= enough)
    _, _, text = worth(lab, kernel, SEEDS[1], truths[SEEDS[1]], SEED)
    tally.check(f"lab {lab.number}: the report says that they were for another seed",
                f"it was answered for the seed {SEEDS[1]}" in text, text[:400])
    guesses = [lab.module.guesses(seed, kernel) for seed in SEEDS]
    for of_seeds in zip(*guesses):
        points = [worth(lab, kernel, seed, given)[1]["score"]
                  for seed, (_, given, _) in zip(SEEDS, of_seeds)]
        what, _, share = of_seeds[0]
        tally.check(f"lab {lab.number}: {what} has {' '.join(map(str, points))} points",
                    max(points) <= share * asked(lab), f"{share * asked(lab):.1f} at most")


# --- what was handed in first -----------------------------------------------------

def first_submissions(place, lab, data):
    """Folders with the same predictions in them, in different layouts."""
    layouts = {"a file": ("ada.toml", data), "a folder": (f"ada/x/{lab.file}", data),
               "lines that end as on Windows": ("ada.toml", data.replace(b"\n", b"\r\n")),
               "an archive": ("ada.tar.gz", packed([(f"x/{lab.file}", data)]))}
    for number, (what, (name, content)) in enumerate(layouts.items()):
        path = place / str(number) / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        (place / str(number) / "readme").write_bytes(b"\0")
        yield what, place / str(number)


def graded_frozen(lab, data, kernel, folder):
    """(status, results, report), with FROZEN= set."""
    os.environ["FROZEN"] = str(folder)
    try:
        return graded(lab, data, kernel, lab.file)
    finally:
        del os.environ["FROZEN"]


def check_refusals(tally, lab, kernel, place, good):
    """Predictions that come late: nothing is measured."""
    late = good + b"# late\n"
    for what, folder in first_submissions(place, lab, good):
        status, results, text = graded_frozen(lab, late, kernel, folder)
        tally.check(f"lab {lab.number}: handed in first as {what}, and changed, they are refused",
                    (status, results["score"]) == (1, 0) and "not one that was handed in first"
                    in text, text[-400:])
    try:
        said = str(graded_frozen(lab, late, kernel, place / "none"))
    except Trouble as why:
        said = str(why)
    tally.check(f"lab {lab.number}: FROZEN= that is no folder is said", "is no folder" in said,
                said)


def check_frozen(tally, lab, kernel, truth):
    """Those that are in the folder count."""
    data = filled(lab.handout(seed=SEED), truth).encode()
    with tempfile.TemporaryDirectory(dir=OUT) as place:
        check_refusals(tally, lab, kernel, pathlib.Path(place, "late"), data)
        for what, folder in first_submissions(pathlib.Path(place), lab, data):
            status, results, text = graded_frozen(lab, data, kernel, folder)
            tally.check(f"lab {lab.number}: handed in first as {what}, they count",
                        (status, results["score"]) == (0, asked(lab))
                        and "was handed in first" in text, text[:400])


# --- a program that is to be mended -----------------------------------------------

def check_mended(tally, labs):
    """As it is handed out, and the wrong ones, with their points."""
    k, n = map(int, tally.args.part.split("/"))
    for lab in [lab for lab in labs if lab.program]:
        mended = {wrong.name: (wrong.source(), wrong.score, wrong.says) for wrong in all_wrong(lab)}
        todo = [("as it is handed out", (lab.solution(), 0, "")), *mended.items()]
        for name, (source, score, says) in todo[k - 1::n]:
            status, results, text = with_program(lab, source, tally.args.kernel[0])
            tally.check(f"lab {lab.number}: {lab.program}, {name}, has {score} points "
                        f"({results['execution_time']} s)",
                        (status, results["score"]) == (0, score) and says in text, text[-900:])


def with_program(lab, source, kernel):
    """(status, results, report) of a program, and no answers."""
    data = packed([(lab.file, lab.handout(seed=SEED).encode()), (lab.program, source.encode())])
    return graded(lab, data, kernel, "lab.tar.gz")


def solved(lab):
    """The program with no fault."""
    return next(w.source() for w in all_wrong(lab) if w.score == lab.points - asked(lab))


def check_missing(tally, lab, kernel, truth):
    """A kernel that the grading machine lacks costs nothing."""
    module, old = lab.module, [q.key for q in lab.module.questions(SEED) if q.old]
    was, module.missing = module.missing, lambda name: name == module.OLD
    try:
        given = {key: value for key, value in truth.items() if key not in old}
        _, results, text = worth(lab, kernel, SEED, given)
    finally:
        module.missing = was
    tally.check(f"lab {lab.number}: without {module.OLD}, {len(old)} questions are not asked, and "
                "cost nothing", bool(old) and results["score"] == lab.points
                and f"{', '.join(old)} were not asked" in text, text[:600])


# --- a student's folder ---------------------------------------------------------

def run(words, cwd, **env):
    """(status, what it said)"""
    done = subprocess.run(words, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env={**os.environ, **env}, check=False)
    return done.returncode, done.stdout + done.stderr


def check_student(tally, lab, kernel, truths):
    """What is typed in week 1, and what comes of it."""
    with tempfile.TemporaryDirectory(dir=OUT) as base, tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "lab")
        status, said = run([str(ROOT / "labs/lab"), "new", str(lab.number), "--dir", str(path),
                            "--seed", SEED], ROOT, KERNEL=kernel)
        tally.check(f"lab {lab.number}: make lab", status == 0, said[-400:])
        for words, wanted, what in (
                (["make"], 0, f"not answered yet: {lab.tests[0]}"),
                (["make", "hint"], 0, "Hint 1 of 3"),
                (["make", "watch"], 2, "has no watch")):
            status, said = run(words, path)
            tally.check(f"lab {lab.number}: {pathlib.Path(words[0]).name} "
                        f"{' '.join(words[1:])}: {what!r}",
                        status == wanted and what in said, said[-400:])
        (path / lab.file).write_text(filled((path / lab.file).read_text(), truths[SEED]))
        if lab.frozen:
            predict(tally, lab, path, kernel)
        if lab.program:
            (path / lab.program).write_text(solved(lab))
        status, said = run(["make", "check"], path, KERNEL=kernel)
        tally.check(f"lab {lab.number}: make check counts {lab.points} of {lab.points}, in a guest "
                    "of its own", status == 0 and f"{lab.points} of {lab.points}" in said,
                    said[-900:])
        status, said = run(["make", "submit"], path)
        archive = path / f"lab{lab.number}-{SEED}.tar.gz"
        packed_it = tally.check(f"lab {lab.number}: make submit",
                                status == 0 and archive.exists(), said[-400:])
        if packed_it and kernel == DEFAULT:  # grade-all grades on no other
            check_all(tally, lab, pathlib.Path(base), archive.read_bytes(), truths)


def predict(tally, lab, path, kernel):
    """The first date: predictions are packed, and only then measured."""
    archive = path / f"lab{lab.number}-{SEED}-predictions.tar.gz"
    good = (path / lab.file).read_text()
    for words, wanted, what in ((["measure"], 2, "is not packed yet"),
                                (["submit"], 0, "which are not to change"),
                                (["measure"], 0, "spinlock")):
        status, said = run(["make", *words], path, KERNEL=kernel)
        tally.check(f"lab {lab.number}: make {' '.join(words)}: {what!r}",
                    status == wanted and what in said, said[-400:])
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as tar:
        tally.check(f"lab {lab.number}: predictions are packed alone",
                    tar.getnames() == [lab.file, "lab"], str(tar.getnames()))
    (path / lab.file).write_text(good + "# late\n")
    status, said = run(["make", "submit"], path, KERNEL=kernel)
    tally.check(f"lab {lab.number}: predictions that change after that are refused",
                status == 2 and "no longer the one that you handed in" in said, said[-400:])
    (path / lab.file).write_text(good)


def check_all(tally, lab, base, archive, truths):
    """grade-all: each is graded for the seed that it says."""
    other, subs = SEEDS[1], base / "subs"
    (subs / other).mkdir(parents=True)
    (subs / "first.tar.gz").write_bytes(archive)
    (subs / other / lab.file).write_text(filled(lab.handout(seed=other), truths[other]))
    (subs / "broken").write_text("A1 = \n")
    status, said = run([str(ROOT / "labs/grade-all"), str(lab.number), str(subs)], ROOT,
                       OUT=str(base / "out"), SEED="", MACHINES="")
    rows = {}
    if (base / "out/scores.csv").exists():
        with open(base / "out/scores.csv", encoding="utf-8", newline="") as file:
            rows = {row["submission"]: (row["score"], row["state"], row["seed"])
                    for row in csv.DictReader(file)}
    wanted = {"first.tar.gz": (str(lab.points), "graded", SEED),
              other: (str(asked(lab)), "graded", other),
              "broken": ("0", "refused", "")}
    tally.check(f"lab {lab.number}: grade-all grades each for its own seed",
                status == 0 and rows == wanted, f"{rows}: {said[-600:]}")


CHECKS = {"questions": check_questions, "answers": check_answers, "mended": check_mended}
