from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from cxrbench.pretrain.generator.adaptive_augmentation import AdaptiveAugmentation
from cxrbench.pretrain.generator.training_settings import AugmentationSettings

NOTHING = {"shift": 0, "rotation": 0, "scale": 0, "brightness": 0, "contrast": 0, "probability": 1, "target": 0}


def only(**changes: object) -> AdaptiveAugmentation:
    return AdaptiveAugmentation(AugmentationSettings.model_validate({**NOTHING, **changes}))


def images(n: int = 64, size: int = 8) -> Tensor:
    return torch.rand(n, 1, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_nothing_changes_at_probability_0() -> None:
    found = AdaptiveAugmentation(AugmentationSettings(flips=True))(images())
    assert found.numpy() == pytest.approx(images().numpy(), abs=1e-5)


def test_shift_is_by_whole_pixels_with_reflected_borders() -> None:
    torch.manual_seed(0)
    before, found = images().numpy()[:, 0], only(shift=0.25)(images()).numpy()[:, 0]
    seen = set()
    for image, moved in zip(before, found, strict=True):
        padded = np.pad(image, 2, mode="symmetric")
        places = [
            (x, y) for y in range(5) for x in range(5) if np.allclose(padded[y : y + 8, x : x + 8], moved, atol=1e-5)
        ]
        assert len(places) == 1
        seen.update(places)
    assert len(seen) > 15


def test_flips_are_left_and_right_for_half_of_the_images() -> None:
    torch.manual_seed(0)
    before, found = images(), only(flips=True)(images())
    flipped = (found - before.flip(-1)).abs().amax(dim=(1, 2, 3)) < 1e-5
    kept = (found - before).abs().amax(dim=(1, 2, 3)) < 1e-5
    assert bool((flipped ^ kept).all())
    assert 20 < int(flipped.sum()) < 44


def test_brightness_adds_and_contrast_multiplies() -> None:
    torch.manual_seed(0)
    added = (only(brightness=0.2)(images()) - images()).flatten(1)
    assert added.std(dim=1).max() < 1e-5
    assert added.mean(dim=1).std().item() == pytest.approx(0.2, rel=0.3)
    factor = (only(contrast=0.5)(images()) / images()).flatten(1)
    assert (factor.amax(dim=1) - factor.amin(dim=1)).max() < 1e-2
    assert factor.mean(dim=1).log2().std().item() == pytest.approx(0.5, rel=0.3)


def test_scale_and_rotation_keep_the_middle() -> None:
    torch.manual_seed(0)
    disc = torch.zeros(16, 1, 32, 32)
    disc[:, :, 14:18, 14:18] = 1
    found = only(rotation=10, scale=0.2)(disc)
    assert bool((found[:, 0, 15:17, 15:17] > 0.9).all())
    assert not torch.allclose(found, disc, atol=1e-3)


def test_share_of_changed_images_is_the_probability() -> None:
    torch.manual_seed(0)
    found = only(brightness=0.5, probability=0.3)(images(1000))
    changed = ((found - images(1000)).abs().amax(dim=(1, 2, 3)) > 1e-4).float().mean().item()
    assert changed == pytest.approx(0.3, abs=0.05)


def test_gradient_reaches_the_images() -> None:
    before = images().requires_grad_()
    only(rotation=10, scale=0.2, contrast=0.5, shift=0.2)(before).sum().backward()
    assert before.grad is not None
    assert bool((before.grad.flatten(1).abs().sum(dim=1) > 0).all())


def test_probability_rises_where_the_discriminator_is_too_sure_and_falls_where_it_is_not() -> None:
    augmentation = AdaptiveAugmentation(AugmentationSettings(target=0.6, images=100, every=2))
    sure = torch.ones(10)
    augmentation.learn(sure)
    assert augmentation.probability.item() == 0
    augmentation.learn(sure)
    # 20 of 100 images were seen.
    assert augmentation.probability.item() == pytest.approx(0.2)
    unsure = torch.tensor([1.0, -1.0])
    augmentation.learn(unsure)
    augmentation.learn(unsure)
    assert augmentation.probability.item() == pytest.approx(0.2 - 0.04)
    for _ in range(40):
        augmentation.learn(sure)
    assert augmentation.probability.item() == 1


def test_probability_stays_without_a_target() -> None:
    augmentation = only(probability=0.4)
    for _ in range(8):
        augmentation.learn(torch.ones(5))
    assert augmentation.probability.item() == pytest.approx(0.4)


def test_what_it_learnt_is_in_its_state() -> None:
    settings = AugmentationSettings(images=100, every=3)
    first, second = AdaptiveAugmentation(settings), AdaptiveAugmentation(settings)
    first.learn(torch.ones(5))
    first.learn(torch.ones(5))
    second.load_state_dict(first.state_dict())
    second.learn(torch.ones(5))
    assert second.probability.item() == pytest.approx(0.15)
