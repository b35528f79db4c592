"""The region proposal network with detectron2's losses and its choice of proposals."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead, concat_box_prediction_layers
from torchvision.ops import clip_boxes_to_image, nms

from .anchors import ExactAnchors
from .settings import AnchorSettings, ProposalSettings


class RegionProposals(RegionProposalNetwork):
    """torchvision's network, made equal to detectron2's.

    The box loss is L1 instead of smooth L1; both losses are sums divided by `samples` an image, not by how many were
    drawn; proposals are ranked by logits, whose order sigmoids lose in float32, and dropped only where they are
    empty or not finite. Boxes and losses are computed in float32 also where the network runs in bf16: torchvision
    decodes in the precision of its input, which at 1,000 pixels is wrong by up to 7.5.

    New layers are drawn from torch's global generator: normal, standard deviation 0.01, biases 0.
    """

    def __init__(self, channels: int, anchors: AnchorSettings, settings: ProposalSettings):
        generator = ExactAnchors(anchors.sizes, anchors.ratios)
        super().__init__(
            generator,
            RPNHead(channels, generator.num_anchors_per_location()[0]),
            fg_iou_thresh=settings.foreground_iou,
            bg_iou_thresh=settings.background_iou,
            batch_size_per_image=settings.samples,
            positive_fraction=settings.positive_share,
            pre_nms_top_n={"training": settings.before_nms_training, "testing": settings.before_nms_test},
            post_nms_top_n={"training": settings.after_nms_training, "testing": settings.after_nms_test},
            nms_thresh=settings.nms,
        )
        self.min_size = 0.0

    def forward(
        self, images: ImageList, features: dict[str, Tensor], targets: list[dict[str, Tensor]] | None = None
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Proposals [n, 4] of every image, best first, and in training mode the losses."""
        maps = list(features.values())
        objectness, deltas = self.head(maps)
        anchors = self.anchor_generator(images, maps)
        with torch.autocast(maps[0].device.type, enabled=False):
            objectness, deltas = concat_box_prediction_layers(
                [each.float() for each in objectness], [each.float() for each in deltas]
            )
            proposals = self._proposals(objectness.detach(), deltas.detach(), anchors, images.image_sizes)
            if not self.training:
                return proposals, {}
            if targets is None:
                raise ValueError("training takes targets")
            labels, matched = self.assign_targets_to_anchors(anchors, targets)
            return proposals, self._losses(objectness.flatten(), deltas, anchors, labels, matched)

    def _losses(
        self, objectness: Tensor, deltas: Tensor, anchors: list[Tensor], labels: list[Tensor], matched: list[Tensor]
    ) -> dict[str, Tensor]:
        """Sums over the anchors drawn, divided by `samples` x images."""
        positive, negative = (torch.cat(masks).bool() for masks in self.fg_bg_sampler(labels))
        drawn = positive | negative
        # Only these: an anchor of an image without boxes has no logarithm of a width to learn.
        wanted = self.box_coder.encode_single(torch.cat(matched)[positive], torch.cat(anchors)[positive])
        divisor = self.fg_bg_sampler.batch_size_per_image * len(labels)
        objectness_loss = functional.binary_cross_entropy_with_logits(
            objectness[drawn], torch.cat(labels)[drawn], reduction="sum"
        )
        box_loss = functional.l1_loss(deltas[positive], wanted, reduction="sum")
        return {"rpn_objectness": objectness_loss / divisor, "rpn_box": box_loss / divisor}

    @torch.no_grad()
    def _proposals(
        self, objectness: Tensor, deltas: Tensor, anchors: list[Tensor], sizes: list[tuple[int, int]]
    ) -> list[Tensor]:
        """The best anchors of every image, moved, clipped to it and thinned out."""
        n = len(sizes)
        logits, deltas = objectness.view(n, -1), deltas.view(n, -1, 4)
        logits, places = logits.topk(min(self.pre_nms_top_n(), logits.shape[1]), dim=1)
        deltas = deltas.gather(1, places[..., None].expand(-1, -1, 4))
        boxes = self.box_coder.decode_single(deltas.reshape(-1, 4), anchors[0][places].reshape(-1, 4)).view(n, -1, 4)
        usable = boxes.isfinite().all(dim=-1) & logits.isfinite()
        boxes = torch.stack([clip_boxes_to_image(each, size) for each, size in zip(boxes, sizes, strict=True)])
        sides = boxes[..., 2:] - boxes[..., :2]
        usable &= (sides > self.min_size).all(dim=-1)
        return [self._thinned(boxes[i][usable[i]], logits[i][usable[i]]) for i in range(n)]

    def _thinned(self, boxes: Tensor, logits: Tensor) -> Tensor:
        return boxes[nms(boxes, logits, self.nms_thresh)[: self.post_nms_top_n()]]
