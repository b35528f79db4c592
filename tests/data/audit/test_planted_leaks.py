"""The audit against copies whose truth is known: what it finds of each kind, and that it finds nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.planted_leaks import KINDS, plant, score
from cxrbench.data import load
from cxrbench.data.audit import Kind, audit, side_of, side_of_list


def test_planted_copies_are_found_and_nothing_else(phantoms: np.ndarray, tmp_path: Path) -> None:
    planted = plant(phantoms, tmp_path / "a", tmp_path / "b", each=10)
    assert planted["kind"].value_counts().to_dict() == dict.fromkeys(KINDS, 10)
    found = audit(side_of_list(tmp_path / "a"), side_of_list(tmp_path / "b"), tmp_path / "cache")
    recall, wrong = score(found, planted)
    least = {"id": 1.0, "bit-equal": 1.0, "3 % crop": 0.8}
    assert {kind: recall[kind] for kind in KINDS if recall[kind] < least.get(kind, 0.9)} == {}
    assert wrong.to_dict("records") == []
    assert found.leak
    assert len(found[Kind.image_id]) == 10
    assert len(found[Kind.pixels]) == 10


def test_paediatric_images_hold_thirty_groups_of_copies_one_of_them_under_two_ids(
    realdata: Path, tmp_path: Path
) -> None:
    found = audit(side_of(load("pediatric_pneumonia", realdata / "kermany")), None, tmp_path)
    groups = found[Kind.pixels].groups
    assert (len(groups), int(groups["patients"].sum()), int(groups["labels"].sum())) == (30, 1, 0)
    pair = found[Kind.pixels].members
    pair = pair["name"][pair["group"] == groups.index[groups["patients"]][0]]
    assert pair.tolist() == ["test/NORMAL/NORMAL2-IM-0095-0001", "test/NORMAL/NORMAL2-IM-0096-0001"]
    assert [len(found[kind]) for kind in (Kind.image_id, Kind.near, Kind.patient)] == [0, 0, 0]
    assert not found.leak


def test_no_two_real_nih_images_are_taken_for_one(realdata: Path, tmp_path: Path) -> None:
    found = audit(side_of_list(realdata / "nih"), None, tmp_path)
    assert (len(found.a), found.looked_at) == (133, 133)
    assert [len(found[kind]) for kind in (Kind.image_id, Kind.pixels, Kind.near)] == [0, 0, 0]


@pytest.mark.parametrize("change", ["half size", "3 % crop", "contrast"])
def test_real_nih_images_are_known_again(change: str, realdata: Path) -> None:
    from benchmarks.planted_leaks import CHANGES
    from cxrbench.data import read_image
    from cxrbench.data.audit.near import same_exposure

    paths = sorted((realdata / "nih").rglob("*.png"))[:12]
    images = [read_image(path) for path in paths]
    generator = np.random.default_rng(0)
    assert all(same_exposure(image, CHANGES[change](image, generator))[1] for image in images)
    assert not any(same_exposure(images[row], images[row - 1])[1] for row in range(len(images)))
