"""What becomes of the proposals: detectron2's losses and its choice of detections."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.ops import batched_nms, clip_boxes_to_image

from .pooling import AlignedPooling
from .settings import OutputSettings, RegionSettings

# Standard deviations of the coordinates that the box regression learns, inverted: detectron2's and torchvision's.
BOX_WEIGHTS = (10.0, 10.0, 5.0, 5.0)


class RegionHeads(RoIHeads):
    """torchvision's class, made equal to detectron2's.

    The box loss is L1 instead of smooth L1, and detections are dropped for being empty only after the best have been
    chosen. Boxes and losses are computed in float32 also where the network runs in bf16. As in torchvision class 0
    is the background; labels given and got count from 0 without it.

    Args:
        pool_size: side of the regions that `head` takes.
        head: regions [R, C, pool_size, pool_size] -> features [R, D].
        predictor: features -> logits [R, 1 + C], box regressions [R, 4 + 4 C].
        settings, output: see there.
    """

    def __init__(
        self, pool_size: int, head: nn.Module, predictor: nn.Module, settings: RegionSettings, output: OutputSettings
    ):
        super().__init__(
            box_roi_pool=AlignedPooling(pool_size),
            box_head=head,
            box_predictor=predictor,
            fg_iou_thresh=settings.iou,
            bg_iou_thresh=settings.iou,
            batch_size_per_image=settings.samples,
            positive_fraction=settings.positive_share,
            bbox_reg_weights=BOX_WEIGHTS,
            score_thresh=output.score,
            nms_thresh=output.nms,
            detections_per_img=output.detections,
        )

    def forward(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        image_shapes: list[tuple[int, int]],
        targets: list[dict[str, Tensor]] | None = None,
    ) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
        """Detections of every image in evaluation mode, losses in training mode."""
        labels: list[Tensor] = []
        wanted: list[Tensor] = []
        if self.training:
            if targets is None:
                raise ValueError("training takes targets")
            shifted = [{"boxes": each["boxes"], "labels": each["labels"] + 1} for each in targets]
            proposals, _, labels, wanted = self.select_training_samples(list(proposals), shifted)
        regions = self.box_roi_pool(features, proposals, image_shapes)
        logits, deltas = self.box_predictor(self.box_head(regions))
        with torch.autocast(logits.device.type, enabled=False):
            logits, deltas = logits.float(), deltas.float()
            if self.training:
                return [], _losses(logits, deltas, torch.cat(labels), torch.cat(wanted))
            return self._detections(logits, deltas, proposals, image_shapes), {}

    def _detections(
        self, logits: Tensor, deltas: Tensor, proposals: list[Tensor], sizes: list[tuple[int, int]]
    ) -> list[dict[str, Tensor]]:
        counts = [len(each) for each in proposals]
        n_classes = logits.shape[1] - 1
        moved = self.box_coder.decode_single(deltas, torch.cat(proposals)).view(-1, 1 + n_classes, 4)
        scores = logits.softmax(dim=1)
        parts = zip(moved[:, 1:].split(counts), scores[:, 1:].split(counts), sizes, strict=True)
        return [self._best(*part) for part in parts]

    def _best(self, boxes: Tensor, scores: Tensor, size: tuple[int, int]) -> dict[str, Tensor]:
        """Boxes [n, C, 4] and scores [n, C] of an image -> its detections."""
        finite = boxes.isfinite().all(dim=-1).all(dim=-1) & scores.isfinite().all(dim=-1)
        rows, labels = ((scores > self.score_thresh) & finite[:, None]).nonzero(as_tuple=True)
        boxes, scores = clip_boxes_to_image(boxes[rows, labels], size), scores[rows, labels]
        kept = batched_nms(boxes, scores, labels, self.nms_thresh)[: self.detections_per_img]
        kept = kept[(boxes[kept, 2:] > boxes[kept, :2]).all(dim=-1)]
        return {"boxes": boxes[kept], "scores": scores[kept], "labels": labels[kept]}


def _losses(logits: Tensor, deltas: Tensor, labels: Tensor, wanted: Tensor) -> dict[str, Tensor]:
    """Cross-entropy, mean over the regions; L1 of the true ones' boxes, divided by all regions."""
    true = labels.nonzero().squeeze(1)
    own = deltas.view(len(deltas), -1, 4)[true, labels[true]]
    box_loss = functional.l1_loss(own, wanted[true], reduction="sum") / max(len(labels), 1)
    return {"roi_class": functional.cross_entropy(logits, labels), "roi_box": box_loss}
