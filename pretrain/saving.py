"""Encoders written to one safetensors file that says all about itself."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from ..foundation.errors import UserError
from ..foundation.files import new_file
from .building import SAVED_BY_US
from .encoder import Encoder, EncoderMeta
from .hugging_face import TRANSFORMERS


def save_encoder(encoder: Encoder, path: Path, *, trained_on: str, licence: str = "not stated") -> None:
    """Write the weights under their library's own names, with architecture and normalisation beside them.

    `load_encoder("NAME=PATH")` reads the file without being told anything else, and so does any other program
    that reads safetensors.

    Args:
        encoder: what to write.
        path: the file; replaced in one step.
        trained_on: images and method, in words.
        licence: of the weights.

    Raises:
        UserError: an architecture that cannot be built from its name, or a file that cannot be written.
    """
    meta = encoder.meta
    refuse_unwritable(meta)
    about = {
        "schema_version": 1,
        "arch": meta.arch,
        "channels": meta.channels,
        "mean": meta.mean,
        "std": meta.std,
        "input_size": meta.input_size,
        "trained_on": trained_on,
        "licence": licence,
        "contamination": meta.contamination,
    }
    write_tensors(path, encoder.network.library().state_dict(), {SAVED_BY_US: json.dumps(about)})


def refuse_unwritable(meta: EncoderMeta) -> None:
    """Raise UserError for an architecture that cannot be built from its name."""
    if meta.arch.startswith(TRANSFORMERS):
        raise UserError(
            f"encoder {meta.name} ({meta.arch}) cannot be written as one file: its architecture is described by the "
            "config.json beside its weights; keep its folder"
        )


def write_tensors(path: Path, tensors: Mapping[str, Tensor], about: dict[str, str] | None = None) -> None:
    """Write named tensors, and words beside them, to a safetensors file, which is replaced in one step.

    Raises UserError where it cannot be written (a full disk).
    """
    # safetensors refuses tensors that share memory or are not contiguous (channels-last weights are not).
    plain = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    with new_file(path) as beside:
        # safetensors lets nobody else read what it writes; this is the mode that other files get.
        beside.touch()
        mode = beside.stat().st_mode
        try:
            save_file(plain, beside, metadata=about)
            beside.chmod(mode & 0o7777)
        except SafetensorError as error:
            # It hides the system's error in its words.
            found = re.search(r"os error (\d+)", str(error))
            if found is None:
                raise
            number = int(found[1])
            raise OSError(number, os.strerror(number)) from error
