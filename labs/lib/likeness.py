# SPDX-License-Identifier: GPL-2.0
"""likeness.py - is a test a copy of one that is there?

Functions are compared as sequences of tokens. What a test calls, and the names of
test points, count; names of its own, numbers and sentences do not, for they are the
first that is changed. A likeness proves nothing: tests of one kind look alike.
"""

import re

from places import ROOT

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|\d\w*|[^\s\w]')
POINT = re.compile(r'"[a-z]+(?:_[a-z]+)*"')
RUN, SHORTEST, MOST = 6, 40, 0.85
HEAD = 6  # lines that the head of a function may have


def known_names():
    """What the suite's headers and the C library lend a test."""
    text = "".join(p.read_text() for p in sorted((ROOT / "tests").glob("*.h"))
                   + sorted((ROOT / "tests/lib").glob("*.h")))
    return set(re.findall(r"\b([A-Za-z_]\w*)\s*\(", text)) | set(re.findall(r"MADV_\w+", text))


def uncommented(text):
    out, at = [], 0
    while (start := text.find("/*", at)) >= 0 and (end := text.find("*/", start)) >= 0:
        out.append(text[at:start])
        at = end + 2
    return "".join(out) + text[at:]


def tokens(code, known):
    found = []
    for token in TOKEN.findall(code):
        if token[0] == '"':
            found.append(token if POINT.fullmatch(token) else '""')
        elif token[0].isdigit():
            found.append("0")
        elif token[0].isalpha() or token[0] == "_":
            found.append(token if token in known or token.isupper() else "x")
        else:
            found.append(token)
    return found


def runs(code, known):
    """All runs of RUN tokens; nothing for what is too short to tell."""
    found = tokens(code, known)
    if len(found) < SHORTEST:
        return set()
    return {tuple(found[i:i + RUN]) for i in range(len(found) - RUN + 1)}


def functions(text, known):
    """Name -> runs. A test is called as its TEST() says. By lines, since what is handed in
    may be made to keep a regular expression busy."""
    found, lines, start = {}, uncommented(text).split("\n"), None
    for number, line in enumerate(lines):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            name = name_of(lines[max(0, start - HEAD):start])
            some = runs("\n".join(lines[start + 1:number]), known)
            found |= {name: some} if name and some else {}
            start = None
    return found


def name_of(lines):
    """Of the function whose head ends here."""
    first = next((n for n in reversed(range(len(lines))) if re.match(r"[A-Za-z_]", lines[n])), None)
    words = re.findall(r"\w+", " ".join(lines[first:])[:400]) if first is not None else []
    if words and words[0].isupper():
        return words[2 if words[0] == "TEST_ONCE" else 1] if len(words) > 2 else None
    match = re.search(r"(\w+)\s*\(", " ".join(lines[first:])[:400]) if words else None
    return match and match[1]


def suite(known):
    """(file, function) -> runs, of all tests that are there."""
    return {(path.name, name): some
            for path in sorted((ROOT / "tests").glob("t-*.c"))
            for name, some in functions(path.read_text(), known).items()}


def likest(some, others):
    """(share of its runs that another has, which other)"""
    return max(((len(some & there) / len(some), place) for place, there in others.items()),
               default=(0, None))


def copies(text):
    """A sentence for each function that looks like one of the suite."""
    known = known_names()
    others = suite(known)
    for name, some in functions(text, known).items():
        share, place = likest(some, others)
        if share >= MOST:
            yield (f"{name} looks like {place[1]} in tests/{place[0]}: {share:.0%} of its runs of "
                   f"{RUN} tokens are there, too")
