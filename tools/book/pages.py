#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Make pages of the book's HTML.

pages.py BODY BOOK EDITION OUT PAPER [pdf]

BODY is what pandoc writes with --section-divs, BOOK the document as pandoc's
JSON (for its title, subtitle and lang). In OUT there will be

  book.html    all of it in one file that needs no other
  index.html, NN-name.html ..., subject-index.html, answers.html
               a page for each chapter, with book.css, book.js, race.js,
               terms.js and search-index.js, which also work from a folder

and PAPER is the file to make a PDF of. With "pdf", index.html leads to the PDF.

Fails when an identifier is there twice, a link leads nowhere, or the pages
weigh more than a phone should have to load.
"""
import base64
import html
import json
import os
import pathlib
import re
import sys
import zlib

import inks
import narrow
import subjects
from plain import plain

HERE = pathlib.Path(__file__).resolve().parent
# With the answers to the exercises, it is no phone's book
LIMIT = 2_300_000 if os.environ.get("ANSWERS") == "1" else 2_000_000
GLOSSARY = "D-glossary.html"
TAG = re.compile(r"<section\b[^>]*>|</section>")


def attribute(tag, name):
    """The value of an attribute of a tag, or an empty string."""
    found = re.search(rf'\s{name}="([^"]*)"', tag)
    return html.unescape(found.group(1)) if found else ""


def meta_text(value):
    """A metadata value of pandoc's JSON as text."""
    content = value.get("c", "") if isinstance(value, dict) else value
    if isinstance(content, list):
        return "".join(meta_text(part) for part in content)
    if isinstance(value, dict) and value.get("t") in ("Space", "SoftBreak"):
        return " "
    return str(content)


class Section:
    """A heading and what stands under it, down to the next heading."""

    def __init__(self, tag, page):
        self.id = attribute(tag, "id")
        self.level = int(re.search(r"level(\d)", tag).group(1))
        self.page = page
        self.title = ""
        self.text = ""
        self.terms = []

    def entry(self):
        """The title as the contents have it: no links, a short number."""
        title = re.sub(r"</?a\b[^>]*>", "", self.title)
        return re.sub(r'(<span class="number">)(?:Chapter|Appendix) ', r"\1",
                      title)


class Page:
    """A chapter: its file, its HTML and its sections, itself the first."""

    def __init__(self, name):
        self.name = name
        self.html = ""
        self.sections = []

    @property
    def title(self):
        """The chapter's title as plain text."""
        return plain(self.sections[0].title)


def terms_of(body):
    """What a section may define: words in italics, and what its listings have
    at the beginning of a line."""
    terms = re.findall(r"<em>([^<]{2,30})</em>", body)
    for code in re.findall(r'<code class="sourceCode c">(.*?)</code>', body, re.S):
        text = html.unescape(re.sub(r"<[^>]*>", "", code))
        terms += re.findall(r"^(?:[a-z][\w *]*?[ *])?(\w+)\(", text, re.M)
        terms += re.findall(r"^struct (\w+) \{", text, re.M)
    return terms


def split(body):
    """The preface, and a Page for each section of level 1."""
    pages, stack, last = [], [], 0
    preface = body[:body.index("<section")] if "<section" in body else body
    for found in TAG.finditer(body):
        if stack:
            stack[-1].text += body[last:found.start()]
        if found.group() == "</section>":
            stack.pop()
            if not stack:
                pages[-1].html = body[pages[-1].start:found.end()]
        else:
            if not stack:
                name = attribute(found.group(), "data-file")
                pages.append(Page((name or f"chapter-{len(pages) + 1}")
                                  + ".html"))
                pages[-1].start = found.start()
            stack.append(Section(found.group(), pages[-1].name))
            pages[-1].sections.append(stack[-1])
        last = found.end()
    for page in pages:
        for section in page.sections:
            heading = re.search(r"<h\d[^>]*>(.*?)</h\d>", section.text, re.S)
            section.title = heading.group(1).strip() if heading else ""
            section.terms = terms_of(section.text)
            section.text = plain(section.text[heading.end():]
                                 if heading else section.text)
    return preface, pages


def breakable(body):
    """Let long names in cells break behind an underscore, not anywhere."""
    def cell(found):
        return re.sub(r"(<code[^>]*>)([^<]{13,})(</code>)",
                      lambda code: code.group(1) +
                      re.sub(r"(?<=\w)([_/])(?=\w)", r"\1<wbr>",
                             code.group(2)) + code.group(3), found.group())
    return re.sub(r"<t[dh]\b.*?</t[dh]>", cell, body, flags=re.S)


