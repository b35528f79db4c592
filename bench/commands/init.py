"""`cxrbench init`: a commented configuration file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TEMPLATE = """\
# Settings of `cxrbench run`. The command line wins over this file, this file over a task's own TOML.

# Who is compared, and on what: see `cxrbench ls encoders` and `cxrbench ls tasks`.
encoders = ["efficientnet_lite0_imagenet", "efficientnet_lite0_scratch"]
tasks = ["chexpert"]

# Per cent of the training patients, and random draws of each. Left out: the task's own plan.
# fractions = [1, 10, 50]
# replicates = 10

# frozen: a linear probe on fixed features; finetune: all weights are trained.
# protocol = "frozen"

# Records go here; decoded images and features, which can be made again, go to the cache.
store = "cxrbench-results"
# cache = "/fast/disk/cxrbench"

# Python files of your own that register encoders, datasets or tasks.
# include = ["my_encoder.py"]

# Where the datasets lie, by task or by dataset. "phantom" makes synthetic radiographs instead.
[data]
chexpert = "phantom"
# pediatric_pneumonia = "chest_xray"

# Changes of any task setting; `cxrbench run --dry-run` checks them.
[settings]
# image_size = 320
# training.lr = 1e-4
"""


def init(
    path: Annotated[Path, typer.Argument(help="File to write.")] = Path("cxrbench.toml"),
) -> None:
    """Write a commented cxrbench.toml. An existing file is never overwritten."""
    from ...foundation.errors import UserError
    from ...foundation.files import new_file

    if path.exists():
        raise UserError(f"{path} is there already; remove it, or name another file")
    with new_file(path) as beside:
        beside.write_text(TEMPLATE, encoding="utf-8")
    typer.echo(f"{path} written: edit it, then `cxrbench run --dry-run` shows what it would do")
