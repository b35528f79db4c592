"""The scale of an encoder's features: what it does to raw and to calibrated perceptual losses.

Inverts the same phantoms with one encoder whose features are multiplied by 0.1, 1, 10 and 100, which says the same
about images, and prints the PSNR of both variants as a Markdown table. Below stands what encoders of different sizes
weigh at the start.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from cxrbench.data import load, prepare_images
from cxrbench.data.phantom.dataset import phantom_folder
from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.encoder import Encoder
from cxrbench.pretrain.network import Network
from cxrbench.tasks.registry import tasks
from cxrbench.tasks.task import Context
from cxrbench.tasks.trial import Trial

SCALES = (0.1, 1.0, 10.0, 100.0)
SIZES = ("resnet18_scratch", "scratch", "timm:vgg16", "efficientnet_lite0_scratch")


class Scaled(Network):
    """A network whose features are `scale` times those of another."""

    def __init__(self, network: Network, scale: float):
        super().__init__()
        self.network, self.scale = network, scale
        self.dim, self.stage_channels = network.dim, network.stage_channels

    def pooled_and_stages(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        pooled, stages = self.network.pooled_and_stages(x)
        return self.scale * pooled, [self.scale * each for each in stages]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="where phantoms and the phantom generator lie")
    parser.add_argument("--encoder", default="resnet18_scratch")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    task = tasks.get("gan_inversion").configured("small", {"images.test": 16}, "this script")
    folder = phantom_folder("vindr", asked.cache, n=600, size=128, seed=1)
    radiographs = task.select(load("vindr", folder))
    images = prepare_images(radiographs, task.image_size, task.preprocessing, cache=asked.cache)
    encoder = load_encoder(asked.encoder)

    def run(under_test: Encoder, variant: str):
        trial = Trial("under_test", task.meta.name, variant, "frozen", 100, 0)
        (result,) = task.run(under_test, [trial], images, Context(asked.cache))
        return task.score(result.predictions)["psnr"], result.resolved

    print(f"| features of {asked.encoder} times | {' | '.join(f'{scale:g}' for scale in SCALES)} |")
    print("|---|" + "---|" * len(SCALES))
    for variant in task.meta.variants:
        found = [run(Encoder(Scaled(encoder.network, scale), encoder.meta), variant)[0] for scale in SCALES]
        print(f"| {variant}: PSNR, dB | {' | '.join(f'{value:.2f}' for value in found)} |", flush=True)
    task = task.configured(None, {"steps": 1, "images.test": 2}, "this script")
    print("\n| encoder | weight | weight x distance / pixel error at the start |\n|---|---|---|")
    for name in SIZES:
        _, resolved = run(load_encoder(name), "calibrated")
        weight, distance, error = (
            float(str(resolved[key])) for key in ("weight", "perceptual_distance_at_start", "pixel_error_at_start")
        )
        print(f"| {name} | {weight:.3g} | {weight * distance / error:.6f} |", flush=True)


if __name__ == "__main__":
    main()
