"""The activation of StyleGAN2: leaky ReLU of slope 0.2, times sqrt 2 to keep the variance."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional

SLOPE = 0.2
GAIN = math.sqrt(2)


def activated(x: Tensor) -> Tensor:
    """Leaky ReLU times sqrt 2; any shape."""
    return functional.leaky_relu(x, SLOPE) * GAIN
