from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from cxrbench.tasks.nodule_generation.condition import Condition, condition_of
from cxrbench.tasks.nodule_generation.discriminator import PatchDiscriminator, mean_over_hole
from cxrbench.tasks.nodule_generation.generator import NoduleGenerator
from cxrbench.tasks.nodule_generation.settings import NetworkSettings
from cxrbench.tasks.nodule_generation.spade import Spade
from tests.tasks.nodule_generation.examples import SMALL


def given(count: int, size: int = 32) -> tuple[torch.Tensor, Condition]:
    torch.manual_seed(0)
    patches = torch.rand(count, 1, size, size)
    ellipses = torch.tensor([[size / 2, size / 2, size / 6, size / 8]]).expand(count, 4)
    return patches, condition_of(patches, ellipses, 0.4)


def test_spade_normalises_each_image_and_then_scales_and_shifts_by_the_condition() -> None:
    torch.manual_seed(0)
    layer = Spade(3, 2, 5).double()
    x, condition = torch.randn(2, 3, 8, 8).double(), torch.rand(2, 2, 8, 8).double()
    both = layer.modulation(functional.relu(layer.shared(condition)))
    gamma, beta = both[:, :3], both[:, 3:]
    mean, variance = x.mean(dim=(2, 3), keepdim=True), x.var(dim=(2, 3), keepdim=True, unbiased=False)
    expected = (x - mean) / (variance + 1e-5).sqrt() * (1 + gamma) + beta
    assert torch.allclose(layer(x, condition), expected, atol=1e-12)


@pytest.mark.parametrize("size", [32, 64])
def test_untrained_generator_paints_next_to_nothing(size: int) -> None:
    patches, condition = given(2, size)
    generator = NoduleGenerator(size, SMALL)
    with torch.no_grad():
        painted = generator(condition, torch.randn(2, 4), torch.randn_like(patches))
    assert painted.shape == patches.shape
    assert float((painted - condition.filled).abs().max()) < 0.02


def test_painted_patches_keep_the_radiograph_around_the_nodule() -> None:
    patches, condition = given(2)
    generator = NoduleGenerator(32, SMALL)
    torch.nn.init.normal_(generator.decoder.last.weight, std=5.0)
    with torch.no_grad():
        painted = generator(condition, torch.randn(2, 4), torch.randn_like(patches))
    outside = condition.hole == 0
    assert torch.equal(painted[outside], patches[outside])
    assert float(painted.min()) >= 0
    assert float(painted.max()) <= 1
    assert float((painted - condition.filled)[condition.mask == 1].abs().max()) > 0.1


def test_style_and_noise_change_the_nodule() -> None:
    patches, condition = given(1)
    generator = NoduleGenerator(32, SMALL)
    torch.nn.init.normal_(generator.decoder.last.weight, std=1.0)
    style, noise = torch.randn(1, 4), torch.randn_like(patches)
    with torch.no_grad():
        first = generator(condition, style, noise)
        assert not torch.allclose(first, generator(condition, -style, noise), atol=1e-4)
        assert not torch.allclose(first, generator(condition, style, -noise), atol=1e-4)


def test_no_patch_depends_on_others_of_its_batch_in_either_network() -> None:
    patches, condition = given(3)
    generator, discriminator = NoduleGenerator(32, SMALL).double(), PatchDiscriminator(4).double().eval()
    torch.nn.init.normal_(generator.decoder.last.weight, std=1.0)
    whole = Condition(*(each.double() for each in (condition.mask, condition.hole, condition.filled)))
    one = Condition(whole.mask[1:2], whole.hole[1:2], whole.filled[1:2])
    style, noise = torch.randn(3, 4).double(), torch.randn(3, 1, 32, 32).double()
    with torch.no_grad():
        painted, alone = generator(whole, style, noise), generator(one, style[1:2], noise[1:2])
        assert torch.allclose(painted[1:2], alone, atol=1e-6)
        judged, judged_alone = discriminator(patches.double(), whole), discriminator(patches[1:2].double(), one)
        assert torch.allclose(judged[1:2], judged_alone, atol=1e-6)


def test_default_generator_has_the_size_that_is_stated() -> None:
    weights = sum(each.numel() for each in NoduleGenerator(64, NetworkSettings()).parameters())
    assert 0.7e6 < weights < 1.0e6


def test_discriminator_gives_a_map_at_an_eighth_and_its_mean_counts_pieces_that_touch_the_hole() -> None:
    patches, condition = given(2, 64)
    assert PatchDiscriminator(4)(patches, condition).shape == (2, 1, 8, 8)
    values = torch.zeros(2, 1, 8, 8)
    touched = functional.adaptive_max_pool2d(condition.hole, 8) > 0
    values[touched] = 3.0
    values[~touched] = 1e6
    assert float(mean_over_hole(values, condition)) == pytest.approx(3.0)
