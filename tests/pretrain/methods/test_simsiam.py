from __future__ import annotations

import numpy as np
import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.method import images
from cxrbench.pretrain.methods.simsiam import SimSiam

from ..method_cases import batch, build
from .gradients import assert_same_gradients, gradients


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(1) / np.sqrt((a**2).sum(1) * (b**2).sum(1))


def embeddings(method):
    """Projections and predictions of both views."""
    views = batch()
    z = [method.projection(method.encoder(images(views[name]))) for name in ("one", "two")]
    return z, [method.prediction(each) for each in z]


def unit(x):
    return x / x.square().sum(1, keepdim=True).sqrt()


@pytest.mark.parametrize("stop", [True, False])
def test_loss_is_the_papers(stop):
    method = build("simsiam", stop_gradient=stop).double()
    (z1, z2), (p1, p2) = [[each.detach().numpy() for each in pair] for pair in embeddings(method)]
    expected = -(cosine(p1, z2).mean() + cosine(p2, z1).mean()) / 2
    assert method(batch())["loss"].item() == pytest.approx(expected, rel=1e-6)


def test_gradients_treat_targets_as_constants():
    method = build("simsiam").double()
    (z1, z2), (p1, p2) = embeddings(method)
    t1, t2 = torch.tensor(z1.tolist()).double(), torch.tensor(z2.tolist()).double()
    expected = -((unit(p1) * unit(t2)).sum(1).mean() + (unit(p2) * unit(t1)).sum(1).mean()) / 2
    assert_same_gradients(method, method(batch())["loss"], expected)


def test_gradients_reach_targets_where_they_are_not_stopped():
    method = build("simsiam", stop_gradient=False).double()
    (z1, z2), (p1, p2) = embeddings(method)
    expected = -((unit(p1) * unit(z2)).sum(1).mean() + (unit(p2) * unit(z1)).sum(1).mean()) / 2
    loss = method(batch())["loss"]
    assert_same_gradients(method, loss, expected)
    stopped = build("simsiam").double()
    first = "encoder.network.parts.0.0.weight"
    assert not torch.allclose(gradients(stopped, stopped(batch())["loss"])[first], gradients(method, loss)[first])


def test_layers_are_the_papers():
    method = build("simsiam", projection=12, prediction=5)
    shapes = [tuple(each.weight.shape) for each in method.modules() if isinstance(each, torch.nn.Linear)]
    assert shapes == [(12, 16), (12, 12), (12, 12), (5, 12), (12, 5)]
    assert isinstance(method, SimSiam)
    norms = [each for each in method.projection.modules() if isinstance(each, torch.nn.BatchNorm1d)]
    assert len(norms) == 3
    assert not norms[-1].affine


def test_watches_projections():
    method = build("simsiam")
    method(batch())
    assert method.watched is not None
    assert method.watched.shape == (8, 16)
    assert not method.watched.requires_grad


def test_batch_of_one_is_refused():
    with pytest.raises(UserError, match=r"simsiam normalises .*batch_size is 1"):
        build("simsiam", batch_size=1)
