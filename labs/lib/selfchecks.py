# SPDX-License-Identifier: GPL-2.0
"""selfchecks.py - the checks of labs/selftest"""

import gzip
import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import time
import zipfile

import answers
import asking
import attacks
import box
import drawn
import grading
from adapterchecks import check_adapters
from box import Bench, NotBuilt
from definitions import bare, definitions
from lab import FILE, all_labs
from manychecks import check_many
from studentchecks import check_student
from places import OUT, ROOT, Refused, Trouble, source_files
from scores import LOST, WRECK
from submission import SIZE, take
from wrong import all_wrong

SEED = "selftest"
KERNELS = ("6.1", "6.12", "7.3")  # that hand-outs must compile on
NEAR_NOTHING = 3  # drawn points of a hand-out: whoever hammers may miss


class Tally:
    """What came of it."""

    def __init__(self, args):
        self.args = args
        self.passed = self.failed = self.skipped = 0

    def check(self, text, good, why=""):
        if good:
            self.passed += 1
            print(f"  ok   {text}", flush=True)
        else:
            self.failed += 1
            print(f"  FAIL {text}" + (f": {why}" if why else ""), flush=True)
        return good

    def skip(self, text):
        self.skipped += 1
        print(f"  skip {text}", flush=True)


# --- one parser ---------------------------------------------------------------

def by_the_book(paths):
    """{(path, name, first, last, body)}, as tools/book/region.lua says."""
    env = dict(os.environ, FILES=" ".join(map(str, paths)))
    done = subprocess.run(["pandoc", "--lua-filter", str(ROOT / "labs/lib/units.lua"),
                           "-t", "plain"], input="", capture_output=True, text=True, env=env,
                          check=False)
    if done.returncode or not done.stdout:
        raise Trouble(f"region.lua does not run: {done.stderr.strip()[-300:]}")
    return {tuple(line.split("\t")) for line in done.stdout.splitlines()}


def check_parser(tally, _):
    if not shutil.which("pandoc"):
        tally.skip("definitions: pandoc is not installed (vm/setup book)")
        return
    paths = [p for p in source_files(ROOT) if p.suffix in (".c", ".h")]
    ours = {(str(p), d.name, str(d.first), str(d.last), str(d.body).lower())
            for p in paths for d in definitions(p.read_text())}
    theirs = by_the_book(paths)
    odd = sorted(ours ^ theirs)
    tally.check(f"{len(ours)} definitions in {len(paths)} files are those of the book",
                len(ours) > 500 and not odd,
                "; ".join(" ".join(x) + (" (labs)" if x in ours else " (book)")
                          for x in odd[:4]))


# --- hand-outs and solutions --------------------------------------------------

def code_of(text):
    """Without comments and blanks: what two bodies are compared by."""
    in_comment, out = False, []
    for line in text.splitlines():
        part, in_comment = bare(line, in_comment)
        out.append("".join(part.split()))
    return "".join(out)


def check_handouts(tally, labs):
    for lab in labs:
        text = lab.handout()
        shown = code_of(text)
        leaked = [name for name, code in lab.secrets().items() if code_of(code) in shown]
        tally.check(f"lab {lab.number}: the hand-out holds no solution", not leaked,
                    ", ".join(leaked))
        for kernel in kernels_of(lab, tally.args):
            handout_on(tally, lab, kernel, text)


def can_be_todo(lab):
    """The parts, behind the first, that a hand-out may begin with."""
    return [name for name in lab.todos() if name != lab.parts[0].name]


def unseen(lab, jobs, test):
    """A race that needs a populate to sleep, where that is still to be written; or one that
    is not asked without such a race."""
    job = jobs[test]
    if job.verdict == "not asked":
        return lab.needs.get(test) in jobs and unseen(lab, jobs, lab.needs[test])
    return (job.verdict, job.detail) == ("not reached", "wait")


