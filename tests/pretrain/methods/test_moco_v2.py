"""MoCo v2: its loss from the equation, the keys' path, IFA on top, and checkpoints of CheSS."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.loading import load_encoder
from cxrbench.pretrain.method import Shape, images
from cxrbench.pretrain.methods.moco_v2 import MocoV2, MocoV2Settings

from ..method_cases import batch, build
from ..tiny_encoder import tiny_encoder
from .gradients import assert_same_gradients


def built(**settings: Any) -> MocoV2:
    made = build("moco_v2", **settings)
    assert isinstance(made, MocoV2)
    return made


def moved(method: MocoV2) -> MocoV2:
    """With a key network that is not the query network, as in the middle of a training."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for each in (*method.key_encoder.parameters(), *method.key_head.parameters()):
            each.add_(0.3 * torch.randn(each.shape, generator=generator, dtype=each.dtype))
    return method


def parts(method: MocoV2, views: dict[str, Tensor]) -> tuple[Tensor, Tensor, list[Tensor], list[Tensor]]:
    """Queries, keys and both networks' stages, of one group: what the method compares, got without it."""
    features, stages = method.encoder.pooled_and_stages(images(views["one"]))
    key_features, key_stages = method.key_encoder.pooled_and_stages(images(views["two"]))
    return method.head(features), method.key_head(key_features), stages, key_stages


def equation(q: np.ndarray, k: np.ndarray, queue: np.ndarray, temperature: float) -> float:
    q, k = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in (q, k))
    right, wrong = np.exp((q * k).sum(1) / temperature), np.exp(q @ queue.T / temperature)
    return float(-np.log(right / (right + wrong.sum(1))).mean())


def cosines(q: Tensor, p: Tensor) -> Tensor:
    return torch.einsum("bchw,bchw->bhw", q, p) / (q.square().sum(1).sqrt() * p.square().sum(1).sqrt()).clamp_min(1e-30)


def test_loss_is_the_equations():
    method = moved(built(group_size=8).double())
    q, k, *_ = (each.detach().numpy() for each in parts(method, batch())[:2])
    expected = equation(q, k, method.contrast.queue.keys.clone().numpy(), 0.2)
    found = method(batch())
    assert set(found) == {"loss"}
    assert found["loss"].item() == pytest.approx(expected, rel=1e-6)


def test_loss_with_ifa_is_the_equations():
    method = moved(built(group_size=8, ifa="1:0.3:1,3:1:0.5").double())
    q, k, stages, key_stages = parts(method, batch())
    contrast = equation(q.detach().numpy(), k.detach().numpy(), method.contrast.queue.keys.clone().numpy(), 0.2)
    one = (0.3 - cosines(stages[1], key_stages[1])).abs().mean().item()
    three = (1 - cosines(stages[3], key_stages[3])).abs().mean().item()
    found = {name: value.item() for name, value in method(batch()).items()}
    assert found == {
        "loss": pytest.approx(contrast + one + 0.5 * three, rel=1e-6),
        "contrast": pytest.approx(contrast, rel=1e-6),
        "ifa_1": pytest.approx(one, rel=1e-6),
        "ifa_3": pytest.approx(three, rel=1e-6),
    }


def test_gradients_are_those_of_the_equation():
    method = moved(built(group_size=8, ifa="3").double())
    q, k, stages, key_stages = parts(method, batch())
    q, k = F.normalize(q), F.normalize(k.detach())
    logits = torch.cat([(q * k).sum(1, keepdim=True), q @ method.contrast.queue.keys.clone().T], dim=1) / 0.2
    expected = F.cross_entropy(logits, torch.zeros(8, dtype=torch.int64))
    # The maps come from a ReLU: where a position is zero the cosine has no gradient to give.
    expected = expected + (1 - cosines(stages[3], key_stages[3].detach())).abs().mean()
    assert_same_gradients(method, method(batch())["loss"], expected)


def test_keys_get_no_gradient_and_follow_after_the_step():
    method = moved(built(ifa="4").double())
    method(batch())["loss"].backward()
    keys = [*method.key_encoder.parameters(), *method.key_head.parameters()]
    queries = [*method.encoder.parameters(), *method.head.parameters()]
    assert all(each.grad is None and not each.requires_grad for each in keys)
    assert all(each.grad is not None for each in queries)
    expected = [0.999 * k.clone() + 0.001 * q.detach() for k, q in zip(keys, queries, strict=True)]
    method.after_step(0, 10)
    for found, wanted in zip(keys, expected, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-14)


def test_shuffled_keys_come_back_to_their_queries():
    """With batch statistics out of the way (evaluation), a shuffle changes nothing."""
    shuffled, plain = (moved(built(group_size=size, ifa="1,4").double()).eval() for size in (2, 8))
    a, b = shuffled(batch()), plain(batch())
    for name in b:
        assert a[name].item() == pytest.approx(b[name].item(), rel=1e-6)


