"""Generators in files: written, read back, and what is refused."""

from __future__ import annotations

import argparse
import json
import pickle
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from cxrbench.foundation.errors import UserError
from cxrbench.foundation.files import sha256_of_file
from cxrbench.pretrain.generator import GeneratorMeta, load_generator, read_generator_meta, save_generator
from cxrbench.pretrain.generator.files import SAVED_BY_US
from cxrbench.pretrain.generator.layouts import RELEASED, ROSINALITY

from .small import draw, small_generator, tensors_in


def _meta(**changes: Any) -> GeneratorMeta:
    generator = small_generator()
    meta = GeneratorMeta(
        "small", "StyleGAN2-architecture autoencoder", generator.spec, "phantoms", "Apache-2.0", synthetic=True
    )
    return replace(meta, **changes)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    generator, path = small_generator(), tmp_path / "g.safetensors"
    written = save_generator(generator, path, _meta())
    assert written == _meta(sha256=sha256_of_file(path))
    again, meta = load_generator(path)
    assert meta == written == read_generator_meta(path)
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in generator.state_dict().items())
    assert not again.training
    assert not any(parameter.requires_grad for parameter in again.parameters())


def test_where_activations_are_cut_is_kept(tmp_path: Path) -> None:
    generator, path = small_generator(), tmp_path / "g.safetensors"
    generator.spec = replace(generator.spec, clamp=0.25)
    save_generator(generator, path, _meta())
    again, meta = load_generator(path)
    assert meta.spec.clamp == 0.25
    # Three resolutions, each adding at most 0.25.
    assert 0.25 < again.synthesis(10 * draw(4, 7).float()).abs().max() <= 0.75


def test_generators_that_hold_nan_are_not_written(tmp_path: Path) -> None:
    generator = small_generator()
    generator.synthesis.b8.conv0.bias[0] = torch.nan  # type: ignore[union-attr, index]
    with pytest.raises(UserError, match=r"1 tensors hold NaN or infinity, first synthesis\.b8\.conv0\.bias"):
        save_generator(generator, tmp_path / "g.safetensors", _meta())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("layout", [RELEASED, ROSINALITY])
@pytest.mark.parametrize("form", ["safetensors", "zip", "legacy", "g_ema"])
def test_state_dicts_of_others_are_read(tmp_path: Path, layout: str, form: str) -> None:
    generator = small_generator(channels=3)
    tensors = tensors_in(layout, generator)
    path = tmp_path / ("g.safetensors" if form == "safetensors" else "g.pt")
    if form == "safetensors":
        save_file(tensors, path)
    elif form == "g_ema":
        beside = {"args": argparse.Namespace(lr=0.002), "g": tensors_in(layout, small_generator(channels=3, seed=4))}
        mean = tensors.pop("latent_avg", None)
        torch.save({**beside, "g_ema": tensors, **({} if mean is None else {"latent_avg": mean[None]})}, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=form == "zip")
    again, meta = load_generator(path)
    w = draw(2, 7).float()
    assert torch.equal(again.synthesis(w, "fixed"), generator.synthesis(w, "fixed"))
    assert torch.equal(again.w_avg, generator.w_avg)
    assert (meta.name, meta.kind, meta.trained_on, meta.synthetic) == ("g", "StyleGAN2", "not stated", False)
    assert meta.sha256 == sha256_of_file(path)
    assert read_generator_meta(path) == meta


def _saved(path: Path, **changes: Any) -> None:
    """A file of ours whose description of itself was changed."""
    save_generator(small_generator(), path, _meta())
    about = {"schema_version": 1, "name": "small", "kind": "StyleGAN2", "trained_on": "", "licence": ""}
    about |= {"synthetic": False, "spec": vars(small_generator().spec), **changes}
    tensors = tensors_in(RELEASED, small_generator())
    save_file(tensors, path, metadata={SAVED_BY_US: json.dumps(about)})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema_version": 2}, "written with version 2 of the format, and 1 is read"),
        ({"kind": "diffusion"}, "what it says of itself .* is damaged"),
        ({"name": 3}, "what it says of itself .* is damaged"),
        ({"synthetic": "no"}, "what it says of itself .* is damaged"),
        ({"spec": {"resolution": 16, "sides": 3}}, "what it says of itself .* is damaged"),
        ({"spec": {"resolution": 24}}, "what it says of itself .* is damaged"),
        ({"spec": {"resolution": 32}}, "what it says of itself .* is damaged"),
    ],
)
def test_files_that_say_what_is_not_so_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = tmp_path / "g.safetensors"
    _saved(path)
    load_generator(path)
    _saved(path, **changes)
    for read in (load_generator, read_generator_meta):
        with pytest.raises(UserError, match=words) as refused:
            read(path)
        assert "\n" not in str(refused.value)


def test_metadata_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "g.safetensors"
    save_file(tensors_in(RELEASED, small_generator()), path, metadata={SAVED_BY_US: "{"})
    with pytest.raises(UserError, match="version None of the format"):
        read_generator_meta(path)


