# SPDX-License-Identifier: GPL-2.0
"""Figure 10: what a page takes of memory, by how many and where (mmu-bytes)."""

import csv
from pathlib import Path
from typing import NamedTuple, Optional

from .figures import Figure, Plotter, Table, nice, style_of
from .results import ResultError

NEEDED = {"variant", "shape", "pages", "per_table", "tables", "bytes"}
SHOWN = (1, 16, 512, 4096)


class Row(NamedTuple):
    variant: str
    shape: str
    pages: int
    per_table: int
    bytes: int

    def each(self) -> float:
        return self.bytes / self.pages


def load(folder: Path) -> list[Row]:
    """Empty where it was not measured."""
    path = folder / "bytes.csv"
    if not path.exists():
        return []
    with path.open() as lines:
        reader = csv.DictReader(lines)
        lacks = NEEDED - set(reader.fieldnames or ())
        if lacks:
            raise ResultError(f"{path} has no {', '.join(sorted(lacks))}. "
                              "Measure again: \"make bench\".")
        return [Row(r["variant"], r["shape"], int(r["pages"]),
                    int(r["per_table"]), int(r["bytes"])) for r in reader]


def _of(rows: list[Row], variant: str, shape: str) -> list[Row]:
    return [r for r in rows if (r.variant, r.shape) == (variant, shape)]


def _nearest(rows: list[Row], pages: int) -> Row:
    return min(rows, key=lambda r: abs(r.pages - pages))


def table(rows: list[Row]) -> Table:
    variants = list(dict.fromkeys(r.variant for r in rows))
    body = []
    for variant in variants:
        dense, sparse = (_of(rows, variant, s) for s in ("dense", "sparse"))
        body.append([variant,
                     *(nice(_nearest(dense, n).each()) for n in SHOWN),
                     nice(dense[-1].each()), nice(sparse[0].each()),
                     nice(sparse[-1].each())])
    most = max(r.pages for r in rows if r.shape == "dense")
    return Table(["variant", *(f"{n} in a row" for n in SHOWN),
                  f"{most} in a row", "1 in a table", "512 in a table"], body)


def _data(rows: list[Row], variants: list[str], shape: str) -> list[str]:
    lines = []
    for variant in variants:
        lines += [f"{r.pages if shape == 'dense' else r.per_table} "
                  f"{r.each()!r}" for r in _of(rows, variant, shape)]
        lines += ["", ""]
    return lines


def figure(plotter: Plotter, rows: list[Row]) -> Optional[Figure]:
    if not rows:
        return None
    variants = list(dict.fromkeys(r.variant for r in rows))
    sparse = [r for r in rows if r.shape == "sparse"]
    each = [r.each() for r in rows]
    said = "; ".join(f"{b[0]} {b[5]} for many in a row, {b[6]} for one alone "
                     "in a table" for b in table(rows).body)
    drawn = plotter.draw(
        "memory.gp", "memory",
        "Bytes of leaf tables, directories and reverse index for each page: a "
        "step up where an index doubles.",
        f"Bytes for each page, both axes logarithmic. {said}.", 760, 400,
        dense=plotter.table("memory-dense.dat",
                            _data(rows, variants, "dense")),
        sparse=plotter.table("memory-sparse.dat",
                             _data(rows, variants, "sparse")),
        styles=" ".join(str(style_of(v, variants)) for v in variants),
        names=" ".join(variants), ymin=min(each) / 1.3, ymax=max(each) * 1.3,
        most=max(r.pages for r in rows if r.shape == "dense"),
        tables=sparse[0].pages // sparse[0].per_table)
    return drawn._replace(table=table(rows))
