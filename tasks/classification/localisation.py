"""Where fine-tuned networks look: Grad-CAM maps of test images that have boxes, and whether they point into them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...data.splits import DrawKey, hash_order
from ...foundation.errors import UserError, unknown_name
from ...foundation.progress import Progress

if TYPE_CHECKING:
    from ...data.images import Images
    from ...data.radiographs import Radiographs
    from ...training.device import Device
    from .classifier import Classifier
    from .grad_cam import GradCam

# Maps in memory at a time, at most; a graph of the forward pass belongs to each.
BATCH_SIZE = 16


@dataclass(frozen=True)
class BoxedCases:
    """Pairs of a test image and a label that has boxes on it, by image and label.

    Attributes:
        rows: [P] rows of the samples.
        labels: [P] indices of the labels.
        names: of all labels.
        sample_ids, patients: [P].
        sizes: [P, 2] height and width of the image as it lies on disk, in pixels.
        boxes: [K, 4] x1, y1, x2, y2 in pixels of that image.
        case: [K] to which of the P cases each box belongs, ascending.
    """

    rows: np.ndarray
    labels: np.ndarray
    names: tuple[str, ...]
    sample_ids: np.ndarray
    patients: np.ndarray
    sizes: np.ndarray
    boxes: np.ndarray
    case: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def of(self, chosen: np.ndarray) -> BoxedCases:
        """Only the cases `chosen` [C], in that order."""
        place = np.full(len(self), -1)
        place[chosen] = np.arange(len(chosen))
        kept = np.flatnonzero(place[self.case] >= 0)
        kept = kept[np.argsort(place[self.case[kept]], kind="stable")]
        of_case = {name: getattr(self, name)[chosen] for name in ("rows", "labels", "sample_ids", "patients", "sizes")}
        return BoxedCases(**of_case, names=self.names, boxes=self.boxes[kept], case=place[self.case[kept]])

    def batches(self, size: int = BATCH_SIZE) -> Iterator[BoxedCases]:
        """All cases in order, `size` at a time."""
        for first in range(0, len(self), size):
            yield self.of(np.arange(first, min(first + size, len(self))))

    def masks(self, side: int, tolerance: float) -> np.ndarray:
        """Which pixels of a map [S, S] lie in a box, bool [P, S, S]; see `box_masks`. UserError names the image."""
        from ...stats.pointing_game import box_masks

        try:
            return box_masks(side, self.sizes, self.case, self.boxes, tolerance)
        except ValueError as error:
            # Which one, is found by asking one after the other.
            for index in range(len(self)):
                one = self.of(np.array([index]))
                try:
                    box_masks(side, one.sizes, one.case, one.boxes, tolerance)
                except ValueError as reason:
                    label = self.names[self.labels[index]]
                    raise UserError(f"image {self.sample_ids[index]}, label {label}: {reason}") from error
            raise


def boxed_cases(
    radiographs: Radiographs, test: np.ndarray, labels: Sequence[str], cache: Path | None, progress: Progress
) -> BoxedCases:
    """The cases among the rows `test` of `radiographs`; only those of `labels` where any are named.

    Raises UserError for a dataset without boxes, without boxes on test images or of labels that the task does not
    have, and for a label without a box on a test image.
    """
    from ...data.image_sizes import image_sizes

    name, boxes = radiographs.dataset, radiographs.boxes
    if boxes is None or len(boxes) == 0:
        raise UserError(f"{name}: no boxes below {radiographs.root}: the pointing game needs them; take nih14 or vindr")
    for label in labels:
        if label not in radiographs.labels:
            raise unknown_name("label", label, radiographs.labels)
    row_of = dict(zip(radiographs.samples["sample_id"].iloc[test], test.tolist(), strict=True))
    index_of = {label: index for index, label in enumerate(radiographs.labels)}
    rows, indices = boxes["sample_id"].map(row_of), boxes["label"].map(index_of)
    if not indices.notna().any():
        shown = ", ".join(sorted(set(boxes["label"])))
        raise UserError(f"{name}: its boxes show {shown}, which is no label that the network is trained on")
    kept = (rows.notna() & indices.notna()).to_numpy()
    if not kept.any():
        raise UserError(f"{name}: none of its {len(boxes)} boxes is on a test image")
    there = sorted({radiographs.labels[int(index)] for index in indices[kept]})
    for label in labels:
        if label not in there:
            raise UserError(f"--label {label}: no box of it on a test image of {name}; there are: {', '.join(there)}")
    if labels:
        kept = kept & boxes["label"].isin(labels).to_numpy()
    pairs = np.stack([rows[kept].to_numpy(dtype=np.int64), indices[kept].to_numpy(dtype=np.int64)], axis=1)
    pairs, case = np.unique(pairs, axis=0, return_inverse=True)
    order = np.argsort(case.reshape(-1), kind="stable")
    chosen, of_image = np.unique(pairs[:, 0], return_inverse=True)
    keep = np.zeros(len(radiographs), dtype=bool)
    keep[chosen] = True
    sizes = image_sizes(radiographs.where(keep), cache, progress)
    return BoxedCases(
        rows=pairs[:, 0],
        labels=pairs[:, 1],
        names=radiographs.labels,
        sample_ids=radiographs.samples["sample_id"].to_numpy(dtype=str)[pairs[:, 0]],
        patients=radiographs.samples["patient_id"].to_numpy(dtype=str)[pairs[:, 0]],
        sizes=sizes[of_image],
        boxes=boxes.loc[kept, ["x1", "y1", "x2", "y2"]].to_numpy(dtype=np.float64)[order],
        case=case.reshape(-1)[order],
    )


def shown_cases(cases: BoxedCases, number: int, key: DrawKey) -> np.ndarray:
    """Which `number` cases to show, at most: on different images, of as many labels as possible, which nobody picked.

    Images come in the order of the hash of their sample_id. In each round every label gets the first image that is left
    and has it; an image is taken once, for the first of its labels that the round has not had.
    """
    ids = np.unique(cases.sample_ids)
    rank = np.empty(len(ids), dtype=np.int64)
    rank[hash_order(ids, key)] = np.arange(len(ids))
    label_of, image_of = cases.labels.tolist(), cases.sample_ids.tolist()
    queue = np.lexsort((cases.labels, rank[np.searchsorted(ids, cases.sample_ids)])).tolist()
    chosen: list[int] = []
    images: set[str] = set()
    while queue:
        labels: set[int] = set()
        for index in queue:
            if label_of[index] not in labels and image_of[index] not in images:
                labels.add(label_of[index])
                images.add(image_of[index])
                chosen.append(index)
        queue = [index for index in queue if image_of[index] not in images]
    return np.array(chosen[:number], dtype=np.int64)


def case_maps(network: Classifier, device: Device, images: Images, cases: BoxedCases, batch_size: int) -> GradCam:
    """Grad-CAM of the cases' labels on the CPU, [P, S, S]; computed in float32, `batch_size` images at a time."""
    import torch

    from ..network_input import as_input
    from .grad_cam import GradCam, grad_cam

    found = []
    for batch in cases.batches(batch_size):
        pixels = as_input(images.batch(batch.rows)).to(device)
        maps = grad_cam(network, pixels, torch.from_numpy(batch.labels).to(device))
        found.append((maps.heat.cpu(), maps.signed.cpu()))
    return GradCam(*(torch.cat(each) for each in zip(*found, strict=True)))


