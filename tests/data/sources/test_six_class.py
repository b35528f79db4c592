from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from cxrbench.data.phantom.case import PhantomCase
from cxrbench.data.reading import Reading
from cxrbench.data.source import datasets, load
from cxrbench.data.sources.six_class import SixClass
from cxrbench.foundation.errors import UserError

LABELS = SixClass.labels


def table() -> pd.DataFrame:
    rows = [
        (f"{split}_{label}.png", label, f"00{number}", split)
        for number, (split, label) in enumerate(
            (split, label) for split in ("train", "val", "test") for label in LABELS
        )
    ]
    return pd.DataFrame(rows, columns=["image", "label", "patient_id", "split"])


def lay_out(root: Path, rows: pd.DataFrame, more: Iterable[str] = ()) -> Path:
    (root / "images").mkdir(parents=True)
    for image in [*table()["image"], *more]:
        (root / "images" / image).touch()
    rows.to_csv(root / "labels.csv", index=False)
    return root


def read(root: Path):
    """As a run reads it: anything wrong is an error."""
    return load("six_class", root)


def test_it_is_registered() -> None:
    assert isinstance(datasets.get("six_class"), SixClass)


def test_a_table_is_read_with_its_patients(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, table()))
    assert len(found) == 18
    assert found.patients_known
    first = found.samples.iloc[0]
    assert first["sample_id"] == "train_normal"
    assert first["patient_id"] == "000"
    assert first["view"] == "unknown"
    np.testing.assert_array_equal(found.targets(), np.tile(np.eye(6), (3, 1)))
    assert all((tmp_path / path).is_file() for path in found.samples["path"])


def test_views_and_names_with_the_images_folder_are_understood(tmp_path: Path) -> None:
    rows = table().assign(view="frontal", image="images/" + table()["image"])
    rows.loc[0, "view"] = None
    found = read(lay_out(tmp_path, rows))
    assert Counter(found.samples["view"]) == {"frontal": 17, "unknown": 1}
    assert found.samples["sample_id"][0] == "train_normal"


def test_without_any_patient_id_every_image_is_its_own_patient(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, table().assign(patient_id=None)))
    assert not found.patients_known
    assert found.samples["patient_id"].is_unique


def test_folders_are_read_and_say_that_patients_are_unknown(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        for label in LABELS:
            folder = tmp_path / split / label
            folder.mkdir(parents=True)
            (folder / "001.png").touch()
            (folder / "._001.png").touch()
    (tmp_path / "train" / "nodule" / "002.dcm").touch()
    found = read(tmp_path)
    assert len(found) == 19
    assert not found.patients_known
    assert "every image counts as a patient" in found.notes[0]
    assert "train/nodule/002" in set(found.samples["sample_id"])
    assert found.samples.groupby("split")["nodule"].sum().to_dict() == {"test": 1, "train": 2, "val": 1}
    (tmp_path / "val" / "nodules").mkdir()
    with pytest.raises(UserError, match="folders that are no class: nodules"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.rename(columns={"patient_id": "PatientID"}), "lacks the column patient_id"),
        (lambda rows: rows.assign(view="oblique")[:1], "column 'view': 'oblique' is not known"),
        (
            lambda rows: pd.concat([rows, rows[:1]]),
            "row 20: train_normal is listed before, in row 2; mend it, or go on without this image",
        ),
        (lambda rows: rows[rows["image"] != "val_nodule.png"], "labels.csv: no image of val/nodule; train, val and"),
        (lambda rows: rows.assign(image=None), "column image is blank throughout"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path: Path, change, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        read(lay_out(tmp_path, change(table())))
    assert "labels.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.replace("train_nodule.png", "gone.png"), "no image gone, though a table lists it"),
        (lambda rows: rows.replace("train_nodule.png", None), "labels.csv, row 3: column 'image' is blank; fill it in"),
        (lambda rows: rows.replace("003", None), "labels.csv, row 5: column 'patient_id' is blank; fill it in"),
        (
            lambda rows: rows.replace("train_nodule.png", "../../etc/passwd"),
            "labels.csv, row 3: 'images/../../etc/passwd' leads out of the dataset's folder",
        ),
        (
            lambda rows: rows.where(rows["image"] != "train_nodule.png", rows.replace("nodule", "noduel")),
            "labels.csv, row 3: column 'label': 'noduel' is not known; did you mean 'nodule'?",
        ),
        (
            lambda rows: rows.where(rows["image"] != "val_nodule.png", rows.replace("val", "valid")),
            "labels.csv, row 9: column 'split': 'valid' is not known; did you mean 'val'?",
        ),
    ],
)
def test_a_wrong_row_is_named_and_can_be_left_out(tmp_path: Path, change, said: str) -> None:
    # One more of each class, so that a wrong row empties none.
    spare = table().assign(image="more_" + table()["image"], patient_id="9" + table()["patient_id"])
    root = lay_out(tmp_path, pd.concat([change(table()), spare]), spare["image"])
    with pytest.raises(UserError) as caught:
        read(root)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    left = load("six_class", root, skip_unreadable=True)
    assert len(left) == 35
    if "'image' is blank" not in said:
        assert left.left_out is not None
        assert said in left.left_out["reason"].iloc[0]
    else:
        assert "1 problems that concern no single image were passed over" in left.notes[0]


