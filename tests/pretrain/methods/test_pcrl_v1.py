from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.method import images
from cxrbench.pretrain.methods.pcrl_v1 import ChannelAttention, mixed

from ..method_cases import batch, build
from .gradients import assert_same_gradients, gradients

PARTNER = [1, 0, 3, 2, 5, 4, 7, 6]


def made(**settings: Any) -> Any:
    method = build("pcrl_v1", **{"group_size": 8, **settings}).double()
    # The contrast works in float32 whatever it is given.
    method.contrast.float()
    return method


def unit(x):
    return x / x.square().sum(1, keepdim=True).sqrt()


def told_apart(q, k, queue):
    logits = torch.cat([(unit(q) * unit(k)).sum(1, keepdim=True), unit(q) @ queue.T], 1) / 0.2
    return functional.cross_entropy(logits, torch.zeros(len(q), dtype=torch.int64))


def expected_terms(method, views, lam, a, b):
    """The equations, with every pass through the networks written out."""
    queue = method.contrast.queue.keys.double()
    x1, x2 = (images(views[name]).double() for name in ("one", "two"))
    c1, c2 = ((images(views[name]).double() - 0.5) / 0.25 for name in ("clean_one", "clean_two"))

    def blend(x):
        return lam * x + (1 - lam) * x[PARTNER]

    def restored(maps):
        return method.restorer(maps, (32, 32))

    def across(maps, theirs, share):
        return restored([share * x + (1 - share) * y for x, y in zip(maps, theirs, strict=True)])

    def networks(first, second):
        feature, maps = method.encoder.pooled_and_stages(first)
        with torch.no_grad():
            other, theirs = method.key_encoder.pooled_and_stages(second)
            key = method.key_head(other)
        return method.head(feature), key, maps, theirs

    q, k, maps, theirs = networks(x1, x2)
    q_hybrid, k_hybrid, hybrid_maps, hybrid_theirs = networks(blend(x1), blend(x2))
    contrast = (
        told_apart(q, k, queue) + told_apart(q_hybrid, k_hybrid, queue) + told_apart(q_hybrid, blend(k), queue)
    ) / 3
    w1, w2 = (method.attention.layers(views[f"transform_{v}"].double())[:, :, None, None] for v in ("one", "two"))
    maps, theirs = [*maps[:4], maps[4] * w1], [*theirs[:4], theirs[4] * w2]
    squares = (
        functional.mse_loss(restored(maps), c1),
        functional.mse_loss(across(maps, theirs, a), a * c1 + (1 - a) * c2),
        functional.mse_loss(restored(hybrid_maps), blend(c1)),
        functional.mse_loss(across(hybrid_maps, hybrid_theirs, b), b * blend(c1) + (1 - b) * blend(c2)),
    )
    return contrast, torch.stack(squares).mean()


def doubled(views):
    return {name: view.double() if view.is_floating_point() else view for name, view in views.items()}


def test_terms_and_gradients_are_those_of_the_equations():
    method, views = made(), doubled(batch())
    torch.manual_seed(3)
    lam, a, b = (max(u, 1 - u) for u in torch.rand(1, 3)[0].tolist())
    contrast, restoration = expected_terms(method, views, lam, a, b)
    torch.manual_seed(3)
    found = method(views)
    assert found["contrast"].item() == pytest.approx(contrast.item(), rel=1e-6)
    assert found["restoration"].item() == pytest.approx(restoration.item(), rel=1e-6)
    assert found["loss"].item() == pytest.approx((contrast + restoration).item(), rel=1e-6)
    assert_same_gradients(method, found["loss"], contrast + restoration)


def test_attention_by_hand():
    attention: Any = ChannelAttention(flags=2, hidden=2, channels=3)
    with torch.no_grad():
        attention.layers[0].weight.copy_(torch.tensor([[1.0, -1.0], [2.0, 1.0]]))
        attention.layers[0].bias.copy_(torch.tensor([0.0, -1.0]))
        attention.layers[2].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]]))
        attention.layers[2].bias.zero_()
    found = attention(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    # Hidden: relu(1, 2 - 1) = (1, 1) and relu(-1, 1 - 1) = (0, 0).
    expected = 1 / (1 + np.exp(-np.array([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]])))
    assert found.shape == (2, 3, 1, 1)
    assert found[:, :, 0, 0].detach().numpy() == pytest.approx(expected, abs=1e-6)


def test_flags_change_what_is_restored():
    method, views = made(), doubled(batch())
    values = []
    for name in ("transform_one", "transform_two", "neither"):
        torch.manual_seed(0)
        other = {name: 1 - views[name]} if name in views else {}
        values.append(method({**views, **other})["restoration"].item())
    assert len(set(values)) == 3


def test_partners_are_neighbours():
    found = mixed(torch.tensor([1.0, 2.0, 10.0, 20.0])[:, None], torch.tensor(0.75))
    assert found[:, 0].tolist() == [1.25, 1.75, 12.5, 17.5]


def test_a_half_batch_is_mixed_as_in_the_whole():
    x = torch.rand(8, 1, 4, 4)
    halves = torch.cat([mixed(each, torch.tensor(0.6)) for each in x.chunk(2)])
    assert torch.equal(mixed(x, torch.tensor(0.6)), halves)


def test_key_network_has_no_gradient_and_follows():
    method = made(momentum=0.9)
    method(doubled(batch()))["loss"].backward()
    assert all(weight.grad is None for weight in (*method.key_encoder.parameters(), *method.key_head.parameters()))
    assert all(weight.grad is not None for weight in method.parameters() if weight.requires_grad)
    weight, key = method.head.layers[0].weight, method.key_head.layers[0].weight
    with torch.no_grad():
        weight.add_(1)
    before = key.clone()
    method.after_step(0, 1)
    assert (key - (0.9 * before + 0.1 * weight)).abs().max() < 1e-12


def test_queue_takes_the_keys_of_plain_views():
    method, views = made(), doubled(batch())
    key = unit(method.key_head(method.key_encoder(images(views["two"]).double()))).detach()
    method(views)
    assert (method.contrast.queue.keys[:8].double() - key).abs().max() < 1e-6
    assert method.contrast.queue.place == 8


def test_attention_is_moved_by_restoration_alone():
    method = made()
    found = method(doubled(batch()))
    of_contrast, of_restoration = (gradients(method, found[term]) for term in ("contrast", "restoration"))
    for name in (each for each in of_contrast if each.startswith(("attention", "restorer"))):
        assert of_contrast[name].abs().max() == 0
        assert of_restoration[name].abs().max() > 0 or name.endswith("bias")


def test_shuffled_groups_come_back_in_order():
    # In eval mode nothing depends on groups, so the order of keys is all that could differ.
    views, values = batch(), []
    for group_size in (4, 8):
        method = build("pcrl_v1", group_size=group_size).eval()
        torch.manual_seed(0)
        values.append(method(views)["loss"].item())
    assert values[0] == pytest.approx(values[1], rel=1e-6)


@pytest.mark.parametrize("name", ["clean_one", "clean_two", "transform_one", "transform_two"])
def test_other_views_are_refused(name):
    views = batch()
    del views[name]
    with pytest.raises(UserError, match=rf"{name}.*set views\.preset=pcrl_v1"):
        build("pcrl_v1")(views)


def test_odd_share_is_refused():
    with pytest.raises(UserError, match=r"pairs.*batch_size = 6 over 2.*multiple of 4"):
        build("pcrl_v1", batch_size=6, processes=2, queue=36)
