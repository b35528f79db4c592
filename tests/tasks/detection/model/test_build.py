from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.encoder import Encoder, hash_of_tensors
from cxrbench.tasks.detection.model.build import build_detector, check_detector
from cxrbench.tasks.detection.model.detector import LOSSES, Detector
from cxrbench.tasks.detection.model.settings import DetectorSettings, Head
from cxrbench.training.device import channels_last
from tests.pretrain.tiny_encoder import tiny_encoder
from tests.tasks.detection.model.small import PRESETS, SIZE, images, small_settings, target

FROZEN = small_settings(**PRESETS["detectron2"])
TARGETS = [target((8, 8, 40, 36), (20, 30, 60, 60), labels=(0, 2)), target()]


@pytest.fixture(scope="module")
def resnet() -> Encoder:
    """A ResNet-18 that passes for one with learned weights."""
    encoder = load_encoder("resnet18_scratch")
    encoder.meta = replace(encoder.meta, seed=None)
    return encoder.train()


def build(encoder: Encoder, head: Head = "c4", settings: DetectorSettings | None = None, seed: int = 0) -> Detector:
    return build_detector(encoder, 3, settings or small_settings(), head, seed)


@pytest.mark.parametrize("head", ["c4", "dc5"])
@pytest.mark.parametrize("name", ["resnet18", "tiny", "timm:tf_efficientnet_lite0"])
def test_losses_reach_all_weights_and_detections_lie_in_the_image(name: str, head: Head, resnet: Encoder) -> None:
    made = {"resnet18": resnet, "tiny": tiny_encoder()}
    detector = build(made[name] if name in made else load_encoder(name), head)
    losses = detector(images(), TARGETS)
    assert tuple(losses) == LOSSES
    assert all(value.ndim == 0 and value.dtype == torch.float32 and value > 0 for value in losses.values())
    torch.stack(list(losses.values())).sum().backward()
    assert all(each.grad is not None and each.grad.isfinite().all() for each in detector.parameters())
    with torch.inference_mode():
        found = detector.eval()(images())
    assert len(found) == 2
    for each in found:
        assert 0 < len(each["boxes"]) <= 100
        assert each["boxes"].min() >= 0
        assert each["boxes"].max() <= SIZE
        assert (each["scores"].diff() <= 0).all()
        assert set(each["labels"].tolist()) <= {0, 1, 2}


def test_a_batch_without_any_box_has_finite_losses() -> None:
    detector = build(tiny_encoder())
    losses = detector(images(), [target(), target()])
    assert losses["rpn_box"] == losses["roi_box"] == 0
    torch.stack(list(losses.values())).sum().backward()
    assert all(each.grad is None or each.grad.isfinite().all() for each in detector.parameters())


def test_images_are_neither_resized_nor_padded() -> None:
    detector = build(tiny_encoder()).eval()
    seen: list[torch.Size] = []
    detector.get_submodule("encoder").register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    detector.get_submodule("rpn.head").register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][0].shape))
    with torch.inference_mode():
        (found,) = detector(images(1, size=100))
    assert seen == [(1, 1, 100, 100), (1, 16, 7, 7)]
    assert found["boxes"].max() <= 100


def test_equal_seeds_give_equal_weights_and_leave_the_generator_alone() -> None:
    before = torch.get_rng_state()
    hashes = [hash_of_tensors(build(tiny_encoder(), seed=seed).state_dict()) for seed in (0, 0, 1)]
    assert hashes[0] == hashes[1] != hashes[2]
    assert torch.equal(torch.get_rng_state(), before)


def test_the_encoder_given_is_left_as_it_is(resnet: Encoder) -> None:
    before = hash_of_tensors(resnet.state_dict())
    detector = build(resnet, "dc5", FROZEN)
    detector(images(), TARGETS)
    assert hash_of_tensors(resnet.state_dict()) == before
    assert all(each.requires_grad for each in resnet.parameters())
    assert all(each.training for each in resnet.modules())
    assert resnet.stages(images())[4].shape[-1] == SIZE // 32


@pytest.mark.parametrize("head", ["c4", "dc5"])
def test_the_detectron2_preset_trains_neither_stem_nor_first_stage_nor_statistics(head: Head, resnet: Encoder) -> None:
    detector = build(resnet, head, FROZEN)
    parts = [detector.get_submodule(f"encoder.network.layers.{index}") for index in (0, 1)]
    still = {id(each) for part in parts for each in part.parameters()}
    norms = [each for each in detector.modules() if isinstance(each, nn.BatchNorm2d)]
    # Of ResNet-18; the C4 head has no further one in this preset.
    assert len(norms) == 20
    still |= {id(each) for norm in norms for each in norm.parameters()}
    assert {id(each) for each in detector.parameters() if not each.requires_grad} == still
    before = {name: value.clone() for name, value in detector.named_buffers()}
    detector.eval().train()
    detector(images(), TARGETS)
    assert not any(norm.training for norm in norms)
    assert all(torch.equal(value, before[name]) for name, value in detector.named_buffers())


