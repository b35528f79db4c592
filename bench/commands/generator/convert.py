"""`cxrbench generator convert`: a trained generator becomes one safetensors file that says what it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ....pretrain.generator import Generator, GeneratorMeta


def convert(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="Trained StyleGAN2 generator: .pkl of NVIDIA's PyTorch releases, .pt or .safetensors."
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="File to write, .safetensors.")],
    name: Annotated[str | None, typer.Option(help="For tables and figures.  (default: the name of FILE)")] = None,
    trained_on: Annotated[str | None, typer.Option(help="Images, in words.")] = None,
    licence: Annotated[str | None, typer.Option(help="Of the weights, in words.")] = None,
) -> None:
    """Write the generator of FILE, without discriminator and optimisers, as one file that says its shape.

    A .pkl of the release holds program code, which its own loader would run. Nothing in FILE is run here: tensors are
    taken out by name, anything that no generator is made of is refused, and weights are loaded strictly.
    """
    from dataclasses import replace

    from ....foundation.errors import UserError
    from ....foundation.files import expanded
    from ....pretrain.generator import save_generator
    from ..written import refuse_unwritable

    given, out = expanded(file), expanded(out)
    if out.suffix != ".safetensors":
        raise UserError(f"OUT {out}: name a file that ends in .safetensors")
    refuse_unwritable("OUT", out)
    if out.exists() and given.exists() and out.samefile(given):
        raise UserError(f"OUT {out}: is FILE itself; name another file")
    generator, meta = _loaded(given)
    said = {"name": name, "trained_on": trained_on, "licence": licence}
    meta = save_generator(generator, out, replace(meta, **{key: value for key, value in said.items() if value}))
    _tell(out, meta)


def _loaded(path: Path) -> tuple[Generator, GeneratorMeta]:
    from ....pretrain.generator import GeneratorMeta, load_generator
    from ....pretrain.generator.reading import is_other_pickle

    if not is_other_pickle(path):
        return load_generator(path)
    from ....pretrain.generator.released_pickle import load_released_pickle

    generator = load_released_pickle(path)
    return generator, GeneratorMeta(name=path.stem, kind="StyleGAN2", spec=generator.spec)


def _tell(path: Path, meta: GeneratorMeta) -> None:
    spec = meta.spec
    channels = f"{spec.channels} channel{'s' * (spec.channels > 1)}"
    typer.echo(f"{path}: {meta.name}, {meta.kind}, {spec.resolution} px, {channels}, {spec.layers} layers")
    typer.echo(f"  trained on: {meta.trained_on}; licence: {meta.licence}")
    typer.echo(f"  {path.stat().st_size / 1e6:,.1f} MB, SHA-256 {meta.sha256}")
