"""The resume checkpoint of a long training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from ..foundation.errors import UserError
from ..foundation.files import new_file
from ..foundation.progress import Progress

_VERSION = 2


def write_checkpoint(path: Path, identity: str, state: dict[str, Any]) -> None:
    """Replace `path` by `state` (tensors, numbers, words, lists and dicts of them) as a whole.

    Raises UserError where it cannot be written (a full disk); what was in `path` is still there then.
    """
    # What a writer that was killed left beside it; nobody else writes this checkpoint.
    for left in path.parent.glob(f".{path.name}.????????"):
        left.unlink(missing_ok=True)
    with new_file(path) as beside:
        try:
            with beside.open("wb") as file:
                torch.save({"version": _VERSION, "identity": identity, "state": state}, file)
        except RuntimeError as error:
            # What torch raises hides that the disk is full.
            raise _system_error(error) or error from None


def read_checkpoint(path: Path, identity: str, progress: Progress, refuse: bool = False) -> dict[str, Any] | None:
    """The state in `path`, on the CPU; None where there is none.

    One that is cut or damaged, or that belongs to a training with another `identity`, is ignored with a
    word: the training then starts from its beginning.

    Raises UserError for such a one instead, and leaves it where it is, where `refuse`.
    """
    if not path.exists():
        return None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found = content["version"], content["identity"]
        state = content["state"]
    except Exception as error:  # what torch raises for a damaged file depends on where it was cut
        what = f"{path} cannot be read ({type(error).__name__})"
        if refuse:
            raise UserError(f"{what}; put back a copy of it, or remove it to begin again") from error
        progress.say(f"{what}; training starts again from its beginning")
        return None
    if found != (_VERSION, identity):
        what = f"{path} is of a training with other settings"
        if refuse:
            raise UserError(f"{what}; name another folder, or remove it to begin again")
        progress.say(f"{what}; this one starts from its beginning")
        return None
    return state


def _system_error(error: BaseException | None) -> OSError | None:
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return error
