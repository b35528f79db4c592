"""One panel of a grid of images: grey as it is, a residual in colours, or words where there is no image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from .page import line_height
from .style import GREY, PALE, SMALL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .page import Page

# White where nothing differs; blue and red are told apart by colour-blind readers.
_COLOURS = "RdBu_r"
# Per cent of the residuals' pixels inside the scale: a few bright ones would leave all others white.
_INSIDE = 99.5
_BAR_HEIGHT, _BAR_WIDTH = 0.07, 1.9


@dataclass(frozen=True)
class Panel:
    """What one panel shows.

    Attributes:
        pixels: [H, W]: uint8 from black (0) to white (255), not stretched; signed whole numbers are a residual in grey
            levels; None where there is no image.
        words: in the middle of a panel without an image.
    """

    pixels: np.ndarray | None
    words: str = ""

    @property
    def is_residual(self) -> bool:
        """Whether the pixels are differences."""
        return self.pixels is not None and np.issubdtype(self.pixels.dtype, np.signedinteger)


@dataclass(frozen=True)
class ResidualScale:
    """One scale of colours for all residuals of a figure, from -limit (blue) over 0 (white) to limit (red).

    Attributes:
        limit: grey levels.
        beyond: share of all pixels of the residuals that lie beyond it and have the colours of its ends.
        label: what is subtracted from what.
    """

    limit: int
    beyond: float
    label: str

    @classmethod
    def of(cls, residuals: Iterable[np.ndarray], label: str) -> ResidualScale:
        """A scale for all of `residuals`: 99.5 % of their pixels lie inside."""
        sizes = np.concatenate([np.zeros(0, np.int64), *(np.abs(each.ravel().astype(np.int64)) for each in residuals)])
        limit = max(1, ceil(np.percentile(sizes, _INSIDE))) if len(sizes) else 1
        return cls(limit, float((sizes > limit).mean()) if len(sizes) else 0.0, label)

    @property
    def height(self) -> float:
        """Inches that the bar of colours takes."""
        return 2.8 * line_height(SMALL) + _BAR_HEIGHT

    def draw_bar(self, page: Page, top: float) -> None:
        """The bar of colours with its ends and its label, in inches from the upper left corner of the room."""
        top += 0.2 * line_height(SMALL)
        page.text(0, top, self.label)
        width = min(_BAR_WIDTH, page.width - 0.3)
        left = 0.15
        axes = page.axes(left, top + 1.15 * line_height(SMALL), width, _BAR_HEIGHT)
        axes.set_label("scale of residuals")
        colours = np.linspace(-1, 1, 256)[None] * self.limit
        limit = float(self.limit)
        axes.imshow(colours, cmap=_COLOURS, extent=(-limit, limit, 0, 1), aspect="auto", vmin=-limit, vmax=limit)
        low, high = ("≤ ", "≥ ") if self.beyond else ("", "+")
        axes.set_xticks([-self.limit, 0, self.limit], [f"{low}\N{MINUS SIGN}{self.limit}", "0", f"{high}{self.limit}"])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set(visible=True, color=GREY, linewidth=0.4)


def draw_panel(axes: Axes, panel: Panel, scale: ResidualScale | None) -> None:
    """Draw `panel` into axes in which one unit is one pixel; residuals in the colours of `scale`."""
    height, width = (1, 1) if panel.pixels is None else panel.pixels.shape
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=panel.pixels is None or panel.is_residual, color=PALE, linewidth=0.6)
    if panel.pixels is None:
        axes.text(0.5, 0.5, panel.words, ha="center", va="center", fontsize=SMALL, color=GREY)
        return
    if panel.is_residual:
        if scale is None:
            raise ValueError("residuals need a scale")
        colours, low, high = _COLOURS, -scale.limit, scale.limit
    else:
        colours, low, high = "gray", 0, 255
    axes.imshow(panel.pixels, cmap=colours, vmin=low, vmax=high, extent=(0, width, height, 0), aspect="equal")
