# SPDX-License-Identifier: GPL-2.0
"""sites.py - where the operators can change something, and what that gives

An operator is a semantic patch, operators/*.cocci. spatch says where it could
change something; each such place is a site. One site changed is a mutant.
"""

import concurrent.futures
import difflib
import fnmatch
import hashlib
import json
import os
import pathlib
import random
import re
import subprocess
import tempfile

from patches import BUILD, ROOT, Trouble, enclosing

HERE = ROOT / "tests" / "mutate"
OUT = BUILD / "mutate"
# What only tests use, what the compiler makes of a list, what user space sees
NOT_OURS = ("rmap/testpoint.c", "include/my_mmu_testpoint.h", "include/my_mmu_trace.h",
            "include/my_mmu_uapi.h", "include/compat.h")


def operators():
    return sorted((HERE / "operators").glob("*.cocci"))


def sources(globs=()):
    """What is mutated, as paths in the tree."""
    paths = [p for d in ("driver", "rmap", "include", "variants")
             for p in sorted((ROOT / d).rglob("*.[ch]"))]
    names = [str(p.relative_to(ROOT)) for p in paths]
    names = [n for n in names if n not in NOT_OURS]
    if globs:
        names = [n for n in names if any(fnmatch.fnmatch(n, g) or n.startswith(g.rstrip("/") + "/")
                                         for g in globs)]
        if not names:
            raise Trouble(f"no source is called {' '.join(globs)}; FILES= takes paths "
                          "such as driver/engine.c, variants or variants/*/my_mmu.c")
    return names


def spatch(operator, file, more, **env):
    """Run one operator over one file; what it printed if it could not."""
    argv = ["spatch", "--very-quiet", "--no-includes", "--iso-file", "/dev/null",
            "--no-show-diff", "--sp-file", str(operator), *more, str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT,
                          env=dict(os.environ, PYTHONPATH=str(HERE),
                                   PYTHONDONTWRITEBYTECODE="1", **env))
    text = done.stdout + done.stderr
    if done.returncode or re.search(r"^(Fatal|minus|semantic|not supported)", text, re.M):
        raise Trouble(f"spatch does not run {operator.name} over {file}: {text.strip()[:300]}")


class Site:
    """A place at which one operator can change one file."""

    def __init__(self, operator, file, function, at):
        self.operator = operator
        self.file, self.function, self.at = file, function, at
        self.line = int(at.split()[0])

    @property
    def key(self):
        return self.file, [int(n) for n in self.at.split()[:4]], self.operator.stem, self.at

    def change(self, text):
        """The text of the file with this site changed, or None if it is none:
        a match can fail behind the place where spatch asked."""
        with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
            path = pathlib.Path(folder, pathlib.Path(self.file).name)
            out = pathlib.Path(folder, "out" + path.suffix)
            path.write_text(text)
            spatch(self.operator, path, ["-o", str(out)], MUTATE_AT=self.at)
            new = out.read_text() if out.exists() else text
        return None if squeezed(new) == squeezed(text) else new


def squeezed(text):
    return re.sub(r"\s+", " ", text)


def list_sites(operator, file, text):
    """All sites of one operator in one file, remembered by what both say."""
    digest = hashlib.sha256()
    for part in (operator.read_text(), (HERE / "mutation_site.py").read_text(), text):
        digest.update(part.encode() + b"\0")
    known = OUT / "sites" / digest.hexdigest()[:24]
    if not known.exists():
        with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
            path = pathlib.Path(folder, pathlib.Path(file).name)
            path.write_text(text)
            found = pathlib.Path(folder, "found")
            found.touch()
            spatch(operator, path, [], MUTATE_LIST=str(found))
            lines = sorted({line for line in found.read_text().splitlines()})
        known.parent.mkdir(parents=True, exist_ok=True)
        known.with_suffix(".new").write_text(
            json.dumps([json.loads(line)[1:] for line in lines]))
        known.with_suffix(".new").replace(known)
    lines = text.splitlines()
    found = []
    for _, at in json.loads(known.read_text()):
        site = Site(operator, file, "", at)
        site.function = enclosing(lines, site.line - 1)
        found.append(site)
    return found


def all_sites(globs, jobs):
    pairs = [(op, name) for op in operators() for name in sources(globs)]
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        lists = list(pool.map(lambda pair: list_sites(
            pair[0], pair[1], (ROOT / pair[1]).read_text()), pairs))
    return sorted((s for part in lists for s in part), key=lambda s: s.key)


