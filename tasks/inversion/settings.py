"""Settings of GAN inversion: typed, with defaults that are ours unless a preset names a paper."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ...foundation.settings import Settings
from ...pretrain.generator.phantom_generator import PhantomGeneratorSettings
from ..defined_task import TaskSettings
from ..image_quality.lpips_files import LpipsSettings
from ..perceptual.settings import PerceptualSettings


class ImagesSettings(Settings):
    """How many images, at most, where a dataset has fewer normal ones.

    Attributes:
        test: that are inverted and scored, the same for every encoder and replicate.
        calibration: of the training part, that set the weight of the perceptual loss.
    """

    test: int = Field(default=100, ge=2)
    calibration: int = Field(default=32, ge=1)


class InversionSettings(TaskSettings):
    """Everything that can be set about an inversion; its variant says how the perceptual loss is weighed.

    Attributes:
        image_size: side in pixels; 0 is that of the generator, and no other is possible.
        preprocessing: `default`, or `paper` (8-bit images are clipped and not stretched).
        generator: file of a trained generator, as `cxrbench generator train` and `convert` write it; empty makes the
            phantom generator, which phantoms alone may use.
        phantom_generator: how that one is made.
        space: what is sought: one vector of styles an image (w), or one a layer (w+).
        steps: of Adam, for every image.
        lr: of Adam where it is highest; it rises over the first 5 % of the steps and falls as a cosine over the last
            25 %, as in the projector of StyleGAN2 (Karras 2020, appendix D).
        batch_size: images that are sought together; it changes speed and memory, and results by rounding only.
        label: images for which this label is 1 are the normal ones; empty takes `No finding` or `normal` where a
            dataset has such a label, else images without any of its labels.
        images: how many test and calibration images.
        perceptual: see `PerceptualSettings`.
        lpips: the user's files of LPIPS, for the metric and for a row of its own.
        device: auto takes a GPU where there is one.
        precision: of generator and encoder.
    """

    image_size: int = Field(default=0, ge=0, le=2048)
    generator: str = ""
    phantom_generator: PhantomGeneratorSettings = PhantomGeneratorSettings()
    space: Literal["w", "w+"] = "w"
    steps: int = Field(default=1000, ge=1)
    lr: float = Field(default=0.1, gt=0, le=10)
    batch_size: int = Field(default=32, ge=1)
    label: str = ""
    images: ImagesSettings = ImagesSettings()
    perceptual: PerceptualSettings = PerceptualSettings()
    lpips: LpipsSettings = LpipsSettings()
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["float32", "bf16", "float64"] = "float32"
