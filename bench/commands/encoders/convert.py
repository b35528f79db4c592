"""`cxrbench encoders convert`: a checkpoint becomes one safetensors file that says all about itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import IncludeOption
from .numbers import ArchOption, LikeOption, MeanOption, StdOption, parse_numbers

if TYPE_CHECKING:
    from ....pretrain.encoder import Encoder


def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Checkpoint in any layout that is known.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write, .safetensors.")],
    arch: ArchOption = None,
    like: LikeOption = None,
    mean: MeanOption = None,
    std: StdOption = None,
    channels: Annotated[
        int | None, typer.Option(help="Channels that it must take, 1 or 3; refused where it takes others.")
    ] = None,
    input_size: Annotated[int | None, typer.Option(min=32, help="Side of the images that it was trained with.")] = None,
    licence: Annotated[str | None, typer.Option(help="Of the weights, in words.")] = None,
    trained_on: Annotated[str | None, typer.Option(help="Images and method, in words.")] = None,
    contamination: Annotated[
        str | None, typer.Option(help="Datasets whose images were used in pretraining, comma-separated.")
    ] = None,
    include: IncludeOption = None,
) -> None:
    """Write the backbone of FILE, without head and optimiser, as one file that says its architecture and normalisation.

    `--encoder NAME=OUT` then needs to be told nothing else, and any program that reads safetensors can use it.
    """
    from ....foundation.errors import UserError
    from ....foundation.files import expanded
    from ....foundation.registry import include as include_file
    from ....pretrain.saving import save_encoder
    from ..written import refuse_unwritable

    for each in include or []:
        include_file(each)
    if out.suffix != ".safetensors":
        raise UserError(f"OUT {out}: name a file that ends in .safetensors")
    refuse_unwritable("OUT", out)
    given = expanded(file)
    if out.exists() and given.exists() and out.samefile(given):
        raise UserError(f"OUT {out}: is FILE itself; name another file")
    encoder = _loaded(given, arch, like)
    _refuse_other_channels(file, encoder, channels)
    changes: dict[str, object] = {
        "mean": parse_numbers("--mean", mean, encoder.meta.channels),
        "std": parse_numbers("--std", std, encoder.meta.channels, above_zero=True),
        "input_size": input_size,
        "contamination": _datasets(contamination),
    }
    _describe(encoder, {key: value for key, value in changes.items() if value is not None})
    meta = encoder.meta
    save_encoder(
        encoder,
        expanded(out),
        trained_on=trained_on or meta.trained_on,
        licence=licence or meta.licence,
    )
    typer.echo(f"{out}: {meta.arch}, {meta.channels} channel{'s' * (meta.channels > 1)}, from {meta.weights}")
    if mean is None and like is None and not _says_itself(given):
        typer.echo(f"  its normalisation is assumed; check it with: cxrbench encoders inspect {out}")


def _loaded(file: Path, arch: str | None, like: str | None) -> Encoder:
    from ....pretrain.building import load_from_file, load_user_checkpoint

    if like is None:
        return load_user_checkpoint("converted", arch or "", file)
    from .inspect import entry_of

    entry = entry_of(like)
    return load_from_file("converted", entry if arch is None else entry.model_copy(update={"arch": arch}), file)


def _refuse_other_channels(file: Path, encoder: Encoder, channels: int | None) -> None:
    from ....foundation.errors import UserError

    if channels is not None and channels != encoder.meta.channels:
        raise UserError(f"--channels {channels}: the first convolution of {file} takes {encoder.meta.channels}")


def _describe(encoder: Encoder, changes: dict[str, object]) -> None:
    from dataclasses import replace

    encoder.meta = replace(encoder.meta, **changes)  # type: ignore[arg-type]


def _datasets(text: str | None) -> tuple[str, ...] | None:
    from ....data import datasets
    from ....foundation.errors import unknown_name
    from ...config import parse_list

    names = parse_list("--contamination", text)
    for name in names or ():
        if name not in datasets.names():
            raise unknown_name("dataset", name, datasets.names())
    return names


def _says_itself(file: Path) -> bool:
    from ....pretrain.building import SAVED_BY_US
    from ....pretrain.checkpoints import metadata_entry

    return bool(metadata_entry(file, SAVED_BY_US))
