"""Settings of segmentation tasks: typed, with defaults that are ours unless a preset names a paper."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from ...foundation.settings import Settings
from ...training.settings import TrainingSettings
from ..defined_task import TrainedTaskSettings

Balance = Literal["equal", "natural"]


class DrawSettings(Settings):
    """Who trains, validates and tests.

    Attributes:
        validation_share: share of the drawn patients that validate.
        balance: of the training and the validation part: `equal` leaves negatives away until there are as many as
            positives, `natural` keeps all.
        test_balance: the same of the test part. By the rule of the challenge an empty mask scores 1 where nothing is
            there, so that Dice depends on the share of negatives: only equal settings can be compared.
    """

    validation_share: float = Field(default=0.2, gt=0, lt=1)
    balance: Balance = "equal"
    test_balance: Balance = "equal"


class LossSettings(Settings):
    """What is minimised: the sum of both, weighed.

    Attributes:
        dice: weight of 1 - Dice of the probabilities, pooled over the batch. It has no gradient on a batch without a
            positive.
        bce: weight of the binary cross-entropy, mean over pixels.
    """

    dice: float = Field(default=1.0, ge=0)
    bce: float = Field(default=1.0, gt=0)


class SegmentationSettings(TrainedTaskSettings):
    """Everything that can be set about a segmentation task.

    Attributes:
        image_size: side in pixels of what the network sees; masks are scored in the images' own pixels.
        preprocessing: `default`, or `paper` (8-bit images are clipped and not stretched).
        label: whose masks are learnt; empty takes the only label that the dataset has.
        augmentation: of training images and their masks alike: `affine` (see `augmentation.py`) or `none`.
        decoder_channels: of the decoder's five blocks, from the deepest on.
    """

    image_size: int = Field(default=224, ge=32, le=2048)
    label: str = ""
    augmentation: Literal["none", "affine"] = "affine"
    decoder_channels: tuple[int, ...] = (256, 128, 64, 32, 16)
    draw: DrawSettings = DrawSettings()
    loss: LossSettings = LossSettings()
    training: TrainingSettings = TrainingSettings(lr=3e-4, batch_size=32, patience=10)

    @field_validator("decoder_channels")
    @classmethod
    def _five_blocks(cls, channels: tuple[int, ...]) -> tuple[int, ...]:
        if len(channels) != 5 or min(channels) < 1:
            raise ValueError("five numbers of channels, each at least 1")
        return channels
