# SPDX-License-Identifier: GPL-2.0
"""picture.py - the driver's events of a test that failed, a column for each task"""

import re

EVENT = re.compile(r"^trace:\s+\S+-(\d+)\s+\[\d+\]\s+\S+\s+[\d.]+: (\w+): (.*)$")
ERRNO = {-3: "ESRCH", -4: "EINTR", -11: "EAGAIN", -12: "ENOMEM", -14: "EFAULT"}
WIDTH, MOST = 78, 28
FAR = 1 << 16  # in pages: not the mapping that the test is about
EVERYTHING = (1 << 64) - (1 << 20)


class Event:
    """Something that a task did."""

    def __init__(self, task, kind, text):
        self.task, self.kind, self.text = task, kind, text
        self.field = dict(re.findall(r"(\w+)=(\S+)", text))
        self.words = ""

    def number(self, name, base=16):
        return int(self.field.get(name, "0"), base)


class Picture:
    """What is to be seen of the notes of one test."""

    def __init__(self, notes):
        found = [EVENT.match(note) for note in notes]
        self.events = [Event(int(m[1]), m[2], m[3]) for m in found if m]
        self.base = min(self.addresses("address") or self.addresses("start"), default=0)

    def addresses(self, name):
        return [e.number(name) for e in self.events
                if name in e.field and 0 < e.number(name) < EVERYTHING]

    def page(self, address):
        return (address - self.base) >> 12

    def range(self, event):
        start, end = event.number("start"), event.number("end")
        if not start and end >= EVERYTHING:
            return "everything"
        if abs(self.page(start)) > FAR:
            return "other memory"
        return f"[{self.page(start)}, {self.page(end)})"

    def run(self, first, last, word):
        a, b = self.page(first), self.page(last)
        return f"{word} page {a}" if a == b else f"{word} pages {a} to {b}"

    def said(self, event):
        """An event in words; nothing for what does not help."""
        kind = event.kind.removeprefix("my_mmu_")
        if kind == "tracing_mark_write":
            return self.mark(event.text)
        if kind in ("populate", "retry"):
            return self.populated(event, kind)
        if kind == "age":
            return f"aging of {self.range(event)}"
        if kind == "rmap_invalidate":
            return f"rmap callback: zapped {event.field['zapped']}"
        return {"invalidate_start": "start {}, {}", "invalidate_end": "end {}",
                "zap_range": "zapped {2} of {0}", "attach": "attach", "detach": "detach",
                "release": "release"}.get(kind, kind).format(
                    self.range(event) if "start" in event.field else "",
                    event.field.get("event", ""), event.field.get("zapped", ""))

    def populated(self, event, kind):
        first = event.number("address")
        where = f"[{self.page(first)}, {self.page(first) + event.number('npages', 10)})"
        ret = event.number("ret", 10)
        if kind == "retry":
            return f"populate {where} begins again"
        return f"populate {where}: {ERRNO.get(ret, ret)}"

    @staticmethod
    def mark(text):
        failed = re.match(r"\S+ failed: (.*)", text)
        if failed:
            return f"<-- FAILS: {failed[1]}"
        point, _, command = text.partition(": ")
        words = command.split()
        if words[:1] == ["park"]:
            whom = " ".join(words[words.index("task"):][:2]) if "task" in words else "the next"
            return f"(park {whom} at {point})"
        if words[:1] == ["release"]:
            return f"(go on from {point})"
        return f"({point}: {command})"

    def told(self):
        """Up to what failed: (task, words), runs of pages in one line."""
        out, i = [], 0
        while i < len(self.events):
            event, last = self.events[i], i
            if event.kind in ("my_mmu_insert", "my_mmu_zap_page"):
                while last + 1 < len(self.events) and self.follows(last):
                    last += 1
                word = "enters" if event.kind == "my_mmu_insert" else "zaps"
                words = self.run(event.number("address"), self.events[last].number("address"),
                                 word)
            elif self.undisturbed(i):
                last = i + 2
                words = (f"invalidation of {self.range(event)}, {event.field['event']}: "
                         f"zapped {self.events[i + 1].field['zapped']}")
            else:
                words = self.said(event)
            out.append((event.task, words))
            if words.startswith("<-- FAILS"):
                break
            i = last + 1
        return out

    def undisturbed(self, i):
        """A whole invalidation, with nothing of another task in between?"""
        three = self.events[i:i + 3]
        return ([e.kind.removeprefix("my_mmu_") for e in three]
                == ["invalidate_start", "zap_range", "invalidate_end"]
                and len({e.task for e in three}) == 1)

    def follows(self, i):
        one, other = self.events[i], self.events[i + 1]
        return ((one.task, one.kind) == (other.task, other.kind)
                and other.number("address") == one.number("address") + 4096)

    def draw(self):
        """Lines of text; none where there are no events."""
        told = self.told()
        if not told:
            return []
        left_out = max(0, len(told) - MOST)
        told = told[left_out:]
        tasks = list(dict.fromkeys(task for task, _ in told))[:3]
        tester = next((e.task for e in self.events if e.kind == "tracing_mark_write"), None)
        wide = WIDTH // len(tasks)
        heads = [f"task {t}" + (" (the test)" if t == tester else "") for t in tasks]
        lines = ["".join(f"{head:{wide}}" for head in heads).rstrip()]
        if left_out:
            lines.append(f"... {left_out} lines before")
        for task, words in told:
            column = tasks.index(task) if task in tasks else 0
            if task not in tasks:
                words = f"task {task}: {words}"
            lines.append((" " * (wide * column) + words)[:WIDTH + 22])
        if self.base:
            lines.append(f"Page 0 is at {self.base:#x}; [2, 5) are the pages 2, 3 and 4.")
        return lines
