"""The benchmark tasks as their TOMLs describe them: labels that their datasets have, plans, papers' settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.data import datasets
from cxrbench.data.radiographs import Radiographs
from cxrbench.data.sources._vindr_labels import KAGGLE
from cxrbench.foundation.errors import UserError
from cxrbench.foundation.registry import modules_in
from cxrbench.tasks.classification.binary_view import BinaryView
from cxrbench.tasks.classification.task import ClassificationTask
from cxrbench.tasks.predictions import Predictions
from cxrbench.tasks.registry import CATALOG, descriptions, read_definition, tasks
from cxrbench.tasks.trial import Trial

FILES = sorted(CATALOG.glob("*.toml"))
OURS = [path.stem for path in FILES]
CLASSIFICATION = [path.stem for path in FILES if read_definition(path).family == "classification"]
MLVICX = ("nih14", "vindr", "rsna_pneumonia")


def task_of(name: str) -> ClassificationTask:
    task = tasks.get(name)
    assert isinstance(task, ClassificationTask)
    return task


@pytest.mark.parametrize("name", CLASSIFICATION)
def test_a_task_names_labels_of_its_dataset_and_a_test_for_single_trials(name: str) -> None:
    task = task_of(name)
    source = datasets.get(task.meta.dataset)
    labels = task.settings.labels
    assert set(labels.main) <= set(source.labels)
    assert labels.view is None or labels.view.label in source.labels
    assert labels.view is None or source.exclusive
    decides = "McNemar" if task.meta.main_metric == "accuracy" else "DeLong"
    assert decides in task.meta.tests
    # Where a fraction is drawn several times, the table's stars need the test over replicates.
    assert ("paired t" in task.meta.tests) == any(count > 1 for count in task.meta.replicates.values())


def test_every_dataset_has_a_task() -> None:
    assert {tasks.get(name).meta.dataset for name in OURS} == set(modules_in("cxrbench.data.sources"))


@pytest.mark.parametrize("name", MLVICX)
def test_plans_are_those_of_mlvicx_and_ten_draws_can_be_asked_for(name: str) -> None:
    task = task_of(name)
    assert dict(task.meta.replicates) == {1.0: 3, 10.0: 3, 30.0: 3, 100.0: 3}
    assert task.meta.protocols == ("frozen", "finetune")
    assert task.settings.draw.validation == "drawn"


@pytest.mark.parametrize(
    ("name", "lr", "batch"), [("nih14", 1e-5, 64), ("vindr", 1e-3, 16), ("rsna_pneumonia", 1e-3, 16)]
)
def test_the_preset_has_the_settings_of_the_paper(name: str, lr: float, batch: int) -> None:
    settings = task_of(name).configured("mlvicx", {}, "--preset").settings
    training = settings.training
    assert (settings.image_size, training.lr, training.batch_size, training.patience) == (224, lr, batch, 10)


def test_nih_means_are_of_14_and_of_15() -> None:
    # Every finding is ranked perfectly, No Finding the wrong way round.
    labels = datasets.get("nih14").labels
    assert len(task_of("nih14").settings.labels.main) == 14
    assert set(labels) - set(task_of("nih14").settings.labels.main) == {"No Finding"}
    truth = np.tile([[0.0], [1.0]], (2, 15))
    scores = truth.copy()
    scores[:, labels.index("No Finding")] *= -1
    names = list("abcd")
    table = pd.DataFrame({"sample_id": names, "patient_id": names, "study_id": names})
    table = table.assign(truth=list(truth), scores=list(scores), decision=list(scores > 0.5))
    metrics = task_of("nih14").score(Predictions(table, labels, False))
    assert metrics["auc"] == 1.0
    assert metrics["auc_all"] == pytest.approx(14 / 15)


def stated(dataset: str, values: dict[str, list[float]]) -> Radiographs:
    source = datasets.get(dataset)
    n = len(next(iter(values.values())))
    names = [f"s{number}" for number in range(n)]
    columns = {label: values.get(label, [0.0] * n) for label in source.labels}
    samples = pd.DataFrame({"sample_id": names, "patient_id": names, "study_id": names, "path": "x.png", **columns})
    samples = samples.assign(split="train", view="frontal")
    return Radiographs(dataset, Path("nowhere"), samples, source.labels, source.exclusive)


@pytest.mark.parametrize(
    ("readers", "present"),
    [(None, [0, 0, 1, 1]), ("majority", [0, 0, 1, 1]), ("any", [0, 1, 1, 1]), ("consensus", [0, 0, 0, 1])],
)
def test_vindr_counts_what_two_of_three_readers_saw_unless_told_otherwise(
    readers: str | None, present: list[int]
) -> None:
    data = stated("vindr", {"Lung Opacity": [0, 1 / 3, 2 / 3, 1]})
    task = task_of("vindr")
    if readers is not None:
        task = task.configured(None, {"labels.readers": readers}, "--set")
    assert list(task.targets(data)[:, data.labels.index("Lung Opacity")]) == present


def test_vindr_averages_the_same_findings_in_both_releases() -> None:
    main = task_of("vindr").settings.labels.main
    assert set(main) == set(KAGGLE) - {"No finding"}
    assert len(main) == 14
    task_of("vindr").select(stated("vindr", {"Lung Opacity": [1.0]}))


def test_an_unknown_reader_policy_is_named() -> None:
    with pytest.raises(UserError, match=r"labels\.readers: Input should be 'any', 'majority' or 'consensus'"):
        task_of("vindr").configured(None, {"labels.readers": "two"}, "--set")


def test_rsna_asks_for_lung_opacity_against_the_rest() -> None:
    labels = datasets.get("rsna_pneumonia").labels
    truth = np.array([labels.index(name) for name in ("normal", "not_normal", "lung_opacity", "lung_opacity")])
    decision = np.array([labels.index(name) for name in ("not_normal", "normal", "lung_opacity", "normal")])
    names = list("abcd")
    table = pd.DataFrame({"sample_id": names, "patient_id": names, "study_id": names, "truth": truth})
    table = table.assign(scores=list(np.eye(3)[decision]), decision=decision)
    metrics = task_of("rsna_pneumonia").score(Predictions(table, labels, True))
    assert metrics["accuracy"] == 0.25
    # Normal taken for not normal is no error there.
    assert metrics["binary_accuracy"] == 0.75
    assert metrics["binary_auc"] == 0.75


def test_one_binary_view_at_most() -> None:
    rsna = task_of("rsna_pneumonia")
    with pytest.raises(UserError, match="negative 'normal' and positive 'lung_opacity': empty one of the two"):
        rsna.configured(None, {"labels.negative": "normal"}, "--set")
    turned = rsna.configured(None, {"labels.negative": "normal", "labels.positive": ""}, "--set")
    assert turned.settings.labels.view == BinaryView("normal", is_finding=False)
    none = rsna.configured(None, {"labels.positive": ""}, "--set")
    assert none.settings.labels.view is None
    with pytest.raises(UserError, match="setting labels: rsna_pneumonia: unknown label 'opacity'"):
        rsna.configured(None, {"labels.positive": "opacity"}, "--set").select(
            stated("rsna_pneumonia", {"normal": [1.0]})
        )


def test_settings_of_other_tasks_are_not_touched_by_what_they_have_no_use_for() -> None:
    trial = Trial("any", "chexpert", "default", "frozen", 1, 0)
    assert set(task_of("chexpert").settings_of(trial)["labels"]) == {"policy", "main", "negative"}
    assert task_of("vindr").settings_of(trial)["labels"]["readers"] == "majority"
    assert task_of("rsna_pneumonia").settings_of(trial)["labels"]["positive"] == "lung_opacity"


def test_descriptions_say_what_is_planned() -> None:
    plans = {each.name: each.plan for each in descriptions()}
    assert plans["nih14"] == "1 % x 3, 10 % x 3, 30 % x 3, 100 % x 3"
    assert plans["jsrt_classification"] == "100 % x 1"
    assert plans["node21_classification"] == "10 % x 5, 100 % x 1"
