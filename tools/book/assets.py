#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the book's filter cannot do in Lua: SVG, Graphviz, JSON and CSV.

assets.py svg FILE PREFIX ALT   an SVG file, fit to stand inside HTML
assets.py dot PREFIX ALT        Graphviz on stdin, to the same
assets.py meta FOLDER           meta.json as lines "key<TAB>value"
assets.py table FOLDER FILE     summary.csv or insn.csv as tab-separated lines

On failure it prints one sentence on stdout, for the filter to pass on
together with the place in the chapter, and exits with 1.
"""
import csv
import html
import json
import pathlib
import re
import subprocess
import sys


class Problem(Exception):
    """Something the author of a chapter can mend."""


def read(path):
    """The text of a file of this repository."""
    try:
        return pathlib.Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as reason:
        raise Problem(f"cannot read {path}: {reason}") from reason


def without_the_unused(text):
    """Leave out what costs bytes in a page and shows nothing.

    gnuplot defines each sign that it knows, and Graphviz names each node: drop
    definitions and names that nothing in the drawing refers to.
    """
    named = r"\bid\s*=\s*(['\"])([^'\"]+)\1"
    left = None
    while left != text:
        left = text
        used = set(re.findall(r"#([^'\")\s]+)", text))

        def kept(found, used=used):
            name = re.search(named, found.group())
            return "" if name and name.group(2) not in used else found.group()

        text = re.sub(r"<defs>.*?</defs>",
                      lambda defs: re.sub(
                          r"<(?:path|rect|circle|use)\b[^<>]*/>|"
                          r"<(filter|pattern)\b.*?</\1>",
                          kept, defs.group(), flags=re.S),
                      text, flags=re.S)
    text = re.sub(r"\s" + named,
                  lambda name: name.group() if name.group(2) in used else "",
                  text)
    text = re.sub(r"\sclass=\"(?:graph|node|edge|cluster)\"", "", text)
    return re.sub(r">\s*\n\s*<", ">\n<", text)


# Colours and styles stay as they are written: the page and the paper look for them.
# scour knows no href but xlink's, so what is unused is for us to see.
SCOUR = ["scour", "-q", "--strip-xml-prolog", "--enable-comment-stripping", "--indent=none",
         "--no-line-breaks", "--disable-group-collapsing", "--disable-simplify-colors",
         "--disable-style-to-xml", "--keep-unreferenced-defs"]


def scoured(text):
    """A drawing that looks the same, in half of the bytes."""
    done = subprocess.run(SCOUR, input=text, capture_output=True, text=True, check=False)
    if done.returncode or "<svg" not in done.stdout:
        raise Problem(f"scour cannot read it: {done.stderr.strip()[-200:]}")
    return done.stdout


def inline(text, prefix, alt):
    """Make a stand-alone SVG part of a page.

    Identifiers get a prefix, since two drawings of one program use the same
    ones; the size is left to the style sheet; a screen reader gets ALT.
    """
    start = text.find("<svg")
    end = text.rfind("</svg>")
    if start < 0 or end < 0:
        raise Problem("there is no <svg> element in it")
    text = text[start:end + len("</svg>")]
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    if re.search(r"<script|<foreignObject|\son\w+\s*=", text):
        raise Problem("the drawing carries scripts; the book takes none")
    if re.search(r"<image\b|href\s*=\s*['\"](?!#|data:)", text):
        raise Problem("the drawing needs other files, which a reader "
                      "without a network does not have")
    text = without_the_unused(scoured(text)).strip()
    names = set(re.findall(r"\bid\s*=\s*['\"]([^'\"]+)['\"]", text))
    for name in names:
        quoted = re.escape(name)
        text = re.sub(rf"(\bid\s*=\s*['\"]){quoted}(['\"])",
                      rf"\g<1>{prefix}-{name}\g<2>", text)
        text = re.sub(rf"(#){quoted}(['\")\s])",
                      rf"\g<1>{prefix}-{name}\g<2>", text)
    head, rest = text.split(">", 1)
    head = re.sub(r"\s(role|aria-\w+)\s*=\s*(\"[^\"]*\"|'[^']*')", "", head)
    size = dict(re.findall(r"\b(width|height)\s*=\s*['\"]([\d.]+)", head))
    if "viewBox" not in head:
        if len(size) != 2:
            raise Problem("the drawing has neither viewBox nor size")
        head += f' viewBox="0 0 {size["width"]} {size["height"]}"'
    head = re.sub(r"\s(width|height)\s*=\s*(\"[^\"]*\"|'[^']*')", "", head)
    label = html.escape(alt, quote=True)
    # The grey of bench/plots/style.gp becomes the page's, light or dark, if
    # nothing in between makes black of it.
    rest = re.sub(r"\scolor=(\"black\"|'black')", "", rest)
    rest = re.sub(r"rgb\(128, *128, *128\)|#808080", "currentColor", rest)
    rest = re.sub(r"<title>.*?</title>", "", rest, flags=re.S)
    return f'{head} role="img" aria-label="{label}">{rest}'


def dot(source, prefix, alt):
    """Draw a graph in the colours of the page around it."""
    try:
        drawn = subprocess.run(
            ["dot", "-Tsvg", "-Gbgcolor=transparent", "-Nfontname=sans-serif",
             "-Efontname=sans-serif", "-Gfontname=sans-serif"],
            input=source, capture_output=True, text=True, check=False)
    except OSError as reason:
        raise Problem(f"cannot run dot (package graphviz): {reason}") \
            from reason
    if drawn.returncode or drawn.stderr.strip():
        raise Problem("dot says: " + " ".join(drawn.stderr.split()))
    width = re.search(r'<svg width="(\d+)pt"', drawn.stdout)
    text = inline(drawn.stdout, prefix, alt)
    # Black becomes the colour of the text, so that it shows in the dark.
    text = re.sub(r'(fill|stroke)="black"', r'\1="currentColor"', text)
    text = text.replace("<text ", '<text fill="currentColor" ')
    text = re.sub(r'(<text fill=)"currentColor"([^>]*) fill="[^"]*"',
                  r'\1"currentColor"\2', text)
    if width:
        text = text.replace(
            "<svg", f'<svg style="max-width: {width.group(1)}pt"', 1)
    return text


def flat(value):
    """One line of text for a value out of JSON."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (dict, list)):
        value = json.dumps(value)
    return re.sub(r"\s+", " ", str(value))


def meta(folder):
    """What a folder of results says about its machine."""
    path = f"{folder}/meta.json"
    try:
        values = json.loads(read(path))
    except ValueError as reason:
        raise Problem(f"{path} is not JSON: {reason}") from reason
    return "\n".join(f"{key}\t{flat(value)}"
                     for key, value in values.items()
                     if value is not None)


def table(folder, name):
    """A table of a folder of results, header first."""
    text = read(f"{folder}/{name}")
    lines = [line for line in text.splitlines()
             if line and not line.startswith("#")]
    return "\n".join("\t".join(cell.strip() for cell in row)
                     for row in csv.reader(lines))


def main(arguments):
    """Do what the first argument says."""
    verb, rest = arguments[0], arguments[1:]
    if verb == "svg":
        return inline(read(rest[0]), rest[1], rest[2])
    if verb == "dot":
        return dot(sys.stdin.read(), rest[0], rest[1])
    if verb == "meta":
        return meta(rest[0])
    if verb == "table":
        return table(rest[0], rest[1])
    raise Problem(f"assets.py does not know '{verb}'")


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:]))
    except Problem as problem:
        print(problem)
        sys.exit(1)
