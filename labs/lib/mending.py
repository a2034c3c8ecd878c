# SPDX-License-Identifier: GPL-2.0
"""mending.py - lab 7's badbench.c: what it says, and what the driver saw of it

The program runs three times in a guest, as nobody and in a control group, with numbers
that are drawn from its own text. What it prints is compared with the driver's trace.
It cannot reach the trace.
"""

import collections
import hashlib
import random
import re
import shutil

import trees
from answers import in_guest
from box import Bench, NotBuilt

CHUNK, PAGE = 16, 4096  # of badbench.c; bytes of a page
CONDITIONS = ("single", "batched")
LIMIT_S, MOST_KIB, PROCESSES = 15, 256, 32
HEADER = "seed,repetition,condition,pages,ns"
FAULTS = {
    "seed": "what it draws comes from its seed, and all of it",
    "pages": "a line says how many pages have entered the device's table",
    "turns": "the two conditions take turns, in an order that is drawn",
    "repetitions": "a line is one run",
}

Row = collections.namedtuple("Row", "repetition condition pages")
Args = collections.namedtuple("Args", "seed repetitions chunks hole")


class Mended:
    """One of the faults. To reports it is what a test is in other labs."""

    notes, took, about = [], 0.0, "the faults of the program"

    def __init__(self, name, problem, verdict="failed"):
        self.test, self.detail = name, problem
        self.verdict = verdict if problem else "ok"

    def explain(self):
        return [f"FAIL {self.test}    {self.verdict}", f"  wanted    {FAULTS[self.test]}",
                f"  seen      {self.detail}"]


class Broken(Exception):
    """A program that does not keep to what the task says. The sentence says how."""


# --- what the driver saw --------------------------------------------------------

EVENT = re.compile(r"^.* [\d.]+: my_mmu_(attach|populate): (.*)$", re.M)
FIELD = re.compile(r"(\w+)=(\S+)")


