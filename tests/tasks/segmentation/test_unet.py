"""The U-Net against segmentation_models_pytorch's own, and what the frozen protocol fixes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import segmentation_models_pytorch as smp
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.encoder import Encoder
from cxrbench.pretrain.initialisation import draw_network
from cxrbench.tasks.segmentation.unet import DECODER_CHANNELS, UNet, build_unet

SMALL = (16, 8, 8, 8, 8)


def grey_encoder() -> Encoder:
    network = draw_network(0, arch="resnet18", channels=1, initialisation="kaiming")
    meta = replace(load_encoder("resnet18_scratch").meta, channels=1, mean=(0.5,), std=(0.25,))
    return Encoder(network, meta)


def test_with_equal_weights_it_is_the_library_s_unet() -> None:
    ours = UNet(grey_encoder(), seed=3, frozen=False)
    theirs = smp.Unet("resnet18", encoder_weights=None, in_channels=1)
    theirs.encoder.load_state_dict(ours.encoder.network.library().state_dict(), strict=False)
    theirs.decoder.load_state_dict(ours.decoder.state_dict())
    theirs.segmentation_head.load_state_dict(ours.head.state_dict())
    x = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    for mode in (True, False):
        ours.train(mode)
        theirs.train(mode)
        with torch.no_grad():
            assert torch.equal(ours(x), theirs(ours.encoder.normalise(x)))


def test_decoder_and_head_are_initialised_as_the_library_does() -> None:
    theirs = smp.Unet("resnet18", encoder_weights=None, in_channels=1)
    ours = UNet(grey_encoder(), seed=7, frozen=False)
    of_ours, of_theirs = ours.decoder.state_dict(), theirs.decoder.state_dict()
    assert {name: value.shape for name, value in of_ours.items()} == {n: v.shape for n, v in of_theirs.items()}
    for name, value in of_ours.items():
        if value.ndim == 4:
            # Uniform up to the same limit: sqrt(6 / fan in).
            limit = (6 / value[0].numel()) ** 0.5
            assert value.abs().max() <= limit
            assert float(value.std()) == pytest.approx(float(of_theirs[name].std()), rel=0.1)
    assert ours.head.state_dict()["0.bias"].tolist() == [0]


def test_a_size_that_32_does_not_divide_is_taken() -> None:
    network = UNet(load_encoder("resnet18_scratch").fresh(0), seed=0, frozen=False, decoder_channels=SMALL).eval()
    with torch.no_grad():
        assert network(torch.rand(1, 1, 75, 50)).shape == (1, 1, 75, 50)


def test_equal_seeds_give_equal_networks_and_leave_the_global_generator_alone() -> None:
    encoder = load_encoder("resnet18_scratch")
    before = torch.random.get_rng_state()
    one, same, other = (build_unet(encoder, "finetune", seed, SMALL).state_dict() for seed in (4, 4, 5))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["decoder.blocks.0.conv1.0.weight"], other["decoder.blocks.0.conv1.0.weight"])


def step(network: UNet) -> None:
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    network.train()
    network(torch.rand(2, 1, 32, 32)).sum().backward()
    optimiser.step()


def test_frozen_fixes_weights_and_running_statistics_while_the_decoder_trains() -> None:
    encoder = load_encoder("resnet18_scratch")
    network = build_unet(encoder, "frozen", 0, SMALL)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    step(network)
    assert not network.encoder.training
    assert network.decoder.training
    after = network.state_dict()
    changed = {name.split(".")[0] for name, value in after.items() if not torch.equal(value, before[name])}
    assert changed == {"decoder", "head"}
    # Its maps do not depend on who else is in the batch, as they would with the batch's statistics.
    x = torch.rand(3, 1, 32, 32)
    torch.testing.assert_close(network.encoder.stages(x)[-1][:1], network.encoder.stages(x[:1])[-1])


def test_frozen_takes_the_encoder_as_it_is_and_leaves_the_given_one_alone() -> None:
    encoder = load_encoder("resnet18_scratch")
    network = build_unet(encoder, "frozen", 5, SMALL)
    mine, given = network.encoder.state_dict(), encoder.state_dict()
    assert all(torch.equal(mine[name], given[name]) for name in given)
    assert all(each.requires_grad for each in encoder.parameters())


def test_finetune_trains_all_weights() -> None:
    network = build_unet(load_encoder("resnet18_scratch"), "finetune", 0, DECODER_CHANNELS)
    network(torch.rand(2, 1, 32, 32)).square().mean().backward()
    without = [name for name, each in network.named_parameters() if each.grad is None]
    assert without == []


def test_an_encoder_without_stages_is_refused_in_words() -> None:
    encoder = load_encoder("resnet18_scratch")
    encoder.meta = replace(encoder.meta, stage_channels=())
    for protocol in ("frozen", "finetune"):
        with pytest.raises(UserError, match="has no feature maps at strides 2, 4, 8, 16 and 32"):
            build_unet(encoder, protocol, 0, SMALL)
