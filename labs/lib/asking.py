# SPDX-License-Identifier: GPL-2.0
"""asking.py - ask tests of a module, in as many machines as it wrecks

The plan is ours: which tests, in which order, how long each may take, and what
its verdict is called (a random label). A machine goes on from an image of a
booted one. It is left at the first wreck; what has no verdict yet is asked in a
new one. So a crash or a hang costs its own test and no other.
"""

import glob
import os
import random
import re
import secrets
import select
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time

import machine
from places import BUILD, OUT, Trouble

DEADLINE_S = 3  # how long a test waits for a task that must come
SILENCE_S = 8  # how long a verdict may be late before the machine has hung
TROUBLE_S = 45  # how much time may be lost to tests that wreck their machines
LAST_WORDS_S = 2  # a machine that has said all may take its time to power off
STARVED = 0.2  # a machine that waits so much of its time for a CPU is slow, not wrong
STOPPED_S = 5  # who does not come to look for so long was not running himself
HANGS = 2  # so many machines in a row that hang at once, and no more are tried
ALIKE = 2  # so many that are not reached once more speak for those like them
PATIENCE = 3  # and what it may be late with has so many times as long
BEGIN_S = 60  # and the first one: the machine has to come up
SAID = 4 << 20  # bytes; a guest that says more says nothing
VERDICT = re.compile(r"^(not ok|ok) (\d+) ([0-9a-f]{12})(?: # (\S+) ?(.*))?$")
NOTE = re.compile(r"^# (.*)$")
TOOK = re.compile(r"^took ([\d.]+) s for (\d+) checks$")
BAD_NEWS = re.compile(r"bad news on the console")
UP = "# the machine is up"
DONE = "# the plan is over"


class Alarm(Exception):
    """Something that no honest run does: a human must look."""


class FairClock:
    """Seconds that a machine had, or could have had: the time that its threads were
    ready and other programs had the CPU does not count. What is slow for others'
    sake has not hung."""

    def __init__(self, pid):
        self.pid, self.start, self.starved = pid, time.monotonic(), 0.0
        self.seen, self.stopped = self.start, 0.0

    def children(self, pid):
        try:
            text = open(f"/proc/{pid}/task/{pid}/children").read()
        except OSError:
            return []
        return [c for child in text.split() for c in (child, *self.children(child))]

    def tick(self):
        """Twice a second; if not, we were stopped, and the machine most likely, too."""
        now = time.monotonic()
        if now - self.seen > STOPPED_S:
            self.stopped += now - self.seen
        self.seen = now

    def now(self):
        for pid in (str(self.pid), *self.children(self.pid)):
            for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
                try:
                    waited = int(open(path).read().split()[1]) / 1e9
                except (OSError, IndexError):
                    continue
                self.starved = max(self.starved, waited)
        return time.monotonic() - self.start - self.stopped - self.starved

    def share(self):
        """Of its time, how much it had to wait for a CPU."""
        return self.starved / max(time.monotonic() - self.start, 0.1)


class Job:
    """A test that is asked once, and what came of it."""

    def __init__(self, group, test, limit, turned=0, needed=None):
        self.group, self.test, self.limit = group, test, limit
        self.turned, self.needed = turned, needed
        self.label = secrets.token_hex(6)
        self.verdict, self.detail, self.notes = None, "", []
        self.took, self.checks, self.machine, self.spared = 0.0, 0, None, False

    def spare(self):
        """What it needs is not ok."""
        self.verdict, self.spared = "not asked", True
        self.detail = f"for {self.needed.test}, which it needs, is not ok"

    def back(self):
        """It was, when it was asked again."""
        self.verdict, self.detail, self.spared = None, "", False

    def line(self):
        needed = self.needed.label if self.needed else "-"
        return f"{self.label} {self.group} {self.test} {self.limit} {self.turned} {needed}\n"


