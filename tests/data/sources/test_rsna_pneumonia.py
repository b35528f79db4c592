from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest

from cxrbench.data.counts import count
from cxrbench.data.image_reading import read_image
from cxrbench.data.phantom.case import FINDINGS, PhantomCase
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.problems import Problems
from cxrbench.data.reading import Reading
from cxrbench.data.source import datasets, load
from cxrbench.data.sources._rsna_pneumonia_phantom import class_of
from cxrbench.data.sources.rsna_pneumonia import RsnaPneumonia
from cxrbench.foundation.errors import UserError

LABELS, CLASSES, IMAGES = "stage_2_train_labels.csv", "stage_2_detailed_class_info.csv", "stage_2_train_images"
MAPPING = "pneumonia-challenge-dataset-mappings_2018.json"
A, B, C, D = (
    "0004cfab-14fd-4e49-80ba-63a80b6bddd6",
    "00313ee0-9eaa-42f4-b0ab-c148ed3241cd",
    "00322d4d-1c29-4943-afc9-b6754be640eb",
    "00436515-870c-4b36-a041-de91049b9ab4",
)
MARKS = f"""patientId,x,y,width,height,Target
{A},,,,,0
{B},,,,,0
{C},,,,,0
{D},264.0,152.0,213.0,379.0,1
{D},562.0,152.0,256.0,453.0,1
"""
# Repeated once a box, in another order.
INFO = f"""patientId,class
{D},Lung Opacity
{D},Lung Opacity
{C},Normal
{B},No Lung Opacity / Not Normal
{A},No Lung Opacity / Not Normal
"""
NIH = {A: "00000013_026.png", B: "00000013_027.png", C: "00030254_002.png", D: "00000001_000.png"}


def lay_out(root: Path, mapping: bool = False) -> Path:
    (root / LABELS).write_text(MARKS)
    (root / CLASSES).write_text(INFO)
    (root / IMAGES).mkdir()
    for name in NIH:
        (root / IMAGES / f"{name}.dcm").touch()
    if mapping:
        entries = [{"subset_img_id": name, "img_id": nih, "orig_labels": []} for name, nih in NIH.items()]
        # The file names the challenge's test images too.
        entries.append({"subset_img_id": "elsewhere", "img_id": "00000002_000.png", "orig_labels": []})
        (root / MAPPING).write_text(json.dumps(entries))
    return root


def read(root: Path, problems: Problems | None = None):
    return RsnaPneumonia().read(root, Reading(problems if problems is not None else Problems()))


def edit(name: str, old: str, new: str):
    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new, 1))

    return change


def test_classes_boxes_and_files_are_read_once_an_image(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path))
    assert found.samples["sample_id"].tolist() == [A, B, C, D]
    assert found.labels == ("normal", "not_normal", "lung_opacity")
    np.testing.assert_array_equal(found.targets(), [[0, 1, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]])
    assert found.exclusive
    assert found.boxes is not None
    assert found.boxes.to_numpy().tolist() == [
        [D, "lung_opacity", 264.0, 152.0, 477.0, 531.0],
        [D, "lung_opacity", 562.0, 152.0, 818.0, 605.0],
    ]
    assert all((tmp_path / path).is_file() for path in found.samples["path"])


def test_without_the_mapping_file_no_patient_is_known(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path))
    assert not found.patients_known
    assert found.samples["patient_id"].tolist() == [A, B, C, D]
    assert found.notes[0].startswith(f"no {MAPPING}: no patients are known")


