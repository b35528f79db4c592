"""The check of encoders notices those that break their contract."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.foundation.registry import include
from cxrbench.pretrain import encoders, load_encoder
from cxrbench.pretrain.conformance import check_encoder
from cxrbench.pretrain.encoder import Encoder
from cxrbench.pretrain.network import Network


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


PLUGIN = """
from pathlib import Path
import torch
from cxrbench.pretrain import Encoder, EncoderMeta, EncoderSource, encoders
from cxrbench.pretrain.encoder import hash_of_tensors
from cxrbench.pretrain.network import Network


class Mean(Network):
    dim = 4

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(1.0, 5.0))

    def forward(self, x):
        return x.mean((1, 2, 3))[:, None] * self.weight


class MeanSource(EncoderSource):
    title = "the mean grey value, four times"

    def build(self, seed: int, weights: Path) -> Encoder:
        network = Mean()
        meta = EncoderMeta(
            name="mean_grey", arch="mean", channels=1, mean=(0.5,), std=(0.5,), input_size=32, dim=4,
            stage_channels=(), weights="1 to 4", sha256=hash_of_tensors(network.state_dict()), seed=None,
            trained_on="nothing", licence="CC0-1.0",
        )
        return Encoder(network, meta)


encoders.register("mean_grey", MeanSource())
"""


def test_one_file_adds_an_encoder_with_a_network_of_its_own(tmp_path: Path):
    plugin = tmp_path / "mean_grey.py"
    plugin.write_text(PLUGIN)
    include(plugin)
    try:
        check_encoder(load_encoder("mean_grey"))
        with pytest.raises(UserError, match="mean_grey is a plug-in with weights of its own"):
            load_encoder(f"mean_grey={plugin}")
    finally:
        encoders._registered.pop("mean_grey")
