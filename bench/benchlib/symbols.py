# SPDX-License-Identifier: GPL-2.0
"""Names of a guest's functions, from what it says in /proc/kallsyms."""

import bisect
from typing import Iterable

USER = "[user]"
KERNEL_FROM = 1 << 63


class Symbols:
    def __init__(self, lines: Iterable[str]):
        found = []
        for line in lines:
            address, kind, name, *module = line.split()
            if kind in "tTwW":
                found.append((int(address, 16), name,
                              module[0].strip("[]") if module else ""))
        found.sort()
        self.addresses = [address for address, _, _ in found]
        self.names = [name for _, name, _ in found]
        self.modules = [module for _, _, module in found]

    def _at(self, address: int) -> int:
        return bisect.bisect_right(self.addresses, address) - 1

    def name(self, address: int) -> str:
        if address < KERNEL_FROM:
            return USER
        at = self._at(address)
        return self.names[at] if at >= 0 else f"{address:x}"

    def module(self, address: int) -> str:
        """"my_mmu_driver"; empty in the kernel itself and in programs."""
        at = self._at(address)
        return self.modules[at] if address >= KERNEL_FROM and at >= 0 else ""
