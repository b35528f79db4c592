"""The generator as a GAN: non-saturating logistic loss, R1, adaptive augmentation."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from .adaptive_augmentation import AdaptiveAugmentation
from .discriminator import Discriminator
from .network import Generator
from .training_settings import GanSettings


class Judge(nn.Module):
    """A discriminator behind its augmentation: images [N, channels, R, R] -> verdicts [N]."""

    def __init__(self, discriminator: Discriminator, augmentation: AdaptiveAugmentation):
        super().__init__()
        self.discriminator, self.augmentation = discriminator, augmentation

    def forward(self, images: Tensor) -> Tensor:
        return self.discriminator(self.augmentation(images))


class AdversarialLosses:
    """The losses of StyleGAN2 with adaptive augmentation, as `fit_adversarial` takes them.

    Batches are grey images [N, 1, R, R] in [0, 1]. The non-saturating logistic loss (Goodfellow et al. 2014), R1
    (Mescheder et al. 2018) and style mixing (Karras et al. 2019) are there; the path length regulariser is not: it
    takes a third of the time and is left out of smaller configurations (Karras et al. 2020b, appendix D).
    """

    def __init__(self, settings: GanSettings):
        self._settings = settings

    def generator(self, generator: nn.Module, judge: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        """-log D(G(z)); the mean of w is followed."""
        network = cast(Generator, generator)
        made = self._made(network, batch, follow=True)
        return {"loss": functional.softplus(-judge(made).float()).mean()}

    def discriminator(self, generator: nn.Module, judge: nn.Module, batch: Tensor) -> dict[str, Tensor]:
        """-log D(x) - log(1 - D(G(z))); the augmentation learns from the verdicts on x."""
        network, critic = cast(Generator, generator), cast(Judge, judge)
        fake = critic(self._made(network, batch)).float()
        real = critic(as_images(batch, network.spec.channels)).float()
        critic.augmentation.learn(real.detach())
        return {
            "loss": functional.softplus(fake).mean() + functional.softplus(-real).mean(),
            "sign": real.detach().sign().mean(),
            "probability": critic.augmentation.probability.clone(),
        }

    def penalty(self, generator: nn.Module, judge: nn.Module, batch: Tensor) -> Tensor:
        """gamma / 2 x the mean squared norm of the gradient of D at augmented real images."""
        network, critic = cast(Generator, generator), cast(Judge, judge)
        # The gradient is taken behind the augmentation, whose resampling cannot be differentiated twice.
        with torch.no_grad():
            real = critic.augmentation(as_images(batch, network.spec.channels))
        real = real.detach().requires_grad_()
        (slope,) = torch.autograd.grad(critic.discriminator(real).sum(), real, create_graph=True)
        return self._settings.gamma / 2 * slope.square().sum(dim=(1, 2, 3)).mean()

    def _made(self, network: Generator, batch: Tensor, follow: bool = False) -> Tensor:
        z = torch.randn(2, len(batch), network.spec.z_dim, device=batch.device)
        w = network.mapping(z[0])
        if follow:
            # The buffer is moved in place: no gradient, and no other dtype.
            network.w_avg.lerp_(w.detach().float().mean(dim=0), 1 - self._settings.w_momentum)
        return network.synthesis(self._mixed(network, w, z[1]), noise="random")

    def _mixed(self, network: Generator, w: Tensor, z: Tensor) -> Tensor:
        """w [N, layers, w_dim], where some images have a second w from a random layer on."""
        layers, share = network.spec.layers, self._settings.style_mixing
        styles = w[:, None].expand(-1, layers, -1)
        if share == 0:
            return styles
        first = torch.randint(1, layers, (len(w), 1), device=w.device)
        mixed = torch.rand(len(w), 1, device=w.device) < share
        second = (torch.arange(layers, device=w.device) >= first) & mixed
        return torch.where(second[:, :, None], network.mapping(z)[:, None], styles)


def as_images(batch: Tensor, channels: int) -> Tensor:
    """Grey images [N, 1, R, R] in [0, 1] -> [N, channels, R, R] in [-1, 1]."""
    return (batch * 2 - 1).expand(-1, channels, -1, -1)


def judge_of(generator: Generator, settings: GanSettings, seed: int) -> Judge:
    """A discriminator for the images of `generator`, with random weights."""
    shape: Any = settings.discriminator
    spec = generator.spec
    discriminator = Discriminator(spec.resolution, spec.channels, shape.channel_base, shape.channel_max, seed)
    return Judge(discriminator, AdaptiveAugmentation(settings.augmentation))
