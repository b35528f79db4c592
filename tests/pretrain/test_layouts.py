"""Every layout of key_maps: a network is saved in it, loaded, and gives the original's embeddings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder

Tensors = Mapping[str, torch.Tensor]
IMAGENET = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def _network(arch: str = "resnet18", channels: int = 3, seed: int = 0, **options: Any) -> Any:
    """torchvision's, with running statistics and affine weights that are not the ones of a new network."""
    torch.manual_seed(seed)
    network = models.get_model(arch, weights=None, **options)
    if channels != 3:
        network.conv1 = nn.Conv2d(channels, 64, 7, 2, 3, bias=False)
    return _stirred(network)


def _stirred(network: nn.Module) -> Any:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
            module.weight.data.uniform_(0.5, 1.0)
            module.bias.data.normal_(0, 0.1)
    return network.eval()


def _images(size: int = 64) -> torch.Tensor:
    return torch.rand(2, 1, size, size, generator=torch.Generator().manual_seed(3))


def _embeddings(network: Any, inputs: torch.Tensor) -> torch.Tensor:
    """Layer by layer, as the code that publishes such files does it."""
    with torch.no_grad():
        x = network.maxpool(network.relu(network.bn1(network.conv1(inputs))))
        x = network.layer4(network.layer3(network.layer2(network.layer1(x))))
        return x.mean((2, 3))


def _assert_equal(spec: str, expected: torch.Tensor, images: torch.Tensor | None = None, **options: Any) -> None:
    with torch.no_grad():
        found = load_encoder(spec, **options)(_images() if images is None else images)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6 * float(expected.abs().max()))


def _under(prefix: str, tensors: Tensors) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}


def _head(prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}weight": torch.randn(128, 512), f"{prefix}bias": torch.randn(128)}


def _without_fc(network: Any) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in network.state_dict().items() if not name.startswith("fc.")}


def _moco(network: Any, prefix: str) -> dict[str, torch.Tensor]:
    """Query encoder, a key encoder with other weights, queue and pointer."""
    keys = _network(seed=9)
    return {
        **_under(f"{prefix}encoder_q.", network.state_dict()),
        **_under(f"{prefix}encoder_k.", keys.state_dict()),
        f"{prefix}queue": torch.randn(128, 64),
        f"{prefix}queue_ptr": torch.zeros(1, dtype=torch.long),
    }


def _by_position(network: Any) -> dict[str, torch.Tensor]:
    return dict(nn.Sequential(*list(network.children())[:-1]).state_dict())


def _decoder() -> dict[str, torch.Tensor]:
    return {"decoder.blocks.0.conv1.0.weight": torch.randn(4, 4, 3, 3), "segmentation_head.0.bias": torch.randn(1)}


def _transformers(network: Any) -> dict[str, torch.Tensor]:
    """Names of transformers' ResNet with basic blocks, written from its documentation."""
    parts = {"conv": "convolution", "bn": "normalization"}
    found = {}
    for name, tensor in _without_fc(network).items():
        pieces = name.split(".")
        if pieces[0] in ("conv1", "bn1"):
            part = parts[pieces[0][:-1]]
            found[f"resnet.embedder.embedder.{part}.{pieces[-1]}"] = tensor
            continue
        place = f"resnet.encoder.stages.{int(pieces[0][5:]) - 1}.layers.{pieces[1]}"
        if pieces[2] == "downsample":
            inner = f"shortcut.{('convolution', 'normalization')[int(pieces[3])]}"
        else:
            inner = f"layer.{int(pieces[2][-1]) - 1}.{parts[pieces[2][:-1]]}"
        found[f"{place}.{inner}.{pieces[-1]}"] = tensor
    return {**found, **_head("classifier.1.")}


