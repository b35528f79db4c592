"""Leaks: images and patients that two splits of a dataset share, or a dataset and anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...foundation.handing_on import lazily

if TYPE_CHECKING:
    from .auditing import SharedIds, audit, shared_ids
    from .findings import Audit, Finding, Kind
    from .reporting import as_json, report, verdict
    from .sides import Side, read_side, side_of, side_of_list

__all__ = [
    "Audit",
    "Finding",
    "Kind",
    "SharedIds",
    "Side",
    "as_json",
    "audit",
    "read_side",
    "report",
    "shared_ids",
    "side_of",
    "side_of_list",
    "verdict",
]

_HOMES = {
    "Audit": "findings",
    "Finding": "findings",
    "Kind": "findings",
    "SharedIds": "auditing",
    "Side": "sides",
    "as_json": "reporting",
    "audit": "auditing",
    "read_side": "sides",
    "report": "reporting",
    "shared_ids": "auditing",
    "side_of": "sides",
    "side_of_list": "sides",
    "verdict": "reporting",
}

__getattr__ = lazily(__name__, _HOMES)
