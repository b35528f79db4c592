from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from cxrbench.data import prepare_images
from cxrbench.data.radiographs import Radiographs
from cxrbench.data.splits import DrawKey
from cxrbench.foundation.errors import UserError
from cxrbench.foundation.progress import SilentProgress
from cxrbench.pretrain.encoder import Encoder
from cxrbench.pretrain.network import Network
from cxrbench.tasks.classification.classifier import Classifier
from cxrbench.tasks.classification.localisation import BoxedCases, boxed_cases, hits_by_chance, pointed, shown_cases

from ...pretrain.tiny_encoder import tiny_encoder

LABELS = ("Mass", "Nodule", "Hernia")
BOXES = (
    ("b", "Nodule", 10, 10, 20, 20),
    ("a", "Mass", 0, 0, 100, 50),
    ("b", "Mass", 50, 50, 60, 60),
    ("a", "Mass", 0, 50, 50, 100),
    ("train", "Hernia", 1, 1, 2, 2),
)


@pytest.fixture
def radiographs(tmp_path: Path) -> Radiographs:
    """Two test images, of which a is 100 x 100 and b is 100 high and 200 wide, and one to train on."""
    for name, width in (("a", 100), ("b", 200), ("train", 100)):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.zeros((100, width), np.uint8))
    samples = pd.DataFrame(
        {
            "sample_id": ["train", "a", "b"],
            "patient_id": ["p", "q", "q"],
            "study_id": ["s", "t", "u"],
            "path": ["train.png", "a.png", "b.png"],
            "split": ["train", "test", "test"],
            "view": "frontal",
            **{label: [0.0, 1.0, 1.0] for label in LABELS},
        }
    )
    boxes = pd.DataFrame(BOXES, columns=["sample_id", "label", "x1", "y1", "x2", "y2"])
    return Radiographs("nih14", tmp_path, samples, LABELS, exclusive=False, boxes=boxes)


def cases_of(radiographs: Radiographs, *labels: str) -> BoxedCases:
    return boxed_cases(radiographs, np.array([1, 2]), labels, None, SilentProgress())


def test_a_case_is_a_test_image_and_a_label_with_all_its_boxes(radiographs: Radiographs) -> None:
    cases = cases_of(radiographs)
    assert list(zip(cases.sample_ids, [LABELS[at] for at in cases.labels], strict=True)) == [
        ("a", "Mass"),
        ("b", "Mass"),
        ("b", "Nodule"),
    ]
    assert cases.case.tolist() == [0, 0, 1, 2]
    assert cases.boxes[cases.case == 0].tolist() == [[0, 0, 100, 50], [0, 50, 50, 100]]
    assert cases.sizes.tolist() == [[100, 100], [100, 200], [100, 200]]
    assert cases.patients.tolist() == ["q"] * 3


def test_only_labels_that_are_asked_for(radiographs: Radiographs) -> None:
    cases = cases_of(radiographs, "Nodule")
    assert (cases.sample_ids.tolist(), cases.boxes.tolist()) == (["b"], [[10, 10, 20, 20]])


def test_cases_can_be_taken_in_any_order(radiographs: Radiographs) -> None:
    chosen = cases_of(radiographs).of(np.array([2, 0]))
    assert chosen.sample_ids.tolist() == ["b", "a"]
    assert chosen.case.tolist() == [0, 1, 1]
    assert chosen.boxes[0].tolist() == [10, 10, 20, 20]


def test_chance_is_the_share_of_the_image_in_its_boxes(radiographs: Radiographs) -> None:
    shares, centre = hits_by_chance(cases_of(radiographs), 20, 0.0)
    # Three quarters of 100 x 100; 10 x 10 pixels of 200 x 100 are one column and two rows of 20 x 20.
    assert shares.tolist() == pytest.approx([0.75, 2 / 400, 2 / 400])
    # Of a, three of the four middle pixels.
    assert centre.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("change", "labels", "message"),
    [
        ({"boxes": None}, (), "nih14: no boxes below"),
        ({}, ("Masss",), "unknown label 'Masss'; did you mean 'Mass'"),
        ({}, ("Hernia",), "--label Hernia: no box of it on a test image of nih14; there are: Mass, Nodule"),
    ],
)
def test_what_has_no_boxes_is_named(radiographs: Radiographs, change: dict, labels: tuple, message: str) -> None:
    for name, value in change.items():
        object.__setattr__(radiographs, name, value)
    with pytest.raises(UserError, match=message):
        cases_of(radiographs, *labels)


def test_boxes_of_what_is_no_label_are_named(radiographs: Radiographs) -> None:
    assert radiographs.boxes is not None
    object.__setattr__(radiographs, "boxes", radiographs.boxes.assign(label="opacity"))
    with pytest.raises(UserError, match="its boxes show opacity, which is no label"):
        cases_of(radiographs)


