"""Pretrainings as small as they can be: a phantom of 40 images, an encoder of five convolutions."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from cxrbench.data import Radiographs, load
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.foundation.progress import SilentProgress
from cxrbench.pretrain import architectures
from cxrbench.pretrain.checkpoints import read_tensors
from cxrbench.pretrain.network import Network
from cxrbench.pretrain.running.plan import Request, make_plan
from cxrbench.pretrain.running.pretraining import Finished, prepare, run

from .method_cases import SIZE, small_settings
from .tiny_encoder import TinyNetwork

IMAGES = 40
BATCH = 8
TINY = "tiny"


def build_small_network(arch: str, channels: int = 3) -> Network:
    return TinyNetwork(channels) if arch == TINY else architectures.build_network(arch, channels)


@pytest.fixture
def tiny_arch(monkeypatch: pytest.MonkeyPatch) -> str:
    """An architecture that trains a hundred steps in a second."""
    for module in ("initialisation", "building"):
        monkeypatch.setattr(f"cxrbench.pretrain.{module}.build_network", build_small_network)
    return TINY


@pytest.fixture(scope="session")
def radiographs(tmp_path_factory: pytest.TempPathFactory) -> Radiographs:
    root = tmp_path_factory.mktemp("phantom") / "chexpert"
    write_phantom_dataset("chexpert", root, IMAGES, SIZE, rib_free=False)
    return load("chexpert", root)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def request_of(method: str, out: Path, *, values: dict[str, Any] | None = None, **more: Any) -> Request:
    """A request that trains two epochs of small batches; `values` are settings by dotted keys."""
    small = {f"method.{key}": value for key, value in small_settings(method).items()}
    common = {"image_size": SIZE, "training.batch_size": BATCH, "training.epochs": 2, "training.precision": "float32"}
    arch = None if more.get("init") else TINY
    return Request(method, out, values={**small, **common, **(values or {})}, **{"arch": arch, **more})


def pretrained(request: Request, radiographs: Radiographs, cache: Path, **more: Any) -> Finished:
    progress = SilentProgress()
    return run(prepare(make_plan(request), [radiographs], cache, progress), progress=progress, **more)


def tensors_of(out: Path) -> Iterator[tuple[str, torch.Tensor]]:
    for name in ("encoder.safetensors", "method.safetensors"):
        for key, value in read_tensors(out / name).items():
            yield f"{name}:{key}", value


def same_weights(a: Path, b: Path) -> bool:
    """Whether two finished folders hold the same bits."""
    one, other = dict(tensors_of(a)), dict(tensors_of(b))
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def in_a_child(work: Callable[[], object]) -> int:
    """Exit code of a copy of this process that does `work`, negative for the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            work()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
