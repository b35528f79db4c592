"""Images of several datasets as one, without those that cannot be read, under names that audits know."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cxrbench.data import Radiographs, load
from cxrbench.data.audit import shared_ids
from cxrbench.data.fingerprint import content_hashes
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.unlabelled import read_unlabelled
from cxrbench.foundation.errors import UserError
from cxrbench.foundation.files import sha256_of_json
from cxrbench.foundation.progress import SilentProgress
from cxrbench.pretrain.running.images import PretrainingImages, pretraining_images
from cxrbench.pretrain.running.output import read_image_names, write_image_names

from ..method_cases import SIZE
from ..pretraining_cases import IMAGES, cache, radiographs

__all__ = ["cache", "radiographs"]


def prepared(*radiographs: Radiographs, cache: Path, limit: float = 0.01) -> PretrainingImages:
    return pretraining_images(radiographs, SIZE, "default", limit, cache=cache, progress=SilentProgress())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty grey noises, as a person has images in a folder."""
    root = tmp_path / "images"
    (root / "deeper").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for number in range(30):
        place = root / ("deeper" if number % 2 else "") / f"scan_{number:08d}.png"
        cv2.imwrite(str(place), generator.integers(0, 256, (40, 48), dtype=np.uint8))
    return root


def broken(folder: Path, count: int) -> list[str]:
    files = sorted(folder.rglob("*.png"))[:count]
    for file in files:
        file.write_bytes(b"no image")
    return [file.name for file in files]


def test_several_datasets_are_one(radiographs: Radiographs, folder: Path, cache: Path) -> None:
    images = prepared(radiographs, read_unlabelled(folder), cache=cache)
    assert len(images) == IMAGES + 30
    assert images.datasets == {"chexpert (synthetic phantoms)": IMAGES, "images": 30}
    assert images.synthetic
    assert images.names()[IMAGES] == "deeper/scan_00000001.png"
    pixels = np.concatenate([part.stored for part in images.parts]) / 255
    assert images.mean_and_sd(1000) == pytest.approx((pixels.mean(), pixels.std()), abs=1e-9)
    hashes = [content_hashes(each, cache) for each in (radiographs, read_unlabelled(folder))]
    assert images.sha256 == sha256_of_json(sorted(np.concatenate(hashes).tolist()))


def test_the_hash_is_of_the_images_not_of_their_place_or_order(folder: Path, tmp_path: Path, cache: Path) -> None:
    shutil.copytree(folder, tmp_path / "elsewhere")
    one, other = read_unlabelled(folder), read_unlabelled(tmp_path / "elsewhere")
    turned = replace(other, samples=other.samples.iloc[::-1].reset_index(drop=True))
    assert prepared(one, cache=cache).sha256 == prepared(turned, cache=cache).sha256
    assert prepared(one.where(np.arange(30) > 0), cache=cache).sha256 != prepared(one, cache=cache).sha256


def test_unreadable_images_are_left_out_and_listed(folder: Path, cache: Path) -> None:
    names = broken(folder, 3)
    images = prepared(read_unlabelled(folder), cache=cache)
    assert len(images) == 27
    assert [Path(name).name for name in images.left_out["sample_id"]] == names
    assert (images.left_out["dataset"] == "images").all()
    assert not set(names) & {Path(name).name for name in images.names()}


def test_blank_images_are_left_out_as_well(folder: Path, cache: Path) -> None:
    cv2.imwrite(str(folder / "scan_00000000.png"), np.full((40, 48), 7, np.uint8))
    broken(folder / "deeper", 1)
    images = prepared(read_unlabelled(folder), cache=cache)
    assert len(images) == 28
    assert any("constant" in reason for reason in images.left_out["reason"])


def test_more_unreadable_images_than_the_limit_stop_it(folder: Path, cache: Path) -> None:
    broken(folder, 21)
    with pytest.raises(UserError, match="21 of 30 images cannot be used, and 20 may be left out") as caught:
        prepared(read_unlabelled(folder), cache=cache)
    assert "unreadable_limit" in str(caught.value)
    assert "... and 1 more" in str(caught.value)
    assert len(prepared(read_unlabelled(folder), cache=cache, limit=0.7)) == 9
    with pytest.raises(UserError, match="and 0 may be left out"):
        prepared(read_unlabelled(folder), cache=cache, limit=0)


def test_what_the_reading_left_out_counts(radiographs: Radiographs, cache: Path) -> None:
    many = pd.DataFrame({"sample_id": [f"s{number}" for number in range(21)], "reason": "gone"})
    with pytest.raises(UserError, match="21 of 61 images cannot be used"):
        prepared(replace(radiographs, left_out=many), cache=cache)


def test_a_list_of_real_names_is_found_by_the_audit_and_one_of_phantoms_is_not(
    radiographs: Radiographs, tmp_path: Path, cache: Path
) -> None:
    def listed(given: Radiographs, name: str) -> Path:
        (tmp_path / name).mkdir()
        images = prepared(given, cache=cache)
        write_image_names(tmp_path / name, images.names())
        path = tmp_path / name / "pretraining_images.txt"
        assert read_image_names(path) == images.names()
        return path

    real = replace(radiographs, synthetic=False)
    found = shared_ids(radiographs, listed(real, "real"))
    assert sum(found.images.values()) == found.listed == IMAGES
    # Another phantom numbers its patients the same way.
    write_phantom_dataset("chexpert", tmp_path / "other", IMAGES, SIZE, seed=5, rib_free=False)
    assert not shared_ids(load("chexpert", tmp_path / "other"), listed(radiographs, "phantom")).any
