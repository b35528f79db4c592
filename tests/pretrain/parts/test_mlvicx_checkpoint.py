from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from cxrbench.pretrain.methods.mlvicx import MLVICX
from cxrbench.pretrain.parts.mlvicx_checkpoint import parts_of_checkpoint
from cxrbench.pretrain.running.starting import take

from ..method_cases import build
from ..tiny_encoder import STAGES

WIDTH, PROJECTION = 6, 10


def expander(taken: int) -> list[nn.Module]:
    """As released: linear layers with a bias, each normalised, the last one too."""
    widths = [taken, PROJECTION, PROJECTION, PROJECTION]
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU()]
    for each in layers:
        if isinstance(each, nn.BatchNorm1d) and each.running_mean is not None:
            each.running_mean.normal_()
    return layers[:-1]


def released() -> tuple[dict[str, Tensor], nn.Sequential, nn.Sequential]:
    """A checkpoint of the tiny encoder's sizes under the released names, and its two expanders."""
    torch.manual_seed(3)
    heads = nn.Sequential(*expander(STAGES[-1])), nn.Sequential(*expander(WIDTH * 16))
    tensors = {"encoder.0.weight": torch.randn(4, 1, 3, 3)}
    for name, each in heads[0].state_dict().items():
        layer, _, what = name.partition(".")
        tensors[f"projetion.l{int(layer) // 3 + 1}.{int(layer) % 3}.{what}"] = each
    for name, each in heads[1].state_dict().items():
        layer, _, what = name.partition(".")
        tensors[f"resize_project.conv_head.projection.{int(layer) + 2}.{what}"] = each
    for stage, channels in enumerate(STAGES):
        tensors[f"cbt{stage + 1}.cam.fc.0.weight"] = torch.randn(channels // 2, channels, 1, 1)
        tensors[f"cbt{stage + 1}.cam.fc.2.weight"] = torch.randn(channels, channels // 2, 1, 1)
        tensors[f"cbt{stage + 1}.sam.conv1.weight"] = torch.randn(1, 2, 7, 7)
        tensors[f"resize_project.convs.{stage}.weight"] = torch.randn(WIDTH, channels, 1, 1)
        tensors[f"resize_project.convs.{stage}.bias"] = torch.randn(WIDTH)
    return tensors, *heads


def test_all_but_the_encoder_is_taken_from_a_released_checkpoint():
    tensors, global_head, local_head = released()
    method = build("mlvicx", width=WIDTH, projection=PROJECTION, final_norm=True)
    assert isinstance(method, MLVICX)
    taken, left = take(method, MLVICX.state_from(tensors))
    assert sorted(taken) == ["bottlenecks", "global_expander", "levels", "local_expander"]
    assert left == []
    state = method.state_dict()
    assert torch.equal(state["bottlenecks.0.shared.0.weight"], tensors["cbt1.cam.fc.0.weight"])
    assert torch.equal(state["bottlenecks.4.positions.weight"], tensors["cbt5.sam.conv1.weight"])
    assert torch.equal(state["levels.convolutions.2.bias"], tensors["resize_project.convs.2.bias"])
    for training in (False, True):
        for ours, theirs in ((method.global_expander, global_head), (method.local_expander, local_head)):
            x = torch.randn(9, next(theirs.parameters()).shape[1])
            torch.testing.assert_close(ours.train(training)(x), theirs.train(training)(x), rtol=1e-4, atol=1e-5)


def test_expanders_of_other_widths_stay_as_drawn():
    taken, left = take(build("mlvicx", width=WIDTH, projection=PROJECTION + 1), MLVICX.state_from(released()[0]))
    assert sorted(taken) == ["bottlenecks", "levels"]
    assert sorted(left) == ["global_expander", "local_expander"]


def test_other_layouts_have_nothing():
    assert parts_of_checkpoint({"encoder.0.weight": torch.zeros(1), "projector.0.weight": torch.zeros(1)}) == {}
