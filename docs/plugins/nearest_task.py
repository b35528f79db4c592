"""A task of one's own in one file: `cxrbench run --include nearest_task.py --task nearest ...`.

The same images and draws as `pediatric_pneumonia`, but no training at all: a test image gets the classes of its
nearest training images by cosine similarity.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from cxrbench.data import Images
from cxrbench.pretrain import Encoder
from cxrbench.tasks.classification.outcome import predictions_of, split_in_words
from cxrbench.tasks.classification.settings import ClassificationSettings, LabelSettings
from cxrbench.tasks.classification.task import ClassificationTask
from cxrbench.tasks.features import encode
from cxrbench.tasks.registry import TaskDefinition, tasks
from cxrbench.tasks.task import Context
from cxrbench.tasks.trial import Trial, TrialResult

NEIGHBOURS = 20


class Nearest(ClassificationTask):
    """k nearest neighbours on frozen features."""

    def run(self, encoder: Encoder, trials: Iterable[Trial], images: Images, context: Context) -> Iterator[TrialResult]:
        features = encode(encoder, images, self.settings.features, context)
        features = features / np.linalg.norm(features, axis=1, keepdims=True)
        targets = self.targets(images.radiographs)
        for trial in trials:
            split = self.split(images.radiographs, trial)
            similarity = features[split.test] @ features[split.train].T
            nearest = np.argsort(-similarity, axis=1, kind="stable")[:, :NEIGHBOURS]
            scores = targets[split.train][nearest].mean(axis=1)
            yield TrialResult(
                trial,
                predictions_of(images.radiographs, split.test, targets, scores, np.full(scores.shape[1], 0.5)),
                pd.DataFrame({"neighbours": [nearest.shape[1]]}),
                split_in_words(images.radiographs, split, targets),
            )


DEFINITION = TaskDefinition(
    name="nearest",
    version=1,
    title="Paediatric pneumonia by nearest neighbours",
    family="classification",
    dataset="pediatric_pneumonia",
    main_metric="accuracy",
    tests=("McNemar",),
    protocols=("frozen",),
    replicates={"100": 1},
)

tasks.register("nearest", Nearest(DEFINITION, ClassificationSettings(labels=LabelSettings(negative="normal"))))
