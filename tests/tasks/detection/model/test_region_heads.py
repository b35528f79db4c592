from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cxrbench.tasks.detection.model.pooling import MAP
from cxrbench.tasks.detection.model.region_heads import RegionHeads
from cxrbench.tasks.detection.model.settings import OutputSettings, RegionSettings
from tests.tasks.detection.model.small import decoded, encoded, target

WEIGHTS = (10, 10, 5, 5)
SIZE = 160


class Given(nn.Module):
    """A predictor that gives the first rows of what it was given."""

    def __init__(self, logits: Tensor, deltas: Tensor):
        super().__init__()
        self.logits, self.deltas = logits, deltas

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.logits[: len(x)], self.deltas[: len(x)]


def heads(logits: Tensor, deltas: Tensor, **output: float) -> RegionHeads:
    settings = RegionSettings(positive_share=1.0)
    return RegionHeads(2, nn.Flatten(), Given(logits, deltas), settings, OutputSettings.model_validate(output))


def run(
    network: RegionHeads, *proposals: Tensor, targets: list[dict[str, Tensor]] | None = None, size: int = SIZE
) -> tuple[list[dict[str, Tensor]], dict[str, Tensor]]:
    maps = {MAP: torch.zeros(len(proposals), 1, size // 16, size // 16)}
    return network(maps, list(proposals), [(size, size)] * len(proposals), targets)


def test_losses_by_hand() -> None:
    boxes = torch.tensor([[10.0, 10, 50, 40], [100, 100, 140, 150], [60, 12, 80, 30]])
    truth = target((12, 9, 52, 41), labels=(1,))
    generator = torch.Generator().manual_seed(0)
    logits, deltas = torch.randn(4, 3, generator=generator), torch.randn(4, 12, generator=generator)
    # The second region is hit by little: where smooth L1 would be quadratic.
    _, losses = run(heads(logits, deltas).train(), boxes, targets=[truth])
    # Regions: three proposals, of which the first overlaps by more than half, and the true box.
    labels = np.array([2, 0, 0, 2])
    scores = logits.double().numpy()
    logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    assert losses["roi_class"].item() == pytest.approx(-logs[range(4), labels].mean(), rel=1e-5)
    true = truth["boxes"].double().numpy()
    regions = np.concatenate([boxes.double().numpy()[:1], true])
    own = deltas.double().numpy().reshape(4, 3, 4)[[0, 3], 2]
    expected = np.abs(own - encoded(np.repeat(true, 2, axis=0), regions, WEIGHTS)).sum() / 4
    assert losses["roi_box"].item() == pytest.approx(expected, rel=1e-5)


def test_the_box_loss_is_absolute_near_zero() -> None:
    truth = target((16, 16, 48, 48))
    _, losses = run(heads(torch.zeros(1, 2), torch.full((1, 8), 0.05)).train(), torch.zeros(0, 4), targets=[truth])
    # The true box itself: four errors of 0.05; smooth L1 with beta 1/9 would give 0.045.
    assert losses["roi_box"].item() == pytest.approx(0.2, rel=1e-6)


def test_images_without_boxes_teach_background_only() -> None:
    boxes = torch.tensor([[10.0, 10, 50, 40], [100, 100, 140, 150]])
    _, losses = run(heads(torch.zeros(4, 2), torch.zeros(4, 8)).train(), boxes, boxes, targets=[target(), target()])
    assert losses["roi_class"].item() == pytest.approx(np.log(2), rel=1e-6)
    assert losses["roi_box"].item() == 0


def test_detections_are_numbered_without_the_background_and_moved_by_their_own_class() -> None:
    boxes = torch.tensor([[20.0, 20, 60, 50], [100, 90, 140, 150]])
    # The first is of the last class, the second background.
    logits = torch.tensor([[0.0, 1.0, 3.0], [5.0, 0.0, 0.0]])
    deltas = torch.randn(2, 12, generator=torch.Generator().manual_seed(0))
    (found,), _ = run(heads(logits, deltas, score=0.5).eval(), boxes)
    assert found["labels"].tolist() == [1]
    assert found["scores"].item() == pytest.approx(np.exp(3) / (1 + np.e + np.exp(3)), rel=1e-6)
    expected = decoded(deltas[:1, 8:].double().numpy(), boxes[:1].double().numpy(), WEIGHTS)
    np.testing.assert_allclose(found["boxes"].numpy(), expected, atol=1e-4)


def test_suppression_is_within_a_class_and_scores_fall() -> None:
    boxes = torch.tensor([[20.0, 20, 60, 60], [22, 20, 62, 60], [100, 100, 140, 140]])
    logits = torch.tensor([[0.0, 2.0, 1.9], [0.0, 1.0, 2.0], [0.0, 3.0, -9.0]])
    (found,), _ = run(heads(logits, torch.zeros(3, 12), score=0.2).eval(), boxes)
    # Of the first two, class 0 keeps the first and class 1 the second.
    assert found["labels"].tolist() == [0, 1, 0]
    assert found["boxes"].tolist() == [boxes[2].tolist(), boxes[1].tolist(), boxes[0].tolist()]
    assert found["scores"].tolist() == sorted(found["scores"].tolist(), reverse=True)


def test_no_more_than_the_limit_and_nothing_empty_or_infinite() -> None:
    boxes = torch.tensor([[float(16 * i), 0, 16 * i + 14, 14] for i in range(8)])
    deltas = torch.zeros(8, 8)
    # The best but one moves out of the image, the next is not a number.
    deltas[6, 4] = 1e4
    deltas[5, 4] = float("nan")
    logits = torch.stack([torch.zeros(8), torch.arange(8.0)], dim=1)
    (found,), _ = run(heads(logits, deltas, detections=4).eval(), boxes)
    # Chosen before the empty one is dropped, as detectron2 does; the infinite one never counts.
    assert found["boxes"][:, 0].tolist() == [112.0, 64.0, 48.0]


def test_no_proposals_give_no_detections() -> None:
    (found,), _ = run(heads(torch.zeros(0, 2), torch.zeros(0, 8)).eval(), torch.zeros(0, 4))
    assert found["boxes"].shape == (0, 4)
    assert found["labels"].dtype == torch.int64


def test_boxes_of_a_bf16_network_are_decoded_in_float32() -> None:
    boxes = torch.tensor([[1003.0, 901.0, 1107.0, 1009.0]])
    deltas = torch.randn(1, 8, generator=torch.Generator().manual_seed(0)).bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (found,), _ = run(heads(torch.zeros(1, 2).bfloat16(), deltas).eval(), boxes, size=1280)
    expected = decoded(deltas[:, 4:].double().numpy(), boxes.double().numpy(), WEIGHTS)
    np.testing.assert_allclose(found["boxes"].numpy(), expected, atol=1e-3)
    assert found["scores"].dtype == torch.float32
