"""ROC curves: a line an encoder, with its AUC and interval in the legend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .page import Key, new_page
from .style import GREY, PALE, EncoderName, line_styles, print_style, sign_notes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .roc_lines import RocLine

_LEFT, _BOTTOM, _RIGHT, _TOP = 0.42, 0.34, 0.08, 0.06


def draw_roc(
    lines: Sequence[RocLine],
    names: Sequence[EncoderName],
    *,
    title: str,
    synthetic: bool = False,
    notes: Sequence[str] = (),
) -> Figure:
    """A figure of 8 cm: true against false positives, axes of equal scale.

    Args:
        lines: one an encoder.
        names: of the encoders, in the same order, with their signs.
        title: what the trials are.
        synthetic: whether any test image is a phantom's.
        notes: what must be read with the figure beside what it says of itself.
    """
    with print_style():
        styles = line_styles([line.encoder for line in lines])
        keys = [Key(styles[line.encoder], str(name), _area(line)) for line, name in zip(lines, names, strict=True)]
        said = [*notes, *_notes(lines), *sign_notes(names)]
        # As wide as the page allows, and as high.
        page_height = _square_side() + _TOP + _BOTTOM
        page = new_page(title, page_height, synthetic=synthetic, keys=keys, keys_title=_areas_title(lines), notes=said)
        axes = page.axes(_LEFT, _TOP, _square_side(), _square_side())
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.6, linestyle=(0, (2, 2)), label="chance")
        for line in lines:
            if line.curve is not None:
                style = styles[line.encoder]
                points = line.curve.false_positives, line.curve.true_positives
                axes.plot(*points, color=style.colour, linestyle=style.dashes, label=line.encoder, clip_on=False)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xlabel("1 - specificity")
        axes.set_ylabel("sensitivity")
        axes.grid(color=PALE)
        axes.set_axisbelow(True)
        return page.figure


def _square_side() -> float:
    from .page import MARGIN
    from .style import WIDTH

    return WIDTH - 2 * MARGIN - _LEFT - _RIGHT


def _area(line: RocLine) -> str:
    if line.area is None:
        return "undefined"
    counted = "" if line.defined == line.replicates else f" ({line.defined}/{line.replicates} replicates)"
    interval = "" if line.ci_low is None else f" ({line.ci_low:.3f} to {line.ci_high:.3f})"
    return f"{line.area:.3f}{interval}{counted}"


def _areas_title(lines: Sequence[RocLine]) -> str:
    return "AUC (95 % interval)" if any(line.ci_low is not None for line in lines) else "AUC"


def _notes(lines: Sequence[RocLine]) -> list[str]:
    """How curves were averaged and intervals made."""
    counts = sorted({line.defined for line in lines if line.defined > 1})
    notes = []
    if counts:
        over = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        notes.append(f"Curves: vertical average (Fawcett 2006) over {over} replicates.")
    hows = sorted({line.interval for line in lines if line.interval})
    if hows:
        notes.append(f"Interval: {'; '.join(hows)}.")
    return notes
