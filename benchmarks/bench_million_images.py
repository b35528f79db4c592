"""A million cached images as pretraining reads them: reading, views, memory, and waiting beside a ResNet-18."""

from __future__ import annotations

import argparse
import mmap
import os
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch
from timing import verdict
from torch import Tensor, nn
from torchvision.models import resnet18

from cxrbench.data.images import Images
from cxrbench.data.radiographs import Radiographs
from cxrbench.data.resumable_array import VALUES, fill
from cxrbench.data.views import VIEW_PRESETS, Views
from cxrbench.pretrain.running.pixels import pixels_of
from cxrbench.pretrain.running.view_batches import ViewBatches

CHUNK = 8192


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--size", type=int, default=64, help="side in pixels")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--preset", default="moco", choices=list(VIEW_PRESETS))
    parser.add_argument("--batches", type=int, default=200, help="batches of views without a network")
    parser.add_argument("--steps", type=int, default=12, help="steps of the network; 0 leaves it out")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the cache is made; the system's temporary folder by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        images = cache(Path(scratch), options.images, options.size)
        views = Views(options.preset, options.size)
        batches = ViewBatches((images,), views, options.batch_size, seed=0, workers=options.workers)
        # First, because the system keeps in memory what a process has mapped and read.
        from_disk(batches, Path(scratch) / "cache" / VALUES)
        whole_epoch(batches)
        only_views(batches, options.batches)
        if options.steps:
            beside_a_network(batches, options.steps)


def cache(folder: Path, n: int, size: int) -> Images:
    """`n` images in the form in which `prepare_images` leaves them, and their table."""
    pixels = smooth_images(CHUNK, size)
    before, start = own_memory(), time.perf_counter()
    ids = np.char.add("image", np.arange(n).astype(str))
    samples = pd.DataFrame({"sample_id": ids, "patient_id": ids, "study_id": ids, "path": ids})
    radiographs = Radiographs("million", folder, samples.assign(split="train", view="frontal"), (), exclusive=False)
    print(f"\n{n:,} images of {size} px")
    print(f"  table of samples: {own_memory() - before:.0f} MB, {time.perf_counter() - start:.1f} s")
    start = time.perf_counter()
    stored = fill(
        folder / "cache",
        (n, size, size),
        np.uint8,
        CHUNK,
        lambda parts: (pixels[: part.stop - part.start] for part in parts),
        title="million",
    )
    assert stored is not None
    took = time.perf_counter() - start
    print(f"  cache: {stored.nbytes / 1e9:.2f} GB, written in {took:.0f} s ({stored.nbytes / took / 1e6:.0f} MB/s)")
    return Images(radiographs, stored, np.arange(n), folder / "cache", "key", size, "default", "fingerprint")


def whole_epoch(batches: ViewBatches) -> None:
    """Every image once, in the shuffled order of an epoch, without views."""
    before, start = own_memory(), time.perf_counter()
    order = np.random.default_rng(0).permutation(batches.n_images)
    shuffled = time.perf_counter() - start
    n = 0
    for rows in np.array_split(order, len(batches)):
        n += len(pixels_of(batches.images, rows))
    took = time.perf_counter() - start - shuffled
    print(f"\nA whole epoch read in shuffled order (shuffling: {shuffled:.2f} s)")
    print(f"  {n / took:,.0f} images/s, {took:.1f} s, memory grew by {own_memory() - before:.0f} MB")


def from_disk(batches: ViewBatches, path: Path) -> None:
    """Shuffled batches when the system holds none of the file in memory, with and without its reading ahead."""
    print("\nShuffled batches, none of the file in the system's memory (what the disk itself remembers stays)")
    images = batches.images[0]
    for words, advice in (("as it is used", mmap.MADV_NORMAL), ("without reading ahead", mmap.MADV_RANDOM)):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        mapped.madvise(advice)
        header = path.stat().st_size - images.stored.nbytes
        pixels = np.frombuffer(mapped, np.uint8, offset=header).reshape(images.stored.shape)
        order = np.random.default_rng(1).permutation(len(pixels))
        start, n = time.perf_counter(), 0
        for rows in np.array_split(order, len(batches)):
            n += len(pixels[rows])
            if time.perf_counter() - start > 10:
                break
        rate = n / (time.perf_counter() - start)
        print(f"  {words:22} {rate:10,.0f} images/s, {rate * pixels[0].nbytes / 1e6:,.0f} MB/s, first {n:,} images")
        # What is still mapped would stay in memory.
        del pixels
        mapped.close()


def only_views(batches: ViewBatches, count: int) -> None:
    start = time.perf_counter()
    made = batches(epoch=0)
    batch = next(made)
    first = time.perf_counter() - start
    before, start, n, indices = own_memory(), time.perf_counter(), 0, [batch["index"]]
    for batch in islice(made, count):
        n += len(batch["index"])
        indices.append(batch["index"])
    took = time.perf_counter() - start
    seen = torch.cat(indices)
    assert len(seen.unique()) == len(seen), "an image came twice in one epoch"
    print(f"\nViews ({batches.views.preset}) of {n:,} images, {batches.workers} thread(s), no network")
    print(f"  first batch after {first:.2f} s, then {n / took:,.0f} images/s")
    verdict("growth of memory in MB", own_memory() - before, 50, at_least=False)


def beside_a_network(batches: ViewBatches, steps: int) -> None:
    """Steps of a ResNet-18 on both views on all cores, while threads prepare the next batches."""
    network = resnet18(num_classes=128)
    network.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    network = network.to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)
    made = batches(epoch=1)
    step(network, optimiser, next(made))
    waiting, start = 0.0, time.perf_counter()
    for batch, waited in timed(islice(made, steps)):
        waiting += waited
        step(network, optimiser, batch)
    took = time.perf_counter() - start
    rate = steps * batches.batch_size / took
    print(f"\nBeside a ResNet-18 on {torch.get_num_threads()} cores, batches of {batches.batch_size}")
    print(f"  {rate:.0f} images/s (two views each), {steps} steps")
    verdict("share of time waiting for views", waiting / took, 0.1, at_least=False)


def step(network: nn.Module, optimiser: torch.optim.Optimizer, batch: dict[str, Tensor]) -> None:
    """Forward, backward and update for a loss that compares the two views."""
    one, two = (
        network((batch[name].unsqueeze(1).float() / 255).contiguous(memory_format=torch.channels_last))
        for name in ("one", "two")
    )
    loss = 1 - nn.functional.cosine_similarity(one, two.detach()).mean()
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def timed(batches: Iterator[dict[str, Tensor]]) -> Iterator[tuple[dict[str, Tensor], float]]:
    """Each batch with the seconds that it was waited for."""
    while True:
        start = time.perf_counter()
        batch = next(batches, None)
        if batch is None:
            return
        yield batch, time.perf_counter() - start


def smooth_images(n: int, size: int) -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (n, size, size), dtype=np.uint8)
    return np.stack([cv2.GaussianBlur(image, (0, 0), 2) for image in noise])


def own_memory() -> float:
    """Megabytes that this process holds itself; mapped files, which the system can drop, do not count."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
