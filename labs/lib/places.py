# SPDX-License-Identifier: GPL-2.0
"""places.py - where things are, and how what goes wrong is said"""

import os
import pathlib
import sys
import traceback

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "mutants"))

from patches import BUILD, SOURCES, Trouble, source_files  # noqa: E402,F401

LABS = ROOT / "labs"
OUT = BUILD / "labs"


class Refused(Exception):
    """A submission that a human must look at. The sentence says why."""


def main(function):
    """Run it; a sentence and a status for what is not its fault."""
    name = pathlib.Path(sys.argv[0]).name
    try:
        sys.exit(function())
    except Trouble as trouble:
        print(f"{name}: {trouble}", file=sys.stderr)
        sys.exit(75 if name == "grade" else 1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # what we print is not read to its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(141)
    except Exception:  # ours, and no doing of a submission's
        traceback.print_exc()
        sys.exit(75 if name == "grade" else 1)
