"""Boxes as Python literals and as tokens: read, compared, and never run."""

from __future__ import annotations

import ast
import math
import time

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cxrbench.data.sources._siim_covid_boxes import agree, clipped, parse_boxes, parse_label

HOSTILE = [
    "[" * 8000,
    "[" * 4000 + "]" * 4000,
    "-" * 8000 + "1",
    ":-1" * 2700 + "!",
    " -1" * 2700,
    "(" * 90 + ")" * 90,
    "{'x':" * 1600,
    "9" * 8000,
    "[{'x': 1e999, 'y': 2, 'width': 3, 'height': 4}]",
    "[{'x': 0x" + "f" * 4000 + ", 'y': 2, 'width': 3, 'height': 4}]",
    "[{'x': True, 'y': 2, 'width': 3, 'height': 4}]",
    "[{'x': 1, 'y': 2, 'width': 3}]",
    "[{'x': 1, 'y': 2, 'width': 3, 'height': 4, 'class': 5}]",
    "[{'x': '1', 'y': 2, 'width': 3, 'height': 4}]",
    "[{[]: 1}]",
    "[1, 2]",
    "{'x': 1, 'y': 2, 'width': 3, 'height': 4}",
    "[*'a']",
    "f'{1}'",
    "1if 0else 2",
    "nan",
    "\x00",
    "",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_literals_are_refused_at_once(text: str, recwarn: pytest.WarningsRecorder) -> None:
    begun = time.perf_counter()
    with pytest.raises(ValueError, match=r"^(is|has) "):
        parse_boxes(text)
    assert time.perf_counter() - begun < 1.0
    assert not recwarn.list


def test_a_text_beyond_any_real_one_is_not_parsed() -> None:
    with pytest.raises(ValueError, match="is 9002 characters long"):
        parse_boxes("[" + " " * 9000 + "]")


NUMBERS = st.one_of(st.integers(-(10**6), 10**6), st.floats(-1e6, 1e6))
BOXES = st.lists(st.fixed_dictionaries(dict.fromkeys(("x", "y", "width", "height"), NUMBERS)), max_size=8)


@settings(deadline=None, max_examples=50)
@given(BOXES)
@example([{"x": 0, "y": 0, "width": w, "height": h} for w, h in ((0, 0), (0, 1), (1e-295, 0))])
def test_every_list_of_boxes_that_python_writes_is_read(boxes: list[dict[str, float]]) -> None:
    text = repr(boxes)
    corners = [(b["x"], b["y"], b["x"] + b["width"], b["y"] + b["height"]) for b in ast.literal_eval(text)]
    assert parse_boxes(text) == corners
    label = " ".join(f"opacity 1 {x1:.5f} {y1:.5f} {x2:.5f} {y2:.5f}" for x1, y1, x2, y2 in corners)
    assert agree(corners, parse_label(label or "none 1 0 0 1 1"))


def test_boxes_agree_in_any_order_and_clipped_or_not() -> None:
    one, other = (-3.0, 2.0, 10.0, 20.0), (5.0, 6.0, 7.0, 8.0)
    assert agree([one, other], [other, (0.0, 2.0, 10.00001, 20.0)])
    assert not agree([one, other], [other, other])
    assert not agree([one], [one, one])


@settings(deadline=None, max_examples=100)
@given(st.one_of(st.text(max_size=60), st.text("[]{}'\"xy:, .0123456789-+eE_j", max_size=60)))
@example("[{'x': 1_0, 'y': 2, 'width': 3, 'height': 4}]")
def test_no_text_raises_anything_but_value_error(text: str) -> None:
    for parse in (parse_boxes, parse_label):
        try:
            boxes = parse(text)
        except ValueError:
            continue
        assert all(np.isfinite(box).all() for box in boxes)


def test_a_box_is_cut_at_the_edges_that_are_known() -> None:
    assert clipped((-3.0, -1.0, 70.0, 50.0)) == (0.0, 0.0, 70.0, 50.0)
    assert clipped((-3.0, 1.0, 70.0, 50.0), 64, 48) == (0.0, 1.0, 64.0, 48.0)
    assert clipped((1.0, 1.0, 70.0, 50.0), math.inf, 48) == (1.0, 1.0, 70.0, 48.0)
