"""The search for images in the latent space of a generator: many at once, each as if it were alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from ...pretrain.generator.network import Generator
from ...training.device import Device, autocast
from ..image_quality.grey_images import grey_images
from ..perceptual.calibration import squared_errors

# Shares of the steps over which the rate rises and falls: the projector of StyleGAN2 (Karras 2020, appendix D).
_RISE, _FALL = 0.05, 0.25
State = dict[str, Any]


class ImageLoss(Protocol):
    """What is added to the squared error of the pixels: `PerceptualLoss` and `LpipsLoss`."""

    def features(self, x: Tensor) -> list[Tensor]:
        """Of targets [N, 1, R, R], once."""
        ...

    def __call__(self, x: Tensor, target_features: list[Tensor]) -> Tensor:
        """Of each image [N], weighted."""
        ...


@dataclass(frozen=True)
class Found:
    """What a search of one batch found.

    Attributes:
        latents: [N, w_dim] or [N, layers, w_dim], on the CPU; not numbers for images that failed.
        losses: pixel and perceptual part of each image's loss at each step, float64 [2, steps, N].
        failed_at: step (from 1) at which an image's loss was no number, 0 where it was one at all steps, [N].
    """

    latents: Tensor
    losses: np.ndarray
    failed_at: np.ndarray


@dataclass(frozen=True)
class Search:
    """Adam from the mean style, for each image by itself.

    What is minimised is the sum over the images of pixel error plus perceptual loss; Adam works number by number, no
    image's gradient is clipped by another's, none is stopped early and there is no noise, so that an image's path is
    the same alone and in a batch but for rounding. A sum, because a mean would shrink gradients against Adam's epsilon.

    Attributes:
        generator: frozen, on `device`, of the type it is to run in.
        loss: the perceptual part, there too; None leaves the pixels alone.
        space, steps, lr: see `InversionSettings`.
        device: where.
        mixed: whether products run in bf16.
    """

    generator: Generator
    loss: ImageLoss | None
    space: Literal["w", "w+"]
    steps: int
    lr: float
    device: Device = "cpu"
    mixed: bool = False

    def start(self, n: int) -> Tensor:
        """The mean style [n, w_dim], or [n, layers, w_dim]: where every image of every encoder begins."""
        w = self.generator.w_avg.detach()
        shape = (n, len(w)) if self.space == "w" else (n, self.generator.spec.layers, len(w))
        return w.expand(shape).clone()

    def images(self, latents: Tensor) -> Tensor:
        """Grey images of latents, not clamped [N, 1, R, R]; as exact as the generator's type, or float32."""
        latents = latents.to(self.generator.w_avg)
        with self.precision():
            images = self.generator.grey(latents)
        return images if images.dtype == torch.float64 else images.float()

    def targets(self, pixels: np.ndarray) -> Tensor:
        """uint8 [N, R, R] -> [N, 1, R, R] in [0, 1], where and of the type of the generator."""
        return torch.from_numpy(pixels).unsqueeze(1).to(self.generator.w_avg).div_(255)

    def find(
        self,
        targets: Tensor,
        resumed: State | None = None,
        after_step: Callable[[int, Callable[[], State]], None] | None = None,
    ) -> Found:
        """Search for all `targets` at once.

        Args:
            targets: [N, 1, R, R] in [0, 1].
            resumed: what `after_step` was given, to go on from there.
            after_step: called with the number of steps made and what gives the state that a resumption needs.

        Raises ValueError for targets that are not numbers in [0, 1] or of another size than the generator's images.
        """
        targets = self._checked(targets)
        latents, optimiser, losses, made = self._begin(len(targets), resumed)
        with torch.no_grad(), self.precision():
            wanted = None if self.loss is None else self.loss.features(targets)
        for step in range(made, self.steps):
            optimiser.param_groups[0]["lr"] = self.lr * ramp((step + 0.5) / self.steps)
            total, parts = self._loss(latents, targets, wanted)
            (latents.grad,) = torch.autograd.grad(total.sum(), latents)
            optimiser.step()
            losses[:, step] = parts
            if after_step is not None:
                after_step(step + 1, lambda done=step + 1: self._state(done, latents, optimiser, losses))
        return _found(latents, losses)

    def _checked(self, targets: Tensor) -> Tensor:
        side = self.generator.spec.resolution
        if targets.shape[1:] != (1, side, side):
            raise ValueError(f"targets {list(targets.shape)}: the generator makes images of {side} x {side}")
        grey_images(targets, "targets")
        return targets.to(self.generator.w_avg)

    def _begin(self, n: int, resumed: State | None) -> tuple[Tensor, torch.optim.Adam, Tensor, int]:
        latents = self.start(n).requires_grad_()
        optimiser = torch.optim.Adam([latents], lr=self.lr)
        losses = torch.zeros(2, self.steps, n, dtype=latents.dtype, device=latents.device)
        if resumed is None:
            return latents, optimiser, losses, 0
        with torch.no_grad():
            latents.copy_(resumed["latents"])
            losses.copy_(resumed["losses"])
        optimiser.load_state_dict(resumed["optimiser"])
        return latents, optimiser, losses, int(resumed["step"])

    def _loss(self, latents: Tensor, targets: Tensor, wanted: list[Tensor] | None) -> tuple[Tensor, Tensor]:
        """Of each image [N], and its parts [2, N] without gradient."""
        images = self.images(latents)
        pixels = squared_errors(images, targets)
        if self.loss is None or wanted is None:
            return pixels, torch.stack([pixels, torch.zeros_like(pixels)]).detach()
        with self.precision():
            perceptual = self.loss(images, wanted)
        return pixels + perceptual, torch.stack([pixels, perceptual]).detach()

    def precision(self) -> AbstractContextManager[object]:
        """Within it products run as they do in the search."""
        return autocast(self.device, "bf16" if self.mixed else "float32")

    def _state(self, step: int, latents: Tensor, optimiser: torch.optim.Adam, losses: Tensor) -> State:
        # Copies: the search goes on in the tensors themselves.
        return deepcopy(
            {
                "step": step,
                "latents": latents.detach().cpu(),
                "optimiser": optimiser.state_dict(),
                "losses": losses.cpu(),
            }
        )


def ramp(share: float) -> float:
    """The rate at a share (0 to 1) of the steps, as a part of its highest value."""
    fall = min(1.0, (1 - share) / _FALL)
    return min(1.0, share / _RISE) * (0.5 - 0.5 * math.cos(fall * math.pi))


def _found(latents: Tensor, losses: Tensor) -> Found:
    found = latents.detach().cpu()
    values = losses.double().cpu().numpy()
    bad = ~np.isfinite(values.sum(axis=0))
    failed_at = np.where(bad.any(axis=0), bad.argmax(axis=0) + 1, 0)
    # The last step may have spoilt what its loss did not yet show.
    spoilt = ~torch.isfinite(found).flatten(1).all(dim=1).numpy()
    failed_at[spoilt & (failed_at == 0)] = losses.shape[1]
    return Found(found, values, failed_at)
