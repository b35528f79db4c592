"""Equal numbers of both kinds, fractions inside each other, and draws that no file order changes."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from cxrbench.data.radiographs import Radiographs
from cxrbench.data.splits import ROLES, Split
from cxrbench.foundation.errors import UserError
from cxrbench.tasks.segmentation.draw import draw
from cxrbench.tasks.segmentation.settings import DrawSettings
from cxrbench.tasks.trial import Trial
from tests.tasks.segmentation.examples import LABEL, dataset


def drawn(data: Radiographs, fraction: float = 100, replicate: int = 0, **settings: object) -> Split:
    trial = Trial("any", "siim_acr", "default", "finetune", fraction, replicate)
    return draw(data, trial, 1, DrawSettings.model_validate(settings), LABEL)


def counts(data: Radiographs, split: Split) -> list[tuple[int, int]]:
    """Positives and negatives of each role."""
    positive = data.samples[LABEL].to_numpy() == 1
    return [(int(positive[rows].sum()), int((~positive[rows]).sum())) for rows in (getattr(split, r) for r in ROLES)]


def test_equal_numbers_of_both_kinds_in_every_part() -> None:
    data = dataset(n=400)
    for fraction in (30, 100):
        assert all(positives == negatives > 0 for positives, negatives in counts(data, drawn(data, fraction)))


def test_natural_prevalence_keeps_every_image() -> None:
    data = dataset(n=400)
    split = drawn(data, balance="natural", test_balance="natural")
    assert len(np.concatenate([getattr(split, role) for role in ROLES])) == 400
    (train, _), (validation, _), _ = counts(data, split)
    # A fifth of the patients with a positive, and of those without one.
    assert validation == (train + validation) // 5
    assert len(split.validation) == pytest.approx(0.2 * 320, abs=2)


def test_balance_of_the_test_part_is_a_setting_of_its_own() -> None:
    data = dataset(n=400)
    split = drawn(data, test_balance="natural")
    assert len(split.test) == 80
    assert counts(data, split)[0][0] == counts(data, split)[0][1]


@pytest.mark.parametrize("images_a_patient", [1, 3])
def test_a_fraction_lies_inside_a_larger_one(images_a_patient: int) -> None:
    data = dataset(n=600, images_a_patient=images_a_patient)
    parts = [drawn(data, fraction) for fraction in (10, 30, 50, 100)]
    for small, large in pairwise(parts):
        assert set(small.train) < set(large.train)
        assert set(small.validation) <= set(large.validation)
        assert np.array_equal(small.test, large.test)


@pytest.mark.parametrize(
    ("small", "large", "n", "images_a_patient", "seed"), [(20, 30, 90, 3, 11), (30, 50, 120, 5, 2)]
)
def test_a_patient_drawn_because_one_must_be_stays_in_a_larger_fraction(
    small: float, large: float, n: int, images_a_patient: int, seed: int
) -> None:
    data = dataset(n=n, images_a_patient=images_a_patient, prevalence=0.5, seed=seed)
    assert set(drawn(data, small).train) < set(drawn(data, large).train)


def test_replicates_share_the_test_part_and_differ_in_the_others() -> None:
    data = dataset(n=400)
    one, other = drawn(data, replicate=0), drawn(data, replicate=1)
    assert np.array_equal(one.test, other.test)
    assert set(one.validation) != set(other.validation)


@pytest.mark.parametrize("images_a_patient", [1, 3])
def test_the_file_order_changes_nothing(images_a_patient: int) -> None:
    data = dataset(n=300, images_a_patient=images_a_patient)
    order = np.random.default_rng(1).permutation(len(data))
    shuffled = replace(data, samples=data.samples.iloc[order].reset_index(drop=True))
    assert drawn(data, 30).digest(data) == drawn(shuffled, 30).digest(shuffled)


def test_no_patient_is_on_two_sides() -> None:
    data = dataset(n=300, images_a_patient=3)
    split = drawn(data)
    patients = data.samples["patient_id"].to_numpy()
    sides = [set(patients[getattr(split, role)]) for role in ROLES]
    assert len(sides[0] | sides[1] | sides[2]) == sum(map(len, sides))


@pytest.mark.parametrize("role", ["train", "test"])
def test_a_part_without_a_positive_is_named(role: str) -> None:
    data = dataset(n=100)
    samples = data.samples.copy()
    samples.loc[samples["split"] == role, LABEL] = 0.0
    with pytest.raises(UserError, match=f"no image with pneumothorax in the {role} part of 100 % #0"):
        drawn(replace(data, samples=samples))


def test_too_few_positives_to_validate_are_named() -> None:
    data = dataset(n=100)
    samples = data.samples.copy()
    rows = samples.index[(samples["split"] == "train") & (samples[LABEL] == 1)]
    samples.loc[rows[1:], LABEL] = 0.0
    with pytest.raises(UserError, match="in the validation part"):
        drawn(replace(data, samples=samples))


def test_where_negatives_are_the_fewer_all_are_kept() -> None:
    data = dataset(n=200, prevalence=0.8)
    natural = drawn(data, balance="natural", test_balance="natural")
    assert counts(data, drawn(data)) == counts(data, natural)
