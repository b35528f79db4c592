from __future__ import annotations

import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.method import images

from ..method_cases import batch, build
from .gradients import assert_same_gradients
from .vicreg_equations import differentiable, vicreg_loss


def embeddings(method):
    views = batch()
    return [method.expander(method.encoder(images(views[name]))) for name in ("one", "two")]


@pytest.mark.parametrize("inv", ["mean", "sum"])
@pytest.mark.parametrize("var", ["mean", "sum"])
def test_loss_is_the_papers(inv, var):
    method = build("vicreg", inv=inv, var=var, alpha=3.0, beta=5.0, gamma=7.0).double()
    one, two = (each.detach().numpy() for each in embeddings(method))
    expected = vicreg_loss(one, two, (3, 5, 7), inv=inv, var=var)
    assert method(batch())["loss"].item() == pytest.approx(expected, rel=1e-6)


def test_defaults_are_the_papers():
    method = build("vicreg").double()
    one, two = (each.detach().numpy() for each in embeddings(method))
    assert method(batch())["loss"].item() == pytest.approx(vicreg_loss(one, two), rel=1e-6)


@pytest.mark.parametrize("weights", [(25, 25, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_gradients_are_those_of_the_equations(weights):
    method = build("vicreg", alpha=weights[0], beta=weights[1], gamma=weights[2]).double()
    one, two = embeddings(method)
    expected = differentiable(one, two, weights)
    assert_same_gradients(method, method(batch())["loss"], expected)


def test_terms_add_up():
    found = build("vicreg")(batch())
    total = 25 * found["inv"] + 25 * found["var"] + found["cov"]
    assert found["loss"].item() == pytest.approx(total.item(), rel=1e-6)


def test_loss_is_in_float32_where_networks_run_in_bf16():
    method = build("vicreg")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = method(batch())
        one, two = (each.detach().float().numpy() for each in embeddings(method))
    assert found["loss"].dtype == torch.float32
    assert found["loss"].item() == pytest.approx(vicreg_loss(one, two), rel=1e-5)


def test_layers_are_the_papers():
    method = build("vicreg", projection=12)
    shapes = [tuple(each.weight.shape) for each in method.modules() if isinstance(each, torch.nn.Linear)]
    assert shapes == [(12, 16), (12, 12), (12, 12)]


def test_batch_of_one_is_refused():
    with pytest.raises(UserError, match="vicreg normalises"):
        build("vicreg", batch_size=1)
