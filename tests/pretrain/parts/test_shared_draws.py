from __future__ import annotations

import torch

from cxrbench.pretrain.parts.shared_draws import shared_uniform


def test_draws_are_torchs_own():
    torch.manual_seed(4)
    found = shared_uniform(3, torch.device("cpu"))
    torch.manual_seed(4)
    assert torch.equal(found, torch.rand(1, 3)[0])
