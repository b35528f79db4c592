"""An encoder that was saved comes back without being described again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder, save_encoder


def test_saved_encoders_come_back_whole(tmp_path: Path):
    path = tmp_path / "mine.safetensors"
    encoder = load_encoder("timm:resnet10t", seed=4).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    save_encoder(encoder, path, trained_on="ten phantoms", licence="CC0-1.0")
    again = load_encoder(f"mine={path}")
    images = torch.rand(2, 1, 64, 64)
    torch.testing.assert_close(again(images), encoder(images))
    assert (again.meta.arch, again.meta.mean, again.meta.input_size) == (
        "timm:resnet10t",
        encoder.meta.mean,
        encoder.meta.input_size,
    )
    assert (again.meta.trained_on, again.meta.licence, again.meta.seed) == ("ten phantoms", "CC0-1.0", None)


def test_a_saved_normalisation_that_is_not_the_usual_one_holds(tmp_path: Path):
    path = tmp_path / "mine.safetensors"
    encoder = load_encoder("timm:resnet10t")
    encoder.meta = replace(encoder.meta, mean=(0.1, 0.2, 0.3), std=(1.0, 1.0, 1.0))
    save_encoder(encoder, path, trained_on="nothing")
    assert load_encoder(f"mine={path}").meta.mean == (0.1, 0.2, 0.3)


def test_saved_names_are_those_of_the_library(tmp_path: Path):
    path = tmp_path / "mine.safetensors"
    save_encoder(load_encoder("resnet18_scratch"), path, trained_on="nothing")
    assert {"conv1.weight", "layer4.1.bn2.running_var"} <= set(load_file(path))


def test_a_description_that_lacks_something_is_named(tmp_path: Path):
    path = tmp_path / "mine.safetensors"
    save_encoder(load_encoder("resnet18_scratch"), path, trained_on="nothing")
    save_file(load_file(path), path, metadata={"cxrbench": json.dumps({"arch": "resnet18"})})
    with pytest.raises(UserError, match="metadata entry 'cxrbench' lacks 'channels'"):
        load_encoder(f"mine={path}")


def test_saving_leaves_nothing_half_written(tmp_path: Path):
    path = tmp_path / "file" / "mine.safetensors"
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        save_encoder(load_encoder("timm:resnet10t"), path, trained_on="nothing")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
