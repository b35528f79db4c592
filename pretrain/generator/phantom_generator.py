"""A small generator trained on phantoms: what tests and demonstrations invert, made on first use."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from ...foundation.files import sha256_of_json, writing
from ...foundation.progress import Progress, SilentProgress
from ...foundation.settings import Settings

if TYPE_CHECKING:
    from ...data.images import Images

# Nobody tests on phantoms of this seed.
PHANTOM_SEED = 20200
# Raised when an equal recipe would give another generator.
_RECIPE_VERSION = 1
# One image that the decoder blows up would else stop it from learning for hundreds of steps.
_CLIP = 0.1


class PhantomGeneratorSettings(Settings):
    """How the phantom generator is made: a StyleGAN2 architecture trained as an autoencoder (see `autoencoder`).

    The defaults take about three minutes on one core and give a file of 0.8 MB.

    Attributes:
        resolution: side of its images in pixels.
        images: phantoms that are drawn; those without a finding, about half of them, are trained on.
        phantom_size: side of the phantoms in pixels, before they become images of `resolution`.
        phantom_seed: of the phantoms; one that nobody tests on.
        w_dim: numbers in a w.
        channel_base, channel_max: feature maps at resolution r are `channel_base / r`, and at most `channel_max`.
        encoder_width: channels of the encoder's first convolution.
        steps: optimiser steps, rounded up to whole passes over the images.
        batch_size: images a step.
        lr: learning rate, which falls to 0 as a cosine.
        seed: of everything else that is drawn.
    """

    resolution: int = Field(default=64, ge=8, le=256)
    images: int = Field(default=1200, ge=8)
    phantom_size: int = Field(default=256, ge=32)
    phantom_seed: int = Field(default=PHANTOM_SEED, ge=0)
    w_dim: int = Field(default=64, ge=1, le=512)
    channel_base: int = Field(default=512, ge=64)
    channel_max: int = Field(default=64, ge=1, le=512)
    encoder_width: int = Field(default=4, ge=1)
    steps: int = Field(default=6000, ge=1)
    batch_size: int = Field(default=4, ge=1)
    lr: float = Field(default=0.05, gt=0)
    seed: int = Field(default=0, ge=0)


def recipe_hash(settings: PhantomGeneratorSettings, dataset: str = "vindr") -> str:
    """What tells recipes apart: 16 hexadecimal digits, known without training."""
    from ...data.phantom.drawing import VERSION
    from ...data.preprocessing import PREPROCESSING_VERSION

    words = [_RECIPE_VERSION, VERSION, PREPROCESSING_VERSION, dataset, settings.model_dump(mode="json")]
    return sha256_of_json(words)[:16]


def phantom_generator(
    settings: PhantomGeneratorSettings, cache: Path, progress: Progress | None = None, dataset: str = "vindr"
) -> Path:
    """The file of the phantom generator below `cache`, trained where it is not there yet.

    One process trains, the others wait for it. A training that was killed is gone on with, bit for bit, and the file
    is there whole or not at all. Equal recipes give equal weights on one machine; between machines they differ by
    rounding.

    Args:
        settings: the recipe.
        cache: folder of what can be made again; the file is `generators/<recipe_hash>.safetensors` in it.
        progress: where the work is shown.
        dataset: whose phantoms.

    Raises:
        UserError: a recipe that gives no generator, fewer normal phantoms than a batch, or a cache that cannot be
            written.
    """
    from filelock import FileLock

    path = Path(cache) / "generators" / f"{recipe_hash(settings, dataset)}.safetensors"
    if path.is_file():
        return path
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path.parent), FileLock(path.with_name(f".{path.name}.lock")):
        if not path.is_file():
            _make(settings, path, Path(cache), progress or SilentProgress(), dataset)
    return path


def _make(settings: PhantomGeneratorSettings, path: Path, cache: Path, progress: Progress, dataset: str) -> None:
    from ...foundation.errors import UserError
    from .files import save_generator
    from .fitting import fit_generator
    from .meta import GeneratorMeta
    from .spec import GeneratorSpec
    from .training_settings import AutoencoderSettings

    shape = {"channels": 1, "z_dim": settings.w_dim, "w_dim": settings.w_dim, "mapping_layers": 2}
    shape |= {"channel_base": settings.channel_base, "channel_max": settings.channel_max}
    spec = GeneratorSpec(settings.resolution, **shape)
    images = _normal_phantoms(settings, cache, progress, dataset)
    if len(images) < settings.batch_size:
        raise UserError(
            f"phantom generator: {len(images)} normal phantoms among {settings.images} are fewer than a batch of "
            f"{settings.batch_size}; raise images"
        )
    epochs = -(-settings.steps // (len(images) // settings.batch_size))
    training = {
        "epochs": epochs,
        "lr": settings.lr,
        "batch_size": settings.batch_size,
        "optimiser": "adam",
        "weight_decay": 0.0,
        "patience": 0,
        "schedule": "cosine",
        "warmup_epochs": min(0.75, epochs / 2),
        "clip": _CLIP,
        "precision": "float32",
        "device": "cpu",
    }
    recipe = AutoencoderSettings.model_validate(
        {"encoder_width": settings.encoder_width, "checkpoint_seconds": 30.0, "training": training}
    )
    beside = path.with_name(f".{path.stem}.partial")
    fitted = fit_generator(
        spec,
        recipe,
        (images,),
        settings.seed,
        checkpoint=beside / "checkpoint.pt",
        progress=progress,
        title="training the phantom generator",
    )
    words = f"{len(images):,} normal synthetic phantoms of {dataset} (seed {settings.phantom_seed}), as an autoencoder"
    meta = GeneratorMeta("phantom", "StyleGAN2-architecture autoencoder", spec, words, "Apache-2.0", synthetic=True)
    save_generator(fitted.generator, path, meta)
    shutil.rmtree(beside, ignore_errors=True)


def _normal_phantoms(settings: PhantomGeneratorSettings, cache: Path, progress: Progress, dataset: str) -> Images:
    from ...data import load
    from ...data.images import prepare_images
    from ...data.normal_images import normals
    from ...data.phantom.dataset import phantom_folder

    folder = phantom_folder(
        dataset, cache, settings.images, settings.phantom_size, settings.phantom_seed, progress=progress
    )
    radiographs = load(dataset, folder)
    return prepare_images(radiographs.where(normals(radiographs)), settings.resolution, cache=cache, progress=progress)
