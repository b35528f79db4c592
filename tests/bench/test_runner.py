"""A trial that fails stops no other, and is named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxrbench.bench.config import run_config
from cxrbench.bench.plan import make_plan
from cxrbench.bench.runner import Runner
from cxrbench.foundation.errors import UserError
from cxrbench.foundation.progress import SilentProgress
from cxrbench.results import Store
from cxrbench.tasks.classification.outcome import predictions_of, split_in_words
from cxrbench.tasks.classification.settings import ClassificationSettings
from cxrbench.tasks.classification.task import ClassificationTask
from cxrbench.tasks.registry import CATALOG, read_definition, tasks
from cxrbench.tasks.trial import Trial, TrialResult


class Moody(ClassificationTask):
    """CheXpert with random scores, whose second replicate fails."""

    error: Exception = UserError("replicate 1 failed: lower training.lr")

    def run(self, encoder, trials: Iterable[Trial], images, context) -> Iterator[TrialResult]:
        targets = self.targets(images.radiographs)
        for trial in trials:
            if trial.replicate == 1:
                raise self.error
            split = self.split(images.radiographs, trial)
            scores = np.random.default_rng(0).random((len(split.test), targets.shape[1]))
            predictions = predictions_of(images.radiographs, split.test, targets, scores, np.full(14, 0.5))
            words = split_in_words(images.radiographs, split, targets)
            yield TrialResult(trial, predictions, pd.DataFrame({"epoch": [0]}), words)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UserError("replicate 1 failed: lower training.lr"), "replicate 1 failed: lower training.lr"),
        (
            RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"),
            "lower features.batch_size (64) or image_size (32)",
        ),
        (MemoryError("Unable to allocate 3 TiB"), "lower features.batch_size (64) or image_size (32)"),
    ],
)
def test_the_other_trials_go_on(error: Exception, said: str, chexpert: Path, cache: Path, tmp_path: Path) -> None:
    name = f"moody_{type(error).__name__.lower()}"
    definition = read_definition(CATALOG / "chexpert.toml").model_copy(update={"name": name})
    task = Moody(definition, ClassificationSettings(image_size=32))
    tasks.register(name, task)
    given = {
        "encoders": ("resnet18_scratch",),
        "tasks": (name,),
        "data": {"*": str(chexpert)},
        "store": tmp_path / "store",
        "cache": cache,
        "fractions": (100.0,),
        "replicates": 3,
    }
    config = run_config(given, (), Path("/dev/null"))
    store = Store(config.store)
    Moody.error = error
    failures = Runner(store, cache, SilentProgress()).run(make_plan(config, store, SilentProgress()))
    assert len(failures) == 1
    assert said in failures[0]
    assert [record.replicate for record in store.records()] == [0, 2]
