from __future__ import annotations

import torch

from cxrbench.pretrain.watching.feature_tap import FeatureTap

from ..tiny_encoder import tiny_encoder


def test_features_are_caught_whichever_way_the_encoder_is_passed():
    encoder, tap, x = tiny_encoder(), FeatureTap(), torch.rand(4, 1, 32, 32)
    encoder.eval()
    expected = encoder(x).detach()
    blocks = encoder.blocks
    assert blocks is not None
    for passing in (encoder, encoder.pooled_and_stages, lambda x: torch.nn.Sequential(*blocks)(encoder.normalise(x))):
        tap.place(encoder)
        passing(x)
        caught = tap.empty()
        assert caught is not None
        torch.testing.assert_close(caught, expected)
        assert not caught.requires_grad


def test_the_first_pass_counts_and_nothing_is_left_behind():
    encoder, tap = tiny_encoder().eval(), FeatureTap()
    one, two = torch.rand(4, 1, 32, 32), torch.rand(4, 1, 32, 32)
    tap.place(encoder)
    expected = encoder(one)
    encoder(two)
    caught = tap.empty()
    assert caught is not None
    torch.testing.assert_close(caught, expected.detach())
    encoder(two)
    assert tap.empty() is None
    assert not any(module._forward_hooks for module in encoder.modules())
