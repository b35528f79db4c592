"""An encoder with a linear head, and what it says of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ...training.device import Device, Precision
from ..network_input import as_input, asking

if TYPE_CHECKING:
    from ...data.images import Images
    from ...pretrain.encoder import Encoder


class Classifier(nn.Module):
    """An encoder and a linear head: [B, 1, H, W] in [0, 1] -> logits [B, L]."""

    def __init__(self, encoder: Encoder, outputs: int, seed: int):
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.meta.dim, outputs)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.head.weight.normal_(0.0, 0.01, generator=generator)
            self.head.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))


@dataclass(frozen=True)
class Predictor:
    """Probabilities of rows of `images` by any model of them; picklable, so that several devices can use it."""

    images: Images
    exclusive: bool
    device: Device
    precision: Precision
    batch_size: int

    def __call__(self, model: nn.Module, rows: np.ndarray) -> np.ndarray:
        """Float64 [len(rows), L], of `model` in eval mode; its mode is put back."""
        found = []
        with asking(model, self.device, self.precision):
            for first in range(0, len(rows), self.batch_size):
                pixels = as_input(self.images.batch(rows[first : first + self.batch_size])).to(self.device)
                logits = model(pixels).double()
                found.append((logits.softmax(dim=1) if self.exclusive else logits.sigmoid()).cpu().numpy())
        return np.concatenate(found) if found else np.empty((0, len(self.images.radiographs.labels)))
