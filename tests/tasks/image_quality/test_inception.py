from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cxrbench.foundation.errors import UserError
from cxrbench.tasks.image_quality import InceptionSettings, features_of, inception_identity, load_inception
from cxrbench.tasks.image_quality.inception import DIM, FidInception

from .weights import images, inception_state


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return inception_state()


@pytest.fixture(scope="module")
def file(state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(state, path)
    return path


def test_features_are_those_of_pytorch_fid(file: Path) -> None:
    network = load_inception(InceptionSettings(weights=str(file)))
    assert isinstance(network, FidInception)
    found = features_of(network, images(1, 64))
    assert found.shape == (1, DIM)
    assert found.dtype == np.float32
    # pytorch-fid 0.3.0 in float64 with the same weights; the last number comes from the block that takes a maximum.
    wanted = [635.8417296765048, 264.7850289441571, 95.44601563551973, 6858.946092618811]
    assert found[0, [0, 320, 700, 2047]].tolist() == pytest.approx(wanted, rel=1e-4)
    assert float(found.mean()) == pytest.approx(3378.9056669560446, rel=1e-5)
    assert float(found.std(ddof=1)) == pytest.approx(4274.588258279398, rel=1e-5)


def test_stays_in_eval_mode_without_gradients(file: Path) -> None:
    network = load_inception(InceptionSettings(weights=str(file)))
    assert network is not None
    assert not network.train().training
    assert all(not each.requires_grad for each in network.parameters())
    with pytest.raises(ValueError, match=r"\[N, 1, H, W\]"):
        network(torch.zeros(1, 3, 64, 64))


def test_without_a_file_there_is_none(file: Path) -> None:
    assert load_inception(InceptionSettings()) is None
    assert inception_identity(InceptionSettings()) is None
    identity = inception_identity(InceptionSettings(weights=str(file)))
    assert identity is not None
    assert identity["name"] == "inception.pth"
    assert len(identity["sha256"]) == 64


def test_torchvisions_own_network_is_refused(state: dict[str, Tensor], tmp_path: Path) -> None:
    other = {**state, "fc.weight": torch.zeros(1000, DIM), "fc.bias": torch.zeros(1000)}
    torch.save(other, tmp_path / "torchvision.pth")
    with pytest.raises(UserError, match=r"has 1000 classes.* 1008; torchvision's network gives other") as raised:
        load_inception(InceptionSettings(weights=str(tmp_path / "torchvision.pth")))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("damage", ["missing", "added", "shape"])
def test_another_network_is_refused(state: dict[str, Tensor], tmp_path: Path, damage: str) -> None:
    wrong = dict(state)
    if damage == "missing":
        del wrong["Mixed_7c.branch1x1.conv.weight"]
    else:
        wrong["more" if damage == "added" else "Mixed_5b.branch1x1.conv.weight"] = torch.zeros(3)
    torch.save(wrong, tmp_path / "wrong.pth")
    with pytest.raises(UserError, match="is not the network of the Fréchet inception distance") as raised:
        load_inception(InceptionSettings(weights=str(tmp_path / "wrong.pth")))
    assert "\n" not in str(raised.value)


def test_missing_and_damaged_files_are_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"inception\.weights = .*there is no such file"):
        load_inception(InceptionSettings(weights=str(tmp_path / "none.pth")))
    (tmp_path / "half.pth").write_bytes(file.read_bytes()[: 2**20])
    with pytest.raises(UserError, match="no readable checkpoint"):
        load_inception(InceptionSettings(weights=str(tmp_path / "half.pth")))