def check_todo(tally, labs):
    """TODO=n: the parts before it are ok, and it is not."""
    for lab in [lab for lab in labs if can_be_todo(lab)]:
        for todo in can_be_todo(lab):
            left = lab.left(todo)
            tests = [t for part in lab.parts for t in part.tests
                     if part.name not in left or part.name == todo]
            jobs, guests = verdicts_of(lab, tally.args.kernel[0], lab.handout(todo), tests)
            odd = [t for t in tests if lab.part_of(t).name != todo
                   and jobs[t].verdict not in drawn.GOOD
                   and not (todo == lab.waits and unseen(lab, jobs, t))]
            good = [t for t in tests if lab.part_of(t).name != todo
                    and jobs[t].verdict in drawn.GOOD]
            tally.check(f"lab {lab.number}: TODO={todo} gives the others of "
                        f"{', '.join(sorted(set(p.name for p in lab.parts) - set(left)))} solved "
                        f"({len(good)} tests are ok)", good and not odd and not guests.silent,
                        ", ".join(f"{t}: {jobs[t].verdict} {jobs[t].detail}" for t in odd[:6]))
            bad = [t for t in lab.parts[[p.name for p in lab.parts].index(todo)].tests
                   if jobs[t].verdict not in drawn.GOOD]
            tally.check(f"lab {lab.number}: and leaves {todo} to write ({len(bad)} tests fail)",
                        bool(bad))


def kernels_of(lab, args):
    """Those that are said; else all that are here and of which it is known what must fail."""
    known = sorted(p.name for p in (lab.dir / "expected-failures").glob("*"))
    here = [kernel for kernel in known if not answers.missing(kernel)]
    return args.kernel if args.said else here or args.kernel


def check_builds(tally, labs):
    """W=1, on each kernel that is here, with each part that can be the next one."""
    for kernel in [k for k in KERNELS if not answers.missing(k)]:
        for lab in labs:
            for what, text in sources_of(lab):
                built(tally, lab, kernel, text, what)


def sources_of(lab):
    """All that is handed out: (what, text)."""
    yield "hand-out", lab.handout()
    for todo in can_be_todo(lab):
        yield f"hand-out, TODO={todo}", lab.handout(todo)


def built(tally, lab, kernel, text, what):
    bench = Bench(kernel)
    try:
        bench.prepare()
        bench.build(lab, text.encode())
        return tally.check(f"lab {lab.number}: the {what} compiles on {kernel}", True)
    except NotBuilt as why:
        return tally.check(f"lab {lab.number}: the {what} compiles on {kernel}", False,
                           "; ".join(why.messages[:2]))
    finally:
        bench.close()


def verdicts_of(lab, kernel, text, tests=None):
    """test -> Job of a source that is to load; of the lab's tests, or of these."""
    bench = Bench(kernel)
    folder = OUT / f"handout-{lab.number:02}-{kernel}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        bench.prepare()
        module = bench.build(lab, text.encode())
        own = folder / module.name
        shutil.copy2(module, own)
    finally:
        bench.close()
    reference = grading.Reference(lab, bench, tests)
    jobs = [job for job in grading.plan(lab, reference, SEED, tests) if not job.turned]
    guests = asking.Asking(kernel, asking.boards(bench.clean, own), folder,
                           test_seed=drawn.number(SEED))
    guests.ask(jobs)
    return {job.test: job for job in jobs}, guests


def handout_on(tally, lab, kernel, text):
    if not built(tally, lab, kernel, text, "hand-out"):
        return
    start = time.monotonic()
    jobs, guests = verdicts_of(lab, kernel, text)
    if guests.silent:
        tally.check(f"lab {lab.number}: the hand-out loads on {kernel}", False)
        return
    tally.check(f"lab {lab.number}: the hand-out does no harm on {kernel}", not guests.wrecks,
                ", ".join(f"{job.test} ({job.verdict})" for job in guests.wrecks))
    # By name: whether one fails or runs out of time may depend on the machine
    seen = [t for t in lab.tests if jobs[t].verdict not in ("ok", "skip")]
    path = lab.dir / "expected-failures" / kernel
    if tally.args.refresh:
        path.parent.mkdir(exist_ok=True)
        path.write_text("# SPDX-License-Identifier: GPL-2.0\n" + "".join(f"{s}\n" for s in seen))
    wanted = path.read_text().splitlines()[1:] if path.exists() else []
    took = f"{time.monotonic() - start:.0f} s, {len(guests.machines)} machines"
    tally.check(f"lab {lab.number}: the hand-out fails what it must on {kernel} "
                f"({len(seen)} of {len(lab.tests)}, {took})", seen == wanted,
                f"differs in {', '.join(sorted(set(seen) ^ set(wanted))[:6])}")
    gifts = [t for part in lab.parts for t in part.tests if t not in seen]
    tally.check(f"lab {lab.number}: nothing earns points that is ok already on {kernel}",
                not gifts, ", ".join(gifts))
    lost = [t for t in lab.regressions if t in seen]
    tally.check(f"lab {lab.number}: what must stay as it is is ok on {kernel}", not lost,
                ", ".join(lost))


