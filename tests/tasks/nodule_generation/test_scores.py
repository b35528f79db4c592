"""Metrics, their weighted forms, comparisons, and who can be compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import sqrtm

from cxrbench.foundation.errors import RefusedError
from cxrbench.tasks.nodule_generation.compare import compare_patches
from cxrbench.tasks.nodule_generation.predictions import pair_nodules
from cxrbench.tasks.nodule_generation.scores import METRICS, meaning, score_patches
from cxrbench.tasks.nodule_generation.weighted import weighted_metric
from cxrbench.tasks.predictions import Predictions
from tests.tasks.nodule_generation.examples import predictions


@pytest.fixture
def sets() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    real = rng.normal(size=(60, 4)).astype(np.float32)
    near = (real + rng.normal(scale=0.1, size=real.shape)).astype(np.float32)
    return real, near, (near + 1.0).astype(np.float32)


def test_frechet_is_the_distance_of_two_gaussians(sets: tuple) -> None:
    real, _, far = (each.astype(np.float64) for each in sets)
    a, b = np.cov(real.T), np.cov(far.T)
    expected = ((real.mean(0) - far.mean(0)) ** 2).sum() + np.trace(a + b - 2 * np.real(sqrtm(a @ b)))
    assert score_patches(predictions(real, far))["frechet"] == pytest.approx(expected, rel=1e-6)


def test_equal_features_have_no_distance(sets: tuple) -> None:
    found = score_patches(predictions(sets[0], sets[0]))
    assert found["frechet"] == pytest.approx(0, abs=1e-6)
    assert found["kernel"] == pytest.approx(0, abs=1e-6)


def test_fid_is_blank_without_inception_and_its_own_features_distance_with_it(sets: tuple) -> None:
    real, near, far = sets
    assert score_patches(predictions(real, near))["fid"] is None
    both = predictions(real, near, truth_inception=real, scores_inception=far)
    assert score_patches(both)["fid"] == pytest.approx(score_patches(predictions(real, far))["frechet"])


def test_one_nodule_has_no_distance(sets: tuple) -> None:
    alone = predictions(sets[0][:1], sets[1][:1])
    assert score_patches(alone) == dict.fromkeys(METRICS)
    assert np.isnan(weighted_metric(alone, "frechet")(np.ones((2, 1)))).all()  # type: ignore[misc]


def test_every_metric_says_what_it_is() -> None:
    assert "resnet18_scratch, which is not FID" in meaning("frechet", "resnet18_scratch")
    assert all(meaning(metric, "x") for metric in METRICS)


@pytest.mark.parametrize("metric", ["frechet", "fid", "kernel"])
def test_weights_of_one_give_the_metric_itself(sets: tuple, metric: str) -> None:
    real, near, far = sets
    both = predictions(real, near, truth_inception=real, scores_inception=far)
    weighted = weighted_metric(both, metric)
    assert weighted is not None
    assert weighted(np.ones((1, 60), dtype=np.int64))[0] == pytest.approx(score_patches(both)[metric], rel=1e-5)
    assert weighted_metric(both, "no_such_metric") is None


def test_the_nearer_generator_wins_and_equal_ones_do_not(sets: tuple) -> None:
    real, near, far = sets
    found = {
        each.metric: each for each in compare_patches(predictions(real, far), predictions(real, near), ["permutation"])
    }
    (test,) = found["frechet"].tests
    assert found["frechet"].difference is not None
    assert found["frechet"].difference > 0
    assert test.p_value is not None
    assert test.p_value < 0.01
    assert (test.name, test.unit, test.n, test.decides) == ("permutation", "nodules", 60, True)
    assert found["fid"].tests == ()
    assert found["kernel"].tests == ()
    (same,) = compare_patches(predictions(real, near), predictions(real, near), ["permutation"])[0].tests
    assert same.p_value == 1.0


def test_nodules_of_a_patient_are_exchanged_together(sets: tuple) -> None:
    real, near, far = sets
    two = ["one"] * 30 + ["two"] * 30
    (test,) = compare_patches(predictions(real, far, two), predictions(real, near, two), ["permutation"])[0].tests
    # Two patients have four exchanges, half of which differ as much.
    assert test.p_value == pytest.approx(0.5, abs=0.05)


def test_pairs_are_sorted_and_rounding_of_another_machine_is_no_difference(sets: tuple) -> None:
    real, near, far = sets
    other = predictions((real + 1e-5).astype(np.float32), far)
    turned = Predictions(other.table.iloc[::-1].reset_index(drop=True), other.labels, other.exclusive)
    a, b = pair_nodules(predictions(real, near), turned)
    assert a.table["sample_id"].tolist() == b.table["sample_id"].tolist()
    assert np.array_equal(a.array("truth"), b.array("truth"))
    order = [int(name[1:-2]) for name in b.table["sample_id"]]
    assert np.array_equal(b.array("scores"), far[order])


def test_inception_counts_where_both_have_it(sets: tuple) -> None:
    real, near, far = sets
    a = predictions(real, near, truth_inception=real, scores_inception=far)
    assert "truth_inception" not in pair_nodules(a, predictions(real, near))[0].table
    assert "truth_inception" in pair_nodules(a, a)[1].table


@pytest.mark.parametrize("other", ["pixels", "network"])
def test_other_real_patches_and_other_feature_nets_are_refused(sets: tuple, other: str) -> None:
    real, near, _ = sets
    changed = real + 0.5 if other == "pixels" else real[:, :3]
    with pytest.raises(RefusedError, match="features of the real patches"):
        pair_nodules(predictions(real, near), predictions(changed, near))


def test_other_nodules_are_refused(sets: tuple) -> None:
    real, near, _ = sets
    with pytest.raises(RefusedError, match="differ in 1 samples"):
        pair_nodules(predictions(real, near), predictions(real[:-1], near[:-1]))


def test_predictions_come_back_from_a_file_with_the_same_scores(sets: tuple, tmp_path: Path) -> None:
    made = predictions(*sets[:2])
    made.write(tmp_path / "predictions.parquet")
    assert score_patches(Predictions.read(tmp_path / "predictions.parquet")) == score_patches(made)
