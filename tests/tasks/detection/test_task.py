"""Detection tasks as their TOMLs describe them, their settings and their checks."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from cxrbench.data.radiographs import Radiographs
from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder
from cxrbench.tasks.detection.settings import DetectionSettings
from cxrbench.tasks.detection.task import DetectionTask, from_definition
from cxrbench.tasks.registry import TaskDefinition, tasks
from cxrbench.tasks.trial import Trial
from tests.tasks.detection.model.small import PRESETS

NAMES = ("coco_detection", "siim_covid")


def task_of(name: str) -> DetectionTask:
    task = tasks.get(name)
    assert isinstance(task, DetectionTask)
    return task


def trial(variant: str) -> Trial:
    return Trial("any", "siim_covid", variant, "finetune", 100, 0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_those_of_the_detector(name: str, preset: str) -> None:
    detection = task_of(name).configured(preset, {}, "test").settings.detection.model_dump()
    assert {key: detection[key] for key in PRESETS[preset]} == PRESETS[preset]


@pytest.mark.parametrize("name", NAMES)
def test_the_defaults_are_mocos_protocol_with_detectron2s_optimiser(name: str) -> None:
    task = task_of(name)
    assert task.configured("moco", {}, "test").settings == task.settings
    training = task.settings.training
    assert (training.optimiser, training.lr, training.momentum, training.weight_decay) == ("sgd", 0.02, 0.9, 1e-4)
    assert (training.batch_size, training.schedule, training.clip) == (16, "cosine", 10)
    assert task.configured("detectron2", {}, "test").settings.training.schedule == "steps"
    assert (task.meta.variants, task.meta.protocols) == (("c4", "dc5"), ("finetune",))
    assert (task.meta.main_metric, task.meta.tests) == ("map50", ("pool t", "permutation"))
    assert (task.image_size, dict(task.meta.replicates)) == (512, {100.0: 1})


def test_settings_of_a_trial_leave_out_where_it_runs_and_what_the_other_head_needs() -> None:
    task = task_of("siim_covid")
    c4, dc5 = task.settings_of(trial("c4")), task.settings_of(trial("dc5"))
    assert "device" not in c4["training"]
    assert c4["training"]["precision"] in ("float32", "bf16")
    assert set(c4["detection"]) - set(dc5["detection"]) == {"extra_batch_norm"}
    assert c4["labels"] == ["opacity"]


def test_engine_and_anchors_can_be_set_and_misspellings_are_named() -> None:
    task = task_of("siim_covid").configured(None, {"detection.engine": "detectron2"}, "--set")
    assert task.settings.detection.engine == "detectron2"
    with pytest.raises(UserError, match=r"--set: .*detection\.engin.*detection\.engine"):
        task.configured(None, {"detection.engin": "detectron2"}, "--set")
    with pytest.raises(UserError, match=r"preset"):
        task.configured("mocco", {}, "--set")
    with pytest.raises(UserError, match="variant"):
        task.check("finetune", "c5")
    with pytest.raises(UserError, match="protocol"):
        task.check("frozen", "c4")


def test_an_encoder_that_does_not_fit_is_refused_before_anything_runs() -> None:
    task = task_of("siim_covid")
    encoder = load_encoder("resnet18_scratch")
    for variant in task.meta.variants:
        task.check_encoder(encoder, trial(variant))
    with pytest.raises(UserError, match="random weights"):
        task.configured("detectron2", {}, "test").check_encoder(encoder, trial("c4"))


def test_another_variant_is_refused() -> None:
    values = {"name": "mine", "version": 1, "title": "t", "family": "detection", "dataset": "siim_covid"}
    values |= {"main_metric": "map50", "tests": [], "replicates": {"100": 1}, "variants": ["fpn"]}
    with pytest.raises(UserError, match="fpn"):
        from_definition(TaskDefinition.model_validate(values))


def test_selection_drops_unboxed_siblings_and_finds_bad_boxes() -> None:
    names = ["a", "b", "c"]
    samples = pd.DataFrame({"sample_id": names, "patient_id": names, "study_id": names, "path": "x.png"})
    samples["unboxed_sibling"] = [False, True, False]
    boxes = pd.DataFrame([("a", "opacity", 1.0, 2.0, 3.0, 4.0)], columns=["sample_id", "label", "x1", "y1", "x2", "y2"])
    data = Radiographs("siim_covid", Path("somewhere"), samples, ("negative",), True, boxes=boxes)
    assert task_of("siim_covid").select(data).samples["sample_id"].tolist() == ["a", "c"]
    boxes["x2"] = 1.0
    with pytest.raises(UserError, match="inverted or has no area"):
        task_of("siim_covid").select(data)
    # Where no labels are set, those of the dataset are meant.
    with pytest.raises(UserError, match="no box of negative"):
        task_of("coco_detection").select(data)


def test_metrics_say_what_they_are() -> None:
    task = task_of("siim_covid")
    assert task.about("map50/opacity") == task.about("map50")
    assert "32 x 32" in task.about("map_small")
    assert DetectionSettings().labels == ()
