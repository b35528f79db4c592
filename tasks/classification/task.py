"""The family of classification tasks: single-label and multi-label, frozen and fine-tuned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ...data.augmentation import AUGMENTATION_VERSION, PRESETS
from ...foundation.errors import UserError, unknown_name
from ...foundation.settings import override
from ..registry import TaskDefinition
from ..task import Context, Task
from ..trial import Comparison, Trial, TrialResult
from .settings import ClassificationSettings

if TYPE_CHECKING:
    from ...data.images import Images
    from ...data.preprocessing import Preset
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


class ClassificationTask(Task):
    """One dataset, a linear head, and either a convex probe on frozen features or fine-tuning of all weights."""

    def __init__(self, definition: TaskDefinition, settings: ClassificationSettings):
        self._definition = definition
        self.settings = settings
        self.meta = definition.meta(METRICS)

    def configured(self, preset: str | None, overrides: Mapping[str, Any], where: str) -> Self:
        settings = self.settings
        if preset is not None:
            if preset not in self.presets:
                raise unknown_name("preset", preset, self.presets)
            settings = override(settings, self._definition.presets[preset], f"preset {preset}")
        settings = override(settings, overrides, where)
        if settings.augmentation not in PRESETS:
            raise UserError(f"{where}: {unknown_name('augmentation', settings.augmentation, PRESETS)}")
        for variant in (*settings.draw.amounts, *settings.draw.smallest):
            if variant not in self.meta.variants:
                raise UserError(f"{where}: draw: {unknown_name('variant', variant, self.meta.variants)}")
        return type(self)(self._definition, settings)

    @property
    def presets(self) -> tuple[str, ...]:
        return tuple(self._definition.presets)

    @property
    def image_size(self) -> int:
        return self.settings.image_size

    @property
    def preprocessing(self) -> Preset:
        return self.settings.preprocessing

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
            training = self.settings.training
            settings["training"]["precision"] = resolve_precision(training.precision, resolve_device(training.device))
            # Where it runs is provenance: the same training on another device is the same trial.
            settings["training"].pop("device")
            settings["augmentation_version"] = AUGMENTATION_VERSION
        return settings

    def images_seen(self, trial: Trial, radiographs: Radiographs) -> int:
        if trial.protocol == "frozen":
            return len(radiographs)
        split = self.split(radiographs, trial)
        # A training step costs about three forward passes.
        per_epoch = 3 * len(split.train) + len(split.validation)
        return self.settings.training.epochs * per_epoch + len(split.test)

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
    settings = override(ClassificationSettings(), definition.settings, f"task {definition.name}, settings")
    for preset, values in definition.presets.items():
        override(settings, values, f"task {definition.name}, preset {preset}")
    return ClassificationTask(definition, settings)
