# SPDX-License-Identifier: GPL-2.0
"""From rows of measurements to a report. Standard library only."""
