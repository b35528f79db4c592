"""What a person may compare: datasets, folders, lists."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.planted_leaks import write
from cxrbench.data.audit import Kind, audit, read_side, shared_ids, side_of, side_of_list
from cxrbench.data.radiographs import Radiographs
from cxrbench.data.reading import Reading
from cxrbench.foundation.errors import UserError


def _radiographs(dataset: str, rows: list[tuple[str, str, str]], **more: list[str]) -> Radiographs:
    """Rows of sample_id, patient_id, split; no files."""
    samples = pd.DataFrame(rows, columns=["sample_id", "patient_id", "split"])
    samples = samples.assign(study_id=samples["sample_id"], path="", view="frontal", finding=0.0, **more)
    return Radiographs(dataset, Path(), samples, ("finding",), False)


NIH = _radiographs(
    "nih14",
    [
        ("00000001_000", "00000001", "train"),
        ("00000001_001", "00000001", "train"),
        ("00000002_000", "00000002", "test"),
        ("00000003_000", "00000003", "test"),
    ],
)


def test_a_list_of_file_names_is_counted_by_split(tmp_path: Path) -> None:
    listed = tmp_path / "train_list.txt"
    listed.write_text("00000001_001.png 0 1 0\n00000003_000.png 0 0 0\n00000009_000.png 1 0 0")
    found = shared_ids(NIH, listed)
    assert found.images == {"train": 1, "test": 1}
    # Patient 1 has another image in train.
    assert found.patients == {"train": 2, "test": 1}
    assert found.listed == 3
    assert found.any


def test_rsna_images_are_found_in_a_list_of_nih_images(tmp_path: Path) -> None:
    rows = [("aaaa-bbbb", "00000002", "test"), ("cccc-dddd", "00000005", "train"), ("eeee-ffff", "eeee-ffff", "train")]
    rsna = _radiographs("rsna_pneumonia", rows, nih14_id=["00000002_000", "00000005_003", ""])
    listed = tmp_path / "nih.txt"
    listed.write_text("00000002_000.png\n00000005_000.png\n")
    found = shared_ids(rsna, listed)
    assert found.images == {"test": 1}
    assert found.patients == {"test": 1, "train": 1}


def test_nothing_is_shared_with_a_list_of_other_images(tmp_path: Path) -> None:
    listed = tmp_path / "other.csv"
    listed.write_text("image,patient\nA.dcm,1\n")
    found = shared_ids(NIH, listed)
    assert (found.images, found.patients, found.any) == ({}, {}, False)


def test_files_beside_a_list_are_looked_at_and_those_outside_are_not(phantoms: np.ndarray, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    (folder / "images").mkdir(parents=True)
    write(folder / "images" / "a.png", phantoms[0])
    write(tmp_path / "secret.png", phantoms[1])
    (folder / "list.txt").write_text("images/a.png\n../secret.png\nimages/gone.png\n")
    side = side_of_list(folder / "list.txt")
    assert side.images["path"].tolist() == ["images/a.png", "", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nowhere", "nowhere: no such file or folder; give a folder, a list of images, or NAME=PATH"),
        ("nih=nowhere", "unknown dataset 'nih'; did you mean 'nih14'"),
        ("chexpert=nowhere", "chexpert: no folder nowhere"),
        ("=x", "write NAME=PATH for a dataset"),
    ],
)
def test_what_is_not_there_is_named(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        read_side(text, Reading())
    assert message in str(caught.value)


def test_within_a_dataset_leaks_are_told_from_copies(phantoms: np.ndarray, tmp_path: Path) -> None:
    for name, image in {"a": 0, "b": 0, "c": 1, "d": 1, "e": 4, "f": 5}.items():
        write(tmp_path / f"{name}.png", phantoms[image])
    rows = [
        ("a", "p1", "train"),
        ("b", "p1", "train"),
        ("c", "p2", "train"),
        ("d", "p3", "test"),
        ("e", "p4", "train"),
        ("f", "p4", "test"),
    ]
    radiographs = replace(_radiographs("mine", rows), root=tmp_path)
    radiographs.samples["path"] = radiographs.samples["sample_id"] + ".png"
    radiographs.samples.loc[1, "finding"] = 1.0
    found = audit(side_of(radiographs), None, tmp_path / "cache")
    flags = found[Kind.pixels].groups[["images", "leak", "patients", "labels"]].values.tolist()
    assert flags == [[2, False, False, True], [2, True, True, False]]
    assert found[Kind.pixels].members["name"].tolist() == ["a", "b", "c", "d"]
    patients = found[Kind.patient].members
    assert patients[["name", "split"]].values.tolist() == [["e", "train"], ["f", "test"]]
    assert found.leak
    assert found.images_shared() == {"train": 1, "test": 1}


def test_files_that_cannot_be_opened_are_told_and_compared_by_name(phantoms: np.ndarray, tmp_path: Path) -> None:
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "both_sides.png").symlink_to("both_sides.png")
    write(tmp_path / "a" / "only_a.png", phantoms[0])
    found = audit(side_of_list(tmp_path / "a"), side_of_list(tmp_path / "b"), tmp_path / "cache")
    assert (found.looked_at, found.unread) == (1, 2)
    assert "both_sides.png: cannot be read: Too many levels of symbolic links" in found.unreadable[0]
    assert len(found[Kind.image_id].members) == 2


def test_damaged_files_are_told_and_compared_by_name(phantoms: np.ndarray, tmp_path: Path) -> None:
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
        write(tmp_path / side / f"only_{side}.png", phantoms[ord(side) - 97])
        (tmp_path / side / "both_sides.png").write_bytes(b"")
    found = audit(side_of_list(tmp_path / "a"), side_of_list(tmp_path / "b"), tmp_path / "cache")
    assert found.unread == 2
    assert "both_sides.png: empty file" in found.unreadable[0]
    assert found[Kind.image_id].members["name"].tolist() == ["both_sides.png", "both_sides.png"]
    assert len(found[Kind.pixels]) == 0


@pytest.mark.parametrize(
    ("names", "leak", "train_only"),
    [
        (["t1"], False, True),
        (["t1", "v1"], True, False),
        (["e1"], True, False),
        # A train image of a patient who is tested on.
        (["t2"], True, False),
        (["other_image"], False, False),
    ],
)
def test_only_train_images_may_be_in_a_pretraining_list(
    names: list[str], leak: bool, train_only: bool, tmp_path: Path
) -> None:
    rows = [("t1", "p1", "train"), ("t2", "p4", "train"), ("v1", "p2", "val"), ("e1", "p3", "test")]
    (tmp_path / "list.txt").write_text("\n".join(names))
    listed = side_of_list(tmp_path / "list.txt")
    found = audit(side_of(_radiographs("mine", [*rows, ("e2", "p4", "test")])), listed, tmp_path)
    assert (found.leak, found.train_only) == (leak, train_only)
    assert set(found.not_compared) == {Kind.pixels, Kind.near, Kind.patient}
    without_splits = audit(side_of(_radiographs("mine", [(*row[:2], "") for row in rows])), listed, tmp_path)
    assert without_splits.leak == (names != ["other_image"])


def test_a_list_is_a_leak_of_a_list_whatever_it_is_for(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text("a\nb")
    side = side_of_list(tmp_path / "train.txt")
    found = audit(side, side, tmp_path)
    assert (found.leak, found.train_only) == (True, False)


def test_pictures_of_a_folder_called_phantom_stay_where_no_marker_lies(phantoms: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "phantom").mkdir()
    for name in ("a.png", "phantom/b.png"):
        write(tmp_path / name, phantoms[0])
    assert len(side_of_list(tmp_path)) == 2
    (tmp_path / "PHANTOM.json").write_text("{}")
    assert side_of_list(tmp_path).images["name"].tolist() == ["a.png"]
