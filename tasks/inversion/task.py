"""The family of inversions: normal images sought in the latent space of a generator, encoders as perceptual losses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ...foundation.errors import UserError
from ..defined_task import DefinedTask
from ..image_pairs.metrics import METRICS, about_metric
from ..perceptual.settings import settings_that_bear
from ..registry import TaskDefinition
from ..task import Context
from ..trial import Comparison, Trial, TrialResult
from .settings import InversionSettings

if TYPE_CHECKING:
    from ...data.images import Images
    from ...data.radiographs import Radiographs
    from ...data.splits import Split
    from ...pretrain.encoder import Encoder
    from ...training.device import Device
    from ..predictions import Predictions
    from .chosen_generator import ChosenGenerator

# Forward and backward through the encoder, in forward passes.
_PASSES = 3


class InversionTask(DefinedTask[InversionSettings]):
    """One dataset, one generator, and a loss of pixels and of an encoder's features."""

    settings_kind = InversionSettings
    metrics = METRICS

    @cached_property
    def generator(self) -> ChosenGenerator:
        """What is known of it. Raises UserError where it is a file that is none."""
        from .chosen_generator import ChosenGenerator

        return ChosenGenerator(self.settings)

    def check_settings(self, settings: InversionSettings, where: str) -> None:
        from .chosen_generator import ChosenGenerator

        made = ChosenGenerator(settings)
        if settings.image_size not in (0, made.resolution):
            raise UserError(
                f"{where}: image_size = {settings.image_size}, but {made.words} makes images of {made.resolution} px; "
                "leave image_size at 0"
            )

    @property
    def image_size(self) -> int:
        return self.generator.resolution

    def settings_of(self, trial: Trial) -> dict[str, Any]:
        from ..image_quality.lpips_files import lpips_identity

        settings = self.settings.model_dump(mode="json")
        # Where it runs is provenance; what files are called says nothing.
        settings.pop("device")
        settings["image_size"] = self.image_size
        settings["generator"] = self.generator.identity()
        if self.settings.generator:
            settings.pop("phantom_generator")
        settings["lpips"] = lpips_identity(self.settings.lpips)
        settings["perceptual"] = settings_that_bear(self.settings.perceptual, trial.variant)
        return settings

    def device(self) -> Device:
        """Where it runs. Raises UserError for a GPU that is not there."""
        from ...training.device import resolve_device

        try:
            return resolve_device(self.settings.device)
        except UserError as error:
            raise UserError("device = cuda, but no CUDA GPU is usable here; set device to auto or cpu") from error

    def images_seen(self, trial: Trial, radiographs: Radiographs) -> int:
        split = self.split(radiographs, trial)
        return len(split.test) * (self.settings.steps * _PASSES + 1) + len(split.train)

    def shares_features(self, protocol: str) -> bool:
        return False

    def references(self) -> tuple[Encoder, ...]:
        from .references import references_of

        return references_of(self.settings.lpips)

    def check_encoder(self, encoder: Encoder, trial: Trial) -> None:
        from .references import check_row

        check_row(encoder, self.settings.lpips)
        # Asked here, because nothing has been prepared yet.
        self.device()

    def select(self, radiographs: Radiographs) -> Radiographs:
        """The normal images. Raises UserError where there are none, or where the generator knows phantoms only."""
        from ...data.normal_images import normals

        self.generator.check_data(radiographs, self.meta.name)
        return radiographs.where(normals(radiographs, self.settings.label, "name another: --set label=NAME"))

    def split(self, radiographs: Radiographs, trial: Trial) -> Split:
        from .draw import draw

        return draw(radiographs, trial, self.meta.version, self.settings.images)

    def run(self, encoder: Encoder, trials: Iterable[Trial], images: Images, context: Context) -> Iterator[TrialResult]:
        import torch

        from .inverting import invert_and_score
        from .references import check_row

        check_row(encoder, self.settings.lpips)
        device = self.device()
        generator, meta = self.generator.load(context.cache, context.progress)
        generator = generator.to(device, torch.float64 if self.settings.precision == "float64" else torch.float32)
        for trial in trials:
            yield invert_and_score(self, encoder, trial, images, generator, meta, context)

    def score(self, predictions: Predictions) -> dict[str, float | None]:
        from ..image_pairs.scores import score_images

        return score_images(predictions)

    def paired(self, a: Predictions, b: Predictions) -> tuple[Predictions, Predictions]:
        """Row by row, with what is blank in one of them blank in both."""
        from ..image_pairs.predictions import pair_images

        return pair_images(a, b)

    def compare(self, a: Predictions, b: Predictions) -> list[Comparison]:
        from ..image_pairs.compare import compare_images

        return compare_images(a, b, self.meta.tests)

    def weighted(self, predictions: Predictions, metric: str) -> Callable[[np.ndarray], np.ndarray]:
        from ..image_pairs.weighted import weighted_metric

        return weighted_metric(predictions, metric) or super().weighted(predictions, metric)

    def about(self, metric: str) -> str:
        return about_metric(metric)


def from_definition(definition: TaskDefinition) -> InversionTask:
    """The task of a TOML in the catalog, or of a plug-in's own definition."""
    return InversionTask.from_definition(definition)
