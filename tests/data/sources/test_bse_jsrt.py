from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cxrbench.data import load, read_image
from cxrbench.data.held_out import held_out
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.source import datasets
from cxrbench.data.sources.bse_jsrt import BSEJSRT
from cxrbench.foundation.errors import UserError

FILMS = ["JPCLN001", "JPCLN002", "JPCNN001"]


def lay_out(root: Path, films: list[str] = FILMS, nested: bool = True, sides: tuple[str, ...] = ("JSRT", "BSE_JSRT")):
    for side in sides:
        folder = root / side / side if nested else root / side
        folder.mkdir(parents=True, exist_ok=True)
        for film in films:
            (folder / f"{film}.png").touch()
    return root


def test_it_is_registered_and_says_whose_films_it_has() -> None:
    assert isinstance(datasets.get("bse_jsrt"), BSEJSRT)
    assert BSEJSRT.card.drawn_from == ("jsrt",)


@pytest.mark.parametrize("nested", [False, True])
def test_pairs_are_matched_by_name(tmp_path: Path, nested: bool) -> None:
    found = load("bse_jsrt", lay_out(tmp_path, nested=nested))
    samples = found.samples
    assert samples["sample_id"].tolist() == FILMS
    assert samples["nodule"].tolist() == [1, 1, 0]
    middle = "JSRT/" if nested else ""
    assert samples["path"][1] == f"JSRT/{middle}JPCLN002.png"
    assert samples["target_path"][1] == f"BSE_JSRT/{'BSE_JSRT/' if nested else ''}JPCLN002.png"
    for column in ("path", "target_path"):
        assert all((tmp_path / path).is_file() for path in samples[column])
    assert not found.patients_known


def test_the_same_films_are_held_out_as_in_jsrt(tmp_path: Path) -> None:
    films = [f"JPCLN{number:03d}" for number in range(1, 61)]
    found = load("bse_jsrt", lay_out(tmp_path, films))
    assert found.samples["split"].tolist() == held_out("jsrt", found.samples["sample_id"]).tolist()
    assert set(found.samples["split"]) == {"train", "test"}


def test_an_augmented_copy_is_left_out_and_said_so(tmp_path: Path) -> None:
    lay_out(tmp_path)
    lay_out(tmp_path / "augmented" / "augmented", ["JPCLN001_1"], nested=False, sides=("source", "target"))
    lay_out(tmp_path / "JSRT" / "augmented", ["JPCLN009"], nested=False, sides=("source",))
    found = load("bse_jsrt", tmp_path)
    assert len(found) == 3
    assert found.notes == ("augmented/ is left out: its images are versions of one another",)


@pytest.mark.parametrize("below", ["augmented", "augmented/augmented", "Augmented"])
def test_the_augmented_copy_itself_is_refused(tmp_path: Path, below: str) -> None:
    lay_out(tmp_path / below)
    with pytest.raises(UserError, match="is the augmented copy, whose images are versions of one another"):
        load("bse_jsrt", tmp_path / below)


def test_a_film_without_its_partner_is_a_problem(tmp_path: Path) -> None:
    lay_out(tmp_path)
    lay_out(tmp_path, ["JPCLN003"], sides=("JSRT",))
    lay_out(tmp_path, ["JPCNN093"], sides=("BSE_JSRT",))
    with pytest.raises(UserError) as caught:
        load("bse_jsrt", tmp_path)
    text = str(caught.value)
    assert "2 problems (2 x no partner)" in text
    assert "JPCLN003 has no file of that name in BSE_JSRT/" in text
    assert "JPCNN093 has no file of that name in JSRT/" in text
    left = load("bse_jsrt", tmp_path, skip_unreadable=True)
    assert left.samples["sample_id"].tolist() == FILMS
    assert left.left_out is not None
    assert set(left.left_out["sample_id"]) == {"JPCLN003", "JPCNN093"}


def test_other_names_and_films_given_twice_are_problems(tmp_path: Path) -> None:
    lay_out(lay_out(tmp_path), nested=False)
    (tmp_path / "JSRT" / "cover.png").touch()
    with pytest.raises(UserError, match=r"7 problems \(6 x listed twice, 1 x unknown name\)") as caught:
        load("bse_jsrt", tmp_path)
    assert "JSRT/cover.png: not named JPCLN001.png" in str(caught.value)


def test_missing_folders_and_no_pair_at_all_are_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no folder .*/JSRT; give the folder that holds JSRT/ and BSE_JSRT/"):
        load("bse_jsrt", tmp_path)
    lay_out(tmp_path, sides=("JSRT",))
    with pytest.raises(UserError, match=r"no folder .*/BSE_JSRT"):
        load("bse_jsrt", tmp_path)
    lay_out(tmp_path, ["JPCNN050"], sides=("BSE_JSRT",))
    with pytest.raises(UserError, match="has its name in BSE_JSRT/"):
        load("bse_jsrt", tmp_path)


def test_a_phantom_has_twins_without_ribs_even_where_none_were_asked_for(tmp_path: Path) -> None:
    root = tmp_path / "phantom"
    write_phantom_dataset("bse_jsrt", root, 6, 96, seed=2, rib_free=False)
    found = load("bse_jsrt", root)
    assert found.synthetic
    assert not (root / "phantom" / "rib_free").exists()
    assert found.samples["nodule"].tolist() == [1, 1, 1, 0, 0, 0]
    for path, target in zip(found.samples["path"], found.samples["target_path"], strict=True):
        with_bones, without = (read_image(root / each).astype(float) for each in (path, target))
        assert with_bones.shape == without.shape == (96, 96)
        # The same chest, and bones only add to it.
        assert np.corrcoef(with_bones.ravel(), without.ravel())[0, 1] > 0.9
        assert cv2.blur(with_bones - without, (5, 5)).mean() > 1