def accessible(body):
    """What pandoc does not do for readers who cannot see: an empty corner of a
    table is no heading, what moves sideways takes the focus, and entries of the
    bibliography have a role that is deprecated."""
    body = re.sub(r"<th( [^>]*)?></th>", r"<td\1></td>", body)
    body = re.sub(r"<pre\b(?![^>]*tabindex)", '<pre tabindex="0"', body)
    return body.replace(' role="doc-biblioentry"', "").replace(
        ' role="doc-bibliography"', "")


def lighten(body):
    """Drop the anchor that pandoc gives every line of code, identifiers of
    lines that no link leads to, and groups of gnuplot's with nothing in them."""
    body = re.sub(r"<g [^>]*>\s*</g>\s*", "", body)
    body = re.sub(r'(<span id="[^"]*">)<a href="#[^"]*" aria-hidden="true"'
                  r'(?: tabindex="-1")?></a>', r"\1", body)
    wanted = set(re.findall(r'href="#([^"]*)"', body))
    return re.sub(r'<span id="((?:cb\d+|code-[^"]*)-\d+)">',
                  lambda found: found.group() if found.group(1) in wanted
                  else "<span>", body)


def identifiers(pages, preface):
    """Where each identifier is: identifier -> page. One that is there twice
    ends all."""
    where = {}
    for name, text in [("index.html", preface)] + [(page.name, page.html)
                                                   for page in pages]:
        for found in re.findall(r'\sid="([^"]*)"', text):
            if found in where:
                sys.exit(f"identifier \"{found}\" is in the book twice: in "
                         f"{where[found]} and {name}")
            where[found] = name
    return where


def relink(text, name, where):
    """Let links within the book lead to the page that has the target."""
    def follow(found):
        target = html.unescape(found.group(1))
        if target not in where and target not in ("text", "contents"):
            sys.exit(f"{name}: a link leads to \"{target}\", which is "
                     "nowhere in the book")
        page = where.get(target, name)
        return f'href="{"" if page == name else page}#{found.group(1)}"'
    return re.sub(r'href="#([^"]*)"', follow, text)


def about(page):
    """What a chapter says of itself at its top, as a paragraph for a list."""
    found = re.search(r'<div class="road">\s*<p>(.*?)</p>', page.html, re.S)
    return f'<p class="about">{found.group(1)}</p>' if found else ""


def contents(pages, current=None, one_file=False, said=False):
    """The contents: all chapters, and sections of the current one (of all,
    when the book is one file). said: with what each is about."""
    out = ["<ul>"]
    for page in pages:
        here = page is current
        chapter = page.sections[0]
        link = f"#{chapter.id}" if one_file else page.name
        mark = ' aria-current="page"' if here else ""
        out.append(f'<li><a href="{link}"{mark}>{chapter.entry()}</a>'
                   + (about(page) if said else ""))
        below = [section for section in page.sections[1:]
                 if section.level == 2]
        if below and (here or one_file):
            out.append("<ul>")
            out += [f'<li><a href="#{section.id}">{section.entry()}</a></li>'
                    for section in below]
            out.append("</ul>")
        out.append("</li>")
    return "\n".join(out + ["</ul>"])


def paper_contents(pages):
    """The contents for paper: chapters and sections in one list, which breaks
    into columns."""
    entries = [f'<li class="level{section.level}"><a href="#{section.id}">'
               f"{section.entry()}</a></li>" for page in pages
               for section in page.sections
               if section.level < (2 if page.name == "answers.html" else 3)]
    return '<ul class="all">\n' + "\n".join(entries) + "\n</ul>"


def defined(sections, homes):
    """For each section, what it defines: the terms of the glossary that it explains
    (HOMES), and others that the book sets in italics there for the first time."""
    seen, found = set(homes), []
    for section in sections:
        own = [term.lower() for term in section.terms
               if term.lower() not in seen]
        seen.update(own)
        own += [name for name, home in homes.items() if home.id == section.id]
        found.append(sorted(set(own)))
    return found


