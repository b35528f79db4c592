"""Backbones: sizes as published, stages at their strides, and clear refusals."""

from __future__ import annotations

import pytest
import torch
from torchvision import models

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.architectures import build_network

# Parameters of torchvision's documentation less those of the classifier (1000 x dim + 1000).
PARAMETERS = {
    "resnet18": 11_689_512 - 513_000,
    "resnet34": 21_797_672 - 513_000,
    "resnet50": 25_557_032 - 2_049_000,
    "resnet101": 44_549_160 - 2_049_000,
}


@pytest.mark.parametrize("arch", PARAMETERS)
def test_resnets_have_the_published_number_of_parameters(arch: str):
    with torch.device("meta"):
        three, one = build_network(arch, 3), build_network(arch, 1)
    assert sum(each.numel() for each in three.parameters()) == PARAMETERS[arch]
    # Two of the three input channels of 64 kernels of 7 x 7 are gone.
    assert sum(each.numel() for each in one.parameters()) == PARAMETERS[arch] - 2 * 64 * 7 * 7


def test_resnet50_strides_in_the_3x3_convolution():
    with torch.device("meta"):
        block = build_network("resnet50").library().get_submodule("layer2.0")
    assert block.get_submodule("conv1").stride == (1, 1)
    assert block.get_submodule("conv2").stride == (2, 2)


def test_resnet_gives_what_torchvision_gives():
    network = build_network("resnet18").eval()
    reference = models.resnet18(weights=None)
    reference.load_state_dict(network.library().state_dict(), strict=False)
    reference.fc = torch.nn.Identity()  # type: ignore[assignment]
    x = torch.rand(2, 3, 64, 64)
    assert torch.equal(network(x), reference.eval()(x))


@pytest.mark.parametrize(
    ("name", "dim", "stage_channels"),
    [
        ("tf_efficientnet_lite0", 1280, (16, 24, 40, 112, 320)),
        ("resnet10t", 512, (64, 64, 128, 256, 512)),
        ("mobilenetv3_small_050", 1024, (16, 8, 16, 24, 288)),
        ("convnext_atto", 320, ()),
    ],
)
def test_timm_backbones_give_pooled_features_and_stages(name: str, dim: int, stage_channels: tuple[int, ...]):
    network = build_network(f"timm:{name}").eval()
    assert (network.dim, network.stage_channels) == (dim, stage_channels)
    x = torch.rand(2, 3, 64, 64)
    assert network(x).shape == (2, dim)
    if stage_channels:
        pooled, maps = network.pooled_and_stages(x)
        torch.testing.assert_close(pooled, network(x))
        assert [tuple(each.shape[1:]) for each in maps] == [
            (channels, side, side) for channels, side in zip(stage_channels, (32, 16, 8, 4, 2), strict=True)
        ]


def test_transformers_follow_the_image_size_in_whole_patches():
    network = build_network("timm:vit_tiny_patch16_224").eval()
    assert network(torch.rand(1, 3, 96, 96)).shape == (1, 192)
    with pytest.raises(UserError, match="multiples of 16, not 100 x 100"):
        network(torch.rand(1, 3, 100, 100))


def test_one_channel_reaches_timm():
    network = build_network("timm:resnet10t", 1)
    assert network.library().state_dict()[network.stem].shape[1] == 1


@pytest.mark.parametrize(
    ("arch", "message"),
    [
        ("resnet5", "unknown architecture 'resnet5'; did you mean 'resnet50'?"),
        ("timm:resnet1", "unknown timm model 'resnet1'; did you mean 'resnet18'?"),
        ("timm:hf-hub:timm/resnet18.a1_in1k", "unknown timm model"),
        ("timm:resnet18.nobody", "timm cannot build 'resnet18.nobody' with 3 channels"),
    ],
)
def test_unknown_architectures_are_named(arch: str, message: str):
    with pytest.raises(UserError) as caught:
        build_network(arch)
    assert message in str(caught.value)


def test_two_channels_are_refused():
    with pytest.raises(UserError, match="1 or 3 channels, not 2"):
        build_network("resnet18", 2)
