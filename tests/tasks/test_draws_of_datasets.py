"""Draws on whole datasets: nested, without a patient on two sides, equal for every encoder."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from cxrbench.data import load
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.radiographs import Radiographs
from cxrbench.tasks.registry import tasks
from cxrbench.tasks.trial import Trial

ENCODERS = ("imagenet", "scratch", "mine")
REPLICATES = range(10)


def check(task_name: str, radiographs: Radiographs) -> None:
    task = tasks.get(task_name)
    radiographs = task.select(radiographs)
    ids = radiographs.samples["sample_id"].to_numpy()
    patients = radiographs.samples["patient_id"].to_numpy()
    variant = task.meta.variants[0]
    for replicate in REPLICATES:
        drawn = []
        for fraction in (1.0, 10.0, 50.0, 100.0):
            splits = [
                task.split(radiographs, Trial(name, task_name, variant, protocol, fraction, replicate))
                for name in ENCODERS
                for protocol in task.meta.protocols
            ]
            assert len({split.digest(radiographs) for split in splits}) == 1
            split = splits[0]
            if not radiographs.patients_known:
                assert np.array_equal(patients, ids)
            sides = [set(patients[rows]) for rows in (split.train, split.validation, split.test)]
            assert sum(len(side) for side in sides) == len(set.union(*sides))
            drawn.append((set(ids[split.train]), set(ids[split.validation]), set(ids[split.test])))
        for (train, validation, test), (more_train, more_validation, same_test) in pairwise(drawn):
            assert train < more_train
            assert validation <= more_validation
            assert test == same_test


@pytest.mark.parametrize("name", ["chexpert", "nih14", "vindr", "rsna_pneumonia"])
def test_phantom_draws(name: str, tmp_path: Path) -> None:
    write_phantom_dataset(name, tmp_path / "data", 150, 32, rib_free=False)
    check(name, load(name, tmp_path / "data"))


def test_draws_of_real_radiographs(realdata: Path) -> None:
    check("pediatric_pneumonia", load("pediatric_pneumonia", realdata / "kermany"))


@pytest.mark.parametrize("fraction", [1.0, 50.0])
def test_replicates_differ(tmp_path: Path, fraction: float) -> None:
    write_phantom_dataset("chexpert", tmp_path / "data", 300, 32, rib_free=False)
    radiographs = load("chexpert", tmp_path / "data")
    task = tasks.get("chexpert")
    drawn = {
        tuple(np.sort(task.split(radiographs, Trial("a", "chexpert", "default", "frozen", fraction, number)).train))
        for number in REPLICATES
    }
    assert len(drawn) == len(REPLICATES)
