from __future__ import annotations

from typing import Any

import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.parts.discriminator import PatchDiscriminator

from ..method_cases import batch, build
from .gradients import gradients


def made(**settings: Any) -> Any:
    method = build("dira", **{"group_size": 8, "warm_up": 0.0, "discriminator": 4, **settings}).double()
    # The contrast works in float32 whatever it is given.
    method.contrast.float()
    return method


def judged(judge: PatchDiscriminator, image: torch.Tensor, wanted: float) -> torch.Tensor:
    return (judge(image) - wanted).square().mean()


def test_loss_is_the_sum_of_its_weighted_terms():
    method = made(adversarial_weight=0.3, discriminator_weight=2.0)
    found = {name: each.item() for name, each in method(batch()).items()}
    expected = found["contrast"] + 10 * found["restoration"] + 0.3 * found["adversarial"] + 2 * found["discriminator"]
    assert found["loss"] == pytest.approx(expected, rel=1e-9)


def test_terms_are_those_of_the_game():
    method = made()
    _, restored, clean = method.contrasted_and_restored(batch())
    found, judge = method(batch()), method.discriminator
    assert found["adversarial"].item() == pytest.approx(judged(judge, restored, 1).item(), rel=1e-9)
    expected = (judged(judge, clean.double(), 1) + judged(judge, restored, 0)) / 2
    assert found["discriminator"].item() == pytest.approx(expected.item(), rel=1e-9)


def test_each_side_moves_only_itself():
    method = made()
    found = method(batch())
    of_adversary, of_judge = (gradients(method, found[term]) for term in ("adversarial", "discriminator"))
    for name in of_judge:
        mine, other = (of_judge, of_adversary) if name.startswith("discriminator.") else (of_adversary, of_judge)
        assert other[name].abs().max() == 0, name
        # A convolution's bias before instance normalisation changes nothing.
        if name.endswith("weight") and not name.startswith("head."):
            assert mine[name].abs().max() > 0, name


def test_gradients_of_one_step_are_those_of_two_optimisers_in_turn():
    method = made(discriminator_weight=1.0)
    one_step = gradients(method, method(batch())["loss"])
    twin = made()
    contrast, restored, clean = twin.contrasted_and_restored(batch())
    image = restored.detach()
    paid = contrast + 10 * (restored - clean).square().mean() + 0.001 * judged(twin.discriminator, restored, 1)
    judging = (judged(twin.discriminator, clean.double(), 1) + judged(twin.discriminator, image, 0)) / 2
    of_paid, of_judging = gradients(twin, paid), gradients(twin, judging)
    scale = max(float(each.abs().max()) for each in of_paid.values())
    for name, each in one_step.items():
        expected = (of_judging if name.startswith("discriminator.") else of_paid)[name]
        assert (each - expected).abs().max() <= 1e-6 * scale, name


def test_discriminator_joins_after_the_warm_up():
    method = made(warm_up=0.5)
    for step in range(4):
        found = method(batch())
        found["loss"].backward()
        playing = step >= 2
        assert (found["adversarial"].item() > 0) == playing
        assert (found["discriminator"].item() > 0) == playing
        # Zero, not none: with several processes every parameter needs a gradient.
        slopes = [weight.grad for weight in method.discriminator.parameters()]
        assert all(slope is not None for slope in slopes)
        assert (max(float(slope.abs().max()) for slope in slopes) > 0) == playing
        method.after_step(step, 4)
        method.zero_grad()


def test_warm_up_is_part_of_the_state():
    method = made(warm_up=0.5)
    method.after_step(1, 4)
    fresh = made(warm_up=0.5)
    assert not fresh.warmed_up
    fresh.load_state_dict(method.state_dict())
    assert fresh.warmed_up


def test_before_the_game_it_is_caid():
    views = batch()
    caid, dira = build("caid", group_size=8), build("dira", group_size=8, warm_up=1.0)
    assert dira(views)["loss"].item() == pytest.approx(caid(views)["loss"].item(), rel=1e-9)


def test_other_views_are_refused():
    views = batch()
    del views["clean_one"]
    with pytest.raises(UserError, match=r"clean_one.*set views\.preset=dira"):
        made()(views)
