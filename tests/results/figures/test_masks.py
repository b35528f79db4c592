from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cxrbench.data.run_lengths import counts_of, counts_to_text
from cxrbench.results.figures.masks import draw_masks
from cxrbench.results.figures.style import EncoderName
from cxrbench.tasks.predictions import Predictions

from .drawn import cut_off, lines, points, texts

SHAPE = (60, 90)


def box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


EMPTY = box(0, 0, 0, 0)
TRUTH = box(10, 30, 20, 60)


def predictions(truths: list[np.ndarray], decisions: list[np.ndarray]) -> Predictions:
    ids = [f"image {number}" for number in range(len(truths))]
    table = pd.DataFrame({"sample_id": ids, "patient_id": ids, "study_id": ids, "height": SHAPE[0], "width": SHAPE[1]})
    text = {"truth": truths, "decision": decisions}
    return Predictions(
        table.assign(**{name: [counts_to_text(counts_of(each)) for each in masks] for name, masks in text.items()}),
        ("pneumothorax",),
        False,
    )


def test_outlines_fill_and_dice_are_those_of_the_masks() -> None:
    decision = box(10, 30, 30, 70)
    each = predictions([TRUTH], [decision])
    figure = draw_masks(
        [np.zeros(SHAPE, np.uint8)], np.array([0]), [EncoderName("a")], [each], ["Dice 0.750"], title="T"
    )
    (axes,) = figure.axes
    (outline,) = lines(axes, "true mask")
    corners = points(outline)
    assert corners.min(axis=0).tolist() == [20.5, 10.5]
    assert corners.max(axis=0).tolist() == [59.5, 29.5]
    assert corners[0].tolist() == corners[-1].tolist()
    assert lines(axes, "decision")[0].get_color() != outline.get_color()
    assert lines(axes, "decision")[0].get_linestyle() != outline.get_linestyle()
    _, fill = axes.get_images()
    shade = np.asarray(fill.get_array())
    assert np.array_equal(shade[..., 3] > 0, decision)
    # 2 * 600 / (800 + 800)
    assert "Dice 0.75" in texts(figure)


@pytest.mark.parametrize(
    ("truth", "decision", "said", "outlines"),
    [
        (EMPTY, EMPTY, "Dice 1.00, both empty", (0, 0)),
        (TRUTH, EMPTY, "Dice 0.00, none found", (1, 0)),
        (EMPTY, TRUTH, "Dice 0.00, nothing there", (0, 1)),
        (TRUTH, TRUTH, "Dice 1.00", (1, 1)),
    ],
)
def test_empty_masks(truth: np.ndarray, decision: np.ndarray, said: str, outlines: tuple[int, int]) -> None:
    each = predictions([truth], [decision])
    figure = draw_masks([np.zeros(SHAPE, np.uint8)], np.array([0]), [EncoderName("a")], [each], [""], title="T")
    assert said in texts(figure)
    assert tuple(len(lines(figure.axes[0], name)) for name in ("true mask", "decision")) == outlines


def test_holes_and_parts_have_outlines_of_their_own() -> None:
    mask = TRUTH | box(40, 50, 10, 20)
    mask[15:25, 30:50] = False
    each = predictions([mask], [EMPTY])
    figure = draw_masks([np.zeros(SHAPE, np.uint8)], np.array([0]), [EncoderName("a")], [each], [""], title="T")
    assert len(lines(figure.axes[0], "true mask")) == 3


def test_rows_are_images_columns_encoders_and_synthetic_data_is_said() -> None:
    each = predictions([TRUTH, EMPTY, TRUTH], [TRUTH, TRUTH, EMPTY])
    other = predictions([TRUTH, EMPTY, TRUTH], [EMPTY, EMPTY, EMPTY])
    figure = draw_masks(
        [np.zeros(SHAPE, np.uint8)] * 2,
        np.array([2, 1]),
        [EncoderName("a", contaminated=True), EncoderName("b")],
        [each, other],
        ["Dice 0.333", "Dice 0.333"],
        title="A task",
        synthetic=True,
        notes=["Images as named by --sample."],
    )
    words = texts(figure)
    assert len(figure.axes) == 4
    assert [each for each in words if each.startswith("image ")] == ["image 2", "image 1"]
    captions = [each for each in words if each.startswith("Dice ") and "0.333" not in each]
    assert captions == [
        "Dice 0.00, none found",
        "Dice 0.00, none found",
        "Dice 0.00, nothing there",
        "Dice 1.00, both empty",
    ]
    for expected in ("SYNTHETIC phantom data", "a ‡", "true mask", "decision", "Images as named by --sample."):
        assert expected in words
    assert cut_off(figure) == []
