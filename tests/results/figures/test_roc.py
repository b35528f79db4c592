from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from cxrbench.results.figures.roc import draw_roc
from cxrbench.results.figures.roc_curves import RocCurve
from cxrbench.results.figures.roc_lines import DELONG, OVER_REPLICATES, RocLine
from cxrbench.results.figures.style import EncoderName

from .drawn import cut_off, lines, points, texts

STEP = RocCurve(np.array([0.0, 0.25, 0.25, 1.0]), np.array([0.0, 0.0, 1.0, 1.0]))
LONG = "timm:vit_small_patch16_224.augreg_in21k_ft_in1k_and_then_some_more_words"


def figure(**changes: object) -> Figure:
    shown = [
        RocLine("a", STEP, 0.75, 0.7, 0.8, OVER_REPLICATES, 3, 3),
        RocLine(LONG, STEP, 0.751, None, None, "", 2, 3),
        RocLine("_c", None, None, None, None, "", 0, 3),
    ]
    names = [EncoderName("a", contaminated=True), EncoderName(LONG, unverified=True), EncoderName("_c")]
    return draw_roc(shown, names, title="A task; frozen encoder", **changes)  # type: ignore[arg-type]


def test_curves_are_drawn_as_they_are_told_apart_without_colours() -> None:
    (axes,) = figure().axes
    a, b = lines(axes, "a")[0], lines(axes, LONG)[0]
    assert points(a).tolist() == [[0, 0], [0.25, 0], [0.25, 1], [1, 1]]
    assert a.get_linestyle() != b.get_linestyle()
    assert a.get_color() != b.get_color()
    assert lines(axes, "_c") == []
    assert points(lines(axes, "chance")[0]).tolist() == [[0, 0], [1, 1]]


def test_the_legend_has_areas_intervals_and_signs() -> None:
    shown = figure(synthetic=True, notes=["Mean over labels: x, y."])
    words = texts(shown)
    for expected in (
        "SYNTHETIC phantom data",
        "AUC (95 % interval)",
        "a ‡",
        "0.750 (0.700 to 0.800)",
        "0.751 (2/3 replicates)",
        "_c",
        "undefined",
        "Mean over labels: x, y.",
        "Curves: vertical average (Fawcett 2006) over 2 to 3 replicates.",
        "Interval: bootstrap over patients and replicates.",
        "‡ saw images of this dataset in pretraining.",
        "‖ unverified weights.",
    ):
        assert expected in words
    # The long name stands in full, on several lines.
    assert LONG in "".join(words).replace(" ‖", "")
    assert cut_off(shown) == []


def test_a_figure_of_real_data_and_one_replicate_says_neither() -> None:
    line = RocLine("a", STEP, 0.75, 0.7, 0.8, DELONG, 1, 1)
    words = texts(draw_roc([line], [EncoderName("a")], title="A task"))
    assert not any("SYNTHETIC" in each or "average" in each for each in words)
    assert "Interval: DeLong, clustered by patient." in words
