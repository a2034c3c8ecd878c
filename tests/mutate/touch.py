# SPDX-License-Identifier: GPL-2.0
"""touch.py - which lines does each test run, and how long does it take?

The modules are built with -fsanitize-coverage=trace-pc, which calls cover/
at the beginning of each basic block; each test runs alone, on 6.12. The answer
is in build/mutate/touch.json, by file, line and group:

    {"tests": {GROUP: {TEST: {"s": SECONDS, "lines": {FILE: [LINE...]}}}},
     "sources": {FILE: SHA-256 of what the lines were counted in}}

Lines of a file that has changed since are good for its functions, still.
"""

import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess

from machine import LOAD, layer_of, plan
from patches import BUILD, ROOT, VARIANTS, Trouble, copy_sources, enclosing

OUT = BUILD / "mutate"
TABLE = OUT / "touch.json"
KERNEL = "6.12"
SEEN = "/sys/kernel/debug/my_mmu_cover"
BLOCK = re.compile(r"^(\w+)(?:\.[\w.]+)?\+(0x[0-9a-f]+)/0x[0-9a-f]+ \[(\w+)\]$")


def build(command):
    """A copy of the tree with cover/ in it; returns the guest's layer."""
    src, out = OUT / "cover/src", OUT / "cover/modules"
    copy_sources(src)
    shutil.copytree(ROOT / "tests/mutate/cover", src / "variants/cover",
                    dirs_exist_ok=True)
    log = OUT / "cover.log"
    with open(log, "wb") as file:
        argv = [str(ROOT / "vm/build-modules"), "--src", str(src), "--out", str(out), KERNEL]
        env = dict(os.environ, KCFLAGS="-g -fsanitize-coverage=trace-pc")
        if command(argv, file, file, env):
            raise Trouble(f"the modules do not build with coverage: see {log}")
    layer = layer_of(out, OUT / "cover/layer")
    shutil.copy2(out / "variants/cover/my_mmu_cover.ko", layer / "vm/cover.ko")
    subprocess.run(["strip", "-g", *sorted(layer.rglob("*.ko"))], check=True)
    return layer


def script(group, tests):
    lines = [f"insmod /vm/cover.ko && {LOAD}",
             "up() { cut -d' ' -f1 /proc/uptime; }"]
    for test in tests:
        lines += [f"echo >{SEEN}; echo \"@begin {test} $(up)\"",
                  f"mmu-tests -v {group} -t {test}",
                  f"echo \"@end $(up)\"; cat {SEEN}"]
    return "\n".join(lines + ["echo @done"])


def parse(text):
    """{test: (seconds, passed, {(symbol, offset, module)})}"""
    found, test = {}, None
    for line in text.splitlines():
        match = re.match(r"@begin (\S+) ([\d.]+)$", line)
        if match:
            test, begin, passed, blocks = match[1], float(match[2]), False, set()
        elif line.startswith("@end ") and test:
            found[test] = float(line.split()[1]) - begin, passed, blocks
        elif re.match(r"  ok \d", line):
            passed = "# SKIP" not in line
        else:
            match = BLOCK.match(line)
            if match and test:
                blocks.add((match[1], int(match[2], 16), match[3]))
    return found


