#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Forms of English that make a reader parse twice, counted and budgeted.

forms.py show [FILE...]      "file:line: form: sentence" for each that is found
forms.py count [FILE...]     a table: file, each form, all
forms.py check BUDGET        compares all files with BUDGET, which has lines of
    file, first edition's count, budget. Ends with 1 if a file has more than
    its budget (a file without a line may have none), if a budget is above the
    first edition's count or above one that a commit has recorded, or if a line
    names no file. Says which can fall.
forms.py lower BUDGET        writes today's counts into BUDGET; raises none
forms.py first COMMIT BUDGET writes the counts of COMMIT's files, by today's
    rules, into BUDGET: the first edition
forms.py selftest SAMPLES    are the samples counted as they say?

Without FILE: README, CONTRIBUTING, book.md, chapters, the comments of driver,
rmap, include and variants, and the first paragraph of each patch in
tests/mutants, below the current directory. Code, headings, links' targets and
drawings in comments are left out.

Why not another tool: vale is in no package of Debian's; proselint and diction
look for other things and know no Markdown.
"""
import itertools
import pathlib
import re
import subprocess
import sys
import tempfile

from prose import lines_of

LONG = 35                       # words in a sentence
ALL = ["README.md", "CONTRIBUTING.md", "book.md", "chapters/*.md",
       *(f"{folder}/*.[ch]" for folder in
         ("driver", "rmap", "include", "variants/*")),
       "tests/mutants/*.patch"]
# One more when more is counted: budgets of before then say nothing of today's
COUNTED = 2
SUBORDINATE = "if|when|unless|until|since|because|while|although|whether"
QUESTION = re.compile(
    r"\b(ask|know|knew|known|say|said|tell|told|see|seen|show|find|found out|"
    r"guess|decide|learn|remember|check|depend|choose|chosen|wonder|matter|"
    r"explain|describe|understand|name|determine|record|list|note|decides)"
    r"(s|es|ed|ing|n)?\b", re.I)
START = r"(?:^|[;:(] |[—–] )"


def forms():
    """Name of a form -> what finds it in a sentence."""
    modal = ("can|cannot|must|may|might|could|should|has to|needs to|would|"
             "wants|wishes|sees|knows|gets|finds|does")
    before = ("if|when|that|which|what|how|and|or|because|since|so|where|"
              "whether|before|while|than|as|until|unless|but|for|[Hh]ere|[Tt]here|"
              "[Tt]hen|[Nn]ow")
    return {
        "who": re.compile(
            START + r"[Ww]ho\b(?!')"
            r"|\b(?:by|to|from|with|than|but|if|that|when|is|are|since|"
            r"because|as|only|for|against) who\b"
            r"|\b(?:so|all|those|any|anything|everything) what\b"
            r"|\b[Oo]f those who\b"),
        "what": re.compile(
            START + r"What\b|; what\b"
            r"|\b(?:by|of|for|from|to|than|against|but|since|because|"
            r"before|after|if) what\b"),
        "nobody": re.compile(
            r"\b(?:nobody|somebody|someone|anybody|anyone|everybody|everyone|"
            r"no one|no-one)\b", re.I),
        "one": re.compile(
            rf"(?:{START}|, |\b(?:{before}) )[Oo]ne (?:{modal})\b"),
        "away": re.compile(
            r"\b(?:leav(?:e|es|ing)|left)(?: \w+){0,4} away\b"),
        "look": re.compile(
            r"\blook(?:s|ed|ing)?(?: (?!like|as)\w+){0,2} (?:whether|if|who|how many)\b"),
    }


FORMS = forms()
NAMES = [*FORMS, "cell", "long"]


# --- from a file to blocks of text: (line, kind, text) -----------------------

def plain(text):
    """A line of Markdown without its marks; code counts as one word."""
    text = re.sub(r"``[^`].*?``|`[^`]*`", "Code", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", lambda m: m.group(1) or "Ref",
                  text)
    text = re.sub(r"\s*\[-?@[^\]]*\]", "", text)
    text = re.sub(r"\[\]\{[^}]*\}", "Number", text)
    text = re.sub(r"\[([^\]]*)\]\{[^}]*\}", r"\1", text)
    return re.sub(r"\*\*|(?<!\w)[*_]|[*_](?!\w)|<[^>]*>|\\", "", text)


def markdown(path):
    """Yield the blocks of a chapter: paragraphs, items, cells, captions."""
    start, kept, table, listed = 0, [], 0, ""
    for number, line, code in lines_of(path):
        line = "" if code else line
        for caption in re.findall(r'\bcaption="([^"]*)"', line):
            yield number, "caption", plain(caption)
        text = re.sub(r"^\s*(> ?)+", "", line).strip()
        row = text.startswith("|") and text.endswith("|")
        marked = re.match(r"(?:[-*+]|\d+\.|:) +(?=\S)", text)
        attributes = re.match(r":::|```|~~~|#|\w+=\S+$", text) or (
            listed and not row) or re.search(r'\b(?:caption|alt)="', text)
        if not text or row or marked or attributes:
            if kept:
                yield start, "text", plain(" ".join(kept))
            kept = []
        table = table + 1 if row else 0
        if row and table > 2:
            for cell in re.split(r"(?<!\\)\|", text[1:-1]):
                yield number, "cell", plain(cell.strip())
        elif text and not row and not attributes:
            if not kept:
                start = number
            kept.append(text[marked.end():] if marked else text)
        opened = re.search(r"(?:^:::|```)[^}]*\{[^}]*$", text)
        listed = "}" if opened or (listed and "}" not in text) else ""
    if kept:
        yield start, "text", plain(" ".join(kept))


def columns(lines):
    """Is each line of this paragraph a step in one of two columns?"""
    return all(line.startswith("\t") for line in lines) and any(
        re.search(r"\S\t|^\t{3}", line) for line in lines)


def paragraphs(body):
    """Yield (number, line, drawn) for the lines of a comment."""
    lines = [re.sub(r"^\s*\*? ?", "", line) for line in body.split("\n")]
    for empty, group in itertools.groupby(enumerate(lines),
                                          lambda item: not item[1].strip()):
        group = list(group)
        drawn = not empty and columns([line for _, line in group])
        for number, line in group:
            yield number, line, drawn


def comments(source):
    """Yield the paragraphs of a C file's comments; those of one line are labels."""
    for found in re.finditer(r"/\*.*?\*/", source, re.S):
        start = source.count("\n", 0, found.start()) + 1
        first, kept = start, []
        body = re.sub(r"^/\*+|\*/$", "", found.group())
        if "\n" not in body.strip():
            yield start, "label", " ".join(body.split())
            continue
        for number, line, drawn in paragraphs(body):
            number += start
            drawing = drawn or re.search(r"\S(\t| {3,})", line) or \
                re.match(r"\t*(region|endregion):", line)
            new = re.match(r"@[\w.]+:|(Context|Return|Returns):|\w+ - |[-*] ",
                           line)
            if not line.strip() or drawing or new:
                if kept:
                    yield first, "text", " ".join(kept)
                kept = []
            if line.strip() and not drawing:
                if not kept:
                    first = number
                kept.append(re.sub(r"^(@[\w.]+:|\w+ - )\s*", "",
                                   line.strip()))
        if kept:
            yield first, "text", " ".join(kept)


