"""An encoder from what a user writes: a zoo name, `timm:NAME`, `hf:ORG/NAME`, a folder, or a checkpoint."""

from __future__ import annotations

from pathlib import Path

from ..foundation.errors import UserError
from ..foundation.files import expanded
from .building import load_from_file, load_user_checkpoint, random_timm_encoder
from .encoder import Encoder
from .source import encoders
from .specs import DESCRIPTION, HUGGING_FACE, TIMM, EncoderSpec, description_in, parse_spec
from .weights_files import default_weights, doubt_of
from .zoo_entry import ZooSource, read_zoo_entry


def load_encoder(spec: str, seed: int = 0, *, weights: Path | None = None) -> Encoder:
    """The encoder that `spec` names, on the CPU, in evaluation mode. Nothing is ever downloaded.

    Args:
        spec: one of
            `NAME`: an encoder of the zoo, of a plug-in or of an included file;
            `timm:NAME`: a timm backbone with random weights;
            `hf:ORG/NAME`: a model in the local cache of Hugging Face; `NAME=hf:ORG/NAME` names it;
            `DIR`, `NAME=DIR`: a folder with an `encoder.toml`, as pretraining writes it, or with a model as Hugging
            Face has them (`config.json`); called like the folder where no name is given;
            `NAME=PATH`: the checkpoint PATH, shown as NAME. Where NAME is in the zoo, its architecture and
            normalisation hold; else a file of `save_encoder` says them itself, and for others the architecture is
            guessed from names and shapes, with its usual normalisation for three channels, mean and standard
            deviation 0.5 for one. The weights of a folder that pretraining wrote are that folder's encoder;
            `NAME:ARCH=PATH`, `timm:NAME=PATH`: the same with the architecture stated, `mine:timm:densenet121=PATH`;
            `NAME=PATH.toml`: a description as in the zoo, whose weights lie beside it.
        seed: of random weights; the others do not use it.
        weights: folder of downloaded weights; by default `weights` in the cache.

    Raises:
        UserError: an unknown name, weights that are not here, or a file that is not what it should be.
    """
    folder = Path(weights) if weights is not None else default_weights()
    parsed = parse_spec(spec)
    if not parsed.place:
        if spec.startswith(TIMM):
            return random_timm_encoder(spec, seed)
        return encoders.get(spec).build(seed, folder)
    if parsed.place.startswith(HUGGING_FACE):
        from .hugging_face import load_from_hub

        return load_from_hub(parsed.name, parsed.place.removeprefix(HUGGING_FACE))
    path = expanded(parsed.place)
    if path.is_dir():
        return _from_folder(parsed, path, seed, folder)
    if path.suffix == ".toml":
        return read_zoo_entry(path, parsed.name, weights_beside=True).build(seed, folder)
    if not parsed.arch and parsed.name in encoders.names():
        return _into_known(parsed.name, path)
    described = None if parsed.arch else _described_beside(parsed.name, path)
    if described is not None:
        return described.build(seed, folder)
    return load_user_checkpoint(parsed.name, parsed.arch, path)


def _from_folder(parsed: EncoderSpec, path: Path, seed: int, weights: Path) -> Encoder:
    described = description_in(path)
    if described is not None:
        return read_zoo_entry(described, parsed.name, weights_beside=True).build(seed, weights)
    if (path / "config.json").is_file():
        from .hugging_face import load_from_folder

        return load_from_folder(parsed.name, path)
    raise UserError(
        f"--encoder {parsed.name}: the folder {path} has neither {DESCRIPTION} nor a config.json; name a folder that "
        "`cxrbench pretrain` wrote, one with a model of Hugging Face, or a file"
    )


def _described_beside(name: str, path: Path) -> ZooSource | None:
    """The encoder of the folder that `path` is the weights of: the list of its pretraining images goes with them."""
    description = description_in(path.parent)
    if description is None:
        return None
    source = read_zoo_entry(description, name, weights_beside=True)
    wanted = source.entry.weights
    return source if wanted is not None and wanted.file == path.name else None


def _into_known(name: str, path: Path) -> Encoder:
    source = encoders.get(name)
    if not isinstance(source, ZooSource):
        raise UserError(f"--encoder {name}={path}: {name} is a plug-in with weights of its own; choose another name")
    wanted = source.entry.weights
    return load_from_file(name, source.entry, path, doubt_of(wanted, path) if wanted and path.is_file() else "")
