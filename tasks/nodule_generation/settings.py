"""Settings of nodule generation: typed; CheSS's where it states them, ours elsewhere."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ...foundation.settings import Settings
from ...training.adversarial_settings import AdversarialSettings
from ..defined_task import TaskSettings
from ..image_quality.inception_file import InceptionSettings
from ..perceptual.settings import CHESS, PerceptualSettings


class DrawSettings(Settings):
    """Who trains, validates and tests.

    Attributes:
        validation_share: share of the drawn patients whose nodules are left out of the training. They choose nothing:
            the error of the painted pixels on them stands in the record beside that of the training nodules.
        least_nodules: fewer nodules in the test part are refused: a Fréchet distance of a handful of images is mostly
            its own bias.
    """

    validation_share: float = Field(default=0.1, ge=0, lt=1)
    least_nodules: int = Field(default=20, ge=2)


class PatchSettings(Settings):
    """The square around each nodule.

    Attributes:
        size: side in pixels of what the networks see.
        context: the square's side, as a multiple of the longer side of the nodule's box.
        least_side: of the square, in pixels of the images at `image_size`.
        jitter: how far from the middle of its square a nodule may lie: 0 is in the middle, 1 anywhere inside.
        rim: how far beyond the ellipse in its box a nodule is painted, as a share of the ellipse's radius. Over the
            outer two thirds of the rim what is painted passes into the radiograph.
        views: squares of each training nodule, which differ in place and a little in size.
    """

    size: Literal[32, 64, 128, 256] = 64
    context: float = Field(default=2.5, ge=1.5, le=20)
    least_side: int = Field(default=32, ge=8)
    jitter: float = Field(default=0.6, ge=0, le=1)
    rim: float = Field(default=0.25, gt=0, le=0.9)
    views: int = Field(default=4, ge=1, le=64)


class NetworkSettings(Settings):
    """How large the networks are.

    Attributes:
        channels: of the generator's blocks up to a quarter of the resolution; three quarters and half of it behind.
        hidden: channels between condition and modulation in each SPADE.
        style: dimension of the style's code.
        discriminator_channels: of the discriminator's first block, doubled twice.
    """

    channels: int = Field(default=64, ge=4)
    hidden: int = Field(default=32, ge=1)
    style: int = Field(default=32, ge=1)
    discriminator_channels: int = Field(default=32, ge=1)


class LossSettings(Settings):
    """What the generator minimises: adversarial + reconstruction + kld, each with its weight.

    The reconstruction is the perceptual loss of the encoder under test, with `pixel` above 0 the squared error of the
    pixels besides.

    Attributes:
        adversarial: weight of the hinge loss.
        kld: weight of the divergence of the style's code from its prior, summed over its dimensions (CheSS's 0.05).
        reconstruction: variant `calibrated`: what the perceptual loss is at the beginning for every encoder, where
            nothing is painted, if rho is 1. CheSS's factor 10 of raw features is `perceptual.weight`.
        pixel: weight of the pixels' squared error within the reconstruction, as a multiple of its value where nothing
            is painted. CheSS names no such term, and so it is off.
    """

    adversarial: float = Field(default=1.0, gt=0)
    kld: float = Field(default=0.05, ge=0)
    reconstruction: float = Field(default=10.0, gt=0)
    pixel: float = Field(default=0.0, ge=0)


class NoduleGenerationSettings(TaskSettings):
    """Everything that can be set about a task that paints nodules.

    Attributes:
        image_size: side in pixels of the images that patches are cut from.
        feature_net: encoder whose pooled features `frechet` compares, the same for every encoder under test.
        inception: the file of FID's network, without which `fid` is blank.
        perceptual: stage weights and distance are CheSS's; variant `calibrated` has unit features.
        training: Adam (0, 0.9) at 1e-4 and 4e-4 as CheSS; the number of steps and the moving average are ours.
    """

    image_size: int = Field(default=1024, ge=32, le=4096)
    feature_net: str = "resnet18_scratch"
    draw: DrawSettings = DrawSettings()
    patch: PatchSettings = PatchSettings()
    network: NetworkSettings = NetworkSettings()
    loss: LossSettings = LossSettings()
    perceptual: PerceptualSettings = CHESS.model_copy(update={"features": "unit"})
    inception: InceptionSettings = InceptionSettings()
    training: AdversarialSettings = AdversarialSettings(
        steps=20_000,
        batch_size=16,
        generator_lr=1e-4,
        discriminator_lr=4e-4,
        generator_betas=(0.0, 0.9),
        discriminator_betas=(0.0, 0.9),
        decay_from=0.5,
        average_half_life=1000,
    )

    @model_validator(mode="after")
    def _patches_fit(self) -> NoduleGenerationSettings:
        if self.patch.least_side > self.image_size:
            raise ValueError(f"patch.least_side ({self.patch.least_side}) is larger than image_size")
        if self.patch.size > 2 * self.image_size:
            raise ValueError(
                f"patch.size ({self.patch.size}) would enlarge images of image_size ({self.image_size}) more than twice"
            )
        return self
