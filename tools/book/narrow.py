#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What a page needs to be read on a phone (book.css does the rest).

A table of many columns, or of four with long cells, becomes rows below each other, each
cell behind the name of its column. A plot whose curves are named at their ends gets a legend of its own, as those
names would be too small. Text in columns keeps its lines: it must not wrap.
"""
import html
import re

from plain import plain

MANY = 5  # columns; fewer fit on 390 pixels
FOUR = 4  # fewer of them fit, where each has a sentence or a name of the code's
LONG = 40  # characters of a cell, on average
WORD = 16  # characters of the longest word
NAME = re.compile(r'<g transform="translate\(([\d.]+),[\d.]+\)" stroke="none" '
                  r'fill="(rgb\([^"]*\))"[^>]*>\s*<text>(.*?)</text>', re.S)
ROW = re.compile(r"^ ?\*? ?.*\S {4,}\S", re.M)
ENDS_DIFFER = 20  # of the drawing's units: names at the ends stand in a column


def is_wide(heads, rows):
    """Does a phone break its words into pieces? (Where the first column has no name, it
    numbers the steps of tasks that stand beside each other.)"""
    cells = [plain(cell) for cell in re.findall(r"<td\b[^>]*>(.*?)</td>", rows, re.S)]
    words = [word for cell in cells for word in cell.split()]
    return len(heads) >= MANY or (len(heads) == FOUR and all(heads) and (
        sum(map(len, cells)) > LONG * len(cells) or max(map(len, words)) > WORD))


def stacked(body):
    """Tables of many columns, with the columns' names for the style sheet."""
    def table(found):
        heads = [plain(cell) for cell in
                 re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>",
                            found.group(2).partition("</tr>")[0], re.S)]
        if not is_wide(heads, found.group(2)):
            return found.group()
        names = ";".join(f"--h{number}:'{head}'"
                         for number, head in enumerate(heads, 1)
                         if head and not re.search(r"['\\]", head))
        return (f'<table class="stack" style="{html.escape(names, quote=True)}">'
                + found.group(2))
    return re.sub(r"(<table>)(\s*(?:<colgroup>.*?</colgroup>\s*)?<thead>.*?</table>)",
                  table, body, flags=re.S)


def with_legends(body):
    """Plots with curves, each with a legend that a phone shows."""
    def plot(found):
        names = NAME.findall(found.group())
        places = [float(place) for place, _, _ in names]
        if len(names) < 2 or max(places) - min(places) > ENDS_DIFFER:
            return found.group()
        legend = "".join(f'<span><i style="background-color: {color}"></i>'
                         f"{name}</span> " for _, color, name in names)
        text = NAME.sub(lambda name: name.group().replace(
            "<g ", '<g class="end" ', 1), found.group())
        return text.replace('<figure class="plot"', '<figure class="plot curves"', 1) \
            .replace('<div class="scroll"', '<p class="legend" aria-hidden="true">'
                     f'{legend}</p>\n<div class="scroll"', 1)
    return re.sub(r'<figure class="plot".*?</figure>', plot, body, flags=re.S)


def in_columns(body):
    """Mark what must not wrap: console output and comments drawn in columns."""
    def block(found):
        text = html.unescape(re.sub(r"<[^>]*>", "", found.group(3)))
        rows = [row for row in ROW.findall(text)
                if found.group(2) == "console" or "*" in row[:3]]
        if len(rows) < 3:
            return found.group()
        return found.group().replace(found.group(2), found.group(2) + " columns", 1)
    return re.sub(r'<pre\b([^>]*?)\bclass="([^"]*)"[^>]*>(.*?)</pre>', block, body,
                  flags=re.S)


def readable(body):
    """All of it."""
    return in_columns(with_legends(stacked(body)))
