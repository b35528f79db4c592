"""Dice and cross-entropy of a batch of masks."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

# Where neither mask nor probability is there the ratio is 0 / 0.
_LEAST = 1e-7


@dataclass(frozen=True)
class DiceAndCrossEntropy:
    """The loss of (network, batch) for `training.loop.fit`; picklable.

    A batch is images [B, 1, S, S] and masks [B, 1, S, S], both uint8: 255 is the whole pixel, so that a pixel at
    a border counts in part.

    Attributes:
        dice, bce: weights of the two terms.
    """

    dice: float = 1.0
    bce: float = 1.0

    def __call__(self, network: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        """`loss`, and the terms it is the weighted sum of."""
        pixels, masks = batch
        masks = masks.float().div(255)
        logits = network(pixels).float()
        dice = pooled_dice_loss(logits, masks)
        bce = functional.binary_cross_entropy_with_logits(logits, masks)
        return {"loss": self.dice * dice + self.bce * bce, "dice_loss": dice, "bce": bce}


def pooled_dice_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """1 - 2 sum(p m) / (sum(p) + sum(m)) over all pixels of a batch; 0, without gradient, where no mask has a pixel.

    Equal to `DiceLoss("binary")` of segmentation_models_pytorch.
    """
    probabilities = logits.sigmoid()
    both = (probabilities * masks).sum()
    either = probabilities.sum() + masks.sum()
    return (1 - 2 * both / either.clamp(min=_LEAST)) * (masks.sum() > 0)
