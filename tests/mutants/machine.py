# SPDX-License-Identifier: GPL-2.0
"""machine.py - what a mutant is built in, and what its tests said"""

import hashlib
import json
import os
import pathlib
import re
import shutil

from patches import BUILD, OUT, ROOT, Trouble, apply_checked, source_files

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

    def __init__(self, runner, kernel, number):
        self.runner = runner
        self.kernel = kernel
        self.dir = OUT / f"bench-{kernel}-{number}"
        self.src, self.out = self.dir / "src", self.dir / "modules"
        self.clean = self.dir / "clean"
        self.ready = False

    def make(self, log):
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
            if not to.exists() or to.read_bytes() != path.read_bytes():
                shutil.copyfile(path, to)
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

    def restore(self):
        copy_changed(self.dir / "src.clean", self.src)
        copy_changed(self.clean, self.out, keep=(".lock",))

    def break_and_build(self, mutant, log):
        apply_checked(mutant, self.src, self.dir / "src.clean")
        if self.make(log):
            errors = re.findall(r".*(?:error|warning): .*", (self.out / ".output").read_text())
            raise Trouble(f"{mutant.where} does not compile: " + "; ".join(errors[:2]))

    def modules(self):
        """The guest's modules as a layer, in the order they load in."""
        layer = self.dir / "layer"
        shutil.rmtree(layer, ignore_errors=True)
        (layer / "vm/modules").mkdir(parents=True)
        order = ("mmu_rmap", "my_mmu_driver", "my_mmu_spinlock",
                 "my_mmu_split_ptl", "my_mmu_rcu_list")
        for i, name in enumerate(order):
            file = next(self.out.rglob(f"{name}.ko"))
            shutil.copy2(file, layer / f"vm/modules/{i:02}-{name}.ko")
        return layer


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

    def __init__(self, kernel):
        self.file = OUT / f"control-{kernel}.json"
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
