"""The family of bone suppression tasks: one network, trained with each encoder as a part of its loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...foundation.errors import UserError
from ..defined_task import TrainedTask
from ..image_pairs.metrics import METRICS, about_metric
from ..registry import TaskDefinition
from ..task import Context
from ..trial import Comparison, Trial, TrialResult
from .settings import BoneSuppressionSettings

if TYPE_CHECKING:
    from ...data.images import Images
    from ...data.radiographs import Radiographs
    from ...data.splits import Split
    from ...pretrain.encoder import Encoder
    from ..image_quality.lpips import Lpips
    from ..predictions import Predictions

IDENTITY, MSE_ALONE = "identity", "mse_alone"


class BoneSuppressionTask(TrainedTask[BoneSuppressionSettings]):
    """A dataset of pairs, and a residual U-Net whose loss has the encoder in it."""

    settings_kind = BoneSuppressionSettings
    metrics = METRICS

    @cached_property
    def lpips(self) -> Lpips | None:
        """What measures LPIPS, None without files. Raises UserError for files that are not of it."""
        from ..image_quality import load_lpips

        return load_lpips(self.settings.lpips)

    def settings_of(self, trial: Trial) -> dict[str, Any]:
        from ..image_quality import lpips_identity
        from ..perceptual.settings import settings_that_bear
        from .pairs import AUGMENTATION_VERSION

        settings = self.settings.model_dump(mode="json")
        settings["training"] = self.training_settings()
        settings["perceptual"] = settings_that_bear(self.settings.perceptual, trial.variant)
        settings["lpips"] = lpips_identity(self.settings.lpips)
        if self.settings.augmentation != "none":
            settings["augmentation_version"] = AUGMENTATION_VERSION
        return settings

    def images_seen(self, trial: Trial, radiographs: Radiographs) -> int:
        if trial.encoder == IDENTITY:
            return len(self.split(radiographs, trial).test)
        # The encoder sees outputs, with the way back to their pixels, and targets; the U-Net is small beside it.
        return self.images_trained_on(trial, radiographs, passes=3)

    def shares_features(self, protocol: str) -> bool:
        return False

    def references(self) -> tuple[Encoder, ...]:
        from ..reference import reference

        return (
            reference(IDENTITY, "no network: the film itself"),
            reference(MSE_ALONE, "no encoder: the squared error of pixels alone"),
        )

    def is_identity(self, encoder: Encoder) -> bool:
        """Whether `encoder` is the row of the film itself."""
        from ..reference import is_reference

        return is_reference(encoder) and encoder.meta.name == IDENTITY

    def check_encoder(self, encoder: Encoder, trial: Trial) -> None:
        from ..perceptual.loss import check_encoder
        from ..reference import is_reference

        # Read now: a wrong file must not be found out after the images are prepared.
        _ = self.lpips
        if not is_reference(encoder):
            check_encoder(encoder)

    def select(self, radiographs: Radiographs) -> Radiographs:
        from .pairs import require_targets

        require_targets(radiographs, self.meta.name)
        return radiographs

    def split(self, radiographs: Radiographs, trial: Trial) -> Split:
        from ...data.splits import DrawKey, draw_split

        if radiographs.splits is not None:
            split = radiographs.splits.of(radiographs, trial.variant, trial.fraction, trial.replicate)
        else:
            key = DrawKey(trial.task, self.meta.version, trial.replicate)
            split = draw_split(radiographs, key, trial.fraction, self.settings.validation_share)
        if len(split.validation) == 0:
            raise UserError(
                f"{radiographs.dataset}: no validation image at {trial.fraction:g} % #{trial.replicate}, and the epoch "
                "is chosen by them; take a larger fraction, or raise validation_share"
            )
        return split

    def run(self, encoder: Encoder, trials: Iterable[Trial], images: Images, context: Context) -> Iterator[TrialResult]:
        from .pairs import prepare_pairs
        from .training import train_and_score

        pairs = prepare_pairs(images, context)
        for trial in trials:
            self.check_encoder(encoder, trial)
            yield train_and_score(self, encoder, trial, pairs, context)

    def score(self, predictions: Predictions) -> dict[str, float | None]:
        from ..image_pairs.scores import score_images

        return score_images(predictions)

    def paired(self, a: Predictions, b: Predictions) -> tuple[Predictions, Predictions]:
        from ..image_pairs.predictions import pair_images

        return pair_images(a, b)

    def compare(self, a: Predictions, b: Predictions) -> list[Comparison]:
        from ..image_pairs.compare import compare_images

        # Any two networks differ over images, with one loss too; over replicates it is seen whether losses do.
        return compare_images(a, b, self.meta.tests, decides=False)

    def weighted(self, predictions: Predictions, metric: str) -> Callable[[np.ndarray], np.ndarray]:
        from ..image_pairs.weighted import weighted_metric

        return weighted_metric(predictions, metric) or super().weighted(predictions, metric)

    def about(self, metric: str) -> str:
        return about_metric(metric)


def from_definition(definition: TaskDefinition) -> BoneSuppressionTask:
    """The task of a TOML in the catalog, or of a plug-in's own definition."""
    return BoneSuppressionTask.from_definition(definition)
