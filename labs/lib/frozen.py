# SPDX-License-Identifier: GPL-2.0
"""frozen.py - were these predictions handed in before?

FROZEN=DIR is a folder with all that was handed in first, in any layout: files, folders,
archives. Predictions count if they are in there, byte for byte.
"""

import functools
import hashlib
import os
import pathlib

from places import Refused, Trouble
from submission import contents


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def folder():
    return os.environ.get("FROZEN") or ""


def digests(lab):
    """Of all predictions in the folder."""
    return digests_in(pathlib.Path(folder()), lab)


@functools.cache
def digests_in(place, lab):
    if not place.is_dir():
        raise Trouble(f"FROZEN={place} is no folder; name the one with the first submissions")
    return {sha256(data) for data in (contents(path, lab) for path in place.rglob("*")) if data}


def key(lab):
    """Changes when the folder does; empty where it says nothing of this lab."""
    return sha256(" ".join(sorted(digests(lab))).encode()) if lab.frozen and folder() else ""


def state(lab, data):
    """For the key of a grade: what the folder says of these predictions."""
    if not (lab.frozen and folder()):
        return ""
    return "frozen" if sha256(data) in digests(lab) else "not frozen"


def check(lab, data):
    """A note; Refused where they were not handed in first."""
    digest = sha256(data)
    found = state(lab, data)
    if found == "not frozen":
        raise Refused(f"{lab.file} is not one that was handed in first: no file below FROZEN= has "
                      f"its sha256, {digest}. Predictions count as they were handed in before the "
                      "measurement; hand in that file again, unchanged")
    return f"{lab.file} has the sha256 {digest}" + (
        ", and was handed in first" if found else "; FROZEN= was not given, so nobody has looked "
        "whether it was handed in first")
