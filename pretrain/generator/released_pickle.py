"""Generators in the pickles of NVIDIA's PyTorch releases (StyleGAN2-ADA, StyleGAN3), read without running them.

Such a file holds the source code of its networks, which its own loader runs. Here the code is passed over: of each
module only the name of its class, its tensors and the modules inside it are taken.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ...foundation.errors import UserError
from .files import load_state, shapes_of
from .inert_pickle import Budget, Called, RefusedPickleError, read_pickle
from .layouts import recognise
from .network import Generator
from .reading import fitted_tensors
from .stored_tensors import FROM_BYTES, PARAMETER, REBUILT, tensor_of

LARGEST_FILE = 4 * 2**30
_MOST_MODULES = 10_000
_DEEPEST = 16

_MODULE = "torch_utils.persistence._reconstruct_persistent_obj"
_DICTIONARIES = ("collections.OrderedDict", "dnnlib.util.EasyDict", "dnnlib.EasyDict")
# Named in such files and harmless, because nothing is made of them.
_PASSED_OVER = (
    *("builtins.set", "numpy.dtype", "numpy.ndarray"),
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
)
_KNOWN = (_MODULE, REBUILT, PARAMETER, FROM_BYTES, *_DICTIONARIES, *_PASSED_OVER)


@dataclass(frozen=True)
class _Found:
    """Tensors by name, as in the state dict of the generator, and where its activations are cut."""

    tensors: dict[str, Tensor]
    clamp: float | None


def load_released_pickle(path: Path) -> Generator:
    """The generator in a `.pkl` of the release: the one with averaged weights (`G_ema`) where there are several.

    Nothing in the file is imported or run, and memory stays within a few times its size.

    Raises:
        UserError: no such file, too large, truncated, of the TensorFlow release, no StyleGAN2 generator that is known
            here, or holding anything that generators are not made of, which is named.
    """
    try:
        found = _read(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from error
    except RefusedPickleError as error:
        words = str(error)
        if "dnnlib.tflib" in words:
            words = "is a pickle of the TensorFlow release, and only those of the PyTorch releases are read"
        raise UserError(f"{path}: {words}; nothing in it was run") from error
    recognised = recognise(shapes_of(found.tensors), str(path))
    generator = Generator(replace(recognised.spec, clamp=found.clamp))
    load_state(generator, fitted_tensors(recognised, found.tensors, str(path)))
    return generator


def _read(path: Path) -> _Found:
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise UserError(f"{path}: {size:,} bytes, and generators have at most {LARGEST_FILE:,}; not read")
    if not size:
        raise UserError(f"{path}: is empty; fetch it again")
    budget = Budget(bytes_left=size)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        # mmap reads like a file.
        root = read_pickle(content, _KNOWN, budget, _DICTIONARIES)  # type: ignore[arg-type]
    return _generator_in(root, budget)


def _generator_in(root: Any, budget: Budget) -> _Found:
    if isinstance(root, dict):
        root = next((root[name] for name in ("G_ema", "G") if isinstance(root.get(name), Called)), None)
    tensors: dict[str, Tensor] = {}
    clamps: set[float | None] = set()
    for number, (name, state) in enumerate(_modules(root, budget)):
        if number >= _MOST_MODULES:
            raise RefusedPickleError("has too many modules inside each other")
        if name.endswith(("conv0", "conv1", "torgb")):
            clamps.add(_clamp(state))
        for kind in ("_parameters", "_buffers"):
            for own, described in _entries(state, kind, budget):
                tensors[_joined(name, own)] = tensor_of(described, budget)
    if len(clamps) > 1:
        raise RefusedPickleError("bounds the activations of its layers differently, which is not known here")
    return _Found(tensors, clamps.pop() if clamps else None)


def _modules(module: Any, budget: Budget, name: str = "", depth: int = 0) -> Iterator[tuple[str, dict[Any, Any]]]:
    """Dotted name and state of each module, the outermost first."""
    if depth > _DEEPEST:
        raise RefusedPickleError("has too many modules inside each other")
    state = _state(module)
    yield name, state
    for own, inside in _entries(state, "_modules", budget):
        yield from _modules(inside, budget, _joined(name, own), depth + 1)


def _state(module: Any) -> dict[Any, Any]:
    if isinstance(module, Called) and module.name == _MODULE and len(module.arguments) == 1:
        about = module.arguments[0]
        if isinstance(about, dict) and isinstance(state := about.get("state"), dict):
            return state
    raise RefusedPickleError("holds no generator of the PyTorch release (G_ema, G)")


def _entries(state: dict[Any, Any], name: str, budget: Budget) -> Iterator[tuple[Any, Any]]:
    """What is there in one of the dictionaries of a module; None stands for what is not."""
    found = state.get(name, {})
    if not isinstance(found, dict):
        raise RefusedPickleError("holds a damaged module")
    # One dictionary may belong to thousands of modules.
    budget.spend(len(found))
    return ((own, value) for own, value in found.items() if value is not None)


def _joined(name: str, own: Any) -> str:
    return f"{name}.{own}" if name else str(own)


def _clamp(state: dict[Any, Any]) -> float | None:
    found = state.get("conv_clamp")
    if found is None or (isinstance(found, int | float) and 0 < found < 1e9):
        return None if found is None else float(found)
    raise RefusedPickleError("holds a damaged module (conv_clamp)")
