# SPDX-License-Identifier: GPL-2.0
"""mutation_site.py - which of its matches an operator changes

Every operator (operators/*.cocci) asks here() about each place that it could
change. spatch runs in one of two ways:

    MUTATE_LIST=FILE       all places are written to FILE, none is changed
    MUTATE_AT="LINE COLUMN LINE COLUMN WAY"   that one is changed, no other
"""

import json
import os

LIST = os.environ.get("MUTATE_LIST")
AT = os.environ.get("MUTATE_AT")


def here(positions, way=""):
    """Is this the place? way tells apart what can be done at one of them."""
    p = positions[0]
    at = f"{p.line} {p.column} {p.line_end} {p.column_end} {way}"
    if LIST:
        with open(LIST, "a", encoding="utf-8") as file:
            print(json.dumps([p.file, p.current_element, at]), file=file)
        return False
    return at == AT