class Machine:
    """One guest, from its image to its end."""

    program = "mmu-tests"  # in the guest

    def __init__(self, kernel, modules, jobs, folder, number):
        self.kernel, self.modules, self.jobs = kernel, modules, jobs
        self.folder, self.number = folder, number
        self.said, self.hung, self.seconds = "", False, 0.0
        self.deadline_s, self.test_seed, self.stop = DEADLINE_S, 0, threading.Event()

    def layer(self):
        layer = self.folder / "layer"
        shutil.rmtree(layer, ignore_errors=True)
        (layer / "vm/modules").mkdir(parents=True)
        for i, path in enumerate(self.modules):
            shutil.copy2(path, layer / f"vm/modules/{i:02}-{path.name}")
        (layer / "plan").write_text("".join(job.line() for job in self.jobs))
        return layer

    def argv(self):
        load = "for m in /vm/modules/*.ko; do insmod $m || exit 125; done"
        seed = f" -s {self.test_seed}" if self.test_seed else ""
        script = (f"echo '{UP}'; {load}; echo '# modules are loaded'; "
                  f"{self.program} -W -T -D {self.deadline_s}{seed} -P /plan; echo '{DONE}'")
        # Whether it has hung is for us to say
        limit = 10 * (BEGIN_S + sum(job.limit + SILENCE_S for job in self.jobs))
        self.name = f"lab-{os.getpid()}-{self.kernel}-{self.number}"
        return machine.guest(self.kernel, limit, self.layer(), self.name, script)

    def run(self):
        self.ktap = self.folder / f"machine-{self.number}.ktap"
        log = self.folder / f"machine-{self.number}.log"
        with open(log, "wb") as err:
            process = subprocess.Popen(self.argv(), stdin=subprocess.DEVNULL,
                                       stdout=subprocess.PIPE, stderr=err)
            try:
                self.listen(process)
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                process.stdout.close()  # or it may wait for us to read
                self.status = process.wait()
        self.ktap.write_text(self.said)
        console = BUILD / "log" / f"{self.name}.console.log"
        if console.exists():
            shutil.move(console, self.folder / f"machine-{self.number}.console.log")
        shutil.rmtree(self.folder / "layer", ignore_errors=True)
        self.seconds = self.clock.now()
        self.log = log.read_text(errors="replace")
        return self

    def listen(self, process):
        """Until it ends, or says nothing for too long."""
        data, limits = b"", [job.limit for job in self.jobs]
        self.clock = clock = FairClock(process.pid)
        deadline = BEGIN_S
        while True:
            ready, _, _ = select.select([process.stdout], [], [], 0.5)
            clock.tick()
            if self.stop.is_set():
                raise Trouble("interrupted")
            if not ready:
                self.hung = clock.now() > deadline
                if self.hung:
                    break
                continue
            more = os.read(process.stdout.fileno(), 65536)
            if not more:
                break
            data += more
            if len(data) > SAID:
                self.hung = True
                break
            if f"{DONE}\n".encode() in data:
                self.ends_by_itself(process)
                break
            if re.search(rb"^(?:# the machine is up|KTAP|(?:not )?ok )", more, re.M):
                verdicts = len(re.findall(rb"^(?:not )?ok ", data, re.M))
                deadline = (clock.now() + SILENCE_S
                            + (limits[verdicts] if verdicts < len(limits) else 0))
        self.said = data.decode(errors="replace")

    @staticmethod
    def ends_by_itself(process):
        """Or not at all: a CPU that hangs keeps it from powering off."""
        try:
            process.wait(LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            pass

    @property
    def loaded(self):
        return "# modules are loaded" in self.said

    def read(self):
        """Give each job its verdict; an Alarm for what nobody was asked."""
        waiting, notes = list(self.jobs), []
        for line in self.said.splitlines():
            match = VERDICT.match(line)
            if not match:
                note = NOTE.match(line)
                if note:
                    notes.append(note[1])
                continue
            if not waiting or waiting[0].label != match[3]:
                raise Alarm("the guest reported a verdict that was not asked for, or not now: "
                            f"{line!r}; see {self.ktap.name}")
            self.settle(waiting.pop(0), match, notes)
            notes = []
        return waiting, notes

    def settle(self, job, match, notes):
        job.notes, job.machine = notes, self.number
        for note in notes:
            took = TOOK.match(note)
            if took:
                job.took, job.checks = float(took[1]), int(took[2])
        word, detail = match[4], match[5] or ""
        if match[1] == "ok":
            job.verdict = "skip" if word == "SKIP" else "ok"
        else:
            job.verdict = {"TIMEOUT": "time-out", "NOT-REACHED": "not reached",
                           "NOT-ASKED": "not asked"}.get(word, "failed")
        job.detail = detail
        if job.verdict == "not asked" and job.needed:
            job.spare()


class Asking:
    """Ask jobs until each has a verdict, or the time for wrecks is used up."""

    make = Machine

    def __init__(self, kernel, modules, folder, trouble_s=TROUBLE_S, after_each=None,
                 test_seed=0, stop=None):
        """test_seed: for tests of chance; stop: an event that ends it."""
        self.kernel, self.modules, self.folder = kernel, modules, folder
        self.trouble_s, self.after_each = trouble_s, after_each
        self.test_seed, self.stop = test_seed, stop or threading.Event()
        self.machines, self.wrecks = [], []
        self.silent = False  # the modules were never loaded

    def ask(self, jobs):
        todo, again, trouble, hangs = list(jobs), [], 0.0, 0
        while todo and trouble < self.trouble_s and hangs < HANGS:
            before = list(todo)
            guest = self.machine(todo)
            todo, rest = guest.read()
            again += self.doubtful(guest, before[:len(before) - len(todo)])
            self.judge_end(guest, before, todo, rest, again)
            if len(todo) < len(before) and todo:
                trouble += self.lost(guest, before[:len(before) - len(todo)])
            if self.silent:
                break
            hangs = hangs + 1 if self.hung_at_once(before, todo) else 0
            todo = self.needed(todo)
            if self.after_each:
                self.after_each()
        for job in todo:
            job.verdict, job.detail = "not asked", (
                f"{HANGS} machines in a row hung at the first test they were asked"
                if hangs == HANGS else "the time for wrecks is used up")
        self.ask_doubtful(again, trouble)
        late = [job for job in jobs if job.spared and job.needed.verdict == "ok"]
        for job in late:
            job.back()
        if late:
            self.ask(late)
        return jobs

    @staticmethod
    def hung_at_once(before, todo):
        """At the first test that a machine was asked; those that must fail say nothing."""
        asked = before[:len(before) - len(todo)]
        return asked[-1].verdict == "hang" and all(job.turned for job in asked[:-1])

    def ask_doubtful(self, again, trouble):
        """Once more, until the time for wrecks is used up. What is not reached then, either,
        speaks for those like it."""
        alike = {}
        for job in again:
            kind = job.verdict, job.detail
            if trouble < self.trouble_s and alike.get(kind, 0) < ALIKE:
                trouble += self.ask_again(job)
                if job.verdict == "not reached" and kind == (job.verdict, job.detail):
                    alike[kind] = alike.get(kind, 0) + 1

    @staticmethod
    def needed(todo):
        """Without those that need what was not ok in another machine: a guest knows of
        its own plan alone."""
        for job in todo:
            if job.needed and job.needed.verdict not in (None, "ok"):
                job.spare()
        return [job for job in todo if not job.verdict]

    @staticmethod
    def lost(guest, asked):
        """Seconds of a machine in which no test came to an end."""
        return max(0, guest.seconds - sum(job.took for job in asked
                                          if job.verdict not in ("hang", "crash")))

    @staticmethod
    def doubtful(guest, asked):
        """What may be late for others' sake is asked once more, with more patience."""
        if guest.clock.share() < STARVED:
            return []
        return [job for job in asked if job.verdict == "not reached"
                and job.took >= DEADLINE_S]

    def machine(self, jobs, deadline_s=DEADLINE_S):
        guest = self.make(self.kernel, self.modules, jobs, self.folder, len(self.machines) + 1)
        guest.deadline_s, guest.test_seed, guest.stop = deadline_s, self.test_seed, self.stop
        self.machines.append(guest)
        return guest.run()

    def judge_end(self, guest, before, todo, rest, again):
        """Whose verdict is still missing when a machine has ended?"""
        if DONE in guest.said:
            self.wrecked_by_verdict(before, todo, again)
            return
        if guest.status in (130, 143) and not guest.hung:
            raise Trouble("interrupted")
        crashed = guest.status == machine.VM_CONSOLE
        if not guest.loaded:
            self.never_loaded(guest, todo, rest)
        elif todo and (crashed or guest.hung):
            job = todo.pop(0)
            job.verdict, job.notes = ("crash" if crashed else "hang"), rest
            job.notes += self.bad_news(guest)
            job.machine = guest.number
            self.wrecks.append(job)
            if job is not before[0]:
                again.append(job)
        elif not todo:
            return  # the last verdict stands; it is known who ran
        else:
            raise Trouble(f"the guest did not run (status {guest.status}); see "
                          f"{guest.folder}/machine-{guest.number}.log")

    def wrecked_by_verdict(self, before, todo, again):
        asked = before[:len(before) - len(todo)]
        if not asked:
            raise Alarm("mmu-tests did not run its plan: "
                        + self.machines[-1].said.strip()[-300:])
        if asked[-1].verdict == "time-out" and len(asked) > 1:
            again.append(asked[-1])

    def never_loaded(self, guest, todo, rest):
        how = "crash" if guest.status == machine.VM_CONSOLE else "hang"
        if not guest.hung and how == "hang" and "insmod" not in guest.log:
            raise Trouble(f"the guest did not run (status {guest.status}); see "
                          f"{guest.folder}/machine-{guest.number}.log")
        self.silent = how if how == "crash" or guest.hung else "refused"
        for job in todo:
            job.verdict, job.detail = "not asked", "the module was not loaded"
            job.notes = rest + self.bad_news(guest)
        del todo[:]

    @staticmethod
    def bad_news(guest):
        return [line.strip(" |") for line in guest.log.splitlines()
                if line.startswith("    |")][:6]

    def ask_again(self, job):
        """Alone: was it this test's doing, or of what ran before it? Returns how
        long that took."""
        starved = self.machines[(job.machine or 1) - 1].clock.share() > STARVED
        alone = Job(job.group, job.test, job.limit * (PATIENCE if starved else 1), job.turned)
        guest = self.machine([alone], DEADLINE_S * (PATIENCE if starved else 1))
        todo, _ = guest.read()
        if todo or alone.verdict not in ("ok", "failed", "not reached"):
            return guest.seconds
        job.verdict, job.detail, job.notes = alone.verdict, alone.detail, alone.notes
        job.notes.append("asked again, in a machine of its own")
        job.machine = guest.number
        return guest.seconds


class Patient(Asking):
    """Where one failure decides: whatever failed in a machine that waited for CPUs is asked
    once more, unless it is to fail. A crash is one, whatever comes of it the next time."""

    @staticmethod
    def doubtful(guest, asked):
        return [job for job in asked if job.verdict in ("failed", "not reached")
                and not job.turned and guest.clock.share() >= STARVED]

    def ask_again(self, job):
        return 0.0 if job.verdict == "crash" else super().ask_again(job)


def evidence_folder(name):
    OUT.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix=f"{name}-", dir=OUT)


def command(jobs):
    """For people: what repeats these tests."""
    return shlex.join(["make", "check", f"T={jobs[0].test}"])


def shuffled(jobs, seed):
    jobs = list(jobs)
    random.Random(seed).shuffle(jobs)
    return jobs


def boards(clean, own):
    """The modules in the order they load in; OWN, if any, is the submission's."""
    order = ("mmu_rmap", "my_mmu_driver", "my_mmu_spinlock", "my_mmu_split_ptl",
             "my_mmu_rcu_list", "my_mmu_interval")
    return [own if own and own.name == f"{name}.ko" else next(clean.rglob(f"{name}.ko"))
            for name in order]
