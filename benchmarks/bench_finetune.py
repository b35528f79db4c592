"""Fine-tuning against a bare loop with the same network, precision and batches, and against the papers' stack."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import torch
from timing import in_turn, report, verdict
from torch.nn import functional

from cxrbench.data import load, prepare_images, read_image
from cxrbench.data.augmentation import Augmentation
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.data.preprocessing import preprocess
from cxrbench.pretrain import load_encoder
from cxrbench.tasks.classification.classifier import Classifier
from cxrbench.tasks.classification.training import TrainingImages, single_label_loss
from cxrbench.training.data_loader import BatchLoader
from cxrbench.training.loop import fit
from cxrbench.training.settings import TrainingSettings

SIZE, BATCH = 224, 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", default="resnet18_scratch", help="`scratch` is the papers' ResNet-50")
    parser.add_argument("--images", type=int, default=320)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "phantom"
        write_phantom_dataset("pediatric_pneumonia", root, 2 * given.images, SIZE, rib_free=False)
        radiographs = load("pediatric_pneumonia", root)
        images = prepare_images(radiographs, SIZE, cache=Path(scratch) / "cache")
        rows = np.flatnonzero(radiographs.samples["split"] == "train")[: given.images]
        targets = radiographs.targets()
        paths = [root / path for path in radiographs.samples["path"]]
        encoder = load_encoder(given.encoder)
        augmentation = Augmentation("ifa")

        def ours() -> None:
            training = TrainingImages(images, rows, np.zeros(len(rows), dtype=np.int64), targets[rows], augmentation, 0)
            batches = BatchLoader(training.prepare, len(rows), BATCH, seed=0)
            settings = TrainingSettings(epochs=1, batch_size=BATCH, patience=0)
            fit(Classifier(encoder.fresh(0), 3, 0), single_label_loss, batches, len(batches), settings, seed=0)

        def bare(network: torch.nn.Module, pixels_of, bf16: bool, channels_last: bool) -> None:
            network.train()
            optimiser = torch.optim.AdamW(network.parameters(), lr=1e-4, weight_decay=1e-4)
            order = np.random.default_rng(0).permutation(rows)
            for first in range(0, len(order), BATCH):
                chosen = order[first : first + BATCH]
                pixels = torch.from_numpy(pixels_of(chosen)).unsqueeze(1).float() / 255
                if channels_last:
                    pixels = pixels.expand(-1, 1, -1, -1).contiguous(memory_format=torch.channels_last)
                with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                    logits = network(pixels)
                loss = functional.cross_entropy(logits.float(), torch.from_numpy(targets[chosen]).float())
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()

        def same_as_ours() -> None:
            network = Classifier(encoder.fresh(0), 3, 0).to(memory_format=torch.channels_last)

            def from_cache(chosen: np.ndarray) -> np.ndarray:
                return augmentation(images.batch(chosen), chosen)

            bare(network, from_cache, bf16=True, channels_last=True)

        def papers_stack() -> None:
            def from_files(chosen: np.ndarray) -> np.ndarray:
                return augmentation(np.stack([preprocess(read_image(paths[row]), SIZE) for row in chosen]), chosen)

            bare(Classifier(encoder.fresh(0), 3, 0), from_files, bf16=False, channels_last=False)

        ways = {"cxrbench": ours, "bare loop, same work": same_as_ours, "papers' stack": papers_stack}
        found = in_turn(ways, rounds=3)
        medians = report(f"One epoch of {len(rows)} images of {SIZE} px, {encoder.meta.arch}, batch {BATCH}", found)
        took = medians["cxrbench"]
        verdict("speed against the bare loop", medians["bare loop, same work"] / took, 0.95, at_least=True)
        verdict("speed against the papers' stack", medians["papers' stack"] / took, 2.5, at_least=True)


if __name__ == "__main__":
    main()
