"""What is drawn over radiographs: the truth dashed, what an encoder says solid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .page import Key, line_height, rim, text_width
from .style import SMALL, LineStyle

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Blue and orange are told apart by colour-blind readers, and are bright enough for a radiograph.
TRUE = LineStyle("#35c9ff", (0, (3, 1.5)), "")
FOUND = LineStyle("#ffb000", "solid", "")
_WIDTH = 0.9


def truth_and_found_keys(truth: str, found: str) -> list[Key]:
    """The legend of an overlay."""
    return [Key(TRUE, truth, outlined=True), Key(FOUND, found, outlined=True)]


def draw_boxes(axes: Axes, boxes: np.ndarray, style: LineStyle, label: str) -> None:
    """Boxes [n, 4], x1, y1, x2, y2 in original pixels."""
    from matplotlib.patches import Rectangle

    for x1, y1, x2, y2 in boxes:
        axes.add_patch(
            Rectangle(
                (x1, y1),
                x2 - x1,
                y2 - y1,
                fill=False,
                edgecolor=style.colour,
                linestyle=style.dashes,
                linewidth=_WIDTH,
                path_effects=rim(),
                label=label,
            )
        )


def draw_scores(axes: Axes, boxes: np.ndarray, words: Sequence[str]) -> None:
    """A text at a corner of each of the boxes [n, 4], where the image has room and no earlier text stands."""
    per_inch = _pixels_per_inch(axes)
    taken: list[tuple[float, float, float, float]] = []
    for box, text in zip(boxes, words, strict=True):
        across, down = text_width(text, SMALL) * per_inch, 0.85 * line_height(SMALL) * per_inch
        place = _free_place(axes, box, across, down, taken)
        taken.append((*place, place[0] + across, place[1] + down))
        axes.text(
            *place,
            text,
            fontsize=SMALL,
            color=FOUND.colour,
            va="top",
            path_effects=_text_rim(),
            label="score",
        )


def draw_mask(axes: Axes, mask: np.ndarray, style: LineStyle, label: str, filled: bool = False) -> None:
    """The outlines of a bool mask [H, W] in original pixels, holes too; nothing where it is empty."""
    import cv2

    if filled and mask.any():
        _fill(axes, mask, style.colour, label)
    how = {"color": style.colour, "linestyle": style.dashes, "linewidth": _WIDTH, "label": label}
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for outline in outlines:
        # Through the middles of the pixels at the rim; closed.
        points = np.concatenate([outline[:, 0], outline[:1, 0]]) + 0.5
        axes.plot(*points.T, path_effects=rim(), **how)


def _fill(axes: Axes, mask: np.ndarray, colour: str, label: str) -> None:
    from matplotlib.colors import to_rgb

    height, width = mask.shape
    shade = np.zeros((height, width, 4), dtype=np.float32)
    shade[..., :3] = to_rgb(colour)
    shade[..., 3] = 0.3 * mask
    axes.imshow(shade, extent=(0, width, height, 0), aspect="equal", label=label)


def _free_place(
    axes: Axes, box: np.ndarray, across: float, down: float, taken: Sequence[tuple[float, float, float, float]]
) -> tuple[float, float]:
    """Upper left corner of a text of that size: above the box, below it, or in it, whichever is free."""
    x1, y1, x2, y2 = (float(each) for each in box)
    (_, right), (bottom, _) = axes.get_xlim(), axes.get_ylim()
    places = [(x, y) for y in (y1 - down, y2, y1, y2 - down) for x in (x1, x2 - across)]
    inside = [(x, y) for x, y in places if 0 <= x <= right - across and 0 <= y <= bottom - down]
    for x, y in inside:
        if all(x + across <= a or c <= x or y + down <= b or d <= y for a, b, c, d in taken):
            return x, y
    x, y = (inside or places)[0]
    return min(max(x, 0.0), max(right - across, 0.0)), min(max(y, 0.0), max(bottom - down, 0.0))


def _pixels_per_inch(axes: Axes) -> float:
    """Original pixels in an inch of the panel."""
    (_, width), (height, _) = axes.get_xlim(), axes.get_ylim()
    figure = axes.get_figure(root=True)
    assert figure is not None
    place, (across, up) = axes.get_position(original=True), figure.get_size_inches()
    return max(width / (place.width * across), height / (place.height * up))


def _text_rim() -> list[object]:
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=1.6, foreground="black", alpha=0.8), Normal()]
