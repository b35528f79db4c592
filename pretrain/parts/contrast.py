"""InfoNCE: a query is told apart from the keys of other images in a queue."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .full_precision import full_precision
from .queue import Queue


def info_nce(query: Tensor, key: Tensor, others: Tensor, temperature: float) -> Tensor:
    """The mean over queries of -log softmax of the right key among itself and the others.

        L = -1/B sum_i log( exp(q_i.k_i / T) / (exp(q_i.k_i / T) + sum_j exp(q_i.o_j / T)) )

    (van den Oord 2018, arXiv:1807.03748; He 2020, arXiv:1911.05722, equation 1.)

    Args:
        query, key: unit vectors [B, dim]; no gradient reaches `key`.
        others: unit vectors [K, dim], constant.
        temperature: T.
    """
    right = (query * key.detach()).sum(1) / temperature
    wrong = query @ others.detach().T / temperature
    return (torch.logaddexp(right, wrong.logsumexp(1)) - right).mean()


class Contrast(nn.Module):
    """`info_nce` with a `Queue`: normalises, compares, and in training mode queues the keys of all processes.

    Args:
        dim: length of an embedding.
        queue: how many keys the queue holds; a multiple of `batch_size`.
        temperature: T.
        batch_size: images of one batch, over all processes together.

    Raises:
        UserError: the queue is no multiple of the batch.
    """

    def __init__(self, dim: int, queue: int, temperature: float, batch_size: int):
        super().__init__()
        self.temperature = temperature
        self.queue = Queue(queue, dim, batch_size)

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Embeddings [b, dim] of this process's share, of any length -> the loss of this share, float32."""
        # Sums of exponents of products, at temperatures such as 0.07: bf16 is too coarse for them.
        with full_precision(query):
            query, key = _unit(query), _unit(key.detach())
            # A copy, because the backward pass needs the keys as they were.
            loss = info_nce(query, key, self.queue.keys.to(query.dtype, copy=True), self.temperature)
        if self.training:
            self.queue.push(key)
        return loss


def _unit(x: Tensor) -> Tensor:
    return F.normalize(x.to(torch.promote_types(x.dtype, torch.float32)), dim=1)
