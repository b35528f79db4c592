"""Images that trials made, beside what they were given: inversions, radiographs without bones, nodules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .image_grid import Heading, ImageRow, image_grid
from .panels import Panel, ResidualScale
from .style import EncoderName, print_style, sign_notes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FAILED = "failed"


@dataclass(frozen=True)
class MadeKind:
    """What trials of one kind keep, by the names of their stacks.

    Attributes:
        given: what every encoder was given or is held against, shown once: `original`.
        made: what it made of it: `reconstruction`.
        against: which of `given` is subtracted from it for a residual; empty for no residual.
        metrics: of all test images, of which the first that have a value stand under the name of an encoder.
        most: how many of them.
        caption: metric of a single image that stands over its panel; empty where an image has none.
        unit: what one row is, in words; its plural takes an s.
    """

    given: tuple[str, ...]
    made: str
    against: str = ""
    metrics: tuple[str, ...] = ("psnr", "ssim")
    most: int = 2
    caption: str = "psnr"
    unit: str = "image"

    @property
    def stacks(self) -> tuple[str, ...]:
        """Names of all stacks."""
        return *self.given, self.made

    @property
    def each(self) -> int:
        """Columns of one encoder."""
        return 2 if self.against else 1


INVERSION = MadeKind(("original",), "reconstruction", "original")
BONES = MadeKind(("film", "target"), "output", "target")
NODULES = MadeKind(("masked", "real"), "generated", metrics=("fid", "frechet"), most=1, caption="", unit="nodule")


@dataclass(frozen=True)
class MadeColumn:
    """One encoder, and its images of the rows that are shown.

    Attributes:
        name: of the encoder, with its signs.
        result: a line on its result over all test images.
        made: uint8 [R, H, W]; of no meaning where it failed.
        captions: a line an image [R]: its own result; empty where it has none.
        failed: bool [R], whether nothing was made.
    """

    name: EncoderName
    result: str
    made: np.ndarray
    captions: Sequence[str]
    failed: np.ndarray


def draw_made_images(
    kind: MadeKind,
    sample_ids: Sequence[str],
    given: Mapping[str, np.ndarray],
    encoders: Sequence[MadeColumn],
    *,
    title: str,
    synthetic: bool = False,
    notes: Sequence[str] = (),
) -> Figure:
    """Test images in rows; in columns what was given, then of each encoder what it made and the residual.

    All grey panels are shown from black (0) to white (255), nothing stretched. A residual is what was made less what
    it should be, in grey levels, and all residuals of the figure share one scale of colours about 0.

    Args:
        kind: which stacks these are.
        sample_ids: [R], at least one.
        given: name of what was given -> uint8 [R, H, W].
        encoders: at least one.
        title: what the trials are.
        synthetic: whether the images are phantoms.
        notes: what must be read with the figure beside what it says of itself.
    """
    residuals = [_residuals(kind, given, each) for each in encoders]
    scale = None
    if kind.against:
        shown = [found[~each.failed] for found, each in zip(residuals, encoders, strict=True)]
        scale = ResidualScale.of(shown, f"{kind.made} minus {kind.against}, in grey levels")
    panels = [[Panel(given[name][row]) for name in kind.given] for row in range(len(sample_ids))]
    captions = [[""] * len(kind.given) for _ in sample_ids]
    for each, found in zip(encoders, residuals, strict=True):
        for row, failed in enumerate(each.failed):
            pixels = (each.made[row], found[row])[: kind.each]
            panels[row] += [Panel(None, FAILED) if failed else Panel(one) for one in pixels]
            captions[row] += [each.captions[row], ""][: kind.each]
    rows = [
        ImageRow(str(name), given[kind.given[0]][row], tuple(captions[row]), tuple(panels[row]))
        for row, name in enumerate(sample_ids)
    ]
    own = [f"Empty panels: {FAILED}; means leave them out."] if any(each.failed.any() for each in encoders) else []
    names = [Heading(str(each.name), each.result, kind.each) for each in encoders]
    with print_style():
        figure, _ = image_grid(
            title,
            [*(Heading("") for _ in kind.given), *names],
            rows,
            columns=[*kind.given, *(kind.made, "residual")[: kind.each] * len(encoders)],
            scale=scale,
            synthetic=synthetic,
            notes=[*notes, *own, *sign_notes([each.name for each in encoders])],
        )
        return figure


def _residuals(kind: MadeKind, given: Mapping[str, np.ndarray], column: MadeColumn) -> np.ndarray:
    """What was made less what it should be, int16 [R, H, W]; what was made itself where there is no residual."""
    made = column.made.astype(np.int16)
    return made - given[kind.against] if kind.against else made
