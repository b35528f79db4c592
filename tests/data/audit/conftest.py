"""Phantoms that are drawn once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.planted_leaks import drawn


@pytest.fixture(scope="package")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """180 phantoms of 112 pixels, uint8 [N, S, S]; those of one patient share an anatomy."""
    folder: Path = tmp_path_factory.mktemp("drawn")
    return np.asarray(drawn(folder, 180, 112))
