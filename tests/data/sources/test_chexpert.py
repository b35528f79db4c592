from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.data.phantom.case import PhantomCase
from cxrbench.data.reading import Reading
from cxrbench.data.source import datasets, load
from cxrbench.data.sources.chexpert import CheXpert
from cxrbench.foundation.errors import UserError

# The header of the released train.csv.
HEADER = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,"
    "Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
SMALL = "CheXpert-v1.0-small"
TRAIN = [
    "patient00001/study1/view1_frontal.jpg",
    "patient00002/study1/view1_frontal.jpg",
    "patient00002/study1/view2_lateral.jpg",
    "patient00002/study2/view1_frontal.jpg",
]
VALID = ["patient64541/study1/view1_frontal.jpg"]
TEST = ["patient64741/study1/view1_frontal.jpg", "patient64741/study1/view2_lateral.jpg"]
STATED = "1.0,,0.0,-1.0,,,,,,,,,,1.0"


def make_images(folder: Path, images: list[str]) -> None:
    for image in images:
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        (folder / image).touch()


def make_table(path: Path, images: list[str], prefix: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        f"{prefix}/{image},Female,68,{'Lateral' if 'lateral' in image else 'Frontal'},AP,{STATED}" for image in images
    ]
    path.write_text("\n".join([HEADER, *rows]) + "\n")


def make_small(tree: Path) -> Path:
    make_images(tree / "train", TRAIN)
    make_images(tree / "valid", VALID)
    make_table(tree / "train.csv", TRAIN, f"{SMALL}/train")
    make_table(tree / "valid.csv", VALID, f"{SMALL}/valid")
    return tree


def make_test(tree: Path, table: Path) -> None:
    """The test set as it is released: no columns of sex, age, view and projection."""
    make_images(tree / "test", TEST)
    columns = ["Path", *HEADER.split(",")[5:]]
    rows = [f"test/{image},{','.join('10' * 7)}" for image in TEST]
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_text("\n".join([",".join(columns), *rows]) + "\n")


def make_batches(parent: Path, with_train_level: bool) -> Path:
    """The full download: four batches, whose images mostly lie without the level that the table names."""
    first = parent / "CheXpert-v1.0 batch 1 (validate & csv)"
    make_images(first / "valid", VALID)
    make_table(first / "train.csv", TRAIN, "CheXpert-v1.0/train")
    make_table(first / "valid.csv", VALID, "CheXpert-v1.0/valid")
    level = "train" if with_train_level else ""
    make_images(parent / "CheXpert-v1.0 batch 2 (train 1)" / level, TRAIN[:1])
    # A patient cut in two by the batches.
    make_images(parent / "CheXpert-v1.0 batch 3 (train 2)", TRAIN[1:3])
    make_images(parent / "CheXpert-v1.0 batch 4 (train 3)", TRAIN[3:])
    return first


def read(root: Path):
    """As a run reads it: anything wrong is an error."""
    return load("chexpert", root)


def test_it_is_registered_and_has_the_released_columns() -> None:
    assert isinstance(datasets.get("chexpert"), CheXpert)
    assert list(CheXpert.labels) == HEADER.split(",")[5:]


@pytest.mark.parametrize("given", ["", SMALL])
def test_the_small_tree_is_read_from_itself_or_from_above(tmp_path: Path, given: str) -> None:
    make_small(tmp_path / SMALL)
    root = tmp_path / given
    found = read(root)
    samples = found.samples
    assert samples["sample_id"].tolist() == [
        "train/patient00001/study1/view1_frontal",
        "train/patient00002/study1/view1_frontal",
        "train/patient00002/study1/view2_lateral",
        "train/patient00002/study2/view1_frontal",
        "valid/patient64541/study1/view1_frontal",
    ]
    assert samples["patient_id"].tolist() == ["patient00001", *["patient00002"] * 3, "patient64541"]
    assert samples["study_id"][3] == "patient00002/study2"
    assert samples["view"].tolist() == ["frontal", "frontal", "lateral", "frontal", "frontal"]
    assert samples["split"].tolist() == [*["train"] * 4, "test"]
    assert all((found.root / path).is_file() for path in samples["path"])
    assert found.notes == ("test set: valid.csv, for want of test_labels.csv",)


def test_uncertain_and_blank_labels_are_kept(tmp_path: Path) -> None:
    found = read(make_small(tmp_path / SMALL))
    nan = np.nan
    np.testing.assert_array_equal(found.targets()[0], [1, nan, 0, -1, *[nan] * 9, 1])
    assert not found.exclusive


