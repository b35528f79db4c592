"""`cxrbench encoders`: put in place, looked at, converted; and the run that needs the file."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models
from typer.testing import CliRunner, Result

from cxrbench.bench.cli import app
from cxrbench.foundation.errors import RefusedError, UserError
from cxrbench.foundation.files import sha256_of_file
from cxrbench.pretrain import load_encoder

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A command in this process, in an empty folder with an empty cache; errors are raised."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("COLUMNS", "300")

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(app, [str(each) for each in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture(scope="module")
def moco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint in CheSS' layout: MoCo v2, ResNet-50 with one channel."""
    torch.manual_seed(0)
    network = models.resnet50(weights=None)
    network.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    tensors = {f"module.encoder_q.{name}": tensor for name, tensor in network.state_dict().items()}
    path = tmp_path_factory.mktemp("moco") / "checkpoint_0199.pth.tar"
    torch.save({"epoch": 200, "arch": "resnet50", "state_dict": tensors, "optimizer": {"state": {}}}, path)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a ResNet-18 of three channels, and with a key encoder."""
    torch.manual_seed(0)
    network = models.resnet18(weights=None)
    tensors = {
        f"{kind}.{name}": each for kind in ("encoder_q", "encoder_k") for name, each in network.state_dict().items()
    }
    path = tmp_path_factory.mktemp("small") / "moco.ckpt"
    torch.save({"state_dict": tensors}, path)
    return path


def _weights(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "cxrbench" / "weights"


def test_a_run_without_the_file_says_what_is_missing_and_runs_when_it_is_in_place(
    run: Run, moco: Path, tmp_path: Path
) -> None:
    asked = ("run", "--encoder", "chess_ifa", "--task", "chexpert", "--fractions", "1,10,50", "--replicates", "1")
    data = ("--data", "phantom:n=60,size=32", "--set", "image_size=32", "--dry-run")
    with pytest.raises(UserError) as caught:
        run(*asked, *data)
    message = str(caught.value)
    place = _weights(tmp_path) / "chess_ifa.pth.tar"
    for part in (
        "chess_ifa: its weights chess_ifa.pth.tar are not here",
        "ask its authors: https://github.com/chokyungjin/MI2RLNet_IFA",
        "cxrbench encoders add chess_ifa FILE",
        str(place),
        "no hash published",
    ):
        assert part in message
    added = run("encoders", "add", "chess_ifa", moco)
    assert f"chess_ifa: {place}" in added.stdout
    assert f"SHA-256 {sha256_of_file(moco)}: its authors publish no hash" in added.stdout
    assert place.read_bytes() == moco.read_bytes()
    planned = run(*asked, *data)
    assert planned.exit_code == 0
    assert "1 x 1, 10 x 1, 50 x 1" in planned.stdout
    meta = load_encoder("chess_ifa").meta
    assert (meta.channels, meta.mean, meta.std, meta.unverified) == (1, (0.658,), (0.221,), False)


def test_a_file_that_does_not_fit_is_refused_and_nothing_is_written(run: Run, moco: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"does not fit resnet18 with three channels"):
        run("encoders", "add", "pcrl_v2", moco)
    (tmp_path / "old.pt").write_bytes(b"")
    torch.save({"opt": argparse.Namespace(), "state_dict": {}}, tmp_path / "old.pt")
    with pytest.raises(UserError, match=r"holds argparse\.Namespace, not only tensors"):
        run("encoders", "add", "pcrl_v2", "old.pt")
    with pytest.raises(UserError, match="cannot be read: No such file"):
        run("encoders", "add", "pcrl_v2", "absent.pt")
    assert not _weights(tmp_path).exists()


def test_names_without_a_file_are_refused(run: Run, moco: Path) -> None:
    with pytest.raises(UserError, match="scratch has random weights and needs no file"):
        run("encoders", "add", "scratch", moco)
    with pytest.raises(UserError, match="did you mean 'chess_ifa'"):
        run("encoders", "add", "chess_iffa", moco)


def test_another_hash_is_used_with_a_warning(run: Run, tmp_path: Path) -> None:
    torch.save(models.resnet18(weights=None).state_dict(), tmp_path / "mine.pth")
    added = run("encoders", "add", "resnet18_imagenet", "mine.pth")
    assert "WARNING: not the published file (SHA-256 f37072fd)" in added.stdout
    assert load_encoder("resnet18_imagenet").meta.unverified
    looked = run("encoders", "inspect", "mine.pth", "--like", "resnet18_imagenet")
    assert "ANOTHER hash: SHA-256 f37072fd" in looked.stdout


def test_a_file_that_is_there_is_replaced_only_when_asked(run: Run, tmp_path: Path) -> None:
    for name in ("one", "two"):
        torch.save(models.resnet18(weights=None).state_dict(), tmp_path / f"{name}.pth")
    run("encoders", "add", "mlvicx", "one.pth")
    run("encoders", "add", "mlvicx", "one.pth")
    with pytest.raises(RefusedError, match=r"another file is at .* already"):
        run("encoders", "add", "mlvicx", "two.pth")
    run("encoders", "add", "mlvicx", "two.pth", "--replace")
    (only,) = _weights(tmp_path).iterdir()
    assert only.read_bytes() == (tmp_path / "two.pth").read_bytes()


def test_inspect_tells_what_is_loaded_and_what_is_not(run: Run, small: Path) -> None:
    looked = run("encoders", "inspect", small)
    assert looked.exit_code == 0
    for part in (
        "MoCo's query encoder",
        "resnet18 (guessed from names and shapes), 3 channels",
        "mean 0.485, 0.456, 0.406, std 0.229, 0.224, 0.225, 224 pixels (assumed: the file does not say)",
        "left out          124 tensors: encoder_k (122), encoder_q (2)",
        "fits: all weights of the network are in the file",
        "as initialised: it was never trained",
    ):
        assert part in looked.stdout
    other = run("encoders", "inspect", small, "--arch", "resnet34")
    assert other.exit_code == 1
    assert "DOES NOT FIT" in other.stdout
    assert re.search(r"missing +\d+: layer1\.2\.conv1\.weight", other.stdout)


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ("0.5", None, "give both --mean and --std"),
        ("0.5,x", "1", "--mean '0.5,x': write numbers with commas"),
        ("0.5", "0", "--std '0': must be above 0"),
        ("0.5,0.5", "1", "--mean: 2 values for 3 channels"),
    ],
)
def test_wrong_normalisations_are_refused(run: Run, small: Path, mean: str, std: str | None, message: str) -> None:
    with pytest.raises(UserError) as caught:
        run("encoders", "inspect", small, "--mean", mean, *(("--std", std) if std else ()))
    assert message in str(caught.value)


def test_convert_writes_a_file_that_says_all_about_itself(run: Run, small: Path, tmp_path: Path) -> None:
    told = ("--mean", "0.658", "--std", "0.2,0.2,0.3", "--input-size", "512", "--licence", "MIT", "--channels", "3")
    run("encoders", "convert", small, "out.safetensors", *told, "--contamination", "nih14")
    before, after = load_encoder(f"mine={small}"), load_encoder(f"mine={tmp_path / 'out.safetensors'}")
    images = torch.rand(2, 1, 64, 64)
    with torch.no_grad():
        inputs = (images - 0.658) / torch.tensor([0.2, 0.2, 0.3]).view(3, 1, 1)
        torch.testing.assert_close(before.network(inputs), after(images), rtol=0, atol=1e-6)
    meta = after.meta
    assert (meta.mean, meta.std, meta.input_size) == ((0.658,) * 3, (0.2, 0.2, 0.3), 512)
    assert (meta.licence, meta.contamination) == ("MIT", ("nih14",))
    assert meta.sha256 == before.meta.sha256
    looked = run("encoders", "inspect", "out.safetensors")
    assert "resnet18 (the file says so)" in looked.stdout
    run("encoders", "convert", small, "like.safetensors", "--like", "mlvicx")
    assert load_encoder(f"mine={tmp_path / 'like.safetensors'}").meta.contamination == ("nih14",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("out.pth",), "name a file that ends in .safetensors"),
        (("out.safetensors", "--channels", "1"), "--channels 1: the first convolution of .* takes 3"),
        (("out.safetensors", "--contamination", "nih15"), "unknown dataset 'nih15'; did you mean 'nih14'"),
        (("out.safetensors", "--like", "chest"), "did you mean 'chess'"),
    ],
)
def test_convert_refuses_before_it_writes(
    run: Run, small: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        run("encoders", "convert", small, *options)
    assert not list(tmp_path.glob("out*"))
