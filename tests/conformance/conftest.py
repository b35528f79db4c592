"""Everything that is registered, ours and what `--include` brings, as parameters of the tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from cxrbench.data import datasets
from cxrbench.foundation.registry import include
from cxrbench.pretrain import encoders
from cxrbench.tasks.registry import tasks

REGISTRIES = {"dataset_name": datasets, "encoder_name": encoders, "task_name": tasks}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for file in metafunc.config.getoption("--include") or []:
        include(Path(file))
    for argument, registry in REGISTRIES.items():
        if argument in metafunc.fixturenames:
            metafunc.parametrize(argument, registry.names())


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of phantoms for all conformance tests."""
    return tmp_path_factory.mktemp("cache")