def graded(lab, data, kernel, name=FILE, seed=SEED, draws=False, kind=grading.Grader,
           look=None):
    """(exit status, results.json, report.txt) of a submission."""
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        path = pathlib.Path(folder, "in", name)
        path.parent.mkdir()
        path.write_bytes(data)
        out = pathlib.Path(folder, "out")
        out.mkdir()
        grader = kind(lab, path, out, seed, kernel)
        grader.draws = draws
        status = grader.grade()
        if look:
            look(out)
        return (status, json.loads((out / "results.json").read_text()),
                (out / "report.txt").read_text())


def points_of(results):
    """(visible ones, drawn ones or None)"""
    drawn_ones = results["extra_data"]["drawn"]
    return results["score"] - (drawn_ones or 0), drawn_ones


def check_solutions(tally, labs):
    for lab in labs:
        for kernel in tally.args.kernel:
            status, results, text = graded(lab, lab.solution().encode(), kernel, draws=True)
            full = lab.points + (lab.drawn.most(kernel) if lab.drawn else 0)
            tally.check(f"lab {lab.number}: the solution has {full} points on {kernel} "
                        f"({results['execution_time']} s)",
                        (status, results["score"]) == (0, full), text[-600:])


def check_drawn(tally, labs):
    """The pool: nothing in it is a gift, and a hand-out has next to nothing of it."""
    for lab in [lab for lab in labs if lab.drawn]:
        pool, visible = lab.drawn, tally.args.kernel[0]
        kernel = pool.kernel_beside(visible)
        if not pool.most(visible):
            tally.skip(f"lab {lab.number}: its drawn tests want kernel {kernel} (vm/prepare "
                       f"{kernel})")
            continue
        if not built(tally, lab, kernel, lab.handout(), "hand-out"):
            continue
        jobs, _ = verdicts_of(lab, kernel, lab.handout(), pool.all)
        good = [test for test in pool.all if jobs[test].verdict in drawn.GOOD]
        gifts = [test for test in good if test not in pool.always]
        tally.check(f"lab {lab.number}: none of the {len(pool.drawable)} tests to draw is ok "
                    f"on the hand-out already on {kernel}", not gifts, ", ".join(gifts))
        most = pool.points * len(good) // (pool.draw + len(pool.always))
        tally.check(f"lab {lab.number}: the hand-out has {most} of {pool.points} drawn points at "
                    "most", most <= NEAR_NOTHING, ", ".join(good))


# --- two at once --------------------------------------------------------------

REAL = ("no-sequence", "recheck-left-out", "snapshot-late", "hull-replaced")
HOSTILE = ("unlock-forgotten", "never-leaves-init")


def check_beside(tally, labs):
    """Six submissions and two that hang their machines, one by one and two at once: the
    same but for times. Of those that hang, how much was asked is a matter of time."""
    lab = labs[0]
    wrong = {w.name: w.source() for w in all_wrong(lab) if not w.attack}
    texts = {"solution": lab.solution(), "handout": lab.handout(),
             **{name: wrong[name] for name in (*REAL, *HOSTILE) if name in wrong},
             "never-leaves-init": attacks.at_init(lab.solution(),
                                                  "\twhile (true)\n\t\tcond_resched();\n")}
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        subs = pathlib.Path(folder, "subs")
        for name, text in texts.items():
            (subs / name).mkdir(parents=True)
            (subs / name / FILE).write_text(text)
        seen = [all_beside(tally, lab, subs, pathlib.Path(folder, jobs), jobs)
                for jobs in ("1", "2")]
    odd = [name for name in texts if name not in HOSTILE and seen[0].get(name) != seen[1].get(name)]
    tally.check(f"lab {lab.number}: {len(texts) - len(HOSTILE)} submissions earn the same one by "
                "one and two at once, beside two that hang their machines",
                not odd and len(seen[0]) == len(texts),
                "; ".join(f"{name}: {seen[0].get(name)}, {seen[1].get(name)}" for name in odd))
    points = {name: [found[name][0] for found in seen if name in found] for name in HOSTILE}
    tally.check(f"lab {lab.number}: and those two have no points", all(
        earned == [0, 0] for earned in points.values()), str(points))