@pytest.mark.parametrize("form", ["safetensors", "zip", "legacy"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_truncated_files_are_refused_in_one_line(tmp_path: Path, form: str, share: float) -> None:
    path = tmp_path / "g.pt"
    if form == "safetensors":
        save_file(tensors_in(RELEASED, small_generator()), path)
    else:
        torch.save(tensors_in(RELEASED, small_generator()), path, _use_new_zipfile_serialization=form == "zip")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    for read in (load_generator, read_generator_meta):
        with pytest.raises(UserError, match="truncated, or another format") as refused:
            read(path)
        assert "\n" not in str(refused.value)


def test_what_is_no_generator_is_refused(tmp_path: Path) -> None:
    for name, content, words in (
        ("page", b"<!DOCTYPE html>", "neither safetensors nor a file of torch.save"),
        ("empty", b"", "neither safetensors nor a file of torch.save"),
        ("pickle", pickle.dumps({"G_ema": 1}), "cxrbench generator convert .*pickle pickle.safetensors"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=words):
            load_generator(tmp_path / name)
    for name in ("absent", "."):
        with pytest.raises(UserError, match="cannot be read"):
            load_generator(tmp_path / name)
    torch.save({"epoch": 3}, tmp_path / "other.pt")
    with pytest.raises(UserError, match="holds no named tensors"):
        load_generator(tmp_path / "other.pt")


def test_weights_that_are_nan_are_refused(tmp_path: Path) -> None:
    tensors = tensors_in(ROSINALITY, small_generator())
    tensors["conv1.activate.bias"][2] = torch.inf
    torch.save(tensors, tmp_path / "g.pt")
    with pytest.raises(UserError, match=r"hold NaN or infinity, first conv1\.activate\.bias"):
        load_generator(tmp_path / "g.pt")


def test_programs_in_state_dicts_are_refused(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "exploded",))

    torch.save({**tensors_in(RELEASED, small_generator()), "more": Bomb()}, tmp_path / "g.pt")
    with pytest.raises(UserError, match="not only tensors, and was not opened"):
        load_generator(tmp_path / "g.pt")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"mapping.w_avg": torch.zeros(2, device="meta")}, "sparse or without its numbers"),
        ({"mapping.w_avg": torch.zeros(2).to_sparse()}, "sparse or without its numbers"),
        ({"synthesis.b4.conv1.noise_strength": torch.tensor(1e300, dtype=torch.float64)}, "hold NaN or infinity"),
        ({"synthesis.b4.conv1.noise_strength": torch.tensor(1)}, "1 of .* hold no floating-point numbers"),
        ({"two\nlines\x1b[2J" + 500 * "x": torch.zeros(1)}, r"1 unexpected: two\\nlines\\x1b\[2Jx{137}$"),
        ({f"mapping.fc{5000 * '1'}.weight": torch.zeros(1)}, "1 unexpected: mapping.fc1{140}$"),
    ],
)
def test_odd_tensors_are_one_line(tmp_path: Path, more: dict[str, torch.Tensor], words: str) -> None:
    torch.save({**tensors_in(RELEASED, small_generator()), **more}, tmp_path / "g.pt")
    with pytest.raises(UserError, match=words) as refused:
        load_generator(tmp_path / "g.pt")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["style.{}.weight", "to_rgbs.{}.conv.weight"])
def test_numbers_of_layers_that_are_no_numbers_are_one_line(tmp_path: Path, name: str) -> None:
    tensors = {"input.input": torch.zeros(1, 8, 4, 4), name.format(5000 * "1"): torch.zeros(1)}
    torch.save(tensors, tmp_path / "g.pt")
    with pytest.raises(UserError, match="without layers that make an image"):
        load_generator(tmp_path / "g.pt")


def test_a_dictionary_that_holds_itself_is_refused(tmp_path: Path) -> None:
    content: dict[str, Any] = {}
    content["state_dict"] = content
    torch.save(content, tmp_path / "g.pt")
    with pytest.raises(UserError, match="holds no named tensors"):
        load_generator(tmp_path / "g.pt")


def test_bytes_that_a_file_would_have_made_are_refused(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (bytearray, (10**13,))

    for archive in (True, False):
        torch.save({"w": Bomb()}, tmp_path / "g.pt", _use_new_zipfile_serialization=archive)
        with pytest.raises(UserError, match=r"holds builtins\.bytearray, not only tensors"):
            load_generator(tmp_path / "g.pt")


def test_archives_and_views_that_would_fill_the_memory_are_refused(tmp_path: Path) -> None:
    torch.save({"synthesis.b4.const": torch.zeros(1).expand(10**7, 1000)}, tmp_path / "view.pt")
    with pytest.raises(UserError, match="would take 40,000,000,000 bytes, more than the file has"):
        load_generator(tmp_path / "view.pt")
    torch.save(tensors_in(RELEASED, small_generator()), tmp_path / "plain.pt")
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        zipfile.ZipFile(tmp_path / "packed.pt", "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for entry in plain.namelist():
            packed.writestr(entry, plain.read(entry))
        packed.writestr("plain/data/bomb", bytes(10**8))
    with pytest.raises(UserError, match="is an archive that unpacks to 100,"):
        load_generator(tmp_path / "packed.pt")
