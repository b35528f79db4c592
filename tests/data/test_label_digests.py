"""Digests of labels: what changes them and what does not."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cxrbench.data.label_digests import label_digests
from cxrbench.data.radiographs import Radiographs

NAN = float("nan")


def stated(values: list[list[float]], labels: tuple[str, ...] = ("a", "b")) -> Radiographs:
    names = [f"s{number}" for number in range(len(values))]
    columns = dict(zip(labels, np.array(values).T, strict=True))
    samples = pd.DataFrame({"sample_id": names, "patient_id": names, "study_id": names, "path": "x.png", **columns})
    return Radiographs("made_up", Path("nowhere"), samples.assign(split="train", view="frontal"), labels, False)


def test_a_digest_is_the_one_of_sha256_by_hand() -> None:
    content = b"a\x1fb\x1e" + np.array([1.0, 0.0]).astype("<f8").tobytes()
    assert list(label_digests(stated([[1, 0]]))) == [hashlib.sha256(content).hexdigest()[:16]]


def test_equal_labels_have_equal_digests_and_others_have_others() -> None:
    digests = label_digests(stated([[1, 0], [1, NAN], [1, -0.0], [1, -1], [1, NAN], [1, 1 / 3]]))
    assert digests[0] == digests[2]
    assert digests[1] == digests[4]
    assert len(set(digests)) == 4


def test_names_count_and_boxes_do_not() -> None:
    data = stated([[1, 0]])
    boxes = pd.DataFrame({"sample_id": ["s0"], "label": ["a"], "x1": [1.0], "y1": [1.0], "x2": [2.0], "y2": [2.0]})
    assert list(label_digests(replace(data, boxes=boxes))) == list(label_digests(data))
    assert list(label_digests(stated([[1, 0]], ("a", "c")))) != list(label_digests(data))
