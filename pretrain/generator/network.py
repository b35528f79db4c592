"""StyleGAN2's generator, written from Karras et al. 2019 and 2020."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .mapping import Mapping
from .spec import GeneratorSpec
from .synthesis import Synthesis


class Generator(nn.Module):
    """From latent vectors to images, in any dtype, on any device.

    `generator.mapping(z)` gives w [N, w_dim] of z [N, z_dim]; `generator.synthesis(w, noise)` gives images
    [N, channels, R, R], about [-1, 1]; `generator.grey(w)` gives radiographs [N, 1, R, R], about [0, 1]. No image
    depends on the others of its batch. The names in its state dict are those of the authors' PyTorch release.

    Args:
        spec: its shape.
        seed: of its first weights: N(0, 1) with equalised learning rates. torch's global generator is left alone.
    """

    def __init__(self, spec: GeneratorSpec, seed: int = 0):
        super().__init__()
        self.spec = spec
        randomness = torch.Generator().manual_seed(seed)
        self.mapping = Mapping(spec, randomness)
        self.synthesis = Synthesis(spec, randomness)

    @property
    def w_avg(self) -> Tensor:
        """The mean of w [w_dim], a buffer; zeros until training fills it in place (`w_avg.copy_`)."""
        return self.mapping.w_avg

    def grey(self, w: Tensor) -> Tensor:
        """Radiographs of styles, without noise.

        Args:
            w: [N, w_dim] or [N, layers, w_dim].

        Returns:
            [N, 1, R, R]: the mean over the channels, (x + 1) / 2, not clamped, so that gradients reach everywhere.
        """
        return (self.synthesis(w).mean(dim=1, keepdim=True) + 1) / 2

    def forward(self, z: Tensor) -> Tensor:
        """Images [N, channels, R, R] of latent vectors [N, z_dim], without noise."""
        return self.synthesis(self.mapping(z))