def test_the_moco_preset_trains_everything_and_normalises_behind_the_fourth_stage(resnet: Encoder) -> None:
    detector = build(resnet, "c4", small_settings(**PRESETS["moco"]))
    assert detector.frozen == ()
    assert all(each.requires_grad for each in detector.parameters())
    assert all(each.training for each in detector.modules())
    extra = detector.get_submodule("roi_heads.box_head.norm")
    assert isinstance(extra, nn.BatchNorm2d)
    assert extra.num_features == 512


def test_freezing_all_five_parts_leaves_the_heads(resnet: Encoder) -> None:
    for head in ("c4", "dc5"):
        detector = build(resnet, head, small_settings(frozen_stages=5))
        trained = {name.split(".")[0] for name, each in detector.named_parameters() if each.requires_grad}
        assert trained == {"rpn", "roi_heads"}
    stage = build(resnet, "c4", small_settings(frozen_stages=5)).get_submodule("roi_heads.box_head.stage")
    assert not any(each.requires_grad for each in stage.parameters())


def test_pool_size_is_that_of_the_papers_unless_set(resnet: Encoder) -> None:
    sizes = [
        build_detector(resnet, 1, DetectorSettings(), head, 0).get_submodule("roi_heads.box_roi_pool").output_size
        for head in ("c4", "dc5")
    ]
    assert sizes == [(14, 14), (7, 7)]


def test_bf16_losses_are_near_those_of_float32(resnet: Encoder) -> None:
    # With frozen statistics and all samples drawn nothing is random.
    settings = small_settings(**PRESETS["detectron2"], rpn={"samples": 10_000}, roi={"samples": 10_000, "pool_size": 4})
    detector = build(resnet, "c4", settings)
    exact = detector(images(), TARGETS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = detector(images(), TARGETS)
    for name, value in found.items():
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(exact[name].item(), rel=0.03)


def test_images_and_weights_may_lie_channels_last() -> None:
    detector = build(tiny_encoder(), "dc5").eval()
    with torch.inference_mode():
        expected = detector(images())
        found = channels_last(detector)(images().contiguous(memory_format=torch.channels_last))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a["boxes"], b["boxes"], rtol=1e-4, atol=1e-3)


def test_weights_that_are_not_numbers_give_a_loss_that_is_none_and_no_detections() -> None:
    detector = build(tiny_encoder())
    with torch.no_grad():
        next(detector.parameters()).fill_(float("nan"))
    assert not torch.stack(list(detector(images(), TARGETS).values())).sum().isfinite()
    assert [len(each["boxes"]) for each in detector.eval()(images())] == [0, 0]


def test_training_without_a_target_for_each_image_is_a_mistake() -> None:
    detector = build(tiny_encoder())
    with pytest.raises(ValueError, match="one target an image"):
        detector(images())
    with pytest.raises(ValueError, match="one target an image"):
        detector(images(), [target()])


@pytest.mark.parametrize("values", [{"frozen_batch_norm": True}, {"frozen_stages": 1}])
def test_freezing_what_is_random_is_refused(values: dict[str, object]) -> None:
    encoder = load_encoder("resnet18_scratch")
    with pytest.raises(UserError, match=r"resnet18_scratch has random weights.*frozen_batch_norm=false"):
        check_detector(encoder, small_settings(**values))
    with pytest.raises(UserError, match="random weights"):
        build_detector(encoder, 1, small_settings(**values), "c4", 0)


def test_freezing_stages_that_cannot_be_named_is_refused() -> None:
    encoder = load_encoder("timm:tf_efficientnet_lite0")
    encoder.meta = replace(encoder.meta, seed=None)
    with pytest.raises(UserError, match=r"does not come apart into stages.*frozen_stages=0"):
        check_detector(encoder, small_settings(frozen_stages=2))
    assert build(encoder, "c4", small_settings(frozen_batch_norm=True)).frozen


def test_an_encoder_without_maps_is_refused(resnet: Encoder) -> None:
    flat = Encoder(resnet.network, replace(resnet.meta, name="flat", stage_channels=()))
    with pytest.raises(UserError, match=r"encoder flat .*no feature maps at strides 2 to 32"):
        check_detector(flat, DetectorSettings())
