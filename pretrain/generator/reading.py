"""State dicts of generators: read without running anything in the file, and put under our names."""

from __future__ import annotations

import argparse
import mmap
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...foundation.errors import UserError
from ..checkpoints import is_safetensors, read_tensors
from ..sandbox import refusal
from .filters import TAPS
from .layouts import LATENT_AVG, RELEASED, Recognised, shapes_in

# Where training programs keep the generator, the one with averaged weights first.
_CONTAINERS = ("g_ema", "G_ema", "state_dict", "generator", "g", "G")
_DEEPEST = 8
_ZIP = b"PK\x03\x04"
# How torch.save began its files before they were zip archives.
_LEGACY = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
# torch.load calls it with any number, and so many bytes are filled; no state dict holds one.
_MAKES_BYTES = (b"cbuiltins\nbytearray\n", b"c__builtin__\nbytearray\n")


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Named tensors of the generator in a file, on the CPU; nothing in the file is run.

    Takes safetensors, and what torch.save wrote: a state dict, or {"g_ema": state dict, "latent_avg": mean of w},
    from which the averaged generator is taken.

    Raises:
        UserError: no such file, damaged, no state dict, objects other than tensors, or tensors that would take more
            memory than the file has.
    """
    if is_safetensors(path):
        return read_tensors(path)
    found = _open_containers(_read_torch(path))
    if not found:
        raise UserError(f"{path}: holds no named tensors; save the generator's state_dict()")
    size = sum(tensor.numel() * tensor.element_size() for tensor in found.values())
    odd = [tensor for tensor in found.values() if tensor.layout != torch.strided or tensor.device.type != "cpu"]
    if odd:
        raise UserError(f"{path}: holds a tensor that is sparse or without its numbers; save the state_dict() itself")
    # Views of a few numbers can have any size.
    if size > path.stat().st_size:
        raise UserError(f"{path}: its tensors would take {size:,} bytes, more than the file has; not read")
    return found


def is_other_pickle(path: Path) -> bool:
    """Whether a file is a pickle that torch.save did not write. Raises UserError where it cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_LEGACY))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    return start.startswith(b"\x80") and start != _LEGACY


def fitted_tensors(recognised: Recognised, tensors: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """The tensors of a recognised state dict under our names, in our shapes, in float32.

    Raises:
        UserError: no floating-point numbers, NaN or infinity, or a FIR filter other than [1, 3, 3, 1].
    """
    for name in recognised.filters:
        if not _is_the_filter(tensors[name]):
            raise UserError(f"{where}: {name} is a filter other than [1, 3, 3, 1], and only that one is known")
    total = len(recognised.names)
    odd = [name for name in recognised.names.values() if not tensors[name].is_floating_point()]
    if odd:
        raise UserError(f"{where}: {len(odd)} of {total} tensors hold no floating-point numbers, first {odd[0]}")
    # Numbers that are finite in float64 need not be so in float32.
    found = {name: tensors[theirs].float() for name, theirs in recognised.names.items()}
    bad = [recognised.names[name] for name, tensor in found.items() if not tensor.isfinite().all()]
    if bad:
        raise UserError(f"{where}: {len(bad)} of {total} tensors hold NaN or infinity, first {bad[0]}")
    ours = shapes_in(RELEASED, recognised.spec)
    return {name: tensor.reshape(ours[name][1]) for name, tensor in found.items()}


def _is_the_filter(given: Tensor) -> bool:
    taps = torch.tensor(TAPS)
    wanted = torch.outer(taps, taps) / taps.sum() ** 2
    # rosinality's filters for twice the side have a gain of 4 in them.
    return given.shape == wanted.shape and torch.allclose(given.float() / given.float().sum(), wanted, atol=1e-4)


def _open_containers(content: Any, depth: int = 0) -> dict[str, Tensor]:
    # A dictionary may hold itself.
    if not isinstance(content, Mapping) or depth > _DEEPEST:
        return {}
    inside = next((content[name] for name in _CONTAINERS if isinstance(content.get(name), Mapping)), None)
    if inside is None:
        return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    found = _open_containers(inside, depth + 1)
    if isinstance(mean := content.get(LATENT_AVG), Tensor) and LATENT_AVG not in found:
        # Kept as [w_dim] or [1, w_dim].
        found[LATENT_AVG] = mean.flatten()
    return found


def _read_torch(path: Path) -> Any:
    if is_other_pickle(path):
        raise UserError(
            f"{path}: is a pickle, which is not opened here; make a file of it that is: "
            f"cxrbench generator convert {path} {path.with_suffix('.safetensors').name}"
        )
    with path.open("rb") as file:
        start = file.read(len(_LEGACY))
    if start.startswith(_ZIP):
        _refuse_compressed(path)
    elif start != _LEGACY:
        raise UserError(f"{path}: is no generator: neither safetensors nor a file of torch.save")
    _refuse_made_bytes(path)
    try:
        # rosinality's checkpoints hold the options of their training, which can do no harm.
        with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # A damaged pickle or archive can raise anything.
        culprit = re.search(r"(?:GLOBAL|global|type) ([\w.]+)", str(error))
        if isinstance(error, pickle.UnpicklingError) and culprit:
            raise UserError(refusal(path, culprit[1])) from error
        raise UserError(f"{path}: is no readable state dict (truncated, or another format)") from error


def _refuse_made_bytes(path: Path) -> None:
    # Nothing in the file is compressed, so a name stands in it as it is.
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if any(content.find(each) >= 0 for each in _MAKES_BYTES):
            raise UserError(refusal(path, "builtins.bytearray"))


def _refuse_compressed(path: Path) -> None:
    """torch.save compresses nothing; what does may unpack to any size."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UserError(f"{path}: is no readable state dict (truncated, or another format)") from error
    size = sum(max(entry.file_size, entry.compress_size) for entry in entries)
    if size > path.stat().st_size or any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise UserError(f"{path}: is an archive that unpacks to {size:,} bytes, not as torch.save writes it; not read")
