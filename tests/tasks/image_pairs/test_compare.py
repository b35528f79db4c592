"""Paired tests of images that two trials made, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cxrbench.tasks.image_pairs.compare import compare_images
from tests.tasks.image_pairs.examples import made

ASKED = ("paired t", "Wilcoxon")


def test_tests_are_scipy_s_where_each_image_is_a_patient() -> None:
    a, b = made(20, 0), made(20, 1)
    found = {each.metric: each for each in compare_images(a, b, ASKED)}
    wilcoxon, paired = found["rmse"].tests
    expected = stats.ttest_rel(a.table["rmse"], b.table["rmse"])
    assert (paired.name, paired.decides, paired.unit, paired.n) == ("paired t", True, "images", 20)
    assert paired.statistic == pytest.approx(expected.statistic)
    assert paired.p_value == pytest.approx(expected.pvalue)
    assert (wilcoxon.name, wilcoxon.decides) == ("Wilcoxon", False)
    assert found["psnr"].difference == pytest.approx((a.table["psnr"] - b.table["psnr"]).mean())
    assert found["lpips"].tests == ()
    assert found["lpips"].difference is None


def test_values_are_means_over_the_images_of_both() -> None:
    a, b = made(10, 0, failed=[0, 3]), made(10, 1, psnr=np.array([30.0, np.inf, *[31.0] * 8]))
    found = compare_images(a, b, ASKED)[0]
    both = [2, 4, 5, 6, 7, 8, 9]
    assert found.value_a == pytest.approx(a.table["psnr"][both].mean())
    assert found.value_b == 31.0
    assert found.tests[-1].n == 7
    assert found.tests[-1].p_value == pytest.approx(stats.ttest_rel(a.table["psnr"][both], [31.0] * 7).pvalue)


def test_images_of_a_patient_are_clustered() -> None:
    alone, together = (compare_images(made(12, 0, images), made(12, 1, images), ASKED)[0] for images in (1, 3))
    assert (alone.patients, together.patients) == (12, 4)
    assert together.tests[-1].df == 3
    assert together.difference == alone.difference


def test_only_tests_that_the_task_names() -> None:
    a, b = made(10, 0), made(10, 1)
    assert [test.name for test in compare_images(a, b, ("Wilcoxon",))[0].tests] == ["Wilcoxon"]
    assert compare_images(a, b, ("DeLong",))[0].tests == ()
    assert compare_images(made(6, 0, 6), made(6, 1, 6), ASKED)[0].tests == ()


def test_the_paired_t_decides_only_where_it_may() -> None:
    for decides in (True, False):
        tests = compare_images(made(10, 0), made(10, 1), ASKED, decides)[0].tests
        assert [(test.name, test.decides) for test in tests] == [("Wilcoxon", False), ("paired t", decides)]
