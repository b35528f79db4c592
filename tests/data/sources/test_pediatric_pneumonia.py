from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cxrbench.data.counts import count
from cxrbench.data.phantom.case import PhantomCase
from cxrbench.data.reading import Reading
from cxrbench.data.source import datasets, load
from cxrbench.data.sources.pediatric_pneumonia import PediatricPneumonia
from cxrbench.foundation.errors import UserError

FILES = {
    "train/NORMAL": ["IM-0115-0001.jpeg", "IM-0115-0001-0002.jpeg", "NORMAL2-IM-0115-0001.jpeg"],
    "train/PNEUMONIA": ["person7_bacteria_24.jpeg", "person7_virus_9.jpeg", "person447_virus_921_1.jpeg"],
    "test/NORMAL": ["IM-0001-0001.jpeg"],
    "test/PNEUMONIA": ["person80_bacteria_1.jpeg", "person1_virus_2.jpeg"],
}


def grow(tree: Path, files: dict[str, list[str]] = FILES) -> Path:
    for folder, names in files.items():
        (tree / folder).mkdir(parents=True, exist_ok=True)
        for name in names:
            (tree / folder / name).touch()
    return tree


def read(root: Path):
    """As a run reads it: anything wrong is an error."""
    return load("pediatric_pneumonia", root)


def test_it_is_registered() -> None:
    assert isinstance(datasets.get("pediatric_pneumonia"), PediatricPneumonia)


def test_classes_and_patients_come_from_the_names(tmp_path: Path) -> None:
    found = read(grow(tmp_path / "chest_xray"))
    samples = found.samples.set_index("sample_id")
    patients = samples["patient_id"]
    assert patients["train/NORMAL/IM-0115-0001-0002"] == "IM-0115"
    assert patients["train/NORMAL/NORMAL2-IM-0115-0001"] == "NORMAL2-IM-0115"
    assert patients["train/PNEUMONIA/person7_bacteria_24"] == "person7_bacteria"
    assert patients["train/PNEUMONIA/person7_virus_9"] == "person7_virus"
    assert patients["train/PNEUMONIA/person447_virus_921_1"] == "person447_virus"
    assert (found.targets().sum(axis=1) == 1).all()
    totals = samples.groupby("split")[list(found.labels)].sum()
    assert list(totals.loc["train"]) == [3, 1, 2]
    assert list(totals.loc["test"]) == [1, 1, 1]
    assert found.exclusive
    assert found.patients_known
    assert set(samples["view"]) == {"frontal"}


@pytest.mark.parametrize("above", ["", "chest_xray", "ChestXRay2017/chest_xray"])
def test_the_root_may_be_the_tree_or_above_it_and_ids_stay(tmp_path: Path, above: str) -> None:
    grow(tmp_path / above)
    found = read(tmp_path)
    assert len(found) == 9
    assert all((tmp_path / path).is_file() for path in found.samples["path"])
    assert found.samples["sample_id"][1] == "train/NORMAL/IM-0115-0001"


def test_the_kaggle_copy_is_counted_once_and_its_val_trains(tmp_path: Path) -> None:
    tree = grow(tmp_path / "chest_xray")
    kaggle_val = {"val/NORMAL": ["NORMAL2-IM-1427-0001.jpeg"], "val/PNEUMONIA": ["person1946_bacteria_4874.jpeg"]}
    grow(tree, kaggle_val)
    shutil.copytree(tree, tree / "chest_xray")
    shadow = {folder: [f"._{name}" for name in names] for folder, names in FILES.items()}
    grow(tree / "__MACOSX" / "chest_xray", shadow)
    grow(tree, shadow)
    (tree / "train" / "NORMAL" / ".DS_Store").touch()
    (tree / "train" / "NORMAL" / "Thumbs.db").touch()
    found = read(tmp_path)
    assert len(found) == 11
    assert Counter(found.samples["split"]) == {"train": 8, "test": 3}
    assert "train/PNEUMONIA/person1946_bacteria_4874" in set(found.samples["sample_id"])
    assert any("2 images of val/ count as training" in note for note in found.notes)
    # A full copy's train/ is counted without val/.
    counts = count(found, PediatricPneumonia().parts(found))
    assert counts["val/images"] == 2
    assert counts["train/images"] + counts["test/images"] == len(found) - 2
    assert any("second copy" in note for note in found.notes)


