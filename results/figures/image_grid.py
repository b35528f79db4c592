"""Radiographs in rows and encoders in columns, each image in its own aspect ratio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...foundation.errors import UserError
from .page import MARGIN, Key, line_height, new_page, shortened, wrapped
from .style import DPI, GREY, SMALL, WIDE, WIDTH

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS = 8
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
    """What stands over a column: an encoder, and a line on its result."""

    name: str
    line: str = ""


@dataclass(frozen=True)
class ImageRow:
    """One image, shown once a column.

    Attributes:
        label: its id.
        image: [H, W] of any grey type, in original pixels.
        captions: a line a column, over its panel; empty where there is none.
    """

    label: str
    image: np.ndarray
    captions: tuple[str, ...] = ()


def image_grid(
    title: str,
    headings: Sequence[Heading],
    rows: Sequence[ImageRow],
    *,
    synthetic: bool = False,
    keys: Sequence[Key] = (),
    notes: Sequence[str] = (),
) -> tuple[Figure, list[list[Axes]]]:
    """The figure, and the axes of its panels, a list a row, in which one unit is one original pixel.

    x runs from 0 to the image's width and y from 0, above, to its height, so that boxes can be drawn as they are.
    Within `print_style`. 8 cm wide up to three columns, else 17 cm.

    Raises UserError for more than MOST_COLUMNS columns.
    """
    refuse_columns(len(headings))
    width = WIDTH if len(headings) <= NARROW_COLUMNS else WIDE
    across = min(_WIDEST, (width - 2 * MARGIN - _GAP * (len(headings) - 1)) / len(headings))
    lefts = [(across + _GAP) * number for number in range(len(headings))]
    names = [wrapped(each.name, SMALL, across, bold=True) for each in headings]
    headed = _GAP + (max(map(len, names)) + 1) * line_height(SMALL)
    heights = [across * min(_HIGHEST, row.image.shape[0] / row.image.shape[1]) for row in rows]
    words = [line_height(SMALL) * (1 + any(row.captions)) for row in rows]
    total = headed + sum(heights) + sum(words) + _GAP * len(rows) + _GAP / 2
    page = new_page(title, total, width=width, synthetic=synthetic, keys=keys, notes=notes)
    for left, lines, heading in zip(lefts, names, headings, strict=True):
        # The last lines of names stand side by side, their results below.
        for number, line in enumerate(reversed(lines)):
            page.text(left, headed - (number + 2) * line_height(SMALL), line, fontweight="bold")
        page.text(left, headed - line_height(SMALL), shortened(heading.line, SMALL, across))
    panels, top = [], headed + _GAP / 2
    for row, height, above in zip(rows, heights, words, strict=True):
        page.text(0, top, shortened(row.label, SMALL, page.width), color=GREY)
        for left, caption in zip(lefts, row.captions, strict=False):
            page.text(left, top + line_height(SMALL), shortened(caption, SMALL, across))
        panels.append([_panel(page.axes(left, top + above, across, height), row.image, across) for left in lefts])
        top += above + height + _GAP
    return page.figure, panels


def refuse_columns(count: int) -> None:
    """Raise UserError for more columns than can be seen."""
    if count > MOST_COLUMNS:
        raise UserError(f"--encoder: {count} columns are too narrow; name {MOST_COLUMNS} encoders at most")


def windowed(image: np.ndarray) -> np.ndarray:
    """Grey values as uint8: the percentiles of WINDOW become 0 and 255. An image of one value is black."""
    low, high = np.percentile(image, WINDOW)
    if high <= low:
        low, high = float(image.min()), float(image.max())
    scaled = (image.astype(np.float32) - low) * (255.0 / max(high - low, 1e-6))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


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
