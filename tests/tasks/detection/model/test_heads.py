from __future__ import annotations

import pytest
import torch
from torch import nn

from cxrbench.tasks.detection.model.heads import Predictor, StageHead, TwoLayerHead


def test_predictor_is_drawn_with_the_deviations_of_detectron2() -> None:
    torch.manual_seed(0)
    predictor = Predictor(500, 20)
    assert predictor.cls_score.weight.shape == (21, 500)
    assert predictor.cls_score.weight.std().item() == pytest.approx(0.01, rel=0.03)
    assert predictor.bbox_pred.weight.std().item() == pytest.approx(0.001, rel=0.03)
    assert not predictor.cls_score.bias.any()
    assert not predictor.bbox_pred.bias.any()


def test_fully_connected_layers_are_kaiming_uniform_with_a_1() -> None:
    torch.manual_seed(0)
    head = TwoLayerHead(300, 200)
    for layer in (head.fc6, head.fc7):
        # He et al. 2015 with a = 1: variance 1 / fan in, so the bound of the uniform is sqrt(3 / fan in).
        bound = (3 / layer.in_features) ** 0.5
        assert layer.weight.abs().max().item() == pytest.approx(bound, rel=0.01)
        assert layer.weight.var().item() == pytest.approx(1 / layer.in_features, rel=0.03)
        assert not layer.bias.any()


def test_stage_head_normalises_before_the_mean() -> None:
    regions = torch.rand(6, 3, 4, 4)
    plain = StageHead(nn.Identity(), 3, extra_batch_norm=False)(regions)
    torch.testing.assert_close(plain, regions.mean(dim=(2, 3)))
    found = StageHead(nn.Identity(), 3, extra_batch_norm=True)(regions)
    mean, variance = regions.mean(dim=(0, 2, 3)), regions.var(dim=(0, 2, 3), correction=0)
    torch.testing.assert_close(found, (plain - mean) / (variance + 1e-5).sqrt())


def test_two_layer_head_takes_regions_that_lie_channels_last() -> None:
    head, regions = TwoLayerHead(3 * 4, 5), torch.rand(2, 3, 2, 2)
    torch.testing.assert_close(head(regions.contiguous(memory_format=torch.channels_last)), head(regions))
