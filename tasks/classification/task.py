"""The family of classification tasks: single-label and multi-label, frozen and fine-tuned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data.augmentation import AUGMENTATION_VERSION, PRESETS
from ...foundation.errors import UserError, unknown_name
from ..defined_task import TrainedTask
from ..registry import TaskDefinition
from ..task import Context
from ..trial import Comparison, Trial, TrialResult
from .settings import ClassificationSettings

if TYPE_CHECKING:
    from ...data.images import Images
    from ...data.radiographs import Radiographs
    from ...data.splits import Split
    from ...pretrain.encoder import Encoder
    from ..predictions import Predictions

METRICS = {
    "accuracy": True,
    "balanced_accuracy": True,
    "auc": True,
    "auc_all": True,
    "study_auc": True,
    "precision": True,
    "recall": True,
    "f1": True,
    "binary_accuracy": True,
    "binary_auc": True,
    "log_loss": False,
    "brier": False,
    "calibration_error": False,
    "sensitivity_at_95_specificity": True,
}


class ClassificationTask(TrainedTask[ClassificationSettings]):
    """One dataset, a linear head, and either a convex probe on frozen features or fine-tuning of all weights."""

    settings_kind = ClassificationSettings
    metrics = METRICS

    def check_settings(self, settings: ClassificationSettings, where: str) -> None:
        if settings.augmentation not in PRESETS:
            raise UserError(f"{where}: {unknown_name('augmentation', settings.augmentation, PRESETS)}")
        for variant in (*settings.draw.amounts, *settings.draw.smallest):
            if variant not in self.meta.variants:
                raise UserError(f"{where}: draw: {unknown_name('variant', variant, self.meta.variants)}")

    def settings_of(self, trial: Trial) -> dict[str, Any]:
        from ...training.device import resolve_device, resolve_precision

        settings = self.settings.model_dump(mode="json")
        # What a dataset has no use for must not stand in the records of its trials.
        for name in ("readers", "positive"):
            if settings["labels"][name] is None:
                settings["labels"].pop(name)
        # What the other protocol needs must not make this one's trials look changed.
        if trial.protocol == "frozen":
            for name in ("training", "augmentation", "balance"):
                settings.pop(name)
            settings["features"]["precision"] = resolve_precision(self.settings.features.precision, resolve_device())
        else:
            for name in ("probe", "features"):
                settings.pop(name)
            settings["training"] = self.training_settings()
            settings["augmentation_version"] = AUGMENTATION_VERSION
        return settings

    def images_seen(self, trial: Trial, radiographs: Radiographs) -> int:
        if trial.protocol == "frozen":
            return len(radiographs)
        return self.images_trained_on(trial, radiographs)

    def select(self, radiographs: Radiographs) -> Radiographs:
        view = self.settings.labels.view
        named = (*self.settings.labels.main, *([] if view is None else [view.label]))
        for label in named:
            if label not in radiographs.labels:
                raise UserError(f"setting labels: {self.meta.name}: {unknown_name('label', label, radiographs.labels)}")
        if self.settings.views == "all":
            return radiographs
        return radiographs.where(radiographs.samples["view"].to_numpy() == self.settings.views)

    def split(self, radiographs: Radiographs, trial: Trial) -> Split:
        from .draw import draw

        return draw(radiographs, trial, self.meta.version, self.settings.draw)

    def targets(self, radiographs: Radiographs) -> np.ndarray:
        """Label values [N, L] after the policies for uncertain ones and for readers who differ: 1, 0, or NaN for not
        to be used."""
        from ...data.label_policy import apply_policy

        labels = self.settings.labels
        readers = labels.readers or "majority"
        return apply_policy(radiographs.targets(), labels.policy, radiographs.labels, readers=readers)

    def run(self, encoder: Encoder, trials: Iterable[Trial], images: Images, context: Context) -> Iterator[TrialResult]:
        from .finetune import finetune
        from .frozen import probe

        features = None
        for trial in trials:
            if trial.protocol == "frozen":
                from ..features import encode

                if features is None:
                    features = encode(encoder, images, self.settings.features, context)
                yield probe(self, features, trial, images.radiographs)
            else:
                yield finetune(self, encoder, trial, images, context)

    def score(self, predictions: Predictions) -> dict[str, float | None]:
        from .scores import score_multi_label, score_single_label

        if predictions.exclusive:
            return score_single_label(predictions, self.settings.labels.view)
        return score_multi_label(predictions, self.settings.labels.main or predictions.labels)

    def paired(self, a: Predictions, b: Predictions) -> tuple[Predictions, Predictions]:
        from .compare import pair_classification

        return pair_classification(a, b)

    def weighted(self, predictions: Predictions, metric: str) -> Callable[[np.ndarray], np.ndarray]:
        from .weighted import weighted_metric

        labels = self.settings.labels
        return weighted_metric(predictions, metric, labels.main, labels.view) or super().weighted(predictions, metric)

    def about(self, metric: str) -> str:
        main = self.settings.labels.main
        if "/" in metric or not main or metric in ("accuracy", "auc_all"):
            return ""
        return f"mean over {', '.join(main)}"

    def compare(self, a: Predictions, b: Predictions) -> list[Comparison]:
        from .compare import compare_classification

        return compare_classification(self, a, b)


def from_definition(definition: TaskDefinition) -> ClassificationTask:
    """The task of a TOML in the catalog, or of a plug-in's own definition."""
    return ClassificationTask.from_definition(definition)
