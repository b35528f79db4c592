"""Text: bold and underlined on a terminal, plain and uncut elsewhere."""

from __future__ import annotations

import io
import re
from dataclasses import replace

from rich.cells import cell_len
from rich.console import Console

from cxrbench.results.rendering import render, show

from .grids import small, wide

BOLD, UNDERLINE = "\x1b[1m", "\x1b[4m"


def on_a_terminal(width: int, grid=None) -> str:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, color_system="standard", _environ={})
    show(grid or small(), console)
    return file.getvalue()


def test_plain_text_line_by_line() -> None:
    lines = render([small()], "text").splitlines()
    assert lines[:7] == [
        "AUC & more",
        "SYNTHETIC phantom data",
        "              ─────────────── mean AUC ────────────────  published",
        "Model                             1 %              10 %        1 %",
        "radiographs",
        "  CheSS              0.812 ± 0.012¹‡                  ·     0.790§",
        "other encoders",
    ]
    assert "  ¹ best, ² second." in lines
    assert "  * p < 0.05: a test." in lines


def test_names_are_no_markup() -> None:
    row = replace(small().rows[0], label="[a]", group="[/x]")
    grid = replace(small(), title="[/x] :x:", rows=(row,), notes=("[b] and [/c] :x:",), row_title="[d]")
    for text in (render([grid], "text"), re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal(120, grid))):
        assert {"[/x] :x:", "  [b] and [/c] :x:", "[/x]"} <= {line.rstrip() for line in text.splitlines()}
        assert "  [a]  " in text
        assert "[d]  " in text


def test_plain_text_has_no_escapes_no_trailing_blanks_and_is_never_cut() -> None:
    text = render([wide()], "text")
    assert "\x1b" not in text
    assert not re.search(r" +$", text, re.MULTILINE)
    (headings,) = [line for line in text.splitlines() if "Consolidation 0" in line]
    assert headings.count("Consolidation") == 28
    assert sum("0.500" in line for line in text.splitlines()) == 60


def test_numbers_of_a_column_end_at_the_same_place() -> None:
    lines = render([small()], "text").splitlines()
    ends = [re.search(r"0\.812 ± 0\.012|\(7/10\)", line) for line in lines]
    assert len({found.end() for found in ends if found}) == 1


def test_best_is_bold_and_second_underlined_on_a_terminal() -> None:
    text = on_a_terminal(120)
    assert f"{BOLD}0.812 ± 0.012\x1b[0m‡" in text
    assert f"{UNDERLINE}0.700 ± 0.020 (7/10)\x1b[0m*†" in text
    assert "Bold: best; underlined: second." in text
    assert "¹" not in text


def test_a_narrow_terminal_gets_pieces_that_fit() -> None:
    text = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal(60, wide()))
    assert max(cell_len(line) for line in text.splitlines()) <= 60
    for number in range(14):
        assert len(re.findall(rf"Consolidation {number}\b", text)) == 2
    # Every piece has the labels of its rows.
    assert text.count("encoder 59") == text.count("encoder 30") > 1
