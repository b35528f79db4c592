"""Checkpoints that hold more than tensors are refused, never run, and the command that converts them works."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.checkpoints import read_tensors


class Bomb:
    """Unpickling it creates a file."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.target,))


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("where", ["state_dict", "beside"])
def test_a_bomb_is_refused_and_never_runs(tmp_path: Path, zipped: bool, where: str) -> None:
    target, path = tmp_path / "exploded", tmp_path / "weights.pth"
    tensors: dict[str, Any] = dict(models.resnet18(weights=None).state_dict())
    content: dict[str, Any] = {"state_dict": tensors}
    (tensors if where == "state_dict" else content)["bomb"] = Bomb(target)
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    for spec in (f"mine={path}", f"chess={path}"):
        with pytest.raises(UserError, match="not only tensors, and was not opened"):
            load_encoder(spec)
    assert not target.exists()
    # The trap works: whoever unpickles it does create the file.
    torch.load(path, weights_only=False)
    assert target.exists()


OLD: dict[str, tuple[object, str]] = {
    "options": (argparse.Namespace(lr=0.1), "argparse.Namespace"),
    "a number of numpy": (np.float64(0.9), "numpy"),
    "a path": (Path("x"), "pathlib"),
}


@pytest.mark.parametrize("kind", OLD)
def test_old_pickles_are_refused_with_a_command_that_converts_them(tmp_path: Path, kind: str) -> None:
    beside, culprit = OLD[kind]
    network = models.resnet18(weights=None)
    path = tmp_path / "it's old.pt"
    torch.save({"opt": beside, "state_dict": network.state_dict(), "epoch": 240, "best": {"loss": 0.5}}, path)
    with pytest.raises(UserError) as caught:
        read_tensors(path)
    message = str(caught.value)
    assert f"{path}: holds {culprit}" in message
    assert "sandbox" in message
    _run_command(message, tmp_path, as_a_person=kind == "options")
    made = tmp_path / "it's old.tensors.pth"
    encoder = load_encoder(f"mine={made}")
    assert torch.equal(encoder.network.library().state_dict()["conv1.weight"], network.conv1.weight)


def test_a_whole_module_is_converted_too(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    path = tmp_path / "module.pt"
    torch.save(network, path)
    with pytest.raises(UserError, match=r"holds torch\.nn\.modules") as caught:
        read_tensors(path)
    _run_command(str(caught.value), tmp_path)
    assert set(read_tensors(tmp_path / "module.tensors.pth")) == set(network.state_dict())


def _run_command(message: str, folder: Path, as_a_person: bool = False) -> None:
    """The command that the message ends in, in `folder`: in a shell, or quicker in this process."""
    command = message.splitlines()[-1]
    if as_a_person:
        shell = command.replace("python ", f"{shlex.quote(sys.executable)} ", 1)
        subprocess.run(["sh", "-c", shell], cwd=folder, check=True)
        return
    _, _, code, *arguments = shlex.split(command)
    with contextlib.chdir(folder), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["-c", *arguments])
        exec(compile(code, "command", "exec"), {})
