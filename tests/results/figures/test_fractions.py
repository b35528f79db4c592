from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from cxrbench.results.figures.fractions import LearningCurve, Point, draw_fractions, learning_curves
from cxrbench.results.figures.style import EncoderName
from cxrbench.results.record import Record
from cxrbench.results.table import tables

from ..stores import record
from .drawn import bands, cut_off, lines, points, texts


def trial(encoder: str, fraction: float, replicate: int, auc: float | None, **changes: object) -> Record:
    where = {"encoder": encoder, "fraction": fraction, "replicate": replicate, "metrics": {"auc": auc}}
    return record(**where, fingerprint=f"{encoder}{fraction}{replicate}", **changes)


@pytest.fixture
def curves() -> list[LearningCurve]:
    records = [
        *(trial("a", 1.0, number, value) for number, value in enumerate((0.6, 0.7, 0.8))),
        *(trial("a", 10.0, number, value) for number, value in enumerate((0.8, 0.9, None))),
        trial("a", 100.0, 0, 0.95),
        trial("b", 10.0, 0, 0.5, weights={"sha256": "b", "contamination": ["chexpert"]}),
        trial("b", 10.0, 1, 0.6, weights={"sha256": "b", "contamination": ["chexpert"]}),
        trial("b", 100.0, 0, 0.7, weights={"sha256": "b", "contamination": ["chexpert"]}),
        trial("c", 1.0, 0, None),
    ]
    (table,) = tables(records, {"chexpert": "auc"})
    return learning_curves(table, ("b", "a", "c"))


def drawn(curves: list[LearningCurve], **changes: object) -> Figure:
    return draw_fractions(curves, "auc", title="A task; frozen encoder", **changes)  # type: ignore[arg-type]


def test_curves_are_means_and_sds_over_replicates_in_the_order_asked_for(curves: list[LearningCurve]) -> None:
    assert [str(curve.encoder) for curve in curves] == ["b ‡", "a", "c"]
    numbers = [(each.fraction, each.mean, each.sd, each.defined, each.replicates) for each in curves[1].points]
    assert numbers[0] == pytest.approx((1.0, 0.7, 0.1, 3, 3))
    assert numbers[1] == pytest.approx((10.0, 0.85, np.sqrt(0.005), 2, 3))
    assert numbers[2] == (100.0, 0.95, None, 1, 1)
    assert curves[2].points == ()


def test_lines_bands_and_single_replicates(curves: list[LearningCurve]) -> None:
    (axes,) = drawn(curves).axes
    assert axes.get_xscale() == "log"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "10", "100"]
    assert points(lines(axes, "a")[0]) == pytest.approx(np.array([[1, 0.7], [10, 0.85], [100, 0.95]]))
    (band,) = bands(axes, "band of a")
    # It ends where replicates do.
    assert sorted(set(band[:, 0])) == [1, 10]
    assert (band[:, 1].min(), band[:, 1].max()) == pytest.approx((0.6, 0.85 + np.sqrt(0.005)))
    # One fraction with replicates between others without: a bar instead.
    assert bands(axes, "band of b") == []
    assert points(lines(axes, "bar of b")[0]) == pytest.approx(
        np.array([[10, 0.55 - np.sqrt(0.005)], [10, 0.55 + np.sqrt(0.005)]])
    )
    faces = [line.get_markerfacecolor() for line in lines(axes, "point of a")]
    assert [face == "white" for face in faces] == [False, False, True]


def test_words_say_what_is_drawn(curves: list[LearningCurve]) -> None:
    shown = drawn(curves, synthetic=True, notes=["Mean over x, y."])
    words = texts(shown)
    for expected in (
        "SYNTHETIC phantom data",
        "Mean over x, y.",
        "Mean over 2 to 3 replicates; band or bar: ± 1 SD.",
        "Hollow: one replicate, no band.",
        "Replicates in which the metric is undefined are left out.",
        "‡ saw images of this dataset in pretraining.",
        "undefined",
        "AUC",
    ):
        assert expected in words
    assert cut_off(shown) == []


def test_a_metric_where_low_is_good_says_so() -> None:
    curves = [LearningCurve(EncoderName("a"), (Point(10.0, 0.3, None, 1, 1),))]
    shown = draw_fractions(curves, "log_loss", title="A task", higher_is_better=False)
    assert shown.axes[0].get_ylabel() == "log-loss (lower is better)"
    assert "SYNTHETIC phantom data" not in texts(shown)
