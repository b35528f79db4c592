"""The family of tasks that paint nodules: a conditional generator, with the encoder as its perceptual loss."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..defined_task import DefinedTask
from ..registry import TaskDefinition
from ..task import Context
from ..trial import Comparison, Trial, TrialResult
from .scores import METRICS, meaning
from .settings import NoduleGenerationSettings

if TYPE_CHECKING:
    from ...data.images import Images
    from ...data.radiographs import Radiographs
    from ...data.splits import Split
    from ...pretrain.encoder import Encoder
    from ..predictions import Predictions

NO_PERCEPTUAL = "no_perceptual"
# What a step costs in forward passes of the encoder: painted patches with the way back, real ones, and the generator.
_PASSES = 6


class NoduleGenerationTask(DefinedTask[NoduleGenerationSettings]):
    """A dataset with boxes around nodules, and a generator that paints them; the variant weighs the perceptual loss."""

    settings_kind = NoduleGenerationSettings
    metrics = METRICS

    @cached_property
    def feature_net(self) -> Encoder:
        """What `frechet` compares features of. Raises UserError that names the setting."""
        from .feature_nets import load_feature_net

        return load_feature_net(self.settings.feature_net)

    def settings_of(self, trial: Trial) -> dict[str, Any]:
        from ...training.device import resolve_device, resolve_precision
        from ..image_quality.inception_file import inception_identity
        from ..perceptual.settings import settings_that_bear

        settings = self.settings.model_dump(mode="json")
        training = self.settings.training
        settings["training"]["precision"] = resolve_precision(training.precision, resolve_device(training.device))
        # Where it runs is provenance: the same training on another device is the same trial.
        settings["training"].pop("device")
        settings["perceptual"] = settings_that_bear(self.settings.perceptual, trial.variant)
        settings["inception"] = inception_identity(self.settings.inception)
        # By content, never by path; the hash is of its weights alone.
        net = self.feature_net.meta
        settings["feature_net"] = {
            "name": net.name,
            "sha256": net.sha256,
            "arch": net.arch,
            "channels": net.channels,
            "mean": list(net.mean),
            "std": list(net.std),
        }
        return settings

    def images_seen(self, trial: Trial, radiographs: Radiographs) -> int:
        return _PASSES * self.settings.training.steps * self.settings.training.batch_size + len(radiographs)

    def shares_features(self, protocol: str) -> bool:
        return False

    def references(self) -> tuple[Encoder, ...]:
        from ..reference import reference

        return (reference(NO_PERCEPTUAL, "no encoder: the adversarial loss without a perceptual one"),)

    def check_encoder(self, encoder: Encoder, trial: Trial) -> None:
        from ..image_quality.inception_file import load_inception
        from ..perceptual.loss import check_encoder
        from ..reference import is_reference
        from .feature_nets import refuse_same

        load_inception(self.settings.inception)
        if not is_reference(encoder):
            check_encoder(encoder)
            refuse_same(encoder, self.feature_net)

    def select(self, radiographs: Radiographs) -> Radiographs:
        """The images with nodules. Raises UserError for a dataset without any, and for a box that is none."""
        from ..detection.targets import check_boxes
        from .nodules import LABEL

        check_boxes(radiographs, (LABEL,))
        assert radiographs.boxes is not None
        marked = radiographs.boxes["sample_id"][(radiographs.boxes["label"] == LABEL).to_numpy()]
        return radiographs.where(radiographs.samples["sample_id"].isin(marked).to_numpy())

    def split(self, radiographs: Radiographs, trial: Trial) -> Split:
        from .draw import draw

        return draw(radiographs, trial, self.meta.version, self.settings.draw)

    def run(self, encoder: Encoder, trials: Iterable[Trial], images: Images, context: Context) -> Iterator[TrialResult]:
        from ...data.image_sizes import image_sizes
        from ..detection.targets import true_boxes
        from .nodules import LABEL, nodules_of
        from .training import train_and_score

        radiographs = images.radiographs
        sizes = image_sizes(radiographs, context.cache, context.progress)
        nodules = nodules_of(radiographs, true_boxes(radiographs, (LABEL,), sizes), images.size)
        for trial in trials:
            self.check_encoder(encoder, trial)
            yield train_and_score(self, encoder, trial, images, nodules, context)

    def samples_of(self, predictions: Predictions) -> list[str]:
        """The sample of each prediction: a nodule's image, which has as many predictions as nodules."""
        return [name.rpartition("#")[0] for name in predictions.table["sample_id"]]

    def score(self, predictions: Predictions) -> dict[str, float | None]:
        from .scores import score_patches

        return score_patches(predictions)

    def paired(self, a: Predictions, b: Predictions) -> tuple[Predictions, Predictions]:
        from .predictions import pair_nodules

        return pair_nodules(a, b)

    def compare(self, a: Predictions, b: Predictions) -> list[Comparison]:
        from .compare import compare_patches

        return compare_patches(*self.paired(a, b), self.meta.tests)

    def weighted(self, predictions: Predictions, metric: str) -> Callable[[np.ndarray], np.ndarray]:
        from .weighted import weighted_metric

        return weighted_metric(predictions, metric) or super().weighted(predictions, metric)

    def about(self, metric: str) -> str:
        # Tables and figures ask a task without the settings of the trials that they show.
        return meaning(metric, "the records' feature_net (resnet18_scratch where none is set)")


def from_definition(definition: TaskDefinition) -> NoduleGenerationTask:
    """The task of a TOML in the catalog, or of a plug-in's own definition."""
    return NoduleGenerationTask.from_definition(definition)
