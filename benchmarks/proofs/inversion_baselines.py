"""What an inversion of phantoms must beat: mean image, PCA, and the same generator without training.

All are scored on the same test images; mean image and PCA are fitted to the normal images of the training part.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from cxrbench.data import load, prepare_images
from cxrbench.data.phantom.dataset import phantom_folder
from cxrbench.foundation.files import default_cache
from cxrbench.foundation.progress import progress_for_terminal
from cxrbench.pretrain.generator import Generator
from cxrbench.tasks.image_quality import psnr, ssim
from cxrbench.tasks.inversion.search import Search
from cxrbench.tasks.inversion.task import InversionTask
from cxrbench.tasks.registry import tasks
from cxrbench.tasks.trial import Trial

COMPONENTS = (16, 64, 128)
# Of z whose mean style is where the untrained generator begins.
MEAN_OF = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--phantoms", type=int, default=1000)
    parser.add_argument("--images", type=int, default=40, help="test images")
    parser.add_argument("--steps", type=int, default=200)
    given = parser.parse_args()
    asked = {"steps": given.steps, "images.test": given.images}
    task = tasks.get("gan_inversion").configured(None, asked, "options")
    assert isinstance(task, InversionTask)
    progress = progress_for_terminal()
    folder = phantom_folder("vindr", given.cache, n=given.phantoms, progress=progress)
    data = task.select(load("vindr", folder))
    images = prepare_images(data, task.image_size, cache=given.cache, progress=progress)
    rows = task.split(data, Trial("none", "gan_inversion", "calibrated", "frozen", 100, 0)).test
    fitted = np.flatnonzero((data.samples["split"] == "train").to_numpy())
    true, known = (images.batch(each).astype(np.float64) / 255 for each in (rows, fitted))
    generator, meta = task.generator.load(given.cache, progress)
    print(f"{len(rows)} test images of {task.image_size} px, {len(fitted)} to fit to, {given.steps} steps; {meta.kind}")
    for name, made in [*of_components(true, known), *of_generators(true, generator, task)]:
        a, b = torch.from_numpy(made).clamp(0, 1), torch.from_numpy(true)
        print(f"  {name:36} {float(psnr(a, b).mean()):6.2f} dB   SSIM {float(ssim(a, b).mean()):.3f}")


def of_components(true: np.ndarray, known: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Mean image, and projections on the first principal components of `known` [M, S, S]."""
    mean = known.mean(axis=0)
    yield "mean image", np.broadcast_to(mean, true.shape).copy()
    _, _, axes = np.linalg.svd((known - mean).reshape(len(known), -1), full_matrices=False)
    centred = (true - mean).reshape(len(true), -1)
    for count in COMPONENTS:
        first = axes[:count]
        yield f"PCA, {len(first)} components", (centred @ first.T @ first).reshape(true.shape) + mean


def of_generators(true: np.ndarray, generator: Generator, task: InversionTask) -> Iterator[tuple[str, np.ndarray]]:
    """Inversions by the error of pixels alone, of an untrained and of the trained generator, in W and W+."""
    untrained = Generator(generator.spec, seed=1).eval().requires_grad_(False)
    z = torch.randn(MEAN_OF, generator.spec.z_dim, generator=torch.Generator().manual_seed(0))
    untrained.w_avg.copy_(untrained.mapping(z).mean(dim=0))
    settings = task.settings
    for name, each in (("untrained generator", untrained), ("trained generator", generator)):
        search = Search(each, None, "w", settings.steps, settings.lr)
        yield f"{name}, mean style", search.images(search.start(len(true))).double()[:, 0].numpy()
        for space in ("w", "w+"):
            sought = replace(search, space=space)
            targets = torch.from_numpy(true).float().unsqueeze(1)
            parts = [sought.images(sought.find(part).latents) for part in targets.split(settings.batch_size)]
            yield f"{name}, {space}", torch.cat(parts).double()[:, 0].numpy()


if __name__ == "__main__":
    main()
