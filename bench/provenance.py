"""Versions, device and code revision: what stands beside a result without deciding it."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path

PACKAGES = ("cxrbench", "torch", "torchvision", "timm", "numpy", "scipy", "pandas", "albumentations")


@cache
def provenance() -> dict[str, object]:
    """JSON-ready facts about this machine and code."""
    import torch

    return {
        "versions": {"python": platform.python_version(), **installed(PACKAGES)},
        "revision": code_revision(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else f"cpu ({platform.machine()})",
        "threads": torch.get_num_threads(),
        "system": platform.platform(terse=True),
    }


def installed(packages: tuple[str, ...]) -> dict[str, str]:
    """Version of each package that is installed."""
    versions = {}
    for name in packages:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def code_revision() -> str | None:
    """Commit of the checkout that this code runs from, with `+` where files were changed; None outside a checkout."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    try:
        describe = ["git", "-C", str(root), "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"]
        found = subprocess.run(describe, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
