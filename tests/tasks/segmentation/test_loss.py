"""The loss against the library's, and its gradient where there is nothing to find."""

from __future__ import annotations

import pytest
import torch
from segmentation_models_pytorch.losses import DiceLoss
from torch import nn

from cxrbench.tasks.segmentation.loss import DiceAndCrossEntropy, pooled_dice_loss


def test_dice_is_the_library_s() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(4, 1, 9, 7, generator=generator)
    masks = (torch.rand(4, 1, 9, 7, generator=generator) < 0.3).float()
    masks[2:] = 0
    assert float(pooled_dice_loss(logits, masks)) == pytest.approx(float(DiceLoss("binary")(logits, masks)), abs=1e-6)


def test_a_case_worked_by_hand() -> None:
    # Probabilities 1/2: 1 - 2 * 1 / (2 + 2), and ln 2.
    terms = DiceAndCrossEntropy(dice=2.0, bce=3.0)(
        nn.Identity(), (torch.zeros(1, 1, 2, 2), torch.tensor([[[[255, 255], [0, 0]]]], dtype=torch.uint8))
    )
    assert float(terms["dice_loss"]) == pytest.approx(0.5)
    assert float(terms["bce"]) == pytest.approx(0.693147, abs=1e-6)
    assert float(terms["loss"]) == pytest.approx(2 * 0.5 + 3 * 0.693147, abs=1e-5)


def test_half_covered_pixels_count_half() -> None:
    logits = torch.full((1, 1, 1, 2), 100.0)
    masks = torch.tensor([[[[1.0, 0.5]]]])
    assert float(pooled_dice_loss(logits, masks)) == pytest.approx(1 - 2 * 1.5 / 3.5)


def test_a_batch_without_a_positive_still_has_a_gradient() -> None:
    logits = torch.zeros(2, 1, 4, 4, requires_grad=True)
    masks = torch.zeros(2, 1, 4, 4)
    assert float(pooled_dice_loss(logits, masks).detach()) == 0
    batch = (logits, masks.to(torch.uint8))
    DiceAndCrossEntropy()(nn.Identity(), batch)["loss"].backward()
    assert logits.grad is not None
    # Of the cross-entropy alone: p / number of pixels.
    torch.testing.assert_close(logits.grad, torch.full_like(logits, 0.5 / 32))
