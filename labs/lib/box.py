# SPDX-License-Identifier: GPL-2.0
"""box.py - compile a submission where it can reach nothing

The compiler runs on the host, and a source can make it read any file
(#include, .incbin). So it runs in bubblewrap: no network, no home, no /etc;
/usr, the kernel's headers and our sources can be read, one folder written.
What is built besides the variant comes from a build that no submission saw.
"""

import fcntl
import hashlib
import os
import pathlib
import re
import resource
import shutil
import subprocess
import time

import machine
from places import BUILD, OUT, ROOT, Trouble, source_files

CPU_S, MEMORY, FILE_SIZE, OUTPUT = 120, 3 << 30, 64 << 20, 1 << 20
HARMLESS = re.compile(r"Skipping BTF generation|pahole version differs|the compiler differs "
                      r"from the one used|The kernel was built by:|You are using:")
MESSAGE = re.compile(r"(?:error|warning|Error|Warning): |^ERROR: modpost: |undefined!|"
                     r"multiple definition of |undefined reference to ")


class NotBuilt(Exception):
    """The submission does not compile. messages: the compiler's first ones."""

    def __init__(self, messages):
        super().__init__("it does not compile")
        self.messages = messages


def limits():
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def compile_in_box(argv, log, names):
    """NotBuilt if the compiler says a word, or fails. names: what paths are called."""
    if not shutil.which("bwrap"):
        raise Trouble("bubblewrap is not installed, and no submission is compiled without "
                      "it: vm/setup labs")
    with open(log, "wb") as out:
        status = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out,
                                stderr=subprocess.STDOUT, preexec_fn=limits).returncode
    with open(log, errors="replace") as file:
        text = file.read(OUTPUT)
    for path, name in names.items():
        text = text.replace(path, name)
    lines = [line for line in text.splitlines() if not HARMLESS.search(line)]
    said = [line for line in lines if MESSAGE.search(line)]
    if status and not said:
        tail = "; ".join(lines[-3:])
        if "bwrap:" in text:
            raise Trouble(f"the box to compile in cannot be made: {tail}")
        said = [f"the build failed without an error message (status {status}); did it need "
                f"too much time, memory or output? The last lines: {tail}"]
    if said:
        raise NotBuilt(list(dict.fromkeys(said))[:5])


def box(read, write):
    """The command in front of what runs in the box, and may read these and write there."""
    argv = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session",
            "--clearenv", "--setenv", "PATH", "/usr/bin:/usr/sbin",
            "--setenv", "LC_ALL", "C.UTF-8", "--ro-bind", "/usr", "/usr",
            "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        if os.path.islink(f"/{name}"):
            argv += ["--symlink", os.readlink(f"/{name}"), f"/{name}"]
    if os.path.islink("/etc/alternatives/awk"):  # Debian's awk; 6.1's Kbuild asks for it
        argv += ["--symlink", os.path.realpath("/etc/alternatives/awk"), "/etc/alternatives/awk"]
    for path in read:
        argv += ["--ro-bind", str(path), str(path)]
    return argv + ["--bind", str(write), str(write), "--"]


class Bench(machine.Bench):
    """A place to build in that nobody else uses meanwhile."""

    def __init__(self, kernel):
        super().__init__(machine.Children(), kernel, 0)
        OUT.mkdir(parents=True, exist_ok=True)
        jobs = int(os.environ.get("JOBS") or len(os.sched_getaffinity(0)))
        while not any(self.take(number + 1) for number in range(jobs)):
            time.sleep(0.2)
        self.src, self.out = self.dir / "src", self.dir / "modules"
        self.clean = self.dir / "clean"

    def take(self, number):
        self.dir = OUT / f"bench-{self.kernel}-{number}"
        self.dir.mkdir(exist_ok=True)
        self.lock = open(self.dir / ".lock", "w")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.lock.close()
            return False
        return True

    def prepare(self):
        """Once for each state of the sources: make takes seconds to find nothing to do."""
        stamp, key = self.dir / "stamp", self.key()
        if stamp.exists() and stamp.read_text() == key:
            self.restore()
            return
        stamp.unlink(missing_ok=True)
        machine.OUT.mkdir(parents=True, exist_ok=True)
        super().prepare()
        self.restore()
        stamp.write_text(key)

    def key(self):
        digest = hashlib.sha256()
        kernel = BUILD / "kernel" / self.kernel / "release"
        if not kernel.exists():
            raise Trouble(f"the kernel {self.kernel} is not there; vm/prepare {self.kernel} "
                          "brings it")
        for path in [*source_files(ROOT), kernel, ROOT / "vm/build-modules"]:
            digest.update(path.name.encode() + path.read_bytes())
        return digest.hexdigest()

    def close(self):
        self.lock.close()

    def box(self):
        kernel = (BUILD / "kernel" / self.kernel).resolve()
        # Debian's headers name each other by absolute paths below /usr
        return box([kernel, self.src.resolve(), self.clean.resolve(),
                    ROOT / "tests/mutants/kbuild.py", ROOT / "labs/lib/remake.py"],
                   self.out.resolve())

    def build(self, lab, source):
        """The module of a submission; what the compiler said if it said a word."""
        self.restore()
        target = self.src / lab.source
        if target.read_bytes() == source:
            return self.module(lab, self.clean)
        target.write_bytes(source)
        kdir = (BUILD / "kernel" / self.kernel / "kdir").resolve()
        argv = [*self.box(), "/usr/bin/python3", str(ROOT / "labs/lib/remake.py"),
                str(self.out.resolve()), str(self.clean.resolve()), str(kdir), lab.source,
                self.compiler(target)]
        compile_in_box(argv, self.dir / "build.log",
                       {f"{self.out.resolve()}/": "", f"{self.src.resolve()}/": "",
                        lab.source: "my_mmu.c"})
        return self.module(lab, self.out)

    def compiler(self, source):
        """CC=, as in the build that no submission saw. It may lie beside the headers."""
        made = self.clean / source.relative_to(self.src).with_name(f".{source.stem}.o.cmd")
        return f"CC={made.read_text().split(' := ', 1)[1].split()[0]}"

    def module(self, lab, where):
        name = "my_mmu_" + lab.variant.replace("-", "_") + ".ko"
        return where / pathlib.Path(lab.source).parent / name