def drawn(sites, seed):
    """In an order that the seed gives: one of each operator in turn, so that rare
    kinds of mistakes are as many as frequent ones."""
    dice, by = random.Random(seed), {}
    for site in sites:
        by.setdefault(site.operator.stem, []).append(site)
    for part in by.values():
        dice.shuffle(part)
    order = []
    while by:
        names = sorted(by)
        dice.shuffle(names)
        for name in names:
            order.append(by[name].pop())
            if not by[name]:
                del by[name]
    return order


class Made:
    """A mutant that an operator has made."""

    def __init__(self, file, old, new, operator=""):
        self.file, self.operator = file, operator
        self.old, self.new = old, new
        before, after = old.splitlines(), new.splitlines()
        self.diff = list(difflib.unified_diff(before, after, f"a/{file}", f"b/{file}",
                                              lineterm=""))
        match = difflib.SequenceMatcher(None, before, after, autojunk=False)
        self.lines = []  # that are changed or, of what is put in, follow
        self.all = []  # the file with its changes: (sign, words)
        for tag, i1, i2, j1, j2 in match.get_opcodes():
            if tag == "equal":
                self.all += [(" ", squeezed(line).strip()) for line in before[i1:i2]]
                continue
            self.lines += range(i1 + 1, max(i2, i1 + 1) + 1)
            self.all += [("-", squeezed(line).strip()) for line in before[i1:i2]]
            self.all += [("+", squeezed(line).strip()) for line in after[j1:j2]]
        self.function = enclosing(before, self.lines[0] - 1)
        self.changed = [pair for pair in self.all if pair[0] != " "]
        # Where in the function: what stands before it may be repeated
        first = self.all.index(self.changed[0])
        text = json.dumps([file, self.function, self.all[max(0, first - 3):first],
                           self.changed])
        self.id = hashlib.sha256(text.encode()).hexdigest()[:10]

    def show(self):
        """As a diff whose hunks name the function."""
        return [f"{line} {self.function}" if line.startswith("@@") else line
                for line in self.diff]


# --- those that change nothing that matters -----------------------------------

ANY = "..."


class Equivalent:
    """One entry of the list: a reason, a place, and lines of a diff."""

    def __init__(self, block, number):
        self.number = number
        lines = block.splitlines()
        self.reason = " ".join(line[1:].strip() for line in lines if line.startswith("#"))
        rest = [line for line in lines if not line.startswith("#")]
        words = rest[0].split() if rest else []
        rest = [line or " " for line in rest]
        self.lines = [(line[0], squeezed(line[1:]).strip()) for line in rest[1:]]
        self.patterns = {words: re.compile(".*".join(map(re.escape, words.split(ANY))))
                         for _, words in self.lines}
        if (len(words) != 2 or not self.reason or not self.changed
                or {sign for sign, _ in self.lines} - set(" +-")):
            raise Trouble(f"tests/mutate/equivalents:{number}: an entry is a reason (#), "
                          "then FILE FUNCTION, then lines of a diff")
        self.file, self.function = words

    @property
    def changed(self):
        return [pair for pair in self.lines if pair[0] != " "]

    def says(self, wanted, found):
        """Are these the lines? ... in an entry stands for anything."""
        return len(wanted) == len(found) and all(
            sign == other and self.patterns[words].fullmatch(text)
            for (sign, words), (other, text) in zip(wanted, found))

    def is_of(self, file, function):
        return fnmatch.fnmatch(file, self.file) and fnmatch.fnmatch(function, self.function)

    def matches(self, made):
        if not (self.is_of(made.file, made.function)
                and self.says(self.changed, made.changed)):
            return False
        n = len(self.lines)
        return any(self.says(self.lines, made.all[i:i + n])
                   for i in range(len(made.all) - n + 1))

    def stands(self, file, text):
        """Is there still a place in this file that the entry is about?"""
        lines = text.splitlines()
        words = [(" ", squeezed(line).strip()) for line in lines]
        old = [(" ", word) for sign, word in self.lines if sign != "+"]
        return any(self.says(old, words[i:i + len(old)])
                   and self.is_of(file, enclosing(lines, i + len(old) - 1))
                   for i in range(len(words) - len(old) + 1))


def equivalents():
    text = (HERE / "equivalents").read_text()
    blocks, at = [], 1
    for block in re.split(r"\n\s*\n", text):
        blocks.append((block.strip("\n"), at))
        at += block.count("\n") + 2
    return [Equivalent(block, number) for block, number in blocks
            if any(not line.startswith("#") for line in block.splitlines())]


def check_equivalents():
    """Those that are about nothing any more."""
    texts = {name: (ROOT / name).read_text() for name in sources()}
    return [f"tests/mutate/equivalents:{e.number}: {e.file} has no such lines in "
            f"{e.function} any more: is it still equivalent? Write it as it is now, "
            "or let it go" for e in equivalents()
            if not any(e.stands(name, text) for name, text in texts.items())]
