"""What every task must keep to, ours and plug-ins alike."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..foundation.errors import UserError
from .predictions import Predictions
from .task import Context, Task
from .trial import PROTOCOLS, Trial, TrialResult

if TYPE_CHECKING:
    from ..data.images import Images
    from ..data.radiographs import Radiographs
    from ..pretrain.encoder import Encoder


def check_task(task: Task, encoder: Encoder, images: Images, scratch: Path) -> None:
    """Run a task's smallest trials and hold it to the contract of `Task`.

    Args:
        task: configured small enough to run in seconds.
        encoder: any encoder it can run.
        images: its dataset (a phantom serves), at the task's image size and preprocessing.
        scratch: an empty folder.

    Raises AssertionError with the first thing that is wrong.
    """
    meta = task.meta
    assert meta.name, "a task needs a name"
    assert meta.version >= 1, f"{meta.name}: version {meta.version}; versions begin with 1"
    assert meta.main_metric in meta.metrics, f"{meta.name}: main metric {meta.main_metric} is not among its metrics"
    assert set(meta.protocols) <= set(PROTOCOLS), f"{meta.name}: protocols {meta.protocols}"
    assert meta.variants, f"{meta.name}: a task with one variant calls it default"
    assert all(0 < fraction <= 100 for fraction in meta.replicates), f"{meta.name}: fractions {list(meta.replicates)}"
    _check_settings(task)
    for variant in meta.variants:
        trials = [Trial(encoder.meta.name, meta.name, variant, meta.protocols[0], 100, number) for number in (0, 1)]
        _check_split(task, images.radiographs, trials[0])
        context = Context(scratch / "cache")
        results = list(task.run(encoder, iter(trials), images, context))
        assert [each.trial for each in results] == trials, f"{meta.name}: run must give one result a trial, in order"
        alone = next(task.run(encoder, iter(trials[1:]), images, context))
        _check_result(task, images.radiographs, results[1], scratch)
        together, by_itself = (_written(each, scratch) for each in (results[1], alone))
        assert together == by_itself, f"{meta.name}: a trial gives other predictions alone than after another trial"


def _check_settings(task: Task) -> None:
    name = task.meta.name
    trial = Trial("any", name, task.meta.variants[0], task.meta.protocols[0], 100, 0)
    settings = task.settings_of(trial)
    assert json.loads(json.dumps(settings, allow_nan=False)) == settings, f"{name}: settings_of must be plain JSON"
    try:
        task.configured(None, {"no_such_setting": 1}, "--set")
        said = "nothing"
    except UserError as error:
        said = str(error)
    assert "no_such_setting" in said, f"{name}: a setting that does not exist must be named, configured said {said}"
    for preset in task.presets:
        task.configured(preset, {}, "preset")


def _check_split(task: Task, radiographs: Radiographs, trial: Trial) -> None:
    name = task.meta.name
    column = "patient_id" if radiographs.patients_known else "sample_id"
    owner = radiographs.samples[column].to_numpy()
    whole, half = task.split(radiographs, trial), task.split(radiographs, replace(trial, fraction=50))
    other = task.split(radiographs, replace(trial, encoder="another"))
    for role in ("train", "validation", "test"):
        same = np.array_equal(getattr(whole, role), getattr(other, role))
        assert same, f"{name}: the {role} part depends on the encoder"
    assert np.array_equal(whole.test, half.test), f"{name}: the test part depends on the fraction"
    assert len(half.train) <= len(whole.train), f"{name}: half of the patients give more images than all of them"
    sides = [set(owner[getattr(whole, role)]) for role in ("train", "validation", "test")]
    disjoint = not (sides[0] & sides[1] or sides[0] & sides[2] or sides[1] & sides[2])
    assert disjoint, f"{name}: a {column} is on two sides"


def _written(result: TrialResult, scratch: Path) -> bytes:
    path = scratch / "predictions.parquet"
    result.predictions.write(path)
    return path.read_bytes()


def _check_result(task: Task, radiographs: Radiographs, result: TrialResult, scratch: Path) -> None:
    name = task.meta.name
    expected = set(radiographs.samples["sample_id"].to_numpy()[task.split(radiographs, result.trial).test])
    assert result.predictions.table["sample_id"].is_unique, f"{name}: two rows of the predictions have one id"
    found = set(task.samples_of(result.predictions))
    assert found == expected, f"{name}: predictions must have a row for every test sample and no other"
    path = scratch / "predictions.parquet"
    result.predictions.write(path)
    metrics = task.score(result.predictions)
    assert metrics == task.score(Predictions.read(path)), f"{name}: scores change when predictions are read back"
    assert task.meta.main_metric in metrics, f"{name}: score lacks the main metric"
    finite = all(value is None or np.isfinite(value) for value in metrics.values())
    assert finite, f"{name}: a metric is NaN or infinite; undefined ones are None"
    for each in task.compare(result.predictions, result.predictions):
        assert each.difference in (0.0, None), f"{name}: {each.metric} of equal predictions differs"
