"""Records of every schema version stay readable, value by value, and the format is frozen per version."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.results.record import Record
from cxrbench.results.record_versions import SCHEMA_VERSION, STEPS, upgraded

RECORDS = Path(__file__).parent / "records"

# What a record of the version holds. Changing a version that was released breaks stores: raise the version instead.
FIELDS = {
    "code", "dataset", "encoder", "fingerprint", "fraction", "metrics", "notes", "protocol", "provenance", "replicate",
    "resolved", "results_version", "schema_version", "seed", "settings", "settings_hash", "split", "synthetic", "task",
    "task_version", "variant", "weights",
}  # fmt: skip
WEIGHTS = {"arch", "channels", "licence", "mean", "seed", "sha256", "std", "trained_on", "weights"}
FORMAT: dict[int, tuple[set[str], set[str]]] = {
    1: (FIELDS, WEIGHTS),
    2: ({*FIELDS, "predictions_sha256"}, {*WEIGHTS, "contamination"}),
}


def stored(version: int) -> dict[str, Any]:
    return json.loads((RECORDS / f"version_{version}.json").read_text())


def test_every_version_has_a_record_and_a_step_to_the_next() -> None:
    assert set(FORMAT) == set(range(1, SCHEMA_VERSION + 1))
    assert set(STEPS) == set(range(1, SCHEMA_VERSION))
    assert sorted(path.name for path in RECORDS.iterdir()) == [f"version_{version}.json" for version in FORMAT]


@pytest.mark.parametrize("version", FORMAT)
def test_the_format_of_a_version_is_frozen(version: int) -> None:
    values = stored(version)
    assert values["schema_version"] == version
    assert (set(values), set(values["weights"])) == FORMAT[version]


def test_records_written_now_have_the_format_of_the_newest_version() -> None:
    assert {field.name for field in fields(Record)} == FORMAT[SCHEMA_VERSION][0]


@pytest.mark.parametrize(
    ("version", "contamination", "predictions"), [(1, [], ""), (2, ["pediatric_pneumonia"], "5f" * 32)]
)
def test_values_of_every_version_are_read_right(version: int, contamination: list[str], predictions: str) -> None:
    record = Record.read(RECORDS / f"version_{version}.json")
    assert (record.encoder, record.task, record.variant) == ("resnet18_scratch", "pediatric_pneumonia", "default")
    assert (record.protocol, record.fraction, record.replicate) == ("frozen", 100.0, 0)
    assert record.metrics["accuracy"] == 0.4907161803713528
    assert record.metrics["auc/viral"] == 0.5530391018195896
    assert (record.fingerprint, record.settings_hash) == ("cf9a8b2be8e2a4ee", "010cf088")
    assert (record.synthetic, record.task_version, record.seed, record.results_version) == (True, 1, 0, 1)
    assert record.weights["seed"] == 0
    assert record.weights["contamination"] == contamination
    assert record.predictions_sha256 == predictions
    assert record.dataset["images"] == 1500
    assert record.split["test"] == {"images": 377, "patients": 239}
    assert record.settings["probe"]["min_positives"] == 200
    assert record.resolved == {"strengths": [1.0], "chosen_by": ["cross-validation"]}
    assert record.provenance["versions"]["numpy"] == "2.4.6"
    assert record.schema_version == SCHEMA_VERSION


def test_reading_an_older_record_leaves_its_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_bytes((RECORDS / "version_1.json").read_bytes())
    Record.read(file)
    assert file.read_bytes() == (RECORDS / "version_1.json").read_bytes()


def test_a_step_changes_the_version_and_not_the_values_it_was_given() -> None:
    values = stored(1)
    before = json.dumps(values)
    assert upgraded(values, 1)["schema_version"] == SCHEMA_VERSION
    assert json.dumps(values) == before


@pytest.mark.parametrize(("version", "words"), [(99, "upgrade cxrbench"), (0, "no such schema_version: 0")])
def test_other_versions_are_refused_before_any_field_is_looked_at(version: int, words: str, tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    file.write_text(json.dumps({"schema_version": version, "of_another_time": 1}))
    with pytest.raises(UserError, match=words):
        Record.read(file)
