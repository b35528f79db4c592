"""What a detector finds in images of a dataset, in their original pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor, nn

from ...stats.average_precision import Detections, match
from ...training.device import Device, Precision
from ..network_input import as_input, asking
from .targets import TrueBoxes, scales

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...data.images import Images


@dataclass(frozen=True)
class Finder:
    """Detections in rows of `images` by any detector of them; picklable, so that several devices can use it.

    Attributes:
        sizes: height and width of each sample's image in original pixels, int64 [N, 2].
    """

    images: Images
    sizes: np.ndarray
    device: Device
    precision: Precision
    batch_size: int

    def __call__(self, model: nn.Module, rows: np.ndarray) -> list[Detections]:
        """For each of `rows` its detections by falling score, numbered by place in `rows`; the model's mode is put
        back."""
        found: list[Detections] = []
        with asking(model, self.device, self.precision):
            for first in range(0, len(rows), self.batch_size):
                some = rows[first : first + self.batch_size]
                outputs = model(as_input(self.images.batch(some)).to(self.device))
                for row, output in zip(some, outputs, strict=True):
                    found.append(self._in_original(output, row, len(found)))
        return found

    def _in_original(self, output: dict[str, Tensor], row: int, number: int) -> Detections:
        boxes, scores = (output[name].double().cpu().numpy() for name in ("boxes", "scores"))
        order = np.argsort(-scores, kind="stable")
        height, width = self.sizes[row]
        boxes = boxes[order] / scales(self.sizes[[row]], self.images.size)
        return Detections(
            image=np.full(len(order), number),
            label=output["labels"].cpu().numpy()[order],
            boxes=np.clip(boxes, 0.0, [width, height, width, height]),
            scores=scores[order],
        )


@dataclass(frozen=True)
class Validation:
    """What chooses the epoch: mAP50 on the validation `rows`, images without boxes among them."""

    find: Finder
    rows: np.ndarray
    truth: TrueBoxes
    n_labels: int

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """`map50` and `map`; NaN, which is never the best, where a weight is not a number."""
        if not all(bool(each.isfinite().all()) for each in model.parameters()):
            return {"map50": float("nan"), "map": float("nan")}
        found = joined(self.find(model, self.rows))
        summary = match(found, self.truth.among(self.rows), len(self.rows), self.n_labels).summary()
        values = {name: summary[name] for name in ("map50", "map")}
        return {name: float("nan") if value is None else value for name, value in values.items()}


def joined(found: Sequence[Detections]) -> Detections:
    """Those of all images as one."""
    parts = [[getattr(each, name) for each in found] for name in ("image", "label", "boxes", "scores")]
    return Detections(*(np.concatenate(part) for part in parts))
