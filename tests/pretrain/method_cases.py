"""Every method small enough for a test: built on the tiny encoder, fed with views that mean nothing."""

from __future__ import annotations

from typing import Any

import torch

from cxrbench.pretrain.initialisation import private_randomness
from cxrbench.pretrain.method import Method, Shape
from cxrbench.pretrain.method_card import methods

from .tiny_encoder import tiny_encoder

SIZE = 32
LOCAL = 16
TRANSFORMS = 4


def build(name: str, batch_size: int = 8, *, processes: int = 1, seed: int = 0, **settings: Any) -> Method:
    """The method `name` on a tiny encoder, with weights drawn from `seed`."""
    kind = methods.get(name).load()
    with private_randomness(seed):
        shape = Shape(batch_size, SIZE, processes)
        return kind(tiny_encoder(seed), kind.Settings(**{**small_settings(name), **settings}), shape).train()


def small_settings(name: str) -> dict[str, Any]:
    """What makes a method cheap: narrow heads, short queues. Only keys that it has."""
    fields = methods.get(name).load().Settings.model_fields
    small = {"queue": 32, "hidden": 16, "dim": 8, "projection": 16, "prediction": 8, "width": 16, "group_size": 4}
    return {key: value for key, value in small.items() if key in fields}


def batch(n: int = 8, seed: int = 0) -> dict[str, torch.Tensor]:
    """Views of `n` images under every name that a preset may give."""
    generator = torch.Generator().manual_seed(seed)

    def pixels(*shape: int) -> torch.Tensor:
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)

    found = {name: pixels(n, SIZE, SIZE) for name in ("one", "two", "clean_one", "clean_two")}
    flags = {
        name: torch.randint(0, 2, (n, TRANSFORMS), generator=generator).float()
        for name in ("transform_one", "transform_two")
    }
    return {**found, "local": pixels(n, 6, LOCAL, LOCAL), **flags, "index": torch.arange(n)}