def head(source):
    """Yield the first paragraph of a mutant, which the book prints."""
    lines = itertools.takewhile(str.strip, source.split("\n")[1:])
    yield 2, "text", " ".join(lines)


def blocks(path):
    """The blocks of a file by its kind."""
    if path.endswith(".md"):
        return markdown(path)
    text = pathlib.Path(path).read_text(encoding="utf-8")
    return head(text) if path.endswith(".patch") else comments(text)


# --- from blocks to findings: (line, form, sentence) -------------------------

def sentences(text):
    """Split a block. A full stop inside of e.g. ends nothing."""
    text = re.sub(r"\b(e\.g|i\.e|cf|vs|etc)\.", r"\1", " ".join(text.split()))
    return re.split(r"(?<=[.?!])[\"')\]]*\s+(?=[\"'(\[]*[A-Z0-9@])", text)


# Forms of "to be" and the like, and what ends as a verb does
VERB = re.compile(r"\b(?:is|are|was|were|be|been|has|have|had|do|does|did|can|cannot|must|may|"
                  r"might|will|would|should|shall|let|make|take|keep|goes?|say|see|hold|"
                  r"find|give|get|pay|wait|run|\w+(?:s|ed|en|ing|n't))\b", re.I)


def verbless(cell):
    """A table cell that ends as a sentence does and has no verb."""
    return cell.endswith(".") and len(cell.split()) > 2 and not VERB.search(cell)


