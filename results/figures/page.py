"""A figure laid out in inches: a title, the label of synthetic data, a body, a legend, and notes below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ..rendering.cell import SYNTHETIC
from .style import GREY, INK, NORMAL, SMALL, SYNTHETIC_INK, TITLE, WIDTH, LineStyle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARGIN = 0.04
# Of a line of text, in its own size.
LEADING = 1.28
POINTS = 72.0
_SAMPLE = 0.32
_JOINTS = "_-.:/"


@dataclass(frozen=True)
class Key:
    """A line of the legend.

    Attributes:
        style: of the line that is drawn beside it.
        label: the encoder.
        value: what stands at the right end: an area and its interval.
        marker: whether the line has markers in the figure.
        outlined: whether it has a dark rim, as lines on radiographs have.
    """

    style: LineStyle
    label: str
    value: str = ""
    marker: bool = False
    outlined: bool = False


@dataclass(frozen=True)
class Page:
    """A figure whose texts stand already, and room for what it shows.

    Attributes:
        figure: its size is final.
        left, bottom, width, height: of the room, in inches.
    """

    figure: Figure
    left: float
    bottom: float
    width: float
    height: float

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """New axes, in inches from the room's left and upper edge."""
        across, up = (float(each) for each in self.figure.get_size_inches())
        corner = (self.left + left) / across, (self.bottom + self.height - top - height) / up
        return self.figure.add_axes((*corner, width / across, height / up))

    def text(self, left: float, top: float, words: str, **how: Any) -> None:
        """Words whose upper left corner lies in inches from the room's left and upper edge."""
        how = {"va": "top", "fontsize": SMALL, "transform": self.figure.dpi_scale_trans, **how}
        self.figure.text(self.left + left, self.bottom + self.height - top, words, **how)


def new_page(
    title: str,
    height: float,
    *,
    width: float = WIDTH,
    synthetic: bool = False,
    keys: Sequence[Key] = (),
    keys_title: str = "",
    notes: Sequence[str] = (),
) -> Page:
    """A figure with `height` inches of room between its title and its legend and notes; within `print_style`.

    Args:
        title: one or more sentences, wrapped.
        height: of the room, in inches.
        width: of the figure, in inches.
        synthetic: whether anything shown comes of phantoms: said below the title.
        keys: the legend, a line each, above the notes.
        keys_title: over the values of the legend: what they are.
        notes: what must be read with the figure; wrapped.
    """
    from matplotlib.figure import Figure

    inner = width - 2 * MARGIN
    heading = [(line, TITLE, "bold", INK) for line in wrapped(title, TITLE, inner, bold=True)]
    if synthetic:
        heading.append((SYNTHETIC, NORMAL, "bold", SYNTHETIC_INK))
    footing = [(line, SMALL, "normal", GREY) for note in notes for line in wrapped(note, SMALL, inner)]
    legend = _Legend(keys, keys_title, inner)
    above, below = (sum(line_height(size) for _, size, *_ in lines) for lines in (heading, footing))
    total = 2 * MARGIN + above + height + legend.height + below + 0.04 * bool(footing)
    figure = Figure(figsize=(width, total))
    _write(figure, heading, total - MARGIN)
    _write(figure, footing, MARGIN + below)
    legend.draw(figure, MARGIN + below + 0.04 * bool(footing))
    return Page(figure, MARGIN, total - MARGIN - above - height, inner, height)


def line_height(size: float) -> float:
    """Inches from one line to the next, of text of `size` points."""
    return size * LEADING / POINTS


def text_width(words: str, size: float, bold: bool = False) -> float:
    """Inches that `words` take at `size` points."""
    return _units(words, bold) * size / _MEASURED


