# SPDX-License-Identifier: GPL-2.0
"""kbuild.py - make again what depends on a source that changed, and no more

Kbuild writes down how it made each file and from what (.NAME.cmd). make takes
five seconds to find the one object that is out of date; these commands alone
take one.
"""

import os
import pathlib
import re
import subprocess

MADE = re.compile(r"(?:saved)?cmd_(\S+) := (.*)")


class Recipe:
    """How one file is made."""

    def __init__(self, target, command, needs):
        self.target, self.command, self.needs = target, command, needs


def needs_of(command, text):
    """The files of this build that a command reads."""
    found = set(re.findall(r"^\s+(/\S+)", text, re.M))
    found |= set(re.findall(r"^source_\S+ := (\S+)", text, re.M))
    for word in command.split():
        if word.startswith("@"):
            found |= set(pathlib.Path(word[1:]).read_text().split())
        elif word.endswith(".o"):
            found.add(word)
    return found


def recipes(out):
    """Objects first, then what is linked of them."""
    found = []
    for path in out.rglob(".*o.cmd"):
        text = path.read_text()
        match = MADE.match(text)
        if match and match[1].startswith(f"{out}/"):
            command = match[2].replace("$(pound)", "#").replace("$$", "$")
            needs = needs_of(command, text) - {match[1]}
            found.append(Recipe(match[1], command, needs))
    return sorted(found, key=lambda r: (r.target.endswith(".ko"),
                                        any(n.endswith(".o") for n in r.needs)))


def wanted(module):
    """Symbols that a module takes from elsewhere."""
    done = subprocess.run(["nm", "-u", str(module)], capture_output=True, text=True,
                          check=True)
    return set(done.stdout.split())


def remake(out, clean, kdir, changed, log):
    """True if all that depends on the changed sources was made without a word.

    Else what was begun is gone, for make to say what is the matter, or to look
    up symbols that the module did not take before."""
    arch = os.environ.get("ARCH") or os.uname().machine
    env = dict(os.environ, SRCARCH="arm64" if arch in ("arm64", "aarch64") else "x86")
    stale, begun = {str(out / name) for name in changed}, []
    for recipe in recipes(out):
        if not recipe.needs & stale:
            continue
        stale.add(recipe.target)
        begun.append(recipe.target)
        done = subprocess.run(recipe.command, shell=True, cwd=kdir, stdin=subprocess.DEVNULL,
                              env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        log.write(f"  remade {recipe.target}\n".encode() + done.stdout)
        strange = recipe.target.endswith(".ko") and not done.returncode and (
            wanted(recipe.target) - wanted(clean / pathlib.Path(recipe.target).relative_to(out)))
        if done.returncode or done.stdout or strange:
            for target in begun:
                pathlib.Path(target).unlink(missing_ok=True)
            return False
    return bool(begun)
