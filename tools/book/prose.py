#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Words, names and links of the book's chapters.

prose.py words CHAPTER...
    "file:line<TAB>word" for each word of the prose, captions and alternative
    texts; code, links' targets and attributes left out
prose.py names LIST KERNELS OURS CHAPTER...
    looks up what stands in backticks and looks like an identifier. KERNELS is
    "6.1=FILE 6.12=FILE": files with all names of a kernel; OURS has those of
    this repository; LIST is chapters/identifiers.txt
prose.py links CHAPTER|BIBLIOGRAPHY...
    looks at the form of links to other sites, and for paths of this
    repository in backticks

With STRICT=y in the environment, a name in LIST that no chapter speaks of is
wrong, too. The last two print what is wrong and end with 1 if anything is.
"""
import os
import pathlib
import re
import sys
import urllib.parse

FENCE = re.compile(r"^\s*(```+|~~~+)")
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
QUOTED = re.compile(r'\b(?:caption|alt)="([^"]*)"')
PATH = re.compile(r"^[\w.-]+(?:/[\w.+-]+)+/?$")


def lines_of(path):
    """Yield (number, line, in_code) for a chapter; comments are blanked, the
    metadata at its top is code."""
    text = pathlib.Path(path).read_text(encoding="utf-8")
    text = re.sub(r"<!--.*?-->", lambda found: re.sub(r"[^\n]", " ",
                                                      found.group()),
                  text, flags=re.S)
    fence, meta, opening = "", False, False
    for number, line in enumerate(text.splitlines(), 1):
        if line == "---" and not fence and (meta or not opening):
            meta, opening = not meta, True
            yield number, line, True
            continue
        if line.strip() and not meta:
            opening = True
        found = FENCE.match(line)
        if found and not fence:
            fence = found.group(1)
            # attributes may go on over several lines; they are prose in part
            yield number, line, False
            if "{" in line and "}" not in line:
                fence = "{" + fence
            continue
        if fence.startswith("{"):
            yield number, line, False
            if "}" in line:
                fence = fence[1:]
            continue
        if found and fence and line.strip().startswith(fence):
            fence = ""
            yield number, "", True
            continue
        yield number, line, bool(fence) or meta


def prose(path):
    """Yield (number, text): what a reader reads, code left out."""
    inside = ""                 # of braces or a link that go on
    for number, line, code in lines_of(path):
        if code:
            continue
        captions = " ".join(QUOTED.findall(line))
        text = re.sub(r"`[^`]*`", " ", inside + line)
        inside = ""
        opened = max(text.rfind("{"), text.rfind("]("))
        if opened >= 0 and not re.search(r"[})]", text[opened:]):
            captions += " " + " ".join(re.findall(
                r'\b(?:caption|alt)="([^"]*)$', text[opened:]))
            inside, text = text[opened:][:2], text[:opened]
        text = re.sub(r"\{[^}]*\}|\]\([^)]*\)|<https?:[^>]*>|https?://\S+",
                      " ", text)
        text = re.sub(r"-?@[\w:.+/-]+", " ", text)
        yield number, text + " " + re.sub(r"`[^`]*`|@[\w:]+", " ", captions)


def words(paths):
    """Every word, for a spelling checker."""
    for path in paths:
        for number, text in prose(path):
            for word in re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", text):
                word = re.sub("['’]s?$", "", word.replace("’", "'"))
                if len(word) > 1:
                    print(f"{path}:{number}\t{word}")
    return 0


def backticks(path):
    """Yield (number, code) for each piece of inline code."""
    for number, line, code in lines_of(path):
        if not code:
            for piece in re.findall(r"`([^`]+)`", line):
                yield number, piece


def candidates(piece):
    """Names in a piece of code that somebody could look up."""
    if PATH.match(piece) or re.search(r"[\\$*…]|://|^-|^[/.~]", piece):
        return
    for found in IDENTIFIER.finditer(piece):
        name, after = found.group(), piece[found.end():found.end() + 2]
        before = piece[:found.start()][-1:]
        if before in ("-", "/", ".", '"', "%", "@") or after[:1] in ("-", "/"):
            if not (before == "." or after[:2] == "->"):
                continue
        if re.match(r"\.[a-z]{1,4}\b", piece[found.end():]) and \
                "(" not in piece and "->" not in piece:
            continue            # a file
        if "_" in name.strip("_") or after == "()":
            yield name


def version(text):
    """6.12 as something that can be compared."""
    return tuple(int(part) for part in text.split("."))


def departed(path):
    """chapters/identifiers.txt: name -> (kind, version, line)."""
    listed = {}
    for number, line in enumerate(pathlib.Path(path).read_text(
            encoding="utf-8").splitlines(), 1):
        part = line.split("#")[0].split()
        if not part:
            continue
        kind = part[1] if len(part) > 1 else ""
        if kind in ("until", "since"):
            when = part[2] if len(part) > 2 else ""
            if not re.fullmatch(r"\d+\.\d+(\.\d+)?", when):
                sys.exit(f"{path}:{number}: {kind} which version?")
        elif kind in ("2008", "other"):
            when = ""
        else:
            sys.exit(f"{path}:{number}: \"{kind}\" is neither until, since, "
                     "2008 nor other")
        listed[part[0]] = (kind, when, number)
    return listed


def expected(kind, when, kernel):
    """Should this kernel have the name? None: it does not matter."""
    if kind == "until":
        return version(kernel) <= version(when)
    if kind == "since":
        return version(kernel) >= version(when)
    return False if kind == "2008" else None


def names(listed_in, kernels, ours, paths):
    """Look identifiers up."""
    known = {}
    for pair in kernels.split():
        kernel, file = pair.split("=", 1)
        known[kernel] = set(pathlib.Path(file).read_text(
            encoding="utf-8", errors="replace").split())
    own = set(pathlib.Path(ours).read_text(encoding="utf-8").split())
    listed = departed(listed_in)
    problems, used, looked = [], set(), 0
    for path in paths:
        for number, piece in backticks(path):
            for name in candidates(piece):
                looked += 1
                if name in listed:
                    used.add(name)
                    continue
                lacks = [kernel for kernel, all_names in known.items()
                         if name not in all_names]
                if lacks and name not in own:
                    problems.append(
                        f"{path}:{number}: `{name}` is not in "
                        f"{' nor '.join(lacks)}, nor ours")
    for name, (kind, when, number) in sorted(listed.items()):
        where = f"{listed_in}:{number}: {name}"
        if name not in used and os.environ.get("STRICT"):
            problems.append(f"{where}: no chapter speaks of it")
        for kernel, all_names in known.items():
            right = expected(kind, when, kernel)
            if right is not None and right != (name in all_names):
                problems.append(f"{where} {kind} {when}: but {kernel} has it"
                                if not right else
                                f"{where} {kind} {when}: but {kernel} lacks it")
    print("\n".join(problems + [f"{looked} names looked up"]))
    return 1 if problems else 0


def links_of(path):
    """Yield (number, address) for links to elsewhere, in a chapter or a
    bibliography."""
    if str(path).endswith(".bib"):
        for number, line in enumerate(pathlib.Path(path).read_text(
                encoding="utf-8").splitlines(), 1):
            for link in re.findall(r"\burl\s*=\s*[{\"]([^}\"]*)", line):
                yield number, link
        return
    for number, line, code in lines_of(path):
        if not code:
            for link in re.findall(r"\]\((?!#)([^)\s]*)|<(https?:[^>]*)>",
                                   line):
                yield number, link[0] or link[1]


def links(paths):
    """The form of external links; paths of this repository."""
    problems, looked = [], 0
    tops = {entry.name for entry in pathlib.Path(".").iterdir()} - {"build"}
    for path in paths:
        for number, link in links_of(path):
            looked += 1
            parts = urllib.parse.urlsplit(link)
            if parts.scheme not in ("https", "http") or \
                    not re.fullmatch(r"[\w.-]+\.\w+", parts.netloc) or \
                    re.search(r"[\s<>\"]", link):
                problems.append(f"{path}:{number}: \"{link}\" is no "
                                "address that a browser can open")
        for number, piece in backticks(path):
            if PATH.match(piece) and piece.split("/")[0] in tops and \
                    not re.match(r"include/(linux|trace|uapi|asm)", piece):
                looked += 1
                if not pathlib.Path(piece).exists():
                    problems.append(f"{path}:{number}: there is no `{piece}` "
                                    "in this repository")
    print("\n".join(problems + [f"{looked} links and paths looked at"]))
    return 1 if problems else 0


def main(arguments):
    """Do what the first argument says."""
    verb, rest = arguments[0], arguments[1:]
    if verb == "words":
        return words(rest)
    if verb == "names":
        return names(rest[0], rest[1], rest[2], rest[3:])
    if verb == "links":
        return links(rest)
    sys.exit(f"prose.py does not know '{verb}'")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
