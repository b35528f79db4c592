"""Variance, invariance and covariance of two views' embeddings: the loss of VICReg and of MLVICX."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

EPSILON = 1e-4


@dataclass(frozen=True)
class VarianceCovarianceLoss:
    """L = alpha inv(Z, Z') + beta [var(Z) + var(Z')] + gamma [cov(Z) + cov(Z')].

        inv(Z, Z') = 1/n sum_i |z_i - z'_i|^2              over d as well where `inv` is mean
        var(Z)     = 1/d sum_j max(0, 1 - sqrt(Var(z_j) + 1e-4))
        cov(Z)     = 1/d sum_{j != k} C(Z)_jk^2            C(Z) = 1/(n-1) sum_i (z_i - m)(z_i - m)^T

    (Bardes 2022, arXiv:2105.04906, equations 1 to 6; Var divides by n - 1, as in its algorithm 1.)

    Attributes:
        alpha, beta, gamma: weights of invariance, variance and covariance.
        inv: whether the squared distance of two embeddings is summed over dimensions or averaged.
        var: whether the views' variance terms are summed or averaged.
    """

    alpha: float = 25.0
    beta: float = 25.0
    gamma: float = 1.0
    inv: Literal["mean", "sum"] = "mean"
    var: Literal["sum", "mean"] = "sum"

    def __call__(self, one: Tensor, two: Tensor) -> dict[str, Tensor]:
        """Embeddings of all images of the batch, [n, d] each -> scalars `loss`, `inv`, `var`, `cov` (not weighted)."""
        inv = (one - two).square().mean(dim=0)
        inv = inv.mean() if self.inv == "mean" else inv.sum()
        var = variance_term(one) + variance_term(two)
        var = var / 2 if self.var == "mean" else var
        cov = covariance_term(one) + covariance_term(two)
        return {"loss": self.alpha * inv + self.beta * var + self.gamma * cov, "inv": inv, "var": var, "cov": cov}


def variance_term(z: Tensor) -> Tensor:
    """How far standard deviations fall short of 1: [n, d] -> scalar in [0, 1]."""
    return F.relu(1 - torch.sqrt(z.var(dim=0) + EPSILON)).mean()


def covariance_term(z: Tensor) -> Tensor:
    """Squared covariances of different dimensions: [n, d] -> scalar.

    The squares of Z^T Z and of Z Z^T have the same sum, so the smaller matrix is taken, and the diagonal of the
    covariance is subtracted: with 64 images and 2048 dimensions 50 times quicker than picking entries of the
    covariance, as lightly does, and without a matrix [d, d].
    """
    n, d = z.shape
    z = z - z.mean(dim=0)
    products = z @ z.T if n < d else z.T @ z
    diagonal = z.square().sum(dim=0)
    return (products.square().sum() - diagonal.square().sum()) / ((n - 1) ** 2 * d)
