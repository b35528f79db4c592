"""How often bone suppression's tests tell apart networks trained with one loss, which differ in their seed only.

Trains many small networks on a phantom, by the task itself, and asks of pairs of them what `compare` would: the paired
t over test images (clustered by patient) and Wilcoxon's signed ranks of one network against one, and the paired t over
replicates of several against as many others. A rate that is right is 5 %.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from cxrbench.data import load, prepare_images
from cxrbench.data.phantom.dataset import phantom_folder
from cxrbench.pretrain import load_encoder
from cxrbench.stats import clustered_paired_t_test, clustered_wilcoxon_test, paired_t_test
from cxrbench.tasks.image_pairs.predictions import values_per_image
from cxrbench.tasks.registry import tasks
from cxrbench.tasks.task import Context
from cxrbench.tasks.trial import Trial

LEVEL = 0.05
METRICS = ("psnr", "ssim", "rmse")
# Random divisions of all networks into groups of replicates.
DIVISIONS = 2000
# About 100 steps.
SETTINGS = {
    "image_size": 32,
    "widths": [8, 16, 32],
    "augmentation": "none",
    "training.lr": 2e-3,
    "training.batch_size": 8,
    "training.epochs": 6,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", type=int, default=80, help="how many are trained (default 80)")
    parser.add_argument("--encoder", default="resnet18_scratch", help="in the loss of all of them, or mse_alone")
    parser.add_argument("--replicates", type=int, default=5, help="trials of one encoder (default 5)")
    parser.add_argument("--values", type=Path, help="keep the images' values in this .npz, or take them from it")
    given = parser.parse_args()
    if given.networks <= 2 * given.replicates or given.replicates < 2:
        parser.error("--networks: more than twice --replicates, which are at least 2")
    torch.set_num_threads(1)
    if given.values and given.values.exists():
        with np.load(given.values) as content:
            values, patients = {metric: content[metric] for metric in METRICS}, content["patients"]
    else:
        values, patients = train(given.encoder, given.networks)
        if given.values:
            np.savez(given.values, patients=patients, **values)  # type: ignore[arg-type] (NumPy types every name as `allow_pickle`)
    for metric in METRICS:
        report(metric, values[metric], patients, given.replicates)


def train(encoder_name: str, networks: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Metric -> values [networks, test images], and each image's patient."""
    task = tasks.get("bone_suppression").configured(None, SETTINGS, "benchmark")
    own = {each.meta.name: each for each in task.references()}
    encoder = own.get(encoder_name) or load_encoder(encoder_name)
    trials = [Trial(encoder.meta.name, task.meta.name, "calibrated", "frozen", 100, seed) for seed in range(networks)]
    found: dict[str, list[np.ndarray]] = {metric: [] for metric in METRICS}
    patients = np.empty(0)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        data = task.select(load("bse_jsrt", phantom_folder("bse_jsrt", cache, n=240, size=64)))
        images = prepare_images(data, task.image_size, task.preprocessing, cache=cache)
        begin = time.perf_counter()
        for number, result in enumerate(task.run(encoder, iter(trials), images, Context(cache)), 1):
            values = values_per_image(result.predictions)
            patients = result.predictions.patients()
            for metric in METRICS:
                found[metric].append(values[metric])
            if number % 10 == 0:
                print(f"  {number} networks, {time.perf_counter() - begin:.0f} s", flush=True)
    return {metric: np.array(each) for metric, each in found.items()}, patients


def report(metric: str, values: np.ndarray, patients: np.ndarray, replicates: int) -> None:
    """Print the rates of one metric, with a jackknife's 95 % interval over networks."""
    means = values.mean(axis=1)
    print(f"{metric}: mean {means.mean():.3f}, SD of networks {means.std(ddof=1):.3f}, {values.shape[1]} test images")
    pairs = np.array(list(combinations(range(len(values)), 2)))
    a, b = values[pairs[:, 0]], values[pairs[:, 1]]
    wilcoxon = np.array([float(clustered_wilcoxon_test(x, y, patients).p_value) for x, y in zip(a, b, strict=True)])
    for name, p in (("paired t", np.asarray(clustered_paired_t_test(a, b, patients).p_value)), ("Wilcoxon", wilcoxon)):
        _say(f"{name} over images, one network against one", p < LEVEL, pairs, len(values), "pairs")
    groups = _groups(len(values), replicates)
    p = np.asarray(paired_t_test(means[groups[:, 0]], means[groups[:, 1]]).p_value)
    name = f"paired t over replicates, {replicates} against {replicates}"
    _say(name, p < LEVEL, groups.reshape(len(groups), -1), len(values), "groups of both")


def _groups(networks: int, replicates: int) -> np.ndarray:
    """Networks of both sides [G, 2, replicates]."""
    generator = np.random.default_rng(0)
    whole = networks // (2 * replicates) * 2 * replicates
    orders = [generator.permutation(networks)[:whole] for _ in range(DIVISIONS)]
    return np.concatenate(orders).reshape(-1, 2, replicates)


def _say(name: str, rejected: np.ndarray, members: np.ndarray, networks: int, what: str) -> None:
    rate = rejected.mean()
    # Pairs share networks: leave out all that one network is in.
    absent = np.array([~(members == each).any(axis=1) for each in range(networks)])
    without = absent.astype(float) @ rejected / absent.sum(axis=1)
    error = np.sqrt((networks - 1) * np.mean((without - without.mean()) ** 2))
    low, high = max(0.0, rate - 1.96 * error), min(1.0, rate + 1.96 * error)
    print(f"  {name}: {100 * rate:.1f} % ({100 * low:.1f} to {100 * high:.1f}) of {len(rejected)} {what}")


if __name__ == "__main__":
    main()
