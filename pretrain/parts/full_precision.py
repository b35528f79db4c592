"""Losses in float32, also where the networks run in bf16."""

from __future__ import annotations

from contextlib import AbstractContextManager

import torch
from torch import Tensor


def full_precision(like: Tensor) -> AbstractContextManager[object]:
    """Context in which products on the device of `like` are not autocast.

    Embeddings turned into float32 are not enough: autocast would turn them back for every matrix product.
    """
    return torch.autocast(like.device.type, enabled=False)
