"""The family of detection tasks: Faster R-CNN around an encoder, fine-tuned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...foundation.errors import unknown_name
from ..defined_task import TrainedTask
from ..registry import TaskDefinition
from ..task import Context
from ..trial import Comparison, Trial, TrialResult
from .settings import DetectionSettings

if TYPE_CHECKING:
    from ...data.images import Images
    from ...data.radiographs import Radiographs
    from ...data.splits import Split
    from ...pretrain.encoder import Encoder
    from ..predictions import Predictions

HEADS = ("c4", "dc5")
METRICS = {
    "map50": True,
    "map": True,
    "map75": True,
    "map_small": True,
    "map_medium": True,
    "map_large": True,
    "ar100": True,
}


class DetectionTask(TrainedTask[DetectionSettings]):
    """One dataset with boxes, and a detector whose head is the variant: c4 or dc5."""

    settings_kind = DetectionSettings
    metrics = METRICS

    def settings_of(self, trial: Trial) -> dict[str, Any]:

        settings = self.settings.model_dump(mode="json")
        settings["training"] = self.training_settings()
        # What the other head needs must not make this one's trials look changed.
        if trial.variant == "dc5":
            settings["detection"].pop("extra_batch_norm")
        return settings

    def images_seen(self, trial: Trial, radiographs: Radiographs) -> int:
        return self.images_trained_on(trial, radiographs)

    def select(self, radiographs: Radiographs) -> Radiographs:
        from .draw import without_unboxed_siblings
        from .targets import check_boxes

        check_boxes(radiographs, self.labels_of(radiographs))
        return without_unboxed_siblings(radiographs)

    def labels_of(self, radiographs: Radiographs) -> tuple[str, ...]:
        """The classes to detect, in order."""
        return self.settings.labels or radiographs.labels

    def head_of(self, trial: Trial) -> Literal["c4", "dc5"]:
        """The detector's head: the variant."""
        return "dc5" if trial.variant == "dc5" else "c4"

    def split(self, radiographs: Radiographs, trial: Trial) -> Split:
        from .draw import draw

        return draw(radiographs, trial, self.meta.version, self.settings.draw, self.labels_of(radiographs))

    def check_encoder(self, encoder: Encoder, trial: Trial) -> None:
        from ...training.batch_norm import synchronise
        from ...training.torchrun import process_count
        from .model.build import check_detector
        from .model.feature_map import feature_map

        check_detector(encoder, self.settings.detection)
        if process_count(self.settings.training.devices) > 1:
            synchronise(deepcopy(encoder))
        if trial.variant == "dc5":
            feature_map(encoder, "dc5")

    def run(self, encoder: Encoder, trials: Iterable[Trial], images: Images, context: Context) -> Iterator[TrialResult]:
        from ...data.image_sizes import image_sizes
        from .finetune import finetune
        from .targets import true_boxes

        radiographs = images.radiographs
        sizes = image_sizes(radiographs, context.cache, context.progress)
        truth = true_boxes(radiographs, self.labels_of(radiographs), sizes)
        for trial in trials:
            yield finetune(self, encoder, trial, images, truth, context)

    def score(self, predictions: Predictions) -> dict[str, float | None]:
        from .scores import score

        return score(predictions)

    def paired(self, a: Predictions, b: Predictions) -> tuple[Predictions, Predictions]:
        from .compare import pair_detection

        return pair_detection(a, b)

    def weighted(self, predictions: Predictions, metric: str) -> Callable[[np.ndarray], np.ndarray]:
        from .weighted import weighted_metric

        return weighted_metric(predictions, metric) or super().weighted(predictions, metric)

    def about(self, metric: str) -> str:
        from .scores import MEANINGS

        return MEANINGS.get(metric.partition("/")[0], "")

    def compare(self, a: Predictions, b: Predictions) -> list[Comparison]:
        from .compare import compare_detection

        return compare_detection(a, b, self.meta.tests)


def from_definition(definition: TaskDefinition) -> DetectionTask:
    """The task of a TOML in the catalog, or of a plug-in's own definition."""
    for variant in definition.variants:
        if variant not in HEADS:
            raise unknown_name(f"variant of task {definition.name}", variant, HEADS)
    return DetectionTask.from_definition(definition)
