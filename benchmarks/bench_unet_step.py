"""Training a U-Net against a bare loop over segmentation_models_pytorch's own with the same batches and loss."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
from timing import in_turn, report, verdict
from torch.nn import functional

from cxrbench.data import load, prepare_images
from cxrbench.data.image_sizes import image_sizes
from cxrbench.data.phantom.dataset import write_phantom_dataset
from cxrbench.pretrain import load_encoder
from cxrbench.tasks.segmentation.batches import TrainingImages
from cxrbench.tasks.segmentation.loss import DiceAndCrossEntropy
from cxrbench.tasks.segmentation.settings import SegmentationSettings
from cxrbench.tasks.segmentation.targets import true_masks
from cxrbench.tasks.segmentation.unet import build_unet
from cxrbench.training.data_loader import BatchLoader
from cxrbench.training.device import resolve_device, resolve_precision
from cxrbench.training.loop import fit
from cxrbench.training.settings import TrainingSettings


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    n = given.batch * given.steps
    with tempfile.TemporaryDirectory() as scratch:
        root, cache = Path(scratch) / "phantom", Path(scratch) / "cache"
        write_phantom_dataset("siim_acr", root, n, given.size, rib_free=False)
        radiographs = load("siim_acr", root)
        images = prepare_images(radiographs, given.size, cache=cache)
        masks = true_masks(radiographs, "pneumothorax", image_sizes(radiographs, cache))
        training = TrainingImages(images, np.arange(n), masks, SegmentationSettings(augmentation="none"))
        batches = BatchLoader(training.prepare, n, given.batch, seed=0)
        device = resolve_device()
        bf16 = resolve_precision("auto", device) == "bf16"
        encoder = load_encoder("resnet18_scratch")
        settings = TrainingSettings(epochs=1, batch_size=given.batch, patience=0)
        ours = build_unet(encoder, "finetune", 0, (256, 128, 64, 32, 16))
        normalise = load_encoder("resnet18_scratch").to(device).normalise
        theirs = smp.Unet("resnet18", encoder_weights=None, in_channels=encoder.meta.channels).to(device)
        theirs = theirs.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        dice = smp.losses.DiceLoss("binary")

        def with_cxrbench() -> None:
            ours.train()
            fit(ours, DiceAndCrossEntropy(), batches, len(batches), settings, seed=0)

        def with_bare_loop() -> None:
            optimiser = torch.optim.AdamW(theirs.parameters(), lr=1e-4, weight_decay=1e-4)
            for pixels, squares in batches(0):
                pixels, squares = pixels.to(device), squares.to(device).float() / 255
                with torch.autocast(device, dtype=torch.bfloat16, enabled=bf16):
                    logits = theirs(normalise(pixels))
                logits = logits.float()
                loss = dice(logits, squares) + functional.binary_cross_entropy_with_logits(logits, squares)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                optimiser.step()
            if device == "cuda":
                torch.cuda.synchronize()

        found = in_turn({"cxrbench": with_cxrbench, "bare smp": with_bare_loop}, rounds=given.rounds)
        title = f"{given.steps} steps of {given.batch} images of {given.size} px, ResNet-18 U-Net, {device}"
        medians = report(title, found, per=given.steps, unit="s/step")
        verdict("speed against bare smp", medians["bare smp"] / medians["cxrbench"], 0.95, at_least=True)


if __name__ == "__main__":
    main()
