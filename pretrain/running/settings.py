"""All settings of one pretraining: the method's card, under what the user set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from pydantic import Field, SerializeAsAny, model_validator

from ...data.preprocessing import Preset
from ...foundation.errors import UserError
from ...foundation.settings import Settings, flattened, override, validated
from ...training.settings import TrainingSettings
from ..initialisation import Initialisation
from ..method import Method, MethodSettings, ours, stated
from ..method_card import MethodCard
from ..watching.watch import WatchSettings

M = TypeVar("M", bound=MethodSettings)

# The batch that learning rates of cards with `per_256` are for.
_REFERENCE_BATCH = 256
# Settings that change nothing about the weights: another value does not stop a pretraining from being resumed.
WITHOUT_EFFECT = ("checkpoint_seconds", "unreadable_limit", "views.threads", "watch.")


class ViewSettings(Settings):
    """How views are made: `[views]` in a file, `--set views.preset=ifa` on the command line.

    Attributes:
        preset: the augmentations, by name.
        stored_size: side in pixels of the images that views are cut from.
        threads: that prepare views; 0 takes what the network leaves free. The views do not depend on it.
    """

    preset: str
    stored_size: int = ours(0, "as large as the views: 0; a larger one keeps detail in small crops", ge=0, le=4096)
    threads: int = ours(0, "by the cores that are there", ge=0, le=256)


class NormalisationSettings(Settings):
    """Mean and standard deviation of images in [0, 1] that the encoder subtracts and divides by.

    Attributes:
        mean, std: given; measured on the training images where they are None.
        images: the most images that are measured.
    """

    mean: float | None = ours(None, "measured", ge=0, le=1)
    std: float | None = ours(None, "measured", gt=0, le=1)
    images: int = ours(2000, "the mean of so many images varies by less than 0.005", ge=1)

    @model_validator(mode="after")
    def _both(self) -> NormalisationSettings:
        if (self.mean is None) != (self.std is None):
            raise ValueError("give both mean and std, or neither")
        return self


class PretrainingSettings(Settings, Generic[M]):
    """How an encoder is pretrained: keys of a file, `--set KEY=VALUE` on the command line.

    Attributes:
        method: those of the method's own class.
        training: of the loop.
        views: of the augmentations.
        image_size: side of the views in pixels.
        preprocessing: preset by which files become images.
        channels: that the network takes; a grey image is repeated.
        initialisation: how random weights are drawn.
        normalisation: measured or given.
        watch: of the collapse watch, the online probe and the loggers.
        unreadable_limit: share of the images that may be unreadable and are left out; up to 20 may always be, none
            where it is 0.
        checkpoint_seconds: seconds between two checkpoints.
    """

    method: SerializeAsAny[M]
    training: TrainingSettings
    views: ViewSettings
    image_size: int = Field(ge=32, le=4096)
    preprocessing: Preset = ours("default", "as every task's")
    channels: int = stated(1, "CheSS' released network takes one channel", ge=1, le=3)
    initialisation: Initialisation = stated("xavier_uniform", "the IFA paper; released code: kaiming")
    normalisation: NormalisationSettings = Field(default_factory=NormalisationSettings)
    watch: WatchSettings = Field(default_factory=WatchSettings)
    unreadable_limit: float = ours(0.01, "more is a fault of the copy, not of single files", ge=0, lt=1)
    checkpoint_seconds: float = ours(600.0, "a crash costs ten minutes at most", ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> PretrainingSettings[M]:
        if self.channels == 2:
            raise ValueError("channels must be 1 or 3")
        if 0 < self.views.stored_size < self.image_size:
            raise ValueError(f"views.stored_size ({self.views.stored_size}) is below image_size ({self.image_size})")
        return self

    @property
    def stored_size(self) -> int:
        """Side in pixels of the images that views are cut from."""
        return self.views.stored_size or self.image_size

    @property
    def lasting(self) -> dict[str, Any]:
        """Dotted key -> value, JSON-ready, of all that decides the weights: equal for a pretraining that is resumed."""
        values = flattened(self.model_dump(mode="json"))
        return {key: value for key, value in values if not key.startswith(WITHOUT_EFFECT)}


def pretraining_settings(
    name: str, card: MethodCard, kind: type[Method], values: Mapping[str, Any], where: str = "--set"
) -> PretrainingSettings[Any]:
    """The settings of the method `name`: its card's, changed by `values`.

    Where `values` have no learning rate and the card's is for a batch of 256, it is scaled with the images of a step,
    batch_size x accumulate (Goyal et al. 2017). Where they shorten the training, the warm-up is shortened with it.

    Args:
        name: of the method, for errors.
        card: of the method.
        kind: its class.
        values: dotted key -> value.
        where: what to name in errors.

    Raises:
        UserError: an unknown key, with the nearest one, or a value out of its range.
    """
    model = PretrainingSettings[kind.Settings]
    training = validated(TrainingSettings, {"patience": 0, **card.training}, f"method {name}: training")
    settings = model(
        method=kind.Settings(), training=training, views=ViewSettings(preset=card.views), image_size=card.image_size
    )
    flat = dict(flattened(values))
    if "method.ifa" in flat and "ifa" not in kind.Settings.model_fields:
        raise UserError(f"method {name} cannot be combined with IFA; `cxrbench ls methods` says which can")
    if "training.warmup_epochs" not in flat and isinstance(epochs := flat.get("training.epochs"), int):
        flat["training.warmup_epochs"] = training.warmup_epochs * min(1.0, epochs / training.epochs)
    settings = override(settings, flat, where)
    if card.per_256 and "training.lr" not in flat:
        images = settings.training.batch_size * settings.training.accumulate
        settings = override(settings, {"training.lr": training.lr * images / _REFERENCE_BATCH}, where)
    return settings


def origins(card: MethodCard, settings: PretrainingSettings[Any]) -> dict[str, str]:
    """Dotted key -> where its default comes from, for those of which something is known."""
    found = {f"training.{key}": mark for key, mark in card.marks.items() if key in card.training}
    found |= {"views.preset": card.marks.get("views", ""), "image_size": card.marks.get("image_size", "")}
    parts = {"": settings, "method.": settings.method, "views.": settings.views}
    parts |= {"normalisation.": settings.normalisation, "watch.": settings.watch}
    for prefix, part in parts.items():
        for key, field in type(part).model_fields.items():
            extra = field.json_schema_extra
            if isinstance(extra, dict) and "source" in extra:
                found[f"{prefix}{key}"] = str(extra["source"])
    return {key: source for key, source in found.items() if source}


def shown_settings(
    given: Mapping[str, Any], card: MethodCard, settings: PretrainingSettings[Any]
) -> Iterator[tuple[str, Any, str]]:
    """Dotted key, value, and who says so, of every setting: the user, a publication, or we."""
    told, from_user = origins(card, settings), dict(flattened(given))
    for key, value in flattened(settings.model_dump(mode="json")):
        scaled = key == "training.lr" and card.per_256
        default = f"{told[key]}, scaled with the batch" if scaled and key in told else told.get(key, "")
        yield key, value, "set" if key in from_user else default
