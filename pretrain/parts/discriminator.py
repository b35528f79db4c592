"""A discriminator that judges patches of images, and the two losses of an adversarial game in one step."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

_SLOPE = 0.2
_SPREAD = 0.02


class PatchDiscriminator(nn.Module):
    """Grey images [B, 1, H, W] -> a verdict a patch [B, 1, ceil(H / 8), ceil(W / 8)]: 1 is real, 0 is restored.

    Four 3x3 convolutions (strides 2, 2, 2, 1; `width`, 2, 4 and 8 times `width` channels) with leaky ReLU 0.2, all
    but the first with instance normalisation, and a 3x3 convolution to one channel: every verdict is on a patch
    (Isola 2017, arXiv:1611.07004, section 3.2.2; layers and initialisation as in DiRA's released code). Nothing in it
    mixes the images of a batch.

    Args:
        width: channels of the first layer.
    """

    def __init__(self, width: int = 64):
        super().__init__()
        widths = (1, width, 2 * width, 4 * width, 8 * width)
        layers: list[nn.Module] = []
        for layer, stride in enumerate((2, 2, 2, 1)):
            layers.append(nn.Conv2d(widths[layer], widths[layer + 1], 3, stride, 1))
            if layer > 0:
                layers.append(nn.InstanceNorm2d(widths[layer + 1]))
            layers.append(nn.LeakyReLU(_SLOPE))
        layers.append(nn.Conv2d(widths[-1], 1, 3, 1, 1))
        self.layers = nn.Sequential(*layers)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, _SPREAD)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 1, H, W] in [0, 1] -> verdicts [B, 1, h, w]."""
        return self.layers(images)


def adversarial_loss(discriminator: nn.Module, restored: Tensor) -> Tensor:
    """What the restoring network pays: mean over patches of (D(restored) - 1)^2.

    (Mao 2017, arXiv:1611.04076, equation 9, without the factor 1/2, as DiRA's released code.) The discriminator's
    weights are constants here: its gradient is none, not 0, so this can stand in one loss with `discriminator_loss`.
    """
    constants = {name: weight.detach() for name, weight in discriminator.named_parameters()}
    verdicts = functional_call(discriminator, constants, (restored,))
    return _away_from(verdicts, 1.0)


def discriminator_loss(discriminator: nn.Module, restored: Tensor, clean: Tensor) -> Tensor:
    """What the discriminator pays: the mean of (D(clean) - 1)^2 and D(restored)^2; no gradient reaches `restored`."""
    # One pass over both: nothing in the discriminator mixes the images of a batch.
    verdicts = discriminator(torch.cat([clean, restored.detach()]))
    of_clean, of_restored = verdicts.chunk(2)
    return (_away_from(of_clean, 1.0) + _away_from(of_restored, 0.0)) / 2


def _away_from(verdicts: Tensor, wanted: float) -> Tensor:
    return (verdicts.to(torch.promote_types(verdicts.dtype, torch.float32)) - wanted).square().mean()
