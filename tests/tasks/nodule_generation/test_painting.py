from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from cxrbench.foundation.errors import UserError
from cxrbench.tasks.nodule_generation.generator import NoduleGenerator
from cxrbench.tasks.nodule_generation.nodules import Patches
from cxrbench.tasks.nodule_generation.painting import Painted, normal, paint
from tests.tasks.nodule_generation.examples import SMALL


@pytest.fixture
def patches() -> Patches:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (5, 32, 32), dtype=np.uint8)
    return Patches(pixels, np.tile(np.array([16, 15, 6, 5], dtype=np.float32), (5, 1)))


@pytest.fixture
def generator() -> NoduleGenerator:
    torch.manual_seed(0)
    made = NoduleGenerator(32, SMALL)
    torch.nn.init.normal_(made.decoder.last.weight, std=1.0)
    return made


def painted(generator: NoduleGenerator, patches: Patches, keys: np.ndarray, batch_size: int) -> Painted:
    return paint(generator, patches, keys, 0.4, batch_size, "cpu", "float32")


def test_random_numbers_are_standard_normal_and_belong_to_their_key() -> None:
    numbers = normal(np.arange(200), 1, (10, 10))
    assert numbers.shape == (200, 10, 10)
    assert kstest(numbers.flatten().numpy(), "norm").pvalue > 0.01
    assert torch.equal(normal(np.array([7]), 1, (10, 10)), numbers[7:8])
    assert not torch.equal(normal(np.array([7]), 2, (10, 10)), numbers[7:8])
    assert abs(float(torch.corrcoef(numbers.flatten(1))[0, 1])) < 0.4


def test_a_patch_is_painted_alike_alone_in_any_batch_and_in_any_order(
    generator: NoduleGenerator, patches: Patches
) -> None:
    keys = np.arange(5) + 100
    together = painted(generator, patches, keys, 5).painted
    assert torch.allclose(painted(generator, patches, keys, 2).painted, together, atol=1e-5)
    turned = Patches(patches.pixels[::-1].copy(), patches.ellipses[::-1].copy())
    assert torch.allclose(painted(generator, turned, keys[::-1], 5).painted.flip(0), together, atol=1e-5)


def test_pixels_outside_the_hole_are_the_radiographs_own(generator: NoduleGenerator, patches: Patches) -> None:
    found = painted(generator, patches, np.arange(5), 5)
    outside = found.hole == 0
    assert torch.equal(found.painted[outside], found.real[outside])
    shown = found.shown()
    assert np.array_equal(shown["real"], patches.pixels)
    assert np.array_equal(shown["generated"][outside[:, 0].numpy()], patches.pixels[outside[:, 0].numpy()])
    assert int(shown["masked"][~outside[:, 0].numpy()].max()) == 0


def test_error_counts_painted_pixels_by_their_share() -> None:
    hole = torch.tensor([1.0, 0.5, 0.0]).view(1, 1, 1, 3)
    zeros = torch.zeros_like(hole)
    # (1 x 0.1^2 + 0.5 x 0.2^2) / 1.5
    made = Painted(zeros, zeros, hole, torch.tensor([0.1, 0.2, 9.0]).view(1, 1, 1, 3))
    assert made.error() == pytest.approx(0.02)


def test_a_generator_that_broke_is_one_line(generator: NoduleGenerator, patches: Patches) -> None:
    torch.nn.init.constant_(generator.decoder.last.weight, float("nan"))
    with pytest.raises(UserError, match="are not numbers") as error:
        painted(generator, patches, np.arange(5), 5)
    assert "\n" not in str(error.value)
