#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""paper.py BBOX.html CSS - does every word of the PDF stand on its page?

BBOX.html is what `pdftotext -bbox` says of the PDF; the margins are those of
@page in CSS. Prints the words that go beyond the side margins or the paper,
and ends with 1 if there are any, or if there are no words at all.
"""
import html
import pathlib
import re
import sys

POINTS_PER_MM = 72 / 25.4
TOLERANCE = 1  # point; glyphs may overhang
SHOWN = 20
PAGE = re.compile(r'<page width="([\d.]+)" height="([\d.]+)">(.*?)</page>', re.S)
WORD = re.compile(r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" '
                  r'yMax="([-\d.]+)">(.*?)</word>', re.S)


def side_margin(css):
    """In points; @page { margin: VERTICALmm SIDEmm }."""
    match = re.search(r"@page \{[^}]*margin: [\d.]+mm ([\d.]+)mm;", css)
    if not match:
        sys.exit("paper.py: the style sheet has no @page { margin: Vmm Smm; }")
    return float(match[1]) * POINTS_PER_MM


def main():
    bbox, css = (pathlib.Path(name).read_text() for name in sys.argv[1:])
    margin, words, beyond = side_margin(css), 0, []
    for number, page in enumerate(PAGE.finditer(bbox), 1):
        width, height = float(page[1]), float(page[2])
        for word in WORD.finditer(page[3]):
            words += 1
            left, top, right, bottom = map(float, word.group(1, 2, 3, 4))
            if (left < margin - TOLERANCE or right > width - margin + TOLERANCE
                    or top < 0 or bottom > height):
                beyond.append(f"page {number}: '{html.unescape(word[5])}' goes beyond"
                              f" the margin (from {left:.0f} to {right:.0f} of"
                              f" {width:.0f} points)")
    if not words:
        sys.exit("paper.py: there is no word in the PDF")
    if beyond:
        print("\n".join(beyond[:SHOWN]))
        sys.exit(f"{len(beyond)} words of the PDF are not on their page: break the"
                 " line, or let it wrap in print (tools/book/book.css)")


main()
