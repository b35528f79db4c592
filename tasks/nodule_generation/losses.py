"""What generator and discriminator minimise: CheSS's losses (doi:10.1007/s10278-023-00782-4), which are SPADE's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from .condition import condition_of
from .discriminator import mean_over_hole
from .spade import code

if TYPE_CHECKING:
    from .generator import NoduleGenerator
    from .reconstruction import Reconstruction
    from .settings import LossSettings

# Real patches [B, 1, P, P] in [0, 1], and the ellipses of their nodules [B, 4].
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class GeneratorLoss:
    """Hinge loss, reconstruction, and divergence of the styles from their prior."""

    settings: LossSettings
    rim: float
    reconstruction: Reconstruction

    def __call__(self, generator: nn.Module, discriminator: nn.Module, batch: Batch) -> dict[str, Tensor]:
        real, ellipses = batch
        condition = condition_of(real, ellipses, self.rim)
        mean, log_variance = _painter(generator).styles(real)
        painted = generator(condition, code(mean, log_variance), torch.randn_like(real))
        terms = {
            "adversarial": -self.settings.adversarial * mean_over_hole(discriminator(painted, condition), condition),
            "kld": self.settings.kld * divergence(mean, log_variance),
            **self.reconstruction(painted, real),
        }
        return {"loss": torch.stack([each.float() for each in terms.values()]).sum(), **terms}


@dataclass(frozen=True)
class DiscriminatorLoss:
    """Hinge loss of real patches above 1 and painted ones below -1, over the pieces that touch a nodule."""

    rim: float

    def __call__(self, generator: nn.Module, discriminator: nn.Module, batch: Batch) -> dict[str, Tensor]:
        real, ellipses = batch
        condition = condition_of(real, ellipses, self.rim)
        with torch.no_grad():
            painted = generator(condition, code(*_painter(generator).styles(real)), torch.randn_like(real))
        on_real = mean_over_hole(functional.relu(1 - discriminator(real, condition)), condition)
        on_painted = mean_over_hole(functional.relu(1 + discriminator(painted, condition)), condition)
        return {"loss": on_real + on_painted, "on_real": on_real, "on_painted": on_painted}


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of normal distributions [B, D] from the standard one, summed over D, mean over B."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).sum(dim=1).mean()


def _painter(network: nn.Module) -> NoduleGenerator:
    return cast("NoduleGenerator", network)
