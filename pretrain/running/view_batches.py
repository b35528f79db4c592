"""Batches of views for pretraining: from several datasets' caches, in an order that depends on the seed only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from ...data.images import Images
from ...data.keys import fold
from ...data.views import Views
from ...foundation.errors import UserError
from ...training.data_loader import BatchLoader
from .pixels import pixels_of


@dataclass(frozen=True)
class ViewBatches:
    """Every image once an epoch, as views, in batches of one size (what is left over comes in another epoch).

    A row numbers the images of all `images`, one dataset after another. The views of a row depend on the seed, the
    epoch and the row, not on the batch, the process or the number of threads.

    Attributes:
        images: caches of one image size.
        views: what is made of each image.
        batch_size: images of a batch, over all processes together.
        seed: of the order and of the views.
        workers: threads, each at work on a batch of its own.
        rank: which share of every batch this process prepares: images rank * B / world to (rank + 1) * B / world.
        world: number of processes.

    Raises:
        UserError: no images, images of several sizes, or fewer images than a batch.
    """

    images: tuple[Images, ...]
    views: Views
    batch_size: int
    seed: int
    workers: int = 1
    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if not self.images:
            raise UserError("pretraining needs images: --data")
        sizes = sorted({each.size for each in self.images})
        if len(sizes) > 1:
            raise UserError(f"images of several sizes cannot share a batch: {', '.join(map(str, sizes))} pixels")
        if self.n_images < self.batch_size:
            raise UserError(
                f"{self.n_images} images are fewer than a batch of {self.batch_size}: give more, or a smaller batch"
            )
        self._loader(0)

    @property
    def n_images(self) -> int:
        """Images of all datasets together."""
        return sum(len(each) for each in self.images)

    def __len__(self) -> int:
        """Batches an epoch."""
        return len(self._loader(0))

    def share(self, rank: int, world: int) -> ViewBatches:
        """The batches of one of `world` processes: each has its share of every batch."""
        return replace(self, rank=rank, world=world)

    def __call__(self, epoch: int, first: int = 0) -> Iterator[dict[str, Tensor]]:
        """The batches of `epoch` from number `first` on; those before are not made.

        Each is what `Views` gives, as tensors, and last `index`: int64 [B], the images' rows.
        """
        return self._loader(epoch)(epoch, first)

    def _loader(self, epoch: int) -> BatchLoader:
        return BatchLoader(
            partial(self._prepare, epoch),
            self.n_images,
            self.batch_size,
            self.seed,
            workers=self.workers,
            rank=self.rank,
            world=self.world,
            exact=True,
        )

    def _prepare(self, epoch: int, rows: np.ndarray, generator: np.random.Generator) -> dict[str, Tensor]:
        # The views draw by key, so that they do not depend on the batch; the generator is the batch's.
        del generator
        found = self.views(pixels_of(self.images, rows), fold(self.seed, epoch, rows))
        return {**{name: torch.from_numpy(array) for name, array in found.items()}, "index": torch.from_numpy(rows)}