def half(cell):
    """A table cell that is the half of a sentence."""
    opens = re.match(rf"(?:{SUBORDINATE}|as|nor|and|but|or|than|which|who)"
                     r"\b", cell, re.I)
    return bool(opens) and len(cell.split()) > 2 and not re.search(
        r"[,:] ?\w+|\?$", cell)


def find(number, kind, text):
    """Yield what is found in a block."""
    if kind == "cell" and (half(text) or verbless(text)):
        yield number, "cell", text
    for sentence in sentences(text):
        asked = sentence.rstrip("\"')*").endswith("?")
        for form, pattern in FORMS.items():
            if form in ("who", "what") and (
                    asked or (kind != "text" and form == "what")):
                continue
            for found in pattern.finditer(sentence):
                told = sentence[:found.start()].split()[-4:]
                if form in ("who", "what") and \
                        QUESTION.search(" ".join(told)):
                    continue
                yield number, form, sentence
        if len(re.findall(r"\w[\w'’.-]*", sentence)) > LONG:
            yield number, "long", sentence


def findings(path):
    """What is found in a file, by line."""
    for block in blocks(path):
        yield from find(*block)


def counts(path):
    """Form -> how often in this file."""
    found = dict.fromkeys(NAMES, 0)
    for _, form, _ in findings(path):
        found[form] += 1
    return found


# --- the budget --------------------------------------------------------------

def everything():
    """The files that have a budget, below the current directory."""
    here = pathlib.Path(".")
    return [str(path) for pattern in ALL for path in
            sorted(here.glob(pattern))]


def read_budget(path):
    """File -> [first edition, budget, line]."""
    budget = {}
    for number, line in enumerate(pathlib.Path(path).read_text(
            encoding="utf-8").splitlines(), 1):
        part = line.split("#")[0].split()
        if not part:
            continue
        if len(part) != 3 or not (part[1] + part[2]).isdigit():
            sys.exit(f"{path}:{number}: not of the form: file, count of the "
                     "first edition, budget")
        budget[part[0]] = [int(part[1]), int(part[2]), number]
    return budget


