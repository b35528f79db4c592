from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cxrbench.pretrain.parts.discriminator import PatchDiscriminator, adversarial_loss, discriminator_loss


class Linear(nn.Module):
    """D(x) = w x + b at every pixel."""

    def __init__(self, w: float, b: float):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w, dtype=torch.float64))
        self.b = nn.Parameter(torch.tensor(b, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.w * x + self.b


def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    restored, clean = torch.rand(2, 3, 1, 6, 6, dtype=torch.float64, generator=generator)
    return restored.requires_grad_(), clean


def test_adversarial_loss_and_its_gradient_by_hand():
    restored, _ = pair()
    judge = Linear(0.7, -0.2)
    loss = adversarial_loss(judge, restored)
    loss.backward()
    r = restored.detach().numpy()
    assert loss.item() == pytest.approx(((0.7 * r - 0.2 - 1) ** 2).mean(), rel=1e-12)
    assert restored.grad is not None
    assert np.abs(restored.grad.numpy() - 2 * (0.7 * r - 1.2) * 0.7 / r.size).max() < 1e-12


def test_adversarial_loss_gives_the_discriminator_no_gradient():
    restored, _ = pair()
    judge = PatchDiscriminator(4).double()
    adversarial_loss(judge, restored.repeat(1, 1, 6, 6)).backward()
    assert all(weight.grad is None for weight in judge.parameters())


def test_discriminator_loss_and_its_gradients_by_hand():
    restored, clean = pair()
    judge = Linear(0.7, -0.2)
    loss = discriminator_loss(judge, restored, clean)
    loss.backward()
    r, c = restored.detach().numpy(), clean.numpy()
    of_clean, of_restored = 0.7 * c - 0.2 - 1, 0.7 * r - 0.2
    assert loss.item() == pytest.approx(((of_clean**2).mean() + (of_restored**2).mean()) / 2, rel=1e-12)
    assert judge.w.grad is not None
    assert judge.b.grad is not None
    assert judge.w.grad.item() == pytest.approx((of_clean * c).mean() + (of_restored * r).mean(), rel=1e-12)
    assert judge.b.grad.item() == pytest.approx(of_clean.mean() + of_restored.mean(), rel=1e-12)


def test_discriminator_loss_gives_the_image_no_gradient():
    restored, clean = pair()
    discriminator_loss(Linear(0.7, -0.2), restored, clean).backward()
    assert restored.grad is None


@pytest.mark.parametrize(("size", "patches"), [(32, 4), (224, 28), (50, 7), (97, 13)])
def test_one_verdict_a_patch(size, patches):
    assert PatchDiscriminator(2)(torch.rand(1, 1, size, size)).shape == (1, 1, patches, patches)


def test_images_of_a_batch_do_not_meet():
    judge = PatchDiscriminator(4).double()
    x = torch.rand(3, 1, 40, 40, dtype=torch.float64)
    alone = torch.cat([judge(each) for each in x.split(1)])
    assert (judge(x) - alone).abs().max() < 1e-12


def test_layers_are_those_of_the_released_code():
    torch.manual_seed(0)
    judge: Any = PatchDiscriminator()
    shapes = [(*each.weight.shape, *each.stride) for each in judge.modules() if isinstance(each, nn.Conv2d)]
    widths = [(64, 1), (128, 64), (256, 128), (512, 256), (1, 512)]
    strides = [(2, 2), (2, 2), (2, 2), (1, 1), (1, 1)]
    assert shapes == [(*width, 3, 3, *stride) for width, stride in zip(widths, strides, strict=True)]
    assert judge.layers[5].weight.std().item() == pytest.approx(0.02, rel=0.02)


def test_discriminator_learns_to_tell_a_flat_image_from_a_striped_one():
    torch.manual_seed(0)
    judge = PatchDiscriminator(4)
    flat, striped = torch.full((2, 1, 32, 32), 0.5), (torch.arange(32) % 4 > 1).float().expand(2, 1, 32, 32)
    optimiser = torch.optim.SGD(judge.parameters(), 0.01)
    losses = []
    for _ in range(40):
        loss = discriminator_loss(judge, flat, striped)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