def index(pages, homes):
    """What is searched, as JavaScript: for each section where it is, its title
    and what it defines; and the text of all, a line each, deflated."""
    sections = [section for page in pages for section in page.sections]
    chapter = {page.name: page.title for page in pages}
    text = "\n".join(section.text.replace("\n", " ") for section in sections)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(text.encode()) + deflate.flush()
    data = {
        "sections": [[section.page, section.id, plain(section.title),
                      chapter[section.page] if section.level > 1 else "", terms]
                     for section, terms in zip(sections, defined(sections, homes))],
        "text": base64.b64encode(packed).decode(),
    }
    said = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"var BOOK_INDEX = {said};\n"


def read(name):
    """A file from beside this one, without its licence line, comments on lines
    of their own, and indentation: those are for whoever reads the source."""
    text = (HERE / name).read_text(encoding="utf-8")
    text = re.sub(r"^.*SPDX-License-Identifier.*\n", "", text, count=1)
    if name.endswith(".css"):
        text = re.sub(r"/\*.*?\*/\s*", "", text, flags=re.S)
    else:
        text = re.sub(r"^\s*(/\*.*?\*/|//[^\n]*)\n", "", text,
                      flags=re.S | re.M)
    return re.sub(r"^\s+", "", text, flags=re.M)


SEARCH = """<form class="search" role="search" action="index.html">
<label for="search">Search</label>
<input id="search" type="search" autocomplete="off" spellcheck="false"
 role="combobox" aria-expanded="false" aria-controls="found"
 aria-autocomplete="list" aria-keyshortcuts="/" placeholder="Search ( / )">
<ul id="found" role="listbox" aria-label="What was found" hidden></ul>
<p class="count" role="status"></p>
</form>"""


def with_index(body, index):
    """The book with its subject index, which stands before the answers."""
    at = body.find('<section id="answers"')
    return body[:at] + index + body[at:] if at >= 0 else body + index


class Book:
    """What all pages have in common."""

    def __init__(self, body, meta):
        self.meta = meta
        body = narrow.readable(accessible(breakable(lighten(body))))
        pages = split(body)[1]
        glossary = "".join(page.html for page in pages if page.name == GLOSSARY)
        self.terms = subjects.terms_of(glossary)
        if self.terms:
            body = body.replace(glossary,
                                subjects.with_places(glossary, self.terms))
        self.body = with_index(body, subjects.index_of(self.terms, pages))
        self.preface, self.pages = split(self.body)
        for page in self.pages:
            page.html = re.sub(r'\sdata-file="[^"]*"', "", page.html)
        self.body = re.sub(r'\sdata-file="[^"]*"', "", self.body)
        self.where = identifiers(self.pages, self.preface)
        self.template = (HERE / "page.html").read_text(encoding="utf-8")

    def fill(self, **parts):
        """The template with these parts."""
        known = {"lang": html.escape(self.meta["lang"], quote=True),
                 "description": html.escape(self.meta["subtitle"], quote=True),
                 "edition": html.escape(self.meta["edition"]), "turn": "",
                 "heading": "", "scripts": "", **parts}
        return re.sub(r"@(\w+)@", lambda found: known[found.group(1)],
                      self.template)

    def heading(self):
        """The title of the book."""
        return (f'<header><h1 class="title">{html.escape(self.meta["title"])}'
                f'</h1>\n<p class="subtitle">'
                f'{html.escape(self.meta["subtitle"])}</p></header>\n')

    def in_one_file(self):
        """book.html"""
        scripts = ""
        if 'class="race"' in self.body:
            scripts = (f"<script>\n{read('race.js')}</script>\n"
                       f"<script>\n{read('race-page.js')}</script>")
        return self.fill(
            title=html.escape(self.meta["title"]),
            head=f"<style>\n{read('book.css')}</style>", top="",
            contents=contents(self.pages, one_file=True),
            heading=self.heading(), body=self.body, scripts=scripts)

    def on_paper(self):
        """All chapters for WeasyPrint, which knows no variables in shorthands: with
        what they stand for. The preface comes first, then the contents."""
        front = (f'{self.heading()}<p class="edition">'
                 f'{html.escape(self.meta["edition"])}</p>\n'
                 f'<section class="preface"><h1 class="front">Preface</h1>\n'
                 f"{self.preface}</section>\n")
        text = self.fill(
            title=html.escape(self.meta["title"]),
            head=f"<style>\n{read('book.css')}</style>", heading=front,
            top='<h1 class="front">Contents</h1>',
            contents=paper_contents(self.pages),
            body=self.body[len(self.preface):])
        sheet = read("book.css")
        ink = dict(re.findall(r"--([a-z]+): ([^;]+);",
                              sheet[sheet.index("@media print"):]))
        text = re.sub(r"var\(--([a-z]+)\)",
                      lambda found: ink.get(found.group(1), "#222"), text)
        return inks.on_paper(text)

    def chapter(self, name, title, body, current):
        """A page of its own."""
        scripts = ["terms.js", "book.js"]
        if 'class="race"' in body:
            scripts += ["race.js", "race-page.js"]
        place = self.pages.index(current) if current else -1
        turn = []
        if current:
            before = self.pages[place - 1] if place else None
            turn.append(
                f'<a rel="prev" href="{before.name}">'
                f'<span>Previous</span> {before.sections[0].entry()}</a>'
                if before else
                '<a rel="prev" href="index.html"><span>Previous</span> '
                'Title page</a>')
        if place + 1 < len(self.pages):
            after = self.pages[place + 1]
            turn.append(f'<a rel="next" href="{after.name}"><span>Next</span> '
                        f'{after.sections[0].entry()}</a>')
        mark = "" if current else ' aria-current="page"'
        return self.fill(
            title=html.escape(title),
            head='<link rel="stylesheet" href="book.css">',
            top=f'<p class="book"><a href="index.html"{mark}>'
                f'{html.escape(self.meta["title"])}</a></p>\n{SEARCH}',
            contents=contents(self.pages, current),
            body=relink(body, name, self.where),
            turn='<nav class="turn" aria-label="Previous and next">'
                 + "\n".join(turn) + "</nav>",
            scripts="\n".join(f'<script src="{script}"></script>'
                              for script in scripts))

    def title_page(self):
        """index.html"""
        paper = (', or as PDF to print, on <a href="book.pdf">A4</a> or '
                 '<a href="book-letter.pdf">letter</a>'
                 if self.meta["pdf"] else "")
        others = ('<p class="other">The same as '
                  '<a href="book.html">one page</a> for the browser, as '
                  '<a href="book.epub">EPUB</a> for an e-book reader'
                  f"{paper}.</p>")
        return self.chapter(
            "index.html", self.meta["title"],
            self.heading() + self.preface
            + '<section class="overview" aria-label="Chapters">\n'
            + contents(self.pages, said=True) + "</section>\n" + others, None)


