"""`cxrbench generator train` as a user types it, in this process."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cxrbench.bench import pretraining_data
from cxrbench.bench.cli import main
from cxrbench.pretrain.generator import generator_training as module
from cxrbench.pretrain.generator import load_generator
from cxrbench.training.stopping import StopRequest

from ..pretrain.generator.generator_cases import AUTOENCODER, GAN

Said = Callable[..., tuple[int, str, str]]

# 29 of 40 images are for training; the others are tested on.
DATA = ("--data", "phantom:n=40,size=32")


def small(form: str, **changes: Any) -> tuple[str, ...]:
    values = {**(GAN if form == "gan" else AUTOENCODER), **changes}
    assigned = [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
    return ("--form", form, "--size", "16", *assigned)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, cache: Path) -> Said:
    """Run `cxrbench generator train` in this process: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str, str]:
        words = ["cxrbench", "generator", "train", *map(str, arguments), "--cache", str(cache)]
        monkeypatch.setattr(sys, "argv", words)
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        output = capsys.readouterr()
        assert "Traceback" not in output.err
        return code, output.out, output.err

    return run


@pytest.mark.parametrize(
    ("form", "kind"), [("autoencoder", "StyleGAN2-architecture autoencoder"), ("gan", "StyleGAN2")]
)
def test_file_says_what_it_was_trained_on(said: Said, form: str, kind: str) -> None:
    code, out, err = said(*DATA, *small(form), "--out", "own.safetensors", "--licence", "CC0")
    assert code == 0, err
    assert "29 images (synthetic phantom data)" in out
    assert "left out, because tasks test on them" in err
    generator, meta = load_generator(Path("own.safetensors"))
    assert (meta.name, meta.kind, meta.licence, meta.synthetic) == ("own", kind, "CC0", True)
    assert "29 images of chexpert (synthetic phantoms)" in meta.trained_on
    assert "without the images that tasks test on" in meta.trained_on
    assert bool(generator.w_avg.abs().sum() > 0)
    told = json.loads(Path("own.training.json").read_text())
    assert told["images"] == 29
    assert told["history"]
    assert len(Path("own.images.txt").read_text().splitlines()) == 30
    assert not Path("own.safetensors.partial").exists()


def test_normal_images_only(said: Said) -> None:
    words = ("--data", "vindr=phantom:n=40,size=32", *small("autoencoder", normal="true"), "--out", "n.safetensors")
    code, _, err = said(*words)
    assert code == 0, err
    told = json.loads(Path("n.training.json").read_text())
    assert told["images"] < 30
    assert "normal ones only" in told["trained_on"]
    assert any("are normal and frontal" in sentence for sentence in told["audit"])


def test_interrupted_training_goes_on_with_resume_and_ends_alike(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    words = (*DATA, *small("autoencoder"), "--seed", 3, "--out")
    assert said(*words, "whole.safetensors")[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(StopRequest, "__call__", lambda self: True)
        code, _, err = said(*words, "cut.safetensors")
    assert code == 143
    assert "with --resume" in err
    assert not Path("cut.safetensors").exists()
    code, _, err = said(*words, "cut.safetensors")
    assert code == 2
    assert "go on with --resume" in err
    code, _, err = said(*words, "cut.safetensors", "--resume", "--set", "encoder_width=3")
    assert code == 2
    assert "holds another training: settings.encoder_width is 3, there 2;" in err
    code, _, err = said(*words, "cut.safetensors", "--resume")
    assert code == 0, err
    assert "going on from its checkpoint" in err
    whole, cut = (load_generator(Path(f"{name}.safetensors"))[0].state_dict() for name in ("whole", "cut"))
    assert all(torch.equal(value, cut[name]) for name, value in whole.items())
    code, out, _ = said(*words, "cut.safetensors", "--resume")
    assert (code, out) == (0, "cut.safetensors: finished; nothing to do\n")


def test_test_images_that_were_allowed_are_named(said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    found = pretraining_data.training_data

    def contaminated(*arguments: Any, **named: Any) -> pretraining_data.TrainingData:
        assert named["allow_contamination"]
        return replace(found(*arguments, **named), contamination=("nih",))

    monkeypatch.setattr(pretraining_data, "training_data", contaminated)
    code, _, err = said(*DATA, *small("autoencoder"), "--out", "own.safetensors", "--allow-contamination")
    assert code == 0, err
    assert "test images of nih are among them" in load_generator(Path("own.safetensors"))[1].trained_on


@pytest.mark.parametrize(
    ("words", "said_so"),
    [
        (("--size", 48), "--size 48: a generator's images have a power of two"),
        (("--size", 4), "--size 4: a generator's images have a power of two from 8"),
        (("--out", "own.pt"), "--out own.pt: name a file that ends in .safetensors"),
        (("--out", "other.safetensors"), "is there and is no generator"),
        (("--out", "folder.safetensors"), "it is a folder"),
        (("--out", "other.safetensors/own.safetensors"), "other.safetensors is a file, not a folder"),
        (("--form", "vae"), "--form: unknown form 'vae'"),
        (("--set", "training.batch_size=100"), "29 images are fewer than a batch of 100"),
        (("--set", "training.epoch=3"), "did you mean 'training.epochs'"),
        (("--set", "generator.channels=2"), "2 channels: must be 1 (grey) or 3 (colour)"),
        (("--set", "training.devices=2"), "a generator is trained on one device"),
        (("--set", "training.optimiser=sgd"), "a generator needs adam or adamw"),
        (("--set", "gamma=1"), "unknown setting 'gamma'"),
        (("--data", "nowhere"), "no such file or folder"),
    ],
)
def test_what_cannot_be_is_one_line_before_anything_is_trained(
    said: Said, monkeypatch: pytest.MonkeyPatch, words: tuple[object, ...], said_so: str
) -> None:
    monkeypatch.setattr(module, "fit_generator", None)
    Path("other.safetensors").write_bytes(b"something else")
    Path("folder.safetensors").mkdir()
    code, _, err = said(*DATA, *small("autoencoder"), "--out", "own.safetensors", *words)
    assert code == 2
    assert said_so in err
    assert len([line for line in err.splitlines() if line.startswith("cxrbench: ")]) == 1
    shutil.rmtree("own.safetensors.partial", ignore_errors=True)


def test_a_finished_generator_is_not_written_over(said: Said) -> None:
    words = (*DATA, *small("autoencoder"), "--out", "own.safetensors")
    assert said(*words)[0] == 0
    code, _, err = said(*words)
    assert code == 2
    assert "holds a finished generator; name another file" in err
