# SPDX-License-Identifier: GPL-2.0
"""preparing.py - what the labs need on this machine"""

import subprocess
import sys

from machine import build_tests
from places import BUILD, ROOT, Trouble


def prepare(kernel):
    """The packages, the kernel as make check has it, the tests as they are now. The first
    time that takes minutes, so what is done is shown as it is done."""
    run("vm/setup", "--quiet", "build", "vm", "labs")
    if not (BUILD / "kernel" / kernel / "release").exists():
        run("vm/prepare", kernel)
    if not (BUILD / "bin/mmu-tests").exists():
        print("  ...  building the tests, once", file=sys.stderr, flush=True)
    build_tests()


def run(script, *words):
    """Its words are not a report's: they go where messages go. A question for a password
    needs the terminal, too."""
    done = subprocess.run([str(ROOT / script), *words], check=False, stdout=sys.stderr)
    if done.returncode:
        raise Trouble(f"{script} {' '.join(words)} has failed; why stands above")
