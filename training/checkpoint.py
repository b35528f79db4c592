"""The resume checkpoint of a long training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..foundation.files import new_file
from ..foundation.progress import Progress

_VERSION = 1


def write_checkpoint(path: Path, identity: str, state: dict[str, Any]) -> None:
    """Replace `path` by `state` (tensors, numbers, words, lists and dicts of them) as a whole."""
    with new_file(path) as beside:
        torch.save({"version": _VERSION, "identity": identity, "state": state}, beside)


def read_checkpoint(path: Path, identity: str, progress: Progress) -> dict[str, Any] | None:
    """The state in `path`, on the CPU; None where there is none.

    One that is cut or damaged, or that belongs to a training with another `identity`, is ignored with a
    word: the training then starts from its beginning.
    """
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found = content["version"], content["identity"]
        state = content["state"]
    except Exception as error:  # what torch raises for a damaged file depends on where it was cut
        progress.say(f"{path} cannot be read ({type(error).__name__}); training starts again from its beginning")
        return None
    if found != (_VERSION, identity):
        progress.say(f"{path} is of a training with other settings; this one starts from its beginning")
        return None
    return state
