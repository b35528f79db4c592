"""Labels, boxes and masks that cannot be right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.data.radiographs import Radiographs
from cxrbench.data.validation.annotations import wrong_boxes, wrong_labels, wrong_masks

SIZES = pd.DataFrame({"height": [100.0], "width": [200.0]}, index=["a"])


def dataset(
    exclusive: bool = False, boxes: pd.DataFrame | None = None, masks: pd.DataFrame | None = None
) -> Radiographs:
    samples = pd.DataFrame(
        {
            "sample_id": ["a", "b", "c"],
            "path": ["a.png", "b.png", ""],
            "split": ["train", "val", "test"],
            "mass": [1.0, 0.0, np.nan],
            "nodule": [0.0, 1.0, -1.0],
        }
    )
    return Radiographs("tiny", Path("root"), samples, ("mass", "nodule"), exclusive, boxes=boxes, masks=masks)


def boxes(*rows: tuple[str, float, float, float, float]) -> Radiographs:
    table = pd.DataFrame(rows, columns=["sample_id", "x1", "y1", "x2", "y2"]).assign(label="mass")
    return dataset(boxes=table)


def masks(*rows: tuple[str, int, int, str]) -> Radiographs:
    table = pd.DataFrame(rows, columns=["sample_id", "height", "width", "counts"]).assign(label="mass")
    return dataset(masks=table)


def test_labels_are_1_0_uncertain_blank_or_shares_of_readers() -> None:
    fine = dataset()
    fine.samples.loc[0, "mass"] = 2 / 3
    assert list(wrong_labels(fine)) == []
    fine.samples.loc[0, "mass"] = 2.0
    fine.samples.loc[1, "nodule"] = np.inf
    fine.samples.loc[2, "split"] = "tset"
    assert [(problem.kind, problem.sample_id) for problem in wrong_labels(fine)] == [
        ("label out of range", "a"),
        ("label out of range", "b"),
        ("unknown split", "c"),
    ]
    assert next(wrong_labels(fine)).what == "mass is 2; labels are 1, 0, -1, blank or a share"


def test_exclusive_labels_are_exactly_one() -> None:
    (problem,) = wrong_labels(dataset(exclusive=True))
    assert str(problem) == "c: has 0 of the labels mass, nodule; it needs exactly one"


@pytest.mark.parametrize(
    ("box", "kind"),
    [
        ((0, 0, 200, 100), None),
        ((-0.5, 0, 200.9, 100.9), None),
        ((-20, 0, 10, 10), "box outside its image"),
        ((10, 10, 202, 20), "box outside its image"),
        ((10, 10, 20, 150), "box outside its image"),
        ((20, 10, 10, 20), "box without area"),
        ((10, 10, 20, 10), "box without area"),
        ((10, 10, np.nan, 20), "box without area"),
    ],
)
def test_boxes_lie_inside_their_image_to_a_pixel(box: tuple, kind: str | None) -> None:
    found = list(wrong_boxes(boxes(("a", *box)), SIZES))
    assert [problem.kind for problem in found] == ([kind] if kind else [])
    if kind:
        assert found[0].sample_id == "a"
        assert found[0].where == "root/a.png"


def test_a_box_names_its_corners_and_the_size_of_its_image() -> None:
    (problem,) = wrong_boxes(boxes(("a", 10, 20, 240.5, 60)), SIZES)
    assert problem.what == "box of mass (x1, y1, x2, y2) = (10, 20, 240.5, 60) in an image of 200 x 100 pixels"


def test_without_a_known_size_only_what_no_image_can_have_is_wrong() -> None:
    found = boxes(("b", 0, 0, 5000, 5000), ("b", -5, 0, 10, 10), ("c", 5, 5, 1, 1), ("gone", 0, 0, 1, 1))
    assert [(problem.kind, problem.sample_id) for problem in wrong_boxes(found, SIZES)] == [
        ("box outside its image", "b"),
        ("box without area", "c"),
        ("box of no image", ""),
    ]


@pytest.mark.parametrize(
    ("mask", "kind"),
    [
        ((100, 200, "5 10 19985"), None),
        ((100, 200, "5 10 19984"), "mask cannot be decoded"),
        ((100, 200, "20005 -5"), "mask cannot be decoded"),
        ((100, 200, "5 ten 19985"), "mask cannot be decoded"),
        ((100, 200, "99999999999999999999"), "mask cannot be decoded"),
        ((200, 100, "5 10 19985"), "mask of another size"),
    ],
)
def test_masks_decode_to_their_image_s_size(mask: tuple, kind: str | None) -> None:
    found = list(wrong_masks(masks(("a", *mask)), SIZES))
    assert [problem.kind for problem in found] == ([kind] if kind else [])


def test_masks_of_images_of_unknown_size_are_decoded_too() -> None:
    found = masks(("b", 2, 2, "4"), ("c", 2, 2, "5"), ("gone", 2, 2, "4"))
    assert [(problem.kind, problem.sample_id) for problem in wrong_masks(found, SIZES)] == [
        ("mask cannot be decoded", "c"),
        ("mask of no image", ""),
    ]
