# SPDX-License-Identifier: GPL-2.0
"""remake.py - inside the box: build what depends on one source

Usage: remake.py OUT CLEAN KDIR SOURCE CC=...    (labs/lib/box.py calls it)
"""

import pathlib
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "mutants"))

from kbuild import remake  # noqa: E402


def main():
    out, clean, kdir = map(pathlib.Path, sys.argv[1:4])
    if remake(out, clean, kdir, [sys.argv[4]], sys.stdout.buffer):
        return 0
    # Something was said, or a symbol is taken that was not before: make knows
    made = subprocess.run(["make", "-C", str(kdir), f"M={out}", "W=1", "KCFLAGS=-g0",
                           *sys.argv[5:], "modules"], stdin=subprocess.DEVNULL)
    return made.returncode


sys.exit(main())
