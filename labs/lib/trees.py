# SPDX-License-Identifier: GPL-2.0
"""trees.py - for a lab of review: modules of the tree with patches on it, and the
suite's program with a student's tests in it

Patches are the repository's, or an instructor's, and are built as mutants are. The
tests are a student's, so they are compiled in the box, by the suite's own Makefile.
"""

import hashlib
import os
import pathlib
import shutil
import tempfile
import time

import asking
import machine
from box import NotBuilt, box, compile_in_box
from places import BUILD, OUT, ROOT, Trouble

KEPT, KEPT_S = 60, 3600  # how many sets are kept, and how long each is at least
PADDED = "driver/main.c"  # besides the variant
PROGRAM = "mmu-tests"
NEEDED = "t-lifetime"  # main.c calls it


PADDING = """
static const char my_mmu_padding[{0}] __used = {{ 1 }};

static void __used my_mmu_skipped(void)
{{
	asm volatile(".rept {0} / 16\\n\\tnop\\n\\t.endr");
}}
"""


def padded(text, padding):
    """A source whose code lies elsewhere, and whose module is larger."""
    at = text.index("\n", text.rindex("\n#include ") + 1)
    return text[:at + 1] + PADDING.format(padding) + text[at + 1:]


class Sets:
    """Modules by the patches that are on the tree, kept for the next time."""

    def __init__(self, bench, lab):
        self.bench, self.lab, self.dir = bench, lab, OUT / f"sets-{bench.kernel}"
        self.dir.mkdir(parents=True, exist_ok=True)

    def modules(self, patches, padding=0):
        """In the order they load in. padding: bytes that change all sizes and addresses."""
        if not patches and not padding:
            return self.kept("clean", lambda: None)
        key = f"{padding} " + "\0".join(patch.diff for patch in patches)
        return self.kept(key, lambda: self.build(patches, padding))

    def kept(self, key, build):
        digest = hashlib.sha256(f"{self.bench.key()} {key}".encode()).hexdigest()[:16]
        place = self.dir / digest
        if not place.exists():
            self.bench.restore()
            try:
                build()
                self.keep(place)
            finally:
                self.bench.restore()
            self.forget()
        os.utime(place)
        return asking.boards(place, None)

    def build(self, patches, padding):
        bench = self.bench
        for patch in patches:
            patch.apply(bench.src)
        for name in (self.lab.source, PADDED) if padding else ():
            path = bench.src / name
            path.write_text(padded(path.read_text(), padding))
        bench.ready = True  # what is unchanged need not be looked at
        log = OUT / f"{bench.dir.name}-set.log"
        with open(log, "wb") as out:
            if bench.make(out):
                raise Trouble(f"with {', '.join(str(p.path) for p in patches)} the modules do not "
                            f"compile; see {log}")

    def keep(self, place):
        with tempfile.TemporaryDirectory(dir=self.dir, prefix=".") as folder:
            new = pathlib.Path(folder, "new")
            new.mkdir()
            for path in asking.boards(self.bench.out, None):
                shutil.copy2(path, new)
            try:
                new.rename(place)
            except OSError:  # another job was quicker
                pass

    def forget(self):
        old = sorted((p for p in self.dir.iterdir() if not p.name.startswith(".")),
                     key=lambda p: p.stat().st_mtime)
        for place in old[:-KEPT]:
            if time.time() - place.stat().st_mtime > KEPT_S:
                shutil.rmtree(place, ignore_errors=True)


def program(bench, name, source):
    """The suite's program with SOURCE for its tests; NotBuilt where that does not compile."""
    return made(bench, name, source, PROGRAM, f"TESTS={pathlib.Path(name).stem}.o {NEEDED}.o")


def tool(bench, name, source):
    """A program of its own, with tests/lib; NotBuilt where that does not compile."""
    return made(bench, name, source, pathlib.Path(name).stem)


def made(bench, name, source, target, *more):
    work = bench.dir / "tests"
    machine.copy_changed(ROOT / "tests", work / "tests", keep=(name,))
    machine.copy_changed(ROOT / "include", work / "include")
    objects = BUILD / "bin" / "tests-obj"
    if not objects.exists():
        raise Trouble(f"{objects} is not there; make -C tests O={BUILD}/bin makes it")
    shutil.rmtree(work / "bin", ignore_errors=True)
    shutil.copytree(objects, work / "bin" / "tests-obj",
                    ignore=shutil.ignore_patterns("t-*", "fuzz"))
    for suffix in (".o", ".d"):
        shutil.copy2(objects / f"{NEEDED}{suffix}", work / "bin" / "tests-obj")
    (work / "tests" / name).write_bytes(source)
    place = work.resolve()
    argv = [*box([place / "tests", place / "include"], place / "bin"), "/usr/bin/make", "-s",
            "-C", str(place / "tests"), f"O={place}/bin",
            *more, f"{place}/bin/{target}"]
    compile_in_box(argv, bench.dir / "tests.log", {f"{place}/": ""})
    return work / "bin" / target


def aloud(compiled, bench, name, source):
    """What comes of program() or tool(), or None; a student is told which."""
    try:
        binary = compiled(bench, name, source)
    except NotBuilt as why:
        print(f"  FAIL {name} does not compile without a word:")
        print("".join(f"       {message}\n" for message in why.messages), end="")
        return None
    print(f"  ok   {name} compiles, without a warning", flush=True)
    return binary
