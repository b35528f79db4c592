"""Every registered encoder keeps its contract; those whose weights lie elsewhere ask for them by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxrbench.foundation.errors import UserError
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.conformance import check_encoder


def test_encoder_keeps_its_contract_or_asks_for_its_file(encoder_name: str, tmp_path: Path) -> None:
    try:
        encoder = load_encoder(encoder_name, weights=tmp_path)
    except UserError as error:
        # Nothing is fetched: what cannot be loaded names its file.
        assert encoder_name in str(error)
        assert any(ending in str(error) for ending in (".pth", ".tar", ".safetensors", ".pt"))
        pytest.skip(f"the weights of {encoder_name} are not on this machine")
    assert encoder.meta.name == encoder_name
    check_encoder(encoder)
