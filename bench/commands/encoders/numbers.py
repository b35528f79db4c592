"""Options that say what a file with weights is: architecture and normalisation."""

from __future__ import annotations

from typing import Annotated

import typer

ArchOption = Annotated[
    str | None, typer.Option(help="resnet18, 34, 50, 101 or timm:NAME.  (default: what the file says, else a guess)")
]
LikeOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Take architecture and normalisation from this encoder of the zoo.")
]
MeanOption = Annotated[
    str | None, typer.Option(help="Of images in [0, 1]: one value, or one a channel, such as 0.485,0.456,0.406.")
]
StdOption = Annotated[str | None, typer.Option(help="Standard deviation, likewise.")]


def parse_numbers(
    option: str, text: str | None, channels: int | None = None, *, above_zero: bool = False
) -> tuple[float, ...] | None:
    """`0.5,0.25` -> (0.5, 0.25).

    Args:
        option: named in errors.
        text: what was given.
        channels: how many values there must be; one is taken for all. None for any number.
        above_zero: whether each must be above 0.

    Raises:
        UserError: not numbers, too few or too many, or not above 0.
    """
    import math

    from ....foundation.errors import UserError
    from ...config import parse_list

    # The same number may stand there three times, so not the list that keeps each entry once.
    if text is None:
        return None
    parse_list(option, text)
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UserError(f"{option} {text!r}: write numbers with commas, such as 0.485,0.456,0.406") from error
    if not all(math.isfinite(value) and (value > 0 or not above_zero) for value in values):
        raise UserError(f"{option} {text!r}: must be {'above 0' if above_zero else 'finite'}")
    if channels is None:
        return values
    if len(values) not in (1, channels):
        raise UserError(f"{option} {text!r}: {len(values)} values for {channels} channels; give one, or one a channel")
    return values * channels if len(values) == 1 else values
