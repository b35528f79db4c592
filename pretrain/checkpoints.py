"""Checkpoint files: read without running anything in them, loaded strictly or not at all."""

from __future__ import annotations

import json
import pickle
import re
import struct
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..foundation.errors import UserError
from .key_maps import CONTAINERS, Fit, fit_names, summary
from .sandbox import refusal

Tensors = dict[str, torch.Tensor]

# How pickles begin, and those that torch.save wrote before it wrote zip archives: this number is in front.
_PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
_LEGACY = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)


def read_tensors(path: Path) -> Tensors:
    """Named tensors of a safetensors file, or of one that torch.save wrote, on the CPU.

    Containers such as {"state_dict": ...} are opened; what is not a tensor is left.

    Raises:
        UserError: no such file, not weights (a web page, a Git LFS pointer), truncated, or holding objects
            other than tensors, which are never unpickled.
    """
    _refuse_stand_ins(path)
    content = _read_safetensors(path) if is_safetensors(path) else _read_torch(path)
    tensors = _open_containers(content)
    if not tensors:
        found = _first([str(key) for key in content]) if isinstance(content, Mapping) else type(content).__name__
        raise UserError(f"{path}: holds no named tensors (found: {found or 'nothing'}); save the model's state_dict()")
    bad = [name for name, tensor in tensors.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if bad:
        raise UserError(f"{path}: {len(bad)} of {len(tensors)} tensors hold NaN or infinity, first {bad[0]}")
    return tensors


def read_metadata(path: Path) -> dict[str, str]:
    """The text entries beside the tensors of a safetensors file; empty for other files."""
    if not is_safetensors(path):
        return {}
    from safetensors import safe_open

    with _refusing_broken(path), safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})


@dataclass(frozen=True)
class Match:
    """How tensors fit a network, by name and by shape.

    Attributes:
        fit: by name.
        shapes: those of another shape, in words.
    """

    fit: Fit
    shapes: tuple[str, ...]

    @property
    def problems(self) -> dict[str, tuple[str, ...]]:
        """What is wrong -> names; only what there is."""
        found = {"missing": self.fit.missing, "unexpected": self.fit.unexpected, "of another shape": self.shapes}
        return {words: names for words, names in found.items() if names}


def match(own: Mapping[str, torch.Tensor], tensors: Mapping[str, torch.Tensor]) -> Match:
    """Compare `tensors`, in any layout of key_maps, with the state dict `own` of a network."""
    fit = fit_names(tensors, own)
    shapes = tuple(
        f"{original} {list(tensors[original].shape)} instead of {list(own[name].shape)}"
        for name, original in fit.names.items()
        if as_convolution(tensors[original], own[name].shape).shape != own[name].shape
    )
    return Match(fit, shapes)


def as_convolution(tensor: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """A linear layer over a flattened map [O, C x H x W] as the convolution [O, C, H, W] that timm makes of it.

    Any other tensor is given back as it is.
    """
    fits = tensor.ndim == 2 and len(shape) == 4 and len(tensor) == shape[0] and tensor.numel() == shape.numel()
    return tensor.reshape(shape) if fits else tensor


def load_strictly(module: nn.Module, tensors: Mapping[str, torch.Tensor], path: Path, what: str) -> Fit:
    """Put `tensors` into `module`, all of them or none.

    Args:
        module: a backbone under its library's own names.
        tensors: from `read_tensors`, in any layout of key_maps.
        path: named in errors.
        what: the network in words, named in errors.

    Returns:
        Which layout it was and which names were left out.

    Raises:
        UserError: nothing fits, or names are missing, unexpected, or of another shape; the first few are listed.
    """
    own = module.state_dict()
    found = match(own, tensors)
    fit = found.fit
    if not fit.names:
        raise UserError(
            f"{path}: none of its {len(tensors)} tensors fits {what}, which would leave all weights random; "
            f"it holds {_first(tensors)}"
        )
    if found.problems:
        listed = "; ".join(f"{len(names)} {words}: {_first(names)}" for words, names in found.problems.items())
        raise UserError(f"{path}: does not fit {what} (read as {fit.layout}). {listed}")
    given = {name: as_convolution(tensors[original], own[name].shape) for name, original in fit.names.items()}
    module.load_state_dict({**own, **given}, strict=True)
    return fit


def words_for(path: Path, fit: Fit) -> str:
    """Where loaded weights come from, in words: the file, its layout, and what was left out."""
    left_out = f"; left out: {summary(fit.left_out)}" if fit.left_out else ""
    return f"{path.name} ({fit.layout}{left_out})"


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(512)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error


def _refuse_stand_ins(path: Path) -> None:
    start = _first_bytes(path)
    if not start:
        raise UserError(f"{path}: is empty; fetch it again")
    if re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype|!--|html|head|\?xml)", start, re.IGNORECASE):
        raise UserError(f"{path}: is a web page, not weights; the download went wrong, fetch it again")
    if start.startswith(b"version https://git-lfs"):
        raise UserError(f"{path}: is a Git LFS pointer, not weights; run `git lfs pull` where it comes from")


def is_safetensors(path: Path) -> bool:
    """Whether the file begins as safetensors do: eight bytes of header length, then a JSON object."""
    start = _first_bytes(path)
    return len(start) > 8 and start[8:9] == b"{" and 2 <= struct.unpack("<Q", start[:8])[0] < 100_000_000


@contextmanager
def _refusing_broken(path: Path) -> Iterator[None]:
    """Turn what the readers raise on a broken file into one line that names it."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:  # A damaged pickle or archive can raise anything.
        if "TorchScript" in str(error):
            raise UserError(f"{path}: is a TorchScript program, not weights; save the model's state_dict()") from error
        culprit = re.search(r"(?:GLOBAL|global|type) ([\w.]+)", str(error))
        if isinstance(error, pickle.UnpicklingError) and culprit:
            raise UserError(refusal(path, culprit[1])) from error
        raise UserError(f"{path}: is no readable checkpoint (truncated, or another format)") from error


def _read_safetensors(path: Path) -> Tensors:
    from safetensors.torch import load_file

    with _refusing_broken(path):
        return load_file(path)


def _read_torch(path: Path) -> Any:
    start = _first_bytes(path)
    if start.startswith(_PICKLES) and not start.startswith(_LEGACY):
        raise UserError(
            f"{path}: is a pickle that torch.save did not write, and was not opened: reading that may run any program. "
            "Where it was made, save its tensors by name with torch.save or safetensors"
        )
    with _refusing_broken(path), warnings.catch_warnings():
        # What torch warns of (an unusual pickle protocol) is either read all the same or refused with a reason.
        warnings.simplefilter("ignore")
        return torch.load(path, map_location="cpu", weights_only=True)


def _open_containers(content: Any) -> Tensors:
    """The named tensors in `content`, or in the container inside it that has most."""
    if not isinstance(content, Mapping):
        return {}
    tensors = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
    inside = [_open_containers(content[key]) for key in CONTAINERS if key in content]
    # A stray tensor beside a container, such as a loss, is not what the file is about.
    return max([tensors, *inside], key=len)


def _first(names: Collection[str], most: int = 4) -> str:
    listed = list(names)[:most]
    return ", ".join([*listed, "..."] if len(names) > most else listed)


def metadata_entry(path: Path, key: str) -> dict[str, Any]:
    """The JSON object under `key` in the metadata of a safetensors file; empty where there is none."""
    text = read_metadata(path).get(key)
    if text is None:
        return {}
    try:
        entry = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: its metadata entry {key!r} is not valid JSON") from error
    return entry if isinstance(entry, dict) else {}
