"""Images as a network gets them, and a network as it is asked for what it says of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from ..training.device import Device, Precision, autocast, images_channels_last


def as_input(pixels: np.ndarray) -> Tensor:
    """uint8 [B, S, S] -> float32 [B, 1, S, S] in [0, 1], channels last."""
    return images_channels_last(torch.from_numpy(pixels).unsqueeze(1).float().div_(255))


@contextmanager
def asking(network: nn.Module, device: Device, precision: Precision) -> Iterator[None]:
    """Within it `network` is in eval mode, without gradients, in `precision`; its mode is put back, on errors too."""
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode(), autocast(device, precision):
            yield
    finally:
        network.train(was_training)
