from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.method import images
from cxrbench.pretrain.methods.pcrl_v2 import Pyramid, compared

from ..method_cases import batch, build
from .gradients import assert_same_gradients, gradients

SCALES = 5
CROPS = 6


def made(**settings: Any) -> Any:
    return build("pcrl_v2", **settings).double()


def single(**settings: Any) -> Any:
    return build("pcrl_v2", **settings)


def cosine(a, b):
    return (a * b).sum(-1) / (a.square().sum(-1) * b.square().sum(-1)).sqrt()


def seen(method, view):
    """Projections, predictions, the painted images and the last word of a view; local crops come crop by crop."""
    x = images(view)
    levels = method.restorer.decoder(method.encoder.stages(x), x.shape[-2:])
    z = [norm(level.mean((2, 3))) for norm, level in zip(method.projection, levels, strict=True)]
    p = [predict(each) for predict, each in zip(method.prediction, z, strict=True)]
    return z, p, levels


def expected_terms(method, views, weights):
    """The released code's loop over scales and crops, with `weights` [1 + 2 * crops, 5] for its random numbers."""
    clean = (images(views["clean_one"]).double() - 0.5) / 0.25
    one, two = seen(method, views["one"]), seen(method, views["two"])
    small = seen(method, torch.cat(views["local"].unbind(1)))

    def pair(a, b, scale, part=slice(None)):
        z, p, y, q = a[0][scale], a[1][scale], b[0][scale][part], b[1][scale][part]
        return -(cosine(p, y.detach()).mean() + cosine(q, z.detach()).mean()) / 2

    n = len(clean)
    near = [
        weights[1 + view * CROPS + crop][scale] * pair(a, small, scale, slice(crop * n, crop * n + n))
        for view, a in enumerate((one, two))
        for crop in range(CROPS)
        for scale in range(SCALES)
    ]
    painted = [
        weights[0][s] * functional.mse_loss(functional.interpolate(paint(level), (32, 32), mode="bilinear"), clean)
        for s, (paint, level) in enumerate(zip(method.painting, one[2], strict=True))
    ]
    return {
        "restoration": functional.mse_loss(method.restorer.pixels(one[2][-1]), clean),
        "restoration_scale": sum(painted),
        "global": sum(weights[0][scale] * pair(one, two, scale) for scale in range(SCALES)),
        "local": sum(near) / (2 * CROPS),
    }


def drawn_weights(seed):
    torch.manual_seed(seed)
    return np.eye(SCALES)[(torch.rand(1, 1 + 2 * CROPS)[0] * SCALES).long().numpy()]


@pytest.mark.parametrize("scales", ["drawn", "all"])
def test_terms_and_gradients_are_those_of_the_equations(scales):
    method, views = made(scales=scales), batch()
    method.beta.fill_(0.3)
    weights = drawn_weights(5) if scales == "drawn" else np.full((1 + 2 * CROPS, SCALES), 0.2)
    expected = expected_terms(method, views, weights)
    torch.manual_seed(5)
    found = method(views)
    for name, each in expected.items():
        assert found[name].item() == pytest.approx(each.item(), rel=1e-6), name
    total = expected["restoration"] + 0.3 * expected["restoration_scale"] + expected["global"] + expected["local"]
    assert found["loss"].item() == pytest.approx(total.item(), rel=1e-6)
    assert_same_gradients(method, found["loss"], total)


def test_drawn_scales_have_the_mean_of_all_scales_as_expectation():
    method, views = single().eval(), batch()
    whole = single(scales="all").eval()(views)["global"].item()
    torch.manual_seed(0)
    with torch.no_grad():
        drawn = {round(method(views)["global"].item(), 6) for _ in range(30)}
    assert len(drawn) == SCALES
    assert np.mean(list(drawn)) == pytest.approx(whole, abs=1e-5)


def pyramid(n, seed):
    generator = torch.Generator().manual_seed(seed)
    z, p = ([torch.randn(n, 4, dtype=torch.float64, generator=generator).requires_grad_()] for _ in range(2))
    return Pyramid([], z, p)


