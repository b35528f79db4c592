"""The IFA loss against its equation in NumPy, and the terms it is asked for by."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import cxrbench.pretrain
from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.method import MethodSettings, ours
from cxrbench.pretrain.parts.ifa import IfaTerm, IfaTerms, ifa_loss, ifa_terms, weighted_ifa

RELEASED = (IfaTerm(block=1, target=0.3), IfaTerm(block=4, target=1.0))


def maps(seed: int, shape: tuple[int, ...] = (3, 5, 4, 6)) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def equation(q: np.ndarray, p: np.ndarray, target: float) -> float:
    """Position by position, as the paper writes it."""
    values = []
    for image in range(q.shape[0]):
        for row in range(q.shape[2]):
            for column in range(q.shape[3]):
                a, b = q[image, :, row, column], p[image, :, row, column]
                values.append(abs(target - a @ b / (np.linalg.norm(a) * np.linalg.norm(b))))
    return float(np.mean(values))


@pytest.mark.parametrize("target", [1.0, 0.3, -0.5])
def test_value_is_the_equations(target: float):
    q, p = maps(0), maps(1)
    assert ifa_loss(q, p, target).item() == pytest.approx(equation(q.numpy(), p.numpy(), target), abs=1e-12)
    single = ifa_loss(q.float(), p.float(), target)
    assert single.dtype == torch.float32
    assert single.item() == pytest.approx(equation(q.numpy(), p.numpy(), target), abs=1e-6)


@pytest.mark.parametrize("target", [1.0, 0.3])
def test_gradient_is_that_of_the_equation(target: float):
    q, p = maps(0).requires_grad_(), maps(1)
    ifa_loss(q, p, target).backward()
    other = maps(0).requires_grad_()
    (target - F.cosine_similarity(other, p, dim=1)).abs().mean().backward()
    torch.testing.assert_close(q.grad, other.grad, rtol=1e-10, atol=1e-14)


def test_gradient_is_that_of_finite_differences():
    torch.autograd.gradcheck(lambda q: ifa_loss(q, maps(1, (2, 3, 2, 2)), 0.3), maps(0, (2, 3, 2, 2)).requires_grad_())


def test_identical_maps_give_0_orthogonal_ones_1_opposite_ones_2():
    x = torch.rand(2, 8, 3, 3) + 0.1
    assert ifa_loss(x, x).item() == pytest.approx(0, abs=1e-6)
    assert ifa_loss(x, 7 * x).item() == pytest.approx(0, abs=1e-6)
    assert ifa_loss(x, -x).item() == pytest.approx(2, abs=1e-6)
    turned = torch.cat([-x[:, 4:], x[:, :4]], dim=1)
    assert ifa_loss(x, turned).item() == pytest.approx(1, abs=1e-6)


def test_no_gradient_reaches_the_positive():
    q, p = maps(0).requires_grad_(), maps(1).requires_grad_()
    ifa_loss(q, p).backward()
    assert q.grad is not None
    assert p.grad is None


@pytest.mark.parametrize("which", ["query", "positive", "both"])
def test_positions_without_a_direction_have_cosine_0_and_no_gradient(which: str):
    q, p = maps(0), maps(1)
    for name, each in (("query", q), ("positive", p)):
        if which in (name, "both"):
            each[:, :, 0, 0] = 0
    q.requires_grad_()
    loss = ifa_loss(q, p)
    loss.backward()
    assert q.grad is not None
    assert q.grad.isfinite().all()
    assert not q.grad[:, :, 0, 0].any()
    everywhere = (1 - F.cosine_similarity(q.detach(), p, dim=1)).abs()
    everywhere[:, 0, 0] = 1
    assert loss.item() == pytest.approx(everywhere.mean().item(), abs=1e-12)


def test_zero_maps_give_the_target():
    q = torch.zeros(2, 4, 3, 3, requires_grad=True)
    loss = ifa_loss(q, torch.zeros(2, 4, 3, 3), 0.3)
    loss.backward()
    assert loss.item() == pytest.approx(0.3)
    assert q.grad is not None
    assert not q.grad.any()


def test_layout_and_precision_of_the_maps_do_not_matter():
    q, p = maps(0).float(), maps(1).float()
    a, b = (each.contiguous(memory_format=torch.channels_last) for each in (q, p))
    assert ifa_loss(a, b).item() == pytest.approx(ifa_loss(q, p).item(), abs=1e-6)
    coarse = ifa_loss(q.bfloat16(), p.bfloat16())
    assert coarse.dtype == torch.float32
    assert coarse.item() == pytest.approx(ifa_loss(q.bfloat16().float(), p.bfloat16().float()).item(), abs=1e-6)


@pytest.mark.parametrize("shape", [(3, 5, 4), (3, 5, 4, 5)])
def test_maps_of_other_shapes_are_refused(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match=r"two maps \[B, C, H, W\]"):
        ifa_loss(torch.zeros(3, 5, 4, 6), torch.zeros(shape))


def test_the_public_name_is_this_function():
    assert cxrbench.pretrain.ifa_loss is ifa_loss


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("3", (IfaTerm(block=3),)),
        (" 1, 3 ", (IfaTerm(block=1), IfaTerm(block=3))),
        ("2:0.5", (IfaTerm(block=2, target=0.5),)),
        ("1:0.3:1,4:1:2", (IfaTerm(block=1, target=0.3), IfaTerm(block=4, weight=2.0))),
        ("ifa_released", RELEASED),
        ("", ()),
    ],
)
def test_terms_in_words(text: str, terms: tuple[IfaTerm, ...]):
    assert ifa_terms(text) == terms


@pytest.mark.parametrize("text", ["0", "5", "1,7", "-1", "9:0.3:1"])
def test_blocks_outside_1_to_4_are_named(text: str):
    block = text.split(",")[-1].split(":")[0]
    with pytest.raises(UserError, match=f"there is no block {block}; blocks are 1 to 4"):
        ifa_terms(text)


@pytest.mark.parametrize(
    "text", ["three", "3:", "3:2", "3:1:0", "3:1:-1", "3:1:1:1", "3:nan", "3:1:inf", "3,,4", "1.5"]
)
def test_terms_that_are_not_understood_are_shown_with_the_way_to_write_them(text: str):
    with pytest.raises(UserError, match=r"is not understood: write blocks .*ifa_released"):
        ifa_terms(text)


def test_a_block_given_twice_is_refused():
    with pytest.raises(UserError, match="block 3 is given twice"):
        ifa_terms("3,3:0.5")


class _Settings(MethodSettings):
    ifa: IfaTerms = ours((), "for a test")


@pytest.mark.parametrize(
    "given",
    [
        "1:0.3,4",
        [[1, 0.3, 1.0], 4],
        ["1:0.3", 4],
        [{"block": 1, "target": 0.3}, {"block": 4}],
        RELEASED,
        [each.model_dump() for each in RELEASED],
    ],
)
def test_settings_take_every_form(given: Any):
    assert _Settings(ifa=given).ifa == RELEASED
    assert _Settings.model_validate(_Settings(ifa=given).model_dump()).ifa == RELEASED


def test_settings_take_the_number_of_a_block():
    assert _Settings.model_validate({"ifa": 3}).ifa == (IfaTerm(block=3),)
    with pytest.raises(UserError, match="no block 7"):
        _Settings.model_validate({"ifa": 7})
    with pytest.raises(UserError, match="block, target and weight, not layer"):
        _Settings.model_validate({"ifa": [{"layer": 3}]})


def test_terms_are_added_by_weight_and_logged_without():
    q, p = {1: maps(0), 4: maps(2)}, {1: maps(1), 4: maps(3)}
    terms = (IfaTerm(block=1, target=0.3, weight=2.0), IfaTerm(block=4, weight=0.5))
    total, each = weighted_ifa(terms, q, p)
    first, second = ifa_loss(q[1], p[1], 0.3), ifa_loss(q[4], p[4])
    assert each == {"ifa_1": pytest.approx(first.item()), "ifa_4": pytest.approx(second.item())}
    assert total.item() == pytest.approx(2 * first.item() + 0.5 * second.item())


def test_released_code_takes_the_cosine_of_normalised_maps_against_constants():
    """Its loss, image by image: maps of unit length, cosine, L1 against tensors of 0.3 and 1."""
    q, p = {1: maps(0), 4: maps(2)}, {1: maps(1), 4: maps(3)}
    expected = 0.0
    for block, goal in ((1, 0.3), (4, 1.0)):
        a, b = q[block].numpy(), p[block].numpy()
        a, b = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (a, b))
        cosines = np.stack([(one * two).sum(0) for one, two in zip(a, b, strict=True)])
        expected += np.abs(np.full_like(cosines, goal) - cosines).mean()
    assert weighted_ifa(ifa_terms("ifa_released"), q, p)[0].item() == pytest.approx(expected, abs=1e-12)
