"""Content hashes against sha256 of the bytes, and what changes a dataset's fingerprint."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.data import Radiographs, fingerprint
from cxrbench.data.fingerprint import content_hashes, dataset_fingerprint, target_hashes
from cxrbench.foundation.errors import UserError

# By the first version of `dataset_fingerprint`, of `dataset`.
KNOWN = "5f90a6bdcfc300584c3ca1e9cbb87b0403de1935427ca096ae26daaf159d3238"


def dataset(root: Path, n: int = 6) -> Radiographs:
    """`n` small files that are 100 s old."""
    root.mkdir(parents=True, exist_ok=True)
    for number in range(n):
        file = root / f"{number}.png"
        file.write_bytes(b"image" + bytes([number]))
        os.utime(file, ns=(0, 1_700_000_000_000_000_000 + number))
    samples = pd.DataFrame(
        {
            "sample_id": [f"s{i}" for i in range(n)],
            "patient_id": [f"p{i // 2}" for i in range(n)],
            "study_id": "",
            "path": [f"{i}.png" for i in range(n)],
            "split": "train",
            "view": "frontal",
            "Edema": np.where(np.arange(n) % 2, 1.0, np.nan),
        }
    )
    return Radiographs("test", root, samples, ("Edema",), exclusive=False)


def reordered(radiographs: Radiographs) -> Radiographs:
    return replace(radiographs, samples=radiographs.samples.iloc[::-1].reset_index(drop=True))


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were really hashed."""
    files: list[Path] = []
    real = fingerprint.sha256_of_file
    monkeypatch.setattr(fingerprint, "sha256_of_file", lambda path: (files.append(path), real(path))[1])
    return files


def test_hashes_are_sha256_of_the_bytes_in_row_order(tmp_path: Path):
    radiographs = reordered(dataset(tmp_path / "data"))
    expected = [hashlib.sha256(b"image" + bytes([i])).hexdigest() for i in reversed(range(6))]
    assert content_hashes(radiographs, tmp_path / "cache").tolist() == expected


def test_a_second_call_reads_no_file(tmp_path: Path, hashed: list[Path]):
    radiographs = dataset(tmp_path / "data")
    first = content_hashes(radiographs, tmp_path / "cache")
    assert len(hashed) == 6
    assert content_hashes(reordered(radiographs), tmp_path / "cache").tolist() == first[::-1].tolist()
    assert len(hashed) == 6


def test_only_a_changed_file_is_hashed_again(tmp_path: Path, hashed: list[Path]):
    radiographs = dataset(tmp_path / "data")
    before = content_hashes(radiographs, tmp_path / "cache")
    (tmp_path / "data" / "3.png").write_bytes(b"image!")
    after = content_hashes(radiographs, tmp_path / "cache")
    assert (before != after).tolist() == [False, False, False, True, False, False]
    assert len(hashed) == 7


def test_a_file_written_a_moment_ago_is_not_remembered(tmp_path: Path, hashed: list[Path]):
    radiographs = dataset(tmp_path / "data")
    os.utime(tmp_path / "data" / "2.png")
    content_hashes(radiographs, tmp_path / "cache")
    hashed.clear()
    content_hashes(radiographs, tmp_path / "cache")
    assert [path.name for path in hashed] == ["2.png"]


def test_damaged_memory_is_made_again(tmp_path: Path):
    radiographs = dataset(tmp_path / "data")
    first = content_hashes(radiographs, tmp_path / "cache")
    (memory,) = (tmp_path / "cache" / "content_hashes").iterdir()
    memory.write_bytes(b"PAR1 no longer")
    assert content_hashes(radiographs, tmp_path / "cache").tolist() == first.tolist()


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert len(content_hashes(dataset(tmp_path / "data"), tmp_path / "cache")) == 6


def test_one_file_of_two_samples_is_hashed_once(tmp_path: Path, hashed: list[Path]):
    radiographs = dataset(tmp_path / "data")
    radiographs.samples["path"] = "0.png"
    assert len(set(content_hashes(radiographs, tmp_path / "cache"))) == 1
    assert len(hashed) == 1


