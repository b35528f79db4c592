from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from cxrbench.foundation.errors import UserError
from cxrbench.results.figures.detections import draw_detections
from cxrbench.results.figures.image_grid import MOST_COLUMNS, refuse_columns, windowed
from cxrbench.results.figures.style import EncoderName
from cxrbench.tasks.predictions import Predictions

from .drawn import boxes, cut_off, texts

# Higher than wide, wider than high; 16 bits.
TALL = np.arange(120 * 80, dtype=np.uint16).reshape(120, 80)
WIDE = np.full((60, 150), 7, dtype=np.uint8)
TRUE = np.array([[10.0, 20.0, 40.0, 70.0], [50.0, 30.0, 79.0, 100.0]])


def predictions(found: np.ndarray, scores: list[float], labels: tuple[str, ...] = ("opacity",)) -> Predictions:
    columns = {
        "truth": [TRUE.ravel(), np.empty(0)],
        "truth_labels": [np.zeros(2, dtype=np.int64), np.empty(0, dtype=np.int64)],
        "boxes": [found.ravel(), np.empty(0)],
        "scores": [np.array(scores), np.empty(0)],
        "box_labels": [np.arange(len(scores)) % len(labels), np.empty(0, dtype=np.int64)],
    }
    table = pd.DataFrame({"sample_id": ["tall", "wide"], "height": [120, 60], "width": [80, 150]})
    table = table.assign(patient_id=["p", "q"], study_id=["p", "q"])
    return Predictions(
        table.assign(**{key: pd.Series(each, dtype=object) for key, each in columns.items()}), labels, False
    )


FOUND = np.array([[12.0, 18.0, 42.0, 69.0], [0.0, 0.0, 9.0, 9.0], [60.0, 90.0, 80.0, 120.0]])
SCORES = [0.91, 0.3, 0.29]


def figure(**changes: object) -> Figure:
    a, b = predictions(FOUND, SCORES), predictions(np.empty((0, 4)), [])
    return draw_detections(
        [TALL, WIDE],
        np.array([0, 1]),
        [EncoderName("chess", contaminated=True), EncoderName("scratch")],
        [a, b],
        ["mAP50 0.500", "mAP50 0.000"],
        title="A task",
        **changes,  # type: ignore[arg-type]
    )


def test_boxes_stand_in_original_pixels_the_truth_in_every_column() -> None:
    panels = figure().axes
    assert len(panels) == 4
    assert boxes(panels[0], "true box") == pytest.approx(TRUE)
    assert boxes(panels[1], "true box") == pytest.approx(TRUE)
    # The third has a lower score than 0.3.
    assert boxes(panels[0], "detection") == pytest.approx(FOUND[:2])
    assert [len(boxes(each, "detection")) for each in panels[1:]] == [0, 0, 0]
    assert [each.get_text() for each in panels[0].texts] == ["0.91", "0.30"]


def test_a_lower_limit_shows_more_and_is_said() -> None:
    shown = figure(least_score=0.1)
    assert len(boxes(shown.axes[0], "detection")) == 3
    assert "Detections with scores of 0.1 or more." in texts(shown)


def test_images_keep_their_aspect_ratio_and_their_pixels() -> None:
    panels = figure().axes
    for axes, (height, width) in ((panels[0], TALL.shape), (panels[2], WIDE.shape)):
        (image,) = axes.get_images()
        assert isinstance(image, AxesImage)
        assert list(image.get_extent()) == [0, width, height, 0]
        assert (axes.get_xlim(), axes.get_ylim()) == ((0, width), (height, 0))
        assert axes.get_aspect() == 1


def test_headings_legend_and_notes() -> None:
    shown = figure(synthetic=True, notes=["First 2 positive test images by SHA-256 of the id."])
    words = texts(shown)
    for expected in (
        "SYNTHETIC phantom data",
        "chess ‡",
        "scratch",
        "mAP50 0.500",
        "tall",
        "true box",
        "detection, with its score",
        "First 2 positive test images by SHA-256 of the id.",
        "‡ saw images of this dataset in pretraining.",
    ):
        assert expected in words
    assert cut_off(shown) == []
    assert shown.get_size_inches()[0] == 3.15


def test_scores_stay_inside_their_panels_and_apart() -> None:
    crowded = np.tile([30.0, 50.0, 50.0, 70.0], (4, 1)) + np.arange(4)[:, None]
    corner = np.array([[0.0, 0.0, 80.0, 120.0]])
    each = predictions(np.concatenate([crowded, corner]), [0.9, 0.8, 0.7, 0.6, 0.5])
    shown = draw_detections([TALL], np.array([0]), [EncoderName("a")], [each], [""], title="A task")
    shown.draw_without_rendering()
    (axes,) = shown.axes
    panel = axes.get_window_extent()
    extents = [text.get_window_extent() for text in axes.texts]
    for box in extents:
        assert panel.x0 - 4 <= box.x0
        assert box.x1 <= panel.x1 + 4
        assert panel.y0 - 4 <= box.y0
        assert box.y1 <= panel.y1 + 4
    middles = [((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2) for box in extents]
    assert len({(round(x), round(y)) for x, y in middles}) == 5


def test_classes_are_named_where_there_are_several() -> None:
    each = predictions(FOUND, SCORES, ("nodule", "effusion"))
    shown = draw_detections([TALL], np.array([0]), [EncoderName("a")], [each], [""], title="A task")
    assert [text.get_text() for text in shown.axes[0].texts] == ["nodule 0.91", "effusion 0.30"]


def test_more_columns_take_both_columns_of_a_page_up_to_a_limit() -> None:
    each = predictions(FOUND, SCORES)
    names = [EncoderName(str(number)) for number in range(4)]
    shown = draw_detections([TALL], np.array([0]), names, [each] * 4, [""] * 4, title="A task")
    assert shown.get_size_inches()[0] == 6.69
    refuse_columns(MOST_COLUMNS)
    with pytest.raises(UserError, match="--encoder: 9 columns are too narrow; name 8 encoders at most"):
        refuse_columns(9)


def test_the_window_is_one_of_percentiles() -> None:
    values = np.arange(10_001, dtype=np.uint16).reshape(73, 137)
    shown = windowed(values)
    assert shown.dtype == np.uint8
    assert (shown.flat[100], shown.flat[9_900], shown.flat[5_000]) == (0, 255, 128)
    assert set(windowed(WIDE).ravel()) == {0}
    # Two values of which one is rare.
    rare = np.zeros((50, 50), dtype=np.uint8)
    rare[0, 0] = 9
    assert windowed(rare)[0, 0] == 255
