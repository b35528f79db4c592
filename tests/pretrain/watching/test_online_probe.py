from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import nn

from cxrbench.data.images import Images
from cxrbench.data.radiographs import Radiographs
from cxrbench.pretrain.watching.online_probe import STRENGTH, online_probe

from ..tiny_encoder import tiny_encoder

SIZE = 32


def _images(targets: np.ndarray, patients: list[str], *, exclusive: bool = False, test: int = 0) -> Images:
    """Noise that is brighter at the left where the first label is 1 (or by the class); the first `test` are test."""
    n = len(targets)
    labels = tuple(f"label {place}" for place in range(targets.shape[1]))
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 160, (n, SIZE, SIZE), dtype=np.int64)
    signal = targets.argmax(axis=1) if exclusive else np.nan_to_num(targets[:, :1]).sum(axis=1) == 1
    pixels[:, :, : SIZE // 2] += 40 * signal.astype(np.int64)[:, None, None]
    samples = pd.DataFrame({"sample_id": [f"s{row}" for row in range(n)], "patient_id": patients})
    samples["split"] = ["test"] * test + ["train"] * (n - test)
    samples[list(labels)] = targets
    radiographs = Radiographs("made", Path(), samples, labels, exclusive)
    return Images(radiographs, pixels.astype(np.uint8), np.arange(n), Path(), "", SIZE, "default", "")


def _labels(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, (n, 2)).astype(np.float64)


def _patients(n: int, each: int = 2) -> list[str]:
    return [f"p{row // each}" for row in range(n)]


def test_the_auc_is_that_of_a_logistic_regression_on_the_features_in_eval_mode():
    images = _images(_labels(240), _patients(240))
    probe, encoder = online_probe([images], 1000), tiny_encoder()
    assert probe is not None
    found = probe.auc(encoder, SIZE)
    with torch.no_grad():
        features = encoder.eval()(torch.from_numpy(images.stored).unsqueeze(1).float() / 255).double().numpy()
    train, held = features[probe.train], features[probe.validation]
    varies = train.std(axis=0) > 0
    centre, scale = train[:, varies].mean(axis=0), train[:, varies].std(axis=0)
    train, held = (train[:, varies] - centre) / scale, (held[:, varies] - centre) / scale
    areas = []
    for label in range(2):
        truth = probe.truth[:, label]
        # Both classes weigh alike, all weights together 1: the scale in which a strength is given.
        weights = 0.5 / np.bincount(truth[probe.train].astype(int))[truth[probe.train].astype(int)]
        model = LogisticRegression(C=1 / STRENGTH, tol=1e-10, max_iter=10_000)
        model.fit(train, truth[probe.train], sample_weight=weights)
        areas.append(roc_auc_score(truth[probe.validation], model.decision_function(held)))
    assert found == pytest.approx(np.mean(areas), abs=2e-3)
    assert areas[0] > 0.9


def test_the_encoder_is_left_as_it_was():
    probe = online_probe([_images(_labels(90), _patients(90))], 1000)
    assert probe is not None
    encoder = tiny_encoder()
    bn = next(module for module in encoder.modules() if isinstance(module, nn.BatchNorm2d))
    bn.eval()
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    random = torch.get_rng_state()
    assert probe.auc(encoder, SIZE) == probe.auc(encoder, SIZE)
    assert encoder.training
    assert not bn.training
    assert sum(module.training for module in encoder.modules()) == len(list(encoder.modules())) - 1
    assert all(torch.equal(tensor, before[name]) for name, tensor in encoder.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())


def test_patients_are_on_one_side_and_test_images_on_none():
    images = _images(_labels(300), _patients(300, 3), test=60)
    probe = online_probe([images], 1000)
    assert probe is not None
    patients = images.radiographs.samples["patient_id"].to_numpy()
    assert not set(patients[probe.train]) & set(patients[probe.validation])
    used = np.concatenate([probe.train, probe.validation])
    assert sorted(used) == list(range(60, 300))
    assert len(probe.train) == 3 * 54
    assert len(probe.validation) == 3 * 26


def test_at_most_so_many_images_and_always_the_same_patients():
    targets, patients = _labels(300), _patients(300)
    small, whole = online_probe([_images(targets, patients)], 101), online_probe([_images(targets, patients)], 1000)
    assert small is not None
    assert whole is not None
    assert len(small.train) + len(small.validation) == 100
    assert set(small.train) < set(whole.train)
    assert set(small.validation) < set(whole.validation)
    order = np.random.default_rng(3).permutation(300)
    mixed = online_probe([_images(targets[order], [patients[row] for row in order])], 101)
    assert mixed is not None
    assert set(order[mixed.train]) == set(small.train)


def test_what_is_uncertain_or_not_stated_is_left_out_and_readers_are_counted():
    targets = _labels(120)
    targets[:10] = -1
    targets[10:20] = np.nan
    targets[20:30, 1] = -1
    targets[30, 1], targets[31, 1] = 0.75, 0.5
    probe = online_probe([_images(targets, _patients(120, 1))], 1000)
    assert probe is not None
    assert sorted([*probe.train, *probe.validation]) == list(range(20, 120))
    assert np.isnan(probe.truth[20:30, 1]).all()
    assert probe.truth[30:32, 1].tolist() == [1, 0]
    assert 0 <= probe.auc(tiny_encoder(), SIZE) <= 1


def test_a_label_with_one_class_in_a_part_does_not_count():
    targets = _labels(120)
    targets[:, 1] = 0
    probe = online_probe([_images(targets, _patients(120))], 1000)
    assert probe is not None
    assert probe.names == ("label 0",)
    targets[:, 0] = 1
    assert online_probe([_images(targets, _patients(120))], 1000) is None


def test_classes_that_exclude_each_other_are_one_against_the_rest():
    classes = np.random.default_rng(2).integers(0, 3, 240)
    probe = online_probe([_images(np.eye(3)[classes], _patients(240), exclusive=True)], 1000)
    assert probe is not None
    assert probe.exclusive
    assert probe.truth.tolist() == classes.tolist()
    assert probe.auc(tiny_encoder(), SIZE) > 0.85


def test_images_of_another_size_are_resized():
    probe, encoder = online_probe([_images(_labels(240), _patients(240))], 1000), tiny_encoder()
    assert probe is not None
    sizes = []
    encoder.register_forward_hook(lambda module, inputs, output: sizes.append(tuple(inputs[0].shape[1:])))
    assert 0 <= probe.auc(encoder, 16) <= 1
    assert set(sizes) == {(1, 16, 16)}


def test_the_dataset_with_most_labelled_images_is_probed():
    few, many = _images(_labels(60), _patients(60)), _images(_labels(120), _patients(120))
    plain = _images(np.empty((500, 0)), _patients(500))
    probe = online_probe([plain, few, many], 1000)
    assert probe is not None
    assert probe.images is many


def test_without_labels_or_switched_off_there_is_no_probe():
    assert online_probe([], 1000) is None
    assert online_probe([_images(np.empty((50, 0)), _patients(50))], 1000) is None
    assert online_probe([_images(_labels(60), _patients(60))], 0) is None
    assert online_probe([_images(np.full((60, 2), np.nan), _patients(60))], 1000) is None


def test_features_that_are_not_finite_give_nan():
    probe, encoder = online_probe([_images(_labels(60), _patients(60))], 1000), tiny_encoder()
    assert probe is not None
    with torch.no_grad():
        next(encoder.parameters()).fill_(float("nan"))
    assert np.isnan(probe.auc(encoder, SIZE))


def test_real_radiographs_are_told_apart_by_an_imagenet_encoder(realdata: Path, tmp_path: Path):
    from cxrbench.data import load, prepare_images
    from cxrbench.pretrain import load_encoder

    radiographs = load("pediatric_pneumonia", realdata / "kermany", skip_unreadable=True)
    some = radiographs.where(np.arange(len(radiographs)) % 25 == 0)
    probe = online_probe([prepare_images(some, 64, cache=tmp_path)], 1000)
    assert probe is not None

    assert probe.auc(load_encoder("efficientnet_lite0_imagenet"), 64) > 0.8


def test_it_travels_to_another_process(monkeypatch: pytest.MonkeyPatch):
    images = _images(_labels(60), _patients(60))
    monkeypatch.setattr(Images, "__getstate__", lambda self: dict(self.__dict__))
    monkeypatch.setattr(Images, "__setstate__", lambda self, state: self.__dict__.update(state))
    probe = pickle.loads(pickle.dumps(online_probe([images], 1000)))
    assert probe.auc(tiny_encoder(), SIZE) == pytest.approx(probe.auc(tiny_encoder(), SIZE))
