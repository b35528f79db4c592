from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cxrbench.data.card import DatasetCard
from cxrbench.data.phantom.case import PhantomCase, PhantomPlan, PhantomRequest
from cxrbench.data.phantom.dataset import (
    PhantomSpec,
    parse_phantom,
    phantom_folder,
    write_phantom_dataset,
)
from cxrbench.data.phantom.drawing import VERSION, draw
from cxrbench.data.phantom.marker import is_phantom
from cxrbench.data.radiographs import Radiographs
from cxrbench.data.reading import Reading
from cxrbench.data.source import Source, datasets, load
from cxrbench.foundation.errors import UserError


class Tiny(Source):
    """A dataset of numbered PNGs."""

    name = "tiny_phantom_test"
    card = DatasetCard(title="Tiny", licence="none", citation="none")
    labels = ("mass",)
    exclusive = False
    fails = False

    def read(self, root: Path, reading: Reading) -> Radiographs:
        files = sorted(root.glob("*.png"))
        columns = {"sample_id": [file.stem for file in files], "path": [file.name for file in files]}
        return Radiographs(self.name, root, pd.DataFrame(columns), self.labels, self.exclusive)

    def plan_phantom(self, n: int, seed: int) -> PhantomPlan:
        return [
            PhantomRequest(patient, 1, 1, "train", findings=("mass", "effusion") if patient % 2 else ())
            for patient in range(n)
        ]

    def write_phantom(self, cases: Iterable[PhantomCase], root: Path) -> None:
        for case in cases:
            if self.fails:
                raise UserError("the disk is full")
            cv2.imwrite(str(root / f"{case.request.patient:03d}.png"), case.pixels)


@pytest.fixture
def tiny() -> Iterator[Tiny]:
    source = Tiny()
    registered = datasets.register(source.name, source)
    yield registered  # type: ignore[misc]
    datasets._registered.pop(source.name)


def test_dataset_is_written_with_its_truth_and_read_as_synthetic(tiny: Tiny, tmp_path: Path) -> None:
    root = tmp_path / "here" / "phantom"
    write_phantom_dataset(tiny.name, root, n=4, size=48, seed=2)
    radiographs = load(tiny.name, root)
    assert len(radiographs) == 4
    assert radiographs.synthetic
    boxes = pd.read_csv(root / "phantom" / "boxes.csv")
    assert list(boxes.columns) == ["patient", "study", "image", "finding", "x1", "y1", "x2", "y2"]
    assert set(boxes["patient"]) == {1, 3}
    assert set(boxes["finding"]) == {"mass", "effusion"}
    assert len(list((root / "phantom" / "rib_free").glob("*.png"))) == 4
    assert [path.name for path in root.parent.iterdir()] == ["phantom"]


def test_masks_are_those_that_were_drawn(tiny: Tiny, tmp_path: Path) -> None:
    write_phantom_dataset(tiny.name, tmp_path / "p", n=2, size=48, seed=2, rib_free=False)
    masks = pd.read_csv(tmp_path / "p" / "phantom" / "masks.csv")
    case = draw(tiny.plan_phantom(2, 2)[1], 48, 2)
    assert len(masks) == len(case.masks)
    for row, (finding, mask) in zip(masks.to_dict("records"), case.masks, strict=True):
        counts = [int(count) for count in str(row["counts"]).split()]
        flat = np.repeat(np.arange(len(counts)) % 2, counts)
        assert row["finding"] == finding
        assert np.array_equal(flat.reshape(row["width"], row["height"]).T.astype(bool), mask)
    assert not (tmp_path / "p" / "phantom" / "rib_free").exists()


def test_a_folder_with_files_is_never_overwritten(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not empty"):
        write_phantom_dataset(tiny.name, tmp_path, n=1, size=32)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(tiny: Tiny, tmp_path: Path) -> None:
    root = tmp_path / "empty"
    root.mkdir()
    write_phantom_dataset(tiny.name, root, n=1, size=32)
    assert is_phantom(root)


def test_a_failure_leaves_nothing(tiny: Tiny, tmp_path: Path) -> None:
    tiny.fails = True
    with pytest.raises(UserError, match="disk is full"):
        write_phantom_dataset(tiny.name, tmp_path / "p", n=3, size=32)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("n", "size", "seed", "words"), [(0, 64, 0, "n=0"), (1, 31, 0, "size=31"), (1, 64, -1, "seed=-1")]
)
def test_numbers_out_of_range_are_named(tiny: Tiny, tmp_path: Path, n: int, size: int, seed: int, words: str) -> None:
    with pytest.raises(UserError, match=words):
        write_phantom_dataset(tiny.name, tmp_path / "p", n, size, seed)
    with pytest.raises(UserError, match=words):
        phantom_folder(tiny.name, tmp_path, n, size, seed)


def test_unknown_dataset_is_named_with_the_nearest(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'tiny_phantom_test'"):
        write_phantom_dataset("tiny_fantom_test", tmp_path / "p", 1, 32)


def test_phantom_is_drawn_once_and_found_again(tiny: Tiny, tmp_path: Path) -> None:
    folder = phantom_folder(tiny.name, tmp_path, n=2, size=32, seed=4)
    assert folder == tmp_path / "phantoms" / f"tiny_phantom_test-n2-s32-seed4-v{VERSION}"
    tiny.fails = True
    assert phantom_folder(tiny.name, tmp_path, n=2, size=32, seed=4) == folder


def test_what_a_killed_process_left_is_cleared(tiny: Tiny, tmp_path: Path) -> None:
    left = tmp_path / "phantoms" / f".tiny_phantom_test-n1-s32-seed0-v{VERSION}.partial" / "half"
    left.mkdir(parents=True)
    folder = phantom_folder(tiny.name, tmp_path, n=1, size=32)
    assert is_phantom(folder)
    assert not left.parent.exists()


def test_the_same_phantom_has_the_same_bytes(tiny: Tiny, tmp_path: Path) -> None:
    def digest(name: str) -> dict[str, str]:
        root = tmp_path / name
        write_phantom_dataset(tiny.name, root, n=3, size=32, seed=1)
        files = sorted(path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    assert digest("a") == digest("b")


def test_spec_is_parsed_with_defaults_and_spaces() -> None:
    assert parse_phantom("phantom") == PhantomSpec(None, 256, 0)
    assert parse_phantom("phantom:n=600,size=128,seed=3") == PhantomSpec(600, 128, 3)
    assert parse_phantom("phantom: seed=9 , n = 20") == PhantomSpec(20, 256, 9)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("phantom:sise=128", "did you mean 'size'"),
        ("phantom:n=many", "n=many"),
        ("phantom:n=", "n="),
        ("phantom:n=1.5", "n=1.5"),
        ("phantom:n=0", "n=0"),
        ("phantom:size=16", "size=16"),
        ("phantom:seed=-1", "seed=-1"),
        ("fantom", "fantom"),
    ],
)
def test_wrong_spec_is_named(spec: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        parse_phantom(spec)
