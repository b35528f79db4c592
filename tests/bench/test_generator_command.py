"""`cxrbench generator convert`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from cxrbench.bench.commands.generator import app
from cxrbench.foundation.errors import UserError
from cxrbench.foundation.files import sha256_of_file
from cxrbench.pretrain.generator import load_generator, read_generator_meta
from cxrbench.pretrain.generator.layouts import ROSINALITY
from tests.pretrain.generator.released import Call, write_released
from tests.pretrain.generator.small import draw, small_generator, tensors_in

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command in this process, in an empty folder; errors are raised."""
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(app, ["convert", *(str(each) for each in arguments)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


def test_a_pickle_of_the_release_becomes_a_file_that_gives_the_same_images(run: Run) -> None:
    generator = small_generator(32, channels=3)
    write_released(Path("network.pkl"), generator, Path("exploded"))
    told = run("network.pkl", "g.safetensors", "--name", "chest", "--trained-on", "VinDr", "--licence", "CC0").output
    again, meta = load_generator(Path("g.safetensors"))
    w = draw(2, 7).float()
    assert torch.equal(again.synthesis(w, "fixed"), generator.synthesis(w, "fixed"))
    assert torch.equal(again.w_avg, generator.w_avg)
    assert (meta.name, meta.kind, meta.trained_on, meta.licence) == ("chest", "StyleGAN2", "VinDr", "CC0")
    assert meta.spec.clamp == 256
    assert "g.safetensors: chest, StyleGAN2, 32 px, 3 channels, 8 layers" in told
    assert sha256_of_file(Path("g.safetensors")) in told
    assert not Path("exploded").exists()


def test_a_state_dict_of_rosinalitys_is_converted(run: Run) -> None:
    generator = small_generator()
    torch.save({"g_ema": tensors_in(ROSINALITY, generator)}, "550000.pt")
    told = run("550000.pt", "g.safetensors").output
    assert "550000, StyleGAN2, 16 px, 1 channel, 6 layers" in told
    assert "trained on: not stated; licence: not stated" in told
    assert torch.equal(load_generator(Path("g.safetensors"))[0].w_avg, generator.w_avg)
    # And what is ours already keeps what it says, but for what is given.
    run("g.safetensors", "h.safetensors", "--licence", "MIT")
    meta = read_generator_meta(Path("h.safetensors"))
    assert (meta.name, meta.licence) == ("550000", "MIT")


def test_programs_are_refused_and_nothing_is_written(run: Run) -> None:
    write_released(Path("bomb.pkl"), small_generator(8), Path("exploded"), more=Call(os.system, "touch exploded"))
    with pytest.raises(UserError, match=r"bomb.pkl: holds posix.system, .*; nothing in it was run"):
        run("bomb.pkl", "g.safetensors")
    assert [path.name for path in Path().iterdir()] == ["bomb.pkl"]


def test_wrong_use_is_told_before_anything_is_read(run: Run) -> None:
    generator = small_generator(4)
    torch.save(generator.state_dict(), "g.pt")
    Path("file").touch()
    for given, words in (
        (("g.pt", "g.bin"), "name a file that ends in .safetensors"),
        (("absent.pkl", "g.safetensors"), "absent.pkl: cannot be read: No such file or directory"),
        (("g.pt", "file/g.safetensors"), "is a file, not a folder"),
    ):
        with pytest.raises(UserError, match=words):
            run(*given)
    run("g.pt", "g.safetensors")
    with pytest.raises(UserError, match="is FILE itself"):
        run("g.safetensors", "g.safetensors")