def main(arguments):
    """Write all pages."""
    body, document, edition, out, paper, *pdf = arguments
    out = pathlib.Path(out)
    meta = json.loads(pathlib.Path(document).read_text(encoding="utf-8"))
    book = Book(pathlib.Path(body).read_text(encoding="utf-8"),
                {"edition": edition, "pdf": bool(pdf),
                 **{key: meta_text(meta["meta"].get(key, ""))
                    for key in ("title", "subtitle", "lang")}})
    files = {"index.html": book.title_page(), "book.css": read("book.css"),
             "book.js": read("book.js"), "race.js": read("race.js"),
             "race-page.js": read("race-page.js"),
             "search-index.js": index(book.pages,
                                      subjects.homes_of(book.terms, book.pages)),
             "terms.js": subjects.script_of(book.terms, GLOSSARY)}
    for page in book.pages:
        if page.name in files:
            sys.exit(f"two chapters would both be {page.name}")
        files[page.name] = book.chapter(
            page.name, f"{page.title} · {book.meta['title']}", page.html, page)
    whole = book.in_one_file()
    relink(whole, "book.html", {key: "book.html" for key in book.where})
    # What is searched is loaded by those who search
    sizes = {name: len(text.encode()) for name, text in files.items()
             if name != "search-index.js"}
    for what, size in (("the pages together", sum(sizes.values())),
                       ("book.html", len(whole.encode()))):
        print(f"{what}: {size // 1000} kB")
        if size > LIMIT:
            most = sorted(sizes, key=sizes.get)[-3:]
            sys.exit(f"{what}: {size // 1000} kB, more than "
                     f"{LIMIT // 1000}. The largest: " + ", ".join(
                         f"{name} {sizes[name] // 1000} kB" for name in most))
    pathlib.Path(paper).write_text(book.on_paper(), encoding="utf-8")
    for name, text in {**files, "book.html": whole}.items():
        (out / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
