"""The fourth stage at stride 16 instead of 32, as detectron2's DC5 models have it."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn

from ....foundation.errors import UserError


def dilate(stage: nn.Module, channels: int, name: str) -> None:
    """Change `stage` in place: convolutions with stride 2 get stride 1, and all are dilated by 2.

    This is detectron2's `RES5_DILATION: 2`, which dilates all blocks; torchvision's `replace_stride_with_dilation`
    leaves the first block as it is and refuses the blocks of ResNet-18 and 34. Weights keep their shapes.

    Args:
        stage: what takes maps with `channels`.
        channels: of the maps that it takes.
        name: of the encoder, for the message.

    Raises:
        UserError: the stage shrinks its map by other means than convolutions with stride 2.
    """
    _change(stage)
    if not _keeps_sides(stage, channels):
        raise UserError(
            f"{name}: its last stage does not shrink its map by convolutions with stride 2, so it cannot be dilated; "
            "take the variant c4, or a ResNet"
        )


def can_dilate(stage: nn.Module, channels: int) -> bool:
    """Whether `dilate` takes `stage`, which is left as it is."""
    stage = deepcopy(stage)
    _change(stage)
    return _keeps_sides(stage, channels)


def _change(stage: nn.Module) -> None:
    for module in stage.modules():
        if isinstance(module, nn.Conv2d):
            module.stride = (1, 1)
            # A dilation of 1 x 1 changes nothing.
            module.dilation = (2, 2)
            module.padding = tuple(size - 1 for size in module.kernel_size)


@torch.no_grad()
def _keeps_sides(stage: nn.Module, channels: int) -> bool:
    modes = [module.training for module in stage.modules()]
    # Statistics must not follow the zeros.
    stage.eval()
    parameter = next(stage.parameters())
    zeros = torch.zeros(1, channels, 8, 10, device=parameter.device, dtype=parameter.dtype)
    try:
        return stage(zeros).shape[-2:] == zeros.shape[-2:]
    except RuntimeError:
        # A shortcut that pools no longer fits what it is added to.
        return False
    finally:
        for module, mode in zip(stage.modules(), modes, strict=True):
            module.training = mode
