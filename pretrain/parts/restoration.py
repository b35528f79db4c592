"""Images restored from an encoder's maps: a U-Net's decoder, with and without skip connections."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..encoder import Encoder
from .requirements import require_stages

N = TypeVar("N", bound=nn.Module)

LEVELS = 5

# Narrower levels than this hold nothing.
_NARROWEST = 4


def level_widths(width: int) -> tuple[int, ...]:
    """Channels of the five levels, coarse to fine: halved at each, at least 4; 256 gives 256, 128, 64, 32, 16."""
    return tuple(max(width >> level, _NARROWEST) for level in range(LEVELS))


class Decoder(nn.Module):
    """From the five maps of an encoder up to the resolution of the image: the right half of a U-Net.

    Level l enlarges what the level before gave (the encoder's last map at first) to the size of the next finer map by
    nearest neighbour, with `skips` puts that map beside it, and passes both through two 3x3 convolutions, each with
    batch normalisation and ReLU. The last level has the image's size and nothing beside it.

    (Ronneberger 2015, arXiv:1505.04597, in the form of segmentation_models_pytorch; without skips: the nsU-Net of
    Zhou 2023, arXiv:2301.00772.)

    Args:
        stage_channels: channels of the encoder's maps at strides 2, 4, 8, 16, 32.
        width: channels of the coarsest level; see `level_widths`.
        skips: whether the encoder's finer maps are used.

    Attributes:
        widths: channels of the five levels, coarse to fine.
    """

    def __init__(self, stage_channels: Sequence[int], width: int = 256, skips: bool = True):
        super().__init__()
        if len(stage_channels) != LEVELS:
            raise ValueError(f"a decoder takes {LEVELS} maps, not {len(stage_channels)}")
        self.widths = level_widths(width)
        self.skips = skips
        *finer, coarsest = stage_channels
        beside = [*reversed(finer), 0] if skips else [0] * LEVELS
        into = zip(pairwise([coarsest, *self.widths]), beside, strict=True)
        self.levels = nn.ModuleList(_double_convolution(before + skip, after) for (before, after), skip in into)
        draw_decoder(self)

    def forward(self, maps: Sequence[Tensor], size: Sequence[int]) -> list[Tensor]:
        """What every level gives, coarse to fine.

        Args:
            maps: five maps [B, C, h, w], fine to coarse, of the channels announced; without skips only the sizes of
                the finer ones count.
            size: height and width of the image, any that the maps are of.

        Returns:
            Five maps [B, widths[l], h, w], of the sizes of maps 4, 3, 2, 1 (from 1) and of the image.
        """
        *finer, x = maps
        found = []
        for level, skip in zip(self.levels, [*reversed(finer), None], strict=True):
            x = functional.interpolate(x, tuple(size if skip is None else skip.shape[-2:]), mode="nearest")
            if self.skips and skip is not None:
                x = torch.cat([x, skip], 1)
            x = level(x)
            found.append(x)
        return found


class Restorer(nn.Module):
    """A `Decoder` and a 3x3 convolution to pixels.

    Args:
        stage_channels, width, skips: of the decoder.
        channels: channels of the image.

    Attributes:
        decoder: see `Decoder`.
        pixels: from the finest level [B, widths[-1], H, W] to an image [B, channels, H, W] without bounds.
    """

    def __init__(self, stage_channels: Sequence[int], width: int = 256, skips: bool = True, channels: int = 1):
        super().__init__()
        self.decoder = Decoder(stage_channels, width, skips)
        self.pixels = nn.Conv2d(self.decoder.widths[-1], channels, 3, padding=1)
        nn.init.xavier_uniform_(self.pixels.weight)
        nn.init.zeros_(self.pixels.bias)  # type: ignore[arg-type]

    def forward(self, maps: Sequence[Tensor], size: Sequence[int]) -> Tensor:
        """Five maps, fine to coarse, and the image's height and width -> image [B, channels, H, W], without bounds."""
        return self.pixels(self.decoder(maps, size)[-1])


def draw_decoder(part: N) -> N:
    """`part` with weights drawn as segmentation_models_pytorch draws those of decoders, in place.

    Convolutions: uniform He (fan in, ReLU); linear layers: uniform Xavier; biases 0.
    """
    for module in part.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, mode="fan_in", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
        if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
    return part


def restoration_loss(restored: Tensor, clean: Tensor) -> Tensor:
    """Mean over images, channels and pixels of (restored - clean)^2, in float32 at least.

    Raises ValueError for shapes that differ.
    """
    if restored.shape != clean.shape:
        raise ValueError(f"restored {list(restored.shape)} and clean {list(clean.shape)} differ in shape")
    kind = torch.promote_types(restored.dtype, torch.float32)
    return functional.mse_loss(restored.to(kind), clean.to(kind))


def require_maps(encoder: Encoder, method: str) -> None:
    """Raise UserError, naming `method`, where the encoder has no maps for a decoder to start from."""
    require_stages(encoder, f"{method} restores images from maps at strides 2 to 32")


def _double_convolution(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in (before, after):
        layers += [nn.Conv2d(width, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
