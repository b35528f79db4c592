"""An encoder: a backbone with given weights that takes grey images in [0, 1]."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace

import torch
from torch import nn

from ..foundation.errors import UserError
from ..foundation.files import sha256_of_json
from .network import Network


@dataclass(frozen=True)
class EncoderMeta:
    """What an encoder is and where its weights come from.

    Attributes:
        name: what the user calls it; also its folder in the store.
        arch: `resnet18` to `resnet101`, or `timm:NAME`.
        channels: channels that the network takes, 1 or 3; a grey image is repeated.
        mean, std: normalisation of images in [0, 1], one value a channel.
        input_size: side in pixels that it was trained with, or is usually trained with.
        dim: number of pooled features, D.
        stage_channels: channels of the maps at strides 2, 4, 8, 16, 32; empty where there are none.
        weights: where the weights come from, in words: a file, or `random: uniform Xavier`.
        sha256: hash of the weights; of architecture, initialisation and seed where they are random.
        seed: seed of random weights, None where they are not random.
        trained_on: images and method, in words.
        licence: of the weights.
        contamination: registered names of datasets whose images were used in pretraining.
        pretraining_images: file that lists the images used in pretraining, None where there is none.
        pretraining_images_sha256: hash of that file's bytes.
        unverified: whether the file of the weights has another hash than the published one.
    """

    name: str
    arch: str
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_size: int
    dim: int
    stage_channels: tuple[int, ...]
    weights: str
    sha256: str
    seed: int | None
    trained_on: str
    licence: str
    contamination: tuple[str, ...] = ()
    pretraining_images: str | None = None
    pretraining_images_sha256: str | None = None
    unverified: bool = False

    def with_seed(self, seed: int) -> EncoderMeta:
        """The same encoder with random weights drawn from `seed`."""
        drawn = {"arch": self.arch, "channels": self.channels, "weights": self.weights, "seed": seed}
        return replace(self, seed=seed, sha256=sha256_of_json(drawn))


class Encoder(nn.Module):
    """A backbone that owns its normalisation: grey images [B, 1, H, W] in [0, 1] -> features [B, D].

    Args:
        network: the backbone.
        meta: its description; `channels`, `mean` and `std` decide the normalisation.
        draw: seed -> the backbone with random weights, for encoders whose weights are random; else None.
    """

    _mean: torch.Tensor
    _std: torch.Tensor

    def __init__(self, network: Network, meta: EncoderMeta, draw: Callable[[int], Network] | None = None):
        super().__init__()
        self.network = network
        self.meta = meta
        self._draw = draw
        self.register_buffer("_mean", torch.tensor(meta.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("_std", torch.tensor(meta.std).view(1, -1, 1, 1), persistent=False)

    @property
    def blocks(self) -> nn.ModuleList | None:
        """Stem and stages 1 to 4, or None where the backbone does not come apart.

        The first takes `normalise(x)`, each other one the output of the one before. The modules are the
        encoder's own; the list is made on each call, so replacing an entry leaves the encoder as it is.
        """
        return self.network.blocks

    @property
    def has_stages(self) -> bool:
        """Whether `stages` and `pooled_and_stages` can be used."""
        return bool(self.meta.stage_channels)

    def normalise(self, x: torch.Tensor) -> torch.Tensor:
        """Grey images [B, 1, H, W] in [0, 1] -> what the network takes, [B, channels, H, W]."""
        if x.ndim != 4 or x.shape[1] != 1 or not x.is_floating_point():
            raise ValueError(f"an encoder takes floats [B, 1, H, W] in [0, 1], not {x.dtype} {list(x.shape)}")
        # One channel minus `channels` means: broadcasting repeats the grey image.
        return (x - self._mean) / self._std

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Grey images [B, 1, H, W] in [0, 1] -> features [B, D]."""
        return self.network(self.normalise(x))

    def stages(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Grey images [B, 1, H, W] in [0, 1] -> five maps [B, C, H / stride, W / stride] at strides 2, 4, 8, 16, 32."""
        return self.pooled_and_stages(x)[1]

    def pooled_and_stages(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """What `forward` and `stages` give, in one pass. Raises UserError where the backbone has no stages."""
        if not self.has_stages:
            raise UserError(
                f"encoder {self.meta.name} ({self.meta.arch}) has no feature maps at strides 2, 4, 8, 16 and 32; "
                "this task needs a ResNet or another convolutional backbone that has them"
            )
        return self.network.pooled_and_stages(self.normalise(x))

    def fresh(self, seed: int) -> Encoder:
        """An independent encoder to train, in training mode with all weights trainable.

        Random weights are drawn again from `seed`; others are copied as they are, so train only copies.
        """
        if self._draw is None:
            copy = deepcopy(self)
        else:
            copy = Encoder(self._draw(seed), self.meta.with_seed(seed), self._draw).to(self._mean.device)
        copy.zero_grad(set_to_none=True)
        return copy.requires_grad_(True).train()


def hash_of_tensors(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes, sorted by name: equal weights give equal hashes in any file."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        # A batch counter changes no output, and files of older libraries lack it.
        if name.endswith("num_batches_tracked"):
            continue
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
