#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The terms of the glossary: where the book explains and uses them.

pages.py asks for a subject index (HTML and PDF), and for what the pages need to
show a term's meaning where it stands (terms.js, read by book.js).
"""
import html
import json
import re
import unicodedata

from plain import plain

OFTEN = 3	# times in a section: the section uses the term, not only names it
AT_MOST = 6	# such sections of a term, those with the most
ENTRY = re.compile(r"<dt>(.*?)</dt>\s*<dd>(.*?)</dd>", re.S)


class Term:
    """A word of the glossary."""

    def __init__(self, heading, meaning):
        self.heading = plain(heading)
        self.meaning = plain(meaning)
        # The first section that the entry names explains the term
        home = re.search(r'href="#((?:sec|ch)-[^"]*)"', meaning)
        self.home = home.group(1) if home else ""
        # "copy on write (COW)" is known by either name, "pte, pmd" by each
        names = re.split(r"[,()/]", self.heading)
        self.names = [name.strip() for name in names if name.strip()]
        self.id = "term-" + re.sub(r"\W+", "-", self.heading.lower()).strip("-")
        # A name of one word in capitals means itself only: GUP is no gup
        self.found = re.compile(
            r"(?<![\w-])(?:" + "|".join(
                re.escape(name) + ("s?" if name[-1].isalpha() else "")
                for name in self.names) + r")(?![\w-])",
            0 if self.names[0].isupper() else re.I)


def terms_of(page):
    """All terms of the glossary's HTML."""
    return [Term(*entry) for entry in ENTRY.findall(page)]


def with_places(page, terms):
    """The glossary's HTML, each entry with its term's identifier."""
    left = iter(terms)
    return ENTRY.sub(lambda entry: entry.group().replace(
        "<dt>", f'<dt id="{next(left).id}">', 1), page)


def number_of(section):
    """A section's number: 6.2, or 6 for a chapter."""
    found = re.search(r'class="number">(?:Chapter |Appendix )?([\w.]+)',
                      section.title)
    return found.group(1) if found else ""


def explains(section, term):
    """Does the glossary name it, is the term its title, or in italics in it?"""
    title = re.sub(r"^(?:(?:Chapter )?[\d.]+ )?(?:(?:The|A|An) )?", "",
                   plain(section.title))
    return (3 if section.id == term.home else
            2 if term.found.fullmatch(title) else
            1 if any(term.found.fullmatch(word) for word in section.terms) else 0)


def explained_in(term, sections):
    """The section that explains a term; None if none does."""
    best = max(sections, key=lambda section: explains(section, term))
    return best if explains(best, term) else None


def numbered(pages):
    """The sections of the chapters, in order."""
    return [section for page in pages if page.name[0].isdigit()
            for section in page.sections if number_of(section)]


def homes_of(terms, pages):
    """Each name of a term, in small letters, and the section that explains it."""
    sections = numbered(pages)
    found = {}
    for term in terms if sections else []:
        section = explained_in(term, sections)
        if section:
            found.update((name.lower(), section) for name in term.names)
    return found


def places_of(term, sections):
    """The sections that a reader of the index is sent to, each with True if it
    is the first that explains the term."""
    used = []
    explained = explained_in(term, sections)
    for section in sections:
        times = len(term.found.findall(section.text))
        if times >= OFTEN:
            used.append((times, section))
    most = sorted(used, key=lambda pair: -pair[0])[:AT_MOST]
    wanted = {section.id for _, section in most}
    if explained:
        wanted.add(explained.id)
    return [(section, section is explained) for section in sections
            if section.id in wanted]


def letter_of(term):
    """What a term is sorted by."""
    return unicodedata.normalize("NFKD", term.heading).lower()


def index_of(terms, pages):
    """The subject index, as a section of the book, or nothing."""
    sections = numbered(pages)
    rows = []
    for term in sorted(terms, key=letter_of):
        links = []
        for section, explained in places_of(term, sections):
            number = number_of(section)
            links.append(f'<a href="#{section.id}" title="'
                         f'{html.escape(plain(section.title), quote=True)}">'
                         + (f"<b>{number}</b>" if explained else number) + "</a>")
        if links:
            rows.append(f'<li><a href="#{term.id}">{html.escape(term.heading)}'
                        f'</a> <span class="places">{", ".join(links)}</span></li>')
    if not rows:
        return ""
    return ('<section id="subject-index" class="level1" '
            'data-file="subject-index">\n<h1>Subject index</h1>\n'
            "<p>A term leads to the glossary, a number to a section of a chapter. "
            "The section in <b>bold</b> explains the term, the others use it "
            'most.</p>\n<ul class="subjects">\n' + "\n".join(rows)
            + "\n</ul>\n</section>\n")


def script_of(terms, page):
    """What book.js shows beside a term, as JavaScript."""
    said = json.dumps([[term.names, f"{page}#{term.id}", term.meaning]
                       for term in terms], ensure_ascii=False,
                      separators=(",", ":"))
    return f"var BOOK_TERMS = {said};\n"
