# SPDX-License-Identifier: GPL-2.0
"""manychecks.py - labs/selftest many: grade-all, with stand-ins for the grader and ssh"""

import csv
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from lab import by_number
from places import LABS, ROOT

# What becomes of a submission is in its name.
GRADE = r'''#!/bin/bash
# grade LAB SUBMISSION --out DIR [--seed S]
name=$(basename "$2")
printf '%s\n' "$name" >>"$BASE/asked"
case $name in
slower*) sleep 15 ;;
slow*) sleep 1 ;;
busy*) [ -e "$BASE/mended" ] || { echo "grade: no room for a machine" >&2; exit 75; } ;;
twice*) mkdir "$BASE/$name" 2>/dev/null && exit 75 ;;
bug*) exit 1 ;;
esac
state=graded
[[ $name != refused* ]] || state=refused
echo "{\"score\": 7, \"execution_time\": 1, \"extra_data\": {\"state\": \"$state\"," \
	"\"parts\": {\"A\": 7}, \"seed\": \"${6:-}\"}}" >"$4/results.json"
[ "$state" = graded ]
'''

# A host is a folder; "down" does not answer, and what "drops" begins is never heard of.
SSH = r'''#!/bin/bash
while [[ $1 == -* ]]; do shift 2; done
host=$1
shift
[ "$1" != -- ] || shift
[[ "$host $*" != drops*GNU_Parallel_worker* ]] || exit 255
cd "$BASE/hosts/$host" 2>/dev/null ||
	{ echo "ssh: connect to host $host: No route to host" >&2; exit 255; }
case $host in
empty) set -- "${1//labs/nothing}" ;;
older) [[ $1 != *host-check* ]] || { echo 0123456789abcdef; exit 0; } ;;
esac
HOME=$PWD exec bash -c "$*"
'''


