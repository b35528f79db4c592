from __future__ import annotations

import io
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from cxrbench.foundation.errors import UserError
from cxrbench.results.figures.export import figure_files, write_figure
from cxrbench.results.figures.page import new_page
from cxrbench.results.figures.style import print_style


def figure() -> Figure:
    with print_style():
        page = new_page("A title with $dollars$ and 漢字", 1.0, synthetic=True)
        page.axes(0.3, 0.1, 2.0, 0.6).plot([0, 1, 2], [1, 0, 1])
    return page.figure


@pytest.mark.filterwarnings("error")
def test_all_forms_are_written_and_equal_figures_give_equal_bytes(tmp_path: Path) -> None:
    files = figure_files(f"{tmp_path / 'f.png'}, {tmp_path / 'f.PDF'},{tmp_path / 'f.svg'},{tmp_path / 'f.png'}")
    assert [file.name for file in files] == ["f.png", "f.PDF", "f.svg"]
    write_figure(figure(), files)
    first = [file.read_bytes() for file in files]
    write_figure(figure(), files)
    assert [file.read_bytes() for file in files] == first
    assert [content[:4] for content in first[:2]] == [b"\x89PNG", b"%PDF"]
    assert b"SYNTHETIC phantom data" in first[2]
    assert not any(b"Date" in content for content in first)
    image = Image.open(io.BytesIO(first[0]))
    assert image.size[0] == round(3.15 * 300)
    assert [round(each) for each in image.info["dpi"]] == [300, 300]


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("f", "--out f: a file's suffix says how it is written; use .png, .pdf or .svg"),
        ("f.jpg", "--out f.jpg: .jpg is not written; use .png, .pdf or .svg"),
        ("f.png,", "a file's suffix says"),
        ("absent/f.png", "--out absent/f.png: no such folder: absent"),
        ("folder.png", "--out folder.png: it is a folder; name a file"),
        ("file.txt/f.png", "no such folder"),
        ("x" * 300 + ".png", "File name too long"),
    ],
)
def test_what_cannot_be_written_is_said_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, said: str
) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        figure_files(out)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_where_one_file_cannot_be_written_none_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = figure_files(f"{tmp_path / 'a.png'},{tmp_path / 'b.svg'}")
    (tmp_path / "b.svg").mkdir()
    with pytest.raises(UserError, match=r"b\.svg is a folder"):
        write_figure(figure(), files)
    assert [path.name for path in tmp_path.iterdir()] == ["b.svg"]