def test_missing_files_are_counted_and_three_named(tmp_path: Path):
    radiographs = dataset(tmp_path / "data")
    for number in (0, 2, 3, 5):
        (tmp_path / "data" / f"{number}.png").unlink()
    with pytest.raises(UserError, match=r"data: 4 image files missing: 0\.png, 2\.png, 3\.png, …$"):
        content_hashes(radiographs, tmp_path / "cache")


def print_of(radiographs: Radiographs, cache: Path) -> str:
    return dataset_fingerprint(radiographs, content_hashes(radiographs, cache), target_hashes(radiographs, cache))


def test_fingerprint_does_not_depend_on_row_order_or_place(tmp_path: Path):
    radiographs = dataset(tmp_path / "data")
    shutil.copytree(tmp_path / "data", tmp_path / "elsewhere")
    moved = replace(radiographs, root=tmp_path / "elsewhere")
    prints = {print_of(each, tmp_path / "cache") for each in (radiographs, reordered(radiographs), moved)}
    assert len(prints) == 1


@pytest.mark.parametrize("column", ["sample_id", "patient_id", "split", "view", "Edema"])
def test_fingerprint_depends_on(tmp_path: Path, column: str):
    radiographs = dataset(tmp_path / "data")
    before = print_of(radiographs, tmp_path / "cache")
    radiographs.samples.loc[2, column] = 0.0 if column == "Edema" else "other"
    assert print_of(radiographs, tmp_path / "cache") != before


def test_fingerprint_depends_on_name_content_and_boxes(tmp_path: Path):
    radiographs = dataset(tmp_path / "data")
    boxes = pd.DataFrame({"sample_id": ["s0", "s1"], "label": "Mass", "x1": [0.0, 1.0], "y1": 0, "x2": 9, "y2": 9})
    boxed = replace(radiographs, boxes=boxes)
    turned = replace(radiographs, boxes=boxes[["label", "x1", "y1", "x2", "y2", "sample_id"]].iloc[::-1])
    moved = replace(radiographs, boxes=boxes.assign(x1=[0.0, 2.0]))
    renamed = replace(radiographs, dataset="other")
    prints = [print_of(each, tmp_path / "cache") for each in (radiographs, boxed, turned, moved, renamed)]
    (tmp_path / "data" / "3.png").write_bytes(b"another image")
    prints.append(print_of(radiographs, tmp_path / "cache"))
    assert prints[1] == prints[2]
    assert len(set(prints)) == 5


def pairs(root: Path, targets: list[str]) -> Radiographs:
    radiographs = dataset(root)
    return replace(radiographs, samples=radiographs.samples.assign(target_path=targets))


def test_fingerprint_of_pairs_depends_on_what_the_targets_hold_and_not_on_their_names(tmp_path: Path):
    names = [f"{number}.png" for number in range(6)]
    shutil.copytree(dataset(tmp_path / "data").root, tmp_path / "data" / "copies")
    prints = [
        print_of(pairs(tmp_path / "data", targets), tmp_path / "cache")
        for targets in (names, [f"copies/{name}" for name in names], names[::-1])
    ]
    alone = print_of(dataset(tmp_path / "data"), tmp_path / "cache")
    assert prints[0] == prints[1]
    assert len({*prints, alone}) == 3
    assert prints[2] == print_of(reordered(pairs(tmp_path / "data", names[::-1])), tmp_path / "cache")


def test_a_dataset_without_targets_keeps_the_fingerprint_that_its_records_have(tmp_path: Path):
    assert print_of(dataset(tmp_path / "data"), tmp_path / "cache") == KNOWN


def test_targets_cannot_be_forgotten(tmp_path: Path):
    found = pairs(tmp_path / "data", ["0.png"] * 6)
    hashes = content_hashes(found, tmp_path / "cache")
    with pytest.raises(ValueError, match="target_hashes"):
        dataset_fingerprint(found, hashes)
    with pytest.raises(ValueError, match="target_hashes"):
        dataset_fingerprint(dataset(tmp_path / "data"), hashes, hashes)