@pytest.mark.parametrize("with_train_level", [False, True])
@pytest.mark.parametrize("give_batch", [False, True])
def test_the_full_copy_is_read_from_its_batches(tmp_path: Path, with_train_level: bool, give_batch: bool) -> None:
    first = make_batches(tmp_path, with_train_level)
    found = read(first if give_batch else tmp_path)
    assert len(found) == 5
    assert found.samples["sample_id"][0] == "train/patient00001/study1/view1_frontal"
    assert all((found.root / path).is_file() for path in found.samples["path"])


@pytest.mark.parametrize(
    "table", [f"{SMALL}/test_labels.csv", f"{SMALL}/test/test_labels.csv", "CheXpert/test_labels.csv"]
)
def test_test_labels_are_the_test_set_and_valid_is_left_unused(tmp_path: Path, table: str) -> None:
    make_small(tmp_path / SMALL)
    make_test(tmp_path / table.split("/")[0], tmp_path / table)
    found = read(tmp_path)
    assert Counter(found.samples["split"]) == {"train": 4, "val": 1, "test": 2}
    test = found.samples[found.samples["split"] == "test"]
    assert test["view"].tolist() == ["frontal", "lateral"]
    assert test["sample_id"].iloc[1] == "test/patient64741/study1/view2_lateral"
    assert all((found.root / path).is_file() for path in test["path"])
    np.testing.assert_array_equal(test[list(found.labels)].to_numpy(), [[1, 0] * 7] * 2)
    assert found.notes == ("test set: test_labels.csv",)


def test_test_labels_do_without_valid(tmp_path: Path) -> None:
    tree = make_small(tmp_path / SMALL)
    (tree / "valid.csv").unlink()
    make_test(tree, tree / "test_labels.csv")
    assert Counter(read(tree).samples["split"]) == {"train": 4, "test": 2}


def edit(name: str, old: str, new: str):
    def change(tree: Path) -> None:
        path = tree / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tree: (tree / "train.csv").unlink(), r"no train\.csv in .* or in a folder CheXpert"),
        (lambda tree: (tree / "valid.csv").unlink(), r"no valid\.csv or test_labels\.csv"),
        (
            edit("train.csv", "Pleural Effusion", "Pleural_effusion"),
            r"train\.csv lacks the column Pleural Effusion; 'Pleu",
        ),
        (
            edit("train.csv", "0.0,-1.0", "0.0,-2"),
            r"train\.csv, row 2: column 'Lung Opacity': value '-2.0' is not one of",
        ),
        (edit("valid.csv", "0.0,-1.0", "0.0,maybe"), r"valid\.csv, row 2: column 'Lung Opacity': value 'maybe'"),
        (edit("train.csv", "view2_lateral", "view2_oblique"), r"train\.csv, row 4: column 'Path': .*view2_oblique"),
        (
            edit("train.csv", "view2_lateral", "view1_frontal"),
            r"train\.csv, row 4: train/patient00002/study1/view1_frontal is listed before, in row ",
        ),
        (
            lambda tree: (tree / "train" / TRAIN[1]).unlink(),
            "no image train/patient00002/study1/view1_frontal, though a table lists it; complete the copy, or go on",
        ),
        (lambda tree: (tree / "train.csv").write_text("Path\n"), "lacks the columns No Finding"),
    ],
)
def test_what_is_wrong_is_named_in_one_line(tmp_path: Path, change, said: str) -> None:
    tree = make_small(tmp_path / SMALL)
    change(tree)
    with pytest.raises(UserError, match=said) as caught:
        read(tree)
    assert "\n" not in str(caught.value)


def test_many_problems_are_counted_in_one_error_and_none_is_lost(tmp_path: Path) -> None:
    tree = make_small(tmp_path / SMALL)
    edit("train.csv", "0.0,-1.0", "0.0,maybe")(tree)
    edit("train.csv", "view2_lateral", "view2_oblique")(tree)
    (tree / "valid" / VALID[0]).unlink()
    with pytest.raises(UserError) as caught:
        read(tree)
    lines = str(caught.value).split("\n")
    assert lines[0] == "chexpert: 3 problems (1 x unknown file name, 1 x unknown label, 1 x missing image):"
    assert lines[-1] == "mend them, or go on without these images: --skip-unreadable"
    assert len(lines) == 5
    shutil.copytree(tree / "train" / "patient00001", tree / "valid" / "patient64541", dirs_exist_ok=True)
    left = load("chexpert", tree, skip_unreadable=True)
    assert left.samples["sample_id"].tolist() == [
        "train/patient00002/study1/view1_frontal",
        "train/patient00002/study2/view1_frontal",
        "valid/patient64541/study1/view1_frontal",
    ]
    assert left.left_out is not None
    assert left.left_out["sample_id"].tolist() == [
        "train/CheXpert-v1.0-small/train/patient00002/study1/view2_oblique.jpg",
        "train/patient00001/study1/view1_frontal",
    ]


