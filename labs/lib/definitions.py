# SPDX-License-Identifier: GPL-2.0
"""definitions.py - find and replace the top-level definitions of a C file by name

A hand-out is a solution in which some definitions stand aside for those of the
same name in stubs.c. What a definition is, and which comment belongs to it, is
what tools/book/region.lua says for the book; labs/selftest compares the two over
all sources.
"""

import re

MARKER = re.compile(r"^\s*(?:/\*\s*(\S+):\s*\S+\s*\*/|(?:#|//)\s*(\S+):\s*\S+)\s*$")
ATTRIBUTES = re.compile(r"\b(?:__must_hold|__acquires|__releases|__printf|"
                        r"__attribute__|__aligned)\s*\((?:[^()]|\([^()]*\))*\)")
WORD = re.compile(r"([A-Za-z_]\w*)\s*\(\s*(\w*)")


class Unknown(Exception):
    """A definition that is not there, or not as it should be."""


class Definition:
    """A definition, the comment directly above it included; lines from 1."""

    def __init__(self, name, first, last, body):
        self.name, self.first, self.last, self.body = name, first, last, body


def is_marker(line):
    match = MARKER.match(line)
    return bool(match) and (match[1] or match[2]) in ("region", "endregion")


def bare(line, in_comment):
    """Without comments and strings, which may hold any bracket."""
    out, at = [], 0
    while at < len(line):
        if in_comment:
            close = line.find("*/", at)
            if close < 0:
                return "".join(out), True
            at, in_comment = close + 2, False
        elif line.startswith("/*", at):
            at, in_comment = at + 2, True
        elif line.startswith("//", at):
            break
        elif line[at] in "\"'":
            close = at + 1
            while close < len(line) - 1 and line[close] != line[at]:
                close += 2 if line[close] == "\\" else 1
            at = close + 1
        else:
            out.append(line[at])
            at += 1
    return "".join(out), in_comment


def name_of(text):
    """What a definition is called, and whether it is one or only declares."""
    match = re.match(r"#\s*define\s+(\w+)", text)
    if match:
        return match[1], True
    head = ATTRIBUTES.sub(" ", text)
    body = re.search(r"[{=]", head)
    before = head[:body.start()] if body else head
    match = re.match(r"\s*(struct|union|enum)\s+(\w+)\s*$", before)
    if body and match:
        return f"{match[1]} {match[2]}", True
    match = WORD.search(before)
    if match:
        word, inside = match.groups()
        if re.fullmatch(r"[A-Z][A-Z\d_]*", word):
            return (None if re.match("EXPORT_|MODULE_", word) else inside), True
        return (None if word.startswith("module_") else word), bool(body)
    before = re.sub(r"[\s;]+$", "", re.sub(r"\[[^\[\]]*\]", "", before))
    match = re.search(r"[\s*]([A-Za-z_]\w*)$", before)
    return match and match[1], bool(body)


def statement(lines, first):
    """The last line of what begins at FIRST, and its text without comments."""
    if lines[first].startswith("#"):
        last = first
        while lines[last].endswith("\\") and last + 1 < len(lines):
            last += 1
        return last, lines[first]
    depth, braces, in_comment, text = 0, False, False, []
    for number in range(first, len(lines)):
        code, in_comment = bare(lines[number], in_comment)
        text.append(code)
        depth += len(re.findall(r"[{(]", code)) - len(re.findall(r"[})]", code))
        braces = braces or "{" in code
        ended = re.search(r";\s*$", code) or (braces and re.search(r"^}\s*$", code))
        following = lines[number + 1] if number + 1 < len(lines) else None
        if depth <= 0 and (ended or following is None
                           or (not braces and following == "")):
            return number, " ".join(text)
    return len(lines) - 1, " ".join(text)


def definitions(text):
    """All of a file, in its order."""
    lines, out, number, comment = text.splitlines(), [], 0, None
    while number < len(lines):
        line, last = lines[number], number
        if is_marker(line):
            pass
        elif line.startswith("/*"):
            _, in_comment = bare(line, False)
            while in_comment and last + 1 < len(lines):
                last += 1
                _, in_comment = bare(lines[last], True)
            comment = (number, last)
            if not out and "SPDX-License-Identifier" not in line:
                out.append(Definition("head", number + 1, last + 1, False))
        elif re.match(r"[A-Za-z_]|#\s*define\s", line):
            last, code = statement(lines, number)
            name, body = name_of(code)
            above = comment and comment[1] == number - 1
            if name and name != "struct":
                first = comment[0] if above else number
                out.append(Definition(name, first + 1, last + 1, body))
            elif out and out[-1].last == number and code.startswith("EXPORT_"):
                out[-1].last = last + 1
        number = last + 1
    return out


def find(text, name, where):
    """The one definition of that name: no declaration."""
    found = [d for d in definitions(text) if d.name == name and d.body]
    if len(found) != 1:
        raise Unknown(f"{where} defines {name} "
                      + ("twice" if found else "nowhere; definitions are cut by "
                         "name, so a new name must be said in lab.toml"))
    return found[0]


def cut(text, definition):
    return "\n".join(text.splitlines()[definition.first - 1:definition.last])


def signature(code):
    """A definition up to its body, in one line, without comments or attributes
    that only say that it may stay unused."""
    in_comment, out = False, []
    for line in code.splitlines():
        part, in_comment = bare(line, in_comment)
        out.append(part)
    head = re.split(r"[{=]", " ".join(out))[0].replace("__maybe_unused", " ")
    return re.sub(r"\s+", " ", re.sub(r"\s*([(),*])\s*", r"\1", head)).strip()


def replace(text, name, code, where):
    """TEXT with CODE, comment and all, for its definition of that name."""
    old = find(text, name, where)
    if signature(cut(text, old)) != signature(code):
        raise Unknown(f"{where}: the stub of {name} has another signature: "
                      f"\"{signature(code)}\" for \"{signature(cut(text, old))}\"")
    lines = text.splitlines()
    lines[old.first - 1:old.last] = code.splitlines()
    return "\n".join(lines) + "\n"


def without_markers(text):
    """As a student gets it: what the book cuts by is of no use to him. Where a
    marker stood between two empty lines, one of those goes, too."""
    out = []
    for line in text.splitlines():
        if is_marker(line) or (line == "" and out and out[-1] == ""):
            continue
        out.append(re.sub(r"\s*/\*\s*line:\s*\S+\s*\*/$", "", line))
    return "\n".join(out) + "\n"
