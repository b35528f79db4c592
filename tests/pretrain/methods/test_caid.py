from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.method import images

from ..method_cases import batch, build
from .gradients import assert_same_gradients, gradients


def parts(method):
    """Query and key [B, dim] and the restored view [B, 1, S, S]; all one group, so keys are not shuffled."""
    views = batch()
    features, maps = method.encoder.pooled_and_stages(images(views["one"]))
    key = method.key_head(method.key_encoder(images(views["two"])))
    return method.head(features), key.detach(), torch.sigmoid(method.restorer(maps, (32, 32)))


def made(**settings: Any) -> Any:
    method = build("caid", **{"group_size": 8, **settings}).double()
    # The contrast works in float32 whatever it is given.
    method.contrast.float()
    return method


def unit(x):
    return x / x.square().sum(1, keepdim=True).sqrt()


def test_loss_is_info_nce_and_ten_times_the_mean_square():
    method = made()
    queue = method.contrast.queue.keys.double().numpy()
    q, k, restored = (each.detach().numpy() for each in parts(method))
    q, k = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (q, k))
    logits = np.concatenate([(q * k).sum(1, keepdims=True), q @ queue.T], axis=1) / 0.2
    contrast = (np.log(np.exp(logits).sum(1)) - logits[:, 0]).mean()
    clean = batch()["clean_one"].numpy()[:, None] / 255
    square = ((restored - clean) ** 2).mean()
    found = method(batch())
    assert found["contrast"].item() == pytest.approx(contrast, rel=1e-6)
    assert found["restoration"].item() == pytest.approx(square, rel=1e-6)
    assert found["loss"].item() == pytest.approx(contrast + 10 * square, rel=1e-6)


def test_gradients_are_those_of_the_equation():
    method = made()
    queue = method.contrast.queue.keys.double()
    q, k, restored = parts(method)
    logits = torch.cat([(unit(q) * unit(k)).sum(1, keepdim=True), unit(q) @ queue.T], 1) / 0.2
    contrast = torch.nn.functional.cross_entropy(logits, torch.zeros(8, dtype=torch.int64))
    clean = batch()["clean_one"].unsqueeze(1).double() / 255
    assert_same_gradients(method, method(batch())["loss"], contrast + 10 * (restored - clean).square().mean())


def test_contrast_moves_no_decoder_and_restoration_no_head():
    method = made()
    found = method(batch())
    of_contrast, of_restoration = (gradients(method, found[term]) for term in ("contrast", "restoration"))
    assert all(each.abs().max() == 0 for name, each in of_contrast.items() if name.startswith("restorer."))
    assert all(each.abs().max() == 0 for name, each in of_restoration.items() if name.startswith("head."))
    for each in (of_contrast, of_restoration):
        assert each["encoder.network.parts.0.0.weight"].abs().max() > 0


def test_key_network_has_no_gradient_and_follows_with_momentum():
    method = made(momentum=0.9)
    method(batch())["loss"].backward()
    name, key = next(iter(method.key_encoder.named_parameters()))
    ours = dict(method.encoder.named_parameters())[name]
    assert key.grad is None
    assert ours.grad is not None
    before = key.clone()
    with torch.no_grad():
        ours.add_(1)
    method.after_step(0, 10)
    assert (key - (0.9 * before + 0.1 * ours)).abs().max() < 1e-12


def test_keys_are_queued_only_in_training():
    method = made()
    _, key, _ = parts(method)
    method(batch())
    assert (method.contrast.queue.keys[:8].double() - unit(key)).abs().max() < 1e-6
    assert method.contrast.queue.place == 8
    method.eval()(batch())
    assert method.contrast.queue.place == 8


def test_batch_normalisation_of_the_decoder_takes_groups():
    method = made(group_size=4)
    torch.manual_seed(0)
    maps = [torch.rand(8, c, s, s).double() for c, s in zip((4, 8, 8, 16, 16), (16, 8, 4, 2, 1), strict=True)]
    whole = method.restorer(maps, (32, 32))
    halves = torch.cat([method.restorer([each[half] for each in maps], (32, 32)) for half in (slice(4), slice(4, 8))])
    assert (whole - halves).abs().max() < 1e-12


def test_other_views_are_refused():
    views = batch()
    del views["clean_one"]
    with pytest.raises(UserError, match=r"clean_one.*set views\.preset=caid"):
        made()(views)


def test_queue_must_fit_the_batch():
    with pytest.raises(UserError, match="queue"):
        build("caid", queue=30)
