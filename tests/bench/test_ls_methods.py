"""`cxrbench ls methods`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cxrbench.pretrain.method_card import METHODS, read_card

HEAVY = ("torch", "torchvision", "lightning_fabric", "lightly", "pandas", "cv2", "albumentations")


@pytest.fixture(scope="module")
def listed() -> tuple[str, list[str]]:
    """What is printed, and which heavy modules were imported for it."""
    script = (
        "import json, sys\n"
        "from cxrbench.bench.cli import main\n"
        "sys.argv = ['cxrbench', 'ls', 'methods']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout, json.loads(done.stderr.splitlines()[-1])


def test_every_method_is_listed_with_title_and_source(listed: tuple[str, list[str]]) -> None:
    lines = listed[0].splitlines()
    unwrapped = " ".join(listed[0].split())
    paths: list[Path] = sorted(METHODS.glob("*.toml"))
    assert [line.split()[0] for line in lines if line[:1].strip() and line.split()[0] in {p.stem for p in paths}] == [
        path.stem for path in paths
    ]
    for path in paths:
        card = read_card(path)
        assert f"{path.stem} {card.title}" in unwrapped
        assert f"    {card.source}" in lines


def test_methods_that_take_ifa_say_so(listed: tuple[str, list[str]]) -> None:
    takers = sum(read_card(path).ifa for path in METHODS.glob("*.toml"))
    assert listed[0].count("--ifa 3") == takers >= 2


def test_nothing_heavy_is_imported(listed: tuple[str, list[str]]) -> None:
    assert listed[1] == []
