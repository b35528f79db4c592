"""GAN inversion: images in a batch against one by one, a step against its bare passes, and memory over 1,000 images."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from timing import in_turn, report, verdict
from torch import Tensor

from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.generator import Generator, GeneratorSpec
from cxrbench.tasks.inversion.search import Search
from cxrbench.tasks.perceptual.loss import PerceptualLoss
from cxrbench.tasks.perceptual.settings import PerceptualSettings
from cxrbench.training.device import Device, channels_last, resolve_device

# The shape of the phantom generator; weights do not change the time.
SPEC = GeneratorSpec(64, channels=1, z_dim=64, w_dim=64, mapping_layers=2, channel_base=512, channel_max=64)
BATCH = 32
# Of the batch, one by one: each takes as long as the others.
ALONE = 4
STEPS = 4
IMAGES = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2, help="threads that torch may use")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--resolution", type=int, default=SPEC.resolution)
    parser.add_argument("--encoder", default="timm:resnet50")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    device = resolve_device()
    generator = Generator(replace(SPEC, resolution=given.resolution)).eval().requires_grad_(False).to(device)
    loss = PerceptualLoss(load_encoder(given.encoder), PerceptualSettings())
    channels_last(loss.to(device))
    search = Search(generator, loss, "w+", STEPS, 0.1, device)
    alone = replace(search, loss=None)
    print(f"{device}, {given.threads} threads, {given.resolution} px")
    compare_batches(f"loss of {given.encoder}", search, given.rounds, target=4)
    compare_batches("error of pixels alone", alone, given.rounds, target=3)
    compare_step(search, given.rounds)
    watch_memory(replace(alone, steps=2))


def compare_batches(title: str, search: Search, rounds: int, target: float) -> None:
    """Image-steps a second of BATCH images together and one by one."""
    images = targets(BATCH, search)
    ways: dict[str, Callable[[], object]] = {
        f"{BATCH} together": lambda: finished(search, images),
        f"{ALONE} one by one": lambda: [finished(search, images[n : n + 1]) for n in range(ALONE)],
    }
    found = in_turn(ways, rounds)
    together, one_by_one = report(f"{title}, {search.steps} steps", found).values()
    speeds = BATCH * search.steps / together, ALONE * search.steps / one_by_one
    print(f"  image-steps a second: {speeds[0]:.4g} together, {speeds[1]:.4g} one by one")
    verdict("together against one by one", speeds[0] / speeds[1], target, at_least=True)


def compare_step(search: Search, rounds: int) -> None:
    """Steps of a search against nothing but forward and backward of generator and encoder."""
    images = targets(BATCH, search)
    assert isinstance(search.loss, PerceptualLoss)
    encoder = search.loss.encoder

    def bare() -> None:
        for _ in range(search.steps):
            latents = search.start(BATCH).requires_grad_()
            total = sum((each.sum() for each in encoder.stages(search.generator.grey(latents))), latents.new_zeros(()))
            torch.autograd.grad(total, latents)
        # The features of the targets, once.
        with torch.no_grad():
            encoder.stages(images)
        wait(search.device)

    found = in_turn({"search": lambda: finished(search, images), "bare passes": bare}, rounds)
    own, without = report(f"{search.steps} steps of {BATCH} images", found).values()
    verdict("steps against bare passes", without / own, 0.9, at_least=True)


def watch_memory(search: Search) -> None:
    """Resident set after the first batches and after IMAGES images."""
    first = 0.0
    for done in range(BATCH, IMAGES + BATCH, BATCH):
        finished(search, targets(BATCH, search))
        if done == 4 * BATCH:
            first = resident()
    grown = resident() - first
    print(f"\nMemory over {IMAGES} images: {first:.0f} MiB after {4 * BATCH}, {grown:+.1f} MiB since")
    verdict("growth in MiB", grown, 10, at_least=False)


def targets(n: int, search: Search) -> Tensor:
    side = search.generator.spec.resolution
    return search.targets(np.random.default_rng(0).integers(0, 256, (n, side, side), dtype=np.uint8))


def finished(search: Search, images: Tensor) -> None:
    search.find(images)
    wait(search.device)


def wait(device: Device) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def resident() -> float:
    """Of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


if __name__ == "__main__":
    main()