class Run:
    """What one attached device was told to do."""

    def __init__(self):
        self.batches = []  # (address, pages asked for, result)

    @property
    def condition(self):
        return CONDITIONS[max(asked for _, asked, _ in self.batches) > 1]

    @property
    def pages(self):
        return sum(max(0, result) for _, _, result in self.batches)

    @property
    def order(self):
        """The chunks, as they came."""
        base = min(address for address, _, _ in self.batches)
        chunks = [(address - base) // (CHUNK * PAGE) for address, _, _ in self.batches]
        return [c for i, c in enumerate(chunks) if not i or chunks[i - 1] != c]


def runs_of(trace):
    runs = []
    for kind, text in EVENT.findall(trace):
        field = dict(FIELD.findall(text))
        if kind == "attach":
            runs.append(Run())
        elif runs:
            runs[-1].batches.append((int(field["address"], 16), int(field["npages"]),
                                     int(field["ret"])))
    return [run for run in runs if run.batches]


# --- what it said ---------------------------------------------------------------

def row_of(line, args):
    words = line.split(",")
    if (len(words) != 5 or words[2] not in CONDITIONS
            or not all(re.fullmatch(r"[0-9]{1,18}", words[i]) for i in (0, 1, 3, 4))
            or int(words[0]) != args.seed):
        raise Broken(f"it prints {line[:60]!r}, which is no line of a run with seed {args.seed}")
    return Row(int(words[1]), words[2], int(words[3]))


class Trial:
    """One call of the program: its lines, and the runs that the driver saw."""

    def __init__(self, args, status, said, trace):
        self.args, lines = args, said.splitlines()
        self.check_end(status, said)
        if not lines or lines[0] != HEADER:
            raise Broken(f"its first line is not {HEADER}")
        if len(lines) < 2:
            raise Broken("it prints no line of a run")
        self.rows = [row_of(line, args) for line in lines[1:]]
        self.runs = runs_of(trace)
        self.check_runs()

    def check_end(self, status, said):
        if status == 137:
            raise Broken(f"it did not end within {LIMIT_S} s")
        if status == 153 or len(said) > MOST_KIB << 10:
            raise Broken(f"it prints more than {MOST_KIB} KiB")
        if status:
            last = said.strip().splitlines()[-1:] or ["without a word"]
            raise Broken(f"it ended with status {status}: {last[0][:100]}")

    def check_runs(self):
        if not self.runs:
            raise Broken("the driver saw it populate nothing")
        for number, run in enumerate(self.runs, 1):
            if sorted(run.order) != list(range(self.args.chunks)):
                raise Broken(f"run {number} does not populate each of its {self.args.chunks} "
                             "chunks by one call")

    @property
    def orders(self):
        """All that should come from the seed."""
        return [row.condition for row in self.rows], self.runs[0].order

    def first(self, condition):
        return next((run.order for run in self.runs if run.condition == condition), None)

    def repetitions(self):
        """The conditions in the order of each repetition; a Broken where they are apart."""
        step = len(CONDITIONS)
        groups = [self.rows[i:i + step] for i in range(0, len(self.rows), step)]
        for group in groups:
            if (len({row.repetition for row in group}) != 1
                    or sorted(row.condition for row in group) != sorted(CONDITIONS)):
                raise Broken(f"{group[0].condition} of repetition {group[0].repetition} is not "
                             "followed by the other condition of the same repetition")
        return [tuple(row.condition for row in group) for group in groups]


# --- what is wrong with it ------------------------------------------------------

def wrong_seed(trials):
    first, again, other = trials
    if first.orders != again.orders:
        return f"seed {first.args.seed} twice, and the orders differ"
    if first.runs[0].order == other.first(first.runs[0].condition):
        return f"seeds {first.args.seed} and {other.args.seed}, and the same order of chunks"
    return ""


def wrong_pages(trials):
    for trial in trials:
        for condition in CONDITIONS:
            rows = [row for row in trial.rows if row.condition == condition]
            runs = [run for run in trial.runs if run.condition == condition]
            if not rows or not runs:
                return f"there is no {'run' if rows else 'line'} of {condition}"
            for number, (row, run) in enumerate(zip(rows, runs)):
                if row.pages != run.pages:
                    return (f"line {number + 1} of {condition} says {row.pages} pages; "
                            f"{run.pages} have entered the table")
    return ""


def wrong_turns(trials):
    orders = set()
    for trial in trials:
        try:
            orders |= set(trial.repetitions())
        except Broken as why:
            return str(why)
        ran = [run.condition for run in trial.runs]
        if ran != [row.condition for row in trial.rows][:len(ran)]:
            return "the runs came in another order than the lines"
    if len(orders) == 1:
        return f"{' before '.join(orders.pop())}, in each repetition"
    return ""


def wrong_repetitions(trials):
    for trial in trials:
        for condition in CONDITIONS:
            seen = [sum(what.condition == condition for what in kind)
                    for kind in (trial.rows, trial.runs)]
            if seen != [trial.args.repetitions] * 2:
                return (f"--repetitions {trial.args.repetitions}; lines of {condition}: {seen[0]}, "
                        f"runs: {seen[1]}")
    return ""


CHECKS = {"seed": wrong_seed, "pages": wrong_pages, "turns": wrong_turns,
          "repetitions": wrong_repetitions}


# --- the three calls ------------------------------------------------------------

SCRIPT = """\
cd /sys/kernel/tracing && echo 4096 > buffer_size_kb && echo 0 > options/record-cmd || exit 1
echo 1 > events/my_mmu/my_mmu_attach/enable && echo 1 > events/my_mmu/my_mmu_populate/enable
G=/sys/fs/cgroup/badbench
mkdir -p /etc && echo nobody:x:65534:65534::/tmp:/bin/sh >> /etc/passwd
mkdir $G && echo {processes} > $G/pids.max && echo 256M > $G/memory.max || exit 1
try() {{
	echo > trace
	(echo 0 > $G/cgroup.procs; ulimit -f {blocks}; cd /tmp
	 exec timeout -s KILL {limit} start-stop-daemon -S -c nobody:65534 \\
		-x /lab/badbench -- "$@") > /tmp/said 2>&1 < /dev/null
	status=$?
	echo 1 > $G/cgroup.kill
	echo "## $status"
	tr -d '\r' < /tmp/said | sed 's/^/| /'
	cat trace
	[ $status = 0 ] || exit 0
}}
"""


def drawn(source, seed):
    """Arguments that nobody knows before the program is written."""
    draw = random.Random(hashlib.sha256(source + seed.encode()).digest())
    first = Args(draw.randint(1, 10 ** 9), draw.randint(9, 14), draw.randint(9, 14),
                 draw.randint(5, 15))
    return [first, first, first._replace(seed=draw.randint(1, 10 ** 9))]


def options(args):
    return " ".join(f"--{name} {value}" for name, value in args._asdict().items())


def call(program, kernel, drawn_args, folder):
    """Trials, in one guest."""
    files = folder / "files"
    (files / "lab").mkdir(parents=True)
    shutil.copy2(program, files / "lab/badbench")
    script = SCRIPT.format(processes=PROCESSES, blocks=2 * MOST_KIB, limit=LIMIT_S)
    script += "".join(f"try {options(args)}\n" for args in drawn_args)
    said = in_guest(kernel, script, folder, more=("--files", str(files)))
    shutil.rmtree(files)
    parts = re.split(r"^## (\d+)\n", said, flags=re.M)[1:]
    return [trial_of(args, int(status), text)
            for args, status, text in zip(drawn_args, parts[::2], parts[1::2])]


def trial_of(args, status, text):
    own = [line[2:] for line in text.split("\n") if line.startswith("| ")]
    return Trial(args, status, "\n".join(own),
                 "\n".join(line for line in text.split("\n") if not line.startswith("| ")))


def compiled(name, source, kernel):
    """The program; NotBuilt where it does not compile without a word."""
    bench = Bench(kernel)
    try:
        return trees.tool(bench, name, source)
    finally:
        bench.close()


def judge(name, files, seed, kernel, folder):
    """test -> Mended, of the file of this name"""
    if name not in files:
        return all_failed(f"{name} was not handed in", "not asked")
    folder.mkdir()
    source = files[name]
    try:
        program = compiled(name, source, kernel)
        shutil.copy2(program, folder / "badbench")
        trials = call(folder / "badbench", kernel, drawn(source, seed), folder)
    except NotBuilt as why:
        return all_failed(f"it does not compile without a word: {'; '.join(why.messages[:2])}")
    except Broken as why:
        return all_failed(str(why))
    return {test: Mended(test, check(trials)) for test, check in CHECKS.items()}


def all_failed(why, verdict="failed"):
    return {name: Mended(name, why, verdict) for name in FAULTS}