def test_an_image_both_in_val_and_in_train_is_counted_once(tmp_path: Path) -> None:
    tree = grow(tmp_path)
    grow(tree, {"val/NORMAL": ["IM-0115-0001.jpeg"]})
    found = read(tree)
    assert len(found) == 9
    assert found.notes == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tree: shutil.rmtree(tree / "train"), "no folder with train/ and test/"),
        (lambda tree: shutil.rmtree(tree / "test" / "PNEUMONIA"), "test: no bacterial and no viral image; complete"),
        (lambda tree: (tree / "test/NORMAL/IM-0001-0001.jpeg").unlink(), "test: no normal image; complete the copy"),
        (lambda tree: (tree / "test/PNEUMONIA/person1_virus_2.jpeg").unlink(), "no viral image"),
        (
            lambda tree: (tree / "train/NORMAL/holiday.jpeg").touch(),
            r"NORMAL/holiday\.jpeg: is not named .* mend it, or go on without",
        ),
        (lambda tree: (tree / "train/NORMAL/person3_virus_2.jpeg").touch(), r"person3_virus_2\.jpeg: is not named"),
        (
            lambda tree: (tree / "train/NORMAL/IM-0115-0001.png").touch(),
            r"IM-0115-0001\.png: train/NORMAL/IM-0115-0001 is there with another suffix; keep one",
        ),
        (
            lambda tree: shutil.rmtree(tree) or grow(tree, {key: ["x.jpeg"] for key in FILES}),
            "under its original name; complete it",
        ),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path: Path, change, said: str) -> None:
    tree = grow(tmp_path)
    change(tree)
    with pytest.raises(UserError, match=said) as caught:
        read(tree)
    assert "\n" not in str(caught.value)


def test_two_copies_side_by_side_are_not_guessed_between(tmp_path: Path) -> None:
    grow(tmp_path / "a")
    grow(tmp_path / "b")
    with pytest.raises(UserError, match="more than one copy"):
        read(tmp_path)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no folder .*nowhere"):
        read(tmp_path / "nowhere")


def test_a_phantom_has_the_official_proportions_and_reads_back_equal(tmp_path: Path) -> None:
    source = PediatricPneumonia()
    plan = source.plan_phantom(400, seed=3)
    assert plan == source.plan_phantom(400, seed=3)
    assert plan != source.plan_phantom(400, seed=4)
    source.write_phantom((PhantomCase(ask, np.zeros((8, 8), np.uint8)) for ask in plan), tmp_path)
    found = source.read(tmp_path, Reading())
    assert len(found) == len(plan) == 400
    totals = found.samples.groupby("split")[list(found.labels)].sum()
    np.testing.assert_allclose(totals.loc["train"] / 300, np.array([1341, 2530, 1345]) / 5216, atol=0.015)
    np.testing.assert_allclose(totals.loc["test"] / 100, np.array([234, 242, 148]) / 624, atol=0.03)
    sizes = Counter(Counter(ask.patient for ask in plan).values())
    assert Counter(found.samples["patient_id"].value_counts()) == sizes
    assert sizes[2] > 20
    assert found.samples.groupby("patient_id")["split"].nunique().max() == 1


def test_a_phantom_too_small_for_every_class_is_refused() -> None:
    assert len(PediatricPneumonia().plan_phantom(6, 0)) == 6
    with pytest.raises(UserError, match="ask for 6 or more"):
        PediatricPneumonia().plan_phantom(5, 0)


def test_the_real_set_has_the_published_counts_and_shares_no_patient(realdata: Path) -> None:
    found = read(realdata / "kermany" / "chest_xray")
    totals = found.samples.groupby("split")[list(found.labels)].sum()
    assert list(totals.loc["train"]) == [1341, 2530, 1345]
    assert list(totals.loc["test"]) == [234, 242, 148]
    for split in ("train", "test"):
        for label in found.labels:
            assert totals.at[split, label] == PediatricPneumonia.card.counts[f"{split}/{label}"]
    of_split = found.samples.groupby("split")["patient_id"].agg(set)
    assert not of_split["train"] & of_split["test"]
