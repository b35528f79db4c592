from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.resnet import BasicBlock, Bottleneck

from cxrbench.foundation.errors import UserError
from cxrbench.tasks.detection.model.dilation import can_dilate, dilate


def shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def convolved(x: Tensor, convolution: nn.Conv2d, norm: nn.Module) -> Tensor:
    """By hand: dilated by 2, padded so that the sides stay."""
    return norm(functional.conv2d(x, convolution.weight, stride=1, padding=2, dilation=2))


def test_all_blocks_of_a_bottleneck_stage_are_dilated_and_none_strides() -> None:
    stage = nn.Sequential(Bottleneck(8, 4, 2, shortcut(8, 16, 2)), Bottleneck(16, 4)).eval()
    # torchvision builds such blocks itself; its own networks dilate from the second on only.
    expected = nn.Sequential(Bottleneck(8, 4, 1, shortcut(8, 16, 1), dilation=2), Bottleneck(16, 4, dilation=2)).eval()
    expected.load_state_dict(stage.state_dict())
    dilate(stage, 8, "x")
    x = torch.rand(2, 8, 9, 11)
    assert torch.equal(stage(x), expected(x))


def test_both_convolutions_of_basic_blocks_are_dilated() -> None:
    stage = nn.Sequential(BasicBlock(8, 16, 2, shortcut(8, 16, 2)), BasicBlock(16, 16)).eval()
    dilate(stage, 8, "x")
    x = torch.rand(2, 8, 9, 11)
    expected = x
    for block in stage:
        assert isinstance(block, BasicBlock)
        beside = expected
        if block.downsample is not None:
            convolution, norm = block.downsample.children()
            beside = norm(functional.conv2d(expected, convolution.weight))
        inner = convolved(expected, block.conv1, block.bn1).relu()
        expected = (convolved(inner, block.conv2, block.bn2) + beside).relu()
    assert expected.shape == (2, 16, 9, 11)
    torch.testing.assert_close(stage(x), expected)


def test_statistics_and_modes_stay() -> None:
    block = BasicBlock(4, 4, 2, shortcut(4, 4, 2))
    stage = nn.Sequential(block).train()
    block.bn1.eval()
    before = {name: value.clone() for name, value in stage.state_dict().items()}
    dilate(stage, 4, "x")
    assert all(torch.equal(value, before[name]) for name, value in stage.state_dict().items())
    assert stage.training
    assert not block.bn1.training
    assert block.bn2.training


def pooled_shortcut() -> nn.Module:
    """As in ResNet-D: what is added no longer has the sides of what it is added to."""
    return nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4))


@pytest.mark.parametrize(
    "stage",
    [nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=1)), BasicBlock(4, 4, 2, pooled_shortcut())],
    ids=["main path", "shortcut"],
)
def test_a_stage_that_pools_is_refused_by_name(stage: nn.Module) -> None:
    strides = [each.stride for each in stage.modules() if isinstance(each, nn.Conv2d)]
    assert not can_dilate(stage.train(), 4)
    assert [each.stride for each in stage.modules() if isinstance(each, nn.Conv2d)] == strides
    with pytest.raises(UserError, match=r"encoder pooled: .*cannot be dilated"):
        dilate(stage, 4, "encoder pooled")
    assert stage.training
