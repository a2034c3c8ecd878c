#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""paper.py BBOX CSS [SIZE INFO FONTS PDF] - is the PDF fit for paper?

BBOX is what `pdftotext -bbox` says of the PDF; the margins are those of @page in CSS.
Prints each word that goes beyond the side margins or the paper, each page that is
less than a third full though no chapter ends there, each page without a running head,
and contents that do not follow the preface or take more than three pages.

SIZE (A4 or letter) is the paper, INFO what `pdfinfo` says, FONTS what `pdffonts`
says: the PDF has that size and tags, carries its fonts, and has bookmarks.

Ends with 1 if there is anything to print, or no word at all.
"""
import html
import pathlib
import re
import sys
import zlib

POINTS_PER_MM = 72 / 25.4
TOLERANCE = 1  # point; glyphs may overhang
TITLE = 24  # points: a word at the margin as high as that is of a chapter's title
LEAST = 1 / 3  # of a page
MOST_CONTENTS = 3  # pages
SHOWN = 20
PAPERS = {"A4": (595, 842), "letter": (612, 792)}
PAGE = re.compile(r'<page width="([\d.]+)" height="([\d.]+)">(.*?)</page>', re.S)
WORD = re.compile(r'<word xMin="([-\d.]+)" yMin="([-\d.]+)" xMax="([-\d.]+)" '
                  r'yMax="([-\d.]+)">(.*?)</word>', re.S)


def margins_of(css):
    """Above and beside the text, in points; @page { margin: VERTICALmm SIDEmm }."""
    match = re.search(r"@page \{[^}]*margin: ([\d.]+)mm ([\d.]+)mm;", css)
    if not match:
        sys.exit("paper.py: the style sheet has no @page { margin: Vmm Smm; }")
    return [float(length) * POINTS_PER_MM for length in match.groups()]


class Page:
    """A page: its words, and what stands above, in and beside its text."""

    def __init__(self, number, found, margins):
        self.number = number
        self.width, self.height = float(found[1]), float(found[2])
        self.top, self.side = margins
        self.words = [(*map(float, word.group(1, 2, 3, 4)), html.unescape(word[5]))
                      for word in WORD.finditer(found[3])]
        self.head = [word for word in self.words if word[3] <= self.top]
        self.text = [word for word in self.words if word[3] > self.top
                     and word[1] < self.height - self.top]
        starts = [word for word in self.text if word[3] - word[1] > TITLE
                  and abs(word[0] - self.side) < 2 * TOLERANCE]
        self.title = " ".join(word[4] for word in self.text for start in starts[-1:]
                              if abs(word[1] - start[1]) < 2 * TOLERANCE)

    @property
    def full(self):
        """How much of the page is used: down to the last word."""
        last = max((word[3] for word in self.text), default=self.top)
        return (last - self.top) / (self.height - 2 * self.top)

    def beyond(self):
        """What goes beyond a margin."""
        for left, top, right, bottom, word in self.words:
            low = top > self.height - self.top + TOLERANCE
            if (left < self.side - TOLERANCE or top < 0 or bottom > self.height
                    or low and not word.isdigit()
                    or right > self.width - self.side + TOLERANCE):
                yield (f"page {self.number}: '{word}' goes beyond the margin (from "
                       f"{left:.0f} to {right:.0f} of {self.width:.0f} points)")


def empty(pages):
    """Pages that are mostly empty, and go on with the same chapter."""
    for page, after in zip(pages, pages[1:]):
        if page.full < LEAST and not after.title:
            yield (f"page {page.number}: {100 * page.full:.0f} % full, and no chapter "
                   "ends there")


def heads(pages):
    """Pages that do not say which chapter they are of."""
    for page in pages[1:]:
        if not page.head and not page.title:
            yield f"page {page.number}: no running head"


def order(pages):
    """The preface, then the contents, which are short."""
    titles = [page for page in pages if page.title]
    names = [page.title for page in titles]
    if names[:2] != ["Preface", "Contents"]:
        yield f"the book begins with {names[:2]}, not with its preface and contents"
    elif len(titles) > 2:
        length = titles[2].number - titles[1].number
        if length > MOST_CONTENTS:
            yield f"the contents take {length} pages"


def has_bookmarks(pdf):
    """Does the PDF lead to its chapters by an outline?"""
    if b"/Outlines" in pdf:
        return True
    for stream in re.finditer(rb"stream\r?\n(.*?)endstream", pdf, re.S):
        try:
            if b"/Outlines" in zlib.decompress(stream[1]):
                return True
        except zlib.error:
            continue
    return False


def made(size, info, fonts, pdf):
    """What the file itself lacks."""
    found = re.search(r"Page size: +([\d.]+) x ([\d.]+)", info)
    if not found or any(abs(float(have) - want) > 1 for have, want in
                        zip(found.groups(), PAPERS[size])):
        yield f"the paper is not {size}"
    if not re.search(r"^Tagged: +yes", info, re.M):
        yield "the PDF is not tagged"
    if not has_bookmarks(pdf):
        yield "the PDF has no bookmarks"
    for line in fonts.splitlines()[2:]:
        if " yes " not in line[54:]:
            yield f"the PDF does not carry a font: {line.split()[0]}"


def main(arguments):
    """Say what is wrong."""
    bbox, css = (pathlib.Path(name).read_text() for name in arguments[:2])
    margins = margins_of(css)
    pages = [Page(number, found, margins)
             for number, found in enumerate(PAGE.finditer(bbox), 1)]
    if not any(page.words for page in pages):
        sys.exit("paper.py: there is no word in the PDF")
    beyond = [line for page in pages for line in page.beyond()]
    wrong = [*empty(pages), *heads(pages)]
    if len(arguments) > 2:
        size, info, fonts, pdf = arguments[2:]
        wrong += order(pages)
        wrong += made(size, pathlib.Path(info).read_text(),
                      pathlib.Path(fonts).read_text(),
                      pathlib.Path(pdf).read_bytes())
    print("\n".join(beyond[:SHOWN] + wrong))
    if beyond:
        print(f"{len(beyond)} words of the PDF are not on their page: break the"
              " line, or let it wrap in print (tools/book/book.css)")
    if beyond or wrong:
        sys.exit(1)
    thin = sorted(pages[:-1], key=lambda page: page.full)[:3]
    print(f"{len(pages)} pages; the emptiest: " + ", ".join(
        f"{page.number} ({100 * page.full:.0f} %)" for page in thin))


main(sys.argv[1:])
