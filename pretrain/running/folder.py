"""The folder that a pretraining writes: who may begin there, and whether what lies there can be gone on with."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ...foundation.errors import UserError
from ...foundation.files import new_file, writing
from ..loading import DESCRIPTION

SETTINGS = "settings.json"
CHECKPOINT = "checkpoint.pt"
IMAGES = "pretraining_images.txt"
_LOCK = ".lock"
_SCHEMA = 1
_SHOWN = 5


class FolderState(StrEnum):
    """What lies in an output folder."""

    new = "new"
    unfinished = "unfinished"
    finished = "finished"


def folder_state(out: Path) -> FolderState:
    """What lies in `out`. An encoder's description is written last, so a folder that has it is whole.

    Raises UserError where it holds other files, is no folder, or cannot be written.
    """
    _refuse_unwritable(out)
    if (out / DESCRIPTION).is_file():
        return FolderState.finished
    if (out / SETTINGS).is_file():
        return FolderState.unfinished
    others = sorted(each.name for each in out.iterdir() if each.name != _LOCK) if out.is_dir() else []
    if others:
        raise UserError(f"--out {out} holds other files ({others[0]}); name a new folder")
    return FolderState.new


def state_for_others(out: Path) -> FolderState:
    """What lies in `out` for a process that does not write there: the first may have begun, never finished, by now."""
    return FolderState.finished if (out / DESCRIPTION).is_file() else FolderState.unfinished


def refuse_taken(out: Path, resume: bool) -> FolderState:
    """The state of `out`, in which a pretraining is about to begin, or go on where `resume`.

    Raises UserError where something lies there that a new pretraining must not overwrite.
    """
    state = folder_state(out)
    if state is FolderState.finished and not resume:
        raise UserError(f"--out {out} holds a finished pretraining; name another folder")
    if state is FolderState.unfinished and not resume:
        raise UserError(f"--out {out} holds an unfinished pretraining: go on with --resume, or name another folder")
    return state


def refuse_other(out: Path, known: Mapping[str, Any]) -> None:
    """Refuse to go on in `out` where what is `known` so far of the pretraining differs from what lies there.

    Raises UserError that names each difference with both values.
    """
    before = _read(out / SETTINGS) if (out / SETTINGS).is_file() else {}
    both = [key for key in known if key in before]
    _refuse_differing(out, {key: before[key] for key in both}, _plain({key: known[key] for key in both}))


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Inside the block no other process pretrains into `out`. Raises UserError where one does."""
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / _LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise UserError(f"--out {out}: another process is training into it; wait, or name another --out") from None
    try:
        yield
    finally:
        # Gone before it is released, so that a finished folder holds nothing but its files.
        (out / _LOCK).unlink(missing_ok=True)
        lock.release()


def begin(out: Path, identity: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Write what the pretraining is into `out`, or compare with what is written there.

    Args:
        out: the folder.
        identity: dotted key -> value, JSON-ready: all that decides the weights.
        about: what else is known: versions, notes.

    Raises:
        UserError: a pretraining lies there of which something differs; each with both values.
    """
    path = out / SETTINGS
    if path.is_file():
        _refuse_differing(out, _read(path), _plain(identity))
        return
    content = {"schema_version": _SCHEMA, "identity": dict(identity), **about}
    with new_file(path) as beside:
        beside.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes())["identity"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: cannot be read ({error}); begin again in another folder") from error


def _refuse_differing(out: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    differing = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    if not differing:
        return
    shown = "; ".join(f"{key} is {_word(now, key)}, there {_word(before, key)}" for key in differing[:_SHOWN])
    more = f"; and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
    raise UserError(
        f"--resume: --out {out} holds another training: {shown}{more}; give what it has, or name another --out"
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON gives them back."""
    return dict(json.loads(json.dumps(values)))


def _word(values: Mapping[str, Any], key: str) -> str:
    return json.dumps(values[key], ensure_ascii=False) if key in values else "not set"


def _refuse_unwritable(out: Path) -> None:
    place = out.absolute()
    try:
        folder = next(each for each in (place, *place.parents) if each.exists())
        if not folder.is_dir():
            raise UserError(f"--out {out}: {folder} is a file, not a folder; choose another folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise UserError(f"--out {out}: cannot write into {folder}; choose another folder")
    except OSError as error:
        raise UserError(f"--out {out}: cannot write there: {error.strerror}; choose another folder") from error
