"""The detector made of detectron2's own classes around the same encoder, where detectron2 is installed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from ....foundation.errors import UserError
from ....pretrain.encoder import Encoder
from .anchors import STRIDE
from .detector import LOSSES, Detections, Detector, Losses, Targets
from .heads import StageHead, TwoLayerHead
from .pooling import MAP
from .region_heads import BOX_WEIGHTS
from .settings import DetectorSettings
from .torchvision_engine import TorchvisionDetector

# detectron2's names of the losses, in the order of LOSSES.
THEIR_LOSSES = ("loss_rpn_cls", "loss_rpn_loc", "loss_cls", "loss_box_reg")


def check_detectron2() -> None:
    """Raise UserError where detectron2 cannot be imported."""
    try:
        import_module("detectron2.modeling")
    # Beside a Pillow or torch of another age its import ends in an AttributeError.
    except (ImportError, AttributeError) as error:
        raise UserError(
            f"detection.engine=detectron2: detectron2 cannot be imported ({error}); build it from its source "
            "(github.com/facebookresearch/detectron2), or set detection.engine=torchvision"
        ) from error


class Detectron2Detector(Detector):
    """detectron2's GeneralizedRCNN, RPN and Res5ROIHeads (C4) or StandardROIHeads with the weights of `other`.

    Written against detectron2's commit 02b5c4e. The encoder and a fourth stage in the head are the modules of
    `other`, which must not be used afterwards.
    """

    def __init__(self, other: TorchvisionDetector, settings: DetectorSettings):
        super().__init__()
        self.n_classes, self.notes = other.n_classes, other.notes
        frozen = [other.get_submodule(name) for name in other.frozen]
        model = import_module("detectron2.modeling").GeneralizedRCNN(
            backbone=_Backbone(other.encoder),
            proposal_generator=_proposals(other, settings),
            roi_heads=_heads(other, settings),
            pixel_mean=[0.0],
            pixel_std=[1.0],
        )
        self.model: Any = model.to(next(other.parameters()).device)
        names = {module: name for name, module in self.named_modules()}
        self.frozen = tuple(names[module] for module in frozen)

    def losses(self, x: Tensor, targets: Targets) -> Losses:
        structures = import_module("detectron2.structures")
        size = (x.shape[-2], x.shape[-1])
        inputs = []
        for image, target in zip(x, targets, strict=True):
            boxes = structures.Boxes(target["boxes"])
            truth = structures.Instances(size, gt_boxes=boxes, gt_classes=target["labels"])
            inputs.append({"image": image, "instances": truth})
        # detectron2 writes its counts into whatever storage is open, and fails where none is.
        with import_module("detectron2.utils.events").EventStorage():
            found = self.model(inputs)
        return {ours: found[theirs].float() for ours, theirs in zip(LOSSES, THEIR_LOSSES, strict=True)}

    def detections(self, x: Tensor) -> Detections:
        found = [each["instances"] for each in self.model([{"image": image} for image in x])]
        return [
            {"boxes": each.pred_boxes.tensor, "scores": each.scores.float(), "labels": each.pred_classes}
            for each in found
        ]


class _Backbone(nn.Module):
    """What GeneralizedRCNN asks of a backbone."""

    size_divisibility = 0
    padding_constraints: dict[str, int] = {}  # noqa: RUF012 - detectron2 reads it from the object

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        # detectron2 rounds regions to the precision of the map, which in bf16 is pixels.
        return {MAP: self.encoder(x).float()}


def _proposals(other: TorchvisionDetector, settings: DetectorSettings) -> nn.Module:
    generator = import_module("detectron2.modeling.proposal_generator")
    anchors = import_module("detectron2.modeling.anchor_generator").DefaultAnchorGenerator(
        sizes=[list(settings.anchors.sizes)],
        aspect_ratios=[list(settings.anchors.ratios)],
        strides=[STRIDE],
        offset=0.0,
    )
    ours: Any = other.rpn.head
    theirs = import_module("detectron2.modeling.proposal_generator.rpn")
    head = theirs.StandardRPNHead(in_channels=ours.cls_logits.in_channels, num_anchors=anchors.num_anchors[0])
    _take(head.conv, ours.conv[0][0])
    _take(head.objectness_logits, ours.cls_logits)
    _take(head.anchor_deltas, ours.bbox_pred)
    rpn = settings.rpn
    return generator.RPN(
        in_features=[MAP],
        head=head,
        anchor_generator=anchors,
        anchor_matcher=_matcher([rpn.background_iou, rpn.foreground_iou], [0, -1, 1], low_quality=True),
        box2box_transform=_transform((1.0, 1.0, 1.0, 1.0)),
        batch_size_per_image=rpn.samples,
        positive_fraction=rpn.positive_share,
        pre_nms_topk=(rpn.before_nms_training, rpn.before_nms_test),
        post_nms_topk=(rpn.after_nms_training, rpn.after_nms_test),
        nms_thresh=rpn.nms,
    )


def _heads(other: TorchvisionDetector, settings: DetectorSettings) -> nn.Module:
    theirs: Any = import_module("detectron2.modeling.roi_heads")
    size = other.roi_heads.box_roi_pool.output_size[0]
    pooler = import_module("detectron2.modeling.poolers").ROIPooler(
        output_size=size, scales=(1 / STRIDE,), sampling_ratio=0, pooler_type="ROIAlignV2"
    )
    roi = settings.roi
    shared = {
        "num_classes": other.n_classes,
        "batch_size_per_image": roi.samples,
        "positive_fraction": roi.positive_share,
        "proposal_matcher": _matcher([roi.iou], [0, 1], low_quality=False),
        "proposal_append_gt": True,
        "box_predictor": _predictor(other, settings),
    }
    ours: Any = other.roi_heads.box_head
    if isinstance(ours, StageHead):
        stage = nn.Sequential(ours.stage, ours.norm)
        return theirs.Res5ROIHeads(in_features=[MAP], pooler=pooler, res5=stage, **shared)
    head = _two_layers(ours, ours.fc6.in_features // size**2, size)
    return theirs.StandardROIHeads(box_in_features=[MAP], box_pooler=pooler, box_head=head, **shared)


def _two_layers(ours: TwoLayerHead, channels: int, size: int) -> nn.Module:
    shape = import_module("detectron2.layers").ShapeSpec(channels=channels, height=size, width=size)
    box_head = import_module("detectron2.modeling.roi_heads.box_head")
    head = box_head.FastRCNNConvFCHead(shape, conv_dims=[], fc_dims=[ours.fc6.out_features, ours.fc7.out_features])
    _take(head.fc1, ours.fc6)
    _take(head.fc2, ours.fc7)
    return head


def _predictor(other: TorchvisionDetector, settings: DetectorSettings) -> nn.Module:
    ours = other.roi_heads.box_predictor
    shape = import_module("detectron2.layers").ShapeSpec(channels=ours.cls_score.in_features, height=1, width=1)
    predictor = import_module("detectron2.modeling.roi_heads.fast_rcnn").FastRCNNOutputLayers(
        shape,
        box2box_transform=_transform(BOX_WEIGHTS),
        num_classes=other.n_classes,
        test_score_thresh=settings.output.score,
        test_nms_thresh=settings.output.nms,
        test_topk_per_image=settings.output.detections,
    )
    with torch.no_grad():
        for name in ("weight", "bias"):
            scores, boxes = getattr(ours.cls_score, name), getattr(ours.bbox_pred, name)
            # Their background comes last and has no box.
            getattr(predictor.cls_score, name).copy_(scores.roll(-1, dims=0))
            getattr(predictor.bbox_pred, name).copy_(boxes[4:])
    return predictor


def _matcher(thresholds: list[float], labels: list[int], low_quality: bool) -> Any:
    matcher = import_module("detectron2.modeling.matcher").Matcher
    return matcher(thresholds, labels, allow_low_quality_matches=low_quality)


def _transform(weights: tuple[float, float, float, float]) -> Any:
    return import_module("detectron2.modeling.box_regression").Box2BoxTransform(weights=weights)


def _take(theirs: nn.Module, ours: nn.Module) -> None:
    theirs.load_state_dict(ours.state_dict())
