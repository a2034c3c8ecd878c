# SPDX-License-Identifier: GPL-2.0
"""answers.py - labs in which answers are handed in, and no code

What is asked, and what is true, is for the module that lab.toml names: it has
questions(seed), prepare(seeds, kernel, folder) and truth(seed, kernel, folder).
"""

import os
import re
import shutil
import signal
import subprocess
import tomllib

import machine
from box import Bench
from places import BUILD, Refused, Trouble

LIMIT_S = 600  # of a guest
MOST = 10 ** 12  # of an answer that is a number
SEED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


def good_seed(seed):
    return isinstance(seed, str) and bool(SEED.fullmatch(seed))


def handout(lab, seed):
    """The file with the questions, and no answers."""
    title = f"# Lab {lab.number}, {lab.title}. Write each answer between the quotes. README.md"
    lines = ["# SPDX-License-Identifier: GPL-2.0",
             f"{title} says what the words mean;", f"# {lab.module.REMARK}.",
             f"lab = {lab.number}", f'seed = "{seed}"']
    before = None
    for question in lab.module.questions(seed):
        if question.command != before:
            lines += ["", f"# {question.key[0]}. {question.command}"]
        before = question.command
        lines += [f"# {question.text} ({question.hint_of_form})", f'{question.key} = ""']
    return "\n".join(lines) + "\n"


# --- what is handed in --------------------------------------------------------

def parse(text, lab):
    """(seed, key -> answer); Refused, with a sentence, for what is no answers file."""
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        why = "brackets in brackets" if isinstance(error, RecursionError) else str(error)
        raise Refused(f"{lab.file} cannot be read as TOML ({why}). An answer is a word between "
                      'quotes, as in A1 = "7"') from error
    number, seed = table.pop("lab", None), table.pop("seed", None)
    if number is None:
        raise Refused(f"{lab.file} does not say its lab; keep the lines that make lab wrote")
    if number != lab.number:
        other = f"lab = {number}" if number in range(100) else "another lab"
        raise Refused(f"{lab.file} says {other}, and this is lab {lab.number}. Hand in the file "
                      f"that make lab N={lab.number} wrote")
    if not good_seed(seed):
        raise Refused(f"{lab.file} has no seed to draw its questions with; keep the line seed = "
                      "that make lab wrote")
    return seed, {key: word_of(key, value) for key, value in checked_keys(table, lab).items()}


def checked_keys(table, lab):
    unknown = [key for key in table if key not in lab.keys]
    lacking = [key for key in lab.keys if key not in table]
    if unknown:
        raise Refused(f"{lab.file} has {shown(unknown)}, which nobody asked; the questions are "
                      f"{lab.keys[0]} to {lab.keys[-1]}")
    if lacking:
        raise Refused(f"{lab.file} lacks {shown(lacking)}; leave the quotes of what you do not "
                      'know empty, as in A1 = ""')
    return table


def shown(names):
    return ", ".join(repr(name) if len(name) < 30 else "a long name" for name in names[:6])


def word_of(key, value):
    """Numbers need no quotes."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 0 <= value < MOST:
            raise Refused(f"{key} is a number that nothing here counts to")
        return str(value)
    if not isinstance(value, str):
        kind = {bool: "a truth value", float: "a number with a point", list: "a list",
                dict: "a table"}.get(type(value), "a date or time")
        raise Refused(f'{key} is {kind}; an answer is a word or a whole number, as in A1 = "7"')
    return value


class Answer:
    """What was answered to a question, and what came of it. To reports it is what a
    test is in other labs."""

    blame = {"half": "half right: not near enough"}

    def __init__(self, question, answer):
        self.question, self.test = question, question.key
        self.verdict, self.detail, self.notes, self.took = None, "", [], 0.0
        self.said = answer.strip()
        self.plain, self.problem = "", ""
        if self.said:
            try:
                self.plain = question.plain(self.said)
            except ValueError as why:
                self.problem = str(why)

    def judge(self, truth):
        """None: this machine cannot know."""
        if truth is None:
            self.verdict, self.detail = "skip", "not asked: its kernel is not on this machine"
        else:
            self.verdict = self.question.judge(self.plain, truth) if self.plain else "failed"

    @property
    def about(self):
        return self.question.command

    def explain(self):
        """For reports: where to look, and not what is to be seen there."""
        said = repr(self.said) if len(self.said) < 60 else "something long"
        return [f"FAIL {self.test}    {self.blame.get(self.verdict, 'not what was seen')}",
                f"  asked     {self.question.text}",
                f"  answered  {said if self.said else 'nothing'}"
                + (f": {self.problem}" if self.problem else ""),
                f"  look at   {self.about}"]


def answers_of(text, lab, seed=None):
    """key -> Answer; as SEED says, or the file itself."""
    own, answers = parse(text, lab)
    return {q.key: Answer(q, answers[q.key]) for q in lab.module.questions(seed or own)}


def compare(text, lab, seed, kernel, folder):
    """(key -> Answer with its verdict, notes). FOLDER keeps what was true, and why."""
    jobs = answers_of(text, lab, seed)
    truth, notes = lab.module.truth(seed, kernel, folder)
    for key, job in jobs.items():
        job.judge(truth.get(key))
    (folder / "truth.txt").write_text("".join(
        f"{key}  {truth.get(key, '-'):24} {job.said[:60]!r:24} {job.question.command}: "
        f"{job.question.text}\n" for key, job in jobs.items()))
    return jobs, notes


# --- what is true -------------------------------------------------------------

def missing(kernel):
    return not (BUILD / "kernel" / kernel / "release").exists()


def in_guest(kernel, script, folder, more=()):
    """What a script says in a guest with our modules. more: options of vm/run."""
    if missing(kernel):
        raise Trouble(f"the kernel {kernel} is not there; vm/prepare {kernel} brings it")
    bench = Bench(kernel)
    try:
        bench.prepare()
        layer = machine.layer_of(bench.clean, folder / "layer")
    finally:
        bench.close()
    log, name = folder / f"{kernel}.log", f"lab-{os.getpid()}-{kernel}"
    argv = machine.guest(kernel, LIMIT_S, layer, name, f"{machine.LOAD}\n{script}", more)
    with open(folder / f"{kernel}.said", "wb") as out, open(log, "wb") as err:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        try:
            status = process.wait()
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait()
            shutil.rmtree(layer, ignore_errors=True)
    if status:
        last = (log.read_text(errors="replace").strip() or "no word").splitlines()[-1]
        raise Trouble(f"the guest of {kernel} did not do what it was to show (status {status}): "
                      f"{last.strip()}")
    (BUILD / "log" / f"{name}.console.log").unlink(missing_ok=True)
    return (folder / f"{kernel}.said").read_text(errors="replace")
