"""A pretraining method: what is trained besides the encoder, and the loss of a batch of views."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from ..foundation.settings import Settings
from ..training.device import images_channels_last
from .encoder import Encoder


class MethodSettings(Settings):
    """Settings of one method: `[method]` in a file, `--set method.temperature=0.1` on the command line."""


def stated(default: Any, source: str, **limits: Any) -> Any:
    """A setting whose default stands in a publication or in its released code, which `source` names."""
    return Field(default, json_schema_extra={"source": source}, **limits)


def ours(default: Any, why: str, **limits: Any) -> Any:
    """A setting whose default is our own choice, because no source states it; `why` says how it was chosen."""
    return Field(default, json_schema_extra={"source": f"ours: {why}"}, **limits)


@dataclass(frozen=True)
class Shape:
    """What a method may size its parts by.

    Attributes:
        batch_size: images of one batch, over all processes together.
        image_size: side of the views in pixels.
        processes: how many share a batch; each gets `batch_size // processes` images, in order.
    """

    batch_size: int
    image_size: int
    processes: int = 1


class Method(nn.Module, ABC):
    """What is trained: the encoder that is kept, and everything that is thrown away afterwards.

    All state that a resumed training needs (momentum networks, queues, counters) is in parameters and buffers, so
    that `state_dict` is whole. Weights are drawn from torch's global generator, which the caller seeds.

    Args:
        encoder: the encoder to train; it owns its normalisation and takes grey images in [0, 1].
        settings: of the class's own `Settings`.
        shape: sizes of batches and images.

    Attributes:
        views: names of the views that a batch must have.
        own_batch_norm: whether batch normalisation is the method's own affair; else several processes share theirs.
        negatives: whether the loss tells an image from others, and so pushes their embeddings apart.
        watched: the embedding [B, D] of this process's share of the last batch, detached, by which a collapse is
            noticed: what the loss compares (projections), not normalised. None before the first batch.

    Raises:
        UserError: settings that do not fit each other, the encoder or the shape; before anything is trained.
    """

    Settings: ClassVar[type[MethodSettings]] = MethodSettings
    views: ClassVar[tuple[str, ...]] = ("one", "two")
    own_batch_norm: ClassVar[bool] = False
    negatives: ClassVar[bool] = False

    def __init__(self, encoder: Encoder, settings: MethodSettings, shape: Shape):
        super().__init__()
        self.encoder = encoder
        self.settings = settings
        self.shape = shape
        self.watched: Tensor | None = None

    @abstractmethod
    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch, and the terms it is made of.

        Args:
            batch: what the views' preset gives (data/views): uint8 images `one` and `two` [B, S, S], and more.

        Returns:
            Scalars: `loss`, which is minimised, and named terms, which are only logged. Every process computes the
            loss so that the mean of all processes' gradients is the gradient of the loss of the whole batch.
        """

    def after_step(self, step: int, steps: int) -> None:
        """Called after every optimiser step (from 0) of `steps`: momentum networks follow. Nothing by default."""

    @classmethod
    def state_from(cls, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Heads, queue and momentum networks found in a published checkpoint, under this method's own names.

        Empty where the layout is not known; then only the encoder is started from.
        """
        return {}


def images(views: Tensor) -> Tensor:
    """Views uint8 [B, S, S] -> what an encoder takes: float32 [B, 1, S, S] in [0, 1], channels last."""
    return images_channels_last(views.unsqueeze(1).to(torch.float32) / 255)
