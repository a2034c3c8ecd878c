# SPDX-License-Identifier: GPL-2.0
"""predicting.py - lab 7: what `workload` counts in each variant, to be said beforehand

Workloads and their numbers are those of tests/workload.c. The seed draws six, and
four questions for each, for the first one five. There are no answers here: the
workloads run in a guest. Whoever is overtaken there is parked at a test point, so
that each run counts the same.
"""

import re

import random

from answers import in_guest
from patches import VARIANTS
from places import Trouble

REMARK = "the device has no entries when a workload begins"
ALL = ",".join(VARIANTS)
NEAR, ROUGH = 2, 4  # a number is right within this factor, and half right within that

# What is asked of each: counts, in variants of which one is drawn; and in which
# variants there are any, or more than calls
WORKLOADS = {
    "overtaken other": ("batches:split-ptl,rcu-list", "batches:interval", "vain:spinlock",
                        "invalidations:split-ptl,rcu-list", "invalidations:interval",
                        "which:retries"),
    "overtaken same": (f"batches:{ALL}", f"vain:{ALL}", f"invalidations:{ALL}", "which:retries"),
    "amid": ("late:spinlock", "late:interval", "late:split-ptl,rcu-list",
             "early:split-ptl,rcu-list", "which:waiting"),
    "forget": ("invalidations:interval", "invalidations:spinlock,split-ptl,rcu-list",
               "zapped:interval", "which:invalidations"),
    "aliases": (f"rmap_zaps:{ALL}", f"rmap_callbacks:{ALL}", f"entries:{ALL}",
                f"populated:{ALL}"),
    "leave": ("waiting:spinlock,split-ptl,interval", "done:rcu-list", f"zapped:{ALL}",
              "which:waiting"),
    "reads": (f"faults:{ALL}", f"populated:{ALL}", f"tables:{ALL}", f"entries:{ALL}"),
}
DIFFER = ("overtaken other", "amid", "forget", "leave")  # variants do, in these
ASKED = (5, 4, 4, 4, 4, 4)

KINDS = {
    "batches": "how many batches are begun, those that are begun again among them",
    "retries": "how many batches are begun again",
    "vain": "how many pages are looked up in vain",
    "populated": "how many entries are made",
    "zapped": "how many entries are removed",
    "entries": "how many entries does the device have at the end",
    "tables": "how many leaf tables are there at the end",
    "invalidations": "how often does the driver hear that an invalidation starts",
    "rmap_callbacks": "how often does the rmap chain hand a page to a variant",
    "rmap_zaps": "how many entries does the rmap chain remove",
    "faults": "how often does the device miss",
    "waiting": "how many calls wait until what is parked goes on",
    "done": "how many calls are over before what is parked goes on",
    "early": "how many entries are made before what is parked goes on",
    "late": "how many entries are made only when what is parked goes on",
}
WHICH = {  # of a counter: in which variants there is any, and in which there is none
    "retries": ("any batch begun again", "no batch begun again"),
    "waiting": ("there a call that waits until what is parked goes on",
                "there no call that waits until what is parked goes on"),
    "invalidations": ("the driver told of more invalidations than there are calls of madvise",
                      "the driver told of no more invalidations than there are calls of madvise"),
}
FORMS = {"number": "a number", "names": "names of variants, or none"}


# --- what is asked ------------------------------------------------------------

class Question:
    """One of the 25."""

    def __init__(self, draw, key, command, word):
        self.key, self.command = key, command
        self.kind, _, of = word.partition(":")
        self.which = of if self.kind == "which" else None
        self.variant, self.none = draw.choice(of.split(",")), draw.random() < 0.5
        self.form = "names" if self.which else "number"

    @property
    def text(self):
        return (f"in which variants is {WHICH[self.which][self.none]}?" if self.which else
                f"{self.variant}: {KINDS[self.kind]}?")

    @property
    def hint_of_form(self):
        return FORMS[self.form]

    def plain(self, answer):
        """As it is compared; a sentence in a ValueError for what cannot be meant."""
        if self.form == "number":
            if not re.fullmatch(r"[0-9]{1,9}", answer):
                raise ValueError("a number is wanted")
            return str(int(answer))
        names = answer.lower().replace(",", " ").split()
        if names == ["none"]:
            return "none"
        if not names or not set(names) <= set(VARIANTS):
            raise ValueError(f"it has something besides {', '.join(VARIANTS)}; or say none")
        return named(names)

    def miss(self, truth):
        """Wrong, but not by much: for the checks of the grader."""
        if self.form == "number":
            return str(NEAR * int(truth) + 1)
        return "none" if truth != "none" else "interval"

    def judge(self, plain, truth):
        if self.form == "number":
            return within(int(plain), int(truth))
        return "ok" if plain == truth else "failed"

    def truth(self, counts):
        """What was counted, variant -> counter -> number."""
        if not self.which:
            return str(counts[self.variant][self.kind])
        least = calls_of(self.command) if self.which == "invalidations" else 0
        return named([v for v in VARIANTS if (counts[v][self.which] > least) != self.none])


def named(variants):
    return " ".join(v for v in VARIANTS if v in variants) or "none"


def within(said, true):
    """A verdict on a number; only 0 is near to 0."""
    for factor, verdict in ((NEAR, "ok"), (ROUGH, "half")):
        if true <= factor * said and said <= factor * true:
            return verdict
    return "failed"


def calls_of(command):
    return int(command.split()[-1])


def spread(draw, low, high):
    """A number such that all orders of magnitude are as likely."""
    return round(low * (high / low) ** draw.random())


