"""Training a detector through the loop, against a bare loop over torchvision's FasterRCNN around the same layers."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

import torch
from timing import in_turn, report, verdict
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.ops import MultiScaleRoIAlign

from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.encoder import Encoder
from cxrbench.tasks.detection.finetune import detection_loss
from cxrbench.tasks.detection.model.build import build_detector
from cxrbench.tasks.detection.model.feature_map import feature_map
from cxrbench.tasks.detection.model.heads import StageHead
from cxrbench.tasks.detection.model.settings import DetectorSettings, Head
from cxrbench.training.device import autocast, resolve_device, resolve_precision
from cxrbench.training.loop import fit
from cxrbench.training.settings import TrainingSettings

# What fits 128 pixels on one core; --full takes the papers' numbers.
SMALL = {
    "anchors": {"sizes": (16.0, 32.0, 64.0)},
    "rpn": {
        "samples": 64,
        "before_nms_training": 400,
        "before_nms_test": 400,
        "after_nms_training": 100,
        "after_nms_test": 50,
    },
    "roi": {"samples": 16, "pool_size": 7, "fc_width": 256},
}
Batch = tuple[Tensor, list[dict[str, Tensor]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", nargs="*", default=["c4", "dc5"])
    parser.add_argument("--encoder", default="resnet18_scratch", help="scratch_kaiming for a ResNet-50")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--full", action="store_true", help="the settings of the papers")
    parser.add_argument("--precision", default="float32", choices=["auto", "float32", "bf16"])
    given = parser.parse_args()
    settings = DetectorSettings.model_validate({} if given.full else SMALL)
    training = TrainingSettings(
        optimiser="sgd", lr=1e-3, epochs=1, batch_size=given.batch, patience=0, precision=given.precision
    )
    encoder = load_encoder(given.encoder)
    for head in given.heads:
        against_bare(encoder, head, settings, training, given)


def against_bare(
    encoder: Encoder, head: Head, settings: DetectorSettings, training: TrainingSettings, given: argparse.Namespace
) -> None:
    """Both train on the same batches in memory, in turn."""
    device = resolve_device(training.device)
    precision = resolve_precision(training.precision, device)
    batch = some_batch(given.batch, given.size)
    ours = build_detector(encoder.fresh(0), 1, settings, head, 0)
    torch.manual_seed(0)
    bare = bare_detector(encoder.fresh(0), head, settings, given.size).to(device).train()
    bare = bare.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.SGD(bare.parameters(), lr=training.lr, momentum=0.9, weight_decay=1e-4)

    def batches(epoch: int) -> Iterable[Batch]:
        return [batch] * given.steps

    def with_cxrbench() -> None:
        ours.train()
        fit(ours, detection_loss, batches, given.steps, training, seed=0)

    def with_bare_loop() -> None:
        for pixels, targets in batches(0):
            # Class 0 is torchvision's background.
            moved = [{"boxes": each["boxes"].to(device), "labels": each["labels"].to(device) + 1} for each in targets]
            with autocast(device, precision):
                losses: dict[str, Tensor] = bare(list(pixels.to(device)), moved)
                loss = torch.stack(list(losses.values())).sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        if device == "cuda":
            torch.cuda.synchronize()

    found = in_turn({"cxrbench": with_cxrbench, "bare torchvision": with_bare_loop}, rounds=given.rounds)
    images = given.steps * given.batch
    title = f"{head}, {given.encoder}, batches of {given.batch} images of {given.size} px, {device}, {precision}"
    report(f"{title}: an image", found, per=images / 1000, unit="ms")
    # Of the quickest rounds: what else runs on the machine can only add.
    quickest = {name: min(values) for name, values in found.items()}
    words = f"{head}, {images / quickest['cxrbench']:.1f} images/s, against bare torchvision"
    verdict(words, quickest["bare torchvision"] / quickest["cxrbench"], 0.95, at_least=True)


def bare_detector(encoder: Encoder, head: Head, settings: DetectorSettings, size: int) -> nn.Module:
    """torchvision's FasterRCNN with the encoder's layers, and its own anchors, losses and pooling."""
    parts = feature_map(encoder, head)
    backbone: Any = parts.encoder
    backbone.out_channels = parts.channels
    rpn, roi = settings.rpn, settings.roi
    pool = roi.pool_size or (14 if head == "c4" else 7)
    if parts.fourth_stage is None:
        box_head, features = TwoMLPHead(parts.channels * pool**2, roi.fc_width), roi.fc_width
    else:
        box_head, features = StageHead(parts.fourth_stage, parts.fourth_channels, True), parts.fourth_channels
    return FasterRCNN(
        backbone,
        min_size=size,
        max_size=size,
        image_mean=[0.0],
        image_std=[1.0],
        rpn_anchor_generator=AnchorGenerator((settings.anchors.sizes,), (settings.anchors.ratios,)),  # type: ignore[arg-type]
        rpn_pre_nms_top_n_train=rpn.before_nms_training,
        rpn_post_nms_top_n_train=rpn.after_nms_training,
        rpn_batch_size_per_image=rpn.samples,
        box_roi_pool=MultiScaleRoIAlign(["0"], pool, 0),
        box_head=box_head,
        box_predictor=FastRCNNPredictor(features, 2),
        box_batch_size_per_image=roi.samples,
    )


def some_batch(n: int, size: int) -> Batch:
    """Noise with two boxes an image."""
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand(n, 2, 2, generator=generator) * size / 2
    sides = (0.1 + 0.4 * torch.rand(n, 2, 2, generator=generator)) * size
    boxes = torch.cat([corners, corners + sides], dim=2)
    labels = torch.zeros(2, dtype=torch.int64)
    pixels = torch.rand(n, 1, size, size, generator=generator)
    return pixels, [{"boxes": each, "labels": labels} for each in boxes]


if __name__ == "__main__":
    main()