class Place:
    """A folder with submissions, results and stand-ins."""

    def __init__(self, base, names):
        self.base, self.names = base, names
        for folder in ("subs", "hosts/h1", "hosts/h2", "hosts/drops", "hosts/empty",
                       "hosts/older"):
            (base / folder).mkdir(parents=True)
        for name in names:
            (base / "subs" / name).write_text("x")
        for name, text in (("grade", GRADE), ("ssh", SSH)):
            (base / name).write_text(text)
            (base / name).chmod(0o755)
        self.env = dict(os.environ, BASE=str(base), OUT=str(base / "out"),
                        GRADE=str(base / "grade"), PARALLEL_SSH=f"{base}/ssh -o Some=option",
                        PYTHONDONTWRITEBYTECODE="1")
        # cron gives no SHELL
        for name in ("SEED", "MACHINES", "REMOTE", "JOBS", "SHELL", "PARALLEL_SHELL"):
            self.env.pop(name, None)

    def start(self, **env):
        (self.base / "asked").write_text("")
        return subprocess.Popen([str(LABS / "grade-all"), "2", str(self.base / "subs")],
                                env=dict(self.env, **env), stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def all(self, **env):
        """(exit status, what was said, which submissions the grader was asked about)"""
        process = self.start(**env)
        said, _ = process.communicate()
        return process.returncode, said, self.asked()

    def asked(self):
        return (self.base / "asked").read_text().split("\n")[:-1]

    def machines(self, *lines):
        (self.base / "machines").write_text("".join(f"{line}\n" for line in lines))
        return str(self.base / "machines")

    def rows(self):
        """name -> the rest of its line in scores.csv"""
        with open(self.base / "out/scores.csv", encoding="utf-8", newline="") as file:
            return {row[0]: row[1:] for row in list(csv.reader(file))[1:]}

    def rename(self, old, new):
        for path in (self.base / "subs").iterdir():
            path.rename(path.with_name(path.name.replace(old, new)))

    def logged(self):
        """host -> how many jobs it ended well, by the job log"""
        hosts = {}
        for line in (self.base / "out/joblog").read_text().splitlines()[1:]:
            fields = line.split("\t")
            if len(fields) > 6 and fields[6] == "0":
                hosts[fields[1]] = hosts.get(fields[1], 0) + 1
        return hosts


def check_many(tally, _):
    """grade-all, without a machine."""
    for tool in ("parallel", "rsync"):
        if not shutil.which(tool):
            tally.skip(f"many submissions: {tool} is not installed (vm/setup labs)")
            return
    for check in (check_here, check_changes, check_names, check_stopped, check_hosts,
                  check_unfit_hosts, check_stopped_there, check_kernels, check_sentences):
        with tempfile.TemporaryDirectory() as folder:
            check(tally, pathlib.Path(folder))


def check_here(tally, base):
    place = Place(base, ["busy", "good", "refused", "twice", "bug", "z"])
    status, said, asked = place.all(JOBS="2")
    tally.check("grade-all names what the grader failed with, and why", status == 1
                and "FAIL busy: status 75: grade: no room for a machine" in said
                and "failed with 2 submission" in said, said)
    tally.check("and tries it twice; what the second try mends is graded",
                sorted(asked) == ["bug", "bug", "busy", "busy", "good", "refused", "twice",
                                  "twice", "z"], str(asked))
    rows = place.rows()
    tally.check("a refusal is a result; what has none has no score; a 1 without a refusal is "
                "the grader's", list(rows) == sorted(place.names)
                and rows["busy"] == ["", "no result", "", "", "", ""] == rows["bug"]
                and rows["refused"][:2] == ["7", "refused"]
                and rows["good"] == ["7", "graded", "A=7", "1", "", ""], str(rows))
    (base / "mended").touch()
    (base / "subs/bug").unlink()
    status, said, asked = place.all(JOBS="2")
    tally.check("the same command again asks only that one", (status, asked) == (0, ["busy"]),
                f"{asked} {said}")
    status, said, asked = place.all(JOBS="2")
    tally.check("and then none", (status, asked) == (0, []), f"{asked} {said}")


def check_changes(tally, base):
    place = Place(base, ["b", "c"])
    place.all()
    (base / "subs/a").write_text("late")
    (base / "subs/c").write_text("handed in again")
    (base / "subs/.DS_Store").write_text("x")
    status, said, asked = place.all()
    tally.check("a late submission and a changed one are graded, the others not again",
                (status, sorted(asked)) == (0, ["a", "c"]), f"{asked} {said}")
    status, said, asked = place.all(SEED="s1")
    seed = (base / "out/results/a/results.json").read_text()
    tally.check("with another seed all are", sorted(asked) == ["a", "b", "c"]
                and '"seed": "s1"' in seed, f"{asked} {seed}")
    status, said, asked = place.all(SEED="s1", DRAWN="show")
    tally.check("and when the drawn tests are to be named", sorted(asked) == ["a", "b", "c"], said)


ODD = ["a b", "it's", "-x", "$(touch x)", "joblog", "scores.csv", "results", "gr\u00fcn", "{1}",
       "a\\b", "%s"]


def check_names(tally, base):
    place = Place(base, ODD + ["two\nlines"])
    (base / "subs/folder").mkdir()
    (base / "subs/folder/my file.c").write_text("x")
    wanted = sorted(ODD + ["folder"])
    status, said, asked = place.all(JOBS="2")
    tally.check("names with blanks, quotes, dollars ... are names; one of two lines is left out, "
                "in a sentence", (status, sorted(asked)) == (0, wanted)
                and sorted(place.rows()) == wanted and "'two\\nlines' is left out" in said, said)
    shutil.rmtree(base / "out")
    status, said, asked = place.all(MACHINES=place.machines("2/h1", "h2"))
    tally.check("on other machines, too", (status, sorted(asked)) == (0, wanted)
                and all(row[1] == "graded" for row in place.rows().values()), said)


def stop_half_way(place, **env):
    """SIGTERM when some are graded: (status, said, which were)"""
    process = place.start(**env)
    deadline = time.monotonic() + 120
    while (len(list((place.base / "out").glob("*/*/done"))) < 2 and process.poll() is None
           and time.monotonic() < deadline):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate()
    return process.returncode, said, {n for n, row in place.rows().items() if row[1] == "graded"}


def do_the_rest(place, graded, **env):
    """The same command again: what is wrong with it?"""
    deadline = time.monotonic() + 60
    status, said, asked = place.all(**env)
    while "another grade-all" in said and time.monotonic() < deadline:
        status, said, asked = place.all(**env)
    rows = place.rows()
    good = (status == 0 and not graded & set(asked) and len(asked) == len(set(asked))
            and sorted(rows) == sorted(p.name for p in (place.base / "subs").iterdir())
            and all(row[1] == "graded" for row in rows.values()))
    return "" if good else f"{asked} {said}"


def check_stopped(tally, base):
    place = Place(base, [f"slower{n}" for n in range(2)] + [f"slow{n}" for n in range(6)])
    process = place.start(JOBS="1")
    while not place.asked() and process.poll() is None:
        time.sleep(0.05)
    other = subprocess.run(process.args, env=place.env, capture_output=True, text=True,
                           check=False)
    tally.check("a second grade-all at the same time is refused", other.returncode == 1
                and "another grade-all is at work" in other.stderr, other.stderr)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    shutil.rmtree(base / "out")
    place.rename("slower", "slow_")
    status, said, graded = stop_half_way(place, JOBS="2")
    tally.check("SIGTERM: it ends, and says how far it came", status == 143 and 0 < len(graded) < 8
                and f"stopped with {len(graded)} of 8" in said, f"{status} {graded} {said}")
    odd = do_the_rest(place, graded, JOBS="4")
    tally.check("and the same command does the rest, and nothing twice", not odd, odd)


def check_hosts(tally, base):
    names = [f"s{n}" for n in range(10)] + ["refused", "busy", "twice"]
    place = Place(base, names)
    status, said, asked = place.all(MACHINES=place.machines("# ours", "2/h1", "down", "2/h2"))
    tally.check("a machine that is down is skipped, in a sentence", "machine down cannot be "
                "reached (ssh: connect to host down: No route to host). Its share" in said, said)
    logged = place.logged()
    tally.check(f"its jobs go to the others ({logged})", set(logged) == {"h1", "h2"}
                and sum(logged.values()) == 12, str(logged))
    rows = place.rows()
    tally.check("with two machines the scores are as with none", status == 1 and len(rows) == 13
                and rows["refused"][:2] == ["7", "refused"] and rows["s0"][1] == "graded"
                and rows["busy"][1] == "no result" and rows["twice"][1] == "graded"
                and asked.count("busy") == 2, str(rows))
    tally.check("why the grader failed comes back, with the machine's name",
                "FAIL busy: status 75: grade: no room for a machine (on h" in said, said)
    left = [str(p) for p in (base / "hosts").rglob("*") if p.is_file()]
    tally.check("nothing stays on the machines", not left, " ".join(left))
    (base / "mended").touch()
    status, said, asked = place.all(MACHINES=place.machines("h2", ":"))
    tally.check("the same command with other machines asks only what is left",
                (status, asked) == (0, ["busy"]), f"{asked} {said}")
    shutil.rmtree(base / "out")
    status, said, _ = place.all(MACHINES=place.machines("drops", ":"))
    tally.check("what a machine takes and never answers is graded on another", status == 0
                and set(place.logged()) == {":"}, said)


def check_unfit_hosts(tally, base):
    place = Place(base, ["a", "b"])
    status, said, _ = place.all(MACHINES=place.machines("empty", "older", "h1"))
    tally.check("a machine without a clone is skipped", "machine empty has no clone" in said, said)
    tally.check("and one with other sources", "machine older has other sources" in said, said)
    tally.check("and the rest is graded", status == 0 and len(place.rows()) == 2, said)
    shutil.rmtree(base / "out")
    status, said, asked = place.all(MACHINES=place.machines("down", "older"))
    tally.check("with no machine left, nothing is graded, and that is said", status == 1
                and not asked and "no machine of" in said, said)
    os.mkfifo(base / "subs/pipe")
    with open(base / "subs/large", "wb") as file:
        file.truncate(100 << 20)
    status, said, _ = place.all(MACHINES=place.machines("h1"))
    tally.check("what is too large or no file is not sent, and holds up no other",
                status == 1 and "FAIL large: it is too large" in said and "FAIL pipe: " in said
                and place.rows()["a"][1] == "graded", said)


def check_stopped_there(tally, base):
    place = Place(base, [f"slow{n}" for n in range(12)])
    machines = place.machines("2/h1", "2/h2")
    status, said, graded = stop_half_way(place, MACHINES=machines)
    tally.check("SIGTERM while two machines work: what came back stays", status == 143
                and f"stopped with {len(graded)} of 12" in said and 0 < len(graded) < 12,
                f"{status} {graded} {said}")
    odd = do_the_rest(place, graded, MACHINES=machines)
    tally.check("and the same command does the rest", not odd, odd)


def check_kernels(tally, base):
    """A machine without a kernel that the lab asks would give other scores."""
    env = {k: v for k, v in os.environ.items() if k not in ("GRADE", "ARCH")} | {"BUILD": str(base)}
    (base / "kernel/6.12").mkdir(parents=True)
    (base / "kernel/6.12/release").write_text("6.12.1\n")
    for number, good in (("2", False), ("0", False), ("7", True)):
        words = [str(LABS / "lib/host-check"), *by_number(number).asked_on]
        done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
        tally.check(f"lab {number}: a machine that has 6.12 alone is "
                    + ("taken" if good else "refused"), done.returncode == (0 if good else 1)
                    and (good or "has no kernel 6.1; run vm/prepare 6.1" in done.stdout),
                    done.stdout + done.stderr)


def check_sentences(tally, base):
    place = Place(base, ["a"])
    for env, sentence in (({"JOBS": "many"}, "JOBS=many is no number"),
                          ({"MACHINES": "/nowhere"}, "MACHINES=/nowhere cannot be read"),
                          ({"MACHINES": place.machines("h1 -p 22")}, "line 1: 'h1 -p 22' is no "
                           "machine"),
                          ({"OUT": str(base / "subs/out")}, "lies among the submissions")):
        status, said, asked = place.all(**env)
        tally.check(f"grade-all: \"... {sentence} ...\"", status == 1 and not asked
                    and sentence in said and "Traceback" not in said, said)
    for words, sentence in ((["2"], "which lab, and which folder?"),
                            (["2", str(base / "none")], "is no folder"),
                            (["99", str(base / "subs")], "there is no lab '99'"),
                            (["2", str(base / "hosts/h1")], "there is nothing in")):
        done = subprocess.run([str(ROOT / "labs/grade-all"), *words], env=place.env,
                              capture_output=True, text=True, check=False)
        tally.check(f"grade-all: \"... {sentence} ...\"", done.returncode == 1
                    and sentence in done.stderr and "Traceback" not in done.stderr, done.stderr)
