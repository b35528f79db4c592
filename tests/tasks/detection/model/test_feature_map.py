from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.encoder import Encoder
from cxrbench.pretrain.network import Network
from cxrbench.tasks.detection.model.feature_map import NO_FOURTH_STAGE, TIMM_DILATION, feature_map
from tests.tasks.detection.model.small import images


class Whole(Network):
    """A network with five maps that does not come apart."""

    dim = 4
    stage_channels = (4, 4, 4, 4, 4)

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.pooled_and_stages(x)[0]

    def pooled_and_stages(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        maps = [nn.functional.avg_pool2d(self.convolution(x), 2**power) for power in range(1, 6)]
        return maps[-1].mean(dim=(2, 3)), maps


@pytest.fixture(scope="module")
def resnet() -> Encoder:
    return load_encoder("resnet18_scratch")


def whole(resnet: Encoder) -> Encoder:
    return Encoder(Whole(), replace(resnet.meta, name="whole", arch="whole", dim=4, stage_channels=(4,) * 5)).eval()


@pytest.mark.parametrize("name", ["resnet18_scratch", "timm:resnet10t"])
def test_c4_takes_a_resnet_apart_behind_the_third_stage(name: str) -> None:
    encoder, x = load_encoder(name), images()
    found = feature_map(encoder, "c4")
    expected = encoder.stages(x)
    at_16 = found.encoder(x)
    assert found.channels == at_16.shape[1]
    torch.testing.assert_close(at_16, expected[3])
    assert found.fourth_stage is not None
    torch.testing.assert_close(found.fourth_stage(at_16), expected[4])
    assert found.fourth_channels == expected[4].shape[1]
    assert found.notes == ()


def test_c4_of_others_is_their_map_at_stride_16_without_the_layers_behind(resnet: Encoder) -> None:
    encoder, x = load_encoder("timm:tf_efficientnet_lite0"), images()
    found = feature_map(encoder, "c4")
    torch.testing.assert_close(found.encoder(x), encoder.stages(x)[3])
    assert (found.fourth_stage, found.notes) == (None, (NO_FOURTH_STAGE,))
    found.encoder(x).sum().backward()
    assert all(each.grad is not None for each in found.encoder.parameters())
    plain = whole(resnet)
    torch.testing.assert_close(feature_map(plain, "c4").encoder(x), plain.stages(x)[3])


@pytest.mark.parametrize(
    ("name", "channels", "note"),
    [
        ("resnet18_scratch", 512, "both convolutions of every block"),
        # A stage of ResNet-D pools in its shortcuts, which is timm's to dilate.
        ("timm:resnet10t", 512, TIMM_DILATION),
        ("timm:resnet18", 512, "both convolutions of every block"),
        ("timm:tf_efficientnet_lite0", 320, TIMM_DILATION),
    ],
)
def test_dc5_has_the_last_stage_at_stride_16_with_the_encoders_weights(name: str, channels: int, note: str) -> None:
    encoder = load_encoder(name)
    found = feature_map(encoder, "dc5")
    assert found.encoder(images()).shape == (2, channels, 4, 4)
    assert found.fourth_stage is None
    assert note in found.notes[0]
    own = [each for each in encoder.parameters() if each.ndim == 4]
    dilated = [each for each in found.encoder.parameters() if each.ndim == 4]
    # EfficientNet has a last convolution behind its stages, which the map does not need.
    assert len(own) - len(dilated) in (0, 1)
    assert all(torch.equal(a, b) for a, b in zip(own, dilated, strict=False))


def test_dc5_of_a_resnet_is_the_same_model_whichever_library_built_it(resnet: Encoder) -> None:
    timm = load_encoder("timm:resnet18")
    library = timm.network.library()
    library.load_state_dict(resnet.network.library().state_dict(), strict=False)
    timm = Encoder(timm.network, replace(timm.meta, mean=resnet.meta.mean, std=resnet.meta.std)).eval()
    expected, found = (feature_map(each.eval(), "dc5") for each in (resnet, timm))
    torch.testing.assert_close(found.encoder(images()), expected.encoder(images()))
    assert found.notes == expected.notes


def test_the_encoder_given_stays_as_it_is(resnet: Encoder) -> None:
    strides = [module.stride for module in resnet.modules() if isinstance(module, nn.Conv2d)]
    found = feature_map(resnet, "dc5")
    assert [module.stride for module in resnet.modules() if isinstance(module, nn.Conv2d)] == strides
    assert not {id(each) for each in resnet.parameters()} & {id(each) for each in found.encoder.parameters()}


def test_mode_of_the_encoder_is_kept() -> None:
    encoder = load_encoder("timm:tf_efficientnet_lite0")
    for head in ("c4", "dc5"):
        assert not any(each.training for each in feature_map(encoder.eval(), head).encoder.modules())
        assert all(each.training for each in feature_map(encoder.train(), head).encoder.modules())


def test_an_encoder_without_maps_is_refused_by_name(resnet: Encoder) -> None:
    flat = Encoder(Whole(), replace(resnet.meta, name="flat", arch="timm:vit", stage_channels=()))
    with pytest.raises(
        UserError, match=r"encoder flat \(timm:vit\) has no feature maps at strides 2 to 32.*take a ResNet"
    ):
        feature_map(flat, "c4")


def test_dilation_that_an_architecture_does_not_allow_is_refused_by_name(resnet: Encoder) -> None:
    with pytest.raises(UserError, match=r"encoder whole \(whole\): its last stage cannot be dilated; take .*c4"):
        feature_map(whole(resnet), "dc5")
    with pytest.raises(UserError, match=r"timm:mobilenetv3_small_050.*timm cannot dilate.*c4"):
        feature_map(load_encoder("timm:mobilenetv3_small_050"), "dc5")
