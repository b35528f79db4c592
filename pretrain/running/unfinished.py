"""What a pretraining that did not finish had come to: its last checkpoint as something to start from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...foundation.errors import UserError
from ...foundation.files import sha256_of_file
from ..building import random_encoder
from ..encoder import Encoder, hash_of_tensors
from ..zoo_entry import ZooEntry
from .folder import CHECKPOINT, IMAGES, SETTINGS

_NETWORK = "encoder.network."


@dataclass(frozen=True)
class Unfinished:
    """The last checkpoint of a pretraining.

    Attributes:
        method: registered name.
        encoder: as it was, in training mode.
        tensors: everything of the method under its own names.
    """

    method: str
    encoder: Encoder
    tensors: Mapping[str, Tensor]


def read_unfinished(folder: Path) -> Unfinished:
    """The checkpoint in `folder`.

    Raises UserError where there is none, or it cannot be read.
    """
    path = folder / CHECKPOINT
    if not (folder / SETTINGS).is_file():
        raise UserError(
            f"--init {folder}: neither an encoder nor a pretraining lies there; name a folder of `pretrain`"
        )
    if not path.is_file():
        raise UserError(f"--init {folder}: its pretraining wrote no checkpoint yet; name another encoder")
    try:
        about = json.loads((folder / SETTINGS).read_bytes())
        content = torch.load(path, map_location="cpu", weights_only=True)
        tensors, steps = content["state"]["network"], int(content["state"]["steps_done"])
        encoder = _encoder(folder, about, tensors, steps)
    except UserError:
        raise
    except Exception as error:  # what torch raises for a damaged file depends on where it was cut
        raise UserError(f"--init {folder}: {CHECKPOINT} cannot be read ({type(error).__name__})") from error
    return Unfinished(about["identity"]["method"], encoder, tensors)


def _encoder(folder: Path, about: Mapping[str, Any], tensors: Mapping[str, Tensor], steps: int) -> Encoder:
    identity = about["identity"]
    name = folder.resolve().name
    entry = ZooEntry(
        title=name,
        arch=identity["arch"],
        channels=len(identity["mean"]),  # type: ignore[arg-type]
        mean=identity["mean"],
        std=identity["std"],
        input_size=identity["image_size"],
        initialisation="library",
        licence=about["licence"],
        trained_on=about["trained_on"],
        contamination=about["contamination"],
    )
    drawn = random_encoder(name, entry, 0)
    own = {key.removeprefix(_NETWORK): value for key, value in tensors.items() if key.startswith(_NETWORK)}
    drawn.network.load_state_dict(own)
    meta = replace(
        drawn.meta,
        weights=f"{CHECKPOINT} after {steps} steps",
        sha256=hash_of_tensors(drawn.network.library().state_dict()),
        seed=None,
        pretraining_images=str(folder / IMAGES),
        pretraining_images_sha256=sha256_of_file(folder / IMAGES),
    )
    return Encoder(drawn.network, meta).train()