def test_odd_names_are_names(tmp_path: Path) -> None:
    names = [
        "two words.png",
        'it\'s "quoted".png',
        "Lungenübersicht.png",
        "肺.png",
        "a,b.png",
        "..hidden.png",
        "x..y.png",
    ]
    rows = table()
    rows.loc[: len(names) - 1, "image"] = names
    found = read(lay_out(tmp_path, rows, names))
    assert found.samples["path"].tolist()[: len(names)] == [f"images/{name}" for name in names]


def test_a_table_may_be_parquet(tmp_path: Path) -> None:
    root = lay_out(tmp_path, table())
    wanted = read(root)
    (root / "labels.csv").unlink()
    table().to_parquet(root / "labels.parquet")
    found = read(root)
    pd.testing.assert_frame_equal(found.samples, wanted.samples)
    assert found.layout == "labels.parquet"
    table().replace("train_nodule.png", "gone.png").replace("val", "valid").to_parquet(root / "labels.parquet")
    with pytest.raises(UserError, match=r"labels\.parquet, row 7: column 'split': 'valid'"):
        read(root)
    table().to_csv(root / "labels.csv")
    with pytest.raises(UserError, match=r"has labels\.csv and labels\.parquet; take one away"):
        read(root)


def test_an_empty_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"neither labels\.csv .* nor train/, val/ and test/"):
        read(tmp_path)


def test_a_phantom_is_unequal_in_train_balanced_elsewhere_and_reads_back_equal(tmp_path: Path) -> None:
    source = SixClass()
    plan = source.plan_phantom(600, seed=1)
    pixels = np.random.default_rng(0).integers(0, 256, (600, 8, 8), dtype=np.uint8)
    source.write_phantom((PhantomCase(ask, image) for ask, image in zip(plan, pixels, strict=True)), tmp_path)
    found = source.read(tmp_path, Reading())
    totals = found.samples.groupby("split")[list(LABELS)].sum()
    assert totals.to_numpy().sum() == 600
    train = totals.loc["train"].to_numpy()
    assert train.max() / train.min() == pytest.approx(1540 / 280, rel=0.15)
    assert np.ptp(totals.loc["val"]) <= 1
    assert np.ptp(totals.loc["test"]) <= 1
    assert found.samples["patient_id"].nunique() == len({ask.patient for ask in plan}) < 600
    assert found.samples.groupby("patient_id")["split"].nunique().max() == 1
    for place in (0, 599):
        np.testing.assert_array_equal(cv2.imread(str(tmp_path / found.samples["path"][place]), 0), pixels[place])
    wanted = [("normal" if not ask.findings else ask.findings[0][:8]) for ask in plan]
    shown = [LABELS[column].removeprefix("pleural_") for column in found.targets().argmax(axis=1)]
    assert [word[:6] for word in shown] == [word[:6] for word in wanted]
