# SPDX-License-Identifier: GPL-2.0
"""many.py - all submissions of a folder: what is left, where, and what came of it

GNU parallel starts the jobs, here or over ssh, and tries twice what the grader
failed with. What is left to grade is for us to say: parallel knows a job by its
number, and that of all others changes when a late submission comes in.
"""

import concurrent.futures
import csv
import fcntl
import hashlib
import io
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import stat
import subprocess
import time

import drawn
import frozen
import report
from places import LABS, ROOT, Trouble

SSH = "ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15"
ANSWER_S = 30  # how long a machine may take to say that it is there
STOP_S = 12  # and parallel, which gives its jobs eight seconds
ENDING_S = 5  # how long jobs of one that was stopped may take to end
SENT = 64 << 20  # what is sent of a submission; more is graded here, or not at all
ENTRIES = 1000
MACHINE = re.compile(r"^(?:(\d+)/)?(:|[A-Za-z0-9_][A-Za-z0-9_.@-]*)$")
# parallel heads a log with these, but not one that it adds to
JOBLOG = ["Seq", "Host", "Starttime", "JobRuntime", "Send", "Receive", "Exitval", "Signal",
          "Command"]
COLUMNS = ["submission", "score", "state", "parts", "seconds", "seed", "drawn"]


class Stopped(Exception):
    """By a signal, whose number it has."""


def stop(signum, _):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise Stopped(signum)


def entries(path):
    """(name, lstat) of all that a submission has; of a bomb, the beginning."""
    found = [(".", os.lstat(path))]
    if stat.S_ISDIR(found[0][1].st_mode):
        for folder, folders, files in os.walk(path):
            folders.sort()
            for name in (sorted(folders) + sorted(files))[:ENTRIES]:
                full = os.path.join(folder, name)
                found.append((os.path.relpath(full, path), os.lstat(full)))
            if len(found) > ENTRIES:
                break
    return found


def mark_of(path, lab, seed):
    """Changes when the submission does, or what is asked of it. Nothing in it is read:
    it may be a pipe, or have no end."""
    digest = hashlib.sha256(f"{lab.number} {seed}{frozen.key(lab)}".encode())
    for name, info in entries(path):
        digest.update(os.fsencode(name) + f" {info.st_mode} {info.st_size} {info.st_mtime_ns}"
                      .encode() if not stat.S_ISDIR(info.st_mode) else os.fsencode(name))
    return digest.hexdigest()[:16]


class Submission:
    """One of the folder."""

    def __init__(self, path, out, lab, seed):
        self.path, self.name = path, path.name
        self.results = out / "results" / path.name
        self.mark = mark_of(path, lab, seed)
        # A name that no shell, no rsync and no joblog stumbles over
        self.id = (re.sub(r"[^A-Za-z0-9]+", "_", self.name)[:24] + "-"
                   + hashlib.sha256(os.fsencode(self.name)).hexdigest()[:8])

    @property
    def done(self):
        try:
            return (self.results / "done").read_text().strip() == self.mark
        except OSError:
            return False

    def why(self):
        try:
            return (self.results / "why").read_text(errors="replace").strip()
        except OSError:
            return "it was not graded"

    def sendable(self):
        found = entries(self.path)
        return (len(found) <= ENTRIES and sum(info.st_size for _, info in found) <= SENT
                and all(stat.S_ISREG(i.st_mode) or stat.S_ISDIR(i.st_mode)
                        or stat.S_ISLNK(i.st_mode) for _, i in found))

    def row(self):
        none = [self.name, "", "no result", "", "", "", ""]
        if not self.done:
            return none
        try:
            results = json.loads((self.results / "results.json").read_text())
            extra = results["extra_data"]
            parts = " ".join(f"{k}={v}" for k, v in extra["parts"].items())
            return [self.name, results["score"], extra["state"], parts,
                    results["execution_time"], extra.get("seed") or "",
                    extra.get("drawn", "")]
        except (OSError, ValueError, KeyError):
            return none


