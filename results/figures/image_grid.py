"""Radiographs in rows and encoders in columns, each image in its own aspect ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...foundation.errors import UserError
from .page import MARGIN, Key, Page, line_height, new_page, shortened, wrapped
from .panels import Panel, ResidualScale, draw_panel
from .style import DPI, GREY, SMALL, WIDE, WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS = 8
# Where an encoder has several columns, or others stand before them: its panels may be a little smaller.
MOST_PANELS = 10
# More columns than these take the width of a page.
NARROW_COLUMNS = 3
# Per cent of the pixels: what lies outside is black or white.
WINDOW = (1.0, 99.0)
_GAP = 0.05
# Of the height to the width: higher images are shown narrower.
_HIGHEST = 1.35
# Inches: the images of one encoder alone would make a page too high to print.
_WIDEST = 2.0


@dataclass(frozen=True)
class Heading:
    """What stands over a column: an encoder, and a line on its result.

    Attributes:
        span: how many columns it stands over.
    """

    name: str
    line: str = ""
    span: int = 1


@dataclass(frozen=True)
class ImageRow:
    """One image, shown once a column, or what was made of it.

    Attributes:
        label: its id.
        image: [H, W] of any grey type, in original pixels.
        captions: a line a column, over its panel; empty where there is none.
        panels: one a column of the image's size, in the place of the image; empty for the image in all columns.
    """

    label: str
    image: np.ndarray
    captions: tuple[str, ...] = ()
    panels: tuple[Panel, ...] = ()


def image_grid(
    title: str,
    headings: Sequence[Heading],
    rows: Sequence[ImageRow],
    *,
    columns: Sequence[str] = (),
    scale: ResidualScale | None = None,
    synthetic: bool = False,
    keys: Sequence[Key] = (),
    notes: Sequence[str] = (),
) -> tuple[Figure, list[list[Axes]]]:
    """The figure, and the axes of its panels, a list a row, in which one unit is one original pixel.

    x runs from 0 to the image's width and y from 0, above, to its height, so that boxes can be drawn as they are.
    Within `print_style`. 8 cm wide up to three columns, else 17 cm.

    Args:
        title: of the figure.
        headings: over the columns, each over as many as it spans.
        rows: at least one.
        columns: a word a column on what it shows, below the headings; empty for none.
        scale: of the colours of residuals; its bar stands below the images.
        synthetic: whether the images are phantoms.
        keys: the legend.
        notes: what must be read with the figure.
    """
    count = sum(heading.span for heading in headings)
    width = WIDTH if count <= NARROW_COLUMNS else WIDE
    across = min(_WIDEST, (width - 2 * MARGIN - _GAP * (count - 1)) / count)
    head = _Head(headings, columns, across)
    heights = [across * min(_HIGHEST, row.image.shape[0] / row.image.shape[1]) for row in rows]
    words = [line_height(SMALL) * (1 + any(row.captions)) for row in rows]
    body = head.height + sum(heights) + sum(words) + _GAP * len(rows) + _GAP / 2
    total = body + (scale.height if scale else 0.0)
    page = new_page(title, total, width=width, synthetic=synthetic, keys=keys, notes=notes)
    head.draw(page)
    lefts = [(across + _GAP) * number for number in range(count)]
    panels, top = [], head.height + _GAP / 2
    for row, height, above in zip(rows, heights, words, strict=True):
        page.text(0, top, shortened(row.label, SMALL, page.width), color=GREY)
        for left, caption in zip(lefts, row.captions, strict=False):
            page.text(left, top + line_height(SMALL), shortened(caption, SMALL, across))
        line = [page.axes(left, top + above, across, height) for left in lefts]
        for axes, panel in zip(line, row.panels, strict=bool(row.panels)):
            draw_panel(axes, panel, scale)
        panels.append(line if row.panels else [_panel(axes, row.image, across) for axes in line])
        top += above + height + _GAP
    if scale is not None:
        scale.draw_bar(page, top)
    return page.figure, panels


def refuse_columns(encoders: int, each: int = 1, before: int = 0) -> None:
    """Raise UserError for more columns than can be seen.

    Args:
        encoders: how many.
        each: columns of one encoder.
        before: columns that stand before the encoders'.
    """
    most = MOST_COLUMNS if (each, before) == (1, 0) else MOST_PANELS
    columns = before + each * encoders
    if columns > most:
        raise UserError(f"--encoder: {columns} columns are too narrow; name {(most - before) // each} encoders at most")


def windowed(image: np.ndarray) -> np.ndarray:
    """Grey values as uint8: the percentiles of WINDOW become 0 and 255. An image of one value is black."""
    low, high = np.percentile(image, WINDOW)
    if high <= low:
        low, high = float(image.min()), float(image.max())
    scaled = (image.astype(np.float32) - low) * (255.0 / max(high - low, 1e-6))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


class _Head:
    """Headings over the columns: names, results, and what each column shows."""

    def __init__(self, headings: Sequence[Heading], columns: Sequence[str], across: float):
        self._headings, self._columns, self._step = headings, columns, across + _GAP
        self._rooms = [self._step * heading.span - _GAP for heading in headings]
        self._names = [
            wrapped(heading.name, SMALL, room, bold=True) for heading, room in zip(headings, self._rooms, strict=True)
        ]
        lines = max(map(len, self._names)) + any(heading.line for heading in headings) + bool(columns)
        self.height = _GAP + lines * line_height(SMALL)

    def draw(self, page: Page) -> None:
        below = self.height - line_height(SMALL) * bool(self._columns)
        results = line_height(SMALL) * any(heading.line for heading in self._headings)
        number = 0
        for heading, names, room in zip(self._headings, self._names, self._rooms, strict=True):
            left = self._step * number
            # The last lines of names stand side by side, their results below.
            for place, line in enumerate(reversed(names)):
                page.text(left, below - results - (place + 1) * line_height(SMALL), line, fontweight="bold")
            page.text(left, below - results, shortened(heading.line, SMALL, room))
            number += heading.span
        for number, words in enumerate(self._columns):
            room = self._step - _GAP
            page.text(self._step * number, below, shortened(words, SMALL, room), color=GREY)


def _panel(axes: Axes, image: np.ndarray, across: float) -> Axes:
    height, width = image.shape
    shown = _for_print(windowed(image), round(2 * across * DPI))
    axes.imshow(shown, cmap="gray", vmin=0, vmax=255, extent=(0, width, height, 0), aspect="equal")
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    return axes


def _for_print(image: np.ndarray, widest: int) -> np.ndarray:
    """`image` in as many pixels as print can show: whole radiographs would make files of many megabytes."""
    import cv2

    height, width = image.shape
    if width <= widest:
        return image
    return cv2.resize(image, (widest, max(1, round(height * widest / width))), interpolation=cv2.INTER_AREA)
