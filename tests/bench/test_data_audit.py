"""`cxrbench data audit`: the traps of published work in small, each found; command, message and exit code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from benchmarks.planted_leaks import write
from cxrbench.bench.cli import app
from cxrbench.data import load, read_image
from cxrbench.data.audit import side_of
from cxrbench.data.cache_kinds import CACHE_KINDS
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.foundation.errors import UserError

from .conftest import Cli

ENCODER = """# PCRL-style
title = "mine"
arch = "resnet18"
channels = 1
mean = [0.5]
std = [0.25]
initialisation = "kaiming"
"""


def _audit(cache: Path, *arguments: object) -> Result:
    result = CliRunner().invoke(app, ["data", "audit", *map(str, arguments), "--cache", str(cache)])
    if isinstance(result.exception, UserError):
        raise result.exception
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def _listed(path: Path, *names: str) -> Path:
    path.write_text("\n".join(f"{name}.png" for name in names))
    return path


@pytest.fixture(scope="module")
def nih(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("nih") / "nih14"
    write_phantom_dataset("nih14", root, 40, 64, rib_free=False)
    return root


@pytest.fixture(scope="module")
def rsna(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rsna") / "rsna"
    write_phantom_dataset("rsna_pneumonia", root, 24, 64, rib_free=False)
    return root


def _rows(path: Path) -> list[str]:
    return path.read_text().split()


def test_a_clean_dataset_has_no_leak(nih: Path, cache: Path) -> None:
    result = _audit(cache, f"nih14={nih}")
    assert result.exit_code == 0, result.output
    assert "same patient: none" in result.output
    assert result.output.endswith("no leak found\n")
    assert "synthetic phantom" in result.output


def test_thumbnails_go_to_the_cache_of_the_configuration(
    nih: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cxrbench.toml").write_text('cache = "kept here"\n')
    result = CliRunner().invoke(app, ["data", "audit", f"nih14={nih}"])
    assert result.exit_code == 0, result.output
    assert list((tmp_path / "kept here" / "audit").glob("*/values.npy"))


def test_a_validation_list_that_is_the_test_list(nih: Path, tmp_path: Path, cache: Path) -> None:
    names = _rows(nih / "test_list.txt")
    (tmp_path / "val.txt").write_text("\n".join(names))
    result = _audit(cache, tmp_path / "val.txt", "--against", nih / "test_list.txt")
    assert result.exit_code == 1
    assert f"same image: {len(names)} images on both sides (LEAK)" in result.output
    assert "bit-equal pixels: not compared (val.txt and test_list.txt only name images)" in result.output
    assert f"has {len(names)} listed images" in result.output


def test_a_pair_of_nih_lists_that_share_images(nih: Path, tmp_path: Path, cache: Path) -> None:
    train, test = _rows(nih / "train_val_list.txt"), _rows(nih / "test_list.txt")
    assert _audit(cache, nih / "train_val_list.txt", "--against", nih / "test_list.txt").exit_code == 0
    (tmp_path / "train.txt").write_text("\n".join([*train, test[0]]))
    result = _audit(cache, tmp_path / "train.txt", "--against", nih / "test_list.txt")
    assert result.exit_code == 1
    assert f"A {test[0]}" in result.output


def test_a_pretraining_list_with_test_images_marks_the_encoder(nih: Path, tmp_path: Path, cache: Path) -> None:
    test = _rows(nih / "test_list.txt")
    (tmp_path / "train.txt").write_text(
        "".join(f"images/{name} 0 0 1 0\n" for name in test[:3]) + "99999999_000.png 0 1\n"
    )
    encoder = tmp_path / "mine.toml"
    encoder.write_text(ENCODER)
    out = tmp_path / "found.json"
    result = _audit(cache, f"nih14={nih}", "--against", tmp_path / "train.txt", "--encoder", encoder, "--json", out)
    assert result.exit_code == 1
    assert "OVERLAP: train.txt has 3 test images" in result.output
    assert "\nbit-equal pixels: not compared (train.txt only names images)\n" in result.output
    assert "\nnear-duplicates: not compared (train.txt only names images)\n" in result.output
    assert "nih14 added to contamination" in result.output
    assert encoder.read_text() == ENCODER + 'contamination = ["nih14"]\n'
    found = json.loads(out.read_text())
    assert found["leak"] is True
    assert found["images_shared"] == {"test": 3}
    assert list(found["not_compared"]) == ["bit-equal pixels", "near-duplicates"]
    assert found["encoder"]["added"] is True
    kinds = {each["kind"]: each["groups"] for each in found["findings"]}
    assert kinds["same image"] == 3
    again = _audit(cache, f"nih14={nih}", "--against", tmp_path / "train.txt", "--encoder", encoder)
    assert "nih14 is in its contamination already" in again.output


def test_an_encoder_without_overlap_is_left_as_it_is(nih: Path, tmp_path: Path, cache: Path) -> None:
    encoder = tmp_path / "mine.toml"
    encoder.write_text(ENCODER)
    listed = _listed(tmp_path / "train.txt", "99999998_000", "99999999_000")
    result = _audit(cache, f"nih14={nih}", "--against", listed, "--encoder", encoder)
    assert result.exit_code == 0, result.output
    assert result.output.endswith(f"no overlap found by id\n{encoder}: left as it is\n")
    assert encoder.read_text() == ENCODER


def test_train_images_in_a_pretraining_list_are_no_leak(nih: Path, tmp_path: Path, cache: Path) -> None:
    encoder, out = tmp_path / "mine.toml", tmp_path / "found.json"
    encoder.write_text(ENCODER)
    listed = tmp_path / "train.txt"
    listed.write_text("\n".join(_rows(nih / "train_val_list.txt")[:3]))
    result = _audit(cache, f"nih14={nih}", "--against", listed, "--encoder", encoder, "--json", out)
    assert result.exit_code == 0, result.output
    assert "same image: 3 images on both sides: 3 train\n" in result.output
    assert "\noverlap with train images only: no test image or test patient of nih14 is shared\n" in result.output
    assert f"{encoder}: left as it is, no test image or test patient of nih14 is shared\n" in result.output
    assert encoder.read_text() == ENCODER
    found = json.loads(out.read_text())
    assert (found["leak"], found["train_only"], found["images_shared"]) == (False, True, {"train": 3})


def test_another_image_of_a_test_patient_in_a_pretraining_list_is_a_leak(
    nih: Path, tmp_path: Path, cache: Path
) -> None:
    patient = _rows(nih / "test_list.txt")[0][:8]
    listed = _listed(tmp_path / "train.txt", f"{patient}_999", "99999999_000")
    result = _audit(cache, f"nih14={nih}", "--against", listed)
    assert result.exit_code == 1
    assert "same image: none" in result.output
    assert "same patient: 1 patient on both sides, 1 of them with test or val images (LEAK)" in result.output
    assert result.output.endswith("OVERLAP: train.txt has 1 patient of nih14\n")


def test_a_pair_known_by_id_is_not_listed_again_by_its_pixels(nih: Path, tmp_path: Path, cache: Path) -> None:
    pictures = {path.name: path for path in nih.rglob("*.png") if "phantom" not in path.relative_to(nih).parts}
    (tmp_path / "b").mkdir()
    name = _rows(nih / "test_list.txt")[0]
    (tmp_path / "b" / name).write_bytes(pictures[name].read_bytes())
    result = _audit(cache, f"nih14={nih}", "--against", tmp_path / "b")
    assert result.exit_code == 1
    assert "same image: 1 image on both sides: 1 test (LEAK)" in result.output
    assert "bit-equal pixels: 1 image on both sides: 1 test (LEAK); listed above\n" in result.output
    assert result.output.count(f"B {name}") == 2, "under same image and same patient"
    assert max(map(len, result.output.replace(str(tmp_path), "").replace(str(nih), "").splitlines())) <= 80


def test_listed_images_that_are_not_on_disk_are_counted(tmp_path: Path, cache: Path) -> None:
    root = tmp_path / "nih14"
    write_phantom_dataset("nih14", root, 12, 64, rib_free=False)
    gone = next(path for path in sorted(root.rglob("*.png")))
    gone.unlink()
    result = _audit(cache, f"nih14={root}")
    assert "note: nih14: 1 listed image is not on disk and compared by name only\n" in result.output


def test_rib_free_twins_of_a_phantom_are_left_out_of_its_folder(tmp_path: Path, cache: Path) -> None:
    root = tmp_path / "mine" / "six_class"
    write_phantom_dataset("six_class", root, 18, 64, rib_free=True)
    assert (root / "phantom" / "rib_free").is_dir()
    for folder in (root, root.parent):
        result = _audit(cache, folder)
        assert f"{folder}, 18 images" in result.output
        assert "below the phantom's own folder phantom/ left out" in " ".join(result.output.split())
        assert "near-duplicates: none" in result.output


def test_two_phantoms_are_told_to_share_anatomy(nih: Path, rsna: Path, cache: Path) -> None:
    result = _audit(cache, f"nih14={nih}", "--against", f"rsna_pneumonia={rsna}")
    assert "phantoms of equal seed share anatomy" in " ".join(result.output.split())
    alone = _audit(cache, f"nih14={nih}")
    assert "share anatomy" not in alone.output


def test_the_cache_says_what_was_audited(nih: Path, tmp_path: Path) -> None:
    _audit(tmp_path, f"nih14={nih}")
    entry = next(path.parent for path in (tmp_path / "audit").glob("*/values.npy"))
    assert CACHE_KINDS["audit"].about(entry) == "nih14, 40 images"


def test_rsna_images_of_nih_patients(rsna: Path, tmp_path: Path, cache: Path) -> None:
    mapping = next(rsna.glob("*mapping*"), None)
    assert mapping is not None, "the phantom has the official mapping file"
    tested = side_of(load("rsna_pneumonia", rsna)).images.query("split == 'test' and nih_id != ''")["nih_id"]
    first = next(each for each in json.loads(mapping.read_text()) if each["img_id"].startswith(tested.iloc[0]))
    image, patient = first["img_id"].removesuffix(".png"), first["img_id"][:8]
    listed = _listed(tmp_path / "nih_train.txt", image, "99999999_000")
    result = _audit(cache, f"rsna_pneumonia={rsna}", "--against", listed)
    assert result.exit_code == 1
    assert "same image: 1 image on both sides: 1 test (LEAK)" in result.output
    other = _listed(tmp_path / "follow_up.txt", f"{patient}_999")
    result = _audit(cache, f"rsna_pneumonia={rsna}", "--against", other)
    assert result.exit_code == 1
    assert f"  patient {patient}:\n" in result.output


def test_copies_and_a_patient_on_two_sides_of_a_split(tmp_path: Path, cache: Path) -> None:
    root = tmp_path / "mine"
    write_phantom_dataset("six_class", tmp_path / "phantom", 30, 96, rib_free=False)
    suffixes = (".png", ".jpeg", ".jpg")
    picture = next(path for path in sorted((tmp_path / "phantom").rglob("*")) if path.suffix in suffixes)
    image = read_image(picture)
    rows = ["image,label,patient_id,split"]
    (root / "images").mkdir(parents=True)
    classes = ("normal", "nodule", "consolidation", "interstitial_opacity", "pleural_effusion", "pneumothorax")
    noise = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in classes:
            write(root / "images" / f"{split}_{name}.png", noise.integers(0, 256, (64, 64)).astype(np.uint8))
            rows.append(f"{split}_{name}.png,{name},{split}{name},{split}")
    write(root / "images" / "a.png", image)
    write(root / "images" / "b.png", image[2:-2, 2:-2])
    rows += ["a.png,normal,anna,train", "b.png,normal,anna,test"]
    (root / "labels.csv").write_text("\n".join(rows) + "\n")
    result = _audit(cache, f"six_class={root}")
    assert result.exit_code == 1
    assert "near-duplicates: 1 group of 2 images on two sides of the split (LEAK)\n  similarity: " in result.output
    assert "same patient: 1 patient of 2 images on two sides of the split (LEAK)" in result.output
    assert result.output.endswith("on two sides of the split of six_class; move each to one side\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.txt"], "nowhere.txt: no such file or folder"),
        (["~no-such-user/list.txt"], "~no-such-user/list.txt: no such file or folder"),
        (["{list}", "--encoder", "{encoder}"], "give what it was pretrained on: --against"),
        (["{list}", "--against", "{list}", "--encoder", "{encoder}"], "A must be a dataset, NAME=PATH"),
        (["{list}", "--json", "{folder}"], "it is a folder; name a file"),
        (["{empty}"], "no image in it"),
    ],
)
def test_wrong_usage_is_named(arguments: list[str], message: str, tmp_path: Path, cli: Cli) -> None:
    _listed(tmp_path / "list.txt", "a", "b")
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "mine.toml").write_text(ENCODER)
    names = {"list": "list.txt", "empty": "empty.txt", "encoder": "mine.toml", "folder": "."}
    done = cli("data", "audit", *(each.format(**names) for each in arguments))
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
