#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Type the commands of the book and compare what is printed.

commands.py [--list] [--only WORD] CHAPTER...    (at the top of the repository)

Takes every block of class "console" and "run" (README.md of this folder says
how one is written). On the host each block gets a fresh shell at the top of
the repository. The guest is booted once for a chapter, as a reader would, and
each block gets a fresh shell in it, in their order; one of class "fresh" gets
a boot of its own. Prints what did not come out as the page says, and the line
of the page; the last line is "N passed, N failed, N skipped".
"""
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile

MARK = "\001"
FENCE = re.compile(r"^```\s*\{([^}]*\.console\b[^}]*)\}\s*$")


class Block:
    """One block of commands."""

    def __init__(self, chapter, line, attributes):
        self.chapter = chapter
        self.line = line
        words = shlex.split(attributes)
        self.classes = {word[1:] for word in words if word.startswith(".")}
        names = [word[1:] for word in words if word.startswith("#")]
        self.name = names[0] if names else "?"
        self.options = dict(word.split("=", 1) for word in words if "=" in word)
        self.commands = []      # (line, text, [(line, expected)])

    @property
    def guest(self):
        """Is it typed in the virtual machine?"""
        return "guest" in self.classes

    def add(self, line, text):
        """A line of the block."""
        prompt = ("$ ", "# ") if self.guest else ("$ ",)
        if text.startswith(prompt):
            self.commands.append([line, text[2:], []])
        elif text.startswith("> ") and self.commands and \
                not self.commands[-1][2]:
            self.commands[-1][1] += "\n" + text[2:]
        elif self.commands:
            self.commands[-1][2].append((line, text.rstrip()))


def blocks_of(path):
    """The blocks of a chapter that are to be run."""
    block = None
    for number, text in enumerate(
            pathlib.Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if block is None:
            found = FENCE.match(text)
            if found:
                block = Block(path, number, found.group(1))
        elif text.startswith("```"):
            if "run" in block.classes:
                yield block
            block = None
        else:
            block.add(number, text)


def script_of(block):
    """A shell script: the commands, and a mark with the status after each."""
    lines = []
    for _, text, _ in block.commands:
        lines += [text, "printf '\\n\\001%d\\n' $?"]
    return "\n".join(lines) + "\n"


def cut(output):
    """What each command printed, and its status."""
    parts, text = [], []
    for line in output.replace("\r", "").split("\n"):
        if line.startswith(MARK):
            # the newline before the mark is ours
            if text and not text[-1]:
                text.pop()
            parts.append((text, line[1:].strip()))
            text = []
        else:
            text.append(line)
    return parts, text


def fits(line, expected):
    """Does a line of output look as the page says?"""
    pattern = ".*".join(re.escape(part) for part in expected.split("…"))
    # blanks at the end are not seen, but "…" may stand for them
    return bool(re.fullmatch(pattern, line) or
                re.fullmatch(pattern, line.rstrip()))


def compare(printed, expected):
    """None, or the line of the page that does not come."""
    # reach: how many lines printed can be explained by the page so far
    reach = {0}
    for number, text in expected:
        if text == "…":
            reach = set(range(min(reach), len(printed) + 1)) if reach else set()
        else:
            reach = {at + 1 for at in reach
                     if at < len(printed) and fits(printed[at], text)}
        if not reach:
            return number, f"the page says \"{text}\""
    if len(printed) in reach:
        return None
    extra = printed[max(reach)] if printed else ""
    return (expected[-1][0] if expected else 0), \
        f"more is printed than the page says: \"{extra}\""


def judge(block, output):
    """What is wrong with a block, as lines; nothing when it is right."""
    parts, rest = cut(output)
    wanted = block.options.get("status", "0")
    for (line, text, expected), part in zip(
            block.commands, parts + [None] * len(block.commands)):
        if part is None:
            return [f"{block.chapter}:{line}: \"{text}\" did not end; it had "
                    "printed:"] + rest[-15:]
        printed, status = part
        while printed and not printed[-1].strip():
            printed.pop()
        wrong = compare(printed, expected)
        if wrong:
            return [f"{block.chapter}:{wrong[0] or line}: {wrong[1]}; "
                    f"\"{text}\" printed:"] + printed[:40]
        last = text == block.commands[-1][1]
        if status != (wanted if last else status):
            return [f"{block.chapter}:{line}: \"{text}\" ended with {status}, "
                    f"not {wanted}; it printed:"] + printed[-15:]
    return []


def on_host(block):
    """Run a block here."""
    limit = float(block.options.get("timeout", "120"))
    environment = {**os.environ, "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "BUILD", "V"):
        environment.pop(name, None)
    with tempfile.TemporaryFile() as out:
        with subprocess.Popen(["bash", "-c", script_of(block)], stdout=out,
                              stderr=subprocess.STDOUT, env=environment,
                              stdin=subprocess.DEVNULL,
                              start_new_session=True) as shell:
            try:
                shell.wait(limit)
            except subprocess.TimeoutExpired:
                os.killpg(shell.pid, signal.SIGTERM)
        out.seek(0)
        return out.read().decode("utf-8", "replace")


def in_guest(blocks, kernel, hypervisor):
    """Run blocks in one boot; what each printed."""
    limit = 240 + sum(float(block.options.get("timeout", "120"))
                      for block in blocks)
    with tempfile.TemporaryDirectory(prefix="commands.") as folder:
        folder = pathlib.Path(folder)
        place = folder / "root" / "book"
        place.mkdir(parents=True)
        for number, block in enumerate(blocks):
            (place / f"{number}.sh").write_text(script_of(block),
                                                encoding="utf-8")
        loop = ("for i in " + " ".join(map(str, range(len(blocks)))) +
                "; do cd /; sh /book/$i.sh </dev/null 2>&1; "
                "printf '\\n\\002%d\\n' $i; done")
        answer = subprocess.run(
            ["vm/run", "--kernel", kernel, "--perf", "--timeout", str(int(limit)),
             "--label", "book-commands", "--files", str(folder / "root"),
             "--", loop],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, check=False,
            env={**os.environ, "HYPERVISOR": hypervisor})
    text = answer.stdout.decode("utf-8", "replace").replace("\r", "")
    pieces = re.split(r"\n\002\d+\n", text)
    if len(pieces) <= len(blocks) or answer.returncode:
        sys.stderr.write(answer.stderr.decode("utf-8", "replace"))
    return pieces[:len(blocks)] + [""] * (len(blocks) - len(pieces)), \
        answer.returncode


def run_all(blocks):
    """Run blocks of one chapter; yields block and what is wrong with it."""
    boots = {}
    for block in blocks:
        if not block.guest:
            yield block, judge(block, on_host(block))
            continue
        kernel = block.options.get("kernel", "6.12")
        key = (kernel, block.options.get("hypervisor", "on"),
               block.name if "fresh" in block.classes else "")
        boots.setdefault(key, []).append(block)
    for (kernel, hypervisor, _), together in boots.items():
        outputs, status = in_guest(together, kernel, hypervisor)
        for block, output in zip(together, outputs):
            yield block, judge(block, output)
        if status:
            yield together[-1], [f"{together[-1].chapter}: the guest ended "
                                 f"with {status}; see "
                                 "build/log/book-commands.console.log"]


def main(arguments):
    """Run the chapters named."""
    listing = "--list" in arguments
    only = arguments[arguments.index("--only") + 1] \
        if "--only" in arguments else ""
    tried = 0
    passed = failed = 0
    for path in [name for name in arguments if name.endswith(".md")]:
        blocks = [block for block in blocks_of(path)
                  if only in f"{pathlib.Path(path).name} {block.name}"]
        tried += len(blocks)
        if listing:
            for block in blocks:
                print(f"{path}:{block.line}: {block.name}"
                      f"{' (guest)' if block.guest else ''}")
            continue
        for block, wrong in run_all(blocks):
            if wrong:
                failed += 1
                print("\n    | ".join(wrong), flush=True)
            else:
                passed += 1
                print(f"  ok   {path}:{block.line}: {block.name}", flush=True)
    if listing:
        return 0
    if not tried:
        print(f"no command and no chapter has \"{only}\" in its name; "
              "tools/book/commands.py --list chapters/*.md shows those there are", file=sys.stderr)
        return 1
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
