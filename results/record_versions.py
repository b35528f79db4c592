"""What changed in record.json from one schema version to the next; reading an older one never rewrites it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

SCHEMA_VERSION = 2

Values = dict[str, Any]


def upgraded(values: Values, version: int) -> Values:
    """The values of a record of an older `version`, as the newest version has them."""
    for number in range(version, SCHEMA_VERSION):
        values = {**STEPS[number](values), "schema_version": number + 1}
    return values


def _named_contamination(values: Values) -> Values:
    """Version 2 names the datasets that an encoder saw in pretraining; version 1 did not, so none is known."""
    weights = values.get("weights")
    if not isinstance(weights, dict):
        return values
    return {**values, "weights": {"contamination": [], **weights}}


STEPS: Mapping[int, Callable[[Values], Values]] = {1: _named_contamination}