def all_beside(tally, lab, subs, out, jobs):
    """name -> score, parts, verdicts"""
    env = dict(os.environ, OUT=str(out), JOBS=jobs, SEED=SEED)
    env.pop("MACHINES", None)
    done = subprocess.run([str(ROOT / "labs/grade-all"), str(lab.number), str(subs)], env=env,
                          capture_output=True, text=True, check=False)
    tally.check(f"lab {lab.number}: grade-all JOBS={jobs}", done.returncode == 0,
                (done.stdout + done.stderr)[-600:])
    found = {}
    for path in out.glob("results/*/results.json"):
        results = json.loads(path.read_text())
        found[path.parent.name] = (points_of(results)[0], results["extra_data"]["parts"],
                                   results["extra_data"].get("verdicts"))
    return found


# --- wrong submissions and attacks ---------------------------------------------

def check_wrong(tally, labs, kind=grading.Grader):
    k, n = map(int, tally.args.part.split("/"))
    todo = [wrong for lab in labs for wrong in all_wrong(lab) if not wrong.attack]
    kernel = tally.args.kernel[0]
    for wrong in todo[k - 1::n]:
        lab, draws = wrong.lab, wrong.drawn is not None and wrong.lab.drawn.most(kernel)
        status, results, text = graded(lab, wrong.source().encode(), kernel, draws=draws,
                                       kind=kind)
        seen = points_of(results)
        parts = " ".join(f"{k} {v}" for k, v in results["extra_data"]["parts"].items())
        if not tally.check(f"lab {lab.number}: {wrong.name} has {wrong.score} points"
                           + (f", and {wrong.drawn} drawn ones" if draws else "")
                           + f" ({results['execution_time']} s)",
                           (status, *seen) == (0, wrong.score, wrong.drawn if draws else None),
                           f"{seen[0]} ({parts}), drawn {seen[1]}, status {status}"):
            (OUT / f"wrong-{lab.number}-{wrong.name}.txt").write_text(text)


def check_attacks(tally, labs):
    for lab in labs:
        for wrong in [w for w in all_wrong(lab) if w.attack]:
            status, results, _ = graded(lab, wrong.source().encode(), tally.args.kernel[0])
            said = results["output"]
            tally.check(f"lab {lab.number}: {wrong.name} is stopped ({wrong.attack})",
                        results["score"] == 0 and wrong.attack in json.dumps(results)
                        and (status == 1 or status == 0 and "does not compile" in said),
                        f"status {status}, {results['score']} points: {said}")
        for what, source, sentence in attacks.sources(lab):
            check_attack(tally, lab, what, source, sentence)


def check_attack(tally, lab, what, source, sentence):
    """One that is no business of the gate: it is graded, has nothing, and floods nothing."""
    was, box.CPU_S = box.CPU_S, attacks.CPU_S
    start = time.monotonic()
    try:
        status, results, text = graded(lab, source.encode(), tally.args.kernel[0], look=size_of)
    finally:
        box.CPU_S = was
    tally.check(f"lab {lab.number}: {what} has no points ({time.monotonic() - start:.0f} s, "
                f"{size_of.seen >> 10} KiB are kept)",
                (status, results["score"]) == (0, 0) and sentence in text
                and not any(results["extra_data"]["parts"].values())
                and size_of.seen < attacks.KEPT, f"status {status}: {text[-500:]}")


def size_of(folder):
    """Bytes of all that a grade leaves."""
    size_of.seen = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# --- a guest that lies -----------------------------------------------------------

class Liar(asking.Machine):
    """A guest that says what it likes. how(jobs) -> its lines."""

    how, status_s = None, 0

    def run(self):
        self.clock, self.log, self.status = asking.FairClock(os.getpid()), "", self.status_s
        self.ktap = self.folder / f"machine-{self.number}.ktap"
        lines = ["# modules are loaded", *type(self).how(self.jobs), asking.DONE]
        self.said = "".join(f"{line}\n" for line in lines)
        return self


