"""Small generators, and targets that they can nearly make."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from cxrbench.pretrain.generator import Generator, GeneratorMeta, GeneratorSpec, save_generator
from cxrbench.tasks.inversion.search import Search
from cxrbench.tasks.perceptual.loss import PerceptualLoss
from cxrbench.tasks.perceptual.settings import PerceptualSettings
from tests.pretrain.tiny_encoder import tiny_encoder

SIDE = 32


def small_generator(side: int = SIDE, dtype: torch.dtype = torch.float32) -> Generator:
    """Untrained, with a mean style as a mapping network gives it."""
    generator = Generator(GeneratorSpec(side, 1, 16, 16, 2, channel_base=256, channel_max=16), seed=3)
    z = torch.randn(200, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        generator.w_avg.copy_(generator.mapping(z).mean(dim=0))
    return generator.eval().requires_grad_(False).to(dtype)


def generator_file(folder: Path, side: int = SIDE, synthetic: bool = True) -> Path:
    generator = small_generator(side)
    path = folder / f"generator{side}{'' if synthetic else '_real'}.safetensors"
    save_generator(generator, path, GeneratorMeta("small", "StyleGAN2", generator.spec, synthetic=synthetic))
    return path


def targets(n: int, side: int = SIDE, dtype: torch.dtype = torch.float32) -> Tensor:
    """Images [n, 1, side, side] in [0, 1]: smooth waves, each another."""
    place = torch.linspace(0, 1, side, dtype=dtype)
    phase = torch.linspace(0, 3, n, dtype=dtype)[:, None, None, None]
    return 0.5 + 0.3 * torch.sin(4 * place[:, None] + phase) * torch.cos((3 + phase) * place)


def search(dtype: torch.dtype = torch.float32, steps: int = 20, with_encoder: bool = True, space: str = "w+") -> Search:
    loss = PerceptualLoss(tiny_encoder(), PerceptualSettings(), weight=0.05).to(dtype) if with_encoder else None
    return Search(small_generator(dtype=dtype), loss, "w+" if space == "w+" else "w", steps, 0.1)


def decibels(made: Tensor, true: Tensor) -> np.ndarray:
    return -10 * torch.log10((made.clamp(0, 1) - true).square().mean(dim=(1, 2, 3))).double().numpy()
