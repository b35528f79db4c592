"""Reconstructions held against their originals, a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..image_quality import psnr, rmse, ssim
from ..made_images import MadeImages, shown_rows

if TYPE_CHECKING:
    from ...data.images import Images
    from ..image_quality import Lpips
    from .search import Search


@dataclass(frozen=True)
class Scored:
    """What came out.

    Attributes:
        values: metric -> [T], NaN for images that failed; `lpips` only where there is one.
        made: originals and reconstructions of the images that figures show, less those that failed.
    """

    values: dict[str, np.ndarray]
    made: MadeImages


def score_reconstructions(
    search: Search,
    images: Images,
    rows: np.ndarray,
    latents: torch.Tensor,
    succeeded: np.ndarray,
    batch_size: int,
    task: str,
    lpips: Lpips | None,
) -> Scored:
    """Metrics of the reconstructions from `latents` [T, ...], clamped to [0, 1], at the generator's size.

    Args:
        search: whose generator makes the images.
        images: all.
        rows: test rows [T].
        latents: of those.
        succeeded: bool [T]; the others have no image.
        batch_size: images at a time.
        task: its name, by which the images shown are chosen.
        lpips: of the user's files, or None.
    """
    names = ("psnr", "ssim", "rmse", *(() if lpips is None else ("lpips",)))
    values = {name: np.full(len(rows), np.nan) for name in names}
    ids = images.radiographs.samples["sample_id"].to_numpy(dtype=str)[rows]
    shown = [place for place in shown_rows(ids, task) if succeeded[place]]
    stack = np.zeros((len(shown), images.size, images.size), dtype=np.uint8)
    at = {place: number for number, place in enumerate(shown)}
    with torch.inference_mode():
        for first in range(0, len(rows), batch_size):
            part = np.arange(first, min(first + batch_size, len(rows)))
            good = succeeded[part]
            # All of a batch, so that an image that failed does not change the rounding of the others.
            made = search.images(latents[part])[torch.from_numpy(good)].clamp(0, 1)
            part = part[good]
            true = search.targets(images.batch(rows[part]))
            values["psnr"][part] = psnr(made, true).cpu().numpy()
            values["ssim"][part] = ssim(made, true).cpu().numpy()
            values["rmse"][part] = rmse(made, true).cpu().numpy()
            if lpips is not None:
                values["lpips"][part] = lpips.values(made, true, batch_size).cpu().numpy()
            grey = (made[:, 0] * 255).round().to(torch.uint8).cpu().numpy()
            for place, pixels in zip(part.tolist(), grey, strict=True):
                if place in at:
                    stack[at[place]] = pixels
    original = images.batch(rows[shown]) if shown else stack
    return Scored(values, MadeImages(ids[shown], {"original": original, "reconstruction": stack}))
