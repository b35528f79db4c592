from __future__ import annotations

from pathlib import Path

import pytest

from cxrbench.data.image_folder import images_below
from cxrbench.foundation.errors import UserError


def make(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_images_at_any_depth_are_listed_in_order_and_nothing_else(tmp_path: Path) -> None:
    make(tmp_path, "b.PNG", "a/c d'é.jpg", "a/b/c/d/e.dcm", "a.txt", "x.IMG", "film.mha", "no_ending", "png")
    assert images_below(tmp_path) == ["a/b/c/d/e.dcm", "a/c d'é.jpg", "b.PNG", "film.mha", "x.IMG"]
    assert images_below(tmp_path, (".txt",)) == ["a.txt"]


def test_shadows_hidden_files_and_named_folders_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, "a.png", "._a.png", ".hidden/a.png", "__MACOSX/a.png", "x/__MACOSX/y/a.png", "Augmented/a.png")
    assert images_below(tmp_path, without=("augmented",)) == ["a.png"]


def test_a_folder_called_like_an_image_is_gone_into(tmp_path: Path) -> None:
    make(tmp_path, "study.dcm/1.dcm")
    assert images_below(tmp_path) == ["study.dcm/1.dcm"]


def test_loops_of_links_end_and_each_folder_is_listed_once_where_it_lies(tmp_path: Path) -> None:
    make(tmp_path, "z/1.png", "z/deep/2.png")
    (tmp_path / "z" / "deep" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a").symlink_to(tmp_path / "z", target_is_directory=True)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    assert images_below(tmp_path) == ["self.png", "z/1.png", "z/deep/2.png"]


def test_a_link_out_of_the_folder_is_followed(tmp_path: Path) -> None:
    make(tmp_path / "disk", "1.png")
    make(tmp_path / "data", "2.png")
    (tmp_path / "data" / "more").symlink_to(tmp_path / "disk", target_is_directory=True)
    assert images_below(tmp_path / "data") == ["2.png", "more/1.png"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere: cannot be read: No such file"):
        images_below(tmp_path / "nowhere")
