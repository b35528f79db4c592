"""An encoder's map at stride 16, alone, and what of the encoder comes behind it."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ....foundation.errors import UserError
from ....pretrain.architectures import TIMM, TimmNetwork
from ....pretrain.encoder import Encoder
from ....pretrain.initialisation import private_randomness
from ....pretrain.network import Network
from .anchors import STRIDE
from .dilation import can_dilate, dilate
from .settings import Head

NO_FOURTH_STAGE = "its layers behind stride 16 do not come apart: two fully connected layers in place of a fourth stage"
TIMM_DILATION = "dilated by timm (output_stride 16)"


@dataclass(frozen=True)
class FeatureMap:
    """The part of an encoder that makes the map, and the rest.

    Attributes:
        encoder: grey images [B, 1, S, S] in [0, 1] -> map [B, channels, S / 16, S / 16]; it normalises as the
            encoder did.
        channels: of the map.
        stages: the encoder's stem and stages inside of it, in order; empty where it does not come apart.
        fourth_stage: what C4 puts behind the pooled regions; None where there is none, and in DC5.
        fourth_channels: of what the fourth stage gives.
        notes: what differs from the model that the head is called after.
    """

    encoder: Encoder
    channels: int
    stages: tuple[nn.Module, ...] = ()
    fourth_stage: nn.Module | None = None
    fourth_channels: int = 0
    notes: tuple[str, ...] = ()


def feature_map(encoder: Encoder, head: Head) -> FeatureMap:
    """Take a copy of `encoder` apart for `head`.

    Raises UserError for an encoder without stages, and for one whose last stage cannot be dilated (DC5).
    """
    check_stages(encoder)
    encoder = deepcopy(encoder)
    blocks = encoder.blocks if encoder.blocks is not None else _of_timm_resnet(encoder, head)
    if blocks is not None:
        return _of_blocks(encoder, blocks, head)
    if isinstance(encoder.network, TimmNetwork):
        return _of_timm(encoder, encoder.network, head)
    if head == "dc5":
        raise UserError(
            f"encoder {encoder.meta.name} ({encoder.meta.arch}): its last stage cannot be dilated; take the variant "
            "c4, or a ResNet"
        )
    channels = encoder.meta.stage_channels[3]
    return FeatureMap(_with(encoder, _FourthMap(encoder.network)), channels, notes=(NO_FOURTH_STAGE,))


def check_stages(encoder: Encoder) -> None:
    """Raise UserError for an encoder without feature maps."""
    if not encoder.has_stages:
        raise UserError(
            f"encoder {encoder.meta.name} ({encoder.meta.arch}) has no feature maps at strides 2 to 32, of which "
            "a detector needs the one at 16; take a ResNet or another convolutional encoder"
        )


def _of_blocks(encoder: Encoder, blocks: nn.ModuleList, head: Head) -> FeatureMap:
    *front, fourth = blocks
    *_, channels, fourth_channels = encoder.meta.stage_channels
    if head == "c4":
        stages = tuple(front)
        shortened = _with(encoder, _Chain(stages, channels))
        return FeatureMap(shortened, channels, stages, fourth_stage=fourth, fourth_channels=fourth_channels)
    dilate(fourth, channels, f"encoder {encoder.meta.name} ({encoder.meta.arch})")
    stages = (*front, fourth)
    return FeatureMap(_with(encoder, _Chain(stages, fourth_channels)), fourth_channels, stages, notes=_small(fourth))


def _of_timm_resnet(encoder: Encoder, head: Head) -> nn.ModuleList | None:
    """Stem and stages of timm's ResNets; None for anything else, and in DC5 for a last stage that pools."""
    from timm.models.resnet import ResNet

    library = encoder.network.library()
    if not isinstance(library, ResNet):
        return None
    body: Any = library
    # The shortcuts of ResNet-D, which only timm dilates.
    if head == "dc5" and not can_dilate(body.layer4, encoder.meta.stage_channels[3]):
        return None
    stem = nn.Sequential(body.conv1, body.bn1, body.act1)
    return nn.ModuleList([stem, nn.Sequential(body.maxpool, body.layer1), body.layer2, body.layer3, body.layer4])


def _small(fourth: nn.Module) -> tuple[str, ...]:
    from timm.models import resnet as timm_resnet
    from torchvision.models.resnet import BasicBlock

    if any(isinstance(module, BasicBlock | timm_resnet.BasicBlock) for module in fourth.modules()):
        return ("both convolutions of every block of the fourth stage dilated by 2 (detectron2 has no such model)",)
    return ()


def _of_timm(encoder: Encoder, network: TimmNetwork, head: Head) -> FeatureMap:
    body: Any = network.body
    notes: tuple[str, ...] = (NO_FOURTH_STAGE,)
    if head == "dc5":
        body, notes = _dilated_by_timm(encoder, body), (TIMM_DILATION,)
    index, channels = max(
        (index, each["num_chs"]) for index, each in enumerate(body.feature_info) if each["reduction"] == STRIDE
    )
    # The layers behind the map would be weights that nothing trains.
    body.prune_intermediate_layers([index], prune_norm=True, prune_head=True)
    return FeatureMap(_with(encoder, _TimmMap(body, index, channels)), channels, notes=notes)


def _dilated_by_timm(encoder: Encoder, body: nn.Module) -> nn.Module:
    """timm's model with the last stage dilated and the weights of `body`."""
    import timm

    name = encoder.meta.arch.removeprefix(TIMM)
    options: dict[str, Any] = {"pretrained": False, "num_classes": 0, "in_chans": encoder.meta.channels}
    try:
        with private_randomness(0):
            dilated: Any = timm.create_model(name, **options, output_stride=STRIDE)
        dilated.load_state_dict(body.state_dict())
    except (TypeError, ValueError, RuntimeError, AssertionError, NotImplementedError) as error:
        raise _no_dilation(encoder) from error
    reductions = {each["reduction"] for each in dilated.feature_info}
    if max(reductions) != STRIDE:
        raise _no_dilation(encoder)
    return dilated.to(next(body.parameters()).device).train(body.training)


def _no_dilation(encoder: Encoder) -> UserError:
    return UserError(
        f"encoder {encoder.meta.name} ({encoder.meta.arch}): timm cannot dilate this architecture to stride 16; take "
        "the variant c4, or a ResNet"
    )


def _with(encoder: Encoder, network: Network) -> Encoder:
    """`network` behind the normalisation of `encoder`, on its device and in its mode."""
    device = next(encoder.parameters()).device
    return Encoder(network, encoder.meta).to(device).train(encoder.training)


class _Chain(Network):
    """Stem and stages one behind the other."""

    def __init__(self, stages: tuple[nn.Module, ...], channels: int):
        super().__init__()
        self.dim = channels
        self.layers = nn.Sequential(*stages)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


class _TimmMap(Network):
    """One of the maps of a timm model."""

    def __init__(self, body: nn.Module, index: int, channels: int):
        super().__init__()
        self.dim = channels
        self.body: Any = body
        self._index = index

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        (found,) = self.body.forward_intermediates(x, indices=[self._index], stop_early=True, intermediates_only=True)
        return found


class _FourthMap(Network):
    """The map at stride 16 of a network that gives all or none."""

    def __init__(self, network: Network):
        super().__init__()
        self.dim = network.stage_channels[3]
        self.whole = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.whole.pooled_and_stages(x)[1][3]
