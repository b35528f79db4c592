"""Films without bones as a network makes them, and how near they are to the true ones."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ...training.device import Device, Precision
from ..image_quality import psnr, rmse, ssim
from ..made_images import MadeImages
from ..network_input import as_input, asking
from ..perceptual.calibration import squared_errors

if TYPE_CHECKING:
    from ..image_quality.lpips import Lpips
    from .pairs import Pairs

NOT_NUMBERS = "the network's output is not a number"


@dataclass(frozen=True)
class Suppressor:
    """What networks make of rows of `pairs`; picklable for several devices."""

    pairs: Pairs
    device: Device
    precision: Precision
    batch_size: int

    def outputs(self, network: nn.Module, rows: np.ndarray) -> Iterator[tuple[np.ndarray, Tensor, Tensor]]:
        """Places in `rows`, outputs clamped to [0, 1] and targets, float32 [B, 1, S, S]; by batches.

        What is infinite is NaN: clamped it would be taken for black or white.
        """
        for first in range(0, len(rows), self.batch_size):
            places = np.arange(first, min(first + self.batch_size, len(rows)))
            films, targets = (as_input(each).to(self.device) for each in self.pairs.batch(rows[places]))
            with asking(network, self.device, self.precision):
                found = network(films).float()
                found = found.masked_fill(found.isinf(), torch.nan).clamp(0, 1)
            yield places, found, targets


@dataclass(frozen=True)
class Validation:
    """What chooses the epoch: `mse`, mean over images of the squared error of clamped outputs, values in [0, 1].

    Never the loss with the features in it, by which encoders would be judged each on a scale of its own.
    """

    suppress: Suppressor
    rows: np.ndarray

    def __call__(self, network: nn.Module) -> dict[str, float]:
        errors = [squared_errors(*pair) for _, *pair in self.suppress.outputs(network, self.rows)]
        mse = float(torch.cat(errors).double().mean())
        return {"mse": mse, "psnr": -10 * math.log10(mse) if mse > 0 else math.nan}


@dataclass(frozen=True)
class Suppressed:
    """Test films without bones.

    Attributes:
        values: metric -> float64 [T], NaN where it failed.
        failed: why there is no image, in words, or empty; [T].
        shown: uint8 [K, S, S], the outputs at the places that were asked for; black where it failed.
    """

    values: dict[str, np.ndarray]
    failed: list[str]
    shown: np.ndarray


def suppress_and_score(
    suppress: Suppressor, network: nn.Module, rows: np.ndarray, shown: np.ndarray, lpips: Lpips | None
) -> Suppressed:
    """Make the films of `rows` [T], hold each against its target, and keep those at the places `shown` [K]."""
    metrics = {"psnr": psnr, "ssim": ssim, "rmse": rmse, **({} if lpips is None else {"lpips": lpips})}
    values = {name: np.full(len(rows), np.nan) for name in metrics}
    failed = np.zeros(len(rows), dtype=bool)
    size = suppress.pairs.films.size
    kept = np.zeros((len(shown), size, size), dtype=np.uint8)
    for places, outputs, targets in suppress.outputs(network, rows):
        whole = ~outputs.isnan().flatten(1).any(dim=1)
        failed[places] = ~whole.cpu().numpy()
        good = places[~failed[places]]
        for name, metric in metrics.items() if len(good) else ():
            with torch.no_grad():
                values[name][good] = metric(outputs[whole], targets[whole]).double().cpu().numpy()
        here = np.flatnonzero(np.isin(shown, good))
        kept[here] = _grey_levels(outputs[torch.from_numpy(shown[here] - places[0]).to(outputs.device)])
    return Suppressed(values, [NOT_NUMBERS if each else "" for each in failed], kept)


def made_images(pairs: Pairs, rows: np.ndarray, outputs: np.ndarray) -> MadeImages:
    """Film, target and output [K, S, S] beside each other, for figures."""
    films, targets = pairs.batch(rows)
    ids = pairs.films.radiographs.samples["sample_id"].to_numpy(dtype=str)[rows]
    return MadeImages(ids, {"film": films, "target": targets, "output": outputs})


def _grey_levels(images: Tensor) -> np.ndarray:
    """[B, 1, S, S] in [0, 1] -> uint8 [B, S, S]."""
    return images[:, 0].mul(255).round().to(torch.uint8).cpu().numpy()
