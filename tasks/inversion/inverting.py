"""One trial of an inversion: a loss calibrated, the test images sought, their reconstructions scored."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from ...foundation.files import sha256_of_json
from ...training.device import channels_last
from ..image_pairs.predictions import grey_mean_and_sd, predictions_of
from ..image_pairs.scores import notes_of
from ..image_quality.lpips_files import load_lpips
from ..made_images import write_made_images
from ..perceptual.calibration import Calibration, calibrate
from ..trial import Trial, TrialResult
from .progress_file import ProgressFile
from .references import loss_of
from .scoring import score_reconstructions
from .search import Search, ramp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...data.images import Images
    from ...data.splits import Split
    from ...pretrain.encoder import Encoder
    from ...pretrain.generator.meta import GeneratorMeta
    from ...pretrain.generator.network import Generator
    from ..perceptual.loss import PerceptualLoss
    from ..perceptual.lpips_loss import LpipsLoss
    from ..task import Context
    from .search import Found
    from .task import InversionTask


def invert_and_score(
    task: InversionTask,
    encoder: Encoder,
    trial: Trial,
    images: Images,
    generator: Generator,
    meta: GeneratorMeta,
    context: Context,
) -> TrialResult:
    """Seek the test images with the loss of `encoder`, starting at the mean style, and score what was found.

    Args:
        generator: where and of the type it is to run in.
    """
    start = time.perf_counter()
    settings = task.settings
    split = task.split(images.radiographs, trial)
    device = task.device()
    loss = loss_of(encoder, settings.perceptual, trial.variant, settings.lpips)
    if loss is not None:
        channels_last(loss.to(generator.w_avg))
    # Before the search, so that files which do not fit are named at once.
    lpips = load_lpips(settings.lpips)
    lpips = lpips if lpips is None else lpips.to(device)
    mixed = settings.precision == "bf16"
    search = Search(generator, loss, settings.space, settings.steps, settings.lr, device, mixed)
    kept = ProgressFile(context.checkpoint_of(trial), _identity(task, encoder, trial, images, split, meta))
    kept.read(context.progress)
    if loss is not None:
        kept.calibration = kept.calibration or _calibration(search, loss, images, split.train, task)
        if trial.variant != "raw":
            loss.weight = kept.calibration.weight
    seconds = _seek(search, images, split.test, settings.batch_size, kept, context, str(trial))
    latents = torch.cat([each.latents for each in kept.finished])
    failed_at = np.concatenate([each.failed_at for each in kept.finished])
    scored = score_reconstructions(
        search, images, split.test, latents, failed_at == 0, settings.batch_size, trial.task, lpips
    )
    write_made_images(context.made_images_of(trial), scored.made)
    predictions = predictions_of(
        images.radiographs,
        split.test,
        scored.values,
        [f"no number at step {step}" if step else "" for step in failed_at],
        _truth(images, split.test, settings.batch_size),
        latents.flatten(1).float().numpy(),
    )
    resolved: dict[str, object] = {"device": device, "generator": meta.kind, "generator_sha256": meta.sha256}
    resolved |= _weights(loss, kept.calibration)
    resolved["seconds_per_image_step"] = seconds
    return TrialResult(
        trial=trial,
        predictions=predictions,
        history=_history(search, kept.finished),
        split=_split_in_words(images, split),
        resolved=resolved,
        notes=(*_notes(meta, settings.images.test, split), *notes_of(predictions)),
        seconds=time.perf_counter() - start,
    )


def _seek(
    search: Search, images: Images, rows: np.ndarray, batch_size: int, kept: ProgressFile, context: Context, title: str
) -> float | None:
    """Search for the images of `rows`, batch after batch, into `kept`; seconds an image and step, None where all was
    done before."""
    begin, done = time.perf_counter(), 0
    with context.progress.step(title, len(rows) * search.steps) as bar:
        for number, first in enumerate(range(0, len(rows), batch_size)):
            part = rows[first : first + batch_size]
            if number < len(kept.finished):
                bar.advance(len(part) * search.steps)
                continue
            resumed = kept.under_way
            made = 0 if resumed is None else int(resumed["step"])
            bar.advance(len(part) * made)
            note = f"images {first + 1}-{first + len(part)} of {len(rows)}"

            def after_step(step: int, state, n: int = len(part), note: str = note) -> None:
                bar.advance(n, f"{note}, step {step} of {search.steps}")
                kept.after_step(state)

            kept.finish(search.find(search.targets(images.batch(part)), resumed, after_step))
            done += len(part) * (search.steps - made)
    return (time.perf_counter() - begin) / done if done else None


def _calibration(
    search: Search, loss: PerceptualLoss | LpipsLoss, images: Images, rows: np.ndarray, task: InversionTask
) -> Calibration:
    """At the mean style, over the calibration images."""
    size = task.settings.batch_size

    def pairs() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        start = search.images(search.start(1))
        for first in range(0, len(rows), size):
            target = search.targets(images.batch(rows[first : first + size]))
            yield start.expand_as(target), target

    with torch.no_grad(), search.precision():
        return calibrate(loss, pairs(), task.settings.perceptual.rho)


def _truth(images: Images, rows: np.ndarray, batch_size: int) -> np.ndarray:
    """Mean and standard deviation of each test image [T, 2], without all of them in memory."""
    parts = (rows[first : first + batch_size] for first in range(0, len(rows), batch_size))
    return np.concatenate([grey_mean_and_sd(images.batch(part)) for part in parts])


def _weights(loss: PerceptualLoss | LpipsLoss | None, calibration: Calibration | None) -> dict[str, object]:
    """How the perceptual loss was weighed; empty where there is none."""
    if loss is None or calibration is None:
        return {}
    return {
        "weight": loss.weight,
        "pixel_error_at_start": calibration.pixel_error,
        "perceptual_distance_at_start": calibration.distance,
        "calibration_images": calibration.images,
    }


def _history(search: Search, finished: list[Found]) -> pd.DataFrame:
    """One row a step: mean loss of the images that did not fail, its parts, and the rate."""
    losses = np.concatenate([each.losses for each in finished], axis=2)
    good = np.concatenate([each.failed_at for each in finished]) == 0
    columns: dict[str, object] = {"step": np.arange(1, search.steps + 1)}
    if good.any():
        pixels, perceptual = losses[:, :, good].mean(axis=2)
        columns |= {"loss": pixels + perceptual, "pixel_error": pixels}
        if search.loss is not None:
            columns["perceptual"] = perceptual
    columns["lr"] = [search.lr * ramp((step + 0.5) / search.steps) for step in range(search.steps)]
    return pd.DataFrame(columns)


def _identity(
    task: InversionTask, encoder: Encoder, trial: Trial, images: Images, split: Split, generator: GeneratorMeta
) -> str:
    """Equal only where a kept state is of this very search."""
    # Settings name the recipe of the phantom generator, which has other weights on another machine.
    weights = [generator.sha256, encoder.meta.sha256, encoder.meta.mean, encoder.meta.std]
    return sha256_of_json([task.settings_of(trial), *weights, images.key, str(trial), split.digest(images.radiographs)])


def _split_in_words(images: Images, split: Split) -> dict[str, object]:
    patients = images.radiographs.samples["patient_id"].to_numpy()
    roles = {"train": split.train, "validation": split.validation, "test": split.test}
    return {role: {"images": len(rows), "patients": len(np.unique(patients[rows]))} for role, rows in roles.items()}


def _notes(meta: GeneratorMeta, asked: int, split: Split) -> list[str]:
    notes = []
    if meta.kind != "StyleGAN2":
        notes.append(f"the generator is a {meta.kind}, not a GAN")
    if len(split.test) < asked:
        notes.append(f"{len(split.test)} test images: the dataset has no more normal ones ({asked} are asked for)")
    return notes
