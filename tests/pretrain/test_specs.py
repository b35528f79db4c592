"""What stands after --encoder, taken apart; folders that pretraining wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models

from cxrbench.foundation.errors import UserError
from cxrbench.foundation.files import sha256_of_file
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.specs import EncoderSpec, parse_spec
from cxrbench.pretrain.zoo_entry import read_zoo_entry

DESCRIPTION = """title = "mine"
arch = "resnet18"
channels = 3
mean = [0.4, 0.4, 0.4]
std = [0.2, 0.2, 0.2]
trained_on = "phantoms"
{more}
[weights]
file = "encoder.safetensors"
sha256 = "{sha256}"

[pretraining]
method = "moco_v2"
steps = 20
settings = {{ queue = 64 }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As `cxrbench pretrain` leaves it."""
    place = tmp_path / "moco-ifa"
    place.mkdir()
    torch.manual_seed(0)
    save_file(dict(models.resnet18(weights=None).state_dict()), place / "encoder.safetensors")
    digest = sha256_of_file(place / "encoder.safetensors")
    (place / "encoder.toml").write_text(DESCRIPTION.format(sha256=digest, more=""))
    return place


def test_each_way_of_writing_an_encoder(folder: Path) -> None:
    assert parse_spec("scratch") == EncoderSpec("scratch")
    assert parse_spec("timm:vgg11") == EncoderSpec("timm:vgg11")
    assert parse_spec("hf:org/name") == EncoderSpec("hf:org/name", "hf:org/name")
    assert parse_spec("mine=hf:org/name") == EncoderSpec("mine", "hf:org/name")
    assert parse_spec("mine:resnet18=a=b.pth") == EncoderSpec("mine", "a=b.pth", "resnet18")
    assert parse_spec("timm:vgg11=a.pth") == EncoderSpec("timm:vgg11", "a.pth", "timm:vgg11")
    assert parse_spec(str(folder)) == EncoderSpec("moco-ifa", str(folder))


def test_taking_apart_needs_no_torch() -> None:
    code = (
        "import sys; from cxrbench.pretrain.specs import parse_spec; "
        "parse_spec('a=b'); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_folder_is_an_encoder_called_like_it_or_as_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = load_encoder(str(folder))
    assert (encoder.meta.name, encoder.meta.mean, encoder.meta.unverified) == ("moco-ifa", (0.4, 0.4, 0.4), False)
    assert load_encoder(f"mine={folder}").meta.name == "mine"
    assert load_encoder(f"mine={folder}").meta.sha256 == encoder.meta.sha256
    monkeypatch.chdir(folder)
    assert load_encoder(".").meta.name == "moco-ifa"
    assert read_zoo_entry(folder / "encoder.toml").entry.pretraining == {
        "method": "moco_v2",
        "steps": 20,
        "settings": {"queue": 64},
    }


def test_a_folder_whose_weights_were_changed_is_marked(folder: Path) -> None:
    torch.manual_seed(1)
    save_file(dict(models.resnet18(weights=None).state_dict()), folder / "encoder.safetensors")
    meta = load_encoder(str(folder)).meta
    assert meta.unverified
    assert "unverified: its SHA-256 begins with" in meta.weights


def test_folders_that_are_no_encoders_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "encoder.safetensors").unlink()
    with pytest.raises(UserError, match=r"encoder\.safetensors are not here; copy it from where it was made; save it"):
        load_encoder(str(folder))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"has neither encoder\.toml nor a config\.json"):
        load_encoder(f"mine={tmp_path / 'empty'}")
    odd = tmp_path / "my folder"
    odd.mkdir()
    with pytest.raises(UserError, match="give the folder's encoder a name: --encoder mine="):
        load_encoder(str(odd))


def test_the_weights_of_a_folder_bring_its_list_of_images_with_them(folder: Path) -> None:
    (folder / "images.txt").write_text("00000001_000.png\n")
    digest = sha256_of_file(folder / "encoder.safetensors")
    more = 'contamination = ["nih14"]\npretraining_images = "images.txt"'
    (folder / "encoder.toml").write_text(DESCRIPTION.format(sha256=digest, more=more))
    meta = load_encoder(f"mine={folder / 'encoder.safetensors'}").meta
    assert (meta.name, meta.contamination, meta.mean) == ("mine", ("nih14",), (0.4, 0.4, 0.4))
    assert meta.pretraining_images == str(folder / "images.txt")
    (folder / "encoder.safetensors").rename(folder / "other.safetensors")
    assert load_encoder(f"mine={folder / 'other.safetensors'}").meta.contamination == ()
