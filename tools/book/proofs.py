#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Which tests and mutants there are, so that the book need not be told.

proofs.py list
    what tests/t-*.c and tests/mutants/*.patch have, for the filter, as lines
    test<TAB>name<TAB>guarantee<TAB>file<TAB>"twice" if run in both modes
    mutant<TAB>name<TAB>guarantee<TAB>variants, none if all<TAB>tests<TAB>
        models<TAB>bugs of the skeleton<TAB>first paragraph of the head
proofs.py names WORDS CHAPTER...
    looks up what stands in backticks and looks like a test or a mutant: g2_x
    and event_x (globs, too) must be a test; two-words must be a mutant or one of WORDS, a
    file with all such words of the code. What comes right behind "mutant" or
    "mutants" must be one. Prints what is wrong and ends with 1 if anything is

Both read the tree that is the working directory.
"""
import fnmatch
import pathlib
import re
import sys

from prose import backticks, lines_of

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "tests/mutants"))
import patches  # noqa: E402 pylint: disable=wrong-import-position

TEST = re.compile(r'^(TEST\w*|SCENARIO)\((?:"\w+", )?(\w+),', re.M)
QUOTED = r"`([^`]+)`"
AFTER_MUTANT = re.compile(
    rf"\bmutants? ((?:{QUOTED}(?:, and |, | and )?)+)")


def tests():
    """(name, file, in both modes?) of each test."""
    for path in sorted(pathlib.Path("tests").glob("t-*.c")):
        for kind, name in TEST.findall(path.read_text(encoding="utf-8")):
            if kind == "SCENARIO":
                name = "event_" + name
            yield name, str(path), kind == "TEST_BOTH_MODES"


def mutants():
    """All mutants."""
    for path in sorted(pathlib.Path("tests/mutants").glob("*.patch")):
        yield patches.Mutant(path.resolve())


def guarantee(name):
    """G2 for g2_something; nothing for a test of no guarantee."""
    found = re.match(r"g(\d+)_", name)
    return f"G{found.group(1)}" if found else ""


def first_words(mutant):
    """The first paragraph of its head, as one line."""
    text = "\n".join(line for line in mutant.head if not line.startswith("#"))
    return re.sub(r"\s+", " ", text.strip().split("\n\n")[0])


def list_all():
    """One line for each test and mutant."""
    for name, file, both in tests():
        print("test", name, guarantee(name), file, "twice" if both else "",
              sep="\t")
    for mutant in mutants():
        bugs = re.findall(r"\b4\.\d+\b", " ".join(mutant.fields["Breaks"]))
        models = ", ".join(" ".join(check) for check in mutant.models)
        only_in = mutant.variants if set(mutant.variants) < set(patches.VARIANTS) else ()
        print("mutant", mutant.name, mutant.guarantee, " ".join(only_in),
              " ".join(mutant.globs()), models, " ".join(bugs), first_words(mutant), sep="\t")
    return 0


def names(words, paths):
    """Look names up."""
    known_tests = set()
    for name, _, both in tests():
        known_tests.add(name)
        if both:
            known_tests.add(name + "_rmap_only")
    known_mutants = {mutant.name for mutant in mutants()}
    others = set(pathlib.Path(words).read_text(encoding="utf-8").split())
    problems, looked = [], 0
    for path in paths:
        for number, piece in backticks(path):
            if re.fullmatch(r"(g\d+|event)_[\w*?]+", piece):
                looked += 1
                if not fnmatch.filter(known_tests, piece):
                    problems.append(f"{path}:{number}: there is no test "
                                    f"`{piece}` in tests/t-*.c")
            elif re.fullmatch(r"[a-z]+(?:-[a-zA-Z]+)+", piece):
                looked += 1
                if piece not in known_mutants | others:
                    problems.append(f"{path}:{number}: `{piece}` is neither "
                                    "in tests/mutants nor in the code")
        for number, line, code in lines_of(path):
            for listed in () if code else AFTER_MUTANT.findall(line):
                for piece in re.findall(QUOTED, listed[0]):
                    looked += 1
                    if piece not in known_mutants:
                        problems.append(f"{path}:{number}: there is no "
                                        f"mutant `{piece}` in tests/mutants")
    print("\n".join(problems + [f"{looked} tests and mutants looked up"]))
    return 1 if problems else 0


def main(arguments):
    """Do what the first argument says."""
    if arguments[:1] == ["list"]:
        return list_all()
    if arguments[:1] == ["names"] and len(arguments) > 2:
        return names(arguments[1], arguments[2:])
    sys.exit("Say proofs.py list, or proofs.py names WORDS CHAPTER...")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except patches.Trouble as trouble:
        print(trouble)
        sys.exit(1)
