"""Every encoder that can be named keeps its contract; the check notices those that do not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cxrbench.foundation.registry import include
from cxrbench.pretrain import encoders, load_encoder
from cxrbench.pretrain.architectures import build_network
from cxrbench.pretrain.conformance import check_encoder
from cxrbench.pretrain.encoder import Encoder
from cxrbench.pretrain.network import Network
from cxrbench.pretrain.weights_files import default_weights
from cxrbench.pretrain.zoo_entry import ZooSource

TIMM = ["timm:resnet10t", "timm:convnext_atto", "timm:mobilenetv3_small_050", "timm:regnety_002"]


def pytest_generate_tests(metafunc: pytest.Metafunc):
    if "any_encoder" in metafunc.fixturenames:
        for file in metafunc.config.getoption("--include") or []:
            include(Path(file))
        metafunc.parametrize("any_encoder", [*encoders.names(), *TIMM])


def test_encoders_keep_their_contract(any_encoder: str, tmp_path: Path):
    check_encoder(_built(any_encoder, tmp_path))


def _built(name: str, tmp_path: Path) -> Encoder:
    """The encoder; where its published weights are not here, with a file of random ones in their place."""
    source = None if name in TIMM else encoders.get(name)
    missing = source.missing(default_weights()) if source else ""
    if not missing:
        return load_encoder(name)
    if not isinstance(source, ZooSource):
        pytest.skip(missing)
    path = tmp_path / "stand-in.pth"
    torch.save(build_network(source.entry.arch, source.entry.channels).library().state_dict(), path)
    return load_encoder(f"{name}={path}")


class _Broken(Network):
    """A small backbone with one fault."""

    dim = 2

    def __init__(self, fault: str):
        super().__init__()
        self.fault = fault
        self.weight = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
        self.calls = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        features = x.mean((1, 2, 3))[:, None] * self.weight
        faults = {
            "width": lambda: features.repeat(1, 2),
            "constant": lambda: features * 0,
            "batch": lambda: features - features.mean(0),
            "random": lambda: features * self.calls,
            "infinite": lambda: 1 / (features - (0 - 0.5) / 0.5 * self.weight),
        }
        return faults.get(self.fault, lambda: features)()


def _small(fault: str) -> Encoder:
    from cxrbench.pretrain.encoder import hash_of_tensors

    network = _Broken(fault)
    meta = replace(
        load_encoder("timm:resnet10t").meta,
        channels=1,
        mean=(0.5,),
        std=(0.5,),
        dim=2,
        stage_channels=(),
        input_size=32,
        seed=None,
        sha256=hash_of_tensors(network.state_dict()),
    )
    return Encoder(network, meta)


def test_a_sound_small_encoder_passes():
    check_encoder(_small("none"))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("width", "features are [3, 4], not [3, 2]"),
        ("constant", "features do not depend on the image"),
        ("batch", "an image alone and in a batch"),
        ("random", "two passes in evaluation mode give different features"),
        ("infinite", "features of a black or a white image are not finite"),
    ],
)
def test_faults_are_named(fault: str, message: str):
    with pytest.raises(AssertionError) as caught:
        check_encoder(_small(fault))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"licence": ""}, "meta.licence is empty"),
        ({"sha256": "0" * 64}, "meta.sha256 is not hash_of_tensors"),
        ({"mean": (0.4,)}, "normalise, channel 0"),
        ({"channels": 3}, "one value a channel"),
    ],
)
def test_wrong_descriptions_are_named(change: dict, message: str):
    encoder = _small("none")
    encoder.meta = replace(encoder.meta, **change)
    with pytest.raises(AssertionError) as caught:
        check_encoder(encoder)
    assert message in str(caught.value)


def test_wrong_stage_channels_are_named():
    encoder = load_encoder("timm:resnet10t")
    encoder.meta = replace(encoder.meta, stage_channels=(1, 64, 128, 256, 512))
    with pytest.raises(AssertionError, match="map at stride 2"):
        check_encoder(encoder)