def test_boxes_on_training_images_only_are_named(radiographs: Radiographs) -> None:
    with pytest.raises(UserError, match="none of its 5 boxes is on a test image"):
        boxed_cases(radiographs, np.array([], dtype=np.int64), (), None, SilentProgress())


def test_a_box_outside_its_image_names_the_image(radiographs: Radiographs) -> None:
    assert radiographs.boxes is not None
    radiographs.boxes.loc[2, ["x1", "x2"]] = (201, 230)
    with pytest.raises(UserError, match=r"image b, label Mass: .* outside its image"):
        hits_by_chance(cases_of(radiographs), 20, 0.0)


class Bright(Network):
    """Two maps: how bright a place is, and how dark; their means are the features."""

    def __init__(self) -> None:
        super().__init__()
        self.dim, self.stage_channels = 2, (2,) * 5

    def pooled_and_stages(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        coarse = torch.nn.functional.avg_pool2d(x, 4)
        maps = torch.cat([coarse, 1 - coarse], dim=1)
        return maps.mean((2, 3)), [maps] * 5


def test_a_network_that_sees_what_is_in_the_boxes_hits_them_all(radiographs: Radiographs, tmp_path: Path) -> None:
    boxes = [("a", "Mass", 70, 10, 90, 30), ("b", "Mass", 20, 60, 60, 80), ("b", "Nodule", 20, 60, 60, 80)]
    for name, _, *corners in boxes:
        x1, y1, x2, y2 = corners
        pixels = np.full((100, 100 if name == "a" else 200), 50, np.uint8)
        pixels[y1:y2, x1:x2] = 250
        for file in (name, "train"):
            cv2.imwrite(str(radiographs.root / f"{file}.png"), pixels)
    object.__setattr__(
        radiographs, "boxes", pd.DataFrame(boxes, columns=["sample_id", "label", "x1", "y1", "x2", "y2"])
    )
    images = prepare_images(radiographs, 40, cache=tmp_path / "cache")
    meta = replace(tiny_encoder().meta, mean=(0.0,), std=(1.0,), dim=2, stage_channels=(2,) * 5)
    network = Classifier(Encoder(Bright(), meta), 3, 0).eval()
    with torch.no_grad():
        # Mass is what is bright, Nodule what is dark, and Hernia nothing.
        network.head.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
    cases = cases_of(radiographs)
    found = pointed(network, "cpu", images, cases, 0.0, 2, SilentProgress())
    assert cases.labels.tolist() == [0, 0, 1]
    assert found.hits.tolist() == [True, True, False]
    assert found.for_label.all()
    against = pointed(network, "cpu", images, replace(cases, labels=np.array([0, 0, 2])), 0.0, 16, SilentProgress())
    assert (against.hits.tolist(), against.for_label.tolist()) == ([True, True, False], [True, True, False])


def made_up(images: list[tuple[str, ...]]) -> BoxedCases:
    """Image i0 with these labels, i1 with those, ..., a box each."""
    pairs = [(f"i{at}", LABELS.index(label)) for at, labels in enumerate(images) for label in labels]
    ids = np.array([name for name, _ in pairs])
    return BoxedCases(
        rows=np.arange(len(pairs)),
        labels=np.array([label for _, label in pairs]),
        names=LABELS,
        sample_ids=ids,
        patients=ids,
        sizes=np.full((len(pairs), 2), 10),
        boxes=np.tile([1.0, 1, 2, 2], (len(pairs), 1)),
        case=np.arange(len(pairs)),
    )


def test_shown_images_have_as_many_labels_as_possible_and_nobody_picks_them() -> None:
    cases = made_up([("Mass",)] * 20 + [("Nodule",)] * 3 + [("Hernia",)])
    shown = shown_cases(cases, 4, DrawKey("nih14", 1, 0))
    assert sorted(cases.labels[shown[:3]].tolist()) == [0, 1, 2]
    assert len(set(cases.sample_ids[shown])) == 4
    # The order of the rows and other images' labels do not matter.
    turned = cases.of(np.arange(len(cases))[::-1])
    again = shown_cases(turned, 4, DrawKey("nih14", 1, 0))
    assert turned.sample_ids[again].tolist() == cases.sample_ids[shown].tolist()
    assert (
        cases.sample_ids[shown_cases(cases, 2, DrawKey("nih14", 1, 0))].tolist() == cases.sample_ids[shown[:2]].tolist()
    )


def test_an_image_is_shown_once_whatever_labels_it_has() -> None:
    cases = made_up([LABELS, LABELS])
    shown = shown_cases(cases, 9, DrawKey("nih14", 1, 0))
    assert sorted(cases.sample_ids[shown].tolist()) == ["i0", "i1"]
    assert len(set(cases.labels[shown].tolist())) == 2
