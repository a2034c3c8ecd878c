#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The drawings of a page, for paper.

WeasyPrint knows no currentColor, and no colour that a <use> hands to what it
uses: gnuplot's markers would all be black. Here each marker becomes a copy of
its shape in its own colour, and the lines of the grid become pale.
"""
import re

INK = "#222"
GRID = "#bbb"
TALL = 1.5  # times as high as wide: gets a page of its own
MARKER = re.compile(r"""<use\b([^>]*?)\sxlink:href=['"]#([^'"]*)['"]([^>]*?)/>""")
DEFINED = re.compile(r"""<(?:path|rect|circle|use)\b[^>]*?\bid=['"]([^'"]*)['"]"""
                     r"[^>]*/>")
SIZE = re.compile(r'viewBox="[-\d.]+ [-\d.]+ ([\d.]+) ([\d.]+)"')
GRIDLINE = re.compile(r"""<[^>]*\sclass="gridline"[^>]*>""")
COLOR = re.compile(r"""\scolor=(['"])(.*?)\1""")


def shape(name, known, color):
    """What is known by that name, in that colour."""
    text = re.sub(r"""\sid=(['"]).*?\1""", "", known[name])
    used = MARKER.fullmatch(text)
    if used:
        before, other, after = used.groups()
        text = f"<g{before}{after}>{shape(other, known, color)}</g>"
    return text.replace("currentColor", color)


def marked(svg):
    """A drawing without <use>, where it uses shapes of its own."""
    known = {found.group(1): found.group() for found in DEFINED.finditer(svg)}

    def copy(found):
        before, name, after = found.groups()
        rest = before + after
        if name not in known:
            return found.group()
        color = COLOR.search(rest)
        color = color.group(2) if color else "currentColor"
        return f"<g{COLOR.sub('', rest)}>{shape(name, known, color)}</g>"
    head, end, body = svg.rpartition("</defs>")
    return re.sub(r"<defs>.*?</defs>", "", head + end, flags=re.S) + \
        MARKER.sub(copy, body) if end else svg


def on_paper(page):
    """A page whose drawings WeasyPrint draws as a browser does."""
    def drawing(found):
        svg = found.group()
        if "<use" in svg:
            svg = marked(svg)
        svg = GRIDLINE.sub(lambda line: line.group().replace("currentColor", GRID), svg)
        width, height = map(float, SIZE.search(svg).groups())
        if height > TALL * width:
            svg = svg.replace("<svg", '<svg class="tall"', 1)
        return svg.replace("currentColor", INK)
    return re.sub(r"<svg\b.*?</svg>", drawing, page, flags=re.S)
