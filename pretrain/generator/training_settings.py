"""Settings of the two ways to train a generator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from ...data.preprocessing import Preset
from ...foundation.errors import UserError
from ...foundation.settings import Settings, flattened, override
from ...training.adversarial_settings import AdversarialSettings
from ...training.settings import TrainingSettings
from .spec import GeneratorSpec

Form = Literal["autoencoder", "gan"]


class GeneratorShape(Settings):
    """`[generator]`: see `GeneratorSpec`, whose resolution is `--size`. The defaults are grey and half as wide."""

    channels: int = 1
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 8
    channel_base: int = 16384
    channel_max: int = 512

    def spec(self, resolution: int) -> GeneratorSpec:
        """The whole shape. Raises UserError for one that no generator has."""
        return GeneratorSpec(resolution=resolution, **self.model_dump())


class DiscriminatorShape(Settings):
    """`[discriminator]`: feature maps at resolution r are `channel_base / r`, and at most `channel_max`."""

    channel_base: int = Field(default=16384, ge=4, le=2**20)
    channel_max: int = Field(default=512, ge=1, le=4096)


class AugmentationSettings(Settings):
    """`[augmentation]`: of what the discriminator sees (Karras et al. 2020b, arXiv:2006.06676), for grey radiographs.

    Attributes:
        probability: of each kind of change at the start.
        target: mean sign of the discriminator's verdicts on real images that the probability is moved towards; 0 keeps
            the probability.
        images: over how many real images the probability can move from 0 to 1.
        every: discriminator steps from one change of the probability to the next.
        flips: whether left and right may change places; in a radiograph the heart then lies on the wrong side.
        shift: largest shift, as a share of the side.
        rotation: largest rotation in degrees.
        scale: standard deviation of the binary logarithm of the scale.
        brightness: standard deviation of what is added, of the range -1 to 1.
        contrast: standard deviation of the binary logarithm of the contrast.
    """

    probability: float = Field(default=0.0, ge=0, le=1)
    target: float = Field(default=0.6, ge=0, lt=1)
    images: int = Field(default=500_000, ge=1)
    every: int = Field(default=4, ge=1)
    flips: bool = False
    shift: float = Field(default=0.125, ge=0, le=0.5)
    rotation: float = Field(default=10.0, ge=0, le=180)
    scale: float = Field(default=0.2, ge=0, le=1)
    brightness: float = Field(default=0.2, ge=0, le=1)
    contrast: float = Field(default=0.5, ge=0, le=2)


class GeneratorTrainingSettings(Settings):
    """What both forms have.

    Attributes:
        generator: its shape.
        preprocessing: preset by which files become images.
        normal: train on images without any finding only, where labels say which they are.
        unreadable_limit: share of the images that may be unreadable and are left out; up to 20 may always be, none
            where it is 0.
        checkpoint_seconds: seconds between two checkpoints.
    """

    generator: GeneratorShape = GeneratorShape()
    preprocessing: Preset = "default"
    normal: bool = False
    unreadable_limit: float = Field(default=0.01, ge=0, lt=1)
    checkpoint_seconds: float = Field(default=600.0, ge=0)


class AutoencoderSettings(GeneratorTrainingSettings):
    """The generator as decoder of an autoencoder.

    Attributes:
        encoder_width: channels of the encoder's first layer; they double with each, up to 8 times as many.
        w_penalty: weight of the mean square of w beside the mean squared error of the pixels in [0, 1].
        training: of the loop.
    """

    encoder_width: int = Field(default=32, ge=1, le=1024)
    w_penalty: float = Field(default=1e-4, ge=0)
    training: TrainingSettings = TrainingSettings(
        optimiser="adam",
        lr=0.01,
        weight_decay=0.0,
        batch_size=8,
        epochs=100,
        patience=0,
        schedule="cosine",
        warmup_epochs=1.0,
        clip=0.1,
    )


class GanSettings(GeneratorTrainingSettings):
    """The generator against a discriminator.

    Attributes:
        discriminator: its shape.
        gamma: weight of R1, gamma / 2 x the squared norm of the gradient (Mescheder et al. 2018); larger images need
            more.
        style_mixing: share of the images whose layers from a random one on get a second w (Karras et al. 2019).
        w_momentum: of the running mean of w.
        augmentation: of what the discriminator sees.
        training: of the loop.
    """

    discriminator: DiscriminatorShape = DiscriminatorShape()
    gamma: float = Field(default=1.0, ge=0)
    style_mixing: float = Field(default=0.9, ge=0, le=1)
    w_momentum: float = Field(default=0.998, ge=0, lt=1)
    augmentation: AugmentationSettings = AugmentationSettings()
    training: AdversarialSettings = AdversarialSettings(steps=50_000, batch_size=32, average_half_life=10_000)


def training_settings(form: Form, values: Mapping[str, Any], where: str = "--set") -> AutoencoderSettings | GanSettings:
    """The settings of a form, changed by dotted key -> value.

    Raises UserError for an unknown key, with the nearest one, for a value out of its range, and for what this training
    does not do.
    """
    if form == "gan":
        return override(GanSettings(), values, where)
    flat = dict(flattened(values))
    defaults = AutoencoderSettings()
    if "training.warmup_epochs" not in flat and isinstance(epochs := flat.get("training.epochs"), int):
        flat["training.warmup_epochs"] = min(defaults.training.warmup_epochs, epochs / 2)
    settings = override(defaults, flat, where)
    if settings.training.devices > 1:
        raise UserError(
            f"{where}: training.devices = {settings.training.devices}: a generator is trained on one device"
        )
    if settings.training.optimiser not in ("adam", "adamw"):
        raise UserError(f"{where}: training.optimiser = {settings.training.optimiser}: a generator needs adam or adamw")
    return settings
