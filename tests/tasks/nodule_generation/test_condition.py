from __future__ import annotations

import numpy as np
import torch

from cxrbench.tasks.nodule_generation.condition import condition_of

ELLIPSE = torch.tensor([[32.0, 28.0, 10.0, 6.0]])


def test_mask_is_the_ellipse_of_the_box() -> None:
    mask = condition_of(torch.rand(1, 1, 64, 64), ELLIPSE, 0.4).mask[0, 0].numpy()
    rows, columns = np.indices((64, 64)) + 0.5
    inside = ((columns - 32) / 10) ** 2 + ((rows - 28) / 6) ** 2 <= 1
    assert np.array_equal(mask, inside)
    assert abs(mask.sum() - np.pi * 60) < 6


def test_hole_is_whole_in_the_mask_and_ends_behind_the_rim() -> None:
    condition = condition_of(torch.rand(1, 1, 64, 64), ELLIPSE, 0.4)
    assert bool((condition.hole[condition.mask == 1] == 1).all())
    rows, columns = np.indices((64, 64)) + 0.5
    beyond = ((columns - 32) / 10) ** 2 + ((rows - 28) / 6) ** 2 >= 1.4**2
    assert bool((condition.hole[0, 0][torch.from_numpy(beyond)] == 0).all())


def test_what_is_blended_keeps_the_radiograph_bit_for_bit_outside_the_hole() -> None:
    torch.manual_seed(0)
    patch = torch.rand(1, 1, 64, 64)
    condition = condition_of(patch, ELLIPSE, 0.4)
    blended = condition.blended(torch.full_like(patch, 0.25))
    outside = condition.hole == 0
    assert torch.equal(blended[outside], patch[outside])
    assert bool((blended[condition.mask == 1] == 0.25).all())


def test_nothing_of_the_nodule_is_left_in_what_the_generator_is_given() -> None:
    torch.manual_seed(0)
    patch = torch.rand(1, 1, 64, 64)
    condition = condition_of(patch, ELLIPSE, 0.4)
    other = torch.where(condition.hole > 0, torch.rand_like(patch), patch)
    assert torch.equal(condition_of(other, ELLIPSE, 0.4).filled, condition.filled)


def test_a_constant_patch_is_filled_with_its_constant() -> None:
    condition = condition_of(torch.full((1, 1, 64, 64), 0.3), torch.tensor([[32.0, 32.0, 18.0, 18.0]]), 0.7)
    assert torch.allclose(condition.filled, torch.tensor(0.3), atol=1e-5)


def test_filling_shows_no_seam_on_a_slope() -> None:
    slope = torch.linspace(0.1, 0.9, 64).expand(1, 1, 64, 64)
    filled = condition_of(slope, ELLIPSE, 0.4).filled
    # The slope's own step is 0.013.
    assert float(filled.diff(dim=3).abs().max()) < 0.1


def test_patches_do_not_depend_on_their_batch() -> None:
    torch.manual_seed(0)
    patches, ellipses = torch.rand(3, 1, 64, 64), ELLIPSE + torch.tensor([[0.0], [1.0], [2.0]])
    together = condition_of(patches, ellipses, 0.4)
    alone = condition_of(patches[1:2], ellipses[1:2], 0.4)
    for name in ("mask", "hole", "filled"):
        assert torch.allclose(getattr(together, name)[1:2], getattr(alone, name), atol=1e-6)
