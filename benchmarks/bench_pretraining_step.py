"""Training steps of every pretraining method through the loop, against a bare loop with the same work."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from timing import in_turn, report, seconds, verdict
from torch import Tensor, nn

from cxrbench.pretrain import load_encoder
from cxrbench.pretrain.encoder import Encoder
from cxrbench.pretrain.method import Method, Shape
from cxrbench.pretrain.method_card import methods
from cxrbench.training.data_loader import BatchLoader
from cxrbench.training.device import Device, Precision, autocast, channels_last, resolve_device, resolve_precision
from cxrbench.training.loop import fit
from cxrbench.training.optimiser import build_optimiser
from cxrbench.training.settings import TrainingSettings

TRANSFORMS, LOCAL_VIEWS = 4, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="*", default=list(methods.names()))
    parser.add_argument("--encoder", default="resnet18_scratch", help="resnet50_scratch for the papers' ResNet-50")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--precision", default="float32", choices=["auto", "float32", "bf16"])
    given = parser.parse_args()
    settings = TrainingSettings(
        optimiser="sgd", lr=1e-3, epochs=1, batch_size=given.batch, precision=given.precision, patience=0
    )
    device = resolve_device(settings.device)
    setting = Setting(load_encoder(given.encoder), given.size, given.steps, settings)
    print(f"{given.encoder}, {given.size} px, batches of {given.batch}, {device}")
    for name in given.methods:
        setting.against_bare(name, given.rounds)
    if "moco_v2" in given.methods:
        setting.with_ifa(given.rounds)
        setting.resuming()


class Setting:
    """Encoder, views and settings that all ways share."""

    def __init__(self, encoder: Encoder, size: int, steps: int, settings: TrainingSettings):
        self.encoder, self.size, self.steps, self.settings = encoder, size, steps, settings
        self.device: Device = resolve_device(settings.device)
        self.precision: Precision = resolve_precision(settings.precision, self.device)
        self.views = views(settings.batch_size, size)

    def method(self, name: str, **settings: Any) -> Method:
        kind = methods.get(name).load()
        shape = Shape(self.settings.batch_size, self.size)
        torch.manual_seed(0)
        return channels_last(kind(self.encoder.fresh(0), kind.Settings(**settings), shape)).to(self.device)  # type: ignore[return-value]

    def through_fit(self, method: Method) -> None:
        fit(method, loss_of, self.batches, self.steps, self.settings, seed=0, after_step=after_step)

    def batches(self, epoch: int) -> Iterable[dict[str, Tensor]]:
        return [self.views] * self.steps

    def bare(self, method: Method) -> None:
        optimiser = build_optimiser(method, self.settings)
        method.train()
        for step in range(self.steps):
            batch = {key: value.to(self.device) for key, value in self.views.items()}
            with autocast(self.device, self.precision):
                loss = method(batch)["loss"]
            loss.float().backward()
            optimiser.step()
            optimiser.zero_grad()
            method.after_step(step, self.steps)
        if self.device == "cuda":
            torch.cuda.synchronize()

    def against_bare(self, name: str, rounds: int) -> None:
        method = self.method(name)
        images = self.steps * self.settings.batch_size
        ways = {"cxrbench": lambda: self.through_fit(method), "bare loop": lambda: self.bare(method)}
        found = in_turn(ways, rounds)
        report(f"{name}: an image", found, per=images / 1000, unit="ms")
        # Of the quickest rounds: what else runs on the machine can only add.
        ours, bare = min(found["cxrbench"]), min(found["bare loop"])
        verdict(f"{name}, {images / ours:.0f} images/s, against bare", bare / ours, 0.9, at_least=True)

    def with_ifa(self, rounds: int) -> None:
        without, ifa = self.method("moco_v2"), self.method("moco_v2", ifa="3")
        ways: dict[str, Callable[[], object]] = {
            "moco_v2": lambda: self.through_fit(without),
            "moco_v2 with IFA of block 3": lambda: self.through_fit(ifa),
        }
        found = in_turn(ways, 2 * rounds)
        report("IFA: a step", found, per=self.steps)
        best = [min(each) for each in found.values()]
        verdict("IFA's step against one without", best[1] / best[0], 1.05, at_least=False)

    def resuming(self) -> None:
        """Going on from a checkpoint of the last step, so that nothing is left to train."""
        loader = BatchLoader(self.prepare, self.steps * self.settings.batch_size, self.settings.batch_size, seed=0)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "checkpoint.pt"

            def trained() -> None:
                method = self.method("moco_v2")
                start = time.perf_counter()
                fit(
                    method,
                    loss_of,
                    loader,
                    self.steps,
                    self.settings,
                    seed=0,
                    after_step=after_step,
                    checkpoint=file,
                    checkpoint_every_steps=self.steps,
                )
                took.append(time.perf_counter() - start)

            took: list[float] = []
            trained()
            for _ in range(3):
                trained()
            loads = [seconds(lambda: torch.load(file, weights_only=True)) for _ in range(3)]
            step, load, resumed = took[0] / self.steps, statistics.median(loads), statistics.median(took[1:])
        print(f"\nResuming moco_v2: {resumed:.3f} s; loading the checkpoint {load:.3f} s, a step {step:.3f} s")
        verdict("resuming, without the load, against a step", (resumed - load) / step, 1, False)

    def prepare(self, places: Any, generator: Any) -> dict[str, Tensor]:
        return self.views


def loss_of(module: nn.Module, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    return module(batch)


def after_step(network: nn.Module, step: int, steps: int) -> None:
    assert isinstance(network, Method)
    network.after_step(step, steps)


def views(n: int, size: int) -> dict[str, Tensor]:
    """Views in memory under every name that a preset may give; their pixels mean nothing."""
    generator = torch.Generator().manual_seed(0)

    def pixels(*shape: int) -> Tensor:
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)

    local = max(32, size * 96 // 224 // 32 * 32)
    flags = {name: torch.randint(0, 2, (n, TRANSFORMS)).float() for name in ("transform_one", "transform_two")}
    whole = {name: pixels(n, size, size) for name in ("one", "two", "clean_one", "clean_two")}
    return {**whole, "local": pixels(n, LOCAL_VIEWS, local, local), **flags, "index": torch.arange(n)}


if __name__ == "__main__":
    main()
