# SPDX-License-Identifier: GPL-2.0
"""looking.py - lab 0: what `look` does in a guest, and 24 questions about it

Scenarios and their steps are those of tests/look.c. The seed draws six, the
numbers in their commands, and four questions for each. There are no answers
here: they are read from the driver's events, in guests that run the commands.
"""

import random
import re

from answers import in_guest, missing
from places import Trouble

P, Q = 0x100000000, 0x200000000
PAGE, ROOM = 4096, 2 << 20  # neither mapping is larger
OLD = "6.1"
EVENTS = ("UNMAP", "CLEAR", "PROTECTION_VMA", "PROTECTION_PAGE", "SOFT_DIRTY", "MIGRATE",
          "EXCLUSIVE")

# All of it is the same in each run. How often the rmap chain calls is not: its filter
# may let a page through that the device does not have.
# Of each scenario: two of the first, one of the second, one of the third. A
# question is a step, what is asked, and of which event; "old": on 6.1.
SIMPLE = ("3zap 3left 3size", "3event 3by", "3lock 3sleep:zap_page 3sleep:zap_range 3n")
HUGE = ("3n 3zap 3left 3size 3size:last", "3event 3event:last 3by 3by:last",
        "3lock 3sleep:zap_page 3sleep:zap_range")
SCENARIOS = {
    "munmap": SIMPLE,
    "map_fixed": SIMPLE,
    "dontneed": SIMPLE,
    "free": ("3zap 3left 3size", "3event 3by 3by:old", "3lock 3sleep:zap_page 4n"),
    "pageout": ("3n 3zap 3left 3age:old", "3event 3by",
                "3lock 3age 3sleep:rmap_invalidate 3sleep:age:old"),
    "mprotect": ("3zap 3left 3size", "3event 3by 4by", "4n 4zap 4lock 3sleep:zap_page"),
    "fork": ("3size 3zap 4n 4left", "3event 4event 4by 4by:old",
             "3lock 4lock 4lock:old 4zap 5n"),
    "zero_page": ("3n 3zap 3left", "3event 3by 3by:old", "3lock 3lock:old 3sleep:zap_page"),
    "move_pages": ("3n 3zap 3left", "3event 3by",
                   "3lock 3sleep:rmap_invalidate 3sleep:zap_page"),
    "punch_hole": ("3n 3zap 3left 3size:last", "3event 3by", "3lock 3sleep:zap_range"),
    "truncate": ("3n 3zap 3left 3size 3size:last", "3event 3by", "3lock 3sleep:zap_page"),
    "mremap": ("3n 3zap 3left", "3event 3by 3by:last", "3lock 3sleep:zap_page"),
    "dontunmap": ("3n 3zap 3left", "3event 3by", "3lock 3sleep:zap_range"),
    "shrink": ("3size 3at 3zap 3left", "3event 3by", "3lock 3sleep:zap_page"),
    "soft_dirty": ("3zap 3left 3n", "3event 3by", "3lock 4n 3sleep:zap_page"),
    "huge_munmap": HUGE,
    "huge_dontneed": HUGE,
    "huge_mprotect": HUGE,
}
CUT = ("truncate", "shrink")  # all from some page on
FILES = ("punch_hole", "truncate")  # mapped twice

KINDS = {
    "n": ("number", "how many invalidate_start touch p or q"),
    "zap": ("number", "how many entries does the driver zap"),
    "left": ("number", "how many entries of p and q does the device have at the end"),
    "age": ("number", "how often does the VM ask for the age of pages"),
    "size": ("number", "how many pages does the {which} invalidate_start cover"),
    "at": ("number", "at which page of p does the {which} invalidate_start begin"),
    "event": ("event", "which event does the {which} invalidate_start name"),
    "by": ("function", "which function of the kernel calls the notifiers for the {which} "
                       "invalidate_start"),
    "lock": ("held", "does any task hold the mmap_lock at the {which} invalidate_start"),
    "sleep": ("yes", "may the task sleep at the first {of}"),
}
REMARK = "an invalidate_start counts only if it touches p or q"
SAME = {"number": "1", "event": "CLEAR", "function": "zap_page_range_single", "held": "free",
        "yes": "yes"}  # what a guess would be that looks at nothing
FORMS = {"number": "a number", "event": "an event, in capitals",
         "function": "the function's name", "held": "held or free", "yes": "yes or no"}