def test_a_table_of_which_no_row_is_known_is_not_read(tmp_path: Path) -> None:
    tree = make_small(tmp_path / SMALL)
    table = tree / "train.csv"
    table.write_text(table.read_text().replace("view", "look"))
    with pytest.raises(UserError, match=r"train\.csv, row 2, column 'Path': .* nor does any other; correct them"):
        read(tree)


def test_two_copies_are_not_guessed_between(tmp_path: Path) -> None:
    make_small(tmp_path / SMALL)
    make_batches(tmp_path, with_train_level=False)
    with pytest.raises(UserError, match=r"train\.csv is there twice"):
        read(tmp_path)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder"):
        read(tmp_path / "nowhere")


@pytest.fixture(scope="module")
def plan():
    return CheXpert().plan_phantom(6000, seed=5)


def test_a_phantom_has_patients_views_and_shares_like_the_real_set(plan) -> None:
    assert len(plan) == 6000
    assert plan[:100] == CheXpert().plan_phantom(6000, seed=5)[:100]
    split = Counter(ask.split for ask in plan)
    assert split["test"] / 6000 == pytest.approx(0.28, abs=0.01)
    train = [ask for ask in plan if ask.split == "train"]
    # Real: 223,414 images of 64,540 patients in 187,641 studies, 191,027 frontal.
    assert len(train) / len({ask.patient for ask in train}) == pytest.approx(223_414 / 64_540, abs=0.5)
    assert len(train) / len({(ask.patient, ask.study) for ask in train}) == pytest.approx(223_414 / 187_641, abs=0.05)
    assert sum(ask.view == "frontal" for ask in train) / len(train) == pytest.approx(191_027 / 223_414, abs=0.02)
    of_patient = {(ask.patient, ask.split) for ask in plan}
    assert len(of_patient) == len({patient for patient, _ in of_patient})


def test_a_phantom_reads_back_with_the_real_tables_pattern_of_values(plan, tmp_path: Path) -> None:
    source = CheXpert()
    black = np.zeros((4, 4), np.uint8)
    source.write_phantom((PhantomCase(ask, black) for ask in plan), tmp_path)
    assert (tmp_path / SMALL / "train.csv").read_text().split("\n", 1)[0] == HEADER
    assert "Sex" not in (tmp_path / SMALL / "test_labels.csv").read_text().split("\n", 1)[0]
    found = source.read(tmp_path, Reading())
    samples = found.samples
    wanted = {(f"patient{a.patient:05d}", f"study{a.study}", f"view{a.image}_{a.view}", a.split) for a in plan}
    parts = samples["sample_id"].str.split("/")
    assert {(p[1], p[2], p[3], s) for p, s in zip(parts, samples["split"], strict=True)} == wanted
    train = samples[samples["split"] == "train"]
    for label in ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion"):
        for value, stated in (("", train[label] == 1), ("=0", train[label] == 0), ("=-1", train[label] == -1)):
            real = CheXpert.card.counts[f"train/{label}{value}"] / 223_414
            assert stated.mean() == pytest.approx(real, abs=0.05), (label, value)
    assert set(train["No Finding"].dropna()) == {1.0}
    # Views of a study share its report.
    same = train.groupby("study_id")[list(found.labels)].nunique(dropna=False)
    assert (same == 1).all().all()
    test = samples[samples["split"] == "test"][list(found.labels)]
    assert set(np.unique(test)) == {0.0, 1.0}
    both = [label for label in found.labels if test[label].nunique() == 2]
    assert both == [label for label in found.labels if label != "Pleural Other"]


def test_a_phantom_of_three_images_has_all_three_sets(tmp_path: Path) -> None:
    plan = CheXpert().plan_phantom(3, seed=0)
    assert Counter(ask.split for ask in plan) == {"train": 1, "val": 1, "test": 1}
    with pytest.raises(UserError, match="ask for 3 or more"):
        CheXpert().plan_phantom(2, seed=0)


def test_known_counts_add_up() -> None:
    counts = CheXpert.card.counts
    for label in ("Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion"):
        assert sum(counts[f"train/{label}{value}"] for value in ("", "=0", "=-1", "=blank")) == counts["train/images"]


def test_tables_are_read_as_pandas_reads_them(tmp_path: Path) -> None:
    tree = make_small(tmp_path / SMALL)
    plain = pd.read_csv(tree / "train.csv")[list(CheXpert.labels)].to_numpy(float)
    np.testing.assert_array_equal(read(tree).targets()[:4], plain)
