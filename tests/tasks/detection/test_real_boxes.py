"""Boxes that radiologists drew (NIH ChestX-ray14), written as COCO's form: read to the pixel, trained on and scored."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cxrbench.data.image_sizes import image_sizes
from cxrbench.data.images import prepare_images
from cxrbench.data.radiographs import Radiographs
from cxrbench.data.source import load
from cxrbench.data.validation import validate
from cxrbench.pretrain.encoder import Encoder
from cxrbench.tasks.detection.predictions import truth_of
from cxrbench.tasks.detection.targets import true_boxes
from cxrbench.tasks.registry import tasks
from cxrbench.tasks.task import Context
from cxrbench.tasks.trial import Trial

from .conftest import SMALL

FINDINGS = ("Cardiomegaly", "Infiltrate", "Nodule", "Pneumonia")
# NIH's images as released.
SIDE = 1024
NEGATIVES = 6


def drawn_boxes(folder: Path) -> list[tuple[str, str, list[float]]]:
    """Image, finding, and left, top, width and height, straight from NIH's table with its split header."""
    with (folder / "BBox_List_2017.csv").open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [(row[0], row[1], [float(value) for value in row[2:6]]) for row in rows]


def images_without_a_finding(folder: Path) -> Iterator[str]:
    with (folder / "Data_Entry_2017_v2020.csv").open(newline="") as file:
        yield from (row["Image Index"] for row in csv.DictReader(file) if row["Finding Labels"] == "No Finding")


@pytest.fixture(scope="module")
def coco(realdata: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The boxed images and six normal ones as detection data in COCO's form, split by patient."""
    nih, root = realdata / "nih", tmp_path_factory.mktemp("coco")
    boxes = drawn_boxes(nih)
    files = {path.name: path for path in nih.rglob("*.png")}
    normal = [name for name in images_without_a_finding(nih) if name in files][:NEGATIVES]
    names = [*dict.fromkeys(name for name, _, _ in boxes), *normal]
    patients = list(dict.fromkeys(name[:8] for name in names))
    (root / "images").mkdir()
    images, annotations = [], []
    for number, name in enumerate(names):
        (root / "images" / name).symlink_to(files[name].resolve())
        # Of five patients in a row three train, one validates and one tests.
        split = ("train", "train", "train", "val", "test")[patients.index(name[:8]) % 5]
        images.append({"id": number, "file_name": name, "patient_id": name[:8], "split": split})
        images[-1] |= {"width": SIDE, "height": SIDE}
    for number, (name, finding, box) in enumerate(boxes, start=1):
        entry = {"id": number, "image_id": names.index(name), "category_id": FINDINGS.index(finding), "bbox": box}
        annotations.append(entry)
    categories = [{"id": number, "name": name} for number, name in enumerate(FINDINGS)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations.json").write_text(json.dumps(content))
    return root


@pytest.fixture(scope="module")
def radiographs(coco: Path) -> Radiographs:
    return load("coco_detection", coco)


def test_each_box_is_the_tables_in_the_pixels_of_its_file(realdata: Path, radiographs: Radiographs) -> None:
    wanted = drawn_boxes(realdata / "nih")
    assert len(wanted) == 19
    assert radiographs.boxes is not None
    found = radiographs.boxes
    assert found["sample_id"].tolist() == [name.removesuffix(".png") for name, _, _ in wanted]
    assert found["label"].tolist() == [finding for _, finding, _ in wanted]
    left, top, width, height = np.array([box for _, _, box in wanted]).T
    corners = np.stack([left, top, left + width, top + height], axis=1)
    np.testing.assert_array_equal(found[["x1", "y1", "x2", "y2"]].to_numpy(), corners)
    assert not found["crowd"].any()


def test_samples_have_the_labels_of_their_boxes_and_normal_ones_none(radiographs: Radiographs) -> None:
    assert radiographs.labels == FINDINGS
    assert not radiographs.synthetic
    assert radiographs.targets().sum(axis=0).tolist() == [1, 1, 2, 15]
    assert (radiographs.targets().sum(axis=1) == 0).sum() == NEGATIVES
    assert radiographs.samples.groupby("patient_id")["split"].nunique().max() == 1


def test_sizes_are_the_files_and_the_copy_is_right(coco: Path, radiographs: Radiographs) -> None:
    assert set(map(tuple, image_sizes(radiographs).tolist())) == {(SIDE, SIDE)}
    assert validate("coco_detection", coco).problems == ()


def test_a_trial_trains_on_them_and_scores_in_original_pixels(
    radiographs: Radiographs, encoder: Encoder, tmp_path: Path
) -> None:
    task = tasks.get("coco_detection").configured(None, {**SMALL, "training.epochs": 1}, "test")
    chosen = task.select(radiographs)
    images = prepare_images(chosen, task.image_size, cache=tmp_path / "cache", workers=1)
    trial = Trial("resnet18_scratch", "coco_detection", "c4", "finetune", 100, 0)
    (result,) = task.run(encoder, [trial], images, Context(tmp_path / "cache"))
    test = chosen.where((chosen.samples["split"] == "test").to_numpy())
    assert result.predictions.table["sample_id"].tolist() == test.samples["sample_id"].tolist()
    assert test.boxes is not None
    truth = truth_of(result.predictions)
    assert len(truth.boxes) == len(test.boxes) > 0
    wanted = true_boxes(test, FINDINGS, image_sizes(test))
    np.testing.assert_allclose(truth.boxes, wanted.boxes)
    assert truth.label.tolist() == wanted.labels.tolist()
    # A detector of one epoch of five images finds nothing worth the name.
    map50 = task.score(result.predictions)["map50"]
    assert map50 is not None
    assert 0 <= map50 < 0.2
