"""Settings of detection tasks: typed, with MoCo's protocol for detectors as the default."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...foundation.settings import Settings
from ...training.settings import TrainingSettings
from ..defined_task import TrainedTaskSettings
from .model.settings import DetectorSettings


class DrawSettings(Settings):
    """Where validation comes from; the test part is the dataset's own.

    Attributes:
        validation: `val` takes the dataset's own validation rows where it has any, and else as `drawn`; `drawn`
            takes it out of the fraction, by patient.
        validation_share: share of the drawn patients that validate; 0 trains for all epochs and scores the last.
    """

    validation: Literal["val", "drawn"] = "val"
    validation_share: float = Field(default=0.1, ge=0, lt=1)


def _training() -> TrainingSettings:
    """detectron2's optimiser; the cosine because without a falling rate mAP50 swings from epoch to epoch.

    Training does not stop early: the rate has fallen only at the end.
    """
    return TrainingSettings(
        optimiser="sgd",
        lr=0.02,
        momentum=0.9,
        weight_decay=1e-4,
        batch_size=16,
        epochs=50,
        patience=0,
        schedule="cosine",
        warmup_epochs=2.0,
        clip=10.0,
    )


class DetectionSettings(TrainedTaskSettings):
    """Everything that can be set about a detection task; its variant is the detector's head.

    Attributes:
        image_size: side in pixels of what the detector sees; images are squares, whatever their aspect was.
        preprocessing: `default`, or `paper` (8-bit images are clipped and not stretched).
        flip: mirror every second training image with its boxes, as detectron2 does.
        labels: classes to detect, in the order of the detector's; empty for all of the dataset.
        detection: see `DetectorSettings`.
        training: see `TrainingSettings`; parameters of normalisations have no weight decay.
    """

    image_size: int = Field(default=512, ge=32, le=2048)
    flip: bool = True
    labels: tuple[str, ...] = ()
    draw: DrawSettings = DrawSettings()
    detection: DetectorSettings = DetectorSettings()
    training: TrainingSettings = Field(default_factory=_training)
