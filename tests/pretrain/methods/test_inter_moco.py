"""Inter_MoCo: InfoNCE and the intermediate terms, as Kaku's released code computes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cxrbench.pretrain.method import images
from cxrbench.pretrain.methods.inter_moco import InterMoco

from ..method_cases import batch, build
from .gradients import assert_same_gradients


def built(**settings: Any) -> InterMoco:
    """In one group, and with a key network that is not the query network."""
    made = build("inter_moco", **{"group_size": 8, **settings})
    assert isinstance(made, InterMoco)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for each in (*made.key_encoder.parameters(), *made.key_head.parameters()):
            each.add_(0.3 * torch.randn(each.shape, generator=generator, dtype=each.dtype))
    return made.double()


def parts(method: InterMoco) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
    views = batch()
    features, stages = method.encoder.pooled_and_stages(images(views["one"]))
    key_features, key_stages = method.key_encoder.pooled_and_stages(images(views["two"]))
    return method.head(features), method.key_head(key_features), stages, [each.detach() for each in key_stages]


def contrast(method: InterMoco, q: Tensor, k: Tensor) -> Tensor:
    q, k = F.normalize(q), F.normalize(k.detach())
    logits = torch.cat([(q * k).sum(1, keepdim=True), q @ method.contrast.queue.keys.clone().T], dim=1) / 0.07
    return F.cross_entropy(logits, torch.zeros(8, dtype=torch.int64))


def pooled(maps: np.ndarray, side: int) -> np.ndarray:
    """Adaptive average pooling, cell by cell: of the rows from floor(i n / side) to ceil((i + 1) n / side)."""
    height, width = maps.shape[2:]
    rows, columns = ([(i * n // side, -(-(i + 1) * n // side)) for i in range(side)] for n in (height, width))
    cells = [[maps[:, :, a:b, c:d].mean((2, 3)) for c, d in columns] for a, b in rows]
    return np.array(cells).transpose(2, 3, 0, 1)


def test_squared_distances_are_those_of_pooled_maps():
    method = built(mse=(0.25, 0.5, 0.75, 1.0))
    q, k, stages, key_stages = parts(method)
    distances = {
        block: float(
            np.square(pooled(stages[block].detach().numpy(), side) - pooled(key_stages[block].numpy(), side)).mean()
        )
        for block, side in ((1, 16), (2, 16), (3, 4), (4, 4))
    }
    expected = contrast(method, q, k).item()
    found = {name: value.item() for name, value in method(batch()).items()}
    assert found["contrast"] == pytest.approx(expected, rel=1e-6)
    for block, distance in distances.items():
        assert found[f"mse_{block}"] == pytest.approx(distance, rel=1e-6)
    total = expected + sum(0.25 * block * distance for block, distance in distances.items())
    assert found["loss"] == pytest.approx(total, rel=1e-6)


def test_gradients_with_squared_distances_are_those_of_the_equation():
    method = built()
    q, k, stages, key_stages = parts(method)
    expected = contrast(method, q, k)
    for block, side in ((1, 16), (2, 16), (3, 4), (4, 4)):
        a, b = (F.adaptive_avg_pool2d(each[block], side) for each in (stages, key_stages))
        expected = expected + 0.25 * (a - b).square().sum() / a.numel()
    assert_same_gradients(method, method(batch())["loss"], expected)


def correlated(method: InterMoco, block: int, query: Tensor, key: Tensor) -> Tensor:
    """The released code's term: standardised projections, both squares summed alike, a 32nd of it."""
    project = method.projections[str(block)]
    a, b = (project(each.mean((2, 3))) for each in (query, key))
    a, b = ((each - each.mean(0)) / torch.sqrt(each.var(0, correction=0) + 1e-5) for each in (a, b))
    away = torch.einsum("bi,bj->ij", a, b) / len(a) - torch.eye(a.shape[1], dtype=a.dtype)
    return away.square().sum() / 32


def test_cross_correlation_terms_and_gradients_are_those_of_the_released_code():
    weights = (0.5, 1.0, 0.25, 2.0)
    method = built(intermediate="barlow_twins", barlow_twins=weights)
    q, k, stages, key_stages = parts(method)
    terms = {block: correlated(method, block, stages[block], key_stages[block]) for block in (1, 2, 3, 4)}
    first = contrast(method, q, k)
    expected = first + sum(weight * term for weight, term in zip(weights, terms.values(), strict=True))
    found = method(batch())
    assert found["contrast"].item() == pytest.approx(first.item(), rel=1e-6)
    for block, term in terms.items():
        assert found[f"barlow_twins_{block}"].item() == pytest.approx(term.item(), rel=1e-5)
    assert found["loss"].item() == pytest.approx(expected.item(), rel=1e-6)
    assert_same_gradients(method, found["loss"], expected, 1e-5)


def test_keys_get_no_gradient():
    for intermediate in ("mse", "barlow_twins"):
        method = built(intermediate=intermediate)
        method(batch())["loss"].backward()
        keys = [*method.key_encoder.parameters(), *method.key_head.parameters()]
        assert all(each.grad is None for each in keys)
        assert all(each.grad is not None for each in method.encoder.parameters())


def test_a_weight_of_0_leaves_a_block_out():
    found = built(mse=(0.0, 0.0, 0.25, 0.0))(batch())
    assert set(found) == {"loss", "contrast", "mse_3"}
    assert set(built(intermediate="barlow_twins", barlow_twins=(0.0, 1.0, 0.0, 0.0)).projections) == {"2"}


def test_shuffled_maps_come_back_to_their_queries():
    shuffled, whole = (built(group_size=size).eval()(batch()) for size in (2, 8))
    for name, value in whole.items():
        assert shuffled[name].item() == pytest.approx(value.item(), rel=1e-6)


def test_head_is_one_layer_or_two():
    one, two = (
        [tuple(each.weight.shape) for each in built(head=head).head.modules() if isinstance(each, torch.nn.Linear)]
        for head in ("linear", "mlp")
    )
    assert one == [(8, 16)]
    assert two == [(16, 16), (8, 16)]


def test_projections_are_normalised_in_groups_too():
    method = built(intermediate="barlow_twins", group_size=4)
    norms = [each for each in method.projections.modules() if isinstance(each, torch.nn.BatchNorm1d)]
    assert {each.group_size for each in norms} == {4}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("block", "side"), [(1, 16), (2, 16), (3, 4), (4, 4)])
def test_large_maps_are_pooled_to_the_released_grids(block: int, side: int):
    maps = torch.rand(2, 3, 24, 40, dtype=torch.float64)
    found = built()._pool(block, maps)
    assert found.shape == (2, 3, side, side)
    np.testing.assert_allclose(found.numpy(), pooled(maps.numpy(), side), rtol=1e-12)
    features = built(intermediate="barlow_twins")._pool(block, maps)
    np.testing.assert_allclose(features.numpy()[:, :, 0, 0], maps.numpy().mean((2, 3)), rtol=1e-12)
