"""InfoNCE against its equation and against lightly's loss with a memory bank."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lightly.loss import NTXentLoss
from torch.nn import functional as F

from cxrbench.pretrain.parts.contrast import Contrast, info_nce


def drawn(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def equation(q: np.ndarray, k: np.ndarray, others: np.ndarray, temperature: float) -> float:
    """He 2020, equation 1, query by query."""
    losses = []
    for query, key in zip(q, k, strict=True):
        right = np.exp(query @ key / temperature)
        losses.append(-np.log(right / (right + sum(np.exp(query @ other / temperature) for other in others))))
    return float(np.mean(losses))


def unit(x: torch.Tensor) -> torch.Tensor:
    return x / x.norm(dim=1, keepdim=True)


@pytest.mark.parametrize("temperature", [0.07, 0.2, 1.0])
def test_value_is_the_equations(temperature: float):
    q, k, others = (unit(drawn(n, seed)) for n, seed in ((4, 0), (4, 1), (8, 2)))
    expected = equation(q.numpy(), k.numpy(), others.numpy(), temperature)
    assert info_nce(q, k, others, temperature).item() == pytest.approx(expected, abs=1e-10)
    single = info_nce(q.float(), k.float(), others.float(), temperature)
    assert single.item() == pytest.approx(expected, rel=1e-6)


def test_gradient_is_that_of_the_softmax():
    q, k, others = unit(drawn(4, 0)).requires_grad_(), unit(drawn(4, 1)).requires_grad_(), unit(drawn(8, 2))
    info_nce(q, k, others, 0.2).backward()
    # d/dq = (sum of keys by their probability - the right key) / T / B.
    everything = torch.cat([k.detach()[:, None], others.expand(4, -1, -1)], dim=1)
    p = torch.softmax((q.detach()[:, None] * everything).sum(2) / 0.2, dim=1)
    expected = ((p[:, :, None] * everything).sum(1) - k.detach()) / 0.2 / 4
    torch.testing.assert_close(q.grad, expected, rtol=1e-10, atol=1e-12)
    assert k.grad is None


def test_extreme_temperatures_stay_finite():
    q = unit(drawn(4, 0)).float().requires_grad_()
    loss = info_nce(q, unit(drawn(4, 1)).float(), unit(drawn(8, 2)).float(), 1e-3)
    loss.backward()
    assert loss.isfinite()
    assert q.grad is not None
    assert q.grad.isfinite().all()


def test_batches_in_turn_give_what_lightlys_memory_bank_gives():
    ours, theirs = Contrast(5, 8, 0.2, batch_size=4), NTXentLoss(0.2, memory_bank_size=(8, 5))
    theirs.memory_bank.bank = ours.queue.keys.clone()
    for step in range(5):
        q, k = drawn(4, 2 * step).float().requires_grad_(), drawn(4, 2 * step + 1).float()
        other = q.detach().clone().requires_grad_()
        loss, expected = ours(q, k), theirs(other, k)
        assert loss.item() == pytest.approx(expected.item(), abs=1e-6)
        loss.backward()
        expected.backward()
        torch.testing.assert_close(q.grad, other.grad, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(ours.queue.keys, theirs.memory_bank.bank)


def test_the_backward_pass_sees_the_queue_as_it_was():
    contrast = Contrast(5, 4, 0.2, batch_size=4).double()
    q, k, before = drawn(4, 0).requires_grad_(), drawn(4, 1), contrast.queue.keys.clone()
    loss = contrast(q, k)
    assert not torch.equal(contrast.queue.keys, before)
    loss.backward()
    other = drawn(4, 0).requires_grad_()
    info_nce(F.normalize(other), F.normalize(k), before, 0.2).backward()
    torch.testing.assert_close(q.grad, other.grad, rtol=1e-12, atol=1e-14)


def test_keys_are_queued_with_unit_length_and_only_in_training():
    contrast = Contrast(5, 8, 0.2, batch_size=4).double()
    contrast.eval()
    before = contrast.queue.keys.clone()
    contrast(drawn(4, 0), drawn(4, 1))
    assert torch.equal(contrast.queue.keys, before)
    contrast.train()
    contrast(drawn(4, 0), drawn(4, 1))
    torch.testing.assert_close(contrast.queue.keys[:4], unit(drawn(4, 1)))
    assert torch.equal(contrast.queue.keys[4:], before[4:])


def test_the_loss_is_float32_under_autocast():
    contrast = Contrast(5, 8, 0.07, batch_size=4)
    q, k, others = drawn(4, 0).float(), drawn(4, 1).float(), contrast.queue.keys.clone()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = contrast(q, k)
    assert loss.dtype == torch.float32
    expected = equation(unit(q).numpy(), unit(k).numpy(), others.numpy(), 0.07)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
