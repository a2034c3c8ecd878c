# SPDX-License-Identifier: GPL-2.0
"""What can be wrong with results; for programs that do without numpy, too."""


class ResultError(Exception):
    """What is wrong with the results, as a sentence, and what to do."""