class Machines:
    """Those of the file that are up and have what they need."""

    def __init__(self, file, jobs, remote, ssh, kernels):
        """kernels: what all must have, or a score would depend on the machine"""
        self.remote, self.ssh, self.kernels = remote, shlex.split(ssh), kernels
        try:
            lines = pathlib.Path(file).read_text().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise Trouble(f"MACHINES={file} cannot be read: {error}") from error
        named = {}
        for number, line in enumerate(lines, 1):
            line = line.split("#")[0].strip()
            match = MACHINE.match(line)
            if line and not match:
                raise Trouble(f"{file}, line {number}: {line!r} is no machine. A line is HOST, "
                              "USER@HOST or 4/HOST; ports and keys belong into ~/.ssh/config")
            if line:
                named[match[2]] = int(match[1] or jobs)
        here = self.ask(":")
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(self.ask, named))
        self.jobs = {}
        for (host, number), (tree, why) in zip(named.items(), answers):
            if not why and tree != here[0]:
                why = "has other sources than this machine; bring both to the same commit"
            if why:
                print(f"  note: machine {host} {why}. Its share goes to the others.", flush=True)
            else:
                self.jobs[host] = number
        if not self.jobs:
            raise Trouble(f"no machine of {file} can be used, so nothing was graded")

    def ask(self, host):
        """(digest of its sources, why it cannot be used)"""
        if host == ":":
            argv = [str(LABS / "lib/host-check"), *self.kernels]
        else:
            argv = [*self.ssh, host,
                    shlex.join([f"{self.remote}/labs/lib/host-check", *self.kernels])]
        try:
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  errors="replace", timeout=ANSWER_S, check=False)
        except subprocess.TimeoutExpired:
            return "", f"did not answer in {ANSWER_S} s"
        except OSError as error:
            raise Trouble(f"{argv[0]} cannot be run: {error.strerror}") from error
        said = (done.stderr.strip() or done.stdout.strip() or "no word").splitlines()[-1]
        if done.returncode == 255:
            return "", f"cannot be reached ({said})"
        if done.returncode in (126, 127):
            return "", f"has no clone of this repository in {self.remote} (REMOTE= says where)"
        if done.returncode:
            return "", said
        return done.stdout.split()[-1], ""


