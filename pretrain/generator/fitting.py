"""A generator fitted to images in a cache, in either form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from ...foundation.progress import Progress, SilentProgress
from ...training.adversarial import fit_adversarial
from ...training.loop import fit
from ..running.pixels import pixels_of
from .adversarial_training import AdversarialLosses, judge_of
from .autoencoder import MOST_IMAGES, StyleAutoencoder, parameter_groups, reconstruction
from .image_batches import grey, image_batches
from .network import Generator
from .spec import GeneratorSpec
from .training_settings import AutoencoderSettings, GanSettings

if TYPE_CHECKING:
    from ...data.images import Images

_CHUNK = 64


@dataclass(frozen=True)
class Fitted:
    """A trained generator, on the CPU, in eval mode, with its w_avg; and one row an epoch or some steps."""

    generator: Generator
    rows: list[dict[str, float]]


def fit_generator(
    spec: GeneratorSpec,
    settings: AutoencoderSettings | GanSettings,
    parts: Sequence[Images],
    seed: int,
    *,
    checkpoint: Path | None = None,
    checkpoint_must_fit: bool = False,
    stop: Callable[[], bool] | None = None,
    progress: Progress | None = None,
    title: str = "training a generator",
) -> Fitted:
    """Train a generator on images.

    Args:
        spec: its shape.
        settings: of an autoencoder or of a GAN.
        parts: images of side `spec.resolution`, at least a batch of them in all.
        seed: of everything that is drawn; equal seeds give equal weights on one machine.
        checkpoint: file to go on from, bit for bit; whoever keeps the result removes it.
        checkpoint_must_fit: raise UserError for one that is damaged or of another training, which else is told of and
            begun again over.
        stop: asked after every step.
        progress: where the work is shown.
        title: what it is called there.

    Raises:
        NotFiniteLossError, StoppedError, UserError: as `fit` and `fit_adversarial`.
    """
    progress = progress or SilentProgress()
    keeping: dict[str, Any] = {"checkpoint": checkpoint, "checkpoint_must_fit": checkpoint_must_fit, "stop": stop}
    keeping |= {"checkpoint_after": settings.checkpoint_seconds, "progress": progress, "title": title}
    if isinstance(settings, GanSettings):
        return _fit_gan(spec, settings, parts, seed, keeping)
    return _fit_autoencoder(spec, settings, parts, seed, keeping)


def _fit_autoencoder(
    spec: GeneratorSpec, settings: AutoencoderSettings, parts: Sequence[Images], seed: int, keeping: dict[str, Any]
) -> Fitted:
    network = StyleAutoencoder(Generator(spec, seed), settings.encoder_width, settings.w_penalty, seed + 1)
    n = sum(len(each) for each in parts)
    chosen = np.sort(np.random.default_rng(seed).permutation(n)[:MOST_IMAGES])
    network.encoder.start_from(pixels_of(parts, chosen))
    batches = image_batches(parts, settings.training.batch_size, seed)
    history = fit(
        network,
        reconstruction,
        batches,
        len(batches),
        settings.training,
        seed,
        parameter_groups=parameter_groups,
        **keeping,
    )
    _set_mean_of_encoded(network, parts)
    return Fitted(network.generator.cpu().requires_grad_(False), history.rows)


def _fit_gan(
    spec: GeneratorSpec, settings: GanSettings, parts: Sequence[Images], seed: int, keeping: dict[str, Any]
) -> Fitted:
    generator = Generator(spec, seed)
    losses = AdversarialLosses(settings)
    batches = image_batches(parts, settings.training.batch_size, seed)
    history = fit_adversarial(
        generator,
        judge_of(generator, settings, seed + 1),
        losses.generator,
        losses.discriminator,
        batches,
        len(batches),
        settings.training,
        seed,
        penalty=losses.penalty if settings.gamma > 0 else None,
        **keeping,
    )
    made = cast(Generator, history.average if history.average is not None else generator)
    return Fitted(made.cpu().requires_grad_(False), history.rows)


@torch.no_grad()
def _set_mean_of_encoded(network: StyleAutoencoder, parts: Sequence[Images]) -> None:
    """w_avg <- the mean w of all images."""
    n = sum(len(each) for each in parts)
    total = torch.zeros_like(network.generator.w_avg, dtype=torch.float64)
    for start in range(0, n, _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, n))
        images = grey(pixels_of(parts, rows)).to(total.device)
        total += network.encoder(images).double().sum(dim=0)
    network.generator.w_avg.copy_(total / n)
