"""Settings of classification tasks: typed, with defaults that are ours unless a preset names a paper."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from ...foundation.settings import Settings
from ...training.probe import ProbeSettings
from ..defined_task import TrainedTaskSettings
from ..features import FeatureSettings
from .binary_view import BinaryView


class LabelSettings(Settings):
    """Which labels count, and what an uncertain one means.

    Attributes:
        policy: uncertain labels become 1 (ones), 0 (zeros), are left out (ignore), or 1 for Edema and
            Atelectasis and 0 for the rest (mixed).
        main: labels averaged in `auc`; empty averages all.
        readers: of datasets that several readers labelled: a finding counts as present where any of them, the
            majority, or all (consensus) saw it. None where the dataset states one label an image.
        negative: class that means healthy, for the binary view of single-label tasks: all others are the finding.
        positive: class that is the finding, for the same view the other way round: all others mean healthy. One of
            the two at most; an empty text is none.
    """

    policy: Literal["ones", "zeros", "ignore", "mixed"] = "ones"
    main: tuple[str, ...] = ()
    readers: Literal["any", "majority", "consensus"] | None = None
    negative: str | None = None
    positive: str | None = None

    @property
    def view(self) -> BinaryView | None:
        """The binary view of a single-label task, where it has one."""
        label = self.positive or self.negative
        return None if label is None else BinaryView(label, is_finding=label == self.positive)

    @field_validator("negative", "positive")
    @classmethod
    def _none_where_empty(cls, label: str | None) -> str | None:
        return label or None

    @model_validator(mode="after")
    def _one_view(self) -> Self:
        if self.negative is not None and self.positive is not None:
            raise ValueError(f"negative {self.negative!r} and positive {self.positive!r}: empty one of the two")
        return self


class DrawSettings(Settings):
    """Where training and validation come from.

    Attributes:
        validation: `drawn` takes it out of the fraction, by patient; `val` takes the dataset's own rows.
        validation_share: share of the drawn patients that validate.
        amounts: variant -> class -> images to train on; a class that is not named keeps all of its images,
            and a value under 1 is a share of them. Single-label tasks only.
        smallest: variants in which every class is cut to the size of the smallest one.
    """

    validation: Literal["drawn", "val"] = "drawn"
    validation_share: float = Field(default=0.1, ge=0, lt=1)
    amounts: dict[str, dict[str, float]] = Field(default_factory=dict)
    smallest: tuple[str, ...] = ()


class ClassificationSettings(TrainedTaskSettings):
    """Everything that can be set about a classification task.

    Attributes:
        image_size: side in pixels of what the encoder sees.
        preprocessing: `default`, or `paper` (8-bit images are clipped and not stretched).
        views: frontal images only, or all.
        augmentation: preset of data.augmentation, for fine-tuning.
        balance: whether fine-tuning repeats the smaller classes, rotated and zoomed, up to the largest
            (single-label tasks); the probe weighs classes instead, see `probe.balanced`.
    """

    image_size: int = Field(default=224, ge=32, le=2048)
    views: Literal["frontal", "all"] = "all"
    augmentation: str = "ifa"
    balance: bool = True
    labels: LabelSettings = LabelSettings()
    draw: DrawSettings = DrawSettings()
    features: FeatureSettings = FeatureSettings()
    probe: ProbeSettings = ProbeSettings()