def told_ok(jobs):
    return [f"ok {i + 1} {job.label}" for i, job in enumerate(jobs)]


LIES = [
    ("ok for all, canaries too", told_ok, "must fail"),
    ("a verdict twice", lambda jobs: told_ok(jobs)[:1] * 2, "not asked for"),
    ("verdicts in another order", lambda jobs: told_ok(jobs)[::-1], "not asked for"),
    ("a label of its own", lambda jobs: ["ok 1 0123456789ab"], "not asked for"),
    ("names instead of labels", lambda jobs: [f"ok 1 {jobs[0].test}"], "did not run its plan"),
    ("nothing", lambda jobs: [], "did not run its plan"),
]


def check_lies(tally, labs):
    """What a guest whose kernel is in foreign hands can say."""
    lab = labs[0]
    for what, how, sentence in LIES:
        jobs = [asking.Job(lab.variant, test, 5) for test in lab.tests[:4]]
        jobs.insert(2, asking.Job(lab.variant, lab.tests[0], 5, turned=1))
        with tempfile.TemporaryDirectory() as folder:
            guests = asking.Asking("none", [], pathlib.Path(folder))
            guests.make = type("Guest", (Liar,), {"how": staticmethod(how)})
            try:
                guests.ask(jobs)
                grading.check_canaries(jobs)
                said = "believed"
            except (asking.Alarm, Trouble) as why:
                said = str(why)
        tally.check(f"a guest that says {what} is not believed", sentence in said, said)
    check_killed(tally, lab)
    check_apart(tally, lab)


