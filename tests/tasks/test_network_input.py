from __future__ import annotations

import numpy as np
import pytest
import torch

from cxrbench.tasks.network_input import as_input, asking


def test_pixels_become_numbers_from_0_to_1_channels_last() -> None:
    pixels = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 15
    x = as_input(pixels)
    assert (tuple(x.shape), x.dtype) == ((2, 1, 3, 3), torch.float32)
    assert torch.equal(x[:, 0], torch.from_numpy(pixels.astype(np.float32) / np.float32(255)))
    # Of one channel both layouts hold the same bytes: the stride of the channels says which it is.
    assert x.stride() == (9, 1, 3, 1)
    assert pixels.max() == 255


@pytest.mark.parametrize("training", [True, False])
def test_a_network_is_asked_in_eval_mode_and_its_mode_is_put_back_on_errors_too(training: bool) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout()).train(training)
    with asking(network, "cpu", "bf16"):
        found = network(torch.ones(1, 2))
        assert (network.training, found.requires_grad, found.dtype) == (False, False, torch.bfloat16)
    assert (network.training, network[1].training) == (training, training)
    with pytest.raises(ZeroDivisionError), asking(network, "cpu", "float32"):
        raise ZeroDivisionError
    assert (network.training, torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == (training, True, False)
