"""What a run does with images that an encoder saw, that cannot be read, and with ids that must stay private."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.results import Store

from .conftest import Cli

ENCODER = """title = "pretrained on a list"
arch = "resnet18"
channels = 1
mean = [0.5]
std = [0.25]
initialisation = "kaiming"
{more}
"""
FROZEN = ("--protocol", "frozen", "--fractions", "100", "--replicates", "1", "--set", "image_size=32")


@pytest.fixture(scope="module")
def nih(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("nih") / "nih14"
    write_phantom_dataset("nih14", root, 90, 64, rib_free=False)
    return root


@pytest.fixture(scope="module")
def rsna(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("rsna") / "rsna"
    write_phantom_dataset("rsna_pneumonia", root, 60, 64, rib_free=False)
    return root


def test_a_pretraining_list_with_test_images_marks_the_records_and_the_table(
    cli: Cli, nih: Path, cache: Path, tmp_path: Path
) -> None:
    tests = (nih / "test_list.txt").read_text().split()
    (tmp_path / "list.txt").write_text("\n".join(tests[:7]))
    (tmp_path / "mine.toml").write_text(ENCODER.format(more='pretraining_images = "list.txt"'))
    run = ("run", "--encoder", "mine=mine.toml,resnet18_scratch", "--task", "nih14", "--data", nih, *FROZEN)
    ran = cli(*run, "--cache", cache)
    assert ran.returncode == 0, ran.stderr
    words = f"the list of pretraining images of mine holds 7 of {len(tests)} test images"
    assert words in " ".join(ran.stderr.split())
    records = {record.encoder: record for record in Store(tmp_path / "cxrbench-results").records()}
    assert records["mine"].contaminated
    assert any(words in note for note in records["mine"].notes)
    assert not records["resnet18_scratch"].contaminated
    table = cli("table", "--store", "cxrbench-results")
    assert "saw images of this dataset" in " ".join(table.stdout.split())


def test_rsna_counts_as_seen_by_an_encoder_that_was_pretrained_on_nih(
    cli: Cli, rsna: Path, cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(ENCODER.format(more='contamination = ["nih14"]'))
    ran = cli(
        "run", "--encoder", "mine=mine.toml", "--task", "rsna_pneumonia", "--data", rsna, *FROZEN, "--cache", cache
    )
    assert ran.returncode == 0, ran.stderr
    assert "pretrained on nih14, which has images of nih14 in common with rsna_pneumonia" in " ".join(
        ran.stderr.split()
    )
    (record,) = Store(tmp_path / "cxrbench-results").records()
    assert record.contaminated


def test_unreadable_images_stop_a_run_before_training_or_are_left_out_and_marked(
    cli: Cli, cache: Path, tmp_path: Path
) -> None:
    root = tmp_path / "nih14"
    write_phantom_dataset("nih14", root, 90, 64, rib_free=False)
    images = sorted(root.rglob("*.png"))[:3]
    images[0].unlink()
    images[1].write_bytes(images[1].read_bytes()[:200])
    images[2].write_bytes(b"")
    run = ("run", "--encoder", "resnet18_scratch", "--task", "nih14", "--data", root, *FROZEN, "--cache", cache)
    ran = cli(*run)
    assert ran.returncode == 2
    assert f"no image {images[0].stem}, though a table lists it" in ran.stderr
    assert "--skip-unreadable" in ran.stderr
    assert not list((tmp_path / "cxrbench-results").rglob("record.json"))

    ran = cli(*run, "--skip-unreadable")
    assert ran.returncode == 0, ran.stderr
    assert "nih14: 3 left out (--skip-unreadable)" in ran.stderr
    (record,) = Store(tmp_path / "cxrbench-results").records()
    assert record.left_out == 3
    assert {each["sample_id"] for each in record.split["left_out"]} == {image.stem for image in images}
    assert "3 images left out (--skip-unreadable)" in cli("table", "--store", "cxrbench-results").stdout


def test_with_a_salt_no_id_of_a_patient_or_image_is_stored(cli: Cli, nih: Path, cache: Path, tmp_path: Path) -> None:
    run = ("run", "--encoder", "resnet18_scratch", "--task", "nih14", "--data", nih, *FROZEN, "--cache", cache)
    assert cli(*run, "--store", "plain").returncode == 0
    assert cli(*run, "--store", "private", "--hash-ids", "a secret of ours").returncode == 0
    (plain,), (private,) = (list(Store(tmp_path / name).records()) for name in ("plain", "private"))
    assert plain.metrics == private.metrics
    assert plain.fingerprint != private.fingerprint
    known = Store(tmp_path / "plain").predictions(plain).table
    stored = Store(tmp_path / "private").predictions(private).table
    for column in ("sample_id", "patient_id", "study_id"):
        assert stored[column].str.fullmatch("[0-9a-f]{16}").all()
        assert (pd.factorize(stored[column])[0] == pd.factorize(known[column])[0]).all()
    everything = b"".join(path.read_bytes() for path in (tmp_path / "private").rglob("*") if path.is_file())
    assert not any(name.encode() in everything for name in known["sample_id"])
    assert b"a secret of ours" not in everything
    assert json.dumps(private.dataset)


def test_a_salt_that_is_easily_guessed_is_refused(cli: Cli, nih: Path) -> None:
    ran = cli("run", "--encoder", "resnet18_scratch", "--task", "nih14", "--data", nih, "--hash-ids", "abc")
    assert ran.returncode == 2
    assert "--hash-ids: " in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


def test_weights_of_another_hash_are_noted_and_mark_the_record_and_the_table(
    cli: Cli, nih: Path, cache: Path, tmp_path: Path
) -> None:
    import torch
    from torchvision import models

    torch.manual_seed(0)
    torch.save(models.resnet18(weights=None).state_dict(), tmp_path / "mine.pth")
    described = ENCODER.replace("channels = 1", "channels = 3").replace("[0.5]", "[0.5, 0.5, 0.5]")
    described = described.replace("[0.25]", "[0.25, 0.25, 0.25]").replace('initialisation = "kaiming"\n', "")
    weights = '[weights]\nfile = "mine.pth"\nsha256 = "0123456789abcdef"'
    (tmp_path / "mine.toml").write_text(described.format(more=weights))
    ran = cli("run", "--encoder", "mine=mine.toml", "--task", "nih14", "--data", nih, *FROZEN, "--cache", cache)
    assert ran.returncode == 0, ran.stderr
    assert "WARNING: mine: mine.pth (bare names; left out: fc (2)); unverified" in " ".join(ran.stderr.split())
    (record,) = Store(tmp_path / "cxrbench-results").records()
    assert record.unverified
    assert "that of the published file with 0123456789ab" in record.weights["weights"]
    assert "Unverified weights" in " ".join(cli("table", "--store", "cxrbench-results").stdout.split())
