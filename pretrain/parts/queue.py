"""The keys of the last batches, which later queries are told apart from."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...foundation.errors import UserError
from ...training.gathering import gathered_constant


class Queue(nn.Module):
    """Unit vectors, oldest out, newest in; buffers, so a resumed training goes on with the same ones.

    It begins with random directions from torch's global generator. (lightly's memory bank is kept out of the state
    dict, and so would begin again after every interruption.)

    Args:
        size: how many keys it holds.
        dim: length of a key.
        batch_size: images of one batch, over all processes together.

    Attributes:
        keys: [size, dim].
        place: row of the next key, int64.

    Raises:
        UserError: `size` is no multiple of `batch_size`, so that a batch would be cut in two.
    """

    keys: Tensor
    place: Tensor

    def __init__(self, size: int, dim: int, batch_size: int):
        super().__init__()
        if size < batch_size or size % batch_size:
            fits = max(1, round(size / batch_size)) * batch_size
            raise UserError(
                f"method.queue = {size} is not divisible by training.batch_size = {batch_size}: "
                f"set method.queue={fits}, or another batch size"
            )
        self.register_buffer("keys", F.normalize(torch.randn(size, dim), dim=1))
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def push(self, keys: Tensor) -> None:
        """Put in the keys [b, dim] of every process in the place of the oldest ones."""
        keys = gathered_constant(keys)
        # No `int(place)`: a GPU would have to finish its work first.
        rows = (self.place + torch.arange(len(keys), device=keys.device)) % len(self.keys)
        self.keys.index_copy_(0, rows, keys.to(self.keys.dtype))
        self.place.copy_((self.place + len(keys)) % len(self.keys))