def numbers(draw, name):
    """The words behind the name of a workload."""
    if name == "overtaken other":
        pages = spread(draw, 60, 500)
        return pages, spread(draw, pages / 3, pages), spread(draw, 8, 400), spread(draw, 2, 60)
    if name == "overtaken same":
        pages = spread(draw, 30, 500)
        return pages, spread(draw, 2, pages), spread(draw, 2, 400), spread(draw, 2, 60)
    if name == "amid":
        if draw.random() < 0.7:  # there is no room for all of them in a record
            return (draw.randint(18, 28), draw.randint(20, 28), draw.randint(14, 30),
                    spread(draw, 1, 200))
        count = draw.randint(2, 16)
        return count, draw.randint(1, count), spread(draw, 2, 30), spread(draw, 1, 200)
    if name == "forget":
        tables = spread(draw, 8, 100)
        return tables, spread(draw, 4, tables), spread(draw, 2, 300)
    if name == "aliases":
        pages = spread(draw, 8, 300)
        return pages, spread(draw, 2, 30), spread(draw, 2, pages)
    if name == "leave":
        return spread(draw, 1, 28), spread(draw, 1, 28), spread(draw, 1, 200)
    pages = spread(draw, 100, 6000)
    return pages, spread(draw, 1, 512), spread(draw, 2, pages / 2)


def command(draw, name):
    """A command line of it."""
    word, _, which = name.partition(" ")
    return " ".join(["workload", word, *map(str, numbers(draw, name)), *([which] if which else [])])


def drawn(draw, name, count):
    """So many questions; in which variants is always one of them, if it can be asked."""
    which = [word for word in WORKLOADS[name] if word.startswith("which:")]
    counts = [word for word in WORKLOADS[name] if word not in which]
    words = draw.sample(counts, count - len(which)) + which
    draw.shuffle(words)
    return words


def workloads(draw):
    """Six names. In five, variants differ; the first has the most questions."""
    first, *others = DIFFER
    rest = [*others, draw.choice(DIFFER[:2]), draw.choice(sorted(set(WORKLOADS) - set(DIFFER)))]
    draw.shuffle(rest)
    return [first, *rest]


def questions(seed):
    """The workloads and their questions, in the order of their keys."""
    draw, out = random.Random(f"lab 7: {seed}"), []
    for letter, name, count in zip("ABCDEF", workloads(draw), ASKED):
        line = command(draw, name)
        for i, word in enumerate(drawn(draw, name, count), 1):
            out.append(Question(draw, f"{letter}{i}", line, word))
    return out


# --- what is true -------------------------------------------------------------

GROUP = re.compile(r"^  # Subtest: (\S+)", re.M)
COUNT = re.compile(r"(\w+)=(\d+)")
SEEN = {}  # (kernel, command) -> variant -> counts: while this program runs


def read_counts(text):
    """variant -> counter -> number, of what one command printed."""
    parts = GROUP.split(text)[1:]
    return {variant: {name: int(n) for name, n in COUNT.findall(said)}
            for variant, said in zip(parts[::2], parts[1::2])}


def measure(kernel, commands, folder):
    """Run what was not run yet, in one guest."""
    todo = [c for c in dict.fromkeys(commands) if (kernel, c) not in SEEN]
    if not todo:
        return
    script = "".join(f"echo '## {c}'; {c} || exit 1\n" for c in todo)
    parts = re.split(r"^## (.*)\n", in_guest(kernel, script, folder), flags=re.M)[1:]
    SEEN.update({(kernel, line): read_counts(text)
                 for line, text in zip(parts[::2], parts[1::2])})
    for line in todo:
        lost = [v for v in VARIANTS if not SEEN.get((kernel, line), {}).get(v)]
        if lost:
            raise Trouble(f"the guest did not count {line} in {lost[0]}; see {folder}")


def prepare(seeds, kernel, folder):
    """Run all that these seeds ask."""
    measure(kernel, [q.command for seed in seeds for q in questions(seed)], folder)


def truth(seed, kernel, folder):
    """(key -> answer, notes)"""
    prepare([seed], kernel, folder)
    return {q.key: q.truth(SEEN[kernel, q.command]) for q in questions(seed)}, []


def may_ask(command_line):
    """Of a workload: what is the same each time. How soon an empty table is freed is not."""
    name = next(n for n in WORKLOADS if set(n.split()) <= set(command_line.split()))
    return {part for word in WORKLOADS[name] for part in word.split(":")}


def measured(seed, kernel, folder):
    """Lines for a reader: all that each workload counts."""
    prepare([seed], kernel, folder)
    lines = []
    for line in dict.fromkeys(q.command for q in questions(seed)):
        counts = SEEN[kernel, line]
        names = [n for n in KINDS if n in may_ask(line)]
        lines += ["", line, " " * 10 + "".join(f"{n:>15}" for n in names)]
        lines += [f"{v:10}" + "".join(f"{counts[v][n]:>15}" for n in names) for v in VARIANTS]
    return lines


def guesses(seed, kernel):
    """(what, key -> answer, share of the points that it may have): what looks at nothing, or
    at one variant only."""
    asked = questions(seed)
    one = {q.key: "30" if q.form == "number" else "spinlock" for q in asked}
    zero = {q.key: "0" if q.form == "number" else "none" for q in asked}
    same = {q.key: str(SEEN[kernel, q.command]["spinlock"][q.kind]) if q.form == "number" else
            "none" for q in asked}
    return [("always the same (30, spinlock)", one, 0.5), ("nothing but 0 and none", zero, 0.15),
            ("in all variants what spinlock counts", same, 0.65)]
