from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from cxrbench.tasks.image_quality import Lpips

from .weights import backbone, features_state, images, linear_weights


@pytest.fixture(scope="module")
def alex() -> Lpips:
    return Lpips(backbone("alexnet"), features_state("alexnet"), linear_weights("alexnet"))


def test_alexnet_is_as_the_package_lpips_says(alex: Lpips) -> None:
    # lpips 0.1.4 in float64 with the same weights.
    wanted = [0.011422709957788902, 0.011177850227023726]
    assert alex.values(images(2, 40, 3), images(2, 40, 4)).tolist() == pytest.approx(wanted, abs=1e-7)


def test_vgg_is_as_the_package_lpips_says() -> None:
    vgg = Lpips(backbone("vgg16"), features_state("vgg16"), linear_weights("vgg16"))
    wanted = [0.0070691697278298824, 0.007086885134447308]
    assert vgg.values(images(2, 40, 3), images(2, 40, 4)).tolist() == pytest.approx(wanted, abs=1e-7)


def test_first_layer_alone_is_as_worked_out_by_hand(alex: Lpips) -> None:
    linear = [alex.get_buffer("linear0"), *(torch.zeros_like(each) for each in linear_weights("alexnet")[1:])]
    state = features_state("alexnet")
    a, b = images(1, 32, 5), images(1, 32, 6)

    def unit(image: Tensor) -> Tensor:
        colours = torch.cat(
            [(2 * image - 1 + 0.030) / 0.458, (2 * image - 1 + 0.088) / 0.448, (2 * image - 1 + 0.188) / 0.450], dim=1
        )
        maps = F.conv2d(colours, state["0.weight"], state["0.bias"], stride=4, padding=2).relu()
        return maps / maps.norm(dim=1, keepdim=True)

    wanted = (linear[0].flatten()[:, None, None] * (unit(a) - unit(b))[0] ** 2).sum(dim=0).mean()
    found = Lpips(backbone("alexnet"), state, linear).values(a, b)
    assert found.item() == pytest.approx(wanted.item(), rel=1e-5)


def test_loss_has_a_gradient_for_images_and_none_for_weights(alex: Lpips) -> None:
    a, b = images(2, 36, 0).requires_grad_(), images(2, 36, 1)
    loss = alex(a, b)
    assert loss.detach().tolist() == pytest.approx(alex.values(a, b).tolist(), abs=1e-7)
    assert alex.between(alex.features(a), alex.features(b)).tolist() == loss.tolist()
    (gradient,) = torch.autograd.grad(loss.sum(), a)
    step = 0.05 * gradient / gradient.abs().max()
    assert (alex((a - step).detach(), b) < loss.detach()).all()
    assert all(not each.requires_grad for each in alex.parameters())
    # The gradient of one image is its own: the sum is over images.
    (alone,) = torch.autograd.grad(alex(a[:1], b[:1]).sum(), a)
    torch.testing.assert_close(alone[0], gradient[0])


def test_gradient_is_finite_where_images_are_equal_or_all_features_are_zero(alex: Lpips) -> None:
    dark = {name: each - 10 if name.endswith("bias") else each for name, each in features_state("alexnet").items()}
    for network in (alex, Lpips(backbone("alexnet"), dark, linear_weights("alexnet"))):
        flat = torch.full((1, 1, 32, 32), 0.5, requires_grad=True)
        (gradient,) = torch.autograd.grad(network(flat, flat.detach()).sum(), flat)
        assert gradient.isfinite().all()


def test_stays_in_eval_mode_and_equal_images_are_at_zero(alex: Lpips) -> None:
    assert not alex.train().training
    a = images(3, 32)
    assert alex.values(a, a).tolist() == [0.0] * 3
    assert alex.values(a[:0], a[:0]).shape == (0,)


def test_values_do_not_depend_on_the_batch(alex: Lpips) -> None:
    a, b = images(5, 32, 0), images(5, 32, 1)
    assert alex.values(a, b, batch_size=2).tolist() == pytest.approx(alex.values(a, b).tolist(), rel=1e-6)


def test_small_images_and_values_outside_are_refused(alex: Lpips) -> None:
    with pytest.raises(ValueError, match="at least 32 pixels"):
        alex.values(images(1, 31), images(1, 31))
    with pytest.raises(ValueError, match="must lie in"):
        alex.values(images(1, 32) * 2, images(1, 32))
    with pytest.raises(ValueError, match=r"\[N, 1, H, W\]"):
        alex(torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32))
