"""Adaptive augmentation of what a discriminator sees (Karras et al. 2020b, arXiv:2006.06676), for grey radiographs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from .training_settings import AugmentationSettings


class AdaptiveAugmentation(nn.Module):
    """Changes each image in several ways, each with the same probability, which follows the discriminator's verdicts.

    Geometry (shift by whole pixels, scale, rotation, and flips where they are wanted) in one bilinear resampling with
    reflected borders, then brightness and contrast. Real and generated images are changed alike, so that what is
    generated need not look changed (section 2.2). Differentiable once, for the generator's gradient. Numbers are drawn
    from torch's global generator.

    Attributes:
        probability: of each change; a buffer, as all that a resumed training needs.
    """

    probability: Tensor
    _signs: Tensor
    _seen: Tensor
    _steps: Tensor

    def __init__(self, settings: AugmentationSettings):
        super().__init__()
        self._settings = settings
        self.register_buffer("probability", torch.tensor(float(settings.probability)))
        for name in ("_signs", "_seen", "_steps"):
            self.register_buffer(name, torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, C, H, W], about [-1, 1], changed; float32."""
        images = images.float()
        n = len(images)
        grid = functional.affine_grid(self._geometry(images), list(images.shape), align_corners=False)
        images = functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
        settings = self._settings
        contrast = torch.exp2(self._drawn(torch.randn(n, device=images.device) * settings.contrast))
        brightness = self._drawn(torch.randn(n, device=images.device) * settings.brightness)
        return images * contrast[:, None, None, None] + brightness[:, None, None, None]

    @torch.no_grad()
    def learn(self, verdicts: Tensor) -> None:
        """Take note of the discriminator's verdicts [N] on real images, and move the probability when it is time.

        The mean sign since the last move is compared with `target` (section 3): above it the discriminator knows the
        training images too well. Everything stays on the device.
        """
        settings = self._settings
        if settings.target == 0:
            return
        self._signs += verdicts.sign().sum()
        self._seen += len(verdicts)
        self._steps += 1
        due = (self._steps >= settings.every).float()
        direction = torch.sign(self._signs / self._seen - settings.target)
        self.probability += due * direction * self._seen / settings.images
        self.probability.clamp_(0, 1)
        for each in (self._signs, self._seen, self._steps):
            each *= 1 - due

    def _geometry(self, images: Tensor) -> Tensor:
        """Where each place of the result comes from: [N, 2, 3], in units of half the side."""
        settings, device = self._settings, images.device
        n, _, height, width = images.shape
        uniform = torch.rand(3, n, device=device) * 2 - 1
        angle = self._drawn(uniform[0] * math.radians(settings.rotation))
        scale = torch.exp2(self._drawn(torch.randn(n, device=device) * settings.scale))
        flip = torch.ones(n, device=device)
        if settings.flips:
            flip = 1 - 2 * self._drawn((torch.rand(n, device=device) < 0.5).float())
        # Whole pixels, in units of half the side.
        right = self._drawn((uniform[1] * settings.shift * width).round() * 2 / width)
        down = self._drawn((uniform[2] * settings.shift * height).round() * 2 / height)
        cosine, sine = torch.cos(angle) / scale, torch.sin(angle) / scale
        rows = torch.stack([cosine * flip, -sine, right, sine * flip, cosine, down], dim=1)
        return rows.view(n, 2, 3)

    def _drawn(self, values: Tensor) -> Tensor:
        """`values` [N] where the change is drawn, and 0 elsewhere."""
        return torch.where(torch.rand_like(values) < self.probability, values, torch.zeros_like(values))
