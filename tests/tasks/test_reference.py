"""Rows without an encoder are named, told apart, and run beside the encoders asked for."""

from __future__ import annotations

import pytest
import torch

from cxrbench.pretrain import load_encoder
from cxrbench.tasks.reference import is_reference, reference


def test_a_reference_has_a_name_and_no_stages() -> None:
    row = reference("mse_alone", "no encoder: the error of pixels alone")
    assert is_reference(row)
    assert (row.meta.name, row.meta.stage_channels, row.has_stages) == ("mse_alone", (), False)
    assert not is_reference(load_encoder("resnet18_scratch"))


def test_what_tells_two_apart_is_in_their_hash() -> None:
    hashes = {reference("lpips", "LPIPS", identity).meta.sha256 for identity in (None, "a", "b", "a")}
    assert len(hashes) == 3
    assert reference("lpips", "LPIPS", "a").meta.sha256 != reference("mse_alone", "", "a").meta.sha256


def test_asking_it_for_features_is_a_mistake() -> None:
    with pytest.raises(RuntimeError, match="has no network"):
        reference("mse_alone", "")(torch.zeros(1, 1, 8, 8))
