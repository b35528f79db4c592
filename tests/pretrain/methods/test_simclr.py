"""SimCLR: NT-Xent and IFA from their equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.method import images
from cxrbench.pretrain.methods.simclr import SimCLR

from ..method_cases import batch, build
from .gradients import assert_same_gradients


def built(**settings: Any) -> SimCLR:
    made = build("simclr", **settings)
    assert isinstance(made, SimCLR)
    return made


def parts(method: SimCLR) -> tuple[Tensor, list[Tensor]]:
    """Embeddings [2B, dim], view two after view one, and stages, in one pass of all views."""
    views = batch()
    features, stages = method.encoder.pooled_and_stages(images(torch.cat([views["one"], views["two"]])))
    return method.head(features), stages


def equation(z: np.ndarray, temperature: float) -> float:
    """Chen 2020, equation 1, pair by pair."""
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    n, losses = len(z) // 2, []
    for i in range(2 * n):
        j = (i + n) % (2 * n)
        others = sum(np.exp(z[i] @ z[k] / temperature) for k in range(2 * n) if k != i)
        losses.append(-np.log(np.exp(z[i] @ z[j] / temperature) / others))
    return float(np.mean(losses))


def cosines(q: Tensor, p: Tensor) -> Tensor:
    return (q * p).sum(1) / (q.square().sum(1).sqrt() * p.square().sum(1).sqrt()).clamp_min(1e-30)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
def test_loss_is_the_equations(temperature: float):
    method = built(temperature=temperature).double()
    z = parts(method)[0].detach().numpy()
    assert method(batch())["loss"].item() == pytest.approx(equation(z, temperature), rel=1e-6)


def test_loss_with_ifa_is_the_equations():
    method = built(ifa="ifa_released").double()
    z, stages = parts(method)
    contrast = equation(z.detach().numpy(), 0.1)
    one = (0.3 - cosines(*stages[1].chunk(2))).abs().mean().item()
    four = (1 - cosines(*stages[4].chunk(2))).abs().mean().item()
    found = {name: value.item() for name, value in method(batch()).items()}
    assert found == {
        "loss": pytest.approx(contrast + one + four, rel=1e-6),
        "contrast": pytest.approx(contrast, rel=1e-6),
        "ifa_1": pytest.approx(one, rel=1e-6),
        "ifa_4": pytest.approx(four, rel=1e-6),
    }


def test_gradients_are_those_of_the_equation_with_the_second_view_constant():
    method = built(ifa="3").double()
    z, stages = parts(method)
    z = F.normalize(z)
    logits = (z @ z.T / 0.1).masked_fill(torch.eye(16, dtype=torch.bool), float("-inf"))
    expected = F.cross_entropy(logits, torch.arange(16).roll(8))
    query, positive = stages[3].chunk(2)
    expected = expected + (1 - cosines(query, positive.detach())).abs().mean()
    assert_same_gradients(method, method(batch())["loss"], expected)


def test_watched_is_the_embedding_of_view_one():
    method = built()
    method(batch())
    assert method.watched is not None
    assert method.watched.shape == (8, 8)
    assert not method.watched.requires_grad


def test_head_is_the_papers():
    linear = [each for each in built(hidden=12, dim=5).head.modules() if isinstance(each, torch.nn.Linear)]
    assert [tuple(each.weight.shape) for each in linear] == [(12, 16), (5, 12)]
    # Without a width the hidden layer is as wide as the features.
    first = next(each for each in built(hidden=0).head.modules() if isinstance(each, torch.nn.Linear))
    assert tuple(first.weight.shape) == (16, 16)


@pytest.mark.parametrize(
    ("settings", "message"), [({"batch_size": 1}, "simclr normalises"), ({"ifa": "0"}, "there is no block 0")]
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        built(**settings)
