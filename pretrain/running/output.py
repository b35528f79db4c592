"""What a finished pretraining leaves: an encoder that every task takes by name, and what it was made from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomlkit

from ...foundation.files import new_file, sha256_of_file
from ...foundation.settings import read_toml, validated
from ..encoder import Encoder
from ..loading import DESCRIPTION
from ..method import Method
from ..saving import save_encoder, write_tensors
from ..zoo_entry import ZooEntry
from .folder import CHECKPOINT, IMAGES
from .starting import METHOD_WEIGHTS

if TYPE_CHECKING:
    import pandas as pd

WEIGHTS = "encoder.safetensors"
UNTRAINED = "untrained.toml"
LEFT_OUT = "unreadable_images.csv"
_ENCODER = "encoder."


@dataclass(frozen=True)
class Story:
    """How an encoder came about, for its description.

    Attributes:
        title: one line.
        trained_on: images and method, in words; says that phantoms are synthetic.
        licence: of the weights.
        source: publication of the method.
        contamination: registered names of datasets whose test images were seen.
        pretraining: the table `pretraining` of the description, JSON-ready.
        images: name of each image that was seen, as lists of pretraining images have them.
    """

    title: str
    trained_on: str
    licence: str
    source: str
    contamination: tuple[str, ...]
    pretraining: Mapping[str, Any]
    images: Sequence[str]

    @property
    def about(self) -> dict[str, Any]:
        """What a pretraining that starts from an unfinished one must know of it, JSON-ready."""
        return {
            "title": self.title,
            "trained_on": self.trained_on,
            "licence": self.licence,
            "contamination": list(self.contamination),
        }


def write_output(out: Path, method: Method, story: Story) -> None:
    """Write the encoder and the rest of the method into `out`; the checkpoint goes.

    `encoder.toml` is written last: a folder without it holds no finished pretraining, whatever stopped the writing.

    Raises UserError where something cannot be written; the checkpoint is still there then.
    """
    encoder = method.encoder
    encoder.meta = replace(encoder.meta, contamination=story.contamination)
    _write_method(out / METHOD_WEIGHTS, method)
    save_encoder(encoder, out / WEIGHTS, trained_on=story.trained_on, licence=story.licence)
    _write_description(out / DESCRIPTION, encoder, story, sha256_of_file(out / WEIGHTS))
    (out / CHECKPOINT).unlink(missing_ok=True)


def write_image_names(out: Path, names: Iterable[str]) -> None:
    """List the images that are seen, one name a line, as audits read lists."""
    with new_file(out / IMAGES) as beside, beside.open("w", encoding="utf-8") as file:
        file.write("# seen in pretraining: one name a line\n")
        file.writelines(f"{name}\n" for name in dict.fromkeys(names))


def write_untrained(out: Path, entry: ZooEntry) -> None:
    """Describe the same network with random weights: what the pretrained one is fairly compared with."""
    document = tomlkit.document()
    document.add(
        tomlkit.comment("The network as it was before: compare with --encoder untrained=FOLDER/untrained.toml")
    )
    for key, value in entry.model_dump(mode="json", exclude_defaults=True).items():
        document.add(key, tomlkit.item(value))
    with new_file(out / UNTRAINED) as beside:
        beside.write_text(tomlkit.dumps(document), encoding="utf-8")


def write_left_out(out: Path, left_out: pd.DataFrame) -> None:
    """List the images that could not be used, with the reason; nothing where there are none."""
    if len(left_out):
        with new_file(out / LEFT_OUT) as beside:
            left_out.to_csv(beside, index=False)


def read_image_names(path: Path) -> list[str]:
    """The names in a list that `write_output` wrote."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _write_method(path: Path, method: Method) -> None:
    state = {name: value for name, value in method.state_dict().items() if not name.startswith(_ENCODER)}
    if not state:
        return
    write_tensors(path, state)


def _write_description(path: Path, encoder: Encoder, story: Story, sha256: str) -> None:
    meta = encoder.meta
    values: dict[str, Any] = {
        "title": story.title,
        "arch": meta.arch,
        "channels": meta.channels,
        "mean": list(meta.mean),
        "std": list(meta.std),
        "input_size": meta.input_size,
        "licence": story.licence,
        "trained_on": story.trained_on,
        "source": story.source,
        "contamination": list(story.contamination),
        "pretraining_images": IMAGES,
        "weights": {"file": WEIGHTS, "sha256": sha256},
        "pretraining": _without_nothing(story.pretraining),
    }
    document = tomlkit.document()
    document.add(tomlkit.comment("Written by `cxrbench pretrain`; use it with --encoder and the name of this folder."))
    for key, value in values.items():
        document.add(key, tomlkit.item(value))
    with new_file(path) as beside:
        beside.write_text(tomlkit.dumps(document), encoding="utf-8")
        # What could not be read again must not look finished.
        validated(ZooEntry, read_toml(beside), str(path))


def _without_nothing(value: Any) -> Any:
    """`value` as TOML can hold it: a key without a value is left out."""
    plain = json.loads(json.dumps(value, allow_nan=False))

    def cleaned(each: Any) -> Any:
        if isinstance(each, dict):
            return {key: cleaned(inner) for key, inner in each.items() if inner is not None}
        return [cleaned(inner) for inner in each if inner is not None] if isinstance(each, list) else each

    return cleaned(plain)
