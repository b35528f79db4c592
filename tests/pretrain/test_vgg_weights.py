"""Torchvision's VGG-16 as timm's: every tensor finds its place, a linear layer becomes the convolution it equals."""

from __future__ import annotations

import timm
import torch
from torchvision import models

from cxrbench.pretrain.checkpoints import as_convolution, match


def test_every_tensor_of_torchvisions_file_finds_its_place() -> None:
    with torch.device("meta"):
        theirs = models.vgg16().state_dict()
        ours = timm.create_model("vgg16", num_classes=0).state_dict()
    found = match(ours, theirs)
    assert found.problems == {}
    assert found.fit.layout == "bare names, torchvision's VGG"
    assert set(found.fit.left_out) == {"classifier.6.weight", "classifier.6.bias"}
    assert found.fit.names["pre_logits.fc1.weight"] == "classifier.0.weight"
    assert found.fit.names["pre_logits.fc2.bias"] == "classifier.3.bias"


def test_a_linear_layer_over_a_map_is_a_convolution_as_large() -> None:
    linear = torch.nn.Linear(3 * 4 * 5, 6)
    x = torch.rand(2, 3, 4, 5)
    weight = as_convolution(linear.weight, torch.Size([6, 3, 4, 5]))
    torch.testing.assert_close(torch.conv2d(x, weight, linear.bias).flatten(1), linear(x.flatten(1)))


def test_other_tensors_stay_as_they_are() -> None:
    for shape in ((6, 61), (5, 60), (6, 3, 20), (60,)):
        tensor = torch.rand(shape)
        assert as_convolution(tensor, torch.Size([6, 3, 4, 5])) is tensor
