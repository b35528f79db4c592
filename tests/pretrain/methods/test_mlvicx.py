from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.encoder import Encoder
from cxrbench.pretrain.method import Shape, images
from cxrbench.pretrain.methods.mlvicx import MLVICX, MLVICXSettings

from ..method_cases import batch, build
from ..tiny_encoder import TinyNetwork, tiny_encoder
from .gradients import assert_same_gradients, gradients
from .vicreg_equations import differentiable, vicreg_loss

STAGES = range(5)


def built(**settings: Any) -> MLVICX:
    made = build("mlvicx", **settings)
    assert isinstance(made, MLVICX)
    return made


def embeddings(method: MLVICX, view: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Global and local embedding of a view, written out stage by stage in the published order."""
    network = method.encoder.network
    assert isinstance(network, TinyNetwork)
    y = method.encoder.normalise(images(batch()[view]))
    local = torch.zeros(())
    for stage in STAGES:
        y = method.bottlenecks[str(stage)](network.parts[stage](y))
        resized = nn.functional.interpolate(y, size=64, mode="bilinear", align_corners=False)
        local = local + method.levels.convolutions[stage](resized)
    pooled = nn.functional.avg_pool2d(local, 16).flatten(1)
    return method.global_expander(y.mean((2, 3))), method.local_expander(pooled)


@pytest.fixture
def both():
    method = built().double()
    return method, [embeddings(method, view) for view in ("one", "two")]


def test_loss_is_the_papers(both):
    method, ((g1, l1), (g2, l2)) = both
    g1, l1, g2, l2 = (each.detach().numpy() for each in (g1, l1, g2, l2))
    found = method(batch())
    assert found["global_loss"].item() == pytest.approx(vicreg_loss(g1, g2), rel=1e-6)
    assert found["local_loss"].item() == pytest.approx(vicreg_loss(l1, l2), rel=1e-6)
    assert found["loss"].item() == pytest.approx(vicreg_loss(g1, g2) + vicreg_loss(l1, l2), rel=1e-6)


def test_gradients_are_those_of_the_equations(both):
    method, ((g1, l1), (g2, l2)) = both
    expected = differentiable(g1, g2) + differentiable(l1, l2)
    assert_same_gradients(method, method(batch())["loss"], expected)


def test_every_parameter_is_trained(both):
    method, _ = both
    # A constant shift of embeddings changes nothing that VICReg's loss sees.
    shifts = {"global_expander.layers.6.bias", "local_expander.layers.6.bias"}
    for name, each in gradients(method, method(batch())["loss"]).items():
        assert name in shifts or float(each.abs().max()) > 0, name


@pytest.mark.parametrize(("inv", "var"), [("sum", "sum"), ("mean", "mean")])
def test_other_readings_of_the_terms(inv, var):
    method = built(inv=inv, var=var, alpha=2.0, beta=3.0, gamma=4.0).double()
    (g1, l1), (g2, l2) = ([each.detach().numpy() for each in embeddings(method, view)] for view in ("one", "two"))
    expected = vicreg_loss(g1, g2, (2, 3, 4), inv=inv, var=var) + vicreg_loss(l1, l2, (2, 3, 4), inv=inv, var=var)
    assert method(batch())["loss"].item() == pytest.approx(expected, rel=1e-6)


def test_weights_of_the_two_losses():
    found = built(global_loss=0.5, local_loss=2.0)(batch())
    total = 0.5 * found["global_loss"] + 2 * found["local_loss"]
    assert found["loss"].item() == pytest.approx(total.item(), rel=1e-6)


@pytest.mark.parametrize(("off", "gone"), [("global", "global_expander"), ("local", "local_expander")])
def test_a_loss_that_is_off_leaves_its_network_out(off, gone):
    method = built(**{f"{off}_loss": False})
    on = "local" if off == "global" else "global"
    found = method(batch())
    assert found["loss"].item() == found[f"{on}_loss"].item()
    assert f"{off}_loss" not in found
    assert not any(name.startswith(gone) for name, _ in method.named_parameters())
    assert method.watched is not None
    assert method.watched.shape == (8, 16)
    # What is left is reached by the loss, so that several processes agree on who has a gradient.
    found["loss"].backward()
    assert all(each.grad is not None for each in method.parameters())


def test_without_local_loss_and_bottlenecks_it_is_vicreg_of_the_encoder():
    method = built(local_loss=0, bottlenecks=()).double()
    pooled = [method.global_expander(method.encoder(images(batch()[view]))) for view in ("one", "two")]
    expected = vicreg_loss(*(each.detach().numpy() for each in pooled))
    assert method(batch())["loss"].item() == pytest.approx(expected, rel=1e-6)


def test_bottlenecks_feed_the_next_stage():
    method = built(bottlenecks=(0,), local_loss=0)
    before = method(batch())["loss"].item()
    with torch.no_grad():
        dict(method.bottlenecks.named_parameters())["0.positions.weight"].add_(1.0)
    assert method(batch())["loss"].item() != before


def test_concatenated_levels_make_a_wider_embedding():
    method = built(aggregation="concatenation", bottlenecks=(2, 3, 4), width=7)
    assert method.levels.dim == 3 * 7 * 16
    assert torch.isfinite(method(batch())["loss"])


def test_final_normalisation_is_optional():
    for final, norms in ((False, 2), (True, 3)):
        method = built(final_norm=final)
        assert sum(isinstance(each, nn.BatchNorm1d) for each in method.global_expander.modules()) == norms


def test_loss_is_in_float32_where_networks_run_in_bf16():
    method = built()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert method(batch())["loss"].dtype == torch.float32


def test_both_losses_off_is_refused():
    with pytest.raises(UserError, match=r"global_loss and method\.local_loss are both 0"):
        built(global_loss=False, local_loss=False)


@pytest.mark.parametrize("stages", [(0, 5), (-1,), (2, 2)])
def test_stages_that_are_not_there_are_refused(stages):
    with pytest.raises(UserError, match=r"method\.bottlenecks = .*from 0 \(stem\) to 4"):
        built(bottlenecks=stages)


def test_a_last_stage_without_loss_is_refused():
    with pytest.raises(UserError, match="no loss reaches the last stage"):
        built(bottlenecks=(0, 1), global_loss=0)


def test_local_loss_without_bottlenecks_is_refused():
    with pytest.raises(UserError, match="there is no multi-level embedding"):
        built(bottlenecks=())


def test_encoder_that_does_not_come_apart_is_refused():
    class Whole(TinyNetwork):
        blocks = None  # type: ignore[assignment]

    encoder = Encoder(Whole(), tiny_encoder().meta)
    with pytest.raises(UserError, match="does not come apart into stages; take a ResNet"):
        MLVICX(encoder, MLVICXSettings(), Shape(8, 32))


def test_batch_of_one_is_refused():
    with pytest.raises(UserError, match="mlvicx normalises"):
        built(batch_size=1)
