"""Spatially-adaptive normalisation (SPADE): features normalised, then scaled and shifted by what a map says."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

_SLOPE = 0.2


class Spade(nn.Module):
    """norm(x) (1 + gamma(c)) + beta(c), with gamma and beta from two layers of 3 x 3 convolutions of the condition c.

    Park et al. 2019 (arXiv:1903.07291), equation 1 and appendix A. Each image is normalised by itself (instance
    normalisation without weights), not by its batch.
    """

    def __init__(self, channels: int, condition: int, hidden: int):
        super().__init__()
        self.shared = nn.Conv2d(condition, hidden, 3, padding=1)
        self.modulation = nn.Conv2d(hidden, 2 * channels, 3, padding=1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        gamma, beta = self.modulation(functional.relu(self.shared(condition))).chunk(2, dim=1)
        return functional.instance_norm(x) * (1 + gamma) + beta


class SpadeBlock(nn.Module):
    """Twice SPADE, leaky ReLU, 3 x 3 convolution, beside a shortcut: SPADE and 1 x 1 where widths differ."""

    def __init__(self, inputs: int, outputs: int, condition: int, hidden: int):
        super().__init__()
        middle = min(inputs, outputs)
        self.first, self.second = Spade(inputs, condition, hidden), Spade(middle, condition, hidden)
        self.first_convolution = nn.Conv2d(inputs, middle, 3, padding=1)
        self.second_convolution = nn.Conv2d(middle, outputs, 3, padding=1)
        self.shortcut: nn.ModuleList | None = None
        if inputs != outputs:
            self.shortcut = nn.ModuleList([Spade(inputs, condition, hidden), nn.Conv2d(inputs, outputs, 1, bias=False)])

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        found = self.first_convolution(functional.leaky_relu(self.first(x, condition), _SLOPE))
        found = self.second_convolution(functional.leaky_relu(self.second(found, condition), _SLOPE))
        if self.shortcut is not None:
            normalised, convolution = self.shortcut
            x = convolution(normalised(x, condition))
        return x + found


class SpadeDecoder(nn.Module):
    """From 4 x 4 features to one map at the condition's resolution, a SPADE block at each, doubled between them.

    Args:
        widths: channels at 4, 8, 16, ... pixels.
        condition: channels of the condition.
        hidden: see `Spade`.
    """

    def __init__(self, widths: Sequence[int], condition: int, hidden: int):
        super().__init__()
        pairs = zip([widths[0], *widths[:-1]], widths, strict=True)
        self.blocks = nn.ModuleList([SpadeBlock(inputs, outputs, condition, hidden) for inputs, outputs in pairs])
        self.last = nn.Conv2d(widths[-1], 1, 3, padding=1)
        # It begins by adding next to nothing to what it completes.
        nn.init.normal_(self.last.weight, std=1e-3)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type] (there is one)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """[B, widths[0], 4, 4] and [B, C, P, P] -> [B, 1, P, P]."""
        scales = [condition]
        for _ in range(len(self.blocks) - 1):
            # Means, so that a mask at a low resolution says how much of a pixel it covers.
            scales.append(functional.avg_pool2d(scales[-1], 2))
        for number, (block, scaled) in enumerate(zip(self.blocks, reversed(scales), strict=True)):
            if number > 0:
                x = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = block(x, scaled)
        return self.last(functional.leaky_relu(x, _SLOPE))


def halving(inputs: int, outputs: int) -> nn.Sequential:
    """A 3 x 3 convolution of stride 2, instance normalisation and a leaky ReLU, as in SPADE's encoder."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.InstanceNorm2d(outputs), nn.LeakyReLU(_SLOPE)
    )


def code(mean: Tensor, log_variance: Tensor) -> Tensor:
    """A draw from a normal distribution, by torch's global generator."""
    return mean + torch.randn_like(mean) * (log_variance / 2).exp()
