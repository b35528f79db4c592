"""Files as NVIDIA's PyTorch releases write them: modules whose pickles carry their source code."""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from torch import Tensor, nn

from cxrbench.pretrain.generator import Generator

# What the release's own loader would run.
SOURCE = "import pathlib\npathlib.Path({target!r}).touch()\nclass Generator: ...\n"


def _reconstruct_persistent_obj(meta: Any) -> None:
    raise AssertionError("nothing may be built")


class EasyDict(dict):  # type: ignore[type-arg]
    """A dictionary of their library."""


class Network:
    """A network of the TensorFlow release."""


class Persistent:
    """An object that is written with the source of its class."""

    def __init__(self, source: str, class_name: str, state: dict[str, Any]):
        self.meta = {"type": "class", "version": 6, "module_src": source, "class_name": class_name, "state": state}

    def __reduce__(self) -> tuple[Any, ...]:
        return (_reconstruct_persistent_obj, (self.meta,), None)


class Call:
    """Unpickling it calls a function."""

    def __init__(self, function: Callable[..., Any], *arguments: Any):
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@contextmanager
def their_modules() -> Iterator[None]:
    """Within the block names are written as those of their modules; afterwards these are gone."""
    homes = {
        "torch_utils.persistence": _reconstruct_persistent_obj,
        "dnnlib.util": EasyDict,
        "dnnlib.tflib.network": Network,
    }
    made = {}
    for name, thing in homes.items():
        thing.__module__ = name
        made[name] = types.ModuleType(name)
        setattr(made[name], thing.__name__, thing)
    parents = {name.split(".")[0]: types.ModuleType(name.split(".")[0]) for name in made}
    parents["dnnlib.tflib"] = types.ModuleType("dnnlib.tflib")
    with mock.patch.dict(sys.modules, {**parents, **made}):
        yield


def released(tensors: dict[str, Tensor], target: Path, clamp: int | None = None) -> Persistent:
    """A module of the release with these tensors, by dotted name; its code would create `target`."""
    source = SOURCE.format(target=str(target))
    inside: dict[str, dict[str, Tensor]] = {}
    parameters: dict[str, Any] = OrderedDict()
    buffers: dict[str, Any] = OrderedDict()
    for name, tensor in tensors.items():
        first, _, rest = name.partition(".")
        if rest:
            inside.setdefault(first, {})[rest] = tensor
        elif first.endswith(("const", "w_avg", "filter")) and tensor.dim() < 3:
            buffers[first] = tensor
        else:
            parameters[first] = nn.Parameter(tensor, requires_grad=False)
    modules = OrderedDict((name, released(each, target, clamp)) for name, each in inside.items())
    state = {
        "training": False,
        "_parameters": OrderedDict([*parameters.items(), ("absent", None)]),
        "_buffers": buffers,
        "_non_persistent_buffers_set": set[str](),
        "_modules": modules,
        "_forward_hooks": OrderedDict(),
        "_init_kwargs": EasyDict(resolution=16),
        "act_gain": np.sqrt(2),
        "conv_clamp": clamp,
    }
    return Persistent(source, "Generator", state)


def write_released(path: Path, generator: Generator, target: Path, protocol: int = 4, **more: Any) -> None:
    """A whole snapshot of their training; `more` is put beside the generators."""
    with their_modules():
        snapshot = {
            "training_set_kwargs": EasyDict(path="x.zip"),
            "G": released(Generator(generator.spec, seed=7).state_dict(), target),
            "D": released({"b4.weight": generator.w_avg}, target),
            "augment_pipe": None,
            "G_ema": released(generator.state_dict(), target, clamp=256),
            **more,
        }
        path.write_bytes(pickle.dumps(snapshot, protocol))
