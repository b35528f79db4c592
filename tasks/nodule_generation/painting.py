"""Patches with nodules painted by a trained generator: each by its own random numbers, whatever its batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ...data.keys import fold, uniform
from ...foundation.errors import UserError
from ..network_input import as_input, asking
from .condition import condition_of

if TYPE_CHECKING:
    from ...training.device import Device, Precision
    from .generator import NoduleGenerator
    from .nodules import Patches

# Tells the random numbers of styles and noise from those that place the patches.
_STYLE, _NOISE = 101, 102


@dataclass(frozen=True)
class Painted:
    """Of N patches, float32 [N, 1, P, P] in [0, 1], on the CPU.

    Attributes:
        real: as they are.
        filled: without their nodules.
        hole: what share of a pixel is painted.
        painted: with nodules of the generator.
    """

    real: Tensor
    filled: Tensor
    hole: Tensor
    painted: Tensor

    def error(self) -> float:
        """Mean squared error over the pixels that are painted, each by its share; NaN without patches."""
        return float((self.hole * (self.painted - self.real).square()).sum() / self.hole.sum())

    def shown(self) -> dict[str, np.ndarray]:
        """uint8 [N, P, P] each: `masked` (what is painted is black), `real` and `generated`."""
        stacks = {"masked": self.real * (self.hole == 0), "real": self.real, "generated": self.painted}
        return {name: (stack[:, 0] * 255).round().to(torch.uint8).numpy() for name, stack in stacks.items()}


def paint(
    generator: NoduleGenerator,
    patches: Patches,
    keys: np.ndarray,
    rim: float,
    batch_size: int,
    device: Device,
    precision: Precision,
) -> Painted:
    """Paint a nodule into each of `patches`.

    Style and noise of a patch follow from its key alone, int64 [N]. Raises UserError for pixels that are not numbers.
    """
    parts: list[tuple[Tensor, ...]] = []
    for first in range(0, len(patches), batch_size):
        part = slice(first, first + batch_size)
        real = as_input(patches.pixels[part]).to(device)
        condition = condition_of(real, torch.from_numpy(patches.ellipses[part]).to(device), rim)
        style = normal(keys[part], _STYLE, (generator.style,)).to(device)
        noise = normal(keys[part], _NOISE, tuple(real.shape[1:])).to(device)
        with asking(generator, device, precision):
            painted = generator(condition, style, noise).float().clamp(0, 1)
        parts.append(tuple(each.cpu() for each in (real, condition.filled, condition.hole, painted)))
    found = Painted(*(torch.cat(each) for each in zip(*parts, strict=True)))
    if not bool(found.painted.isfinite().all()):
        raise UserError("what the generator paints are not numbers; lower training.generator_lr")
    return found


def normal(keys: np.ndarray, draw: int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers float32 [N, *shape], each row from its key and `draw` alone."""
    from scipy.special import ndtri

    count = int(np.prod(shape))
    numbers = uniform(fold(keys[:, None], draw, np.arange(count)), 0)
    # Away from 0 and 1, whose quantiles are infinite.
    quantiles = ndtri(np.clip(numbers, 2.0**-53, 1 - 2.0**-53))
    return torch.from_numpy(quantiles.astype(np.float32)).reshape(len(keys), *shape)
