from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain.parts.ifa import NEEDS_STAGES
from cxrbench.pretrain.parts.requirements import require_stages, required_view

from ..tiny_encoder import tiny_encoder


def test_encoders_without_stages_are_refused():
    require_stages(tiny_encoder(), NEEDS_STAGES)
    flat: Any = SimpleNamespace(has_stages=False, meta=SimpleNamespace(arch="timm:vit_tiny_patch16_224"))
    with pytest.raises(UserError, match="IFA needs feature maps after blocks 1 to 4, which timm:vit_tiny"):
        require_stages(flat, NEEDS_STAGES)


def test_missing_view_names_the_preset():
    with pytest.raises(UserError, match=r"'clean_one'.*set views\.preset=caid"):
        required_view({"one": torch.zeros(1)}, "clean_one", "caid")
