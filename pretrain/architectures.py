"""Backbones by name: ResNets from torchvision, everything else from timm."""

from __future__ import annotations

import difflib
from typing import Any

import torch
from torch import nn

from ..foundation.errors import UserError, unknown_name
from .network import STRIDES, Network

RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101")
TIMM = "timm:"


def build_network(arch: str, channels: int = 3) -> Network:
    """The backbone called `arch` with the weights its library draws from torch's global generator.

    Args:
        arch: one of RESNETS (version 1.5: stride in the 3x3 convolution), or `timm:NAME`.
        channels: input channels, 1 or 3.

    Raises:
        UserError: an unknown architecture, or one that timm cannot build.
    """
    if channels not in (1, 3):
        raise UserError(f"{arch}: an encoder takes 1 or 3 channels, not {channels}")
    if arch.startswith(TIMM):
        return TimmNetwork(arch.removeprefix(TIMM), channels)
    if arch not in RESNETS:
        raise unknown_name("architecture", arch, [*RESNETS, f"{TIMM}NAME"])
    return ResNetNetwork(arch, channels)


class ResNetNetwork(Network):
    """torchvision's ResNet without its classifier.

    The stem is convolution, normalisation and ReLU at stride 2; the max pooling belongs to stage 1.
    """

    def __init__(self, arch: str, channels: int):
        super().__init__()
        from torchvision import models

        body: Any = models.get_model(arch, weights=None)
        self.dim = body.fc.in_features
        body.fc = nn.Identity()
        if channels != body.conv1.in_channels:
            body.conv1 = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
            nn.init.kaiming_normal_(body.conv1.weight, mode="fan_out", nonlinearity="relu")
        self.body = body
        self.stage_channels = (64, *(self.dim // shrink for shrink in (8, 4, 2, 1)))

    @property
    def blocks(self) -> nn.ModuleList:
        """Stem and stages 1 to 4; the modules are the network's own, so training one trains the other."""
        body = self.body
        stem = nn.Sequential(body.conv1, body.bn1, body.relu)
        return nn.ModuleList([stem, nn.Sequential(body.maxpool, body.layer1), body.layer2, body.layer3, body.layer4])

    def library(self) -> nn.Module:
        """torchvision's module."""
        return self.body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features [B, dim]: the global average of the last stage."""
        return self.body(x)

    def pooled_and_stages(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Features [B, dim] and the five stage maps."""
        body = self.body
        maps = [body.relu(body.bn1(body.conv1(x)))]
        x = body.maxpool(maps[0])
        for layer in (body.layer1, body.layer2, body.layer3, body.layer4):
            x = layer(x)
            maps.append(x)
        return torch.flatten(body.avgpool(x), 1), maps


class TimmNetwork(Network):
    """Any timm backbone without its classifier; features are what its classifier would see."""

    def __init__(self, name: str, channels: int):
        super().__init__()
        body, self._dynamic = _create(name, channels)
        config = body.pretrained_cfg
        first = config["first_conv"]
        self.name = f"{TIMM}{name}"
        self.body = body
        self.dim = getattr(body, "head_hidden_size", None) or body.num_features
        self.mean, self.std = tuple(config["mean"]), tuple(config["std"])
        self.input_size = config["input_size"][-1]
        self.stem = f"{first if isinstance(first, str) else first[0]}.weight"
        self._fixed = bool(config.get("fixed_input_size")) and not self._dynamic
        self._taken, self.stage_channels = _stages_of(body)

    def library(self) -> nn.Module:
        """timm's module."""
        return self.body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features [B, dim]. Raises UserError for a size that the architecture cannot take."""
        self._check_size(x)
        return self.body(x)

    def pooled_and_stages(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Features [B, dim] and the maps at strides 2, 4, 8, 16, 32."""
        last, maps = self.body.forward_intermediates(x, indices=self._taken)
        return self.body.forward_head(last), maps

    def _check_size(self, x: torch.Tensor) -> None:
        size, side = tuple(x.shape[-2:]), self.input_size
        if self._fixed and size != (side, side):
            raise UserError(f"{self.name} takes images of {side} x {side} only, not {size[0]} x {size[1]}")
        patch = self.body.patch_embed.patch_size[0] if self._dynamic else 1
        if any(length % patch for length in size):
            raise UserError(f"{self.name} takes sides that are multiples of {patch}, not {size[0]} x {size[1]}")


def _create(name: str, channels: int) -> tuple[Any, bool]:
    """timm's model, and whether its position embedding follows the image size (transformers that can)."""
    import timm

    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "timm.list_models() names them all"
        raise UserError(f"unknown timm model {name!r}; {hint}")
    options: dict[str, Any] = {"pretrained": False, "num_classes": 0, "in_chans": channels}
    try:
        body: Any = timm.create_model(name, **options)
        if not body.pretrained_cfg.get("fixed_input_size"):
            return body, False
        try:
            dynamic: Any = timm.create_model(name, **options, dynamic_img_size=True)
        except TypeError:
            return body, False
        return dynamic, hasattr(getattr(dynamic, "patch_embed", None), "patch_size")
    except (RuntimeError, TypeError, ValueError, AssertionError, ImportError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"timm cannot build {name!r} with {channels} channels: {first_line}") from error


def _stages_of(body: Any) -> tuple[list[int], tuple[int, ...]]:
    """Indices and channels of the deepest map at each stride; both empty unless all five are there."""
    if not hasattr(body, "forward_intermediates"):
        return [], ()
    deepest = {each["reduction"]: (index, each["num_chs"]) for index, each in enumerate(body.feature_info)}
    if not all(stride in deepest for stride in STRIDES):
        return [], ()
    found = [deepest[stride] for stride in STRIDES]
    return [index for index, _ in found], tuple(channels for _, channels in found)
