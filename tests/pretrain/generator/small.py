"""A generator small enough for tests, with weights that nothing hides behind, and its state dict in each layout."""

from __future__ import annotations

import torch
from torch import Tensor

from cxrbench.pretrain.generator import Generator, GeneratorSpec
from cxrbench.pretrain.generator.layouts import shapes_in


def small_spec(resolution: int = 16, channels: int = 1) -> GeneratorSpec:
    """Widths 6, 6, 4, 2, 1 from 4 pixels on; z of 5 numbers, w of 7, three layers between them."""
    return GeneratorSpec(resolution, channels, z_dim=5, w_dim=7, mapping_layers=3, channel_base=64, channel_max=6)


def small_generator(resolution: int = 16, channels: int = 1, seed: int = 0) -> Generator:
    """Biases, noise strengths and w_avg are drawn too, because their first values (0) would hide mistakes."""
    generator = Generator(small_spec(resolution, channels), seed).eval().requires_grad_(False)
    randomness = torch.Generator().manual_seed(seed + 1)
    for name, tensor in generator.state_dict().items():
        if name.endswith(("bias", "noise_strength", "w_avg")):
            tensor += 0.3 * torch.randn(tensor.shape, generator=randomness)
    return generator


def tensors_in(layout: str, generator: Generator) -> dict[str, Tensor]:
    """The state dict of a generator as another program would write it."""
    own = generator.state_dict()
    return {
        theirs: own[ours].reshape(shape).clone() for ours, (theirs, shape) in shapes_in(layout, generator.spec).items()
    }


def draw(*shape: int, seed: int = 0) -> Tensor:
    """N(0, 1) in float64."""
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