def test_keys_are_normalised_in_the_shuffled_groups():
    method = moved(built(group_size=4).double())
    views, drawn = batch(), []
    draw = method.shuffle.draw

    def noting(*given: Any) -> Any:
        drawn.append(draw(*given))
        return drawn[-1]

    method.shuffle.draw = noting  # type: ignore[method-assign]
    method(views)
    rows = drawn[0].forth
    assert sorted(rows.tolist()) == list(range(8))
    expected = torch.empty(8, 8, dtype=torch.float64)
    for half in rows.split(4):
        expected[half] = F.normalize(method.key_head(method.key_encoder(images(views["two"][half]))))
    torch.testing.assert_close(method.contrast.queue.keys[:8], expected, rtol=1e-5, atol=1e-6)


def test_a_resumed_training_goes_on_with_queue_and_shuffle():
    one = built()
    one(batch())
    two = built(seed=1)
    two.load_state_dict(one.state_dict())
    assert one(batch(seed=1))["loss"].item() == two(batch(seed=1))["loss"].item()
    assert torch.equal(one.contrast.queue.keys, two.contrast.queue.keys)
    assert int(two.contrast.queue.place) == 16


def test_watched_is_what_is_compared():
    method = built()
    assert method.watched is None
    method(batch())
    assert method.watched is not None
    assert method.watched.shape == (8, 8)
    assert not method.watched.requires_grad


def test_processes_normalise_apart():
    assert MocoV2.own_batch_norm


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"queue": 30}, r"queue = 30 is not divisible by training.batch_size = 8: set method.queue=32"),
        ({"batch_size": 1}, "needs at least 2 images"),
        ({"group_size": 3}, r"group_size = 3 does not divide .* set method.group_size=2"),
        ({"ifa": "5"}, "there is no block 5"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings: dict[str, Any], message: str):
    with pytest.raises(UserError, match=message):
        built(**settings)


def published(dim: int, width: int, size: int, *, mlp: bool = True) -> dict[str, Tensor]:
    """The tensors of a checkpoint of MoCo's code, CheSS' among them: one channel, wrapped for several GPUs."""
    made: dict[str, Tensor] = {}
    for seed, network in ((1, "encoder_q"), (2, "encoder_k")):
        body = load_encoder("resnet18_scratch", seed=seed).network.library().state_dict()
        made |= {f"module.{network}.{name}": tensor for name, tensor in body.items()}
        layers = {"fc.0": (width, width), "fc.2": (dim, width)} if mlp else {"fc": (dim, width)}
        for layer, shape in layers.items():
            made[f"module.{network}.{layer}.weight"] = torch.randn(shape)
            made[f"module.{network}.{layer}.bias"] = torch.randn(shape[0])
    return {**made, "module.queue": F.normalize(torch.randn(dim, size), dim=0), "module.queue_ptr": torch.tensor([6])}


def test_head_key_network_and_queue_are_taken_from_moco_checkpoints():
    tensors = published(128, 512, 12)
    found = MocoV2.state_from(tensors)
    method = MocoV2(
        load_encoder("resnet18_scratch", seed=0).fresh(0), MocoV2Settings(queue=12), Shape(batch_size=2, image_size=32)
    )
    own = method.state_dict()
    assert all(own[name].shape == tensor.shape for name, tensor in found.items())
    left = {name.split(".")[0] for name in own if name not in found}
    assert left == {"encoder", "shuffle"}
    method.load_state_dict({**own, **found})
    assert torch.equal(method.head.layers[2].bias, tensors["module.encoder_q.fc.2.bias"])  # type: ignore[index]
    assert torch.equal(method.key_head.layers[0].weight, tensors["module.encoder_k.fc.0.weight"])  # type: ignore[index]
    theirs = method.key_encoder.network.library().state_dict()
    assert all(torch.equal(value, tensors[f"module.encoder_k.{name}"]) for name, value in theirs.items())
    # The pointer stands at the oldest key, which the next batch replaces.
    assert int(method.contrast.queue.place) == 6
    assert torch.equal(method.contrast.queue.keys[6], tensors["module.queue"][:, 6])


def test_a_single_layer_head_and_lightnings_names_are_known():
    tensors = {name.replace("module.", "model."): value for name, value in published(16, 512, 4, mlp=False).items()}
    found = MocoV2.state_from(tensors)
    assert torch.equal(found["head.layers.0.weight"], tensors["model.encoder_q.fc.weight"])
    assert "key_head.layers.0.bias" in found
    assert MocoV2.state_from({"conv1.weight": torch.zeros(1)}) == {}


def test_the_trained_encoder_is_saved_as_a_plain_one():
    """Normalising in groups is the method's; weights, names and evaluation are those of any encoder."""
    method = built(group_size=2)
    method(batch())
    plain = tiny_encoder(seed=1)
    plain.load_state_dict(method.encoder.state_dict())
    x = images(batch()["one"])
    with torch.no_grad():
        assert torch.equal(plain.eval()(x), method.encoder.eval()(x))
    assert plain.network.parts[0][1].running_mean.abs().max() > 0  # type: ignore[index,union-attr]