WORDS = {"held": ("held", "free"), "yes": ("yes", "no")}


# --- what is asked ------------------------------------------------------------

class Question:
    """One of the 24."""

    def __init__(self, key, command, word):
        self.key, self.command = key, command
        step, self.kind, rest = re.fullmatch(r"(\d)([a-z]+)(.*)", word).groups()
        options = rest.split(":")[1:]
        self.step, self.old = int(step), "old" in options
        self.last = "last" in options
        self.of = next((o for o in options if o not in ("old", "last")), "")
        self.form = KINDS[self.kind][0]

    @property
    def text(self):
        words = KINDS[self.kind][1].format(which="last" if self.last else "first",
                                           of=f"my_mmu_{self.of}")
        return f"{f'on {OLD}, ' if self.old else ''}step {self.step}: {words}?"

    @property
    def hint_of_form(self):
        return FORMS[self.form]

    def plain(self, answer):
        """As it is compared; a sentence in a ValueError for what cannot be meant."""
        word = " ".join(answer.split())
        if self.form == "number":
            if not re.fullmatch(r"[0-9]{1,6}", word):
                raise ValueError("a number is wanted")
            return str(int(word))
        if self.form == "event":
            word = word.upper().removeprefix("MMU_NOTIFY_")
            if word not in EVENTS:
                raise ValueError("it is no event; include/linux/mmu_notifier.h has them all: "
                                 + ", ".join(EVENTS))
            return word
        if self.form == "function":
            word = word.removesuffix("()")
            if not re.fullmatch(r"\w{1,80}", word):
                raise ValueError("the name of a function is wanted")
            return word
        if word.lower() not in WORDS[self.form]:
            raise ValueError(f"{FORMS[self.form]} is wanted")
        return word.lower()

    def miss(self, truth):
        """Wrong, but not by much: for the checks of the grader."""
        if self.form == "number":
            return str(int(truth) + 1)
        if self.form == "function":
            return f"{truth}s"
        words = WORDS.get(self.form, EVENTS)
        return words[words.index(truth) - 1]

    @staticmethod
    def judge(plain, truth):
        return "ok" if plain == truth else "failed"

    def truth(self, steps):
        """What the trace says; a Trouble where it says nothing."""
        step = steps[self.step]
        counted = {"n": step.starts, "zap": step.of("zap_page"), "age": step.of("age")}
        if self.kind in counted:
            return str(len(counted[self.kind]))
        if self.kind == "left":
            return str(step.left)
        events = step.of(self.of) if self.kind == "sleep" else step.starts
        if not events:
            raise Trouble(f"{self.command}: step {self.step} has no event to ask about; the trace "
                          "lacks something, or this kernel does not announce it")
        return events[-1 if self.last else 0].answer(self.kind)


def drawn_range(draw, pages, low, high):
    count = draw.randint(low, high)
    return draw.randint(0, pages - count), count


def command(draw, name):
    """Numbers such that the device has some of the pages, and others, too."""
    while True:
        huge = name.startswith("huge_")
        pages = 512 if huge else 2 * draw.randint(12, 30)
        first, count = drawn_range(draw, pages, 4, 12)
        if name in CUT:
            count = pages - first
        device, have = drawn_range(draw, min(pages, 60), 5, 20)
        both = min(first + count, device + have) - max(first, device)
        if 0 < first and 0 < both < min(count, have):
            return f"look {name} {pages} {first}+{count} {device}+{have}"


def questions(seed):
    """Six commands with four questions each, in the order of their keys."""
    draw = random.Random(f"lab 0: {seed}")
    out = []
    for letter, name in zip("ABCDEF", draw.sample(sorted(SCENARIOS), 6)):
        numbers, names, others = (group.split() for group in SCENARIOS[name])
        words = draw.sample(numbers, 2) + [draw.choice(names), draw.choice(others)]
        draw.shuffle(words)
        line = command(draw, name)
        out += [Question(f"{letter}{i}", line, word) for i, word in enumerate(words, 1)]
    return out


def guesses(seed, _):
    """(what, key -> answer, share of the points that it may have): what looks at nothing."""
    return [(f"always the same ({', '.join(SAME.values())})",
             {q.key: SAME[q.form] for q in questions(seed)}, 25 / 60)]


# --- what is true -------------------------------------------------------------

