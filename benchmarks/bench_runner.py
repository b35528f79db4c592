"""What the runner itself costs a finished trial: plan, resume check and record, with a task that computes nothing."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from timing import report, seconds, verdict

from cxrbench.bench.config import run_config
from cxrbench.bench.plan import make_plan
from cxrbench.bench.runner import Runner
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.foundation.progress import SilentProgress
from cxrbench.results import Store
from cxrbench.tasks.classification.outcome import predictions_of, split_in_words
from cxrbench.tasks.classification.settings import ClassificationSettings
from cxrbench.tasks.classification.task import ClassificationTask
from cxrbench.tasks.registry import CATALOG, read_definition, tasks
from cxrbench.tasks.trial import TrialResult

REPLICATES = 200
TARGET_SECONDS = 0.05


class Instant(ClassificationTask):
    """CheXpert with random scores: all that is left is the runner's own work."""

    def run(self, encoder, trials, images, context):
        radiographs = images.radiographs
        targets = self.targets(radiographs)
        for trial in trials:
            split = self.split(radiographs, trial)
            scores = np.random.default_rng(trial.replicate).random((len(split.test), len(radiographs.labels)))
            yield TrialResult(
                trial,
                predictions_of(radiographs, split.test, targets, scores, np.full(len(radiographs.labels), 0.5)),
                pd.DataFrame({"epoch": [0]}),
                split_in_words(radiographs, split, targets),
            )


def main() -> None:
    definition = read_definition(CATALOG / "chexpert.toml").model_copy(update={"name": "instant"})
    tasks.register("instant", Instant(definition, ClassificationSettings()))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_phantom_dataset("chexpert", folder / "data", 800, 64, rib_free=False)
        given = {
            "encoders": ("resnet18_scratch",),
            "tasks": ("instant",),
            "data": {"*": str(folder / "data")},
            "store": folder / "store",
            "cache": folder / "cache",
            "fractions": (10.0,),
            "replicates": REPLICATES,
        }
        config = run_config(given, ["image_size=32"], Path("/dev/null"))
        store = Store(config.store)
        runner = Runner(store, config.cache, SilentProgress())
        runner.prepare(make_plan(config, store, SilentProgress()).groups[0])
        plans = []
        found = {
            "plan": [seconds(lambda: plans.append(make_plan(config, store, SilentProgress())))],
            "run and record": [seconds(lambda: runner.run(plans[0]))],
            "the same command again": [seconds(lambda: runner.run(make_plan(config, store, SilentProgress())))],
        }
        assert len(list(store.records())) == REPLICATES
        medians = report(f"Runner, {REPLICATES} trials of a task that computes nothing", found, REPLICATES, "s a trial")
        own = (medians["plan"] + medians["run and record"]) / REPLICATES
        verdict("seconds a trial", own, TARGET_SECONDS, at_least=False)


if __name__ == "__main__":
    main()
