# SPDX-License-Identifier: GPL-2.0
"""machine.py - what a mutant is built in and runs in, and what its tests said"""

import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import threading

from kbuild import remake
from patches import BUILD, OUT, ROOT, Trouble, apply_checked, source_files

BOOT_S = 150  # how long a boot may take
HUNG_S = 12  # what the harness needs besides when a test hangs
VM_TIMEOUT, VM_FAILED, VM_CONSOLE = 124, 125, 126
PATIENCE = ["rcupdate.rcu_cpu_stall_timeout=300", "watchdog_thresh=60"]
HANG = re.compile(b"soft lockup|hard LOCKUP|blocked for more than|hung_task:|"
                  b"detected .*stall|starved|[Ww]orkqueue lockup")


class Children:
    """Programs that are running for us, and end with us."""

    def __init__(self):
        self.children = set()
        self.lock = threading.RLock()
        self.stopped = False

    def begin(self, argv, stdout, stderr, env=None):
        with self.lock:
            if self.stopped:
                raise Trouble("interrupted")
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                       stdout=stdout, stderr=stderr, env=env,
                                       start_new_session=True)
            self.children.add(process)
        return process

    def end(self, process):
        try:
            return process.wait()
        finally:
            with self.lock:
                self.children.discard(process)

    def command(self, argv, stdout, stderr, env=None):
        return self.end(self.begin(argv, stdout, stderr, env))

    def stop(self):
        with self.lock:
            self.stopped = True
            for process in self.children:
                terminate(process)


def terminate(process):
    try:
        os.killpg(process.pid, signal.SIGTERM)
    except ProcessLookupError:
        pass


