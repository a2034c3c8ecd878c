# SPDX-License-Identifier: GPL-2.0
"""preparing.py - what the labs need on this machine"""

import shutil
import subprocess

from machine import build_tests
from places import BUILD, ROOT, Trouble


def prepare(kernel):
    """The packages, the kernel as make check has it, the tests as they are now."""
    if not shutil.which("bwrap"):
        run("vm/setup", "--quiet", "labs")
    if not (BUILD / "kernel" / kernel / "release").exists():
        run("vm/prepare", kernel)
    build_tests()


def run(script, *words):
    done = subprocess.run([str(ROOT / script), *words], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        raise Trouble(f"{script} {' '.join(words)} failed: {done.stdout.strip()[-800:]}")
