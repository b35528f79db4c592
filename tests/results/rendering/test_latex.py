"""LaTeX: escaped, in one piece, and compiled where pdflatex is."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cxrbench.results.papers import layout_names, layout_of, paper_table
from cxrbench.results.papers.notes import Choice
from cxrbench.results.rendering import latex, render
from cxrbench.results.rendering.latex import PREAMBLE, escaped

from .grids import NASTY, small, wide


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b", r"a\_b"),
        ("50 % & more", r"50 \% \& more"),
        ("$#{}", r"\$\#\{\}"),
        ("\\~^", r"\textbackslash{}\textasciitilde{}\textasciicircum{}"),
        ("p < 0.05 > |", "p $<$ 0.05 $>$ $|$"),
        ("0.8 ± 0.1", r"0.8 $\pm$ 0.1"),
        ("*†‡§¶", r"$^{*}$$^{\dagger}$$^{\ddagger}$$^{\S}$$^{\P}$"),
        ("--row", "-{}-row"),
        ("[1] a", "{[}1{]} a"),
        ("é", "é"),
        ("ł 中", "? ?"),
        ("two\nlines", "two lines"),
    ],
)
def test_escapes(text: str, expected: str) -> None:
    assert escaped(text) == expected


def test_cells_by_hand() -> None:
    text = latex(small())
    assert r"\quad CheSS & \textbf{0.812 $\pm$ 0.012}\rlap{$^{\ddagger}$} & " in text
    assert r"\underline{0.700 $\pm$ 0.020 (7/10)}\rlap{$^{*}$$^{\dagger}$} & undefined (0/10) & " in text
    assert r"\multicolumn{2}{c}{mean AUC} & \multicolumn{1}{c}{published} \\" in text
    assert r"\cmidrule(lr){2-3} \cmidrule(lr){4-4}" in text
    assert r"\label{tab:ifa-7}" in text


def test_synthetic_data_stand_in_a_comment_and_in_the_caption() -> None:
    text = latex(small())
    assert "% SYNTHETIC phantom data" in text.splitlines()
    assert r"\caption{AUC \& more. \textbf{SYNTHETIC phantom data.}}" in text
    assert "SYNTHETIC" not in latex(small(synthetic=False))


def test_the_comment_gives_the_preamble() -> None:
    assert PREAMBLE in latex(small()).splitlines()[0]
    assert latex(small()).startswith("%")


def test_many_columns_turn_their_headings_and_part_from_the_published() -> None:
    text = latex(wide())
    assert text.count(r"\begin{table}") == 2
    assert text.count(r"\rotatebox{90}{Consolidation 3}") == 2
    assert text.count("A note.") == 1
    assert set(re.findall(r"\\label\{(.*?)\}", text)) == {"tab:wide", "tab:wide-published"}


def test_a_label_in_brackets_is_no_argument_of_the_row_above() -> None:
    grid = replace(small(), rows=tuple(replace(row, label="[a]", group="") for row in small().rows))
    rows = [line for line in latex(grid).splitlines() if "a{]}" in line]
    assert len(rows) == 2
    assert all(line.startswith("{[}a{]} & ") for line in rows)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_all_tables_compile_and_fit_the_page(tmp_path: Path) -> None:
    papers = [paper_table(layout_of(name), [], {"chexpert"}, choice=Choice(published=True)) for name in layout_names()]
    bracketed = replace(small(), rows=tuple(replace(row, label="[a]", group="") for row in small().rows))
    body = "\\clearpage\n".join(latex(grid) for grid in (*papers, small(), bracketed, wide()))
    assert escaped(NASTY) in body
    document = f"\\documentclass{{article}}\n{PREAMBLE}\n\\begin{{document}}\n{body}\n\\end{{document}}\n"
    (tmp_path / "all.tex").write_text(document, encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=tmp_path,
        capture_output=True,
        timeout=120,
        check=False,
    )
    log = (tmp_path / "all.log").read_text(encoding="latin-1")
    assert done.returncode == 0, log[-3000:]
    # An overfull line or a float taller than the page.
    assert "Overfull \\hbox" not in log
    assert "Float too large" not in log


def test_documents_hold_all_their_tables() -> None:
    assert render([small(), wide()], "latex").count(r"\end{table}") == 3
    with pytest.raises(ValueError, match="unknown form 'html'"):
        render([small()], "html")
