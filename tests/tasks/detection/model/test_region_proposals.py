from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

from cxrbench.tasks.detection.model.region_proposals import RegionProposals
from cxrbench.tasks.detection.model.settings import AnchorSettings, ProposalSettings
from tests.tasks.detection.model.small import decoded, encoded, overlaps, target

ANCHORS = AnchorSettings(sizes=(24.0, 48.0), ratios=(0.5, 1.0, 2.0))
# All anchors are drawn.
ALL = ProposalSettings(samples=5000)


class Given(nn.Module):
    """A head that gives what it was given, whatever the map."""

    def __init__(self, objectness: Tensor, deltas: Tensor):
        super().__init__()
        self.objectness, self.deltas = objectness, deltas

    def forward(self, maps: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        return [self.objectness], [self.deltas]


class Case:
    """A network with random outputs for `n` images of `cells` x `cells`, and the same in rows of anchors."""

    def __init__(self, n: int, cells: int, settings: ProposalSettings = ALL, dtype: torch.dtype = torch.float32):
        generator = torch.Generator().manual_seed(0)
        a = 6
        objectness = torch.randn(n, a, cells, cells, generator=generator).to(dtype)
        deltas = (torch.randn(n, 4 * a, cells, cells, generator=generator) * 0.3).to(dtype)
        self.network = RegionProposals(8, ANCHORS, settings)
        self.network.head = Given(objectness, deltas)
        self.size = 16 * cells
        self.images = ImageList(torch.zeros(n, 1, self.size, self.size), [(self.size, self.size)] * n)
        self.maps = {"map": torch.zeros(n, 8, cells, cells, dtype=dtype)}
        self.logits = objectness.double().permute(0, 2, 3, 1).reshape(n, -1).numpy()
        self.deltas = deltas.double().view(n, a, 4, cells, cells).permute(0, 3, 4, 1, 2).reshape(n, -1, 4).numpy()
        self.anchors = self.network.anchor_generator(self.images, list(self.maps.values()))[0].double().numpy()

    def __call__(self, *targets: dict[str, Tensor]) -> tuple[list[Tensor], dict[str, Tensor]]:
        return self.network(self.images, self.maps, list(targets) or None)


def losses_by_hand(case: Case, boxes: list[np.ndarray], samples: int) -> tuple[float, float]:
    """Sums of the binary cross-entropy and of L1 (not smooth L1) over all anchors, divided by samples x images."""
    objectness = box = 0.0
    for logits, deltas, true in zip(case.logits, case.deltas, boxes, strict=True):
        labels = np.zeros(len(logits))
        if len(true):
            shared = overlaps(true, case.anchors)
            best, whose = shared.max(axis=0), shared.argmax(axis=0)
            labels = np.where(best >= 0.7, 1.0, np.where(best < 0.3, 0.0, -1.0))
            labels[(shared == shared.max(axis=1, keepdims=True)).any(axis=0)] = 1.0
            positive = labels == 1
            box += np.abs(deltas[positive] - encoded(true[whose[positive]], case.anchors[positive])).sum()
        signed = np.where(labels == 1, logits, -logits)[labels >= 0]
        objectness += np.log1p(np.exp(-signed)).sum()
    return objectness / samples / len(boxes), box / samples / len(boxes)


def test_losses_are_sums_over_the_samples_setting_and_the_box_loss_is_l1() -> None:
    case = Case(2, 5)
    targets = [target((10, 12, 40, 36), (30, 30, 70, 78)), target((0, 0, 20, 26))]
    _, losses = case(*targets)
    expected = losses_by_hand(case, [each["boxes"].double().numpy() for each in targets], 5000)
    assert losses["rpn_objectness"].item() == pytest.approx(expected[0], rel=1e-5)
    assert losses["rpn_box"].item() == pytest.approx(expected[1], rel=1e-5)


def test_an_image_without_boxes_is_all_background() -> None:
    case = Case(2, 5)
    targets = [target(), target((10, 12, 40, 36))]
    _, losses = case(*targets)
    expected = losses_by_hand(case, [each["boxes"].double().numpy() for each in targets], 5000)
    assert losses["rpn_objectness"].item() == pytest.approx(expected[0], rel=1e-5)
    assert losses["rpn_box"].item() == pytest.approx(expected[1], rel=1e-5)
    _, losses = case(target(), target())
    assert losses["rpn_box"].item() == 0


def test_no_more_anchors_than_the_setting_are_drawn() -> None:
    case = Case(1, 5, ProposalSettings(samples=10))
    case.network.head = Given(torch.zeros(1, 6, 5, 5), torch.zeros(1, 24, 5, 5))
    _, losses = case(target((10, 12, 40, 36)))
    # Ten anchors with a loss of log 2 each, divided by ten.
    assert losses["rpn_objectness"].item() == pytest.approx(np.log(2), rel=1e-6)


def thinned(boxes: np.ndarray, order: np.ndarray, limit: float, most: int) -> np.ndarray:
    """Greedy non-maximum suppression of boxes [n, 4], best first by `order`."""
    kept: list[int] = []
    for place in order:
        if not kept or overlaps(boxes[[place]], boxes[kept]).max() <= limit:
            kept.append(place)
    return boxes[kept[:most]]


@pytest.mark.parametrize("training", [True, False])
def test_proposals_are_the_best_before_and_after_suppression(training: bool) -> None:
    settings = ProposalSettings(
        before_nms_training=80, after_nms_training=30, before_nms_test=50, after_nms_test=12, samples=5000
    )
    case = Case(2, 5, settings)
    case.network.train(training)
    proposals, _ = case(target(), target()) if training else case()
    before, after = (80, 30) if training else (50, 12)
    for i in range(2):
        boxes = np.clip(decoded(case.deltas[i], case.anchors), 0, case.size)
        order = np.argsort(-case.logits[i], kind="stable")[:before]
        order = order[(boxes[order, 2:] > boxes[order, :2]).all(axis=1)]
        np.testing.assert_allclose(proposals[i].numpy(), thinned(boxes, order, 0.7, after), atol=1e-4)


def test_only_empty_and_infinite_proposals_are_dropped_for_their_sides() -> None:
    case = Case(1, 4)
    case.network.eval()
    deltas = torch.zeros(1, 6, 4, 4, 4)
    # One anchor a cell shrinks to exp(-12) of its side, far below torchvision's thousandth of a pixel.
    deltas[:, 1, 2:] = -12.0
    # Another moves far out of the image, and a third is not a number.
    deltas[:, 2, 0] = 100.0
    deltas[:, 3, 0] = float("nan")
    objectness = torch.arange(96.0).view(1, 6, 4, 4)
    case.network.head = Given(objectness, deltas.reshape(1, 24, 4, 4))
    (boxes,), _ = case()
    sides = boxes[:, 2:] - boxes[:, :2]
    assert (sides > 0).all()
    assert ((sides < 1e-3).all(dim=1)).any()
    assert boxes.isfinite().all()
    np.testing.assert_array_less(boxes.numpy(), 64.0001)


def test_logits_that_are_one_as_probabilities_still_rank_the_proposals() -> None:
    case = Case(1, 4)
    case.network.eval()
    logits = torch.linspace(30.0, 40.0, 96)[torch.randperm(96, generator=torch.Generator().manual_seed(0))]
    case.network.head = Given(logits.view(1, 6, 4, 4), torch.zeros(1, 24, 4, 4))
    (boxes,), _ = case()
    rows = logits.view(6, 4, 4).permute(1, 2, 0).reshape(-1).double().numpy()
    expected = thinned(np.clip(case.anchors, 0, 64), np.argsort(-rows), 0.7, 1000)
    np.testing.assert_allclose(boxes.numpy(), expected, atol=1e-5)


def test_boxes_of_a_bf16_network_are_decoded_in_float32() -> None:
    case = Case(1, 63, ProposalSettings(nms=1.0, before_nms_test=500, after_nms_test=500), dtype=torch.bfloat16)
    case.network.eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (boxes,), _ = case()
    order = np.argsort(-case.logits[0], kind="stable")[:500]
    assert boxes.dtype == torch.float32
    # Sorted, because equal logits have no order; bf16 itself would be off by up to four pixels here.
    expected = np.clip(decoded(case.deltas[0], case.anchors), 0, case.size)
    shared = overlaps(boxes.double().numpy(), expected[np.argsort(-case.logits[0], kind="stable")[:600]])
    assert len(boxes) >= 0.9 * len(order)
    assert shared.max(axis=1).min() > 0.9999


def test_losses_of_a_bf16_network_are_float32() -> None:
    case = Case(2, 5, dtype=torch.bfloat16)
    targets = [target((10, 12, 40, 36)), target()]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        _, losses = case(*targets)
    expected = losses_by_hand(case, [each["boxes"].double().numpy() for each in targets], 5000)
    assert losses["rpn_objectness"].item() == pytest.approx(expected[0], rel=1e-5)
    assert losses["rpn_box"].item() == pytest.approx(expected[1], rel=1e-5)


def test_new_layers_are_normal_with_a_hundredth() -> None:
    torch.manual_seed(0)
    head = RegionProposals(64, ANCHORS, ProposalSettings()).head
    for name, weight in head.named_parameters():
        if name.endswith("bias"):
            assert not weight.any()
        else:
            assert weight.std().item() == pytest.approx(0.01, rel=0.05)