class Lines:
    """From a block to the lines that it is of, inlined ones included."""

    def __init__(self, modules):
        self.files = {path.stem: path for path in modules.rglob("*.ko")}
        self.symbols = {}
        self.known = {}

    def at(self, module, symbol):
        if module not in self.symbols:
            table = subprocess.run(["nm", "-n", str(self.files[module])], check=True,
                                   capture_output=True, text=True).stdout
            self.symbols[module] = {m[2].split(".")[0]: int(m[1], 16) for m in re.finditer(
                r"^([0-9a-f]+) [tT] (\S+)$", table, re.M)}
        return self.symbols[module].get(symbol)

    def resolve(self, blocks):
        """Ask about all of them at once, module by module."""
        for module in {m for _, _, m in blocks} & set(self.files):
            new = sorted(b for b in blocks if b[2] == module and b not in self.known)
            places = [(b, self.at(module, b[0])) for b in new]
            places = [(b, at + b[1] - 1) for b, at in places if at is not None]
            if not places:
                continue
            done = subprocess.run(
                ["addr2line", "-i", "-a", "-j", ".text", "-e", str(self.files[module])],
                input="\n".join(hex(at) for _, at in places), check=True,
                capture_output=True, text=True)
            answers = re.split(r"^0x[0-9a-f]+\n", done.stdout, flags=re.M)[1:]
            for (block, _), answer in zip(places, answers):
                self.known[block] = re.findall(
                    r"((?:driver|rmap|include|variants)/[\w/.-]+):(\d+)", answer)

    def of(self, blocks):
        lines = {}
        for block in blocks:
            for file, line in self.known.get(block, ()):
                lines.setdefault(file, set()).add(int(line))
        return {file: sorted(numbers) for file, numbers in lines.items()}


def measure(runner):
    """Run all tests; writes the table."""
    OUT.mkdir(parents=True, exist_ok=True)
    layer = build(runner.command)
    everything = [key for key, _ in plan([], [])]
    parts = [(group, n, 2) for group in VARIANTS for n in range(2)]
    parts += [(group, 0, 1) for group in sorted({g for g, _ in everything} - set(VARIANTS))]

    def one(part):
        group, n, of = part
        tests = [test for g, test in everything if g == group][n::of]
        name = f"cover-{group}-{n}"
        return group, parse(runner.guest(name, layer, script(group, tests), 1800))

    with concurrent.futures.ThreadPoolExecutor(runner.jobs) as pool:
        results = list(pool.map(one, parts))
    lines = Lines(OUT / "cover/modules")
    lines.resolve({b for _, r in results for _, _, blocks in r.values() for b in blocks})
    table = {}
    for group, result in results:
        table.setdefault(group, {}).update(
            {test: {"s": round(s, 2), "lines": lines.of(blocks)}
             for test, (s, passed, blocks) in result.items() if passed})
    src = OUT / "cover/src"
    digests = {str(p.relative_to(src)): hashlib.sha256(p.read_bytes()).hexdigest()
               for p in src.rglob("*.[ch]")}
    TABLE.write_text(json.dumps({"tests": table, "sources": digests}))
    return table


class Touch:
    """The table, asked by place: GROUP, file, function, lines."""

    def __init__(self):
        try:
            stored = json.loads(TABLE.read_text())
        except (OSError, ValueError):
            stored = {"tests": {}, "sources": {}}
        self.tests = stored["tests"]
        self.sources = stored["sources"]
        self.functions = {}  # file -> [function of line 1, 2, ...]

    def known(self):
        return bool(self.tests)

    def seconds(self, group, test, unknown):
        return self.tests.get(group, {}).get(test, {}).get("s", unknown)

    def function_of(self, file, line):
        """In the sources as they were counted."""
        if file not in self.functions:
            try:
                text = (OUT / "cover/src" / file).read_text().splitlines()
            except OSError:
                text = []
            self.functions[file] = [enclosing(text, n) for n in range(len(text))]
        names = self.functions[file]
        return names[line - 1] if 0 < line <= len(names) else ""

    def unchanged(self, file):
        text = (ROOT / file).read_bytes()
        return self.sources.get(file) == hashlib.sha256(text).hexdigest()

    def touching(self, group, file, function, lines=()):
        """{test: does it run these very lines?} of those that run the function."""
        found, wanted = {}, set(lines) if self.unchanged(file) else set()
        for test, about in self.tests.get(group, {}).items():
            run = about["lines"].get(file, ())
            if wanted & set(run):
                found[test] = True
            elif any(self.function_of(file, line) == function for line in run):
                found[test] = False
        return found
