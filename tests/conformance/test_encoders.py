"""Every encoder that can be named keeps its contract."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cxrbench.pretrain import encoders, load_encoder
from cxrbench.pretrain.architectures import build_network
from cxrbench.pretrain.conformance import check_encoder
from cxrbench.pretrain.encoder import Encoder
from cxrbench.pretrain.weights_files import default_weights
from cxrbench.pretrain.zoo_entry import ZooSource

TIMM = ["timm:resnet10t", "timm:convnext_atto", "timm:mobilenetv3_small_050", "timm:regnety_002"]


def test_encoder_keeps_its_contract(encoder_name: str, tmp_path: Path) -> None:
    check_encoder(_built(encoder_name, tmp_path))


@pytest.mark.parametrize("name", TIMM)
def test_any_timm_backbone_keeps_the_contract(name: str) -> None:
    check_encoder(load_encoder(name))


def _built(name: str, tmp_path: Path) -> Encoder:
    """The encoder; where its published weights are not here, with a file of random ones in their place."""
    source = encoders.get(name)
    missing = source.missing(default_weights())
    if not missing:
        return load_encoder(name)
    if not isinstance(source, ZooSource):
        pytest.skip(missing)
    path = tmp_path / "stand-in.pth"
    torch.save(build_network(source.entry.arch, source.entry.channels).library().state_dict(), path)
    return load_encoder(f"{name}={path}")