def test_comparison_by_hand():
    a = Pyramid([], [torch.tensor([[3.0, 4.0]])], [torch.tensor([[1.0, 0.0]])])
    b = Pyramid([], [torch.tensor([[0.0, 2.0], [5.0, 0.0]])], [torch.tensor([[1.0, 1.0], [-1.0, 0.0]])])
    # Crop 0: p.y = 0, q.z = 7 / (5 sqrt 2); crop 1: p.y = 1, q.z = -0.6.
    expected = [[-(0 + 7 / (5 * math.sqrt(2))) / 2, -(1 - 0.6) / 2]]
    assert compared(a, b, crops=2).numpy() == pytest.approx(np.array(expected), abs=1e-6)


def test_comparison_has_gradients_of_predictions_only():
    a, b = pyramid(3, 0), pyramid(3, 1)
    compared(a, b).sum().backward()
    assert a.projections[0].grad is None
    assert b.projections[0].grad is None
    p, y = (each.detach().numpy() for each in (a.predictions[0], b.projections[0]))
    length = np.linalg.norm(p, axis=1, keepdims=True)
    unit_p, unit_y = p / length, y / np.linalg.norm(y, axis=1, keepdims=True)
    gradient = -(unit_y - (unit_p * unit_y).sum(1, keepdims=True) * unit_p) / length / 2 / 3
    assert a.predictions[0].grad is not None
    assert b.predictions[0].grad is not None
    assert np.abs(a.predictions[0].grad.numpy() - gradient).max() < 1e-12


def test_heads_of_scales_that_are_not_drawn_have_zero_gradients():
    method = single()
    torch.manual_seed(5)
    method(batch())["loss"].backward()
    assert all(weight.grad is not None for weight in method.parameters())
    drawn = int(drawn_weights(5)[0].argmax())
    reached = [float(paint[3].weight.grad.abs().max()) > 0 for paint in method.painting]
    assert reached == [scale == drawn for scale in range(SCALES)]


def test_restoration_from_single_scales_fades_along_a_cosine():
    method = single()
    assert method.beta.item() == 1
    found = []
    for step in range(4):
        method.after_step(step, 4)
        found.append(method.beta.item())
    assert found == pytest.approx([(1 + math.cos(math.pi * k / 4)) / 2 for k in (1, 2, 3, 4)], abs=1e-6)
    assert "beta" in method.state_dict()


def test_restoration_moves_no_comparison_and_back():
    method = made()
    found = method(batch())
    of_pixels, of_pairs = gradients(method, found["restoration"]), gradients(method, found["global"] + found["local"])
    assert all(of_pixels[name].abs().max() == 0 for name in of_pixels if name.startswith("prediction"))
    assert all(of_pairs[name].abs().max() == 0 for name in of_pairs if name.startswith(("painting", "restorer.pix")))


def test_views_of_other_sizes():
    views = batch()
    views = {
        name: view[..., :27, :27] if view.ndim == 3 and view.shape[-1] == 32 else view for name, view in views.items()
    }
    views["local"] = views["local"][..., :13, :13]
    assert math.isfinite(single()(views)["loss"].item())


def test_layers_of_the_heads():
    method = single(width=32)
    shapes = [[tuple(each.weight.shape) for each in head if isinstance(each, nn.Linear)] for head in method.prediction]
    assert shapes == [[(2 * width, width), (width, 2 * width)] for width in (32, 16, 8, 4, 4)]


@pytest.mark.parametrize("name", ["clean_one", "local"])
def test_other_views_are_refused(name):
    views = batch()
    del views[name]
    with pytest.raises(UserError, match=rf"{name}.*set views\.preset=pcrl_v2"):
        single()(views)


def test_batch_of_one_is_refused():
    with pytest.raises(UserError, match=r"pcrl_v2.*batch_size"):
        single(batch_size=1)