def wrapped(words: str, size: float, room: float, bold: bool = False) -> list[str]:
    """`words` in lines that fit into `room` inches; a word that does not fit is broken, after a sign that joins parts
    of a name where one stands in the second half of the line."""
    lines: list[str] = []
    line = ""
    for word in words.split():
        longer = f"{line} {word}" if line else word
        if text_width(longer, size, bold) <= room:
            line = longer
            continue
        lines += [line] if line else []
        line = word
        while text_width(line, size, bold) > room and len(line) > 1:
            fits = next(n for n in range(len(line) - 1, 0, -1) if n == 1 or text_width(line[:n], size, bold) <= room)
            # Names are joined by such signs: a break there keeps their parts whole.
            joint = max(line.rfind(sign, fits // 2, fits) for sign in _JOINTS) + 1
            cut = joint or fits
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line] if line else lines


def shortened(words: str, size: float, room: float, bold: bool = False) -> str:
    """`words` with an ellipsis in their middle where they take more than `room` inches: both ends tell ids apart."""
    if text_width(words, size, bold) <= room:
        return words
    for kept in range(len(words) - 1, 0, -1):
        shorter = f"{words[: (kept + 1) // 2]}…{words[len(words) - kept // 2 :]}"
        if text_width(shorter, size, bold) <= room:
            return shorter
    return "…"


def rim() -> list[Any]:
    """Path effects that put a thin dark rim around lines, which are seen then on bright and on dark tissue."""
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=2.0, foreground="black", alpha=0.55), Normal()]


class _Legend:
    """Lines of sample, label and value, measured before they are drawn."""

    def __init__(self, keys: Sequence[Key], title: str, room: float):
        values = max((text_width(each.value, SMALL) for each in (*keys, Key(_NO_STYLE, "", title))), default=0.0)
        for_label = room - _SAMPLE - 0.06 - (values + 0.08 if values else 0.0)
        self._lines = [(key, wrapped(key.label, SMALL, for_label)) for key in keys]
        self._title, self._right = title, MARGIN + room
        count = sum(len(lines) for _, lines in self._lines) + bool(keys and title)
        self.height = count * line_height(SMALL) + 0.04 * bool(keys)

    def draw(self, figure: Figure, bottom: float) -> None:
        from matplotlib.lines import Line2D

        step, inches = line_height(SMALL), figure.dpi_scale_trans
        y = bottom + self.height
        if self._title and self._lines:
            figure.text(self._right, y, self._title, ha="right", va="top", fontsize=SMALL, color=GREY, transform=inches)
            y -= step
        for key, lines in self._lines:
            middle = y - step / 2
            style = key.style
            sample = Line2D(
                [MARGIN, MARGIN + _SAMPLE / 2, MARGIN + _SAMPLE],
                [middle] * 3,
                color=style.colour,
                linestyle=style.dashes,
                marker=style.marker if key.marker else None,
                markevery=[1],
                path_effects=rim() if key.outlined else None,
                transform=inches,
            )
            figure.add_artist(sample)
            left = MARGIN + _SAMPLE + 0.06
            figure.text(self._right, middle, key.value, ha="right", va="center", fontsize=SMALL, transform=inches)
            for line in lines:
                figure.text(left, y - step / 2, line, va="center", fontsize=SMALL, transform=inches)
                y -= step


_NO_STYLE = LineStyle("none", "solid", "")
# Of the letters that are measured, in units to the inch: large, so that rounding to pixels is lost.
_MEASURED = 720.0 * POINTS


@cache
def _units(words: str, bold: bool) -> float:
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    renderer = RendererAgg(1, 1, 720.0)
    font = FontProperties(family="DejaVu Sans", size=POINTS, weight="bold" if bold else "normal")
    return renderer.get_text_width_height_descent(words, font, False)[0]


def _write(figure: Figure, lines: Sequence[tuple[str, float, str, str]], top: float) -> None:
    for words, size, weight, colour in lines:
        figure.text(
            MARGIN,
            top,
            words,
            fontsize=size,
            fontweight=weight,
            color=colour,
            va="top",
            transform=figure.dpi_scale_trans,
        )
        top -= line_height(size)
