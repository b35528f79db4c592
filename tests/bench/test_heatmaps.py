"""Heatmaps of trials that are trained again, on a small phantom with boxes."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cxrbench import pretrain
from cxrbench.bench import heatmaps as module
from cxrbench.bench.cli import main
from cxrbench.bench.config import RunConfig, run_config
from cxrbench.bench.heatmaps import HeatmapRequest, HeatmapsOfTrials, heatmaps_of_trials
from cxrbench.bench.plan import make_plan
from cxrbench.bench.runner import Runner
from cxrbench.foundation.errors import UserError
from cxrbench.foundation.progress import SilentProgress
from cxrbench.pretrain.encoder import Encoder
from cxrbench.results import Store
from cxrbench.results.pointing_numbers import ALL, MEAN
from cxrbench.tasks.classification import kept_network, localisation

from ..pretrain.tiny_encoder import tiny_encoder
from ..told import Told

SETTINGS = ("image_size=32", "training.epochs=1", "training.batch_size=16", "training.device=cpu")


@pytest.fixture(scope="module")
def nih14(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom of NIH ChestX-ray14 with boxes: 48 images of 64 pixels."""
    from cxrbench.data.phantom.dataset import write_phantom_dataset

    root = tmp_path_factory.mktemp("phantom") / "nih14"
    write_phantom_dataset("nih14", root, 48, 64, rib_free=False)
    return root


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every encoder is as small as one can be; one called `vit` has no stages."""

    def load(spec: str) -> Encoder:
        encoder = tiny_encoder()
        shown = replace(encoder.meta, name=spec, stage_channels=() if spec == "vit" else encoder.meta.stage_channels)
        return Encoder(encoder.network, shown)

    monkeypatch.setattr(pretrain, "load_encoder", load)


def configured(nih14: Path, cache: Path, store: Path, **more: Any) -> RunConfig:
    given = {"encoders": ("tiny",), "tasks": ("nih14",), "data": {"*": str(nih14)}}
    given |= {"cache": cache, "store": store, "protocol": "finetune", **more}
    return run_config(given, SETTINGS, Path("/dev/null"))


def drawn(config: RunConfig, told: Told, **more: Any) -> HeatmapsOfTrials:
    request = HeatmapRequest(**{"fraction": 100.0, "replicate": 0, "labels": (), "images": 2, "tolerance": 0.0, **more})
    return heatmaps_of_trials(config, request, told)


def test_the_network_is_that_of_the_record_and_is_trained_once(
    nih14: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(nih14, cache, tmp_path / "store", fractions=(100.0,), replicates=1)
    store = Store(config.store)
    assert Runner(store, cache, SilentProgress()).run(make_plan(config, store, SilentProgress())) == []
    (record,) = store.records()

    told = Told()
    found = drawn(config, told)
    assert [trial.fingerprint for trial in found.trials] == [record.fingerprint]
    assert told.lines[-1] == f"{found.trials[0].trial}: trained, test auc {record.metrics['auc']:.6f}, as in its record"

    monkeypatch.setattr(kept_network, "train_classifier", None)
    again = drawn(config, told)
    assert "from the cache" in told.lines[-1]
    assert again.numbers == found.numbers

    path = store.path / record.place / "record.json"
    other = json.loads(path.read_text())
    other["metrics"]["auc"] = 0.25
    path.write_text(json.dumps(other))
    drawn(config, told)
    assert told.lines[-1].startswith("WARNING: ")
    assert "not the network of its record: auc is " in told.lines[-1]
    assert "and 0.250000 there (cpu)" in told.lines[-1]


def test_every_boxed_test_image_counts_and_as_many_as_asked_for_are_shown(
    nih14: Path, cache: Path, tmp_path: Path
) -> None:
    from cxrbench.data import load

    radiographs = load("nih14", nih14)
    assert radiographs.boxes is not None
    pairs = radiographs.boxes.drop_duplicates(["sample_id", "label"])
    told = Told()
    found = drawn(configured(nih14, cache, tmp_path / "store"), told)
    everything = next(row for row in found.numbers if row.label == ALL)
    assert (everything.boxes, everything.cases) == (len(radiographs.boxes), len(pairs))
    assert "no record of this trial" in told.lines[-1]
    assert len({row.label for row in found.shown}) == len(found.shown) == 2
    assert (found.columns[0].share, found.mean.label) == (found.mean.share, MEAN)
    label = str(pairs["label"].iloc[0])
    of_label = drawn(configured(nih14, cache, tmp_path / "store"), told, labels=(label,), images=20)
    assert {row.label for row in of_label.shown} == {label}
    assert len(of_label.shown) == (pairs["label"] == label).sum()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": ("siim_acr",)}, "--task siim_acr: heatmaps are of a label, and this is no classification task"),
        ({"encoders": ("vit",)}, "has no feature maps at strides 2, 4, 8, 16 and 32"),
    ],
)
def test_what_has_no_heatmaps_is_named_before_data_is_read(
    change: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "make_plan", None)
    with pytest.raises(UserError, match=message):
        drawn(configured(tmp_path, tmp_path, tmp_path, **change), Told())


def test_a_task_that_is_frozen_only_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cxrbench.tasks.registry import tasks

    task = tasks.get("nih14")
    monkeypatch.setattr(task, "meta", replace(task.meta, protocols=("frozen",)))
    with pytest.raises(UserError, match="--task nih14: heatmaps are of fine-tuned networks"):
        drawn(configured(tmp_path, tmp_path, tmp_path), Told())


def test_a_dataset_without_boxes_is_named_before_anything_is_trained(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cxrbench.data.phantom.dataset import write_phantom_dataset

    root = tmp_path / "pediatric_pneumonia"
    write_phantom_dataset("pediatric_pneumonia", root, 24, 32, rib_free=False)
    monkeypatch.setattr(kept_network, "train_classifier", None)
    with pytest.raises(UserError, match="pediatric_pneumonia: no boxes below"):
        drawn(configured(root, cache, tmp_path, tasks=("pediatric_pneumonia",)), Told())


@pytest.mark.parametrize(
    ("place", "name"), [(kept_network, "train_classifier"), (localisation, "case_maps")], ids=["training", "maps"]
)
def test_a_full_gpu_is_one_line(
    place: ModuleType, name: str, nih14: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(place, name, full)
    with pytest.raises(UserError, match=r"out of memory; lower training.batch_size \(16\) or image_size \(32\)"):
        drawn(configured(nih14, cache, tmp_path), Told(), replicate=1 if place is kept_network else 0)


def cli(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["cxrbench", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        main()
    return int(caught.value.code or 0)


def test_the_command_writes_the_figure_and_its_numbers(
    nih14: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    options = [part for each in SETTINGS for part in ("--set", each)]
    asked = ("--task", "nih14", "--encoder", "tiny", "--data", nih14, "--cache", cache, "--fraction", "100")
    written = ("--out", "heat.png,heat.svg", "--numbers", "heat.csv", "--images", "3")
    assert cli(monkeypatch, "figure", "heatmaps", *asked, *options, *written) == 0
    assert (tmp_path / "heat.png").read_bytes().startswith(b"\x89PNG")
    assert "wrote heat.csv" in capsys.readouterr().err
    with (tmp_path / "heat.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {(line["task"], line["fraction"], line["synthetic"]) for line in lines} == {("nih14", "100.0", "True")}
    assert [line["label"] for line in lines[-2:]] == [ALL, MEAN]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "heat.gif"), "--out heat.gif: .gif is not written"),
        (("--out", "heat.png", "--fraction", "1,10"), "--fraction: a figure shows one, not 2"),
        (("--out", "heat.png", "--fraction", "0"), "--fraction: '0' is not a per cent"),
        (("--out", "heat.png", "--numbers", "old.png/x.csv"), "--numbers old.png/x.csv: cannot write there"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.png").write_bytes(b"")
    asked = ("--task", "nih14", "--encoder", "tiny", *arguments)
    assert cli(monkeypatch, "figure", "heatmaps", *asked) == 2
    assert message in capsys.readouterr().err