def test_with_it_patients_and_images_are_nihs(tmp_path: Path) -> None:
    found = read(lay_out(tmp_path, mapping=True))
    assert found.patients_known
    assert found.samples["patient_id"].tolist() == ["00000013", "00000013", "00030254", "00000001"]
    assert found.samples["nih14_id"].tolist() == ["00000013_026", "00000013_027", "00030254_002", "00000001_000"]
    assert found.samples.groupby("patient_id")["split"].nunique().max() == 1
    assert datasets.get("rsna_pneumonia").card.drawn_from == ("nih14",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: (root / LABELS).unlink(), rf"no {LABELS} in .*; give the folder that holds it and {IMAGES}/"),
        (lambda root: (root / CLASSES).unlink(), f"no {CLASSES}"),
        (edit(LABELS, "Target", "target"), "'target' looks like 'Target'"),
        (edit(CLASSES, "patientId", "id"), "lacks the column patientId"),
        (
            lambda root: (root / LABELS).write_text("patientId,x,y,width,height,Target\n,,,,,0\n"),
            "patientId names no image",
        ),
    ],
)
def test_what_makes_the_folder_unreadable_is_named_in_one_line(tmp_path: Path, change, said: str) -> None:
    change(lay_out(tmp_path))
    with pytest.raises(UserError, match=said) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "kind", "said", "sample"),
    [
        (edit(LABELS, "264.0,", ","), "box without an area", f"{LABELS}, row 5: x, y, width, height blank, 152.0", D),
        (edit(LABELS, "213.0", "-213.0"), "box without an area", f"{LABELS}, row 5", D),
        (edit(LABELS, "453.0", "many"), "box without an area", f"{LABELS}, row 6", D),
        (edit(LABELS, f"{A},,,,,0", f"{A},1,2,3,4,0"), "tables disagree", f"row 2: {A} has a box and Target 0", A),
        (edit(LABELS, f"{A},,,,,0", f"{A},,,,,"), "tables disagree", f"{LABELS}: {A} has no Target", A),
        (edit(LABELS, f"{A},,,,,0", f"{A},,,,,2"), "unknown label", "row 2: column 'Target': value '2", A),
        (edit(LABELS, f"{A},,,,,0", f"{A},1,2,3,4,1"), "tables disagree", f"{CLASSES}: {A} disagrees with Target", A),
        (edit(LABELS, f"{A},,,,,0\n", ""), "tables disagree", f"{LABELS}: {A} has no row", A),
        (edit(CLASSES, f"{C},Normal\n", ""), "tables disagree", f"{CLASSES}: {C} has no row", C),
        (edit(CLASSES, f"{C},Normal", f"{C},normal"), "unknown label", "row 4: column 'class': 'normal'", C),
        (edit(CLASSES, f"{A},No", f"{C},No"), "tables disagree", f"{CLASSES}: {C} has several classes", C),
        (edit(LABELS, f"{C},,,,,0", f"{D},,,,,0"), "tables disagree", "has rows with Target 0 and with Target 1", D),
        (edit(LABELS, f"{C},,,,,0", ",,,,,0"), "no image named", f"{LABELS}, row 4: patientId is blank", ""),
        (
            edit(LABELS, f"{C},", f"../{C},"),
            "no image named",
            f"row 4: patientId '../{C}' is not the name of a file",
            "",
        ),
    ],
)
def test_a_wrong_row_is_a_problem_and_the_rest_is_read(
    tmp_path: Path, change, kind: str, said: str, sample: str
) -> None:
    change(lay_out(tmp_path))
    problems = Problems()
    found = read(tmp_path, problems)
    matching = [problem for problem in problems if said in str(problem)]
    assert [(problem.kind, problem.sample_id) for problem in matching] == [(kind, sample)]
    assert len(found) >= 4
    others = found.targets()[~found.samples["sample_id"].isin(problems.reasons()).to_numpy()]
    assert (others.sum(axis=1) == 1).all()


def test_images_that_the_mapping_leaves_out_are_problems(tmp_path: Path) -> None:
    lay_out(tmp_path, mapping=True)
    edit(MAPPING, B, "gone")(tmp_path)
    problems = Problems()
    read(tmp_path, problems)
    assert [(problem.kind, problem.sample_id) for problem in problems] == [("no NIH image known", B)]


def test_an_image_that_is_not_on_disk_is_reported(tmp_path: Path) -> None:
    (lay_out(tmp_path) / IMAGES / f"{A}.dcm").unlink()
    with pytest.raises(UserError, match=f"no image {A}"):
        load("rsna_pneumonia", tmp_path)


def test_a_phantom_has_the_real_proportions_and_patients() -> None:
    plan = RsnaPneumonia().plan_phantom(2000, seed=3)
    assert plan == RsnaPneumonia().plan_phantom(2000, seed=3)
    shown = Counter(
        class_of(PhantomCase(ask, np.zeros((1, 1)), boxes=tuple((name, 0, 0, 1, 1) for name in ask.findings)))
        for ask in plan
    )
    for label, real in (("normal", 8851), ("not_normal", 11821), ("lung_opacity", 6012)):
        assert shown[label] / 2000 == pytest.approx(real / 26684, abs=0.002)
    # 26,684 images of 11,439 patients.
    assert 2000 / len({ask.patient for ask in plan}) == pytest.approx(26_684 / 11_439, abs=0.15)
    assert {finding for ask in plan for finding in ask.findings} <= set(FINDINGS)


def test_a_phantom_reads_back_with_its_boxes_and_the_challenges_files(tmp_path: Path) -> None:
    root = tmp_path / "phantom"
    write_phantom_dataset("rsna_pneumonia", root, 60, 64, rib_free=False)
    found = load("rsna_pneumonia", root)
    marks = pd.read_csv(root / LABELS)
    assert len(pd.read_csv(root / CLASSES)) == len(marks) > 60
    counts = count(found, RsnaPneumonia().parts(found))
    assert counts["all/boxes"] == (marks["Target"] == 1).sum()
    assert counts["all/boxed images"] == counts["all/lung_opacity"]
    # What the generator says it drew.
    drawn = pd.read_csv(root / "phantom" / "boxes.csv")
    drawn = drawn[drawn["finding"].isin(["opacity", "consolidation"])]
    assert found.boxes is not None
    np.testing.assert_allclose(found.boxes[["x1", "y1", "x2", "y2"]].to_numpy(), drawn[["x1", "y1", "x2", "y2"]])
    nih = found.samples.set_index("sample_id")["nih14_id"]
    of_box = nih[found.boxes["sample_id"]].str.split("_", expand=True).astype(int)
    assert of_box[0].tolist() == drawn["patient"].tolist()
    assert (of_box[1] + 1).tolist() == drawn["study"].tolist()
    file = root / found.samples["path"][0]
    header = pydicom.dcmread(file)
    assert header.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.50"
    assert header.PhotometricInterpretation == "MONOCHROME2"
    assert "WindowCenter" not in header
    assert read_image(file).shape == (64, 64)
    assert len(json.loads((root / MAPPING).read_text())) == 60
