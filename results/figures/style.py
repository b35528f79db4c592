"""One light style for print: readable where a figure is 8 cm wide, and told apart without colours."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..rendering.cell import CONTAMINATED, LEFT_OUT, UNVERIFIED

# Inches: a column of a journal (8 cm), and both columns (17 cm).
WIDTH = 3.15
WIDE = 6.69
# Points. Nothing is smaller than SMALL.
TITLE, NORMAL, SMALL = 7.5, 7.0, 6.0
DPI = 300

INK, GREY, PALE = "#111111", "#555555", "#dddddd"
SYNTHETIC_INK = "#b00020"
# Okabe and Ito's colours, which colour-blind readers tell apart, without the yellow that is lost on white; see
# Wong, Nature Methods 2011, 8:441.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00", "#56b4e9")
DASHES: tuple[Any, ...] = ("solid", (0, (4, 1.4)), (0, (1, 1.1)), (0, (5, 1.2, 1, 1.2)), (0, (5, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

PRINT: dict[str, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.dpi": DPI,
    "figure.dpi": DPI,
    "font.family": "DejaVu Sans",
    "font.size": NORMAL,
    "axes.titlesize": NORMAL,
    "axes.labelsize": NORMAL,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelpad": 2.0,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.size": 0.0,
    "xtick.major.pad": 2.0,
    "ytick.major.pad": 2.0,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.6,
    "lines.solid_capstyle": "butt",
    "grid.color": PALE,
    "grid.linewidth": 0.5,
    # An encoder may be called $x$.
    "text.parse_math": False,
    # Letters as outlines in SVG, and whole fonts in PDF: the same everywhere, and editable in print shops.
    "svg.fonttype": "path",
    "svg.hashsalt": "cxrbench",
    "pdf.fonttype": 42,
}


@dataclass(frozen=True)
class LineStyle:
    """How one encoder is drawn in all of a figure."""

    colour: str
    dashes: Any
    marker: str


@contextmanager
def print_style() -> Iterator[None]:
    """Within it figures are made and written in the style PRINT.

    What the user configured is neither used nor changed.
    """
    import matplotlib

    with matplotlib.rc_context(), warnings.catch_warnings():
        # A name in letters that the font lacks is drawn as boxes, which say so themselves.
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        matplotlib.rcdefaults()
        settings: Any = PRINT
        matplotlib.rcParams.update(settings)
        yield


def line_styles(names: Sequence[str]) -> dict[str, LineStyle]:
    """A style for each of `names`, in their order; all differ in colour, dashes or marker (up to 280 names)."""
    return {
        name: LineStyle(COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)], MARKERS[number % len(MARKERS)])
        for number, name in enumerate(names)
    }


@dataclass(frozen=True)
class EncoderName:
    """An encoder as figures name it, with the signs that tables put to its numbers.

    Attributes:
        name: as records have it.
        contaminated: it saw images of this dataset in pretraining.
        unverified: its weights are not known to be the published ones.
        left_out: how many images of the dataset the user went on without.
    """

    name: str
    contaminated: bool = False
    unverified: bool = False
    left_out: int = 0

    def __str__(self) -> str:
        signs = (CONTAMINATED, self.contaminated), (LEFT_OUT, self.left_out), (UNVERIFIED, self.unverified)
        shown = "".join(sign for sign, holds in signs if holds)
        return f"{self.name} {shown}" if shown else self.name


def sign_notes(names: Sequence[EncoderName]) -> list[str]:
    """What the signs of `names` mean, a short sentence each that is used."""
    left_out = max((each.left_out for each in names), default=0)
    meanings = (
        (f"{CONTAMINATED} saw images of this dataset in pretraining.", any(each.contaminated for each in names)),
        (f"{LEFT_OUT} {left_out} image{'s' * (left_out != 1)} of the dataset left out.", left_out > 0),
        (f"{UNVERIFIED} unverified weights.", any(each.unverified for each in names)),
    )
    return [meaning for meaning, holds in meanings if holds]
