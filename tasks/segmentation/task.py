"""The family of segmentation tasks: a U-Net over the encoder's stages, frozen and fine-tuned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ...foundation.errors import UserError, unknown_name
from ..defined_task import TrainedTask
from ..registry import TaskDefinition
from ..task import Context
from ..trial import Comparison, Trial, TrialResult
from .settings import SegmentationSettings

if TYPE_CHECKING:
    from ...data.images import Images
    from ...data.radiographs import Radiographs
    from ...data.splits import Split
    from ...pretrain.encoder import Encoder
    from ..predictions import Predictions

METRICS = {
    "dice": True,
    "dice_positive": True,
    "iou": True,
    "iou_positive": True,
    "sensitivity": True,
    "specificity": True,
    "auc": True,
}


class SegmentationTask(TrainedTask[SegmentationSettings]):
    """One dataset with masks, and a U-Net whose encoder is fixed or trained with its decoder."""

    settings_kind = SegmentationSettings
    metrics = METRICS

    def settings_of(self, trial: Trial) -> dict[str, Any]:
        from .augmentation import AUGMENTATION_VERSION

        settings = self.settings.model_dump(mode="json")
        settings["training"] = self.training_settings()
        if self.settings.augmentation != "none":
            settings["augmentation_version"] = AUGMENTATION_VERSION
        return settings

    def images_seen(self, trial: Trial, radiographs: Radiographs) -> int:
        # Of the three passes that a step costs a fixed encoder needs one, and the decoder all.
        return self.images_trained_on(trial, radiographs, passes=2 if trial.protocol == "frozen" else 3)

    def shares_features(self, protocol: str) -> bool:
        return False

    def label(self, radiographs: Radiographs) -> str:
        """Whose masks are learnt. Raises UserError where the dataset has no such label or no masks."""
        label = self.settings.label
        if not label and len(radiographs.labels) == 1:
            label = radiographs.labels[0]
        if label not in radiographs.labels:
            raise UserError(f"setting label: {self.meta.name}: {unknown_name('label', label, radiographs.labels)}")
        if radiographs.masks is None:
            raise UserError(f"{self.meta.name}: {radiographs.dataset} has no masks; take a dataset that has them")
        return label

    def check_encoder(self, encoder: Encoder, trial: Trial) -> None:
        from .unet import require_stages

        require_stages(encoder)

    def select(self, radiographs: Radiographs) -> Radiographs:
        """The samples of which it is known whether they have a mask."""
        stated = radiographs.samples[self.label(radiographs)].to_numpy()
        return radiographs.where((stated == 0) | (stated == 1))

    def split(self, radiographs: Radiographs, trial: Trial) -> Split:
        from .draw import draw

        return draw(radiographs, trial, self.meta.version, self.settings.draw, self.label(radiographs))

    def run(self, encoder: Encoder, trials: Iterable[Trial], images: Images, context: Context) -> Iterator[TrialResult]:
        from ...data.image_sizes import image_sizes
        from .targets import true_masks
        from .training import train_and_score
        from .unet import require_stages

        require_stages(encoder)
        radiographs = images.radiographs
        sizes = image_sizes(radiographs, context.cache, context.progress)
        masks = true_masks(radiographs, self.label(radiographs), sizes)
        for trial in trials:
            yield train_and_score(self, encoder, trial, images, masks, context)

    def score(self, predictions: Predictions) -> dict[str, float | None]:
        from .scores import score_masks

        return score_masks(predictions)

    def compare(self, a: Predictions, b: Predictions) -> list[Comparison]:
        from .compare import compare_segmentation

        return compare_segmentation(*self.paired(a, b), self.meta.tests)

    def weighted(self, predictions: Predictions, metric: str) -> Callable[[np.ndarray], np.ndarray]:
        from .weighted import weighted_metric

        return weighted_metric(predictions, metric) or super().weighted(predictions, metric)

    def about(self, metric: str) -> str:
        if metric in ("dice", "iou"):
            return (
                "mean over images; 1 where mask and decision are both empty, so that marking nothing scores the share "
                "of images without a mask (0.5 where both kinds are equally many)"
            )
        return "mean over images with a mask" if metric in ("dice_positive", "iou_positive") else ""


def from_definition(definition: TaskDefinition) -> SegmentationTask:
    """The task of a TOML in the catalog, or of a plug-in's own definition."""
    return SegmentationTask.from_definition(definition)
