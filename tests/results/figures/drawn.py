"""What stands in a figure, for tests to ask."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.text import Text


def texts(figure: Figure) -> list[str]:
    """All words of a figure, those of axes too."""
    return [each.get_text() for each in figure.findobj(Text) if isinstance(each, Text) and each.get_text()]


def lines(axes: Axes, label: str) -> list[Line2D]:
    """Lines of that label."""
    return [line for line in axes.get_lines() if line.get_label() == label]


def points(line: Line2D) -> np.ndarray:
    """[N, 2] as they were given."""
    return np.asarray(line.get_xydata())


def boxes(axes: Axes, label: str) -> np.ndarray:
    """Rectangles of that label as x1, y1, x2, y2 [n, 4]."""
    found = [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_label() == label]
    corners = [(*each.get_xy(), each.get_width(), each.get_height()) for each in found]
    return np.array([(x, y, x + width, y + height) for x, y, width, height in corners]).reshape(-1, 4)


def bands(axes: Axes, label: str) -> list[np.ndarray]:
    """Corners of filled bands of that label."""
    found = [each for each in axes.collections if isinstance(each, PolyCollection) and each.get_label() == label]
    return [np.asarray(each.get_paths()[0].vertices) for each in found]


def cut_off(figure: Figure) -> list[str]:
    """Words of the figure that reach over its edge; there should be none."""
    figure.draw_without_rendering()
    width, height = figure.bbox.width, figure.bbox.height
    over = []
    for each in figure.findobj(Text):
        if not isinstance(each, Text) or not each.get_text() or not each.get_visible():
            continue
        box = each.get_window_extent()
        if box.x0 < -1 or box.y0 < -1 or box.x1 > width + 1 or box.y1 > height + 1:
            over.append(each.get_text())
    return over