@dataclass(frozen=True)
class Pointed:
    """One network on all cases.

    Attributes:
        hits: bool [P], whether its map points into a box of the label.
        for_label: bool [P], whether anything in the image speaks for the label; else it points to where least speaks
            against it.
    """

    hits: np.ndarray
    for_label: np.ndarray


def pointed(
    network: Classifier,
    device: Device,
    images: Images,
    cases: BoxedCases,
    tolerance: float,
    batch_size: int,
    progress: Progress,
) -> Pointed:
    """Where the network's map of each case points, `batch_size` images at a time; see `pointing_hits`."""
    from ...stats.pointing_game import pointing_hits

    hits, for_label = [], []
    with progress.step(f"Grad-CAM of {network.encoder.meta.name}", len(cases)) as step:
        for batch in cases.batches(batch_size):
            maps = case_maps(network, device, images, batch, batch_size)
            hits.append(pointing_hits(maps.ranked.numpy(), batch.masks(images.size, tolerance)))
            for_label.append(maps.for_label.numpy())
            step.advance(len(batch))
    return Pointed(np.concatenate(hits), np.concatenate(for_label))


def hits_by_chance(cases: BoxedCases, side: int, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Of each case: the share of its image that a hit would be in [P], and whether the image's centre hits [P]."""
    from ...stats.pointing_game import pointing_hits

    centre = np.zeros((1, side, side), dtype=np.float32)
    middle = slice((side - 1) // 2, side // 2 + 1)
    centre[:, middle, middle] = 1
    shares, hits = [], []
    for batch in cases.batches():
        masks = batch.masks(side, tolerance)
        shares.append(masks.mean(axis=(1, 2)))
        hits.append(pointing_hits(np.repeat(centre, len(batch), axis=0), masks))
    return np.concatenate(shares), np.concatenate(hits)
