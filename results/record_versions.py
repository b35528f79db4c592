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


def _contamination_and_hash(values: Values) -> Values:
    """Version 2 names the datasets that an encoder saw in pretraining, and hashes the predictions.

    Version 1 did neither: no dataset is known, and any predictions are taken.
    """
    weights = values.get("weights")
    if isinstance(weights, dict):
        weights = {"contamination": [], **weights}
    return {"predictions_sha256": "", **values, "weights": weights}


STEPS: Mapping[int, Callable[[Values], Values]] = {1: _contamination_and_hash}
