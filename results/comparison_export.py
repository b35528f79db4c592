"""Comparisons as CSV and JSON, for programs."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from ..tasks.trial import PairedTest
from .comparison import EncoderComparison

_OF_ROW = tuple(field.name for field in fields(EncoderComparison) if field.name not in ("tests", "verdict"))
_OF_TEST = tuple(field.name for field in fields(PairedTest))
_COLUMNS = (*_OF_ROW, *(f"test_{name}" for name in _OF_TEST), "verdict")


def as_json(rows: Sequence[EncoderComparison]) -> str:
    """A list of objects, each with its tests; infinite statistics are the strings `inf` and `-inf`."""
    return json.dumps([_plain(asdict(row)) for row in rows], indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def as_csv(rows: Sequence[EncoderComparison]) -> str:
    """One line a row and test; blank where there is nothing."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        shared = {name: getattr(row, name) for name in _OF_ROW} | {"verdict": row.verdict}
        shared["contaminated"] = " ".join(row.contaminated)
        shared["unverified"] = " ".join(row.unverified)
        for test in row.tests or (None,):
            of_test = {f"test_{name}": getattr(test, name) for name in _OF_TEST} if test is not None else {}
            writer.writerow(shared | of_test)
    return text.getvalue()


def _plain(value: Any) -> Any:
    """JSON has no infinities."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float) and math.isinf(value):
        return str(value)
    return value