class Halting(Liar):
    """Its first machine says ok to half of the plan and goes down; the second is never
    heard of, for the grader is ended meanwhile."""

    how, status_s = staticmethod(lambda jobs: told_ok(jobs)[:len(jobs) // 2]), 126

    def run(self):
        if self.number > 1:
            raise SystemExit(143)
        super().run()
        self.said = self.said.replace(asking.DONE, "")
        return self


def check_killed(tally, lab):
    """A grader that is ended midway leaves the points that were earned."""
    jobs = [asking.Job(lab.variant, test, 5) for test in lab.tests]
    with tempfile.TemporaryDirectory() as folder:
        grader = grading.Grader(lab, pathlib.Path(folder), pathlib.Path(folder), SEED, "none")
        guests = asking.Asking("none", [], pathlib.Path(folder))
        guests.make = Halting
        try:
            grader.ask_jobs(jobs, guests)
            ended = False
        except SystemExit:
            ended = True
        results = json.loads(pathlib.Path(folder, "results.json").read_text())
        text = pathlib.Path(folder, "report.txt").read_text()
    half = len(jobs) // 2
    earned = sum(part.points * sum(lab.tests.index(t) < half for t in part.tests)
                 // len(part.tests) for part in lab.parts)
    earned -= WRECK + (0 if lab.part_of(lab.tests[half]) else LOST)
    tally.check(f"a grader that is ended midway leaves {earned} points, and says that it was",
                ended and 0 < earned == results["score"]
                and results["extra_data"]["state"] == results["output"] == "not finished"
                and f"{half + 1} of {len(jobs)} tests were asked so far" in text,
                f"{results['score']}: {text[-300:]}")


def check_apart(tally, lab):
    """What was not reached is listed behind what failed, and summed up; a failure names the
    hint of its part."""
    said = ["ok", "not ok # NOT-REACHED wait", "not ok # NOT-REACHED table_found", "not ok"]
    jobs = [asking.Job(lab.variant, test, 5) for test in lab.tests]

    def how(jobs):
        lines = (said + ["ok"] * len(jobs))[:len(jobs)]
        return [f"{line.split(' #')[0]} {n} {job.label}" + "".join(line.partition(" #")[1:])
                for n, (line, job) in enumerate(zip(lines, jobs), 1)]

    with tempfile.TemporaryDirectory() as folder:
        grader = grading.Grader(lab, pathlib.Path(folder), pathlib.Path(folder), SEED, "none")
        guests = asking.Asking("none", [], pathlib.Path(folder))
        guests.make = type("Guest", (Liar,), {"how": staticmethod(how)})
        grader.result.finished, grader.result.hints = True, 0
        grader.ask_jobs(jobs, guests)
        _, text, _ = grader.reports()
    at = [text.find(f"FAIL {job.test}") for job in jobs[1:4]] + [text.find("NOT REACHED: 2 ")]
    part = lab.part_of(jobs[3].test)
    tally.check("what was not reached is listed apart, behind what failed, and summed up",
                -1 not in at and at[2] < at[3] < at[0] < at[1]
                and "1 for lack of a populate that sleeps and 1 for lack of a task" in text, text)
    tally.check(f"a failure names hint {part.hint}, for part {part.name}",
                f"hint {part.hint} is about part {part.name}" in text and part.hint, text)
    odd = [f"lab {one.number}, part {p.name}" for one in all_labs() for p in one.parts
           if p.hint and p.hint not in [int(path.stem) for path in one.hints()]]
    tally.check("each hint that a lab names is there", not odd, ", ".join(odd))


# --- what is asked, and what no more ---------------------------------------------

class Actor(asking.Machine):
    """A guest that plays a part: (its number, its jobs) -> (its lines, does it hang?)"""

    play = None

    def run(self):
        self.clock, self.log, self.status = asking.FairClock(os.getpid()), "", 0
        self.clock.starved = 1e6  # what is late may be late for others' sake
        self.ktap, self.seconds = self.folder / f"machine-{self.number}.ktap", 1.0
        lines, self.hung = type(self).play(self.number, self.jobs)
        self.said = "".join(f"{line}\n" for line in
                            ["# modules are loaded", *lines, *([] if self.hung else [asking.DONE])])
        return self


def fails_then_hangs(number, jobs):
    return ([f"not ok 1 {jobs[0].label}"], True) if number == 1 else (told_ok(jobs), False)


def ok_then_hangs(number, jobs):
    return (told_ok(jobs[:1]), True) if number == 1 else (told_ok(jobs), False)


def never_reaches(_, jobs):
    return [line for i, job in enumerate(jobs) for line in
            ("# took 3.500 s for 1 checks", f"not ok {i + 1} {job.label} # NOT-REACHED wait")], False


# (what, how it is played, which of four jobs the last needs, verdicts, machines)
PLAYS = [
    ("what another machine has found wanting is not asked for", fails_then_hangs, 0,
     ["failed", "ok", "ok", "not asked"], 3),
    ("what was ok after all, is asked for", ok_then_hangs, 1, ["ok"] * 4, 4),
    ("who hangs at once, twice, is asked no more", lambda *_: ([], True), None,
     ["hang", "hang", "not asked", "not asked"], 2),
    ("what is not reached three times, is believed", never_reaches, None, ["not reached"] * 4, 3),
]


def check_asking(tally, labs):
    """Needs, hangs, and what is asked once more: no guest is needed for that."""
    lab = labs[0]
    for what, play, needed, verdicts, machines in PLAYS:
        jobs = [asking.Job(lab.variant, test, 5) for test in lab.tests[:4]]
        jobs[3].needed = None if needed is None else jobs[needed]
        with tempfile.TemporaryDirectory() as folder:
            guests = asking.Asking("none", [], pathlib.Path(folder))
            guests.make = type("Guest", (Actor,), {"play": staticmethod(play)})
            guests.ask(jobs)
        seen = [job.verdict for job in jobs]
        tally.check(f"asking: {what}", (seen, len(guests.machines)) == (verdicts, machines),
                    f"{', '.join(seen)}; {len(guests.machines)} machines")


# --- what a submission comes in -------------------------------------------------

def packed(entries, kind="tar"):
    """An archive: name -> bytes, or a TarInfo."""
    out = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in entries:
                archive.writestr(name, data)
        return out.getvalue()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, data in entries:
            member = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def link_to(target):
    member = tarfile.TarInfo(FILE)
    member.type, member.linkname = tarfile.SYMTYPE, target
    return member


def bomb():
    """An archive that says of its first file that it has 4 GB."""
    member = tarfile.TarInfo("core")
    member.size = 4 << 30
    return gzip.compress(member.tobuf() + bytes(1 << 20))


def inputs(good, lab):
    """(what, bytes, the sentence, or None where it is taken)"""
    other = good.replace(f'"{lab.variant}"'.encode(), b'"another"')
    return [
        ("a file", good, None),
        ("an archive", packed([(f"lab/{FILE}", good), ("lab/notes", b"x")]), None),
        ("a zip", packed([(FILE, good)], "zip"), None),
        ("an archive whose names begin with ..", packed([(f"../../{FILE}", good)]), None),
        ("an archive with a link", packed([(link_to("/etc/passwd"), b"")]), "is a link"),
        ("an archive with two files", packed([(f"a/{FILE}", good), (f"b/{FILE}", good)]),
         "which one is meant"),
        ("an archive without the file", packed([("other.c", good)]), f"no {FILE}"),
        ("an archive bomb", packed([(f"{i}/x", b"") for i in range(300)]), "more than"),
        ("an archive of 4 GB", bomb(), "more than"),
        ("an archive of 2 MB", packed([("core", os.urandom(2 << 20)), (FILE, good)]),
         "the archive has"),
        ("a zip of 2 MB", packed([("core", os.urandom(2 << 20)), (FILE, good)], "zip"),
         "the archive has"),
        ("10 MB", good + b" " * (10 << 20), f"{SIZE} at most"),
        ("10 MB in an archive", packed([(FILE, b" " * (10 << 20))]), f"{SIZE} at most"),
        ("10 MB in a zip", packed([(FILE, b" " * (10 << 20))], "zip"), f"{SIZE} at most"),
        ("nothing", b"", "is empty"),
        ("an object", b"\x7fELF\0\0" + good, "no text"),
        ("another lab's file", other, "for another lab"),
        *of_another_lab(good, lab),
        ("something else", b"int main(void) { return 0; }\n", "no variant"),
        ("half an archive", packed([(FILE, good * 2)])[:900], "cannot be read"),
    ]


def of_another_lab(good, lab):
    """Labs 1 to 4 are about one variant: what tells their hand-outs apart."""
    found = []
    for other in [o for o in all_labs() if o.kind == "code" and o.variant == lab.variant
                  and o.number != lab.number]:
        number, text = other.number, other.handout()
        mark = text.splitlines()[1]
        state = json.dumps({"lab": number, "hints": 1}).encode()
        found += [
            (f"lab {number}'s hand-out", text.encode(), f"made for lab {number}"),
            (f"lab {number}'s hand-out without {mark!r}", text.replace(f"{mark}\n", "", 1).encode(),
             f"is as lab {number} hands it out"),
            (f"an archive of lab {number}'s folder", packed([(FILE, good), ("lab", state)]),
             f"made for lab {number}"),
            (f"a zip of lab {number}'s folder", packed([(f"x/{FILE}", good), ("x/.lab", state)],
                                                       "zip"), f"made for lab {number}")]
    own = json.dumps({"lab": lab.number, "hints": 1}).encode()
    return found + [
        ("an archive of its own lab's folder", packed([(FILE, good), ("lab", own)]), None),
        ("its own hand-out", lab.handout().encode(), None),
        ("an archive with a state that is none", packed([(FILE, good), ("lab", b"[7")]), None),
    ]


# (what, how it is changed, the note)
REPAIRED = [
    ("lines that end as on Windows", lambda good: good.replace(b"\n", b"\r\n"),
     "its lines ended as on Windows; that was changed"),
    ("no newline at the end", lambda good: good.rstrip(b"\n"),
     "it did not end with a newline; one was added"),
    ("Latin-1", lambda good: good + "/* gr\u00fcn */\n".encode("latin-1"),
     "is not UTF-8; it was read as Latin-1"),
]


def check_repaired(tally, folder, good, lab):
    """What is put right is said, and is what was meant."""
    for what, change, note in REPAIRED:
        (folder / "repaired").write_bytes(change(good))
        try:
            taken = take(folder / "repaired", lab)
        except Refused as why:
            tally.check(f"input: {what} is taken", False, str(why))
            continue
        meant = good if "Latin" not in what else good + "/* gr\u00fcn */\n".encode()
        tally.check(f"input: {what} is put right, and that is said",
                    taken.data == meant and len(taken.notes) == 1 and note in taken.notes[0],
                    str(taken.notes))


def check_taking(tally, labs):
    """What a submission may come in."""
    lab = labs[0]
    good = lab.solution().encode()
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        for i, (what, data, sentence) in enumerate(inputs(good, lab)):
            path = pathlib.Path(folder, str(i))
            path.write_bytes(data)
            taken_or_refused(tally, path, what, sentence, lab)
        check_repaired(tally, pathlib.Path(folder), good, lab)
        check_folders(tally, pathlib.Path(folder), good, lab)


def check_input(tally, labs):
    """What it may say."""
    lab = labs[0]
    for what, data, sentence in sources(lab):
        status, results, text = graded(lab, data, tally.args.kernel[0])
        tally.check(f"input: {what}: {sentence!r}",
                    results["score"] == 0 and status == 0 and sentence in text,
                    f"status {status}: {text[-400:]}")


def taken_or_refused(tally, path, what, sentence, lab):
    try:
        said = take(path, lab).data and ""
    except Refused as why:
        said = str(why)
    if sentence is None:
        tally.check(f"input: {what} is taken", said == "", said)
    else:
        tally.check(f"input: {what} is refused: \"... {sentence} ...\"", sentence in said, said)


def check_folders(tally, folder, good, lab):
    (folder / "link").symlink_to("/etc/passwd")
    taken_or_refused(tally, folder / "link", "a link", "is a link", lab)
    for name in ("plain", "linked", "two", "deep"):
        (folder / name).mkdir()
    (folder / "plain" / FILE).write_bytes(good)
    (folder / "plain" / "Makefile").write_text("all:; rm -rf /\n")
    taken_or_refused(tally, folder / "plain", "a folder", None, lab)
    (folder / "linked" / FILE).symlink_to("/etc/passwd")
    taken_or_refused(tally, folder / "linked", "a folder with a link", "is a link", lab)
    for name in "ab":
        (folder / "two" / name).mkdir()
        (folder / "two" / name / FILE).write_bytes(good)
    taken_or_refused(tally, folder / "two", "a folder with two", "which one is meant", lab)
    (folder / "deep" / "/".join("d" * 20)).mkdir(parents=True)
    taken_or_refused(tally, folder / "deep", "a folder bomb", "folders in folders", lab)
    for number in range(3000):
        (folder / "wide" / str(number)).mkdir(parents=True)
    taken_or_refused(tally, folder / "wide", "a wide folder bomb", "folders in folders", lab)
    (folder / "plain" / ".lab").write_text('{"lab": 99}')
    taken_or_refused(tally, folder / "plain", "another lab's folder", "made for lab 99", lab)
    taken_or_refused(tally, folder / "nothing", "what is not there", "cannot be read", lab)
    os.mkfifo(folder / "pipe")
    taken_or_refused(tally, folder / "pipe", "a pipe", "no file", lab)


def sources(lab):
    """Sources that cannot earn a point: (what, bytes, what the report says)"""
    good = lab.solution()
    init = "\tmmu_rmap_notifier_register(&my_mmu_rmap_notifier);\n"
    return [
        ("does not compile", (good + "int x = ;\n").encode(), "error: expected expression"),
        ("warns", (good + "static int my_unused(void) { return 0; }\n").encode(),
         "defined but not used"),
        ("includes a file of the host", ('#include "/etc/passwd"\n' + good).encode(),
         "No such file"),
        ("takes a file of the host into the object",
         (good + '__asm__(".pushsection .x\\n.incbin \\"/etc/hostname\\"\\n.popsection");\n'
          ).encode(), "file not found: /etc/hostname"),
        ("never returns from init", good.replace(init, init + "\twhile (true)\n\t\tcond_resched();\n")
         .encode(), "insmod did not return"),
        ("refuses to be loaded", good.replace(init, "\tif (current->pid)\n\t\treturn -EPERM;\n" + init)
         .encode(), "refuses to load"),
    ]


CHECKS = {"parser": check_parser, "lies": check_lies, "asking": check_asking, "many": check_many,
          "adapters": check_adapters, "taking": check_taking, "input": check_input,
          "builds": check_builds, "handouts": check_handouts, "todo": check_todo,
          "solutions": check_solutions,
          "drawn": check_drawn, "beside": check_beside,
          "wrong": check_wrong, "attacks": check_attacks, "student": check_student}
# What compiles nothing and boots nothing
BARE = {"parser", "lies", "asking", "many", "adapters", "taking", "questions", "patches", "open"}