class Batch:
    """A folder, and what is known of the submissions in it."""

    def __init__(self, lab, folder, out, env):
        self.lab, self.env, self.machines, self.parallel = lab, env, None, None
        self.seed, self.jobs = env.get("SEED") or "", env.get("JOBS") or "1"
        self.named = ["DRAWN=show"] if drawn.shows() else []
        if not re.fullmatch(r"[1-9]\d*", self.jobs):
            raise Trouble(f"JOBS={self.jobs} is no number of jobs")
        if not folder.is_dir():
            raise Trouble(f"{folder} is no folder")
        self.folder, self.out = folder.resolve(), out
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Trouble(f"{out} cannot be made: {error.strerror}") from error
        self.out = out.resolve()
        if self.folder == self.out or self.folder in self.out.parents:
            raise Trouble(f"OUT={self.out} lies among the submissions; say another folder")
        self.lock()
        self.all = self.submissions()
        self.collect()
        self.left = [s for s in self.all if not s.done]
        if env.get("MACHINES") and self.left:
            self.machines = Machines(env["MACHINES"], self.jobs, env.get("REMOTE") or str(ROOT),
                                     env.get("PARALLEL_SSH") or SSH, lab.asked_on)

    @property
    def works_here(self):
        return not self.machines or ":" in self.machines.jobs

    def lock(self):
        """parallel inherits it, so it holds as long as there are jobs."""
        self.locked = open(self.out / ".lock", "w")
        os.set_inheritable(self.locked.fileno(), True)
        deadline = time.monotonic() + ENDING_S
        while True:
            try:
                fcntl.flock(self.locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise Trouble(f"another grade-all is at work in {self.out}") from error
            time.sleep(0.2)

    def submissions(self):
        found = []
        for path in sorted(self.folder.iterdir()):
            if path.name.startswith("."):
                continue
            if not path.name.isprintable():
                print(f"  note: {path.name!r} is left out: its name has characters that cannot "
                      "be printed. Rename it.")
                continue
            found.append(Submission(path, self.out, self.lab,
                                    " ".join([self.seed, *self.named])))
        if not found:
            raise Trouble(f"there is nothing in {self.folder}")
        return found

    def run(self):
        for submission in self.left:
            shutil.rmtree(submission.results, ignore_errors=True)
            submission.results.mkdir(parents=True)
        todo = self.send() if self.machines else self.left
        if not todo:
            return
        argv = ["parallel", "--no-notice", "--null", "--link", "--retries", "2",
                "--termseq", "TERM,8000,KILL,25", "--joblog", f"+{self.out}/joblog"]
        if self.machines:
            argv += self.over_ssh()
        else:
            argv += ["--jobs", self.jobs]
        for number, what in enumerate((lambda s: s.path, lambda s: s.results, lambda s: s.mark,
                                       lambda s: s.id), 1):
            (self.out / f".{number}").write_bytes(b"".join(os.fsencode(what(s)) + b"\0"
                                                           for s in todo))
            argv += ["--arg-file", str(self.out / f".{number}")]
        there = self.machines.remote if self.machines else str(ROOT)
        argv += [shlex.join(["env", *self.named, f"{there}/labs/lib/grade-one",
                             str(self.lab.number), self.seed])
                 + " {1} {2} {3} {4}"]
        log = self.out / "joblog"
        if not log.exists():
            log.write_text("\t".join(JOBLOG) + "\n")
        # Without a SHELL, as under cron, parallel runs nothing on another machine
        env = dict(self.env, PARALLEL_SSH=self.env.get("PARALLEL_SSH") or SSH,
                   PARALLEL_SHELL="/bin/bash")
        # In a session of its own: a ctrl-C is for us, and we tell parallel
        self.parallel = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, cwd=self.out,
                                         start_new_session=True, close_fds=False)
        self.parallel.wait()
        self.collect()

    def send(self):
        """Copies under plain names; what is left out is said."""
        sent, todo = self.out / "sent", []
        shutil.rmtree(sent, ignore_errors=True)
        for submission in self.left:
            if not submission.sendable():
                (submission.results / "why").write_text(
                    "it is too large, or no file, and is not sent to other machines; grade it by "
                    f"itself: labs/grade {self.lab.number} {shlex.quote(str(submission.path))}\n")
                continue
            target = sent / submission.id / submission.name
            target.parent.mkdir(parents=True)
            if submission.path.is_dir() and not submission.path.is_symlink():
                shutil.copytree(submission.path, target, symlinks=True)
            else:
                shutil.copy2(submission.path, target, follow_symlinks=False)
            todo.append(submission)
        return todo

    def over_ssh(self):
        file = self.out / "machines"
        file.write_text("".join(f"{n}/{host}\n" for host, n in self.machines.jobs.items()))
        return ["--jobs", "100%", "--sshloginfile", str(file), "--workdir", "...", "--cleanup",
                "--transferfile", f"{self.out}/sent/./{{4}}",
                "--return", f"{self.out}/./back/{{4}}"]

    def collect(self):
        """What came back from other machines goes to its place."""
        for submission in self.all:
            back = self.out / "back" / submission.id
            if back.is_dir():
                shutil.rmtree(submission.results, ignore_errors=True)
                submission.results.parent.mkdir(exist_ok=True)
                back.rename(submission.results)
        for name in ("sent", "back"):
            shutil.rmtree(self.out / name, ignore_errors=True)

    def scores(self):
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(s.row() for s in self.all)
        report.write(self.out / "scores.csv", text.getvalue())

    def finish(self):
        self.scores()
        failed = [s for s in self.all if not s.done]
        if not failed:
            print(f"scores are in {self.out}/scores.csv")
            return 0
        for submission in failed:
            print(f"  FAIL {submission.name}: {submission.why()}")
        print(f"grade-all: the grader failed with {len(failed)} submission(s). The same command "
              f"again tries only these; the scores of the others are in {self.out}/scores.csv")
        return 1

    def stopped(self):
        """End the jobs, keep what there is."""
        # TERM ends its jobs, too, unless none has begun: then the second one does. Two at
        # once would keep it from waiting for them.
        for how in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if self.parallel and self.parallel.poll() is None:
                self.parallel.send_signal(how)
                try:
                    self.parallel.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    pass
        self.collect()
        self.scores()
        done = sum(s.done for s in self.all)
        return (f"grade-all: stopped with {done} of {len(self.all)} submissions graded. The same "
                "command again does the rest.")
