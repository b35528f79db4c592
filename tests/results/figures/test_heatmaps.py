from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from cxrbench.results.figures.heatmaps import HeatmapColumn, HeatmapRow, draw_heatmaps
from cxrbench.results.figures.style import EncoderName

from .drawn import cut_off, texts


def row_of(label: str = "Pleural_Thickening", width: int = 200, encoders: int = 2) -> HeatmapRow:
    """An image of 100 x `width` with a box; the first map points into it, the second has nothing above 0."""
    maps = np.zeros((encoders, 8, 8), np.float32)
    maps[0, 2, 5] = 1
    maps[1:] = -1
    maps[1:, 7, 0] = -0.5
    found = np.arange(encoders) == 0
    box = np.array([[100.0, 20, 150, 60]])
    return HeatmapRow(label, np.zeros((8, 8), np.uint8), 100, width, box, maps, for_label=found, hits=found)


def drawn(rows: list[HeatmapRow], names: list[str], **more: bool) -> Figure:
    columns = [HeatmapColumn(EncoderName(name, contaminated=name == "seen"), 0.256, 0.1, 0.449) for name in names]
    return draw_heatmaps(rows, columns, 0.09, title="NIH ChestX-ray14", notes=["Replicate 0."], **more)


def test_a_row_has_the_image_and_an_encoder_a_column_with_scores_below() -> None:
    figure = drawn([row_of(), row_of("Mass")], ["scratch", "imagenet"])
    assert len(figure.axes) == 6
    words = texts(figure)
    for expected in ("Pleural Thickening", "Mass", "scratch", "imagenet", "chance 9 %", "26 %", "10 to 45"):
        assert expected in words, expected
    assert "SYNTHETIC phantom data" not in words


def test_boxes_lie_on_every_image_in_pixels_of_the_file() -> None:
    figure = drawn([row_of()], ["scratch", "imagenet"])
    for axes in figure.axes:
        corners = {
            str(np.asarray(each.get_bbox().extents).tolist()) for each in axes.patches if isinstance(each, Rectangle)
        }
        assert corners == {"[100.0, 20.0, 150.0, 60.0]"}
        assert (axes.get_xlim(), axes.get_ylim()) == ((0, 200), (100, 0))


def test_the_mark_is_at_the_maximum_a_circle_for_a_hit_and_a_cross_for_a_miss() -> None:
    image, hit, miss = drawn([row_of()], ["scratch", "imagenet"]).axes
    assert len(image.lines) == 0
    # Pixel (2, 5) of 8 x 8 in an image of 100 x 200.
    assert np.asarray(hit.lines[0].get_xydata()).tolist() == [[5.5 * 25, 2.5 * 12.5]]
    assert {str(line.get_marker()) for line in hit.lines} == {"o"}
    assert np.asarray(miss.lines[0].get_xydata()).tolist() == [[0.5 * 25, 7.5 * 12.5]]
    assert {str(line.get_marker()) for line in miss.lines} == {"x"}


def test_maps_without_anything_for_the_label_are_explained_where_there_are_any() -> None:
    assert "nothing speaks for the label" in " ".join(texts(drawn([row_of()], ["a", "b"])))
    assert "nothing speaks for the label" not in " ".join(texts(drawn([row_of(encoders=1)], ["a"])))


def test_a_map_that_is_the_same_everywhere_has_no_mark() -> None:
    row = row_of(encoders=1)
    row.maps[:] = 0
    assert len(drawn([row], ["a"]).axes[1].lines) == 0


def test_phantoms_and_contaminated_encoders_are_said() -> None:
    words = texts(drawn([row_of()], ["seen", "b"], synthetic=True))
    assert "SYNTHETIC phantom data" in words
    assert "seen ‡" in words
    assert any("saw images of this dataset" in each for each in words)


@pytest.mark.parametrize(("count", "inches"), [(1, 3.15), (3, 3.15), (4, 6.69), (7, 6.69)])
def test_nothing_reaches_over_the_edge_of_a_column_or_a_page(count: int, inches: float) -> None:
    names = [f"an_encoder_with_a_rather_long_name_{number}" for number in range(count)]
    figure = drawn([row_of(encoders=count), row_of(width=40, encoders=count)], names, synthetic=True)
    assert figure.get_size_inches()[0] == inches
    assert cut_off(figure) == []
