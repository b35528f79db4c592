"""The encoder: normalisation, stages, blocks, fresh copies and hashes."""

from __future__ import annotations

import pickle

import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.encoder import Encoder, EncoderMeta, hash_of_tensors
from cxrbench.pretrain.network import Network


class _Recorder(Network):
    """Returns what it is given, averaged over positions."""

    def __init__(self, channels: int):
        super().__init__()
        self.dim = channels
        self.scale = torch.nn.Parameter(torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean((2, 3)) * self.scale


def _encoder(mean: tuple[float, ...], std: tuple[float, ...]) -> Encoder:
    network = _Recorder(len(mean))
    meta = EncoderMeta(
        name="recorder",
        arch="recorder",
        channels=len(mean),
        mean=mean,
        std=std,
        input_size=8,
        dim=len(mean),
        stage_channels=(),
        weights="ones",
        sha256=hash_of_tensors(network.state_dict()),
        seed=None,
        trained_on="nothing",
        licence="none",
    )
    return Encoder(network, meta).eval()


def test_grey_values_are_normalised_as_chess_was_trained():
    # x = (uint8 / 255 - 0.658) / 0.221: pixel 200 gives 0.5714...
    encoder = _encoder((0.658,), (0.221,))
    features = encoder(torch.full((1, 1, 8, 8), 200 / 255))
    assert float(features.detach()) == pytest.approx((0.7843137 - 0.658) / 0.221, abs=1e-5)


def test_one_grey_channel_is_repeated_with_its_own_mean_for_each():
    features = _encoder((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))(torch.full((2, 1, 8, 8), 0.5))
    expected = torch.tensor([0.015 / 0.229, 0.044 / 0.224, 0.094 / 0.225]).expand(2, 3)
    torch.testing.assert_close(features, expected)


@pytest.mark.parametrize(
    "images",
    [torch.zeros(1, 3, 8, 8), torch.zeros(8, 8), torch.zeros(1, 1, 8, 8, dtype=torch.uint8)],
    ids=["three channels", "no batch", "bytes"],
)
def test_other_images_are_refused(images: torch.Tensor):
    with pytest.raises(ValueError, match=r"floats \[B, 1, H, W\] in \[0, 1\]"):
        _encoder((0.5,), (0.5,))(images)


def test_normalisation_is_no_part_of_the_weights():
    assert list(_encoder((0.5,), (0.5,)).state_dict()) == ["network.scale"]


def test_stages_of_a_backbone_without_them_are_a_clear_error():
    encoder = _encoder((0.5,), (0.5,))
    assert not encoder.has_stages
    assert encoder.blocks is None
    with pytest.raises(UserError, match=r"encoder recorder \(recorder\) has no feature maps at strides"):
        encoder.stages(torch.zeros(1, 1, 8, 8))


def test_fresh_copies_can_be_trained_apart():
    encoder = _encoder((0.5,), (0.5,))
    encoder.requires_grad_(False)
    copy = encoder.fresh(3)
    assert copy.training
    assert not encoder.training
    optimiser = torch.optim.SGD(copy.parameters(), lr=1.0)
    copy(torch.ones(1, 1, 8, 8)).sum().backward()
    optimiser.step()
    assert float(copy.network.state_dict()["scale"]) == 0.0
    assert float(encoder.network.state_dict()["scale"]) == 1.0


def test_gradients_are_not_copied():
    encoder = _encoder((0.5,), (0.5,))
    encoder(torch.ones(1, 1, 8, 8)).sum().backward()
    assert all(weight.grad is None for weight in encoder.fresh(0).parameters())


def test_encoders_can_be_sent_to_other_processes():
    encoder = _encoder((0.5,), (0.5,))
    again = pickle.loads(pickle.dumps(encoder))
    assert again.meta == encoder.meta


def test_hash_depends_on_names_shapes_types_and_values_and_not_on_order():
    base = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([3.0])}
    assert hash_of_tensors(base) == hash_of_tensors(dict(reversed(base.items())))
    others = [
        {"a": base["a"], "c": base["b"]},
        {"a": base["a"][None], "b": base["b"]},
        {"a": base["a"].double(), "b": base["b"]},
        {"a": torch.tensor([1.0, 2.5]), "b": base["b"]},
    ]
    assert len({hash_of_tensors(each) for each in [base, *others]}) == 5


def test_hash_does_not_depend_on_memory_layout():
    weight = torch.rand(4, 3, 2, 2)
    assert hash_of_tensors({"a": weight}) == hash_of_tensors({"a": weight.to(memory_format=torch.channels_last)})


def test_hash_reads_bfloat16_and_leaves_batch_counters_out():
    weights = {"bn.weight": torch.ones(2, dtype=torch.bfloat16)}
    assert hash_of_tensors(weights) == hash_of_tensors({**weights, "bn.num_batches_tracked": torch.tensor(7)})
