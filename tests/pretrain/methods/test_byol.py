from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.method import images
from cxrbench.pretrain.methods.byol import BYOL

from ..method_cases import batch, build
from .gradients import assert_same_gradients


def built(**settings: Any) -> BYOL:
    made = build("byol", **settings)
    assert isinstance(made, BYOL)
    return made


@pytest.fixture
def method() -> BYOL:
    """BYOL whose target network is not the online one, as in the middle of a training."""
    made = built().double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for each in (*made.target_encoder.parameters(), *made.target_projection.parameters()):
            each.add_(0.3 * torch.randn(each.shape, generator=generator, dtype=each.dtype))
    return made


def parts(method):
    """Predictions of the online network and projections of the target network, both views."""
    views = [images(batch()[name]) for name in ("one", "two")]
    predictions = [method.prediction(method.projection(method.encoder(each))) for each in views]
    targets = [method.target_projection(method.target_encoder(each)) for each in views]
    return predictions, targets


def distance(p, t):
    """Equation 2: the squared distance of unit vectors."""
    return np.square(p / np.linalg.norm(p, axis=1)[:, None] - t / np.linalg.norm(t, axis=1)[:, None]).sum(1).mean()


def test_loss_is_the_papers_squared_distance_of_unit_vectors(method):
    (p1, p2), (t1, t2) = [[each.detach().numpy() for each in pair] for pair in parts(method)]
    assert method(batch())["loss"].item() == pytest.approx(distance(p1, t2) + distance(p2, t1), rel=1e-6)


def test_gradients_are_those_of_the_equation(method):
    (p1, p2), (t1, t2) = parts(method)
    unit = [each / each.norm(dim=1, keepdim=True) for each in (p1, t2, p2, t1)]
    expected = ((unit[0] - unit[1]) ** 2).sum(1).mean() + ((unit[2] - unit[3]) ** 2).sum(1).mean()
    assert_same_gradients(method, method(batch())["loss"], expected)


def test_target_network_gets_no_gradient(method):
    method(batch())["loss"].backward()
    target = [*method.target_encoder.parameters(), *method.target_projection.parameters()]
    assert target
    assert all(each.grad is None and not each.requires_grad for each in target)
    online = [*method.encoder.parameters(), *method.projection.parameters(), *method.prediction.parameters()]
    assert all(each.grad is not None for each in online)


def test_target_network_starts_as_the_online_one():
    method = built()
    for copy, network in (
        (method.target_encoder, method.encoder),
        (method.target_projection, method.projection),
    ):
        for a, b in zip(copy.parameters(), network.parameters(), strict=True):
            assert torch.equal(a, b)
            assert a is not b


@pytest.mark.parametrize(
    ("step", "tau"), [(0, 0.996), (25, 1 - 0.004 * (1 + math.sqrt(0.5)) / 2), (50, 0.998), (100, 1)]
)
def test_target_network_follows_by_a_momentum_that_rises_to_one(method, step, tau):
    pairs = list(
        zip(
            [*method.target_encoder.parameters(), *method.target_projection.parameters()],
            [*method.encoder.parameters(), *method.projection.parameters()],
            strict=True,
        )
    )
    expected = [tau * a.detach().clone() + (1 - tau) * b.detach() for a, b in pairs]
    online = [b.detach().clone() for _, b in pairs]
    method.after_step(step, 100)
    for (a, b), wanted, before in zip(pairs, expected, online, strict=True):
        torch.testing.assert_close(a, wanted, rtol=1e-12, atol=1e-12)
        assert torch.equal(b, before)


def test_state_holds_the_target_network():
    keys = build("byol").state_dict()
    assert "target_encoder.network.parts.0.0.weight" in keys
    assert "target_projection.layers.0.weight" in keys


def test_layers_are_the_papers():
    method = built(hidden=12, dim=5)
    for head, expected in ((method.projection, [(12, 16), (5, 12)]), (method.prediction, [(12, 5), (5, 12)])):
        assert [tuple(each.weight.shape) for each in head.modules() if isinstance(each, torch.nn.Linear)] == expected


def test_batch_of_one_is_refused():
    with pytest.raises(UserError, match="byol normalises"):
        build("byol", batch_size=1)
