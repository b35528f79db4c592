"""Options of the commands of `figure`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

OutOption = Annotated[
    str, typer.Option("--out", help="File to write: .png, .pdf or .svg; several with commas: a.pdf,a.png.")
]
TaskOption = Annotated[str, typer.Option(help="Task whose records are shown.")]
EncoderOption = Annotated[
    str | None, typer.Option(help="Encoders, comma-separated, in this order.  (default: all in the store)")
]
VariantOption = Annotated[str | None, typer.Option(help="Only trials of this variant of the task.")]
FractionOption = Annotated[
    str | None, typer.Option(help="Per cent of the training patients.  (default: the largest that all encoders have)")
]
ShownDataOption = Annotated[str | None, typer.Option("--data", help="Folder of the dataset, or phantom, as in run.")]
SampleOption = Annotated[str | None, typer.Option(help="Test images to show, by sample_id, comma-separated.")]
ImagesOption = Annotated[
    int | None, typer.Option(help="How many test images: positives, in the order of a hash of their ids.  (default: 4)")
]
MadeImagesOption = Annotated[
    int | None, typer.Option(help="How many test images, in the order of a hash of their ids.  (default: 4)")
]
ReplicateOption = Annotated[
    int | None, typer.Option(help="Replicate whose predictions are shown.  (default: the first that all have)")
]


def save(figure: Figure, files: Sequence[Path]) -> None:
    """Write `figure` to `files` and say so."""
    import sys

    from ....results.figures.export import write_figure

    write_figure(figure, files)
    for file in files:
        print(f"wrote {file}", file=sys.stderr)


def one_fraction(text: str | None) -> float | None:
    """The number of `--fraction`. Raises UserError where it is none, or several."""
    from ....foundation.errors import UserError
    from ...config import parse_fractions

    found = parse_fractions(text, "--fraction")
    if found is None:
        return None
    first, *others = found
    if others:
        raise UserError(f"--fraction {text}: a figure shows one; name one")
    return first
