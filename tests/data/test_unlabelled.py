from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxrbench.data.unlabelled import read_unlabelled
from cxrbench.foundation.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a/00000001_000.png", "a/00000001_001.png", "b/person7_virus_12.jpeg", "scan.png"):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)
    return tmp_path / "images"


def test_a_folder_gives_each_image_once_with_the_patient_that_its_name_tells(folder: Path) -> None:
    radiographs = read_unlabelled(folder)
    samples = radiographs.samples
    assert samples["path"].tolist() == [
        "a/00000001_000.png",
        "a/00000001_001.png",
        "b/person7_virus_12.jpeg",
        "scan.png",
    ]
    assert samples["patient_id"].tolist() == ["00000001", "00000001", "person7_virus", "scan.png"]
    assert set(samples["split"]) == {"train"}
    assert radiographs.patients_known
    assert not radiographs.labels
    assert not radiographs.synthetic


def test_names_of_a_list_are_relative_to_it(folder: Path) -> None:
    listed = folder.parent / "train.txt"
    listed.write_text("images/scan.png\nimages/a/00000001_000.png\n")
    radiographs = read_unlabelled(listed)
    assert [(radiographs.root / path).is_file() for path in radiographs.samples["path"]] == [True, True]


def test_absolute_and_relative_names_may_stand_in_one_list(folder: Path) -> None:
    listed = folder.parent / "train.txt"
    listed.write_text(f"{folder}/scan.png\nimages/a/00000001_000.png\n")
    radiographs = read_unlabelled(listed)
    assert radiographs.root == Path("/")
    assert [(radiographs.root / path).is_file() for path in radiographs.samples["path"]] == [True, True]


def test_no_such_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere: no such file or folder"):
        read_unlabelled(tmp_path / "nowhere")
