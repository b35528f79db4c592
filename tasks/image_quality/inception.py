"""The Inception network of the Fréchet inception distance: TensorFlow's of 2015, which is not torchvision's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.inception import (
    BasicConv2d,
    InceptionA,
    InceptionB,
    InceptionC,
    InceptionD,
    InceptionE,
)

CLASSES = 1008
DIM = 2048
_INPUT_SIZE = 299


class FidInception(nn.Module):
    """Inception v3 as the Fréchet inception distance uses it (Heusel 2017): grey images -> 2,048 pooled features.

    It differs from torchvision's in three places: averages near the border leave out what lies beyond it, the last
    block takes a maximum where the others take an average, and there are 1,008 classes. An image is resized to
    299 x 299 (bilinear, corners not aligned, no antialiasing) and shown as three equal channels in [-1, 1]. Given the
    same weights, features are those of the package `pytorch-fid` 0.3.0. Numbers of other resizing, or of images that
    are rounded to 8 bits first, differ.

    Stays in eval mode; the weights take no gradient.

    Args:
        state: state dict with torchvision's names.
    """

    dim = DIM

    def __init__(self, state: Mapping[str, Tensor]):
        super().__init__()
        with torch.device("meta"):
            self._build()
        self.load_state_dict(dict(state), strict=True, assign=True)
        self.requires_grad_(False).float().eval()

    def train(self, mode: bool = True) -> Self:
        """Stays in eval mode."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """Images [N, 1, H, W] in [0, 1] -> features [N, 2048]."""
        if images.ndim != 4 or images.shape[1] != 1:
            raise ValueError(f"the Inception network takes images [N, 1, H, W], not {list(images.shape)}")
        x = F.interpolate(images, size=(_INPUT_SIZE, _INPUT_SIZE), mode="bilinear", align_corners=False)
        x = (2 * x - 1).expand(-1, 3, -1, -1)
        for name, layer in self.named_children():
            if name == "fc":
                break
            x = layer(x)
        return x.mean(dim=(2, 3))

    def _build(self) -> None:
        # The names are those of the weights' file; children run in this order.
        self.Conv2d_1a_3x3 = BasicConv2d(3, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Conv2d_3b_1x1 = BasicConv2d(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Mixed_5b = _BlockA(192, pool_features=32)
        self.Mixed_5c = _BlockA(256, pool_features=64)
        self.Mixed_5d = _BlockA(288, pool_features=64)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b = _BlockC(768, channels_7x7=128)
        self.Mixed_6c = _BlockC(768, channels_7x7=160)
        self.Mixed_6d = _BlockC(768, channels_7x7=160)
        self.Mixed_6e = _BlockC(768, channels_7x7=192)
        self.Mixed_7a = InceptionD(768)
        self.Mixed_7b = _BlockE(1280)
        self.Mixed_7c = _LastBlock(2048)
        self.fc = nn.Linear(DIM, CLASSES)


def _average(x: Tensor) -> Tensor:
    """Mean over 3 x 3 pixels, near the border over those that are there."""
    return F.avg_pool2d(x, kernel_size=3, stride=1, padding=1, count_include_pad=False)


class _BlockA(InceptionA):
    def forward(self, x: Tensor) -> Tensor:
        five = self.branch5x5_2(self.branch5x5_1(x))
        twice_three = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), five, twice_three, self.branch_pool(_average(x))], dim=1)


class _BlockC(InceptionC):
    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        twice_seven = self.branch7x7dbl_1(x)
        for layer in (self.branch7x7dbl_2, self.branch7x7dbl_3, self.branch7x7dbl_4, self.branch7x7dbl_5):
            twice_seven = layer(twice_seven)
        return torch.cat([self.branch1x1(x), seven, twice_seven, self.branch_pool(_average(x))], dim=1)


class _BlockE(InceptionE):
    def forward(self, x: Tensor) -> Tensor:
        three = self.branch3x3_1(x)
        twice_three = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        parts = [self.branch1x1(x)]
        parts += [self.branch3x3_2a(three), self.branch3x3_2b(three)]
        parts += [self.branch3x3dbl_3a(twice_three), self.branch3x3dbl_3b(twice_three)]
        return torch.cat([*parts, self.branch_pool(self._pooled(x))], dim=1)

    def _pooled(self, x: Tensor) -> Tensor:
        return _average(x)


class _LastBlock(_BlockE):
    def _pooled(self, x: Tensor) -> Tensor:
        return F.max_pool2d(x, kernel_size=3, stride=1, padding=1)
