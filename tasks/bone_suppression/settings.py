"""Settings of bone suppression: typed, with defaults that are ours unless a comment names a paper."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ...training.settings import TrainingSettings
from ..defined_task import TrainedTaskSettings
from ..image_quality.lpips_files import LpipsSettings
from ..perceptual.settings import CHESS, PerceptualSettings
from .network_size import stride_of


class BoneSuppressionSettings(TrainedTaskSettings):
    """Everything that can be set about bone suppression.

    Attributes:
        image_size: side in pixels of films and targets.
        preprocessing: `unstretched`: film and target keep one scale of grey.
        widths: channels of the U-Net's levels; the defaults make 0.49 M weights.
        validation_share: share of the drawn patients that validate.
        augmentation: of training films and their targets alike: small shifts, scales and turns (`affine`, see
            `pairs.py`), or `none`.
        perceptual: the part of the loss that the encoder under test makes.
        lpips: files with which LPIPS is measured.
    """

    image_size: int = Field(default=256, ge=32, le=2048)
    preprocessing: Literal["unstretched"] = "unstretched"  # type: ignore[assignment] (settings never change)
    widths: tuple[int, ...] = (16, 32, 64, 128)
    validation_share: float = Field(default=0.2, gt=0, lt=1)
    augmentation: Literal["none", "affine"] = "affine"
    # CheSS (doi:10.1007/s10278-023-00782-4) trains bone suppression with a perceptual loss and does not state its
    # weights; these are those of its nodule generator's released code, stages [1/32, 1/16, 1/8, 1/4, 1] and L1. The
    # raw variant is that loss, x 10. The calibrated one, with features of unit length and a weight that makes every
    # encoder's loss begin as large as the squared error of the pixels, is ours; so is the squared error beside both.
    perceptual: PerceptualSettings = CHESS.model_copy(update={"features": "unit"})
    lpips: LpipsSettings = LpipsSettings()
    training: TrainingSettings = TrainingSettings(lr=1e-3, batch_size=16, epochs=200, patience=0, schedule="cosine")

    @model_validator(mode="after")
    def _fits(self) -> BoneSuppressionSettings:
        if not self.widths or min(self.widths) < 1:
            raise ValueError("widths: one number of channels a level, each at least 1")
        if self.image_size % stride_of(self.widths):
            raise ValueError(
                f"image_size {self.image_size} must be a multiple of {stride_of(self.widths)} with "
                f"{len(self.widths)} widths"
            )
        return self
