"""The synthesis network of StyleGAN2 as decoder of an autoencoder: quick and stable to train, and no GAN."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .activation import activated
from .dense import Dense
from .discriminator import EqualisedConvolution
from .network import Generator

# Components are sought in images of this side, and in so many of them.
_SIDE = 32
MOST_IMAGES = 2000
_PIECE = 64
_MOST_DOUBLINGS = 3
# The decoder takes a high learning rate, at which the codes would run away from it.
_LINEAR_RATE = 0.1
_RATE = 0.02
_BETAS = (0.9, 0.99)


class StyleEncoder(nn.Module):
    """Grey images [B, 1, R, R] in [0, 1] -> one w an image [B, w_dim].

    The sum of a linear map of the image at 32 x 32 pixels, which `start_from` begins as principal components, and of
    convolutions: stride 2 down to 4 x 4 maps with `width`, 2, 4, ... times `width` channels (8 at most), then two
    fully connected layers, of which the last begins at 0. So the decoder sees codes that tell images apart from its
    first step on. Nothing mixes the images of a batch.

    Args:
        resolution: R, a power of two from 8 on.
        w_dim: numbers in a w.
        width: channels of the first convolution.
        seed: of the weights.
    """

    def __init__(self, resolution: int, w_dim: int, width: int, seed: int):
        super().__init__()
        randomness = torch.Generator().manual_seed(seed)
        self._side = min(resolution, _SIDE)
        self.linear = Dense(self._side**2, w_dim, rate=_LINEAR_RATE, randomness=randomness)
        depth = int(math.log2(resolution)) - 2
        widths = [1, *(width * 2 ** min(layer, _MOST_DOUBLINGS) for layer in range(depth))]
        self.convolutions = nn.Sequential(
            *(
                EqualisedConvolution(before, after, 3, down=True, rate=_RATE, randomness=randomness)
                for before, after in pairwise(widths)
            )
        )
        self.hidden = Dense(16 * widths[-1], w_dim, rate=_RATE, randomness=randomness)
        self.last = Dense(w_dim, w_dim, rate=_RATE, randomness=randomness)
        nn.init.zeros_(self.last.weight)

    def forward(self, images: Tensor) -> Tensor:
        small = functional.avg_pool2d(images, images.shape[-1] // self._side)
        maps = images * 2 - 1
        for convolution in self.convolutions:
            maps = activated(convolution(maps))
        return self.linear(small.flatten(1)) + self.last(activated(self.hidden(maps.flatten(1))))

    @torch.no_grad()
    def start_from(self, images: np.ndarray) -> None:
        """Begin the linear map as the principal components of uint8 images [N, R, R].

        Each component is divided by the root of its standard deviation, and all by one number, so that strong ones
        stay stronger and the mean square of w is 1. Where there are fewer components than numbers in w, the rest of
        them begins at 0.
        """
        # In pieces: as float64 thousands of large images would fill the memory.
        pieces = torch.from_numpy(images)[:, None].split(_PIECE)
        factor = images.shape[-1] // self._side
        points = torch.cat([functional.avg_pool2d(each.double() / 255, factor).flatten(1) for each in pieces]).numpy()
        mean = points.mean(axis=0)
        _, values, axes = np.linalg.svd(points - mean, full_matrices=False)
        spread = values / math.sqrt(len(points))
        kept = min(self.linear.weight.shape[0], int((spread > 1e-6).sum()))
        rows = axes[:kept] / np.sqrt(spread[:kept])[:, None]
        rows /= math.sqrt(spread[:kept].mean()) if kept else 1.0
        weight = torch.zeros_like(self.linear.weight)
        # The layer uses its stored weights times rate over the root of its inputs, and its bias times rate.
        weight[:kept] = torch.from_numpy(rows * math.sqrt(points.shape[1]) / _LINEAR_RATE).float()
        self.linear.weight.copy_(weight)
        self.linear.bias.zero_()
        self.linear.bias[:kept] = -torch.from_numpy(rows @ mean / _LINEAR_RATE).float()


class StyleAutoencoder(nn.Module):
    """A convolutional encoder that gives w, and a generator that makes the image of it.

    Args:
        generator: its mapping is not trained, so it draws no images of random z.
        width: channels of the encoder's first convolution.
        w_penalty: weight of the mean square of w.
        seed: of the encoder's weights.
    """

    def __init__(self, generator: Generator, width: int, w_penalty: float, seed: int):
        super().__init__()
        self.generator = generator
        generator.mapping.requires_grad_(False)
        # Without noise nothing depends on its strength.
        for name, parameter in generator.named_parameters():
            if name.endswith("noise_strength"):
                parameter.requires_grad_(False)
        self.encoder = StyleEncoder(generator.spec.resolution, generator.spec.w_dim, width, seed)
        self._w_penalty = w_penalty

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Of grey images [B, 1, R, R] in [0, 1]: loss, and pixels (mean squared error) and w (mean square)."""
        w = self.encoder(images)
        pixels = (self.generator.grey(w).float() - images).square().mean()
        size = w.float().square().mean()
        return {"loss": pixels + self._w_penalty * size, "pixels": pixels, "w": size}


def reconstruction(network: nn.Module, images: Tensor) -> dict[str, Tensor]:
    """The loss of a batch, as `fit` takes it."""
    return network(images)


def parameter_groups(network: nn.Module) -> list[dict[str, Any]]:
    """All that is trained, with betas of Adam 0.9 and 0.99: by far quicker here than 0.9 and 0.999."""
    return [{"params": [each for each in network.parameters() if each.requires_grad], "betas": _BETAS}]
