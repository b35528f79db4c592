"""Baseline files: the same when read, equal when equal, refused when broken, foreign or newer."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.results.regression import Baseline, record_baseline
from cxrbench.results.regression.baseline import trials_in
from cxrbench.results.store import Store

from ..stores import multi_label, put


@pytest.fixture
def file(tmp_path: Path) -> Path:
    for replicate in range(2):
        put(tmp_path / "store", multi_label(1.5, replicate), replicate=replicate)
    store = Store(tmp_path / "store")
    record_baseline(store, list(store.records())).baseline.write(tmp_path / "a.cxrbaseline")
    return tmp_path / "a.cxrbaseline"


def rewritten(file: Path, name: str, held: bytes) -> None:
    """Replace one member of the zip."""
    with zipfile.ZipFile(file) as archive:
        members = {each: archive.read(each) for each in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for each, content in (members | {name: held}).items():
            archive.writestr(each, content)


def manifest(file: Path) -> dict[str, object]:
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("manifest.json"))


def refused(file: Path, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        Baseline.read(file)
    assert (caught.value.exit_code, file.name in str(caught.value)) == (2, True)


def test_a_baseline_reads_back_equal(file: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    found = Baseline.read(file)
    assert [each.record for each in found.trials] == list(store.records())
    for each in found.trials:
        assert each.predictions.table.to_json() == store.predictions(each.record).table.to_json()
    (expected,) = found.expectations.values()
    assert (expected.metric, expected.higher_is_better, expected.proposed) == ("auc", True, True)


def test_equal_baselines_are_equal_files(file: Path) -> None:
    before = file.read_bytes()
    Baseline.read(file).write(file)
    assert file.read_bytes() == before


def test_format_1_has_these_fields(file: Path) -> None:
    found = manifest(file)
    assert list(found) == ["format_version", "made_by", "cells", "trials"]
    assert found["format_version"] == 1
    cell = ["encoder", "task", "variant", "protocol", "fraction", "metric", "higher_is_better", "margin", "proposed"]
    assert [list(each) for each in found["cells"]] == [cell]  # type: ignore[attr-defined]
    assert {each["folder"] for each in found["trials"]} == {"trials/0000", "trials/0001"}  # type: ignore[attr-defined]


def test_absent_cut_and_foreign_files_are_refused(file: Path, tmp_path: Path) -> None:
    refused(tmp_path / "absent", "no such file; `cxrbench check save` makes one")
    whole = file.read_bytes()
    for part in (0, 10, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:part])
        refused(file, "damaged, or not a baseline.*version control")
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.txt", "a")
    refused(file, "not a baseline of cxrbench")


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7])
def test_a_flipped_byte_is_noticed(file: Path, place: float) -> None:
    whole = bytearray(file.read_bytes())
    whole[int(place * len(whole))] ^= 0xFF
    file.write_bytes(whole)
    refused(file, "damaged")


def test_a_newer_format_says_upgrade(file: Path) -> None:
    rewritten(file, "manifest.json", json.dumps({**manifest(file), "format_version": 2, "new": 1}).encode())
    refused(file, r"newer cxrbench \(format 2\); upgrade")


def test_a_newer_record_inside_says_upgrade(file: Path) -> None:
    import hashlib

    with zipfile.ZipFile(file) as archive:
        record = json.loads(archive.read("trials/0000/record.json"))
    newer = json.dumps({**record, "schema_version": 999}).encode()
    described = manifest(file)
    described["trials"][0]["sha256"]["record.json"] = hashlib.sha256(newer).hexdigest()  # type: ignore[index]
    rewritten(file, "trials/0000/record.json", newer)
    rewritten(file, "manifest.json", json.dumps(described).encode())
    refused(file, "newer cxrbench .*upgrade")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format_version": "1"}, "no format_version"),
        ({"format_version": True}, "no format_version"),
        ({"format_version": 0}, "no format_version"),
        ({"format_version": -1}, "no format_version"),
        ({"cells": []}, "cells"),
        ({"trials": []}, "trials"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_manifest_that_was_edited_wrongly_is_named(file: Path, change: dict[str, object], words: str) -> None:
    rewritten(file, "manifest.json", json.dumps({**manifest(file), **change}).encode())
    refused(file, words)


def test_a_changed_margin_is_an_edit_people_may_make(file: Path) -> None:
    described = manifest(file)
    described["cells"][0]["margin"] = 0.5  # type: ignore[index]
    rewritten(file, "manifest.json", json.dumps(described).encode())
    assert [each.margin for each in Baseline.read(file).expectations.values()] == [0.5]


@pytest.mark.parametrize("margin", [float("inf"), float("nan"), -0.1])
def test_a_margin_is_a_number_of_0_or_more(file: Path, margin: float) -> None:
    described = manifest(file)
    described["cells"][0]["margin"] = margin  # type: ignore[index]
    rewritten(file, "manifest.json", json.dumps(described).encode())
    refused(file, "margin")


def test_a_trial_that_is_listed_twice_is_named(file: Path) -> None:
    described = manifest(file)
    described["trials"].append(described["trials"][1])  # type: ignore[attr-defined, index]
    rewritten(file, "manifest.json", json.dumps(described).encode())
    refused(file, "it lists scratch on chexpert frozen 100 %, replicate 1 2 times")


def test_nothing_is_written_outside(file: Path, tmp_path: Path) -> None:
    described = manifest(file)
    described["trials"][0]["folder"] = "../../outside"  # type: ignore[index]
    rewritten(file, "../../outside/record.json", b"{}")
    rewritten(file, "manifest.json", json.dumps(described).encode())
    before = sorted(tmp_path.parent.rglob("*"))
    refused(file, "damaged")
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_a_folder_is_called_one(tmp_path: Path) -> None:
    refused(tmp_path, "is a folder; name the file")


def test_trials_are_counted_and_a_broken_file_has_none(file: Path, tmp_path: Path) -> None:
    assert trials_in(file) == 2
    file.write_bytes(file.read_bytes()[:500])
    assert trials_in(file) is None
    assert trials_in(tmp_path) is None
