"""Learning curves: a metric against the share of training patients, a line an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .metric_words import metric_in_words
from .page import Key, new_page
from .style import PALE, EncoderName, LineStyle, line_styles, print_style, sign_notes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..table import Table

_HEIGHT = 2.1
_LEFT, _BOTTOM, _RIGHT, _TOP = 0.42, 0.34, 0.06, 0.06
# Of the metric's axis: more make numbers of three decimals.
_MOST_STEPS = 6


@dataclass(frozen=True)
class Point:
    """One encoder at one fraction.

    Attributes:
        fraction: per cent of the training patients.
        mean: over the replicates for which the metric is defined.
        sd: sample standard deviation (n - 1); None with fewer than two.
        defined: how many these are.
        replicates: how many there are.
    """

    fraction: float
    mean: float
    sd: float | None
    defined: int
    replicates: int


@dataclass(frozen=True)
class LearningCurve:
    """One encoder's points, fractions rising; those where the metric is never defined are left out."""

    encoder: EncoderName
    points: tuple[Point, ...]


def learning_curves(table: Table, encoders: Sequence[str]) -> list[LearningCurve]:
    """The curves of `encoders`, in this order, of a table of means and SDs."""
    curves = []
    for encoder in encoders:
        cells = {place[1]: cell for place, cell in sorted(table.cells.items()) if place[0] == encoder}
        name = EncoderName(
            encoder,
            contaminated=any(cell.contaminated for cell in cells.values()),
            unverified=any(cell.unverified for cell in cells.values()),
            left_out=max((cell.left_out for cell in cells.values()), default=0),
        )
        points = tuple(
            Point(fraction, cell.mean, cell.sd, cell.defined, cell.replicates)
            for fraction, cell in cells.items()
            if cell.mean is not None
        )
        curves.append(LearningCurve(name, points))
    return curves


def draw_fractions(
    curves: Sequence[LearningCurve],
    metric: str,
    *,
    title: str,
    higher_is_better: bool = True,
    synthetic: bool = False,
    notes: Sequence[str] = (),
) -> Figure:
    """A figure of 8 cm: mean against fraction on a logarithmic axis, with a band of one SD to each side.

    Points of one replicate are hollow and have no band. Encoders without a defined value stand in the legend as such.
    """
    names = [curve.encoder for curve in curves]
    styles = line_styles([name.name for name in names])
    keys = [
        Key(styles[curve.encoder.name], str(curve.encoder), "" if curve.points else "undefined", marker=True)
        for curve in curves
    ]
    said = [*notes, *_notes(curves), *sign_notes(names)]
    with print_style():
        page = new_page(title, _HEIGHT, synthetic=synthetic, keys=keys, notes=said)
        axes = page.axes(_LEFT, _TOP, page.width - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM)
        for curve in curves:
            _curve(axes, curve, styles[curve.encoder.name])
        axes.set_xscale("log")
        _ticks(axes, sorted({point.fraction for curve in curves for point in curve.points}))
        axes.set_xlabel("training patients, %")
        axes.set_ylabel(metric_in_words(metric) + ("" if higher_is_better else " (lower is better)"))
        axes.grid(axis="y", color=PALE)
        axes.set_axisbelow(True)
        return page.figure


def _curve(axes: Axes, curve: LearningCurve, style: LineStyle) -> None:
    x, y = [point.fraction for point in curve.points], [point.mean for point in curve.points]
    axes.plot(x, y, color=style.colour, linestyle=style.dashes, label=curve.encoder.name)
    for point in curve.points:
        axes.plot(
            point.fraction,
            point.mean,
            style.marker,
            color=style.colour,
            markerfacecolor=style.colour if point.defined > 1 else "white",
            markeredgewidth=0.8,
            label=f"point of {curve.encoder.name}",
        )
    _band(axes, curve, style.colour)


def _band(axes: Axes, curve: LearningCurve, colour: str) -> None:
    """One SD to each side over neighbours that have one; a bar where a point has one and its neighbours do not."""
    stretches: list[list[Point]] = [[]]
    for point in curve.points:
        if point.sd is None:
            stretches.append([])
        else:
            stretches[-1].append(point)
    for stretch in filter(None, stretches):
        x = [point.fraction for point in stretch]
        low, high = ([point.mean + sign * (point.sd or 0.0) for point in stretch] for sign in (-1, 1))
        name = curve.encoder.name
        if len(stretch) > 1:
            # Where bands lie over each other their shades mix, and their edges tell them apart.
            edge = {"edgecolor": (colour, 0.6), "linewidth": 0.5}
            axes.fill_between(x, low, high, facecolor=(colour, 0.18), label=f"band of {name}", **edge)
        else:
            axes.plot(x * 2, [low[0], high[0]], color=colour, linewidth=0.8, label=f"bar of {name}")


def _ticks(axes: Axes, fractions: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

    axes.yaxis.set_major_locator(MaxNLocator(nbins=_MOST_STEPS, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_locator(FixedLocator(fractions))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{each:g}" for each in fractions])
    if fractions:
        # A log axis of one fraction has no width of its own.
        axes.set_xlim(fractions[0] / 1.25, fractions[-1] * 1.25)


def _notes(curves: Sequence[LearningCurve]) -> list[str]:
    points = [point for curve in curves for point in curve.points]
    counts = sorted({point.replicates for point in points if point.sd is not None})
    notes = []
    if counts:
        over = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        notes.append(f"Mean over {over} replicates; band or bar: ± 1 SD.")
    if any(point.sd is None for point in points):
        notes.append("Hollow: one replicate, no band.")
    if any(point.defined < point.replicates for point in points):
        notes.append("Replicates in which the metric is undefined are left out.")
    return notes
