from __future__ import annotations

import numpy as np
import pytest
import torch
from lightly.loss.vicreg_loss import VICRegLoss

from cxrbench.pretrain.parts.variance_covariance import VarianceCovarianceLoss, covariance_term, variance_term


def drawn(n: int, d: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.7 * torch.randn(n, d, generator=generator, dtype=torch.float64) + 3


def test_terms_by_hand():
    # Two images, two dimensions: variances 2 and 0.08, covariance 0.4.
    z = torch.tensor([[0.0, 0.0], [2.0, 0.4]], dtype=torch.float64)
    assert covariance_term(z).item() == pytest.approx((0.4**2 + 0.4**2) / 2)
    assert variance_term(z).item() == pytest.approx((0 + 1 - np.sqrt(0.08 + 1e-4)) / 2)


@pytest.mark.parametrize(("n", "d"), [(5, 12), (12, 5), (7, 7), (2, 3)])
def test_covariance_is_the_same_from_the_smaller_matrix(n, d):
    z = drawn(n, d, 0).requires_grad_()
    covariance = torch.cov(z.T)
    expected = (covariance - torch.diag(covariance.diagonal())).square().sum() / d
    found = covariance_term(z)
    assert found.item() == pytest.approx(expected.item(), rel=1e-12)
    ours, theirs = (torch.autograd.grad(each, z)[0] for each in (found, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_averaged_variances_are_lightlys_loss():
    one, two = drawn(6, 9, 1).requires_grad_(), drawn(6, 9, 2)
    ours = VarianceCovarianceLoss(var="mean")(one, two)["loss"]
    theirs = VICRegLoss()(one, two)
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)
    torch.testing.assert_close(torch.autograd.grad(ours, one), torch.autograd.grad(theirs, one))


def test_float32_keeps_six_digits_at_the_papers_size():
    z = drawn(64, 2048, 3)
    assert covariance_term(z.float()).item() == pytest.approx(covariance_term(z).item(), rel=1e-6)
