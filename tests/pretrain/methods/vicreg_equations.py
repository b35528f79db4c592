"""VICReg's loss written from the paper's equations, sample by sample; used for VICReg and MLVICX."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

Weights = tuple[float, float, float]


def vicreg_loss(
    one: np.ndarray, two: np.ndarray, weights: Weights = (25, 25, 1), *, inv: str = "mean", var: str = "sum"
) -> float:
    """Bardes 2022, equations 1 to 6, in numpy."""
    n, d = one.shape
    distance = sum(float(np.dot(a - b, a - b)) for a, b in zip(one, two, strict=True)) / n
    distance = distance / d if inv == "mean" else distance
    spread, together = 0.0, 0.0
    for z in (one, two):
        covariance = np.cov(z, rowvar=False)
        spread += np.maximum(0, 1 - np.sqrt(np.diag(covariance) + 1e-4)).mean()
        together += (covariance**2).sum() / d - (np.diag(covariance) ** 2).sum() / d
    spread = spread / 2 if var == "mean" else spread
    return weights[0] * distance + weights[1] * spread + weights[2] * together


def differentiable(one: Tensor, two: Tensor, weights: Weights = (25, 25, 1)) -> Tensor:
    """The same with torch's own covariance, for gradients; means over dimensions, sums over views."""
    d = one.shape[1]
    loss = weights[0] * torch.dist(one, two) ** 2 / one.numel()
    for z in (one, two):
        covariance = torch.cov(z.T)
        loss = loss + weights[1] * (1 - (covariance.diagonal() + 1e-4).sqrt()).clamp(min=0).sum() / d
        loss = loss + weights[2] * torch.triu(covariance, diagonal=1).square().sum() * 2 / d
    return loss
