"""Descriptions of encoders: checked before anything is built, listed without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.foundation.registry import include
from cxrbench.pretrain.source import ZOO, encoders, list_encoders
from cxrbench.pretrain.zoo_entry import ZooSource, read_zoo_entry

GOOD = """
title = "mine"
arch = "resnet18"
channels = 1
mean = [0.5]
std = [0.25]
initialisation = "kaiming"
"""


def _written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_every_toml_in_the_zoo_is_an_encoder():
    names = {path.stem for path in ZOO.glob("*.toml")}
    assert {"scratch", "scratch_kaiming", "resnet18_scratch", "imagenet", "chess"} <= names
    assert {"efficientnet_lite0_imagenet", "efficientnet_lite0_scratch"} <= names
    assert names <= set(encoders.names())


def test_lists_say_what_is_missing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    listings = {each.name: each for each in list_encoders(tmp_path)}
    assert listings["scratch"].missing == ""
    assert "resnet50-0676ba61.pth" in listings["imagenet"].missing
    assert all(each.title and each.licence and each.trained_on for each in listings.values())
    (tmp_path / "resnet50-0676ba61.pth").touch()
    assert {each.name: each for each in list_encoders(tmp_path)}["imagenet"].missing == ""


def test_lists_need_no_torch():
    code = (
        "import sys; from cxrbench.pretrain import encoders; from cxrbench.pretrain.source import list_encoders;"
        "assert list_encoders(); assert not {'torch', 'timm', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('title = "mine"', 'title = "mine"\nlicense = "MIT"', "unknown key 'license'; did you mean 'licence'?"),
        ("channels = 1", "channels = 2", "channels: Input should be 1 or 3"),
        ("mean = [0.5]", "mean = [0.5, 0.5]", "mean and std need 1 values, one a channel"),
        ("std = [0.25]", "std = [0.0]", "std: Value error, must be above 0"),
        ('initialisation = "kaiming"', "", "give either initialisation or weights"),
        ('"kaiming"', '"glorot"', "initialisation: Input should be"),
        ('arch = "resnet18"', "", "arch: Field required"),
        ('title = "mine"', "title = mine", "not a valid TOML file"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, old: str, new: str, message: str):
    path = _written(tmp_path, GOOD.replace(old, new))
    with pytest.raises(UserError) as caught:
        read_zoo_entry(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_published_hashes_are_hexadecimal(tmp_path: Path):
    weights = '[weights]\nfile = "a.pth"\nsha256 = "xyz"\naddress = "https://example.org"\n'
    with pytest.raises(UserError, match=r"weights\.sha256"):
        read_zoo_entry(_written(tmp_path, GOOD.replace('initialisation = "kaiming"', "") + weights))


def test_one_included_file_adds_an_encoder(tmp_path: Path):
    plugin = tmp_path / "plugin.py"
    plugin.write_text(
        "from pathlib import Path\n"
        "from cxrbench.pretrain import encoders\n"
        "from cxrbench.pretrain.zoo_entry import ZooEntry, ZooSource\n"
        "entry = ZooEntry(title='a plug-in', arch='resnet18', channels=1, mean=(0.5,), std=(0.5,),\n"
        "                 initialisation='kaiming')\n"
        "encoders.register('from_a_plugin', ZooSource('from_a_plugin', entry))\n"
    )
    include(plugin)
    assert isinstance(encoders.get("from_a_plugin"), ZooSource)
    assert "a plug-in" in {each.title for each in list_encoders(tmp_path)}
    encoders._registered.pop("from_a_plugin")
