from __future__ import annotations

import hashlib

import pandas as pd
import pytest

from cxrbench.data.private_ids import DIGITS, hashed


def test_it_is_the_beginning_of_sha_256_over_salt_and_id():
    found = hashed(pd.Series(["p1", "p2", "p1"], index=[7, 3, 5], name="patient_id"), "a secret")
    expected = [hashlib.sha256(f"a secret\x1f{name}".encode()).hexdigest()[:16] for name in ("p1", "p2", "p1")]
    assert found.tolist() == expected
    assert found.index.tolist() == [7, 3, 5]
    assert found.name == "patient_id"
    assert found.str.fullmatch(rf"[0-9a-f]{{{DIGITS}}}").all()


def test_another_salt_gives_other_ids():
    ids = pd.Series(["p1", "p2"])
    assert not set(hashed(ids, "one")) & set(hashed(ids, "two"))


def test_salt_and_id_do_not_run_into_each_other():
    assert hashed(pd.Series(["bc"]), "a").iloc[0] != hashed(pd.Series(["c"]), "ab").iloc[0]


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA])
def test_a_missing_id_stays_missing_and_takes_nobodys_hash(missing: object):
    found = hashed(pd.Series(["p1", missing, "p2"], dtype="str"), "salt")
    assert found.isna().tolist() == [False, True, False]
    assert found[0] == hashed(pd.Series(["p1"]), "salt")[0]


def test_equal_ids_hash_alike_as_text_number_or_category():
    text = hashed(pd.Series(["7", "8"]), "salt").tolist()
    assert hashed(pd.Series([7, 8]), "salt").tolist() == text
    assert hashed(pd.Series(["7", "8"], dtype="category"), "salt").tolist() == text


def test_no_ids_give_no_hashes():
    assert hashed(pd.Series([], dtype="str"), "salt").empty


def test_ids_of_a_large_dataset_stay_apart():
    ids = pd.Series(range(200_000)).astype("str")
    assert hashed(ids, "salt").is_unique
