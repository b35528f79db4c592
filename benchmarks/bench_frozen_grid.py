"""A frozen grid (3 fractions x 10 replicates, and 100 %) against one bare feature pass over the same images."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from timing import report, verdict

from cxrbench.bench.config import run_config
from cxrbench.bench.plan import make_plan
from cxrbench.bench.runner import Runner
from cxrbench.foundation.progress import SilentProgress
from cxrbench.pretrain import load_encoder
from cxrbench.results import Store
from cxrbench.training.device import images_channels_last

PHANTOM = "phantom:n=2400,size=224"
BATCH = 64
TARGET = 1.15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default="efficientnet_lite0_imagenet", help="`scratch` is the papers' ResNet-50")
    name = parser.parse_args().encoder
    with tempfile.TemporaryDirectory() as scratch:
        given = {
            "encoders": (name,),
            "tasks": ("chexpert",),
            "data": {"*": PHANTOM},
            "cache": Path(scratch) / "cache",
            "fractions": (1.0, 10.0, 50.0, 100.0),
            "protocol": "frozen",
        }
        found: dict[str, list[float]] = {"bare feature pass": [], "whole grid, 31 trials": []}
        network = load_encoder(name).eval().to(memory_format=torch.channels_last)
        config = run_config({**given, "store": Path(scratch) / "warm"}, (), Path("/dev/null"))
        runner = Runner(Store(config.store), config.cache, SilentProgress())
        images = runner.prepare(make_plan(config, Store(config.store), SilentProgress()).groups[0])

        def bare_pass() -> None:
            with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
                for first in range(0, len(images), BATCH):
                    pixels = torch.from_numpy(np.array(images.stored[first : first + BATCH])).unsqueeze(1).float() / 255
                    network(images_channels_last(pixels))

        bare_pass()
        for number in range(3):
            start = time.perf_counter()
            bare_pass()
            found["bare feature pass"].append(time.perf_counter() - start)
            store = Store(Path(scratch) / f"store-{number}")
            shutil.rmtree(config.cache / "features", ignore_errors=True)
            numbered = config.model_copy(update={"store": store.path})
            start = time.perf_counter()
            plan = make_plan(numbered, store, SilentProgress())
            failures = Runner(store, config.cache, SilentProgress()).run(plan)
            found["whole grid, 31 trials"].append(time.perf_counter() - start)
            assert not failures, failures
            assert len(list(store.records())) == 31
        medians = report(f"Frozen grid, {name}, {len(images)} frontal phantoms of 224 px", found)
        grid, one_pass = medians["whole grid, 31 trials"], medians["bare feature pass"]
        verdict("grid / one pass", grid / one_pass, TARGET, at_least=False)
        print(f"  everything that is not the pass: {grid - one_pass:.1f} s for 31 trials")


if __name__ == "__main__":
    main()
