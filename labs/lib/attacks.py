# SPDX-License-Identifier: GPL-2.0
"""attacks.py - submissions that would rather have points than earn them, and those that would
have nobody else earn any

Those that the object gate or an alarm must stop are labs/*/wrong/attack-*.patch. These pass
the gate, or never reach it: they are graded like any other, and earn nothing.
"""

CPU_S = 5  # seconds for a compiler in these checks: a bomb goes off sooner
KEPT = 80 << 20  # bytes of evidence, at most; what is flooded has an end

INIT = "\tmmu_rmap_notifier_register(&my_mmu_rmap_notifier);\n"


def at_init(text, code):
    """With these lines where the module is loaded."""
    assert text.count(INIT) == 1
    return text.replace(INIT, code + INIT)


def forged(lab):
    """All verdicts, in the form that the harness prints them in, on the console."""
    lines = ["KTAP version 1", f"1..{len(lab.tests)}",
             *(f"ok {n} {test}" for n, test in enumerate(lab.tests, 1)), "# the plan is over"]
    return "".join(f'\tpr_emerg("{line}\\n");\n\tprintk("{line}\\n");\n' for line in lines)


FLOOD = """\twhile (true) {
\t\tpr_emerg("%0256d\\n", 0);
\t\tcond_resched();
\t}
"""

MEMORY = """\t{
\t\tvoid **page, **last = NULL;

\t\twhile ((page = kmalloc(PAGE_SIZE, GFP_KERNEL))) {
\t\t\tWRITE_ONCE(*page, last);
\t\t\tlast = page;
\t\t}
\t}
"""

BOMB = """#if __INCLUDE_LEVEL__ < 60
#include "my_mmu.c"
#include "my_mmu.c"
#endif
"""

WARNINGS = "#if __INCLUDE_LEVEL__ < 100\n" + "#warning again\n" * 500 + """#include "my_mmu.c"
#endif
"""


def sources(lab):
    """(what it does, source, words of the report)"""
    handout, good = lab.handout(), lab.solution()
    return [
        ("a console with all verdicts on it", at_init(handout, forged(lab)), "FAIL "),
        ("a flood on the console", at_init(good, FLOOD), "insmod did not return"),
        ("filling all memory", at_init(good, MEMORY), "while the module was loaded"),
        ("a bomb for the compiler", BOMB + good, "It does not compile"),
        ("a flood of warnings", WARNINGS + good, "It does not compile"),
        ("an object of 1 GB", good + 'asm(".section .data\\n.fill 1 << 30, 1, 0\\n.text");\n',
         "It does not compile"),
    ]
