"""Array forms against scores of repeated rows."""

from __future__ import annotations

import numpy as np

from cxrbench.tasks.image_pairs.metrics import METRICS
from cxrbench.tasks.image_pairs.scores import score_images
from cxrbench.tasks.image_pairs.weighted import weighted_metric
from tests.tasks.image_pairs.examples import made


def test_array_forms_score_as_repeated_rows_do() -> None:
    found = made(15, failed=[2], psnr=np.where(np.arange(15) == 5, np.inf, np.arange(15) / 7), lpips=np.arange(15) / 9)
    weights = np.random.default_rng(0).multinomial(15, np.full(15, 1 / 15), size=8)
    weights[0] = 1
    for metric in METRICS:
        array_form = weighted_metric(found, metric)
        assert array_form is not None
        expected = [score_images(found.repeated(each))[metric] for each in weights]
        np.testing.assert_allclose(array_form(weights), np.array(expected, dtype=float), rtol=1e-12)


def test_undefined_metrics_are_nan_and_unknown_ones_have_no_form() -> None:
    array_form = weighted_metric(made(4), "lpips")
    assert array_form is not None
    assert np.isnan(array_form(np.ones((3, 4), dtype=int))).tolist() == [True] * 3
    assert weighted_metric(made(4), "dice") is None