EVENT = re.compile(r"^\s*\S+-\d+\s+\[\d+\]\s+(\S+)\s+[\d.]+: (\w+): (.*)$")
MARK = re.compile(r"^-- (\d+) (.*)$")
CALLED = re.compile(r"^ => (\w+)")
NOTIFIER = "__mmu_notifier_"
SCRIPT = """\
cd /sys/kernel/tracing && echo 0 > options/record-cmd && echo 4096 > buffer_size_kb &&
echo 1 > events/my_mmu/enable &&
echo stacktrace > events/my_mmu/my_mmu_invalidate_start/trigger || exit 1
"""


class Event:
    """A line of the trace."""

    def __init__(self, flags, name, text):
        self.flags, self.name = flags, name.removeprefix("my_mmu_")
        self.field = dict(re.findall(r"(\w+)=(\S+)", text))
        self.stack = []

    def hex(self, name):
        return int(self.field.get(name, "0"), 16)

    def touches(self):
        """Is it about p or q?"""
        return any(self.hex("start") < base + ROOM and self.hex("end") > base for base in (P, Q))

    @property
    def by(self):
        """The kernel's function that calls the notifier."""
        calls = self.stack
        return next((b for a, b in zip(calls, calls[1:])
                     if a.startswith(NOTIFIER) and not b.startswith(NOTIFIER)), "")

    @property
    def may_sleep(self):
        return self.flags[3] == "." and self.field.get("blockable", "1") == "1"

    def answer(self, kind):
        if kind == "size":
            return str((self.hex("end") - self.hex("start")) // PAGE)
        if kind == "at":
            return str((self.hex("start") - P) // PAGE)
        if kind == "event":
            return self.field["event"]
        if kind == "lock":
            return "held" if self.field["mmap_lock"] == "1" else "free"
        return self.by if kind == "by" else "yes" if self.may_sleep else "no"


class Step:
    """What happened between two marks."""

    def __init__(self):
        self.events = []
        self.left = 0  # entries of p and q at its end

    def of(self, name):
        return [e for e in self.events if e.name == name]

    @property
    def starts(self):
        return [e for e in self.of("invalidate_start") if e.touches()]


def read_trace(text):
    """number -> Step, of one command."""
    steps, step, last, entries = {}, Step(), None, set()
    for line in text.splitlines():
        called, match = CALLED.match(line), EVENT.match(line)
        if called and last:
            last.stack.append(called[1])
        if not match:
            continue
        mark = MARK.match(match[3])
        if mark:
            step = steps[int(mark[1])] = Step()
        else:
            last = Event(*match.groups())
            step.events.append(last)
            if last.name == "insert":
                entries.add(last.hex("address"))
            elif last.name == "zap_page":
                entries.discard(last.hex("address"))
        step.left = len(entries)
    return steps


SEEN = {}  # (kernel, command) -> steps: while this program runs, and never on disk


def look(kernel, commands, folder):
    """Run what was not run yet, in one guest."""
    todo = [c for c in dict.fromkeys(commands) if (kernel, c) not in SEEN]
    if not todo:
        return
    script = SCRIPT + "".join(
        f"echo '## {c}'; echo > trace; {c} > /dev/null || exit 1; cat trace\n" for c in todo)
    parts = re.split(r"^## (.*)\n", in_guest(kernel, script, folder), flags=re.M)[1:]
    for line, text in zip(parts[::2], parts[1::2]):
        SEEN[kernel, line] = read_trace(text)
    lost = [c for c in todo if (kernel, c) not in SEEN]
    if lost:
        raise Trouble(f"the guest did not show {lost[0]}; see {folder}")


def prepare(seeds, kernel, folder):
    """Run all that these seeds ask, in one guest of each kernel."""
    asked = [q for seed in seeds for q in questions(seed)]
    for old, on in ((False, kernel), (True, OLD)):
        if not (old and missing(OLD)):
            look(on, [q.command for q in asked if q.old == old], folder)


def truth(seed, kernel, folder):
    """(key -> answer, notes); what this machine cannot know is left out."""
    prepare([seed], kernel, folder)
    asked = questions(seed)
    known = [q for q in asked if not (q.old and missing(OLD))]
    lost = [q.key for q in asked if q not in known]
    notes = [f"kernel {OLD} is not on this machine (vm/prepare {OLD} brings it), so "
             f"{', '.join(lost)} were not asked"] if lost else []
    return {q.key: q.truth(SEEN[OLD if q.old else kernel, q.command]) for q in known}, notes
