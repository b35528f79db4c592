"""The unit that is checked: one encoder on one task at one fraction, over its replicates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..record import Record


@dataclass(frozen=True, order=True)
class CheckedCell:
    """What the replicates of one number in a table have in common."""

    encoder: str
    task: str
    variant: str
    protocol: str
    fraction: float

    def __str__(self) -> str:
        variant = "" if self.variant == "default" else f" {self.variant}"
        return f"{self.encoder} on {self.task}{variant} {self.protocol} {self.fraction:g} %"


def cell_of(record: Record) -> CheckedCell:
    """The cell that `record` is a replicate of."""
    return CheckedCell(record.encoder, record.task, record.variant, record.protocol, float(record.fraction))


def by_cell(records: Iterable[Record]) -> dict[CheckedCell, list[Record]]:
    """Records of every cell in the order of their replicates, cells in order."""
    found: dict[CheckedCell, list[Record]] = {}
    for record in sorted(records, key=lambda each: (cell_of(each), each.replicate)):
        found.setdefault(cell_of(record), []).append(record)
    return found
