from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.encoder import Encoder
from cxrbench.pretrain.network import Network
from cxrbench.tasks.classification.classifier import Classifier
from cxrbench.tasks.classification.grad_cam import grad_cam

from ...pretrain.tiny_encoder import tiny_encoder


class Halves(Network):
    """The image averaged to 2 x 2, as it is and negative: two maps whose means are the features."""

    def __init__(self) -> None:
        super().__init__()
        self.dim, self.stage_channels = 2, (2,) * 5

    def pooled_and_stages(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        coarse = torch.nn.functional.adaptive_avg_pool2d(x, 2)
        maps = torch.cat([coarse, -coarse], dim=1)
        return maps.mean((2, 3)), [maps] * 5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.pooled_and_stages(x)[0]


def classifier(network: Network, weight: list[list[float]]) -> Classifier:
    meta = replace(tiny_encoder().meta, mean=(0.0,), std=(1.0,), dim=network.dim, stage_channels=network.stage_channels)
    found = Classifier(Encoder(network, meta), len(weight), 0)
    with torch.no_grad():
        found.head.weight.copy_(torch.tensor(weight))
    return found.eval()


def blocks(*values: float) -> torch.Tensor:
    """An image of 4 x 4 pixels whose four quarters have these values."""
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, 2, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_behind_a_linear_head_it_is_cam_by_hand() -> None:
    # A = (a, -a) with a = [[0, 1], [0.25, 0.5]]; w of label 0 is (3, 1): CAM = 3 a - a = 2 a = [[0, 2], [0.5, 1]].
    network = classifier(Halves(), [[3.0, 1.0], [1.0, 3.0]])
    found = grad_cam(network, blocks(0, 1, 0.25, 0.5), torch.tensor([0])).heat
    # Interpolated to 4 x 4: corners keep their value; (0, 1) is 3/4 of 0 and 1/4 of 2; all over the maximum 2.
    assert found.shape == (1, 4, 4)
    assert found[0, [0, 0, 3, 3], [0, 3, 0, 3]].tolist() == pytest.approx([0, 1, 0.25, 0.5])
    assert float(found[0, 0, 1]) == pytest.approx(0.25)
    assert float(found[0, 1, 0]) == pytest.approx(0.0625)


def test_what_speaks_against_the_label_is_0_and_still_ranked() -> None:
    network = classifier(Halves(), [[3.0, 1.0], [1.0, 3.0]])
    # Label 1 is the negative of label 0: -2 a / 4, which is nowhere above 0.
    found = grad_cam(network, blocks(0.125, 1, 0.25, 0.5).repeat(2, 1, 1, 1), torch.tensor([1, 0]))
    assert found.heat[0].max() == 0
    assert found.for_label.tolist() == [False, True]
    assert found.signed[0, [0, 0, 3, 3], [0, 3, 0, 3]].tolist() == pytest.approx([-0.0625, -0.5, -0.125, -0.25])
    assert int(found.ranked[0].argmax()) == 0
    assert torch.equal(found.ranked[1], found.heat[1])


def test_on_a_resnet_it_is_the_heads_weights_over_the_last_maps() -> None:
    network = Classifier(load_encoder("resnet18_scratch"), 3, seed=1).eval()
    x = torch.rand(3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 2, 2])
    found = grad_cam(network, x, labels).heat
    with torch.no_grad():
        last = network.encoder.stages(x)[-1]
    cam = torch.einsum("bkij,bk->bij", last, network.head.weight[labels]).clamp(min=0)[:, None]
    fine = torch.nn.functional.interpolate(cam, size=(64, 64), mode="bilinear")[:, 0].detach()
    assert (fine.amax((1, 2)) > 0).all()
    torch.testing.assert_close(found, fine / fine.amax((1, 2), keepdim=True))
    assert (float(found.min()), float(found.max())) == (0.0, 1.0)
    assert not found.requires_grad


def test_images_of_a_batch_do_not_touch_each_other() -> None:
    network = Classifier(tiny_encoder(), 2, seed=0).eval()
    x = torch.rand(4, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 1, 0])
    together = grad_cam(network, x, labels).signed
    alone = torch.cat([grad_cam(network, x[at : at + 1], labels[at : at + 1]).signed for at in range(4)])
    torch.testing.assert_close(together, alone)


def test_it_is_scaled_to_the_image_whatever_the_scale_of_the_head() -> None:
    x, labels = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1])
    network = Classifier(tiny_encoder(), 2, seed=0).eval()
    before = grad_cam(network, x, labels).heat
    with torch.no_grad():
        network.head.weight *= 1e-6
    torch.testing.assert_close(grad_cam(network, x, labels).heat, before)


def test_weights_that_are_fixed_and_no_grad_around_it_change_nothing() -> None:
    x, labels = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1])
    network = Classifier(tiny_encoder(), 2, seed=0).eval()
    before = grad_cam(network, x, labels).ranked
    with torch.no_grad():
        torch.testing.assert_close(grad_cam(network.requires_grad_(False), x, labels).ranked, before)
    assert not x.requires_grad
    assert all(each.grad is None for each in network.parameters())


def test_an_encoder_without_stages_is_named() -> None:
    network = classifier(Halves(), [[1.0, 1.0]])
    network.encoder.meta = replace(network.encoder.meta, name="vit", arch="timm:vit", stage_channels=())
    with pytest.raises(UserError, match=r"encoder vit \(timm:vit\) has no feature maps .* leave it out"):
        grad_cam(network, blocks(0, 1, 0, 0), torch.tensor([0]))


def test_maps_that_are_no_numbers_are_named() -> None:
    network = classifier(Halves(), [[float("inf"), 1.0]])
    with pytest.raises(UserError, match="encoder tiny: its Grad-CAM is not finite"):
        grad_cam(network, blocks(0, 1, 0, 0), torch.tensor([0]))


def test_a_backbone_whose_features_pass_by_its_maps_is_named() -> None:
    class Beside(Halves):
        def pooled_and_stages(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
            pooled, maps = super().pooled_and_stages(x)
            return pooled, [each * 1 for each in maps]

    with pytest.raises(UserError, match="not made of its last stage"):
        grad_cam(classifier(Beside(), [[1.0, 1.0]]), blocks(0, 1, 0, 0), torch.tensor([0]))


def test_maps_are_arrays_of_numbers_between_0_and_1() -> None:
    found = grad_cam(Classifier(tiny_encoder(), 2, seed=0).eval(), torch.zeros(1, 1, 64, 64), torch.tensor([0]))
    for each in (found.heat, found.signed, found.ranked):
        assert (each.dtype, each.shape) == (torch.float32, (1, 64, 64))
    assert 0 <= float(found.heat.min()) <= float(found.heat.max()) <= 1
