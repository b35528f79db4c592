from __future__ import annotations

import numpy as np
import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.method import images
from cxrbench.pretrain.methods.barlow_twins import BarlowTwins

from ..method_cases import batch, build
from .gradients import assert_same_gradients


def projections(method):
    views = batch()
    return [method.projection(method.encoder(images(views[name]))) for name in ("one", "two")]


def barlow(a: np.ndarray, b: np.ndarray, redundancy: float, epsilon: float = 1e-5) -> float:
    """Equations 1 and 2, entry by entry."""
    a, b = a - a.mean(0), b - b.mean(0)
    n, d = a.shape
    total = 0.0
    for j in range(d):
        for k in range(d):
            scale = np.sqrt((a[:, j] ** 2).sum() + n * epsilon) * np.sqrt((b[:, k] ** 2).sum() + n * epsilon)
            c = (a[:, j] * b[:, k]).sum() / scale
            total += (1 - c) ** 2 if j == k else redundancy * c**2
    return total


@pytest.mark.parametrize("redundancy", [0.005, 0.0, 1.0])
def test_loss_is_the_papers(redundancy):
    method = build("barlow_twins", redundancy=redundancy).double()
    a, b = (each.detach().numpy() for each in projections(method))
    assert method(batch())["loss"].item() == pytest.approx(barlow(a, b, redundancy), rel=1e-6)


def test_gradients_are_those_of_the_equation():
    method = build("barlow_twins", redundancy=0.5).double()
    a, b = projections(method)
    # torch's own covariance, divided by n, with the small number that keeps dead dimensions finite.
    c = torch.cov(torch.cat([a, b], dim=1).T, correction=0)
    d = a.shape[1]
    variances = c.diagonal() + 1e-5
    cross = c[:d, d:] / torch.sqrt(variances[:d, None] * variances[None, d:])
    away = (cross - torch.eye(d)) ** 2
    expected = away.diagonal().sum() + 0.5 * (away.sum() - away.diagonal().sum())
    assert_same_gradients(method, method(batch())["loss"], expected)


def test_equal_views_of_independent_dimensions_have_no_loss():
    method = build("barlow_twins", projection=2, batch_size=4)
    assert isinstance(method, BarlowTwins)
    z = 100 * torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert method.cross_correlation(z, z).item() == pytest.approx(0, abs=1e-8)
    # A copied dimension: both entries off the diagonal are 1.
    copied = z[:, :1].repeat(1, 2)
    assert method.cross_correlation(copied, copied).item() == pytest.approx(2 * 0.005, rel=1e-4)


def test_layers_are_the_papers():
    method = build("barlow_twins", projection=12)
    shapes = [tuple(each.weight.shape) for each in method.modules() if isinstance(each, torch.nn.Linear)]
    assert shapes == [(12, 16), (12, 12), (12, 12)]


def test_batch_of_one_is_refused():
    with pytest.raises(UserError, match="barlow_twins normalises"):
        build("barlow_twins", batch_size=1)