LAYOUTS: dict[str, Callable[[Any], object]] = {
    "torchvision": lambda net: net.state_dict(),
    "bare, without a classifier": _without_fc,
    "MoCo, data parallel": lambda net: {"epoch": 7, "state_dict": _moco(net, "module."), "optimizer": {"state": {}}},
    "MoCo, Lightning": lambda net: {"state_dict": _moco(net, ""), "pytorch-lightning_version": "1.1.0"},
    "MoCo's U-Net (CAiD, DiRA while training)": lambda net: {
        "state_dict": _under("module.encoder_q.backbone.", {**_under("encoder.", _without_fc(net)), **_decoder()})
    },
    "MoCo v3": lambda net: {
        "state_dict": {
            **_under("module.base_encoder.", _without_fc(net)),
            **_under("module.momentum_encoder.", _network(seed=9).state_dict()),
            **_head("module.predictor.0."),
        }
    },
    "SimCLR, encoder and projector": lambda net: {**_under("encoder.", net.state_dict()), **_head("projector.0.")},
    "SimCLR, backbone with its head inside": lambda net: {"state_dict": _under("backbone.", net.state_dict())},
    "SimCLR, convnet": lambda net: {**_under("convnet.", _without_fc(net)), **_head("projection.layer1.")},
    "SimSiam": lambda net: {
        "state_dict": {**_under("module.encoder.", net.state_dict()), **_head("module.predictor.0.")}
    },
    "SwAV": lambda net: {
        **_under("module.", _without_fc(net)),
        **_under("module.", {**_head("projection_head.0."), "prototypes.weight": torch.randn(8, 4)}),
    },
    "BYOL, online encoder": lambda net: {
        **_under("online_encoder.net.", net.state_dict()),
        **_under("target_encoder.net.", _network(seed=9).state_dict()),
        **_head("online_predictor.net.0."),
    },
    "BYOL, online network": lambda net: {"model": _under("online_network.encoder.", _without_fc(net))},
    "VICReg and Barlow Twins, whole": lambda net: {
        "model": {**_under("module.backbone.", _without_fc(net)), **_head("module.projector.0.")}
    },
    "a distillation": lambda net: {
        "student": _under("module.backbone.", _without_fc(_network(seed=9))),
        "teacher": _under("backbone.", _without_fc(net)),
    },
    "MLVICX, online by position": lambda net: {"online": _under("encoder.", _by_position(net))},
    "MLVICX, its encoder alone": lambda net: {"online": _by_position(net)},
    "lightly, backbone by position": lambda net: {"state_dict": _under("backbone.", _by_position(net))},
    "U-Net of segmentation-models-pytorch (CAiD, DiRA)": lambda net: {
        **_under("encoder.", _without_fc(net)),
        **_decoder(),
    },
    "PCRL, encoder of a U-Net": lambda net: {"state_dict": _without_fc(net), "epoch": 240},
    "model.": lambda net: {"state_dict": _under("model.", net.state_dict())},
    "a compiled model": lambda net: _under("_orig_mod.", net.state_dict()),
    "ResNet of transformers": _transformers,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_file_in_this_layout_gives_the_embeddings_of_the_original(layout: str, tmp_path: Path) -> None:
    network = _network()
    path = tmp_path / "weights.pth"
    torch.save(LAYOUTS[layout](network), path)
    _assert_equal(f"mine={path}", _embeddings(network, (_images() - IMAGENET[0]) / IMAGENET[1]))


def test_safetensors_with_one_channel(tmp_path: Path) -> None:
    network = _network(channels=1)
    path = tmp_path / "weights.safetensors"
    save_file(dict(network.state_dict()), path)
    _assert_equal(f"mine={path}", _embeddings(network, (_images() - 0.5) / 0.5))


def test_a_resnet_of_timm(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = _stirred(timm.create_model("resnet18", pretrained=False))
    path = tmp_path / "weights.pth"
    torch.save(network.state_dict(), path)
    inputs = (_images() - IMAGENET[0]) / IMAGENET[1]
    with torch.no_grad():
        expected = network.forward_head(network.forward_features(inputs), pre_logits=True)
    _assert_equal(f"mine={path}", expected)
    _assert_equal(f"mine:timm:resnet18={path}", expected)


def test_densenet_of_torchxrayvision(tmp_path: Path) -> None:
    library = pytest.importorskip("torchxrayvision")
    torch.manual_seed(0)
    network = _stirred(library.models.DenseNet(op_threshs=torch.full((18,), 0.5)))
    path = tmp_path / "weights.pt"
    torch.save(network.state_dict(), path)
    pixels = (_images() * 255).round()
    inputs = torch.from_numpy(library.utils.normalize(pixels.numpy(), 255))
    with torch.no_grad():
        expected = network.features2(inputs)
    # The zoo states the library's [-1024, 1024] as a mean and a standard deviation.
    _assert_equal(f"xrv_densenet121_all={path}", expected, pixels / 255)


def test_resnet_of_torchxrayvision(tmp_path: Path) -> None:
    network = _network("resnet50", channels=1, num_classes=18)
    path = tmp_path / "weights.pt"
    torch.save(network.state_dict(), path)
    _assert_equal(f"xrv_resnet50_all={path}", _embeddings(network, _images() * 2048 - 1024))


@pytest.fixture(scope="module")
def chess() -> Any:
    """MoCo v2's ResNet-50 with one channel and a head of two layers."""
    network = _network("resnet50", channels=1, num_classes=128)
    network.fc = nn.Sequential(nn.Linear(2048, 2048), nn.ReLU(), network.fc)
    return network


class TestCheSS:
    """The layout of CheSS in detail, fed (pixel / 255 - 0.658) / 0.221."""

    @staticmethod
    def _checkpoint(network: Any) -> dict[str, Any]:
        """{epoch, arch, state_dict, optimizer}, the optimiser with the state of a step."""
        weights = [weight.detach().clone().requires_grad_() for weight in network.layer1.parameters()]
        optimiser = torch.optim.SGD(weights, lr=0.03, momentum=0.9, weight_decay=1e-4)
        sum(weight.sum() for weight in weights).backward()  # type: ignore[union-attr]
        optimiser.step()
        tensors = {
            **_under("module.encoder_q.", network.state_dict()),
            **_under("module.encoder_k.", {name: tensor + 1 for name, tensor in network.state_dict().items()}),
            "module.queue": torch.randn(128, 64),
            "module.queue_ptr": torch.zeros(1, dtype=torch.long),
        }
        return {"epoch": 200, "arch": "resnet50", "state_dict": tensors, "optimizer": optimiser.state_dict()}

    def test_embeddings_are_those_of_the_original_fed_as_documented(self, chess: Any, tmp_path: Path) -> None:
        path = tmp_path / "chess.pth.tar"
        torch.save(self._checkpoint(chess), path)
        pixels = (_images() * 255).round()
        _assert_equal(f"chess={path}", _embeddings(chess, (pixels / 255 - 0.658) / 0.221), pixels / 255)
        meta = load_encoder(f"chess={path}").meta
        assert (meta.arch, meta.channels, meta.mean, meta.std) == ("resnet50", 1, (0.658,), (0.221,))
        assert "MoCo's query encoder; left out: encoder_k" in meta.weights

    def test_one_missing_key_is_refused_with_the_key(self, chess: Any, tmp_path: Path) -> None:
        checkpoint = self._checkpoint(chess)
        del checkpoint["state_dict"]["module.encoder_q.layer3.2.bn2.running_var"]
        path = tmp_path / "chess.pth.tar"
        torch.save(checkpoint, path)
        with pytest.raises(UserError, match=r"does not fit resnet50 .* 1 missing: layer3\.2\.bn2\.running_var$"):
            load_encoder(f"chess={path}")

    def test_another_first_convolution_is_refused_with_the_key(self, chess: Any, tmp_path: Path) -> None:
        checkpoint = self._checkpoint(chess)
        checkpoint["state_dict"]["module.encoder_q.conv1.weight"] = torch.zeros(64, 3, 7, 7)
        path = tmp_path / "chess.pth.tar"
        torch.save(checkpoint, path)
        shape = r"1 of another shape: module\.encoder_q\.conv1\.weight \[64, 3, 7, 7\] instead of \[64, 1, 7, 7\]"
        with pytest.raises(UserError, match=shape):
            load_encoder(f"chess={path}")

    def test_an_unknown_key_of_the_backbone_is_refused_with_the_key(self, chess: Any, tmp_path: Path) -> None:
        checkpoint = self._checkpoint(chess)
        checkpoint["state_dict"]["module.encoder_q.layer3.2.attention.weight"] = torch.zeros(1)
        path = tmp_path / "chess.pth.tar"
        torch.save(checkpoint, path)
        with pytest.raises(UserError, match=r"1 unexpected: module\.encoder_q\.layer3\.2\.attention\.weight"):
            load_encoder(f"chess={path}")
