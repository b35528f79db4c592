from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from cxrbench.foundation.errors import UserError
from cxrbench.tasks.image_quality import LpipsSettings, load_lpips, lpips_identity, weights_identity

from .weights import features_state, images, linear_weights, write_backbone, write_linear


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    write_backbone(folder / "alexnet.pth", "alexnet")
    for name in ("alexnet", "vgg16"):
        write_linear(folder / f"{name}_linear.pth", name)
    return folder


def settings(folder: Path, backbone: str = "alexnet.pth", linear: str = "alexnet_linear.pth") -> LpipsSettings:
    return LpipsSettings(backbone=str(folder / backbone), linear=str(folder / linear))


def test_two_files_make_lpips(folder: Path) -> None:
    found = load_lpips(settings(folder))
    assert found is not None
    assert found.backbone.name == "alexnet"
    assert found.values(images(2, 40, 3), images(2, 40, 4)).tolist() == pytest.approx([0.0114227, 0.0111779], abs=1e-6)


def test_files_may_be_safetensors_and_hold_a_classifier(folder: Path, tmp_path: Path) -> None:
    state = {f"features.{name}": each for name, each in features_state("alexnet").items()}
    save_file({**state, "classifier.1.weight": torch.zeros(4, 4)}, tmp_path / "alexnet.safetensors")
    save_file(
        {f"lin{place}.model.1.weight": each for place, each in enumerate(linear_weights("alexnet"))},
        tmp_path / "linear.safetensors",
    )
    found = load_lpips(settings(tmp_path, "alexnet.safetensors", "linear.safetensors"))
    wanted = load_lpips(settings(folder))
    assert found is not None
    assert wanted is not None
    a, b = images(1, 32, 0), images(1, 32, 1)
    assert found.values(a, b).tolist() == wanted.values(a, b).tolist()


def test_vgg_is_recognised_by_its_shapes(folder: Path, tmp_path: Path) -> None:
    write_backbone(tmp_path / "vgg.pth", "vgg16")
    found = load_lpips(settings(folder, str(tmp_path / "vgg.pth"), "vgg16_linear.pth"))
    assert found is not None
    assert found.backbone.name == "vgg16"


def test_without_files_there_is_none() -> None:
    assert load_lpips(LpipsSettings()) is None
    assert lpips_identity(LpipsSettings()) is None


def test_identity_is_the_content_wherever_it_lies(folder: Path, tmp_path: Path) -> None:
    identity = lpips_identity(settings(folder))
    assert identity is not None
    content = (folder / "alexnet.pth").read_bytes()
    assert identity["backbone"] == {"name": "alexnet.pth", "sha256": sha256(content).hexdigest()}
    for name in ("alexnet.pth", "alexnet_linear.pth"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    assert lpips_identity(settings(tmp_path)) == identity
    (tmp_path / "alexnet_linear.pth").write_bytes(b"changed")
    assert lpips_identity(settings(tmp_path)) != identity


def test_published_files_are_known_by_their_hash(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = sha256((folder / "alexnet.pth").read_bytes()).hexdigest()
    monkeypatch.setattr(weights_identity, "_PUBLISHED", {digest[:8]: "published.pth"})
    identity = lpips_identity(settings(folder))
    assert identity is not None
    assert [identity[part]["name"] for part in ("backbone", "linear")] == ["published.pth", "alexnet_linear.pth"]


@pytest.mark.parametrize(
    ("backbone", "linear", "words"),
    [
        ("none.pth", "alexnet_linear.pth", r"lpips.backbone = .*none.pth: there is no such file"),
        ("alexnet.pth", "none.pth", r"lpips.linear = .*none.pth: there is no such file"),
        ("alexnet_linear.pth", "alexnet.pth", "exchange the two"),
        ("alexnet.pth", "vgg16_linear.pth", r"\[64, 128, 256, 512, 512\] channels.*same network"),
        ("alexnet.pth", "alexnet.pth", "lpips.linear = .* must hold lin0"),
        ("vgg16_linear.pth", "alexnet_linear.pth", "is not the state dict of torchvision's alexnet or vgg16"),
        ("damaged.pth", "alexnet_linear.pth", "damaged.pth: is no readable checkpoint"),
        ("alexnet.pth", "page.pth", "page.pth: is a web page"),
    ],
)
def test_wrong_files_are_named_in_one_line(folder: Path, backbone: str, linear: str, words: str) -> None:
    (folder / "damaged.pth").write_bytes((folder / "alexnet.pth").read_bytes()[:100_000])
    (folder / "page.pth").write_text("<!DOCTYPE html><html>404</html>")
    with pytest.raises(UserError, match=words) as raised:
        load_lpips(settings(folder, backbone, linear))
    assert "\n" not in str(raised.value)


def test_one_file_without_the_other_is_refused(folder: Path) -> None:
    for given, other in (("backbone", "linear"), ("linear", "backbone")):
        half = LpipsSettings(**{given: str(folder / "alexnet.pth")})
        for ask in (load_lpips, lpips_identity):
            with pytest.raises(UserError, match=rf"lpips.{given} is given without lpips.{other}"):
                ask(half)


def test_a_backbone_with_a_missing_or_an_added_layer_is_refused(folder: Path, tmp_path: Path) -> None:
    state = {f"features.{name}": each for name, each in features_state("alexnet").items()}
    less = {name: each for name, each in state.items() if name != "features.10.bias"}
    for wrong in (less, {**state, "features.11.weight": torch.zeros(2)}):
        torch.save(wrong, tmp_path / "wrong.pth")
        with pytest.raises(UserError, match="is not the state dict"):
            load_lpips(settings(folder, str(tmp_path / "wrong.pth")))


def test_weights_of_version_0_0_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = sha256((folder / "alexnet_linear.pth").read_bytes()).hexdigest()
    monkeypatch.setattr("cxrbench.tasks.image_quality.lpips_files._OF_VERSION_0_0", (digest[:8],))
    with pytest.raises(UserError, match=r"version 0\.0"):
        load_lpips(settings(folder))