def git(*arguments):
    """What git says; nothing where there is no repository."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    return "" if done.returncode else done.stdout


def recorded(path):
    """File -> the lowest budget that a commit has recorded, counted as today."""
    lowest = {}
    for commit in git("log", "--format=%h", "--", path).split():
        text = git("show", f"{commit}:./{path}")
        if f"# counted: {COUNTED}\n" not in text:
            continue
        for name, _, allowed in re.findall(r"^([^#\s]+) +(\d+) +(\d+)$", text, re.M):
            lowest[name] = min(int(allowed), lowest.get(name, int(allowed)))
    return lowest


def check(path):
    """Compare; returns the exit status."""
    budget, files, status = read_budget(path), everything(), 0
    lowest = recorded(path)
    for name, (first, allowed, number) in budget.items():
        if allowed > lowest.get(name, allowed):
            print(f"{path}:{number}: a budget only falls: {allowed} is above "
                  f"{lowest[name]}, which a commit has recorded")
            status = 1
        if name not in files:
            print(f"{path}:{number}: there is no {name}: remove the line")
            status = 1
        if allowed > first:
            print(f"{path}:{number}: a budget only falls: {allowed} is above "
                  f"the first edition's {first}")
            status = 1
    can_fall = 0
    for name in files:
        now = sum(counts(name).values())
        allowed = budget.get(name, [0, 0, 0])[1]
        if now > allowed:
            for number, form, sentence in findings(name):
                print(f"{name}:{number}: {form}: {sentence}")
            print(f"{name}: {now} forms that make a reader parse twice, "
                  f"{allowed} are allowed: rewrite one of those above "
                  "(tools/book/README.md, \"Prose\")")
            status = 1
        elif now < allowed:
            print(f"{name}: {now} of {allowed}: lower its budget")
            can_fall += 1
    if can_fall:
        print(f"{can_fall} budgets can fall: python3 tools/book/forms.py "
              f"lower {path}")
    return status


def lower(path):
    """Write today's counts where they are below the budget."""
    budget, files, lines = read_budget(path), everything(), []
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        name = (line.split("#")[0].split() or [""])[0]
        if name in budget and name in files:
            first, allowed, _ = budget[name]
            now = min(allowed, sum(counts(name).values()))
            line = f"{name:38s} {first:5d} {now:6d}"
        lines.append(line)
    pathlib.Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def first(commit, path):
    """Write the counts of the first edition's files, by their names of today."""
    renamed = dict(line.split("\t")[1:] for line in
                   git("diff", "-M20%", "--diff-filter=R", "--name-status", commit,
                       "HEAD").splitlines())
    target, lines, left = pathlib.Path(path).resolve(), [], {}
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(["git", "archive", commit], capture_output=True, check=True)
        subprocess.run(["tar", "x", "-C", folder], input=packed.stdout, check=True)
        for name in (str(file.relative_to(folder)) for pattern in ALL
                     for file in pathlib.Path(folder).glob(pattern)):
            left[renamed.get(name, name)] = sum(counts(f"{folder}/{name}").values())
    print(f"{sum(left.values())} in {commit}")
    for line in target.read_text(encoding="utf-8").splitlines():
        part = line.split("#")[0].split()
        if len(part) == 3:
            line = f"{part[0]:38s} {left.pop(part[0], 0):5d} {part[2]:>6s}"
        lines.append(line)
    print(f"{sum(left.values())} of them in files without a line")
    target.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


def table(files):
    """Print the counts of all files."""
    total = dict.fromkeys(NAMES, 0)
    print(f"{'file':38s}", *(f"{name:>6s}" for name in NAMES), "   all")
    for name in files:
        found = counts(name)
        print(f"{name:38s}", *(f"{found[form]:6d}" for form in NAMES),
              f"{sum(found.values()):6d}")
        for form in NAMES:
            total[form] += found[form]
    print(f"{'all':38s}", *(f"{total[form]:6d}" for form in NAMES),
          f"{sum(total.values()):6d}")
    return 0


def selftest(path):
    """Each line: the forms to be found (- for none), kind, text.

    A comment of C has \\n and \\t where its text has a line's end and a tab.
    """
    wrong, looked, seen = 0, 0, set()
    for number, line in enumerate(pathlib.Path(path).read_text(
            encoding="utf-8").splitlines(), 1):
        if line.startswith("#") or not line.strip():
            continue
        wanted, kind, text = line.split(None, 2)
        if kind == "comment":
            text = text.replace("\\n", "\n * ").replace("\\t", "\t")
            parts = list(comments(f"/*\n * {text}\n */"))
        else:
            parts = [(0, kind, text)]
        found = [form for part in parts for _, form, _ in find(*part)]
        looked += 1
        seen.update(found)
        if sorted(found) != sorted(wanted.split("+") if wanted != "-" else []):
            wrong += 1
            print(f"{path}:{number}: wanted {wanted}, found "
                  f"{'+'.join(found) or '-'}: {text}")
    for form in set(NAMES) - seen:
        wrong += 1
        print(f"{path}: no sample has the form '{form}'")
    print(f"{looked} samples, {wrong} wrong")
    return 1 if wrong else 0


def main(arguments):
    """Do what the first argument says."""
    verb, rest = arguments[0], arguments[1:]
    if verb == "show":
        for name in rest or everything():
            for number, form, sentence in findings(name):
                print(f"{name}:{number}: {form}: {sentence}")
        return 0
    if verb == "count":
        return table(rest or everything())
    if verb == "check":
        return check(rest[0])
    if verb == "lower":
        return lower(rest[0])
    if verb == "first":
        return first(rest[0], rest[1])
    if verb == "selftest":
        return selftest(rest[0])
    sys.exit(f"forms.py does not know '{verb}'")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
