# SPDX-License-Identifier: GPL-2.0
"""trial.py - one mutant in one guest: which test is the first to notice?"""

import re
import threading
import time

from machine import (BOOT_S, DONE, HUNG_S, VM_CONSOLE, Results, guest, only_hangs,
                     selection, terminate)
from patches import BUILD, ROOT, Trouble

OUT = BUILD / "mutate"
KERNEL = "6.12"
# As tests/run-suite has it
MACHINE = ("--nodes", "2", "--append", "numa_balancing=disable")
NOT_LOADED = "# a module does not load"
LOAD = (f"for m in /vm/modules/*.ko; do insmod $m || "
        f"{{ echo '{NOT_LOADED}'; exit 1; }}; done")
NOT_OK = re.compile(r"^  not ok \d+ (\S+)(.*)")
RESULT = re.compile(r"^  (?:not ok|ok) \d+ (\S+)")
SILENT_S = 15  # that a guest which lives may be behind with a result
RESUME_S = 30  # that a guest may take to begin
FIRST = 6  # tests in the first call of mmu-tests; each further one has twice as many


def chunks(order):
    """Tests by call of mmu-tests: which stops for nothing, so few at first."""
    size, at, found = FIRST, 0, []
    while at < len(order):
        found.append(order[at:at + size])
        at += size
        size = min(2 * size, 100)
    return found


def calls(order, plan):
    """(group, tests in the order in which they will run) for each call."""
    place = {key: n for n, key in enumerate(plan)}
    found = []
    for chunk in chunks(order):
        for group in sorted({g for g, _ in chunk}, key=lambda g: min(
                chunk.index(key) for key in chunk if key[0] == g)):
            tests = sorted((key for key in chunk if key[0] == group), key=place.get)
            found.append((group, [test for _, test in tests]))
    return found


class Trial:
    """Runs tests in a guest until one fails."""

    def __init__(self, runner, name, layer, order):
        self.runner, self.name, self.layer = runner, name, layer
        self.calls = calls(order, runner.plan)
        self.order = [(group, test) for group, tests in self.calls for test in tests]
        self.ended = 0  # how many of them have
        self.caught = None  # ((group, test), how)
        self.heard = time.monotonic()

    def script(self):
        lines = [LOAD]
        lines += ["mmu-tests " + " ".join(selection([group], tests))
                  for group, tests in self.calls]
        return "\n".join(lines + [f"echo '{DONE}'"])

    def running(self):
        return self.order[min(self.ended, len(self.order) - 1)]

    def listen(self, process, file):
        """Live: the first "not ok" is the end."""
        done = False
        for raw in process.stdout:
            file.write(raw)
            line = raw.decode(errors="replace").rstrip("\n")
            if line == NOT_LOADED:
                self.caught = ("", "insmod"), "failed"
            elif line == DONE:
                done = True
            elif not self.caught and RESULT.match(line):
                self.heard = time.monotonic()
                match = NOT_OK.match(line)
                if match:
                    how = "time-out" if "# TIMEOUT" in match[2] else "failed"
                    self.caught = (self.running()[0], match[1]), how
                self.ended += 1
            if self.caught:
                terminate(process)
        return done

    def watch(self, process, ended):
        """A guest of which nothing is heard is not waited for."""
        self.heard = time.monotonic() + RESUME_S
        while not ended.wait(1):
            limit = self.runner.limits[self.running()] + HUNG_S + SILENT_S
            if time.monotonic() - self.heard > limit:
                terminate(process)
                self.silent = True
                return

    def run(self):
        """"caught", "survived", or "silent"; None if the guest did not run."""
        ktap, log = OUT / f"log/{self.name}.ktap", OUT / f"log/{self.name}.log"
        ktap.parent.mkdir(parents=True, exist_ok=True)
        self.silent, ended = False, threading.Event()
        argv = guest(KERNEL, 3600, self.layer, f"mutate-{self.name}", self.script(),
                     MACHINE)
        with open(ktap, "wb") as out, open(log, "wb") as err:
            process = self.runner.begin(argv, self.runner.PIPE, err)
            watcher = threading.Thread(target=self.watch, args=(process, ended), daemon=True)
            watcher.start()
            try:
                done = self.listen(process, out)
            finally:
                ended.set()
                status = self.runner.end(process)
                process.stdout.close()
        if self.caught:
            return "caught"
        if status == VM_CONSOLE:
            console = BUILD / "log" / f"mutate-{self.name}.console.log"
            if only_hangs(log, console):
                return "silent"
            self.caught = self.running(), "crash"
            return "caught"
        if done and self.ended < len(self.order):
            # The tests could not even begin, or one took their parent along
            self.caught = self.running(), "cut short"
            return "caught"
        if done:
            return "survived"
        return "silent" if self.silent else None


def results(runner, name, layer, keys):
    """All of these tests, to the end."""
    groups = sorted({group for group, _ in keys})
    lines = [LOAD] + ["mmu-tests " + " ".join(selection(
        [g], sorted(t for group, t in keys if group == g))) for g in groups]
    limit = BOOT_S + sum(runner.limits[key] + HUNG_S for key in keys)
    text = runner.guest(name, layer, "\n".join(lines + [f"echo '{DONE}'"]), limit)
    found = Results(text)
    if not found.done:
        raise Trouble("the tree as it is does not get through the tests that caught "
                      f"mutants: see {(OUT / 'log' / name).relative_to(ROOT)}.ktap")
    return found
