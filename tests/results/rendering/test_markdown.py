"""Markdown: marks, escapes, and one row of headings."""

from __future__ import annotations

from cxrbench.results.rendering import markdown
from cxrbench.results.rendering.markdown import escaped

from .grids import small


def test_line_by_line() -> None:
    assert markdown(small()).splitlines()[:10] == [
        "**AUC & more**",
        "",
        "> **SYNTHETIC phantom data**",
        "",
        "| Model | mean AUC<br>1 % | mean AUC<br>10 % | published<br>1 % |",
        "|---|---:|---:|---:|",
        "| *radiographs* |  |  |  |",
        "| CheSS | **0.812 ± 0.012**‡ | · | 0.790§ |",
        "| *other encoders* |  |  |  |",
        r"| my\_encoder | <u>0.700 ± 0.020 (7/10)</u>\*† | undefined (0/10) | · |",
    ]


def test_notes_are_a_list_and_stars_stay_stars() -> None:
    lines = markdown(small()).splitlines()
    assert "- **Best**, <u>second</u>." in lines
    assert r"- \* p \< 0.05: a test." in lines
    assert any(r"a\_b & 50 %" in line and r"\|" in line for line in lines)


def test_a_text_stays_on_its_line() -> None:
    assert escaped("a |\r\n\tb") == r"a \| b"


def test_real_data_carry_no_label() -> None:
    assert "SYNTHETIC" not in markdown(small(synthetic=False))
