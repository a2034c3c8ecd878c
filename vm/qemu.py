#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""vm/qemu.py - run one QEMU, carry its channels, judge how it ended.

Usage:   vm/qemu.py --log FILE --timeout S [--out DIR] [--shell] ... -- QEMU ARGS
         (vm/run calls it; its head tells the exit statuses)
         --save IMAGE: up to where the guest waits for its command, then write
         the whole machine there; --resume IMAGE --more CPIO: go on from there
         vm/qemu.py --judge FILE [--allow REGEX]...
         (only say what in a console's log is bad news; 126 if anything is)
Inputs:  the guest's console and virtio-serial ports out, err, status, results
Outputs: stdout and stderr of the guest's command, live; the console in FILE;
         the guest's /results unpacked into DIR
"""

import contextlib
import argparse
import ctypes
import json
import os
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import tempfile
import time

TIMEOUT, INFRA, CONSOLE = 124, 125, 126
BOOT_LIMIT = 150  # seconds until the guest says that it is up
OFF_LIMIT = 20  # how long the guest may take to switch itself off
SILENCE_LIMIT = 150  # and between two signs of life, five seconds apart, since then
SAVE_LIMIT = 60  # how long it may take to write an image
LOG_LIMIT = 64 << 20  # bytes of a console that are kept; who says more floods
REPORT_S = 10  # how long a report on the console may take to print

# What must not stand on a console.
BAD = re.compile("|".join([
    r"\bBUG[: ]", r"\bWARNING: ", r"\bOops\b", r"Kernel panic", r"Call Trace:",
    r"general protection", r"unable to handle", r"invalid opcode", r"int3: 0",
    r"soft lockup", r"hard LOCKUP", r"blocked for more than", r"hung_task:",
    r"detected (expedited )?stalls", r"self-detected stall", r"rcu.*starved",
    r"list_(add|del) corruption", r"KASAN|UBSAN|KCSAN|KFENCE|KMSAN",
    r"use-after-free", r"page_poison", r"[Pp]oison overwritten",
    r"Redzone overwritten", r"Object already free", r"Objects remaining",
    r"Bad page (state|map)", r"bad rss-counter", r"refcount_t:",
    r"scheduling while atomic", r"sleeping function called",
    r"circular locking", r"inconsistent lock", r"suspicious RCU",
    r"disagrees about version", r"Unknown symbol", r"Still mapped when",
    r"nobody cared", r"Workqueue lockup|BUG: workqueue",
    r"\[ *end trace",
]))

# Lines of stock kernels that match the above and mean no harm.
ALLOW = [
    # the mitigation report of a CPU model, at boot
    r"Spectre V2 : WARNING: ",
    # the list of what kfence watches over, at boot
    r"kfence: initialized",
    # the command line repeats the names of the checks it asks for
    r"[Cc]ommand line: ", r"Unknown kernel command line parameters",
    # the check's own name, in the report that it is on
    r"mem auto-init", r"rcu: .* debug is enabled",
    # an interrupt came before a function had its frame, and the unwinder of kernels
    # with frame pointers lost its way: a stack trace that was asked for is short
    r"WARNING: kernel stack (regs|frame pointer) at \S+ in \S+ has bad ",
    # a program, not the kernel, did something that its CPU refused
    r"traps: \S+\[\d+\] ",
    # no mce device in the emulated machine
    r"unable to handle .* MCE",
]

# A breakpoint that the kernel did not set: where the CPU was, and what is there
# now, with the byte behind the breakpoint in brackets.
INT3 = re.compile(r"Oops: int3|int3: 0000")
CODE = re.compile(r"\bCode: .*?\b([0-9a-f]{2}) <[0-9a-f]{2}>")

# Dumps that were asked for: their one backtrace is no failure.
ASKED = re.compile(r"invoked oom-killer|sysrq: Show|page allocation failure")


class Console:
    """Writes the console to its log and looks for bad news in it."""

    def __init__(self, path, allow):
        self.file = open(path, "wb") if path else None
        self.allow = re.compile("|".join(ALLOW + allow))
        self.rest = b""
        self.written = 0
        self.lines = 0
        self.bad = []  # (line number, text), the first few
        self.bad_since = None
        self.context = []
        self.asked = False
        self.last = ""
        self.panicked = None
        self.ready = False
        self.int3 = False
        self.stale_int3 = False

    def feed(self, data):
        if self.file and self.written < LOG_LIMIT:
            self.file.write(data)
            self.file.flush()
            self.written += len(data)
        *whole, self.rest = (self.rest + data).split(b"\n")
        for line in whole:
            self.line(line.decode("utf-8", "replace").rstrip())

    def line(self, text):
        self.lines += 1
        if text:
            self.last = text
        if self.bad and len(self.context) < 14:
            self.context.append(text)
        if ASKED.search(text):
            self.asked = True
        if text.endswith("vm/init: ready"):
            self.ready = True
        if "Kernel panic" in text:
            self.panicked = self.panicked or time.monotonic()
        self.int3 = self.int3 or bool(INT3.search(text) and not self.bad)
        if self.int3 and "Code: " in text:
            code = CODE.search(text)
            self.stale_int3 = bool(code) and code[1] != "cc"
            self.int3 = False
        if not BAD.search(text) or self.allow.search(text):
            return
        if self.asked and "Call Trace:" in text:
            self.asked = False
            return
        if not self.bad:
            self.context = [text]
            self.bad_since = time.monotonic()
        if len(self.bad) < 20:
            self.bad.append((self.lines, text))

    def close(self):
        if self.rest:
            self.line(self.rest.decode("utf-8", "replace").rstrip())
        if self.file:
            self.file.close()


class Screen:
    """The live line on a terminal; a line every 5 s on anything else."""

    def __init__(self, label):
        self.label = label
        self.tty = sys.stderr.isatty()
        self.start = time.monotonic()
        self.next = self.start + (1 if self.tty else 5)
        self.shown = False
        self.phase = "booting"
        self.at_line_start = True

    def clear(self):
        if self.shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
            self.shown = False

    def output(self, fd, data):
        self.clear()
        self.next = time.monotonic() + (1 if self.tty else 5)
        self.at_line_start = data.endswith(b"\n")
        while data:
            data = data[os.write(fd, data):]

    def tick(self):
        now = time.monotonic()
        if not self.phase or not self.at_line_start or now < self.next:
            return
        text = f"  ...  {self.label}: {self.phase}, {now - self.start:.0f} s"
        if self.tty:
            sys.stderr.write(f"\r\033[K{text}")
            self.shown = True
            self.next = now + 1
        else:
            sys.stderr.write(text + "\n")
            self.next = now + 5
        sys.stderr.flush()

    def note(self, text):
        self.clear()
        if not self.at_line_start:
            sys.stderr.write("\n")
            self.at_line_start = True
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def die_with_parent():
    """In the child: do not outlive this process, whatever ends it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


class Machine:
    """One QEMU with its channels, each a socket pair."""

    def __init__(self, argv, options):
        self.options = options
        self.socks = {}
        self.child_ends = []
        self.argv = list(argv)
        self.chardev("console")
        self.argv += ["-serial", "chardev:console"]
        self.argv += ["-device", "virtio-serial-pci"]
        if options.shell:
            self.argv += ["-chardev", "stdio,id=tty,signal=off",
                          "-device", "virtconsole,chardev=tty"]
        else:
            names = ("out", "err", "status", "results")
            for name in names + (("more",) if options.save or options.resume else ()):
                self.chardev(name)
                self.argv += ["-device",
                              f"virtserialport,chardev={name},name={name}"]
        self.chardev("qmp")
        self.argv += ["-mon", "chardev=qmp,mode=control"]
        if options.resume:
            self.argv += ["-incoming", "defer"]

    def chardev(self, name):
        ours, theirs = socket.socketpair()
        self.socks[name] = ours
        self.child_ends.append(theirs)
        self.argv += ["-chardev", f"socket,id={name},fd={theirs.fileno()}"]

    def start(self):
        self.process = subprocess.Popen(
            self.argv, preexec_fn=die_with_parent,
            pass_fds=[s.fileno() for s in self.child_ends],
            stdin=None if self.options.shell else subprocess.DEVNULL,
            stdout=None if self.options.shell else self.options.qemu_log,
            stderr=self.options.qemu_log,
            start_new_session=not self.options.shell)
        for sock in self.child_ends:
            sock.close()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def qmp(self, *commands):
        try:
            self.socks["qmp"].sendall("".join(commands).encode())
        except OSError:
            pass

    def ask(self, *commands):
        """The answers to these, in order; an error if QEMU is gone."""
        sock, answers, rest = self.socks["qmp"], [], b""
        sock.settimeout(SAVE_LIMIT)
        try:
            sock.sendall("".join(map(json.dumps, commands)).encode())
            while len(answers) < len(commands):
                data = sock.recv(65536)
                if not data:
                    return [{"error": "QEMU has ended"}]
                *lines, rest = (rest + data).split(b"\n")
                answers += [answer for answer in map(json.loads, lines)
                            if {"return", "error"} & answer.keys()]
        except OSError as error:
            return [{"error": str(error)}]
        return answers

    def sysrq(self, key):
        """Press a key of the magic kind on the console's serial line."""
        self.qmp('{"execute":"qmp_capabilities"}',
                 '{"execute":"chardev-send-break","arguments":{"id":"console"}}')
        time.sleep(0.3)
        try:
            self.socks["console"].sendall(key)
        except OSError:
            pass


class EmulatorFailed(Exception):
    """QEMU did, not the guest. The next run is as good as this one.

    status: what to end with if there is none."""

    def __init__(self, text, status=INFRA):
        super().__init__(text)
        self.status = status


class Run:
    """A run from boot to verdict."""

    def __init__(self, options, argv):
        self.options = options
        self.console = Console(options.log, options.allow)
        self.screen = Screen(options.label)
        self.machine = Machine(argv, options)
        self.results = tempfile.TemporaryFile(dir=options.remove or None)
        self.got = 0
        self.status = {}
        self.status_rest = b""
        self.alive = None  # when the guest last said so
        self.more = b""  # what it has still to be given
        self.ended = None  # when it said that all has been collected
        self.wrote = False  # has the command printed anything?
        self.signal = None
        self.open = {}

    def on_signal(self, number, _frame):
        self.signal = self.signal or number

    def read(self, name):
        try:
            data = self.machine.socks[name].recv(65536)
        except OSError:
            data = b""
        if not data:
            del self.open[self.machine.socks[name]]
        elif name == "console":
            self.console.feed(data)
            if self.options.shell and self.console.ready:
                self.screen.clear()
                self.screen.phase = None
        elif name == "out":
            self.wrote = True
            self.screen.output(1, data)
        elif name == "err":
            self.screen.output(2, data)
        elif name == "results":
            self.results.write(data)
            self.got += len(data)
            self.acknowledge()
        elif name == "status":
            *lines, self.status_rest = (self.status_rest + data).split(b"\n")
            self.alive = time.monotonic()
            for line in lines:
                key, _, value = line.decode().partition(" ")
                self.status[key] = value
                if key == "results":
                    self.acknowledge()
                if key == "end":
                    self.ended = self.alive
                self.screen.phase = {"booted": "running",
                                     "exit": "collecting"}.get(
                                         key, self.screen.phase)

    def acknowledge(self):
        """The guest waits for this with its results: it may switch itself off."""
        if self.got == int(self.status.get("results", -1)):
            with contextlib.suppress(OSError):
                self.machine.socks["results"].send(b".")

    def pump(self, seconds):
        more = [self.machine.socks["more"]] if self.more else []
        ready, room, _ = select.select(list(self.open), more, [], seconds)
        for sock in room:
            try:
                self.more = self.more[sock.send(self.more[:65536]):]
            except OSError:
                self.more = b""  # QEMU has ended; why is said elsewhere
        for sock in ready:
            self.read(self.open[sock])

    def loop(self):
        """Until QEMU ends: returns None, or the reason for ending it."""
        start, parent = time.monotonic(), os.getppid()
        process = self.machine.process
        while self.machine.socks["console"] in self.open:
            self.pump(0.25)
            self.screen.tick()
            now = time.monotonic()
            if self.signal:
                return "signal"
            if os.getppid() != parent:
                self.signal = signal.SIGHUP
                return "signal"
            if self.options.shell:
                continue
            if now - start > self.options.timeout:
                return "timeout"
            if "booted" not in self.status and now - start > self.options.boot_limit:
                return "boot"
            if (self.options.stop_at_bad and self.console.bad_since
                    and now - self.console.bad_since > REPORT_S):
                return "bad"
            if self.console.panicked and now - self.console.panicked > 15:
                return "panic"
            if self.ended and now - self.ended > self.options.off_limit:
                return "on"
            if self.silent():
                self.pump(0)  # it may be we who had no time to listen
                if self.silent():
                    return "silent"
            if self.options.save and "waiting" in self.status:
                return self.save()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            return "stuck"
        return None

    def silent(self):
        return self.alive and time.monotonic() - self.alive > self.options.silence_limit

    def migrate(self, command, file, *before):
        """Start a migration to or from a file, where pages of zeros are holes."""
        return self.machine.ask(
            {"execute": "qmp_capabilities"}, *before,
            {"execute": "migrate-set-capabilities", "arguments": {"capabilities": [
                {"capability": "mapped-ram", "state": True}]}},
            {"execute": command, "arguments": {"uri": f"file:{file}"}})

    def save(self):
        """Write the machine as it is.

        It stands still meanwhile. Of one that runs, emulated CPUs that write to
        a page just as QEMU looks which are dirty can be overlooked: the page is
        old in the image, and everything that goes on from it is corrupt.
        """
        answers = self.migrate("migrate", self.options.save, {"execute": "stop"})
        end = time.monotonic() + SAVE_LIMIT
        while time.monotonic() < end and not self.refused(answers):
            answers = self.machine.ask({"execute": "query-migrate"})
            status = answers[0].get("return", {}).get("status")
            if status == "completed":
                return "saved"
            if status == "failed":
                break
            time.sleep(0.05)
        self.say(f"the machine cannot be written to {self.options.save}: {answers}")
        return "unsaved"

    def resume(self):
        """Read the machine, and let it go on; True if it does."""
        with open(self.options.more, "rb") as file:
            self.more = file.read()
        answers = self.migrate("migrate-incoming", self.options.resume)
        end = time.monotonic() + SAVE_LIMIT
        while not self.refused(answers) and time.monotonic() < end:
            answers = self.machine.ask({"execute": "query-status"})
            if answers[0].get("return", {}).get("status") == "paused":
                answers = self.machine.ask({"execute": "cont"})
                break
            time.sleep(0.02)
        else:
            answers = [{"error": answers}]
        if self.refused(answers):
            self.say(f"QEMU does not go on from {self.options.resume}: {answers}. "
                     "Remove that file, and the next run makes it anew.")
            self.machine.kill()
        return not self.refused(answers)

    # region: pin
    def pin(self):
        """Each virtual CPU's thread on a CPU of its own; what went wrong, if
        anything did. Written down is what the kernel says of it afterwards."""
        answers = self.machine.ask({"execute": "qmp_capabilities"},
                                   {"execute": "query-cpus-fast"})
        if self.refused(answers):
            return f"QEMU does not name the threads of its CPUs: {answers}"
        threads = {cpu["cpu-index"]: cpu["thread-id"] for cpu in answers[1]["return"]}
        ours = sorted(os.sched_getaffinity(0))
        if len(set(threads.values())) < len(threads):
            return "all CPUs of this QEMU share a thread: they cannot be pinned"
        if len(ours) < len(threads):
            return (f"{len(threads)} virtual CPUs cannot be pinned to the {len(ours)} "
                    "CPUs that this process may use: ask for fewer (CPUS=)")
        lines = []
        for (cpu, thread), host in zip(sorted(threads.items()), ours):
            os.sched_setaffinity(thread, {host})
            there = ",".join(map(str, sorted(os.sched_getaffinity(thread))))
            lines.append(f"{cpu} {there}\n")
        with open(self.options.pin, "w", encoding="ascii") as file:
            file.writelines(lines)
        return None
    # endregion: pin

    @staticmethod
    def refused(answers):
        return any("error" in answer for answer in answers)

    def dump(self):
        """Out of time: ask the guest who waits for what, into the log."""
        for key in (b"w", b"l"):
            self.machine.sysrq(key)
            end = time.monotonic() + 1.5
            while time.monotonic() < end and self.open:
                self.pump(0.2)

    def run(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.on_signal)
        try:
            self.machine.start()
        except OSError as error:
            self.screen.note(f"vm/run: QEMU does not start: {error}")
            return INFRA
        # Nobody reads QEMU's monitor between questions
        self.open = {sock: name for name, sock in self.machine.socks.items()
                     if name != "qmp"}
        if self.options.resume and not self.resume():
            return INFRA
        why = self.pin() if self.options.pin else None
        if why:
            self.screen.note(f"vm/run: {why}")
            self.machine.kill()
            return INFRA
        try:
            why = self.loop()
            bad_before = list(self.console.bad)
            if why in ("timeout", "boot", "silent", "on") and self.console.lines:
                self.dump()
                self.console.bad = bad_before
            self.machine.kill()
            while self.open:
                self.pump(0)
        except BrokenPipeError:
            why, self.signal = "signal", signal.SIGPIPE
        finally:
            self.machine.kill()
            self.console.close()
            self.screen.clear()
        if self.signal:
            why = "signal"
        else:
            self.blame_the_emulator(why)
        return self.verdict(why)

    def blame_the_emulator(self, why):
        if self.options.shell:
            return
        code = self.machine.process.returncode
        if not why and code < 0 and "booted" not in self.status and not self.console.bad:
            raise EmulatorFailed("QEMU itself crashed while the guest booted "
                                 f"(status {code}{self.qemu_says()})")
        if self.console.stale_int3:
            raise EmulatorFailed("QEMU executed a breakpoint that is not in memory "
                                 "(vm/README.md, Emulation)")
        if why == "silent" and self.options.circles and not self.console.bad:
            raise EmulatorFailed(f"the guest gave no sign of life for "
                                 f"{self.options.silence_limit} s, and no watchdog in it "
                                 "spoke (vm/README.md, Emulation)", TIMEOUT)

    # --- the verdict ---------------------------------------------------------

    def say(self, text):
        self.screen.note(f"vm/run: {text}")

    def show_bad(self):
        for line in self.console.context:
            self.screen.note(f"    | {line}")

    def unpack(self):
        """The guest's /results into --out; False when they are not whole."""
        if "results" not in self.status or not self.options.out:
            return True
        if self.got != int(self.status["results"]):
            return False
        self.results.seek(0)
        os.makedirs(self.options.out, exist_ok=True)
        safe = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        with tarfile.open(fileobj=self.results) as tar:
            for member in tar.getmembers():
                if member.name.startswith("/") or ".." in member.name.split("/"):
                    self.say(f"left out a result with an odd name: {member.name}")
                    continue
                tar.extract(member, self.options.out, **safe)
        return True

    def qemu_says(self):
        self.options.qemu_log.seek(0)
        error = self.options.qemu_log.read().strip().decode("utf-8", "replace")
        return f"; QEMU says: {error}" if error else ""

    def verdict(self, why):
        log = os.path.relpath(self.options.log)
        code = self.status.get("exit")
        bad = self.console.bad
        if why == "signal":
            self.say(f"interrupted by {signal.Signals(self.signal).name}; the VM is gone.")
            return 128 + self.signal
        if self.options.shell:
            return INFRA if self.machine.process.returncode else 0
        try:
            whole = self.unpack()
        except (OSError, tarfile.TarError) as error:
            self.say(f"the results cannot be written to {self.options.out}: {error}")
            return INFRA
        if why == "silent" and not bad:
            self.say(f"out of time: no sign of life for {self.options.silence_limit} s, "
                     f"and no watchdog in the guest spoke. The console is in {log}.")
            return TIMEOUT
        if why == "timeout":
            if "booted" in self.status:
                self.say(f"out of time: the command still runs after "
                         f"{self.options.timeout} s. Who waited for what stands at the "
                         f"end of {log}; a slow machine may need a longer --timeout.")
            else:
                self.say(f"out of time: still booting after {self.options.timeout} s; "
                         f"last words: {self.console.last!r}. The console is in {log}; "
                         "a slow machine may need a longer --timeout, a KVM that does "
                         "not work ACCEL=tcg.")
            if bad:
                self.say("and the console shows:")
                self.show_bad()
            return TIMEOUT
        if bad:
            ended = f"the command exited {code}" if code else "the command did not finish"
            self.say(f"bad news on the console ({len(bad)} lines, first at line "
                     f"{bad[0][0]} of {log}); {ended}:")
            self.show_bad()
            return CONSOLE
        if why == "saved":
            return 0
        if why == "unsaved":
            return INFRA
        if why == "boot":
            self.say(f"the guest did not come up in {self.options.boot_limit} s; its last words: "
                     f"{self.console.last!r}. See {log}; ACCEL=tcg avoids a broken KVM.")
            return INFRA
        if "modules" in self.status:
            self.say(f"the guest could not load {self.status['modules']}; why stands in "
                     f"{log}. (Built for another kernel? vm/build-modules rebuilds.)")
            self.screen.note(f"    | {self.console.last}")
            return INFRA
        if code is None:
            self.say("the guest ended before the command did (QEMU's status "
                     f"{self.machine.process.returncode}). Console: {log}"
                     + self.qemu_says())
            if self.options.resume and "booted" not in self.status:
                os.unlink(self.options.resume)
                self.say("what it should have gone on from is removed; the next run "
                         "makes that anew.")
            return INFRA
        if why == "on":
            self.say(f"the guest did not switch itself off in "
                     f"{self.options.off_limit} s (the command exited {code}): a CPU may "
                     f"have been held up. Console: {log}")
            return CONSOLE
        if not whole:
            self.say(f"the results are cut short ({self.got} of {self.status['results']} "
                     f"bytes arrived); see {log}.")
            return INFRA
        if os.environ.get("V"):
            self.say(f"booted in {self.status.get('booted')} s, ended at "
                     f"{self.status.get('end')} s of guest time, exit {code}")
        return int(code)


def judge(path, allow):
    """A log that is there already, as if it came from a machine."""
    console = Console(None, allow)
    with open(path, "rb") as log:
        console.feed(log.read())
    console.close()
    for number, text in console.bad:
        print(f"{number}: {text}")
    return CONSOLE if console.bad else 0


class Output:
    """Standard output, where what was written can be taken back, or not."""

    def __init__(self):
        self.file = stat.S_ISREG(os.fstat(1).st_mode)
        self.start = os.fstat(1).st_size

    def take_back(self):
        """False: a reader has seen it."""
        if self.file:
            os.ftruncate(1, self.start)
            os.lseek(1, self.start, os.SEEK_SET)
        return self.file


def run_twice_at_most(options, argv):
    """QEMU 10.0 under TCG fails an assertion of its own (iotlb_to_section) in one
    of some thousand boots, and may miss that a breakpoint has gone."""
    output = Output()
    for again in (True, False):
        options.qemu_log = tempfile.TemporaryFile()
        try:
            run = Run(options, argv)
            return run.run()
        except EmulatorFailed as failure:
            again = again and (not run.wrote or output.take_back())
            if again:
                os.replace(options.log, options.log.removesuffix(".log") + ".first.log")
            print(f"vm/run: {failure}" + ("; trying once more." if again else
                  ". Try once more; if it does that again, another QEMU may not "
                  "(vm/doctor)."),
                  file=sys.stderr, flush=True)
            if run.signal:
                return 128 + run.signal
            if not again:
                return failure.status
    return INFRA


def main():
    split = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    parser = argparse.ArgumentParser()
    parser.add_argument("--judge")
    parser.add_argument("--log")
    parser.add_argument("--timeout", type=int, default=600)
    parser.add_argument("--out")
    parser.add_argument("--label", default="vm")
    parser.add_argument("--allow", action="append", default=[])
    parser.add_argument("--remove")
    parser.add_argument("--shell", action="store_true")
    parser.add_argument("--save")
    parser.add_argument("--resume")
    parser.add_argument("--more")
    parser.add_argument("--circles", action="store_true")
    parser.add_argument("--silence-limit", type=int, default=SILENCE_LIMIT)
    parser.add_argument("--off-limit", type=int, default=OFF_LIMIT)
    parser.add_argument("--boot-limit", type=int, default=BOOT_LIMIT)
    parser.add_argument("--stop-at-bad", action="store_true")
    parser.add_argument("--pin")
    options = parser.parse_args(sys.argv[1:split])
    if options.judge:
        sys.exit(judge(options.judge, options.allow))
    if not options.log:
        parser.error("--log or --judge")
    try:
        sys.exit(run_twice_at_most(options, sys.argv[split + 1:]))
    finally:
        if options.remove:
            shutil.rmtree(options.remove, ignore_errors=True)


main()
