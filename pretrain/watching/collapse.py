"""Collapse: embeddings that have become one point, or that lie along a few directions only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

# The decomposition of more rows would cost a large batch's step more than it tells.
MOST_ROWS = 256


@dataclass(frozen=True)
class Spread:
    """How far the embeddings of a batch are apart.

    Attributes:
        sd: standard deviation of a coordinate of the embeddings of length 1, times sqrt(D): 1 where they point
            everywhere alike, 0 where all are one point.
        rank: effective number of directions they lie along, from 1 to `highest`.
        highest: the largest possible rank, min(B, D).
    """

    sd: float
    rank: float
    highest: int

    def __str__(self) -> str:
        return f"sd {self.sd:.2f}, rank {self.rank:.0f}/{self.highest}"


def spread(embedding: Tensor) -> Spread:
    """The spread of embeddings [B, D], of which the first 256 are used.

    sd = sqrt(D) mean_j SD_i(z_ij / |z_i|)                (Chen and He 2021, arXiv:2011.10566, section 4.1)
    rank = exp(-sum_k p_k log p_k), p_k = s_k / sum_l s_l  (RankMe: Garrido et al. 2023, arXiv:2210.02885, section 3)

    with the unbiased standard deviation and the singular values s of the embeddings as they are, not centred: of
    embeddings that are nearly one point the first takes all. Both are NaN for fewer than two embeddings, or where
    one is not finite.
    """
    rows = embedding.detach()[:MOST_ROWS].flatten(1)
    highest = min(rows.shape)
    rows = rows.double()
    if len(rows) < 2 or not bool(torch.isfinite(rows).all()):
        return Spread(math.nan, math.nan, highest)
    sd = F.normalize(rows, dim=1).std(dim=0).mean() * math.sqrt(rows.shape[1])
    return Spread(float(sd), float(_effective_rank(rows)), highest)


def _effective_rank(rows: Tensor) -> Tensor:
    # The smaller of the two products has all singular values, squared, and is far smaller than the embeddings.
    product = rows @ rows.T if rows.shape[0] <= rows.shape[1] else rows.T @ rows
    singular = torch.linalg.eigvalsh(product).clamp_min(0).sqrt()
    share = singular / singular.sum().clamp_min(torch.finfo(singular.dtype).tiny)
    return torch.special.entr(share).sum().exp()
