"""A U-Net over any encoder that has feature maps at five strides."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Self

import torch
from torch import Tensor, nn

from ...pretrain.initialisation import private_randomness

if TYPE_CHECKING:
    from ...pretrain.encoder import Encoder

# Those of segmentation_models_pytorch.Unet.
DECODER_CHANNELS = (256, 128, 64, 32, 16)


class UNet(nn.Module):
    """An encoder and the decoder of a U-Net: grey images [B, 1, H, W] in [0, 1] -> logits [B, 1, H, W].

    Decoder, head and their initialisation are those of segmentation_models_pytorch's `Unet` (Ronneberger et al.,
    MICCAI 2015, as that library builds it): with equal weights the outputs are equal to its own.

    Args:
        encoder: becomes a part of the network; give a copy.
        seed: of the random weights of decoder and head.
        frozen: the encoder is fixed: no gradients, and BatchNorm by its running statistics in training too.
        decoder_channels: of the five blocks, from the deepest on.

    Raises UserError for an encoder without stages, before anything else.
    """

    def __init__(self, encoder: Encoder, seed: int, frozen: bool, decoder_channels: Sequence[int] = DECODER_CHANNELS):
        super().__init__()
        require_stages(encoder)
        # Takes seconds, because the library imports all its architectures.
        from segmentation_models_pytorch.base import SegmentationHead, initialization
        from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder

        self.frozen = frozen
        self.encoder = encoder.requires_grad_(not frozen)
        with private_randomness(seed):
            self.decoder = UnetDecoder(
                encoder_channels=(1, *encoder.meta.stage_channels),
                decoder_channels=tuple(decoder_channels),
                n_blocks=len(decoder_channels),
                use_norm="batchnorm",
            )
            self.head = SegmentationHead(decoder_channels[-1], 1, kernel_size=3)
            initialization.initialize_decoder(self.decoder)
            initialization.initialize_head(self.head)
        self.train()

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            stages = self.encoder.stages(x)
        # Of the first entry the decoder takes only the size.
        return self.head(self.decoder([x, *stages]))


def build_unet(encoder: Encoder, protocol: str, seed: int, decoder_channels: Sequence[int]) -> UNet:
    """The network of a trial on a copy of `encoder`; random weights are drawn anew for each seed where all are trained.

    Raises UserError as `UNet` does.
    """
    require_stages(encoder)
    frozen = protocol == "frozen"
    return UNet(deepcopy(encoder) if frozen else encoder.fresh(seed), seed, frozen, decoder_channels)


def require_stages(encoder: Encoder) -> None:
    """Raise the UserError of `Encoder.pooled_and_stages` where the encoder has no maps; costs nothing."""
    if not encoder.has_stages:
        encoder.pooled_and_stages(torch.zeros(1, 1, 32, 32))