def default_jobs():
    """As many as CPUs and memory carry; a guest has 1 GiB, 1.5 with KASAN."""
    memory = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(len(os.sched_getaffinity(0)) + 1, memory // (3 << 29), 8))


def guest(kernel, limit, layer, label, script, more=()):
    """The command that runs a script in a guest of its own."""
    return [str(ROOT / "vm/run"), "--kernel", kernel, "--cpus", "2",
            "--nodes", "2", "--append", "numa_balancing=disable",
            "--timeout", str(limit), "--append", "secretmem.enable=1",
            *[a for option in PATIENCE for a in ("--append", option)],
            "--no-modules", "--image", "--files", str(layer), *more,
            "--label", label, "--", script]


def only_hangs(log, console):
    """Is a watchdog's the first bad news that vm/run has seen on the console?"""
    at = re.findall(r"bad news on the console .*first at line (\d+)",
                    log.read_text(errors="replace"))
    lines = console.read_bytes().split(b"\n")
    return bool(at and HANG.search(lines[int(at[-1]) - 1]))


def selection(groups, globs):
    """As arguments of mmu-tests."""
    return [a for g in groups for a in ("-v", g)] + [a for g in globs for a in ("-t", g)]


def plan(groups, globs):
    """What mmu-tests will run, in order: ((group, test), limit)."""
    argv = [str(BUILD / "bin/mmu-tests"), "-l"] + selection(groups, globs)
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise Trouble(f"mmu-tests -l fails: {done.stderr.strip()}")
    return [((w[0], w[1]), int(w[2])) for w in map(str.split, done.stdout.splitlines())]


def build_tests():
    make = subprocess.run(["make", "-s", "-C", str(ROOT / "tests"), f"O={BUILD}/bin"],
                          capture_output=True, text=True)
    if make.returncode:
        raise Trouble("the tests do not build:\n" + make.stdout + make.stderr)


def layer_of(modules, layer):
    """The guest's modules as a layer, in the order they load in."""
    shutil.rmtree(layer, ignore_errors=True)
    (layer / "vm/modules").mkdir(parents=True)
    order = ("mmu_rmap", "my_mmu_driver", "my_mmu_spinlock",
             "my_mmu_split_ptl", "my_mmu_rcu_list", "my_mmu_interval")
    for i, name in enumerate(order):
        file = next(modules.rglob(f"{name}.ko"))
        shutil.copy2(file, layer / f"vm/modules/{i:02}-{name}.ko")
    return layer


def copy_changed(source, target, keep=()):
    """Make target like source, times and links included, as cheaply as can be."""
    target.mkdir(parents=True, exist_ok=True)
    names = set()
    for entry in os.scandir(source):
        if entry.name in keep:
            continue
        names.add(entry.name)
        to = target / entry.name
        if entry.is_dir(follow_symlinks=False):
            copy_changed(pathlib.Path(entry.path), to)
            continue
        new = entry.stat(follow_symlinks=False)
        try:
            old = to.lstat()
        except FileNotFoundError:
            old = None
        if old and (old.st_size, old.st_mtime_ns) == (new.st_size, new.st_mtime_ns):
            continue
        if old:
            to.unlink()
        shutil.copy2(entry.path, to, follow_symlinks=False)
    for entry in os.scandir(target):
        if entry.name not in names and entry.name not in keep:
            path = pathlib.Path(entry.path)
            shutil.rmtree(path) if path.is_dir() else path.unlink()


class Bench:
    """A place to build in: sources, objects, and clean copies of both.

    Objects remember where they were built, so each bench has its own."""

    def __init__(self, runner, kernel, number, kind="bench"):
        self.runner = runner
        self.kernel = kernel
        self.dir = OUT / f"{kind}-{kernel}-{number}"
        self.src, self.out = self.dir / "src", self.dir / "modules"
        self.clean = self.dir / "clean"
        self.ready = False

    def changed(self):
        """Sources that are not as they were when all was built."""
        clean = self.dir / "src.clean"
        names = [path.relative_to(self.src) for path in source_files(self.src)]
        return [name for name in names if not (clean / name).exists()
                or (self.src / name).read_bytes() != (clean / name).read_bytes()]

    def make(self, log):
        kdir = (BUILD / "kernel" / self.kernel / "kdir").resolve()
        if self.ready and remake(self.out.resolve(), self.clean, kdir, self.changed(), log):
            return 0
        command = [str(ROOT / "vm/build-modules"), "--src", str(self.src),
                   "--out", str(self.out), self.kernel]
        # A seventh of the time, and nine tenths of a module, are for the debugger
        env = dict(os.environ, JOBS="1", KCFLAGS="-g0")
        return self.runner.command(command, log, log, env)

    def prepare(self):
        """Build what is not broken, once."""
        if self.ready:
            return
        for path in source_files(ROOT):
            to = self.src / path.relative_to(ROOT)
            to.parent.mkdir(parents=True, exist_ok=True)
            text = self.source(path)
            if not to.exists() or to.read_bytes() != text:
                to.write_bytes(text)
        for path in source_files(self.src):
            if not (ROOT / path.relative_to(self.src)).exists():
                path.unlink()
        if self.clean.exists():
            copy_changed(self.clean, self.out, keep=(".lock",))
        log = OUT / f"{self.dir.name}.log"
        with open(log, "wb") as file:
            if self.make(file):
                raise Trouble(f"the modules do not build without a mutant: see {log}")
        copy_changed(self.out, self.clean, keep=(".lock",))
        copy_changed(self.src, self.dir / "src.clean")
        self.ready = True

    def source(self, path):
        """What of this file is built."""
        return path.read_bytes()

    def restore(self):
        copy_changed(self.dir / "src.clean", self.src)
        copy_changed(self.clean, self.out, keep=(".lock",))

    def errors(self):
        return re.findall(r".*(?:error|warning): .*", (self.out / ".output").read_text())

    def break_and_build(self, mutant, log):
        apply_checked(mutant, self.src, self.dir / "src.clean")
        if self.make(log):
            raise Trouble(f"{mutant.where} does not compile: "
                          + "; ".join(self.errors()[:2]))

    def modules(self):
        return layer_of(self.out, self.dir / "layer")


SUBTEST = re.compile(r"^  # Subtest: (\S+)")
RESULT = re.compile(r"^  (not ok|ok) \d+ (\S+)(.*)")
REMAINS = re.compile(r"^  # (still alive|left behind) \d")
DONE = "# all tests have run"
LOAD = "for m in /vm/modules/*.ko; do insmod $m || exit 125; done"


class Results(dict):
    """(group, test) -> "ok", "skip", "failed", "time-out" or "crash".

    wrecks: tests that left something running, or did not come to an end."""

    def __init__(self, text):
        super().__init__()
        self.done = DONE in text
        self.wrecks = set()
        group, remains = "", False
        for line in text.splitlines():
            match = SUBTEST.match(line)
            if match:
                group = match[1]
            remains = remains or bool(REMAINS.match(line))
            match = RESULT.match(line)
            if match:
                key = group, match[2]
                self[key] = (
                    "skip" if "# SKIP" in match[3] else
                    "time-out" if "# TIMEOUT" in match[3] else
                    "ok" if match[1] == "ok" else "failed")
                if remains:
                    self.wrecks.add(key)
                remains = False

    def crash(self, key):
        self[key] = "crash"
        self.wrecks.add(key)


def sound(results):
    """What failed, up to the first wreck: what comes after it proves nothing."""
    failed, wreck = set(), None
    for (group, test), how in results.items():
        if wreck not in (None, group):
            break
        if how not in ("ok", "skip"):
            failed.add((group, test))
        if (group, test) in results.wrecks:
            wreck = group
    return failed


def before_wreck(results):
    """All up to the first wreck, and it, too."""
    keys = list(results)
    return set(keys[:1 + next((i for i, key in enumerate(keys)
                               if key in results.wrecks), len(keys))])


class Known:
    """Results on the tree as it is, good for the sources and programs of now."""

    def __init__(self, kernel, kind="control"):
        self.file = OUT / f"{kind}-{kernel}.json"
        digest = hashlib.sha256()
        release = BUILD / "kernel" / kernel / "release"
        if not release.exists():
            raise Trouble(f"the kernel {kernel} is not built; vm/prepare {kernel} does it")
        for path in source_files(ROOT) + [BUILD / "bin/mmu-tests", ROOT / "vm/run",
                                          release]:
            digest.update(path.read_bytes())
        self.key = digest.hexdigest()
        self.results = {}
        try:
            key, results = json.loads(self.file.read_text())
        except (OSError, ValueError):
            return
        if key == self.key:
            self.results = {(group, test): how for group, test, how in results}

    def add(self, results):
        self.results.update(results)
        good = [[*key, how] for key, how in self.results.items() if how == "ok"]
        self.file.write_text(json.dumps([self.key, good]))
