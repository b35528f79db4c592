"""Files of weights like the published ones, with numbers drawn by NumPy, whose draws stay the same for ever."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cxrbench.tasks.image_quality.inception import FidInception
from cxrbench.tasks.image_quality.lpips import BACKBONES, Backbone, layers_of


def backbone(name: str) -> Backbone:
    return next(each for each in BACKBONES if each.name == name)


def features_state(name: str, seed: int = 0) -> dict[str, Tensor]:
    """State dict of torchvision's `features`, each weight about 1 over the root of what it sums over."""
    rng = np.random.default_rng(seed)
    shapes = {key: tuple(each.shape) for key, each in layers_of(backbone(name)).state_dict().items()}
    return {key: drawn(rng, shape) for key, shape in shapes.items()}


def linear_weights(name: str, seed: int = 1) -> list[Tensor]:
    rng = np.random.default_rng(seed)
    return [
        torch.tensor(rng.random((1, count, 1, 1)), dtype=torch.float32) / count for count in backbone(name).channels
    ]


def write_backbone(path: Path, name: str) -> Path:
    torch.save({f"features.{key}": each for key, each in features_state(name).items()}, path)
    return path


def write_linear(path: Path, name: str) -> Path:
    torch.save({f"lin{place}.model.1.weight": each for place, each in enumerate(linear_weights(name))}, path)
    return path


def inception_state(seed: int = 2) -> dict[str, Tensor]:
    """Of the network of the Fréchet inception distance, without the counters of batches."""
    rng = np.random.default_rng(seed)
    with torch.device("meta"):
        network = FidInception.__new__(FidInception)
        torch.nn.Module.__init__(network)
        network._build()
    shapes = {key: tuple(each.shape) for key, each in network.state_dict().items() if "num_batches" not in key}
    state = {key: drawn(rng, shape) for key, shape in shapes.items()}
    for key in state:
        if key.endswith("running_var"):
            state[key] = state[key].abs() + 0.5
        elif key.endswith("bn.weight"):
            state[key] = state[key] / 10 + 1
    return state


def drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> Tensor:
    root = np.sqrt(max(np.prod(shape[1:]) / 2, 1)) if len(shape) > 1 else 10.0
    return torch.tensor(rng.standard_normal(shape, dtype=np.float32)) / float(root)


def images(n: int, size: int, seed: int = 3) -> Tensor:
    return torch.tensor(np.random.default_rng(seed).random((n, 1, size, size)), dtype=torch.float32)
