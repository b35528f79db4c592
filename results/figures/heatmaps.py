"""Heatmaps of several encoders on the same radiographs, each with the score that its maps have over all boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .page import line_height, new_page, wrapped
from .style import GREY, NORMAL, SMALL, WIDE, WIDTH, EncoderName, print_style, sign_notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .page import Page

# Warm colours where something speaks for the label, blue where least speaks against it.
_FOR, _AGAINST = "inferno", "#2f7fff"
# Below it the warm colours are black, and darken the radiograph.
_COLDEST = 0.3
_BLUE_WORDS = "Blue: nothing speaks for the label; the stronger, the less speaks against it. "
_GAP = 0.05
# Columns that fit into 8 cm.
_MOST_NARROW = 4
# Of the colour over the image, where a map is highest.
_MOST_OPAQUE = 0.65


@dataclass(frozen=True)
class HeatmapRow:
    """A radiograph with the boxes of one label, and each encoder's map of that label.

    Attributes:
        label: what is looked for.
        pixels: uint8 [S, S], the whole image.
        height, width: of the image as it lies on disk, in pixels.
        boxes: [K, 4] x1, y1, x2, y2 in those pixels.
        maps: [E, S, S], an encoder each; the highest value is where it points.
        for_label: [E] whether values above 0 speak for the label; else only their order is shown.
        hits: [E] whether the map points into a box.
    """

    label: str
    pixels: np.ndarray
    height: int
    width: int
    boxes: np.ndarray
    maps: np.ndarray
    for_label: np.ndarray
    hits: np.ndarray


@dataclass(frozen=True)
class HeatmapColumn:
    """An encoder and its pointing-game score over all boxed test images: a share of hits, and its interval."""

    encoder: EncoderName
    share: float
    ci_low: float | None
    ci_high: float | None


def draw_heatmaps(
    rows: Sequence[HeatmapRow],
    columns: Sequence[HeatmapColumn],
    chance: float,
    *,
    title: str,
    synthetic: bool = False,
    notes: Sequence[str] = (),
) -> Figure:
    """Rows of radiographs: first with their boxes, then an encoder a column, whose score stands below.

    Args:
        rows: at least one.
        columns: at least one encoder, as in the maps of the rows.
        chance: share of hits that random places would have.
        title: what was trained on what.
        synthetic: whether the images are phantoms.
        notes: which cases and rules are behind the scores.
    """
    with print_style():
        width = WIDTH if len(columns) < _MOST_NARROW else WIDE
        layout = _Layout(rows, columns, width)
        explained = (
            "Warm colours: Grad-CAM of the last stage for the label, from 0 to the map's own maximum. "
            f"{_BLUE_WORDS if any(not row.for_label.all() for row in rows) else ''}"
            "Circle: the maximum lies in a box of that label; cross: it does not."
        )
        signs = sign_notes([column.encoder for column in columns])
        page = new_page(title, layout.height, width=width, synthetic=synthetic, notes=[explained, *notes, *signs])
        layout.head(page)
        for row, top in zip(rows, layout.tops, strict=True):
            page.text(0, top, row.label.replace("_", " "), fontweight="bold")
            for number in range(len(columns) + 1):
                axes = page.axes(layout.left(number), top + line_height(SMALL), layout.side, layout.tall(row))
                _radiograph(axes, row)
                if number:
                    _overlay(axes, row, number - 1)
                _boxes(axes, row)
        layout.foot(page, chance)
        return page.figure


class _Layout:
    """Where everything stands, in inches from the upper left corner of the room."""

    def __init__(self, rows: Sequence[HeatmapRow], columns: Sequence[HeatmapColumn], width: float):
        room = width - 0.08
        count = len(columns) + 1
        self.side = (room - _GAP * (count - 1)) / count
        self._rows, self._columns = rows, columns
        self._names = [wrapped(str(column.encoder), SMALL, self.side) for column in columns]
        self._heading = max(len(lines) for lines in self._names) * line_height(SMALL) + 0.03
        self.tops = []
        top = self._heading
        for row in rows:
            self.tops.append(top)
            top += line_height(SMALL) + self.tall(row) + _GAP
        self._below = top
        self.height = top + line_height(NORMAL) + line_height(SMALL) + 0.05

    def left(self, number: int) -> float:
        return number * (self.side + _GAP)

    def tall(self, row: HeatmapRow) -> float:
        """Height of a row's images: as wide as the column, in their own shape, none more than half as high again."""
        return self.side * min(row.height / row.width, 1.5)

    def head(self, page: Page) -> None:
        for number, lines in enumerate(self._names, 1):
            centre = self.left(number) + self.side / 2
            for place, line in enumerate(reversed(lines)):
                top = self._heading - 0.03 - (place + 1) * line_height(SMALL)
                page.text(centre, top, line, ha="center")

    def foot(self, page: Page, chance: float) -> None:
        small = line_height(NORMAL)
        page.text(0, self._below + 0.01, "pointing game", fontweight="bold")
        page.text(0, self._below + small, f"chance {_per_cent(chance)} %", color=GREY)
        for number, column in enumerate(self._columns, 1):
            centre = self.left(number) + self.side / 2
            page.text(
                centre, self._below, f"{_per_cent(column.share)} %", ha="center", fontsize=NORMAL, fontweight="bold"
            )
            if column.ci_low is not None and column.ci_high is not None:
                interval = f"{_per_cent(column.ci_low)} to {_per_cent(column.ci_high)}"
                page.text(centre, self._below + small, interval, ha="center", color=GREY)


def _radiograph(axes: Axes, row: HeatmapRow) -> None:
    extent = (0, row.width, row.height, 0)
    axes.imshow(row.pixels, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto", interpolation="bilinear")
    axes.set_axis_off()


def _overlay(axes: Axes, row: HeatmapRow, number: int) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import to_rgba

    heat, for_label = row.maps[number], bool(row.for_label[number])
    low, high = 0.0 if for_label else float(heat.min()), float(heat.max())
    if high <= low:
        return
    heat = np.clip((heat - low) / (high - low), 0, 1)
    if for_label:
        coloured = colormaps[_FOR](_COLDEST + (1 - _COLDEST) * heat)
        coloured[..., 3] = _MOST_OPAQUE * np.minimum(1.5 * heat, 1)
    else:
        # Only its top is of interest: its lowest place is no zero.
        coloured = np.ones((*heat.shape, 4)) * to_rgba(_AGAINST)
        coloured[..., 3] = _MOST_OPAQUE * heat**3
    axes.imshow(coloured, extent=(0, row.width, row.height, 0), aspect="auto", interpolation="bilinear")
    down, across = (np.mean(place) + 0.5 for place in np.nonzero(heat == heat.max()))
    x, y = across * row.width / heat.shape[1], down * row.height / heat.shape[0]
    marker = "o" if row.hits[number] else "x"
    for colour, thick in (("white", 2.0), ("black", 0.8)):
        axes.plot(x, y, marker, markersize=3.6, color=colour, markerfacecolor="none", markeredgewidth=thick)


def _boxes(axes: Axes, row: HeatmapRow) -> None:
    from matplotlib.patches import Rectangle

    for x1, y1, x2, y2 in row.boxes.tolist():
        for colour, thick in (("black", 1.4), ("white", 0.7)):
            axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=colour, linewidth=thick))
    axes.set_xlim(0, row.width)
    axes.set_ylim(row.height, 0)


def _per_cent(share: float) -> str:
    return f"{100 * share:.0f}"
